/* SPDX-License-Identifier: MIT */
/*
 * trace_futex.c - what a futex was used for, and who had the lock, concluded from system calls
 * alone.
 *
 * Called by trace_waits.c for each call, and by trace_build.c when all events are read. The rules,
 * why they hold, and when they do not:
 *
 * PI mutex: LOCK_PI or LOCK_PI2 on it. The kernel gives these operations no other meaning.
 *	Owner: whom the waiter's boost raised first, as the kernel raises the owner before those
 *	whom the owner waits for. Else who woke the waiter by UNLOCK_PI of that word: the last
 *	owner, which is not the first one if the lock went through several hands meanwhile.
 *
 * Condvar: WAIT_REQUEUE_PI on it; its mutex is the second word, and a PI mutex. Nobody owns it.
 *
 * Mutex that does not inherit, by its owner: all waits for it find the ID of another thread of the
 *	program in the word, with FUTEX_WAITERS set. So the kernel's robust futexes are laid out:
 *	glibc's robust mutexes, and all of musl's but the normal ones. The word says who the owner
 *	is. Wrong in a PID namespace where such a number is by chance another thread's ID outside
 *	of it.
 *
 * Mutex that does not inherit, by its use: all waits for it find 2 (glibc: "locked, and waited
 *	for"), all wakes are of one thread, and somebody who had waited for it woke another one
 *	later. The last makes it a lock, since who gets glibc's mutex after a wait leaves 2 in it,
 *	and must wake at its unlock; those who wait for an event (semaphore, pthread_join in musl,
 *	where 2 means "joinable", a flag of std::atomic::wait) do not wake at the same word in
 *	turn. Wrong for a counter that was 2 at all the waits that we saw, in a program whose
 *	threads wait and signal at the same one. Not recognised if the trace ends before that
 *	second wake.
 *	musl's normal mutex: all waits find 0x80000010, which is nothing else's.
 *	Owner: who woke the waiter by WAKE of that word; the last one, as above. A mutex that was
 *	taken in passing, between the wake and the waiter's turn, has had an owner that nobody saw.
 *
 * A signal or broadcast that the preload told of, and that slept: for who woke it by a WAKE of the
 *	word that it slept on.
 *
 * glibc's condvar, and signals that slept in it: trace_condvar.c.
 *
 * Any other word: nothing is said but who woke whom; never an inversion.
 */
#include <limits.h>
#include <linux/futex.h>

#include "trace_build.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define GLIBC_WAITED_FOR 2u
#define MUSL_WAITED_FOR	 0x80000010u

static struct trace_usage *usage_of(struct trace_builder *b, uint32_t lock)
{
	while (b->usage.count <= lock)
		(void)trace_append(&b->usage);
	return &b->usage.at[lock];
}

bool trace_futex_waits(uint32_t op)
{
	return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_WAIT_REQUEUE_PI ||
	       trace_futex_is_pi(op);
}

bool trace_futex_is_pi(uint32_t op)
{
	return op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2;
}

static bool releases(uint32_t op)
{
	return op == FUTEX_WAKE || op == FUTEX_WAKE_BITSET || op == FUTEX_WAKE_OP ||
	       op == FUTEX_UNLOCK_PI;
}

/* ---- one call ---- */

/* Is @value what a word has whose owner is another thread of the program, and is waited for? */
static uint32_t owner_in(struct trace_builder *b, uint32_t pid, uint32_t me, uint32_t value)
{
	uint32_t tid = value & FUTEX_TID_MASK;
	const struct trace_thread *t;

	if (!(value & FUTEX_WAITERS) || !tid || tid == me)
		return 0;
	t = trace_find_thread(b->m, tid);
	return t && t->traced && (!t->pid || t->pid == pid) ? tid : 0;
}

static bool has_waited(const struct trace_state *s, uint32_t lock, int *at)
{
	for (*at = 0; *at < TRACE_RECENT; ++*at)
		if (s->recent[*at] == lock)
			return true;
	return false;
}

static void wait_seen(struct trace_builder *b, struct trace_state *s, uint32_t pid,
		      const struct trace_event *e)
{
	struct trace_wait *w = &b->m->waits.at[s->open[TRACE_SLOT_FUTEX]];
	struct trace_usage *u = usage_of(b, w->lock);
	uint32_t value = (uint32_t)e->value;
	uint32_t owner = owner_in(b, pid, e->tid, value);
	int at;

	u->waits++;
	u->waits_at_0 += value == 0;
	u->waits_at_odd += value % 2 == 1 && value >= 3;
	u->waits_at_2 += value == GLIBC_WAITED_FOR;
	u->waits_at_musl += value == MUSL_WAITED_FOR;
	u->waits_at_tid += owner != 0;
	if (e->other)
		owner = e->other;
	if (owner) {
		w->owner = owner;
		w->owner_urgency = trace_state(b, owner)->own;
	}
	if (!has_waited(s, w->lock, &at)) {
		s->recent[s->recent_next] = w->lock;
		s->recent_next = (s->recent_next + 1) % TRACE_RECENT;
	}
}

static void wake_seen(struct trace_builder *b, struct trace_state *s, uint32_t pid,
		      const struct trace_event *e)
{
	uint32_t lock = trace_find_lock(b->m, pid, e->address);
	bool plain = s->call.op == FUTEX_WAKE || s->call.op == FUTEX_WAKE_BITSET;
	struct trace_usage *u;
	int at;

	if (lock == TRACE_NO_INDEX)
		return;
	u = usage_of(b, lock);
	u->wakes++;
	u->wakes_of_one += plain && e->value == 1;
	u->wakes_of_all += plain && e->value == INT_MAX;
	if (has_waited(s, lock, &at)) {
		u->came_back++;
		s->recent[at] = TRACE_NO_INDEX;
	}
}

/* The word at @address, as a PI mutex. */
static uint32_t pi_mutex(struct trace_builder *b, uint32_t pid, uint64_t address)
{
	uint32_t i = trace_lock_index(b->m, pid, address);

	b->m->locks.at[i].type = TRACE_MUTEX;
	b->m->locks.at[i].inherits = TRACE_INHERITS_YES;
	return i;
}

void trace_futex_seen(struct trace_builder *b, struct trace_state *s, uint32_t pid,
		      const struct trace_event *e)
{
	bool own = s->open[TRACE_SLOT_FUTEX] != TRACE_NO_INDEX; /* no part of another wait */
	uint32_t partner;

	switch (s->call.op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (own)
			wait_seen(b, s, pid, e);
		break;
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		pi_mutex(b, pid, e->address);
		if (own && e->other) {
			struct trace_wait *w = &b->m->waits.at[s->open[TRACE_SLOT_FUTEX]];

			w->owner = e->other;
			w->owner_urgency = trace_state(b, e->other)->own;
		}
		break;
	case FUTEX_WAIT_REQUEUE_PI:
		partner = pi_mutex(b, pid, e->address2);
		if (own) {
			struct trace_lock *cond =
			    &b->m->locks.at[b->m->waits.at[s->open[TRACE_SLOT_FUTEX]].lock];

			cond->type = TRACE_CONDVAR;
			cond->partner = partner;
		}
		break;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_WAKE_OP:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		wake_seen(b, s, pid, e);
		break;
	default:
		break;
	}
}

void trace_futex_woken(struct trace_builder *b, uint32_t wait, const struct trace_event *e)
{
	const struct trace_state *waker = trace_state(b, e->tid);
	const struct trace_state *sleeper = trace_state(b, e->other);
	uint64_t word = sleeper->call.now ? sleeper->call.address
					  : b->m->locks.at[b->m->waits.at[wait].lock].address;

	/* Else it is an interrupt that came to this thread by chance: a time that ran out. */
	if (!waker->call.now || !releases(waker->call.op) ||
	    (waker->call.address != word &&
	     !(waker->call.op == FUTEX_WAKE_OP && waker->call.address2 == word)))
		return;
	b->facts.at[wait].waker = e->tid;
	b->facts.at[wait].waker_urgency = waker->own;
}

/* ---- the whole trace ---- */

static void classify(struct trace_lock *lock, const struct trace_usage *u)
{
	bool by_use = u->wakes > 0 && u->wakes == u->wakes_of_one;

	if (lock->type != TRACE_WORD || !u->waits)
		return;
	if (u->waits_at_tid == u->waits || (by_use && u->waits_at_musl == u->waits) ||
	    (by_use && u->waits_at_2 == u->waits && u->came_back > 0)) {
		lock->type = TRACE_MUTEX;
		lock->inherits = TRACE_INHERITS_NO;
		lock->inferred = true;
	}
}

static int urgency_or(const struct trace_builder *b, int urgency, uint32_t tid)
{
	const struct trace_thread *t = trace_find_thread(b->m, tid);

	return urgency == TRACE_URGENCY_UNKNOWN && t ? t->urgency : urgency;
}

static void find_owner(struct trace_builder *b, struct trace_wait *w, const struct trace_facts *f)
{
	if (b->m->locks.at[w->lock].type == TRACE_CONDVAR && w->how != TRACE_HOW_RELEASE) {
		w->owner = 0;
		return;
	}
	if (!w->owner && f->lent) {
		w->owner = f->lent;
		w->owner_urgency = f->lent_urgency;
		w->owner_inferred = true;
	} else if (!w->owner && f->waker) {
		w->owner = f->waker;
		w->owner_urgency = f->waker_urgency;
		w->owner_inferred = true;
	}
	if (w->owner)
		w->owner_urgency = urgency_or(b, w->owner_urgency, w->owner);
}

static void judge(struct trace_builder *b, struct trace_wait *w, const struct trace_facts *f)
{
	const struct trace_lock *lock = &b->m->locks.at[w->lock];
	bool above;

	w->urgency = urgency_or(b, w->urgency, w->tid);
	find_owner(b, w, f);
	if (lock->type != TRACE_MUTEX || (w->how != TRACE_HOW_LOCK && w->how != TRACE_HOW_FUTEX))
		return;
	above = w->owner && w->owner != w->tid && w->owner_urgency != TRACE_URGENCY_UNKNOWN &&
		w->urgency > w->owner_urgency;
	if (f->pi) {
		w->boosted = above || f->raised;
		return;
	}
	/* The owner of one with a ceiling runs at that, which is above all who may lock it. */
	w->inversion = above && !f->ceiling;
}

void trace_futex_settle(struct trace_builder *b)
{
	trace_condvar_find(b);
	for (uint32_t i = 0; i < b->usage.count; i++)
		classify(&b->m->locks.at[i], &b->usage.at[i]);
	for (uint32_t i = 0; i < b->m->waits.count; i++) {
		struct trace_wait *w = &b->m->waits.at[i];
		struct trace_facts *f = &b->facts.at[i];

		/* A call that was served at once, or a PI mutex that was free again. */
		if (w->how == TRACE_HOW_FUTEX && b->switches && !b->m->lost && !f->slept)
			f->drop = true;
		trace_condvar_claim(b, w);
		judge(b, w, f);
	}
}
