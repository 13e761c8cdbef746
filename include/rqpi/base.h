/* SPDX-License-Identifier: MIT */
/*
 * rqpi/base.h - what every public header of rqpi shares: version, visibility, capabilities, errors.
 *
 * Error convention of the whole public interface: a function returns 0 or a positive errno value,
 * as the pthread functions do, and leaves errno itself alone.
 */
#ifndef RQPI_BASE_H
#define RQPI_BASE_H

#include <stdint.h>

#define RQPI_VERSION_MAJOR 0
#define RQPI_VERSION_MINOR 1
#define RQPI_VERSION_PATCH 0
#define RQPI_VERSION	   "0.1.0"

#if defined(__GNUC__) || defined(__clang__)
#define RQPI_API     __attribute__((visibility("default")))
#define RQPI_NODISC  __attribute__((warn_unused_result))
#define RQPI_NONNULL __attribute__((nonnull))
#else
#define RQPI_API
#define RQPI_NODISC
#define RQPI_NONNULL
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the kernel, or the engine in its place, offers this process; the bits of rqpi_caps(). */
#define RQPI_CAP_PI	    0x1u /* FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI */
#define RQPI_CAP_LOCK_PI2   0x2u /* FUTEX_LOCK_PI2: timed locks on CLOCK_MONOTONIC (Linux 5.14) */
#define RQPI_CAP_REQUEUE_PI 0x4u /* FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI (Linux 2.6.31) */
#define RQPI_CAP_ROBUST	    0x8u /* a robust list that rqpi can share with the C library */
#define RQPI_CAP_ENGINE	    0x10u /* all this by the engine in this process: RQPI_BACKEND */

/*
 * rqpi_caps() - what this kernel lets this process do, found by trying each operation once.
 *
 * Returns: RQPI_CAP_* bits. Without RQPI_CAP_REQUEUE_PI a condition variable still keeps every
 * promise of POSIX, but its waiters wake first and lock the mutex afterwards: guarantees U2 and U3
 * of rqpi_cond(3) are lost. Without RQPI_CAP_PI a contended lock fails with ENOTSUP, since silently
 * not inheriting would be worse. A sandbox that takes an operation away later is noticed when the
 * operation is next used; but nobody can then release threads that already sleep in it: enter the
 * sandbox before the first wait, with all threads.
 * Never fails. Async-signal-safe. No cancellation point.
 */
RQPI_API unsigned int rqpi_caps(void);

/*
 * rqpi_strerror() - what a code that rqpi returned means in rqpi's own terms.
 * @code: 0 or a positive errno value.
 * Returns: a constant English sentence, never NULL; "unknown error code" for a value that no
 * function of rqpi returns. Async-signal-safe, no cancellation point.
 */
RQPI_API const char *rqpi_strerror(int code);

/* rqpi_version() - the version of the library that is running, as "MAJOR.MINOR.PATCH". */
RQPI_API const char *rqpi_version(void);

/*
 * Process-wide counters of what condition variables did, for tests and tuning. Each is a sum over
 * all threads since the start and wraps at 2^64. Signals with nobody waiting are not counted.
 */
struct rqpi_cond_stats {
	uint64_t size;	       /* set by the caller to sizeof(struct rqpi_cond_stats) */
	uint64_t window_wakes; /* waits ended because a signal came between unlock and sleep */
	uint64_t
	    late_wakes; /* waits whose time ran out after they may have been released: returned 0 */
	uint64_t double_wakes; /* signals seen to release a second thread, in that same window */
	uint64_t forwarded; /* signals passed on by a thread that was cancelled while holding one */
	uint64_t rebinds;   /* a condvar was used with another mutex while threads were inside */
	uint64_t no_channel; /* waits that polled because no memory was left for a wait channel */
};

/*
 * rqpi_get_cond_stats() - copy the counters into @stats.
 * Returns: 0; EINVAL if stats->size is smaller than the field size itself or no multiple of 8. A
 * larger structure from a newer header is filled as far as this library knows and zeroed beyond.
 * Async-signal-safe, no cancellation point. The counters are read one by one, not as one snapshot.
 */
RQPI_API int rqpi_get_cond_stats(struct rqpi_cond_stats *stats) RQPI_NONNULL;

#ifdef __cplusplus
}
#endif
#endif /* RQPI_BASE_H */
