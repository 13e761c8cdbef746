/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo.c - `rqpi demo`: the C library's condition variables beside rqpi's, on real threads.
 *
 * Owns the options, the choice of what runs in which order, and the exit status. The same rqpi-
 * demo-program runs for both sides (cmd_demo_child.c); its events are measured (cmd_demo_measure.c)
 * and printed (report*.c).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_demo.h"

enum {
	WAITERS_MAX = 10000,
	ROUNDS_MAX = 1000,
	HOG_MS_MAX = 2000,
	COUNT_ROUNDS = 20, /* rounds of the herd at most, run once more to count futex calls */
	INVERSION_ROUNDS = 5,
	INVERSION_BUDGET_MS = 2000, /* of hogging, on each side */
	WHY_MAX = 2 * PATH_MAX,
};

struct demo_options {
	char *only;
	char *scenario;
	int json, waiters, hog_ms, rounds;
	bool order, herd, inversion;
};

struct demo {
	struct demo_options options;
	struct demo_results results;
	char preload[PATH_MAX];
	char program[PATH_MAX];
	char why[WHY_MAX];
};

static void progress(const char *text)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", text);
}

static int check_range(const char *option, int value, int max)
{
	if (value >= 1 && value <= max)
		return 0;
	fprintf(stderr, "rqpi demo: --%s %d: must be 1 to %d\n", option, value, max);
	return -1;
}

static int check_options(struct demo_options *o)
{
	bool all = !o->only;

	o->order = all || !strcmp(o->only, "order");
	o->herd = all || !strcmp(o->only, "herd");
	o->inversion = all || !strcmp(o->only, "inversion");
	if (!o->order && !o->herd && !o->inversion) {
		fprintf(stderr, "rqpi demo: --only %s: must be order, herd or inversion\n",
			o->only);
		return -1;
	}
	if (o->scenario && strcmp(o->scenario, "group") && strcmp(o->scenario, "order")) {
		fprintf(stderr, "rqpi demo: --scenario %s: must be group or order\n", o->scenario);
		return -1;
	}
	return check_range("waiters", o->waiters, WAITERS_MAX) ||
		       check_range("hog-ms", o->hog_ms, HOG_MS_MAX) ||
		       check_range("rounds", o->rounds, ROUNDS_MAX)
		   ? -1
		   : 0;
}

/* Returns 0, or -1 after a message. --help does not return. */
static int parse_options(struct demo_options *o, int argc, char **argv)
{
	struct poptOption table[] = {
	    {"json", 0, POPT_ARG_NONE, &o->json, 0, "print one JSON object and nothing else", NULL},
	    {"only", 0, POPT_ARG_STRING, &o->only, 0,
	     "run one experiment: order, herd or inversion", "NAME"},
	    {"waiters", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &o->waiters, 0,
	     "threads of the herd, 1 to 10000", "N"},
	    {"hog-ms", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &o->hog_ms, 0,
	     "how long the hog of the inversion burns, 1 to 2000", "N"},
	    {"rounds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &o->rounds, 0,
	     "rounds of the herd, 1 to 1000", "N"},
	    {"scenario", 0, POPT_ARG_STRING, &o->scenario, 0,
	     "of the inversion: group or order; else group, and order where this C library "
	     "stands up to group",
	     "NAME"},
	    POPT_AUTOHELP POPT_TABLEEND};
	poptContext context;
	int status = 0;
	int c;

	argv[0] = (char[]){"rqpi demo"};
	context = poptGetContext("rqpi", argc, (const char **)argv, table, 0);
	c = poptGetNextOpt(context);
	if (c < -1) {
		fprintf(stderr, "rqpi demo: %s: %s\n", poptBadOption(context, 0), poptStrerror(c));
		status = -1;
	} else if (poptPeekArg(context)) {
		fprintf(stderr, "rqpi demo: what is '%s'? See 'rqpi demo --help'.\n",
			poptPeekArg(context));
		status = -1;
	} else {
		status = check_options(o);
	}
	poptFreeContext(context);
	return status;
}

/* Run one side of @experiment. Returns an exit code; the reason of a failure is in demo->why. */
static int run_side(struct demo *d, const char *experiment, int side, int rounds, int futex_event,
		    struct demo_run *run)
{
	bool herd = !strcmp(experiment, "herd");
	struct demo_request request = {
	    .experiment = experiment,
	    .program = d->program,
	    .preload = side == SIDE_RQPI ? d->preload : NULL,
	    .cpu = d->results.cpu,
	    .cpu2 = herd ? d->results.cpu2 : -1,
	    .waiters = d->options.waiters,
	    .rounds = rounds,
	    .hog_ms = d->options.hog_ms,
	    .futex_event = futex_event,
	    .realtime = d->results.realtime,
	};
	enum demo_outcome outcome;
	char text[64];

	snprintf(text, sizeof(text), "%s: %s ...", experiment,
		 side == SIDE_LIBC ? "glibc" : "rqpi");
	progress(text);
	outcome = demo_run_program(&request, run, d->why, sizeof(d->why));
	progress("");
	if (*run->libc)
		memcpy(d->results.libc, run->libc, sizeof(run->libc));
	if (outcome == DEMO_RAN)
		return RQPI_EXIT_DONE;
	/* Where the C library alone came through, a failure is rqpi's own. */
	return outcome == DEMO_FAILED && side == SIDE_RQPI ? RQPI_EXIT_FINDING : RQPI_EXIT_CANNOT;
}

static int measured(int error, int side)
{
	if (!error)
		return RQPI_EXIT_DONE;
	return side == SIDE_RQPI ? RQPI_EXIT_FINDING : RQPI_EXIT_CANNOT;
}

static int run_order(struct demo *d)
{
	struct demo_results *r = &d->results;

	for (int side = 0; side < SIDES; side++) {
		int code = run_side(d, "order", side, 1, -1, &r->order_run[side]);

		if (!code)
			code = measured(measure_order(&r->order_run[side], &r->order[side], d->why,
						      sizeof(d->why)),
					side);
		if (code)
			return code;
	}
	r->has_order = true;
	return RQPI_EXIT_DONE;
}

/*
 * Counting each call costs time of its own, so the futex calls are counted in rounds that are not
 * timed.
 */
static int count_futex_calls(struct demo *d, int side, int event)
{
	int rounds = d->options.rounds < COUNT_ROUNDS ? d->options.rounds : COUNT_ROUNDS;
	struct herd_result counted;
	struct demo_run run;
	int code = run_side(d, "herd", side, rounds, event, &run);

	if (!code)
		code = measured(measure_herd(&run, &counted, d->why, sizeof(d->why)), side);
	if (!code)
		d->results.herd[side].futex_calls = counted.futex_calls;
	demo_free(&run);
	return code;
}

static int run_herd(struct demo *d)
{
	struct demo_results *r = &d->results;
	int event = demo_futex_event();

	for (int side = 0; side < SIDES; side++) {
		int code = run_side(d, "herd", side, d->options.rounds, -1, &r->herd_run[side]);

		if (!code)
			code = measured(measure_herd(&r->herd_run[side], &r->herd[side], d->why,
						     sizeof(d->why)),
					side);
		if (!code && event >= 0)
			code = count_futex_calls(d, side, event);
		if (code)
			return code;
	}
	r->has_herd = true;
	return RQPI_EXIT_DONE;
}

static int run_scenario(struct demo *d, const char *scenario, int side)
{
	bool group = !strcmp(scenario, "group");
	struct demo_results *r = &d->results;
	int rounds = INVERSION_BUDGET_MS / d->options.hog_ms;
	int code;

	rounds = rounds < 1 ? 1 : rounds > INVERSION_ROUNDS ? INVERSION_ROUNDS : rounds;
	r->scenario = scenario;
	demo_free(&r->inversion_run[side]);
	code = run_side(d, scenario, side, group ? rounds : 1, -1, &r->inversion_run[side]);
	if (code)
		return code;
	return measured((group ? measure_group : measure_token)(
			    &r->inversion_run[side], &r->inversion[side], d->why, sizeof(d->why)),
			side);
}

/* What counts is not the C library's version, which may carry patches, but whether it fails. */
static int run_inversion(struct demo *d)
{
	const char *wanted = d->options.scenario;
	bool order_only = wanted && !strcmp(wanted, "order");
	struct demo_results *r = &d->results;
	int code = run_scenario(d, order_only ? "token" : "group", SIDE_LIBC);

	if (!code && !wanted && !inversion_is_late(r, SIDE_LIBC)) {
		r->group_was_mended = true;
		code = run_scenario(d, "token", SIDE_LIBC);
	}
	if (!code)
		code = run_scenario(d, r->scenario, SIDE_RQPI);
	r->has_inversion = !code;
	return code;
}

static int run_experiments(struct demo *d)
{
	const struct {
		bool wanted;
		int (*run)(struct demo *d);
		void (*report)(const struct demo_results *results);
	} experiments[] = {
	    {d->options.order && d->results.realtime, run_order, report_order},
	    {d->options.herd, run_herd, report_herd},
	    {d->options.inversion && d->results.realtime, run_inversion, report_inversion},
	};
	bool first = true;
	int code = RQPI_EXIT_DONE;

	for (int i = 0; i < 3 && !code; i++) {
		if (!experiments[i].wanted)
			continue;
		code = experiments[i].run(d);
		if (code || d->options.json)
			continue;
		if (first)
			report_intro(&d->results);
		first = false;
		experiments[i].report(&d->results);
		fflush(stdout);
	}
	return code;
}

static int run_without_realtime(struct demo *d, int error)
{
	static const char none[] = "no right to SCHED_FIFO";
	int code = RQPI_EXIT_DONE;

	demo_explain_rights(error);
	if (d->options.herd) {
		fprintf(
		    stderr,
		    "Without it there are no priorities, hence no order and no inversion to show. "
		    "What remains is\nhow often a broadcast wakes threads in vain:\n");
		code = run_experiments(d);
		if (code)
			fprintf(stderr, "rqpi demo: %s\n", d->why);
	} else {
		fprintf(stderr, "Without priorities this experiment has nothing to show.\n");
	}
	if (d->options.json)
		report_json(&d->results, code ? d->why : none);
	return RQPI_EXIT_CANNOT;
}

static int run_demo(struct demo *d)
{
	int error = demo_probe_realtime();
	int code;

	if (error)
		return run_without_realtime(d, error);
	d->results.realtime = true;
	code = run_experiments(d);
	if (code)
		fprintf(stderr, "rqpi demo: %s%s\n",
			code == RQPI_EXIT_FINDING ? "under rqpi: " : "", d->why);
	else if (!d->options.json)
		report_summary(&d->results);
	if (d->options.json)
		report_json(&d->results, code ? d->why : NULL);
	if (!code && !demo_rqpi_is_right(&d->results))
		code = RQPI_EXIT_FINDING;
	return code;
}

int cmd_demo(int argc, char **argv)
{
	static struct demo d = {.options = {.waiters = 64, .hog_ms = 50, .rounds = 20}};
	struct demo_results *r = &d.results;
	int code = RQPI_EXIT_CANNOT;
	char *inherited;

	if (parse_options(&d.options, argc, argv))
		return RQPI_EXIT_CANNOT;
	inherited = preload_join(NULL, getenv("LD_PRELOAD"));
	r->inherited = inherited;
	r->waiters = d.options.waiters;
	r->hog_ms = d.options.hog_ms;
	if (!preload_find("demo", PRELOAD_COND, d.preload) && !demo_find_program(d.program) &&
	    !demo_choose_cpus(&r->cpu, &r->cpu2)) {
		r->preload = d.preload;
		code = run_demo(&d);
	} else if (d.options.json) {
		report_json(r, "a file that the demo needs is missing");
	}
	for (int side = 0; side < SIDES; side++) {
		demo_free(&r->order_run[side]);
		demo_free(&r->herd_run[side]);
		demo_free(&r->inversion_run[side]);
	}
	free(inherited);
	free(d.options.only);
	free(d.options.scenario);
	return code;
}
