/* SPDX-License-Identifier: MIT */
/*
 * shim_mutex.h - glibc's mutex from the inside: what a wait must read and keep right, and what
 * --force-pi writes.
 *
 * Proved at load by shim_layout.c. Of a PI mutex, __lock is a PI futex word as ours; __owner names
 * the owner again, for the types that check; __count counts a recursive mutex from 1; __nusers is
 * left as it is during a wait, as glibc's own condvar does. Of a robust one __owner is also its
 * state, below.
 */
#ifndef RQU_SHIM_MUTEX_H
#define RQU_SHIM_MUTEX_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/user/user.h"

#define SHIM_KIND_TYPE	  0x3
#define SHIM_KIND_ROBUST  0x10
#define SHIM_KIND_INHERIT 0x20
#define SHIM_KIND_PROTECT 0x40
#define SHIM_KIND_SHARED  0x80
/*
 * Ours, a bit that glibc masks out wherever it looks: --force-pi has decided about this mutex, once
 * and for its life. With INHERIT: its lock and unlock are ours. Without: it is libc's for good.
 */
#define SHIM_KIND_DECIDED 0x400
/*
 * Ours likewise, with INHERIT: it is PI by our wish, not by the program's. Who has asked for a PI
 * mutex gets what libc's do to an unlock by somebody else: EPERM.
 */
#define SHIM_KIND_MADE	  0x800

/* __owner of a robust mutex */
#define SHIM_INCONSISTENT   INT_MAX
#define SHIM_NOTRECOVERABLE (INT_MAX - 1)

static inline int shim_mutex_kind(const pthread_mutex_t *m)
{
	return (int)rqb_load((const uint32_t *)(const void *)&m->__data.__kind);
}

static inline bool shim_mutex_robust(const pthread_mutex_t *m)
{
	return (shim_mutex_kind(m) & SHIM_KIND_ROBUST) != 0;
}

/* A mutex that inherits priority, and whose bookkeeping we know. */
static inline bool shim_mutex_is_ours(const pthread_mutex_t *m)
{
	int not_ours = SHIM_KIND_PROTECT | (sizeof(void *) == 8 ? 0 : SHIM_KIND_ROBUST);

	return (shim_mutex_kind(m) & (SHIM_KIND_INHERIT | not_ours)) == SHIM_KIND_INHERIT;
}

static inline bool shim_mutex_shared(const pthread_mutex_t *m)
{
	return (shim_mutex_kind(m) & SHIM_KIND_SHARED) != 0;
}

static inline uint32_t *shim_mutex_word(pthread_mutex_t *m)
{
	return (uint32_t *)(void *)&m->__data.__lock;
}

RQB_BUILD(offsetof(pthread_mutex_t, __data.__lock) == 0,
	  "the probes know a mutex by the address of its word");

/* Does the caller own @m? In a forked child, the copy of one held across the fork: shim_lock.c. */
bool shim_mutex_owned(pthread_mutex_t *m);

/* A robust mutex of libc's, in a wait (shim_robust.c). */
extern const struct rqu_lock_way shim_robust_way;
/* Lock after a plain wait: spin for a bounded while first (shim_spin.c). */
extern const struct rqu_lock_way shim_spin_way;

/*
 * Own @m's word: spin for a bounded while if the caller has no real-time policy, then sleep in the
 * kernel with inheritance. 0 or a positive errno.
 */
int shim_lock_word(pthread_mutex_t *m, const struct rqu_deadline *dl);

/*
 * --force-pi: decide about @m, whose kind was seen without DECIDED, on behalf of code at @caller.
 * True: its lock and unlock are ours. (shim_force.c)
 */
bool shim_decide(pthread_mutex_t *m, const void *caller);
/* The same when @m has just been initialised, so that nobody can have it. */
bool shim_decide_new(pthread_mutex_t *m, const void *caller);

/* The caller unlocks @m, which somebody else owns and which was made PI by us. 0 or EPERM. */
int shim_unlock_of_another(pthread_mutex_t *m);
/* Stepped by it; who is stuck sleeps there (shim_lock.c). */
extern uint32_t shim_stuck_seq;
/* It cannot be locked any more, @err says why: until @dl, or for ever, or until it can again. */
void shim_tell_stuck(pthread_mutex_t *m, int err);

#endif /* RQU_SHIM_MUTEX_H */
