/* SPDX-License-Identifier: MIT */
/*
 * t_race_unlock.c - on two cores: who comes or goes while a lock is unlocked, or its owner ends.
 * How: race.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/race.h"

/* ---------------------------------------------------------------- unlock, lock, end */

static void o_unlocks_m_to_b_and_a(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(call(&b, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &soon, NULL, 0), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	post(&o, RQPI_FUTEX_UNLOCK_PI | P, &m, 0, NULL, NULL, 0);
}

static void b_or_a_has_it(void)
{
	assert_int_equal(o.ret, 0);
	if (b.ret == 0) {
		assert_int_equal(m, W | tid(&b));
		assert_int_equal(a.ret, BLOCKED);
	} else {
		assert_int_equal(b.ret, -RQPI_ETIMEDOUT);
		assert_int_equal(a.ret, 0);
		assert_int_equal(m, W | tid(&a));
	}
}

static void waiter_times_out_while_it_is_handed_the_lock(void **state)
{
	(void)state;
	at_every_step(&o, o_unlocks_m_to_b_and_a, b_times_out, b_or_a_has_it);
}

static void c_locks(struct stage *s)
{
	post(&c, RQPI_FUTEX_LOCK_PI | P, &m, 0, NULL, NULL, 0);
	let_run(s, &c);
}

static void o_unlocks_m_to_b(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	post(&o, RQPI_FUTEX_UNLOCK_PI | P, &m, 0, NULL, NULL, 0);
}

/* c comes before the unlock, or takes it from b, which has not run; or b has run. */
static void c_or_b_has_it(void)
{
	assert_int_equal(o.ret, 0);
	if (c.ret == 0) {
		assert_int_equal(b.ret, BLOCKED);
		assert_int_equal(m, W | tid(&c));
	} else {
		assert_int_equal(b.ret, 0);
		assert_int_equal(m, W | tid(&b));
	}
	assert_int_equal(eff(&o), RT(1));
}

static void a_more_urgent_locker_comes_during_unlock(void **state)
{
	(void)state;
	at_every_step(&o, o_unlocks_m_to_b, c_locks, c_or_b_has_it);
}

static void o_unlocks_m_to_nobody(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	post(&o, RQPI_FUTEX_UNLOCK_PI | P, &m, 0, NULL, NULL, 0);
}

/* Either the unlock was first, or it said EAGAIN or handed over: see bugs.md 2.14 and 2.7. */
static void unlocked_or_again(void)
{
	if (o.ret == -RQPI_EAGAIN)
		assert_int_equal(unlock_pi(&o, &m), 0);
	else
		assert_int_equal(o.ret, 0);
	assert_int_equal(c.ret, 0);
}

static void a_first_waiter_comes_during_unlock(void **state)
{
	(void)state;
	at_every_step(&o, o_unlocks_m_to_nobody, c_locks, unlocked_or_again);
}

static void c_tries(struct stage *s)
{
	post(&c, RQPI_FUTEX_TRYLOCK_PI | P, &m, 0, NULL, NULL, 0);
	let_run(s, &c);
}

static bool unlock_said_eagain;

/* [8.9]: WAITERS was set between the look at the word and its change, and nobody waits. */
static void unlocked_or_still_held(void)
{
	if (o.ret == -RQPI_EAGAIN) {
		unlock_said_eagain = true;
		assert_int_equal(c.ret, -RQPI_EAGAIN);
		assert_int_equal(m, W | tid(&o));
		assert_int_equal(unlock_pi(&o, &m), 0);
		return;
	}
	assert_int_equal(o.ret, 0);
	assert_int_equal(m, c.ret == 0 ? tid(&c) : 0);
}

static void a_trylock_comes_during_unlock(void **state)
{
	(void)state;
	unlock_said_eagain = false;
	at_every_step(&o, o_unlocks_m_to_nobody, c_tries, unlocked_or_still_held);
	assert_true(unlock_said_eagain);
}

static void o_ends_with_m(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(call(&b, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &soon, NULL, 0), BLOCKED);
	post_end(&o);
}

/* If b gave up first, o ended with a word that nobody waits for. */
static void b_has_it_or_gave_up(void)
{
	assert_true(o.t.finished);
	if (b.ret == 0) {
		assert_int_equal(m, OD | W | tid(&b));
	} else {
		assert_int_equal(b.ret, -RQPI_ETIMEDOUT);
		assert_true(m & W);
		m = 0;
	}
}

static void waiter_times_out_while_the_owner_ends(void **state)
{
	(void)state;
	at_every_step(&o, o_ends_with_m, b_times_out, b_has_it_or_gave_up);
}

static void o_ends_with_m_alone(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	post_end(&o);
}

/* No list, no waiter: whoever comes too late finds nobody. */
static void c_has_it_or_finds_nobody(void)
{
	assert_true(c.ret == 0 || c.ret == -RQPI_ESRCH);
	if (c.ret == 0)
		assert_int_equal(m, OD | W | tid(&c));
	else
		m = 0;
}

static void a_first_waiter_comes_while_the_owner_ends(void **state)
{
	(void)state;
	at_every_step(&o, o_ends_with_m_alone, c_locks, c_has_it_or_finds_nobody);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	static const struct CMUnitTest tests[] = {
	    T(waiter_times_out_while_it_is_handed_the_lock),
	    T(a_more_urgent_locker_comes_during_unlock),
	    T(a_first_waiter_comes_during_unlock),
	    T(a_trylock_comes_during_unlock),
	    T(waiter_times_out_while_the_owner_ends),
	    T(a_first_waiter_comes_while_the_owner_ends),
	};

	return stage_main("engine: two cores, unlock and end", tests);
}
