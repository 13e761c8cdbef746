/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - another path to the same kind of violation, with fewer changes between tasks.
 *
 * Called by the command, for a path that was found depth first or by lot. A path is a sequence of
 * runs, each of one task or one event. One run is left out, or put behind the next one, and what
 * remains is played: what cannot be taken is skipped, and in the end each task goes on as long as
 * it can. If that ends in a violation by the same oracle, on fewer runs or steps, it is the new
 * path.
 */
#include "sim/shrink.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 64, STEPS_MAX = 100000 };

/* One attempt: the path that was really taken. */
struct attempt {
	const struct rqs_scenario *scenario;
	const char *oracle;
	bool no_end;
	struct rqs_path taken;
};

/* False: it is over, with a violation or without. */
static bool take(struct attempt *a, struct rqs_choice choice)
{
	struct rqs_choice list[RQS_CHOICES];

	rqs_path_add(&a->taken, choice);
	return rqs_take(choice) && rqs_judge(a->scenario, rqs_choices(list)) &&
	       a->taken.count < STEPS_MAX;
}

/* Each task as far as it goes, the last one first. */
static void finish(struct attempt *a)
{
	struct rqs_choice list[RQS_CHOICES];
	int count;

	while ((count = rqs_choices(list)) > 0) {
		struct rqs_choice next = list[0];

		for (int i = 0; i < count; i++) {
			if (a->taken.count &&
			    rqs_same_choice(list[i], a->taken.choice[a->taken.count - 1]) &&
			    list[i].kind == RQS_RUN)
				next = list[i];
		}
		if (!take(a, next))
			return;
	}
}

/* Does @path lead to a violation of the same kind? */
static bool try_path(struct attempt *a, const struct rqs_choice *path, size_t count)
{
	a->taken.count = 0;
	if (!rqs_world_begin(a->scenario))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (rqs_is_possible(path[i]) && !take(a, path[i]))
			return rqs_violation.found && !strcmp(rqs_violation.oracle, a->oracle);
	}
	if (a->no_end) {
		if (!rqs_can_end())
			rqs_fail_no_end();
		return rqs_violation.found;
	}
	finish(a);
	return rqs_violation.found && !strcmp(rqs_violation.oracle, a->oracle);
}

static size_t count_runs(const struct rqs_path *path)
{
	size_t runs = path->count > 0;

	for (size_t i = 1; i < path->count; i++)
		runs += !rqs_same_choice(path->choice[i], path->choice[i - 1]);
	return runs;
}

static size_t end_of_run(const struct rqs_path *path, size_t at)
{
	size_t end = at + 1;

	while (end < path->count && rqs_same_choice(path->choice[end], path->choice[at]))
		end++;
	return end;
}

static bool is_better(const struct rqs_path *a, const struct rqs_path *b)
{
	size_t runs_a = count_runs(a);
	size_t runs_b = count_runs(b);

	return runs_a != runs_b ? runs_a < runs_b : a->count < b->count;
}

/* @path without [@at, @end), and with that behind what follows up to @to. */
static size_t rearrange(const struct rqs_path *path, size_t at, size_t end, size_t to, bool keep,
			struct rqs_choice *out)
{
	size_t n = 0;

	for (size_t i = 0; i < at; i++)
		out[n++] = path->choice[i];
	for (size_t i = end; i < to; i++)
		out[n++] = path->choice[i];
	for (size_t i = at; keep && i < end; i++)
		out[n++] = path->choice[i];
	for (size_t i = to; i < path->count; i++)
		out[n++] = path->choice[i];
	return n;
}

/* Every run left out, and every run moved behind the next. True: one of them was better. */
static bool improve(struct attempt *a, struct rqs_result *result, struct rqs_choice *other)
{
	for (size_t at = 0; at < result->path.count; at = end_of_run(&result->path, at)) {
		size_t end = end_of_run(&result->path, at);
		size_t to = end < result->path.count ? end_of_run(&result->path, end) : end;

		for (int keep = 0; keep < 2; keep++) {
			size_t n = rearrange(&result->path, at, end, to, keep, other);

			if (!try_path(a, other, n) || !is_better(&a->taken, &result->path))
				continue;
			result->path.count = 0;
			for (size_t i = 0; i < a->taken.count; i++)
				rqs_path_add(&result->path, a->taken.choice[i]);
			result->violation = rqs_violation;
			return true;
		}
	}
	return false;
}

void rqs_shrink(const struct rqs_scenario *scenario, struct rqs_result *result)
{
	char oracle[sizeof(result->violation.oracle)];
	struct attempt a = {.scenario = scenario, .oracle = oracle, .no_end = result->path.no_end};
	struct rqs_choice *other = NULL;

	memcpy(oracle, result->violation.oracle, sizeof(oracle));
	for (int round = 0; round < ROUNDS; round++) {
		struct rqs_choice *more = realloc(other, (result->path.count + 1) * sizeof(*other));

		if (!more)
			break;
		other = more;
		if (!improve(&a, result, other))
			break;
	}
	free(other);
	free(a.taken.choice);
}
