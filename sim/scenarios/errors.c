/* SPDX-License-Identifier: MIT */
/*
 * errors.c - scenarios of the engine alone: what it refuses, and in which order it looks. Most have
 * one task. The rules are those of conform/RULES.md.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

#include "sim/world.h"

struct program {
	uint32_t word[8];
};
#define P RQS_PROGRAM(struct program)

#define PRIVATE	  FUTEX_PRIVATE_FLAG
#define REALTIME  FUTEX_CLOCK_REALTIME
#define NUMBER(n) ((const void *)(intptr_t)(n))

/* Addresses: of user space, but nothing is there; not of user space; not aligned. */
#define NOWHERE ((uint32_t *)8)
#define OUTSIDE ((uint32_t *)(UINTPTR_MAX - 7))
#define BETWEEN ((uint32_t *)((char *)P->word + 2))

#define futex rqs_futex

/* ---------------------------------------------------------------- the operation and its time */

static void call_what_is_not_there(void)
{
	static const int without_clock[] = {
	    FUTEX_WAIT,	       FUTEX_WAKE,	     FUTEX_REQUEUE,   FUTEX_CMP_REQUEUE,
	    FUTEX_WAKE_OP,     FUTEX_LOCK_PI,	     FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI,
	    FUTEX_WAKE_BITSET, FUTEX_CMP_REQUEUE_PI,
	};
	static const int no_such[] = {2, 14, 15, 63, 127, FUTEX_WAKE | 0x200, INT_MIN | FUTEX_WAKE};

	for (size_t i = 0; i < sizeof(no_such) / sizeof(no_such[0]); i++)
		rqs_is(futex(P->word, no_such[i], 1, NULL, P->word + 1, 1), -ENOSYS);
	for (size_t i = 0; i < sizeof(without_clock) / sizeof(without_clock[0]); i++)
		rqs_is(futex(P->word, without_clock[i] | REALTIME, 1, NULL, P->word + 1, 1),
		       -ENOSYS);
	/* The other clock makes no difference to what would not sleep. */
	rqs_is(futex(P->word, FUTEX_WAIT_BITSET | REALTIME, 1, NULL, NULL, 1), -EAGAIN);
	rqs_is(futex(P->word, FUTEX_WAIT_REQUEUE_PI | REALTIME, 1, NULL, P->word + 1, 0), -EAGAIN);
	rqs_is(futex(P->word, FUTEX_LOCK_PI2 | REALTIME, 0, NULL, NULL, 0), 0);
	rqs_is(futex(P->word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
}

const struct rqs_scenario rqs_refused_operations = {
    .name = "refused_operations",
    .about = "operations that there are not, and clocks that an operation does not take",
    .bytes = sizeof(struct program),
    .actors = {{.fn = call_what_is_not_there, .prio = RQPI_PRIO_RT(10)}},
};

/* The time is looked at first: even a free lock is not taken. */
static void give_wrong_times(void)
{
	static const struct rqpi_timespec wrong[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
	static const int timed[] = {FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI,
				    FUTEX_LOCK_PI, FUTEX_LOCK_PI2};
	const struct rqpi_timespec never = {INT64_MAX, 0};
	const struct rqpi_timespec at_once = {0, 0};

	for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++) {
		for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++)
			rqs_is(futex(P->word, timed[i], 0, &wrong[n], P->word + 1, 1), -EINVAL);
		rqs_is(futex(P->word, timed[i], 0, NOWHERE, P->word + 1, 1), -EFAULT);
	}
	rqs_is(futex(P->word, FUTEX_LOCK_PI | PRIVATE, 0, &never, NULL, 0), 0);
	rqs_is(futex(P->word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0), 0);
	rqs_is(futex(P->word, FUTEX_WAIT | PRIVATE, 1, &never, NULL, 0), -EAGAIN);
	rqs_is(futex(P->word, FUTEX_WAIT | PRIVATE, 0, &at_once, NULL, 0), -ETIMEDOUT);
	/* Who does not sleep does not look. */
	rqs_is(futex(P->word, FUTEX_TRYLOCK_PI | PRIVATE, 0, NOWHERE, NULL, 0), 0);
	rqs_is(futex(P->word, FUTEX_UNLOCK_PI | PRIVATE, 0, NOWHERE, NULL, 0), 0);
}

const struct rqs_scenario rqs_refused_times = {
    .name = "refused_times",
    .about = "times that cannot be, that never come, and that have come",
    .bytes = sizeof(struct program),
    .actors = {{.fn = give_wrong_times, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- addresses and numbers */

static void wait_and_wake_nowhere(int flags)
{
	const bool shared = !(flags & PRIVATE);

	rqs_is(futex(BETWEEN, FUTEX_WAIT | flags, 0, NULL, NULL, 0), -EINVAL);
	rqs_is(futex(OUTSIDE, FUTEX_WAIT | flags, 0, NULL, NULL, 0), -EFAULT);
	rqs_is(futex(NOWHERE, FUTEX_WAIT | flags, 0, NULL, NULL, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_WAIT_BITSET | flags, 0, NULL, NULL, 0), -EINVAL);
	rqs_is(futex(NOWHERE, FUTEX_WAIT_BITSET | flags, 0, NULL, NULL, 1), -EFAULT);
	rqs_is(futex(BETWEEN, FUTEX_WAKE | flags, 1, NULL, NULL, 0), -EINVAL);
	rqs_is(futex(OUTSIDE, FUTEX_WAKE | flags, 1, NULL, NULL, 0), -EFAULT);
	rqs_is(futex(NOWHERE, FUTEX_WAKE | flags, 1, NULL, NULL, 0), shared ? -EFAULT : 0);
	rqs_is(futex(P->word, FUTEX_WAKE_BITSET | flags, 1, NULL, NULL, 0), -EINVAL);
	rqs_is(futex(OUTSIDE, FUTEX_WAKE_BITSET | flags, 1, NULL, NULL, 1), -EFAULT);
}

static void requeue_nowhere(int flags)
{
	const bool shared = !(flags & PRIVATE);

	rqs_is(futex(P->word, FUTEX_REQUEUE | flags, UINT_MAX, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, FUTEX_REQUEUE | flags, 1, NUMBER(-1), P->word + 1, 0), -EINVAL);
	rqs_is(futex(OUTSIDE, FUTEX_REQUEUE | flags, 1, NULL, P->word, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_REQUEUE | flags, 1, NULL, OUTSIDE, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_CMP_REQUEUE | flags, 1, NULL, BETWEEN, 0), -EINVAL);
	rqs_is(futex(NOWHERE, FUTEX_CMP_REQUEUE | flags, 1, NULL, P->word, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_CMP_REQUEUE | flags, 1, NULL, P->word + 1, 7), -EAGAIN);
	rqs_is(futex(P->word, FUTEX_CMP_REQUEUE | flags, 1, NULL, NOWHERE, 0),
	       shared ? -EFAULT : 0);
	rqs_is(futex(P->word, FUTEX_REQUEUE | flags, 1, NUMBER(1), P->word + 1, 0), 0);
	rqs_is(futex(OUTSIDE, FUTEX_WAKE_OP | flags, 1, NULL, P->word, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_WAKE_OP | flags, 1, NULL, BETWEEN, 0), -EINVAL);
	rqs_is(futex(P->word, FUTEX_WAKE_OP | flags, 1, NULL, NOWHERE, 0), -EFAULT);
}

static void use_wrong_addresses(void)
{
	wait_and_wake_nowhere(0);
	wait_and_wake_nowhere(PRIVATE);
	requeue_nowhere(0);
	requeue_nowhere(PRIVATE);
}

const struct rqs_scenario rqs_refused_addresses = {
    .name = "refused_addresses",
    .about = "plain futexes at addresses that are not there, and with numbers that cannot be",
    .bytes = sizeof(struct program),
    .actors = {{.fn = use_wrong_addresses, .prio = RQPI_PRIO_RT(10)}},
};

/* UNLOCK_PI looks at the word before it looks at the address. */
static void unlock_nowhere(int flags)
{
	const uint32_t half = RQS_TID << 16;

	rqs_is(futex(NOWHERE, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), -EFAULT);
	rqs_is(futex(OUTSIDE, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), -EFAULT);
	rqs_is(futex(P->word, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), -EPERM);
	rqs_is(futex(BETWEEN, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), -EPERM);
	P->word[0] = half;
	rqs_is(futex(BETWEEN, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), -EINVAL);
	P->word[0] = 0;
}

static void lock_pi_nowhere(int flags)
{
	static const int locks[] = {FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI};

	for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++) {
		const int op = locks[i] | flags;

		rqs_is(futex(BETWEEN, op, 0, NULL, NULL, 0), -EINVAL);
		rqs_is(futex(OUTSIDE, op, 0, NULL, NULL, 0), -EFAULT);
		rqs_is(futex(NOWHERE, op, 0, NULL, NULL, 0), -EFAULT);
		P->word[0] = RQS_TID; /* it has it already */
		rqs_is(futex(P->word, op, 0, NULL, NULL, 0), -EDEADLK);
		P->word[0] = 77; /* nobody has this id */
		rqs_is(futex(P->word, op, 0, NULL, NULL, 0), -ESRCH);
		rqs_claim(P->word[0] == (77 | FUTEX_WAITERS), "WAITERS stays, as in Linux");
		P->word[0] = FUTEX_OWNER_DIED | FUTEX_WAITERS;
		rqs_is(futex(P->word, op, 0, NULL, NULL, 0), 0);
		rqs_claim(P->word[0] == (FUTEX_OWNER_DIED | RQS_TID), "OWNER_DIED stays");
		rqs_is(futex(P->word, FUTEX_UNLOCK_PI | flags, 0, NULL, NULL, 0), 0);
		rqs_claim(P->word[0] == 0, "and is gone after the unlock");
	}
	unlock_nowhere(flags);
}

static void lock_wrong_words(void)
{
	lock_pi_nowhere(0);
	lock_pi_nowhere(PRIVATE);
}

const struct rqs_scenario rqs_refused_locks = {
    .name = "refused_locks",
    .about = "PI futexes at addresses that are not there, and with words that cannot be",
    .bytes = sizeof(struct program),
    .actors = {{.fn = lock_wrong_words, .prio = RQPI_PRIO_RT(10)}},
};

static void cmp_requeue_pi_nowhere(int flags)
{
	const int op = FUTEX_CMP_REQUEUE_PI | flags;

	rqs_is(futex(P->word, op, UINT_MAX, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, op, 1, NUMBER(-1), P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, op, 1, NULL, P->word, 0), -EINVAL);
	rqs_is(futex(P->word, op, 0, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, op, 2, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(BETWEEN, op, 1, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, op, 1, NULL, OUTSIDE, 0), -EFAULT);
	rqs_is(futex(NOWHERE, op, 1, NULL, P->word, 0), -EFAULT);
	/* The second word must be there even if nobody waits. */
	rqs_is(futex(P->word, op, 1, NULL, NOWHERE, 0), -EFAULT);
	rqs_is(futex(P->word, op, 1, NULL, P->word + 1, 7), -EAGAIN);
	rqs_is(futex(P->word, op, 1, NUMBER(INT_MAX), P->word + 1, 0), 0);
}

static void wait_requeue_pi_nowhere(int flags)
{
	const int op = FUTEX_WAIT_REQUEUE_PI | flags;

	rqs_is(futex(P->word, op, 0, NULL, P->word, 0), -EINVAL);
	rqs_is(futex(BETWEEN, op, 0, NULL, OUTSIDE, 0), -EFAULT); /* the second word first */
	rqs_is(futex(BETWEEN, op, 0, NULL, P->word, 0), -EINVAL);
	rqs_is(futex(NOWHERE, op, 0, NULL, P->word, 0), -EFAULT);
	rqs_is(futex(P->word, op, 7, NULL, P->word + 1, 0), -EAGAIN);
}

static void requeue_wrong_words(void)
{
	cmp_requeue_pi_nowhere(0);
	cmp_requeue_pi_nowhere(PRIVATE);
	wait_requeue_pi_nowhere(0);
	wait_requeue_pi_nowhere(PRIVATE);
}

const struct rqs_scenario rqs_refused_requeues = {
    .name = "refused_requeues",
    .about = "requeues to PI futexes that are not there, to itself, and with wrong numbers",
    .bytes = sizeof(struct program),
    .actors = {{.fn = requeue_wrong_words, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- one futex, two addresses */

static void map_twice(void)
{
	rqs_alias(P->word + 1, P->word);
}

static void use_two_names(void)
{
	rqs_is(futex(P->word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, P->word + 1, 0), -EINVAL);
	rqs_is(futex(P->word, FUTEX_WAIT_REQUEUE_PI, 7, NULL, P->word + 1, 0), -EAGAIN);
	rqs_is(futex(P->word, FUTEX_CMP_REQUEUE_PI, 1, NULL, P->word + 1, 0), -EINVAL);
	/* Private ones are told apart by their addresses. */
	rqs_is(futex(P->word, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, NULL, P->word + 1, 0), 0);
}

const struct rqs_scenario rqs_refused_twins = {
    .name = "refused_twins",
    .about = "a requeue from a word to itself, mapped at another address",
    .bytes = sizeof(struct program),
    .actors = {{.fn = use_two_names, .prio = RQPI_PRIO_RT(10)}},
    .setup = map_twice,
};

/* Its key is made while the page is there; the word is read later. */
static void use_two_names_of_a_page(void)
{
	long ret = futex(P->word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, P->word + 1, 0);

	rqs_claim(ret == -EINVAL || ret == -EFAULT, "WAIT_REQUEUE_PI to itself is refused");
}

static void unmap(void)
{
	rqs_set_page(P->word, RQS_PAGE_NONE);
}

const struct rqs_scenario rqs_refused_twins_unmapped = {
    .name = "refused_twins_unmapped",
    .about = "as refused_twins, and the page may be unmapped at any moment",
    .bytes = sizeof(struct program),
    .actors = {{.fn = use_two_names_of_a_page, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unmap, .prio = RQPI_PRIO_RT(20)}},
    .setup = map_twice,
};

/* ---------------------------------------------------------------- WAKE_OP */

#define OP(op, arg, cmp, cmparg) \
	((uint32_t)(op) << 28 | (uint32_t)(cmp) << 24 | (uint32_t)(arg) << 12 | (uint32_t)(cmparg))

static long wake_op(uint32_t before, uint32_t code)
{
	P->word[0] = before;
	return futex(P->word + 1, FUTEX_WAKE_OP | PRIVATE, 1, NUMBER(1), P->word, code);
}

static void compute(void)
{
	static const struct {
		uint32_t code, before, after;
	} known[] = {
	    {OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 3), 3, 5},
	    {OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_NE, 3), 3, 8},
	    {OP(FUTEX_OP_OR, 4, FUTEX_OP_CMP_LT, 3), 3, 7},
	    {OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LE, 3), 3, 2},
	    {OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_GT, 3), 3, 2},
	    {OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_GE, 3), 3, 2}, /* -1 */
	    {OP(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 33, FUTEX_OP_CMP_EQ, 0), 0, 2},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		rqs_is(wake_op(known[i].before, known[i].code), 0);
		rqs_claim(P->word[0] == known[i].after, "WAKE_OP computes as documented");
	}
	rqs_is(wake_op(3, OP(5, 1, FUTEX_OP_CMP_EQ, 0)), -ENOSYS);
	rqs_claim(P->word[0] == 3, "an operation that there is not changes nothing");
	rqs_is(wake_op(3, OP(FUTEX_OP_SET, 1, 6, 0)), -ENOSYS);
	rqs_claim(P->word[0] == 1, "a comparison that there is not comes after the change");
}

const struct rqs_scenario rqs_plain_arithmetic = {
    .name = "plain_arithmetic",
    .about = "all operations and comparisons of WAKE_OP, and those that there are not",
    .bytes = sizeof(struct program),
    .actors = {{.fn = compute, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- owners that cannot be */

static void name_a_kernel_thread(void)
{
	P->word[0] = RQS_FIRST_TID + 1;
	P->word[1] = RQS_FIRST_TID + 2;
}

static void lock_what_they_own(void)
{
	rqs_is(futex(P->word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0), -EPERM);
	rqs_is(futex(P->word + 1, FUTEX_LOCK_PI2 | PRIVATE, 0, NULL, NULL, 0), -EPERM);
	rqs_is(futex(P->word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), -EPERM);
	rqs_is(futex(P->word + 1, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0),
	       -EAGAIN); /* shared: it may */
}

static bool first_has_ended(void)
{
	return rqs_rests(0);
}

static void stay(void)
{
	rqs_when(first_has_ended);
}

const struct rqs_scenario rqs_refused_owners = {
    .name = "refused_owners",
    .about = "words that name a thread of the kernel, or a task of another address space",
    .bytes = sizeof(struct program),
    .actors = {{.fn = lock_what_they_own, .prio = RQPI_PRIO_RT(10)},
	       {.fn = stay, .prio = RQPI_PRIO_RT(20), .kernel = true},
	       {.fn = stay, .prio = RQPI_PRIO_RT(20), .space = 1}},
    .setup = name_a_kernel_thread,
};
