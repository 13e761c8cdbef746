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

static const char table_full[] = "the memory for states seen";

double rqs_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------- arriving in a state */

enum rqs_arrival rqs_visit_begin(struct rqs_visit *visit, struct rqs_here *here)
{
	struct rqs_result *result = visit->result;

	result->states = 0;
	result->transitions = 0;
	result->terminals = 0;
	result->depth = 0;
	if (!rqs_visited_init(&visit->visited, visit->limits->memory)) {
		result->stopped = table_full;
		return RQS_NO_ROOM;
	}
	result->visited = &visit->visited;
	return rqs_arrive(visit, here);
}

void rqs_visit_end(struct rqs_visit *visit)
{
	visit->result->visited = NULL;
	rqs_visited_fini(&visit->visited);
}

enum rqs_arrival rqs_arrive(struct rqs_visit *visit, struct rqs_here *here)
{
	struct rqs_result *result = visit->result;
	struct rqs_hash hash = rqs_state_hash();
	enum rqs_seen seen;

	rqs_visited_expect(&visit->visited, hash);
	here->count = rqs_choices(here->choice);
	seen = rqs_visited_add(&visit->visited, hash, &here->number);
	if (seen == RQS_OLD)
		return RQS_SEEN_BEFORE;
	if (seen == RQS_FULL) {
		result->stopped = table_full;
		return RQS_NO_ROOM;
	}
	result->states++;
	if (!rqs_judge(visit->scenario, here->count))
		return RQS_WRONG;
	if (here->count)
		return RQS_SEEN_FIRST;
	result->terminals++;
	return RQS_AT_END;
}

/* ---------------------------------------------------------------- paths and limits */

void *rqs_more(void *old, size_t *room, size_t needed, size_t size)
{
	size_t now = *room ? *room : 64;
	void *p;

	while (now < needed)
		now *= 2;
	if (now == *room)
		return old;
	p = realloc(old, now * size);
	if (p)
		*room = now;
	return p;
}

void rqs_path_add(struct rqs_path *path, struct rqs_choice choice)
{
	struct rqs_choice *more = rqs_more(path->choice, &path->room, path->count + 1,
					   sizeof(choice));

	if (!more) {
		fprintf(stderr, "rqpi check: no memory for a path\n");
		exit(3);
	}
	path->choice = more;
	path->choice[path->count++] = choice;
}

bool rqs_look(const struct rqs_limits *limits, struct rqs_result *result)
{
	if (limits->seconds > 0 && rqs_seconds() - result->seconds > limits->seconds)
		result->stopped = "the limit of time";
	if (limits->stop && *limits->stop)
		result->stopped = "an interrupt";
	if (limits->progress)
		limits->progress(limits, result);
	return result->stopped != NULL;
}

void rqs_found(struct rqs_result *result, const struct rqs_path *path)
{
	result->violation = rqs_violation;
	result->path.no_end = path->no_end;
	result->path.count = 0;
	for (size_t i = 0; i < path->count; i++)
		rqs_path_add(&result->path, path->choice[i]);
	result->stopped = "a violation";
}

bool rqs_explore(const struct rqs_scenario *scenario, enum rqs_mode mode,
		 const struct rqs_limits *limits, struct rqs_result *result)
{
	*result = (struct rqs_result){.seconds = rqs_seconds(), .preemptions = -1};
	rqs_one_cpu = mode == RQS_UP;
	if (!rqs_world_begin(scenario)) {
		result->violation = rqs_violation;
		result->stopped = "a violation";
	} else if (mode == RQS_BFS) {
		rqs_explore_bfs(scenario, limits, result);
	} else if (rqs_by_lot(mode)) {
		rqs_explore_by_lot(scenario, mode, limits, result);
	} else {
		rqs_explore_dfs(scenario, mode == RQS_DFS_REVERSED, limits, result);
	}
	result->seconds = rqs_seconds() - result->seconds;
	result->complete = !result->stopped && !rqs_by_lot(mode);
	return !result->violation.found;
}
