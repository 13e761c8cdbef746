/* SPDX-License-Identifier: MIT */
/*
 * explore_bfs.c - breadth first: a snapshot of each state that is still to be looked at, and of
 * each state where it came from. The first violation is one of the nearest.
 *
 * Called by explore.c.
 */
#include "sim/explore.h"

#include <stdlib.h>

struct node {
	uint32_t parent;
	struct rqs_choice choice; /* that led here */
	char *snapshot;		  /* NULL: done with */
	size_t bytes;
};

struct search {
	const struct rqs_scenario *scenario;
	const struct rqs_limits *limits;
	struct rqs_result *result;
	struct rqs_visited visited;
	struct node *node;
	size_t count;
	size_t room;
	size_t held; /* bytes of snapshots */
};

static bool add_node(struct search *s, uint32_t parent, struct rqs_choice choice)
{
	size_t bytes = rqs_state_bytes();
	struct node *node;

	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 1024;

		node = realloc(s->node, room * sizeof(*node));
		if (!node)
			return false;
		s->node = node;
		s->room = room;
	}
	if (s->held + bytes > s->limits->memory || s->count == UINT32_MAX)
		return false;
	node = &s->node[s->count];
	*node = (struct node){parent, choice, malloc(bytes), bytes};
	if (!node->snapshot)
		return false;
	rqs_state_save(node->snapshot);
	s->held += bytes;
	s->count++;
	return true;
}

static size_t depth_of(const struct search *s, uint32_t at)
{
	size_t depth = 1;

	for (; at; at = s->node[at].parent)
		depth++;
	return depth;
}

static void report(struct search *s, uint32_t at, struct rqs_choice last)
{
	struct rqs_path path = {NULL, 0, 0};
	size_t depth = depth_of(s, at) - 1;

	for (size_t i = 0; i < depth; i++)
		rqs_path_add(&path, last);
	for (; at; at = s->node[at].parent)
		path.choice[--depth] = s->node[at].choice;
	rqs_found(s->result, &path, last);
	free(path.choice);
}

static bool arrive(struct search *s, uint32_t from, struct rqs_choice choice)
{
	struct rqs_choice list[RQS_CHOICES];
	enum rqs_seen seen = rqs_visited_add(&s->visited, rqs_state_hash());
	int count;

	if (seen == RQS_OLD)
		return true;
	if (seen == RQS_FULL) {
		s->result->stopped = "the memory for states seen";
		return false;
	}
	s->result->states++;
	count = rqs_choices(list);
	if (!rqs_judge(s->scenario, count)) {
		report(s, from, choice);
		return false;
	}
	if (count == 0) {
		s->result->terminals++;
	} else if (!add_node(s, from, choice)) {
		s->result->stopped = "the memory for snapshots";
		return false;
	}
	return true;
}

/* Every choice of the node at @at. */
static bool expand(struct search *s, uint32_t at)
{
	struct rqs_choice list[RQS_CHOICES];
	int count;

	rqs_state_restore(s->node[at].snapshot);
	count = rqs_choices(list);
	for (int i = 0; i < count; i++) {
		if (i)
			rqs_state_restore(s->node[at].snapshot);
		s->result->transitions++;
		if (!rqs_take(list[i])) {
			report(s, at, list[i]);
			return false;
		}
		if (!arrive(s, at, list[i]) || rqs_enough(s->limits, s->result))
			return false;
	}
	s->held -= s->node[at].bytes;
	free(s->node[at].snapshot);
	s->node[at].snapshot = NULL;
	return true;
}

void rqs_explore_bfs(const struct rqs_scenario *scenario, const struct rqs_limits *limits,
		     struct rqs_result *result)
{
	struct search s = {.scenario = scenario, .limits = limits, .result = result};
	uint32_t at = 0;

	if (!rqs_visited_init(&s.visited, limits->memory)) {
		result->stopped = "the memory for states seen";
		return;
	}
	rqs_visited_add(&s.visited, rqs_state_hash());
	result->states = 1;
	if (!add_node(&s, 0, (struct rqs_choice){0, 0}))
		result->stopped = "the memory for snapshots";
	while (!result->stopped && at < s.count && expand(&s, at))
		at++;
	if (s.count)
		result->depth = depth_of(&s, (uint32_t)(s.count - 1));
	for (size_t i = at; i < s.count; i++)
		free(s.node[i].snapshot);
	rqs_visited_fini(&s.visited);
	free(s.node);
}
