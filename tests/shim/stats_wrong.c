/* SPDX-License-Identifier: MIT */
/*
 * stats_wrong.c - how one must not look at a lock: trylock first, whatever its kind, and EBUSY
 * where the caller has it himself. t_stats.py shows that its comparison of kinds notices.
 */
#include <errno.h>
#include <pthread.h>

__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	struct timespec at;
	int err = pthread_mutex_trylock(mutex);

	if (err != EBUSY)
		return err;
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += 10;
	return mutex->__data.__owner ? err : pthread_mutex_timedlock(mutex, &at);
}
