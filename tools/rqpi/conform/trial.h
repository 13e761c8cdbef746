/* SPDX-License-Identifier: MIT */
/*
 * trial.h - a trial: one program played once on one lane, in a process of its own, and the trace of
 * what was seen after its steps.
 *
 * trial.c forks, guards and ends that process; play.c is what runs in it. Called by judge.c's and
 * differ.c's callers.
 */
#ifndef RQPI_CONFORM_TRIAL_H
#define RQPI_CONFORM_TRIAL_H

#include "program.h"

enum conform_state {
	CONFORM_IDLE,	 /* in no operation */
	CONFORM_BLOCKED, /* in an operation, asleep */
	CONFORM_ISREADY, /* in an operation, woken, and the hog has the CPU */
	CONFORM_GONE,	 /* has ended */
};

/* One task after one step. */
struct conform_seen {
	enum conform_state state;
	bool returned; /* its operation returned since the step before; then result */
	long result;
	int priority;
	int handled;   /* handler calls since the step before */
	long early_ns; /* ETIMEDOUT came so long before the deadline */
};

enum conform_outcome {
	CONFORM_UNFINISHED, /* the process ended by itself, or was ended */
	CONFORM_PLAYED,
	CONFORM_LATE,	/* a deadline passed before its step: to be tried again with more time */
	CONFORM_STUCK,	/* a step could not be done: see why; what came before was looked at */
	CONFORM_CANNOT, /* this machine lacks something: see why */
};

enum conform_mark { CONFORM_NOT_RUN, CONFORM_RUN, CONFORM_LEFT_OUT };

struct conform_trace {
	enum conform_outcome outcome;
	int steps_begun;
	char why[240];
	size_t size;
	int step_count, task_count, word_count;
	/* What follows lies behind this struct. */
	pid_t *tids;
	unsigned char *marks;	   /* enum conform_mark of each step */
	struct conform_seen *seen; /* [step][task] */
	uint32_t *words;	   /* [step][word] */
};

struct conform_setting {
	int cpu_work, cpu_free; /* cpu_free -1: there is one CPU only */
	bool realtime;		/* SCHED_FIFO may be had */
	bool robust_lists;	/* the kernel has them; an emulator may not */
	bool kthread;		/* thread 2 belongs to the kernel; not so in a PID namespace */
	bool guard;		/* leave out requeues that would run into CVE-2026-43499 */
	int scale;		/* of all times of the program */
};

struct conform_trace *conform_trace_new(const struct conform_program *p);
void conform_trace_free(struct conform_trace *trace);
struct conform_seen *conform_seen_at(const struct conform_trace *trace, int step, int task);
uint32_t conform_word_at(const struct conform_trace *trace, int step, int word);

/* Play @p once; the outcome is in @trace, which is cleared before. */
void conform_trial(const struct conform_program *p, const struct conform_lane *lane,
		   const struct conform_setting *setting, struct conform_trace *trace);

/* The same, again with times 2, 4, 8 .. as long as the outcome is LATE. */
void conform_trial_in_time(const struct conform_program *p, const struct conform_lane *lane,
			   const struct conform_setting *setting, struct conform_trace *trace);

/* play.c: the process of a trial. */
void conform_play(const struct conform_program *p, const struct conform_lane *lane,
		  const struct conform_setting *setting, struct conform_trace *trace)
    __attribute__((noreturn));

#endif /* RQPI_CONFORM_TRIAL_H */
