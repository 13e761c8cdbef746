/* SPDX-License-Identifier: MIT */
/*
 * user.h - THE header of the user half: layouts, who may touch what and when, and the invariants.
 *
 * Words. A *waiter* is a thread inside cond_wait; it is *released* when a signal or broadcast has
 * chosen it; it is *in the window* between its unlock and its sleep in the kernel.
 *
 * Where the waiters of a private condvar sleep: not in the condvar, but on the sequence word of a
 * wait channel (channel.c), memory that belongs to the library, is never unmapped, and is lent to a
 * condvar while threads are inside. POSIX lets a program destroy and free the condvar right after a
 * broadcast, even with the mutex held, when released waiters cannot run yet. Hence:
 *
 *  U-I1  After a waiter has unlocked the mutex, neither it nor the kernel on its behalf touches the
 *        condvar.
 *  U-I2  Whoever touches a channel beyond its `refs` and `ref` fields holds a pin (a count in
 *        `refs`). The last one to drop a pin puts the channel on the free list. So destroy has
 *        nothing to wait for.
 *  U-I3  A signaller reads the condvar once, before anybody can be released by it.
 *  U-I4  `seq` is stepped by every signal and broadcast before it goes to the kernel, and when a
 *        channel changes hands. A waiter reads it (its ticket) while it holds the mutex. So: the
 *        kernel's EAGAIN, or a ticket that is no longer `seq`, means that a signal came after this
 *        thread began to wait.
 *  U-I5  A waiter whose wait was ended by time or cancellation counts as released iff its ticket is
 *        stale: it then returns 0, or passes the signal on. A signal is never lost; it can release
 *        a second thread, which POSIX allows.
 *
 *	waiter W			signaller S
 *	pin channel, t = seq
 *	unlock mutex
 *					seq = t + 1
 *					CMP_REQUEUE_PI(seq, t + 1): W is not asleep, 0 moved
 *	WAIT_REQUEUE_PI(seq, t)
 *	  -> EAGAIN: released
 *
 * A process-shared condvar cannot have its waiters sleep in one process's memory: see pshared.c.
 *
 * There is no lock in here. The channel free list is a lock-free stack. Every wait for another
 * thread is a wait for the owner of a PI mutex, in the kernel, with inheritance.
 */
#ifndef RQU_USER_H
#define RQU_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/assert.h"
#include "src/base/atomic.h"
#include "src/base/probe.h"
#include "src/base/word.h"
#include "src/sys/sys.h"
#include <rqpi/base.h>
#include <rqpi/cond.h>
#include <rqpi/mutex.h>

/* ---- the calling thread (tid.c) ---- */

struct rqu_self {
	uint32_t tid; /* cached gettid(); 0: not asked yet, or this is a forked child */
	bool forked;  /* this thread called the fork that made this process */
	struct rqu_robust_head *robust; /* libc's robust list of this thread, once asked for */
};

extern __thread struct rqu_self rqu_this;
#ifndef RQU_THIS /* the checker's threads are none of libc's */
#define RQU_THIS rqu_this
#endif

uint32_t rqu_tid_slow(void);

static inline uint32_t rqu_tid(void)
{
	uint32_t tid = RQU_THIS.tid;

	return rqb_likely(tid) ? tid : rqu_tid_slow();
}

/* Was @tid this very thread, before a fork that made this process or one of its ancestors? */
bool rqu_tid_is_prefork(uint32_t tid);

/* ---- mutex (mutex.c, robust.c) ---- */

#define RQU_MUTEX_TYPE	 0x3u /* RQPI_MUTEX_NORMAL, _RECURSIVE, _ERRORCHECK */
#define RQU_MUTEX_ROBUST 0x4u
#define RQU_MUTEX_SHARED RQPI_MUTEX_SHARED_

/* rqu_mutex.state, robust mutexes only. Guarded by the mutex itself. */
enum rqu_robust_state {
	RQU_CONSISTENT,
	RQU_INCONSISTENT,   /* EOWNERDEAD was reported, rqpi_mutex_consistent() not called yet */
	RQU_NOTRECOVERABLE, /* unlocked while inconsistent: nobody gets it any more */
};

/*
 * may_alias: what a caller declares is the public union, and both are used in this library.
 *
 * `prev` and `next` are a node of the owner's robust list, which belongs to the C library: they lie
 * where its own mutexes have theirs, `next` RQU_ROBUST_OFFSET after the word, `prev` right before
 * `next`.
 */
struct __attribute__((may_alias)) rqu_mutex {
	uint32_t word;	/* the futex word, see word.h */
	uint32_t kind;	/* RQU_MUTEX_*; constant after init */
	uint32_t count; /* recursive: times locked beyond the first; guarded by the mutex */
	uint32_t state; /* enum rqu_robust_state */
#if __SIZEOF_POINTER__ == 8
	uint32_t spins; /* how often a thread that got it by looking had to look, see spin.c */
	uint32_t unused;
#endif
	void *prev;
	void *next;
};

#define RQU_ROBUST_OFFSET \
	((long)offsetof(struct rqu_mutex, word) - (long)offsetof(struct rqu_mutex, next))

RQB_BUILD(sizeof(struct rqu_mutex) <= sizeof(rqpi_mutex_t), "the mutex fits its public type");
RQB_BUILD(offsetof(struct rqu_mutex, word) == 0,
	  "the probes know a mutex by the address of its word");
RQB_BUILD(sizeof(rqpi_mutex_t) <= 40, "no larger than glibc's pthread_mutex_t");
RQB_BUILD(_Alignof(struct rqu_mutex) <= _Alignof(rqpi_mutex_t),
	  "the public type is aligned enough");
RQB_BUILD(offsetof(struct rqu_mutex, next) - offsetof(struct rqu_mutex, prev) == sizeof(void *),
	  "libc writes a neighbour's prev through next - 1");

static inline struct rqu_mutex *rqu_mutex_of(rqpi_mutex_t *mutex)
{
	return (struct rqu_mutex *)(void *)mutex;
}

/* Positive errno for the public interface, from what the waist returned. */
int rqu_to_errno(int ret);

/*
 * Does the calling thread own @m? In a forked child the copy of a mutex held across the fork is its
 * own.
 */
bool rqu_mutex_owned(struct rqu_mutex *m);

/* robust.c: the same as the plain operations, with the list kept. @m is robust. */
int rqu_robust_lock(struct rqu_mutex *m, bool try, const struct rqu_deadline *dl);
int rqu_robust_unlock(struct rqu_mutex *m);
/*
 * For a wait: give rqu_lock.mutex up but stay announced (list_op_pending), for the kernel may give
 * it back any time.
 */
extern const struct rqu_lock_way rqu_robust_way;
bool rqu_robust_supported(void);
/* The calling thread's list, NULL if libc has none that we can share. */
struct rqu_robust_head *rqu_robust_list(void);

/* mutex.c, for robust.c: lock the bare word, or give it up. */
int rqu_word_lock(uint32_t *word, bool shared, const struct rqu_deadline *dl);
int rqu_word_trylock(uint32_t *word, bool shared);
int rqu_word_unlock(uint32_t *word, bool shared);
/*
 * spin.c: as rqu_word_lock(), but who has no real-time policy looks for a bounded while first.
 * @usual: how often that took before, for this mutex; NULL: not kept.
 */
int rqu_word_lock_spinning(uint32_t *word, bool shared, const struct rqu_deadline *dl,
			   uint32_t *usual);

/* ---- time (timeout.c) ---- */

/* Fill @dl. 0, or EINVAL: another clock, or tv_nsec out of range. */
int rqu_deadline_set(struct rqu_deadline *dl, clockid_t clock, const struct timespec *abstime);
/* Will @dl have been reached @ms milliseconds from now? 0: is it past? */
bool rqu_deadline_within(const struct rqu_deadline *dl, long ms);
/* @ms milliseconds from now, on CLOCK_MONOTONIC. */
struct rqu_deadline rqu_deadline_in(long ms);

/* ---- waiting (wait.c) ---- */

/*
 * The mutex of a wait, whatever type it is: ours (cond.c) or libc's (the shim). Data and no
 * callbacks, for the way from the kernel's wakeup to the caller is what the wait is measured by.
 */
struct rqu_lock {
	uint32_t *word;
	bool shared;
	bool plain;	 /* this wait is to sleep without requeue_pi, and to lock afterwards */
	uint32_t *count; /* a recursive mutex counts there; guarded by the mutex */
	uint32_t *owner; /* libc's mutex names its owner there as well; NULL: ours does not */
	const struct rqu_lock_way *way; /* NULL: the bare word */
	void *mutex;			/* for the functions of @way, and for the probes */
	uint32_t depth;			/* what *count was, during the wait */
	RQB_PROBED(const void *cond;)	/* where the program has its condvar; never followed */
};

/* How a mutex that is more than its word is given up for a wait, and owned again after it. */
struct rqu_lock_way {
	/* 0 or a positive errno: still owned. */
	int (*release)(struct rqu_lock *lock);
	/* @granted: the kernel gave it back; else lock it now. 0, EOWNERDEAD, or not owned. */
	int (*reacquire)(struct rqu_lock *lock, bool granted);
};

/* Give it up, whatever its depth. 0 or a positive errno: still owned. */
int rqu_lock_release(struct rqu_lock *lock);
/*
 * Own it again, as before. @granted: the kernel has stored our TID already. 0, EOWNERDEAD, or not
 * owned.
 */
int rqu_lock_reacquire(struct rqu_lock *lock, bool granted);

/* Where waiters sleep, as seen from this process. Private: in a channel; shared: in the condvar. */
struct rqu_queue {
	uint32_t *seq;	/* the futex word they sleep on */
	uint32_t *word; /* the mutex's, where they are requeued to */
	bool shared;
};

/* How a wait differs between private and process-shared condvars. */
struct rqu_wait {
	struct rqu_queue q;
	uint32_t ticket; /* q.seq when the wait began */
	struct rqu_lock *lock;
	bool plain;    /* without requeue_pi: sleep in FUTEX_WAIT, lock afterwards */
	long slice_ms; /* look at seq at least this often; 0: no need */
	bool (*released)(struct rqu_wait *w); /* is the ticket stale? */
	void (*forward)(struct rqu_wait *w);  /* pass the signal on */
	struct rqu_chan *chan;		      /* private: pinned until the wait ends; else NULL */
};

/*
 * Release the lock, sleep, own it again. @w is filled in, ticket read, the caller counted in.
 * Unpins the channel. Returns what the wait returns.
 */
int rqu_wait_and_relock(struct rqu_wait *w, const struct rqu_deadline *dl);

/*
 * Step @q's sequence and release one waiter (@nr_requeue 0) or all (INT_MAX). Returns how many the
 * kernel took off the queue, or a negative errno. @seq_out: what this call stepped the sequence to.
 */
int rqu_release(const struct rqu_queue *q, int nr_requeue, bool plain, uint32_t *seq_out);

/* Has this kernel, as far as we know, the requeue operations? */
bool rqu_can_requeue(void);

/* ---- private condvars: channels (channel.c) ---- */

/*
 * @ref is the one word of a condvar that names its channel: 0, or RQU_REF_TAG | index. It may be
 * stale: the channel itself says whether it still belongs to this @ref.
 */
#define RQU_REF_TAG    0x80000000u
#define RQU_REF_SHARED RQPI_COND_SHARED_ /* no name: the condvar is process-shared */

int rqu_private_wait(uint32_t *ref, struct rqu_lock *lock, const struct rqu_deadline *dl);
/* 0 or a positive errno. @nr_requeue 0: signal, INT_MAX: broadcast. */
int rqu_private_release(uint32_t *ref, int nr_requeue);
/* Is any thread inside a wait on the condvar of @ref? What tests ask. */
bool rqu_private_busy(uint32_t *ref);

/* ---- process-shared condvars (pshared.c) and the type (cond.c) ---- */

#define RQU_COND_SHARED	   0x1u
#define RQU_COND_PLAIN	   0x2u /* shared: requeueing was refused once; set for good */
#define RQU_COND_MONOTONIC RQPI_COND_MONOTONIC_

struct __attribute__((may_alias)) rqu_cond {
	uint32_t kind; /* RQU_COND_PLAIN, RQU_COND_MONOTONIC */
	uint32_t ref;  /* the name of a channel, or RQU_REF_SHARED; 0: nobody ever waited here */
	/* Process-shared only, see pshared.c. */
	uint32_t seq;
	uint32_t unused;
	uint64_t joined;
	uint64_t served;
	uint64_t distance;
};

RQB_BUILD(sizeof(struct rqu_cond) <= sizeof(rqpi_cond_t), "the condvar fits its public type");
RQB_BUILD(sizeof(rqpi_cond_t) <= 48, "no larger than glibc's pthread_cond_t");
RQB_BUILD(_Alignof(struct rqu_cond) <= _Alignof(rqpi_cond_t), "the public type is aligned enough");

void rqu_shared_init(struct rqu_cond *c);
int rqu_shared_wait(struct rqu_cond *c, struct rqu_lock *lock, const struct rqu_deadline *dl);
int rqu_shared_release(struct rqu_cond *c, int nr_requeue);
/* Of a wait whose sequence lies in shared memory, here and in the shim: rqu_wait's functions. */
bool rqu_shared_released(struct rqu_wait *w);
void rqu_shared_forward(struct rqu_wait *w);
/* A first value for a sequence at @place, unlike that of any other life of the memory there. */
uint32_t rqu_shared_start(const void *place);

/* ---- probes (docs/probes.md) ---- */

/* A signal or broadcast is done: @answer is the kernel's, how many it took off the queue. */
#define RQU_PROBE_RELEASED(cond, broadcast, answer)                    \
	do {                                                           \
		if (broadcast)                                         \
			RQB_PROBE2(cond__broadcast, (cond), (answer)); \
		else                                                   \
			RQB_PROBE2(cond__signal, (cond), (answer));    \
	} while (0)

/* ---- counters (info.c) ---- */

extern struct rqpi_cond_stats rqu_stats;

#endif /* RQU_USER_H */
