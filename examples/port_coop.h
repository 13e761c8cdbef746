/* SPDX-License-Identifier: MIT */
/*
 * port_coop.h - the engine on a single core with cooperative tasks: the smallest kernel there is.
 *
 * A whole port (port_coop.c) of rqpi/port.h, to read beside docs/embedding.md. Tasks are fibers.
 * The one that is most urgent runs, and runs until it sleeps in the engine, or its function
 * returns. Time stands still but for coop_advance(). No interrupts, no paging: user space is the
 * program's own memory.
 */
#ifndef PORT_COOP_H
#define PORT_COOP_H

#include <rqpi/engine.h>
#include <rqpi/trace.h>

#include <ucontext.h>

#define COOP_STACK 65536

struct coop;

struct coop_task {
	struct coop *coop;
	struct coop_task *next;
	struct rqpi_task *task;
	void (*fn)(struct coop_task *self, void *arg);
	void *arg;
	int prio;		 /* as the engine wants it to run, struct rqpi_prio */
	int finished;		 /* its function has returned */
	int asleep;		 /* in block() */
	int woken;		 /* wake() since block() returned last */
	int interrupted;	 /* a signal handler is to run */
	int held;		 /* by the user: it may be woken, but it does not run */
	uint64_t deadline;	 /* asleep: until then, on the one clock there is */
	int interruptible;	 /* asleep */
	int spinning;		 /* waits for a raw lock; only with on_step */
	unsigned long raw_locks; /* held now: 0 whenever it sleeps */
	ucontext_t context;
	_Alignas(64) char storage[RQPI_TASK_BYTES];
	_Alignas(16) char state[RQPI_PI_STATE_BYTES];
	char *stack;
};

struct coop {
	struct rqpi_engine *engine;
	struct coop_task *tasks;
	struct coop_task *running;
	ucontext_t idle; /* where coop_run() was called */
	uint64_t now;
	uint32_t next_tid;
	void (*trace)(struct coop *coop, const struct rqpi_event *event);
	void (*on_access)(struct coop *coop, uint32_t *uaddr); /* before a user word is looked at */
	const uint32_t *bad;				       /* one word that faults, */
	int bad_for_read;				       /* when read, too */
	int faults_left; /* so often; then fault_in() has brought it in; < 0: never */
	void *memory;
	uint32_t spawn_kernel;	 /* the tasks spawned from now on are kernel threads */
	size_t stack_bytes;	 /* of the tasks spawned from now on; 0: COOP_STACK */
	unsigned long raw_locks; /* held by a caller that is no task */
	/*
	 * For tests, to make one core look like several. on_step is called before a raw lock is
	 * taken and before user space is touched, and may coop_yield(); choose says who goes on
	 * then, and whenever a task sleeps (NULL: nobody). on_fault is called where a page is
	 * brought in.
	 */
	void (*on_step)(struct coop *coop);
	struct coop_task *(*choose)(struct coop *coop);
	void (*on_fault)(struct coop *coop, uint32_t *uaddr);
};

/* 0, or -1 without memory. @buckets as for rqpi_engine_init(). */
int coop_init(struct coop *coop, uint32_t buckets);
/* All tasks must have finished. */
void coop_fini(struct coop *coop);

/* A task that calls @fn. @prio: RQPI_PRIO_*; @space: its address space. It runs in coop_run(). */
int coop_spawn(struct coop *coop, struct coop_task *t, uint64_t space, int prio,
	       void (*fn)(struct coop_task *self, void *arg), void *arg);

/* Let the most urgent task run, until all are asleep, finished or held. */
void coop_run(struct coop *coop);

/* Time goes on by @ns; who has waited long enough is woken. Then as coop_run(). */
void coop_advance(struct coop *coop, uint64_t ns);

/* A signal with a handler comes for @t. Then as coop_run(). */
void coop_interrupt(struct coop_task *t);

/* Within a task: let others run, without having asked the engine for anything. */
void coop_sleep(struct coop_task *self);
/* The same, but it may go on at any time, even with raw locks held: see on_step. */
void coop_yield(struct coop_task *self);
void coop_wake(struct coop_task *t);

#endif /* PORT_COOP_H */
