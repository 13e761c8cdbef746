/* SPDX-License-Identifier: MIT */
/*
 * step.h - run one thread an instruction at a time and do something at a chosen one.
 *
 * The thread calls rqt_step_begin() and rqt_step_end() around what is looked at; in between the
 * processor's trap flag stops it after each instruction of user space (a system call counts as
 * one). The main thread sees each stop, or the one it asked for, acts, and lets it go on. So
 * "wherever the thread may be preempted" is tried, not sampled. x86-64 only: elsewhere
 * rqt_need_step() skips by name.
 */
#ifndef RQT_STEP_H
#define RQT_STEP_H

#include "tests/support/support.h"

struct rqt_step_plan {
	bool every;	     /* stop at each instruction; else only at number @at */
	bool timed;	     /* its time runs out by itself: it does not sleep for good */
	unsigned long at;    /* counts from 1 */
	unsigned long steps; /* instructions seen so far */
	_Atomic uint32_t state;
};

void rqt_need_step(const char *test);

/* The plan of the next stepped thread; it must outlive the stepping. One stepped thread at a time.
 */
void rqt_step_plan(struct rqt_step_plan *plan);
/*
 * Until the thread stops (true), or has ended, or, with a plan for one instruction, sleeps in the
 * kernel for good (false; call again once it has been woken). Fails the test on timeout.
 */
bool rqt_step_next(struct rqt_step_plan *plan, struct rqt_thread *t, int timeout_ms);
/* Let the stopped thread go on. With a plan for one instruction that ends the stepping. */
void rqt_step_go(struct rqt_step_plan *plan);

/* No stop any more, even if the instruction asked for is still to come. */
void rqt_step_forget(void);

/* On the stepped thread. */
void rqt_step_begin(void);
void rqt_step_end(void);

#endif /* RQT_STEP_H */
