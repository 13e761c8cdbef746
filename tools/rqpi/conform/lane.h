/* SPDX-License-Identifier: MIT */
/*
 * lane.h - what `rqpi conform` plays its programs on: a lane is one implementation of the futex
 * operations, called through the functions below by the tasks of a program.
 *
 * lane_linux.c is the running kernel. Any other lane runs in ordinary threads too, so that
 * effective priorities and sleeping can be seen from outside with the same eyes (settle.c).
 */
#ifndef RQPI_CONFORM_LANE_H
#define RQPI_CONFORM_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "kernel.h"

/* The futex call with 64-bit times, which 32-bit machines have beside an older one. */
#if __SIZEOF_LONG__ == 4 && defined(SYS_futex_time64)
#define CONFORM_SYS_FUTEX SYS_futex_time64
#else
#define CONFORM_SYS_FUTEX SYS_futex
#endif

/* What a task is to have by itself, without any boost. */
struct conform_sched {
	int policy; /* SCHED_OTHER, SCHED_FIFO, ... */
	int priority;
	int nice;
	unsigned deadline_ms; /* SCHED_DEADLINE */
};

/* Things that happen to a task, which only a kernel, or only some lanes, can notice. */
enum conform_feature {
	CONFORM_NEEDS_KILL = 1,	    /* a process is killed by a signal */
	CONFORM_NEEDS_EXEC = 2,	    /* a process executes another program */
	CONFORM_NEEDS_PROCESS = 4,  /* more than one process */
	CONFORM_NEEDS_DEADLINE = 8, /* SCHED_DEADLINE is inherited as such */
	CONFORM_NEEDS_WATCH = 16,   /* a process is killed, and nobody else sleeps */
	CONFORM_NEEDS_LIST = 32,    /* a process is killed with a robust word that is no PI futex */
};

struct conform_lane {
	const char *name;

	/*
	 * Called once in the process that plays, before it has other threads or processes; 0 or
	 * -errno. May be NULL.
	 */
	int (*start)(void);

	/* futex(2)'s arguments, by the calling thread; its result, or -errno. */
	long (*futex)(uint32_t *uaddr, int op, uint32_t val, const void *timeout_or_val2,
		      uint32_t *uaddr2, uint32_t val3);

	/* Of the calling thread; 0 or -errno. */
	long (*set_robust_list)(void *head, size_t length);
	/* Of thread @tid; 0 or -errno. NULL: the lane has no such call. */
	long (*get_robust_list)(pid_t tid, void **head, size_t *length);

	/* Change what thread @tid has by itself, whatever it does now; 0 or -errno. */
	long (*set_scheduler)(pid_t tid, const struct conform_sched *sched);

	/*
	 * The calling thread is about to end: what the kernel does at that point with its robust
	 * list and PI states. NULL: the kernel does it.
	 */
	void (*exit_task)(void);
	/* The same before it becomes another program, as with execve(2). */
	void (*exec_task)(void);

	/*
	 * Thread @tid does not use the CPU at the moment: is that because its operation sleeps?
	 * NULL: yes, if it is inside the system call futex(2).
	 */
	bool (*blocked)(pid_t tid);

	long notices_death_ms; /* that a process was killed, so late at most */

	unsigned lacks; /* enum conform_feature */

	/* The Linux that the lane does as; all zero: the running one. */
	struct conform_version kernel;
};

extern const struct conform_lane conform_lane_linux;
extern const struct conform_lane conform_lane_engine; /* where the engine is built */

/*
 * conform_kernel_is_safe() - is the running kernel known to survive a FUTEX_CMP_REQUEUE_PI that
 * finds a deadlock (CVE-2026-43499)? @release is that of uname(2).
 */
bool conform_kernel_is_safe(const char *release);

#endif /* RQPI_CONFORM_LANE_H */
