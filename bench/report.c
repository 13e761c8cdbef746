/* SPDX-License-Identifier: MIT */
/*
 * report.c - what is printed: text as it comes, or one JSON document at the end; tables and notes.
 * Called by cmd_bench.c and the ask_*.c. The targets are in targets.c.
 */
#include "driver.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * The floor's own medians, p10 to p90 over the rounds: more than this share apart is worth a
 * warning.
 */
#define NOISE_LIMIT 0.30

void bench_say(const struct bench_report *rep, const char *format, ...)
{
	va_list ap;

	if (rep->opt->json)
		return;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	fflush(stdout);
}

void bench_say_number(const struct bench_report *rep, int width, int decimals, double value)
{
	if (isfinite(value))
		bench_say(rep, "%*.*f", width, decimals, value);
	else
		bench_say(rep, "%*s", width, "-");
}

/* Lines of at most 100 columns, broken at blanks. */
static void say_wrapped(const struct bench_report *rep, const char *text)
{
	const int width = 90;
	const char *lead = "  note: ";

	while (*text) {
		int length = (int)strlen(text);

		if (length > width) {
			for (length = width; length > 1 && text[length] != ' '; length--)
				;
		}
		bench_say(rep, "%s%.*s\n", lead, length, text);
		text += length;
		text += strspn(text, " ");
		lead = "        ";
	}
}

void bench_note(struct bench_report *rep, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_object_array_add(rep->notes, json_object_new_string(text));
	say_wrapped(rep, text);
}

struct json_object *bench_json_figure(double value)
{
	char text[48];

	if (!isfinite(value))
		return NULL; /* null in the document */
	snprintf(text, sizeof(text), "%.6g", value);
	return json_object_new_double_s(value, text);
}

void bench_report_begin(struct bench_report *rep, const char *bench, const char *question,
			int rounds)
{
	struct json_object *all;

	if (!json_object_object_get_ex(rep->root, "benchmarks", &all)) {
		all = json_object_new_object();
		json_object_object_add(rep->root, "benchmarks", all);
	}
	rep->bench = json_object_new_object();
	rep->targets = json_object_new_array();
	rep->notes = json_object_new_array();
	rep->met = rep->judged = rep->close = 0;
	json_object_object_add(all, bench, rep->bench);
	json_object_object_add(rep->bench, "question", json_object_new_string(question));
	json_object_object_add(rep->bench, "rounds", json_object_new_int(rounds));
	json_object_object_add(rep->bench, "notes", rep->notes);
	json_object_object_add(rep->bench, "targets", rep->targets);
	bench_say(rep, "\n%s: %s; %d rounds, implementations taking turns\n", bench, question,
		  rounds);
}

static struct json_object *json_series(const struct bench_series *series, int rounds)
{
	static const struct {
		const char *key;
		double percent;
	} points[] = {{"min", 0},  {"p10", 10},	    {"p50", 50}, {"p90", 90},
		      {"p99", 99}, {"p99.9", 99.9}, {"max", 100}};
	struct json_object *object = json_object_new_object(), *per_round = json_object_new_array();

	json_object_object_add(object, "n", json_object_new_int64((int64_t)series->n));
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		json_object_object_add(
		    object, points[i].key,
		    bench_json_figure(bench_percentile(series, points[i].percent)));
	for (int i = 0; i < rounds; i++)
		json_object_array_add(per_round, bench_json_figure(series->round_median[i]));
	json_object_object_add(object, "median_per_round", per_round);
	return object;
}

static struct json_object *json_cell(const struct bench_cell *cell)
{
	struct json_object *object = json_object_new_object(), *series = json_object_new_object();

	json_object_object_add(object, "batches", json_object_new_int(cell->runs));
	json_object_object_add(object, "failed", json_object_new_int(cell->failed));
	if (cell->failed)
		json_object_object_add(object, "failure", json_object_new_string(cell->failure));
	for (size_t i = 0; i < cell->n_series; i++)
		json_object_object_add(series, cell->series[i].name,
				       json_series(&cell->series[i], cell->runs));
	json_object_object_add(object, "series", series);
	return object;
}

void bench_report_cases(struct bench_report *rep, const struct bench_case *cases, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *object = json_object_new_object(),
				   *results = json_object_new_object();

		json_object_object_add(object, "case", json_object_new_string(cases[i].name));
		json_object_object_add(object, "batch", json_object_new_string(cases[i].args));
		for (int impl = 0; impl < BENCH_IMPLS; impl++) {
			if (cases[i].cell[impl].runs)
				json_object_object_add(results, bench_impl_name[impl],
						       json_cell(&cases[i].cell[impl]));
		}
		json_object_object_add(object, "results", results);
		json_object_array_add(array, object);
	}
	json_object_object_add(rep->bench, "cases", array);
	for (size_t i = 0; rep->opt->histogram && i < n; i++)
		bench_histogram(rep, &cases[i]);
}

void bench_failures(struct bench_report *rep, const struct bench_case *c)
{
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct bench_cell *cell = &c->cell[impl];

		if (cell->failed)
			bench_note(rep, "%s, %s: %d of %d batches failed: %s", c->name,
				   bench_impl_name[impl], cell->failed, cell->runs, cell->failure);
	}
}

void bench_table(const struct bench_report *rep, const struct bench_case *c, const char *series)
{
	static const double points[] = {50, 90, 99, 99.9, 100};
	static const enum bench_impl floors[] = {BENCH_GLIBC, BENCH_REQUEUE, BENCH_FUTEX};

	bench_say(rep, "\n  %-28s%8s%8s%8s%8s%9s", c->name, "p50", "p90", "p99", "p99.9", "max");
	for (size_t i = 0; i < 3; i++) {
		if (c->impls & BENCH_BIT(floors[i]))
			bench_say(rep, "  / %s", bench_impl_name[floors[i]]);
	}
	bench_say(rep, "\n");
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct bench_series *own = bench_of(c, (enum bench_impl)impl, series);

		if (!own)
			continue;
		bench_say(rep, "    %-26s", bench_impl_name[impl]);
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
			bench_say_number(rep, i == 4 ? 9 : 8, 0, bench_percentile(own, points[i]));
		for (size_t i = 0; i < 3; i++) {
			if (c->impls & BENCH_BIT(floors[i]))
				bench_say_number(rep, (int)strlen(bench_impl_name[floors[i]]) + 4,
						 2,
						 bench_ratio(own, bench_of(c, floors[i], series)));
		}
		bench_say(rep, "\n");
	}
}

void bench_noise(struct bench_report *rep, const struct bench_series *floor, const char *what)
{
	double spread = bench_spread(floor);

	if (!isfinite(spread))
		return;
	json_object_object_add(rep->bench, "floor_spread", bench_json_figure(spread));
	json_object_object_add(rep->bench, "too_noisy",
			       json_object_new_boolean(spread > NOISE_LIMIT));
	bench_say(rep,
		  "  noise: the medians of %s lie %.0f %% apart (p10 to p90 over the rounds)\n",
		  what, spread * 100);
	if (spread > NOISE_LIMIT)
		bench_note(
		    rep,
		    "WARNING: this machine was too noisy for close calls: even %s moved by "
		    "%.0f %% between rounds; run again, with less beside it or more --rounds",
		    what, spread * 100);
}

void bench_slower(struct bench_report *rep, const struct bench_case *c, enum bench_impl impl,
		  const char *series, const char *what, bool more_is_better)
{
	double ratio = bench_ratio(bench_of(c, impl, series), bench_of(c, BENCH_GLIBC, series));
	double loss = more_is_better ? 1 / ratio : ratio;

	if (isfinite(loss) && loss > 1.02)
		bench_note(rep, "glibc is better here: %s, %s: %s %.2fx %s", c->name, what,
			   bench_impl_name[impl], ratio, "glibc's");
}
