/* SPDX-License-Identifier: MIT */
/*
 * explore_ends.c - can an end be reached from every state? See explore_ends.h.
 *
 * Called by explore_dfs.c. Numbers are given in the order of arrival, and what is not finished is a
 * stack of them: that a state is still open is found there, and nothing needs to be written to the
 * table when a component is finished.
 */
#include "sim/explore_ends.h"

#include <stdlib.h>

#include "sim/explore.h"

bool rqs_ends_enter(struct rqs_ends *ends, struct rqs_ends_mark *mark)
{
	uint32_t *open = rqs_more(ends->open, &ends->room, ends->count + 1, sizeof(*open));

	if (!open || ends->last == UINT32_MAX)
		return false;
	ends->open = open;
	ends->last++;
	*mark = (struct rqs_ends_mark){.number = ends->last, .low = ends->last};
	ends->open[ends->count++] = ends->last;
	return true;
}

bool rqs_ends_is_open(const struct rqs_ends *ends, uint32_t number)
{
	size_t from = 0;
	size_t to = ends->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ends->open[middle] < number)
			from = middle + 1;
		else
			to = middle;
	}
	return from < ends->count && ends->open[from] == number;
}

void rqs_ends_meet(const struct rqs_ends *ends, struct rqs_ends_mark *mark, uint32_t number)
{
	if (!rqs_ends_is_open(ends, number))
		mark->leaves = true;
	else if (number < mark->low)
		mark->low = number;
}

bool rqs_ends_leave(struct rqs_ends *ends, const struct rqs_ends_mark *mark,
		    struct rqs_ends_mark *parent)
{
	if (mark->low == mark->number) { /* it was the first one of a component */
		while (ends->count && ends->open[ends->count - 1] >= mark->number)
			ends->count--;
		if (parent)
			parent->leaves = true;
		return mark->leaves;
	}
	if (mark->low < parent->low)
		parent->low = mark->low;
	parent->leaves |= mark->leaves;
	return true;
}

void rqs_ends_fini(struct rqs_ends *ends)
{
	free(ends->open);
}
