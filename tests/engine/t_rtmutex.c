/* SPDX-License-Identifier: MIT */
/*
 * t_rtmutex.c - rt_mutex for embedders: lock, timed, trylock, unlock, proxy (rqpi/engine.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/stage.h"

#define RT(n)	RQPI_PRIO_RT(n)
#define NICE(n) RQPI_PRIO_NICE(n)
#define CHAIN	65

static struct stage stage;
static struct actor o, a, b, c, d;
static struct rqpi_rt_mutex m, m2;
static struct rqpi_deadline soon;

static int setup(void **state)
{
	(void)state;
	rqpi_rt_mutex_init(&m);
	rqpi_rt_mutex_init(&m2);
	soon = (struct rqpi_deadline){100, RQPI_CLOCK_MONOTONIC};
	stage_open(&stage, 1);
	stage_actor(&stage, &o, NICE(0));
	stage_actor(&stage, &a, RT(10));
	stage_actor(&stage, &b, RT(20));
	stage_actor(&stage, &c, RT(30));
	stage_actor(&stage, &d, NICE(-20));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

/* ---------------------------------------------------------------- what an actor does */

static long do_lock(struct actor *it)
{
	return rqpi_rt_mutex_lock(it->t.task, it->arg);
}

static long do_timedlock(struct actor *it)
{
	return rqpi_rt_mutex_timedlock(it->t.task, it->arg, &soon);
}

static long do_trylock(struct actor *it)
{
	return rqpi_rt_mutex_trylock(it->t.task, it->arg);
}

static long do_unlock(struct actor *it)
{
	rqpi_rt_mutex_unlock(it->t.task, it->arg);
	return 0;
}

/* The second half of a proxy lock. */
static long do_wait_proxy(struct actor *it)
{
	long ret = rqpi_rt_mutex_wait_proxy_lock(it->t.task, it->arg, &soon);

	return ret && rqpi_rt_mutex_cleanup_proxy_lock(it->t.task, it->arg) ? ret : 0;
}

static long lock(struct actor *it, struct rqpi_rt_mutex *mutex)
{
	return perform(it, do_lock, mutex);
}

static long timedlock(struct actor *it, struct rqpi_rt_mutex *mutex)
{
	return perform(it, do_timedlock, mutex);
}

static bool trylock(struct actor *it, struct rqpi_rt_mutex *mutex)
{
	return perform(it, do_trylock, mutex) == 1;
}

static void unlock(struct actor *it, struct rqpi_rt_mutex *mutex)
{
	assert_int_equal(perform(it, do_unlock, mutex), 0);
}

/* ---------------------------------------------------------------- alone, and with others */

static void free_mutex(void **state)
{
	(void)state;
	assert_null(rqpi_rt_mutex_owner(&m));
	assert_int_equal(lock(&a, &m), 0);
	assert_ptr_equal(rqpi_rt_mutex_owner(&m), a.t.task);
	assert_int_equal(lock(&a, &m), -RQPI_EDEADLK);
	assert_int_equal(timedlock(&a, &m), -RQPI_EDEADLK);
	assert_false(trylock(&a, &m));
	assert_false(trylock(&c, &m));
	unlock(&a, &m);
	assert_null(rqpi_rt_mutex_owner(&m));
	assert_true(trylock(&a, &m));
	unlock(&a, &m);
}

static void served_by_urgency_and_as_they_came(void **state)
{
	(void)state;
	set_prio(&b, RT(10));
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock(&d, &m), BLOCKED);
	assert_int_equal(lock(&a, &m), BLOCKED);
	assert_int_equal(lock(&b, &m), BLOCKED);
	assert_int_equal(lock(&c, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	unlock(&o, &m);
	assert_int_equal(eff(&o), NICE(0));
	assert_int_equal(result(&c), 0);
	unlock(&c, &m);
	assert_int_equal(result(&a), 0);
	unlock(&a, &m);
	assert_int_equal(result(&b), 0);
	unlock(&b, &m);
	assert_int_equal(result(&d), 0);
	unlock(&d, &m);
}

static void timed_lock_gives_up(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(timedlock(&a, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(10));
	coop_advance(&stage.coop, 99);
	assert_int_equal(result(&a), BLOCKED);
	coop_advance(&stage.coop, 1);
	assert_int_equal(result(&a), -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), NICE(0));
	soon.ns = 300;
	assert_int_equal(timedlock(&a, &m), BLOCKED);
	assert_int_equal(lock(&b, &m), BLOCKED);
	coop_interrupt(&a.t);
	assert_int_equal(result(&a), -RQPI_EINTR);
	coop_interrupt(&b.t); /* uninterruptible */
	assert_int_equal(result(&b), BLOCKED);
	b.t.interrupted = 0;
	unlock(&o, &m);
	assert_int_equal(result(&b), 0);
	unlock(&b, &m);
	/* Free, though the time is up. */
	soon.ns = 0;
	assert_int_equal(timedlock(&a, &m), 0);
	unlock(&a, &m);
}

static void stolen_by_the_strictly_more_urgent(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock(&b, &m), BLOCKED);
	hold(&b);
	unlock(&o, &m);
	assert_null(rqpi_rt_mutex_owner(&m));
	assert_false(trylock(&a, &m));
	set_prio(&a, RT(20));
	assert_false(trylock(&a, &m));
	assert_true(trylock(&c, &m));
	let_go(&b);
	assert_int_equal(result(&b), BLOCKED);
	assert_int_equal(eff(&c), RT(30));
	unlock(&c, &m);
	assert_int_equal(result(&b), 0);
	unlock(&b, &m);
}

static void nested_locks(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock(&o, &m2), 0);
	assert_int_equal(lock(&b, &m), BLOCKED);
	assert_int_equal(lock(&c, &m2), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	unlock(&o, &m2);
	assert_int_equal(eff(&o), RT(20));
	unlock(&o, &m);
	assert_int_equal(eff(&o), NICE(0));
	unlock(&b, &m);
	unlock(&c, &m2);
}

/* Futexes and the host's own mutexes are links of one chain. */
static void chain_through_a_futex_and_a_cycle(void **state)
{
	uint32_t u = 0;

	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &u), 0);
	assert_int_equal(lock(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&c, &u), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(lock_pi(&o, &u), -RQPI_EDEADLK);
	assert_int_equal(eff(&o), RT(30));
	unlock(&o, &m);
	assert_int_equal(eff(&o), NICE(0));
	unlock(&a, &m);
	assert_int_equal(unlock_pi(&a, &u), 0);
	assert_int_equal(unlock_pi(&c, &u), 0);
}

static void chains_of_all_lengths(void **state)
{
	static const int lengths[] = {1, 2, 8, 64};
	static struct actor links[CHAIN];
	static struct rqpi_rt_mutex mutexes[CHAIN];

	(void)state;
	for (size_t n = 0; n < 4; n++) {
		int blocked = lengths[n];

		for (int i = 0; i <= blocked; i++) {
			stage_actor(&stage, &links[i], NICE(0));
			rqpi_rt_mutex_init(&mutexes[i]);
			assert_int_equal(lock(&links[i], &mutexes[i]), 0);
			if (i)
				assert_int_equal(lock(&links[i], &mutexes[i - 1]), BLOCKED);
		}
		soon.ns = stage.coop.now + 100;
		assert_int_equal(timedlock(&c, &mutexes[blocked]), BLOCKED);
		for (int i = 0; i <= blocked; i++)
			assert_int_equal(eff(&links[i]), RT(30));
		coop_advance(&stage.coop, 100);
		assert_int_equal(result(&c), -RQPI_ETIMEDOUT);
		for (int i = 0; i <= blocked; i++)
			assert_int_equal(eff(&links[i]), NICE(0));
		for (int i = 0; i <= blocked; i++) {
			unlock(&links[i], &mutexes[i]);
			if (i)
				unlock(&links[i], &mutexes[i - 1]);
		}
		teardown(state);
		setup(state);
	}
}

static void deadline_tasks_by_deadline(void **state)
{
	struct rqpi_prio early = {.prio = RQPI_PRIO_DEADLINE, .deadline = 10};
	struct rqpi_prio late = {.prio = RQPI_PRIO_DEADLINE, .deadline = 20};

	(void)state;
	rqpi_task_set_prio(a.t.task, &late);
	rqpi_task_set_prio(b.t.task, &early);
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock(&c, &m), BLOCKED);
	assert_int_equal(lock(&a, &m), BLOCKED);
	assert_int_equal(lock(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), RQPI_PRIO_DEADLINE);
	unlock(&o, &m);
	assert_int_equal(result(&b), 0);
	unlock(&b, &m);
	assert_int_equal(result(&a), 0);
	unlock(&a, &m);
	unlock(&c, &m);
}

/* ---------------------------------------------------------------- proxy */

static void proxy_takes_a_free_mutex(void **state)
{
	(void)state;
	assert_int_equal(rqpi_rt_mutex_start_proxy_lock(&m, a.t.task), 1);
	assert_ptr_equal(rqpi_rt_mutex_owner(&m), a.t.task);
	unlock(&a, &m);
}

/* [bugs 1.1]: from the start on no unlock may miss the waiter. */
static void proxy_waits_and_is_served(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(rqpi_rt_mutex_start_proxy_lock(&m, b.t.task), 0);
	assert_true(rqk_rt_has_flag((struct rqk_rt_mutex *)&m));
	assert_int_equal(eff(&o), RT(20));
	unlock(&o, &m);
	assert_null(rqpi_rt_mutex_owner(&m)); /* promised to b */
	assert_false(trylock(&a, &m));
	assert_int_equal(perform(&b, do_wait_proxy, &m), 0);
	assert_ptr_equal(rqpi_rt_mutex_owner(&m), b.t.task);
	unlock(&b, &m);
}

static void proxy_gives_up(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(rqpi_rt_mutex_start_proxy_lock(&m, b.t.task), 0);
	assert_int_equal(perform(&b, do_wait_proxy, &m), BLOCKED);
	coop_advance(&stage.coop, 100);
	assert_int_equal(result(&b), -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), NICE(0));
	unlock(&o, &m);
	assert_null(rqpi_rt_mutex_owner(&m));
}

/* [CVE-2026-43499] */
static void proxy_that_would_close_a_cycle_is_not_queued(void **state)
{
	(void)state;
	assert_int_equal(lock(&o, &m), 0);
	assert_int_equal(lock(&b, &m2), 0);
	assert_int_equal(lock(&o, &m2), BLOCKED);
	assert_int_equal(rqpi_rt_mutex_start_proxy_lock(&m, b.t.task), -RQPI_EDEADLK);
	assert_null(b.t.task->blocked_on);
	assert_int_equal(eff(&o), NICE(0));
	unlock(&b, &m2);
	unlock(&o, &m2);
	unlock(&o, &m);
	assert_null(rqpi_rt_mutex_owner(&m));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(free_mutex),
	    T(served_by_urgency_and_as_they_came),
	    T(timed_lock_gives_up),
	    T(stolen_by_the_strictly_more_urgent),
	    T(nested_locks),
	    T(chain_through_a_futex_and_a_cycle),
	    T(chains_of_all_lengths),
	    T(deadline_tasks_by_deadline),
	    T(proxy_takes_a_free_mutex),
	    T(proxy_waits_and_is_served),
	    T(proxy_gives_up),
	    T(proxy_that_would_close_a_cycle_is_not_queued),
	};

	return stage_main("engine: rt_mutex", tests);
}
