/* SPDX-License-Identifier: MIT */
/*
 * support.h - threads, clocks, waiting for sleepers, skips and the watchdog of the test programs.
 *
 * A test program: includes this, lists its cases in a struct CMUnitTest array and runs it after
 * rqt_program_begin(). Only the main thread asserts; other threads leave results in their struct.
 * Environment: RQT_FILTER=pattern runs the cases whose name matches; RQT_WATCHDOG=seconds for one
 * case (default 60); RQPI_TEST_DENY=requeue_pi|lock_pi2|pi is set by the launcher deny.c.
 */
#ifndef RQT_SUPPORT_H
#define RQT_SUPPORT_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/types.h>
#include <cmocka.h>

#include <rqpi/rqpi.h>
#include "tests/support/futex_hook.h"

#define RQT_SOON_MS  5000 /* for what must happen; only a failing test waits this long */
#define RQT_NEVER_MS 60	  /* for what must not happen */

struct rqt_thread {
	struct rqt_hook hook;
	void (*body)(struct rqt_thread *self);
	void *arg;
	int value; /* for the body's use, read after rqt_join() */
	_Atomic pid_t tid;
	_Atomic bool done; /* the body returned, or was cancelled */
	bool joined;
	bool cancelled; /* valid once joined */
	pthread_t handle;
};

/* The main thread's own. */
extern struct rqt_thread rqt_main_thread;

/* Start @t->body as SCHED_FIFO @prio, or SCHED_OTHER if @prio is 0, and wait until it has a tid. */
void rqt_start(struct rqt_thread *t, int prio);

/* Wait for the end and join; false if it has not come after @timeout_ms. */
bool rqt_join_within(struct rqt_thread *t, int timeout_ms);
/* The same, failing the test. */
#define rqt_join(t) assert_true(rqt_join_within((t), RQT_SOON_MS))

/* Is the thread really asleep in a futex call of the kernel? */
bool rqt_is_asleep(pid_t tid);
/* Wait until it is; false after @timeout_ms or when @done gets true (NULL: no such flag). */
bool rqt_tid_asleep_within(pid_t tid, const _Atomic bool *done, int timeout_ms);
bool rqt_asleep_within(struct rqt_thread *t, int timeout_ms);
#define rqt_wait_asleep(t) assert_true(rqt_asleep_within((t), RQT_SOON_MS))
/* Is it still asleep, also a moment later? */
bool rqt_stays_asleep(struct rqt_thread *t);
/* Asleep in exactly @cmd. */
bool rqt_is_asleep_in(struct rqt_thread *t, int cmd);

/* @clock's time @ms from now; negative: past. */
struct timespec rqt_in_ms(clockid_t clock, long ms);
int64_t rqt_now_ns(clockid_t clock);
void rqt_sleep_ms(long ms);
/* Poll until *@flag is at least @value. */
bool rqt_reaches(const _Atomic int *flag, int value, int timeout_ms);

/* The kernel's dynamic priority of a thread as proc(5) shows it: -1 - FIFO priority, else >= 0. */
long rqt_kernel_prio(pid_t tid);
/* Its policy and real-time priority, or -1. The functions of that name musl leaves out. */
int rqt_kernel_policy(pid_t tid);
int rqt_kernel_rt_priority(pid_t tid);

/* Each ends the case as skipped, by name and with the reason, if what it needs is not there. */
void rqt_need_fifo(const char *test);
void rqt_need_requeue_pi(const char *test);
void rqt_need_handlers(const char *test);
void rqt_need_kernel(const char *test); /* the futex is the kernel's, not the engine's */
void rqt_need_undenied(const char *test, const char *what);
/* Must there be a robust list to share? Not known with another C library or kernel than usual. */
bool rqt_must_have_robust(void);
bool rqt_has_robust(void); /* RQPI_CAP_ROBUST */
void rqt_need_robust(const char *test);
void rqt_skip(const char *test, const char *why);
bool rqt_is_denied(const char *what);
/* RQT_EMULATOR: qemu-user, whose threads are the kernel's, but not more. */
/* Why this machine's emulator is not good enough for a case. */
void rqt_need_no_emulator(const char *test, const char *why);
void rqt_need_no_emulated_arm(const char *test);
bool rqt_under_emulator(void);

/* Restart the watchdog; each case's setup does it. On expiry: every thread's state, then exit. */
void rqt_watchdog(void);
/* The state of every thread that has not ended, on stdout. Async-signal-safe. */
void rqt_print_states(void);

/* A child made by fork() goes without the tests' alarm and ends by _exit(). */
void rqt_in_child(void);
/* Exit status of the child within @timeout_ms: 0..255, 256 + signal, or -1 if it had to be killed.
 */
int rqt_reap(pid_t pid, int timeout_ms);

/* First thing in main(): the hook, the filter of RQT_FILTER. */
void rqt_program_begin(void);
/* Then, in a program about robust mutexes alone: it ends here, skipped, if there are none. */
void rqt_program_needs_robust(void);

int rqt_plain_setup(void **state);
#define RQT_CASE(f) cmocka_unit_test_setup(f, rqt_plain_setup)

#endif /* RQT_SUPPORT_H */
