/* SPDX-License-Identifier: MIT */
/*
 * rqpi/mutex.h - a mutex that always inherits priority.
 *
 * The rules are those of POSIX's pthread_mutex_* with protocol PTHREAD_PRIO_INHERIT; what differs
 * is listed in rqpi_mutex(3) and docs/posix.md. Uncontended, lock and unlock are one
 * compare-exchange each.
 *
 *	static rqpi_mutex_t lock = RQPI_MUTEX_INITIALIZER;	// all bytes zero
 *
 *	rqpi_mutex_lock(&lock);
 *	...
 *	rqpi_mutex_unlock(&lock);
 *
 * All functions: no cancellation point; not async-signal-safe (as in POSIX); errno untouched.
 */
#ifndef RQPI_MUTEX_H
#define RQPI_MUTEX_H

#include <time.h>
#include <sys/types.h>
#include <rqpi/base.h>

/*
 * On a 32-bit machine a program chooses between two sizes of time_t (glibc: -D_TIME_BITS=64).
 * What takes a struct timespec is there for both, under two symbols, of which the header chooses.
 */
#if defined(__USE_TIME_BITS64) && __SIZEOF_LONG__ == 4
#define RQPI_TIMED_(name) __asm__(#name "_time64")
#else
#define RQPI_TIMED_(name)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Opaque. All bytes zero: an unlocked, normal, private mutex. 40 bytes, no more than glibc's own.
 */
typedef union rqpi_mutex {
	uint32_t u32_[10];
	void *align_;
} rqpi_mutex_t;

typedef struct rqpi_mutexattr {
	uint32_t kind_;
} rqpi_mutexattr_t;

/* Types, for rqpi_mutexattr_settype(). */
#define RQPI_MUTEX_NORMAL     0 /* locking it twice is refused: EDEADLK, no silent deadlock */
#define RQPI_MUTEX_RECURSIVE  1 /* the owner may lock it again, and unlocks it as often */
#define RQPI_MUTEX_ERRORCHECK 2 /* POSIX's words for what RQPI_MUTEX_NORMAL does here as well */

/* Robustness and sharing, for rqpi_mutexattr_setrobust() and the two _setpshared(). */
#define RQPI_STALLED	     0
#define RQPI_ROBUST	     1
#define RQPI_PROCESS_PRIVATE 0
#define RQPI_PROCESS_SHARED  1

#define RQPI_MUTEX_SHARED_ 0x8u /* in a mutex's second word: it is process-shared */

/* clang-format off */
#define RQPI_MUTEX_INITIALIZER            { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } }
#define RQPI_RECURSIVE_MUTEX_INITIALIZER  { { 0, RQPI_MUTEX_RECURSIVE, 0, 0, 0, 0, 0, 0, 0, 0 } }
#define RQPI_ERRORCHECK_MUTEX_INITIALIZER { { 0, RQPI_MUTEX_ERRORCHECK, 0, 0, 0, 0, 0, 0, 0, 0 } }
/* clang-format on */

/*
 * rqpi_mutexattr_init() - defaults: normal, stalled (not robust), private. Always 0.
 * rqpi_mutexattr_destroy() - nothing to release; the object may be initialised again. Always 0.
 * Source: POSIX pthread_mutexattr_init.
 */
RQPI_API int rqpi_mutexattr_init(rqpi_mutexattr_t *attr) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_destroy(rqpi_mutexattr_t *attr) RQPI_NONNULL;

/*
 * rqpi_mutexattr_settype()    - @type: RQPI_MUTEX_NORMAL, _RECURSIVE or _ERRORCHECK.
 * rqpi_mutexattr_setrobust()  - @robust: RQPI_STALLED or RQPI_ROBUST.
 * rqpi_mutexattr_setpshared() - @pshared: RQPI_PROCESS_PRIVATE or RQPI_PROCESS_SHARED.
 * Return 0; EINVAL for any other value, the attribute unchanged. The _get functions store the value
 * and return 0. Source: POSIX pthread_mutexattr_settype, _setrobust, _setpshared.
 */
RQPI_API int rqpi_mutexattr_settype(rqpi_mutexattr_t *attr, int type) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_gettype(const rqpi_mutexattr_t *attr, int *type) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_setrobust(rqpi_mutexattr_t *attr, int robust) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_getrobust(const rqpi_mutexattr_t *attr, int *robust) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_setpshared(rqpi_mutexattr_t *attr, int pshared) RQPI_NONNULL;
RQPI_API int rqpi_mutexattr_getpshared(const rqpi_mutexattr_t *attr, int *pshared) RQPI_NONNULL;

/*
 * rqpi_mutex_init() - make @mutex an unlocked mutex of the kind @attr says (NULL: all defaults).
 * Returns 0; ENOTSUP if the kernel has no PI futex, or if @attr is robust and the C library's
 * robust list cannot be shared; EINVAL if @attr was never initialised. Source: POSIX
 * pthread_mutex_init.
 */
RQPI_API int rqpi_mutex_init(rqpi_mutex_t *mutex, const rqpi_mutexattr_t *attr)
    __attribute__((nonnull(1)));

/*
 * rqpi_mutex_destroy() - end the life of an unlocked mutex. Its memory may be freed at once, also
 * by the thread that has just unlocked it: an unlock touches the mutex for the last time when it
 * releases it. Returns 0; EBUSY if it is locked. Source: POSIX pthread_mutex_destroy.
 */
RQPI_API int rqpi_mutex_destroy(rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_mutex_lock() - lock; while it is held by another thread, sleep and lend that thread our
 * priority. A caller without a real-time policy, which lends nothing, first looks for a bounded
 * while whether the mutex becomes free, a millisecond at most, yielding the processor: so ordinary
 * threads take it in passing. (Not if it is robust.) A real-time one sleeps at once, in order.
 *
 * Returns 0, the caller owns the mutex, or
 *   EDEADLK          the caller owns it already (not recursive), or waiting would close a cycle of
 *                    owners;
 *   EAGAIN           recursive: locked UINT32_MAX times already;
 *   EOWNERDEAD       robust: the owner died. The caller OWNS the mutex and shall repair the state
 *                    it guards, call rqpi_mutex_consistent(), and unlock;
 *   ENOTRECOVERABLE  robust: an owner unlocked after EOWNERDEAD without rqpi_mutex_consistent();
 *   ESRCH            not robust, and the owner is dead: nobody will ever unlock it. (Threads that
 *                    were waiting when it died get it one after the other, as if it had been
 *                    unlocked: return 0.)
 *   ENOTSUP          contended, and the kernel has no PI futex;
 *   ENOMEM           contended, and the kernel had no memory for its side of it, for a tenth of a
 *                    second;
 *   EINVAL, EPERM, EFAULT  the memory is no mutex that rqpi manages: the kernel disagrees with its
 *                          word.
 * Never EINTR: a signal handler that ran leaves the wait in place.
 * Source: POSIX pthread_mutex_lock; futex(2) FUTEX_LOCK_PI.
 */
RQPI_API int rqpi_mutex_lock(rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_mutex_trylock() - lock if that is possible at once.
 * Returns as rqpi_mutex_lock(), and EBUSY if it is held, by the caller too unless recursive.
 * Source: POSIX pthread_mutex_trylock.
 */
RQPI_API RQPI_NODISC int rqpi_mutex_trylock(rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_mutex_timedlock() - lock, or give up when CLOCK_REALTIME reaches @abstime.
 * rqpi_mutex_clocklock() - the same on @clock: CLOCK_REALTIME or CLOCK_MONOTONIC.
 * @abstime: absolute; tv_nsec in 0..999999999; a negative tv_sec is a time long past. Looked at
 * only if the mutex cannot be had at once.
 * Returns as rqpi_mutex_lock(), and ETIMEDOUT; EINVAL for another @clock or a tv_nsec out of range.
 * Source: POSIX pthread_mutex_timedlock, pthread_mutex_clocklock.
 */
RQPI_API RQPI_NODISC int rqpi_mutex_timedlock(rqpi_mutex_t *mutex, const struct timespec *abstime)
    RQPI_TIMED_(rqpi_mutex_timedlock) RQPI_NONNULL;
RQPI_API RQPI_NODISC int rqpi_mutex_clocklock(rqpi_mutex_t *mutex, clockid_t clock,
					      const struct timespec *abstime)
    RQPI_TIMED_(rqpi_mutex_clocklock) RQPI_NONNULL;

/*
 * rqpi_mutex_unlock() - release; the kernel hands it to the most urgent thread that waits, if any,
 * and takes back the priority that was lent.
 * Returns 0; EPERM if the caller does not own it (every type is checked). The child of a fork goes
 * on owning, in its copy, the private mutexes that the forking thread held. (Not after _Fork() or a
 * bare clone(2), in whose children POSIX allows async-signal-safe functions only.) Source: POSIX
 * pthread_mutex_unlock; futex(2) FUTEX_UNLOCK_PI.
 */
RQPI_API int rqpi_mutex_unlock(rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_mutex_consistent() - after EOWNERDEAD: what the mutex guards has been repaired.
 * Returns 0; EINVAL if the mutex is not robust, not held by the caller or not inconsistent.
 * Source: POSIX pthread_mutex_consistent.
 */
RQPI_API int rqpi_mutex_consistent(rqpi_mutex_t *mutex) RQPI_NONNULL;

/*
 * rqpi_mutex_owner() - who holds the mutex at this moment: a thread id as gettid(2) gives it, 0 if
 * nobody. A glance for diagnostics: it may be out of date on return. Async-signal-safe.
 */
RQPI_API pid_t rqpi_mutex_owner(const rqpi_mutex_t *mutex) RQPI_NONNULL;

#ifdef __cplusplus
}
#endif
#endif /* RQPI_MUTEX_H */
