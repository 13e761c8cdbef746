/* SPDX-License-Identifier: MIT */
/*
 * made_up.h - events that nobody has traced, for the tests of `rqpi trace`'s model and outputs.
 *
 * Times are microseconds. CPU 0 unless it is said; `prio` is an urgency as in trace.h.
 */
#ifndef RQT_TRACE_MADE_UP_H
#define RQT_TRACE_MADE_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/rqpi/trace/trace.h"

/* Who plays in most scenes: TIDs, and how urgent they are. */
enum { HIGH = 101, MID = 102, LOW = 103, OTHER = 104 };
enum { HIGH_PRIO = 40, MID_PRIO = 20, LOW_PRIO = 10 };
enum { PROCESS = 100 };
#define A_LOCK 0x1000u
#define B_LOCK 0x2000u
#define A_COND 0x3000u

void mu_begin(struct trace_model *m);

/* From the kernel. `stay`: the one that stops is runnable. */
void mu_switch(struct trace_model *m, uint64_t us, uint32_t from, int prio, bool stay, uint32_t to,
	       int its);
void mu_switch_on(struct trace_model *m, uint64_t us, uint16_t cpu, uint32_t from, int prio,
		  bool stay, uint32_t to, int its);
void mu_wake(struct trace_model *m, uint64_t us, uint32_t by, uint32_t whom, int prio);
void mu_setprio(struct trace_model *m, uint64_t us, uint32_t by, uint32_t whom, int from, int to);
void mu_futex(struct trace_model *m, uint64_t us, uint32_t tid, uint32_t op, uint64_t address,
	      uint32_t value);
void mu_futex2(struct trace_model *m, uint64_t us, uint32_t tid, uint32_t op, uint64_t address,
	       uint64_t address2);
void mu_done(struct trace_model *m, uint64_t us, uint32_t tid, int value);
void mu_life(struct trace_model *m, uint64_t us, enum trace_type type, uint32_t tid,
	     uint32_t other);

/* From the preload. */
void mu_lock(struct trace_model *m, uint64_t us, uint32_t tid, int prio, uint64_t address,
	     uint32_t owner, int its, uint32_t kind);
void mu_wait(struct trace_model *m, uint64_t us, uint32_t tid, uint64_t cond, uint64_t mutex,
	     uint32_t kind);
void mu_release(struct trace_model *m, uint64_t us, uint32_t tid, uint64_t cond, bool broadcast);
/* LOCKED, WAITED or RELEASED. */
void mu_end(struct trace_model *m, uint64_t us, enum trace_type type, uint32_t tid,
	    uint64_t address, int value);

/*
 * LOW has A_LOCK, HIGH comes for it, and MID runs for 19.8 ms on the only CPU:
 *
 *	0	LOW runs
 *	100	HIGH runs, and at 110 finds the lock taken
 *	112	LOW runs
 *	200	MID runs
 *	20000	LOW runs, unlocks at 20100
 *	20101	HIGH runs, and has the lock at 20103; unlocks at 20200
 *
 * As the kernel tells it, as the preload does, or both.
 */
void mu_inversion(struct trace_model *m, bool kernel, bool preload);

/* ---- for a test ---- */

#define US(n) ((uint64_t)(n)*1000)

/* Its state is a model after mu_begin(). */
int mu_setup(void **state);
int mu_teardown(void **state);
#define CASE(f) cmocka_unit_test_setup_teardown(f, mu_setup, mu_teardown)

/* @tid sleeps, and is woken by @by; on a CPU of its own. */
void mu_sleep(struct trace_model *m, uint64_t since, uint64_t until, uint32_t tid, int prio,
	      uint32_t by);

const struct trace_wait *mu_only_wait(const struct trace_model *m);
const struct trace_lock *mu_lock_of(const struct trace_model *m, const struct trace_wait *w);

#endif /* RQT_TRACE_MADE_UP_H */
