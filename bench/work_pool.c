/* SPDX-License-Identifier: MIT */
/*
 * work_pool.c - a pool of workers: a broadcast to all of them, each of which gives the mutex back
 * and soon takes it again, to wait for the next broadcast. Time until the last has been served, and
 * until the last has the mutex again; context switches. Compiled once per implementation; called by
 * worker.c.
 *
 * Unlike the waiters of work_herd.c these meet the mutex twice in a round. Where it is handed from
 * one to the next, whoever was served first stands in line again, before the last are served. All
 * have the same priority, as in a pool: one of a higher priority would take the mutex in passing.
 */
#include "impl.h"

#include <stdlib.h>

enum { PRIO_WORKER = 50, WARM_UP = 2 };

#define SETTLE_NS (2 * WORK_NSEC_PER_MSEC)

struct pool_worker {
	_Alignas(64) struct pool *pool;
	pthread_t thread;
	uint64_t served_ns, again_ns;
};

struct pool {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t cond;
	_Alignas(64) uint32_t released;	    /* rounds that have been broadcast */
	uint32_t waiting;		    /* waits begun, by all and in all rounds */
	_Alignas(64) _Atomic uint32_t done; /* rounds at whose end all were waiting again */
	struct pool_worker *worker;
	uint32_t n, rounds;
};

static void *work_in_pool(void *arg)
{
	struct pool_worker *w = arg;
	struct pool *p = w->pool;

	bm_lock(&p->mutex);
	for (uint32_t round = 1; round <= p->rounds; round++) {
		uint32_t waiting = ++p->waiting;

		if (waiting % p->n == 0)
			work_gate_open(&p->done, waiting / p->n);
		while (p->released < round)
			bc_wait(&p->cond, &p->mutex);
		w->served_ns = work_now();
		bm_unlock(&p->mutex);
		bm_lock(&p->mutex);
		w->again_ns = work_now();
	}
	if (++p->waiting % p->n == 0)
		work_gate_open(&p->done, p->waiting / p->n);
	bm_unlock(&p->mutex);
	return NULL;
}

/* Until the last has the mutex, and until the last has it again, from @sent on. */
static void take_times(const struct pool *p, uint64_t sent, double *last_us, double *again_us)
{
	uint64_t last = 0, again = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		last = p->worker[i].served_ns > last ? p->worker[i].served_ns : last;
		again = p->worker[i].again_ns > again ? p->worker[i].again_ns : again;
	}
	*last_us = (double)(last - sent) / 1e3;
	*again_us = (double)(again - sent) / 1e3;
}

static void start_workers(struct pool *p, bool fifo)
{
	p->worker = work_alloc(p->n, sizeof(*p->worker));
	for (uint32_t i = 0; i < p->n; i++) {
		p->worker[i].pool = p;
		p->worker[i].thread = work_start(work_in_pool, &p->worker[i],
						 fifo ? PRIO_WORKER : 0, -1);
	}
}

static void measure(struct pool *p, const struct work_args *args)
{
	size_t n = (size_t)args->samples;
	double *v = work_alloc(3 * n, sizeof(*v));

	for (uint32_t round = 1; round <= p->rounds; round++) {
		size_t at = round <= WARM_UP ? 0 : round - WARM_UP - 1;
		uint64_t sent;
		long switches, own;

		work_gate_wait(&p->done, round);
		work_nap(SETTLE_NS);
		switches = work_switches_all();
		bm_lock(&p->mutex);
		p->released = round;
		sent = work_now();
		bc_broadcast(&p->cond);
		bm_unlock(&p->mutex);
		own = work_switches();
		work_gate_wait(&p->done, round + 1);
		work_nap(SETTLE_NS); /* all sleep again, one switch each */
		own = work_switches() - own;
		v[2 * n + at] = (double)(work_switches_all() - switches - own) / p->n;
		take_times(p, sent, &v[at], &v[n + at]);
	}
	work_emit("last_us", v, n);
	work_emit("again_us", v + n, n);
	work_emit("switches", v + 2 * n, n);
	free(v);
}

void WORK_FN(pool)(const struct work_args *args)
{
	struct pool *p = work_alloc(1, sizeof(*p));
	bool pi;

	p->n = (uint32_t)args->waiters;
	p->rounds = (uint32_t)args->samples + WARM_UP;
	bm_init(&p->mutex);
	bc_init(&p->cond, &p->mutex);
	bm_lock(&p->mutex);
	pi = bm_is_pi(&p->mutex);
	bm_unlock(&p->mutex);
	work_emit_one("pi", pi);
	if (args->forced && !pi)
		return; /* these would be the figures of a mutex of another kind */
	work_bind(args->cpu, args->cross ? args->cpu2 : -1);
	work_set_prio(args->prio);
	start_workers(p, args->prio > 0);
	measure(p, args);
	for (uint32_t i = 0; i < p->n; i++)
		work_join(p->worker[i].thread);
	free(p->worker);
	free(p);
}
