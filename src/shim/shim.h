/* SPDX-License-Identifier: MIT */
/*
 * shim.h - what the files of the two preloads share.
 *
 * librqpi-preload.so puts PI-aware waiting under a program's own pthread_cond_t and
 * pthread_mutex_t. The mutex stays libc's in every respect; only a wait gives it up and takes it
 * back by itself. Of the condvar it uses two words that libc leaves 0 while nobody waits there its
 * way (`slot`). All of that is libc's private layout: shim_layout.c proves it at load by
 * experiment.
 *
 * librqpi-preload-mutex.so is the same and has the mutex functions as well (`rqpi run --force-pi`,
 * `--observe`): a library of its own, so that who does not ask for them does not pay for a call
 * through us at each lock.
 */
#ifndef RQU_SHIM_H
#define RQU_SHIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/atomic.h"

/* libc's own functions, by version: what a program would have called without us. */
struct shim_real {
	int (*wait)(pthread_cond_t *cond, pthread_mutex_t *mutex);
	int (*timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at);
	int (*clockwait)(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			 const struct timespec *at);
	int (*signal)(pthread_cond_t *cond);
	int (*broadcast)(pthread_cond_t *cond);
	int (*destroy)(pthread_cond_t *cond);
	/* librqpi-preload-mutex.so only */
	int (*lock)(pthread_mutex_t *mutex);
	int (*trylock)(pthread_mutex_t *mutex);
	int (*clocklock)(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *at);
	int (*unlock)(pthread_mutex_t *mutex);
	int (*init)(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
};

/* Where things are in a pthread_cond_t; offsets in bytes. */
struct shim_layout {
	size_t refs;	       /* a word: waiters in libc's own way, above the flag bits */
	uint32_t clock_flag;   /* in it: CLOCK_MONOTONIC */
	uint32_t pshared_flag; /* in it: process-shared */
	size_t slot;	       /* two words, 8-aligned, 0 unless libc's waiters are inside */
	bool slot_is_ours;     /* not even then does libc use them */
	bool share;	       /* process-shared condvars may be ours (shim_shared.c) */
};

#define SHIM_REFS_SHIFT 3 /* in the word at `refs`: the count of waiters begins at this bit */

/* shim_state; written once, with release order, when everything else here has been filled in. */
/* WATCHED: active, and somebody looks at what it does; a state of its own costs others nothing. */
enum { SHIM_UNKNOWN, SHIM_ACTIVE, SHIM_ASIDE, SHIM_WATCHED };
extern uint32_t shim_state;

extern struct shim_real shim_real;
extern struct shim_layout shim_layout;

/* --force-pi is in effect. Constant once shim_state is known. */
extern bool shim_forcing;
/* --observe or a trace without --force-pi: all that libc would do, libc does. Constant likewise. */
extern bool shim_observing;

/* True: the preload does its work. Finds out at the first call. */
bool shim_active(void);

/*
 * Are libc's functions known? For those that may be called by a program's allocator while we find
 * out.
 */
bool shim_ready_slow(void);

static inline bool shim_ready(void)
{
	return rqb_likely(rqb_load_acq(&shim_state) != SHIM_UNKNOWN) || shim_ready_slow();
}

/* One line on stderr, "rqpi: preload: " and the parts up to NULL; no stdio, no allocation. */
void shim_say(const char *part, ...) __attribute__((sentinel));

/*
 * One function: libc's own, ours, and what a program's call reaches. dlsym() may give the oldest
 * version of a symbol, and the oldest pthread_cond_* of glibc take another pthread_cond_t: so ask
 * by version.
 */
struct shim_binding {
	const char *name;
	const char *version;
	void *real; /* where libc's goes; NULL: is asked for under another name already */
	void (*ours)(void);
	bool needed;	 /* not a libc we know without it */
	bool is_default; /* the version that programs are linked with today */
};

/* What a preload is made of: preload_cond.c and preload_mutex.c list it. */
extern const struct shim_binding *const shim_bindings[]; /* ended by NULL */
/* librqpi-preload-mutex.so reads its part of the environment; NULL: fit, else why not. */
extern const char *(*const shim_start_more)(void);

extern const struct shim_binding shim_cond_bindings[];
extern const struct shim_binding shim_old_bindings[];
extern const struct shim_binding shim_mutex_bindings[];
extern const struct shim_binding shim_c11_bindings[];
extern const struct shim_binding shim_watch_bindings[];

/*
 * Is libc laid out as we think? Fills shim_layout. NULL if so, else what is different, in words.
 * Uses shim_real and locks mutexes of its own; makes no threads.
 */
const char *shim_prove_layout(void);
/* The same for what only librqpi-preload-mutex.so relies on (shim_force.c). */
const char *shim_prove_marks(void);

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
