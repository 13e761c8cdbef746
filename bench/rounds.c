/* SPDX-License-Identifier: MIT */
/*
 * rounds.c - who runs when: in each round every case once with every implementation, one after the
 * other, and each round begins with another one, so that none always runs on a warm or a throttled
 * machine. Called by ask_*.c.
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char *const bench_impl_name[BENCH_IMPLS] = {
    "glibc",  "preload", "native",   "requeue", "futex",     "linux",
    "engine", "normal",	 "force-pi", "musl",	"on-engine", "checker",
};

struct bench_case *bench_cases_new(size_t n)
{
	struct bench_case *cases = calloc(n, sizeof(*cases));

	if (!cases)
		abort();
	for (size_t i = 0; i < n; i++) {
		cases[i].cell = calloc(BENCH_IMPLS, sizeof(*cases[i].cell));
		if (!cases[i].cell)
			abort();
		cases[i].limit_s = 20;
	}
	return cases;
}

void bench_cases_free(struct bench_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (int impl = 0; impl < BENCH_IMPLS; impl++) {
			for (size_t s = 0; s < cases[i].cell[impl].n_series; s++)
				free(cases[i].cell[impl].series[s].v);
		}
		free(cases[i].cell);
	}
	free(cases);
}

static void rest(int ms)
{
	struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (ms)
		nanosleep(&time, NULL);
}

static bool run_case(const struct bench_options *opt, const char *bench, struct bench_case *c,
		     int round)
{
	bool any = false;

	for (int turn = 0; turn < BENCH_IMPLS; turn++) {
		/* Backwards every other time: nobody always comes after the same one either. */
		int step = round % 2 ? BENCH_IMPLS - 1 - turn : turn;
		enum bench_impl impl = (enum bench_impl)((step + round) % BENCH_IMPLS);

		if (!(c->impls & BENCH_BIT(impl)))
			continue;
		if (!bench_can_run(opt, impl))
			continue;
		any |= bench_run_batch(opt, bench, c, impl, round);
		rest(c->pause_ms);
	}
	return any;
}

bool bench_run_rounds(const struct bench_options *opt, const char *bench, struct bench_case *cases,
		      size_t n, int rounds)
{
	bool show = isatty(STDERR_FILENO), any = false;

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i++) {
			if (show)
				fprintf(stderr, "\r\033[K%s: round %d of %d: %s", bench, round + 1,
					rounds, cases[i].name);
			any |= run_case(opt, bench, &cases[i], round);
		}
	}
	if (show)
		fputs("\r\033[K", stderr);
	return any;
}
