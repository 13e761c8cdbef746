/* SPDX-License-Identifier: MIT */
/*
 * work_queue.c - a bounded queue of 8, producers and consumers, one signal per put and per get with
 * the mutex held: items per second, and whether it ever stood still. Compiled once per
 * implementation; called by worker.c.
 */
#include "impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CAPACITY = 8, MAX_PAIRS = 16 };

#define LOOK_NS	 (20 * WORK_NSEC_PER_MSEC)
#define STUCK_NS (2 * WORK_NSEC_PER_SEC)

struct queue {
	_Alignas(64) bm_t mutex;
	_Alignas(64) bc_t not_empty;
	_Alignas(64) bc_t not_full;
	_Alignas(64) int used;
	bool stop;
	_Atomic uint64_t items;
};

static void *put_items(void *arg)
{
	struct queue *q = arg;

	bm_lock(&q->mutex);
	for (;;) {
		while (q->used == CAPACITY && !q->stop)
			bc_wait(&q->not_full, &q->mutex);
		if (q->stop)
			break;
		q->used++;
		bc_signal(&q->not_empty);
		bm_unlock(&q->mutex);
		bm_lock(&q->mutex);
	}
	bm_unlock(&q->mutex);
	return NULL;
}

static void *get_items(void *arg)
{
	struct queue *q = arg;

	bm_lock(&q->mutex);
	for (;;) {
		while (q->used == 0 && !q->stop)
			bc_wait(&q->not_empty, &q->mutex);
		if (q->stop)
			break;
		q->used--;
		atomic_fetch_add_explicit(&q->items, 1, memory_order_relaxed);
		bc_signal(&q->not_full);
		bm_unlock(&q->mutex);
		bm_lock(&q->mutex);
	}
	bm_unlock(&q->mutex);
	return NULL;
}

/* Report what there is and leave: threads that will never end cannot be joined. */
static _Noreturn void report_stuck(uint64_t items)
{
	work_emit_one("stuck", 1);
	work_emit_one("items_until_stuck", (double)items);
	bc_emit_stats();
	fflush(stdout);
	_exit(0);
}

static void watch(struct queue *q, uint64_t begin, uint64_t end)
{
	uint64_t last = 0, moved = begin, now;

	while ((now = work_now()) < end || now - moved > LOOK_NS * 2) {
		uint64_t items;

		work_nap(LOOK_NS);
		items = atomic_load(&q->items);
		now = work_now();
		if (items != last) {
			last = items;
			moved = now;
		} else if (now - moved > STUCK_NS) {
			report_stuck(items);
		}
	}
}

static void join_or_report(struct queue *q, pthread_t *threads, int n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(STUCK_NS / WORK_NSEC_PER_SEC);
	for (int i = 0; i < n; i++) {
		if (pthread_timedjoin_np(threads[i], NULL, &until))
			report_stuck(atomic_load(&q->items));
	}
}

void WORK_FN(queue)(const struct work_args *args)
{
	struct queue *q = work_alloc(1, sizeof(*q));
	pthread_t threads[2 * MAX_PAIRS];
	uint64_t begin, end, items;
	int n = 0;

	if (args->pairs > MAX_PAIRS)
		work_die("queue: too many pairs", EINVAL);
	bm_init(&q->mutex);
	bc_init(&q->not_empty, &q->mutex);
	bc_init(&q->not_full, &q->mutex);
	if (args->prio)
		work_set_prio(args->prio + 10); /* whoever watches must be able to run */
	begin = work_now();
	for (int i = 0; i < args->pairs; i++) {
		threads[n++] = work_start(put_items, q, args->prio, -1);
		threads[n++] = work_start(get_items, q, args->prio, -1);
	}
	watch(q, begin, begin + (uint64_t)args->ms * WORK_NSEC_PER_MSEC);
	bm_lock(&q->mutex);
	items = atomic_load(&q->items);
	end = work_now();
	q->stop = true;
	bc_broadcast(&q->not_empty);
	bc_broadcast(&q->not_full);
	bm_unlock(&q->mutex);
	join_or_report(q, threads, n);
	work_emit_one("items_per_s", (double)items * 1e9 / (double)(end - begin));
	work_emit_one("stuck", 0);
	bc_emit_stats();
	free(q);
}
