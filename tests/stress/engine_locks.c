/* SPDX-License-Identifier: MIT */
/*
 * engine_locks.c - see engine_stress.h: a mutex and a condvar of bare rqpi_futex() calls. After
 * every single call the thread that made it checks all invariants of the engine, its own idleness
 * included, and what the call's result says about the word.
 */
#define _GNU_SOURCE
#include "tests/stress/engine_stress.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/host.h>
#include "src/host/rqh.h"

static __thread uint32_t own_tid;

static uint32_t my_tid(void)
{
	if (!own_tid)
		own_tid = (uint32_t)gettid();
	return own_tid;
}

static void print_broken(void *arg, const char *line)
{
	(void)arg;
	printf("%s\n", line);
}

/* With signals held back: a handler may call the engine, and the check holds its locks. */
static void check_engine(int op)
{
	sigset_t all, before;
	unsigned int broken;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	broken = rqpi_engine_check(rqpi_host_engine(), rqh_task(rqh_self(rqh_enter())),
				   print_broken, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	atomic_fetch_add_explicit(&es_totals.checks, 1, memory_order_relaxed);
	if (broken)
		es_fail("%u invariants broken after %s by thread %u", broken,
			rqpi_futex_op_name(op), my_tid());
}

static long call(uint32_t *uaddr, int op, uint32_t val, const struct timespec *timeout,
		 uint32_t *uaddr2, uint32_t val3)
{
	long ret = rqpi_futex(uaddr, op | FUTEX_PRIVATE_FLAG, val, timeout, uaddr2, val3);

	atomic_fetch_add_explicit(&es_totals.calls, 1, memory_order_relaxed);
	if (atomic_load_explicit(&es_failing, memory_order_relaxed))
		es_stand_still();
	check_engine(op);
	return ret;
}

static struct timespec in_us(int clock, unsigned int us)
{
	int64_t at = es_now_ns(clock) + (int64_t)us * 1000;

	return (struct timespec){at / 1000000000, (long)(at % 1000000000)};
}

/* ---------------------------------------------------------------- the mutex */

/* The word says that the caller has it. Is that so? */
static void enter(struct es_mutex *m, int me, const char *way)
{
	uint32_t word = __atomic_load_n(&m->word, __ATOMIC_ACQUIRE);
	int before;

	if ((word & FUTEX_TID_MASK) != my_tid())
		es_fail("%s gave the mutex to %u, but its word is %08x", way, my_tid(), word);
	if (word & FUTEX_OWNER_DIED) {
		if (m->recovered == m->deaths)
			es_fail("%s: OWNER_DIED, but no owner has died", way);
		m->recovered++;
		atomic_store(&m->inside, 0);
		__atomic_fetch_and(&m->word, ~(uint32_t)FUTEX_OWNER_DIED, __ATOMIC_RELAXED);
	}
	before = atomic_exchange(&m->inside, me);
	if (before)
		es_fail("%s: thread %d has the mutex, and so has %d", way, me, before);
	atomic_fetch_add_explicit(&m->entered, 1, memory_order_relaxed);
	m->counted++;
}

static void leave(struct es_mutex *m, int me)
{
	int before = atomic_exchange(&m->inside, 0);

	if (before != me)
		es_fail("thread %d unlocks, but %d is inside", me, before);
}

bool es_lock(struct es_mutex *m, int me, enum es_how how, unsigned int us)
{
	static const int ops[] = {
	    [ES_FOR_EVER] = FUTEX_LOCK_PI,
	    [ES_REALTIME] = FUTEX_LOCK_PI,
	    [ES_MONOTONIC] = FUTEX_LOCK_PI2,
	    [ES_TRY] = FUTEX_TRYLOCK_PI,
	};
	struct timespec at = in_us(how == ES_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, us);
	bool timed = how == ES_REALTIME || how == ES_MONOTONIC;
	uint32_t none = 0;
	long ret;

	if (__atomic_compare_exchange_n(&m->word, &none, my_tid(), false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED)) {
		enter(m, me, "the compare-exchange");
		return true;
	}
	ret = call(&m->word, ops[how], 0, timed ? &at : NULL, NULL, 0);
	if (!ret) {
		enter(m, me, rqpi_futex_op_name(ops[how]));
		return true;
	}
	if (ret == -ETIMEDOUT && timed)
		atomic_fetch_add_explicit(&es_totals.timeouts, 1, memory_order_relaxed);
	else if (ret != -EAGAIN || how != ES_TRY)
		es_fail("%s: %s, word %08x", rqpi_futex_op_name(ops[how]), rqpi_error_name(ret),
			m->word);
	return false;
}

void es_unlock(struct es_mutex *m, int me)
{
	uint32_t own = my_tid();
	long ret;

	leave(m, me);
	if (__atomic_compare_exchange_n(&m->word, &own, 0, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return;
	ret = call(&m->word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	if (ret)
		es_fail("FUTEX_UNLOCK_PI: %s, word %08x", rqpi_error_name(ret), m->word);
}

struct robust_head {
	void *first;
	long offset;
	void *pending;
};

void es_bequeath(struct es_mutex *m)
{
	static __thread struct robust_head head;
	long ret;

	head.offset = (long)offsetof(struct es_mutex, word) - (long)offsetof(struct es_mutex, link);
	/* The lowest bit of a link says that its word is a PI futex. */
	head.first = (void *)((uintptr_t)&m->link | 1);
	m->link = &head;
	m->deaths++;
	ret = rqpi_futex_set_robust_list(&head, sizeof(head));
	if (ret)
		es_fail("rqpi_futex_set_robust_list: %s", rqpi_error_name(ret));
	atomic_fetch_add(&es_totals.deaths, 1);
}

/* ---------------------------------------------------------------- the condvar */

bool es_wait(struct es_cond *c, int me, bool realtime, unsigned int us)
{
	struct timespec at = in_us(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, us);
	int op = FUTEX_WAIT_REQUEUE_PI | (realtime ? FUTEX_CLOCK_REALTIME : 0);
	uint32_t seq = atomic_load(&c->seq);
	long ret;

	atomic_fetch_add_explicit(&es_totals.waits, 1, memory_order_relaxed);
	c->waiting++;
	es_unlock(c->mutex, me);
	ret = call((uint32_t *)&c->seq, op, seq, us ? &at : NULL, &c->mutex->word, 0);
	if (!ret) {
		enter(c->mutex, me, "FUTEX_WAIT_REQUEUE_PI");
	} else if (ret == -EAGAIN || (ret == -ETIMEDOUT && us)) {
		/* EAGAIN: signalled on the way to sleep, or interrupted after it was requeued. */
		es_lock(c->mutex, me, ES_FOR_EVER, 0);
	} else {
		es_fail("FUTEX_WAIT_REQUEUE_PI: %s", rqpi_error_name(ret));
	}
	if (ret == -ETIMEDOUT)
		atomic_fetch_add_explicit(&es_totals.timeouts, 1, memory_order_relaxed);
	if (ret == -EAGAIN)
		atomic_fetch_add_explicit(&es_totals.interrupted, 1, memory_order_relaxed);
	c->waiting--;
	return ret != -ETIMEDOUT;
}

static void requeue(struct es_cond *c, long more)
{
	uint32_t seq = atomic_fetch_add(&c->seq, 1) + 1;
	long ret;

	for (;;) {
		ret = call((uint32_t *)&c->seq, FUTEX_CMP_REQUEUE_PI, 1,
			   (const struct timespec *)more, &c->mutex->word, seq);
		if (ret != -EAGAIN)
			break;
		seq = atomic_load(&c->seq); /* another signal, without the mutex, came between */
	}
	if (ret < 0)
		es_fail("FUTEX_CMP_REQUEUE_PI: %s, word %08x", rqpi_error_name(ret),
			c->mutex->word);
	if (!more && ret > 1)
		es_fail("FUTEX_CMP_REQUEUE_PI released %ld for one signal", ret);
}

void es_signal(struct es_cond *c)
{
	atomic_fetch_add_explicit(&es_totals.signals, 1, memory_order_relaxed);
	requeue(c, 0);
}

void es_broadcast(struct es_cond *c)
{
	atomic_fetch_add_explicit(&es_totals.broadcasts, 1, memory_order_relaxed);
	requeue(c, INT_MAX);
}
