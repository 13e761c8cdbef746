/* SPDX-License-Identifier: MIT */
/*
 * work_wake.c - one waiter, one signaller: nanoseconds from before the signal until the waiter has
 * the mutex, and context switches of the two threads per wake-up. Compiled once per implementation;
 * called by worker.c.
 *
 * The waiter (FIFO 60) is above the signaller (FIFO 50). On one CPU it therefore runs the moment it
 * is woken, whatever the signaller holds: that is where a wake-up that must still fetch the mutex
 * shows.
 */
#include "impl.h"

#include <sched.h>
#include <stdlib.h>

enum { PRIO_SIGNALLER = 50, PRIO_WAITER = 60, WARM_UP = 50 };

/* Across CPUs: how long the waiter is given to be asleep again. More than a wake-up takes. */
#define SETTLE_NS (40 * WORK_NSEC_PER_USEC)

struct wake {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t cond;
	_Alignas(64) _Atomic uint64_t sent_ns;
	_Atomic int posted; /* wake-ups ordered */
	_Atomic int served; /* wake-ups that have happened */
	const struct work_args *args;
	int total;
	double *ns;
	long switches; /* of the waiter, after the warm-up */
};

static void *wait_repeatedly(void *arg)
{
	struct wake *w = arg;
	long before = 0;

	bm_lock(&w->mutex);
	for (int i = 0; i < w->total; i++) {
		uint64_t now;

		if (i == WARM_UP)
			before = work_switches();
		while (atomic_load_explicit(&w->posted, memory_order_acquire) <= i)
			bc_wait(&w->cond, &w->mutex);
		now = work_now();
		if (i >= WARM_UP)
			w->ns[i - WARM_UP] = (double)(now - atomic_load(&w->sent_ns));
		atomic_store_explicit(&w->served, i + 1, memory_order_release);
	}
	w->switches = work_switches() - before;
	bm_unlock(&w->mutex);
	return NULL;
}

/* On one CPU the signaller only runs when the waiter sleeps; across CPUs it has to make sure. */
static void await_sleeping_waiter(const struct wake *w, int round)
{
	uint64_t seen;

	while (atomic_load_explicit(&w->served, memory_order_acquire) < round)
		; /* bounded by the watchdog of the process */
	if (!w->args->cross)
		return;
	seen = work_now();
	while (work_now() - seen < SETTLE_NS)
		;
}

static void signal_once(struct wake *w, int round)
{
	bm_lock(&w->mutex);
	atomic_store_explicit(&w->posted, round + 1, memory_order_release);
	if (w->args->held) {
		atomic_store_explicit(&w->sent_ns, work_now(), memory_order_relaxed);
		bc_signal(&w->cond);
		bm_unlock(&w->mutex);
	} else {
		bm_unlock(&w->mutex);
		atomic_store_explicit(&w->sent_ns, work_now(), memory_order_relaxed);
		bc_signal(&w->cond);
	}
}

void WORK_FN(wake)(const struct work_args *args)
{
	struct wake *w = work_alloc(1, sizeof(*w));
	pthread_t waiter;
	long before = 0, switches;

	w->args = args;
	w->total = args->samples + WARM_UP;
	w->ns = work_alloc((size_t)args->samples, sizeof(*w->ns));
	bm_init(&w->mutex);
	bc_init(&w->cond, &w->mutex);
	work_bind(args->cpu, -1);
	work_set_prio(PRIO_SIGNALLER);
	waiter = work_start(wait_repeatedly, w, PRIO_WAITER, args->cross ? args->cpu2 : args->cpu);
	work_nap(2 * WORK_NSEC_PER_MSEC);
	for (int i = 0; i < w->total; i++) {
		await_sleeping_waiter(w, i);
		if (i == WARM_UP)
			before = work_switches();
		signal_once(w, i);
	}
	await_sleeping_waiter(w, w->total);
	switches = work_switches() - before;
	work_join(waiter);
	work_emit("wake_ns", w->ns, (size_t)args->samples);
	work_emit_one("switches", (double)(switches + w->switches) / args->samples);
	free(w->ns);
	free(w);
}
