/* SPDX-License-Identifier: MIT */
/*
 * rqpi/cond.h - POSIX condition variables that keep priority inheritance from wait to return.
 *
 *	rqpi_mutex_lock(&m);			rqpi_mutex_lock(&m);
 *	while (!ready)				ready = 1;
 *		rqpi_cond_wait(&c, &m);		rqpi_cond_signal(&c);	// with m held or not
 *	...					rqpi_mutex_unlock(&m);
 *	rqpi_mutex_unlock(&m);
 *
 * Beyond POSIX:
 *  U1 signal wakes the highest-priority thread that was waiting, FIFO among equals;
 *  U2 broadcast wakes at most one thread and moves the rest onto the mutex, in one system call;
 *  U3 when a released wait returns, the kernel has already handed the mutex over;
 *  U4 there is no lock inside the condvar; signal and broadcast with nobody waiting make no system
 *     call (process-shared: none but the first after the last waiter has left);
 *  U5 a signal releases at least one of the threads waiting when it was sent, and is taken by none
 *     that began to wait after it returned.
 *
 * A wait may return without a reason (POSIX: spurious wakeup): always wait in a loop on the
 * condition. One signal can release two threads when one of them had unlocked the mutex and was not
 * yet asleep; rqpi_get_cond_stats() counts it. U2 and U3 need RQPI_CAP_REQUEUE_PI, see rqpi_caps().
 */
#ifndef RQPI_COND_H
#define RQPI_COND_H

#include <time.h>
#include <rqpi/base.h>
#include <rqpi/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque. All bytes zero: an idle, private condvar on CLOCK_REALTIME. 48 bytes, as glibc's. */
typedef union rqpi_cond {
	uint32_t u32_[12];
	uint64_t align_ __attribute__((aligned(8))); /* in a union, i386 would be content with 4 */
} rqpi_cond_t;

typedef struct rqpi_condattr {
	uint32_t kind_;
} rqpi_condattr_t;

#define RQPI_COND_MONOTONIC_ 0x100u /* in a condvar's first word: the clock is CLOCK_MONOTONIC */
#define RQPI_COND_SHARED_    0x1u   /* in its second word: it is process-shared */

/* clang-format off */
#define RQPI_COND_INITIALIZER           { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } }
#define RQPI_COND_MONOTONIC_INITIALIZER \
	{ { RQPI_COND_MONOTONIC_, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } }
/* clang-format on */

/*
 * rqpi_condattr_init() - defaults: CLOCK_REALTIME, private. Always 0.   rqpi_condattr_destroy():
 * always 0.
 * rqpi_condattr_setclock() - @clock: CLOCK_REALTIME or CLOCK_MONOTONIC, the clock of
 * rqpi_cond_timedwait().
 * rqpi_condattr_setpshared() - @pshared: RQPI_PROCESS_PRIVATE or RQPI_PROCESS_SHARED.
 * Return 0, or EINVAL for any other value. Source: POSIX pthread_condattr_*.
 */
RQPI_API int rqpi_condattr_init(rqpi_condattr_t *attr) RQPI_NONNULL;
RQPI_API int rqpi_condattr_destroy(rqpi_condattr_t *attr) RQPI_NONNULL;
RQPI_API int rqpi_condattr_setclock(rqpi_condattr_t *attr, clockid_t clock) RQPI_NONNULL;
RQPI_API int rqpi_condattr_getclock(const rqpi_condattr_t *attr, clockid_t *clock) RQPI_NONNULL;
RQPI_API int rqpi_condattr_setpshared(rqpi_condattr_t *attr, int pshared) RQPI_NONNULL;
RQPI_API int rqpi_condattr_getpshared(const rqpi_condattr_t *attr, int *pshared) RQPI_NONNULL;

/*
 * rqpi_cond_init() - make @cond an idle condvar as @attr says (NULL: the defaults). Returns 0;
 * EINVAL if
 * @attr was never initialised. Source: POSIX pthread_cond_init.
 */
RQPI_API int rqpi_cond_init(rqpi_cond_t *cond, const rqpi_condattr_t *attr)
    __attribute__((nonnull(1)));

/*
 * rqpi_cond_destroy() - end the life of a condvar on which nobody is blocked. Legal right after a
 * broadcast, with the mutex still held and before the released threads have run; the memory may be
 * freed at once. Never waits, needs no mutex, always returns 0. Source: POSIX pthread_cond_destroy.
 */
RQPI_API int rqpi_cond_destroy(rqpi_cond_t *cond) RQPI_NONNULL;

/*
 * rqpi_cond_wait() - unlock @mutex and sleep until released, as one step towards signals; return
 * owning it.
 *
 * @mutex: held by the caller; a recursive one is released whatever its depth, and has it again on
 * return. All threads that wait at one time shall use the same mutex; one that comes with another
 * mutex releases those inside, as if by broadcast. A process-shared condvar needs a process-shared
 * mutex. Returns 0, also when nothing happened (spurious wakeup), with the mutex held, or
 *   EPERM            the caller does not own @mutex; nothing was done;
 *   EINVAL           process-shared condvar with a private mutex; nothing was done;
 *   EOWNERDEAD       robust mutex, the last owner died: the caller OWNS it, as after
 *                    rqpi_mutex_lock();
 *   ENOTRECOVERABLE  robust mutex that can no longer be locked: the caller does NOT own it;
 *   ESRCH, EDEADLK   the mutex could not be locked again, see rqpi_mutex_lock(): not owned. So are
 *                    the other errors of rqpi_mutex_lock(), if the kernel gives them.
 * Never EINTR. Cancellation point: when cancelled, the mutex is owned again before the first
 * cleanup handler runs, and a signal that the thread may have taken is passed on to another waiter.
 * Source: POSIX pthread_cond_wait; futex(2) FUTEX_WAIT_REQUEUE_PI.
 */
RQPI_API int rqpi_cond_wait(rqpi_cond_t *cond, rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_cond_timedwait() - the same, until the condvar's clock reaches @abstime.
 * rqpi_cond_clockwait() - the same on @clock: CLOCK_REALTIME or CLOCK_MONOTONIC.
 * Return also ETIMEDOUT, mutex held: the time has passed and no signal was consumed; EINVAL,
 * nothing done: tv_nsec not in 0..999999999, or another @clock. A negative tv_sec is a time long
 * past. Locking the mutex again is not bounded by @abstime. Source: POSIX pthread_cond_timedwait,
 * pthread_cond_clockwait.
 */
RQPI_API int rqpi_cond_timedwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex,
				 const struct timespec *abstime)
    RQPI_TIMED_(rqpi_cond_timedwait) RQPI_NONNULL;
RQPI_API int rqpi_cond_clockwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
				 const struct timespec *abstime)
    RQPI_TIMED_(rqpi_cond_clockwait) RQPI_NONNULL;

/*
 * rqpi_cond_signal() - release at least one waiting thread: the one of highest priority.
 * rqpi_cond_broadcast() - release all: the mutex goes to them one by one, in priority order.
 *
 * With or without the mutex held; nothing is done and nothing is remembered if nobody waits.
 * Return 0, or, where the kernel refused because of the mutex and nobody could be released,
 *   ESRCH    the mutex is held by a thread that died, and is not robust;
 *   EDEADLK  a waiter owns a mutex that the holder of this one waits for: releasing it would be a
 *            deadlock;
 *   EPERM, EINVAL, EFAULT  the word of the mutex is not what its users and the kernel made it;
 *   ENOMEM   the kernel had no memory for its side of the mutex, for a tenth of a second.
 * A broadcast has then released those before the one that was refused. Never EINTR, no cancellation
 * point. Not async-signal-safe, as in POSIX. Source: POSIX pthread_cond_signal; futex(2)
 * FUTEX_CMP_REQUEUE_PI.
 */
RQPI_API int rqpi_cond_signal(rqpi_cond_t *cond) RQPI_NONNULL;
RQPI_API int rqpi_cond_broadcast(rqpi_cond_t *cond) RQPI_NONNULL;

#ifdef __cplusplus
}
#endif
#endif /* RQPI_COND_H */
