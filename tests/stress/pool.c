/* SPDX-License-Identifier: MIT */
/*
 * pool.c - see stress.h: a bounded queue with two condvars, whose threads time out and are
 * interrupted as they please, and a thread that forks while it holds the queue's mutex.
 */
#define _GNU_SOURCE
#include "tests/stress/stress.h"

#include <signal.h>
#include <unistd.h>

#define PRODUCERS 2
#define CONSUMERS 3
#define PLACES	  4
#define STUCK_SEC 20

struct worker {
	struct rqt_thread thread;
	uint64_t random;
};

static struct {
	rqpi_mutex_t mutex;
	rqpi_cond_t not_full;
	rqpi_cond_t not_empty;
	unsigned long put; /* guarded by the mutex, as are the next two */
	unsigned long taken;
	unsigned long items[PLACES];
	_Atomic bool producers_over;
	_Atomic bool over;
	struct worker producers[PRODUCERS];
	struct worker consumers[CONSUMERS];
	struct worker forker;
	unsigned long last_seen;
	int64_t last_moved;
} pool;

static void must(int err, const char *what)
{
	if (err != 0)
		stress_fail("pool: %s: %s", what, rqpi_strerror(err));
}

/* A wait of some kind: for ever, or until some microseconds from now. */
static void wait_somehow(struct worker *w, rqpi_cond_t *c)
{
	clockid_t clock = stress_random(&w->random, 2) ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	struct timespec ts = rqt_in_ms(clock, (long)stress_random(&w->random, 3));
	int err;

	if (stress_random(&w->random, 4))
		err = rqpi_cond_wait(c, &pool.mutex);
	else
		err = rqpi_cond_clockwait(c, &pool.mutex, clock, &ts);
	if (err == ETIMEDOUT)
		atomic_fetch_add(&totals.timeouts, 1);
	else
		must(err, "wait");
	atomic_fetch_add(&totals.waits, 1);
}

static void tell(struct worker *w, rqpi_cond_t *c)
{
	bool held = stress_random(&w->random, 2) != 0;

	if (held)
		must(rqpi_cond_signal(c), "signal");
	must(rqpi_mutex_unlock(&pool.mutex), "unlock");
	if (!held)
		must(rqpi_cond_signal(c), "signal without the mutex");
	atomic_fetch_add(&totals.signals, 1);
}

static void produce(struct rqt_thread *t)
{
	struct worker *w = t->arg;

	while (!atomic_load(&pool.producers_over)) {
		must(rqpi_mutex_lock(&pool.mutex), "lock");
		while (pool.put - pool.taken == PLACES)
			wait_somehow(w, &pool.not_full);
		pool.items[pool.put % PLACES] = pool.put + 1;
		pool.put++;
		tell(w, &pool.not_empty);
	}
}

/* Returns false when there is nothing more to come. */
static bool consume_one(struct worker *w)
{
	unsigned long *item;

	must(rqpi_mutex_lock(&pool.mutex), "lock");
	while (pool.put == pool.taken) {
		if (atomic_load(&pool.over)) {
			must(rqpi_mutex_unlock(&pool.mutex), "unlock");
			return false;
		}
		wait_somehow(w, &pool.not_empty);
	}
	item = &pool.items[pool.taken % PLACES];
	if (*item != pool.taken + 1)
		stress_fail("pool: item %lu came out as %lu", pool.taken + 1, *item);
	*item = 0;
	pool.taken++;
	atomic_fetch_add(&totals.items, 1);
	tell(w, &pool.not_full);
	return true;
}

static void consume(struct rqt_thread *t)
{
	while (consume_one(t->arg))
		;
}

/* In the child: the mutex is our own copy, held; the condvars' waiters did not come along. */
static void live_as_a_child(void)
{
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 1);
	rqpi_cond_t own = RQPI_COND_INITIALIZER;

	signal(SIGALRM, SIG_DFL);
	alarm(20);
	if (rqpi_mutex_unlock(&pool.mutex) != 0 || rqpi_mutex_lock(&pool.mutex) != 0)
		_exit(1);
	if (rqpi_mutex_owner(&pool.mutex) != gettid())
		_exit(2);
	if (rqpi_cond_signal(&pool.not_empty) != 0 || rqpi_cond_broadcast(&pool.not_full) != 0)
		_exit(3);
	if (rqpi_cond_clockwait(&own, &pool.mutex, CLOCK_MONOTONIC, &ts) != ETIMEDOUT)
		_exit(4);
	if (rqpi_mutex_unlock(&pool.mutex) != 0 || rqpi_mutex_destroy(&pool.mutex) != 0)
		_exit(5);
	_exit(0);
}

static void fork_now_and_then(struct rqt_thread *t)
{
	struct worker *w = t->arg;

	while (!atomic_load(&pool.producers_over)) {
		pid_t pid;
		int status;

		must(rqpi_mutex_lock(&pool.mutex), "lock");
		pid = fork();
		if (pid == 0)
			live_as_a_child();
		must(rqpi_mutex_unlock(&pool.mutex), "unlock");
		if (pid < 0)
			stress_fail("pool: cannot fork: %s", strerror(errno));
		status = rqt_reap(pid, STUCK_SEC * 1000);
		if (status != 0)
			stress_fail("pool: a forked child ended with status %d", status);
		atomic_fetch_add(&totals.forks, 1);
		rqt_sleep_ms(10 + (long)stress_random(&w->random, 20));
	}
}

static void start(struct worker *w, void (*body)(struct rqt_thread *), uint64_t seed)
{
	w->random = seed;
	w->thread.body = body;
	w->thread.arg = w;
	rqt_start(&w->thread, 0);
}

void stress_pool_start(uint64_t seed)
{
	pool.mutex = (rqpi_mutex_t)RQPI_RECURSIVE_MUTEX_INITIALIZER;
	pool.last_moved = rqt_now_ns(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < PRODUCERS; i++)
		start(&pool.producers[i], produce, seed + 10 + i);
	for (uint64_t i = 0; i < CONSUMERS; i++)
		start(&pool.consumers[i], consume, seed + 20 + i);
	if (stress_does("fork"))
		start(&pool.forker, fork_now_and_then, seed + 30);
}

void stress_pool_check(void)
{
	unsigned long now = atomic_load(&totals.items);
	int64_t at = rqt_now_ns(CLOCK_MONOTONIC);

	if (now != pool.last_seen) {
		pool.last_seen = now;
		pool.last_moved = at;
	} else if (at - pool.last_moved > (int64_t)STUCK_SEC * 1000000000) {
		stress_fail("pool: HANG: nothing moved for %d s", STUCK_SEC);
	}
}

static void join(struct worker *w)
{
	if (w->thread.body && !rqt_join_within(&w->thread, STUCK_SEC * 1000))
		stress_fail("pool: HANG: a thread did not end");
}

void stress_pool_stop(void)
{
	atomic_store(&pool.producers_over, true);
	for (int i = 0; i < PRODUCERS; i++)
		join(&pool.producers[i]);
	join(&pool.forker);
	must(rqpi_mutex_lock(&pool.mutex), "lock");
	atomic_store(&pool.over, true);
	must(rqpi_cond_broadcast(&pool.not_empty), "broadcast");
	must(rqpi_mutex_unlock(&pool.mutex), "unlock");
	for (int i = 0; i < CONSUMERS; i++)
		join(&pool.consumers[i]);
	if (pool.put != pool.taken)
		stress_fail("pool: %lu items were put in and %lu taken out", pool.put, pool.taken);
}
