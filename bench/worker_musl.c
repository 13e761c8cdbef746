/* SPDX-License-Identifier: MIT */
/*
 * worker_musl.c - what rqpi-bench-musl can run: the worker as a static program with musl, whose
 * mutexes and condition variables are its own. Read by worker.c, in place of worker_table.c.
 */
#include "worker.h"

#include <sched.h>

const struct work_entry work_table[] = {
    {"uncontended", "musl", work_uncontended_pthread},
    {"wake", "musl", work_wake_pthread},
    {"herd", "musl", work_herd_pthread},
    {"inversion", "musl", work_inversion_pthread},
    {"queue", "musl", work_queue_pthread},
    {"contended", "musl", work_contended_pthread},
    {"pool", "musl", work_pool_pthread},
};

const size_t work_entries = sizeof(work_table) / sizeof(work_table[0]);

/* Nothing can be loaded before, or instead of, what this program is made of. */
void work_check_implementation(const char *impl)
{
	(void)impl;
}

int work_apply_prio(int policy, int prio)
{
	struct sched_param param = {.sched_priority = prio};

	return pthread_setschedparam(pthread_self(), policy, &param);
}
