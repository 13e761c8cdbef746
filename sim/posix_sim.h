/* SPDX-License-Identifier: MIT */
/*
 * posix_sim.h - the functions of mutex and condvar as scenarios call them: each tells the monitor
 * of its call and its return. In scenario.h, so that a scenario need not know; the code under
 * test does not.
 */
#ifndef RQS_POSIX_SIM_H
#define RQS_POSIX_SIM_H

#include <rqpi/cond.h>
#include <rqpi/mutex.h>

int rqs_mutex_lock(rqpi_mutex_t *mutex);
int rqs_mutex_trylock(rqpi_mutex_t *mutex);
int rqs_mutex_timedlock(rqpi_mutex_t *mutex, const struct timespec *abstime);
int rqs_mutex_clocklock(rqpi_mutex_t *mutex, clockid_t clock, const struct timespec *abstime);
int rqs_cond_wait(rqpi_cond_t *cond, rqpi_mutex_t *mutex);
int rqs_cond_timedwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, const struct timespec *abstime);
int rqs_cond_clockwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
		       const struct timespec *abstime);
int rqs_cond_signal(rqpi_cond_t *cond);
int rqs_cond_broadcast(rqpi_cond_t *cond);

#ifndef RQS_POSIX_SIM_ITSELF
#define rqpi_mutex_lock	     rqs_mutex_lock
#define rqpi_mutex_trylock   rqs_mutex_trylock
#define rqpi_mutex_timedlock rqs_mutex_timedlock
#define rqpi_mutex_clocklock rqs_mutex_clocklock
#define rqpi_cond_wait	     rqs_cond_wait
#define rqpi_cond_timedwait  rqs_cond_timedwait
#define rqpi_cond_clockwait  rqs_cond_clockwait
#define rqpi_cond_signal     rqs_cond_signal
#define rqpi_cond_broadcast  rqs_cond_broadcast
#endif

#endif /* RQS_POSIX_SIM_H */
