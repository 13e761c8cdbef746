/* SPDX-License-Identifier: MIT */
/*
 * buffers.h - store buffers: as on x86, a store reaches the others later than it is made.
 *
 * What a task stores with less than seq_cst goes into a queue of its own. The task itself sees it
 * at once; the others when the explorer lets the oldest one out (RQS_FLUSH), or all go out because
 * the task does something that waits for that: a read-modify-write, a seq_cst store, a raw lock,
 * its end.
 */
#ifndef RQS_BUFFERS_H
#define RQS_BUFFERS_H

#include "sim/world.h"

#define RQS_BUFFERED 16

struct rqs_buffer {
	uint64_t count;
	struct {
		void *addr;
		uint64_t bytes;
		uint64_t value;
	} entry[RQS_BUFFERED]; /* the oldest first; all zero behind the last */
};

/* From the next rqs_world_begin() on. */
extern bool rqs_store_buffers;

/* The buffers become a part of the state that is being made: the last one. */
void rqs_buffers_begin(void);

static inline bool rqs_is_buffering(const struct rqs_task *t)
{
	return rqs_world->buffers && rqs_world->buffers[t - rqs_world->tasks].count;
}

/* The oldest store of @t reaches memory; all do. */
void rqs_flush(const struct rqs_task *t);
static inline void rqs_drain(const struct rqs_task *t)
{
	while (rqs_is_buffering(t))
		rqs_flush(t);
}

/*
 * The running task waits until all its stores are out: what it has done before comes before that.
 */
static inline void rqs_wait_for_stores(void)
{
	struct rqs_task *t = rqs_running();

	if (!t || !rqs_is_buffering(t))
		return;
	rqs_yield();
	rqs_drain(t);
}

/* Where @t finds what it sees at @addr: its own newest store, or @addr. */
const volatile void *rqs_seen_at(const struct rqs_task *t, const volatile void *addr,
				 uint64_t bytes);

/* Where @t leaves a store to @addr, right after this: at the end of its buffer, or @addr. */
volatile void *rqs_kept_at(const struct rqs_task *t, volatile void *addr, uint64_t bytes);

#endif /* RQS_BUFFERS_H */
