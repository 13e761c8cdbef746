/* SPDX-License-Identifier: MIT */
/*
 * worker_table.c - what rqpi-bench-worker can run, on this system's C library, and whether a
 * process is what it is taken for. Read by worker.c. The counterpart for musl is worker_musl.c.
 */
#include "worker.h"

#include <dlfcn.h>
#include <sched.h>
#include <string.h>

#include <rqpi/base.h>
#include <rqpi/host.h>

const struct work_entry work_table[] = {
    {"uncontended", "glibc", work_uncontended_pthread},
    {"uncontended", "preload", work_uncontended_pthread},
    {"uncontended", "native", work_uncontended_native},
    {"uncontended", "on-engine", work_uncontended_native},
    {"wake", "glibc", work_wake_pthread},
    {"wake", "preload", work_wake_pthread},
    {"wake", "native", work_wake_native},
    {"wake", "requeue", work_wake_requeue},
    {"wake", "futex", work_wake_futex},
    {"wake", "on-engine", work_wake_native},
    {"herd", "glibc", work_herd_pthread},
    {"herd", "preload", work_herd_pthread},
    {"herd", "native", work_herd_native},
    {"herd", "requeue", work_herd_requeue},
    {"herd", "on-engine", work_herd_native},
    {"inversion", "glibc", work_inversion_pthread},
    {"inversion", "preload", work_inversion_pthread},
    {"inversion", "native", work_inversion_native},
    {"inversion", "on-engine", work_inversion_native},
    {"queue", "glibc", work_queue_pthread},
    {"queue", "preload", work_queue_pthread},
    {"queue", "native", work_queue_native},
    {"queue", "on-engine", work_queue_native},
    {"contended", "normal", work_contended_normal},
    {"contended", "glibc", work_contended_pthread},
    {"contended", "native", work_contended_native},
    {"contended", "preload", work_contended_pthread},
    {"contended", "force-pi", work_contended_normal},
    {"contended", "requeue", work_contended_requeue},
    {"contended", "on-engine", work_contended_native},
    {"pool", "normal", work_pool_normal},
    {"pool", "glibc", work_pool_pthread},
    {"pool", "native", work_pool_native},
    {"pool", "preload", work_pool_pthread},
    {"pool", "force-pi", work_pool_normal},
    {"pool", "requeue", work_pool_requeue},
    {"pool", "on-engine", work_pool_native},
    {"chain", "linux", work_chain_linux},
    {"chain", "engine", work_chain_engine},
    {"engine", "linux", work_engine_linux},
    {"engine", "engine", work_engine_engine},
};

const size_t work_entries = sizeof(work_table) / sizeof(work_table[0]);

/*
 * A preload that did not load would pass for ours with glibc's figures, and the other way round; so
 * would a library that did not find its engine.
 */
void work_check_implementation(const char *impl)
{
	bool preloaded = !strcmp(impl, "preload") || !strcmp(impl, "force-pi"), there, engine;
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)pthread_cond_signal, &info) || !info.dli_fname)
		work_die("cannot tell which library pthread_cond_signal comes from", 0);
	there = strstr(info.dli_fname, "librqpi-preload") != NULL;
	if (preloaded && !there)
		work_die("pthread_cond_signal is not that of librqpi-preload.so", 0);
	if (!preloaded && there)
		work_die("librqpi-preload.so is loaded, but this batch is to run without it", 0);
	engine = rqpi_caps() & RQPI_CAP_ENGINE;
	if (engine != !strcmp(impl, "on-engine"))
		work_die(engine ? "the library runs on the engine, but this batch is to run without"
				: "the library does not run on the engine",
			 0);
}

/* An engine in use is told of a new priority; it does not ask again. */
int work_apply_prio(int policy, int prio)
{
	struct sched_param param = {.sched_priority = prio};

	if (rqpi_caps() & RQPI_CAP_ENGINE)
		return (int)-rqpi_futex_setscheduler(0, policy, prio);
	return pthread_setschedparam(pthread_self(), policy, &param);
}
