/* SPDX-License-Identifier: MIT */
/*
 * reap.c - threads that died without telling: of processes that were killed, or that never called.
 *
 * Called with no raw lock held, by threads that register and by sleepers every now and then. To the
 * engine a thread found dead ends now, as in Linux it would have ended by itself: its PI futexes go
 * to their top waiters. Its robust list died with its memory, and is not read.
 */
#include "src/host/rqh.h"

/*
 * In no operation, or asleep in one. Killed anywhere else inside the engine it stays in the queues,
 * from which only itself could have taken it.
 */
bool rqh_can_bury(const struct rqh_thread *t)
{
	return !rqb_load_acq(&t->in_call) || rqb_load_acq(&t->in_sleep);
}

/* Is there something to do about this record, if its thread is dead? */
static bool is_of_interest(const struct rqh_thread *t)
{
	if (t->status == RQH_GONE)
		return t->released != 0;
	return t->status == RQH_LIVE && rqh_can_bury(t);
}

/* The next record in turn, and what it says of its thread, to be looked into without the lock. */
static struct rqh_thread *next_in_turn(struct rqh_host *h, struct rqh_thread *seen)
{
	struct rqh_thread *t = NULL;

	rqh_lock(h, &h->table_lock);
	if (h->reap_next >= h->threads_used)
		h->reap_next = 0;
	if (h->threads_used)
		t = &h->threads[h->reap_next++];
	if (t && is_of_interest(t)) {
		seen->tid = t->tid;
		seen->who = t->who;
		seen->foreign = t->foreign;
	} else {
		t = NULL;
	}
	rqh_unlock(h, &h->table_lock);
	return t;
}

/* The thread of @t as it was @seen is dead. True: the caller has to bury it. */
static bool claim_body(struct rqh_host *h, struct rqh_thread *t, const struct rqh_thread *seen)
{
	bool mine = false;

	rqh_lock(h, &h->table_lock);
	if (is_of_interest(t) && t->tid == seen->tid && t->who.start == seen->who.start &&
	    t->who.stack == seen->who.stack) {
		mine = t->status == RQH_LIVE;
		rqh_retire(h, t); /* out of the table, so that nobody else finds it */
	}
	rqh_unlock(h, &h->table_lock);
	return mine;
}

void rqh_bury(struct rqh_thread *t)
{
	if (t->in_call)
		(void)rqpi_task_abandon(rqh_task(t), false);
	rqpi_task_set_robust_list(rqh_task(t), NULL, 3 * sizeof(void *));
	rqpi_task_exit(rqh_task(t));
	rqpi_task_put(rqh_task(t));
}

void rqh_reap(struct rqh_host *h, uint32_t count)
{
	uint32_t used = rqb_load_acq(&h->threads_used);

	if (count > used)
		count = used;
	while (count--) {
		struct rqh_thread seen;
		struct rqh_thread *t = next_in_turn(h, &seen);

		if (t && !rqh_lives(&seen) && claim_body(h, t, &seen))
			rqh_bury(t);
	}
}
