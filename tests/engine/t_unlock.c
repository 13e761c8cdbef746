/* SPDX-License-Identifier: MIT */
/*
 * t_unlock.c - which words UNLOCK_PI accepts (semantics 8), and what else a PI word goes through:
 * timeouts, signals, waiters of another kind, two kinds of keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/owners.h"

/* ---------------------------------------------------------------- UNLOCK_PI [8] */

enum queue { EMPTY, PLAIN, PI, REQUEUE };

static const struct {
	uint32_t word; /* when the call is made */
	enum queue queue;
	long result;
	uint32_t after;
} unlocks[] = {
    {SELF, EMPTY, 0, 0},
    {W | SELF, EMPTY, 0, 0},
    {W | OD | SELF, EMPTY, 0, 0},
    {0, EMPTY, -RQPI_EPERM, 0},
    {W, EMPTY, -RQPI_EPERM, W},
    {OTHER, EMPTY, -RQPI_EPERM, OTHER},
    {SELF, PLAIN, -RQPI_EINVAL, SELF},
    {SELF, REQUEUE, -RQPI_EINVAL, SELF},
    {OTHER, PLAIN, -RQPI_EPERM, OTHER},
    {W | SELF, PI, 0, W | 6},
    {SELF, PI, 0, W | 6},
    {W | OD | SELF, PI, 0, W | 6},
    {0, PI, -RQPI_EPERM, 0},
};

static void unlock_by_word_and_queue(void **state)
{
	for (size_t i = 0; i < sizeof(unlocks) / sizeof(unlocks[0]); i++) {
		print_message("# row %zu: %08x\n", i, unlocks[i].word);
		if (unlocks[i].queue == PI) {
			assert_int_equal(lock_pi(&self, &m), 0);
			assert_int_equal(lock_pi(&waiter, &m), BLOCKED);
		} else if (unlocks[i].queue == PLAIN) {
			assert_int_equal(wait_on(&waiter, &m, 0), BLOCKED);
		} else if (unlocks[i].queue == REQUEUE) {
			assert_int_equal(wait_requeue_pi(&waiter, &m, 0, &cond), BLOCKED);
		}
		m = unlocks[i].word;
		assert_int_equal(unlock_pi(&self, &m), unlocks[i].result);
		assert_int_equal(m, unlocks[i].after);
		if (unlocks[i].result && unlocks[i].queue == PI) {
			m = W | SELF;
			assert_int_equal(unlock_pi(&self, &m), 0);
		} else if (unlocks[i].queue == PLAIN || unlocks[i].queue == REQUEUE) {
			m = 1;
			signal_arrives(&waiter);
			coop_run(&stage.coop);
		}
		fresh(state);
	}
}

static void unlock_by_one_whom_the_word_names_falsely(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&other, &m), 0);
	assert_int_equal(lock_pi(&waiter, &m), BLOCKED);
	m = W | SELF;
	assert_int_equal(unlock_pi(&self, &m), -RQPI_EINVAL);
	assert_int_equal(m, W | SELF);
	assert_int_equal(result(&waiter), BLOCKED);
	m = W | OTHER;
	assert_int_equal(unlock_pi(&other, &m), 0);
	assert_int_equal(result(&waiter), 0);
}

/* [8.2, 8.3, 1.5] */
static void unlock_looks_at_the_owner_before_the_alignment(void **state)
{
	union {
		uint32_t words[2];
		unsigned char bytes[8];
	} u = {{0, 0}};
	uint32_t *odd = (uint32_t *)(uintptr_t)(u.bytes + 2);

	(void)state;
	assert_int_equal(unlock_pi(&self, odd), -RQPI_EPERM);
	u.bytes[2] = SELF; /* little endian, as all machines we test on */
	assert_int_equal(unlock_pi(&self, odd), -RQPI_EINVAL);
	assert_int_equal(lock_pi(&self, odd), -RQPI_EINVAL);
}

/* [7.3] */
static void a_word_with_a_plain_waiter_is_no_pi_word(void **state)
{
	(void)state;
	assert_int_equal(wait_on(&waiter, &m, 0), BLOCKED);
	assert_int_equal(lock_pi(&self, &m), -RQPI_EINVAL);
	assert_int_equal(trylock_pi(&self, &m), -RQPI_EINVAL);
	assert_int_equal(m, 0);
	assert_int_equal(wait_requeue_pi(&self, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&other, &cond, 0, &m, 0), -RQPI_EINVAL);
	assert_int_equal(result(&self), BLOCKED);
	assert_int_equal(wake(&other, &m, 1), 1);
	assert_int_equal(cmp_requeue_pi(&other, &cond, 0, &m, 0), 1);
	assert_int_equal(result(&self), 0);
	assert_int_equal(unlock_pi(&self, &m), 0);
}

/* [2.7] */
static void shared_and_private_are_two_queues_of_one_word(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&other, &m), 0);
	assert_int_equal(call(&waiter, RQPI_FUTEX_LOCK_PI, &m, 0, NULL, NULL, 0), BLOCKED);
	assert_int_equal(unlock_pi(&other, &m), 0);
	assert_int_equal(m, 0);
	assert_int_equal(result(&waiter), BLOCKED);
	m = W | OTHER;
	assert_int_equal(call(&other, RQPI_FUTEX_UNLOCK_PI, &m, 0, NULL, NULL, 0), 0);
	assert_int_equal(result(&waiter), 0);
}

/* [3.6] */
static void a_timeout_leaves_waiters_set_until_the_next_unlock(void **state)
{
	struct rqpi_timespec soon = at_ns(100);

	(void)state;
	assert_int_equal(lock_pi(&other, &m), 0);
	assert_int_equal(call(&waiter, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &soon, NULL, 0), BLOCKED);
	coop_advance(&stage.coop, 100);
	assert_int_equal(result(&waiter), -RQPI_ETIMEDOUT);
	assert_int_equal(m, W | OTHER);
	assert_int_equal(unlock_pi(&other, &m), 0);
	assert_int_equal(m, 0);
}

/* [4.3]: restarted, and at the tail of its priority. */
static void a_signal_restarts_a_lock(void **state)
{
	(void)state;
	set_prio(&self, RT(6));
	assert_int_equal(lock_pi(&other, &m), 0);
	assert_int_equal(lock_pi(&self, &m), BLOCKED);
	assert_int_equal(lock_pi(&waiter, &m), BLOCKED);
	coop_interrupt(&self.t);
	assert_int_equal(self.signals, 1);
	assert_int_equal(result(&self), BLOCKED);
	assert_int_equal(unlock_pi(&other, &m), 0);
	assert_int_equal(result(&waiter), 0);
	assert_int_equal(unlock_pi(&waiter, &m), 0);
	assert_int_equal(result(&self), 0);
	assert_int_equal(unlock_pi(&self, &m), 0);
}

/* [3.2, 3.3] */
static void a_deadline_that_has_passed(void **state)
{
	static const int ops[] = {RQPI_FUTEX_LOCK_PI, RQPI_FUTEX_LOCK_PI2};
	const struct rqpi_timespec zero = {0, 0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(call(&self, ops[i] | P, &m, 0, &zero, NULL, 0), 0);
		assert_int_equal(call(&self, ops[i] | P, &m, 0, &zero, NULL, 0), -RQPI_EDEADLK);
		assert_int_equal(call(&other, ops[i] | P, &m, 0, &zero, NULL, 0), -RQPI_ETIMEDOUT);
		assert_int_equal(m, W | SELF);
		assert_int_equal(unlock_pi(&self, &m), 0);
		assert_int_equal(m, 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(unlock_by_word_and_queue),
	    T(unlock_by_one_whom_the_word_names_falsely),
	    T(unlock_looks_at_the_owner_before_the_alignment),
	    T(a_word_with_a_plain_waiter_is_no_pi_word),
	    T(shared_and_private_are_two_queues_of_one_word),
	    T(a_timeout_leaves_waiters_set_until_the_next_unlock),
	    T(a_signal_restarts_a_lock),
	    T(a_deadline_that_has_passed),
	};

	return stage_main("engine: unlock", tests);
}
