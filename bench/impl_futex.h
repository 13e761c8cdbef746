/* SPDX-License-Identifier: MIT */
/*
 * impl_futex.h - one thread in FUTEX_WAIT, another does FUTEX_WAKE, and no mutex at all: the floor
 * of waking anybody. Made for the wake benchmark's one waiter only. Included by impl.h alone.
 */
#ifndef BENCH_IMPL_FUTEX_H
#define BENCH_IMPL_FUTEX_H

#include <linux/futex.h>
#include "worker.h"

typedef struct {
	char none;
} bm_t;

typedef struct {
	_Atomic uint32_t seq; /* each signal steps it */
	uint32_t seen; /* what the one waiter has been woken for: a signal sent early is not lost */
} bc_t;

static inline void bm_init(bm_t *m)
{
	m->none = 0;
}

static inline void bm_lock(bm_t *m)
{
	(void)m;
}

static inline void bm_unlock(bm_t *m)
{
	(void)m;
}

static inline void bc_init(bc_t *c, bm_t *m)
{
	(void)m;
	atomic_store(&c->seq, 0);
	c->seen = 0;
}

static inline void bc_wait(bc_t *c, bm_t *m)
{
	(void)m;
	while (atomic_load_explicit(&c->seq, memory_order_acquire) == c->seen)
		work_futex(&c->seq, FUTEX_WAIT_PRIVATE, c->seen, 0, NULL, 0);
	c->seen++;
}

static inline void bc_signal(bc_t *c)
{
	atomic_fetch_add_explicit(&c->seq, 1, memory_order_release);
	work_futex(&c->seq, FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0);
}

#endif /* BENCH_IMPL_FUTEX_H */
