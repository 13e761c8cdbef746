/* SPDX-License-Identifier: MIT */
/*
 * work_requeue.c - what one call costs that requeues N sleeping threads, per thread: from a futex
 * to another and back, and onto a PI futex that is held. Compiled twice, for the kernel's futex and
 * for the engine; called by work_engine.c.
 *
 * Everything runs on one CPU: while the caller runs, the waiters really sleep, and nothing but the
 * call is measured. A call that moved less than all of them is no sample.
 */
#include "impl.h"

#include <limits.h>
#include <stdlib.h>

#define SETTLE_NS (100 * WORK_NSEC_PER_USEC)

enum { MOVES_A_SAMPLE = 2048, TRIES = 200, WARM_UP_CALLS = 100 };

struct crowd {
	_Alignas(64) _Atomic uint32_t from; /* 0 until the end */
	_Alignas(64) _Atomic uint32_t to;
	_Alignas(64) _Atomic uint32_t mutex; /* a PI word */
	_Alignas(64) _Atomic uint32_t came;  /* waits that were begun, by all */
	_Alignas(
	    64) _Atomic uint32_t left; /* waits that ended with the mutex, which is free again */
	_Alignas(64) _Atomic uint32_t round; /* goes to @n times this */
	uint32_t n;
	pthread_t *thread;
};

static void *wait_plain(void *arg)
{
	struct crowd *c = arg;
	long ret;

	atomic_fetch_add(&c->came, 1);
	do
		ret = bf_futex(&c->from, FUTEX_WAIT, 0, 0, NULL, 0);
	while (ret == -EINTR);
	if (ret != -EAGAIN)
		bf_must(ret, "FUTEX_WAIT");
	return NULL;
}

static void *wait_for_mutex(void *arg)
{
	struct crowd *c = arg;

	for (;;) {
		long ret;

		atomic_fetch_add(&c->came, 1);
		ret = bf_futex(&c->from, FUTEX_WAIT_REQUEUE_PI, 0, 0, &c->mutex, 0);
		if (ret == -EAGAIN && atomic_load(&c->from))
			return NULL;
		if (ret == -EAGAIN || ret == -EINTR) {
			atomic_fetch_sub(&c->came, 1);
			continue;
		}
		bf_must(ret, "FUTEX_WAIT_REQUEUE_PI");
		bf_unlock(&c->mutex);
		if ((atomic_fetch_add(&c->left, 1) + 1) % c->n == 0)
			work_gate_open(&c->round, atomic_load(&c->left) / c->n);
	}
}

static struct crowd *gather(const struct work_args *args, void *(*wait)(void *arg))
{
	struct crowd *c = work_alloc(1, sizeof(*c));

	c->n = (uint32_t)args->waiters;
	c->thread = work_alloc(c->n, sizeof(*c->thread));
	for (uint32_t i = 0; i < c->n; i++)
		c->thread[i] = work_start_small(wait, c, 0, args->cpu);
	return c;
}

static void disperse(struct crowd *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		work_join(c->thread[i]);
	free(c->thread);
	free(c);
}

/* All of them have begun to wait, and have had time to be asleep. */
static void await_sleepers(struct crowd *c, uint32_t came)
{
	while (atomic_load(&c->came) < came)
		work_nap(SETTLE_NS);
	work_nap(SETTLE_NS);
}

/* ---------------------------------------------------------------- futex to futex */

static uint32_t move_plain(struct crowd *c, bool back)
{
	_Atomic uint32_t *from = back ? &c->to : &c->from, *to = back ? &c->from : &c->to;
	long ret = bf_futex(from, FUTEX_CMP_REQUEUE, 0, INT_MAX, to, 0);

	bf_must(ret, "FUTEX_CMP_REQUEUE");
	return (uint32_t)ret;
}

static void measure_plain(const struct work_args *args)
{
	struct crowd *c = gather(args, wait_plain);
	int moves = MOVES_A_SAMPLE / args->waiters / 2 * 2;
	double *ns = work_alloc((size_t)args->samples, sizeof(*ns));
	uint32_t all = 0;

	moves = moves ? moves : 2;
	await_sleepers(c, c->n);
	for (int i = 0; i < TRIES && all < c->n; i++) {
		all += move_plain(c, false);
		if (all < c->n)
			work_nap(SETTLE_NS * (uint64_t)(i + 1));
	}
	if (all != c->n || move_plain(c, true) != c->n)
		work_die("not all threads came to wait", 0);
	for (int i = 0; i < args->samples; i++) {
		uint64_t begin = work_now();

		for (int m = 0; m < moves; m++) {
			if (move_plain(c, m % 2) != c->n)
				work_die("a waiter was lost", 0);
		}
		ns[i] = (double)(work_now() - begin) / moves / c->n;
	}
	if (bf_futex(&c->from, FUTEX_WAKE, INT_MAX, 0, NULL, 0) != c->n)
		work_die("not all threads could be woken", 0);
	disperse(c);
	work_emit("requeue_ns", ns, (size_t)args->samples);
	free(ns);
}

/* ---------------------------------------------------------------- onto a PI futex */

/* Whoever has slept finds nothing in the caches: make the same call, with a word that differs. */
static void warm_up(struct crowd *c)
{
	for (int i = 0; i < WARM_UP_CALLS; i++) {
		if (bf_futex(&c->from, FUTEX_CMP_REQUEUE_PI, 1, INT_MAX, &c->mutex, 2) != -EAGAIN)
			work_die("FUTEX_CMP_REQUEUE_PI with another word", EBADMSG);
	}
}

/* Requeue all, and let the mutex go through all their hands. Nanoseconds a waiter, 0: not all. */
static double move_to_mutex(struct crowd *c, uint32_t round)
{
	uint32_t moved = 0;
	double ns = 0;

	await_sleepers(c, round * c->n);
	bf_lock(&c->mutex);
	warm_up(c);
	for (int i = 0; i < TRIES && moved < c->n; i++) {
		uint64_t begin = work_now(), end;
		long ret = bf_futex(&c->from, FUTEX_CMP_REQUEUE_PI, 1, INT_MAX, &c->mutex, 0);

		end = work_now();
		if (ret == -EAGAIN)
			continue;
		bf_must(ret, "FUTEX_CMP_REQUEUE_PI");
		moved += (uint32_t)ret;
		if ((uint32_t)ret == c->n)
			ns = (double)(end - begin) / c->n;
		else
			work_nap(SETTLE_NS * (uint64_t)(i + 1));
	}
	if (moved != c->n)
		work_die("not all threads could be requeued", 0);
	bf_unlock(&c->mutex);
	work_gate_wait(&c->round, round);
	return ns;
}

static void measure_pi(const struct work_args *args)
{
	struct crowd *c = gather(args, wait_for_mutex);
	double *ns = work_alloc((size_t)args->samples, sizeof(*ns));
	uint32_t round = 0;
	size_t n = 0;

	(void)move_to_mutex(c, ++round); /* the first call finds nothing in any cache */
	for (int i = 0; i < args->samples; i++) {
		double once = move_to_mutex(c, ++round);

		if (once > 0)
			ns[n++] = once;
	}
	await_sleepers(c, (round + 1) * c->n);
	/* Nobody can be woken from there: to the mutex once more, and to their end from it. */
	bf_lock(&c->mutex);
	atomic_store(&c->from, 1);
	bf_must(bf_futex(&c->from, FUTEX_CMP_REQUEUE_PI, 1, INT_MAX, &c->mutex, 1),
		"the last FUTEX_CMP_REQUEUE_PI");
	bf_unlock(&c->mutex);
	disperse(c);
	work_emit("requeue_pi_ns", ns, n);
	free(ns);
}

void WORK_FN(requeue)(const struct work_args *args)
{
	work_bind(args->cpu, -1);
	measure_plain(args);
	measure_pi(args);
}
