/* SPDX-License-Identifier: MIT */
/*
 * shim_watch.h - what `rqpi run --observe` and `--stats` look at; called by shim_lock.c.
 */
#ifndef RQU_SHIM_WATCH_H
#define RQU_SHIM_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct shim_watch {
	pthread_mutex_t *mutex; /* NULL: nobody is watching */
};

extern bool shim_watching; /* constant once shim_state is known */

/* Around the wait of a contended lock of ours. @err: what it ended with. */
static inline void shim_watch_begin(struct shim_watch *w, pthread_mutex_t *m, const void *caller)
{
	(void)caller;
	w->mutex = m;
}

static inline void shim_watch_end(struct shim_watch *w, int err)
{
	(void)w;
	(void)err;
}

/* libc's own lock, looked at. */
int shim_watch_lock(pthread_mutex_t *m, const void *caller);
int shim_watch_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
			 const void *caller);
/* @m has been initialised by code at @caller. */
void shim_watch_made(pthread_mutex_t *m, const void *caller);

#endif /* RQU_SHIM_WATCH_H */
