/* SPDX-License-Identifier: MIT */
/*
 * trace_condvar.c - glibc's condition variable, recognised by its futex calls: of a program without
 * the preload, that signals slept inside of it. Called by trace_futex.c when all events are read.
 *
 * From 2.25 to 2.40 a condvar has two groups of waiters, and for each group a word that they sleep
 * on, __g_signals, and one that counts them, __g_refs, 0x18 bytes before it. A signal that has to
 * change the groups sleeps on the latter until all released threads of the old one have left, at
 * whatever priority these are: a part of its bug 11588. What that looks like:
 *
 *	__g_signals	all waits find 0
 *	__g_refs	all waits find an odd number of at least 3 (twice the threads, and 1
 *			for "wake me"), all wakes are of everybody
 *
 * Two words at that distance which are used so, are taken for a condvar. Wrong for a semaphore (it
 * is waited for at 0, too) that lies behind a counter with just these habits. Not recognised as
 * long as no signal has slept, nor the lock inside of the condvar, which moved in 2.41.
 */
#include <limits.h>

#include "trace_build.h"

enum {
	REFS = 0x10,
	REFS_TO_SIGNALS = 0x18,
	GROUP = 4 /* bytes */,
	SIGNALS = REFS + REFS_TO_SIGNALS
};

static const struct trace_usage *usage_of(const struct trace_builder *b, uint32_t lock)
{
	return lock < b->usage.count ? &b->usage.at[lock] : NULL;
}

static bool is_signals(const struct trace_builder *b, uint32_t lock)
{
	const struct trace_usage *u = usage_of(b, lock);

	return u && b->m->locks.at[lock].type == TRACE_WORD && u->waits > 0 &&
	       u->waits == u->waits_at_0;
}

static bool is_refs(const struct trace_builder *b, uint32_t lock)
{
	const struct trace_usage *u = usage_of(b, lock);

	return u && b->m->locks.at[lock].type == TRACE_WORD && u->waits > 0 &&
	       u->waits == u->waits_at_odd && u->wakes > 0 && u->wakes == u->wakes_of_all;
}

static void name_it(struct trace_model *m, uint32_t cond)
{
	struct trace_lock *lock = &m->locks.at[cond];

	if (!lock->place[0] && m->symbols && m->name_site &&
	    !m->name_site(m->symbols, lock->pid, lock->address, false, lock->place))
		lock->place[0] = '\0';
}

/* The row of the condvar whose __g_refs is @lock; waits for @lock are signals that slept in it. */
static void found(struct trace_builder *b, uint32_t lock)
{
	uint32_t pid = b->m->locks.at[lock].pid;
	uint64_t refs = b->m->locks.at[lock].address;
	uint64_t base = refs - REFS - refs % 8; /* of the second group: it is aligned to 8 */
	uint32_t cond = trace_lock_index(b->m, pid, base);

	b->m->locks.at[cond].type = TRACE_CONDVAR;
	b->m->locks.at[cond].inferred = true;
	name_it(b->m, cond);
	b->usage.at[lock].part_of = cond + 1;
	b->usage.at[lock].is_release = true;
	for (uint64_t group = 0; group < 2; group++) {
		uint32_t signals = trace_find_lock(b->m, pid, base + SIGNALS + group * GROUP);

		if (signals != TRACE_NO_INDEX && is_signals(b, signals))
			b->usage.at[signals].part_of = cond + 1;
	}
}

void trace_condvar_find(struct trace_builder *b)
{
	uint32_t count = b->usage.count;

	for (uint32_t i = 0; i < count; i++) {
		const struct trace_lock *lock = &b->m->locks.at[i];
		uint32_t signals;

		if (!is_refs(b, i))
			continue;
		signals = trace_find_lock(b->m, lock->pid, lock->address + REFS_TO_SIGNALS);
		if (signals != TRACE_NO_INDEX && is_signals(b, signals))
			found(b, i);
	}
}

void trace_condvar_claim(const struct trace_builder *b, struct trace_wait *w)
{
	const struct trace_usage *u = usage_of(b, w->lock);

	if (!u || !u->part_of || w->how != TRACE_HOW_FUTEX)
		return;
	w->lock = u->part_of - 1;
	if (u->is_release) {
		w->how = TRACE_HOW_RELEASE;
		w->asleep = w->until - w->since;
	}
}
