/* SPDX-License-Identifier: MIT */
/*
 * place.h - where a task gives way: what it is about to do, for reports alone.
 *
 * Set by the port (port_sim.c, sys_sim.c) right before a point, read by replay.c behind the step.
 * Outside of the arena, so no part of a state [W-I1].
 */
#ifndef RQS_PLACE_H
#define RQS_PLACE_H

#include <stdint.h>

enum rqs_place_kind {
	RQS_AT_NOTHING,
	RQS_AT_ATOMIC,	   /* an atomic access to @addr */
	RQS_AT_LOCK,	   /* the raw lock @addr is to be taken */
	RQS_AT_TRYLOCK,	   /* the same, if it is free */
	RQS_AT_RELAX,	   /* ... and again, once it is free */
	RQS_AT_LOAD,	   /* the engine reads the word @addr of user space */
	RQS_AT_EXCHANGE,   /* the engine compares and exchanges it */
	RQS_AT_SLEEP,	   /* asleep */
	RQS_AT_INSIDE,	   /* the program's critical section */
	RQS_AT_TESTCANCEL, /* pthread_testcancel() */
	RQS_AT_COPY,	   /* memory of another process */
	RQS_AT_PAGE,	   /* the page of the word @addr is to be brought in */
	RQS_AT_FORK,	   /* fork(), the child is the task @addr */
	RQS_PLACE_KINDS
};

struct rqs_place {
	uint32_t kind; /* enum rqs_place_kind */
	const volatile void *addr;
};

extern struct rqs_place rqs_place;

static inline void rqs_at(enum rqs_place_kind kind, const volatile void *addr)
{
	rqs_place = (struct rqs_place){(uint32_t)kind, addr};
}

/* While this is not NULL: a call that a scenario has checked has returned @got. */
extern void (*rqs_result_listener)(const char *call, long got);

#endif /* RQS_PLACE_H */
