/* SPDX-License-Identifier: MIT */
/*
 * pi.c - LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI, and the repair of a word that no longer names
 * the owner.
 *
 * Called by dispatch.c; rqk_lock_pi_atomic() and rqk_fixup_owner() also by requeue.c. Rules:
 * rqk.h [I7, I8].
 */
#include "src/engine/rqk.h"

/* ---------------------------------------------------------------- acquiring the word */

/* The word from @old to @new, or -EAGAIN if it is not @old any more. */
static int change_word(struct rqpi_engine *e, uint32_t *uaddr, uint32_t old, uint32_t new)
{
	uint32_t seen;
	int ret = e->port->cmpxchg(e->ctx, uaddr, old, new, &seen);

	if (!ret && seen != old)
		ret = -RQPI_EAGAIN;
	return ret;
}

/* Nobody owns it, nobody waits: the word is all there is. */
static int take_free_word(struct rqk_pi_target *t, uint32_t uval)
{
	/* OWNER_DIED stays for the new owner to see; WAITERS means nothing without any. */
	uint32_t new = (uval & RQK_WORD_OWNER_DIED) | t->task->tid;
	int ret;

	if (t->set_waiters)
		new |= RQK_WORD_WAITERS;
	ret = change_word(t->self->engine, t->uaddr, uval, new);
	return ret ? ret : 1;
}

static int acquire(struct rqk_pi_target *t) RQK_REQUIRES(t->hb->lock)
{
	struct rqpi_engine *e = t->self->engine;
	struct rqk_futex_q *top;
	uint32_t uval;
	int ret = e->port->load(e->ctx, t->uaddr, &uval);

	if (ret)
		return ret;
	if (rqb_word_tid(uval) == t->task->tid)
		return -RQPI_EDEADLK;
	top = rqk_first(t->hb, &t->key);
	if (top)
		return rqk_attach_to_pi_state(t, uval, top->pi_state);
	if (rqb_word_tid(uval) == 0)
		return take_free_word(t, uval);
	/*
	 * First WAITERS, so that the owner can no longer unlock behind our back, then who that
	 * is. If there is no such task the bit stays, as in Linux.
	 */
	if (!(uval & RQK_WORD_WAITERS)) {
		ret = change_word(e, t->uaddr, uval, uval | RQK_WORD_WAITERS);
		if (ret)
			return ret;
	}
	return rqk_attach_to_pi_owner(t, uval | RQK_WORD_WAITERS);
}

int rqk_lock_pi_atomic(struct rqk_pi_target *t)
{
	int ret = acquire(t);

	rqk_trace(t->self->engine, t->self, RQPI_EV_ATOMIC, t->uaddr, ret, t->task->tid);
	return ret;
}

/*
 * The owner is in its exit: when that is over the word says so. Waiting for its exit_lock lends
 * it our priority, so that it gets there.
 */
void rqk_wait_for_exit(struct rqk_pi_target *t)
{
	static const struct rqpi_deadline forever = {RQPI_FOREVER, RQPI_CLOCK_MONOTONIC};
	struct rqk_rt_mutex *lock = &t->exiting->exit_lock;

	t->self->awaits_exit = t->exiting;
	if (!rqk_lock_rt(t->self, lock, &forever, false))
		rqk_unlock_rt_mutex(t->self, lock);
	t->self->awaits_exit = NULL;
	rqpi_task_put(t->exiting);
	t->exiting = NULL;
}

/* port->block() will not return from there. */
long rqk_abandon_exit(struct rqpi_task *self)
{
	struct rqpi_task *exiting = self->awaits_exit;

	if (!rqk_cleanup_proxy_lock(self, &exiting->exit_lock))
		rqk_unlock_rt_mutex(self, &exiting->exit_lock);
	self->awaits_exit = NULL;
	rqpi_task_put(exiting);
	return -RQPI_ERESTARTNOINTR;
}

/* ---------------------------------------------------------------- fixup_owner */

/* Who is to be named: whoever has the rt_mutex; if nobody, who has been woken to take it. */
static struct rqpi_task *rightful_owner(struct rqk_rt_mutex *lock)
{
	struct rqpi_task *owner = rqk_rt_owner(lock);
	struct rqk_waiter *top = rqk_rt_top(lock);

	if (owner || !top)
		return owner;
	return top->task;
}

/* The word, with all that user space may do to it meanwhile, to @tid; OWNER_DIED survives. */
static int write_owner(struct rqpi_engine *e, uint32_t *uaddr, uint32_t tid, bool died)
{
	uint32_t uval;
	uint32_t new;
	int ret = e->port->load(e->ctx, uaddr, &uval);

	while (!ret) {
		new = (uval & RQK_WORD_OWNER_DIED) | RQK_WORD_WAITERS | tid;
		if (died)
			new |= RQK_WORD_OWNER_DIED;
		ret = change_word(e, uaddr, uval, new);
		if (ret != -RQPI_EAGAIN)
			break;
		ret = e->port->load(e->ctx, uaddr, &uval);
	}
	return ret;
}

/*
 * One try, with wait_lock held. 1: @self owns it; 0: it does not, and all is in order; -EFAULT:
 * the word could not be written. @locked: @self has the rt_mutex.
 */
static int fixup_once(struct rqpi_task *self, uint32_t *uaddr, struct rqk_pi_state *ps, bool locked)
    RQK_REQUIRES(ps->lock.wait_lock)
{
	struct rqpi_engine *e = self->engine;
	struct rqpi_task *new_owner = self;
	uint32_t old_tid = ps->owner ? ps->owner->tid : 0;
	int ret;

	if (locked) {
		if (ps->owner == self)
			return 1;
	} else {
		if (ps->owner != self)
			return 0;
		/*
		 * It was given to us and we did not take it; somebody else did, or nobody yet. In
		 * the second case it is still ours for the taking.
		 */
		if (rqk_trylock_rt(self, &ps->lock))
			return 1;
		new_owner = rightful_owner(&ps->lock);
		rqk_assert(e, new_owner);
	}
	ret = self->no_words ? -RQPI_EFAULT : write_owner(e, uaddr, new_owner->tid, !ps->owner);
	if (ret)
		return ret;
	rqk_trace(e, self, RQPI_EV_FIXUP, uaddr, old_tid, new_owner->tid);
	rqk_set_pi_owner(ps, new_owner);
	return locked;
}

/*
 * The thief has the rt_mutex, the word still names the waiter that was to have it:
 *
 *   owner           woken waiter              thief (strictly more urgent)
 *   unlocks to
 *   the waiter
 *                                             takes the rt_mutex
 *                   its time runs out
 *                   fixup: names the thief    fixup: names itself
 *
 * in either order, both under wait_lock and the bucket. If the word faults both are let go, and
 * everything is looked at again afterwards.
 */
RQK_UNCHECKED int rqk_fixup_owner(struct rqpi_task *self, uint32_t *uaddr, struct rqk_bucket *hb,
				  bool locked)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_pi_state *ps = self->q.pi_state;
	int ret;

	for (;;) {
		rqk_lock(e, &ps->lock.wait_lock);
		ret = fixup_once(self, uaddr, ps, locked);
		if (ret != -RQPI_EFAULT)
			break;
		rqk_unlock(e, &ps->lock.wait_lock);
		rqk_unlock(e, &hb->lock);
		ret = self->no_words ? ret : e->port->fault_in(e->ctx, uaddr, true);
		rqk_lock(e, &hb->lock);
		if (!ret)
			continue;
		/*
		 * It cannot be written. What the kernel knows must hold together all the same:
		 * whoever has the rt_mutex owns the PI state, and passes it on when it exits. But
		 * if it is only we who have no words any more, whoever takes the rt_mutex can
		 * write this one: it does so if the PI state is not its own yet.
		 */
		rqk_lock(e, &ps->lock.wait_lock);
		rqk_set_pi_owner(ps, self->no_words && !locked ? NULL : rightful_owner(&ps->lock));
		break;
	}
	rqk_unlock(e, &ps->lock.wait_lock);
	return ret;
}

/* ---------------------------------------------------------------- LOCK_PI, TRYLOCK_PI */

/* @self is attached: wait for the rt_mutex. @hb is locked on entry and on return. */
static RQK_UNCHECKED long wait_for_lock(struct rqk_pi_target *t, const struct rqk_call *call,
					bool try)
{
	struct rqpi_task *self = t->self;
	struct rqpi_engine *e = self->engine;
	struct rqk_rt_mutex *lock = &self->q.pi_state->lock;
	struct rqk_wakes wakes = {NULL, NULL};
	int ret;

	rqpi_task_prio(self, &self->q.prio, NULL);
	self->q.key = t->key;
	self->q.kind = RQK_PI;
	rqk_queue(t->hb, &self->q);
	rqk_lock(e, &lock->wait_lock);
	if (try) {
		ret = rqk_trylock_rt(self, lock) ? 0 : -RQPI_EAGAIN;
		rqk_unlock(e, &lock->wait_lock);
		return ret;
	}
	/*
	 * In the bucket and on the rt_mutex in one step, as an unlock sees it: it takes the
	 * bucket.
	 */
	rqk_unlock(e, &t->hb->lock);
	ret = rqk_start_proxy_lock(self, lock, self, &wakes);
	rqk_unlock(e, &lock->wait_lock);
	rqk_wake_now(e, self, &wakes);
	if (ret == 0)
		ret = rqk_wait_proxy_lock(self, lock, &call->deadline, true, 0);
	rqk_lock(e, &t->hb->lock);
	return ret;
}

/* The wait is over: @ret is >= 0 if it ended with the rt_mutex. Leave everything in order. */
static long finish_lock(struct rqpi_task *self, struct rqk_bucket *hb, long ret)
    RQK_REQUIRES(hb->lock)
{
	int fixed;

	if (ret > 0 || (ret < 0 && !rqk_cleanup_proxy_lock(self, &self->q.pi_state->lock)))
		ret = 0;
	fixed = rqk_fixup_owner(self, self->pi_word, hb, ret == 0);
	if (fixed)
		ret = fixed < 0 ? fixed : 0;
	if (rqk_queued(&self->q)) /* else an unlock has found us leaving */
		rqk_unqueue(hb, &self->q);
	rqk_detach(&self->q);
	return ret == -RQPI_EINTR ? -RQPI_ERESTARTNOINTR : ret;
}

static RQK_UNCHECKED long lock_pi_attached(struct rqk_pi_target *t, const struct rqk_call *call,
					   bool try)
{
	struct rqpi_task *self = t->self;
	long ret;

	self->pi_word = call->uaddr;
	ret = wait_for_lock(t, call, try);
	return finish_lock(self, t->hb, ret);
}

/* port->block() will not return: give up, unless the lock turns out to be ours. */
long rqk_abandon_lock(struct rqpi_task *self)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_bucket *hb = rqk_bucket(e, &self->q.key); /* a PI waiter is not moved */
	long ret;

	rqk_lock(e, &hb->lock);
	ret = finish_lock(self, hb, -RQPI_EINTR);
	rqk_unlock(e, &hb->lock);
	return ret;
}

RQK_UNCHECKED long rqk_lock_pi(struct rqpi_task *self, const struct rqk_call *call, bool try)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_pi_target t = {.self = self, .task = self, .uaddr = call->uaddr};
	long ret = rqk_key(self, call->uaddr, call->shared, true, &t.key);

	if (ret)
		return ret;
	t.hb = rqk_bucket(e, &t.key);
	for (;;) {
		rqk_bucket_expect(t.hb);
		rqk_lock(e, &t.hb->lock);
		ret = rqk_lock_pi_atomic(&t);
		if (ret == 0) {
			ret = lock_pi_attached(&t, call, try);
			rqk_unlock(e, &t.hb->lock);
			return ret;
		}
		rqk_bucket_unexpect(t.hb);
		rqk_unlock(e, &t.hb->lock);
		if (ret == -RQPI_EFAULT)
			ret = e->port->fault_in(e->ctx, call->uaddr, true);
		else if (ret == -RQPI_EBUSY)
			rqk_wait_for_exit(&t);
		else if (ret != -RQPI_EAGAIN)
			return ret < 0 ? ret : 0;
		if (ret == -RQPI_EFAULT)
			return ret;
	}
}

/* ---------------------------------------------------------------- UNLOCK_PI */

/*
 * wake_futex_pi(): there are waiters. Name the top one in the word and in the PI state, and wake
 * it. The word was @uval: what the caller saw before the bucket was locked.
 */
static int give_to_top(struct rqpi_task *self, uint32_t *uaddr, uint32_t uval,
		       struct rqk_pi_state *ps, struct rqk_wakes *wakes)
    RQK_REQUIRES(ps->lock.wait_lock)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_waiter *top = rqk_rt_top(&ps->lock);
	uint32_t seen;
	int ret;

	ret = e->port->cmpxchg(e->ctx, uaddr, uval, RQK_WORD_WAITERS | top->task->tid, &seen);
	if (ret)
		return ret;
	if (seen != uval)
		/*
		 * A waiter has set WAITERS between our look and the bucket: once more. Anything
		 * else was done by user space, which has no business with a word that has
		 * waiters.
		 */
		return rqb_word_tid(seen) == uval ? -RQPI_EAGAIN : -RQPI_EINVAL;
	rqk_set_pi_owner(ps, top->task);
	rqk_unlock_rt(self, &ps->lock, wakes);
	return 0;
}

/*
 * There are waiters in the bucket, and none on the rt_mutex: all of them have given up, and are
 * held up by a page that they must write to. They are not waited for; they find themselves
 * unqueued.
 */
static int unlock_behind_leavers(struct rqpi_task *self, uint32_t *uaddr, uint32_t uval,
				 struct rqk_bucket *hb, struct rqk_futex_q *q,
				 struct rqk_pi_state *ps, struct rqk_wakes *wakes)
    RQK_REQUIRES(hb->lock, ps->lock.wait_lock)
{
	int ret = change_word(self->engine, uaddr, uval, 0);

	if (ret)
		return ret;
	while (q) {
		struct rqk_futex_q *next = rqk_next(q);

		if (q->pi_state == ps)
			rqk_unqueue(hb, q);
		q = next;
	}
	rqk_set_pi_owner(ps, NULL);
	rqk_unlock_rt(self, &ps->lock, wakes);
	return 0;
}

/* With the bucket locked. */
static RQK_UNCHECKED int unlock_locked(struct rqpi_task *self, uint32_t *uaddr, uint32_t uval,
				       struct rqk_bucket *hb, struct rqk_futex_q *top,
				       struct rqk_wakes *wakes)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_pi_state *ps;
	int ret;

	if (!top) {
		/*
		 * A change that slipped in is passed on as EAGAIN: the lock is still held, and
		 * user space will be back.
		 */
		return change_word(e, uaddr, uval, 0);
	}
	ps = top->pi_state;
	if (!ps)
		return -RQPI_EINVAL;
	rqk_lock(e, &ps->lock.wait_lock);
	if (ps->owner != self)
		ret = -RQPI_EINVAL;
	else if (rqk_rt_top(&ps->lock))
		ret = give_to_top(self, uaddr, uval, ps, wakes);
	else
		ret = unlock_behind_leavers(self, uaddr, uval, hb, top, ps, wakes);
	rqk_unlock(e, &ps->lock.wait_lock);
	return ret;
}

RQK_UNCHECKED long rqk_unlock_pi(struct rqpi_task *self, const struct rqk_call *call)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	struct rqk_futex_q *top;
	struct rqk_bucket *hb;
	struct rqpi_key key;
	uint32_t uval;
	long ret;

	for (;;) {
		if (!e->port->user_range(e->ctx, call->uaddr))
			return -RQPI_EFAULT;
		ret = rqk_read_word(e, call->uaddr, &uval);
		if (ret)
			return ret;
		if (rqb_word_tid(uval) != self->tid)
			return -RQPI_EPERM;
		ret = rqk_key(self, call->uaddr, call->shared, true, &key);
		if (ret)
			return ret;
		hb = rqk_bucket(e, &key);
		rqk_lock(e, &hb->lock);
		top = rqk_first(hb, &key);
		ret = unlock_locked(self, call->uaddr, uval, hb, top, &wakes);
		rqk_unlock(e, &hb->lock);
		if (ret == -RQPI_EFAULT)
			ret = e->port->fault_in(e->ctx, call->uaddr, true);
		else if (ret != -RQPI_EAGAIN || !top)
			break;
		if (ret == -RQPI_EFAULT)
			return ret;
	}
	rqk_wake_now(e, self, &wakes);
	rqk_settle_prio(self);
	return ret;
}
