/* SPDX-License-Identifier: MIT */
/*
 * actor.h - threads that do what the test tells them, one thing after the other, on PI locks of the
 * host port; and what the kernel's scheduler has for each of them. Used by t_boost.c.
 */
#ifndef RQT_ACTOR_H
#define RQT_ACTOR_H

#include "tests/host/hosted.h"

#include <semaphore.h>

enum { OTHER = 0 }; /* in place of a FIFO priority */

enum rqt_action { LOCK, LOCK_FOR, UNLOCK, WAIT, BEQUEATH, END };

struct rqt_pi_lock {
	void *link;
	uint32_t word;
};

struct rqt_actor {
	struct rqt_thread thread;
	int own; /* FIFO priority, OTHER: nice 0 */
	sem_t go, did;
	enum rqt_action action;
	struct rqt_pi_lock *lock;
	uint32_t *seq;
	int ms;
	long result;
};

/* Start it, as FIFO @own or OTHER. */
void rqt_actor_begin(struct rqt_actor *a, int own);
void rqt_actor_end(struct rqt_actor *a);
pid_t rqt_actor_tid(struct rqt_actor *a);

void rqt_tell(struct rqt_actor *a, enum rqt_action action, struct rqt_pi_lock *lock);
/* The result of what it was told last; fails if there is none soon. */
long rqt_result_of(struct rqt_actor *a);
/* It does so at once, and the result is 0. */
void rqt_does(struct rqt_actor *a, enum rqt_action action, struct rqt_pi_lock *lock);
/* It does not come back from it: it sleeps in the engine. */
void rqt_blocks_on(struct rqt_actor *a, struct rqt_pi_lock *lock);
void rqt_waits_on(struct rqt_actor *a, uint32_t *seq, struct rqt_pi_lock *lock);

/* FUTEX_CMP_REQUEUE_PI of all. */
long rqt_broadcast(uint32_t *seq, struct rqt_pi_lock *lock);

/* Its own priority is @fifo, or OTHER, from now on. */
void rqt_set_own(struct rqt_actor *a, int fifo);

/* The kernel runs it with this, at this moment: a boost is applied before the waiter sleeps. */
void rqt_runs_as_line(struct rqt_actor *a, int fifo, int line);
#define rqt_runs_as(a, fifo) rqt_runs_as_line(a, fifo, __LINE__)

#endif /* RQT_ACTOR_H */
