/* SPDX-License-Identifier: MIT */
/*
 * ask_inversion.c - how late is a high-priority waiter because of lower ones, whatever a third
 * thread burns? Orders the batches of work_inversion.c, where the two scenarios are told, and
 * reports them. Called by cmd_bench.c.
 */
#include "plot.h"

#include <stdio.h>

enum { ROUNDS = 5, ROUNDS_MODERATE = 3, SAMPLES = 4 };

static const char *const scenario[] = {"group", "order"};

static const enum bench_impl ours[] = {BENCH_NATIVE, BENCH_PRELOAD};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void print_table(const struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	static const enum bench_impl shown[] = {BENCH_GLIBC, BENCH_MUSL, BENCH_PRELOAD,
						BENCH_NATIVE, BENCH_ON_ENGINE};

	bench_say(rep, "\n  %-22s", "HIGH's delay, us");
	for (size_t k = 0; k < COUNT(shown); k++)
		bench_say(rep, "%16s", bench_impl_name[shown[k]]);
	bench_say(rep, "\n  %-22s", "");
	for (size_t k = 0; k < COUNT(shown); k++)
		bench_say(rep, "%16s", "p50 / max");
	bench_say(rep, "\n");
	for (size_t i = 0; i < n; i++) {
		bench_say(rep, "    %-20s", cases[i].name);
		for (size_t k = 0; k < COUNT(shown); k++) {
			const struct bench_series *s = bench_of(&cases[i], shown[k], "high_us");

			if (s)
				bench_say(rep, "%8.0f /%6.0f", bench_percentile(s, 50),
					  bench_percentile(s, 100));
			else
				bench_say(rep, "%16s", "-");
		}
		bench_say(rep, "\n");
	}
	bench_say(rep, "\n");
}

static void plot(const struct bench_report *rep, const struct bench_case *cases)
{
	const struct bench_list *hogs = &rep->opt->hogs;

	for (int order = 0; order < 2; order++) {
		bench_plot_panel(rep->plot, BENCH_PLOT_LINES, BENCH_PLOT_LOG_Y, scenario[order],
				 "ms that the hog burns", "us until HIGH has the mutex");
		for (int i = 0; i < hogs->n; i++)
			bench_plot_case(rep->plot, hogs->v[i], &cases[order * hogs->n + i],
					"high_us", 1);
	}
}

static void judge(struct bench_report *rep, const struct bench_case *cases, size_t n,
		  enum bench_impl impl)
{
	for (size_t i = 0; i < n; i++) {
		char what[128];

		snprintf(what, sizeof(what), "%s: median delay, us", cases[i].name);
		bench_target(rep, impl,
			     bench_figure(what, bench_p50(&cases[i], impl, "high_us"), 100));
	}
}

bool bench_ask_inversion(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	struct bench_case *cases;
	size_t n = 0;
	bool measured;

	if (!opt->fifo) {
		fputs("rqpi bench: inversion needs SCHED_FIFO, and this process may not have it\n",
		      stderr);
		return false;
	}
	cases = bench_cases_new((size_t)opt->hogs.n * 2);
	for (int order = 0; order < 2; order++) {
		for (int i = 0; i < opt->hogs.n; i++, n++) {
			int samples = opt->samples ? opt->samples : SAMPLES;

			snprintf(cases[n].name, sizeof(cases[n].name), "%s, hog %d ms",
				 scenario[order], opt->hogs.v[i]);
			snprintf(cases[n].args, sizeof(cases[n].args),
				 "cpu=%d order=%d hog=%d samples=%d", opt->cpu, order,
				 opt->hogs.v[i], samples);
			cases[n].impls = BENCH_LIBRARIES;
			/* The worst: every signal of SIGNALS_MAX goes astray. */
			cases[n].limit_s = 10 + samples * opt->hogs.v[i] * 20 / 1000;
		}
	}
	bench_report_begin(rep, "inversion",
			   "from the signal until HIGH has the mutex, microseconds", rounds);
	measured = bench_run_rounds(opt, "inversion", cases, n, rounds);
	bench_report_cases(rep, cases, n);
	print_table(rep, cases, n);
	plot(rep, cases);
	for (size_t i = 0; i < n; i++)
		bench_failures(rep, &cases[i]);
	for (size_t k = 0; k < 2; k++) {
		if (ours[k] != BENCH_PRELOAD || opt->have_preload)
			judge(rep, cases, n, ours[k]);
	}
	bench_targets_end(rep);
	bench_cases_free(cases, n);
	return measured;
}
