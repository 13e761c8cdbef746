/* SPDX-License-Identifier: MIT */
/*
 * work_herd.c - a broadcast to many waiters of different priorities: time to the first and to the
 * last that has the mutex, context switches, pairs served out of order. Compiled once per
 * implementation; called by worker.c.
 *
 * A served waiter does not meet the mutex again in its round: it sleeps on a gate of its own, a
 * bare futex, until the broadcaster lets it wait again. The waiters come in an order that is not
 * that of their priorities.
 */
#include "impl.h"

#include <linux/futex.h>
#include <stdlib.h>

enum { PRIO_LOWEST = 10, PRIO_LEVELS = 64, PRIO_GATHER = 5, WARM_UP = 1 };

#define SETTLE_NS (2 * WORK_NSEC_PER_MSEC)

struct herd_waiter {
	_Alignas(64) _Atomic uint32_t gate; /* may enter the round of this number */
	struct herd *herd;
	pthread_t thread;
	int prio;
	uint32_t rank;	    /* 0: served first */
	uint64_t served_ns; /* when it had the mutex */
};

struct herd {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t cond;
	_Alignas(64) uint32_t released;	    /* rounds that have been broadcast */
	_Atomic uint32_t waiting, served;   /* in this round */
	_Alignas(64) _Atomic uint32_t done; /* rounds in which the last one was served */
	struct herd_waiter *waiter;
	const struct work_args *args;
	uint32_t n, rounds;
};

/* What one broadcast showed, one array per series. */
struct herd_result {
	double *first_us, *last_us, *call_us, *switches, *misordered;
};

static void *wait_in_herd(void *arg)
{
	struct herd_waiter *w = arg;
	struct herd *h = w->herd;

	for (uint32_t round = 1; round <= h->rounds; round++) {
		uint32_t rank;

		work_gate_wait(&w->gate, round);
		bm_lock(&h->mutex);
		atomic_fetch_add(&h->waiting, 1);
		while (h->released < round)
			bc_wait(&h->cond, &h->mutex);
		w->served_ns = work_now();
		rank = atomic_fetch_add_explicit(&h->served, 1, memory_order_relaxed);
		w->rank = rank;
		bm_unlock(&h->mutex);
		if (rank == h->n - 1)
			work_gate_open(&h->done, round);
	}
	/* Ending is work too: nobody does it while the last round is being measured. */
	work_gate_wait(&w->gate, h->rounds + 1);
	return NULL;
}

/*
 * Let them in one by one, from below their priorities; each sleeps, or is about to, when the next
 * one comes.
 */
static void gather(struct herd *h, uint32_t round)
{
	work_set_prio(PRIO_GATHER);
	atomic_store(&h->waiting, 0);
	atomic_store(&h->served, 0);
	for (uint32_t i = 0; i < h->n; i++) {
		work_gate_open(&h->waiter[i].gate, round);
		while (atomic_load(&h->waiting) <= i)
			; /* bounded by the watchdog of the process */
	}
	work_set_prio(h->args->prio);
	work_nap(SETTLE_NS);
}

static double count_misordered(const struct herd *h)
{
	double pairs = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		for (uint32_t j = 0; j < h->n; j++) {
			if (h->waiter[i].prio < h->waiter[j].prio &&
			    h->waiter[i].rank < h->waiter[j].rank)
				pairs++;
		}
	}
	return pairs;
}

static void broadcast_once(struct herd *h, uint32_t round, const struct herd_result *out, size_t at)
{
	uint64_t sent, called, first = UINT64_MAX, last = 0;
	long switches = work_switches_all(), own;

	bm_lock(&h->mutex);
	h->released = round;
	sent = work_now();
	bc_broadcast(&h->cond);
	called = work_now();
	bm_unlock(&h->mutex);
	own = work_switches();
	work_gate_wait(&h->done, round);
	work_nap(SETTLE_NS); /* so that all are back at their gates, one switch each */
	own = work_switches() - own;
	switches = work_switches_all() - switches - own;
	if (round <= WARM_UP)
		return;
	for (uint32_t i = 0; i < h->n; i++) {
		uint64_t served = h->waiter[i].served_ns;

		first = served < first ? served : first;
		last = served > last ? served : last;
	}
	out->first_us[at] = (double)(first - sent) / 1e3;
	out->last_us[at] = (double)(last - sent) / 1e3;
	out->call_us[at] = (double)(called - sent) / 1e3;
	out->switches[at] = (double)switches / h->n;
	out->misordered[at] = count_misordered(h);
}

/*
 * Priorities over all levels, then shuffled: always the same way, so that all implementations meet
 * the same.
 */
static void start_waiters(struct herd *h)
{
	uint32_t random = 12345;

	h->waiter = work_alloc(h->n, sizeof(*h->waiter));
	for (uint32_t i = 0; i < h->n; i++)
		h->waiter[i].prio = PRIO_LOWEST + (int)(i % PRIO_LEVELS);
	for (uint32_t i = h->n - 1; i > 0; i--) {
		uint32_t other;
		int prio = h->waiter[i].prio;

		random = random * 1664525u + 1013904223u;
		other = (random >> 8) % (i + 1);
		h->waiter[i].prio = h->waiter[other].prio;
		h->waiter[other].prio = prio;
	}
	for (uint32_t i = 0; i < h->n; i++) {
		h->waiter[i].herd = h;
		h->waiter[i].thread = work_start(wait_in_herd, &h->waiter[i], h->waiter[i].prio,
						 -1);
	}
}

void WORK_FN(herd)(const struct work_args *args)
{
	struct herd *h = work_alloc(1, sizeof(*h));
	size_t n = (size_t)args->samples;
	double *v = work_alloc(5 * n, sizeof(*v));
	struct herd_result out = {v, v + n, v + 2 * n, v + 3 * n, v + 4 * n};

	h->args = args;
	h->n = (uint32_t)args->waiters;
	h->rounds = (uint32_t)args->samples + WARM_UP;
	bm_init(&h->mutex);
	bc_init(&h->cond, &h->mutex);
	work_bind(args->cpu, args->cross ? args->cpu2 : -1);
	work_set_prio(PRIO_GATHER);
	start_waiters(h);
	for (uint32_t round = 1; round <= h->rounds; round++) {
		gather(h, round);
		broadcast_once(h, round, &out, round <= WARM_UP ? 0 : round - WARM_UP - 1);
	}
	for (uint32_t i = 0; i < h->n; i++)
		work_gate_open(&h->waiter[i].gate, h->rounds + 1);
	for (uint32_t i = 0; i < h->n; i++)
		work_join(h->waiter[i].thread);
	work_emit("first_us", out.first_us, n);
	work_emit("last_us", out.last_us, n);
	work_emit("call_us", out.call_us, n);
	work_emit("switches", out.switches, n);
	work_emit("misordered", out.misordered, n);
	free(v);
	free(h->waiter);
	free(h);
}
