/* SPDX-License-Identifier: MIT */
/*
 * ask_contended.c - how often can several ordinary threads take one lock, how evenly, and how long
 * does one of them wait? Orders the batches of work_contended.c and reports them. Called by
 * cmd_bench.c. No thread is real-time here: this is about the price of inheritance to those who
 * never asked for it.
 */
#include "plot.h"

#include <stdio.h>

enum { ROUNDS = 9, ROUNDS_MODERATE = 5, MS = 400, KINDS = 2 };

static const struct {
	const char *name;
	int work_ns;
} kinds[KINDS] = {
    {"empty sections", 0},
    {"1 us inside, 1 us outside", 1000},
};

/* As they stand in the tables: what there is without us, then ours. */
static const enum bench_impl shown[] = {BENCH_NORMAL,	BENCH_GLIBC,	BENCH_MUSL,
					BENCH_REQUEUE,	BENCH_NATIVE,	BENCH_PRELOAD,
					BENCH_FORCE_PI, BENCH_ON_ENGINE};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct bench_series *takes(const struct bench_case *c, enum bench_impl impl)
{
	return bench_of(c, impl, "takes_per_s");
}

bool bench_forced(const struct bench_case *c)
{
	return bench_percentile(bench_of(c, BENCH_FORCE_PI, "pi"), 0) > 0;
}

static void print_case(const struct bench_report *rep, const struct bench_case *c)
{
	bench_say(rep, "\n  %-28s%9s%9s%8s%7s%9s%9s%9s%9s\n", c->name, "takes/s", "/ normal",
		  "/ glibc", "share", "p50 us", "p99 us", "max us", "switches");
	for (size_t i = 0; i < COUNT(shown); i++) {
		enum bench_impl impl = shown[i];

		if (!c->cell[impl].runs)
			continue;
		bench_say(rep, "    %-22s", bench_impl_name[impl]);
		if (impl == BENCH_FORCE_PI && !bench_forced(c)) {
			bench_say(rep, "  not in effect: the mutex did not become PI\n");
			continue;
		}
		bench_say_number(rep, 13, 0, bench_percentile(takes(c, impl), 50));
		bench_say_number(rep, 9, 2, bench_ratio(takes(c, impl), takes(c, BENCH_NORMAL)));
		bench_say_number(rep, 8, 2, bench_ratio(takes(c, impl), takes(c, BENCH_GLIBC)));
		bench_say_number(rep, 7, 2, bench_p50(c, impl, "share"));
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "wait_p50_us"));
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "wait_p99_us"));
		bench_say_number(rep, 9, 0,
				 bench_percentile(bench_of(c, impl, "wait_max_us"), 100));
		bench_say_number(rep, 9, 3, bench_p50(c, impl, "switches"));
		bench_say(rep, "\n");
	}
}

/* What is asked of the preload that nobody of the program's threads has asked for. */
static void judge(struct bench_report *rep, const struct bench_case *c)
{
	const struct bench_series *own = takes(c, BENCH_FORCE_PI);
	char what[2][96];

	if (!own)
		return;
	snprintf(what[0], sizeof(what[0]), "%s / normal", c->name);
	snprintf(what[1], sizeof(what[1]), "%s / glibc", c->name);
	bench_target(rep, BENCH_FORCE_PI, bench_share(what[0], own, takes(c, BENCH_NORMAL), 0.5));
	bench_target(rep, BENCH_FORCE_PI, bench_share(what[1], own, takes(c, BENCH_GLIBC), 3));
}

static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n,
		 const int *threads)
{
	static const struct {
		const char *title, *series, *y;
		double scale;
	} panels[] = {
	    {"throughput", "takes_per_s", "million takes a second, all threads", 1e-6},
	    {"longest wait of a batch", "wait_max_us", "ms", 1e-3},
	};
	size_t each = n / KINDS;

	for (size_t p = 0; p < COUNT(panels); p++) {
		for (size_t k = 0; k < KINDS; k++) {
			char title[96];

			snprintf(title, sizeof(title), "%s: %s", panels[p].title, kinds[k].name);
			bench_plot_panel(to, BENCH_PLOT_LINES, BENCH_PLOT_LOG_X | BENCH_PLOT_LOG_Y,
					 title, "threads", panels[p].y);
			for (size_t i = k * each; i < (k + 1) * each; i++)
				bench_plot_case(to, threads[i], &cases[i], panels[p].series,
						panels[p].scale);
		}
	}
}

static void report(struct bench_report *rep, const struct bench_case *cases, size_t n,
		   const int *threads)
{
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		print_case(rep, &cases[i]);
	bench_say(rep, "\n  (medians over the rounds; share: takes of the thread that got fewest / "
		       "most; waits: of a second\n  span, in which each is timed, max over all "
		       "rounds; switches: context switches per take)\n");
	bench_noise(rep, takes(&cases[0], BENCH_NORMAL), "the normal mutex");
	for (size_t i = 0; i < n; i++)
		bench_failures(rep, &cases[i]);
	if (cases[0].cell[BENCH_FORCE_PI].runs && !bench_forced(&cases[0]))
		bench_note(rep, "force-pi: not in effect: the preload left a normal mutex as it "
				"was, though RQPI_FORCE_PI=1 was set");
	for (size_t i = 0; i < n; i++) {
		if (threads[i] > 1)
			judge(rep, &cases[i]);
	}
	bench_targets_end(rep);
}

bool bench_ask_contended(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	int ms = opt->ms ? opt->ms : MS, threads[BENCH_MAX_LIST * KINDS];
	struct bench_case *cases = bench_cases_new((size_t)(opt->threads.n * KINDS));
	size_t n = 0;
	bool measured;

	for (size_t k = 0; k < KINDS; k++) {
		for (int t = 0; t < opt->threads.n; t++, n++) {
			threads[n] = opt->threads.v[t];
			snprintf(cases[n].name, sizeof(cases[n].name), "%d, %s", threads[n],
				 kinds[k].name);
			snprintf(cases[n].args, sizeof(cases[n].args), "threads=%d work=%d ms=%d",
				 threads[n], kinds[k].work_ns, ms);
			cases[n].impls = BENCH_LIBRARIES | BENCH_BIT(BENCH_NORMAL) |
					 BENCH_BIT(BENCH_FORCE_PI) | BENCH_BIT(BENCH_REQUEUE);
			cases[n].limit_s = 10 + ms / 1000;
		}
	}
	bench_report_begin(rep, "contended", "several ordinary threads take one lock", rounds);
	measured = bench_run_rounds(opt, "contended", cases, n, rounds);
	plot(rep->plot, cases, n, threads);
	report(rep, cases, n, threads);
	bench_cases_free(cases, n);
	return measured;
}
