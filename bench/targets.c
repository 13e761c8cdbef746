/* SPDX-License-Identifier: MIT */
/*
 * targets.c - the block of targets at the end of each benchmark: what rqpi has to reach, beside
 * what was measured. Called by the ask_*.c. Judges figure <= limit, as printed, and has no
 * influence on the exit code: one noisy run proves nothing either way.
 */
#include "driver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *judge(struct bench_report *rep, enum bench_impl impl, const char *what,
			 const struct bench_figure *figure)
{
	struct json_object *object = json_object_new_object();
	bool measured = isfinite(figure->value);
	bool met = measured && round(figure->value * 100) <= round(figure->limit * 100);
	char full[160];

	snprintf(full, sizeof(full), "%s%s%s", what, *what ? ": " : "", figure->of);
	json_object_object_add(object, "impl", json_object_new_string(bench_impl_name[impl]));
	json_object_object_add(object, "figure_of", json_object_new_string(full));
	json_object_object_add(object, "figure", bench_json_figure(figure->value));
	json_object_object_add(object, "limit", bench_json_figure(figure->limit));
	json_object_object_add(object, "met", measured ? json_object_new_boolean(met) : NULL);
	json_object_array_add(rep->targets, object);
	rep->judged++;
	rep->met += met;
	return met ? "met" : measured ? "NOT met" : "not measured";
}

void bench_target(struct bench_report *rep, enum bench_impl impl, const char *what, double value,
		  double limit)
{
	struct bench_figure figure = {what, value, limit};

	if (!rep->judged)
		bench_say(rep, "\n  targets %58s %9s\n", "figure", "limit");
	bench_say(rep, "    %-8s %-44s", bench_impl_name[impl], what);
	bench_say_number(rep, 9, 2, value);
	bench_say(rep, " %9.2f  %s\n", limit, judge(rep, impl, "", &figure));
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
}
