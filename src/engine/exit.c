/* SPDX-License-Identifier: MIT */
/*
 * exit.c - what a task leaves behind: its robust list, and the PI futexes it owns.
 *
 * Called by the host through rqpi_task_exit() and rqpi_task_exec(). Rules: rqk.h [I8, I9], and
 * the swap in pi_state.c, retire().
 *
 * While a task is EXITING nobody can become a waiter of what it owns; who tries waits for
 * exit_lock, and then finds OWNER_DIED in the word, or that there is no such task. Order: robust
 * list, entry by entry, then the pending one, then the PI states.
 */
#include "src/engine/rqk.h"

/* ---------------------------------------------------------------- the robust list */

/* As set_robust_list(2) has it, with the machine's own long and pointers. */
struct robust_head {
	uintptr_t first;
	intptr_t offset;
	uintptr_t pending;
};

/* A link's lowest bit says that its futex is a PI one. */
#define PI_BIT ((uintptr_t)1)

long rqpi_task_set_robust_list(struct rqpi_task *self, const void *head, size_t bytes)
{
	if (bytes != sizeof(struct robust_head))
		return -RQPI_EINVAL;
	self->robust_list = head;
	return 0;
}

const void *rqpi_task_robust_list(const struct rqpi_task *task)
{
	return task->robust_list;
}

/*
 * The word of the dead owner: no TID, OWNER_DIED. -EFAULT: it cannot be written. @old: what it
 * was.
 */
static int mark_died(struct rqpi_task *self, uint32_t *uaddr, uint32_t *old)
{
	struct rqpi_engine *e = self->engine;
	uint32_t new;
	uint32_t seen;
	int ret;

	for (;;) {
		new = (*old & RQK_WORD_WAITERS) | RQK_WORD_OWNER_DIED;
		ret = e->port->cmpxchg(e->ctx, uaddr, *old, new, &seen);
		if (ret) {
			ret = e->port->fault_in(e->ctx, uaddr, true);
			if (ret)
				return ret;
			ret = rqk_read_word(e, uaddr, &seen);
			if (ret)
				return ret;
		} else if (seen == *old) {
			rqk_trace(e, self, RQPI_EV_EXIT_LIST, uaddr, new, 0);
			return 0;
		}
		*old = seen;
		if (rqb_word_tid(seen) != self->tid)
			return 0;
	}
}

/*
 * handle_futex_death(): one entry. Not 0: the walk ends here. The waiters of a PI futex are not
 * woken: they are served with the PI states, which know them.
 */
static int handle_death(struct rqpi_task *self, uint32_t *uaddr, bool pi, bool pending)
{
	struct rqpi_engine *e = self->engine;
	uint32_t uval;

	if ((uintptr_t)uaddr % sizeof(*uaddr))
		return -RQPI_EINVAL;
	if (!e->port->user_range(e->ctx, uaddr) || rqk_read_word(e, uaddr, &uval))
		return -RQPI_EFAULT;
	/*
	 * It was about to be locked or unlocked. Without any TID it may have been freed, and its
	 * owner killed before it woke anybody: do that instead of it.
	 */
	if (pending && !pi && rqb_word_tid(uval) == 0) {
		rqk_wake_one_shared(self, uaddr);
		return 0;
	}
	if (rqb_word_tid(uval) != self->tid)
		return 0;
	if (mark_died(self, uaddr, &uval))
		return -RQPI_EFAULT;
	if (!pi && rqb_word_tid(uval) == self->tid && (uval & RQK_WORD_WAITERS))
		rqk_wake_one_shared(self, uaddr);
	return 0;
}

static uint32_t *word_of(uintptr_t link, intptr_t offset)
{
	return (uint32_t *)((link & ~PI_BIT) + (uintptr_t)offset);
}

static void exit_robust_list(struct rqpi_task *self)
{
	struct rqpi_engine *e = self->engine;
	const uintptr_t end = (uintptr_t)self->robust_list;
	struct robust_head head;
	uintptr_t next;
	uintptr_t at;
	int ret;

	if (!end || e->port->copy_in(e->ctx, &head, self->robust_list, sizeof(head)))
		return;
	self->robust_list = NULL;
	at = head.first;
	for (int n = 0; (at & ~PI_BIT) != end && n < RQK_ROBUST_LIMIT; n++, at = next) {
		/* The next link before the entry: with its word it may be freed and used again. */
		ret = e->port->copy_in(e->ctx, &next, (const void *)(at & ~PI_BIT), sizeof(next));
		/* The pending one comes last, and once. */
		if ((at & ~PI_BIT) != (head.pending & ~PI_BIT) &&
		    handle_death(self, word_of(at, head.offset), (at & PI_BIT) != 0, false))
			return;
		if (ret)
			return;
	}
	if (head.pending & ~PI_BIT)
		(void)handle_death(self, word_of(head.pending, head.offset),
				   (head.pending & PI_BIT) != 0, true);
}

/* ---------------------------------------------------------------- the PI states */

/*
 * @ps was the first of @self's when we looked, and its bucket is locked since. If it still is,
 * nobody owns it now, and its top waiter is woken to take it; that one will set OWNER_DIED.
 */
static RQK_UNCHECKED void disown(struct rqpi_task *self, struct rqk_pi_state *ps,
				 struct rqk_wakes *wakes)
{
	struct rqpi_engine *e = self->engine;
	bool still;

	/*
	 * If it has been retired meanwhile it is our own spare: its wait_lock is there either
	 * way.
	 */
	rqk_lock(e, &ps->lock.wait_lock);
	rqk_lock(e, &self->pi_lock);
	still = self->exit_state == ps;
	self->exit_state = NULL;
	rqk_unlock(e, &self->pi_lock);
	if (still) {
		rqk_trace(e, self, RQPI_EV_EXIT_STATE, &ps->lock, self->tid, 0);
		rqk_set_pi_owner(ps, NULL);
		rqk_unlock_rt(self, &ps->lock, wakes);
	}
	rqk_unlock(e, &ps->lock.wait_lock);
}

static void exit_pi_states(struct rqpi_task *self)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	struct rqk_pi_state *ps;
	struct rqk_bucket *hb;
	struct rqpi_key key;

	for (;;) {
		rqk_lock(e, &self->pi_lock);
		ps = self->pi_states;
		self->exit_state = ps;
		if (ps)
			key = ps->key;
		rqk_unlock(e, &self->pi_lock);
		if (!ps)
			break;
		hb = rqk_bucket(e, &key);
		rqk_lock(e, &hb->lock);
		disown(self, ps, &wakes);
		rqk_unlock(e, &hb->lock);
		rqk_wake_now(e, self, &wakes);
	}
	rqk_settle_prio(self);
}

/* ---------------------------------------------------------------- without a stack */

long rqpi_task_abandon(struct rqpi_task *task, bool words)
{
	struct rqk_futex_q *q = &task->q;
	long ret;

	task->no_words = !words;
	if (task->awaits_exit)
		ret = rqk_abandon_exit(task);
	else if (task->slept_in)
		ret = rqk_abandon_requeue(task);
	else if (q->pi_state)
		ret = rqk_abandon_lock(task);
	else
		ret = rqk_leave(task) ? -RQPI_EINTR : 0;
	task->slept_in = NULL;
	task->no_words = 0;
	return ret;
}

/* ---------------------------------------------------------------- the end */

static void set_life(struct rqpi_task *self, enum rqk_life life, uint64_t space)
{
	rqk_lock(self->engine, &self->pi_lock);
	self->life = life;
	self->space = space;
	rqk_unlock(self->engine, &self->pi_lock);
}

static void leave_all(struct rqpi_task *self, enum rqk_life then, uint64_t space)
{
	static const struct rqpi_deadline forever = {RQPI_FOREVER, RQPI_CLOCK_MONOTONIC};

	rqk_assert(self->engine, !rqk_queued(&self->q) && !self->q.pi_state && self->spare);
	/*
	 * Somebody may just be unlocking it, after the exit before this exec; nobody else locks
	 * it.
	 */
	(void)rqk_lock_rt(self, &self->exit_lock, &forever, false);
	set_life(self, RQK_EXITING, self->space);
	exit_robust_list(self);
	exit_pi_states(self);
	set_life(self, then, space);
	rqk_unlock_rt_mutex(self, &self->exit_lock);
}

void rqpi_task_exit(struct rqpi_task *self)
{
	leave_all(self, RQK_DEAD, self->space);
}

void rqpi_task_exec(struct rqpi_task *self, uint64_t space)
{
	leave_all(self, RQK_ALIVE, space);
}
