/* SPDX-License-Identifier: MIT */
/*
 * thread.c - the records of threads: made at a thread's first call, found by TID, given back.
 *
 * Called by call.c for the caller's own record and by the engine for the owner that a futex word
 * names. The table is in the arena, under table_lock, which comes after all locks of the engine.
 *
 * A record is LIVE from its thread's first call (or from when the engine first met its TID) until
 * the thread ends; then GONE, so that nobody takes the ending thread for a live one; RETIRED out of
 * the table, while the engine still has a reference; and FREE.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "src/base/cancel.h"
#include "src/host/rawcall.h"

/* How many others a new record looks at: what died without telling is found as fast as it grows. */
#define DYING_NSEC	200000000u /* time enough for a thread that has left the engine to end */
#define REAP_PER_RECORD 2u

static pthread_key_t ending;
static uint32_t ending_state; /* 1: the key is there */

/* ---------------------------------------------------------------- the table */

static uint32_t *slot_of(struct rqh_host *h, uint32_t tid)
{
	return &h->table[(tid * 0x9e3779b1u >> 7) & (h->slots - 1)];
}

/* table_lock. The record of @tid, LIVE or GONE. */
static struct rqh_thread *find(struct rqh_host *h, uint32_t tid)
{
	uint32_t i = *slot_of(h, tid);

	while (i && h->threads[i - 1].tid != tid)
		i = h->threads[i - 1].next;
	return i ? &h->threads[i - 1] : NULL;
}

static void insert(struct rqh_host *h, struct rqh_thread *t)
{
	uint32_t *slot = slot_of(h, t->tid);

	t->next = *slot;
	*slot = rqh_index(h, t) + 1;
}

static void take_out(struct rqh_host *h, struct rqh_thread *t)
{
	uint32_t *at = slot_of(h, t->tid);

	while (*at != rqh_index(h, t) + 1)
		at = &h->threads[*at - 1].next;
	*at = t->next;
}

/* ---------------------------------------------------------------- memory */

static uint32_t *state_link(struct rqh_host *h, uint32_t index)
{
	return (uint32_t *)(void *)(h->states + (size_t)index * RQPI_PI_STATE_BYTES);
}

static struct rqh_thread *take_record(struct rqh_host *h)
{
	struct rqh_thread *t;

	if (h->free_thread) {
		t = &h->threads[h->free_thread - 1];
		h->free_thread = t->next;
		return t;
	}
	if (h->threads_used == h->max_threads)
		return NULL;
	t = &h->threads[h->threads_used];
	rqb_store_rel(&h->threads_used, h->threads_used + 1);
	return t;
}

/* There is one for each record, so this does not fail where take_record() did not. */
static void *take_state(struct rqh_host *h)
{
	uint32_t index;

	if (h->free_state) {
		index = h->free_state - 1;
		h->free_state = *state_link(h, index);
	} else {
		index = h->states_used++;
	}
	return state_link(h, index);
}

static void give_state(struct rqh_host *h, void *state)
{
	uint32_t index =
	    (uint32_t)((size_t)((unsigned char *)state - h->states) / RQPI_PI_STATE_BYTES);

	*state_link(h, index) = h->free_state;
	h->free_state = index + 1;
}

void rqh_add_counts(struct rqh_counts *sum, const struct rqh_counts *c)
{
	sum->calls += rqb_load64(&c->calls);
	sum->sleeps += rqb_load64(&c->sleeps);
	sum->wakes += rqb_load64(&c->wakes);
	sum->prio_changes += rqb_load64(&c->prio_changes);
	sum->prio_refused += rqb_load64(&c->prio_refused);
	sum->deadline_as_fifo += rqb_load64(&c->deadline_as_fifo);
}

static void give_record(struct rqh_host *h, struct rqh_thread *t)
{
	rqh_add_counts(&h->past, &t->counts);
	t->counts = (struct rqh_counts){.calls = 0};
	t->status = RQH_FREE;
	t->next = h->free_thread;
	h->free_thread = rqh_index(h, t) + 1;
}

void rqh_retire(struct rqh_host *h, struct rqh_thread *t)
{
	take_out(h, t);
	if (t->foreign) {
		t->foreign = 0;
		(void)rqb_sub(&h->foreign_live, 1);
	}
	if (t->released)
		give_record(h, t);
	else
		t->status = RQH_RETIRED;
}

void rqh_release(void *ctx, struct rqpi_task *task, struct rqpi_pi_state *state)
{
	struct rqh_thread *t = rqpi_task_cookie(task);
	struct rqh_host *h = ctx;

	/* Only now is nobody about to ring it. */
	if (!rqh_has(h, RQPI_HOST_ACROSS_FORK))
		rqh_bell_close(h, t);
	rqh_lock(h, &h->table_lock);
	give_state(h, state);
	t->released = 1;
	if (t->status == RQH_RETIRED)
		give_record(h, t);
	rqh_unlock(h, &h->table_lock);
}

/* ---------------------------------------------------------------- making records */

/* table_lock. A LIVE record for @tid, which has none. NULL: the table is full. */
static struct rqh_thread *make_record(struct rqh_host *h, uint32_t tid, uint64_t space,
				      const struct rqh_identity *who)
{
	struct rqh_thread *t = take_record(h);
	struct rqpi_task_attr attr = {.tid = tid, .kernel = who->kernel, .space = space};

	if (!t) {
		rqh_say_once(h, RQH_SAID_FULL, "rqpi: no room for another thread in the engine\n");
		return NULL;
	}
	*t = (struct rqh_thread){.status = RQH_LIVE, .tid = tid, .space = space, .who = *who};
	if (rqh_sched_read(tid, &t->own) != 0)
		t->own = (struct rqh_sched){.size = sizeof(t->own)};
	t->applied = t->own;
	rqb_store(&t->own_deadline, t->own.policy == SCHED_DEADLINE);
	attr.prio = rqh_prio_of(&t->own);
	attr.cookie = t;
	rqpi_task_init(h->engine, t->task, take_state(h), &attr);
	insert(h, t);
	return t;
}

/* Another process's thread that never called: does a thread of its process have a record? */
static uint64_t space_of_group(struct rqh_host *h, uint32_t pid)
{
	if (pid == rqh_local->pid)
		return rqh_local->space;
	for (uint32_t i = 0; i < h->threads_used; i++)
		if (h->threads[i].status == RQH_LIVE && h->threads[i].who.pid == pid)
			return h->threads[i].space;
	return rqb_add64(&h->last_space, 1) + 1;
}

/* table_lock. The owner that a word names has never called the engine. */
static struct rqh_thread *make_foreign(struct rqh_host *h, uint32_t tid)
{
	struct rqh_identity who;
	struct rqh_thread *t;

	if (!rqh_identify(tid, &who))
		return NULL;
	t = make_record(h, tid, space_of_group(h, who.pid), &who);
	if (t) {
		t->foreign = 1;
		(void)rqb_add(&h->foreign_live, 1);
		rqb_count(&h->foreign_owners);
	}
	return t;
}

/*
 * The number of a GONE record is that of another thread by now. Just after it has left, the
 * thread is most likely still on its way out, and must not be looked up: a real-time thread that
 * opens a file of a dying thread in /proc can spin in the kernel until that thread is dead, which
 * it cannot become where the spinning keeps it from its CPU.
 */
static bool is_reused(const struct rqh_thread *t)
{
	struct rqh_identity who;

	if (rqh_now(NULL, RQPI_CLOCK_MONOTONIC) - t->gone_at < DYING_NSEC)
		return false;
	return rqh_identify(t->tid, &who) && !rqh_same(&who, &t->who);
}

static bool tells_its_end(const struct rqh_thread *t)
{
	return !t->foreign && t->who.pid == rqh_local->pid;
}

struct rqpi_task *rqh_find_task(void *ctx, struct rqpi_task *self, uint32_t tid)
{
	struct rqh_host *h = ctx;
	struct rqpi_task *task = NULL;
	struct rqh_thread *t;

	(void)self;
	rqh_lock(h, &h->table_lock);
	t = find(h, tid);
	if (t && t->status == RQH_GONE && is_reused(t)) {
		rqh_retire(h, t);
		t = NULL;
	}
	if (!t)
		t = make_foreign(h, tid);
	/* Dead records stay: to bury them is for somebody who holds no locks. */
	/*
	 * Threads of this process tell when they end, and asking the kernel costs more than all
	 * else.
	 */
	if (t && t->status == RQH_LIVE && (tells_its_end(t) || rqh_lives(t))) {
		task = rqh_task(t);
		rqpi_task_get(task);
	}
	rqh_unlock(h, &h->table_lock);
	return task;
}

struct rqh_thread *rqh_ref_known(struct rqh_host *h, uint32_t tid)
{
	struct rqh_thread *t;

	rqh_lock(h, &h->table_lock);
	t = find(h, tid);
	if (t && (t->status != RQH_LIVE || !rqh_lives(t)))
		t = NULL;
	if (t)
		rqpi_task_get(rqh_task(t));
	rqh_unlock(h, &h->table_lock);
	return t;
}

bool rqh_if_unknown(struct rqh_host *h, uint32_t tid,
		    long (*act)(uint32_t tid, const struct rqh_sched *sched),
		    const struct rqh_sched *sched, long *ret)
{
	struct rqh_thread *t;
	bool unknown;

	rqh_lock(h, &h->table_lock);
	t = find(h, tid);
	unknown = !t || t->status != RQH_LIVE || !rqh_lives(t);
	if (unknown)
		*ret = act(tid, sched);
	rqh_unlock(h, &h->table_lock);
	return unknown;
}

struct rqh_thread *rqh_lookup(struct rqh_host *h, uint32_t tid)
{
	struct rqh_thread *t;

	rqh_lock(h, &h->table_lock);
	t = find(h, tid);
	if (t && t->status != RQH_LIVE)
		t = NULL;
	rqh_unlock(h, &h->table_lock);
	return t;
}

/* ---------------------------------------------------------------- the caller's own */

void rqh_leave_if_known(void)
{
	struct rqh_host *h = rqh_host;
	struct rqh_tls *me = rqh_me();
	uint64_t mask;

	/* Not in a child that has the key's value from its parent and has not called yet. */
	if (!h || !rqb_load_acq(&rqh_local->ready) || !me->thread)
		return;
	mask = rqh_signals_block();
	rqh_leave(h, me->thread);
	rqh_signals_restore(mask);
}

/* Of a thread that was cancelled, too. */
RQB_ALIGN_STACK static void thread_ends(void *arg)
{
	(void)arg;
	rqh_leave_if_known();
}

static void hear_of_my_end(struct rqh_thread *t)
{
	if (!rqb_load_acq(&ending_state)) {
		static struct rqpi_rawlock making;

		rqh_lock(NULL, &making);
		if (!rqb_load(&ending_state) && pthread_key_create(&ending, thread_ends) == 0)
			rqb_store_rel(&ending_state, 1);
		rqh_unlock(NULL, &making);
	}
	if (rqb_load_acq(&ending_state))
		pthread_setspecific(ending, t);
}

/* table_lock. The record that the table has for the caller, if it is really the caller's. */
static struct rqh_thread *adopt(struct rqh_host *h, uint32_t tid, const struct rqh_identity *who,
				struct rqh_thread **dead)
{
	struct rqh_thread *t = find(h, tid);

	if (!t)
		return NULL;
	if (t->status == RQH_LIVE && !t->in_call && rqh_same(&t->who, who)) {
		if (t->foreign) {
			t->foreign = 0;
			(void)rqb_sub(&h->foreign_live, 1);
		}
		return t;
	}
	/* Of a dead thread of the same number; the engine must hear of that death. */
	if (t->status == RQH_LIVE && rqh_can_bury(t))
		*dead = t;
	rqh_retire(h, t);
	return NULL;
}

static struct rqh_thread *register_caller(struct rqh_host *h, struct rqh_tls *me)
{
	struct rqh_thread *dead = NULL;
	struct rqh_identity who;
	struct rqh_thread *t;

	rqh_identify(me->tid, &who);
	who.pid = rqh_local->pid;
	rqh_lock(h, &h->table_lock);
	t = adopt(h, me->tid, &who, &dead);
	if (!t)
		t = make_record(h, me->tid, rqh_local->space, &who);
	rqh_unlock(h, &h->table_lock);
	if (dead)
		rqh_bury(dead);
	return t;
}

struct rqh_thread *rqh_self(struct rqh_host *h)
{
	struct rqh_tls *me = rqh_me();

	if (rqb_likely(me->thread != NULL))
		return me->thread;
	rqh_reap(h, REAP_PER_RECORD);
	me->thread = register_caller(h, me);
	if (!me->thread) {
		rqh_reap(h, h->max_threads);
		me->thread = register_caller(h, me);
	}
	if (me->thread)
		hear_of_my_end(me->thread);
	return me->thread;
}

/*
 * Stacks grow down: a handler that interrupted the sleep is below it, and what runs after the sleep
 * was cut off is above.
 */
void rqh_recover(struct rqh_thread *t, uintptr_t frame)
{
	if (!t->in_sleep || frame <= t->frame)
		rqh_panic(rqh_host,
			  "a handler called the engine while its thread is in it: this needs "
			  "RQPI_HOST_DEFER_SIGNALS",
			  __FILE__, __LINE__);
	(void)rqpi_task_abandon(rqh_task(t), true);
	(void)rqb_xchg(&t->park, RQH_AWAKE);
	rqb_store_rel(&t->in_sleep, 0);
	rqb_store_rel(&t->in_call, 0);
}

void rqh_leave(struct rqh_host *h, struct rqh_thread *t)
{
	if (t->in_call)
		rqh_recover(t, UINTPTR_MAX);
	rqb_store_rel(&t->in_call, 1);
	rqpi_task_exit(rqh_task(t));
	rqh_me()->thread = NULL;
	if (rqh_has(h, RQPI_HOST_ACROSS_FORK))
		rqh_bell_close(h, t);
	rqh_lock(h, &h->table_lock);
	t->gone_at = rqh_now(NULL, RQPI_CLOCK_MONOTONIC);
	t->status = RQH_GONE;
	rqh_unlock(h, &h->table_lock);
	rqpi_task_put(rqh_task(t));
}
