/* SPDX-License-Identifier: MIT */
/*
 * explore_dfs.c - depth first: a snapshot of each state on the path, and a hash of each state seen.
 *
 * Called by explore.c. Of each state every choice is tried; a state that was seen before is left at
 * once, so that each is visited once, whatever the order.
 */
#include "sim/explore.h"

#include <stdio.h>
#include <stdlib.h>

struct frame {
	struct rqs_hash hash;
	size_t snapshot; /* where it begins in the stack of snapshots */
	int count;
	int next;
	struct rqs_choice choice[RQS_CHOICES];
};

struct search {
	const struct rqs_scenario *scenario;
	const struct rqs_limits *limits;
	struct rqs_result *result;
	struct rqs_visited visited;
	struct frame *frame;
	size_t depth;
	size_t frames;
	char *snapshot;
	size_t used;
	size_t room;
	bool reversed;
};

/* Doubles until there is room; what there was is kept. NULL: no memory. */
static void *more(void *old, size_t *room, size_t needed, size_t size)
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

/* The state there is now becomes the end of the path. */
static bool push(struct search *s, struct rqs_hash hash)
{
	size_t bytes = rqs_state_bytes();
	struct frame *frame = more(s->frame, &s->frames, s->depth + 1, sizeof(*frame));
	char *snapshot = more(s->snapshot, &s->room, s->used + bytes, 1);

	if (frame)
		s->frame = frame;
	if (snapshot)
		s->snapshot = snapshot;
	if (!frame || !snapshot)
		return false;
	frame = &s->frame[s->depth++];
	frame->snapshot = s->used;
	frame->hash = hash;
	frame->next = 0;
	frame->count = rqs_choices(frame->choice);
	rqs_state_save(s->snapshot + s->used);
	s->used += bytes;
	if (s->depth > s->result->depth)
		s->result->depth = s->depth;
	return true;
}

static struct rqs_choice choice_at(const struct search *s, const struct frame *f, int i)
{
	return f->choice[s->reversed ? f->count - 1 - i : i];
}

static void report(struct search *s, struct rqs_choice last)
{
	struct rqs_path path = {NULL, 0, 0};

	for (size_t i = 0; i + 1 < s->depth; i++)
		rqs_path_add(&path, choice_at(s, &s->frame[i], s->frame[i].next - 1));
	rqs_found(s->result, &path, last);
	free(path.choice);
}

/*
 * With strict priorities a way back to a state is a way to go round for ever: whoever could make a
 * difference does not run, and what comes from outside need not come.
 */
static bool is_on_path(const struct search *s, struct rqs_hash hash)
{
	for (size_t i = s->depth; i-- > 0;) {
		if (s->frame[i].hash.a == hash.a && s->frame[i].hash.b == hash.b)
			return true;
	}
	return false;
}

/* The state there is now, reached by @choice. False: it ends here. */
static bool arrive(struct search *s, struct rqs_choice choice)
{
	struct rqs_choice list[RQS_CHOICES];
	struct rqs_hash hash = rqs_state_hash();
	enum rqs_seen seen = rqs_visited_add(&s->visited, hash);
	int count;

	if (seen == RQS_OLD && rqs_one_cpu && is_on_path(s, hash)) {
		rqs_fail_livelock();
		report(s, choice);
		return false;
	}
	if (seen == RQS_OLD)
		return true;
	if (seen == RQS_FULL) {
		s->result->stopped = "the memory for states seen";
		return false;
	}
	s->result->states++;
	count = rqs_choices(list);
	if (!rqs_judge(s->scenario, count)) {
		report(s, choice);
		return false;
	}
	if (count == 0) {
		s->result->terminals++;
	} else if (!push(s, hash)) {
		s->result->stopped = "the memory for snapshots";
		return false;
	}
	return true;
}

static void search(struct search *s)
{
	bool here = true; /* the machine is in the state at the end of the path */

	while (s->depth && !rqs_enough(s->limits, s->result)) {
		struct frame *f = &s->frame[s->depth - 1];
		struct rqs_choice choice;
		size_t depth = s->depth;

		if (f->next == f->count) {
			s->used = f->snapshot;
			s->depth--;
			here = false;
			continue;
		}
		if (!here)
			rqs_state_restore(s->snapshot + f->snapshot);
		choice = choice_at(s, f, f->next++);
		s->result->transitions++;
		if (!rqs_take(choice)) {
			report(s, choice);
			return;
		}
		if (!arrive(s, choice))
			return;
		here = s->depth > depth;
	}
}

void rqs_explore_dfs(const struct rqs_scenario *scenario, bool reversed,
		     const struct rqs_limits *limits, struct rqs_result *result)
{
	struct search s = {
	    .scenario = scenario, .limits = limits, .result = result, .reversed = reversed};

	if (!rqs_visited_init(&s.visited, limits->memory)) {
		result->stopped = "the memory for states seen";
		return;
	}
	rqs_visited_add(&s.visited, rqs_state_hash());
	result->states = 1;
	if (push(&s, rqs_state_hash()))
		search(&s);
	rqs_visited_fini(&s.visited);
	free(s.frame);
	free(s.snapshot);
}
