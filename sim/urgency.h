/* SPDX-License-Identifier: MIT */
/*
 * urgency.h - who of those asleep in the kernel gets a lock first, and does everybody run with the
 * priority that is due to him?
 *
 * Called by sys_sim.c and port_sim.c around each call of the engine and at what that does to a
 * task, by judge.c in each state, and by world.c before each step on one CPU. It knows the futex
 * calls that tasks are in, their own priorities, the words of the PI futexes, and the engine's
 * events; not the engine's structures. What is remembered is known from the stacks of the tasks
 * as well, so that it makes no states: but among equals, who was first.
 */
#ifndef RQS_URGENCY_H
#define RQS_URGENCY_H

#include <stdbool.h>
#include <stdint.h>

#include <rqpi/trace.h>

struct rqs_task;

enum rqs_operation {
	RQS_OP_NONE,
	RQS_OP_LOCK,	     /* LOCK_PI, LOCK_PI2, TRYLOCK_PI */
	RQS_OP_UNLOCK,	     /* UNLOCK_PI */
	RQS_OP_WAIT_REQUEUE, /* WAIT_REQUEUE_PI */
	RQS_OP_REQUEUE,	     /* CMP_REQUEUE_PI */
	RQS_OP_SET_PRIO,     /* of any task */
	RQS_OP_EXIT,
};

/* One task, and the call of the engine that it is in. Addresses as distances, as in monitor.h. */
struct rqs_urgency {
	int32_t own;	 /* its own priority */
	uint32_t word;	 /* the PI futex that it wants, gives, or is requeued to */
	uint32_t first;	 /* WAIT_REQUEUE, REQUEUE: the first word */
	uint8_t changed; /* its own priority is not what it began with */
	uint8_t op;	 /* enum rqs_operation */
	uint8_t waiting; /* it went to sleep, so it is in the queue, and does not give up */
	uint8_t moved;	 /* WAIT_REQUEUE: to the second word */
	uint8_t given;	 /* the lock that it waits for is its own */
	uint8_t before;	 /* equals that were asleep there when it came, a bit each */
};

/* @t has come into the world. */
void rqs_urgency_new(const struct rqs_task *t, int prio);

/* @t calls the engine, and is back. */
void rqs_urgency_call(const struct rqs_task *t, const uint32_t *uaddr, int op,
		      const uint32_t *uaddr2);
void rqs_urgency_return(const struct rqs_task *t);
void rqs_urgency_exit(const struct rqs_task *t);

/* @t changes the own priority of @target: between the two calls. */
void rqs_urgency_set_prio(const struct rqs_task *t, const struct rqs_task *target, int prio);

/*
 * @t is about to sleep; it stops waiting, as the sleep was ended by something else than a
 * wake-up.
 */
void rqs_urgency_sleep(const struct rqs_task *t, bool interruptible);
void rqs_urgency_leave(const struct rqs_task *t);

/* The engine wakes @t, and tells that it runs with another priority. */
void rqs_urgency_wake(const struct rqs_task *t);
void rqs_urgency_prio(const struct rqs_task *t);

void rqs_urgency_event(const struct rqpi_event *event);

/* No raw lock is held: has everybody the priority that is due to him? */
void rqs_urgency_state(void);

/* One CPU: @t is about to run one step. */
void rqs_urgency_step(const struct rqs_task *t);

#endif /* RQS_URGENCY_H */
