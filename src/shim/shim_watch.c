/* SPDX-License-Identifier: MIT */
/* shim_watch.c - what `rqpi run --observe` and `--stats` look at. */
#include "src/shim/shim_watch.h"

#include "src/shim/shim_lock.h"

bool shim_watching;

int shim_watch_lock(pthread_mutex_t *m, const void *caller)
{
	(void)caller;
	return shim_lock_libcs(m);
}

int shim_watch_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
			 const void *caller)
{
	(void)caller;
	return shim_clocklock_libcs(m, clock, at);
}

void shim_watch_made(pthread_mutex_t *m, const void *caller)
{
	(void)m;
	(void)caller;
}
