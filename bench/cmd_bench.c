/* SPDX-License-Identifier: MIT */
/*
 * cmd_bench.c - `rqpi bench`: options, and which questions are asked. Called by tools/rqpi. How
 * each figure is taken is in docs/benchmarks.md; the questions are in ask_*.c, what the worker does
 * in work_*.c.
 */
#include "bench.h"
#include "driver.h"
#include "plot.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	bool (*ask)(const struct bench_options *opt, struct bench_report *rep);
} questions[] = {
    {"uncontended", bench_ask_uncontended},
    {"wake", bench_ask_wake},
    {"herd", bench_ask_herd},
    {"inversion", bench_ask_inversion},
    {"queue", bench_ask_queue},
    {"contended", bench_ask_contended},
    {"pool", bench_ask_pool},
    {"engine", bench_ask_engine},
    {"chain", bench_ask_chain},
    {"checker", bench_ask_checker},
};

#define QUESTION_NAMES \
	"uncontended, wake, herd, inversion, queue, contended, pool, engine, chain, checker, all"

enum { QUESTIONS = (int)(sizeof(questions) / sizeof(questions[0])) };

/* "8,64,512" */
static bool parse_list(const char *option, const char *text, int min, int max,
		       struct bench_list *list)
{
	const char *at = text;

	list->n = 0;
	for (;;) {
		char *end;
		long value = strtol(at, &end, 10);

		if (end == at || value < min || value > max || (*end && *end != ',')) {
			fprintf(stderr,
				"rqpi bench: --%s %s: not a list of numbers from %d to %d\n",
				option, text, min, max);
			return false;
		}
		if (list->n == BENCH_MAX_LIST) {
			fprintf(stderr, "rqpi bench: --%s %s: more than %d numbers\n", option, text,
				BENCH_MAX_LIST);
			return false;
		}
		list->v[list->n++] = (int)value;
		if (!*end)
			return true;
		at = end + 1;
	}
}

static bool in_range(const char *option, int value, int min, int max)
{
	if (value >= min && value <= max)
		return true;
	fprintf(stderr, "rqpi bench: --%s %d: from %d to %d\n", option, value, min, max);
	return false;
}

static bool check_options(const struct bench_options *opt)
{
	return in_range("rounds", opt->rounds, 0, BENCH_MAX_ROUNDS) &&
	       in_range("samples", opt->samples, 0, 100000) && in_range("ms", opt->ms, 0, 60000) &&
	       in_range("cpu", opt->cpu, -1, 1023);
}

/* Ask @which (NULL: all). Returns the exit code. */
static int ask(struct bench_options *opt, const char *which)
{
	struct bench_report rep = {.opt = opt, .root = json_object_new_object()};
	struct json_object *left_out = json_object_new_array();
	int asked = 0, answered = 0;
	bool drawn = true;

	opt->moderate = !which;
	json_object_object_add(rep.root, "left_out", left_out);
	bench_machine(&rep);
	for (int i = 0; i < QUESTIONS; i++) {
		if (which && strcmp(which, questions[i].name) != 0)
			continue;
		asked++;
		rep.plot = opt->plot ? bench_plot_new() : NULL;
		if (questions[i].ask(opt, &rep))
			answered++;
		else
			json_object_array_add(left_out, json_object_new_string(questions[i].name));
		drawn &= bench_plot_draw(rep.plot, opt->plot, questions[i].name, !which);
		bench_plot_free(rep.plot);
	}
	if (opt->json && answered)
		puts(json_object_to_json_string_ext(rep.root, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	if (answered < asked && !opt->fifo)
		fputs("rqpi bench: SCHED_FIFO needs root, CAP_SYS_NICE, or an RLIMIT_RTPRIO "
		      "(ulimit -r) of 95\n",
		      stderr);
	json_object_put(rep.root);
	return answered && drawn ? 0 : 2;
}

/* The benchmark's name from the command line; "" if it is missing or wrong, NULL for all. */
static const char *pick_question(poptContext context)
{
	const char *name = poptGetArg(context), *more = name ? poptGetArg(context) : NULL;

	if (!name || more) {
		fprintf(stderr, "rqpi bench: %s%s; one of " QUESTION_NAMES "\n",
			more ? "too many arguments: " : "no benchmark named", more ? more : "");
		return "";
	}
	if (!strcmp(name, "all"))
		return NULL;
	for (int i = 0; i < QUESTIONS; i++) {
		if (!strcmp(name, questions[i].name))
			return questions[i].name;
	}
	fprintf(stderr, "rqpi bench: no benchmark %s; one of " QUESTION_NAMES "\n", name);
	return "";
}

int cmd_bench(int argc, char **argv)
{
	struct bench_options opt = {.cpu = -1};
	char *waiters = NULL, *hogs = NULL, *threads = NULL, *depths = NULL, *plot = NULL;
	int json = 0, histogram = 0, code, result = 2;
	const struct poptOption table[] = {
	    {"rounds", 0, POPT_ARG_INT, &opt.rounds, 0, "how often all implementations take turns",
	     "N"},
	    {"samples", 0, POPT_ARG_INT, &opt.samples, 0, "measurements in one batch", "N"},
	    {"cpu", 0, POPT_ARG_INT, &opt.cpu, 0, "the CPU to measure on (default: the last)", "N"},
	    {"waiters", 0, POPT_ARG_STRING, &waiters, 0,
	     "how many (default: herd 8,64,512; pool 64)", "N,..."},
	    {"threads", 0, POPT_ARG_STRING, &threads, 0, "contended: how many (default: 1,2,4,8)",
	     "N,..."},
	    {"hog", 0, POPT_ARG_STRING, &hogs, 0, "inversion: hog lengths (default: 5,20,50)",
	     "MS,..."},
	    {"depth", 0, POPT_ARG_STRING, &depths, 0,
	     "chain: of how many owners (default: 1,4,16,64,256)", "N,..."},
	    {"ms", 0, POPT_ARG_INT, &opt.ms, 0,
	     "queue, contended: length of a batch (default: 400)", "MS"},
	    {"histogram", 0, POPT_ARG_NONE, &histogram, 0,
	     "also how the samples lie, with p50 to p99.9 and max of each series", NULL},
	    {"plot", 0, POPT_ARG_STRING, &plot, 0,
	     "draw a picture by gnuplot (all: one a benchmark, named FILE-BENCHMARK)",
	     "FILE.svg|png"},
	    {"json", 0, POPT_ARG_NONE, &json, 0, "everything as one JSON document", NULL},
	    POPT_AUTOHELP POPT_TABLEEND};
	poptContext context;
	const char *which;

	argv[0] = (char[]){"rqpi bench"}; /* for popt's usage line */
	context = poptGetContext("rqpi", argc, (const char **)argv, table, 0);
	poptSetOtherOptionHelp(context,
			       "[OPTION...] uncontended|wake|herd|inversion|queue|contended|"
			       "pool|engine|chain|checker|all");
	code = poptGetNextOpt(context);
	opt.json = json;
	opt.histogram = histogram;
	opt.plot = plot;
	opt.waiters_chosen = waiters != NULL;
	if (code < -1) {
		fprintf(stderr, "rqpi bench: %s: %s\n", poptBadOption(context, 0),
			poptStrerror(code));
	} else if (check_options(&opt) &&
		   parse_list("waiters", waiters ? waiters : "8,64,512", 1, 2048, &opt.waiters) &&
		   parse_list("threads", threads ? threads : "1,2,4,8", 1, 64, &opt.threads) &&
		   parse_list("depth", depths ? depths : "1,4,16,64,256", 1, 500, &opt.depths) &&
		   parse_list("hog", hogs ? hogs : "5,20,50", 2, 200, &opt.hogs)) {
		which = pick_question(context);
		if ((!which || *which) && (!plot || bench_plot_usable(plot, !which)) &&
		    bench_pick_cpus(&opt) && bench_find_programs(&opt)) {
			opt.fifo = bench_may_use_fifo();
			result = ask(&opt, which);
		}
	}
	free(waiters);
	free(hogs);
	free(threads);
	free(depths);
	free(plot);
	poptFreeContext(context);
	return result;
}
