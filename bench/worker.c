/* SPDX-License-Identifier: MIT */
/*
 * worker.c - rqpi-bench-worker: one batch of one benchmark with one implementation, samples on
 * stdout. Started by `rqpi bench` (bench/spawn.c), which alternates implementations; a process of
 * its own for every batch keeps the preload out of the others, and a hang or a crash costs one
 * batch.
 *
 *	rqpi-bench-worker BENCH IMPL [key=value ...]
 *
 * Exit: 0 done, 2 cannot (the reason on stderr).
 */
#include "worker.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "work_args.h"

/*
 * A real-time thread that runs this long without sleeping is a mistake: the kernel then ends the
 * process.
 */
#define RUNAWAY_US 900000

typedef void work_fn(const struct work_args *args);

static const struct {
	const char *bench, *impl;
	work_fn *run;
} table[] = {
    {"uncontended", "glibc", work_uncontended_pthread},
    {"uncontended", "preload", work_uncontended_pthread},
    {"uncontended", "native", work_uncontended_native},
    {"wake", "glibc", work_wake_pthread},
    {"wake", "preload", work_wake_pthread},
    {"wake", "native", work_wake_native},
    {"wake", "requeue", work_wake_requeue},
    {"wake", "futex", work_wake_futex},
    {"herd", "glibc", work_herd_pthread},
    {"herd", "preload", work_herd_pthread},
    {"herd", "native", work_herd_native},
    {"herd", "requeue", work_herd_requeue},
    {"inversion", "glibc", work_inversion_pthread},
    {"inversion", "preload", work_inversion_pthread},
    {"inversion", "native", work_inversion_native},
    {"queue", "glibc", work_queue_pthread},
    {"queue", "preload", work_queue_pthread},
    {"queue", "native", work_queue_native},
    {"contended", "normal", work_contended_normal},
    {"contended", "glibc", work_contended_pthread},
    {"contended", "native", work_contended_native},
    {"contended", "preload", work_contended_pthread},
    {"contended", "force-pi", work_contended_normal},
    {"contended", "requeue", work_contended_requeue},
    {"pool", "normal", work_pool_normal},
    {"pool", "glibc", work_pool_pthread},
    {"pool", "native", work_pool_native},
    {"pool", "preload", work_pool_pthread},
    {"pool", "force-pi", work_pool_normal},
    {"pool", "requeue", work_pool_requeue},
    {"engine", "linux", work_engine_linux},
    {"engine", "engine", work_engine_engine},
};

/* A preload that did not load would pass for ours with glibc's figures, and the other way round. */
static void check_preload(const char *impl)
{
	bool wanted = !strcmp(impl, "preload") || !strcmp(impl, "force-pi"), there;
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)pthread_cond_signal, &info) || !info.dli_fname)
		work_die("cannot tell which library pthread_cond_signal comes from", 0);
	there = strstr(info.dli_fname, "librqpi-preload") != NULL;
	if (wanted && !there)
		work_die("pthread_cond_signal is not that of librqpi-preload.so", 0);
	if (!wanted && there)
		work_die("librqpi-preload.so is loaded, but this batch is to run without it", 0);
}

static void guard_process(int seconds)
{
	struct rlimit runaway = {RUNAWAY_US, RUNAWAY_US + RUNAWAY_US / 4};

	/* Nobody reads the samples of a driver that has died. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		work_die("prctl(PR_SET_PDEATHSIG)", errno);
	alarm((unsigned)seconds);
	if (setrlimit(RLIMIT_RTTIME, &runaway))
		work_die("setrlimit(RLIMIT_RTTIME)", errno);
	/*
	 * Page faults would be measured too; without the right to lock memory they are, a little.
	 */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

int main(int argc, char **argv)
{
	struct work_args args = {.cpu2 = -1, .samples = 1, .pairs = 1, .waiters = 1};
	const char *wrong;

	if (argc < 3) {
		fputs("usage: rqpi-bench-worker BENCH IMPL [key=value ...] (it is run by: rqpi "
		      "bench)\n",
		      stderr);
		return 2;
	}
	args.ms = args.limit = 30;
	args.threads = 1;
	args.forced = !strcmp(argv[2], "force-pi");
	wrong = work_parse_args(&args, argv + 3);
	if (wrong) {
		fprintf(stderr, "rqpi-bench-worker: not an argument, or out of range: %s\n", wrong);
		return 2;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(argv[1], table[i].bench) || strcmp(argv[2], table[i].impl))
			continue;
		check_preload(argv[2]);
		guard_process(args.limit);
		table[i].run(&args);
		if (fflush(stdout))
			work_die("writing the samples", errno);
		return 0;
	}
	fprintf(stderr, "rqpi-bench-worker: no benchmark %s for %s\n", argv[1], argv[2]);
	return 2;
}
