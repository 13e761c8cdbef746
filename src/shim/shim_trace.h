/* SPDX-License-Identifier: MIT */
/*
 * shim_trace.h - the probes of `rqpi trace`: records (trace_record.h) of what the watching
 * functions see. Called by shim_watch*.c.
 *
 * Nothing here takes a lock, allocates or waits, and all of it is async-signal-safe.
 */
#ifndef RQU_SHIM_TRACE_H
#define RQU_SHIM_TRACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "src/base/atomic.h"
#include "src/shim/trace_record.h"

struct shim_row;

/* What the records go to, mapped by all who write and read them; NULL: this process has none. */
extern struct trace_record_file *shim_trace;

/*
 * Which trace is it? 0: none goes on, and nothing is to be written. A value that shim_row.traced
 * keeps.
 */
static inline uint32_t shim_trace_session(void)
{
	return rqb_unlikely(shim_trace != NULL) ? rqb_load(&shim_trace->enabled) : 0;
}

/* @where: RQPI_TRACE. False: there is nothing to write to; it has been said what is wrong. */
bool shim_trace_start(const char *where);
/* In a forked child, before it does anything. */
void shim_trace_fork(void);

/*
 * One record each; the caller has asked shim_trace_session(). @row: of the lock, for its name.
 * lock: a wait for @m began at @since, whose owner was then @owner.
 */
void shim_trace_lock(struct shim_row *row, const pthread_mutex_t *m, uint64_t since, uint32_t owner,
		     const void *caller);
void shim_trace_locked(uint64_t mutex, int err);
void shim_trace_wait(struct shim_row *row, const pthread_cond_t *cond, const pthread_mutex_t *m,
		     uint64_t since, const void *caller);
/* @err -1: cancelled */
void shim_trace_waited(uint64_t cond, int err);
void shim_trace_release(struct shim_row *row, const pthread_cond_t *cond, bool all,
			const void *caller);
void shim_trace_released(uint64_t cond);

/* The process ends: what its locks are called, those that have been in a record. */
void shim_trace_end(void);

#endif /* RQU_SHIM_TRACE_H */
