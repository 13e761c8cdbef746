/* SPDX-License-Identifier: MIT */
/*
 * work_uncontended.c - nanoseconds for an operation that meets nobody, one thread on one CPU.
 * Compiled once per implementation; called by worker.c. The operations take turns, batch by batch,
 * with the bare compare- exchange pair among them, so that a ratio to the floor is taken within the
 * same milliseconds.
 */
#include "impl.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ITERATIONS = 8192, WARM_UP = 3 };

struct uncontended {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t cond;
	_Alignas(64) _Atomic uint32_t word;
	uint32_t tid;
};

typedef void run_fn(struct uncontended *u);

static void run_cas_pair(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++) {
		uint32_t none = 0, own = u->tid;

		if (!atomic_compare_exchange_strong_explicit(
			&u->word, &none, own, memory_order_acquire, memory_order_relaxed))
			abort();
		if (!atomic_compare_exchange_strong_explicit(
			&u->word, &own, 0, memory_order_release, memory_order_relaxed))
			abort();
	}
}

static void run_cas_pair_call(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++) {
		if (work_cas_lock(&u->word, u->tid) || work_cas_unlock(&u->word, u->tid))
			abort();
	}
}

static void run_lock_unlock(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++) {
		bm_lock(&u->mutex);
		bm_unlock(&u->mutex);
	}
}

static void run_signal(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++)
		bc_signal(&u->cond);
}

static void run_broadcast(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++)
		bc_broadcast(&u->cond);
}

static void run_lock_signal_unlock(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++) {
		bm_lock(&u->mutex);
		bc_signal(&u->cond);
		bm_unlock(&u->mutex);
	}
}

static void run_lock_broadcast_unlock(struct uncontended *u)
{
	for (int i = 0; i < ITERATIONS; i++) {
		bm_lock(&u->mutex);
		bc_broadcast(&u->cond);
		bm_unlock(&u->mutex);
	}
}

static const struct {
	const char *series;
	run_fn *run;
} ops[] = {
    {"cas_pair", run_cas_pair},
    {"cas_pair_call", run_cas_pair_call},
    {"lock_unlock", run_lock_unlock},
    {"signal", run_signal},
    {"broadcast", run_broadcast},
    {"lock_signal_unlock", run_lock_signal_unlock},
    {"lock_broadcast_unlock", run_lock_broadcast_unlock},
};

enum { OPS = (int)(sizeof(ops) / sizeof(ops[0])) };

void WORK_FN(uncontended)(const struct work_args *args)
{
	struct uncontended *u = work_alloc(1, sizeof(*u));
	size_t samples = (size_t)args->samples;
	double *ns = work_alloc(samples * OPS, sizeof(*ns));

	work_bind(args->cpu, -1);
	bm_init(&u->mutex);
	bc_init(&u->cond, &u->mutex);
	u->tid = (uint32_t)syscall(SYS_gettid);
	for (int i = -WARM_UP; i < args->samples; i++) {
		for (size_t op = 0; op < OPS; op++) {
			uint64_t begin = work_now(), end;

			ops[op].run(u);
			end = work_now();
			if (i >= 0)
				ns[op * samples + (size_t)i] = (double)(end - begin) / ITERATIONS;
		}
	}
	for (size_t op = 0; op < OPS; op++)
		work_emit(ops[op].series, ns + op * samples, samples);
	free(ns);
	free(u);
}
