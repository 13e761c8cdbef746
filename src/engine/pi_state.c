/* SPDX-License-Identifier: MIT */
/*
 * pi_state.c - the kernel's side of a contended PI futex: found, made, joined, left, passed on.
 *
 * Called by pi.c, requeue.c and exit.c. Rules: rqk.h [I7, I8, I9].
 */
#include "src/engine/rqk.h"

/* ---------------------------------------------------------------- whose it is */

static void link_owned(struct rqk_pi_state *ps, struct rqpi_task *owner)
    RQK_REQUIRES(owner->pi_lock)
{
	ps->owner = owner;
	ps->next = owner->pi_states;
	ps->prev = &owner->pi_states;
	if (ps->next)
		ps->next->prev = &ps->next;
	owner->pi_states = ps;
}

static void unlink_owned(struct rqk_pi_state *ps, struct rqpi_task *owner)
    RQK_REQUIRES(owner->pi_lock)
{
	rqk_assert(owner->engine, ps->owner == owner);
	*ps->prev = ps->next;
	if (ps->next)
		ps->next->prev = ps->prev;
	ps->owner = NULL;
}

void rqk_set_pi_owner(struct rqk_pi_state *ps, struct rqpi_task *owner)
{
	struct rqpi_task *old = ps->owner;

	if (old == owner)
		return;
	if (old) {
		rqk_lock(old->engine, &old->pi_lock);
		unlink_owned(ps, old);
		rqk_unlock(old->engine, &old->pi_lock);
	}
	if (owner) {
		rqk_lock(owner->engine, &owner->pi_lock);
		link_owned(ps, owner);
		rqk_unlock(owner->engine, &owner->pi_lock);
	}
}

/* ---------------------------------------------------------------- who is attached */

void rqk_attach(struct rqk_futex_q *q, struct rqk_pi_state *ps)
{
	struct rqpi_task *task = rqk_q_task(q);
	struct rqk_pi_state *lent = task->spare;

	task->spare = NULL;
	if (lent != ps) {
		lent->next_spare = ps->spares;
		ps->spares = lent;
	}
	ps->refs++;
	q->pi_state = ps;
}

/*
 * The last one leaves and takes @ps along. If the owner is exiting and has just picked @ps as the
 * next one to deal with, it has no lock on it yet: then the owner gets @ps for its own spare,
 * which nobody will free under it, and we take the one it had.
 */
static struct rqk_pi_state *retire(struct rqk_pi_state *ps)
{
	struct rqk_pi_state *spare = ps;
	struct rqpi_task *owner = ps->owner;

	if (!owner)
		return ps;
	rqk_lock(owner->engine, &owner->pi_lock);
	unlink_owned(ps, owner);
	if (owner->exit_state == ps) {
		spare = owner->spare;
		owner->spare = ps;
		owner->exit_state = NULL;
	}
	rqk_unlock(owner->engine, &owner->pi_lock);
	return spare;
}

/* With the bucket of the PI state's key locked. */
void rqk_detach(struct rqk_futex_q *q)
{
	struct rqk_pi_state *ps = q->pi_state;
	struct rqpi_task *task = rqk_q_task(q);

	q->pi_state = NULL;
	if (--ps->refs) {
		task->spare = ps->spares;
		ps->spares = ps->spares->next_spare;
		return;
	}
	rqk_lock(task->engine, &ps->lock.wait_lock);
	task->spare = retire(ps);
	rqk_unlock(task->engine, &ps->lock.wait_lock);
}

/* ---------------------------------------------------------------- lookup_pi_state */

/*
 * May somebody who found @uval in the word wait for @ps? The word and the kernel must agree about
 * the owner:
 *
 *   TID in the word   OWNER_DIED   ps->owner
 *   its TID           any          set          yes
 *   0                 set          any          yes: it died, or is dying, and said so
 *   0                 not set      any          no: user space took the TID away
 *   another           any          set          no
 *   any but 0         set          none         no
 *   any               not set      none         no
 */
static bool word_agrees(const struct rqk_pi_state *ps, uint32_t uval)
{
	uint32_t tid = rqb_word_tid(uval);

	if (ps->owner && tid == ps->owner->tid)
		return true;
	return tid == 0 && rqb_word_owner_died(uval);
}

int rqk_attach_to_pi_state(struct rqk_pi_target *t, uint32_t uval, struct rqk_pi_state *ps)
{
	struct rqpi_engine *e = t->self->engine;
	uint32_t now;
	bool agrees;
	int ret;

	/* A waiter that is not attached to anything waits for no PI futex: a misuse of the word. */
	if (!ps)
		return -RQPI_EINVAL;
	/*
	 * The owner that exits changes the word before it changes ps->owner, with wait_lock but
	 * without the bucket, so the two are compared under wait_lock, and with the word as it is
	 * now.
	 */
	rqk_lock(e, &ps->lock.wait_lock);
	ret = e->port->load(e->ctx, t->uaddr, &now);
	agrees = word_agrees(ps, uval);
	rqk_unlock(e, &ps->lock.wait_lock);
	if (!ret && now != uval)
		ret = -RQPI_EAGAIN;
	if (!ret && !agrees)
		ret = -RQPI_EINVAL;
	if (ret) {
		rqk_trace(e, t->self, RQPI_EV_LOOKUP_REFUSED, &ps->lock, ret, uval);
		return ret;
	}
	rqk_attach(&t->task->q, ps);
	rqk_trace(e, t->self, RQPI_EV_LOOKUP_FOUND, &ps->lock, ps->owner ? ps->owner->tid : 0, 0);
	return 0;
}

/* A new PI state, lent by @t->task, whose rt_mutex @owner has. With @owner's pi_lock held. */
static void make_state(struct rqk_pi_target *t, struct rqpi_task *owner)
    RQK_REQUIRES(owner->pi_lock)
{
	struct rqk_pi_state *ps = t->task->spare;

	/* wait_lock is left alone: a walk that comes late may still look at it. */
	rqk_assert(owner->engine, ps != NULL);
	rqb_store_bits(&ps->lock.owner, (uintptr_t)owner);
	rqk_assert(owner->engine, rqb_tree_empty(&ps->lock.waiters));
	ps->spares = NULL;
	ps->refs = 0;
	ps->key = t->key;
	link_owned(ps, owner);
	rqk_attach(&t->task->q, ps);
	rqk_trace(owner->engine, t->self, RQPI_EV_LOOKUP_NEW, &ps->lock, owner->tid, 0);
}

void rqk_attach_new(struct rqk_pi_target *t, struct rqpi_task *owner)
{
	rqk_lock(owner->engine, &owner->pi_lock);
	make_state(t, owner);
	rqk_unlock(owner->engine, &owner->pi_lock);
}

/*
 * No such task, or it is done with its exit. If it has left its mark meanwhile, the word has
 * changed.
 */
static int owner_is_gone(struct rqk_pi_target *t, uint32_t uval)
{
	struct rqpi_engine *e = t->self->engine;
	uint32_t now;
	int ret = e->port->load(e->ctx, t->uaddr, &now);

	if (!ret)
		ret = now == uval ? -RQPI_ESRCH : -RQPI_EAGAIN;
	return ret;
}

int rqk_attach_to_pi_owner(struct rqk_pi_target *t, uint32_t uval)
{
	struct rqpi_engine *e = t->self->engine;
	struct rqpi_task *owner = e->port->find_task(e->ctx, t->self, rqb_word_tid(uval));
	bool foreign;
	int ret = 0;

	if (!owner) {
		ret = owner_is_gone(t, uval);
		rqk_trace(e, t->self, RQPI_EV_LOOKUP_REFUSED, 0, ret, uval);
		return ret;
	}
	rqk_lock(e, &owner->pi_lock);
	foreign = t->key.shared == RQPI_KEY_PRIVATE && owner->space != t->key.object;
	if (owner->kernel || foreign)
		ret = -RQPI_EPERM;
	else if (owner->life == RQK_EXITING)
		ret = -RQPI_EBUSY;
	else if (owner->life == RQK_DEAD)
		ret = -RQPI_ESRCH;
	else
		make_state(t, owner);
	rqk_unlock(e, &owner->pi_lock);
	if (ret == -RQPI_ESRCH)
		ret = owner_is_gone(t, uval);
	if (ret)
		rqk_trace(e, t->self, RQPI_EV_LOOKUP_REFUSED, 0, ret, uval);
	if (ret == -RQPI_EBUSY)
		t->exiting = owner;
	else
		rqpi_task_put(owner);
	return ret;
}
