/* SPDX-License-Identifier: MIT */
/*
 * t_futex.c - what `rqpi trace` concludes from futex calls alone: each rule at the top of
 * tools/rqpi/trace/trace_futex.c, and what must not be taken for a lock. Made-up events.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/futex.h>
#include <cmocka.h>

#include "tests/trace/made_up.h"

/* ---- words ---- */

/* HIGH waits on A_LOCK from 10 to 30 and finds @value there; LOW wakes it. */
static void wait_and_wake(struct trace_model *m, uint32_t value, uint32_t wakes)
{
	mu_switch_on(m, 0, HIGH, 0, 0, false, HIGH, HIGH_PRIO);
	mu_switch_on(m, 1, LOW, 0, 0, false, LOW, LOW_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_WAIT, A_LOCK, value);
	mu_futex(m, 29, LOW, FUTEX_WAKE, A_LOCK, wakes);
	mu_sleep(m, 11, 30, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 31, LOW, 1);
	mu_done(m, 32, HIGH, 0);
}

static void is_only_a_word(struct trace_model *m)
{
	trace_model_build(m);
	assert_true(m->waits.count > 0);
	assert_int_equal(m->locks.at[0].type, TRACE_WORD);
	assert_int_equal(m->locks.at[0].inherits, TRACE_INHERITS_UNKNOWN);
	assert_int_equal(m->inversions, 0);
}

static void a_semaphore_is_no_mutex(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 0, 1);
	mu_futex(m, 40, HIGH, FUTEX_WAKE, A_LOCK, 1); /* it posts, too */
	mu_done(m, 41, HIGH, 0);
	is_only_a_word(m);
	assert_int_equal(m->waits.at[0].owner, LOW); /* who woke it */
	assert_true(m->waits.at[0].owner_inferred);
}

/* musl's: the word is 2, "joinable", and who ends wakes one. */
static void a_join_is_no_mutex(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 2, 1);
	mu_futex(m, 40, HIGH, FUTEX_WAKE, B_LOCK, 1);
	mu_done(m, 41, HIGH, 0);
	is_only_a_word(m);
}

/* glibc's: the word is the thread's ID, and the kernel wakes at its end, in no call. */
static void a_join_has_no_owner(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 1, LOW, 0, 0, false, LOW, LOW_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_WAIT_BITSET, A_LOCK, LOW);
	mu_sleep(m, 11, 30, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 32, HIGH, 0);
	is_only_a_word(m);
	assert_int_equal(m->waits.at[0].owner, 0);
}

static void a_word_that_wakes_many_is_no_mutex(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 2, INT32_MAX);
	mu_futex(m, 40, HIGH, FUTEX_WAKE, A_LOCK, 1);
	is_only_a_word(m);
}

static void a_counter_is_no_mutex(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 2, 1);
	mu_futex(m, 40, HIGH, FUTEX_WAKE, A_LOCK, 1);
	mu_done(m, 41, HIGH, 0);
	mu_futex(m, 50, HIGH, FUTEX_WAIT, A_LOCK, 3);
	is_only_a_word(m);
}

static void musls_normal_mutex_is_known(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 0x80000010u, 1);
	trace_model_build(m);
	assert_int_equal(mu_lock_of(m, mu_only_wait(m))->type, TRACE_MUTEX);
	assert_true(mu_only_wait(m)->inversion && mu_only_wait(m)->owner_inferred);
}

static void a_robust_mutex_says_who_has_it(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 0x80000000u | LOW, 1);
	trace_model_build(m);
	assert_int_equal(mu_lock_of(m, mu_only_wait(m))->type, TRACE_MUTEX);
	assert_int_equal(mu_only_wait(m)->owner, LOW);
	assert_false(mu_only_wait(m)->owner_inferred);
	assert_true(mu_only_wait(m)->inversion);
}

/* As trace_kernel_owner.c does it, of a wait that does not end. */
static void an_owner_that_memory_tells_is_not_inferred(void **state)
{
	struct trace_model *m = *state;
	struct trace_lock *lock = trace_lock(m, PROCESS, A_LOCK);

	lock->type = TRACE_MUTEX;
	lock->inherits = TRACE_INHERITS_NO;
	mu_futex(m, 10, HIGH, FUTEX_WAIT, A_LOCK, 2);
	m->events.at[0].other = LOW;
	mu_sleep(m, 11, 90, HIGH, HIGH_PRIO, OTHER);
	mu_futex(m, 11, HIGH, FUTEX_LOCK_PI, B_LOCK, 0);
	m->events.at[m->events.count - 1].other = LOW;
	trace_thread(m, LOW)->urgency = LOW_PRIO;
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(m->waits.at[i].owner, LOW);
		assert_int_equal(m->waits.at[i].owner_urgency, LOW_PRIO);
		assert_false(m->waits.at[i].owner_inferred);
		assert_true(m->waits.at[i].open);
	}
	assert_true(m->waits.at[0].inversion && m->waits.at[1].boosted);
}

static void a_number_that_is_no_thread_is_no_owner(void **state)
{
	struct trace_model *m = *state;

	wait_and_wake(m, 0x80000000u | 999, 1);
	is_only_a_word(m);
}

static void a_time_that_runs_out_has_no_owner(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 0, LOW, 0, 0, false, LOW, LOW_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_LOCK_PI, A_LOCK, 0);
	mu_futex(m, 15, LOW, FUTEX_WAKE, B_LOCK, 1); /* the timer interrupts it by chance */
	mu_sleep(m, 11, 30, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 32, HIGH, -ETIMEDOUT);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->owner, 0);
	assert_int_equal(mu_only_wait(m)->value, ETIMEDOUT);
}

static void a_call_that_is_served_at_once_is_no_wait(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 1, HIGH, 0, 0, false, HIGH, HIGH_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_LOCK_PI, A_LOCK, 0); /* it does not sleep */
	mu_done(m, 11, HIGH, 0);
	mu_futex(m, 20, HIGH, FUTEX_WAIT, B_LOCK, 2);
	mu_sleep(m, 21, 30, HIGH, HIGH_PRIO, 0);
	mu_done(m, 32, HIGH, -EAGAIN);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 0);
}

/* The trace begins, by attaching; HIGH has waited for long, LOW wakes it. */
static void who_sleeps_already_waits(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 5, LOW, 0, 0, false, LOW, LOW_PRIO);
	mu_futex(m, 6, HIGH, FUTEX_LOCK_PI, A_LOCK, 0);
	mu_futex(m, 20, LOW, FUTEX_UNLOCK_PI, A_LOCK, 0);
	mu_wake(m, 21, LOW, HIGH, HIGH_PRIO);
	mu_switch_on(m, 22, HIGH, 0, 0, false, HIGH, HIGH_PRIO);
	mu_done(m, 23, HIGH, 0);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->owner, LOW);
	assert_true(mu_only_wait(m)->boosted);
}

static void an_interrupted_call_was_a_wait(void **state)
{
	struct trace_model *m = *state;

	mu_futex(m, 20, HIGH, FUTEX_WAIT, B_LOCK, 2);
	mu_sleep(m, 21, 30, HIGH, HIGH_PRIO, 0);
	mu_done(m, 32, HIGH, -512);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->value, EINTR);
}

/* ---- glibc's condvar ---- */

/* LOW waits in a group that is to be closed; HIGH's signal sleeps until it has left. */
static void signal_that_sleeps(struct trace_model *m, uint32_t refs, uint32_t wakes, uint64_t apart)
{
	m->from_preload = false;
	mu_switch_on(m, 1, LOW, 0, 0, false, LOW, LOW_PRIO);
	mu_switch_on(m, 1, HIGH, 0, 0, false, HIGH, HIGH_PRIO);
	mu_futex(m, 10, LOW, FUTEX_WAIT_BITSET, A_COND + 0x14 + apart, 0);
	mu_futex(m, 19, HIGH, FUTEX_WAKE, A_COND + 0x14 + apart, 1);
	mu_sleep(m, 11, 20, LOW, LOW_PRIO, HIGH);
	mu_done(m, 21, HIGH, 1);
	mu_done(m, 30, LOW, 0);
	mu_futex(m, 40, HIGH, FUTEX_WAIT, A_COND + 0x14, refs);
	mu_futex(m, 59, LOW, FUTEX_WAKE, A_COND + 0x14, wakes);
	mu_sleep(m, 41, 60, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 61, LOW, 1);
	mu_done(m, 62, HIGH, 0);
	trace_model_build(m);
}

static void a_signal_that_sleeps_in_glibcs_condvar_is_known(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	signal_that_sleeps(m, 3, INT32_MAX, 0x18);
	assert_int_equal(m->waits.count, 2);
	w = &m->waits.at[0];
	assert_int_equal(w->how, TRACE_HOW_FUTEX);
	assert_int_equal(mu_lock_of(m, w)->type, TRACE_CONDVAR);
	assert_int_equal(mu_lock_of(m, w)->address, A_COND);
	assert_true(mu_lock_of(m, w)->inferred);
	assert_int_equal(mu_lock_of(m, w)->waits, 1);
	assert_int_equal(w->owner, 0);
	assert_int_equal(m->waits.at[1].lock, w->lock);
	w = &m->waits.at[1];
	assert_int_equal(w->how, TRACE_HOW_RELEASE);
	assert_int_equal(w->asleep, US(22));
	assert_int_equal(w->owner, LOW);
	assert_true(w->owner_inferred && !w->inversion);
}

static void words_that_are_used_otherwise_are_no_condvar(void **state)
{
	struct trace_model *m = *state;

	signal_that_sleeps(m, 3, 1, 0x18);
	for (uint32_t i = 0; i < m->locks.count; i++)
		assert_int_equal(m->locks.at[i].type, TRACE_WORD);
	trace_model_free(m);
	mu_begin(m);
	signal_that_sleeps(m, 4, INT32_MAX, 0x18);
	for (uint32_t i = 0; i < m->locks.count; i++)
		assert_int_equal(m->locks.at[i].type, TRACE_WORD);
	trace_model_free(m);
	mu_begin(m);
	signal_that_sleeps(m, 3, INT32_MAX, 0x1c);
	for (uint32_t i = 0; i < m->locks.count; i++)
		assert_int_equal(m->locks.at[i].type, TRACE_WORD);
}

/* ---- inheritance ---- */

/* LOW is boosted by HIGH, and runs instead of MID. */
static void a_boost_is_joined_to_its_wait(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	mu_switch(m, 5, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_LOCK_PI2, A_LOCK, 0);
	mu_setprio(m, 11, HIGH, LOW, LOW_PRIO, HIGH_PRIO);
	mu_setprio(m, 11, HIGH, OTHER, 1, HIGH_PRIO); /* for whom LOW waits */
	mu_switch(m, 12, HIGH, HIGH_PRIO, false, LOW, HIGH_PRIO);
	mu_futex(m, 30, LOW, FUTEX_UNLOCK_PI, A_LOCK, 0);
	mu_setprio(m, 31, LOW, LOW, HIGH_PRIO, LOW_PRIO);
	mu_wake(m, 32, LOW, HIGH, HIGH_PRIO);
	mu_switch(m, 33, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_done(m, 34, HIGH, 0);
	trace_model_build(m);
	w = mu_only_wait(m);
	assert_int_equal(mu_lock_of(m, w)->type, TRACE_MUTEX);
	assert_int_equal(mu_lock_of(m, w)->inherits, TRACE_INHERITS_YES);
	assert_int_equal(w->owner, LOW);
	assert_int_equal(w->owner_urgency, LOW_PRIO); /* its own */
	assert_true(w->owner_inferred && w->boosted && !w->inversion);
	assert_int_equal(m->boosts.count, 3);
	assert_int_equal(m->boosts.at[0].wait, 0);
	assert_int_equal(m->boosts.at[1].wait, 0);
	assert_int_equal(m->boosts.at[2].wait, TRACE_NO_INDEX);
	assert_int_equal(w->ran, US(21));
	assert_int_equal(w->starved, 0);
	assert_int_equal(trace_find_thread(m, LOW)->urgency, LOW_PRIO);
}

static void who_hands_a_pi_lock_over_had_it(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 1, LOW, 0, 0, false, LOW, HIGH_PRIO);
	mu_futex(m, 10, HIGH, FUTEX_LOCK_PI, A_LOCK, 0);
	mu_futex(m, 29, LOW, FUTEX_UNLOCK_PI, A_LOCK, 0);
	mu_sleep(m, 11, 30, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 32, HIGH, 0);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->owner, LOW);
	assert_true(mu_only_wait(m)->owner_inferred);
	assert_false(mu_only_wait(m)->boosted); /* they are equal */
}

static void a_requeued_wait_is_a_condvars(void **state)
{
	struct trace_model *m = *state;
	const struct trace_lock *cond;

	mu_futex2(m, 10, HIGH, FUTEX_WAIT_REQUEUE_PI, A_COND, A_LOCK);
	mu_futex2(m, 20, LOW, FUTEX_CMP_REQUEUE_PI, A_COND, A_LOCK);
	mu_done(m, 21, LOW, 1);
	mu_futex(m, 29, LOW, FUTEX_UNLOCK_PI, A_LOCK, 0);
	mu_sleep(m, 11, 30, HIGH, HIGH_PRIO, LOW);
	mu_done(m, 32, HIGH, 0);
	trace_model_build(m);
	cond = mu_lock_of(m, mu_only_wait(m));
	assert_int_equal(cond->type, TRACE_CONDVAR);
	assert_int_equal(m->locks.at[cond->partner].address, A_LOCK);
	assert_int_equal(m->locks.at[cond->partner].inherits, TRACE_INHERITS_YES);
	assert_int_equal(mu_only_wait(m)->owner, 0);
	assert_false(mu_only_wait(m)->inversion);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_semaphore_is_no_mutex),
	    CASE(a_join_is_no_mutex),
	    CASE(a_join_has_no_owner),
	    CASE(a_word_that_wakes_many_is_no_mutex),
	    CASE(a_counter_is_no_mutex),
	    CASE(musls_normal_mutex_is_known),
	    CASE(a_robust_mutex_says_who_has_it),
	    CASE(an_owner_that_memory_tells_is_not_inferred),
	    CASE(a_number_that_is_no_thread_is_no_owner),
	    CASE(a_time_that_runs_out_has_no_owner),
	    CASE(a_call_that_is_served_at_once_is_no_wait),
	    CASE(who_sleeps_already_waits),
	    CASE(an_interrupted_call_was_a_wait),
	    CASE(a_signal_that_sleeps_in_glibcs_condvar_is_known),
	    CASE(words_that_are_used_otherwise_are_no_condvar),
	    CASE(a_boost_is_joined_to_its_wait),
	    CASE(who_hands_a_pi_lock_over_had_it),
	    CASE(a_requeued_wait_is_a_condvars),
	};

	cmocka_set_test_filter(getenv("RQT_FILTER")); /* scripts/wrong.sh */
	return cmocka_run_group_tests_name("trace-futex", tests, NULL, NULL);
}
