/* SPDX-License-Identifier: MIT */
/*
 * engine_stress.h - what the parts of the engine's stress program share: a mutex and a condvar made
 * of bare rqpi_futex() calls, the crew that uses them, and how a finding is told.
 */
#ifndef RQT_ENGINE_STRESS_H
#define RQT_ENGINE_STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- one run */

/* How the engine is set up in one process. */
struct es_variant {
	const char *name;
	uint32_t buckets; /* 0: as the host likes it */
	uint32_t flags;	  /* RQPI_HOST_*, beside RQPI_HOST_TRACE */
	bool fifo;
};

extern const struct es_variant *es_variant;

struct es_totals {
	_Atomic unsigned long calls, checks, waits, signals, broadcasts, timeouts, interrupted;
	_Atomic unsigned long handlers, prio_changes, deaths, nested, tokens, phases;
};

extern struct es_totals es_totals;

/* Something is wrong, and is being told. */
extern _Atomic bool es_failing;
_Noreturn void es_stand_still(void);

/*
 * es_fail() - say what is wrong, who does what, what the engine holds, and the last events, on
 * stdout; end the process with status 1. Everybody else stops at the next call.
 */
void es_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

unsigned int es_random(uint64_t *state, unsigned int n);
int64_t es_now_ns(int clock);

/* ---------------------------------------------------------------- locks: engine_locks.c */

/*
 * A PI mutex. Its holder alone touches what is not atomic. Robust: a thread may end with it, and
 * the next holder learns of that from the word.
 */
struct es_mutex {
	void *link; /* of a robust list; only while its holder ends */
	uint32_t word;
	_Atomic int inside;	       /* number of the holder, 0: nobody */
	unsigned long counted;	       /* steps by one each time it is taken, */
	_Atomic unsigned long entered; /* and so does this: the same, if there is never but one */
	unsigned long deaths, recovered;
};

/* A condvar; the seq is stepped by each signal, as in the user half. */
struct es_cond {
	_Atomic uint32_t seq;
	struct es_mutex *mutex;
	int waiting;	      /* mutex: inside es_wait() */
	unsigned long tokens; /* mutex: what is waited for */
	unsigned long made, taken;
	bool over; /* mutex: nobody shall wait any more */
};

/* How a lock is waited for. */
enum es_how { ES_FOR_EVER, ES_REALTIME, ES_MONOTONIC, ES_TRY };

/*
 * @me: number of the thread, from 1. Fails the program on a result that cannot be, on a second
 * holder, and on a broken invariant of the engine. es_lock(): false, where @how is not
 * ES_FOR_EVER: not taken.
 */
bool es_lock(struct es_mutex *m, int me, enum es_how how, unsigned int us);
void es_unlock(struct es_mutex *m, int me);
/*
 * Wait holding the mutex; it is held again on return. @us 0: without a timeout. False: timed out.
 */
bool es_wait(struct es_cond *c, int me, bool realtime, unsigned int us);
/* With or without the mutex. */
void es_signal(struct es_cond *c);
void es_broadcast(struct es_cond *c);
/* The calling thread is going to end and holds @m. */
void es_bequeath(struct es_mutex *m);

/* ------------------------------------------- the crew: engine_crew.c, engine_referee.c */

/* Work for @seconds with the engine as es_variant says; the program has started it. */
void es_crew(double seconds, uint64_t seed);
/* Print who does what. */
void es_print_crew(void);

#endif /* RQT_ENGINE_STRESS_H */
