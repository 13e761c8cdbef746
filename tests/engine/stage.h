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

#define W  0x80000000u
#define OD 0x40000000u

#define ACTORS 8

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
	int todo; /* 0 nothing, 1 a call, 2 end, 3 exec */
	int sa_restart;
	long ret;
};

struct stage {
	struct coop coop;
	struct actor *actors[ACTORS];
	int n;
};

/* One engine with one bucket: all futexes meet there. @buckets for more. */
void stage_open(struct stage *s, uint32_t buckets);
/* All actors end; nothing may be left behind. */
void stage_close(struct stage *s);

/* An actor of address space 1 with this RQPI_PRIO_*. */
void stage_actor(struct stage *s, struct actor *a, int prio);
void stage_actor_in(struct stage *s, struct actor *a, int prio, uint64_t space);

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

/* The thread ends: what it owns is passed on. */
void end(struct actor *a);
void exec_now(struct actor *a);

/* The priority it runs with; a change of its own. */
int eff(const struct actor *a);
void set_prio(struct actor *a, int prio);
uint32_t tid(const struct actor *a);

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

/* Print what the engine decides on stderr, while a test is being written. */
void stage_talk(struct stage *s);

#endif /* RQT_STAGE_H */
