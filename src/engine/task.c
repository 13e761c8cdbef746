/* SPDX-License-Identifier: MIT */
/*
 * task.c - tasks: their life, their priority, and how they are woken.
 *
 * Called by the host and by all operations. Rules: rqk.h [I3, I12]. How a task ends is in exit.c.
 */
#include "src/engine/rqk.h"

/* ---------------------------------------------------------------- life */

struct rqpi_task *rqpi_task_init(struct rqpi_engine *engine, void *storage, void *state,
				 const struct rqpi_task_attr *attr)
{
	struct rqpi_task *task = storage;
	struct rqk_pi_state *spare = state;

	rqk_assert(engine, attr->tid != 0 && attr->tid <= RQB_WORD_TID_MASK);
	rqk_assert(engine, (uintptr_t)storage % RQPI_OBJECT_ALIGN == 0);
	*spare = (struct rqk_pi_state){.refs = 0};
	*task = (struct rqpi_task){
	    .engine = engine,
	    .cookie = attr->cookie,
	    .space = attr->space,
	    .tid = attr->tid,
	    .kernel = attr->kernel,
	    .refs = 1,
	    .own = attr->prio,
	    .eff = attr->prio,
	    .applied = attr->prio,
	    .eff_now = (uint32_t)attr->prio.prio,
	    .spare = spare,
	    .life = RQK_ALIVE,
	};
	rqk_rt_mutex_init(&task->exit_lock, NULL);
	return task;
}

void rqpi_task_get(struct rqpi_task *task)
{
	(void)rqb_add(&task->refs, 1);
}

void rqpi_task_put(struct rqpi_task *task)
{
	struct rqpi_engine *e = task->engine;
	uint32_t refs = rqb_sub(&task->refs, 1);

	rqk_assert(e, refs != 0);
	if (refs == 1)
		e->port->release(e->ctx, task, (struct rqpi_pi_state *)task->spare);
}

void *rqpi_task_cookie(const struct rqpi_task *task)
{
	return task->cookie;
}

uint32_t rqpi_task_tid(const struct rqpi_task *task)
{
	return task->tid;
}

uint64_t rqpi_task_space(const struct rqpi_task *task)
{
	return task->space;
}

struct rqpi_engine *rqpi_task_engine(const struct rqpi_task *task)
{
	return task->engine;
}

/* ---------------------------------------------------------------- priority */

static int32_t lock_level(const struct rqpi_prio *prio)
{
	return prio->prio < RQPI_PRIO_NICE(-20) ? prio->prio : RQPI_PRIO_NICE(-20);
}

bool rqk_prio_before(const struct rqpi_prio *a, const struct rqpi_prio *b)
{
	if (lock_level(a) != lock_level(b))
		return lock_level(a) < lock_level(b);
	return a->prio == RQPI_PRIO_DEADLINE && a->deadline < b->deadline;
}

bool rqk_prio_equal(const struct rqpi_prio *a, const struct rqpi_prio *b)
{
	return !rqk_prio_before(a, b) && !rqk_prio_before(b, a);
}

/* What a task runs with is finer than what locks go by: a better nice value is inherited too. */
static bool runs_before(const struct rqpi_prio *a, const struct rqpi_prio *b)
{
	if (a->prio != b->prio)
		return a->prio < b->prio;
	return a->prio == RQPI_PRIO_DEADLINE && a->deadline < b->deadline;
}

/* @own, or what the normal @top has by now. */
static struct rqpi_prio with_nice_of(struct rqk_waiter *top, const struct rqpi_prio *own)
{
	const struct rqpi_task *donor = rqb_entry(top, struct rqpi_task, waiter);
	struct rqpi_prio now = top->pi_prio;
	int32_t prio = (int32_t)rqb_load_sc(&donor->eff_now);

	if (prio >= RQPI_PRIO_NICE(-20)) /* else it is being boosted, and a walk is on its way */
		now.prio = prio;
	return runs_before(&now, own) ? now : *own;
}

void rqk_adjust_prio(struct rqpi_task *task)
{
	struct rqk_waiter *top = rqk_top_pi_waiter(task);
	struct rqpi_prio best = task->own;

	if (top && runs_before(&top->pi_prio, &best))
		best = top->pi_prio;
	/* Its nice value counts as it is now: when that changed nobody was sorted anew. */
	if (top && top->pi_prio.prio >= RQPI_PRIO_NICE(-20))
		best = with_nice_of(top, &task->own);
	task->eff = best;
	rqb_store_sc(&task->eff_now, (uint32_t)best.prio);
}

void rqk_apply_prio(struct rqpi_task *task)
{
	struct rqpi_engine *e = task->engine;
	const struct rqpi_prio *eff = &task->eff;
	const struct rqpi_prio *now = &task->applied;

	if (eff->prio == now->prio && eff->policy == now->policy && eff->deadline == now->deadline)
		return;
	task->applied = task->eff;
	rqk_trace(e, NULL, RQPI_EV_SET_PRIO, 0, task->tid, eff->prio);
	e->port->set_prio(e->ctx, task, eff);
}

void rqk_settle_prio(struct rqpi_task *self)
{
	rqk_lock(self->engine, &self->pi_lock);
	rqk_apply_prio(self);
	rqk_unlock(self->engine, &self->pi_lock);
}

/*
 * Sorting a blocked task anew is the chain walk's own work: it starts at the task, takes it out
 * of its lock's queue and puts it back with its new priority, and goes on to the owner.
 */
void rqpi_task_set_prio(struct rqpi_task *task, const struct rqpi_prio *prio)
{
	struct rqpi_engine *e = task->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	struct rqk_walk walk = {.task = task, .top_task = task, .wakes = &wakes};
	struct rqk_waiter *waiter;

	rqk_lock(e, &task->pi_lock);
	task->own = *prio;
	rqk_adjust_prio(task);
	task->applied.prio = INT32_MIN; /* told in any case: what is beneath has changed */
	rqk_apply_prio(task);
	waiter = task->blocked_on;
	/* An equal priority keeps its place in the queue. */
	if (waiter && !rqk_prio_equal(&waiter->prio, &task->eff))
		walk.next = rqk_blocked_on(task);
	rqk_unlock(e, &task->pi_lock);
	if (!walk.next.lock)
		return;
	rqpi_task_get(task);
	(void)rqk_adjust_prio_chain(&walk);
	rqk_wake_now(e, NULL, &wakes);
}

void rqpi_task_prio(struct rqpi_task *task, struct rqpi_prio *own, struct rqpi_prio *eff)
{
	rqk_lock(task->engine, &task->pi_lock);
	if (own)
		*own = task->own;
	if (eff)
		*eff = task->eff;
	rqk_unlock(task->engine, &task->pi_lock);
}

/*
 * From the task to its lock, as the chain walk goes, but only if nothing is in the way: a port
 * asks while it is about to sleep.
 */
RQK_UNCHECKED bool rqpi_task_is_next(struct rqpi_task *self, struct rqpi_task **owner)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_waiter *waiter;
	bool next;

	*owner = NULL;
	rqk_lock(e, &self->pi_lock);
	waiter = self->blocked_on;
	next = waiter != NULL;
	if (next && rqk_trylock(e, &waiter->lock->wait_lock)) {
		next = rqk_rt_top(waiter->lock) == waiter;
		if (next)
			*owner = rqk_rt_owner(waiter->lock);
		if (*owner)
			rqpi_task_get(*owner);
		rqk_unlock(e, &waiter->lock->wait_lock);
	}
	rqk_unlock(e, &self->pi_lock);
	return next;
}

/* ---------------------------------------------------------------- waking */

/*
 *   waker 1                     waker 2                      the task
 *   condition 1 true
 *   claims the task
 *                               condition 2 true
 *                               finds it claimed: done
 *   unclaims
 *   wake()                                                   sees both conditions
 *
 * The claim is given back before wake(), so whoever finds it taken has its wake-up still to come.
 */
void rqk_wake_later(struct rqk_wakes *wakes, struct rqpi_task *task)
{
	if (!rqb_cas(&task->wake_claimed, 0, 1))
		return;
	rqpi_task_get(task);
	task->wake_next = NULL;
	if (wakes->last)
		wakes->last->wake_next = task;
	else
		wakes->first = task;
	wakes->last = task;
}

void rqk_wake_now(struct rqpi_engine *e, const struct rqpi_task *self, struct rqk_wakes *wakes)
{
	struct rqpi_task *task;

	while ((task = wakes->first)) {
		wakes->first = task->wake_next;
		rqb_store_sc(&task->wake_claimed, 0);
		rqk_trace(e, self, RQPI_EV_WAKE, 0, task->tid, 0);
		e->port->wake(e->ctx, task);
		rqpi_task_put(task);
	}
	wakes->last = NULL;
}
