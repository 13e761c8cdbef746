/* SPDX-License-Identifier: MIT */
/* shim_cond.h - what the files around pthread_cond_* know of each other. */
#ifndef RQU_SHIM_COND_H
#define RQU_SHIM_COND_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "src/user/user.h"

static inline uint32_t *shim_cond_word(pthread_cond_t *cond, size_t offset)
{
	return (uint32_t *)(void *)((char *)cond + offset);
}

/*
 * Process-shared condvars (shim_shared.c). @slot: the two words of one. wait: @lock is
 * process-shared and owned by the caller. release: 0 or a positive errno.
 */
int shim_shared_wait(uint32_t *slot, struct rqu_lock *lock, const struct rqu_deadline *dl);
int shim_shared_release(uint32_t *slot, int nr_requeue);
/* At destroy. */
void shim_shared_forget(uint32_t *slot);

#endif /* RQU_SHIM_COND_H */
