/* SPDX-License-Identifier: MIT */
/*
 * ask_checker.c - how many steps a second does `rqpi check` make, and how many whole executions by
 * lot? Runs rqpi-check on a few scenarios and reads what it says of itself. Called by cmd_bench.c.
 */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { ROUNDS = 3, LIMIT_S = 300 };

/* What is to be reached on the broadcast of the engine alone, on one core. */
#define STEPS_LEAST	 1.5e6
#define EXECUTIONS_LEAST 1e5

static const struct {
	const char *name, *scenario, *mode, *count, *series;
	double least; /* 0: no target */
} kinds[] = {
    {"raw_broadcast, all paths", "raw_broadcast", "--mode=dfs", "transitions", "steps_per_s",
     STEPS_LEAST},
    {"three_lockers, all paths", "three_lockers", "--mode=dfs", "transitions", "steps_per_s", 0},
    {"chain_of_two, all paths", "chain_of_two", "--mode=dfs", "transitions", "steps_per_s", 0},
    {"raw_broadcast, by lot", "raw_broadcast", "--mode=random", "executions", "executions_per_s",
     EXECUTIONS_LEAST},
    {"three_lockers, by lot", "three_lockers", "--mode=random", "executions", "executions_per_s",
     0},
};

enum { KINDS = (int)(sizeof(kinds) / sizeof(kinds[0])) };

static double member(struct json_object *object, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_double(value)
							       : NAN;
}

/* One run of the checker, to round @round of @c. */
static bool run_checker(char *program, struct bench_case *c, size_t kind, int round)
{
	char *argv[] = {program, (char *)(uintptr_t)kinds[kind].scenario,
			(char *)(uintptr_t)kinds[kind].mode, (char[]){"--json"}, NULL};
	struct bench_cell *cell = &c->cell[BENCH_CHECKER];
	struct json_object *said;
	double rate = NAN, states;
	char *text;
	int status;

	cell->runs++;
	text = bench_capture(argv, LIMIT_S, &status);
	said = text && !status ? json_tokener_parse(text) : NULL;
	if (said) {
		rate = member(said, kinds[kind].count) / member(said, "seconds");
		states = member(said, "states");
		bench_series_add(cell, "states", &states, 1, round);
	}
	if (isfinite(rate)) {
		bench_series_add(cell, kinds[kind].series, &rate, 1, round);
	} else {
		cell->failed++;
		snprintf(cell->failure, sizeof(cell->failure),
			 status < 0 ? "rqpi-check could not be started"
				    : "rqpi-check ended with wait status %d",
			 status);
	}
	json_object_put(said);
	free(text);
	return isfinite(rate);
}

static void plot(struct bench_plot *to, const struct bench_case *cases)
{
	bench_plot_panel(to, BENCH_PLOT_BARS, BENCH_PLOT_LOG_Y, "rqpi check, one core", "",
			 "thousand steps, or executions, a second");
	for (size_t i = 0; i < KINDS; i++) {
		bench_plot_group(to, cases[i].name);
		bench_plot_case(to, 0, &cases[i], kinds[i].series, 1e-3);
	}
}

static void report(struct bench_report *rep, const struct bench_case *cases)
{
	bench_report_cases(rep, cases, KINDS);
	bench_say(rep, "\n  %-30s%16s%14s%14s%14s\n", "thousands a second", "", "p50", "min",
		  "max");
	for (size_t i = 0; i < KINDS; i++) {
		const struct bench_series *rate = bench_of(&cases[i], BENCH_CHECKER,
							   kinds[i].series);

		bench_say(rep, "    %-28s%16s", cases[i].name, kinds[i].count);
		bench_say_number(rep, 14, 1, bench_percentile(rate, 50) / 1e3);
		bench_say_number(rep, 14, 1, bench_percentile(rate, 0) / 1e3);
		bench_say_number(rep, 14, 1, bench_percentile(rate, 100) / 1e3);
		bench_say(rep, "\n");
	}
	bench_say(rep, "\n");
	bench_noise(rep, bench_of(&cases[0], BENCH_CHECKER, kinds[0].series),
		    "raw_broadcast, all paths");
	for (size_t i = 0; i < KINDS; i++)
		bench_failures(rep, &cases[i]);
	for (size_t i = 0; i < KINDS; i++) {
		char of[96];
		struct bench_figure figure;

		if (!(kinds[i].least > 0))
			continue;
		snprintf(of, sizeof(of), "%s: M %s/s", cases[i].name, kinds[i].count);
		figure = bench_figure(of,
				      bench_p50(&cases[i], BENCH_CHECKER, kinds[i].series) / 1e6,
				      kinds[i].least / 1e6);
		figure.least = true;
		bench_target(rep, BENCH_CHECKER, figure);
	}
	bench_targets_end(rep);
}

bool bench_ask_checker(const struct bench_options *opt, struct bench_report *rep)
{
	int rounds = opt->rounds ? opt->rounds : opt->moderate ? 1 : ROUNDS;
	struct bench_case *cases;
	char program[4096];
	bool any = false;

	if (!bench_find(program, sizeof(program), "RQPI_BENCH_CHECKER", "sim", "rqpi-check")) {
		fprintf(stderr,
			"rqpi bench: checker: cannot run %s (there is none but on x86-64)\n",
			program);
		return false;
	}
	cases = bench_cases_new(KINDS);
	for (size_t i = 0; i < KINDS; i++) {
		snprintf(cases[i].name, sizeof(cases[i].name), "%s", kinds[i].name);
		snprintf(cases[i].args, sizeof(cases[i].args), "rqpi-check %s %s",
			 kinds[i].scenario, kinds[i].mode);
	}
	bench_report_begin(rep, "checker", "how fast the checker goes, on one core", rounds);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < KINDS; i++)
			any |= run_checker(program, &cases[i], i, round);
	}
	plot(rep->plot, cases);
	report(rep, cases);
	bench_cases_free(cases, KINDS);
	return any;
}
