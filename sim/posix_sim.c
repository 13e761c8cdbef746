/* SPDX-License-Identifier: MIT */
/*
 * posix_sim.c - the functions of mutex and condvar, with the monitor told of call and return. See
 * posix_sim.h.
 *
 * Called by scenarios.
 */
#define RQS_POSIX_SIM_ITSELF
#include "sim/posix_sim.h"

#include <errno.h>

#include "sim/monitor.h"
#include "sim/world.h"

enum { NSEC_PER_SEC = 1000000000 };

static int locked(rqpi_mutex_t *mutex, int err)
{
	if (!err || err == EOWNERDEAD)
		rqs_monitor_locked(mutex);
	return err;
}

int rqs_mutex_lock(rqpi_mutex_t *mutex)
{
	return locked(mutex, rqpi_mutex_lock(mutex));
}

int rqs_mutex_trylock(rqpi_mutex_t *mutex)
{
	return locked(mutex, rqpi_mutex_trylock(mutex));
}

int rqs_mutex_timedlock(rqpi_mutex_t *mutex, const struct timespec *abstime)
{
	return locked(mutex, rqpi_mutex_timedlock(mutex, abstime));
}

int rqs_mutex_clocklock(rqpi_mutex_t *mutex, clockid_t clock, const struct timespec *abstime)
{
	return locked(mutex, rqpi_mutex_clocklock(mutex, clock, abstime));
}

static int waited(int err)
{
	rqs_monitor_waited(err);
	return err;
}

/* Both clocks show the same time. A negative one is long past. */
static uint64_t nanoseconds(const struct timespec *abstime)
{
	return abstime->tv_sec < 0
		   ? 0
		   : (uint64_t)abstime->tv_sec * NSEC_PER_SEC + (uint64_t)abstime->tv_nsec;
}

int rqs_cond_wait(rqpi_cond_t *cond, rqpi_mutex_t *mutex)
{
	rqs_monitor_wait(cond, mutex, RQPI_FOREVER);
	return waited(rqpi_cond_wait(cond, mutex));
}

int rqs_cond_timedwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, const struct timespec *abstime)
{
	rqs_monitor_wait(cond, mutex, nanoseconds(abstime));
	return waited(rqpi_cond_timedwait(cond, mutex, abstime));
}

int rqs_cond_clockwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
		       const struct timespec *abstime)
{
	rqs_monitor_wait(cond, mutex, nanoseconds(abstime));
	return waited(rqpi_cond_clockwait(cond, mutex, clock, abstime));
}

static int signalled(int err)
{
	rqs_monitor_signalled(err);
	return err;
}

int rqs_cond_signal(rqpi_cond_t *cond)
{
	rqs_monitor_signal(cond, false);
	return signalled(rqpi_cond_signal(cond));
}

int rqs_cond_broadcast(rqpi_cond_t *cond)
{
	rqs_monitor_signal(cond, true);
	return signalled(rqpi_cond_broadcast(cond));
}
