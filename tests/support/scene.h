/* SPDX-License-Identifier: MIT */
/*
 * scene.h - one mutex, one condvar and the threads that wait on it: the stage of every condvar
 * test.
 *
 * A waiter locks, waits exactly once (no loop: the tests look at single results), notes what it saw
 * while it owns the mutex, and unlocks. The scene is heap memory; the teardown frees it only if all
 * threads have ended, so that a failed case leaves its stuck threads something to stand on.
 */
#ifndef RQT_SCENE_H
#define RQT_SCENE_H

#include "tests/support/support.h"

#define RQT_WAITERS 64

struct rqt_scene;

struct rqt_waiter {
	struct rqt_thread thread;
	struct rqt_scene *scene;
	rqpi_mutex_t *mutex; /* the scene's unless the test says otherwise */
	rqpi_cond_t *cond;
	bool timed;
	clockid_t clock; /* for rqpi_cond_clockwait() */
	struct timespec deadline;
	void (*before)(struct rqt_waiter *w); /* with the mutex, before the wait */
	void (*after)(struct rqt_waiter *w);  /* with the mutex, after the wait */
	bool keep;			      /* do not unlock: the thread ends owning the mutex */
	int result;
	int lock_result;
	_Atomic int
	    place; /* how many had been served when this one was, itself included; 0: not yet */
	_Atomic int go;		 /* for the test's use, by before() or after() */
	_Atomic int cleaned;	 /* the cancellation cleanup handler ran */
	pid_t owner_seen;	 /* rqpi_mutex_owner() when the wait returned or the handler ran */
	unsigned int lock_calls; /* LOCK_PI and LOCK_PI2 calls made inside the wait */
};

struct rqt_scene {
	rqpi_mutex_t *mutex;
	rqpi_cond_t *cond;
	rqpi_mutex_t own_mutex;
	rqpi_cond_t own_cond;
	int served; /* guarded by the mutex, deliberately not atomic */
	unsigned int count;
	struct rqt_waiter waiters[RQT_WAITERS];
};

int rqt_scene_setup(void **state);
int rqt_scene_teardown(void **state);
#define RQT_SCENE_CASE(f) cmocka_unit_test_setup_teardown(f, rqt_scene_setup, rqt_scene_teardown)

/* A waiter that has not started: set its fields, arm its hook, then rqt_waiter_start(). */
struct rqt_waiter *rqt_waiter_new(struct rqt_scene *s);
void rqt_waiter_start(struct rqt_waiter *w, int prio);
/* All of it, and wait until it is asleep. */
struct rqt_waiter *rqt_waiter_asleep(struct rqt_scene *s, int prio);
/* The same with a deadline @ms from now on @clock. */
struct rqt_waiter *rqt_waiter_asleep_until(struct rqt_scene *s, clockid_t clock, long ms);
/* A waiter stopped @place its first call of @cmd. */
struct rqt_waiter *rqt_waiter_stopped(struct rqt_scene *s, int cmd, enum rqt_place place);
/* A waiter stopped between its unlock and its sleep, whatever the kernel offers. */
struct rqt_waiter *rqt_waiter_in_window(struct rqt_scene *s);
/* The futex operation in which a waiter sleeps here: WAIT_REQUEUE_PI or, without it, WAIT_BITSET.
 */
int rqt_wait_op(void);

void rqt_scene_lock(struct rqt_scene *s);
void rqt_scene_unlock(struct rqt_scene *s);
/* Signal or broadcast, with the mutex held around it or not; asserts the result 0. */
void rqt_scene_signal(struct rqt_scene *s, bool held);
void rqt_scene_broadcast(struct rqt_scene *s, bool held);

/* Until @n waits have returned, then nothing more for a moment. */
void rqt_scene_served(struct rqt_scene *s, int n);
/* Until each waiter sleeps in the kernel or has ended. */
void rqt_scene_settle(struct rqt_scene *s);
/* Join all; each wait must have returned @result owning the mutex. */
void rqt_scene_join_all(struct rqt_scene *s, int result);
bool rqt_waiter_is_served(struct rqt_waiter *w);

#endif /* RQT_SCENE_H */
