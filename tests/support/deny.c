/* SPDX-License-Identifier: MIT */
/*
 * deny.c - run a program as on a kernel that lacks some futex operations.
 *
 *	deny requeue_pi|lock_pi2|pi PROGRAM [ARGUMENT...]
 *
 * Installs a seccomp filter that answers ENOSYS to those operations, sets RQPI_TEST_DENY to the
 *first argument and executes PROGRAM. Exit status: PROGRAM's; 2 usage; 77 no seccomp here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define OPS_MAX 6

struct choice {
	const char *name;
	int count;
	int ops[OPS_MAX];
};

static const struct choice choices[] = {
    {"requeue_pi", 2, {FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI}},
    {"lock_pi2", 1, {FUTEX_LOCK_PI2}},
    {"pi",
     6,
     {FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_LOCK_PI2, FUTEX_WAIT_REQUEUE_PI,
      FUTEX_CMP_REQUEUE_PI}},
};

static int deny_op(scmp_filter_ctx ctx, int call, int op)
{
	return seccomp_rule_add(
	    ctx, SCMP_ACT_ERRNO(ENOSYS), call, 1,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, (uint64_t)FUTEX_CMD_MASK & 0xffffffffu, (uint64_t)op));
}

static int deny(const struct choice *c)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int err = ctx ? 0 : -ENOMEM;

#ifdef __x86_64__
	if (err == 0) /* the program may be one of 32 bits */
		err = seccomp_arch_add(ctx, SCMP_ARCH_X86);
#endif
	for (int i = 0; i < c->count && err == 0; i++) {
		err = deny_op(ctx, SCMP_SYS(futex), c->ops[i]);
		if (err == 0) /* 32-bit machines: the one with 64-bit times */
			err = deny_op(ctx, SCMP_SYS(futex_time64), c->ops[i]);
	}
	if (err == 0)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

int main(int argc, char **argv)
{
	const struct choice *c = NULL;
	int err;

	for (size_t i = 0; argc >= 3 && i < sizeof(choices) / sizeof(choices[0]); i++)
		if (strcmp(argv[1], choices[i].name) == 0)
			c = &choices[i];
	if (!c) {
		fprintf(stderr, "usage: deny requeue_pi|lock_pi2|pi PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	err = deny(c);
	if (err != 0) {
		printf("1..0 # SKIP deny %s: no seccomp filter: %s\n", c->name, strerror(-err));
		return 77;
	}
	setenv("RQPI_TEST_DENY", c->name, 1);
	execvp(argv[2], argv + 2);
	fprintf(stderr, "deny: cannot execute %s: %s\n", argv[2], strerror(errno));
	return 2;
}
