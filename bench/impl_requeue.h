/* SPDX-License-Identifier: MIT */
/*
 * impl_requeue.h - FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI on a bare PI word: the floor of
 * any condvar that requeues. It is no condvar: one mutex only, a signal always enters the kernel,
 * no timeouts, no cancellation, nothing ever checked. Included by impl.h alone.
 */
#ifndef BENCH_IMPL_REQUEUE_H
#define BENCH_IMPL_REQUEUE_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "worker.h"

typedef struct {
	_Atomic uint32_t word; /* 0, or the owner's thread id and the kernel's FUTEX_WAITERS */
} bm_t;

typedef struct {
	_Atomic uint32_t seq; /* each signal steps it */
	bm_t *mutex;
} bc_t;

static __thread uint32_t own_tid;

static inline uint32_t bare_tid(void)
{
	if (!own_tid)
		own_tid = (uint32_t)syscall(SYS_gettid);
	return own_tid;
}

static inline void bm_init(bm_t *m)
{
	atomic_store(&m->word, 0);
}

static inline bool bm_is_pi(const bm_t *m)
{
	(void)m;
	return true;
}

static inline void bm_lock(bm_t *m)
{
	uint32_t none = 0;

	if (atomic_compare_exchange_strong_explicit(&m->word, &none, bare_tid(),
						    memory_order_acquire, memory_order_relaxed))
		return;
	while (work_futex(&m->word, FUTEX_LOCK_PI_PRIVATE, 0, 0, NULL, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			work_die("FUTEX_LOCK_PI", errno);
	}
}

static inline void bm_unlock(bm_t *m)
{
	uint32_t own = bare_tid();

	if (atomic_compare_exchange_strong_explicit(&m->word, &own, 0, memory_order_release,
						    memory_order_relaxed))
		return;
	if (work_futex(&m->word, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, NULL, 0))
		work_die("FUTEX_UNLOCK_PI", errno);
}

static inline void bc_init(bc_t *c, bm_t *m)
{
	atomic_store(&c->seq, 0);
	c->mutex = m;
}

static inline void bc_wait(bc_t *c, bm_t *m)
{
	uint32_t seq = atomic_load_explicit(&c->seq, memory_order_relaxed);

	bm_unlock(m);
	if (!work_futex(&c->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, seq, 0, &m->word, 0))
		return; /* the kernel has made us the owner */
	if (errno != EAGAIN && errno != EINTR)
		work_die("FUTEX_WAIT_REQUEUE_PI", errno);
	bm_lock(m);
}

static inline void bare_requeue(bc_t *c, uintptr_t more)
{
	uint32_t seq = atomic_fetch_add(&c->seq, 1) + 1;

	/* EAGAIN: another signal stepped the word, or the kernel wants to be asked again. */
	while (work_futex(&c->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, more, &c->mutex->word, seq) <
	       0) {
		if (errno != EAGAIN)
			work_die("FUTEX_CMP_REQUEUE_PI", errno);
		seq = atomic_load(&c->seq);
	}
}

static inline void bc_signal(bc_t *c)
{
	bare_requeue(c, 0);
}

static inline void bc_broadcast(bc_t *c)
{
	bare_requeue(c, INT_MAX);
}

#endif /* BENCH_IMPL_REQUEUE_H */
