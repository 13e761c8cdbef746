/* SPDX-License-Identifier: MIT */
/*
 * waitwake.c - WAIT, WAKE, their bitset forms, and WAKE_OP: the futex without priority inheritance.
 *
 * Called by dispatch.c. Rules: rqk.h [I10], struct rqk_bucket for why no wake-up is lost.
 */
#include "src/engine/rqk.h"

int rqk_read_word(struct rqpi_engine *e, uint32_t *uaddr, uint32_t *val)
{
	/* UNLOCK_PI looks at the word before it looks at the address. */
	if ((uintptr_t)uaddr % sizeof(*uaddr))
		return e->port->copy_in(e->ctx, val, uaddr, sizeof(*val));
	while (e->port->load(e->ctx, uaddr, val)) {
		int ret = e->port->fault_in(e->ctx, uaddr, false);

		if (ret)
			return ret;
	}
	return 0;
}

/* ---------------------------------------------------------------- WAIT */

long rqk_wait_setup(struct rqpi_task *self, const struct rqk_call *call)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_bucket *hb = rqk_bucket(e, &self->q.key);
	uint32_t uval;
	int ret;

	for (;;) {
		rqk_bucket_expect(hb);
		rqk_lock(e, &hb->lock);
		ret = e->port->load(e->ctx, call->uaddr, &uval);
		if (!ret)
			break;
		rqk_bucket_unexpect(hb);
		rqk_unlock(e, &hb->lock);
		ret = rqk_read_word(e, call->uaddr, &uval);
		if (ret)
			return ret;
	}
	if (uval != call->val) {
		rqk_bucket_unexpect(hb);
		rqk_unlock(e, &hb->lock);
		return -RQPI_EAGAIN;
	}
	/* Its own priority, unboosted, and as it is now. */
	rqpi_task_prio(self, &self->q.prio, NULL);
	rqk_queue(hb, &self->q);
	rqk_unlock(e, &hb->lock);
	return 0;
}

RQK_UNCHECKED bool rqk_leave(struct rqpi_task *self)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_bucket *hb = rqk_lock_bucket_of(e, &self->q);

	if (!hb)
		return false;
	rqk_unqueue(hb, &self->q);
	rqk_unlock(e, &hb->lock);
	return true;
}

long rqk_wait(struct rqpi_task *self, const struct rqk_call *call, uint32_t bitset)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_futex_q *q = &self->q;
	long ret;

	if (!bitset)
		return -RQPI_EINVAL;
	ret = rqk_key(self, call->uaddr, call->shared, false, &q->key);
	if (ret)
		return ret;
	q->kind = RQK_PLAIN;
	q->bitset = bitset;
	q->pi_state = NULL;
	ret = rqk_wait_setup(self, call);
	if (ret)
		return ret;
	while (rqk_queued(q) && !ret)
		ret = e->port->block(e->ctx, self, &call->deadline, true);
	if (!ret || !rqk_leave(self))
		return 0;
	if (ret == -RQPI_EINTR)
		return call->has_deadline ? -RQPI_EINTR : -RQPI_ERESTARTSYS;
	return ret;
}

/* ---------------------------------------------------------------- WAKE */

void rqk_wake_q(struct rqk_bucket *hb, struct rqk_futex_q *q, struct rqk_wakes *wakes)
{
	struct rqpi_task *task = rqk_q_task(q);

	/*
	 * First the reference: once unqueued, the task may return and end. Then what it sleeps for:
	 * rqk_wake_later() may leave the wake-up to somebody else, who is through at any moment.
	 */
	rqpi_task_get(task);
	rqk_unqueue(hb, q);
	rqk_wake_later(wakes, task);
	rqpi_task_put(task);
}

/*
 * Wake up to @nr, at least one. An odd thing, but Linux's: a waiter for a PI futex ends the walk
 * with EINVAL, and those before it stay woken.
 */
static long wake_some(struct rqk_bucket *hb, const struct rqpi_key *key, int32_t nr,
		      uint32_t bitset, struct rqk_wakes *wakes) RQK_REQUIRES(hb->lock)
{
	struct rqk_futex_q *q = rqk_first(hb, key);
	struct rqk_futex_q *next;
	long woken = 0;

	for (; q; q = next) {
		next = rqk_next(q);
		if (q->kind != RQK_PLAIN)
			return -RQPI_EINVAL;
		if (!(q->bitset & bitset))
			continue;
		rqk_wake_q(hb, q, wakes);
		if (++woken >= nr)
			break;
	}
	return woken;
}

long rqk_wake(struct rqpi_task *self, const struct rqk_call *call, uint32_t bitset)
{
	struct rqpi_engine *e = self->engine;
	struct rqk_wakes wakes = {NULL, NULL};
	struct rqk_bucket *hb;
	struct rqpi_key key;
	long ret;

	if (!bitset)
		return -RQPI_EINVAL;
	ret = rqk_key(self, call->uaddr, call->shared, false, &key);
	if (ret)
		return ret;
	hb = rqk_bucket(e, &key);
	/* A read-modify-write: the program's store to the word, of whatever order, comes first. */
	if (!rqb_add(&hb->waiters, 0))
		return 0;
	rqk_lock(e, &hb->lock);
	ret = wake_some(hb, &key, (int32_t)call->val, bitset, &wakes);
	rqk_unlock(e, &hb->lock);
	rqk_wake_now(e, self, &wakes);
	return ret;
}

void rqk_wake_one_shared(struct rqpi_task *self, uint32_t *uaddr)
{
	struct rqk_call call = {.uaddr = uaddr, .val = 1, .shared = true};

	(void)rqk_wake(self, &call, UINT32_MAX);
}

/* ---------------------------------------------------------------- WAKE_OP */

/*
 * The encoded operation of WAKE_OP: four bits of what, four of compare, two signed 12-bit
 * numbers.
 */
struct wake_op {
	uint32_t op;
	uint32_t cmp;
	int32_t oparg;
	int32_t cmparg;
};

static int32_t sign_extend_12(uint32_t bits)
{
	return (int32_t)((bits & 0xfff) ^ 0x800) - 0x800;
}

static struct wake_op decode_wake_op(uint32_t code)
{
	struct wake_op w = {
	    .op = (code >> 28) & 7,
	    .cmp = (code >> 24) & 15,
	    .oparg = sign_extend_12(code >> 12),
	    .cmparg = sign_extend_12(code),
	};

	if (code >> 31) /* the argument counts bits; Linux takes it modulo 32 */
		w.oparg = (int32_t)(1u << ((uint32_t)w.oparg & 31));
	return w;
}

static int new_value(const struct wake_op *w, uint32_t old, uint32_t *new)
{
	uint32_t arg = (uint32_t)w->oparg;

	switch (w->op) {
	case 0:
		*new = arg;
		return 0;
	case 1:
		*new = old + arg;
		return 0;
	case 2:
		*new = old | arg;
		return 0;
	case 3:
		*new = old & ~arg;
		return 0;
	case 4:
		*new = old ^ arg;
		return 0;
	default:
		return -RQPI_ENOSYS;
	}
}

static int compare(const struct wake_op *w, uint32_t old)
{
	int32_t val = (int32_t)old;

	switch (w->cmp) {
	case 0:
		return val == w->cmparg;
	case 1:
		return val != w->cmparg;
	case 2:
		return val < w->cmparg;
	case 3:
		return val <= w->cmparg;
	case 4:
		return val > w->cmparg;
	case 5:
		return val >= w->cmparg;
	default:
		return -RQPI_ENOSYS;
	}
}

/* Do it to @uaddr. 1, 0: the old value compared so; -EFAULT; -ENOSYS. */
static int do_wake_op(struct rqpi_engine *e, uint32_t *uaddr, const struct wake_op *w)
{
	uint32_t old;
	uint32_t new;
	uint32_t seen;
	int ret = new_value(w, 0, &new); /* an operation that there is not needs no word */

	if (!ret)
		ret = e->port->load(e->ctx, uaddr, &old);
	while (!ret) {
		ret = new_value(w, old, &new);
		if (ret)
			return ret;
		ret = e->port->cmpxchg(e->ctx, uaddr, old, new, &seen);
		if (!ret && seen == old)
			return compare(w, old);
		old = seen;
	}
	return ret;
}

long rqk_wake_op(struct rqpi_task *self, const struct rqk_call *call)
{
	struct rqpi_engine *e = self->engine;
	struct wake_op w = decode_wake_op(call->val3);
	struct rqk_wakes wakes = {NULL, NULL};
	struct rqk_bucket *hb1;
	struct rqk_bucket *hb2;
	struct rqpi_key key1;
	struct rqpi_key key2;
	long ret = rqk_key(self, call->uaddr, call->shared, false, &key1);
	long more;
	int op;

	if (!ret)
		ret = rqk_key(self, call->uaddr2, call->shared, true, &key2);
	if (ret)
		return ret;
	hb1 = rqk_bucket(e, &key1);
	hb2 = rqk_bucket(e, &key2);
	for (;;) {
		rqk_lock_two(e, hb1, hb2);
		op = do_wake_op(e, call->uaddr2, &w);
		if (op != -RQPI_EFAULT)
			break;
		rqk_unlock_two(e, hb1, hb2);
		ret = e->port->fault_in(e->ctx, call->uaddr2, true);
		if (ret)
			return ret;
	}
	ret = op;
	if (op >= 0)
		ret = wake_some(hb1, &key1, (int32_t)call->val, UINT32_MAX, &wakes);
	if (op > 0 && ret >= 0) {
		more = wake_some(hb2, &key2, (int32_t)call->val2, UINT32_MAX, &wakes);
		ret = more < 0 ? more : ret + more;
	}
	rqk_unlock_two(e, hb1, hb2);
	rqk_wake_now(e, self, &wakes);
	return ret;
}
