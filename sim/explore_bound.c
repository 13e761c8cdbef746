/* SPDX-License-Identifier: MIT */
/*
 * explore_bound.c - a bound on preemptions. See explore_bound.h.
 *
 * Called by explore_dfs.c.
 */
#include "sim/explore_bound.h"

enum { FIELD = (1 << RQS_BOUND_BITS) - 1 };

static bool can_go_on(const struct rqs_here *here, uint8_t last)
{
	for (int i = 0; last && i < here->count; i++) {
		if (here->choice[i].kind == RQS_RUN && here->choice[i].task + 1 == last)
			return true;
	}
	return false;
}

static bool is_preemption(struct rqs_bound bound, struct rqs_choice choice)
{
	return choice.kind == RQS_RUN && bound.last && choice.task + 1 != bound.last;
}

struct rqs_bound rqs_bound_after(struct rqs_bound bound, struct rqs_choice choice,
				 const struct rqs_here *here)
{
	if (is_preemption(bound, choice))
		bound.left--;
	if (choice.kind == RQS_RUN)
		bound.last = (uint8_t)(choice.task + 1);
	if (!can_go_on(here, bound.last))
		bound.last = 0;
	return bound;
}

bool rqs_bound_refuse(struct rqs_bound bound, struct rqs_here *here)
{
	int n = 0;
	int count = here->count;

	if (bound.left)
		return false;
	for (int i = 0; i < count; i++) {
		if (!is_preemption(bound, here->choice[i]))
			here->choice[n++] = here->choice[i];
	}
	here->count = n;
	return n < count;
}

/*
 * With nobody who could go on, all is possible that is possible with somebody; and with one more
 * left, whoever ran last can be made to be that one.
 */
bool rqs_bound_is_more(struct rqs_bound bound, const struct rqs_here *here)
{
	uint32_t mine = bound.left + 1u;

	for (uint32_t last = 0; last <= RQS_TASKS; last++) {
		uint32_t had = *here->number >> (last * RQS_BOUND_BITS) & FIELD;

		if (had > mine || (had == mine && (!last || last == bound.last)))
			return false;
	}
	*here->number &= ~((uint32_t)FIELD << (bound.last * RQS_BOUND_BITS));
	*here->number |= mine << (bound.last * RQS_BOUND_BITS);
	return true;
}
