/* SPDX-License-Identifier: MIT */
/*
 * shim.h - what the files of librqpi-preload.so share.
 *
 * The preload puts PI-aware waiting under a program's own pthread_cond_t and pthread_mutex_t. The
 * mutex stays libc's in every respect; only a wait gives it up and takes it back by itself. Of the
 * condvar it uses one word that libc leaves 0 while nobody waits there its way (`slot`), for the
 * name of a wait channel. Both are libc's private layout: shim_layout.c proves it at load by
 * experiment.
 */
#ifndef RQU_SHIM_H
#define RQU_SHIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libc's own functions, by version: what a program would have called without us. */
struct shim_real {
	int (*wait)(pthread_cond_t *cond, pthread_mutex_t *mutex);
	int (*timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at);
	int (*clockwait)(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			 const struct timespec *at);
	int (*signal)(pthread_cond_t *cond);
	int (*broadcast)(pthread_cond_t *cond);
	int (*destroy)(pthread_cond_t *cond);
};

/* Where things are in a pthread_cond_t; offsets in bytes. */
struct shim_layout {
	size_t refs;	       /* a word: waiters in libc's own way, above the flag bits */
	uint32_t clock_flag;   /* in it: CLOCK_MONOTONIC */
	uint32_t pshared_flag; /* in it: process-shared */
	size_t slot;	       /* a word that is 0 unless libc's waiters are inside */
};

#define SHIM_REFS_SHIFT 3 /* in the word at `refs`: the count of waiters begins at this bit */

/* shim_state; written once, with release order, when everything else here has been filled in. */
enum { SHIM_UNKNOWN, SHIM_ACTIVE, SHIM_ASIDE };
extern uint32_t shim_state;

extern struct shim_real shim_real;
extern struct shim_layout shim_layout;

/* True: the preload does its work. Finds out at the first call. */
bool shim_active(void);

/*
 * Is libc laid out as we think? Fills shim_layout. NULL if so, else what is different, in words.
 * Uses shim_real and locks mutexes of its own; makes no threads.
 */
const char *shim_prove_layout(void);

/* Ours, as exported under libc's names (shim_cond.c). */
int shim_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int shim_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
			const struct timespec *abstime);
int shim_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			const struct timespec *abstime);
int shim_cond_clockwait_2_30(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			     const struct timespec *abstime);
int shim_cond_signal(pthread_cond_t *cond);
int shim_cond_broadcast(pthread_cond_t *cond);
int shim_cond_destroy(pthread_cond_t *cond);

/* Exported for diagnosis, dlsym(RTLD_DEFAULT, "rqpi_preload_active"): 1 active, 0 stepped aside. */
int rqpi_preload_active(void);

#endif /* RQU_SHIM_H */
