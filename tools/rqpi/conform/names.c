/* SPDX-License-Identifier: MIT */
/*
 * names.c - the words of the vector format for operations, errors, policies and events.
 *
 * Used by load*.c to read them and by show.c to print them; conform/FORMAT.md lists them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>

#include "program.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

struct named {
	const char *name;
	int value;
};

static const struct named ops[] = {
    {"wait", FUTEX_WAIT},
    {"wake", FUTEX_WAKE},
    {"requeue", FUTEX_REQUEUE},
    {"cmp_requeue", FUTEX_CMP_REQUEUE},
    {"wake_op", FUTEX_WAKE_OP},
    {"lock_pi", FUTEX_LOCK_PI},
    {"unlock_pi", FUTEX_UNLOCK_PI},
    {"trylock_pi", FUTEX_TRYLOCK_PI},
    {"wait_bitset", FUTEX_WAIT_BITSET},
    {"wake_bitset", FUTEX_WAKE_BITSET},
    {"wait_requeue_pi", FUTEX_WAIT_REQUEUE_PI},
    {"cmp_requeue_pi", FUTEX_CMP_REQUEUE_PI},
    {"lock_pi2", FUTEX_LOCK_PI2},
    {NULL, -1},
};

static const struct named errors[] = {
    {"EPERM", EPERM},	{"ESRCH", ESRCH},   {"EINTR", EINTR},	      {"EAGAIN", EAGAIN},
    {"ENOMEM", ENOMEM}, {"EFAULT", EFAULT}, {"EINVAL", EINVAL},	      {"EDEADLK", EDEADLK},
    {"ENOSYS", ENOSYS}, {"E2BIG", E2BIG},   {"ETIMEDOUT", ETIMEDOUT}, {NULL, 0},
};

static const struct named policies[] = {
    {"other", SCHED_OTHER},
    {"batch", SCHED_BATCH},
    {"idle", SCHED_IDLE},
    {"fifo", SCHED_FIFO},
    {"rr", SCHED_RR},
    {"deadline", SCHED_DEADLINE},
    {NULL, -1},
};

static const char *const events[CONFORM_WHAT_COUNT] = {
    [CONFORM_CALL] = "call",
    [CONFORM_STORE] = "store",
    [CONFORM_CAS] = "cas",
    [CONFORM_ROBUST] = "robust_list",
    [CONFORM_SET_ROBUST] = "set_robust_list",
    [CONFORM_GET_ROBUST] = "get_robust_list",
    [CONFORM_PROTECT] = "protect",
    [CONFORM_EXIT] = "exit",
    [CONFORM_EXEC] = "exec",
    [CONFORM_SIGNAL] = "signal",
    [CONFORM_STOP] = "stop_continue",
    [CONFORM_KILL] = "kill",
    [CONFORM_SCHED] = "set_scheduler",
    [CONFORM_EXPIRE] = "expire",
    [CONFORM_SLEEP] = "sleep",
    [CONFORM_HOG] = "hog",
};

static int find(const struct named *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	return table->value;
}

static const char *find_name(const struct named *table, int value)
{
	while (table->name && table->value != value)
		table++;
	return table->name;
}

int conform_op_by_name(const char *name)
{
	return find(ops, name);
}

const char *conform_op_name(int op)
{
	return find_name(ops, op & FUTEX_CMD_MASK);
}

bool conform_op_takes_timeout(int op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return true;
	default:
		return false;
	}
}

bool conform_op_takes_val2(int op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
	case FUTEX_CMP_REQUEUE_PI:
		return true;
	default:
		return false;
	}
}

long conform_result_by_name(const char *name)
{
	return -(long)find(errors, name);
}

const char *conform_errno_name(long result)
{
	return result < 0 ? find_name(errors, (int)-result) : NULL;
}

int conform_policy_by_name(const char *name)
{
	return find(policies, name);
}

const char *conform_policy_name(int policy)
{
	return find_name(policies, policy);
}

const char *conform_what_name(enum conform_what what)
{
	return events[what];
}
