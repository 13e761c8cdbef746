/* SPDX-License-Identifier: MIT */
/*
 * ask_pool.c - what does a broadcast cost to a pool of workers who take the same mutex again soon
 * after they were served? Orders the batches of work_pool.c and reports them. Called by
 * cmd_bench.c. A mutex that is strictly handed over makes them stand in line twice.
 */
#include "plot.h"

#include <stdio.h>

enum { ROUNDS = 15, ROUNDS_MODERATE = 9, SAMPLES = 5, SETUPS = 4, PRIO = 90, WORKERS = 64 };

static const struct {
	const char *name;
	int cross, prio;
} setups[SETUPS] = {
    {"one CPU, ordinary threads", 0, 0},
    {"two CPUs, ordinary threads", 1, 0},
    {"one CPU, FIFO", 0, PRIO},
    {"two CPUs, FIFO", 1, PRIO},
};

static const enum bench_impl shown[] = {BENCH_NORMAL,	BENCH_GLIBC,	BENCH_MUSL,
					BENCH_REQUEUE,	BENCH_NATIVE,	BENCH_PRELOAD,
					BENCH_FORCE_PI, BENCH_ON_ENGINE};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static double over(const struct bench_case *c, enum bench_impl impl, enum bench_impl other)
{
	return bench_ratio(bench_of(c, impl, "again_us"), bench_of(c, other, "again_us"));
}

static void print_case(const struct bench_report *rep, const struct bench_case *c)
{
	bench_say(rep, "\n  %-30s%9s%10s%9s%10s%9s%11s%10s\n", c->name, "last us", "again us",
		  "p99", "/ normal", "/ glibc", "/ requeue", "switches");
	for (size_t i = 0; i < COUNT(shown); i++) {
		enum bench_impl impl = shown[i];

		if (!c->cell[impl].runs)
			continue;
		bench_say(rep, "    %-28s", bench_impl_name[impl]);
		if (impl == BENCH_FORCE_PI && !bench_forced(c)) {
			bench_say(rep, "  not in effect: the mutex did not become PI\n");
			continue;
		}
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "last_us"));
		bench_say_number(rep, 10, 1, bench_p50(c, impl, "again_us"));
		bench_say_number(rep, 9, 1, bench_percentile(bench_of(c, impl, "again_us"), 99));
		bench_say_number(rep, 10, 2, over(c, impl, BENCH_NORMAL));
		bench_say_number(rep, 9, 2, over(c, impl, BENCH_GLIBC));
		bench_say_number(rep, 11, 2, over(c, impl, BENCH_REQUEUE));
		bench_say_number(rep, 10, 2, bench_p50(c, impl, "switches"));
		bench_say(rep, "\n");
	}
}

static void judge(struct bench_report *rep, const struct bench_case *c)
{
	static const enum bench_impl before[] = {BENCH_GLIBC, BENCH_NORMAL};
	const struct bench_series *again = bench_of(c, BENCH_FORCE_PI, "again_us");

	/* A PI mutex as glibc's, and what the program had: a normal one. */
	for (size_t i = 0; again && i < COUNT(before); i++) {
		char what[96];

		snprintf(what, sizeof(what), "%s / %s", c->name, bench_impl_name[before[i]]);
		bench_target(rep, BENCH_FORCE_PI,
			     bench_quotient(what, again, bench_of(c, before[i], "again_us"), 2));
	}
}

static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n)
{
	bench_plot_panel(to, BENCH_PLOT_BARS, BENCH_PLOT_LOG_Y,
			 "a broadcast to workers who take the mutex again", "",
			 "us until all have it again, median");
	for (size_t i = 0; i < n; i++) {
		bench_plot_group(to, cases[i].name);
		bench_plot_case(to, 0, &cases[i], "again_us", 1);
	}
}

static void report(struct bench_report *rep, const struct bench_case *cases, size_t n,
		   const bool *judged)
{
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		print_case(rep, &cases[i]);
	bench_say(rep, "\n  (medians; last: from before the broadcast until the last worker has "
		       "the mutex; again: until the last\n  has it for the second time, of which "
		       "the p99 and the "
		       "ratios are; switches are per worker)\n");
	bench_noise(rep, bench_of(&cases[0], BENCH_REQUEUE, "again_us"), "bare requeue on one CPU");
	for (size_t i = 0; i < n; i++)
		bench_failures(rep, &cases[i]);
	if (cases[0].cell[BENCH_FORCE_PI].runs && !bench_forced(&cases[0]))
		bench_note(rep, "force-pi: not in effect: the preload left a normal mutex as it "
				"was, though RQPI_FORCE_PI=1 was set");
	for (size_t i = 0; i < n; i++) {
		if (judged[i])
			judge(rep, &cases[i]);
	}
	bench_targets_end(rep);
}

bool bench_ask_pool(const struct bench_options *opt, struct bench_report *rep)
{
	static const struct bench_list one_size = {.v = {WORKERS}, .n = 1};
	const struct bench_list *sizes = opt->waiters_chosen ? &opt->waiters : &one_size;
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	struct bench_case *cases = bench_cases_new((size_t)(sizes->n * SETUPS));
	bool measured, judged[BENCH_MAX_LIST * SETUPS];
	size_t n = 0;

	for (int w = 0; w < sizes->n; w++) {
		for (size_t s = 0; s < SETUPS; s++) {
			if ((setups[s].cross && opt->cpu2 < 0) || (setups[s].prio && !opt->fifo))
				continue;
			judged[n] = setups[s].cross;
			snprintf(cases[n].name, sizeof(cases[n].name), "%d, %s", sizes->v[w],
				 setups[s].name);
			snprintf(cases[n].args, sizeof(cases[n].args),
				 "cpu=%d cpu2=%d cross=%d prio=%d waiters=%d samples=%d", opt->cpu,
				 opt->cpu2, setups[s].cross, setups[s].prio, sizes->v[w],
				 opt->samples ? opt->samples : SAMPLES);
			cases[n++].impls = BENCH_LIBRARIES | BENCH_BIT(BENCH_NORMAL) |
					   BENCH_BIT(BENCH_FORCE_PI) | BENCH_BIT(BENCH_REQUEUE);
		}
	}
	bench_report_begin(rep, "pool", "a broadcast to workers who take the same mutex again",
			   rounds);
	if (opt->cpu2 < 0)
		bench_note(rep, "two CPUs: left out, this process may use one CPU only");
	if (!opt->fifo)
		bench_note(rep, "FIFO: left out, this process may not have SCHED_FIFO");
	measured = bench_run_rounds(opt, "pool", cases, n, rounds);
	plot(rep->plot, cases, n);
	report(rep, cases, n, judged);
	bench_cases_free(cases, n);
	return measured;
}
