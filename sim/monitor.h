/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - is what the condvar calls of a scenario return a history that POSIX allows?
 *
 * Called by posix_sim.c at the call and the return of each function, by sys_sim.c and world.c
 * where a task is cancelled or ends, by judge.c at the end of a path. It knows nothing of what is
 * inside.
 *
 * The monitor is a part of the state [W-I1]: the set of all abstract states of all condvars that
 * are consistent with the history. In an abstract state each task that is inside a call is
 *
 *   ENTERED   in a wait, the mutex not given up yet
 *   BLOCKED   the mutex given up: from now on a signal may choose it
 *   RELEASED  a signal or broadcast has chosen it
 *   GONE      it is no longer blocked, as its time had come, it was cancelled, or killed
 *
 * or, in a signal or broadcast, PENDING or DONE: that takes effect at one moment between the call
 * and the return. As a task is in one call at a time, one such vector is a state of all condvars
 * at once: two bits for each task, and the set is a bit for each vector.
 */
#ifndef RQS_MONITOR_H
#define RQS_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/urgency.h"

struct rqs_task;

enum rqs_api {
	RQS_API_NONE,
	RQS_API_WAIT,
	RQS_API_CANCELLED, /* in a wait: its cleanup handlers run, up to the first of the program */
	RQS_API_SIGNAL,
	RQS_API_BROADCAST,
};

/* The condvar call that a task is in. Addresses as distances from the beginning of the machine. */
struct rqs_api_call {
	uint64_t deadline;
	uint32_t cond;
	uint32_t mutex;
	uint32_t outer;	   /* WAIT: the cleanup handler that was there before */
	uint8_t kind;	   /* enum rqs_api */
	uint8_t signalled; /* WAIT: somebody was in a signal or broadcast meanwhile */
	uint8_t found;	   /* SIGNAL: so many sleepers were moved or granted the mutex */
	uint8_t older; /* WAIT, with a strict clause: equals that were there before, a bit each */
};

struct rqs_monitor {
	struct rqs_api_call *call; /* one for each task */
	struct rqs_urgency *watch; /* one for each task, urgency.h */
	uint64_t *posix;	   /* the set */
	uint64_t *strict; /* the same for the strict clause that is looked at; NULL: none */
	uint32_t n;	  /* tasks */
	uint32_t words;	  /* of a set */
	uint32_t lies;	  /* the words say nothing: struct rqs_scenario */
	uint32_t behind;  /* on one CPU, urgency.h */
};

/*
 * What POSIX does not demand, and a program may hope for. One of them at a time is looked at,
 * from the next rqs_world_begin() on; nobody is released without one of the calls in any of them.
 */
enum rqs_clause {
	RQS_CLAUSE_NONE,
	RQS_CLAUSE_REASON, /* a wait returns 0 only if it was released */
	RQS_CLAUSE_ONE,	   /* a signal releases no more than one */
	RQS_CLAUSE_URGENT, /* one of the most urgent is among those it releases */
	RQS_CLAUSE_FIFO,   /* of equals, whoever came first is released first */
	RQS_CLAUSE_ORDER,  /* those whom a broadcast releases return by urgency */
	RQS_CLAUSES
};
extern enum rqs_clause rqs_clause;
extern const char *const rqs_clause_names[RQS_CLAUSES];
extern const char *const rqs_clause_texts[RQS_CLAUSES];

/* Lay it out in the arena, for @n tasks. */
void rqs_monitor_begin(uint32_t n, bool lies);

/* The running task calls, and returns from, a function of the condvar. */
void rqs_monitor_wait(const void *cond, const void *mutex, uint64_t deadline);
void rqs_monitor_waited(int err);
void rqs_monitor_signal(const void *cond, bool broadcast);
void rqs_monitor_signalled(int err);

/* The running task owns @mutex: a function has returned that locks it. */
void rqs_monitor_locked(const void *mutex);

/*
 * The running task is cancelled; it is about to run the handler @frame (NULL: there are no more).
 */
void rqs_monitor_cancelled(void);
void rqs_monitor_handler(const void *frame);

/* The running task ends, inside whatever call it may be. */
void rqs_monitor_ended(void);

/* The kernel has taken a sleeper off a condvar for @t. */
void rqs_monitor_found(const struct rqs_task *t);

/* Nothing can happen any more, and not all have ended. */
enum rqs_left {
	RQS_LEFT_UNKNOWN, /* not all of them wait for a condvar */
	RQS_LEFT_BLOCKED, /* nobody was to release them */
	RQS_LEFT_LOST,	  /* in every order of the calls one of them was released */
};
enum rqs_left rqs_monitor_left(char *names, unsigned long size);

#endif /* RQS_MONITOR_H */
