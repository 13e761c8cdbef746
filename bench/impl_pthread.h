/* SPDX-License-Identifier: MIT */
/*
 * impl_pthread.h - the pthread functions with a mutex of the protocol that impl.h names. "glibc"
 * has PTHREAD_PRIO_INHERIT, and so has "preload", with librqpi-preload.so under it. "normal" has a
 * mutex that does not inherit, which is what std::mutex is, and so has "force-pi", with the preload
 * under it, told to make all mutexes inherit. The code is the same, as in an unmodified program.
 * Included by impl.h alone.
 */
#ifndef BENCH_IMPL_PTHREAD_H
#define BENCH_IMPL_PTHREAD_H

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "worker.h"

typedef pthread_mutex_t bm_t;
typedef pthread_cond_t bc_t;

static inline void bm_init(bm_t *m)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	err = pthread_mutexattr_setprotocol(&attr, BENCH_PROTOCOL);
	if (!err)
		err = pthread_mutex_init(m, &attr);
	if (err)
		work_die("pthread_mutex_init", err);
	pthread_mutexattr_destroy(&attr);
}

/*
 * bm_is_pi() - does @m, which the caller holds, inherit? A word that the kernel can read an owner
 * from holds the owner's thread id; that of a normal mutex does not. It is the first of glibc's
 * words, and the second of musl's.
 */
static inline bool bm_is_pi(const bm_t *m)
{
	const uint32_t *word = (const uint32_t *)m, tid = (uint32_t)syscall(SYS_gettid);

	return (word[0] & 0x3fffffff) == tid || (word[1] & 0x3fffffff) == tid;
}

static inline void bm_lock(bm_t *m)
{
	int err = pthread_mutex_lock(m);

	if (__builtin_expect(err, 0))
		work_die("pthread_mutex_lock", err);
}

static inline void bm_unlock(bm_t *m)
{
	int err = pthread_mutex_unlock(m);

	if (__builtin_expect(err, 0))
		work_die("pthread_mutex_unlock", err);
}

static inline void bc_init(bc_t *c, bm_t *m)
{
	(void)m;
	pthread_cond_init(c, NULL);
}

static inline void bc_wait(bc_t *c, bm_t *m)
{
	int err = pthread_cond_wait(c, m);

	if (__builtin_expect(err, 0))
		work_die("pthread_cond_wait", err);
}

static inline void bc_signal(bc_t *c)
{
	int err = pthread_cond_signal(c);

	if (__builtin_expect(err, 0))
		work_die("pthread_cond_signal", err);
}

static inline void bc_broadcast(bc_t *c)
{
	int err = pthread_cond_broadcast(c);

	if (__builtin_expect(err, 0))
		work_die("pthread_cond_broadcast", err);
}

static inline void bc_emit_stats(void)
{
}

#endif /* BENCH_IMPL_PTHREAD_H */
