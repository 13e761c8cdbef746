/* SPDX-License-Identifier: MIT */
/*
 * lane_engine.c - the lane that is rqpi's engine, in the threads of the process that plays.
 *
 * Used by cmd_conform.c where the engine is built. Children of the process share the engine, since
 * it is started before they are forked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include <rqpi/host.h>

#include "lane.h"

static int start(void)
{
	const struct rqpi_host_options options = {
	    .size = sizeof(options),
	    .flags = RQPI_HOST_CATCH_FAULTS | RQPI_HOST_ACROSS_FORK | RQPI_HOST_DEFER_SIGNALS,
	    /* Many, so that two words hardly ever share one: see spread_buckets() in world.c. */
	    .buckets = 4096,
	};

	return -rqpi_host_start(&options);
}

static long call_futex(uint32_t *uaddr, int op, uint32_t val, const void *timeout_or_val2,
		       uint32_t *uaddr2, uint32_t val3)
{
	return rqpi_futex(uaddr, op, val, timeout_or_val2, uaddr2, val3);
}

static long set_robust_list(void *head, size_t length)
{
	return rqpi_futex_set_robust_list(head, length);
}

static long set_scheduler(pid_t tid, const struct conform_sched *sched)
{
	bool realtime = sched->policy == SCHED_FIFO || sched->policy == SCHED_RR;

	if (sched->policy == SCHED_DEADLINE)
		return -EINVAL;
	return rqpi_futex_setscheduler(tid, sched->policy,
				       realtime ? sched->priority : sched->nice);
}

const struct conform_lane conform_lane_engine = {
    .name = "engine",
    .start = start,
    .futex = call_futex,
    .set_robust_list = set_robust_list,
    .set_scheduler = set_scheduler,
    .exit_task = rqpi_futex_thread_exit,
    .exec_task = rqpi_futex_exec,
    .blocked = rqpi_futex_blocked,
    .notices_death_ms = 250,
    /* No thread can make another one SCHED_DEADLINE for a while: it becomes SCHED_FIFO 99. */
    .lacks = CONFORM_NEEDS_DEADLINE | CONFORM_NEEDS_WATCH | CONFORM_NEEDS_LIST,
    .kernel = {{6, 18, 44}},
};
