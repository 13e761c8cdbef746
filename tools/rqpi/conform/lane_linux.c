/* SPDX-License-Identifier: MIT */
/*
 * lane_linux.c - the lane that is the running kernel: system calls and nothing else.
 *
 * Used by cmd_conform.c as the judge of what is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane.h"

/* As sched_setattr(2) has it; the C library of Debian 12 does not. */
struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static long or_errno(long result)
{
	return result < 0 ? -errno : result;
}

static long call_futex(uint32_t *uaddr, int op, uint32_t val, const void *timeout_or_val2,
		       uint32_t *uaddr2, uint32_t val3)
{
	return or_errno(syscall(CONFORM_SYS_FUTEX, uaddr, op, val, timeout_or_val2, uaddr2, val3));
}

static long set_robust_list(void *head, size_t length)
{
	return or_errno(syscall(SYS_set_robust_list, head, length));
}

static long get_robust_list(pid_t tid, void **head, size_t *length)
{
	return or_errno(syscall(SYS_get_robust_list, tid, head, length));
}

static long set_scheduler(pid_t tid, const struct conform_sched *sched)
{
	struct attr attr = {
	    .size = sizeof(attr),
	    .policy = (uint32_t)sched->policy,
	    .nice = sched->nice,
	    .priority = (uint32_t)sched->priority,
	};

	if (sched->policy == SCHED_DEADLINE) {
		attr.deadline = attr.period = (uint64_t)sched->deadline_ms * 1000000;
		attr.runtime = attr.deadline / 10;
	}
	if (syscall(SYS_sched_setattr, tid, &attr, 0))
		return -errno;
	/* sched_setattr(2) keeps the nice value of a SCHED_IDLE thread for the moment only. */
	if (sched->policy == SCHED_IDLE && setpriority(PRIO_PROCESS, (id_t)tid, sched->nice))
		return -errno;
	return 0;
}

const struct conform_lane conform_lane_linux = {
    .name = "linux",
    .futex = call_futex,
    .set_robust_list = set_robust_list,
    .get_robust_list = get_robust_list,
    .set_scheduler = set_scheduler,
};

/*
 * Mended in Linux 7.1. Stable kernels before it have the change from some release on, but the
 * number does not tell whether what followed it is there as well, so that they count as not known.
 */
bool conform_kernel_is_safe(const char *release)
{
	int major = 0, minor = 0;

	if (sscanf(release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 7 || (major == 7 && minor >= 1);
}
