/* SPDX-License-Identifier: MIT */
/*
 * shim_watch.h - what `rqpi run --observe` and `--stats` look at; called by shim_lock.c and, by
 * way of shim_cond_watcher, by shim_cond.c.
 */
#ifndef RQU_SHIM_WATCH_H
#define RQU_SHIM_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "src/base/atomic.h"

struct shim_row;
struct shim_seat;

struct shim_watch {
	struct shim_row *row; /* NULL: nobody is watching */
	struct shim_seat *seat;
	uint64_t since;
	uint64_t mutex;
	uint32_t owner; /* when the wait began; 0: not known */
	bool urgent;	/* the caller is more urgent than the owner, */
	bool inherits;	/* which inherits that */
};

extern bool shim_watching; /* constant once shim_state is known */

/* Start, if the environment asks for it. */
void shim_watch_start(void);

void shim_watch_enter(struct shim_watch *w, pthread_mutex_t *m, const void *caller);
void shim_watch_leave(struct shim_watch *w, int err);

/* Around the wait of a contended lock of ours. @err: what it ended with. */
static inline void shim_watch_begin(struct shim_watch *w, pthread_mutex_t *m, const void *caller)
{
	w->row = NULL;
	if (rqb_unlikely(shim_watching))
		shim_watch_enter(w, m, caller);
}

static inline void shim_watch_end(struct shim_watch *w, int err)
{
	if (rqb_unlikely(w->row != NULL))
		shim_watch_leave(w, err);
}

/* libc's own lock, looked at. */
int shim_watch_lock(pthread_mutex_t *m, const void *caller);
int shim_watch_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
			 const void *caller);
/* @m has been initialised by code at @caller. */
void shim_watch_made(pthread_mutex_t *m, const void *caller);

/* pthread_mutex_destroy: exported, so that the next mutex in the same place is another. */
int shim_mutex_destroy(pthread_mutex_t *m);

extern const struct shim_cond_watcher shim_watch_cond;

#endif /* RQU_SHIM_WATCH_H */
