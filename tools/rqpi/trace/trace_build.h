/* SPDX-License-Identifier: MIT */
/*
 * trace_build.h - what the files have in common that make the model out of events: trace_build.c
 * (all of it, in order), trace_sched.c (who ran when), trace_waits.c (who waited), trace_futex.c
 * (what a futex was used for), trace_condvar.c and trace_blame.c (why a wait was long).
 *
 * One pass over the sorted events keeps a state for each thread. What is concluded from the whole
 * trace (is this word a mutex?) waits in `facts` until the pass is done.
 */
#ifndef RQPI_TRACE_BUILD_H
#define RQPI_TRACE_BUILD_H

#include "trace.h"

/* Of glibc's mutex kind, as src/shim/shim_mutex.h has them. */
enum { TRACE_KIND_TYPE = 0x3, TRACE_KIND_INHERIT = 0x20, TRACE_KIND_PROTECT = 0x40 };

/* A thread's waits that have not ended: one of each kind, since they nest in this order. */
enum trace_slot {
	TRACE_SLOT_WAIT,
	TRACE_SLOT_RELEASE,
	TRACE_SLOT_LOCK,
	TRACE_SLOT_FUTEX,
	TRACE_SLOTS
};

/* The futex call that a thread is in. */
struct trace_call {
	bool now;
	uint32_t op; /* without its flags */
	uint64_t address;
	uint64_t address2;
	uint64_t since;
};

#define TRACE_RECENT 4 /* words that a thread has waited for lately */

struct trace_state {
	/* trace_sched.c */
	int own;      /* urgency without what it inherits */
	bool boosted; /* it inherits just now */
	bool seen; /* there was an event of the scheduler about it, or it was made in the trace */
	bool by_waking; /* its open slice began by a wake-up */
	uint32_t slice; /* the open one; TRACE_NO_INDEX */
	uint64_t woken; /* while it still ran; 0: not */
	/* trace_waits.c */
	uint32_t open[TRACE_SLOTS]; /* index of the wait, TRACE_NO_INDEX */
	bool heard;		    /* there were events of the preload */
	struct trace_call call;
	uint32_t recent[TRACE_RECENT]; /* locks; TRACE_NO_INDEX */
	uint32_t recent_next;
};

/* Of the wait with the same index. */
struct trace_facts {
	uint32_t op;	/* of the futex call; of TRACE_HOW_FUTEX */
	uint32_t value; /* that it found in the word */
	bool drop;	/* it was no wait */
	bool slept;	/* it was seen to leave its processor meanwhile, or never on one */
	bool pi;	/* the lock inherited when it began */
	bool ceiling;	/* PTHREAD_PRIO_PROTECT */
	bool raised;	/* the kernel raised somebody's priority for it */
	uint32_t waker; /* TID of who woke it by a futex call on its word; 0 */
	int waker_urgency;
	uint32_t lent; /* TID of whom it boosted first; 0 */
	int lent_urgency;
};

/* Of the lock with the same index: how its word was used by futex calls. */
struct trace_usage {
	uint64_t waits;
	uint64_t waits_at_2;	/* glibc's mutex that is waited for, and many others' */
	uint64_t waits_at_musl; /* musl's */
	uint64_t waits_at_tid;	/* a thread's ID, and the bit that says that somebody waits */
	uint64_t wakes;
	uint64_t wakes_of_one;
	uint64_t came_back; /* wakes by a thread that had waited for it before */
	/* trace_condvar.c */
	uint64_t waits_at_0;
	uint64_t waits_at_odd; /* 3 and above */
	uint64_t wakes_of_all;
	uint32_t part_of; /* index of the condvar in which it lies, and 1; 0: none */
	bool is_release;  /* who waits for it is in a signal or broadcast */
};

struct trace_builder {
	struct trace_model *m;
	struct trace_state *state; /* of the thread with the same index */
	TRACE_ARRAY(struct trace_facts) facts;
	TRACE_ARRAY(struct trace_usage) usage;
	TRACE_ARRAY(uint32_t) running; /* TID by CPU; TRACE_NO_INDEX: not known */
	bool switches;		       /* there are events of the scheduler */
};

/* trace_model.c; TRACE_NO_INDEX: there is none. */
uint32_t trace_find_lock(const struct trace_model *m, uint32_t pid, uint64_t address);
uint32_t trace_lock_index(struct trace_model *m, uint32_t pid, uint64_t address);

/* trace_build.c: the state of @tid, which an event has named. */
struct trace_state *trace_state(struct trace_builder *b, uint32_t tid);

/* trace_sched.c: SWITCH, WAKING, SETPRIO, FORK, EXIT; then the end of the trace. */
void trace_sched_step(struct trace_builder *b, const struct trace_event *e);
void trace_sched_end(struct trace_builder *b);
/* Is it known to run just now? */
bool trace_sched_runs(const struct trace_builder *b, const struct trace_state *s);

/* trace_waits.c, after trace_sched_step() of the same event. */
void trace_waits_step(struct trace_builder *b, const struct trace_event *e);
void trace_waits_end(struct trace_builder *b);
/* The wait of @s that other threads' events are about now; TRACE_NO_INDEX. */
uint32_t trace_waits_now(const struct trace_state *s);

/* trace_futex.c */
bool trace_futex_waits(uint32_t op);
bool trace_futex_is_pi(uint32_t op);
/* A call begins: what it says of the use of its word. */
void trace_futex_seen(struct trace_builder *b, struct trace_state *s, uint32_t pid,
		      const struct trace_event *e);
/* @e wakes somebody who waits by @wait: is it who had the lock? */
void trace_futex_woken(struct trace_builder *b, uint32_t wait, const struct trace_event *e);
/* All events are read: which words are mutexes, who had them, which waits are inversions. */
void trace_futex_settle(struct trace_builder *b);

/* trace_condvar.c, called by trace_futex.c: find condvars; give them the waits for their words. */
void trace_condvar_find(struct trace_builder *b);
void trace_condvar_claim(const struct trace_builder *b, struct trace_wait *w);

/* trace_blame.c: the model has all but this. */
void trace_blame(struct trace_model *m);

#endif /* RQPI_TRACE_BUILD_H */
