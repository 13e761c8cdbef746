/* SPDX-License-Identifier: MIT */
/*
 * bucket.c - the engine itself, and the queues of its hash buckets.
 *
 * Called by all operations. Rules: rqk.h [I10]. A queue is not a thing of its own: the waiters of
 * one key are neighbours in the tree of their bucket, the most urgent first.
 */
#include "src/engine/rqk.h"

RQB_BUILD(sizeof(struct rqpi_task) <= RQPI_TASK_BYTES, "rqpi/engine.h promises a size of a task");
RQB_BUILD(sizeof(struct rqk_pi_state) <= RQPI_PI_STATE_BYTES, "... and of a PI state");
RQB_BUILD(sizeof(struct rqk_rt_mutex) <= RQPI_RT_MUTEX_BYTES, "... and of an rt_mutex");
RQB_BUILD(_Alignof(struct rqpi_task) <= RQPI_OBJECT_ALIGN, "... and an alignment");

#define BUCKETS_MAX (1u << 24)

/* The engine is followed by its buckets. */
#define ENGINE_BYTES                                                    \
	((sizeof(struct rqpi_engine) + sizeof(struct rqk_bucket) - 1) & \
	 ~(sizeof(struct rqk_bucket) - 1))
RQB_BUILD((sizeof(struct rqk_bucket) & (sizeof(struct rqk_bucket) - 1)) == 0,
	  "ENGINE_BYTES rounds up to a power of two");

size_t rqpi_engine_size(uint32_t buckets)
{
	if (!buckets || (buckets & (buckets - 1)) || buckets > BUCKETS_MAX)
		return 0;
	return ENGINE_BYTES + buckets * sizeof(struct rqk_bucket);
}

static bool port_is_whole(const struct rqpi_port *p)
{
	return p && p->lock && p->trylock && p->unlock && p->relax && p->load && p->cmpxchg &&
	       p->fault_in && p->copy_in && p->shared_key && p->user_range && p->block && p->wake &&
	       p->now && p->find_task && p->release && p->set_prio && p->panic;
}

struct rqpi_engine *rqpi_engine_init(void *storage, uint32_t buckets, const struct rqpi_port *port,
				     void *ctx)
{
	struct rqpi_engine *e = storage;

	if (!storage || (uintptr_t)storage % 64 || !rqpi_engine_size(buckets) ||
	    !port_is_whole(port))
		return NULL;
	e->port = port;
	e->ctx = ctx;
	e->mask = buckets - 1;
	e->buckets = (struct rqk_bucket *)((char *)storage + ENGINE_BYTES);
	for (uint32_t i = 0; i < buckets; i++)
		e->buckets[i] = (struct rqk_bucket){.waiters = 0};
	return e;
}

void *rqpi_engine_ctx(const struct rqpi_engine *engine)
{
	return engine->ctx;
}

/* ---------------------------------------------------------------- two locks */

RQK_UNCHECKED void rqk_lock_two(struct rqpi_engine *e, struct rqk_bucket *a, struct rqk_bucket *b)
{
	rqk_lock(e, a < b ? &a->lock : &b->lock);
	if (a != b)
		rqk_lock(e, a < b ? &b->lock : &a->lock);
}

RQK_UNCHECKED void rqk_unlock_two(struct rqpi_engine *e, struct rqk_bucket *a, struct rqk_bucket *b)
{
	rqk_unlock(e, &a->lock);
	if (a != b)
		rqk_unlock(e, &b->lock);
}

RQK_UNCHECKED struct rqk_bucket *rqk_lock_bucket_of(struct rqpi_engine *e, struct rqk_futex_q *q)
{
	for (;;) {
		struct rqk_bucket *hb = (struct rqk_bucket *)rqb_load_bits(&q->bucket);

		if (!hb)
			return NULL;
		rqk_lock(e, &hb->lock);
		if (rqb_load_bits(&q->bucket) == (uintptr_t)hb)
			return hb;
		rqk_unlock(e, &hb->lock); /* it was moved between the two looks */
	}
}

/* ---------------------------------------------------------------- the queues */

static struct rqk_futex_q *q_of(const struct rqb_node *node)
{
	return rqb_entry(node, struct rqk_futex_q, node);
}

static int key_order(const struct rqpi_key *a, const struct rqpi_key *b)
{
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	if (a->shared != b->shared)
		return a->shared < b->shared ? -1 : 1;
	return 0;
}

/* Real-time tasks by priority, all DEADLINE ones before them, all others behind: no nice here. */
static int32_t queue_level(const struct rqpi_prio *prio)
{
	return prio->prio < RQPI_PRIO_NICE(-20) ? prio->prio : RQPI_PRIO_NICE(-20);
}

static bool q_before(const struct rqb_node *a, const struct rqb_node *b)
{
	int order = key_order(&q_of(a)->key, &q_of(b)->key);

	if (order)
		return order < 0;
	return queue_level(&q_of(a)->prio) < queue_level(&q_of(b)->prio);
}

struct rqk_futex_q *rqk_first(struct rqk_bucket *hb, const struct rqpi_key *key)
{
	struct rqb_node *node = hb->tree.root;
	struct rqk_futex_q *found = NULL;

	while (node) {
		int order = key_order(key, &q_of(node)->key);

		if (order == 0)
			found = q_of(node);
		node = node->child[order > 0];
	}
	return found;
}

struct rqk_futex_q *rqk_next(struct rqk_futex_q *q)
{
	struct rqb_node *node = rqb_tree_next(&q->node);

	return node && rqk_key_equal(&q->key, &q_of(node)->key) ? q_of(node) : NULL;
}

void rqk_queue(struct rqk_bucket *hb, struct rqk_futex_q *q)
{
	rqb_tree_insert(&hb->tree, &q->node, q_before);
	rqb_store_bits(&q->bucket, (uintptr_t)hb);
}

void rqk_unqueue(struct rqk_bucket *hb, struct rqk_futex_q *q)
{
	rqb_tree_remove(&hb->tree, &q->node);
	rqk_bucket_unexpect(hb);
	/* The last touch: its task may see this without any lock, return, and be gone. */
	rqb_store_bits(&q->bucket, 0);
}

void rqk_run_add(struct rqk_bucket *from, struct rqk_bucket *to, struct rqk_run *run,
		 struct rqk_futex_q *q)
{
	if (rqk_key_equal(&q->key, run->key))
		return; /* from here to here: it keeps its place */
	if (!run->count++)
		run->first = q;
	run->last = q;
	q->key = *run->key;
	if (from != to)
		rqb_store_bits(&q->bucket, (uintptr_t)to);
}

void rqk_run_end(struct rqk_bucket *from, struct rqk_bucket *to, const struct rqk_run *run)
{
	struct rqb_tree moved;

	if (!run->count)
		return;
	rqb_tree_cut(&from->tree, &run->first->node, &run->last->node, &moved);
	rqb_tree_paste(&to->tree, &moved, q_before);
	if (from == to)
		return;
	(void)rqb_add(&to->waiters, run->count);
	(void)rqb_sub(&from->waiters, run->count);
}
