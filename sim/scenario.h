/* SPDX-License-Identifier: MIT */
/*
 * scenario.h - how a scenario is written: a struct of shared memory, one C function per task, and
 * what must hold.
 *
 *	struct program { rqpi_mutex_t m; int n; };
 *	#define P RQS_PROGRAM(struct program)
 *
 *	static void adder(void)
 *	{
 *		rqs_ok(rqpi_mutex_lock(&P->m));
 *		rqs_enter(&P->inside);
 *		P->n++;
 *		rqs_leave(&P->inside);
 *		rqs_ok(rqpi_mutex_unlock(&P->m));
 *	}
 *
 * The memory begins as zero, which is a valid state of every public type. A task may use its stack,
 * the program, and the public interface of both halves; no libc but memcpy() and memset(), no
 * static variable, no thread-local one.
 */
#ifndef RQS_SCENARIO_H
#define RQS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <rqpi/base.h>
#include <rqpi/cond.h>
#include <rqpi/engine.h>
#include <rqpi/mutex.h>

#include "sim/posix_sim.h"
#include "src/base/atomic.h"

#define RQS_ACTORS 5

struct rqs_actor {
	void (*fn)(void);
	int prio;	    /* RQPI_PRIO_RT(n), RQPI_PRIO_NICE(n) */
	int signals;	    /* how many signals with a handler may come, at any time */
	bool may_cancel;    /* it may be cancelled, once, at any time */
	bool may_be_killed; /* it may be killed, at any time */
	/*
	 * 1: in another address space than 0. The program's memory is mapped in both, at the same
	 * address, unless each has .own_memory; the variables of the library are each one's own.
	 */
	uint32_t space;
	bool forked; /* .space 1: it begins when another one calls rqs_fork() */
	/*
	 * So often a page may be away when the engine touches a word for it, or cannot be brought
	 * in.
	 */
	int faults;
	bool kernel; /* a thread of the kernel: no program's word makes it an owner */
};

/* What a member of the program is, for reports; the last one of a list has no name. */
enum rqs_word_kind { RQS_NUMBER, RQS_PI_FUTEX, RQS_MUTEX, RQS_COND };
struct rqs_word {
	const char *name;
	size_t offset;
	enum rqs_word_kind kind;
};
#define RQS_WORD(type, member, is)                                            \
	{                                                                     \
		.name = #member, .offset = offsetof(type, member), .kind = is \
	}

struct rqs_scenario {
	const char *name;  /* lower case and underscores */
	const char *about; /* one line */
	size_t bytes;	   /* of the program's memory */
	uint32_t buckets;  /* of the engine, a power of two; 0: 1 */
	struct rqs_actor actors[RQS_ACTORS];
	void (*setup)(void); /* runs alone, before all; may be NULL */
	void (*end)(void);   /* is all as it should be, when everybody has ended? May be NULL */
	bool deep;	     /* too large for the suite ci */
	bool by_lot;	     /* too large for any: only the suite "lot" has it, for --mode=random */
	bool own_memory;     /* two address spaces: each has the program's memory for itself */
	bool in_order;	     /* not so with store buffers, as it should be: no suite has both */
	bool lies;	     /* it writes to words that are the futex's: I8 is not looked at */

	/* What the program is made of, for reports; NULL: nobody has said. */
	const struct rqs_word *words;
	/* So many of the first actors have gone to sleep when it begins. */
	uint32_t asleep;
	/* Of the engine's invariants this one alone is looked for, "I4"; NULL: all. */
	const char *invariant;
	bool unjudged; /* priorities come from what no futex call tells: not computed anew */
	bool may_wait; /* at the end, if nobody was to release the waiters of its condvars */
};

/* All of them, in scenarios/list.c; ends with NULL. */
extern const struct rqs_scenario *const rqs_scenarios[];

void *rqs_program(void);
#define RQS_PROGRAM(type) ((type *)rqs_program())

/* The calling task: 0 for the first actor; and its thread id, as it stands in a PI futex word. */
int rqs_me(void);
uint32_t rqs_tid(void);
uint32_t rqs_tid_of(int actor);
#define RQS_TID rqs_tid()

/* The call must return 0, or @want. */
void rqs_check_result(long got, long want, const char *call);
#define rqs_ok(call)	     rqs_check_result((call), 0, #call)
#define rqs_is(call, result) rqs_check_result((call), (result), #call)

/* @what must be true. */
void rqs_claim(bool holds, const char *what);

/* Mutual exclusion: between the two, nobody else may be in there. All zero is empty. */
struct rqs_room {
	uint32_t inside;
};
void rqs_enter(struct rqs_room *room);
void rqs_leave(struct rqs_room *room);

/* From now on nobody may touch these bytes: they have been freed. At most once in a scenario. */
void rqs_gone(const void *memory, size_t bytes);
/* The same with munmap(2): the engine may still ask for it, and is told that nothing is there. */
void rqs_unmapped(const void *memory, size_t bytes);

/*
 * A variable that tasks share without a lock, where nothing has to happen: no place for another
 * task to come in between, but no race either.
 */
#define rqs_peek(variable)	  __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define rqs_poke(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)

/* Anything may happen here, and the value is looked at again. */
uint32_t rqs_read(const uint32_t *p);
void rqs_write(uint32_t *p, uint32_t value);

/*
 * As fork(2), of which the child is @actor: it has a copy of this process's memory, and begins with
 * its function instead of in the middle of this one.
 */
void rqs_fork(int actor);

/* The head of the caller's robust list, as get_robust_list(2) tells. */
struct rqu_robust_head *rqs_robust_head(void);

/*
 * The engine's rt_mutex, as code of its host uses it. @late NULL: for ever. 0 or a negative
 * errno.
 */
long rqs_rt_lock(struct rqpi_rt_mutex *mutex, const struct timespec *late);
void rqs_rt_unlock(struct rqpi_rt_mutex *mutex);

/* As sched_setscheduler(2): the priority of an actor that has not ended. */
void rqs_set_prio(int actor, int prio);

/* Does that actor sleep in the kernel now? */
bool rqs_is_asleep(int actor);

/* The priority that the engine wants @actor to run with. */
int rqs_runs_as(int actor);

/* futex(2), as the calling task. The result, or a negative errno. */
long rqs_futex(uint32_t *uaddr, int op, uint32_t val, const void *timeout, uint32_t *uaddr2,
	       uint32_t val3);

/*
 * A deadline that comes when the explorer likes; on CLOCK_MONOTONIC. Not before @order smaller
 * ones.
 */
struct timespec rqs_someday(int order);

/* ---------------------------------------------------------------- beyond what a program can do */

/* Where only a certain state is of interest: go on once @holds, which looks at the state alone. */
void rqs_when(bool (*holds)(void));

/* The actor sleeps or has ended: nothing is on its way to it. */
bool rqs_rests(int actor);

/* The page of one word of the program, for the engine; at any moment, as from outside. */
enum rqs_page {
	RQS_PAGE_THERE,
	RQS_PAGE_AWAY,	    /* not there without sleeping: comes in when the engine asks for it */
	RQS_PAGE_READ_ONLY, /* and stays so */
	RQS_PAGE_NONE,	    /* unmapped */
};
void rqs_set_page(const uint32_t *word, enum rqs_page how);

/* A shared futex has two addresses: @second is @first, mapped once more. One in a scenario. */
void rqs_alias(const uint32_t *second, const uint32_t *first);

/*
 * The actor, which is in a sleep of the engine, ends together with its stack; @words: its address
 * space stays. What rqpi_task_abandon() returned; 1: it is in no sleep, and nothing has happened.
 */
long rqs_abandon(int actor, bool words);

/* A call of rqpi/engine.h by the task itself: what comes for it meanwhile waits for the end. */
void rqs_begin_call(void);
long rqs_end_call(long ret);
#define rqs_call(call) (rqs_begin_call(), rqs_end_call((long)(call)))

#endif /* RQS_SCENARIO_H */
