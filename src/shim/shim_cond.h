/* SPDX-License-Identifier: MIT */
/* shim_cond.h - what the files around pthread_cond_* know of each other. */
#ifndef RQU_SHIM_COND_H
#define RQU_SHIM_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/user/user.h"

static inline uint32_t *shim_cond_word(pthread_cond_t *cond, size_t offset)
{
	return (uint32_t *)(void *)((char *)cond + offset);
}

/* A wait that is asked for, and the function that does it. */
struct shim_cond_call {
	int (*how)(const struct shim_cond_call *call);
	pthread_cond_t *cond;
	pthread_mutex_t *mutex;
	clockid_t clock;
	const struct timespec *at;
};

/*
 * Who looks at waits and wakes (shim_watch_cond.c), on behalf of code at @caller. wait: calls
 * call->how, returns what it returned. release: before each signal or broadcast (@all); true: call
 * released after it, when the condvar may be gone.
 */
struct shim_cond_watcher {
	int (*wait)(const struct shim_cond_call *call, const void *caller);
	bool (*release)(pthread_cond_t *cond, bool all, const void *caller);
	void (*released)(uint64_t cond);
	void (*destroy)(pthread_cond_t *cond);
};

/* NULL: nobody. Constant once shim_state is known, which is SHIM_WATCHED then. */
extern const struct shim_cond_watcher *shim_cond_watcher;

/*
 * Process-shared condvars (shim_shared.c). @slot: the two words of one. wait: @lock is
 * process-shared and owned by the caller. release: 0 or a positive errno.
 */
int shim_shared_wait(uint32_t *slot, struct rqu_lock *lock, const struct rqu_deadline *dl);
int shim_shared_release(uint32_t *slot, int nr_requeue);
/* Has anybody of ours waited there since the last shim_shared_forget()? */
bool shim_shared_in_use(uint32_t *slot);
/* At destroy, and when the condvar is to be libc's. */
void shim_shared_forget(uint32_t *slot);

#endif /* RQU_SHIM_COND_H */
