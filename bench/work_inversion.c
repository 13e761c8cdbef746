/* SPDX-License-Identifier: MIT */
/*
 * work_inversion.c - how late a high-priority waiter is because of the condvar. Compiled once per
 * implementation; called by worker.c. All threads on one CPU; the main thread signals, at FIFO 40.
 *
 * group - a LOW waiter (10) has been signalled but cannot run, for a hog (20) is ready; HIGH (50)
 * waits and is signalled. A condvar that must first hear of LOW lets the signaller sleep for the
 * whole hog.
 *
 * order - three LOW waiters (10, 11, 11), one is signalled; then HIGH (30) waits too; then one
 * signal every two hog lengths. HIGH is late by as many signals as go to LOW ones before it.
 */
#include "impl.h"

#include <stdlib.h>

enum {
	PRIO_LOW = 10,
	PRIO_HOG = 20,
	PRIO_ORDER_HIGH = 30,
	PRIO_MAIN = 40,
	PRIO_GROUP_HIGH = 50,
	LOW_THREADS = 3,
	SIGNALS_MAX = 8,
	NAPS_MAX = 500
};

struct inversion {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t cond;
	_Alignas(64) _Atomic uint32_t hog_gate, high_gate;
	uint64_t hog_ns;
	int entered; /* threads that have begun to wait */
	int tokens;  /* order: what a released thread takes */
	bool low_go, high_go, stop;
	bool high_done;
	uint64_t high_ns; /* when HIGH had the mutex */
};

static void *burn_cpu(void *arg)
{
	struct inversion *v = arg;
	uint64_t begin;

	work_gate_wait(&v->hog_gate, 1);
	begin = work_now();
	while (work_now() - begin < v->hog_ns)
		;
	return NULL;
}

static void *wait_low(void *arg)
{
	struct inversion *v = arg;

	bm_lock(&v->mutex);
	v->entered++;
	while (!v->low_go)
		bc_wait(&v->cond, &v->mutex);
	bm_unlock(&v->mutex);
	return NULL;
}

static void *wait_high(void *arg)
{
	struct inversion *v = arg;

	work_gate_wait(&v->high_gate, 1);
	bm_lock(&v->mutex);
	v->entered++;
	while (!v->high_go)
		bc_wait(&v->cond, &v->mutex);
	v->high_ns = work_now();
	v->high_done = true;
	bm_unlock(&v->mutex);
	return NULL;
}

static void *take_token_low(void *arg)
{
	struct inversion *v = arg;

	bm_lock(&v->mutex);
	v->entered++;
	while (!v->tokens && !v->stop)
		bc_wait(&v->cond, &v->mutex);
	if (v->tokens)
		v->tokens--;
	bm_unlock(&v->mutex);
	return NULL;
}

static void *take_token_high(void *arg)
{
	struct inversion *v = arg;

	work_gate_wait(&v->high_gate, 1);
	bm_lock(&v->mutex);
	v->entered++;
	while (!v->tokens && !v->stop)
		bc_wait(&v->cond, &v->mutex);
	if (v->tokens) {
		v->tokens--;
		v->high_ns = work_now();
		v->high_done = true;
	}
	bm_unlock(&v->mutex);
	return NULL;
}

/*
 * Until @threads have begun to wait, and one nap more so that they sleep. They are below this
 * thread.
 */
static void await_entered(struct inversion *v, int threads)
{
	for (int naps = 0; naps < NAPS_MAX; naps++) {
		int entered;

		work_nap(WORK_NSEC_PER_MSEC);
		bm_lock(&v->mutex);
		entered = v->entered;
		bm_unlock(&v->mutex);
		if (entered == threads) {
			work_nap(WORK_NSEC_PER_MSEC);
			return;
		}
	}
	work_die("inversion: a thread did not get to wait in time: the machine is too busy", 0);
}

static struct inversion *begin_round(const struct work_args *args)
{
	struct inversion *v = work_alloc(1, sizeof(*v));

	bm_init(&v->mutex);
	bc_init(&v->cond, &v->mutex);
	v->hog_ns = (uint64_t)args->hog_ms * WORK_NSEC_PER_MSEC;
	return v;
}

static void run_group(const struct work_args *args, double *high_us, double *call_us)
{
	struct inversion *v = begin_round(args);
	pthread_t low, hog, high;
	uint64_t sent, called;

	low = work_start(wait_low, v, PRIO_LOW, -1);
	hog = work_start(burn_cpu, v, PRIO_HOG, -1);
	high = work_start(wait_high, v, PRIO_GROUP_HIGH, -1);
	await_entered(v, 1); /* LOW waits, the others are at their gates */

	work_gate_open(&v->hog_gate, 1); /* it is ready, but below this thread */
	bm_lock(&v->mutex);
	v->low_go = true;
	bc_signal(&v->cond); /* LOW is released, and below the hog */
	bm_unlock(&v->mutex);
	work_gate_open(&v->high_gate, 1); /* HIGH runs now, and goes to wait */

	bm_lock(&v->mutex);
	if (v->entered != 2)
		work_die("inversion: HIGH does not wait yet", 0);
	v->high_go = true;
	sent = work_now();
	bc_signal(&v->cond);
	called = work_now();
	bm_unlock(&v->mutex);

	work_join(high);
	work_join(hog);
	work_join(low);
	*high_us = (double)(v->high_ns - sent) / 1e3;
	*call_us = (double)(called - sent) / 1e3;
	free(v);
}

static void give_token(struct inversion *v)
{
	bm_lock(&v->mutex);
	v->tokens++;
	bc_signal(&v->cond);
	bm_unlock(&v->mutex);
}

static void run_order(const struct work_args *args, double *high_us, double *signals)
{
	struct inversion *v = begin_round(args);
	pthread_t low[LOW_THREADS], high;
	uint64_t sent;
	int given = 0;

	for (int i = 0; i < LOW_THREADS; i++)
		low[i] = work_start(take_token_low, v, i ? PRIO_LOW + 1 : PRIO_LOW, -1);
	high = work_start(take_token_high, v, PRIO_ORDER_HIGH, -1);
	await_entered(v, LOW_THREADS);
	give_token(v);
	work_nap(WORK_NSEC_PER_MSEC); /* one LOW takes it and ends */
	work_gate_open(&v->high_gate, 1);
	await_entered(v, LOW_THREADS + 1);

	sent = work_now();
	for (;;) {
		bool done;

		give_token(v);
		given++;
		work_nap(WORK_NSEC_PER_MSEC); /* whoever was released runs */
		bm_lock(&v->mutex);
		done = v->high_done;
		bm_unlock(&v->mutex);
		if (done || given == SIGNALS_MAX)
			break;
		work_nap(2 * v->hog_ns - WORK_NSEC_PER_MSEC);
	}
	bm_lock(&v->mutex);
	v->stop = true;
	bc_broadcast(&v->cond);
	bm_unlock(&v->mutex);
	work_join(high);
	for (int i = 0; i < LOW_THREADS; i++)
		work_join(low[i]);
	if (!v->high_done)
		work_die("inversion: HIGH was never served", 0);
	*high_us = (double)(v->high_ns - sent) / 1e3;
	*signals = given;
	free(v);
}

void WORK_FN(inversion)(const struct work_args *args)
{
	size_t n = (size_t)args->samples;
	double *high_us = work_alloc(2 * n, sizeof(*high_us)), *second = high_us + n;

	work_bind(args->cpu, -1);
	work_set_prio(PRIO_MAIN);
	for (size_t i = 0; i < n; i++) {
		if (args->order)
			run_order(args, &high_us[i], &second[i]);
		else
			run_group(args, &high_us[i], &second[i]);
		/*
		 * Other threads need the CPU too, and the kernel stops real-time threads that never
		 * rest.
		 */
		work_nap((uint64_t)args->hog_ms * WORK_NSEC_PER_MSEC / 2);
	}
	work_emit("high_us", high_us, n);
	work_emit(args->order ? "signals" : "call_us", second, n);
	free(high_us);
}
