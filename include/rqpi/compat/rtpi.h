/* SPDX-License-Identifier: MIT */
/*
 * rtpi.h - the names of librtpi, for programs that are written for it: add this folder to the
 * include path (`pkg-config --cflags rqpi-rtpi`), link with librqpi, and change nothing else.
 *
 * What a program may rely on is the same, but for what is an error there or is better here:
 *  - signal and broadcast need no mutex: the argument is not looked at, and may be NULL. The caller
 *    need not hold it;
 *  - pi_cond_wait() and pi_cond_timedwait() are cancellation points, pi_cond_destroy() may follow
 *    right after a broadcast, and a fork leaves both sides with what they hold;
 *  - pi_mutex_trylock() of one's own mutex is EBUSY, as in POSIX, where librtpi has EDEADLK;
 *  - a flag that is not known is refused with EINVAL.
 * As there: a pi_cond_timedwait() is on CLOCK_MONOTONIC; a mutex is neither recursive nor robust.
 * The types are smaller (40 and 48 bytes), so all that share one must be compiled anew.
 *
 * Each function returns 0 or an errno value, as the function of rqpi in its place:
 * rqpi_mutex_lock(3), rqpi_cond_wait(3).
 */
#ifndef RQPI_COMPAT_RTPI_H
#define RQPI_COMPAT_RTPI_H

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include <rqpi/cond.h>
#include <rqpi/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTPI_MONOTONIC_ 1 /* CLOCK_MONOTONIC of Linux, which <time.h> of C11 alone does not name */

typedef rqpi_mutex_t pi_mutex_t;
typedef rqpi_cond_t pi_cond_t;

#define RTPI_MUTEX_PSHARED 0x1
#define RTPI_COND_PSHARED  RTPI_MUTEX_PSHARED

/* @flags: 0 or RTPI_*_PSHARED, a constant. */
#define DEFINE_PI_MUTEX(mutex, flags)  pi_mutex_t mutex = PI_MUTEX_INIT(flags)
#define DEFINE_PI_COND(condvar, flags) pi_cond_t condvar = PI_COND_INIT(flags)

/* clang-format off */
#define PI_MUTEX_INIT(flags) \
	{ { 0, ((flags) & RTPI_MUTEX_PSHARED) ? RQPI_MUTEX_SHARED_ : 0u, 0, 0, 0, 0, 0, 0, 0, 0 } }
#define PI_COND_INIT(flags) \
	{ { RQPI_COND_MONOTONIC_, ((flags) & RTPI_COND_PSHARED) ? RQPI_COND_SHARED_ : 0u, \
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } }
/* clang-format on */

static inline int pi_mutex_init(pi_mutex_t *mutex, uint32_t flags)
{
	rqpi_mutexattr_t attr;

	if (flags & ~(uint32_t)RTPI_MUTEX_PSHARED)
		return EINVAL;
	(void)rqpi_mutexattr_init(&attr);
	(void)rqpi_mutexattr_setpshared(&attr, flags ? RQPI_PROCESS_SHARED : RQPI_PROCESS_PRIVATE);
	return rqpi_mutex_init(mutex, &attr);
}

static inline int pi_mutex_destroy(pi_mutex_t *mutex)
{
	return rqpi_mutex_destroy(mutex);
}

/* Memory for one, initialised with no flags. NULL: there is none. */
static inline pi_mutex_t *pi_mutex_alloc(void)
{
	return (pi_mutex_t *)calloc(1, sizeof(pi_mutex_t));
}

static inline void pi_mutex_free(pi_mutex_t *mutex)
{
	free(mutex);
}

static inline int pi_mutex_lock(pi_mutex_t *mutex)
{
	return rqpi_mutex_lock(mutex);
}

static inline int pi_mutex_trylock(pi_mutex_t *mutex)
{
	return rqpi_mutex_trylock(mutex);
}

static inline int pi_mutex_unlock(pi_mutex_t *mutex)
{
	return rqpi_mutex_unlock(mutex);
}

static inline int pi_cond_init(pi_cond_t *cond, uint32_t flags)
{
	rqpi_condattr_t attr;

	if (flags & ~(uint32_t)RTPI_COND_PSHARED)
		return EINVAL;
	(void)rqpi_condattr_init(&attr);
	(void)rqpi_condattr_setclock(&attr, RTPI_MONOTONIC_);
	(void)rqpi_condattr_setpshared(&attr, flags ? RQPI_PROCESS_SHARED : RQPI_PROCESS_PRIVATE);
	return rqpi_cond_init(cond, &attr);
}

static inline int pi_cond_destroy(pi_cond_t *cond)
{
	return rqpi_cond_destroy(cond);
}

/* Memory for one, to be initialised by pi_cond_init(). NULL: there is none. */
static inline pi_cond_t *pi_cond_alloc(void)
{
	return (pi_cond_t *)calloc(1, sizeof(pi_cond_t));
}

static inline void pi_cond_free(pi_cond_t *cond)
{
	free(cond);
}

static inline int pi_cond_wait(pi_cond_t *cond, pi_mutex_t *mutex)
{
	return rqpi_cond_wait(cond, mutex);
}

/* @abstime: on CLOCK_MONOTONIC, however the condvar came to be. */
static inline int pi_cond_timedwait(pi_cond_t *cond, pi_mutex_t *mutex,
				    const struct timespec *abstime)
{
	return rqpi_cond_clockwait(cond, mutex, RTPI_MONOTONIC_, abstime);
}

static inline int pi_cond_signal(pi_cond_t *cond, pi_mutex_t *mutex)
{
	(void)mutex;
	return rqpi_cond_signal(cond);
}

static inline int pi_cond_broadcast(pi_cond_t *cond, pi_mutex_t *mutex)
{
	(void)mutex;
	return rqpi_cond_broadcast(cond);
}

#ifdef __cplusplus
}
#endif
#endif /* RQPI_COMPAT_RTPI_H */
