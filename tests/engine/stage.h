/* SPDX-License-Identifier: MIT */
/*
 * stage.h - single-stepped engine tests: actors on the cooperative port, one call at a time.
 *
 * An actor is a task that makes the calls it is told to. After each call everything runs until
 * all are asleep, and the invariants are checked; so a test reads as a list of steps and what is
 * to be seen after each.
 */
#ifndef RQT_STAGE_H
#define RQT_STAGE_H

#include "examples/port_coop.h"

#include <stdlib.h>

#define W  0x80000000u
#define OD 0x40000000u

#define ACTORS 1100

/* A call that has not returned. */
#define BLOCKED 12345L

struct actor {
	struct coop_task t;
	int op;
	uint32_t *uaddr;
	uint32_t val;
	const void *timeout;
	uint32_t *uaddr2;
	uint32_t val3;
	int todo; /* 0 nothing, 1 a call, 2 end, 3 exec, 4 change the priority of @other, 5 @fn */
	long (*fn)(struct actor *it); /* perform() */
	void *arg;
	struct rqpi_task *other;
	struct rqpi_prio prio;
	int sa_restart;
	int signals; /* handlers that have run */
	long ret;
};

struct stage {
	struct coop coop;
	struct actor *actors[ACTORS];
	int n;
	int forging; /* the test writes to words that have waiters: they need not agree */
	int quick;   /* so many actors that checking everything after each call takes too long */
	unsigned int events[RQPI_EV_IDS]; /* what the engine has told, how often */
	unsigned int busy;		  /* and how often an owner was found just ending */
	/* interrupt_at() */
	struct actor *victim;
	int steps_left;
	void (*meanwhile)(struct stage *s);
	/* let_run() */
	struct coop_task *focus;
	struct coop_task *back;
	struct coop_task *last; /* that has run */
};

/* One engine with one bucket: all futexes meet there. @buckets for more. */
void stage_open(struct stage *s, uint32_t buckets);
/* All actors end; nothing may be left behind. */
void stage_close(struct stage *s);

/* An actor of address space 1 with this RQPI_PRIO_*. */
void stage_actor(struct stage *s, struct actor *a, int prio);
void stage_actor_in(struct stage *s, struct actor *a, int prio, uint64_t space);

void stage_kernel(struct stage *s, struct actor *a, int prio);

/* Make @a call futex() and run until all sleep. What it returned, or BLOCKED. */
long call(struct actor *a, int op, uint32_t *uaddr, uint32_t val, const void *timeout,
	  uint32_t *uaddr2, uint32_t val3);
/* What @a's last call returned meanwhile. */
static inline long result(const struct actor *a)
{
	return a->ret;
}
/* As call(), without running: @a begins when something else is run. */
void post(struct actor *a, int op, uint32_t *uaddr, uint32_t val, const void *timeout,
	  uint32_t *uaddr2, uint32_t val3);

/* As call(), of something else than futex(): @fn(@a) in the place of @a, with @arg in a->arg. */
long perform(struct actor *a, long (*fn)(struct actor *it), void *arg);

/* The same of other things that an actor can do: end; change the priority of another one. */
void post_end(struct actor *a);
void post_prio(struct actor *a, struct actor *other, int prio);

/* The thread ends: what it owns is passed on. */
void end(struct actor *a);
void exec_now(struct actor *a);

/* The priority it runs with; a change of its own. */
int eff(const struct actor *a);
void set_prio(struct actor *a, int prio);
uint32_t tid(const struct actor *a);

/* The word that faults, so often until fault_in() brings it in (< 0: never), read or written. */
void fault(struct stage *s, const uint32_t *uaddr, int times, int for_read);
void no_fault(struct stage *s);

/* @a may be woken but does not run; and now it runs, and all others. */
void hold(struct actor *a);
void let_go(struct actor *a);

/* A point of the stage's one clock, for a call's timeout. */
struct rqpi_timespec at_ns(uint64_t ns);

/*
 * As if there were a second core: the @n-th time from now that @a is about to take a raw lock or to
 * touch user space, call @meanwhile, in @a's place and with what it holds. It can use the three
 * functions below. False from interrupted(): @a has not come so far.
 */
void interrupt_at(struct stage *s, struct actor *a, int n, void (*meanwhile)(struct stage *s));
bool interrupted(struct stage *s);

/* @a runs until it sleeps, or waits for a raw lock. */
void let_run(struct stage *s, struct actor *a);
/* Time has come to @ns, or a signal for @a, and nobody has run since. */
void expire(struct stage *s, uint64_t ns);
void signal_arrives(struct actor *a);

/*
 * main() of a test program. RQT_FILTER=pattern runs the cases whose name matches;
 * RQT_WATCHDOG=seconds ends a program that runs in circles.
 */
void stage_begin(void);
#define stage_main(name, tests) \
	(stage_begin(), cmocka_run_group_tests_name(name, tests, NULL, NULL))

/* Private forms of the calls, most of which take fewer arguments. */
#define P RQPI_FUTEX_PRIVATE
static inline long lock_pi(struct actor *a, uint32_t *m)
{
	return call(a, RQPI_FUTEX_LOCK_PI | P, m, 0, NULL, NULL, 0);
}
static inline long trylock_pi(struct actor *a, uint32_t *m)
{
	return call(a, RQPI_FUTEX_TRYLOCK_PI | P, m, 0, NULL, NULL, 0);
}
static inline long unlock_pi(struct actor *a, uint32_t *m)
{
	return call(a, RQPI_FUTEX_UNLOCK_PI | P, m, 0, NULL, NULL, 0);
}
static inline long wait_requeue_pi(struct actor *a, uint32_t *c, uint32_t val, uint32_t *m)
{
	return call(a, RQPI_FUTEX_WAIT_REQUEUE_PI | P, c, val, NULL, m, 0);
}
static inline long cmp_requeue_pi(struct actor *a, uint32_t *c, uint32_t val, uint32_t *m, int nr)
{
	return call(a, RQPI_FUTEX_CMP_REQUEUE_PI | P, c, 1, (const void *)(intptr_t)nr, m, val);
}

static inline long wait_on(struct actor *a, uint32_t *u, uint32_t val)
{
	return call(a, RQPI_FUTEX_WAIT | P, u, val, NULL, NULL, 0);
}
static inline long wake(struct actor *a, uint32_t *u, int nr)
{
	return call(a, RQPI_FUTEX_WAKE | P, u, (uint32_t)nr, NULL, NULL, 0);
}
static inline long requeue(struct actor *a, uint32_t *u, int nr_wake, int nr_requeue, uint32_t *u2)
{
	return call(a, RQPI_FUTEX_REQUEUE | P, u, (uint32_t)nr_wake,
		    (const void *)(intptr_t)nr_requeue, u2, 0);
}

/* Print what the engine decides on stderr, while a test is being written. */
void stage_talk(struct stage *s);

#endif /* RQT_STAGE_H */
