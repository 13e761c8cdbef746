/* SPDX-License-Identifier: MIT */
/*
 * ask_uncontended.c - what does an operation cost that meets nobody? Orders the batches of
 * work_uncontended.c and reports them. Called by cmd_bench.c.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { ROUNDS = 40, SAMPLES = 12 };

static const char *const ops[] = {
    "cas_pair",	 "cas_pair_call",      "lock_unlock",	       "signal",
    "broadcast", "lock_signal_unlock", "lock_broadcast_unlock"};

static double over_glibc(const struct bench_case *c, enum bench_impl impl, const char *op)
{
	return bench_ratio(bench_of(c, impl, op), bench_of(c, BENCH_GLIBC, op));
}

static void print_table(const struct bench_report *rep, const struct bench_case *c)
{
	static const enum bench_impl impls[] = {BENCH_GLIBC, BENCH_MUSL, BENCH_PRELOAD,
						BENCH_NATIVE};

	bench_say(rep, "\n  %-22s%15s%15s%15s%15s%9s%9s\n", "ns per operation", "glibc", "musl",
		  "preload", "native", "preload", "native");
	bench_say(rep, "  %-22s%15s%15s%15s%15s%9s%9s\n", "", "min / p50", "min / p50", "min / p50",
		  "min / p50", "/ glibc", "/ glibc");
	for (size_t op = 0; op < sizeof(ops) / sizeof(ops[0]); op++) {
		bench_say(rep, "    %-21s", ops[op]);
		for (size_t i = 0; i < sizeof(impls) / sizeof(impls[0]); i++) {
			const struct bench_series *series = bench_of(c, impls[i], ops[op]);

			bench_say_number(rep, i ? 7 : 6, 2, bench_percentile(series, 0));
			bench_say(rep, " /");
			bench_say_number(rep, 6, 2, bench_percentile(series, 50));
		}
		bench_say_number(rep, 9, 2, over_glibc(c, BENCH_PRELOAD, ops[op]));
		bench_say_number(rep, 9, 2, over_glibc(c, BENCH_NATIVE, ops[op]));
		bench_say(rep, "\n");
	}
}

static void plot(struct bench_plot *to, const struct bench_case *c)
{
	bench_plot_panel(to, BENCH_PLOT_BARS, 0, "one thread, nobody else", "",
			 "ns per operation, median");
	for (size_t op = 1; op < sizeof(ops) / sizeof(ops[0]); op++) {
		bench_plot_group(to, ops[op]);
		bench_plot_case(to, 0, c, ops[op], 1);
	}
}

static void judge_idle(struct bench_report *rep, const struct bench_case *c, enum bench_impl impl)
{
	bench_target(rep, impl,
		     bench_quotient("signal, nobody waits / glibc", bench_of(c, impl, "signal"),
				    bench_of(c, BENCH_GLIBC, "signal"), 1.00));
	bench_target(rep, impl,
		     bench_quotient("broadcast, nobody waits / glibc",
				    bench_of(c, impl, "broadcast"),
				    bench_of(c, BENCH_GLIBC, "broadcast"), 1.00));
}

static void judge(struct bench_report *rep, const struct bench_case *c)
{
	double floor = bench_ratio(bench_of(c, BENCH_GLIBC, "cas_pair_call"),
				   bench_of(c, BENCH_GLIBC, "lock_unlock"));

	for (size_t op = 2; op < sizeof(ops) / sizeof(ops[0]); op++)
		bench_slower(rep, c, BENCH_NATIVE, ops[op], ops[op], false);
	if (isfinite(floor))
		bench_note(
		    rep,
		    "the compare-exchange pair alone is %.2fx glibc's lock and unlock on this "
		    "processor: nothing that locks can be below that",
		    floor);
	bench_target(rep, BENCH_NATIVE,
		     bench_quotient("lock and unlock / glibc",
				    bench_of(c, BENCH_NATIVE, "lock_unlock"),
				    bench_of(c, BENCH_GLIBC, "lock_unlock"), 0.75));
	bench_target(rep, BENCH_NATIVE,
		     bench_quotient("lock and unlock / compare-exchange pair",
				    bench_of(c, BENCH_NATIVE, "lock_unlock"),
				    bench_of(c, BENCH_NATIVE, "cas_pair_call"), 1.45));
	judge_idle(rep, c, BENCH_NATIVE);
	if (rep->opt->have_preload)
		judge_idle(rep, c, BENCH_PRELOAD);
	bench_targets_end(rep);
}

bool bench_ask_uncontended(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : ROUNDS;
	struct bench_case *c = bench_cases_new(1);
	bool measured;

	snprintf(c->name, sizeof(c->name), "one thread");
	snprintf(c->args, sizeof(c->args), "cpu=%d samples=%d", opt->cpu,
		 opt->samples ? opt->samples : SAMPLES);
	c->impls = BENCH_LIBRARIES & ~BENCH_BIT(BENCH_ON_ENGINE); /* no call gets that far */
	bench_report_begin(rep, "uncontended", "nanoseconds for an operation that meets nobody",
			   rounds);
	measured = bench_run_rounds(opt, "uncontended", c, 1, rounds);
	bench_report_cases(rep, c, 1);
	print_table(rep, c);
	plot(rep->plot, c);
	bench_say(rep, "\n");
	bench_noise(rep, bench_of(c, BENCH_GLIBC, "cas_pair_call"), "the compare-exchange pair");
	bench_failures(rep, c);
	judge(rep, c);
	bench_cases_free(c, 1);
	return measured;
}
