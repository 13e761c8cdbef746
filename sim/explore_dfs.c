/* SPDX-License-Identifier: MIT */
/*
 * explore_dfs.c - depth first: a snapshot of each state on the path, and a hash of each state seen.
 *
 * Called by explore.c. Of each state every choice is tried; a state that was seen before is left at
 * once, so that each is visited once, whatever the order. Without a bound it is also followed
 * whether an end can be reached from every state (explore_ends.h); with a bound on preemptions
 * (explore_bound.h) the search begins anew with each number of them, from 0, so that the first
 * violation has as few as possible.
 */
#include "sim/explore.h"

#include <stdlib.h>

#include "sim/explore_bound.h"
#include "sim/explore_ends.h"

const char rqs_stopped_by_bound[] = "the bound on preemptions";

struct frame {
	size_t snapshot; /* where it begins in the stack of snapshots */
	struct rqs_ends_mark mark;
	struct rqs_bound bound;
	int count;
	int next;
	struct rqs_choice choice[RQS_CHOICES];
};

struct search {
	struct rqs_visit visit;
	struct rqs_ends ends;
	struct frame *frame;
	size_t depth;
	size_t frames;
	char *snapshot;
	size_t used;
	size_t room;
	bool reversed;
	bool bounded;
	bool refused; /* the bound has cut off something */
};

/* The state there is now becomes the end of the path. */
static bool push(struct search *s, struct rqs_here *here, struct rqs_bound bound)
{
	struct rqs_result *result = s->visit.result;
	size_t bytes = rqs_state_bytes();
	struct frame *frame = rqs_more(s->frame, &s->frames, s->depth + 1, sizeof(*frame));
	char *snapshot = rqs_more(s->snapshot, &s->room, s->used + bytes, 1);

	if (frame)
		s->frame = frame;
	if (snapshot)
		s->snapshot = snapshot;
	if (!frame || !snapshot)
		return false;
	frame = &s->frame[s->depth];
	if (!s->bounded) {
		if (!rqs_ends_enter(&s->ends, &frame->mark))
			return false;
		*here->number = frame->mark.number;
	} else if (rqs_bound_refuse(bound, here)) {
		s->refused = true;
	}
	frame->snapshot = s->used;
	frame->bound = bound;
	frame->next = 0;
	frame->count = here->count;
	for (int i = 0; i < here->count; i++)
		frame->choice[i] = here->choice[s->reversed ? here->count - 1 - i : i];
	rqs_state_save(s->snapshot + s->used);
	s->used += bytes;
	s->depth++;
	if (s->depth > result->depth)
		result->depth = s->depth;
	return true;
}

/* The violation there is: at the end of the path, or behind @last. */
static void report(struct search *s, const struct rqs_choice *last, bool no_end)
{
	struct rqs_path path = {.no_end = no_end};

	for (size_t i = 0; i + 1 < s->depth; i++)
		rqs_path_add(&path, s->frame[i].choice[s->frame[i].next - 1]);
	if (last)
		rqs_path_add(&path, *last);
	rqs_found(s->visit.result, &path);
	free(path.choice);
}

/*
 * The state there is now, seen before. With strict priorities a way back to a state on the path is
 * a way to go round for ever: whoever could make a difference does not run, and what comes from
 * outside need not come. False: it ends here.
 */
static bool meet(struct search *s, struct rqs_choice choice, struct rqs_here *here)
{
	struct frame *f = &s->frame[s->depth - 1];

	if (rqs_one_cpu && rqs_ends_is_open(&s->ends, *here->number)) {
		rqs_fail_livelock();
		report(s, &choice, false);
		return false;
	}
	rqs_ends_meet(&s->ends, &f->mark, *here->number);
	return true;
}

/* It has been visited, with a bound: is more possible now? False: no memory. */
static bool revisit(struct search *s, struct rqs_bound bound, struct rqs_here *here)
{
	return !rqs_bound_is_more(bound, here) || push(s, here, bound);
}

/* The state there is now, reached by @choice from the end of the path. False: it ends here. */
static bool arrive(struct search *s, struct rqs_choice choice)
{
	struct frame *f = &s->frame[s->depth - 1];
	struct rqs_here here;
	enum rqs_arrival arrival = rqs_arrive(&s->visit, &here);
	struct rqs_bound bound = {0, 0};
	bool pushed;

	if (arrival == RQS_WRONG)
		report(s, &choice, false);
	if (arrival == RQS_WRONG || arrival == RQS_NO_ROOM)
		return false;
	if (arrival == RQS_AT_END) {
		f->mark.leaves = true;
		return true;
	}
	if (s->bounded)
		bound = rqs_bound_after(f->bound, choice, &here);
	else if (arrival == RQS_SEEN_BEFORE)
		return meet(s, choice, &here);
	pushed = s->bounded ? revisit(s, bound, &here) : push(s, &here, bound);
	if (!pushed)
		s->visit.result->stopped = "the memory for snapshots";
	return pushed;
}

/* Every choice at the end of the path was tried. False: it ends here. */
static bool pop(struct search *s)
{
	struct frame *f = &s->frame[s->depth - 1];

	if (!s->bounded && !rqs_ends_leave(&s->ends, &f->mark, s->depth > 1 ? &f[-1].mark : NULL)) {
		rqs_fail_no_end();
		report(s, NULL, true);
		return false;
	}
	s->used = f->snapshot;
	s->depth--;
	return true;
}

static void search(struct search *s)
{
	struct rqs_result *result = s->visit.result;
	bool here = true; /* the machine is in the state at the end of the path */

	while (s->depth && !rqs_enough(s->visit.limits, result)) {
		struct frame *f = &s->frame[s->depth - 1];
		struct rqs_choice choice;
		size_t depth = s->depth;

		if (f->next == f->count) {
			if (!pop(s))
				return;
			here = false;
			continue;
		}
		if (!here)
			rqs_state_restore(s->snapshot + f->snapshot);
		choice = f->choice[f->next++];
		result->transitions++;
		if (!rqs_take(choice)) {
			report(s, &choice, false);
			return;
		}
		if (!arrive(s, choice))
			return;
		here = s->depth > depth;
	}
}

/* All of it, once; with at most @preemptions, if that is not less than 0. */
static void visit(struct search *s, int preemptions)
{
	struct rqs_bound bound = {0, (uint8_t)(preemptions < 0 ? 0 : preemptions)};
	struct rqs_here here;

	s->refused = false;
	switch (rqs_visit_begin(&s->visit, &here)) {
	case RQS_WRONG:
		rqs_found(s->visit.result, &(struct rqs_path){.count = 0});
		break;
	case RQS_SEEN_FIRST:
		if (s->bounded)
			(void)rqs_bound_is_more(bound, &here);
		if (push(s, &here, bound))
			search(s);
		else
			s->visit.result->stopped = "the memory for snapshots";
		break;
	default:
		break;
	}
	rqs_visit_end(&s->visit);
	s->depth = 0;
	s->used = 0;
}

void rqs_explore_dfs(const struct rqs_scenario *scenario, bool reversed,
		     const struct rqs_limits *limits, struct rqs_result *result)
{
	struct search s = {
	    .visit = {.scenario = scenario, .limits = limits, .result = result},
	    .reversed = reversed,
	    .bounded = limits->preemptions >= 0,
	};
	int preemptions = s.bounded ? 0 : -1;

	visit(&s, preemptions);
	while (!result->stopped && s.refused && preemptions < limits->preemptions) {
		(void)rqs_world_begin(scenario);
		visit(&s, ++preemptions);
	}
	if (s.refused || result->violation.found)
		result->preemptions = preemptions;
	if (!result->stopped && s.refused)
		result->stopped = rqs_stopped_by_bound;
	rqs_ends_fini(&s.ends);
	free(s.frame);
	free(s.snapshot);
}
