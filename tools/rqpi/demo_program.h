/* SPDX-License-Identifier: MIT */
/*
 * demo_program.h - what the experiments of rqpi-demo-program share: options, threads, the event
 * log.
 *
 * Owned by demo_program.c. The program is an ordinary one: POSIX threads, a PTHREAD_PRIO_INHERIT
 * mutex and a condvar. It is the same binary that runs on the C library alone and under rqpi's
 * preload.
 */
#ifndef RQPI_DEMO_PROGRAM_H
#define RQPI_DEMO_PROGRAM_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "demo_event.h"

struct program_options {
	int cpu;	/* everything runs here; -1: wherever the kernel likes */
	int cpu2;	/* herd only: the second CPU, or -1 */
	int waiters;	/* herd */
	int rounds;	/* herd, inversion */
	int hog_ms;	/* inversion */
	int counter_fd; /* a perf counter of futex calls to read, or -1 */
	bool realtime;	/* SCHED_FIFO; else SCHED_OTHER and no priorities */
};

struct program_thread {
	const char *name;
	int prio;
	int index; /* in the log; MAIN is 0 */
	pid_t tid; /* set by the thread itself, read by MAIN */
	void (*body)(struct program_thread *self);
	sem_t go; /* MAIN's word that the thread may start on its next step */
	pthread_t pthread;
};

/* The objects of every experiment. */
extern struct program_options options;
extern pthread_mutex_t mutex;
extern pthread_cond_t cond;

/* End the program with status 2 and one line that says why. */
void fail(const char *what, int error) __attribute__((noreturn));

/*
 * A fresh PTHREAD_PRIO_INHERIT mutex and a fresh condvar. MAIN only, with nobody using the old
 * ones.
 */
void init_objects(void);

/* The log. prepare_log() once; the others from any thread, without a lock. */
void prepare_log(unsigned int events_max);
void record(int thread, enum demo_kind kind, int64_t arg);
void record_round(int round);
void record_count(const char *name, int64_t count);
void print_log(void);
void print_thread(const struct program_thread *thread);

uint64_t now_ns(void);
void burn_until(uint64_t end_ns);
void sleep_us(long us);

/* Threads. Locking and unlocking are recorded. */
void start_thread(struct program_thread *thread);
void join_thread(struct program_thread *thread);
void become_main(int prio);
void lock_mutex(const struct program_thread *self);
void unlock_mutex(const struct program_thread *self);
void wait_for_go(struct program_thread *self);

/* Poll until @thread sleeps in the kernel, or until *@value >= @least; fail after five seconds. */
void await_asleep(const struct program_thread *thread);
void await_value(const int *value, int least, const char *what);

void run_order(void);
void run_herd(void);
void run_group_inversion(void);
void run_order_inversion(void);

#endif /* RQPI_DEMO_PROGRAM_H */
