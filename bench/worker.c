/* SPDX-License-Identifier: MIT */
/*
 * worker.c - rqpi-bench-worker, and rqpi-bench-musl, which is the same for musl: one batch of one
 * benchmark with one implementation, samples on stdout. Started by `rqpi bench` (bench/spawn.c),
 * which alternates implementations; a process of its own for every batch keeps the preload out of
 * the others, and a hang or a crash costs one batch.
 *
 *	rqpi-bench-worker BENCH IMPL [key=value ...]
 *
 * Exit: 0 done, 2 cannot (the reason on stderr).
 */
#include "worker.h"

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
	for (size_t i = 0; i < work_entries; i++) {
		const struct work_entry *entry = &work_table[i];

		if (strcmp(argv[1], entry->bench) || strcmp(argv[2], entry->impl))
			continue;
		work_check_implementation(argv[2]);
		guard_process(args.limit);
		entry->run(&args);
		if (fflush(stdout))
			work_die("writing the samples", errno);
		return 0;
	}
	fprintf(stderr, "rqpi-bench-worker: no benchmark %s for %s\n", argv[1], argv[2]);
	return 2;
}
