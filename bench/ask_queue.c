/* SPDX-License-Identifier: MIT */
/*
 * ask_queue.c - how many items pass a bounded queue of 8 in a second, and does it ever stand still?
 * Orders the batches of work_queue.c and reports them. Called by cmd_bench.c. Throughput is where a
 * strict hand-over costs.
 */
#include "plot.h"

#include <stdio.h>

enum { ROUNDS = 7, ROUNDS_MODERATE = 5, MS = 400, FIFO_MS_MAX = 600, CASES = 4, PRIO = 20 };

static const struct {
	const char *name;
	int pairs, prio;
} kinds[CASES] = {
    {"1+1 threads, SCHED_OTHER", 1, 0},
    {"2+2 threads, SCHED_OTHER", 2, 0},
    {"1+1 threads, FIFO 20", 1, PRIO},
    {"2+2 threads, FIFO 20", 2, PRIO},
};

static const enum bench_impl ours[] = {BENCH_NATIVE, BENCH_PRELOAD};

static double count(const struct bench_case *c, enum bench_impl impl, const char *name)
{
	const struct bench_series *series = bench_of(c, impl, name);
	double sum = 0;

	for (size_t i = 0; series && i < series->n; i++)
		sum += series->v[i];
	return sum;
}

/* A batch that the watchdog had to end counts too: it did stand still. */
static double count_stuck(const struct bench_case *c, enum bench_impl impl)
{
	return count(c, impl, "stuck") + c->cell[impl].failed;
}

static void print_case(const struct bench_report *rep, const struct bench_case *c)
{
	bench_say(rep, "\n  %-28s%12s%12s%12s%10s%16s\n", c->name, "items/s p50", "min", "max",
		  "/ glibc", "stuck batches");
	for (int i = 0; i < BENCH_IMPLS; i++) {
		enum bench_impl impl = (enum bench_impl)i;
		const struct bench_series *rate = bench_of(c, impl, "items_per_s");

		if (!c->cell[impl].runs)
			continue;
		bench_say(rep, "    %-26s", bench_impl_name[impl]);
		bench_say_number(rep, 12, 0, bench_percentile(rate, 50));
		bench_say_number(rep, 12, 0, bench_percentile(rate, 0));
		bench_say_number(rep, 12, 0, bench_percentile(rate, 100));
		bench_say_number(rep, 10, 2,
				 bench_ratio(rate, bench_of(c, BENCH_GLIBC, "items_per_s")));
		bench_say(rep, "%9.0f of %d\n", count_stuck(c, impl), c->cell[impl].runs);
	}
	if (bench_of(c, BENCH_NATIVE, "window_wakes"))
		bench_say(rep,
			  "    native counted %.0f waits ended between unlock and sleep, %.0f "
			  "double wakes\n",
			  count(c, BENCH_NATIVE, "window_wakes"),
			  count(c, BENCH_NATIVE, "double_wakes"));
}

static void plot(struct bench_plot *to, const struct bench_case *cases, size_t n)
{
	bench_plot_panel(to, BENCH_PLOT_BARS, 0, "a bounded queue of 8", "",
			 "thousand items a second, median");
	for (size_t i = 0; i < n; i++) {
		bench_plot_group(to, cases[i].name);
		bench_plot_case(to, 0, &cases[i], "items_per_s", 1e-3);
	}
}

static void report(struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	bench_report_cases(rep, cases, n);
	for (size_t i = 0; i < n; i++)
		print_case(rep, &cases[i]);
	bench_say(rep, "\n");
	bench_noise(rep, bench_of(&cases[0], BENCH_GLIBC, "items_per_s"),
		    "glibc's queue of 1+1 threads");
	for (size_t i = 0; i < n; i++) {
		bench_failures(rep, &cases[i]);
		bench_slower(rep, &cases[i], BENCH_NATIVE, "items_per_s", "items per second", true);
		bench_slower(rep, &cases[i], BENCH_PRELOAD, "items_per_s", "items per second",
			     true);
	}
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < n; i++) {
			char what[128];

			if (!cases[i].cell[ours[k]].runs)
				continue;
			snprintf(what, sizeof(what), "%s: stuck batches", cases[i].name);
			bench_target(rep, ours[k],
				     bench_figure(what, count_stuck(&cases[i], ours[k]), 0));
		}
	}
	bench_targets_end(rep);
}

bool bench_ask_queue(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? ROUNDS_MODERATE : ROUNDS;
	int ms = opt->ms ? opt->ms : MS;
	size_t n = opt->fifo ? CASES : CASES / 2;
	struct bench_case *cases = bench_cases_new(n);
	bool measured;

	for (size_t i = 0; i < n; i++) {
		/*
		 * Real-time threads stay below the share of a second after which the kernel stops
		 * them.
		 */
		int own_ms = kinds[i].prio && ms > FIFO_MS_MAX ? FIFO_MS_MAX : ms;

		snprintf(cases[i].name, sizeof(cases[i].name), "%s", kinds[i].name);
		snprintf(cases[i].args, sizeof(cases[i].args), "pairs=%d prio=%d ms=%d",
			 kinds[i].pairs, kinds[i].prio, own_ms);
		cases[i].impls = BENCH_LIBRARIES;
		cases[i].limit_s = 10 + ms / 1000;
		cases[i].pause_ms = kinds[i].prio ? own_ms / 2 : 0;
	}
	bench_report_begin(rep, "queue", "a bounded queue of 8, one signal per put and per get",
			   rounds);
	if (!opt->fifo)
		bench_note(rep, "FIFO 20: left out, this process may not have SCHED_FIFO");
	measured = bench_run_rounds(opt, "queue", cases, n, rounds);
	plot(rep->plot, cases, n);
	report(rep, cases, n);
	bench_cases_free(cases, n);
	return measured;
}
