/* SPDX-License-Identifier: MIT */
/*
 * rtmutex.c - a sleeping lock whose owner inherits the priority of its top waiter.
 *
 * Called by pi.c and requeue.c for the locks of PI futexes, by exit.c, and by embedders. Rules:
 * rqk.h [I1, I2, I4, I5, I6]. A lock is given in two steps: unlock wakes the top waiter and
 * leaves the lock without owner; the waiter takes it when it runs, unless somebody strictly more
 * urgent has come by.
 */
#include "src/engine/rqk.h"

RQB_BUILD(sizeof(struct rqpi_rt_mutex) == RQPI_RT_MUTEX_BYTES, "opaque means as large as promised");

void rqk_rt_mutex_init(struct rqk_rt_mutex *lock, struct rqpi_task *owner)
{
	*lock = (struct rqk_rt_mutex){.owner = (uintptr_t)owner};
}

/* ---------------------------------------------------------------- the trees */

static bool tree_before(const struct rqb_node *a, const struct rqb_node *b)
{
	return rqk_prio_before(&rqb_entry(a, struct rqk_waiter, tree)->prio,
			       &rqb_entry(b, struct rqk_waiter, tree)->prio);
}

static bool pi_before(const struct rqb_node *a, const struct rqb_node *b)
{
	return rqk_prio_before(&rqb_entry(a, struct rqk_waiter, pi)->pi_prio,
			       &rqb_entry(b, struct rqk_waiter, pi)->pi_prio);
}

void rqk_enqueue(struct rqk_rt_mutex *lock, struct rqk_waiter *waiter)
{
	rqb_tree_insert(&lock->waiters, &waiter->tree, tree_before);
}

void rqk_dequeue(struct rqk_rt_mutex *lock, struct rqk_waiter *waiter)
{
	rqb_tree_remove(&lock->waiters, &waiter->tree);
}

void rqk_enqueue_pi(struct rqpi_task *owner, struct rqk_waiter *waiter)
{
	waiter->pi_prio = waiter->prio;
	rqb_tree_insert(&owner->pi_waiters, &waiter->pi, pi_before);
}

void rqk_dequeue_pi(struct rqpi_task *owner, struct rqk_waiter *waiter)
{
	if (rqb_node_linked(&waiter->pi))
		rqb_tree_remove(&owner->pi_waiters, &waiter->pi);
}

/* ---------------------------------------------------------------- taking */

/*
 * Nobody waits: let the fast paths have the owner word back. Only while the flag is set is it
 * ours.
 */
static void clear_flag(struct rqk_rt_mutex *lock)
{
	uintptr_t word = rqb_load_bits(&lock->owner);

	if (!rqk_rt_top(lock) && (word & RQK_HAS_WAITERS))
		(void)rqb_cas_bits(&lock->owner, word, word & ~RQK_HAS_WAITERS);
}

/* May @task have the lock, which has no owner? */
static bool may_take(struct rqk_rt_mutex *lock, struct rqpi_task *task,
		     const struct rqk_waiter *waiter)
{
	const struct rqk_waiter *top = rqk_rt_top(lock);
	bool more_urgent;

	if (waiter)
		return waiter == top;
	if (!top)
		return true;
	rqk_lock(task->engine, &task->pi_lock);
	more_urgent = rqk_prio_before(&task->eff, &top->prio);
	rqk_unlock(task->engine, &task->pi_lock);
	return more_urgent;
}

bool rqk_try_to_take(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqpi_task *task,
		     struct rqk_waiter *waiter)
{
	struct rqpi_engine *e = task->engine;
	struct rqk_waiter *top;
	struct rqpi_task *owner;

	/*
	 * First the flag, then the look: after this the owner can no longer leave by the fast
	 * path, so what is seen stays true until wait_lock is let go [I2].
	 */
	owner = (struct rqpi_task *)(rqb_or_bits(&lock->owner, RQK_HAS_WAITERS) & ~RQK_HAS_WAITERS);
	if (owner || !may_take(lock, task, waiter)) {
		rqk_trace(e, self, RQPI_EV_TRY_TAKE, lock, owner ? owner->tid : 0, task->tid);
		return false;
	}
	if (waiter) {
		rqk_dequeue(lock, waiter);
		waiter->task = NULL;
	}
	top = rqk_rt_top(lock);
	rqk_lock(e, &task->pi_lock);
	if (waiter)
		task->blocked_on = NULL;
	/*
	 * @task is at least as urgent as who waits behind it, unless it has just been made less
	 * so. (Its nice value may be worse: that is inherited when a waiter comes, as in Linux,
	 * not here.)
	 */
	if (top) {
		rqk_enqueue_pi(task, top);
		if (rqk_prio_before(&top->prio, &task->eff)) {
			rqk_adjust_prio(task);
			rqk_apply_prio(task);
		}
	}
	rqk_unlock(e, &task->pi_lock);
	rqb_store_bits(&lock->owner, (uintptr_t)task | (top ? RQK_HAS_WAITERS : 0));
	rqk_trace(e, self, RQPI_EV_TAKEN, lock, task->tid, 0);
	return true;
}

bool rqk_trylock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock)
{
	bool taken = rqk_try_to_take(self, lock, self, NULL);

	clear_flag(lock);
	return taken;
}

/* ---------------------------------------------------------------- waiting */

/*
 * @waiter is now the top waiter of @owner's lock instead of @old (NULL: there was none).
 */
static void inherit(struct rqpi_task *owner, struct rqk_waiter *old, struct rqk_waiter *waiter)
    RQK_REQUIRES(owner->pi_lock)
{
	if (old)
		rqk_dequeue_pi(owner, old);
	rqk_enqueue_pi(owner, waiter);
	rqk_adjust_prio(owner);
	rqk_apply_prio(owner);
}

static void enqueue_task(struct rqk_rt_mutex *lock, struct rqpi_task *task)
    RQK_REQUIRES(lock->wait_lock)
{
	struct rqk_waiter *waiter = &task->waiter;

	rqk_lock(task->engine, &task->pi_lock);
	waiter->task = task;
	waiter->lock = lock;
	waiter->times++;
	waiter->prio = task->eff;
	rqk_enqueue(lock, waiter);
	task->blocked_on = waiter;
	rqk_unlock(task->engine, &task->pi_lock);
}

/*
 * task_blocks_on_rt_mutex(): queue @task, pass its priority on to the owner, and along the chain
 * of what the owner waits for; there a cycle is found. 0; -EDEADLK: queued all the same, unless
 * @task is the owner.
 */
static int blocks_on(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqpi_task *task,
		     struct rqk_wakes *wakes) RQK_REQUIRES(lock->wait_lock)
{
	struct rqpi_engine *e = task->engine;
	struct rqpi_task *owner = rqk_rt_owner(lock);
	struct rqk_waiter *old = rqk_rt_top(lock);
	struct rqk_blocked next;
	struct rqk_walk walk;
	int ret;

	if (owner == task)
		return -RQPI_EDEADLK;
	enqueue_task(lock, task);
	if (!owner)
		return 0;
	rqk_lock(e, &owner->pi_lock);
	if (rqk_rt_top(lock) == &task->waiter)
		inherit(owner, old, &task->waiter);
	next = rqk_blocked_on(owner);
	rqk_unlock(e, &owner->pi_lock);
	if (!next.lock)
		return 0;
	rqpi_task_get(owner); /* it owns a lock that we have: it is there; the walk drops this */
	walk = (struct rqk_walk){
	    .self = self,
	    .task = owner,
	    .detect = true,
	    .orig_lock = lock,
	    .next = next,
	    .orig_waiter = &task->waiter,
	    .top_task = task,
	    .wakes = wakes,
	};
	rqk_unlock(e, &lock->wait_lock);
	ret = rqk_adjust_prio_chain(&walk);
	rqk_lock(e, &lock->wait_lock);
	return ret;
}

int rqk_start_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqpi_task *task,
			 struct rqk_wakes *wakes)
{
	struct rqpi_engine *e = task->engine;
	int ret;

	if (rqk_try_to_take(self, lock, task, NULL)) {
		rqk_trace(e, self, RQPI_EV_START_PROXY, lock, 1, task->tid);
		return 1;
	}
	ret = blocks_on(self, lock, task, wakes);
	rqk_trace(e, self, RQPI_EV_BLOCKS_ON, lock, ret, task->tid);
	rqk_trace(e, self, RQPI_EV_HAS_WAITERS, lock, rqk_rt_has_flag(lock), 0);
	/* A cycle that the owner has broken meanwhile, by unlocking, is none. */
	if (ret && !rqk_rt_owner(lock) && rqb_node_linked(&task->waiter.tree))
		ret = 0;
	return ret;
}

/*
 *   requeuer                            somebody else
 *   try_to_take: @task, no more urgent
 *   than the one woken to take @lock,
 *   may not
 *                                       makes @task the most urgent
 *   queues @task: now it is the top
 *   waiter, and nobody has woken it
 *
 * Or it was woken in between, and did not know yet what for.
 */
void rqk_wake_if_next(struct rqk_rt_mutex *lock, struct rqpi_task *task, struct rqk_wakes *wakes)
{
	if (!rqk_rt_owner(lock) && rqk_rt_top(lock) == &task->waiter)
		rqk_wake_later(wakes, task);
}

void rqk_remove_waiter(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqk_waiter *waiter,
		       struct rqk_wakes *wakes)
{
	struct rqpi_task *task = waiter->task; /* which need not be @self: proxy */
	struct rqpi_engine *e = self->engine;
	struct rqpi_task *owner = rqk_rt_owner(lock);
	bool was_top = rqk_rt_top(lock) == waiter;
	struct rqk_blocked next = {NULL, 0};
	struct rqk_walk walk;

	if (!rqb_node_linked(&waiter->tree)) {
		clear_flag(lock);
		return;
	}
	rqk_trace(e, self, RQPI_EV_REMOVE_WAITER, lock, task->tid, 0);
	rqk_lock(e, &task->pi_lock);
	rqk_dequeue(lock, waiter);
	task->blocked_on = NULL;
	rqk_unlock(e, &task->pi_lock);
	waiter->task = NULL;
	if (owner && was_top) {
		rqk_lock(e, &owner->pi_lock);
		rqk_dequeue_pi(owner, waiter);
		if (rqk_rt_top(lock))
			rqk_enqueue_pi(owner, rqk_rt_top(lock));
		rqk_adjust_prio(owner);
		rqk_apply_prio(owner);
		next = rqk_blocked_on(owner);
		rqk_unlock(e, &owner->pi_lock);
	}
	clear_flag(lock);
	if (!next.lock)
		return;
	rqpi_task_get(owner);
	walk = (struct rqk_walk){
	    .self = self,
	    .task = owner,
	    .orig_lock = lock,
	    .next = next,
	    .top_task = task,
	    .wakes = wakes,
	};
	rqk_unlock(e, &lock->wait_lock);
	(void)rqk_adjust_prio_chain(&walk);
	rqk_lock(e, &lock->wait_lock);
}

int rqk_wait_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock,
			const struct rqpi_deadline *deadline, bool interruptible, int err)
{
	struct rqpi_engine *e = self->engine;

	rqk_lock(e, &lock->wait_lock);
	rqk_trace(e, self, RQPI_EV_SLOWLOCK, lock, self->waiter.task != NULL, 0);
	/*
	 * What can be had is taken, whatever else has happened: success wins over time and
	 * signals.
	 */
	while (!rqk_try_to_take(self, lock, self, &self->waiter) && !err) {
		rqk_unlock(e, &lock->wait_lock);
		err = e->port->block(e->ctx, self, deadline, interruptible);
		rqk_lock(e, &lock->wait_lock);
	}
	if (rqk_rt_owner(lock) == self)
		err = 0;
	clear_flag(lock);
	rqk_trace(e, self, RQPI_EV_SLOWLOCK_DONE, lock, err, 0);
	rqk_unlock(e, &lock->wait_lock);
	return err;
}

bool rqk_cleanup_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	bool left = true;

	rqk_lock(e, &lock->wait_lock);
	/*
	 * Between the failed wait and now it may have been given to us, and it is ours to pass
	 * on.
	 */
	if (rqb_node_linked(&self->waiter.tree) && rqk_try_to_take(self, lock, self, &self->waiter))
		left = false;
	else
		rqk_remove_waiter(self, lock, &self->waiter, &wakes);
	clear_flag(lock);
	rqk_unlock(e, &lock->wait_lock);
	rqk_wake_now(e, self, &wakes);
	return left;
}

/* ---------------------------------------------------------------- giving */

void rqk_unlock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqk_wakes *wakes)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_waiter *top;

	rqk_trace(e, self, RQPI_EV_UNLOCK, lock, rqk_rt_has_flag(lock), 0);
	/* No flag, no waiters: the flag is what this rests on [I2]. */
	if (rqb_cas_bits(&lock->owner, (uintptr_t)self, 0)) {
		rqk_trace(e, self, RQPI_EV_FASTUNLOCK, lock, 0, 0);
		return;
	}
	rqk_assert(e, rqk_rt_owner(lock) == self);
	top = rqk_rt_top(lock);
	if (!top) {
		rqb_store_bits(&lock->owner, 0);
		return;
	}
	rqk_lock(e, &self->pi_lock);
	rqk_dequeue_pi(self, top);
	rqk_adjust_prio(self);
	rqk_unlock(e, &self->pi_lock);
	/* The flag stays, or a newcomer would take the fast path past a more urgent waiter. */
	rqb_store_bits(&lock->owner, RQK_HAS_WAITERS);
	rqk_trace(e, self, RQPI_EV_DESIGNATE, lock, top->task->tid, 0);
	rqk_wake_later(wakes, top->task);
}

/* ---------------------------------------------------------------- for exit_lock and embedders */

int rqk_lock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock,
		const struct rqpi_deadline *deadline, bool interruptible)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	int ret;

	if (rqb_cas_bits(&lock->owner, 0, (uintptr_t)self))
		return 0;
	rqk_lock(e, &lock->wait_lock);
	ret = rqk_start_proxy_lock(self, lock, self, &wakes);
	clear_flag(lock);
	rqk_unlock(e, &lock->wait_lock);
	rqk_wake_now(e, self, &wakes);
	if (ret == 1)
		return 0;
	if (ret == 0)
		ret = rqk_wait_proxy_lock(self, lock, deadline, interruptible, 0);
	return ret && rqk_cleanup_proxy_lock(self, lock) ? ret : 0;
}

void rqk_unlock_rt_mutex(struct rqpi_task *self, struct rqk_rt_mutex *lock)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};

	if (rqb_cas_bits(&lock->owner, (uintptr_t)self, 0))
		return;
	rqk_lock(e, &lock->wait_lock);
	rqk_unlock_rt(self, lock, &wakes);
	rqk_unlock(e, &lock->wait_lock);
	rqk_wake_now(e, self, &wakes);
	rqk_settle_prio(self);
}

static struct rqk_rt_mutex *lock_of(struct rqpi_rt_mutex *mutex)
{
	return (struct rqk_rt_mutex *)mutex->opaque;
}

void rqpi_rt_mutex_init(struct rqpi_rt_mutex *mutex)
{
	rqk_rt_mutex_init(lock_of(mutex), NULL);
}

static const struct rqpi_deadline forever = {.ns = RQPI_FOREVER, .clock = RQPI_CLOCK_MONOTONIC};

int rqpi_rt_mutex_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex)
{
	return rqk_lock_rt(self, lock_of(mutex), &forever, false);
}

int rqpi_rt_mutex_timedlock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex,
			    const struct rqpi_deadline *deadline)
{
	return rqk_lock_rt(self, lock_of(mutex), deadline ? deadline : &forever, true);
}

bool rqpi_rt_mutex_trylock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex)
{
	struct rqk_rt_mutex *lock = lock_of(mutex);
	bool taken;

	if (rqb_cas_bits(&lock->owner, 0, (uintptr_t)self))
		return true;
	rqk_lock(self->engine, &lock->wait_lock);
	taken = rqk_trylock_rt(self, lock);
	rqk_unlock(self->engine, &lock->wait_lock);
	return taken;
}

void rqpi_rt_mutex_unlock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex)
{
	rqk_unlock_rt_mutex(self, lock_of(mutex));
}

struct rqpi_task *rqpi_rt_mutex_owner(const struct rqpi_rt_mutex *mutex)
{
	return rqk_rt_owner((const struct rqk_rt_mutex *)mutex->opaque);
}

int rqpi_rt_mutex_start_proxy_lock(struct rqpi_rt_mutex *mutex, struct rqpi_task *task)
{
	struct rqk_rt_mutex *lock = lock_of(mutex);
	struct rqpi_engine *e = task->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	int ret;

	rqk_lock(e, &lock->wait_lock);
	ret = rqk_start_proxy_lock(task, lock, task, &wakes);
	if (ret < 0)
		rqk_remove_waiter(task, lock, &task->waiter, &wakes);
	else
		rqk_wake_if_next(lock, task, &wakes);
	rqk_unlock(e, &lock->wait_lock);
	rqk_wake_now(e, task, &wakes);
	return ret;
}

int rqpi_rt_mutex_wait_proxy_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex,
				  const struct rqpi_deadline *deadline)
{
	return rqk_wait_proxy_lock(self, lock_of(mutex), deadline ? deadline : &forever, true, 0);
}

bool rqpi_rt_mutex_cleanup_proxy_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex)
{
	return rqk_cleanup_proxy_lock(self, lock_of(mutex));
}
