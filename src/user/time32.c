/* SPDX-License-Identifier: MIT */
/*
 * time32.c - the functions that take a time, for 32-bit programs whose time_t has 32 bits.
 *
 * Only built where there are such programs: with glibc on 32-bit machines (src/meson.build). The
 * library itself has 64-bit times everywhere, and its functions have the names that mutex.h and
 * cond.h give to programs of that kind; those defined here have the plain names. See RQPI_TIMED_ in
 * mutex.h, which says the rules.
 */
#include "src/user/user.h"

#ifndef __USE_TIME_BITS64
#error "the library itself is compiled with -D_TIME_BITS=64"
#endif

struct timespec32 {
	int32_t tv_sec;
	int32_t tv_nsec;
};

RQPI_API int
rqu_mutex_timedlock32(rqpi_mutex_t *mutex,
		      const struct timespec32 *abstime) __asm__("rqpi_mutex_timedlock");
RQPI_API int
rqu_mutex_clocklock32(rqpi_mutex_t *mutex, clockid_t clock,
		      const struct timespec32 *abstime) __asm__("rqpi_mutex_clocklock");
RQPI_API int rqu_cond_timedwait32(rqpi_cond_t *cond, rqpi_mutex_t *mutex,
				  const struct timespec32 *abstime) __asm__("rqpi_cond_timedwait");
RQPI_API int rqu_cond_clockwait32(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
				  const struct timespec32 *abstime) __asm__("rqpi_cond_clockwait");

static struct timespec widened(const struct timespec32 *abstime)
{
	return (struct timespec){.tv_sec = abstime->tv_sec, .tv_nsec = abstime->tv_nsec};
}

int rqu_mutex_timedlock32(rqpi_mutex_t *mutex, const struct timespec32 *abstime)
{
	struct timespec at = widened(abstime);

	return rqpi_mutex_timedlock(mutex, &at);
}

int rqu_mutex_clocklock32(rqpi_mutex_t *mutex, clockid_t clock, const struct timespec32 *abstime)
{
	struct timespec at = widened(abstime);

	return rqpi_mutex_clocklock(mutex, clock, &at);
}

int rqu_cond_timedwait32(rqpi_cond_t *cond, rqpi_mutex_t *mutex, const struct timespec32 *abstime)
{
	struct timespec at = widened(abstime);

	return rqpi_cond_timedwait(cond, mutex, &at);
}

int rqu_cond_clockwait32(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
			 const struct timespec32 *abstime)
{
	struct timespec at = widened(abstime);

	return rqpi_cond_clockwait(cond, mutex, clock, &at);
}
