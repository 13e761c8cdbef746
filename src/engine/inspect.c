/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - the invariants of rqk.h as code, and the state of an engine in words.
 *
 * Called by tests, checkers and debuggers, never by an operation. Takes the locks that guard what
 * it looks at, in the engine's order, and so sees each object at rest.
 */
#include "src/engine/rqk.h"
#include "src/engine/text.h"

struct check {
	struct rqpi_engine *e;
	struct rqpi_task *self;
	rqpi_print *print;
	void *arg;
	unsigned int broken;
};

/* "I2 broken: waiters without HAS_WAITERS (tid 12, at 7f00...)" */
static void expect(struct check *c, bool holds, const char *what, uint32_t tid, const void *at)
{
	char line[160];
	struct rqk_text text = {.at = line, .end = line + sizeof(line) - 1};

	if (holds)
		return;
	c->broken++;
	if (!c->print)
		return;
	rqk_put_string(&text, "broken: ");
	rqk_put_string(&text, what);
	rqk_put_string(&text, " (tid ");
	rqk_put_number(&text, tid, 10);
	rqk_put_string(&text, ", at ");
	rqk_put_number(&text, (uintptr_t)at, 16);
	rqk_put_string(&text, ")");
	*text.at = '\0';
	c->print(c->arg, line);
}

/* ---------------------------------------------------------------- one rt_mutex, wait_lock held */

static bool more_urgent(const struct rqb_node *a, const struct rqb_node *b)
{
	return rqk_prio_before(&rqb_entry(a, struct rqk_waiter, tree)->prio,
			       &rqb_entry(b, struct rqk_waiter, tree)->prio);
}

static bool more_urgent_pi(const struct rqb_node *a, const struct rqb_node *b)
{
	return rqk_prio_before(&rqb_entry(a, struct rqk_waiter, pi)->pi_prio,
			       &rqb_entry(b, struct rqk_waiter, pi)->pi_prio);
}

/* By the levels that locks know: a nice value is inherited only when a waiter comes. */
static bool inherits_right(const struct rqpi_task *task)
{
	const struct rqk_waiter *top = rqk_top_pi_waiter(task);
	const struct rqpi_prio *best = &task->own;

	if (top && rqk_prio_before(&top->pi_prio, best))
		best = &top->pi_prio;
	return rqk_prio_equal(&task->eff, best) &&
	       rqb_tree_valid(&task->pi_waiters, more_urgent_pi);
}

static void check_waiter(struct check *c, struct rqk_rt_mutex *lock, struct rqk_waiter *waiter)
{
	struct rqpi_task *task = waiter->task;
	bool is_top = rqk_rt_top(lock) == waiter;
	bool has_owner = rqk_rt_owner(lock) != NULL;

	expect(c, task != NULL, "I5 a queued waiter has no task", 0, waiter);
	expect(c, waiter->lock == lock, "I5 a queued waiter names another lock", 0, waiter);
	expect(c, rqb_node_linked(&waiter->pi) == (is_top && has_owner),
	       "I4 the owner's pi_waiters are not the top waiters", task ? task->tid : 0, waiter);
	if (!task)
		return;
	rqk_lock(c->e, &task->pi_lock);
	expect(c, task->blocked_on == waiter, "I5 blocked_on is not its waiter", task->tid, task);
	expect(c, inherits_right(task), "I3 the effective priority is not the right one", task->tid,
	       task);
	rqk_unlock(c->e, &task->pi_lock);
}

static void check_rt_mutex(struct check *c, struct rqk_rt_mutex *lock)
{
	struct rqpi_task *owner = rqk_rt_owner(lock);
	struct rqk_waiter *top = rqk_rt_top(lock);

	expect(c, !top || rqk_rt_has_flag(lock), "I2 waiters without HAS_WAITERS",
	       top && top->task ? top->task->tid : 0, lock);
	expect(c, rqb_tree_valid(&lock->waiters, more_urgent), "I6 the queue is out of order", 0,
	       lock);
	for (struct rqb_node *n = rqb_tree_first(&lock->waiters); n; n = rqb_tree_next(n))
		check_waiter(c, lock, rqb_entry(n, struct rqk_waiter, tree));
	if (!owner)
		return;
	rqk_lock(c->e, &owner->pi_lock);
	expect(c, inherits_right(owner), "I3 the effective priority is not the right one",
	       owner->tid, owner);
	rqk_unlock(c->e, &owner->pi_lock);
}

/* ---------------------------------------------------------------- one PI state, bucket held */

static bool is_waiter_of(const struct rqk_rt_mutex *lock, const struct rqpi_task *task)
{
	for (struct rqb_node *n = rqb_tree_first(&lock->waiters); n; n = rqb_tree_next(n))
		if (rqb_entry(n, struct rqk_waiter, tree)->task == task)
			return true;
	return false;
}

static uint32_t count_spares(const struct rqk_pi_state *ps)
{
	uint32_t n = 0;

	for (const struct rqk_pi_state *s = ps->spares; s; s = s->next_spare)
		n++;
	return n;
}

/* Its exit writes the words of its robust list, and only then gives its PI states away. */
static bool is_ending(struct check *c, struct rqpi_task *task)
{
	bool ending;

	rqk_lock(c->e, &task->pi_lock);
	ending = task->life == RQK_EXITING;
	rqk_unlock(c->e, &task->pi_lock);
	return ending;
}

/* Who begins to end says so before it writes any word: the word is read first, then that. */
static void check_word(struct check *c, const struct rqk_pi_state *ps)
{
	uint32_t uval;

	if (!c->self || ps->key.shared != RQPI_KEY_PRIVATE || ps->key.object != c->self->space ||
	    !ps->owner || c->e->port->load(c->e->ctx, (uint32_t *)(uintptr_t)ps->key.offset, &uval))
		return;
	if (is_ending(c, ps->owner))
		return;
	expect(c, rqb_word_tid(uval) == ps->owner->tid, "I8 the word does not name the owner",
	       ps->owner->tid, ps);
	expect(c, (uval & RQK_WORD_WAITERS) != 0, "I8 the word has no WAITERS", ps->owner->tid, ps);
}

/* @attached: how many of the queued waiters of its key are attached to it. */
static void check_pi_state(struct check *c, struct rqk_pi_state *ps, uint32_t attached)
{
	struct rqpi_task *owner;
	struct rqk_waiter *top;

	expect(c, ps->refs >= attached, "I9 more waiters than references", 0, ps);
	expect(c, count_spares(ps) + 1 == ps->refs, "I9 spares and references do not match", 0, ps);
	rqk_lock(c->e, &ps->lock.wait_lock);
	owner = rqk_rt_owner(&ps->lock);
	top = rqk_rt_top(&ps->lock);
	/*
	 * With an owner that died, or one that is not named yet, somebody is about to set it
	 * right.
	 */
	if (top && !owner && ps->owner)
		expect(c, is_waiter_of(&ps->lock, ps->owner), "I1 waiters, and nobody owns it",
		       top->task ? top->task->tid : 0, ps);
	if (owner && owner == ps->owner)
		check_word(c, ps);
	check_rt_mutex(c, &ps->lock);
	rqk_unlock(c->e, &ps->lock.wait_lock);
}

/* ---------------------------------------------------------------- one bucket */

static struct rqk_futex_q *q_of(const struct rqb_node *node)
{
	return rqb_entry(node, struct rqk_futex_q, node);
}

static void check_bucket(struct check *c, struct rqk_bucket *hb)
{
	struct rqk_pi_state *ps = NULL;
	uint32_t attached = 0;
	uint32_t queued = 0;

	rqk_lock(c->e, &hb->lock);
	for (struct rqb_node *n = rqb_tree_first(&hb->tree); n; n = rqb_tree_next(n)) {
		struct rqk_futex_q *q = q_of(n);
		uint32_t tid = rqk_q_task(q)->tid;

		queued++;
		expect(c, rqb_load_bits(&q->bucket) == (uintptr_t)hb,
		       "I10 a queued waiter names another bucket", tid, q);
		expect(c, rqk_bucket(c->e, &q->key) == hb, "I10 a waiter in the wrong bucket", tid,
		       q);
		expect(c, (q->kind == RQK_PI) == (q->pi_state != NULL),
		       "I10 kind and pi_state of a waiter do not match", tid, q);
		if (ps && q->pi_state != ps) {
			check_pi_state(c, ps, attached);
			attached = 0;
		}
		ps = q->pi_state;
		attached += ps != NULL;
	}
	if (ps)
		check_pi_state(c, ps, attached);
	expect(c, rqb_load_sc(&hb->waiters) >= queued, "I10 more waiters than expected", 0, hb);
	rqk_unlock(c->e, &hb->lock);
}

/* [I12] */
static void check_idle(struct check *c, struct rqpi_task *task)
{
	expect(c, !rqk_queued(&task->q) && !rqb_node_linked(&task->q.node),
	       "I12 still in a futex queue", task->tid, task);
	expect(c, !task->q.pi_state && task->spare, "I12 still attached, or without a spare",
	       task->tid, task);
	expect(c,
	       !rqb_node_linked(&task->waiter.tree) && !rqb_node_linked(&task->waiter.pi) &&
		   !task->waiter.task,
	       "I12 still a waiter of an rt_mutex", task->tid, task);
	rqk_lock(c->e, &task->pi_lock);
	expect(c, !task->blocked_on, "I12 still blocked on something", task->tid, task);
	expect(c, inherits_right(task), "I3 the effective priority is not the right one", task->tid,
	       task);
	rqk_unlock(c->e, &task->pi_lock);
}

unsigned int rqpi_engine_check(struct rqpi_engine *engine, struct rqpi_task *self,
			       rqpi_print *print, void *arg)
{
	struct check c = {.e = engine, .self = self, .print = print, .arg = arg};

	for (uint32_t i = 0; i <= engine->mask; i++)
		if (rqb_load_sc(&engine->buckets[i].waiters))
			check_bucket(&c, &engine->buckets[i]);
	if (self)
		check_idle(&c, self);
	return c.broken;
}

/* ---------------------------------------------------------------- in words */

static void put_prio(struct rqk_text *o, const struct rqpi_prio *prio)
{
	if (prio->prio < 0) {
		rqk_put_string(o, "deadline");
	} else if (prio->prio < RQPI_PRIO_NICE(-20)) {
		rqk_put_string(o, "real-time ");
		rqk_put_signed(o, RQPI_PRIO_RT(0) - prio->prio);
	} else {
		rqk_put_string(o, "nice ");
		rqk_put_signed(o, prio->prio - RQPI_PRIO_NICE(0));
	}
}

static void put_task(struct rqk_text *o, struct rqpi_task *task)
{
	struct rqpi_prio own;
	struct rqpi_prio eff;

	rqk_put_number(o, task->tid, 10);
	rqpi_task_prio(task, &own, &eff);
	rqk_put_string(o, " (");
	put_prio(o, &own);
	if (own.prio != eff.prio) {
		rqk_put_string(o, ", runs as ");
		put_prio(o, &eff);
	}
	rqk_put_string(o, ")");
}

static void put_key(struct rqk_text *o, const struct rqpi_key *key)
{
	rqk_put_string(o, key->shared == RQPI_KEY_PRIVATE ? "private " : "shared ");
	rqk_put_number(o, key->object, 16);
	rqk_put_string(o, ":");
	rqk_put_number(o, key->offset, 16);
}

/* With its bucket locked. */
static void put_owner(struct rqk_text *o, struct rqpi_engine *e, struct rqk_pi_state *ps)
{
	struct rqpi_task *owner;

	rqk_lock(e, &ps->lock.wait_lock);
	owner = rqk_rt_owner(&ps->lock);
	if (owner) {
		rqk_put_string(o, "owned by ");
		put_task(o, owner);
	} else if (ps->owner) {
		rqk_put_string(o, "being given to ");
		put_task(o, ps->owner);
	} else {
		rqk_put_string(o, "whose owner died");
	}
	rqk_unlock(e, &ps->lock.wait_lock);
}

static void dump_waiter(struct rqpi_engine *e, struct rqk_futex_q *q, rqpi_print *print, void *arg)
{
	static const char *const kinds[] = {
	    [RQK_PLAIN] = " waits on ",
	    [RQK_REQUEUE_PI] = " waits to be requeued on ",
	    [RQK_PI] = " waits for the PI futex ",
	};
	char line[240];
	struct rqk_text o = {.at = line, .end = line + sizeof(line) - 1};

	put_task(&o, rqk_q_task(q));
	rqk_put_string(&o, kinds[q->kind]);
	put_key(&o, &q->key);
	if (q->kind == RQK_REQUEUE_PI) {
		rqk_put_string(&o, ", for ");
		put_key(&o, &q->requeue_key);
	} else if (q->pi_state) {
		rqk_put_string(&o, ", ");
		put_owner(&o, e, q->pi_state);
	}
	*o.at = '\0';
	print(arg, line);
}

void rqpi_engine_dump(struct rqpi_engine *engine, rqpi_print *print, void *arg)
{
	for (uint32_t i = 0; i <= engine->mask; i++) {
		struct rqk_bucket *hb = &engine->buckets[i];

		if (!rqb_load_sc(&hb->waiters))
			continue;
		rqk_lock(engine, &hb->lock);
		for (struct rqb_node *n = rqb_tree_first(&hb->tree); n; n = rqb_tree_next(n))
			dump_waiter(engine, q_of(n), print, arg);
		rqk_unlock(engine, &hb->lock);
	}
}
