/* SPDX-License-Identifier: MIT */
/*
 * trace_build.c - trace_model_build(): from the sources' events to threads, waits, slices and sums.
 *
 * Called once, by cmd_trace.c when the sources are done, and by tests. What is done with a single
 * event is in trace_sched.c and trace_waits.c; interface: trace.h.
 */
#include "trace_build.h"

#include <stdlib.h>

static void *get_memory(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		trace_no_memory();
	return memory;
}

/* ---- order ---- */

/* What is sorted by time and, where times are equal, as it was. */
struct place {
	uint64_t ns;
	uint32_t index;
};

static int by_time(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void sort_events(struct trace_model *m)
{
	uint32_t count = m->events.count;
	struct place *places = get_memory(count, sizeof(*places));
	struct trace_event *sorted = get_memory(count, sizeof(*sorted));

	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct place){.ns = m->events.at[i].ns, .index = i};
	qsort(places, count, sizeof(*places), by_time);
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = m->events.at[places[i].index];
	free(places);
	free(m->events.at);
	m->events.at = sorted;
	m->events.room = count;
	m->begin = count ? sorted[0].ns : 0;
	m->end = count ? sorted[count - 1].ns : 0;
}

/* Take out the waits that were none, and put the others in order; boosts know them by index. */
static void sort_waits(struct trace_builder *b)
{
	struct trace_model *m = b->m;
	struct place *places = get_memory(m->waits.count, sizeof(*places));
	struct trace_wait *sorted = get_memory(m->waits.count, sizeof(*sorted));
	uint32_t *now_at = get_memory(m->waits.count, sizeof(*now_at));
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->waits.count; i++) {
		now_at[i] = TRACE_NO_INDEX;
		if (!b->facts.at[i].drop)
			places[kept++] = (struct place){.ns = m->waits.at[i].since, .index = i};
	}
	qsort(places, kept, sizeof(*places), by_time);
	for (uint32_t i = 0; i < kept; i++) {
		sorted[i] = m->waits.at[places[i].index];
		now_at[places[i].index] = i;
	}
	for (uint32_t i = 0; i < m->boosts.count; i++)
		if (m->boosts.at[i].wait != TRACE_NO_INDEX)
			m->boosts.at[i].wait = now_at[m->boosts.at[i].wait];
	free(places);
	free(now_at);
	free(m->waits.at);
	m->waits.at = sorted;
	m->waits.room = m->waits.count;
	m->waits.count = kept;
}

/* ---- threads ---- */

static void meet(struct trace_model *m, uint32_t tid, uint64_t ns)
{
	struct trace_thread *t;

	if (!tid)
		return;
	t = trace_thread(m, tid);
	if (!t->first || ns < t->first)
		t->first = ns;
	if (ns > t->last)
		t->last = ns;
}

static bool has_other(const struct trace_event *e)
{
	return e->type == TRACE_SWITCH || e->type == TRACE_WAKING || e->type == TRACE_SETPRIO ||
	       e->type == TRACE_FORK || e->type == TRACE_LOCK || e->type == TRACE_FUTEX;
}

/* Only the program's own threads are watched at their futex calls, and have the preload. */
static bool is_of_program(const struct trace_event *e)
{
	return e->type == TRACE_FUTEX || e->type == TRACE_FUTEX_DONE ||
	       (e->type >= TRACE_LOCK && e->type < TRACE_TYPES);
}

static void meet_threads(struct trace_model *m)
{
	for (uint32_t i = 0; i < m->events.count; i++) {
		const struct trace_event *e = &m->events.at[i];

		meet(m, e->tid, e->ns);
		if (has_other(e))
			meet(m, e->other, e->ns);
		if (!e->tid || !is_of_program(e))
			continue;
		if (e->pid)
			trace_thread(m, e->tid)->pid = e->pid;
		trace_thread(m, e->tid)->traced = true;
	}
	for (uint32_t i = 0; i < m->threads.count; i++)
		if (m->threads.at[i].tid == m->pid)
			m->threads.at[i].traced = true;
	/* And whom they make. */
	for (uint32_t i = 0; i < m->events.count; i++) {
		const struct trace_event *e = &m->events.at[i];

		if (e->type == TRACE_FORK && e->tid && e->other && trace_thread(m, e->tid)->traced)
			trace_thread(m, e->other)->traced = true;
	}
}

struct trace_state *trace_state(struct trace_builder *b, uint32_t tid)
{
	return &b->state[trace_find_thread(b->m, tid) - b->m->threads.at];
}

static void begin_states(struct trace_builder *b)
{
	b->state = get_memory(b->m->threads.count, sizeof(*b->state));
	for (uint32_t i = 0; i < b->m->threads.count; i++) {
		struct trace_state *s = &b->state[i];

		s->own = TRACE_URGENCY_UNKNOWN;
		s->slice = TRACE_NO_INDEX;
		for (int slot = 0; slot < TRACE_SLOTS; slot++)
			s->open[slot] = TRACE_NO_INDEX;
		for (int r = 0; r < TRACE_RECENT; r++)
			s->recent[r] = TRACE_NO_INDEX;
	}
}

/* ---- sums ---- */

static uint64_t length(const struct trace_wait *w)
{
	return w->until - w->since;
}

static void keep_longer(const struct trace_model *m, uint32_t *kept, uint32_t wait)
{
	if (*kept == TRACE_NO_INDEX || length(&m->waits.at[wait]) > length(&m->waits.at[*kept]))
		*kept = wait;
}

/* The inversion of bug 11588: no lock that the program knows of, and nothing is inherited. */
static bool is_held_up(const struct trace_wait *w)
{
	return w->asleep && w->owner && w->owner_urgency != TRACE_URGENCY_UNKNOWN &&
	       w->urgency > w->owner_urgency;
}

static void add_up(struct trace_model *m)
{
	for (uint32_t i = 0; i < m->waits.count; i++) {
		const struct trace_wait *w = &m->waits.at[i];
		struct trace_lock *lock = &m->locks.at[w->lock];

		if (w->how == TRACE_HOW_RELEASE) {
			m->held_up += is_held_up(w);
			continue;
		}
		lock->waits++;
		lock->wait_ns += length(w);
		keep_longer(m, &lock->longest, i);
		lock->boosts += w->boosted;
		if (w->inversion) {
			m->inversions++;
			lock->inversions++;
			lock->inversion_ns += length(w);
			keep_longer(m, &lock->worst, i);
		}
	}
}

/* ---- all of it ---- */

/* Idle, TID 0, stops and runs, and is interrupted by what wakes others; it does nothing else. */
static bool makes_sense(const struct trace_event *e)
{
	switch (e->type) {
	case TRACE_SWITCH:
		return true;
	case TRACE_WAKING:
		return e->other != 0;
	case TRACE_SETPRIO:
	case TRACE_FORK:
		return e->tid != 0 && e->other != 0;
	default:
		return e->tid != 0 && e->type > TRACE_NOTHING && e->type < TRACE_TYPES;
	}
}

void trace_model_build(struct trace_model *m)
{
	struct trace_builder b = {.m = m};

	sort_events(m);
	meet_threads(m);
	begin_states(&b);
	for (uint32_t i = 0; i < m->events.count; i++) {
		const struct trace_event *e = &m->events.at[i];

		if (!makes_sense(e))
			continue;
		trace_sched_step(&b, e);
		trace_waits_step(&b, e);
	}
	trace_sched_end(&b);
	trace_waits_end(&b);
	trace_futex_settle(&b);
	sort_waits(&b);
	trace_blame(m);
	add_up(m);
	free(b.state);
	free(b.facts.at);
	free(b.usage.at);
	free(b.running.at);
}
