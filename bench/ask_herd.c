/* SPDX-License-Identifier: MIT */
/*
 * ask_herd.c - what does a broadcast to many cost, for the first of them, for the last, and in
 * context switches, and are they served in order? Orders the batches of work_herd.c and reports
 * them. Called by cmd_bench.c.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { ROUNDS = 31, ROUNDS_MODERATE = 17, SETUPS = 4, PRIO_HIGH = 90, PRIO_LOW = 5 };

/*
 * Broadcasts in a batch: few, for those of one process resemble each other (the same stacks on the
 * same pages). It is rounds that count.
 */
enum { LARGE = 256, SAMPLES = 5, SAMPLES_LARGE = 3 };

static const struct {
	const char *name;
	int cross, prio;
} setups[SETUPS] = {
    {"one CPU, FIFO 90", 0, PRIO_HIGH},
    {"one CPU, FIFO 5", 0, PRIO_LOW},
    {"two CPUs, FIFO 90", 1, PRIO_HIGH},
    {"two CPUs, FIFO 5", 1, PRIO_LOW},
};

static const enum bench_impl ours[] = {BENCH_NATIVE, BENCH_PRELOAD};

static double over_floor(const struct bench_case *c, enum bench_impl impl, const char *series)
{
	return bench_ratio(bench_of(c, impl, series), bench_of(c, BENCH_REQUEUE, series));
}

static void print_case(const struct bench_report *rep, const struct bench_case *c)
{
	bench_say(rep, "\n  %-24s%9s%11s%9s%11s%9s%9s%10s%10s\n", c->name, "first us", "/ requeue",
		  "last us", "/ requeue", "/ glibc", "call us", "switches", "disorder");
	for (int i = 0; i < BENCH_IMPLS; i++) {
		enum bench_impl impl = (enum bench_impl)i;

		if (!bench_of(c, impl, "last_us"))
			continue;
		bench_say(rep, "    %-22s", bench_impl_name[impl]);
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "first_us"));
		bench_say_number(rep, 11, 2, over_floor(c, impl, "first_us"));
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "last_us"));
		bench_say_number(rep, 11, 2, over_floor(c, impl, "last_us"));
		bench_say_number(
		    rep, 9, 2,
		    bench_ratio(bench_of(c, impl, "last_us"), bench_of(c, BENCH_GLIBC, "last_us")));
		bench_say_number(rep, 9, 1, bench_p50(c, impl, "call_us"));
		bench_say_number(rep, 10, 2, bench_p50(c, impl, "switches"));
		bench_say(rep, "%7.0f|%.0f\n", bench_p50(c, impl, "misordered"),
			  bench_percentile(bench_of(c, impl, "misordered"), 100));
	}
}

/* The four that differ most: a broadcaster of low priority has a place in the table. */
static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n,
		 const int *waiters, size_t setups_used)
{
	static const struct {
		const char *title, *series;
		size_t setup;
	} panels[] = {
	    {"first served, one CPU", "first_us", 0},
	    {"last served, one CPU", "last_us", 0},
	    {"first served, two CPUs", "first_us", 2},
	    {"last served, two CPUs", "last_us", 2},
	};

	for (size_t p = 0; p < sizeof(panels) / sizeof(panels[0]); p++) {
		if (panels[p].setup >= setups_used)
			continue;
		bench_plot_panel(to, BENCH_PLOT_LINES, BENCH_PLOT_LOG_X | BENCH_PLOT_LOG_Y,
				 panels[p].title, "waiters", "us from the broadcast");
		for (size_t i = panels[p].setup; i < n; i += setups_used)
			bench_plot_case(to, waiters[i], &cases[i], panels[p].series, 1);
	}
}

static void judge(struct bench_report *rep, const struct bench_case *c, enum bench_impl impl)
{
	const struct bench_figure figures[] = {
	    bench_quotient("first / requeue", bench_of(c, impl, "first_us"),
			   bench_of(c, BENCH_REQUEUE, "first_us"), 1.06),
	    bench_quotient("last / requeue", bench_of(c, impl, "last_us"),
			   bench_of(c, BENCH_REQUEUE, "last_us"), 1.06),
	    bench_figure("switches/waiter", bench_p50(c, impl, "switches"), 1.07),
	    bench_figure("out of order", bench_percentile(bench_of(c, impl, "misordered"), 100), 0),
	};

	bench_target_row(rep, impl, c->name, figures, sizeof(figures) / sizeof(figures[0]));
}

static void report(struct bench_report *rep, const struct bench_case *cases, size_t n,
		   const int *waiters)
{
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		print_case(rep, &cases[i]);
	bench_say(
	    rep,
	    "\n  (medians; switches are per waiter; disorder: pairs of waiters in which the lower "
	    "priority\n  was served first, median|worst broadcast)\n");
	/* The largest herd on one CPU: a long measurement, of what this machine does alone. */
	bench_noise(rep,
		    bench_of(&cases[n - n / (size_t)rep->opt->waiters.n], BENCH_REQUEUE, "last_us"),
		    "the largest herd's bare requeue");
	for (size_t i = 0; i < n; i++) {
		bench_failures(rep, &cases[i]);
		bench_slower(rep, &cases[i], BENCH_NATIVE, "first_us", "first served", false);
		bench_slower(rep, &cases[i], BENCH_NATIVE, "last_us", "last served", false);
	}
	for (size_t k = 0; k < 2; k++) {
		if (ours[k] == BENCH_PRELOAD && !rep->opt->have_preload)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (waiters[i] >=
			    64) /* below, the broadcaster's own switches outweigh the herd's */
				judge(rep, &cases[i], ours[k]);
		}
	}
	bench_targets_end(rep);
}

bool bench_ask_herd(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	int setups_used = opt->cpu2 < 0 ? SETUPS / 2 : SETUPS, waiters[BENCH_MAX_LIST * SETUPS];
	struct bench_case *cases;
	size_t n = 0;
	bool measured;

	if (!opt->fifo) {
		fputs("rqpi bench: herd needs SCHED_FIFO, and this process may not have it\n",
		      stderr);
		return false;
	}
	cases = bench_cases_new((size_t)(opt->waiters.n * setups_used));
	for (int w = 0; w < opt->waiters.n; w++) {
		for (int s = 0; s < setups_used; s++, n++) {
			int samples = opt->waiters.v[w] < LARGE ? SAMPLES : SAMPLES_LARGE;

			samples = opt->samples ? opt->samples : samples;
			waiters[n] = opt->waiters.v[w];
			snprintf(cases[n].name, sizeof(cases[n].name), "%d, %s", waiters[n],
				 setups[s].name);
			snprintf(cases[n].args, sizeof(cases[n].args),
				 "cpu=%d cpu2=%d cross=%d prio=%d waiters=%d samples=%d", opt->cpu,
				 opt->cpu2, setups[s].cross, setups[s].prio, waiters[n], samples);
			cases[n].impls = BENCH_LIBRARIES | BENCH_BIT(BENCH_REQUEUE);
		}
	}
	bench_report_begin(rep, "herd",
			   "a broadcast to N waiters, from FIFO 90 (above) and FIFO 5 (below)",
			   rounds);
	if (setups_used < SETUPS)
		bench_note(rep, "two CPUs: left out, this process may use one CPU only");
	measured = bench_run_rounds(opt, "herd", cases, n, rounds);
	plot(rep->plot, cases, n, waiters, (size_t)setups_used);
	report(rep, cases, n, waiters);
	bench_cases_free(cases, n);
	return measured;
}
