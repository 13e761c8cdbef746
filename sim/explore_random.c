/* SPDX-License-Identifier: MIT */
/*
 * explore_random.c - one path after the other, each choice by lot: no memory, no claim to have seen
 * all, and the only way for what has too many states.
 *
 * Called by explore.c. Every state is judged, every path goes to its end.
 */
#include "sim/explore.h"

#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/*
 * Any choice is as likely as another in one execution of STAYS; in the others a task that could
 * go on does so, but for one time in 2, 4 and so on: where everybody takes turns nobody is far
 * behind.
 */
static struct rqs_choice pick(const struct rqs_choice *list, int count, const struct rqs_path *path,
			      uint64_t execution, uint64_t *random)
{
	enum { STAYS = 6 };
	uint64_t lot = next_random(random);
	uint64_t leave = ((uint64_t)1 << execution % STAYS) - 1;

	for (int i = 0; path->count && ((lot >> 32) & leave) && i < count; i++) {
		if (rqs_same_choice(list[i], path->choice[path->count - 1]))
			return list[i];
	}
	return list[lot % (uint64_t)count];
}

/* False: a violation, or enough. */
static bool play(const struct rqs_scenario *scenario, const struct rqs_limits *limits,
		 struct rqs_result *result, struct rqs_path *path, uint64_t *random)
{
	struct rqs_choice list[RQS_CHOICES];
	int count;

	path->count = 0;
	while ((count = rqs_choices(list)) > 0) {
		struct rqs_choice choice = pick(list, count, path, result->executions, random);

		result->transitions++;
		if (!rqs_take(choice) || !rqs_judge(scenario, rqs_choices(list))) {
			rqs_found(result, path, choice);
			return false;
		}
		rqs_path_add(path, choice);
		if (rqs_enough(limits, result))
			return false;
	}
	if (path->count > result->depth)
		result->depth = path->count;
	return true;
}

void rqs_explore_random(const struct rqs_scenario *scenario, const struct rqs_limits *limits,
			struct rqs_result *result)
{
	struct rqs_path path = {NULL, 0, 0};
	uint64_t random = limits->seed;
	char *begin = malloc(rqs_state_bytes());

	if (!begin) {
		result->stopped = "the memory for snapshots";
		return;
	}
	rqs_state_save(begin);
	while (!limits->executions || result->executions < limits->executions) {
		if (result->executions)
			rqs_state_restore(begin);
		if (!play(scenario, limits, result, &path, &random))
			break;
		result->executions++;
	}
	free(path.choice);
	free(begin);
}
