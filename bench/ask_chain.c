/* SPDX-License-Identifier: MIT */
/*
 * ask_chain.c - what does it cost to boost a whole chain of owners, and to take it back? Orders the
 * batches of work_chain.c, on the kernel's futex and on the engine, and reports them. Called by
 * cmd_bench.c.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { ROUNDS = 15, ROUNDS_MODERATE = 9, SAMPLES = 20, LIMIT_S = 30 };

/* What each owner more than in the first case costs: what does not depend on them falls out. */
static double an_owner_more(const struct bench_report *rep, const struct bench_case *cases,
			    size_t i, enum bench_impl impl)
{
	int more = rep->opt->depths.v[i] - rep->opt->depths.v[0];

	return more ? (bench_p50(&cases[i], impl, "chain_us") -
		       bench_p50(&cases[0], impl, "chain_us")) /
			  more
		    : NAN;
}

static void print_table(const struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	static const enum bench_impl impls[] = {BENCH_LINUX, BENCH_ENGINE};

	bench_say(rep, "\n  %-26s%18s%14s%18s%14s%10s\n", "microseconds a call", "linux min / p50",
		  "an owner more", "engine min / p50", "an owner more", "/ linux");
	for (size_t i = 0; i < n; i++) {
		bench_say(rep, "    %-24s", cases[i].name);
		for (size_t k = 0; k < 2; k++) {
			const struct bench_series *us = bench_of(&cases[i], impls[k], "chain_us");

			bench_say_number(rep, 9, 2, bench_percentile(us, 0));
			bench_say(rep, " /");
			bench_say_number(rep, 7, 2, bench_percentile(us, 50));
			bench_say_number(rep, 14, 2, an_owner_more(rep, cases, i, impls[k]));
		}
		bench_say_number(rep, 10, 2,
				 bench_ratio(bench_of(&cases[i], BENCH_ENGINE, "chain_us"),
					     bench_of(&cases[i], BENCH_LINUX, "chain_us")));
		bench_say(rep, "\n");
	}
	bench_say(rep, "\n");
}

static void plot(const struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	bench_plot_panel(rep->plot, BENCH_PLOT_LINES, BENCH_PLOT_LOG_X | BENCH_PLOT_LOG_Y,
			 "a chain boosted, and back", "owners", "us a call");
	for (size_t i = 0; i < n; i++)
		bench_plot_case(rep->plot, rep->opt->depths.v[i], &cases[i], "chain_us", 1);
}

bool bench_ask_chain(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	size_t n = (size_t)opt->depths.n;
	struct bench_case *cases;
	bool measured;

	if (!opt->fifo) {
		fputs("rqpi bench: chain needs SCHED_FIFO, and this process may not have it\n",
		      stderr);
		return false;
	}
	cases = bench_cases_new(n);
	for (size_t i = 0; i < n; i++) {
		snprintf(cases[i].name, sizeof(cases[i].name), "a chain of %d", opt->depths.v[i]);
		snprintf(cases[i].args, sizeof(cases[i].args), "cpu=%d depth=%d samples=%d",
			 opt->cpu, opt->depths.v[i], opt->samples ? opt->samples : SAMPLES);
		cases[i].impls = BENCH_BIT(BENCH_LINUX) | BENCH_BIT(BENCH_ENGINE);
		cases[i].limit_s = LIMIT_S;
	}
	bench_report_begin(rep, "chain",
			   "an urgent thread at the end of a chain of owners: boosted, and back",
			   rounds);
	measured = bench_run_rounds(opt, "chain", cases, n, rounds);
	bench_report_cases(rep, cases, n);
	print_table(rep, cases, n);
	plot(rep, cases, n);
	bench_noise(rep, bench_of(&cases[n - 1], BENCH_LINUX, "chain_us"),
		    "the longest chain in the kernel");
	for (size_t i = 0; i < n; i++)
		bench_failures(rep, &cases[i]);
	bench_cases_free(cases, n);
	return measured;
}
