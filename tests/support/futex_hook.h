/* SPDX-License-Identifier: MIT */
/*
 * futex_hook.h - every futex call of the library under test passes through the test program.
 *
 * Owns: the program's own syscall(), to which the unmodified librqpi.so binds. Per thread it counts
 * the calls of each operation, keeps the arguments of the last one, stops the thread just before or
 * just after a chosen call (as a preemption there would), and answers a chosen call without making
 * it. Used by every test that speaks of "between two steps"; a plain usleep() would only be a hope.
 */
#ifndef RQT_FUTEX_HOOK_H
#define RQT_FUTEX_HOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define RQT_OPS	   16 /* futex commands are numbered 0..13 */
#define RQT_ANY_OP (-1)

enum rqt_place { RQT_BEFORE, RQT_AFTER };

/* One per thread known to the tests, inside struct rqt_thread. Zero bytes: nothing armed. */
struct rqt_hook {
	_Atomic unsigned int begun[RQT_OPS];
	_Atomic unsigned int ended[RQT_OPS];
	_Atomic long last_ret[RQT_OPS];		 /* result or negative errno of the last call */
	_Atomic uintptr_t last_args[RQT_OPS][6]; /* uaddr op val timeout uaddr2 val3 */
	_Atomic uint32_t stop_state;		 /* enum stop_state of futex_hook.c; a futex word */
	_Atomic int stop_cmd;
	_Atomic int stop_place;
	_Atomic int stop_countdown;
	_Atomic int inject_cmd;
	_Atomic int inject_countdown; /* 0: nothing to inject */
	_Atomic long inject_ret;
};

/* The calling thread's hook; NULL for a thread that only takes part in the totals. */
void rqt_hook_adopt(struct rqt_hook *hook);

/* Stop the thread at its @nth call of @cmd (or RQT_ANY_OP) from now on; one stop at a time. */
void rqt_hook_stop(struct rqt_hook *hook, int cmd, unsigned int nth, enum rqt_place place);
bool rqt_hook_wait_stopped(struct rqt_hook *hook, int timeout_ms);
bool rqt_hook_is_stopped(struct rqt_hook *hook);
void rqt_hook_release(struct rqt_hook *hook);

/* The @nth call of @cmd from now on is not made; the library sees @ret (negative: errno). */
void rqt_hook_inject(struct rqt_hook *hook, int cmd, unsigned int nth, long ret);

/* From now on no thread's @cmd reaches the kernel: ENOSYS. As a sandbox that closes later would do.
 */
void rqt_hook_deny(int cmd, bool deny);

/* Calls begun, over all threads, since rqt_hook_reset(). rqt_hook_total(RQT_ANY_OP): of any
 * operation. */
unsigned int rqt_hook_total(int cmd);
void rqt_hook_reset(void);

/* Of one thread since it started. */
unsigned int rqt_hook_begun(const struct rqt_hook *hook, int cmd);
unsigned int rqt_hook_ended(const struct rqt_hook *hook, int cmd);
long rqt_hook_last_ret(const struct rqt_hook *hook, int cmd);

/* Calls begun that may put the thread to sleep: WAIT*, LOCK_PI*, WAIT_REQUEUE_PI. */
unsigned int rqt_hook_blocking(const struct rqt_hook *hook);

/* The futex, for the tests' own use: uncounted, never stopped. Returns the result or a negative
 * errno. */
long rqt_raw_futex(const volatile void *word, int op, uint32_t val, const void *timeout);

/* Do the library's futex calls go to the engine (RQPI_BACKEND)? */
bool rqt_on_engine(void);

#endif /* RQT_FUTEX_HOOK_H */
