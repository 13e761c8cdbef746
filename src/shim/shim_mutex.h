/* SPDX-License-Identifier: MIT */
/*
 * shim_mutex.h - glibc's PI mutex from the inside: what a wait must read and keep right.
 *
 * Proved at load by shim_layout.c. __lock is a PI futex word as ours; __owner names the owner
 * again, for the types that check; __count counts a recursive mutex from 1; __nusers is left as it
 * is during a wait, as glibc's own condvar does.
 */
#ifndef RQU_SHIM_MUTEX_H
#define RQU_SHIM_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SHIM_KIND_ROBUST  0x10
#define SHIM_KIND_INHERIT 0x20
#define SHIM_KIND_PROTECT 0x40
#define SHIM_KIND_SHARED  0x80

/* A mutex that inherits priority and is not robust. Its kind never changes after init. */
static inline bool shim_mutex_is_ours(const pthread_mutex_t *m)
{
	return (m->__data.__kind & (SHIM_KIND_INHERIT | SHIM_KIND_ROBUST | SHIM_KIND_PROTECT)) ==
	       SHIM_KIND_INHERIT;
}

static inline bool shim_mutex_shared(const pthread_mutex_t *m)
{
	return (m->__data.__kind & SHIM_KIND_SHARED) != 0;
}

static inline uint32_t *shim_mutex_word(pthread_mutex_t *m)
{
	return (uint32_t *)(void *)&m->__data.__lock;
}

#endif /* RQU_SHIM_MUTEX_H */
