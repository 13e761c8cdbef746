/* SPDX-License-Identifier: MIT */
/*
 * sys.h - the waist: the eight futex calls that the user half makes, and what else it asks of the
 * system.
 *
 * The user half (src/user, src/shim) calls nothing of the operating system but this, so that the
 * same code runs on Linux (sys_linux.c), on the engine, and in the checker. Everything returns >= 0
 * or a negative errno value; errno itself is never changed.
 *
 * Policy towards the kernel's answers, in one place:
 *   EINTR     WAIT only; the wait is over as far as this layer is concerned, the caller looks at
 *             its condition again. LOCK_PI and WAIT_REQUEUE_PI never give it: the kernel restarts
 *             them.
 *   EAGAIN    WAIT, WAIT_REQUEUE_PI, CMP_REQUEUE_PI: the word had changed; passed on, the caller
 *             decides. UNLOCK_PI: the word changed under the kernel; retried here, as the lock is
 *             still held.
 *   ETIMEDOUT passed on. With LOCK_PI in place of a missing LOCK_PI2 the deadline has been
 *   converted to
 *             CLOCK_REALTIME, which may be set meanwhile: retried here until the real clock agrees.
 *   ENOSYS    (or EPERM, EACCES from a sandbox, on an operation that cannot give it): the
 *             capability is struck from rqu_sys_caps() and -ENOSYS is returned.
 *   ESRCH     the owner named in the word is dead; EDEADLK: a cycle; EINVAL, EPERM: word and kernel
 *             disagree; EFAULT: no such memory. Passed on.
 *   ENOMEM    the kernel had no memory for its side of a PI lock; retried a bounded number of times
 *             with a pause in between (it is transient by nature), then passed on.
 */
#ifndef RQU_SYS_H
#define RQU_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * An absolute point in time. @clock is CLOCK_REALTIME or CLOCK_MONOTONIC, @at is normalised, >= 0.
 */
struct rqu_deadline {
	clockid_t clock;
	struct timespec at;
};

/*
 * @shared, everywhere: the words may be mapped by other processes (futex without
 * FUTEX_PRIVATE_FLAG). One flag holds for both words of a requeue. @dl NULL: for ever.
 */

/* Sleep while *@word == @val. 0 woken (or for no reason), -EAGAIN, -EINTR, -ETIMEDOUT, -EFAULT. */
int rqu_sys_wait(uint32_t *word, uint32_t val, bool shared, const struct rqu_deadline *dl);

/* Wake up to @nr (>= 1) threads in rqu_sys_wait() on @word, most urgent first. Returns how many. */
int rqu_sys_wake(uint32_t *word, int nr, bool shared);

/*
 * 0: the caller owns @word. -ETIMEDOUT, -EDEADLK, -ESRCH, -EPERM, -EINVAL, -EFAULT, -ENOSYS,
 * -ENOMEM.
 */
int rqu_sys_lock_pi(uint32_t *word, bool shared, const struct rqu_deadline *dl);

/* 0, or -EBUSY if somebody has it, or as rqu_sys_lock_pi(). */
int rqu_sys_trylock_pi(uint32_t *word, bool shared);

/* 0: given to the most urgent waiter or free. -EPERM not the owner, -EINVAL, -EFAULT, -ENOSYS. */
int rqu_sys_unlock_pi(uint32_t *word, bool shared);

/*
 * Sleep while *@from == @val until rqu_sys_cmp_requeue_pi() moves us to @to and we own it.
 * 0: owned. Anything else: @to is not owned. -EAGAIN: *@from differed, or a signal handler ran
 * after we had been moved. -ETIMEDOUT: before or after the move, the kernel does not say.
 */
int rqu_sys_wait_requeue_pi(uint32_t *from, uint32_t val, uint32_t *to, bool shared,
			    const struct rqu_deadline *dl);

/*
 * If *@from == @val: give @to to the most urgent thread asleep on @from if it is free, and move it
 * and up to
 * @nr_requeue more onto @to's queue. Returns how many were taken off @from. -EAGAIN: *@from !=
 * @val, nothing happened. Other errors as rqu_sys_lock_pi(), possibly after some were moved.
 */
int rqu_sys_cmp_requeue_pi(uint32_t *from, uint32_t val, uint32_t *to, int nr_requeue, bool shared);

/*
 * Is *@word still @val, asked through the kernel, which survives memory that is no longer mapped?
 * 0 yes, -EAGAIN no, -EFAULT nothing there. (FUTEX_CMP_REQUEUE of nobody to nowhere: the one futex
 * call that compares and can neither sleep nor disturb a queue.)
 */
int rqu_sys_compare(uint32_t *word, uint32_t val, bool shared);

/*
 * Copy *@word to @val through the kernel. 0; -EFAULT: not mapped. Where a sandbox forbids it, a
 * plain load.
 */
int rqu_sys_read(uint32_t *word, uint32_t *val);

/* The calling thread's id, by a system call: see rqu_tid() for the cached one. */
uint32_t rqu_sys_gettid(void);

struct timespec rqu_sys_now(clockid_t clock);

/* Is the calling thread's own policy FIFO, RR or DEADLINE, as it is now? Where in doubt, yes. */
bool rqu_sys_realtime(void);

/* Let others of the calling thread's urgency run first. */
void rqu_sys_yield(void);

/* RQPI_CAP_* bits; probes once. */
unsigned int rqu_sys_caps(void);

/*
 * Is the futex in this process (the engine)? Its calls hold locks of this process, so a thread
 * must not be cancelled asynchronously in one. After rqu_sys_cancellable(true) the caller's
 * sleeps in it are cancellation points by themselves; a thread cancelled there calls
 * rqu_sys_abandon() before anything else, and is then out of the operation as if a signal had
 * ended it.
 */
bool rqu_sys_in_process(void);
void rqu_sys_cancellable(bool on);
void rqu_sys_abandon(void);

/*
 * The calling thread's robust list as the C library registered it with the kernel (robust_list_head
 * of set_robust_list(2)), or NULL if there is none or its futex_offset is not @offset.
 */
struct rqu_robust_head {
	void *list;	   /* first entry's `next` field; bit 0 set: that entry is a PI futex */
	long futex_offset; /* from an entry's `next` field to its futex word */
	void *pending;	   /* list_op_pending: an entry being put on or taken off */
};
struct rqu_robust_head *rqu_sys_robust_head(long offset);

/* Zeroed memory that is never given back, NULL if there is none. */
void *rqu_sys_map(unsigned long bytes);

#endif /* RQU_SYS_H */
