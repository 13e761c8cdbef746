/* SPDX-License-Identifier: MIT */
/*
 * t_pi_table.c - which words LOCK_PI, TRYLOCK_PI and CMP_REQUEUE_PI accept, with and without
 * waiters, as tables (semantics 7, 9.3, 13.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/owners.h"

static const struct {
	uint32_t before;
	long lock; /* what LOCK_PI answers, where it does not sleep */
	long trylock;
	uint32_t after; /* of both */
	bool shared;
} words[] = {
    {0, 0, 0, SELF, false},
    {W, 0, 0, SELF, false},
    {OD, 0, 0, OD | SELF, false},
    {W | OD, 0, 0, OD | SELF, false},
    {SELF, -RQPI_EDEADLK, -RQPI_EDEADLK, SELF, false},
    {W | SELF, -RQPI_EDEADLK, -RQPI_EDEADLK, W | SELF, false},
    {W | OD | SELF, -RQPI_EDEADLK, -RQPI_EDEADLK, W | OD | SELF, false},
    {OTHER, BLOCKED, -RQPI_EAGAIN, W | OTHER, false},
    {OD | OTHER, BLOCKED, -RQPI_EAGAIN, W | OD | OTHER, false},
    {OTHER, BLOCKED, -RQPI_EAGAIN, W | OTHER, true},
    {NOBODY, -RQPI_ESRCH, -RQPI_ESRCH, W | NOBODY, false},
    {OD | NOBODY, -RQPI_ESRCH, -RQPI_ESRCH, W | OD | NOBODY, false},
    {ENDED, -RQPI_ESRCH, -RQPI_ESRCH, W | ENDED, false},
    {ENDED, -RQPI_ESRCH, -RQPI_ESRCH, W | ENDED, true},
    {KERNEL, -RQPI_EPERM, -RQPI_EPERM, W | KERNEL, false},
    {KERNEL, -RQPI_EPERM, -RQPI_EPERM, W | KERNEL, true},
    {FOREIGN, -RQPI_EPERM, -RQPI_EPERM, W | FOREIGN, false},
    {FOREIGN, BLOCKED, -RQPI_EAGAIN, W | FOREIGN, true},
};

static void word_without_waiters(void **state)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		int p = words[i].shared ? 0 : P;

		print_message("# row %zu: %08x\n", i, words[i].before);
		m = words[i].before;
		assert_int_equal(call(&self, RQPI_FUTEX_TRYLOCK_PI | p, &m, 0, NULL, NULL, 0),
				 words[i].trylock);
		assert_int_equal(m, words[i].after);
		m = words[i].before;
		assert_int_equal(call(&self, RQPI_FUTEX_LOCK_PI | p, &m, 0, NULL, NULL, 0),
				 words[i].lock);
		assert_int_equal(m, words[i].after);
		if (words[i].lock == BLOCKED) { /* the one who is named is the owner [7.13] */
			struct actor *owner = words[i].before == FOREIGN ? &foreign : &other;

			assert_int_equal(
			    call(owner, RQPI_FUTEX_UNLOCK_PI | p, &m, 0, NULL, NULL, 0), 0);
			assert_int_equal(result(&self), 0);
			assert_int_equal(m, W | SELF);
		}
		m = 0;
		fresh(state);
	}
}

/* [13.4]: the same on behalf of a waiter that is asleep, which is SELF. */
static void word_that_a_waiter_is_requeued_to(void **state)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		int p = words[i].shared ? 0 : P;
		bool granted = words[i].lock == 0;
		bool moved = words[i].lock == BLOCKED;

		for (int nr = 0; nr < 2; nr++) {
			print_message("# row %zu: %08x, nr_requeue %d\n", i, words[i].before, nr);
			m = words[i].before;
			assert_int_equal(
			    call(&self, RQPI_FUTEX_WAIT_REQUEUE_PI | p, &cond, 0, NULL, &m, 0),
			    BLOCKED);
			assert_int_equal(call(&waiter, RQPI_FUTEX_CMP_REQUEUE_PI | p, &cond, 1,
					      (void *)(intptr_t)nr, &m, 0),
					 granted || moved ? 1 : words[i].lock);
			assert_int_equal(result(&self), granted ? 0 : BLOCKED);
			assert_int_equal(m, words[i].after | (granted && nr ? W : 0));
			if (moved) {
				end(words[i].before == FOREIGN ? &foreign : &other);
				assert_int_equal(result(&self), 0);
				assert_int_equal(m, W | OD | SELF);
			} else if (!granted) {
				cond = 1;
				signal_arrives(&self);
				coop_run(&stage.coop);
				assert_int_equal(result(&self), -RQPI_EAGAIN);
				cond = 0;
			}
			m = 0;
			fresh(state);
		}
	}
}

/* ---------------------------------------------------------------- words with waiters [9.3] */

enum owner { SET, DIED };

static const struct {
	uint32_t word;
	enum owner owner;
	bool joins;
} agreements[] = {
    {W | OTHER, SET, true},
    {OTHER, SET, true},
    {W | OD | OTHER, SET, true},
    {W | OD, SET, true},
    {OD, SET, true},
    {0, SET, false},
    {W, SET, false},
    {W | ENDED, SET, false},
    {W | NOBODY, SET, false},
    {OD | FOREIGN, SET, false},
    {W | OD, DIED, true},
    {OD, DIED, true},
    {W | OD | ENDED, DIED, false},
    {W | OTHER, DIED, false},
    {0, DIED, false},
    {W, DIED, false},
};

/* @waiter waits for m, which @other owns; or it owns nothing any more and @waiter has not run. */
static void make_waiter(enum owner owner)
{
	assert_int_equal(lock_pi(&other, &m), 0);
	assert_int_equal(lock_pi(&waiter, &m), BLOCKED);
	if (owner == DIED) {
		hold(&waiter);
		end(&other);
	}
}

static void word_with_a_waiter_agrees_with_the_kernel_or_not(void **state)
{
	for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
		bool joins = agreements[i].joins;

		print_message("# row %zu: %08x\n", i, agreements[i].word);
		make_waiter(agreements[i].owner);
		m = agreements[i].word;
		assert_int_equal(trylock_pi(&self, &m), joins ? -RQPI_EAGAIN : -RQPI_EINVAL);
		assert_int_equal(lock_pi(&self, &m), joins ? BLOCKED : -RQPI_EINVAL);
		assert_int_equal(m, agreements[i].word);
		m = agreements[i].owner == SET ? W | OTHER : W | OD;
		if (agreements[i].owner == SET)
			assert_int_equal(unlock_pi(&other, &m), 0);
		else
			let_go(&waiter);
		assert_int_equal(result(&waiter), 0);
		assert_int_equal(unlock_pi(&waiter, &m), 0);
		if (joins) {
			assert_int_equal(result(&self), 0);
			assert_int_equal(unlock_pi(&self, &m), 0);
		}
		assert_int_equal(m, 0);
		fresh(state);
	}
}

/* A second waiter is requeued onto a word that has one [13.4.7, CVE-2014-3153]. */
static void requeue_to_a_word_with_a_waiter_agrees_or_not(void **state)
{
	for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
		bool joins = agreements[i].joins;

		print_message("# row %zu: %08x\n", i, agreements[i].word);
		make_waiter(agreements[i].owner);
		assert_int_equal(wait_requeue_pi(&self, &cond, 0, &m), BLOCKED);
		m = agreements[i].word;
		assert_int_equal(cmp_requeue_pi(&kernel, &cond, 0, &m, 1),
				 joins ? 1 : -RQPI_EINVAL);
		assert_int_equal(result(&self), BLOCKED);
		assert_int_equal(m, agreements[i].word);
		cond = 1; /* now it leaves, moved or not */
		signal_arrives(&self);
		coop_run(&stage.coop);
		assert_int_equal(result(&self), -RQPI_EAGAIN);
		m = agreements[i].owner == SET ? W | OTHER : W | OD;
		if (agreements[i].owner == SET)
			assert_int_equal(unlock_pi(&other, &m), 0);
		else
			let_go(&waiter);
		assert_int_equal(result(&waiter), 0);
		assert_int_equal(unlock_pi(&waiter, &m), 0);
		fresh(state);
	}
}

static int accesses;

static void change_at_the_second_look(struct coop *coop, uint32_t *uaddr)
{
	if (coop->running == &self.t && uaddr == &m && ++accesses == 2)
		m = 0;
}

/* User space changes the word between the two looks at it: it is judged again. */
static void word_changes_while_it_is_compared(void **state)
{
	(void)state;
	make_waiter(SET);
	accesses = 0;
	stage.coop.on_access = change_at_the_second_look;
	assert_int_equal(lock_pi(&self, &m), -RQPI_EINVAL);
	assert_true(accesses > 2);
	stage.coop.on_access = NULL;
	m = W | OTHER;
	assert_int_equal(unlock_pi(&other, &m), 0);
	assert_int_equal(unlock_pi(&waiter, &m), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(word_without_waiters),
	    T(word_that_a_waiter_is_requeued_to),
	    T(word_with_a_waiter_agrees_with_the_kernel_or_not),
	    T(requeue_to_a_word_with_a_waiter_agrees_or_not),
	    T(word_changes_while_it_is_compared),
	};

	return stage_main("engine: PI words as tables", tests);
}
