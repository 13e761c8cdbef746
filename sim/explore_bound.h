/* SPDX-License-Identifier: MIT */
/*
 * explore_bound.h - a bound on preemptions, for a depth-first search.
 *
 * A preemption is a step of a task while the one that ran last could go on. What comes from outside
 * (a time, a signal, a cancellation, the end of a task) is none, and does not change who ran last;
 * nor is it one when that has to wait, or has ended.
 *
 * What may happen then depends on the state, on who ran last, and on how many preemptions are left.
 * A state that was visited is visited again if more is possible now: its number in the table says
 * for each one that may have run last how many were left, at most, and 1 more.
 */
#ifndef RQS_EXPLORE_BOUND_H
#define RQS_EXPLORE_BOUND_H

#include "sim/explore.h"

enum {
	RQS_BOUND_BITS = 32 / (RQS_TASKS + 1),
	RQS_BOUND_MAX = (1 << RQS_BOUND_BITS) - 2,
};

struct rqs_bound {
	uint8_t last; /* who ran last, from 1, and could go on; 0: nobody */
	uint8_t left; /* preemptions */
};

/* What @choice leaves of @bound; @here: where that has led. */
struct rqs_bound rqs_bound_after(struct rqs_bound bound, struct rqs_choice choice,
				 const struct rqs_here *here);

/* Take out of @here what is a preemption, if none is left. True: there was one. */
bool rqs_bound_refuse(struct rqs_bound bound, struct rqs_here *here);

/* Is this more than what was possible when @here was visited? Then it is remembered there. */
bool rqs_bound_is_more(struct rqs_bound bound, const struct rqs_here *here);

#endif /* RQS_EXPLORE_BOUND_H */
