/* SPDX-License-Identifier: MIT */
/*
 * chain.c - the walk along a chain of blocked tasks: each lock's queue is sorted anew, each owner's
 * priority computed anew, until nothing changes any more; or a cycle is found.
 *
 * Called by rtmutex.c when a task blocks or gives up, and by task.c when a blocked task's priority
 * changes. Rules: rqk.h, the lock order and [I3, I4, I6].
 *
 * The chain is  task -blocked_on-> lock -owner-> task -blocked_on-> lock ...  One turn of the
 * walk is one task and the lock that it is blocked on. Between two turns no raw lock is held by
 * the walk, so that it delays nobody by more than one turn; anything may change meanwhile, and
 * the walk stops silently when it sees that (who changed it walks for himself). One turn:
 *
 *   step                                                        holds afterwards
 *   1 lock the task                                             (p) of the task
 *   2 is there a reason to stop? is there nothing to sort?      (p)
 *   3 try to lock what it is blocked on, else go to 1           (p) (w)
 *   4 is this the lock, or the task, that we began with?        (p) (w)
 *   5 take the waiter out, and in again with the new priority   (p) (w)
 *   6 let the task go                                           (w)
 *   7 no owner: wake the top waiter if that is another now; end (w)
 *   8 lock the owner, and let it inherit from its top waiter    (p) of the owner, (w)
 *   9 what is the owner blocked on? go on with it               nothing
 */
#include "src/engine/rqk.h"

/* What a walk knows while it goes. */
struct turn {
	struct rqk_walk *w;
	struct rqpi_task *task;	   /* the one looked at, with a reference */
	struct rqk_rt_mutex *lock; /* what it is blocked on */
	struct rqk_waiter *waiter; /* its waiter there */
	struct rqk_waiter
	    *came_from; /* the top waiter of the lock we came from: compared, not read */
	bool sort;	/* its priority has changed, or the walk does not know */
	bool done;
};

/* Step 2. True: stop. */
static bool must_stop(struct turn *t) RQK_REQUIRES(t->task->pi_lock)
{
	struct rqk_walk *w = t->w;
	struct rqpi_task *task = t->task;

	t->waiter = task->blocked_on;
	/* It is no longer blocked, or has come anew: whoever did that has done our work. */
	if (!t->waiter || t->waiter->lock != w->next.lock || t->waiter->times != w->next.times)
		return true;
	/* The reason for the walk has gone: it has the lock already, or is about to. */
	if (w->orig_waiter && !rqk_rt_owner(w->orig_lock))
		return true;
	/*
	 * Where we came from, the top waiter decides what @task inherits. If that is not the top
	 * of all it inherits from, its priority has not changed; a walk that looks for cycles
	 * goes on.
	 */
	if (t->came_from) {
		if (!rqk_top_pi_waiter(task))
			return true;
		if (t->came_from != rqk_top_pi_waiter(task)) {
			if (!w->detect)
				return true;
			t->sort = false;
		}
	}
	if (rqk_prio_equal(&t->waiter->prio, &task->eff)) {
		if (!w->detect)
			return true;
		t->sort = false;
	}
	return false;
}

/* Step 7: nobody to inherit. Only a new top waiter has not been woken yet. */
static void wake_new_top(struct turn *t, struct rqk_waiter *old_top)
{
	struct rqk_waiter *top = rqk_rt_top(t->lock);

	if (top && top != old_top)
		rqk_wake_later(t->w->wakes, top->task);
}

/* Step 8, after sorting. */
static void inherit_anew(struct turn *t, struct rqpi_task *owner, struct rqk_waiter *old_top)
    RQK_REQUIRES(owner->pi_lock)
{
	struct rqk_waiter *top = rqk_rt_top(t->lock);

	/* Neither is nor was on top: the owner has nothing from it. */
	if (t->waiter != top && t->waiter != old_top)
		return;
	rqk_dequeue_pi(owner, old_top);
	rqk_enqueue_pi(owner, top);
	rqk_adjust_prio(owner);
	rqk_apply_prio(owner);
}

/* Steps 5 to 7. True: go on to the owner. wait_lock is held, the task's pi_lock is not any more. */
static RQK_UNCHECKED bool sort_waiter(struct turn *t, struct rqk_waiter **old_top)
{
	struct rqpi_engine *e = t->task->engine;

	*old_top = rqk_rt_top(t->lock);
	if (t->sort) {
		rqk_dequeue(t->lock, t->waiter);
		t->waiter->prio = t->task->eff;
		rqk_enqueue(t->lock, t->waiter);
	}
	rqk_unlock(e, &t->task->pi_lock);
	rqpi_task_put(t->task);
	t->task = NULL;
	if (rqk_rt_owner(t->lock))
		return true;
	if (t->sort)
		wake_new_top(t, *old_top);
	rqk_unlock(e, &t->lock->wait_lock);
	return false;
}

/* Steps 8 and 9. */
static RQK_UNCHECKED void go_to_owner(struct turn *t, struct rqk_waiter *old_top)
{
	struct rqk_walk *w = t->w;
	struct rqpi_task *owner = rqk_rt_owner(t->lock);
	struct rqpi_engine *e = owner->engine;
	struct rqk_waiter *top = rqk_rt_top(t->lock);

	rqpi_task_get(owner);
	rqk_lock(e, &owner->pi_lock);
	if (t->sort)
		inherit_anew(t, owner, old_top);
	w->next = rqk_blocked_on(owner);
	rqk_unlock(e, &owner->pi_lock);
	rqk_unlock(e, &t->lock->wait_lock);
	t->task = owner;
	t->came_from = top;
	/* Sorting below the top changes nothing further on. */
	if (!w->next.lock || (!w->detect && t->waiter != top && t->waiter != old_top))
		t->done = true;
}

/* Steps 1 to 4. 0: both locks are held; 1: stop; -EDEADLK. Nothing is held after the last two. */
static RQK_UNCHECKED int lock_both(struct turn *t)
{
	struct rqk_walk *w = t->w;
	struct rqpi_task *task = t->task;
	struct rqpi_engine *e = task->engine;

	for (;;) {
		rqk_lock(e, &task->pi_lock);
		t->sort = true;
		if (must_stop(t)) {
			rqk_unlock(e, &task->pi_lock);
			return 1;
		}
		t->lock = t->waiter->lock;
		if (rqk_trylock(e, &t->lock->wait_lock))
			break;
		/*
		 * Its holder may be waiting for our (p). Once that is let go, the waiter may
		 * leave and the lock be gone, so there is nothing to wait on by name.
		 */
		rqk_unlock(e, &task->pi_lock);
		e->port->relax(e->ctx);
	}
	/*
	 * A walk that only passes a priority on must not stop here: it comes by while the cycle is
	 * being undone, and ends where nothing changes any more.
	 */
	if (w->detect && (t->lock == w->orig_lock || rqk_rt_owner(t->lock) == w->top_task)) {
		rqk_unlock(e, &t->lock->wait_lock);
		rqk_unlock(e, &task->pi_lock);
		rqk_trace(e, w->self, RQPI_EV_CHAIN_DEADLOCK, t->lock, 0, task->tid);
		return -RQPI_EDEADLK;
	}
	return 0;
}

int rqk_adjust_prio_chain(struct rqk_walk *w)
{
	struct turn t = {.w = w, .task = w->task, .came_from = w->orig_waiter};
	struct rqk_waiter *old_top;
	int ret = 0;

	for (int depth = 1; !t.done; depth++) {
		if (depth > RQK_MAX_LOCK_DEPTH) {
			ret = -RQPI_EDEADLK;
			break;
		}
		ret = lock_both(&t);
		if (ret)
			break;
		rqk_trace(t.task->engine, w->self, RQPI_EV_CHAIN, t.lock, depth, t.task->tid);
		if (!sort_waiter(&t, &old_top))
			return 0;
		go_to_owner(&t, old_top);
	}
	rqpi_task_put(t.task);
	return ret < 0 ? ret : 0;
}
