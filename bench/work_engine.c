/* SPDX-License-Identifier: MIT */
/*
 * work_engine.c - futex calls that neither sleep nor wake anybody, and a PI lock handed back and
 * forth between two threads. Compiled twice, for the kernel's futex and for the engine; called by
 * worker.c. How many waiters are requeued in what time is in work_requeue.c.
 */
#include "impl.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- without sleep or wakeup */

enum { CALLS = 2048, CALLS_WARM_UP = 2 };

struct words {
	_Alignas(64) _Atomic uint32_t plain; /* holds 1 */
	_Alignas(64) _Atomic uint32_t target;
	_Alignas(64) _Atomic uint32_t own;  /* a PI word with the caller's TID */
	_Alignas(64) _Atomic uint32_t held; /* a PI word with the TID of another thread */
	_Alignas(64) _Atomic uint32_t pi;
	_Alignas(64) _Atomic uint32_t gate; /* the other thread waits here for its end */
	_Atomic uint32_t there;
};

static long wake_nobody(struct words *w)
{
	return bf_futex(&w->plain, FUTEX_WAKE, 1, 0, NULL, 0);
}

static long wait_changed(struct words *w)
{
	return bf_futex(&w->plain, FUTEX_WAIT, 2, 0, NULL, 0);
}

static long requeue_changed(struct words *w)
{
	return bf_futex(&w->plain, FUTEX_CMP_REQUEUE, 1, INT_MAX, &w->target, 2);
}

static long requeue_pi_changed(struct words *w)
{
	return bf_futex(&w->plain, FUTEX_CMP_REQUEUE_PI, 1, INT_MAX, &w->target, 2);
}

static long requeue_nobody(struct words *w)
{
	return bf_futex(&w->plain, FUTEX_CMP_REQUEUE, 1, INT_MAX, &w->target, 1);
}

static long unlock_not_owner(struct words *w)
{
	return bf_futex(&w->held, FUTEX_UNLOCK_PI, 0, 0, NULL, 0);
}

static long trylock_own(struct words *w)
{
	return bf_futex(&w->own, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0);
}

static long trylock_held(struct words *w)
{
	return bf_futex(&w->held, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0);
}

static long lock_unlock_free(struct words *w)
{
	long ret = bf_futex(&w->pi, FUTEX_LOCK_PI, 0, 0, NULL, 0);

	return ret ? ret : bf_futex(&w->pi, FUTEX_UNLOCK_PI, 0, 0, NULL, 0);
}

static const struct {
	const char *series;
	long (*call)(struct words *w);
	long result; /* a call with another result has measured something else */
} calls[] = {
    {"wake_nobody", wake_nobody, 0},
    {"wait_changed", wait_changed, -EAGAIN},
    {"requeue_changed", requeue_changed, -EAGAIN},
    {"requeue_pi_changed", requeue_pi_changed, -EAGAIN},
    {"requeue_nobody", requeue_nobody, 0},
    {"unlock_not_owner", unlock_not_owner, -EPERM},
    {"trylock_own", trylock_own, -EDEADLK},
    {"trylock_held", trylock_held, -EAGAIN},
    {"lock_unlock_free", lock_unlock_free, 0},
};

enum { KINDS = (int)(sizeof(calls) / sizeof(calls[0])) };

/* The other thread: known to the engine by a call of its own, and then only there. */
static void *be_owner(void *arg)
{
	struct words *w = arg;

	bf_futex(&w->target, FUTEX_WAKE, 1, 0, NULL, 0);
	atomic_store(&w->held, bf_tid());
	work_gate_open(&w->there, 1);
	work_gate_wait(&w->gate, 1);
	return NULL;
}

static double time_calls(struct words *w, size_t kind)
{
	uint64_t begin = work_now();

	for (int i = 0; i < CALLS; i++) {
		if (calls[kind].call(w) != calls[kind].result)
			work_die(calls[kind].series, EBADMSG);
	}
	return (double)(work_now() - begin) / CALLS;
}

static void measure_calls(const struct work_args *args)
{
	struct words *w = work_alloc(1, sizeof(*w));
	size_t samples = (size_t)args->samples;
	double *ns = work_alloc(samples * KINDS, sizeof(*ns));
	pthread_t owner;

	work_bind(args->cpu, -1);
	owner = work_start(be_owner, w, 0, -1);
	work_gate_wait(&w->there, 1);
	atomic_store(&w->plain, 1);
	atomic_store(&w->own, bf_tid());
	for (int i = -CALLS_WARM_UP; i < args->samples; i++) {
		for (size_t kind = 0; kind < KINDS; kind++) {
			double once = time_calls(w, kind);

			if (i >= 0)
				ns[kind * samples + (size_t)i] = once;
		}
	}
	work_gate_open(&w->gate, 1);
	work_join(owner);
	for (size_t kind = 0; kind < KINDS; kind++)
		work_emit(calls[kind].series, ns + kind * samples, samples);
	free(ns);
	free(w);
}

/* ---------------------------------------------------------------- hand-offs */

enum { HAND_OFFS = 64, HAND_WARM_UP = 2 };

/* What is under the mutex is written by its holder only. */
struct hands {
	_Alignas(64) _Atomic uint32_t mutex;
	_Alignas(64) _Atomic uint32_t seq;
	_Alignas(64) int count;
	int turn; /* whose, of the two */
	uint64_t since;
	const struct work_args *args;
	double *ns;
	_Atomic int over;
};

struct hand {
	struct hands *h;
	int me;
};

/* One more hand-off; the holder keeps the time, a sample is HAND_OFFS of them. */
static void count_hand_off(struct hands *h)
{
	int sample = ++h->count / HAND_OFFS - HAND_WARM_UP - 1;
	uint64_t now;

	if (h->count % HAND_OFFS)
		return;
	now = work_now();
	if (sample >= 0)
		h->ns[sample] = (double)(now - h->since) / HAND_OFFS;
	h->since = now;
	if (sample == h->args->samples - 1)
		atomic_store(&h->over, 1);
}

/* Until the other one waits for the mutex: then the unlock is a hand-off, and never a free lock. */
static void await_contender(struct hands *h)
{
	while (!(atomic_load_explicit(&h->mutex, memory_order_relaxed) & FUTEX_WAITERS) &&
	       !atomic_load_explicit(&h->over, memory_order_relaxed)) {
		if (!h->args->cross)
			sched_yield();
	}
}

static void *hand_lock(void *arg)
{
	struct hand *hand = arg;
	struct hands *h = hand->h;

	while (!atomic_load(&h->over)) {
		bf_lock(&h->mutex);
		if (!atomic_load(&h->over))
			count_hand_off(h);
		await_contender(h);
		bf_unlock(&h->mutex);
	}
	return NULL;
}

static void *hand_turn(void *arg)
{
	struct hand *hand = arg;
	struct hands *h = hand->h;

	bf_lock(&h->mutex);
	while (!atomic_load(&h->over)) {
		while (h->turn != hand->me && !atomic_load(&h->over))
			bf_wait(&h->seq, &h->mutex);
		if (!atomic_load(&h->over))
			count_hand_off(h);
		h->turn = !hand->me;
		bf_signal(&h->seq, &h->mutex);
	}
	bf_unlock(&h->mutex);
	return NULL;
}

static void measure_hands(const struct work_args *args, const char *series, void *(*run)(void *arg))
{
	struct hands *h = work_alloc(1, sizeof(*h));
	struct hand hand[2] = {{h, 0}, {h, 1}};
	pthread_t thread[2];

	h->args = args;
	h->ns = work_alloc((size_t)args->samples, sizeof(*h->ns));
	for (int i = 0; i < 2; i++)
		thread[i] = work_start(run, &hand[i], args->prio,
				       args->cross && i ? args->cpu2 : args->cpu);
	for (int i = 0; i < 2; i++)
		work_join(thread[i]);
	work_emit(series, h->ns, (size_t)args->samples);
	free(h->ns);
	free(h);
}

void WORK_FN(engine)(const struct work_args *args)
{
	if (args->part == WORK_PART_CALLS) {
		measure_calls(args);
	} else if (args->part == WORK_PART_REQUEUE) {
		WORK_FN(requeue)(args);
	} else {
		measure_hands(args, "lock_ns", hand_lock);
		measure_hands(args, "cond_ns", hand_turn);
	}
}
