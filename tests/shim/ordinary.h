/* SPDX-License-Identifier: MIT */
/*
 * ordinary.h - what the test programs of the preloads share: threads, sleepers, times, skips.
 *
 * These programs know nothing of rqpi: no header of it, no function. Each is run several times,
 * with ORDINARY_UNDER in the environment saying what is under it (tests/shim/meson.build), and
 * every program's first case sees whether that is so.
 */
#ifndef ORDINARY_H
#define ORDINARY_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#ifndef __cplusplus
#include <cmocka.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum under {
	UNDER_LIBC,    /* nothing */
	UNDER_DEFAULT, /* librqpi-preload.so */
	UNDER_MUTEX,   /* librqpi-preload-mutex.so, nothing asked for */
	UNDER_FORCE    /* the same with --force-pi */
};

enum under ord_under(void);

/* Is the preload that should be there really there and active, and no other? NULL: yes. */
const char *ord_wrong_under(void);

struct ord_thread {
	pthread_t handle;
	pid_t tid; /* 0: has not begun; atomic */
	void *(*body)(void *arg);
	void *arg;
	bool ended; /* atomic */
};

/* Start as SCHED_FIFO @prio, or as an ordinary thread if @prio is 0. 0, or EPERM. */
int ord_start(struct ord_thread *t, void *(*body)(void *arg), void *arg, int prio);
void ord_join(struct ord_thread *t);

/* Has this process the right to SCHED_FIFO? */
bool ord_may_fifo(void);

/* Until the thread sleeps in a futex call: which one (FUTEX_LOCK_PI ...); -1: it never did. */
int ord_asleep(struct ord_thread *t);
/* The same for the main thread of a child process. */
int ord_child_asleep(pid_t pid);
/* Does it sleep in a futex call right now? */
bool ord_is_asleep(struct ord_thread *t);

/* The dynamic priority as proc(5) shows it: -1 - FIFO priority, else >= 0. */
long ord_kernel_prio(pid_t tid);
/* Until it is @want; false after some seconds. */
bool ord_reaches_prio(pid_t tid, long want);

/* Until *@value is at least @want (atomic); false after some seconds. */
bool ord_reaches(const int *value, int want);

struct timespec ord_in_ms(clockid_t clock, long ms);
int64_t ord_now_ns(void);
pid_t ord_tid(void);

/* Exit status of a child within some seconds: 0..255, 256 + signal, -1 if it had to be killed. */
int ord_reap(pid_t pid);

/* PTHREAD_PRIO_INHERIT, ROBUST and PROCESS_SHARED as wanted. 0 or an error number. */
enum { ORD_PI = 1, ORD_ROBUST = 2, ORD_SHARED = 4 };
int ord_init_mutex(pthread_mutex_t *m, int type, int flags);
int ord_init_cond(pthread_cond_t *c, clockid_t clock, int flags);

/* First thing in main(). */
void ord_watchdog(void);

#ifndef __cplusplus
/* First thing in main(): the watchdog, and the filter that is argv[1]. */
void ord_begin(int argc, char **argv);

/* A first case for each program. */
void what_is_under_this_program_is_what_was_meant(void **state);

#define ord_must(call) assert_int_equal((call), 0)
/* Ends the case as skipped, by name and with the reason. */
#define ord_skip(why)                                            \
	do {                                                     \
		print_message("# SKIP %s: %s\n", __func__, why); \
		skip();                                          \
	} while (0)
#define ord_need_fifo()                                     \
	do {                                                \
		if (!ord_may_fifo())                        \
			ord_skip("no right to SCHED_FIFO"); \
	} while (0)
#endif

#ifdef __cplusplus
}
#endif

#endif /* ORDINARY_H */
