/* SPDX-License-Identifier: MIT */
/*
 * actor.c - see actor.h. Called by the tests of boosts.
 */
#define _GNU_SOURCE
#include "tests/host/actor.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct robust_head {
	void *first;
	long offset;
	void *pending;
};

/* ---------------------------------------------------------------- actors */

static long lock_for(uint32_t *word, int ms)
{
	struct timespec at = rqt_in_ms(CLOCK_REALTIME, ms);

	return rqpi_futex(word, RQPI_FUTEX_LOCK_PI | RQPI_FUTEX_PRIVATE, 0, &at, NULL, 0);
}

static long wait_requeue(struct rqt_actor *a)
{
	return rqpi_futex(a->seq, RQPI_FUTEX_WAIT_REQUEUE_PI | RQPI_FUTEX_PRIVATE, 0, NULL,
			  &a->lock->word, 0);
}

static void play(struct rqt_thread *t)
{
	/* It is read when the thread ends, with this frame gone. */
	static __thread struct robust_head head;
	struct rqt_actor *a = t->arg;

	head.first = &head;
	head.offset = (long)offsetof(struct rqt_pi_lock, word) -
		      (long)offsetof(struct rqt_pi_lock, link);
	for (;;) {
		while (sem_wait(&a->go) != 0)
			; /* a handler ran */
		switch (a->action) {
		case LOCK:
			a->result = rqt_lock_pi(&a->lock->word);
			break;
		case LOCK_FOR:
			a->result = lock_for(&a->lock->word, a->ms);
			break;
		case UNLOCK:
			a->result = rqt_unlock_pi(&a->lock->word);
			break;
		case WAIT:
			a->result = wait_requeue(a);
			break;
		case BEQUEATH: /* the lock is on the robust list when the thread ends */
			head.first = (void *)((uintptr_t)&a->lock->link | 1);
			a->lock->link = &head;
			a->result = rqpi_futex_set_robust_list(&head, sizeof(head));
			break;
		case END:
			return; /* and whoever started this joins */
		}
		sem_post(&a->did);
	}
}

void rqt_actor_begin(struct rqt_actor *a, int own)
{
	*a = (struct rqt_actor){.own = own};
	sem_init(&a->go, 0, 0);
	sem_init(&a->did, 0, 0);
	a->thread.body = play;
	a->thread.arg = a;
	rqt_start(&a->thread, own);
}

void rqt_tell(struct rqt_actor *a, enum rqt_action action, struct rqt_pi_lock *lock)
{
	a->action = action;
	a->lock = lock;
	sem_post(&a->go);
}

/* The result of what it was told last; fails if there is none soon. */
long rqt_result_of(struct rqt_actor *a)
{
	struct timespec until = rqt_in_ms(CLOCK_REALTIME, RQT_SOON_MS);

	while (sem_timedwait(&a->did, &until) != 0)
		assert_int_equal(errno, EINTR);
	return a->result;
}

void rqt_does(struct rqt_actor *a, enum rqt_action action, struct rqt_pi_lock *lock)
{
	rqt_tell(a, action, lock);
	assert_int_equal(rqt_result_of(a), 0);
}

void rqt_blocks_on(struct rqt_actor *a, struct rqt_pi_lock *lock)
{
	rqt_tell(a, LOCK, lock);
	rqt_wait_blocked(&a->thread);
}

void rqt_actor_end(struct rqt_actor *a)
{
	rqt_tell(a, END, NULL);
	rqt_join(&a->thread);
}

pid_t rqt_actor_tid(struct rqt_actor *a)
{
	return atomic_load(&a->thread.tid);
}

/* ---------------------------------------------------------------- what the kernel says */

/* proc(5), field 18: FIFO 1 to 99 is -2 to -100, nice 0 is 20. */
static long kernel_has(int fifo)
{
	return fifo ? -1L - fifo : 20;
}

/* @fifo: FIFO priority, or OTHER. At once: a boost is applied before the waiter sleeps. */
void rqt_runs_as_line(struct rqt_actor *a, int fifo, int line)
{
	long found = rqt_kernel_prio(rqt_actor_tid(a));
	int policy = rqt_kernel_policy(rqt_actor_tid(a));
	int wanted = fifo ? SCHED_FIFO : SCHED_OTHER;

	if (found == kernel_has(fifo) && policy == wanted)
		return;
	print_message("# line %d: thread %d: the kernel has %ld (policy %d), not %ld\n", line,
		      (int)rqt_actor_tid(a), found, policy, kernel_has(fifo));
	assert_int_equal(found, kernel_has(fifo));
	assert_int_equal(policy, wanted);
}

void rqt_waits_on(struct rqt_actor *a, uint32_t *seq, struct rqt_pi_lock *lock)
{
	a->seq = seq;
	rqt_tell(a, WAIT, lock);
	rqt_wait_blocked(&a->thread);
}

long rqt_broadcast(uint32_t *seq, struct rqt_pi_lock *lock)
{
	return rqpi_futex(seq, RQPI_FUTEX_CMP_REQUEUE_PI | RQPI_FUTEX_PRIVATE, 1,
			  (const struct timespec *)(long)INT_MAX, &lock->word, 0);
}

void rqt_set_own(struct rqt_actor *a, int fifo)
{
	assert_int_equal(
	    rqpi_futex_setscheduler(rqt_actor_tid(a), fifo ? SCHED_FIFO : SCHED_OTHER, fifo), 0);
	a->own = fifo;
}
