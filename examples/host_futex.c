/* SPDX-License-Identifier: MIT */
/*
 * host_futex.c - a mutex and a condition variable on rqpi_futex(): the engine instead of the
 * kernel's futex, under ordinary threads.
 *
 *	cc host_futex.c $(pkg-config --cflags --libs rqpi-engine) -o host_futex && ./host_futex
 *
 * What stands between the two lines is all of it, with priority inheritance and a broadcast that
 * wakes one. With syscall(SYS_futex, ...) in the place of rqpi_futex() it is the same on Linux.
 * Real programs take librqpi (rqpi/rqpi.h), which also knows robust and process-shared mutexes,
 * time, cancellation and fork.
 *
 * Exit status 0: all threads took their turns. 1: not so. 2: no thread could be made.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rqpi/host.h>

/* ------------------------------------------------------------------------------------ */

struct mutex {
	uint32_t word; /* 0, or the owner's TID and the engine's bits */
};

struct cond {
	uint32_t seq; /* stepped by each broadcast */
};

static uint32_t my_tid(void)
{
	static __thread uint32_t tid;

	if (!tid)
		tid = (uint32_t)gettid();
	return tid;
}

static bool swap(uint32_t *word, uint32_t old, uint32_t new)
{
	return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static long futex(uint32_t *uaddr, int op, uint32_t val, const void *val2, uint32_t *uaddr2,
		  uint32_t val3)
{
	return rqpi_futex(uaddr, op | RQPI_FUTEX_PRIVATE, val, val2, uaddr2, val3);
}

/* 0, or what the engine says: -EDEADLK if it would close a cycle. */
static long mutex_lock(struct mutex *m)
{
	if (swap(&m->word, 0, my_tid()))
		return 0;
	return futex(&m->word, RQPI_FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static long mutex_unlock(struct mutex *m)
{
	if (swap(&m->word, my_tid(), 0))
		return 0;
	return futex(&m->word, RQPI_FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

/* With @m held. It is held again on return, also if nobody has signalled: look, and come again. */
static long cond_wait(struct cond *c, struct mutex *m)
{
	uint32_t ticket = __atomic_load_n(&c->seq, __ATOMIC_SEQ_CST);
	long ret = mutex_unlock(m);

	if (ret)
		return ret;
	ret = futex(&c->seq, RQPI_FUTEX_WAIT_REQUEUE_PI, ticket, NULL, &m->word, 0);
	return ret ? mutex_lock(m) : 0;
}

/* One thread gets @m, if it is free; all others wait for it from now on, asleep as they are. */
static long cond_broadcast(struct cond *c, struct mutex *m)
{
	const void *all = (const void *)(intptr_t)INT_MAX;
	uint32_t seq;
	long ret;

	__atomic_add_fetch(&c->seq, 1, __ATOMIC_SEQ_CST);
	do {
		seq = __atomic_load_n(&c->seq, __ATOMIC_SEQ_CST);
		ret = futex(&c->seq, RQPI_FUTEX_CMP_REQUEUE_PI, 1, all, &m->word, seq);
	} while (ret == -RQPI_EAGAIN); /* another broadcast came between */
	return ret;
}

/* ------------------------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 500 };

static struct mutex lock;
static struct cond changed;
static int turn; /* whose it is; guarded by lock, as the rest is */
static int taken;

static void need(long ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "host_futex: %s: %s\n", what, rqpi_error_name(ret));
	exit(1);
}

/* In turns: each waits for its own, and passes it on. */
static void *take_turns(void *arg)
{
	const int me = (int)(intptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		need(mutex_lock(&lock), "lock");
		while (turn != me)
			need(cond_wait(&changed, &lock), "wait");
		turn = (turn + 1) % THREADS;
		taken++;
		need(cond_broadcast(&changed, &lock), "broadcast");
		need(mutex_unlock(&lock), "unlock");
	}
	return NULL;
}

int main(void)
{
	struct rqpi_host_stats stats = {.size = sizeof(stats)};
	pthread_t threads[THREADS];

	alarm(60); /* an example must not hang a test run */
	for (intptr_t i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, take_turns, (void *)i)) {
			fprintf(stderr, "host_futex: cannot make a thread\n");
			return 2;
		}
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (rqpi_get_host_stats(&stats) == 0)
		printf("host_futex: %llu calls, %llu sleeps, %llu wakes\n",
		       (unsigned long long)stats.calls, (unsigned long long)stats.sleeps,
		       (unsigned long long)stats.wakes);
	printf("host_futex: %d turns of %d\n", taken, THREADS * ROUNDS);
	return taken == THREADS * ROUNDS ? 0 : 1;
}
