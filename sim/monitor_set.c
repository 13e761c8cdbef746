/* SPDX-License-Identifier: MIT */
/*
 * monitor_set.c - sets of vectors of abstract phases, and what may happen in them unseen. See
 * monitor.h for what a vector is.
 *
 * Called by monitor.c.
 */
#include "sim/monitor_set.h"

#include "sim/world.h"

enum { CODES = 1 << (2 * RQS_TASKS) };

/*
 * Scratch, no part of the state: the tasks' stacks are, and what is left below them is cleared only
 * so far down.
 */
static uint16_t todo[CODES];

static struct rqs_monitor *monitor(void)
{
	return rqs_world->monitor;
}

/* ---------------------------------------------------------------- sets of vectors */

static unsigned int value_of(unsigned int code, uint32_t i)
{
	return code >> (2 * i) & 3;
}

static unsigned int with_value(unsigned int code, uint32_t i, unsigned int value)
{
	return (code & ~(3u << (2 * i))) | value << (2 * i);
}

static bool has(const uint64_t *set, unsigned int code)
{
	return (set[code / 64] >> (code % 64) & 1) != 0;
}

static void drop(uint64_t *set, unsigned int code)
{
	set[code / 64] &= ~(1ull << (code % 64));
}

static void add(uint64_t *set, unsigned int code, unsigned int *count)
{
	if (has(set, code))
		return;
	set[code / 64] |= 1ull << (code % 64);
	todo[(*count)++] = (uint16_t)code;
}

/* All of @set into todo[]. */
static unsigned int list_codes(const uint64_t *set)
{
	unsigned int count = 0;

	for (uint32_t w = 0; w < monitor()->words; w++) {
		for (uint64_t rest = set[w]; rest; rest &= rest - 1)
			todo[count++] = (uint16_t)(w * 64 + (unsigned int)__builtin_ctzll(rest));
	}
	return count;
}

bool rqs_set_is_empty(const uint64_t *set)
{
	for (uint32_t w = 0; w < monitor()->words; w++) {
		if (set[w])
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- what may happen unseen */

/* Where the clause says nothing: any of those blocked, but at least one. */
static bool may_release(enum rqs_clause clause, unsigned int blocked, unsigned int chosen)
{
	const struct rqs_monitor *m = monitor();
	int32_t best = INT32_MAX;
	int32_t best_chosen = INT32_MAX;

	/*
	 * POSIX: that more are released is covered, as any blocked thread may return for no reason.
	 */
	if (clause == RQS_CLAUSE_NONE || clause == RQS_CLAUSE_ONE)
		return (chosen & (chosen - 1)) == 0;
	for (uint32_t i = 0; i < m->n; i++) {
		if (!(blocked >> i & 1))
			continue;
		if (m->watch[i].own < best)
			best = m->watch[i].own;
		if (!(chosen >> i & 1))
			continue;
		if (m->watch[i].own < best_chosen)
			best_chosen = m->watch[i].own;
		if (clause == RQS_CLAUSE_FIFO && (m->call[i].older & blocked & ~chosen))
			return false;
	}
	return clause != RQS_CLAUSE_URGENT || best_chosen == best;
}

static unsigned int release(unsigned int code, unsigned int chosen, unsigned int value)
{
	for (uint32_t i = 0; chosen >> i; i++) {
		if (chosen >> i & 1)
			code = with_value(code, i, value);
	}
	return code;
}

/* The signal or broadcast of task @i takes effect in @code at one moment, and @i is @after. */
static void take_effect(uint64_t *set, enum rqs_clause clause, unsigned int code, uint32_t i,
			unsigned int after, unsigned int *count)
{
	const struct rqs_monitor *m = monitor();
	unsigned int blocked = 0;

	for (uint32_t j = 0; j < m->n; j++) {
		if (rqs_is_wait(&m->call[j]) && m->call[j].cond == m->call[i].cond && j != i &&
		    value_of(code, j) == RQS_BLOCKED)
			blocked |= 1u << j;
	}
	code = with_value(code, i, after);
	if (!blocked || m->call[i].kind == RQS_API_BROADCAST) {
		add(set, release(code, blocked, RQS_RELEASED), count);
		return;
	}
	for (unsigned int chosen = blocked; chosen; chosen = (chosen - 1) & blocked) {
		/* The order of those whom signals release is no matter of a broadcast. */
		if (may_release(clause, blocked, chosen))
			add(set,
			    release(code, chosen,
				    clause == RQS_CLAUSE_ORDER ? RQS_GONE : RQS_RELEASED),
			    count);
	}
}

/* It need not be released to be blocked no longer. */
static bool may_leave(uint32_t i)
{
	const struct rqs_task *t = &rqs_world->tasks[i];
	const struct rqs_api_call *c = &monitor()->call[i];

	return c->kind == RQS_API_CANCELLED || c->deadline <= rqs_world->now ||
	       t->kill == RQS_CANCEL_PENDING;
}

/* What task @i may have done next in @code. */
static void advance(uint64_t *set, enum rqs_clause clause, unsigned int code, uint32_t i,
		    unsigned int *count)
{
	const struct rqs_api_call *c = &monitor()->call[i];
	unsigned int value = value_of(code, i);

	if (c->kind == RQS_API_NONE)
		return;
	if (!rqs_is_wait(c) && value == RQS_PENDING) {
		take_effect(set, clause, code, i, RQS_DONE, count);
		/* How often is what the one clause is about, and no other. */
		if (clause != RQS_CLAUSE_NONE &&
		    (clause != RQS_CLAUSE_ONE || c->kind == RQS_API_BROADCAST))
			take_effect(set, clause, code, i, RQS_PENDING, count);
	}
	if (!rqs_is_wait(c))
		return;
	if (value == RQS_ENTERED)
		add(set, with_value(code, i, RQS_BLOCKED), count);
	if ((value == RQS_ENTERED || value == RQS_BLOCKED) && may_leave(i))
		add(set, with_value(code, i, RQS_GONE), count);
	/* POSIX: a cancelled thread consumes no signal if others are blocked. */
	if (value == RQS_RELEASED && c->kind == RQS_API_CANCELLED)
		take_effect(set, clause, code, i, RQS_GONE, count);
}

void rqs_set_close(uint64_t *set, enum rqs_clause clause)
{
	unsigned int count = list_codes(set);

	while (count) {
		unsigned int code = todo[--count];

		for (uint32_t i = 0; i < monitor()->n; i++)
			advance(set, clause, code, i, &count);
	}
}

/* ---------------------------------------------------------------- what need not be remembered */

static unsigned int rank_of(const struct rqs_api_call *c, unsigned int value)
{
	static const unsigned int rank[] = {
	    [RQS_ENTERED] = 3, [RQS_BLOCKED] = 2, [RQS_RELEASED] = 0, [RQS_GONE] = 1};

	return rqs_is_wait(c) ? rank[value] : value;
}

/* Whatever is allowed in @b is allowed in @a. */
static bool covers(unsigned int a, unsigned int b)
{
	const struct rqs_monitor *m = monitor();

	for (uint32_t i = 0; i < m->n; i++) {
		if (rank_of(&m->call[i], value_of(a, i)) < rank_of(&m->call[i], value_of(b, i)))
			return false;
	}
	return a != b;
}

/*
 * By POSIX a release only obliges, as a wait may return without: whoever is not released may do
 * all that one may who is, a signal without effect forbids nothing, and who has not blocked yet
 * can still do so. So of two vectors, one of which is behind the other in every task, only that
 * is kept: equal states of the machine stay equal more often, and nothing is lost.
 */
void rqs_set_reduce(uint64_t *set)
{
	unsigned int count = list_codes(set);

	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int j = 0; j < count; j++) {
			if (has(set, todo[i]) && covers(todo[i], todo[j]))
				drop(set, todo[j]);
		}
	}
}

/* ---------------------------------------------------------------- what is seen */

/* The call of task @i is over. */
void rqs_set_forget(uint64_t *set, uint32_t i)
{
	unsigned int count = list_codes(set);

	/* Word by word: the detector of races (races.c) listens to memset(). */
	for (unsigned int k = 0; k < count; k++)
		drop(set, todo[k]);
	for (unsigned int k = 0; k < count; k++) {
		unsigned int code = with_value(todo[k], i, 0);

		set[code / 64] |= 1ull << (code % 64);
	}
}

/* Keep those in which task @i has one of @values, a bit each. */
void rqs_set_keep(uint64_t *set, uint32_t i, unsigned int values)
{
	unsigned int count = list_codes(set);

	for (unsigned int k = 0; k < count; k++) {
		if (!(values >> value_of(todo[k], i) & 1))
			drop(set, todo[k]);
	}
}

/* Nobody more urgent is still to return who was released by the same broadcast. */
void rqs_set_keep_in_order(uint64_t *set, uint32_t i)
{
	const struct rqs_monitor *m = monitor();
	unsigned int count = list_codes(set);

	for (unsigned int k = 0; k < count; k++) {
		bool in_order = true;

		for (uint32_t j = 0; value_of(todo[k], i) == RQS_RELEASED && j < m->n; j++) {
			if (rqs_is_wait(&m->call[j]) && m->call[j].cond == m->call[i].cond &&
			    m->watch[j].own < m->watch[i].own &&
			    value_of(todo[k], j) == RQS_RELEASED)
				in_order = false;
		}
		if (!in_order)
			drop(set, todo[k]);
	}
}

/* Is there a vector in which all waits are blocked? */
bool rqs_set_may_be_blocked(const uint64_t *set)
{
	unsigned int count = list_codes(set);

	for (unsigned int k = 0; k < count; k++) {
		bool blocked = true;

		for (uint32_t i = 0; i < monitor()->n; i++) {
			if (rqs_is_wait(&monitor()->call[i]) && value_of(todo[k], i) > RQS_BLOCKED)
				blocked = false;
		}
		if (blocked)
			return true;
	}
	return false;
}
