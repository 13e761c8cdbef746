/* SPDX-License-Identifier: MIT */
/* shim_lock.h - the mutex functions of librqpi-preload-mutex.so, for its other files. */
#ifndef RQU_SHIM_LOCK_H
#define RQU_SHIM_LOCK_H

#include <pthread.h>
#include <time.h>

/* pthread_mutex_lock() and so on, on behalf of code at @caller. */
int shim_lock_for(pthread_mutex_t *m, const void *caller);
int shim_trylock_for(pthread_mutex_t *m, const void *caller);
int shim_clocklock_for(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
		       const void *caller);

/* As exported. */
int shim_mutex_lock(pthread_mutex_t *m);
int shim_mutex_trylock(pthread_mutex_t *m);
int shim_mutex_timedlock(pthread_mutex_t *m, const struct timespec *at);
int shim_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at);
int shim_mutex_unlock(pthread_mutex_t *m);
int shim_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);

/* libc's own lock and unlock, whether they are known yet or not: see shim_ready(). */
int shim_lock_libcs(pthread_mutex_t *m);
int shim_unlock_libcs(pthread_mutex_t *m);
int shim_clocklock_libcs(pthread_mutex_t *m, clockid_t clock, const struct timespec *at);

#endif /* RQU_SHIM_LOCK_H */
