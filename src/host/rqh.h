/* SPDX-License-Identifier: MIT */
/*
 * rqh.h - the host port inside: what a process, a thread and the shared arena consist of.
 *
 * The arena is one mapping, made by rqpi_host_start() and reserved for max_threads: the engine, a
 * record and a PI state for each thread, a table that finds records by TID. Nothing of it comes
 * from malloc(), which itself may need a futex. With RQPI_HOST_ACROSS_FORK it is shared with the
 * children of fork, and all that only one process may use is outside, in struct rqh_local and the
 * descriptors.
 *
 * Locks, all of them raw: start_lock (process) -> the engine's -> table_lock -> prio_lock of a
 * record.
 */
#ifndef RQH_H
#define RQH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rqpi/engine.h"
#include "rqpi/host.h"
#include "rqpi/trace.h"
#include "src/base/atomic.h"

#define RQH_NSEC_PER_SEC 1000000000u

/* ---------------------------------------------------------------- one process */

/*
 * In a page that the kernel wipes in a child of fork, so that a child, whoever made it and how,
 * finds nothing of its parent's in it.
 */
struct rqh_local {
	uint32_t gen;	/* 0: a new process. What a thread remembers counts for this number only */
	uint32_t ready; /* the host is this process's */
	struct rqpi_rawlock start_lock;
	uint32_t pid;
	uint64_t space;	  /* id of this address space */
	uint32_t maps_fd; /* + 1; 0: not open: /proc/self/maps */
	uint32_t bell_fd; /* + 1; 0: not open: the socket that rings other threads' bells */
};

/* What a thread remembers of itself; valid for the process of @gen. */
struct rqh_tls {
	uint32_t gen;
	uint32_t tid;
	uint32_t raw_held; /* raw locks that it holds */
	uint32_t relaxed;  /* calls of rqh_relax() since a trylock had success */
	uint32_t panicking;
	struct rqh_thread *thread;
};

extern __thread struct rqh_tls rqh_tls;
extern struct rqh_local *rqh_local;
extern struct rqh_host *rqh_host;

/* start.c: fill rqh_local and rqh_tls anew. */
void rqh_know_myself(void);

static inline struct rqh_tls *rqh_me(void)
{
	struct rqh_local *local = rqh_local;

	if (rqb_unlikely(!local || !rqb_load(&local->gen) || rqh_tls.gen != rqb_load(&local->gen)))
		rqh_know_myself();
	return &rqh_tls;
}

/* start.c. The host, started if it was not and taken over if this is a child; NULL: no memory. */
struct rqh_host *rqh_enter_slow(const struct rqpi_host_options *options);

static inline struct rqh_host *rqh_enter(void)
{
	struct rqh_local *local = rqh_local;

	if (rqb_likely(local && rqb_load_acq(&local->ready)))
		return rqh_host;
	return rqh_enter_slow(NULL);
}

/* ---------------------------------------------------------------- one thread */

/* sched_attr of sched_setattr(2), its first version. */
struct rqh_sched {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

/* Who a TID is: it may be used again, and its thread may have become another program. */
struct rqh_identity {
	uint64_t start;	 /* time of its birth; 0: not known */
	uint64_t stack;	 /* where its program's stack began; 0: not known */
	uint32_t pid;	 /* thread group */
	uint32_t kernel; /* a thread of the kernel */
};

struct rqh_counts {
	_Alignas(8) uint64_t calls; /* see rqb_load64() */
	uint64_t sleeps;
	uint64_t wakes;
	uint64_t prio_changes;
	uint64_t prio_refused;
	uint64_t deadline_as_fifo;
};

/*
 * Asleep on @park itself, or on the bell: whoever ends the sleep learns which from the word it
 * took.
 */
enum rqh_park { RQH_AWAKE, RQH_TOKEN, RQH_ASLEEP, RQH_ASLEEP_BELL };

/* GONE: its thread lives, but is a dead one to the engine until it calls again. */
enum rqh_status { RQH_FREE, RQH_LIVE, RQH_GONE, RQH_RETIRED };

struct rqh_thread {
	_Alignas(64) unsigned char task[RQPI_TASK_BYTES];
	_Alignas(64) uint32_t park; /* enum rqh_park; a futex */
	uintptr_t bell_serial;	    /* part of the name of its bell; 0: has none */

	/* of the thread itself */
	uint64_t gone_at; /* RQH_GONE: since when, CLOCK_MONOTONIC */
	uint32_t in_call;
	uint32_t cpu;	      /* + 1; where its last call began */
	uint32_t cancellable; /* its sleeps are cancellation points */
	uint32_t in_sleep;    /* in block(), with no lock held */
	uintptr_t frame;      /* of block() on its stack, while in_sleep */
	uint32_t deferring;   /* signals are blocked, @mask is what was blocked before */
	uint32_t shared_call; /* the operation is one across address spaces */
	uint32_t may_restart; /* the handler that ends this sleep has SA_RESTART */
	uint64_t mask;

	/* table_lock */
	uint32_t status;
	uint32_t released; /* the engine has given task and state back */
	uint32_t foreign;  /* found in a word, never called; nobody will tell us that it ends */
	uint32_t tid;
	uint32_t next; /* index + 1, in the chain of its table slot or the free list */
	uint64_t space;
	struct rqh_identity who;

	/* prio_lock */
	struct rqpi_rawlock prio_lock;
	struct rqh_sched own;
	struct rqh_sched applied;
	uint32_t own_deadline; /* @own is DEADLINE; read without the lock */

	struct rqh_counts counts;
};

/* The descriptors of a record; in memory of the process, not in the arena. Each + 1, 0: none. */
struct rqh_fds {
	uint32_t bell;
	uint32_t signals;
	uint32_t timer;
	uint64_t signal_mask;
};

/* ---------------------------------------------------------------- the arena */

#define RQH_TRACE_EVENTS 65536u

struct rqh_trace_entry {
	uintptr_t serial; /* 1 + its place in the whole; 0: being written or never written */
	uint64_t ns;
	uint64_t cpu;
	struct rqpi_event event;
};

struct rqh_host {
	uint64_t bytes;
	uint32_t flags; /* RQPI_HOST_* */
	uint32_t buckets;
	uint32_t max_threads;
	uint32_t slots; /* of the table, a power of two */
	uint64_t name;	/* random: part of the names of bells */
	struct rqpi_engine *engine;
	struct rqh_thread *threads;
	unsigned char *states; /* max_threads of RQPI_PI_STATE_BYTES */
	uint32_t *table;       /* index + 1 of the first record of each slot */
	struct rqh_trace_entry *ring;

	struct rqpi_rawlock table_lock;
	uint32_t threads_used; /* those above were never used */
	uint32_t states_used;
	uint32_t free_thread; /* index + 1 */
	uint32_t free_state;  /* index + 1; linked through their first word */
	uint32_t reap_next;
	uint32_t foreign_live;
	struct rqh_counts past; /* of records that are free again */

	_Alignas(8) uint64_t last_space;
	uint64_t last_bell;
	uint64_t events;
	uint64_t foreign_owners;
	uint64_t broken_locks;
	uint32_t said; /* RQH_SAID_* */
};

extern struct rqh_fds *rqh_fds; /* max_threads of them */

static inline uint32_t rqh_index(const struct rqh_host *h, const struct rqh_thread *t)
{
	return (uint32_t)(t - h->threads);
}

static inline struct rqpi_task *rqh_task(struct rqh_thread *t)
{
	return (struct rqpi_task *)t->task;
}

static inline bool rqh_has(const struct rqh_host *h, uint32_t flag)
{
	return (h->flags & flag) != 0;
}

/* ---------------------------------------------------------------- lock.c */

/* Finds out which kind of lock this kernel offers. Must be called before the first lock. */
void rqh_lock_probe(void);
void rqh_lock(void *ctx, struct rqpi_rawlock *lock);
bool rqh_trylock(void *ctx, struct rqpi_rawlock *lock);
void rqh_unlock(void *ctx, struct rqpi_rawlock *lock);
void rqh_relax(void *ctx);

/* ---------------------------------------------------------------- word.c, fault.c */

int rqh_load(void *ctx, const uint32_t *uaddr, uint32_t *val);
int rqh_cmpxchg(void *ctx, uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen);
int rqh_fault_in(void *ctx, uint32_t *uaddr, bool write);
int rqh_copy_in(void *ctx, void *to, const void *from, size_t bytes);
bool rqh_user_range(void *ctx, const void *uaddr);
/* The first address that is none of user space's, as this kernel says. */
void rqh_probe_user_range(void);

/* Touch memory that may not be there: 0 or -EFAULT. Only with RQPI_HOST_CATCH_FAULTS. */
int rqh_guarded_load(const uint32_t *uaddr, uint32_t *val);
int rqh_guarded_cmpxchg(uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen);
int rqh_guarded_copy(void *to, const void *from, size_t bytes);
/*
 * If the fault of the instruction @pc at @address is that of one of them: where to go on so that it
 * says EFAULT, or it goes on there by itself, with @mask; else 0.
 */
uintptr_t rqh_guarded_exit(uintptr_t pc, uintptr_t address, uint64_t mask);

/* Put our handler of faults in front of whatever is installed now. */
void rqh_catch_faults(void);

/* ---------------------------------------------------------------- key.c, maps.c */

struct rqh_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* of @start in the file */
	uint64_t inode;	 /* 0: no file, and so private anonymous memory */
	uint32_t major;
	uint32_t minor;
	bool readable;
	bool writable;
	bool shared;
	bool sysv; /* System V shared memory, whose inode numbers are of a series of their own */
};

/* What is mapped at @addr? 0; -EFAULT: nothing; other errors: /proc cannot say. */
int rqh_find_mapping(uintptr_t addr, struct rqh_mapping *map);
int rqh_find_mapping_by_query(int fd, uintptr_t addr, struct rqh_mapping *map);
int rqh_find_mapping_in_text(int fd, uintptr_t addr, struct rqh_mapping *map);
int rqh_open_maps(void);

int rqh_shared_key(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
		   struct rqpi_key *key);

/* ---------------------------------------------------------------- park.c, bell.c */

int rqh_block(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
	      bool interruptible);
void rqh_wake(void *ctx, struct rqpi_task *task);
uint64_t rqh_now(void *ctx, int clock);

/*
 * Sleep on the bell until it rings, @deadline, or a signal handler has to run (if @interruptible;
 * nothing has run yet). 0 (or no reason at all), -ETIMEDOUT, -EINTR; -ENOSYS: no bell to be had.
 */
int rqh_bell_sleep(struct rqh_host *h, struct rqh_thread *t, const struct rqpi_deadline *deadline,
		   bool interruptible);
int rqh_bell_prepare(struct rqh_host *h, struct rqh_thread *t);
void rqh_bell_ring(struct rqh_host *h, struct rqh_thread *t);
void rqh_bell_close(struct rqh_host *h, struct rqh_thread *t);
/* A child: close what it has inherited of its parent's. */
void rqh_bell_forget_parents(struct rqh_host *h);

/* ---------------------------------------------------------------- signals.c */

uint64_t rqh_signals_block(void);
void rqh_signals_restore(uint64_t mask);
/* Some of the signals that @t holds back are there. Must a handler run? */
bool rqh_signals_settle(struct rqh_thread *t);
/* Without knowing which one ran: would all handlers restart a system call? */
bool rqh_signals_all_restart(void);

/* ---------------------------------------------------------------- thread.c, reap.c */

/* The caller's record, made if there is none. NULL: the table is full. */
struct rqh_thread *rqh_self(struct rqh_host *h);
/* The record of a thread that is known, with a reference to its task; NULL. */
struct rqh_thread *rqh_ref_known(struct rqh_host *h, uint32_t tid);
/*
 * Do @act for a thread that is not known, and cannot become known meanwhile: a new record takes
 * what the kernel has as the thread's own. False: it is known by now.
 */
bool rqh_if_unknown(struct rqh_host *h, uint32_t tid,
		    long (*act)(uint32_t tid, const struct rqh_sched *sched),
		    const struct rqh_sched *sched, long *ret);
/* The same without a reference. */
struct rqh_thread *rqh_lookup(struct rqh_host *h, uint32_t tid);
struct rqpi_task *rqh_find_task(void *ctx, struct rqpi_task *self, uint32_t tid);
void rqh_release(void *ctx, struct rqpi_task *task, struct rqpi_pi_state *state);
/* The caller ends, as far as the engine is concerned. */
void rqh_leave(struct rqh_host *h, struct rqh_thread *t);
/*
 * The caller, @frame on its stack, is in an operation that it has not returned from: it was
 * cancelled in its sleep, and the operation is given up. Else a handler has called, which is a
 * panic.
 */
void rqh_recover(struct rqh_thread *t, uintptr_t frame);
/* The same if the caller is known to the engine at all. Signals are blocked meanwhile. */
void rqh_leave_if_known(void);
/* Look at @count records, and bury those whose thread died without a word. */
void rqh_reap(struct rqh_host *h, uint32_t count);
/* No raw lock. The thread of this record, which is retired, is dead: tell the engine. */
bool rqh_can_bury(const struct rqh_thread *t);
void rqh_bury(struct rqh_thread *t);
/* table_lock: take the record out of the table; it is freed once the engine has released it. */
void rqh_retire(struct rqh_host *h, struct rqh_thread *t);

/* identity.c. False: no such thread, or it is dead. */
bool rqh_identify(uint32_t tid, struct rqh_identity *who);
bool rqh_same(const struct rqh_identity *a, const struct rqh_identity *b);
/*
 * Does the thread of this record still live? One of this process that has called us tells when it
 * ends, unless it ends in a way of its own: there only its number is looked at, which is quick.
 */
bool rqh_lives(const struct rqh_thread *t);
/* The signals pending for the caller alone, not for its process. False: /proc does not say. */
bool rqh_pending_alone(uint64_t *set);
/* The name of a thread, "<...>" if it has gone. */
void rqh_name_of(uint32_t tid, char *name, size_t bytes);

/* ---------------------------------------------------------------- prio.c */

long rqh_sched_read(uint32_t tid, struct rqh_sched *sched);
struct rqpi_prio rqh_prio_of(const struct rqh_sched *sched);
void rqh_set_prio(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff);
/*
 * A thread's own scheduling, beneath what it inherits; of a thread that the engine does not know,
 * what the kernel has. @tid 0: the caller. 0 or a negative errno value.
 */
long rqh_set_own(uint32_t tid, const struct rqh_sched *own);
long rqh_get_own(uint32_t tid, struct rqh_sched *own);
/* A DEADLINE thread begins a new call: its deadline has moved. */
void rqh_refresh_deadline(struct rqh_thread *t);

/* ---------------------------------------------------------------- tell.c */

#define RQH_SAID_BROKEN	 0x1u
#define RQH_SAID_REFUSED 0x2u
#define RQH_SAID_FULL	 0x4u
#define RQH_TELL_REFUSED 0x10000u /* set by the preload: say it when a priority is refused */

/* One line on stderr, the first time for @bit. Async-signal-safe. */
void rqh_say_once(struct rqh_host *h, uint32_t bit, const char *text);
void rqh_trace(void *ctx, const struct rqpi_event *event);
void rqh_panic(void *ctx, const char *what, const char *file, int line);
/* The same for this folder's own assertions. */
#define rqh_assert(cond)                                                \
	do {                                                            \
		if (rqb_unlikely(!(cond)))                              \
			rqh_panic(rqh_host, #cond, __FILE__, __LINE__); \
	} while (0)

void rqh_add_counts(struct rqh_counts *sum, const struct rqh_counts *c);
void rqh_sum_counts(struct rqh_host *h, struct rqpi_host_stats *sum);

/* port.c. The engine need not even look where nobody listens. */
extern const struct rqpi_port rqh_port;
extern const struct rqpi_port rqh_port_tracing;

#endif /* RQH_H */
