/* SPDX-License-Identifier: MIT */
/*
 * explore.c - what all orders have in common: the table of states seen, limits, paths.
 *
 * Called by the command and by explore_dfs.c, explore_bfs.c, explore_random.c.
 */
#define _GNU_SOURCE
#include "sim/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_SLOTS = 1 << 14, LOOK_EVERY = 4096 };

double rqs_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------- states seen */

bool rqs_visited_init(struct rqs_visited *v, size_t memory)
{
	*v = (struct rqs_visited){.slots = FIRST_SLOTS, .memory = memory};
	v->slot = calloc(v->slots, sizeof(*v->slot));
	return v->slot != NULL;
}

void rqs_visited_fini(struct rqs_visited *v)
{
	free(v->slot);
}

static struct rqs_hash *find(struct rqs_hash *slot, size_t slots, struct rqs_hash h)
{
	size_t i = (size_t)h.a & (slots - 1);

	while ((slot[i].a || slot[i].b) && (slot[i].a != h.a || slot[i].b != h.b))
		i = (i + 1) & (slots - 1);
	return &slot[i];
}

static bool grow(struct rqs_visited *v)
{
	size_t slots = v->slots * 2;
	struct rqs_hash *slot;

	if (slots * sizeof(*slot) > v->memory)
		return false;
	slot = calloc(slots, sizeof(*slot));
	if (!slot)
		return false;
	for (size_t i = 0; i < v->slots; i++) {
		if (v->slot[i].a || v->slot[i].b)
			*find(slot, slots, v->slot[i]) = v->slot[i];
	}
	free(v->slot);
	v->slot = slot;
	v->slots = slots;
	return true;
}

enum rqs_seen rqs_visited_add(struct rqs_visited *v, struct rqs_hash h)
{
	struct rqs_hash *at;

	if (!h.a && !h.b)
		h.a = 1;
	at = find(v->slot, v->slots, h);
	if (at->a || at->b)
		return RQS_OLD;
	if (v->count >= v->slots / 4 * 3) {
		if (!grow(v))
			return RQS_FULL;
		at = find(v->slot, v->slots, h);
	}
	*at = h;
	v->count++;
	return RQS_NEW;
}

/* ---------------------------------------------------------------- paths and limits */

void rqs_path_add(struct rqs_path *path, struct rqs_choice choice)
{
	if (path->count == path->room) {
		path->room = path->room ? path->room * 2 : 256;
		path->choice = realloc(path->choice, path->room * sizeof(*path->choice));
		if (!path->choice) {
			fprintf(stderr, "rqpi check: no memory for a path\n");
			exit(3);
		}
	}
	path->choice[path->count++] = choice;
}

bool rqs_enough(const struct rqs_limits *limits, struct rqs_result *result)
{
	if (result->transitions % LOOK_EVERY == 0) {
		if (limits->seconds > 0 && rqs_seconds() - result->seconds > limits->seconds)
			result->stopped = "the limit of time";
		if (limits->stop && *limits->stop)
			result->stopped = "an interrupt";
	}
	return result->stopped != NULL;
}

void rqs_found(struct rqs_result *result, const struct rqs_path *path, struct rqs_choice last)
{
	result->violation = rqs_violation;
	result->path.count = 0;
	for (size_t i = 0; i < path->count; i++)
		rqs_path_add(&result->path, path->choice[i]);
	rqs_path_add(&result->path, last);
	result->stopped = "a violation";
}

bool rqs_explore(const struct rqs_scenario *scenario, enum rqs_mode mode,
		 const struct rqs_limits *limits, struct rqs_result *result)
{
	*result = (struct rqs_result){.seconds = rqs_seconds()};
	rqs_one_cpu = mode == RQS_UP;
	if (!rqs_world_begin(scenario)) {
		result->violation = rqs_violation;
		result->stopped = "a violation";
	} else if (mode == RQS_BFS) {
		rqs_explore_bfs(scenario, limits, result);
	} else if (mode == RQS_RANDOM) {
		rqs_explore_random(scenario, limits, result);
	} else {
		rqs_explore_dfs(scenario, mode == RQS_DFS_REVERSED, limits, result);
	}
	result->seconds = rqs_seconds() - result->seconds;
	result->complete = !result->stopped && mode != RQS_RANDOM;
	return !result->violation.found;
}
