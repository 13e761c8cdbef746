/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program behind `rqpi check`: which scenarios, in which order, and what came of it.
 *
 * A program of its own, as the code under test is in here under the names that the libraries have.
 * Exit status: 0 complete and clean, 1 a violation, 2 incomplete, 3 wrong usage or cannot run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "sim/buffers.h"
#include "sim/coverage.h"
#include "sim/explore_bound.h"
#include "sim/html.h"
#include "sim/main.h"
#include "sim/progress.h"
#include "sim/replay.h"
#include "sim/shrink.h"
#include "sim/strict.h"
#include "sim/timeline.h"
#include "sim/token.h"
#include "sim/watch.h"

enum exit_code { CLEAN, VIOLATED, INCOMPLETE, UNUSABLE };

#define MIB 1048576ul

enum { DEPTH_MAX = 64 };

struct options {
	int list, json, verbose, races, end_to_end, coverage, store_buffers, strict;
	char *mode, *suite, *replay, *seed, *html;
	long memory; /* MiB */
	double seconds;
	long executions;
	int preemptions, depth;
	enum rqs_mode order;
	struct rqs_limits limits;
};

static const char *const modes[] = {
    [RQS_DFS] = "dfs", [RQS_DFS_REVERSED] = "rdfs", [RQS_BFS] = "bfs",
    [RQS_UP] = "up",   [RQS_RANDOM] = "random",	    [RQS_PCT] = "pct"};

static volatile int interrupted;
static bool page_written, page_failed;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* ---------------------------------------------------------------- one result */

/* The first violation has the page, if one was asked for. */
static void write_page(const struct rqs_scenario *s, const struct options *o,
		       const struct rqs_result *r)
{
	struct rqs_recording recording;
	struct rqs_violation again;

	if (!o->html || page_written || page_failed)
		return;
	rqs_replay(s, &r->path, &recording, &again);
	page_written = rqs_write_html(o->html, &recording);
	page_failed = !page_written;
	rqs_recording_free(&recording);
}

/* A page that was asked for and could not be had, or for which there was nothing to show. */
static enum exit_code see_to_page(const struct options *o, enum exit_code code)
{
	if (o->html && !page_written && !page_failed)
		fprintf(stderr, "rqpi check: --html=%s: no violation, so it was not written\n",
			o->html);
	return page_failed ? UNUSABLE : code;
}

static void print_violation(const struct rqs_scenario *s, const struct options *o,
			    const struct rqs_result *r)
{
	struct rqs_violation again;
	struct rqs_recording recording;
	char *token = rqs_token_make(s, &r->path);
	long diverged;

	printf("\nVIOLATION in %s, %zu steps: %s: %s\n\n", s->name, r->path.count,
	       r->violation.oracle, r->violation.text);
	diverged = rqs_replay(s, &r->path, &recording, &again);
	rqs_print_trace(stdout, &recording);
	fputc('\n', stdout);
	rqs_print_timeline(stdout, &recording, o->verbose, rqs_terminal_width());
	if (diverged >= 0)
		printf("the replay diverged at step %ld: this is a mistake of the checker\n",
		       diverged);
	else if (!again.found || strcmp(again.text, r->violation.text) != 0)
		printf("the replay did not end in the same violation: this is a mistake of the "
		       "checker\n");
	printf("\n  rqpi check %s%s%s--replay %s\n\n", rqs_mutant ? "--mutant " : "",
	       rqs_mutant ? rqs_mutant : "", rqs_mutant ? " " : "", token ? token : "(no memory)");
	rqs_recording_free(&recording);
	free(token);
}

/* The bound is all that it was stopped by. */
static bool is_complete_up_to(const struct rqs_result *r)
{
	return r->stopped == rqs_stopped_by_bound;
}

static void print_result(const struct rqs_scenario *s, const struct options *o,
			 const struct rqs_result *r)
{
	printf("%-28s %s", s->name, modes[o->order]);
	if (rqs_by_lot(o->order))
		printf(" %llu executions,", (unsigned long long)r->executions);
	else
		printf(" %llu states,", (unsigned long long)r->states);
	printf(" %llu transitions, ", (unsigned long long)r->transitions);
	if (!rqs_by_lot(o->order))
		printf("%llu terminal, ", (unsigned long long)r->terminals);
	printf("depth %zu, %s%.2f s: ", r->depth, rqs_store_buffers ? "store buffers, " : "",
	       r->seconds);
	if (is_complete_up_to(r))
		printf("complete up to %d preemption%s\n", r->preemptions,
		       r->preemptions == 1 ? "" : "s");
	else if (r->complete)
		printf("complete\n");
	else if (r->stopped)
		printf("incomplete, stopped by %s\n", r->stopped);
	else
		printf("done\n");
}

static struct json_object *violation_json(const struct rqs_scenario *s, const struct rqs_result *r)
{
	struct json_object *v = json_object_new_object();
	char *token = rqs_token_make(s, &r->path);

	json_object_object_add(v, "oracle", json_object_new_string(r->violation.oracle));
	json_object_object_add(v, "text", json_object_new_string(r->violation.text));
	json_object_object_add(v, "steps", json_object_new_int64((int64_t)r->path.count));
	json_object_object_add(v, "token", json_object_new_string(token ? token : ""));
	free(token);
	return v;
}

static void print_json(const struct rqs_scenario *s, const struct options *o,
		       const struct rqs_result *r)
{
	struct json_object *root = json_object_new_object();

	if (rqs_mutant) {
		json_object_object_add(root, "mutant", json_object_new_string(rqs_mutant));
		json_object_object_add(root, "source", json_object_new_string(rqs_mutant_source));
	}
	json_object_object_add(root, "scenario", json_object_new_string(s->name));
	json_object_object_add(root, "mode", json_object_new_string(modes[o->order]));
	json_object_object_add(root, "store_buffers", json_object_new_boolean(rqs_store_buffers));
	json_object_object_add(root, "states", json_object_new_uint64(r->states));
	json_object_object_add(root, "transitions", json_object_new_uint64(r->transitions));
	json_object_object_add(root, "terminals", json_object_new_uint64(r->terminals));
	json_object_object_add(root, "executions", json_object_new_uint64(r->executions));
	json_object_object_add(root, "depth", json_object_new_int64((int64_t)r->depth));
	json_object_object_add(root, "complete", json_object_new_boolean(r->complete));
	if (r->stopped)
		json_object_object_add(root, "stopped_by", json_object_new_string(r->stopped));
	if (r->preemptions >= 0)
		json_object_object_add(root, "preemptions", json_object_new_int(r->preemptions));
	json_object_object_add(root, "seconds", json_object_new_double(r->seconds));
	json_object_object_add(root, "violation", r->violation.found ? violation_json(s, r) : NULL);
	if (o->coverage)
		json_object_object_add(root, "coverage", rqs_coverage_json());
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static enum exit_code check_one(const struct rqs_scenario *s, const struct options *o)
{
	static const enum exit_code codes[] = {CLEAN, VIOLATED, INCOMPLETE};
	struct rqs_result r;
	enum exit_code code = CLEAN;

	if (o->strict)
		return codes[rqs_check_strict(s, &o->limits, o->json)];
	rqs_progress_begin(s->name);
	rqs_coverage = o->coverage;
	if (o->json)
		rqs_coverage_reset(); /* each scenario has its own; the text is of all together */
	rqs_explore(s, o->order, &o->limits, &r);
	rqs_coverage = false;
	rqs_progress_end();
	/* Breadth first it is short already; a circle is what it is. */
	if (r.violation.found && o->order != RQS_BFS && o->order != RQS_UP)
		rqs_shrink(s, &r);
	if (o->json) {
		print_json(s, o, &r);
	} else {
		print_result(s, o, &r);
		if (r.violation.found)
			print_violation(s, o, &r);
	}
	if (r.violation.found)
		write_page(s, o, &r);
	fflush(stdout);
	if (r.violation.found)
		code = VIOLATED;
	else if (r.stopped)
		code = INCOMPLETE;
	free(r.path.choice);
	return code;
}

/* ---------------------------------------------------------------- what was asked for */

/* A violation is worse than what was left out, and that is worse than nothing. */
static enum exit_code worse(enum exit_code a, enum exit_code b)
{
	if (a == VIOLATED || b == VIOLATED)
		return VIOLATED;
	return a > b ? a : b;
}

/* Is it to be checked? The suite "mutant" is the one scenario in which the planted bug shows. */
static bool is_in_suite(const struct rqs_scenario *s, const char *suite)
{
	if (!strcmp(suite, "mutant"))
		return !strcmp(s->name, rqs_mutant_scenario);
	if (s->in_order && rqs_store_buffers)
		return false;
	if (rqs_watcher && !s->actors[1].fn)
		return false; /* there is nobody to race with */
	if (!strcmp(suite, "lot"))
		return s->by_lot;
	return !s->by_lot && (!strcmp(suite, "full") || !s->deep);
}

static bool is_suite(const char *name)
{
	static const char *const names[] = {"ci", "full", "lot", "mutant"};
	size_t count = sizeof(names) / sizeof(names[0]) - !rqs_mutant;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

/* All of them, or a suite. */
static void list_scenarios(const struct options *o)
{
	for (int i = 0; rqs_scenarios[i]; i++) {
		if (!o->suite || is_in_suite(rqs_scenarios[i], o->suite))
			printf("%-28s %s\n", rqs_scenarios[i]->name, rqs_scenarios[i]->about);
	}
}

static enum exit_code check_suite(const struct options *o)
{
	enum exit_code code = CLEAN;

	for (int i = 0; rqs_scenarios[i] && !interrupted; i++) {
		if (is_in_suite(rqs_scenarios[i], o->suite))
			code = worse(code, check_one(rqs_scenarios[i], o));
	}
	return interrupted ? worse(code, INCOMPLETE) : code;
}

static enum exit_code check_named(const char *const *names, const struct options *o)
{
	enum exit_code code = CLEAN;

	for (int i = 0; names[i]; i++) {
		if (!rqs_scenario_named(names[i], strlen(names[i]))) {
			fprintf(stderr, "rqpi check: '%s' is no scenario; --list shows them all\n",
				names[i]);
			return UNUSABLE;
		}
	}
	for (int i = 0; names[i] && !interrupted; i++)
		code = worse(code, check_one(rqs_scenario_named(names[i], strlen(names[i])), o));
	return interrupted ? worse(code, INCOMPLETE) : code;
}

static enum exit_code replay(const struct options *o)
{
	const struct rqs_scenario *scenario;
	struct rqs_recording recording;
	struct rqs_violation found;
	struct rqs_path path;
	char why[128];
	long diverged;
	bool written;

	scenario = rqs_token_read(o->replay, &path, why, sizeof(why));
	if (!scenario) {
		fprintf(stderr, "rqpi check: --replay: %s\n", why);
		return UNUSABLE;
	}
	diverged = rqs_replay(scenario, &path, &recording, &found);
	if (diverged < 0)
		rqs_print_timeline(stdout, &recording, o->verbose, rqs_terminal_width());
	written = !o->html || diverged >= 0 || rqs_write_html(o->html, &recording);
	rqs_recording_free(&recording);
	free(path.choice);
	if (diverged >= 0)
		fprintf(stderr,
			"rqpi check: --replay: step %ld: %s: this is not the code that the token "
			"was made with\n",
			diverged, found.text);
	if (diverged >= 0 || !written)
		return UNUSABLE;
	return found.found ? VIOLATED : CLEAN;
}

static bool read_mode(struct options *o)
{
	o->order = RQS_DFS;
	while (o->mode && o->order < RQS_MODES && strcmp(o->mode, modes[o->order]) != 0)
		o->order++;
	if (o->order < RQS_MODES)
		return true;
	fprintf(stderr, "rqpi check: --mode=%s: dfs, rdfs, bfs, up, random or pct was expected\n",
		o->mode);
	return false;
}

/* A race is found by lot alone, in its own program, whatever order was asked for. */
static bool read_races(struct options *o)
{
	if (o->races && !rqs_watcher) {
		fprintf(stderr, "rqpi check: --races: this program does not see them, "
				"rqpi-check-races does\n");
		return false;
	}
	if (rqs_watcher && (!o->mode || (o->suite && !strcmp(o->suite, "mutant"))))
		o->order = RQS_RANDOM;
	if (rqs_watcher && !rqs_by_lot(o->order)) {
		fprintf(stderr,
			"rqpi check: --mode=%s: races are looked for in executions, one after the "
			"other: random or pct was expected\n",
			o->mode);
		return false;
	}
	return true;
}

static bool read_bounds(const struct options *o)
{
	if (o->memory <= 0 || o->seconds < 0 || o->executions < 0) {
		fprintf(stderr,
			"rqpi check: --memory=%ld, --seconds=%g, --executions=%ld: "
			"a positive number was expected\n",
			o->memory, o->seconds, o->executions);
		return false;
	}
	if (o->preemptions < -1 || o->preemptions > RQS_BOUND_MAX) {
		fprintf(stderr, "rqpi check: --preemptions=%d: 0 to %d was expected\n",
			o->preemptions, RQS_BOUND_MAX);
		return false;
	}
	if (o->preemptions >= 0 && o->order != RQS_DFS && o->order != RQS_DFS_REVERSED) {
		fprintf(stderr, "rqpi check: --preemptions: only with --mode=dfs or rdfs\n");
		return false;
	}
	if (o->strict && (o->mode || o->replay || o->preemptions >= 0)) {
		fprintf(stderr, "rqpi check: --strict goes with no --mode, --preemptions or "
				"--replay\n");
		return false;
	}
	if (o->depth < 1 || o->depth > DEPTH_MAX) {
		fprintf(stderr, "rqpi check: --depth=%d: 1 to %d was expected\n", o->depth,
			DEPTH_MAX);
		return false;
	}
	return true;
}

static bool read_options(struct options *o)
{
	char *end = NULL;

	if (!read_mode(o) || !read_races(o) || !read_bounds(o))
		return false;
	if (o->suite && !is_suite(o->suite)) {
		fprintf(stderr, "rqpi check: --suite=%s: ci, full or lot was expected\n", o->suite);
		return false;
	}
	rqs_end_to_end = o->end_to_end != 0;
	rqs_store_buffers = o->store_buffers ||
			    (o->suite && !strcmp(o->suite, "mutant") && rqs_mutant_buffers);
	if (rqs_store_buffers && (o->order == RQS_UP || rqs_watcher)) {
		fprintf(stderr, "rqpi check: --store-buffers: nobody sees those of one CPU, and "
				"races are looked for without\n");
		return false;
	}
	errno = 0;
	o->limits = (struct rqs_limits){.seconds = o->seconds,
					.memory = (size_t)o->memory * MIB,
					.stop = &interrupted,
					.progress = rqs_progress,
					.preemptions = o->preemptions,
					.depth = o->depth,
					.seed = o->seed ? strtoull(o->seed, &end, 10) : 1};
	if (o->seed && (errno || *end || end == o->seed)) {
		fprintf(stderr, "rqpi check: --seed=%s: a number was expected\n", o->seed);
		return false;
	}
	if (rqs_by_lot(o->order))
		o->limits.executions = (uint64_t)o->executions;
	return true;
}

/* On a stack of its own: that of a task is part of a state. */
static void listen_to_interrupts(void)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_ONSTACK | SA_RESTART};

	sigaction(SIGINT, &action, NULL);
}

static enum exit_code run(struct options *o, const char *const *names)
{
	enum exit_code code;

	if (!read_options(o))
		return UNUSABLE;
	if (o->list) {
		list_scenarios(o);
		return CLEAN;
	}
	if (!o->replay && !o->suite && (!names || !names[0])) {
		fprintf(stderr, "rqpi check: which scenario? --list shows them all, --suite=ci "
				"checks them\n");
		return UNUSABLE;
	}
	if (rqs_world_open()) {
		fprintf(stderr, "rqpi check: the memory of the machine cannot be mapped: %s\n",
			strerror(errno));
		return UNUSABLE;
	}
	listen_to_interrupts();
	if (o->replay)
		return replay(o);
	code = o->suite ? check_suite(o) : check_named(names, o);
	if (o->coverage && !o->json && code != UNUSABLE)
		rqs_coverage_print(stdout);
	return see_to_page(o, code);
}

int rqs_main(int argc, const char **argv)
{
	static struct options o = {
	    .memory = 4096, .executions = 100000, .preemptions = -1, .depth = 3};
	static struct poptOption table[] = {
	    {"list", 'l', POPT_ARG_NONE, &o.list, 0,
	     "list the scenarios, or those of --suite, and run none", NULL},
	    {"suite", 0, POPT_ARG_STRING, &o.suite, 0,
	     "check all scenarios of a suite: ci, full, lot", "NAME"},
	    {"mode", 0, POPT_ARG_STRING, &o.mode, 0,
	     "dfs (the default), rdfs, bfs (the shortest path to a violation), up (one CPU, strict "
	     "priorities: livelock), random, pct (priorities by lot)",
	     "ORDER"},
	    {"preemptions", 0, POPT_ARG_INT, &o.preemptions, 0,
	     "of dfs and rdfs: on no path more than so many; 0, 1 and so on up to it, and exit "
	     "status 2 if there would have been more",
	     "N"},
	    {"depth", 0, POPT_ARG_INT, &o.depth, 0,
	     "of pct: look for what needs so many events in a certain order, 3 by default", "N"},
	    {"memory", 0, POPT_ARG_LONG, &o.memory, 0, "for what was seen, 4096 by default", "MIB"},
	    {"seconds", 0, POPT_ARG_DOUBLE, &o.seconds, 0, "stop after so long, incomplete", "S"},
	    {"executions", 0, POPT_ARG_LONG, &o.executions, 0,
	     "of random and pct, 100000 by default; 0: until --seconds", "N"},
	    {"seed", 0, POPT_ARG_STRING, &o.seed, 0, "of random and pct", "N"},
	    {"store-buffers", 0, POPT_ARG_NONE, &o.store_buffers, 0,
	     "stores reach the others later than they are made, as on x86", NULL},
	    {"races", 0, POPT_ARG_NONE, &o.races, 0,
	     "look for races of plain memory, too; plays by lot", NULL},
	    {"replay", 0, POPT_ARG_STRING, &o.replay, 0, "play what a token says, and tell it",
	     "TOKEN"},
	    {"verbose", 'v', POPT_ARG_NONE, &o.verbose, 0, "tell every step", NULL},
	    {"html", 0, POPT_ARG_STRING, &o.html, 0,
	     "write the path of the first violation, or of --replay, to a page of its own", "FILE"},
	    {"end-to-end", 0, POPT_ARG_NONE, &o.end_to_end, 0,
	     "leave out the engine's invariants: go on to what a program can see", NULL},
	    {"strict", 0, POPT_ARG_NONE, &o.strict, 0,
	     "more than POSIX demands of a condvar, clause by clause", NULL},
	    {"json", 0, POPT_ARG_NONE, &o.json, 0, "one JSON object for each scenario", NULL},
	    {"coverage", 0, POPT_ARG_NONE, &o.coverage, 0,
	     "also count edges of the hand-shake and results of operations", NULL},
	    POPT_AUTOHELP POPT_TABLEEND};
	poptContext context = poptGetContext("rqpi check", argc, argv, table, 0);
	enum exit_code code = UNUSABLE;
	int ret;

	poptSetOtherOptionHelp(context, "[OPTION...] [SCENARIO...]");
	ret = poptGetNextOpt(context);
	if (ret < -1)
		fprintf(stderr, "rqpi check: %s: %s\n", poptBadOption(context, 0),
			poptStrerror(ret));
	else
		code = run(&o, poptGetArgs(context));
	poptFreeContext(context);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rqpi: cannot write to standard output: %s\n", strerror(errno));
		return UNUSABLE;
	}
	return (int)code;
}
