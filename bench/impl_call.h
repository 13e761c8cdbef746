/* SPDX-License-Identifier: MIT */
/*
 * impl_call.h - one futex call, made on the kernel's futex or on the engine: the arguments and
 * results of both are the same. A bare PI lock on top of it, for the hand-offs. Included by impl.h
 * alone.
 */
#ifndef BENCH_IMPL_CALL_H
#define BENCH_IMPL_CALL_H

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "worker.h"

#if defined(BENCH_IMPL_ENGINE)
#include <rqpi/host.h>

/* bf_futex() - @word is private to the process; >= 0 or a negative errno value. */
static inline long bf_futex(_Atomic uint32_t *word, int op, uint32_t val, uintptr_t val2,
			    _Atomic uint32_t *word2, uint32_t val3)
{
	return rqpi_futex((uint32_t *)word, op | FUTEX_PRIVATE_FLAG, val,
			  (const struct timespec *)val2, (uint32_t *)word2, val3);
}
#else
/* The way a program makes it: through libc's syscall(). */
static inline long bf_futex(_Atomic uint32_t *word, int op, uint32_t val, uintptr_t val2,
			    _Atomic uint32_t *word2, uint32_t val3)
{
	long ret = syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, val, val2, word2, val3);

	return ret < 0 ? -errno : ret;
}
#endif

static __thread uint32_t bf_own_tid;

static inline uint32_t bf_tid(void)
{
	if (!bf_own_tid)
		bf_own_tid = (uint32_t)syscall(SYS_gettid);
	return bf_own_tid;
}

static inline void bf_must(long ret, const char *what)
{
	if (ret < 0)
		work_die(what, (int)-ret);
}

static inline void bf_lock(_Atomic uint32_t *word)
{
	uint32_t none = 0;
	long ret;

	if (atomic_compare_exchange_strong_explicit(word, &none, bf_tid(), memory_order_acquire,
						    memory_order_relaxed))
		return;
	do
		ret = bf_futex(word, FUTEX_LOCK_PI, 0, 0, NULL, 0);
	while (ret == -EINTR || ret == -EAGAIN);
	bf_must(ret, "FUTEX_LOCK_PI");
}

static inline void bf_unlock(_Atomic uint32_t *word)
{
	uint32_t own = bf_tid();

	if (!atomic_compare_exchange_strong_explicit(word, &own, 0, memory_order_release,
						     memory_order_relaxed))
		bf_must(bf_futex(word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), "FUTEX_UNLOCK_PI");
}

/* Unlock @mutex and sleep on @seq; own @mutex on return, whatever ended the sleep. */
static inline void bf_wait(_Atomic uint32_t *seq, _Atomic uint32_t *mutex)
{
	uint32_t seen = atomic_load_explicit(seq, memory_order_relaxed);
	long ret;

	bf_unlock(mutex);
	ret = bf_futex(seq, FUTEX_WAIT_REQUEUE_PI, seen, 0, mutex, 0);
	if (!ret)
		return;
	if (ret != -EAGAIN && ret != -EINTR)
		bf_must(ret, "FUTEX_WAIT_REQUEUE_PI");
	bf_lock(mutex);
}

static inline void bf_signal(_Atomic uint32_t *seq, _Atomic uint32_t *mutex)
{
	uint32_t now = atomic_fetch_add(seq, 1) + 1;
	long ret;

	do
		ret = bf_futex(seq, FUTEX_CMP_REQUEUE_PI, 1, 0, mutex, now);
	while (ret == -EAGAIN); /* only the holder of the mutex steps the word */
	bf_must(ret, "FUTEX_CMP_REQUEUE_PI");
}

#endif /* BENCH_IMPL_CALL_H */
