/* SPDX-License-Identifier: MIT */
/*
 * t_mutex_pi.c - priority is really inherited, handed on along chains and given back; deadlocks
 * between threads and dead owners are reported. The owner's priority is read from the kernel, not
 * from a clock.
 */
#define _GNU_SOURCE
#include "tests/support/support.h"

struct party {
	struct rqt_thread thread;
	rqpi_mutex_t *first;
	rqpi_mutex_t *second;
	_Atomic int stage; /* 1: has the first, 2: has tried the second, 3: has given up both */
	_Atomic int go;
	int second_result;
	_Atomic int *order; /* counter of arrivals, if wanted */
	int place;
};

/* Lock the first; when told, the second; when told, unlock both. */
static void take_both(struct rqt_thread *t)
{
	struct party *p = t->arg;

	t->value = rqpi_mutex_lock(p->first);
	if (p->order)
		p->place = atomic_fetch_add(p->order, 1) + 1;
	atomic_store(&p->stage, 1);
	rqt_reaches(&p->go, 1, 20000);
	if (p->second) {
		p->second_result = rqpi_mutex_lock(p->second);
		atomic_store(&p->stage, 2);
		rqt_reaches(&p->go, 2, 20000);
		if (p->second_result == 0)
			t->value |= rqpi_mutex_unlock(p->second);
	}
	t->value |= rqpi_mutex_unlock(p->first);
	atomic_store(&p->stage, 3);
	rqt_reaches(&p->go, 3, 20000);
}

static struct party *party_new(rqpi_mutex_t *first, rqpi_mutex_t *second)
{
	struct party *p = calloc(1, sizeof(*p));

	p->first = first;
	p->second = second;
	p->thread.body = take_both;
	p->thread.arg = p;
	return p;
}

static struct party *party_holding(rqpi_mutex_t *first, rqpi_mutex_t *second, int prio)
{
	struct party *p = party_new(first, second);

	rqt_start(&p->thread, prio);
	assert_true(rqt_reaches(&p->stage, 1, RQT_SOON_MS));
	return p;
}

static struct party *party_blocked(rqpi_mutex_t *first, int prio)
{
	struct party *p = party_new(first, NULL);

	atomic_store(&p->go, 9);
	rqt_start(&p->thread, prio);
	rqt_wait_asleep(&p->thread);
	return p;
}

static void party_end(struct party *p)
{
	atomic_store(&p->go, 9);
	rqt_join(&p->thread);
	assert_int_equal(p->thread.value, 0);
	free(p);
}

static long prio_of(struct party *p)
{
	return rqt_kernel_prio(atomic_load(&p->thread.tid));
}

#define FIFO_PRIO(n) (-1 - (n))

static void the_owner_runs_at_the_priority_of_the_top_waiter(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct party *low;
	struct party *mid;
	struct party *high;

	(void)state;
	rqt_need_fifo(__func__);
	low = party_holding(&m, NULL, 10);
	assert_int_equal(prio_of(low), FIFO_PRIO(10));
	mid = party_blocked(&m, 20);
	assert_int_equal(prio_of(low), FIFO_PRIO(20));
	high = party_blocked(&m, 40);
	assert_int_equal(prio_of(low), FIFO_PRIO(40));
	atomic_store(&low->go, 1);
	assert_true(rqt_reaches(&low->stage, 3, RQT_SOON_MS));
	assert_int_equal(prio_of(low), FIFO_PRIO(10));
	party_end(low);
	party_end(high);
	party_end(mid);
}

static void a_normal_owner_is_boosted_too(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct party *low;
	struct party *high;

	(void)state;
	rqt_need_fifo(__func__);
	low = party_holding(&m, NULL, 0);
	high = party_blocked(&m, 15);
	assert_int_equal(prio_of(low), FIFO_PRIO(15));
	party_end(low);
	party_end(high);
}

/* C waits for B, who waits for A: A runs at C's priority. */
static void priority_goes_down_a_chain(void **state)
{
	rqpi_mutex_t m1 = RQPI_MUTEX_INITIALIZER;
	rqpi_mutex_t m2 = RQPI_MUTEX_INITIALIZER;
	struct party *a;
	struct party *b;
	struct party *c;

	(void)state;
	rqt_need_fifo(__func__);
	a = party_holding(&m1, NULL, 5);
	b = party_holding(&m2, &m1, 6);
	atomic_store(&b->go, 1);
	rqt_wait_asleep(&b->thread);
	assert_int_equal(prio_of(a), FIFO_PRIO(6));
	c = party_blocked(&m2, 44);
	assert_int_equal(prio_of(b), FIFO_PRIO(44));
	assert_int_equal(prio_of(a), FIFO_PRIO(44));
	party_end(a);
	party_end(b);
	party_end(c);
}

/* A timed lock lends its priority and takes it back when it gives up. */
static void timed_lock(struct rqt_thread *t)
{
	struct party *p = t->arg;
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 300);

	t->value = rqpi_mutex_clocklock(p->first, CLOCK_MONOTONIC, &ts) == ETIMEDOUT ? 0 : 1;
}

static void a_boost_ends_when_the_waiter_gives_up(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct party *low;
	struct party *high;

	(void)state;
	rqt_need_fifo(__func__);
	low = party_holding(&m, NULL, 10);
	high = party_new(&m, NULL);
	high->thread.body = timed_lock;
	rqt_start(&high->thread, 30);
	rqt_wait_asleep(&high->thread);
	assert_int_equal(prio_of(low), FIFO_PRIO(30));
	rqt_join(&high->thread);
	assert_int_equal(prio_of(low), FIFO_PRIO(10));
	party_end(low);
	party_end(high);
}

static void the_mutex_goes_to_the_most_urgent(void **state)
{
	static const int prios[] = {10, 30, 20, 30};
	static const int places[] = {4, 1, 3, 2};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	_Atomic int order = 0;
	struct party *p[4];

	(void)state;
	rqt_need_fifo(__func__);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	for (int i = 0; i < 4; i++) {
		p[i] = party_new(&m, NULL);
		p[i]->order = &order;
		atomic_store(&p[i]->go, 9);
		rqt_start(&p[i]->thread, prios[i]);
		rqt_wait_asleep(&p[i]->thread);
	}
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	for (int i = 0; i < 4; i++) {
		rqt_join(&p[i]->thread);
		assert_int_equal(p[i]->place, places[i]);
		party_end(p[i]);
	}
}

/* Two mutexes, two threads, the other way round: the second to ask is told. */
static void a_deadlock_of_two_is_reported(void **state)
{
	rqpi_mutex_t m1 = RQPI_MUTEX_INITIALIZER;
	rqpi_mutex_t m2 = RQPI_MUTEX_INITIALIZER;
	struct party *a;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m2), 0);
	a = party_holding(&m1, &m2, 0);
	atomic_store(&a->go, 1);
	rqt_wait_asleep(&a->thread);
	assert_int_equal(rqpi_mutex_lock(&m1), EDEADLK);
	assert_int_equal(rqpi_mutex_owner(&m1), atomic_load(&a->thread.tid));
	assert_int_equal(rqpi_mutex_unlock(&m2), 0);
	assert_true(rqt_reaches(&a->stage, 2, RQT_SOON_MS));
	assert_int_equal(a->second_result, 0);
	party_end(a);
	assert_int_equal(rqpi_mutex_lock(&m1), 0);
	assert_int_equal(rqpi_mutex_unlock(&m1), 0);
}

static void lock_and_exit(struct rqt_thread *t)
{
	t->value = rqpi_mutex_lock(t->arg);
}

static void a_dead_owner_of_a_plain_mutex_is_esrch(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 3000);
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;

	(void)state;
	t->body = lock_and_exit;
	t->arg = &m;
	rqt_start(t, 0);
	rqt_join(t);
	assert_int_equal(t->value, 0);
	assert_int_equal(rqpi_mutex_owner(&m), atomic_load(&t->tid));
	assert_int_equal(rqpi_mutex_lock(&m), ESRCH);
	assert_int_equal(rqpi_mutex_timedlock(&m, &ts), ESRCH);
	assert_int_equal(rqpi_mutex_unlock(&m), EPERM);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(the_owner_runs_at_the_priority_of_the_top_waiter),
	    RQT_CASE(a_normal_owner_is_boosted_too),
	    RQT_CASE(priority_goes_down_a_chain),
	    RQT_CASE(a_boost_ends_when_the_waiter_gives_up),
	    RQT_CASE(the_mutex_goes_to_the_most_urgent),
	    RQT_CASE(a_deadlock_of_two_is_reported),
	    RQT_CASE(a_dead_owner_of_a_plain_mutex_is_esrch),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("mutex_pi", tests, NULL, NULL);
}
