/* SPDX-License-Identifier: MIT */
/*
 * explore_ends.h - can an end be reached from every state? Followed along a depth-first search: the
 * strongly connected components, as Tarjan finds them. Of a component that is finished, either an
 * edge leads to one that was finished before, and so to an end, or it is a trap.
 */
#ifndef RQS_EXPLORE_ENDS_H
#define RQS_EXPLORE_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqs_ends {
	uint32_t *open; /* states whose component is not finished, by number: ascending */
	size_t count;
	size_t room;
	uint32_t last; /* number given */
};

/* What is known of a state on the path. */
struct rqs_ends_mark {
	uint32_t number;
	uint32_t low; /* the first state on the path that is known to be in its component */
	bool leaves;  /* an end can be reached */
};

/* A new state; its number is to be found in the table. False: no memory. */
bool rqs_ends_enter(struct rqs_ends *ends, struct rqs_ends_mark *mark);

/* The component of the state with this number is not finished. Never so with 0, an end. */
bool rqs_ends_is_open(const struct rqs_ends *ends, uint32_t number);

/* A step from @mark leads to the state with @number, which has been seen before. */
void rqs_ends_meet(const struct rqs_ends *ends, struct rqs_ends_mark *mark, uint32_t number);

/* All steps from @mark were taken; @parent: from where it was reached. False: no end from there. */
bool rqs_ends_leave(struct rqs_ends *ends, const struct rqs_ends_mark *mark,
		    struct rqs_ends_mark *parent);

void rqs_ends_fini(struct rqs_ends *ends);

#endif /* RQS_EXPLORE_ENDS_H */
