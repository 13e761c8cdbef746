/* SPDX-License-Identifier: MIT */
/* channel.h - what wait.c and channel.c know of each other; see user.h for the rules. */
#ifndef RQU_CHANNEL_H
#define RQU_CHANNEL_H

#include "src/user/user.h"

#define RQU_CHAN_REQUEUED 1u
#define RQU_CHAN_PLAIN	  2u /* rqu_lock.plain: woken after the others, and they lock themselves */

/*
 * A wait channel: where the waiters of one private condvar sleep. Type-stable: once a channel,
 * always a channel. One cache line.
 */
struct rqu_chan {
	uint32_t seq;  /* the futex word of the sleepers [U-I4] */
	uint32_t refs; /* pins; 0: free, or about to be [U-I2] */
	uint32_t
	    *ref; /* the condvar word that names this channel; stable while pinned, else NULL */
	uint32_t *word;	    /* the mutex of those inside; stable while pinned */
	uint32_t shared;    /* that mutex is process-shared, so are the keys of our futex calls */
	uint32_t index;	    /* its own; constant */
	uint32_t next;	    /* free list: index + 1 of the next, 0 at the end */
	uint32_t mark;	    /* the last signal step known to have released somebody */
	uint32_t kinds;	    /* of waits in this lending, RQU_CHAN_*; grows under the mutex */
	uint32_t plain_seq; /* as seq, for those who sleep without requeue_pi by their own wish */
	RQB_PROBED(const void *cond;) /* rqu_lock.cond of the lending; stable while pinned */
} __attribute__((aligned(64)));

/* A sequence after one more signal or broadcast. */
uint32_t rqu_seq_after(uint32_t seq, bool broadcast);

/* Drop a pin; the last one gives the channel back. */
void rqu_channel_unpin(struct rqu_chan *c);

/* A waiter that began at @ticket was released in the window between its unlock and its sleep. */
void rqu_channel_window_wake(struct rqu_chan *c, uint32_t ticket);

#endif /* RQU_CHANNEL_H */
