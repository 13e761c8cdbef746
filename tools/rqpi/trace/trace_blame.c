/* SPDX-License-Identifier: MIT */
/*
 * trace_blame.c - why a wait was as long as it was: what its owner did meanwhile, and who kept it
 * from running. Called by trace_build.c when waits and slices are there.
 *
 * For each wait with an owner, each moment of it is one of these:
 *
 *	ran	the owner had a processor
 *	starved	it was runnable, and on the CPU where it was queued ran a thread that is less urgent
 *		than the waiter: a culprit
 *	slept	it was neither; if it waited for another lock itself, what *that* one's owner did
 *		counts instead, and so on along the chain
 *	-	the rest: it was runnable, and something as urgent as the waiter ran there, or
 *		nothing that is known. That would have held up the waiter as well: no inversion
 *
 * Without events of the scheduler there is only the chain.
 *
 * "On the CPU where it was queued", not "on any CPU where it might run": which CPUs a thread may
 * use, no event tells, and a thread is served by the queue it is in until it is moved. Too little
 * is counted if the owner was queued behind one more urgent than the waiter, while elsewhere a
 * less urgent one ran, to which the kernel would have moved it, had it been boosted. And the
 * owner is who had the lock when the wait began (or who gave it to the waiter, where nobody
 * said): in a long wait there may have been others.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "trace_build.h"

#define DEEPEST 16 /* chain; also ends a circle, which is a deadlock */

struct blamer {
	struct trace_model *m;
	/* Running slices by CPU, then by time. */
	const struct trace_slice **on_cpu;
	uint32_t on_cpu_count;
	/* Waits by thread, then by `since`. */
	uint32_t *of_thread;
	/* Of the wait that is looked at. */
	int urgency;
	struct trace_wait *wait;
	TRACE_ARRAY(struct trace_culprit) culprits;
};

struct span {
	uint64_t since;
	uint64_t until;
};

static struct span common(struct span a, uint64_t since, uint64_t until)
{
	return (struct span){
	    .since = since > a.since ? since : a.since,
	    .until = until < a.until ? until : a.until,
	};
}

static uint64_t span_length(struct span s)
{
	return s.until > s.since ? s.until - s.since : 0;
}

/* ---- indices ---- */

static int by_cpu_and_time(const void *a, const void *b)
{
	const struct trace_slice *x = *(const struct trace_slice *const *)a;
	const struct trace_slice *y = *(const struct trace_slice *const *)b;

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	return x->since < y->since ? -1 : x->since > y->since;
}

static void index_cpus(struct blamer *b)
{
	const struct trace_model *m = b->m;

	b->on_cpu = calloc(m->slices.count + 1u, sizeof(*b->on_cpu));
	if (!b->on_cpu)
		trace_no_memory();
	for (uint32_t i = 0; i < m->slices.count; i++)
		if (m->slices.at[i].running)
			b->on_cpu[b->on_cpu_count++] = &m->slices.at[i];
	qsort(b->on_cpu, b->on_cpu_count, sizeof(*b->on_cpu), by_cpu_and_time);
}

static int by_thread_and_index(const void *a, const void *b, void *waits)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	const struct trace_wait *w = waits;

	if (w[x].tid != w[y].tid)
		return w[x].tid < w[y].tid ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void index_waits(struct blamer *b)
{
	struct trace_model *m = b->m;

	b->of_thread = calloc(m->waits.count + 1u, sizeof(*b->of_thread));
	if (!b->of_thread)
		trace_no_memory();
	for (uint32_t i = 0; i < m->waits.count; i++)
		b->of_thread[i] = i;
	qsort_r(b->of_thread, m->waits.count, sizeof(*b->of_thread), by_thread_and_index,
		m->waits.at);
}

/* The first slice of @tid that ends after @ns. Those of one thread do not overlap. */
static uint32_t first_slice(const struct trace_model *m, uint32_t tid, uint64_t ns)
{
	uint32_t low = 0;
	uint32_t high = m->slices.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct trace_slice *s = &m->slices.at[middle];

		if (s->tid < tid || (s->tid == tid && s->until <= ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t first_on_cpu(const struct blamer *b, uint16_t cpu, uint64_t ns)
{
	uint32_t low = 0;
	uint32_t high = b->on_cpu_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct trace_slice *s = b->on_cpu[middle];

		if (s->cpu < cpu || (s->cpu == cpu && s->until <= ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Where in `of_thread` to begin looking for waits of @tid that reach beyond @ns. At one time a
 * thread is in as many waits as there are slots (trace_build.h), so those that began before @ns
 * and have not ended are among the last ones.
 */
static uint32_t first_wait(const struct blamer *b, uint32_t tid, uint64_t ns)
{
	uint32_t low = 0;
	uint32_t high = b->m->waits.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct trace_wait *w = &b->m->waits.at[b->of_thread[middle]];

		if (w->tid < tid || (w->tid == tid && w->since < ns))
			low = middle + 1;
		else
			high = middle;
	}
	for (int i = 0; i < TRACE_SLOTS && low > 0; i++, low--)
		if (b->m->waits.at[b->of_thread[low - 1]].tid != tid)
			break;
	return low;
}

/* ---- one wait ---- */

static void accuse(struct blamer *b, const struct trace_slice *s, uint64_t ns)
{
	struct trace_culprit *c;

	b->wait->starved += ns;
	for (uint32_t i = 0; i < b->culprits.count; i++) {
		c = &b->culprits.at[i];
		if (c->tid == s->tid && c->cpu == s->cpu && c->urgency == s->urgency) {
			c->ns += ns;
			return;
		}
	}
	*trace_append(&b->culprits) =
	    (struct trace_culprit){.tid = s->tid, .cpu = s->cpu, .urgency = s->urgency, .ns = ns};
}

/* A holder could have run in @span, on @cpu. */
static void look_at_cpu(struct blamer *b, uint16_t cpu, struct span span)
{
	for (uint32_t i = first_on_cpu(b, cpu, span.since); i < b->on_cpu_count; i++) {
		const struct trace_slice *s = b->on_cpu[i];

		if (s->cpu != cpu || s->since >= span.until)
			return;
		if (s->urgency < b->urgency)
			accuse(b, s, span_length(common(span, s->since, s->until)));
	}
}

/* Who woke another by a word of which no more is known had nothing that the other waited for. */
static bool has_holder(const struct trace_model *m, const struct trace_wait *w)
{
	return w->owner &&
	       (w->how == TRACE_HOW_RELEASE || m->locks.at[w->lock].type == TRACE_MUTEX);
}

static uint32_t look_at_owner(struct blamer *b, uint32_t owner, struct span span, int depth);

/*
 * @owner sleeps in @span. It may do so in waits of its own, for others to whom the same happens.
 * Returns the longest of these, and sets @left to the time that it slept otherwise.
 */
static uint32_t look_at_sleep(struct blamer *b, uint32_t owner, struct span span, int depth,
			      uint64_t *left, uint64_t *longest_ns)
{
	const struct trace_model *m = b->m;
	uint32_t longest = TRACE_NO_INDEX;

	*left = span_length(span);
	for (uint32_t i = first_wait(b, owner, span.since); i < m->waits.count && depth < DEEPEST;
	     i++) {
		uint32_t index = b->of_thread[i];
		const struct trace_wait *w = &m->waits.at[index];
		struct span both;

		if (w->tid != owner || w->since >= span.until)
			break;
		both = common(span, w->since, w->until);
		if (!has_holder(m, w) || w->owner == owner || w->owner == b->wait->tid ||
		    !span_length(both))
			continue;
		look_at_owner(b, w->owner, both, depth + 1);
		*left -= span_length(both) < *left ? span_length(both) : *left;
		if (span_length(both) > *longest_ns) {
			*longest_ns = span_length(both);
			longest = index;
		}
	}
	return longest;
}

/* What @owner did in @span. Returns the longest wait of its own in it, or TRACE_NO_INDEX. */
static uint32_t look_at_owner(struct blamer *b, uint32_t owner, struct span span, int depth)
{
	const struct trace_model *m = b->m;
	uint64_t at = span.since; /* told up to here */
	uint32_t chain = TRACE_NO_INDEX;
	uint64_t longest = 0;

	for (uint32_t i = first_slice(m, owner, span.since); at < span.until; i++) {
		const struct trace_slice *s = i < m->slices.count ? &m->slices.at[i] : NULL;
		uint64_t next = span.until;
		uint64_t left;
		uint32_t own;
		struct span both;

		if (s && s->tid == owner && s->since < span.until)
			next = s->since > at ? s->since : at;
		else
			s = NULL;
		own = look_at_sleep(b, owner, (struct span){at, next}, depth, &left, &longest);
		chain = own != TRACE_NO_INDEX ? own : chain;
		b->wait->slept += left;
		if (!s)
			break;
		both = common(span, s->since, s->until);
		if (s->running)
			b->wait->ran += span_length(both);
		else
			look_at_cpu(b, s->cpu, both);
		at = s->until;
	}
	return chain;
}

static int by_length(const void *a, const void *b)
{
	const struct trace_culprit *x = a;
	const struct trace_culprit *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void blame_wait(struct blamer *b, struct trace_wait *w)
{
	b->wait = w;
	b->urgency = w->urgency;
	b->culprits.count = 0;
	w->blamed = b->m->slices.count > 0;
	w->chain = look_at_owner(b, w->owner, (struct span){w->since, w->until}, 0);
	if (!w->blamed)
		w->slept = 0; /* nobody was seen to run */
	if (b->culprits.count)
		qsort(b->culprits.at, b->culprits.count, sizeof(*b->culprits.at), by_length);
	while (w->culprits < b->culprits.count && w->culprits < TRACE_CULPRITS) {
		w->culprit[w->culprits] = b->culprits.at[w->culprits];
		w->culprits++;
	}
}

void trace_blame(struct trace_model *m)
{
	struct blamer b = {.m = m};

	index_cpus(&b);
	index_waits(&b);
	for (uint32_t i = 0; i < m->waits.count; i++) {
		struct trace_wait *w = &m->waits.at[i];

		if (has_holder(m, w) && w->owner != w->tid && w->urgency != TRACE_URGENCY_UNKNOWN)
			blame_wait(&b, w);
	}
	free((void *)b.on_cpu);
	free(b.of_thread);
	free(b.culprits.at);
}
