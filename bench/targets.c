/* SPDX-License-Identifier: MIT */
/*
 * targets.c - the block of targets at the end of each benchmark: what rqpi has to reach, beside
 * what was measured. Called by the ask_*.c. Judges figures as printed, and has no
 * influence on the exit code: one noisy run proves nothing either way.
 */
#include "driver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct bench_figure bench_quotient(const char *of, const struct bench_series *a,
				   const struct bench_series *b, double limit)
{
	struct bench_figure figure = {of, bench_ratio(a, b), limit, bench_ratio_error(a, b), false};

	return figure;
}

struct bench_figure bench_share(const char *of, const struct bench_series *a,
				const struct bench_series *b, double limit)
{
	struct bench_figure figure = bench_quotient(of, a, b, limit);

	figure.least = true;
	return figure;
}

struct bench_figure bench_figure(const char *of, double value, double limit)
{
	struct bench_figure figure = {of, value, limit, NAN, false};

	return figure;
}

static const char *judge(struct bench_report *rep, enum bench_impl impl, const char *what,
			 const struct bench_figure *figure)
{
	struct json_object *object = json_object_new_object();
	bool measured = isfinite(figure->value);
	double over = round(figure->value * 100) - round(figure->limit * 100);
	bool met = measured && (figure->least ? over >= 0 : over <= 0);
	bool close = measured && fabs(figure->value - figure->limit) <= figure->error;
	char full[160];

	snprintf(full, sizeof(full), "%s%s%s", what, *what ? ": " : "", figure->of);
	json_object_object_add(object, "impl", json_object_new_string(bench_impl_name[impl]));
	json_object_object_add(object, "figure_of", json_object_new_string(full));
	json_object_object_add(object, "figure", bench_json_figure(figure->value));
	json_object_object_add(object, "error", bench_json_figure(figure->error));
	json_object_object_add(object, "limit", bench_json_figure(figure->limit));
	json_object_object_add(object, "limit_is",
			       json_object_new_string(figure->least ? "least" : "most"));
	json_object_object_add(object, "met", measured ? json_object_new_boolean(met) : NULL);
	json_object_object_add(object, "close", json_object_new_boolean(close));
	json_object_array_add(rep->targets, object);
	rep->judged++;
	rep->met += met;
	rep->close += close;
	if (!measured)
		return "not measured";
	return met ? (close ? "met ?" : "met") : (close ? "NOT met ?" : "NOT met");
}

void bench_target(struct bench_report *rep, enum bench_impl impl, struct bench_figure figure)
{
	if (!rep->judged)
		bench_say(rep, "\n  %-54s%9s%9s%11s\n", "targets", "figure", "+-", "limit");
	bench_say(rep, "    %-8s %-43s", bench_impl_name[impl], figure.of);
	bench_say_number(rep, 9, 2, figure.value);
	bench_say_number(rep, 9, 2, figure.error);
	bench_say(rep, "%6s%5.2f  %s\n", figure.least ? ">=" : "<=", figure.limit,
		  judge(rep, impl, "", &figure));
}

void bench_target_row(struct bench_report *rep, enum bench_impl impl, const char *what,
		      const struct bench_figure *figures, size_t n)
{
	if (!rep->judged) {
		bench_say(rep, "\n  %-33s", "targets");
		for (size_t i = 0; i < n; i++)
			bench_say(rep, "  %-15s", figures[i].of);
		bench_say(rep, "\n  %-33s", "");
		for (size_t i = 0; i < n; i++)
			bench_say(rep, "  <= %-12.2f", figures[i].limit);
		bench_say(rep, "\n");
	}
	bench_say(rep, "    %-8s%-23s", bench_impl_name[impl], what);
	for (size_t i = 0; i < n; i++) {
		bench_say(rep, "  ");
		bench_say_number(rep, 5, 2, figures[i].value);
		bench_say(rep, " %-9s", judge(rep, impl, what, &figures[i]));
	}
	bench_say(rep, "\n");
}

void bench_targets_end(struct bench_report *rep)
{
	json_object_object_add(rep->bench, "targets_met", json_object_new_int(rep->met));
	json_object_object_add(rep->bench, "targets_judged", json_object_new_int(rep->judged));
	bench_say(rep, "  %d of %d targets met\n", rep->met, rep->judged);
	if (rep->close)
		bench_say(rep,
			  "  ? closer to the limit than the standard error of that median; more "
			  "--rounds would tell\n");
}
