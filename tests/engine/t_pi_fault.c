/* SPDX-License-Identifier: MIT */
/*
 * t_pi_fault.c - a futex word that cannot be read or written, now or for ever, at each access that
 * a PI operation makes (semantics 7.1, 7.12, 8.7, 10.10, 2.5; CVE-2021-3347).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/cast.h"

#include <limits.h>

static uint32_t m, cond;
static struct rqpi_timespec soon;

static int setup(void **state)
{
	(void)state;
	m = cond = 0;
	soon = at_ns(100);
	open_stage(1);
	return 0;
}

static void unreadable_word_is_efault_and_nothing_is_queued(void **state)
{
	(void)state;
	fault(&stage, &m, -1, 1);
	assert_int_equal(lock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(trylock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(unlock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(cmp_requeue_pi(&a, &cond, 0, &m, 0), -RQPI_EFAULT);
	assert_int_equal(cmp_requeue_pi(&a, &m, 0, &cond, 0), -RQPI_EFAULT);
	assert_int_equal(wait_requeue_pi(&a, &m, 0, &cond), -RQPI_EFAULT);
	/* The target of a wait is not looked at. */
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&a, &cond, 0, &m, 0), -RQPI_EFAULT);
	assert_int_equal(result(&b), BLOCKED);
	no_fault(&stage);
	assert_int_equal(cmp_requeue_pi(&a, &cond, 0, &m, 0), 1);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(m, 0);
}

static void read_only_word(void **state)
{
	(void)state;
	fault(&stage, &m, -1, 0);
	assert_int_equal(lock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(trylock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(unlock_pi(&a, &m), -RQPI_EPERM);
	m = tid(&a);
	assert_int_equal(lock_pi(&a, &m), -RQPI_EDEADLK);
	assert_int_equal(unlock_pi(&a, &m), -RQPI_EFAULT);
	assert_int_equal(cmp_requeue_pi(&b, &cond, 0, &m, 0), 0);
	/* Shared: the key alone is refused. */
	assert_int_equal(call(&a, RQPI_FUTEX_LOCK_PI, &m, 0, NULL, NULL, 0), -RQPI_EFAULT);
	m = 0;
}

/* Each of the @times that the word faults, its page is brought in. */
static void page_that_is_only_away_is_brought_in(void **state)
{
	(void)state;
	for (int read = 0; read < 2; read++) {
		for (int times = 1; times < 6; times++) {
			fault(&stage, &m, times, read);
			assert_int_equal(lock_pi(&o, &m), 0);
			fault(&stage, &m, times, read);
			assert_int_equal(lock_pi(&a, &m), BLOCKED);
			fault(&stage, &m, times, read);
			assert_int_equal(trylock_pi(&c, &m), -RQPI_EAGAIN);
			assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
			fault(&stage, &m, times, read);
			assert_int_equal(cmp_requeue_pi(&c, &cond, 0, &m, 0), 1);
			fault(&stage, &m, times, read);
			assert_int_equal(unlock_pi(&o, &m), 0);
			assert_int_equal(result(&b), 0);
			assert_int_equal(unlock_pi(&b, &m), 0);
			assert_int_equal(result(&a), 0);
			assert_int_equal(unlock_pi(&a, &m), 0);
			assert_int_equal(m, 0);
			no_fault(&stage);
		}
	}
}

/* [8.7] */
static void unlock_of_a_read_only_word_hands_nothing_over(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	fault(&stage, &m, -1, 0);
	assert_int_equal(unlock_pi(&o, &m), -RQPI_EFAULT);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(m, W | tid(&o));
	no_fault(&stage);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* [10.10] */
static void owner_dies_and_the_word_is_read_only(void **state)
{
	uint32_t dead = tid(&o);

	(void)state;
	stage.forging = 1; /* the word names nobody's owner from here on */
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	fault(&stage, &m, -1, 0);
	end(&o);
	assert_int_equal(result(&b), -RQPI_EFAULT);
	assert_int_equal(m, W | dead);
	no_fault(&stage);
	assert_int_equal(eff(&b), RT(20));
	assert_int_equal(unlock_pi(&b, &m), -RQPI_EPERM);
	assert_int_equal(lock_pi(&c, &m), -RQPI_EINVAL);
	assert_int_equal(trylock_pi(&c, &m), -RQPI_EINVAL);
	assert_int_equal(result(&a), BLOCKED);
	end(&b);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, W | OD | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

/*
 * As above, but the dying owner has left its mark before: the word names nobody. Who got the
 * rt_mutex and EFAULT has it, so it cannot lock again; but that puts the word right.
 */
static void owner_of_a_word_that_faulted_locks_again(void **state)
{
	(void)state;
	stage.forging = 1;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	m = W | OD; /* what the robust list does first */
	fault(&stage, &m, -1, 0);
	end(&o);
	assert_int_equal(result(&b), -RQPI_EFAULT);
	assert_int_equal(m, W | OD);
	no_fault(&stage);
	assert_int_equal(lock_pi(&b, &m), -RQPI_EDEADLK);
	assert_int_equal(m, W | OD | tid(&b));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, W | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

/* A thief whose word faults for ever has the lock all the same, and passes it on when it ends. */
static void thief_cannot_write_the_word(void **state)
{
	(void)state;
	stage.forging = 1;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	hold(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	fault(&stage, &m, -1, 0);
	assert_int_equal(trylock_pi(&c, &m), -RQPI_EFAULT);
	assert_int_equal(m, W | tid(&a));
	no_fault(&stage);
	let_go(&a);
	assert_int_equal(result(&a), BLOCKED);
	end(&c);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, W | OD | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

static void requeued_waiter_cannot_write_the_word(void **state)
{
	(void)state;
	stage.forging = 1;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&c, &cond, 0, &m, 0), 1);
	fault(&stage, &m, -1, 0);
	end(&o);
	assert_int_equal(result(&b), -RQPI_EFAULT);
	no_fault(&stage);
	end(&b);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, W | OD | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/*
 * A waiter that has given up must write the word, which names it though a thief has the lock, and
 * waits for the page. Meanwhile the thief unlocks: there is somebody in the bucket and nobody on
 * the rt_mutex [8.14].
 */
static unsigned int steps;

static void count_steps(struct coop *coop)
{
	if (coop->running == &c.t && ++steps > 1000) {
		c.t.held = 1; /* it goes round and round */
		coop_yield(&c.t);
	}
}

static void thief_unlocks(struct coop *coop, uint32_t *uaddr)
{
	(void)uaddr;
	if (coop->running != &a.t)
		return;
	coop->on_fault = NULL;
	coop->faults_left = 0; /* the page has come, its waiter has not run yet */
	let_run(&stage, &c);
	assert_int_equal(result(&c), 0);
	assert_int_equal(m, W | tid(&c));
	coop->on_step = count_steps;
	post(&c, RQPI_FUTEX_UNLOCK_PI | P, &m, 0, NULL, NULL, 0);
	let_run(&stage, &c);
}

static void a_gives_up(struct stage *s)
{
	expire(s, 100);
	fault(s, &m, 1, 0);
	s->coop.on_fault = thief_unlocks;
	a.t.held = 0;
	let_run(s, &a);
}

static void owner_unlocks_while_a_leaving_waiter_waits_for_the_page(void **state)
{
	bool seen = false;

	for (int n = 1; !seen && n < 40; n++) {
		steps = 0;
		assert_int_equal(lock_pi(&o, &m), 0);
		soon = at_ns(stage.coop.now + 100);
		assert_int_equal(call(&a, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &soon, NULL, 0), BLOCKED);
		hold(&a);
		assert_int_equal(unlock_pi(&o, &m), 0);
		post(&c, RQPI_FUTEX_LOCK_PI | P, &m, 0, NULL, NULL, 0);
		interrupt_at(&stage, &c, n, a_gives_up);
		coop_run(&stage.coop);
		seen = steps > 0;
		if (!seen) {
			teardown(state);
			setup(state);
		}
	}
	assert_true(seen);
	let_go(&c);
	assert_true(steps <= 1000);
	assert_int_equal(result(&c), 0);
	assert_int_equal(result(&a), -RQPI_ETIMEDOUT);
	assert_int_equal(m, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(unreadable_word_is_efault_and_nothing_is_queued),
	    T(read_only_word),
	    T(page_that_is_only_away_is_brought_in),
	    T(unlock_of_a_read_only_word_hands_nothing_over),
	    T(owner_dies_and_the_word_is_read_only),
	    T(owner_of_a_word_that_faulted_locks_again),
	    T(thief_cannot_write_the_word),
	    T(requeued_waiter_cannot_write_the_word),
	    T(owner_unlocks_while_a_leaving_waiter_waits_for_the_page),
	};

	return stage_main("engine: PI futexes whose word faults", tests);
}
