/* SPDX-License-Identifier: MIT */
/*
 * world.h - THE header of the simulated machine: its memory, its tasks, and what may happen next.
 *
 * The machine runs the shipping code of src/engine, src/sys and src/user, compiled once more with
 * RQPI_SIM: each atomic access, each raw lock and each sleep is a point where the task that runs
 * gives way to the explorer, which decides who goes on. There are as many CPUs as tasks: any task
 * that can run may be next.
 *
 *   W-I1  All that the future depends on is the state: the arena (this struct, the engine, its
 *         tasks, the memory of the program), the live part of every task's stack, and the variables
 *         that the code under test marks with RQB_STATE. It lies at fixed addresses, so a copy of
 *         the bytes is a snapshot, and equal bytes are equal states.
 *   W-I2  Nothing else is read by a task: no clock, no heap, no thread-local memory. Dead stack is
 *         zero (world.c), so that what a task leaves there is in no state.
 *   W-I3  Only the explorer decides: all that may happen in a state is in rqs_choices(), in an
 *         order that depends on the state alone. A path is the list of choices that lead to it.
 *
 * Plain memory that a lock guards has no points: that it is guarded is what races.c looks at, and
 * ThreadSanitizer on the host port. Orders weaker than seq_cst are run as if they were seq_cst,
 * but for what buffers.h holds back.
 */
#ifndef RQS_WORLD_H
#define RQS_WORLD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rqpi/engine.h>

#include "sim/hash.h"
#include "sim/place.h"
#include "src/sys/sys.h"
#include "src/user/user.h"

#define RQS_TASKS     5
#define RQS_FIRST_TID 101u
#define RQS_SPACE     1u /* the first address space; the other one is the next number */

/* A cleanup handler of pthread_cleanup_push(), on the stack of its task. */
struct rqs_cleanup {
	void (*fn)(void *arg);
	void *arg;
	struct rqs_cleanup *next;
};

enum rqs_status { RQS_NONE, RQS_READY, RQS_ASLEEP, RQS_ENDED };

struct rqs_task {
	struct rqpi_task *task;
	void *sp;    /* where its stack ends, while it does not run */
	void *floor; /* the lowest it may go */
	void *top;
	void (*fn)(void);
	struct rqpi_rawlock *wants; /* READY: goes on once this is free; NULL: at once */
	struct rqpi_rawlock *tried; /* the trylock that failed last */
	uint64_t deadline;	    /* ASLEEP */
	uint32_t status;	    /* enum rqs_status */
	uint32_t token;		    /* woken since block() returned last */
	uint32_t interruptible;	    /* ASLEEP: by a signal */
	uint32_t interrupted;	    /* a handler is to run */
	uint32_t raw_locks;	    /* held now */
	int32_t prio;		    /* as the engine wants it to run */
	uint32_t signals_left;	    /* how often a signal may still come */
	uint32_t in_kernel;	    /* in a system call: what comes for it waits for its end */
	uint32_t cancel;	    /* enum rqs_cancel */
	uint32_t cancel_point;	    /* in pthread_testcancel() */
	uint32_t kill;		    /* enum rqs_cancel: may be, is to be, has been */
	uint32_t started;	    /* always, but on one CPU */
	uint32_t cancel_off;	    /* pthread_setcancelstate() */
	uint32_t cancel_async;	    /* pthread_setcanceltype() */
	uint32_t space;		    /* 0 the first address space, 1 the other */
	uint32_t forked;	    /* begins, or has begun, as the child of a fork */
	uint32_t faults_left;	    /* how often a page may still be away */
	uint32_t at_page;	    /* about to touch a word, or to bring its page in */
	uint32_t page_away;	    /* and that will not work */
	uint32_t acts_for;	    /* rqs_abandon(): for this one, 1 the first */
	bool (*until)(void);	    /* READY: goes on once this is true; NULL: at once */
	struct rqs_cleanup *cleanup;
	struct rqu_self self;
	struct rqu_robust_head robust;
	_Alignas(16) unsigned char pi_state[RQPI_PI_STATE_BYTES];
	_Alignas(64) unsigned char storage[RQPI_TASK_BYTES];
};

#define RQS_ENDING 2u /* in_kernel, and will not come back */

enum rqs_cancel { RQS_CANCEL_NEVER, RQS_CANCEL_MAY, RQS_CANCEL_PENDING, RQS_CANCEL_ACTED };

/*
 * At the beginning of the arena. The engine, the memory of the program and the tasks follow; behind
 * them, and no part of a state any more, the one that has set up.
 */
struct rqs_world {
	struct rqpi_engine *engine;
	void *program; /* the memory of the scenario */
	char
	    *other; /* what is at the same addresses in the space that is not there now (space.c) */
	struct rqs_task *tasks;
	struct rqs_monitor *monitor; /* what the oracles remember, monitor.h */
	const char *gone;	     /* memory of the program that nobody may touch any more */
	uint64_t gone_bytes;
	uint64_t unmapped;    /* that memory: the engine may ask for it, and is told -EFAULT */
	const char *page;     /* one word of the program that need not be there */
	uint64_t page_is;     /* enum rqs_page */
	const uint32_t *twin; /* a shared futex here is the one at twin_of */
	const uint32_t *twin_of;
	uint64_t now;	   /* both clocks */
	uint32_t released; /* PI states that have come back, a bit for each task */
	uint32_t n_tasks;  /* without the one that sets up, which is behind the last */
	uint32_t used;	   /* bytes of the arena */
	struct rqs_buffer
	    *buffers; /* one for each task, NULL: no stores are held back (buffers.h) */
};

extern struct rqs_world *const rqs_world;

/* ---------------------------------------------------------------- what may happen next */

enum rqs_kind {
	RQS_RUN,    /* the task goes on to its next point */
	RQS_TIMER,  /* its deadline comes: so late is it now */
	RQS_SIGNAL, /* a signal with a handler comes for it */
	RQS_CANCEL, /* somebody cancels it */
	RQS_KILL,   /* it ends, wherever it is, without another instruction of its own */
	RQS_START,  /* one CPU only: it is there from now on */
	RQS_FAULT,  /* the page that it is about to touch is away, or cannot be brought in */
	RQS_FLUSH,  /* the oldest store that it has made reaches the others */
	RQS_KINDS
};

struct rqs_choice {
	uint8_t kind;
	uint8_t task;
	uint8_t site; /* in a path that was recorded: where the task stood; 0: not known */
};

#define RQS_CHOICES (RQS_TASKS * RQS_KINDS)

/*
 * One CPU, and strict priorities, from the next rqs_world_begin() on: of the tasks only the most
 * urgent one runs, and not even that preempts one that holds a raw lock. Who waits for another one
 * to go on, and does not sleep, waits for ever.
 */
extern bool rqs_one_cpu;

/* All that may happen now. Returns how many. */
int rqs_choices(struct rqs_choice list[RQS_CHOICES]);

bool rqs_same_choice(struct rqs_choice a, struct rqs_choice b);

/* May @choice happen now? */
bool rqs_is_possible(struct rqs_choice choice);

/* Let @choice happen, up to the next point of the task that runs. False: a violation was found. */
bool rqs_take(struct rqs_choice choice);

/* ---------------------------------------------------------------- violations */

struct rqs_violation {
	bool found;
	char oracle[32]; /* which one noticed */
	char text[224];
};

extern struct rqs_violation rqs_violation;

/*
 * Something is wrong, says @oracle. From a task: the explorer goes on, and the task never does.
 * The first one counts.
 */
void rqs_fail(const char *oracle, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---------------------------------------------------------------- states */

struct rqs_scenario;

/*
 * Map the arena and catch faults. 0, or -1: the fixed address is taken. Once in a process.
 */
int rqs_world_open(void);

/* Where all lies that tasks may share: the arena with the stacks, and what RQB_STATE marks. */
struct rqs_memory {
	char *base;
	size_t bytes;
};
size_t rqs_program_bytes(void);
void rqs_world_memory(struct rqs_memory *arena, struct rqs_memory *marked);

/* The state in which @scenario begins. False: setting up has violated something. */
bool rqs_world_begin(const struct rqs_scenario *scenario);

/* Has every task ended? */
bool rqs_world_ended(void);

/* The size of a snapshot of this state, the snapshot, and back again. */
size_t rqs_state_bytes(void);
void rqs_state_save(void *to);
void rqs_state_restore(const void *from);
struct rqs_hash rqs_state_hash(void);

/* ---------------------------------------------------------------- for the other files of sim/ */

/* The task that runs, NULL: the explorer. */
struct rqs_task *rqs_running(void);

/* Its name in reports: 'a' for the first. */
char rqs_name(const struct rqs_task *t);

/*
 * Back in user space, or still there: a signal handler runs, and a cancellation that may come at
 * any moment is acted upon, that is, does not return.
 */
void rqs_deliver(struct rqs_task *t);

/*
 * Two address spaces (space.c): what is at the addresses of the program is exchanged with what the
 * other space has there, and back again.
 */
void rqs_spaces_lay_out(const struct rqs_scenario *scenario);
void rqs_spaces_begin(void);
void rqs_switch_space(const struct rqs_task *t);

/* In a child of fork: what libc does there. */
void rqs_begin_child(void);

/* Where the explorer goes on when what it looks at is not there; while it looks. */
extern sigjmp_buf rqs_judging;
extern bool rqs_is_judging;

/* What the code under test marks with RQB_STATE; the linker knows where it begins and ends. */
extern char rqs_state_begin[] __asm__("__start_rqs_state");
extern char rqs_state_end[] __asm__("__stop_rqs_state");

static inline size_t rqs_marked_bytes(void)
{
	return (size_t)(rqs_state_end - rqs_state_begin);
}

/* Has each space the program's memory for itself? */
bool rqs_own_memory(void);

/* Give way before a word is touched, or its page brought in. False: -EFAULT. */
bool rqs_yield_at_page(void);

/* Give way: anything may happen before the caller goes on. Nothing, if the explorer calls. */
void rqs_yield(void);

/*
 * Where each task has given way, for reports: right on a path that is played from its beginning, as
 * it is not restored with a state.
 */
extern struct rqs_place rqs_places[RQS_TASKS + 1];

/*
 * rqpi_task_get() of the task at @t, NULL if there is none any more: one step, as with the lock
 * of a table that the look-up and the end of a task both take.
 */
struct rqpi_task *rqs_get_task(struct rqs_task *t);

/* The running task is about to touch @addr: is that memory still there? */
void rqs_touch(const volatile void *addr);

/* May the engine touch the word at @addr, or write to it? */
bool rqs_page_there(const volatile void *addr, bool write);

/* Bring it in. False: it cannot be. */
bool rqs_page_in(const volatile void *addr, bool write);

/* @t is asleep no more. */
void rqs_wake_task(struct rqs_task *t);

/* The running task ends here and now: cleanup handlers, robust list, PI states. */
void rqs_end_task(void) __attribute__((noreturn));

/* The rest of the arena. Never fails: a scenario that needs more than there is, is wrong. */
void *rqs_alloc(size_t bytes, size_t align);

extern const struct rqpi_port rqs_port;

/* A line for each event of the engine, while this is not NULL. */
extern void (*rqs_listener)(const struct rqpi_event *event);

#endif /* RQS_WORLD_H */
