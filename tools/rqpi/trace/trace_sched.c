/* SPDX-License-Identifier: MIT */
/*
 * trace_sched.c - who ran when, who could have, and who was boosted: from the kernel's SWITCH,
 * WAKING and SETPRIO. Called by trace_build.c with each event in order.
 *
 * What is not told is concluded so:
 *
 * - The first switch on a CPU ends a slice that began before the trace: that thread has run there
 *   from the beginning, since the scheduler is traced on all CPUs from then on.
 * - A thread of the program that runs without having been woken or made was runnable from the
 *   beginning, for the same reason.
 * - Where a thread is queued: if it was preempted, on the CPU where it ran, and it goes elsewhere
 *   only to run there at once. If it was woken, on the one where it runs next, as WAKING tells
 *   where it slept and the kernel chooses its CPU after that. Wrong if it is moved between two
 *   queues that both do not serve it; no event of ours tells that.
 * - Its own urgency is what it runs with unless SETPRIO has raised it. Wrong for a thread that was
 *   boosted already when the trace began, until it is lowered.
 * - An event that contradicts what came before means that some got lost: such a slice is given up,
 *   rather than made longer than is known.
 */
#include "trace_build.h"

#include <stdlib.h>

/* A thread can be woken before it has left its CPU; its switch follows at once. */
#define AT_ONCE_NS 50000

static struct trace_slice *open_slice(struct trace_builder *b, const struct trace_state *s)
{
	return s->slice == TRACE_NO_INDEX ? NULL : &b->m->slices.at[s->slice];
}

bool trace_sched_runs(const struct trace_builder *b, const struct trace_state *s)
{
	return s->slice != TRACE_NO_INDEX && b->m->slices.at[s->slice].running;
}

static void begin_slice(struct trace_builder *b, uint32_t tid, const struct trace_slice *slice)
{
	struct trace_state *s = trace_state(b, tid);

	s->slice = b->m->slices.count;
	*trace_append(&b->m->slices) = *slice;
	s->by_waking = false;
}

static void end_slice(struct trace_builder *b, struct trace_state *s, uint64_t ns)
{
	struct trace_slice *slice = open_slice(b, s);

	if (slice)
		slice->until = ns;
	s->slice = TRACE_NO_INDEX;
}

/* When it ended is not known. A slice of no length is taken out at the end. */
static void give_up_slice(struct trace_builder *b, struct trace_state *s)
{
	struct trace_slice *slice = open_slice(b, s);

	if (slice)
		end_slice(b, s, slice->since);
}

static void observe(struct trace_state *s, int urgency)
{
	s->seen = true;
	if (!s->boosted)
		s->own = urgency;
}

/* @e's CPU, and whether this is the first that is heard of it. */
static uint32_t *runner(struct trace_builder *b, uint16_t cpu, bool *first)
{
	while (b->running.count <= cpu)
		*trace_append(&b->running) = TRACE_NO_INDEX;
	*first = b->running.at[cpu] == TRACE_NO_INDEX;
	return &b->running.at[cpu];
}

static void stop(struct trace_builder *b, const struct trace_event *e, bool first)
{
	struct trace_state *s = trace_state(b, e->tid);
	struct trace_slice *was = open_slice(b, s);
	bool woken = s->woken && e->ns - s->woken <= AT_ONCE_NS;

	if (was && was->running && was->cpu == e->cpu) {
		end_slice(b, s, e->ns);
	} else {
		give_up_slice(b, s);
		if (first && b->m->begin < e->ns)
			*trace_append(&b->m->slices) = (struct trace_slice){
			    .tid = e->tid,
			    .cpu = e->cpu,
			    .running = true,
			    .urgency = e->mine,
			    .since = b->m->begin,
			    .until = e->ns,
			};
	}
	observe(s, e->mine);
	s->woken = 0;
	if (!e->value && !woken)
		return;
	begin_slice(b, e->tid,
		    &(struct trace_slice){
			.tid = e->tid, .cpu = e->cpu, .urgency = e->mine, .since = e->ns});
	s->by_waking = !e->value;
}

static void start(struct trace_builder *b, const struct trace_event *e)
{
	struct trace_state *s = trace_state(b, e->other);
	struct trace_slice *was = open_slice(b, s);

	if (was && !was->running) {
		if (s->by_waking)
			was->cpu = e->cpu;
		end_slice(b, s, e->ns);
	} else {
		give_up_slice(b, s);
		if (!s->seen && b->m->begin < e->ns && trace_thread(b->m, e->other)->traced)
			*trace_append(&b->m->slices) = (struct trace_slice){
			    .tid = e->other,
			    .cpu = e->cpu,
			    .urgency = e->its,
			    .since = b->m->begin,
			    .until = e->ns,
			};
	}
	observe(s, e->its);
	s->woken = 0;
	begin_slice(b, e->other,
		    &(struct trace_slice){.tid = e->other,
					  .cpu = e->cpu,
					  .running = true,
					  .urgency = e->its,
					  .since = e->ns});
}

static void switch_threads(struct trace_builder *b, const struct trace_event *e)
{
	bool first;
	uint32_t *now;

	if (e->cpu == TRACE_NO_CPU)
		return;
	now = runner(b, e->cpu, &first);
	if (!first && *now && *now != e->tid) {
		struct trace_state *s = trace_state(b, *now);
		struct trace_slice *was = open_slice(b, s);

		if (was && was->running && was->cpu == e->cpu)
			give_up_slice(b, s);
	}
	*now = e->other;
	/* 0 is idle, on every CPU at once: no thread. */
	if (e->tid)
		stop(b, e, first);
	if (e->other)
		start(b, e);
}

static void wake(struct trace_builder *b, const struct trace_event *e)
{
	struct trace_state *s = trace_state(b, e->other);
	struct trace_slice *was = open_slice(b, s);

	observe(s, e->its);
	if (was && was->running) {
		s->woken = e->ns;
		return;
	}
	if (was)
		return; /* it is runnable already */
	begin_slice(b, e->other,
		    &(struct trace_slice){
			.tid = e->other, .cpu = e->cpu, .urgency = e->its, .since = e->ns});
	s->by_waking = true;
}

/* Who waits lends its urgency, and on release it is taken back. */
static void change_urgency(struct trace_builder *b, const struct trace_event *e)
{
	struct trace_state *s = trace_state(b, e->other);
	struct trace_slice *was = open_slice(b, s);
	bool by_waking = s->by_waking;

	if (e->mine == e->its)
		return;
	s->seen = true;
	if (e->its > e->mine && !s->boosted) {
		s->own = e->mine;
		s->boosted = true;
	} else if (e->its < e->mine && (!s->boosted || e->its <= s->own)) {
		s->own = e->its;
		s->boosted = false;
	}
	*trace_append(&b->m->boosts) = (struct trace_boost){
	    .ns = e->ns,
	    .by = e->tid,
	    .whom = e->other,
	    .from = e->mine,
	    .to = e->its,
	    .wait = TRACE_NO_INDEX,
	};
	if (was) {
		struct trace_slice next = *was;

		end_slice(b, s, e->ns);
		next.since = e->ns;
		next.urgency = e->its;
		begin_slice(b, e->other, &next);
		s->by_waking = by_waking;
	}
}

/* A new thread is woken by sched_wakeup_new, which is not traced: this has to do for it. */
static void make(struct trace_builder *b, const struct trace_event *e)
{
	struct trace_state *s = trace_state(b, e->other);
	int parents = e->tid ? trace_state(b, e->tid)->own : TRACE_URGENCY_UNKNOWN;

	give_up_slice(b, s);
	s->seen = true;
	s->boosted = false;
	s->woken = 0;
	s->own = TRACE_URGENCY_UNKNOWN;
	if (!b->m->from_kernel)
		return;
	begin_slice(b, e->other,
		    &(struct trace_slice){.tid = e->other,
					  .cpu = e->cpu,
					  .urgency = parents == TRACE_URGENCY_UNKNOWN ? 0 : parents,
					  .since = e->ns});
	s->by_waking = true;
}

void trace_sched_step(struct trace_builder *b, const struct trace_event *e)
{
	switch (e->type) {
	case TRACE_SWITCH:
		b->switches = true;
		switch_threads(b, e);
		break;
	case TRACE_WAKING:
		b->switches = true;
		wake(b, e);
		break;
	case TRACE_SETPRIO:
		change_urgency(b, e);
		break;
	case TRACE_FORK:
		if (e->other)
			make(b, e);
		break;
	default:
		break;
	}
}

static int by_thread_and_time(const void *a, const void *b)
{
	const struct trace_slice *x = a;
	const struct trace_slice *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->since < y->since ? -1 : x->since > y->since;
}

static bool is_of_program(const struct trace_model *m, const struct trace_boost *boost)
{
	const struct trace_thread *by = trace_find_thread(m, boost->by);
	const struct trace_thread *whom = trace_find_thread(m, boost->whom);

	return (by && by->traced) || (whom && whom->traced);
}

/* The kernel tells of all programs. */
static void drop_others_boosts(struct trace_model *m)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->boosts.count; i++)
		if (is_of_program(m, &m->boosts.at[i]))
			m->boosts.at[kept++] = m->boosts.at[i];
	m->boosts.count = kept;
}

void trace_sched_end(struct trace_builder *b)
{
	struct trace_model *m = b->m;
	uint32_t kept = 0;

	drop_others_boosts(m);

	for (uint32_t i = 0; i < m->threads.count; i++)
		end_slice(b, &b->state[i], m->end);
	for (uint32_t i = 0; i < m->slices.count; i++)
		if (m->slices.at[i].since < m->slices.at[i].until)
			m->slices.at[kept++] = m->slices.at[i];
	m->slices.count = kept;
	if (kept)
		qsort(m->slices.at, kept, sizeof(*m->slices.at), by_thread_and_time);
	for (uint32_t i = 0; i < m->threads.count; i++)
		if (m->threads.at[i].urgency == TRACE_URGENCY_UNKNOWN)
			m->threads.at[i].urgency = b->state[i].own;
}
