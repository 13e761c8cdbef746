/* SPDX-License-Identifier: MIT */
/*
 * world.h - inside the process of a trial: the memory of the program, its tasks, and the boxes
 * through which the conductor (the first thread of that process) tells them what to do.
 *
 * world.c builds it, worker.c is the life of a task, settle.c looks at all, play.c conducts.
 */
#ifndef RQPI_CONFORM_WORLD_H
#define RQPI_CONFORM_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "trial.h"

/* One for each task, in memory that all processes of the trial share. */
struct conform_box {
	atomic_uint issued, entered, done; /* numbers of commands */
	atomic_int handled;		   /* calls of the signal handler */
	atomic_int tid;
	pid_t pid;
	int fd; /* an eventfd: one count a command */

	/* The command: written before issued, read after the eventfd. */
	enum conform_what what;
	int op;
	void *uaddr, *uaddr2;
	uint32_t val, val3;
	const void *timeout;
	uint32_t store, old;
	size_t length;
	int access;
	pid_t who;
	bool gate; /* wait for all that begin together */
	struct timespec time;

	long result; /* valid when done equals issued */
	int64_t began_ns, ended_ns;

	/* The robust list: head as the kernel has it. */
	struct {
		void *first;
		long offset;
		void *pending;
	} robust;
};

/* What the conductor alone knows of a task. */
struct conform_known {
	bool gone, must_go;
	unsigned reported; /* command whose return has been looked at */
	int handled;	   /* as counted at the last look */
	int handled_due;   /* the handler must have been called so often */
	bool armed;	   /* its call has a deadline to come */
	bool expired;	   /* which has passed, by the program's will */
	bool relative, realtime;
	int64_t relative_ns; /* after the call began */
	int64_t deadline_ns; /* CLOCK_MONOTONIC */
	int step;	     /* of its latest call */
	int syscall_fd, stat_fd;
};

struct conform_world {
	const struct conform_program *program;
	const struct conform_lane *lane;
	const struct conform_setting *setting;
	struct conform_trace *trace;
	char *memory; /* two slots a page: words, list entries */
	int *page_access;
	int *file; /* of each page, -1 if it has none */
	struct conform_box *boxes;
	struct conform_known *known;
	struct conform_shared {
		atomic_int at_gate, open, hog_wanted, hog_runs;
	} * shared;
	int hog_fd, memory_fd;
	bool hogged;
	bool one_cpu; /* all tasks and the conductor share one */
	pid_t *pids;  /* of the processes */
};

/* World of @trace->...; ends the process with a reason in the trace where it cannot be had. */
void conform_build(struct conform_world *w);
void conform_cannot(struct conform_world *w, const char *what, int error) __attribute__((noreturn));

void *conform_address(const struct conform_world *w, const struct conform_address *at);
uint32_t *conform_word(const struct conform_world *w, int word);
uint32_t conform_value(const struct conform_world *w, const struct conform_value *value);
/*
 * Vectors have misaligned words, which no futex is ever at. Some machines cannot read these in one
 * piece (a bus error on ARM), and nobody writes them meanwhile.
 */
uint32_t conform_load(const void *word);
void conform_store(void *word, uint32_t value);
uint32_t conform_read_word(const struct conform_world *w, int word);

/* worker.c: the life of task @index, from its start; and the hog's. */
void conform_work(struct conform_world *w, int index) __attribute__((noreturn));
void conform_hog(struct conform_world *w) __attribute__((noreturn));
void conform_handle_signals(void);
int64_t conform_now(clockid_t clock);

/*
 * settle.c: until nothing moves any more; only task @only, if that is not -1. 0, or -1 with the
 * reason in the trace.
 */
int conform_settle(struct conform_world *w, int only);
/* Write down all that can be seen. 0, or -1 if it came too late. */
int conform_look(struct conform_world *w, int step);
enum conform_state conform_state_of(struct conform_world *w, int task, bool *moving);
bool conform_has_ended(const struct conform_world *w, int task);

/* guard.c: would this requeue make a kernel roll back, if that kernel has CVE-2026-43499? */
bool conform_is_dangerous(const struct conform_world *w, const struct conform_call *call);

#endif /* RQPI_CONFORM_WORLD_H */
