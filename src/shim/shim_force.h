/* SPDX-License-Identifier: MIT */
/* shim_force.h - what --force-pi has done so far, for the report. */
#ifndef RQU_SHIM_FORCE_H
#define RQU_SHIM_FORCE_H

#include <pthread.h>
#include <stdint.h>

/* Why a mutex was left to libc. */
enum shim_left {
	SHIM_LEFT_EXCEPTED,  /* RQPI_FORCE_PI_EXCEPT */
	SHIM_LEFT_PROTECT,   /* PTHREAD_PRIO_PROTECT */
	SHIM_LEFT_ELSEWHERE, /* process-shared or robust, initialised where we were not */
	SHIM_LEFT_LOCKED,    /* found locked, by somebody who does not come by here */
	SHIM_LEFT_UNKNOWN,   /* not a kind of this libc */
	SHIM_LEFT_REASONS,
	SHIM_LEFT_NOT = SHIM_LEFT_REASONS
};

extern struct shim_force_counts {
	uint64_t made; /* mutexes made PI */
	uint64_t were; /* that were PI by the program's own wish */
	uint64_t left[SHIM_LEFT_REASONS];
	uint64_t unlocked_by_others; /* unlocks by a thread that was not the owner */
	uint64_t refused_to_others;  /* the same, which had to fail */
	uint64_t locked_twice;	     /* a normal mutex locked by its owner: it waits */
} shim_force_counts;

/* Why a mutex of @kind, without inheritance, has been left to libc; as seen afterwards. */
enum shim_left shim_why_left(const pthread_mutex_t *m, int kind, const void *caller);

/* The base name of the object that @address lies in; NULL: in none. Takes no lock. */
const char *shim_object_of(const void *address);

#endif /* RQU_SHIM_FORCE_H */
