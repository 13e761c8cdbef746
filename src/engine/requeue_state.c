/* SPDX-License-Identifier: MIT */
/*
 * requeue_state.c - the hand-shake between CMP_REQUEUE_PI and a waiter that leaves meanwhile.
 *
 * Called by requeue.c. Rules: rqk.h, enum rqk_requeue_state. The table below is the whole
 * protocol, and advance() is the only one who writes the state; an edge that is not in the table
 * is a panic.
 *
 * The requeuer works under the lock of the bucket the waiter is in, the waiter under none. So
 * when the waiter's time runs out one of three things is the case:
 *
 *   waiter              requeuer
 *   NONE -> IGNORE      later: finds IGNORE, takes the waiter off its queue and goes on to the
 *                       next. It does not wait for it: the waiter may be unable to run as long as
 *                       the requeuer does (CVE-2026-52977).
 *   finds IN_PROGRESS   has claimed it. The waiter waits for the bucket's lock, and then the
 *                       requeuer has come to an end: LOCKED, DONE, or NONE again (it was refused),
 *                       and the waiter goes by that.
 *   finds DONE, LOCKED  is through with it: the time has run out while waiting for the mutex.
 */
#include "src/engine/rqk.h"

#define BIT(state) (1u << (state))

/* Where from each state the requeuer may go, and where the waiter. */
static const struct {
	uint32_t requeuer;
	uint32_t waiter;
} edges[RQK_REQUEUE_STATES] = {
    [RQK_REQUEUE_NONE] = {.requeuer = BIT(RQK_REQUEUE_IN_PROGRESS),
			  .waiter = BIT(RQK_REQUEUE_IGNORE)},
    [RQK_REQUEUE_IGNORE] = {.requeuer = 0, .waiter = 0},
    [RQK_REQUEUE_IN_PROGRESS] = {.requeuer = BIT(RQK_REQUEUE_NONE) | BIT(RQK_REQUEUE_DONE) |
					     BIT(RQK_REQUEUE_LOCKED),
				 .waiter = 0},
    [RQK_REQUEUE_DONE] = {.requeuer = 0, .waiter = 0},
    [RQK_REQUEUE_LOCKED] = {.requeuer = 0, .waiter = 0},
};

bool rqk_requeue_edge(enum rqk_requeue_state from, enum rqk_requeue_state to, bool requeuer)
{
	return ((requeuer ? edges[from].requeuer : edges[from].waiter) & BIT(to)) != 0;
}

/* False: it was not (or no longer) @from. */
static bool advance(struct rqpi_engine *e, struct rqk_futex_q *q, enum rqk_requeue_state from,
		    enum rqk_requeue_state to, bool requeuer)
{
	rqk_assert(e, rqk_requeue_edge(from, to, requeuer));
	return rqb_cas(&q->requeue_state, from, to);
}

/* A new wait: @q is in no queue, so nobody else knows it. */
void rqk_requeue_begin(struct rqk_futex_q *q)
{
	rqb_store_sc(&q->requeue_state, RQK_REQUEUE_NONE);
}

/* The requeuer, with the bucket of @q locked. False: it is leaving. */
bool rqk_requeue_claim(struct rqpi_task *self, struct rqk_futex_q *q)
{
	return advance(self->engine, q, RQK_REQUEUE_NONE, RQK_REQUEUE_IN_PROGRESS, true);
}

/*
 * The requeuer, with the same lock still held. After DONE or LOCKED the waiter may be gone at
 * once.
 */
void rqk_requeue_finish(struct rqpi_task *self, struct rqk_futex_q *q, enum rqk_requeue_state end)
{
	bool mine = advance(self->engine, q, RQK_REQUEUE_IN_PROGRESS, end, true);

	rqk_assert(self->engine, mine);
}

/*
 * The waiter wants to leave; @hb is the bucket it went to sleep in. What it is now: IGNORE (it
 * may), DONE or LOCKED (it has been moved). Whoever claimed it holds that bucket until he is
 * through.
 */
enum rqk_requeue_state rqk_requeue_leave(struct rqpi_task *self, struct rqk_bucket *hb)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_futex_q *q = &self->q;

	for (;;) {
		uint32_t state = rqb_load_sc(&q->requeue_state);

		if (state == RQK_REQUEUE_DONE || state == RQK_REQUEUE_LOCKED)
			return state;
		if (advance(e, q, RQK_REQUEUE_NONE, RQK_REQUEUE_IGNORE, false))
			return RQK_REQUEUE_IGNORE;
		rqk_lock(e, &hb->lock);
		rqk_unlock(e, &hb->lock);
	}
}
