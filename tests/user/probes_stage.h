/* SPDX-License-Identifier: MIT */
/*
 * probes_stage.h - a mutex, a condvar and the threads that use them, as t_probes.c has them under
 * its breakpoints; and what it asks of the hits.
 *
 * Compiled for three libraries: librqpi by its own names, and with PROBES_OF_PTHREAD each preload
 * under the names of pthread.
 */
#ifndef PROBES_STAGE_H
#define PROBES_STAGE_H

#include "tests/support/probes.h"
#include "tests/support/support.h"

#ifdef PROBES_OF_PTHREAD
typedef pthread_mutex_t mutex_t;
typedef pthread_cond_t cond_t;
#define LOCKS(name) pthread_##name
#else
typedef rqpi_mutex_t mutex_t;
typedef rqpi_cond_t cond_t;
#define LOCKS(name) rqpi_##name
#endif

#define HERD 3

enum kind { NORMAL, RECURSIVE, ERRORCHECK, ROBUST, SHARED, KINDS };

/* The test's own mutex and condvar are none of its support's: no other hit is taken for theirs. */
struct stage {
	mutex_t mutex;
	cond_t cond;
	struct rqt_thread threads[HERD];
	int results[HERD];	 /* of the call that a thread's body is named for */
	const char *not_planted; /* why there is nothing to see; NULL: there is */
	bool mutexes_too;	 /* the library's mutex functions are its own */
	bool forced;		 /* --force-pi */
};

extern struct stage stage;

int stage_setup(void **state);
int stage_teardown(void **state);
#define STAGE_CASE(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

void stage_mutex(enum kind kind);
void stage_cond(bool shared);
void need_probes(const char *test);
void need_mutexes(const char *test);
void lock(void);
void unlock(void);

/* What a thread does. */
void body_locks(struct rqt_thread *self);
void body_locks_until(struct rqt_thread *self); /* some 30 ms */
void body_waits(struct rqt_thread *self);
void body_waits_until(struct rqt_thread *self);
void body_signals_and_dies(struct rqt_thread *self);

/* @prio 0: an ordinary thread. */
struct rqt_thread *stage_start(int number, void (*body)(struct rqt_thread *self), int prio);
struct rqt_thread *stage_asleep(int number, void (*body)(struct rqt_thread *self), int prio);
pid_t tid_of(struct rqt_thread *t);
pid_t my_tid(void);

/* The first hit of @name on @first, which must be by @tid. */
const struct rqt_hit *expect_first(const char *name, const void *first, pid_t tid);
/* The only one. */
const struct rqt_hit *expect(const char *name, const void *first, pid_t tid);
/* @name NULL: none at all. */
void expect_not(const char *name, const void *first);
void check_arg(const struct rqt_hit *hit, int number, int64_t value);
void check_pointer(const struct rqt_hit *hit, int number, const void *value);
/* Hits are in order of time: they lie in an array. */
void check_order(const struct rqt_hit *first, const struct rqt_hit *second);
/* With --force-pi an ordinary thread wakes first and locks then, by its own wish. */
int handed(int prio);

#endif /* PROBES_STAGE_H */
