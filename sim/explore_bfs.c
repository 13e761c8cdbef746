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
	struct rqs_visit visit;
	struct node *node;
	size_t count;
	size_t room;
	size_t held; /* bytes of snapshots */
};

static bool add_node(struct search *s, uint32_t parent, struct rqs_choice choice)
{
	size_t bytes = rqs_state_bytes();
	struct node *node = rqs_more(s->node, &s->room, s->count + 1, sizeof(*node));

	if (!node)
		return false;
	s->node = node;
	if (s->held + bytes > s->visit.limits->memory || s->count == UINT32_MAX)
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
	struct rqs_path path = {.count = 0};
	size_t depth = depth_of(s, at) - 1;

	for (size_t i = 0; i <= depth; i++)
		rqs_path_add(&path, last);
	for (; at; at = s->node[at].parent)
		path.choice[--depth] = s->node[at].choice;
	rqs_found(s->visit.result, &path);
	free(path.choice);
}

/* The state there is now, reached by @choice from the node at @from. False: it ends here. */
static bool arrive(struct search *s, uint32_t from, struct rqs_choice choice)
{
	struct rqs_here here;

	switch (rqs_arrive(&s->visit, &here)) {
	case RQS_WRONG:
		report(s, from, choice);
		return false;
	case RQS_NO_ROOM:
		return false;
	case RQS_SEEN_FIRST:
		if (add_node(s, from, choice))
			return true;
		s->visit.result->stopped = "the memory for snapshots";
		return false;
	default:
		return true;
	}
}

/* Every choice of the node at @at. */
static bool expand(struct search *s, uint32_t at)
{
	struct rqs_choice list[RQS_CHOICES];
	struct rqs_result *result = s->visit.result;
	int count;

	rqs_state_restore(s->node[at].snapshot);
	count = rqs_choices(list);
	for (int i = 0; i < count; i++) {
		if (i)
			rqs_state_restore(s->node[at].snapshot);
		result->transitions++;
		if (!rqs_take(list[i])) {
			report(s, at, list[i]);
			return false;
		}
		if (!arrive(s, at, list[i]) || rqs_enough(s->visit.limits, result))
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
	struct search s = {.visit = {.scenario = scenario, .limits = limits, .result = result}};
	struct rqs_here here;
	uint32_t at = 0;

	switch (rqs_visit_begin(&s.visit, &here)) {
	case RQS_WRONG:
		rqs_found(result, &(struct rqs_path){.count = 0});
		break;
	case RQS_SEEN_FIRST:
		if (!add_node(&s, 0, (struct rqs_choice){.kind = RQS_RUN}))
			result->stopped = "the memory for snapshots";
		break;
	default:
		break;
	}
	while (!result->stopped && at < s.count && expand(&s, at))
		at++;
	if (s.count)
		result->depth = depth_of(&s, (uint32_t)(s.count - 1));
	for (size_t i = at; i < s.count; i++)
		free(s.node[i].snapshot);
	rqs_visit_end(&s.visit);
	free(s.node);
}
