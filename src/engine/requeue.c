/* SPDX-License-Identifier: MIT */
/*
 * requeue.c - REQUEUE, CMP_REQUEUE, and what this engine is for: WAIT_REQUEUE_PI and
 * CMP_REQUEUE_PI.
 *
 * Called by dispatch.c. Rules: rqk.h [I1, I2, I8, I11]; the hand-shake is in requeue_state.c;
 * docs/requeue-pi.md follows one broadcast from here through all the files.
 *
 * A waiter of a condition variable sleeps on word 1 and has said that it wants to own word 2.
 * Whoever signals takes word 2 on behalf of the first waiter if it is free, and only then wakes
 * it; all others are put on the rt_mutex of word 2 asleep as they are, and are woken one by one
 * by its unlocks. So that rt_mutex never has waiters and no owner.
 */
#include "src/engine/rqk.h"

/* Both ends of a requeue. */
struct ends {
	struct rqpi_key key1;
	struct rqpi_key key2;
	struct rqk_bucket *hb1;
	struct rqk_bucket *hb2;
};

static long find_ends(struct rqpi_task *self, const struct rqk_call *call, bool write2,
		      struct ends *x)
{
	long ret = rqk_key(self, call->uaddr, call->shared, false, &x->key1);

	if (!ret)
		ret = rqk_key(self, call->uaddr2, call->shared, write2, &x->key2);
	if (ret)
		return ret;
	x->hb1 = rqk_bucket(self->engine, &x->key1);
	x->hb2 = rqk_bucket(self->engine, &x->key2);
	return 0;
}

/*
 * Lock both buckets and compare the first word. -EAGAIN, -EFAULT: nothing is locked, nothing has
 * moved [I11]. The second bucket expects a waiter until all is done: a waker that looks without
 * the lock must not find it empty while one is between the two.
 */
static RQK_UNCHECKED long lock_ends(struct rqpi_task *self, const struct rqk_call *call,
				    const struct ends *x, bool compare)
{
	struct rqpi_engine *e = self->engine;
	uint32_t uval;
	int ret;

	for (;;) {
		rqk_bucket_expect(x->hb2);
		rqk_lock_two(e, x->hb1, x->hb2);
		if (!compare)
			return 0;
		ret = e->port->load(e->ctx, call->uaddr, &uval);
		if (!ret && uval == call->val3)
			return 0;
		rqk_unlock_two(e, x->hb1, x->hb2);
		rqk_bucket_unexpect(x->hb2);
		if (!ret)
			return -RQPI_EAGAIN;
		ret = rqk_read_word(e, call->uaddr, &uval);
		if (ret)
			return ret;
	}
}

static RQK_UNCHECKED void unlock_ends(struct rqpi_task *self, const struct ends *x)
{
	rqk_unlock_two(self->engine, x->hb1, x->hb2);
	rqk_bucket_unexpect(x->hb2);
}

/* ---------------------------------------------------------------- REQUEUE, CMP_REQUEUE */

/* With both buckets locked: wake @nr_wake, move @nr_requeue. How many that were, or -EINVAL. */
static long wake_and_move(const struct ends *x, int32_t nr_wake, int32_t nr_requeue,
			  struct rqk_wakes *wakes) RQK_REQUIRES(x->hb1->lock, x->hb2->lock)
{
	struct rqk_futex_q *q = rqk_first(x->hb1, &x->key1);
	struct rqk_futex_q *next;
	struct rqk_run run = {.key = &x->key2};
	int64_t count = 0;
	long ret = 0;

	for (; q && count < (int64_t)nr_wake + nr_requeue; q = next, count++) {
		next = rqk_next(q);
		if (q->kind != RQK_PLAIN) {
			ret = -RQPI_EINVAL;
			break;
		}
		if (count < nr_wake)
			rqk_wake_q(x->hb1, q, wakes);
		else
			rqk_run_add(x->hb1, x->hb2, &run, q);
	}
	rqk_run_end(x->hb1, x->hb2, &run);
	return ret ? ret : (long)count;
}

RQK_UNCHECKED long rqk_requeue_plain(struct rqpi_task *self, const struct rqk_call *call,
				     bool compare)
{
	int32_t nr_wake = (int32_t)call->val;
	int32_t nr_requeue = (int32_t)call->val2;
	struct rqk_wakes wakes = {NULL, NULL};
	struct ends x;
	long ret;

	if (nr_wake < 0 || nr_requeue < 0)
		return -RQPI_EINVAL;
	ret = find_ends(self, call, false, &x);
	if (!ret)
		ret = lock_ends(self, call, &x, compare);
	if (ret)
		return ret;
	ret = wake_and_move(&x, nr_wake, nr_requeue, &wakes);
	unlock_ends(self, &x);
	rqk_wake_now(self->engine, self, &wakes);
	return ret;
}

/* ---------------------------------------------------------------- CMP_REQUEUE_PI */

/* One CMP_REQUEUE_PI while it has both buckets. */
struct mover {
	struct rqpi_task *self;
	const struct ends *x;
	struct rqk_pi_target t;	       /* the second word */
	struct rqk_pi_state *pi_state; /* of the second word, once it has been found or made */
	struct rqk_futex_q *next;      /* to look at, NULL: no more */
	struct rqk_run run;	       /* those that wait for the second word from now on */
	struct rqk_wakes wakes;
};

/*
 * Waiters sleep, so they are in no cache. What the move of the one after @q will touch is asked for
 * while @q is being moved.
 */
static void fetch_behind(struct rqk_futex_q *q)
{
	struct rqb_node *node = q ? rqb_tree_next(&q->node) : NULL;
	struct rqpi_task *task;

	if (!node)
		return;
	task = rqk_q_task(rqb_entry(node, struct rqk_futex_q, node));
	__builtin_prefetch(&task->q, 1);
	__builtin_prefetch(&task->q.key, 1);
	__builtin_prefetch(&task->pi_lock, 1);
	__builtin_prefetch(&task->eff, 1);
	__builtin_prefetch(&task->waiter, 1);
	__builtin_prefetch(&task->waiter.pi, 1);
}

/*
 * The next waiter that is not just leaving, claimed. NULL: no more. @ret: -EINVAL, it is not for
 * us.
 */
static struct rqk_futex_q *claim_next(struct mover *m, int *ret)
    RQK_REQUIRES(m->x->hb1->lock, m->x->hb2->lock, m->t.hb->lock)
{
	struct rqk_futex_q *q;

	*ret = 0;
	while ((q = m->next)) {
		m->next = rqk_next(q);
		fetch_behind(m->next);
		if (q->kind != RQK_REQUEUE_PI || !rqk_key_equal(&q->requeue_key, &m->x->key2)) {
			*ret = -RQPI_EINVAL;
			return NULL;
		}
		if (rqk_requeue_claim(m->self, q))
			return q;
		/* Off the queue with it, or the next requeuer finds it again (requeue_state.c). */
		rqk_trace(m->self->engine, m->self, RQPI_EV_REQUEUE_SKIPPED, m->t.uaddr,
			  rqk_q_task(q)->tid, 0);
		rqk_unqueue(m->x->hb1, q);
	}
	return NULL;
}

/* The claimed @q owns the second word: let it go. */
static void grant(struct mover *m, struct rqk_futex_q *q)
    RQK_REQUIRES(m->x->hb1->lock, m->x->hb2->lock, m->t.hb->lock)
{
	struct rqpi_task *task = rqk_q_task(q);

	rqk_trace(m->self->engine, m->self, RQPI_EV_REQUEUE_TAKEN, m->t.uaddr, task->tid, 0);
	/* As rqk_wake_q(): with the state it may wake by itself, return and end. */
	rqpi_task_get(task);
	rqk_unqueue(m->x->hb1, q);
	rqk_requeue_finish(m->self, q, RQK_REQUEUE_LOCKED);
	rqk_wake_later(&m->wakes, task);
	rqpi_task_put(task);
}

/*
 * The claimed @q waits for the second word from now on. It may go on at once, as far as the lock
 * of that one's bucket; its queue is changed before we let go of it.
 */
static void move(struct mover *m, struct rqk_futex_q *q)
    RQK_REQUIRES(m->x->hb1->lock, m->x->hb2->lock, m->t.hb->lock)
{
	rqk_trace(m->self->engine, m->self, RQPI_EV_REQUEUE_MOVED, m->t.uaddr, rqk_q_task(q)->tid,
		  0);
	q->kind = RQK_PI;
	rqk_run_add(m->x->hb1, m->x->hb2, &m->run, q);
	rqk_requeue_finish(m->self, q, RQK_REQUEUE_DONE);
}

/*
 * Put the claimed and attached @q on the rt_mutex. 1: it got it; 0: moved; -EDEADLK: as if never
 * touched.
 */
static RQK_UNCHECKED int start_proxy(struct mover *m, struct rqk_futex_q *q)
{
	struct rqpi_engine *e = m->self->engine;
	struct rqpi_task *task = rqk_q_task(q);
	struct rqk_rt_mutex *lock = &q->pi_state->lock;
	int ret;

	rqk_lock(e, &lock->wait_lock);
	ret = rqk_start_proxy_lock(m->self, lock, task, &m->wakes);
	if (ret == 0) {
		move(m, q);
		rqk_wake_if_next(lock, task, &m->wakes);
	} else if (ret < 0) {
		/* The waiter is taken off again, not the task that runs here (CVE-2026-43499). */
		rqk_remove_waiter(m->self, lock, &task->waiter, &m->wakes);
	}
	rqk_unlock(e, &lock->wait_lock);
	if (ret == 1) {
		grant(m, q);
	} else if (ret < 0) {
		rqk_detach(q);
		rqk_requeue_finish(m->self, q, RQK_REQUEUE_NONE);
	}
	return ret;
}

/*
 * futex_proxy_trylock_atomic(): acquire the second word on behalf of the first waiter. 1: granted
 * and woken; 0: it is attached, claimed in @first, and still to be put on the rt_mutex, or there
 * is nobody (@first NULL); else an error, with nothing changed.
 *
 * If others are going to wait, the PI state with the first one as its owner is made before the
 * first one hears of it: it cannot be exiting as long as it has to wait for our bucket.
 */
static int proxy_trylock_atomic(struct mover *m, struct rqk_futex_q **first)
    RQK_REQUIRES(m->x->hb1->lock, m->x->hb2->lock, m->t.hb->lock)
{
	struct rqpi_engine *e = m->self->engine;
	struct rqk_futex_q *q;
	uint32_t uval;
	int ret;

	*first = NULL;
	/* The second word must be there even if nobody waits. */
	ret = e->port->load(e->ctx, m->t.uaddr, &uval);
	if (ret)
		return ret;
	m->next = rqk_first(m->x->hb1, &m->x->key1);
	q = claim_next(m, &ret);
	if (!q)
		return ret;
	m->t.task = rqk_q_task(q);
	ret = rqk_lock_pi_atomic(&m->t);
	if (ret == 1) {
		if (m->t.set_waiters)
			rqk_attach_new(&m->t, m->t.task);
		m->pi_state = q->pi_state;
		grant(m, q);
	} else if (ret == 0) {
		m->pi_state = q->pi_state;
		*first = q;
	} else {
		rqk_requeue_finish(m->self, q, RQK_REQUEUE_NONE);
	}
	return ret;
}

/* With both buckets locked. The number of waiters granted or moved, or an error. */
static long requeue_pi(struct mover *m, int64_t limit)
    RQK_REQUIRES(m->x->hb1->lock, m->x->hb2->lock, m->t.hb->lock)
{
	struct rqk_futex_q *q;
	long count = 0;
	int ret = proxy_trylock_atomic(m, &q);

	if (ret < 0)
		return ret;
	if (ret == 1)
		count++;
	else if (!q)
		return 0;
	for (;;) {
		if (!q) {
			if (count >= limit)
				break;
			q = claim_next(m, &ret);
			if (!q)
				return ret ? ret : count;
			rqk_attach(q, m->pi_state);
		}
		ret = start_proxy(m, q);
		if (ret < 0)
			return ret;
		count++;
		q = NULL;
	}
	return count;
}

RQK_UNCHECKED long rqk_cmp_requeue_pi(struct rqpi_task *self, const struct rqk_call *call)
{
	struct rqpi_engine *e = self->engine;
	int32_t nr_wake = (int32_t)call->val;
	int32_t nr_requeue = (int32_t)call->val2;
	struct ends x;
	struct mover m;
	long ret;

	if (nr_wake < 0 || nr_requeue < 0 || call->uaddr == call->uaddr2 || nr_wake != 1)
		return -RQPI_EINVAL;
	for (;;) {
		ret = find_ends(self, call, true, &x);
		if (!ret && rqk_key_equal(&x.key1, &x.key2))
			ret = -RQPI_EINVAL;
		if (!ret)
			ret = lock_ends(self, call, &x, true);
		if (ret)
			return ret;
		m = (struct mover){.self = self, .x = &x, .run = {.key = &x.key2}};
		m.t = (struct rqk_pi_target){
		    .self = self,
		    .uaddr = call->uaddr2,
		    .key = x.key2,
		    .hb = x.hb2,
		    .set_waiters = nr_requeue > 0,
		};
		ret = requeue_pi(&m, (int64_t)nr_wake + nr_requeue);
		rqk_run_end(x.hb1, x.hb2, &m.run);
		unlock_ends(self, &x);
		rqk_wake_now(e, self, &m.wakes);
		if (ret == -RQPI_EFAULT)
			ret = e->port->fault_in(e->ctx, call->uaddr2, true);
		else if (ret == -RQPI_EBUSY)
			rqk_wait_for_exit(&m.t);
		else if (ret != -RQPI_EAGAIN)
			return ret;
		if (ret == -RQPI_EFAULT)
			return ret;
	}
}

/* ---------------------------------------------------------------- WAIT_REQUEUE_PI */

/*
 * Asleep on the first word: until moved or granted, or until there is a reason to leave, in @err.
 */
static enum rqk_requeue_state sleep_for_requeue(struct rqpi_task *self, const struct rqk_call *call,
						struct rqk_bucket *hb, int *err)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_futex_q *q = &self->q;
	uint32_t state;

	for (;;) {
		state = rqb_load_sc(&q->requeue_state);
		if (state == RQK_REQUEUE_DONE || state == RQK_REQUEUE_LOCKED)
			return state;
		*err = e->port->block(e->ctx, self, &call->deadline, true);
		if (*err)
			return rqk_requeue_leave(self, hb);
	}
}

/* We left before anybody moved us. The requeuer may have taken us off the queue already. */
static RQK_UNCHECKED long leave_early(struct rqpi_task *self, int err)
{
	struct rqk_bucket *hb = rqk_lock_bucket_of(self->engine, &self->q);

	if (hb) {
		rqk_unqueue(hb, &self->q);
		rqk_unlock(self->engine, &hb->lock);
	}
	return err == -RQPI_EINTR ? -RQPI_ERESTARTNOINTR : err;
}

/*
 * The requeuer has acquired it for us. If that was by taking the rt_mutex from a waiter that had
 * been woken for it, the word still names that one. Our q is in no queue, but attached.
 */
static RQK_UNCHECKED long finish_granted(struct rqpi_task *self)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_futex_q *q = &self->q;
	struct rqk_bucket *hb;
	int ret = 0;

	if (!q->pi_state)
		return 0;
	hb = rqk_bucket(e, &q->requeue_key);
	rqk_lock(e, &hb->lock);
	ret = rqk_fixup_owner(self, self->pi_word, hb, true);
	rqk_detach(q);
	rqk_unlock(e, &hb->lock);
	return ret < 0 ? ret : 0;
}

/* We are on the rt_mutex of the second word: wait for it as LOCK_PI does. */
static RQK_UNCHECKED long finish_moved(struct rqpi_task *self, const struct rqpi_deadline *deadline,
				       int err)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_futex_q *q = &self->q;
	struct rqk_rt_mutex *lock = &q->pi_state->lock;
	struct rqk_bucket *hb = rqk_bucket(e, &q->requeue_key);
	int fixed;
	int ret = rqk_wait_proxy_lock(self, lock, deadline, true, err);

	rqk_lock(e, &hb->lock);
	if (ret && !rqk_cleanup_proxy_lock(self, lock))
		ret = 0;
	fixed = rqk_fixup_owner(self, self->pi_word, hb, ret == 0);
	if (fixed)
		ret = fixed < 0 ? fixed : 0;
	if (rqk_queued(q)) /* else an unlock has found us leaving */
		rqk_unqueue(hb, q);
	rqk_detach(q);
	rqk_unlock(e, &hb->lock);
	/* The first word is over; user space looks at its condition and comes again. */
	return ret == -RQPI_EINTR ? -RQPI_EAGAIN : ret;
}

/* @err: why the sleep is over, 0: because of @state. With an @err no @deadline is needed. */
static long finish(struct rqpi_task *self, enum rqk_requeue_state state,
		   const struct rqpi_deadline *deadline, int err)
{
	if (state == RQK_REQUEUE_LOCKED)
		return finish_granted(self);
	if (state == RQK_REQUEUE_DONE)
		return finish_moved(self, deadline, err);
	return leave_early(self, err);
}

/* Two addresses of one futex: refused, but a word that differs comes first, as in Linux. */
static long refuse_same(struct rqpi_task *self, const struct rqk_call *call)
{
	uint32_t uval;
	int ret = rqk_read_word(self->engine, call->uaddr, &uval);

	if (ret)
		return ret;
	return uval == call->val ? -RQPI_EINVAL : -RQPI_EAGAIN;
}

long rqk_wait_requeue_pi(struct rqpi_task *self, const struct rqk_call *call)
{
	struct rqk_futex_q *q = &self->q;
	enum rqk_requeue_state state;
	struct rqk_bucket *hb;
	int err = 0;
	long ret;

	if (call->uaddr == call->uaddr2)
		return -RQPI_EINVAL;
	ret = rqk_key(self, call->uaddr2, call->shared, true, &q->requeue_key);
	if (!ret)
		ret = rqk_key(self, call->uaddr, call->shared, false, &q->key);
	if (ret)
		return ret;
	q->kind = RQK_REQUEUE_PI;
	q->pi_state = NULL;
	rqk_requeue_begin(q);
	if (rqk_key_equal(&q->key, &q->requeue_key))
		return refuse_same(self, call);
	hb = rqk_bucket(self->engine, &q->key);
	ret = rqk_wait_setup(self, call);
	if (ret)
		return ret;
	self->pi_word = call->uaddr2;
	self->slept_in = hb;
	state = sleep_for_requeue(self, call, hb, &err);
	ret = finish(self, state, &call->deadline, err);
	self->slept_in = NULL;
	return ret;
}

/* port->block() will not return: go on from there with whatever has become of us meanwhile. */
long rqk_abandon_requeue(struct rqpi_task *self)
{
	enum rqk_requeue_state state = rqk_requeue_leave(self, self->slept_in);

	return finish(self, state, NULL, -RQPI_EINTR);
}
