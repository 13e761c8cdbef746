/* SPDX-License-Identifier: MIT */
/*
 * ask_wake.c - how long from a signal until its waiter has the mutex, on one CPU and across two,
 * signalled with the mutex held and after unlocking it? Orders the batches of work_wake.c and
 * reports them. Called by cmd_bench.c.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { ROUNDS = 21, SAMPLES = 600, CASES = 4 };

static const struct {
	const char *name;
	int cross, held;
	unsigned int impls;
} kinds[CASES] = {
    {"one CPU, mutex held", 0, 1, BENCH_LIBRARIES | BENCH_BIT(BENCH_REQUEUE)},
    {"one CPU, after unlocking", 0, 0,
     BENCH_LIBRARIES | BENCH_BIT(BENCH_REQUEUE) | BENCH_BIT(BENCH_FUTEX)},
    {"across CPUs, mutex held", 1, 1, BENCH_LIBRARIES | BENCH_BIT(BENCH_REQUEUE)},
    {"across CPUs, after unlocking", 1, 0,
     BENCH_LIBRARIES | BENCH_BIT(BENCH_REQUEUE) | BENCH_BIT(BENCH_FUTEX)},
};

enum { ONE_HELD, ONE_AFTER, CROSS_HELD, CROSS_AFTER };

static bool has_switches(const struct bench_case *cases, size_t n, enum bench_impl impl)
{
	for (size_t i = 0; i < n; i++) {
		if (bench_of(&cases[i], impl, "switches"))
			return true;
	}
	return false;
}

static void print_switches(const struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	bench_say(rep, "\n  %-30s", "context switches per wake-up");
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		if (has_switches(cases, n, (enum bench_impl)impl))
			bench_say(rep, "%10s", bench_impl_name[impl]);
	}
	bench_say(rep, "\n");
	for (size_t i = 0; i < n; i++) {
		bench_say(rep, "    %-28s", cases[i].name);
		for (int impl = 0; impl < BENCH_IMPLS; impl++) {
			if (has_switches(cases, n, (enum bench_impl)impl))
				bench_say_number(
				    rep, 10, 2,
				    bench_p50(&cases[i], (enum bench_impl)impl, "switches"));
		}
		bench_say(rep, "\n");
	}
}

static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bench_plot_panel(to, BENCH_PLOT_LATER, BENCH_PLOT_LOG_X, cases[i].name,
				 "us from the signal until the waiter has the mutex",
				 "% of wake-ups that took longer");
		bench_plot_case(to, 0, &cases[i], "wake_ns", 1e-3);
	}
}

static void judge(struct bench_report *rep, const struct bench_case *cases, enum bench_impl impl)
{
	const struct bench_case *held = &cases[ONE_HELD], *after = &cases[ONE_AFTER];
	const struct bench_series *own = bench_of(held, impl, "wake_ns");

	bench_target(rep, impl,
		     bench_quotient("one CPU, mutex held / glibc", own,
				    bench_of(held, BENCH_GLIBC, "wake_ns"), 0.68));
	bench_target(rep, impl,
		     bench_quotient("one CPU, mutex held / bare requeue", own,
				    bench_of(held, BENCH_REQUEUE, "wake_ns"), 1.05));
	bench_target(rep, impl,
		     bench_figure("one CPU, mutex held: context switches",
				  bench_p50(held, impl, "switches"), 2.00));
	bench_target(rep, impl,
		     bench_quotient("one CPU, after unlocking / bare futex",
				    bench_of(after, impl, "wake_ns"),
				    bench_of(after, BENCH_FUTEX, "wake_ns"), 1.20));
}

bool bench_ask_wake(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : ROUNDS;
	size_t n = opt->cpu2 < 0 ? CASES / 2 : CASES;
	struct bench_case *cases;
	double floor;
	bool measured;

	if (!opt->fifo) {
		fputs("rqpi bench: wake needs SCHED_FIFO, and this process may not have it\n",
		      stderr);
		return false;
	}
	cases = bench_cases_new(n);
	for (size_t i = 0; i < n; i++) {
		snprintf(cases[i].name, sizeof(cases[i].name), "%s", kinds[i].name);
		snprintf(cases[i].args, sizeof(cases[i].args),
			 "cpu=%d cpu2=%d cross=%d held=%d samples=%d", opt->cpu, opt->cpu2,
			 kinds[i].cross, kinds[i].held, opt->samples ? opt->samples : SAMPLES);
		cases[i].impls = kinds[i].impls;
	}
	bench_report_begin(rep, "wake",
			   "nanoseconds from before the signal until the waiter has the mutex",
			   rounds);
	if (n < CASES)
		bench_note(rep, "across CPUs: left out, this process may use one CPU only");
	measured = bench_run_rounds(opt, "wake", cases, n, rounds);
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		bench_table(rep, &cases[i], "wake_ns");
	print_switches(rep, cases, n);
	plot(rep->plot, cases, n);
	bench_say(rep, "\n");
	bench_noise(rep, bench_of(&cases[ONE_HELD], BENCH_REQUEUE, "wake_ns"),
		    "bare requeue on one CPU");
	for (size_t i = 0; i < n; i++) {
		bench_failures(rep, &cases[i]);
		bench_slower(rep, &cases[i], BENCH_NATIVE, "wake_ns", "time to the waiter", false);
	}
	floor = bench_ratio(bench_of(&cases[ONE_AFTER], BENCH_REQUEUE, "wake_ns"),
			    bench_of(&cases[ONE_AFTER], BENCH_FUTEX, "wake_ns"));
	if (isfinite(floor))
		bench_note(rep,
			   "bare requeue itself is %.2fx bare futex, one CPU, after unlocking: the "
			   "kernel takes the mutex for the waiter",
			   floor);
	judge(rep, cases, BENCH_NATIVE);
	if (opt->have_preload)
		judge(rep, cases, BENCH_PRELOAD);
	bench_targets_end(rep);
	bench_cases_free(cases, n);
	return measured;
}
