/* SPDX-License-Identifier: MIT */
/*
 * ask_engine.c - what does a futex call cost on the engine, beside the same call on the kernel's
 * futex: where nothing sleeps, where many are requeued, where a lock goes from hand to hand? Orders
 * the batches of work_engine.c and work_requeue.c and reports them. Called by cmd_bench.c.
 */
#include "plot.h"

#include <stdio.h>

enum { ROUNDS = 15, ROUNDS_MODERATE = 9, PRIO = 50, LIMIT_S = 60 };

enum { CALLS, CROWD_1, CROWD_64, CROWD_1024, CROWD_10000, HANDS_ONE, HANDS_TWO, CASES };

static const struct {
	const char *name;
	int part, waiters, cross, samples;
} kinds[CASES] = {
    {"no sleep, no wakeup", 0, 1, 0, 12}, {"requeue of 1", 1, 1, 0, 200},
    {"requeue of 64", 1, 64, 0, 60},	  {"requeue of 1024", 1, 1024, 0, 8},
    {"requeue of 10000", 1, 10000, 0, 3}, {"hand-off, one CPU", 2, 1, 0, 40},
    {"hand-off, two CPUs", 2, 1, 1, 40},
};

struct line {
	const char *what, *series;
	double limit; /* 0: no target */
};

#define NO_SLEEP_LIMIT 0.50
#define HANDS_LIMIT    2.50
#define GROWTH_LIMIT   2.00

static const struct line calls[] = {
    {"wake of nobody", "wake_nobody", NO_SLEEP_LIMIT},
    {"wait, word changed", "wait_changed", NO_SLEEP_LIMIT},
    {"cmp_requeue, word changed", "requeue_changed", NO_SLEEP_LIMIT},
    {"cmp_requeue_pi, word changed", "requeue_pi_changed", NO_SLEEP_LIMIT},
    {"cmp_requeue of nobody", "requeue_nobody", NO_SLEEP_LIMIT},
    {"unlock_pi, not the owner", "unlock_not_owner", NO_SLEEP_LIMIT},
    {"trylock_pi, one's own", "trylock_own", NO_SLEEP_LIMIT},
    {"trylock_pi, another's", "trylock_held", NO_SLEEP_LIMIT},
    {"lock_pi and unlock_pi, free", "lock_unlock_free", 0},
};
static const struct line crowd[] = {
    {"cmp_requeue, a waiter", "requeue_ns", NO_SLEEP_LIMIT},
    {"cmp_requeue_pi, a waiter", "requeue_pi_ns", NO_SLEEP_LIMIT},
};
static const struct line hands[] = {
    {"lock and unlock", "lock_ns", HANDS_LIMIT},
    {"condvar", "cond_ns", HANDS_LIMIT},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct line *lines_of(size_t kind, size_t *n)
{
	if (kinds[kind].part == 0) {
		*n = COUNT(calls);
		return calls;
	}
	if (kinds[kind].part == 1) {
		*n = COUNT(crowd);
		return crowd;
	}
	*n = COUNT(hands);
	return hands;
}

static void print_case(const struct bench_report *rep, const struct bench_case *c, size_t kind)
{
	size_t n;
	const struct line *line = lines_of(kind, &n);

	bench_say(rep, "\n  %-30s%20s%20s%10s\n", c->name, "linux min / p50", "engine min / p50",
		  "/ linux");
	for (size_t i = 0; i < n; i++) {
		const struct bench_series *linux_ = bench_of(c, BENCH_LINUX, line[i].series);
		const struct bench_series *engine = bench_of(c, BENCH_ENGINE, line[i].series);

		bench_say(rep, "    %-28s", line[i].what);
		bench_say_number(rep, 10, 1, bench_percentile(linux_, 0));
		bench_say(rep, " /");
		bench_say_number(rep, 8, 1, bench_percentile(linux_, 50));
		bench_say_number(rep, 10, 1, bench_percentile(engine, 0));
		bench_say(rep, " /");
		bench_say_number(rep, 8, 1, bench_percentile(engine, 50));
		bench_say_number(rep, 10, 2, bench_ratio(engine, linux_));
		bench_say(rep, "\n");
	}
}

static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n)
{
	for (size_t line = 0; line < COUNT(crowd); line++) {
		bench_plot_panel(to, BENCH_PLOT_LINES, BENCH_PLOT_LOG_X | BENCH_PLOT_LOG_Y,
				 crowd[line].what, "waiters that one call requeues", "ns a waiter");
		for (size_t i = CROWD_1; i <= CROWD_10000; i++)
			bench_plot_case(to, kinds[i].waiters, &cases[i], crowd[line].series, 1);
	}
	bench_plot_panel(to, BENCH_PLOT_BARS, 0, "calls that do not sleep", "",
			 "ns a call, median");
	for (size_t line = 0; line < COUNT(calls); line++) {
		bench_plot_group(to, calls[line].what);
		bench_plot_case(to, 0, &cases[CALLS], calls[line].series, 1);
	}
	bench_plot_panel(to, BENCH_PLOT_BARS, BENCH_PLOT_LOG_Y, "hand-offs", "",
			 "ns a hand-off, median");
	for (size_t i = HANDS_ONE; i < n; i++) {
		for (size_t line = 0; line < COUNT(hands); line++) {
			char name[64];

			snprintf(name, sizeof(name), "%s, %s", line ? "condvar" : "lock",
				 kinds[i].cross ? "two CPUs" : "one CPU");
			bench_plot_group(to, name);
			bench_plot_case(to, 0, &cases[i], hands[line].series, 1);
		}
	}
}

static void judge_case(struct bench_report *rep, const struct bench_case *c, size_t kind)
{
	size_t n;
	const struct line *line = lines_of(kind, &n);

	for (size_t i = 0; i < n; i++) {
		char of[128];

		if (!(line[i].limit > 0))
			continue;
		if (kind == CALLS)
			snprintf(of, sizeof(of), "%s", line[i].what);
		else
			snprintf(of, sizeof(of), "%s: %s", c->name, line[i].what);
		bench_target(rep, BENCH_ENGINE,
			     bench_quotient(of, bench_of(c, BENCH_ENGINE, line[i].series),
					    bench_of(c, BENCH_LINUX, line[i].series),
					    line[i].limit));
	}
}

/* How much dearer a waiter is among ten thousand, on the engine alone. */
static void judge_growth(struct bench_report *rep, const struct bench_case *cases)
{
	for (size_t i = 0; i < COUNT(crowd); i++) {
		char of[128];

		snprintf(of, sizeof(of), "%s: 10000 / 64", crowd[i].what);
		bench_target(
		    rep, BENCH_ENGINE,
		    bench_quotient(of, bench_of(&cases[CROWD_10000], BENCH_ENGINE, crowd[i].series),
				   bench_of(&cases[CROWD_64], BENCH_ENGINE, crowd[i].series),
				   GROWTH_LIMIT));
	}
}

static void report(struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		print_case(rep, &cases[i], i);
	bench_say(rep, "\n");
	bench_noise(rep, bench_of(&cases[CALLS], BENCH_LINUX, "wake_nobody"),
		    "the kernel's wake of nobody");
	for (size_t i = 0; i < n; i++)
		bench_failures(rep, &cases[i]);
	for (size_t i = 0; i < n; i++) {
		judge_case(rep, &cases[i], i);
		if (i == CROWD_10000)
			judge_growth(rep, cases);
	}
	bench_targets_end(rep);
}

bool bench_ask_engine(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	size_t n = opt->cpu2 < 0 ? HANDS_TWO : CASES;
	struct bench_case *cases = bench_cases_new(n);
	bool measured;

	for (size_t i = 0; i < n; i++) {
		snprintf(cases[i].name, sizeof(cases[i].name), "%s", kinds[i].name);
		snprintf(cases[i].args, sizeof(cases[i].args),
			 "cpu=%d cpu2=%d part=%d waiters=%d cross=%d prio=%d samples=%d", opt->cpu,
			 opt->cpu2, kinds[i].part, kinds[i].waiters, kinds[i].cross,
			 opt->fifo && kinds[i].part == 2 ? PRIO : 0,
			 opt->samples ? opt->samples : kinds[i].samples);
		cases[i].impls = BENCH_BIT(BENCH_LINUX) | BENCH_BIT(BENCH_ENGINE);
		cases[i].limit_s = LIMIT_S;
	}
	bench_report_begin(rep, "engine",
			   "nanoseconds for a futex call on the kernel's futex and on the engine",
			   rounds);
	if (!opt->fifo)
		bench_note(rep, "hand-offs: with SCHED_OTHER, this process may not have "
				"SCHED_FIFO: other work on these CPUs is in the figures");
	if (n < CASES)
		bench_note(rep, "hand-off, two CPUs: left out, this process may use one CPU only");
	measured = bench_run_rounds(opt, "engine", cases, n, rounds);
	plot(rep->plot, cases, n);
	report(rep, cases, n);
	bench_cases_free(cases, n);
	return measured;
}
