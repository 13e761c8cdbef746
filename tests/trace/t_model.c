/* SPDX-License-Identifier: MIT */
/*
 * t_model.c - what `rqpi trace` concludes from events: each rule of
 * tools/rqpi/trace/trace_waits.c and trace_blame.c, with made-up events. Nothing is traced here.
 * Those of trace_futex.c: t_futex.c; of trace_sched.c: t_sched.c.
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

/* ---- the inversion, whoever tells it ---- */

static void is_the_inversion(const struct trace_wait *w)
{
	assert_int_equal(w->tid, HIGH);
	assert_int_equal(w->owner, LOW);
	assert_int_equal(w->urgency, HIGH_PRIO);
	assert_int_equal(w->owner_urgency, LOW_PRIO);
	assert_true(w->inversion && !w->boosted && !w->open);
}

static void an_inversion_is_blamed_on_who_ran(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_inversion(m, true, true);
	trace_model_build(m);
	w = mu_only_wait(m); /* the futex call is a part of it */
	is_the_inversion(w);
	assert_int_equal(w->how, TRACE_HOW_LOCK);
	assert_false(w->owner_inferred);
	assert_true(w->since == US(110) && w->until == US(20103));
	assert_true(w->blamed);
	assert_int_equal(w->ran, US(88 + 101));
	assert_int_equal(w->starved, US(19800));
	assert_int_equal(w->slept, 0);
	assert_int_equal(w->culprits, 1);
	assert_int_equal(w->culprit[0].tid, MID);
	assert_int_equal(w->culprit[0].cpu, 0);
	assert_int_equal(w->culprit[0].urgency, MID_PRIO);
	assert_int_equal(w->culprit[0].ns, US(19800));
	assert_int_equal(w->chain, TRACE_NO_INDEX);
	assert_int_equal(m->inversions, 1);
	assert_int_equal(mu_lock_of(m, w)->inversions, 1);
	assert_int_equal(mu_lock_of(m, w)->inversion_ns, US(19993));
	assert_int_equal(mu_lock_of(m, w)->worst, 0);
	assert_false(mu_lock_of(m, w)->inferred);
}

static void futex_calls_alone_show_the_same(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_inversion(m, true, false);
	trace_model_build(m);
	w = mu_only_wait(m);
	is_the_inversion(w);
	assert_int_equal(w->how, TRACE_HOW_FUTEX);
	assert_true(w->owner_inferred);
	assert_int_equal(w->starved, US(19800));
	assert_int_equal(mu_lock_of(m, w)->type, TRACE_MUTEX);
	assert_int_equal(mu_lock_of(m, w)->inherits, TRACE_INHERITS_NO);
	assert_true(mu_lock_of(m, w)->inferred);
}

static void without_the_scheduler_it_is_seen_and_not_blamed(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_inversion(m, false, true);
	trace_model_build(m);
	w = mu_only_wait(m);
	is_the_inversion(w);
	assert_false(w->blamed);
	assert_true(w->ran + w->starved + w->slept == 0 && w->culprits == 0);
}

static void events_may_arrive_in_any_order(void **state)
{
	struct trace_model *m = *state;
	uint32_t seed = 1;

	mu_inversion(m, true, true);
	for (uint32_t i = m->events.count - 1; i > 0; i--) {
		uint32_t j = (seed = seed * 1103515245u + 12345u) % (i + 1);
		struct trace_event kept = m->events.at[i];

		m->events.at[i] = m->events.at[j];
		m->events.at[j] = kept;
	}
	trace_model_build(m);
	is_the_inversion(mu_only_wait(m));
	assert_int_equal(mu_only_wait(m)->starved, US(19800));
}

static void who_is_more_urgent_than_the_waiter_is_no_culprit(void **state)
{
	struct trace_model *m = *state;

	mu_inversion(m, true, true);
	for (uint32_t i = 0; i < m->events.count; i++) {
		struct trace_event *e = &m->events.at[i];

		if (e->type == TRACE_SWITCH && e->tid == MID)
			e->mine = HIGH_PRIO;
		if (e->type == TRACE_SWITCH && e->other == MID)
			e->its = HIGH_PRIO;
	}
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->starved, 0);
	assert_true(mu_only_wait(m)->blamed && mu_only_wait(m)->inversion);
}

/* The owner is queued on CPU 1, where MID runs; who runs on CPU 0 does not keep it from running. */
static void only_the_owners_cpu_counts(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_switch_on(m, 0, 1, 0, 0, false, LOW, LOW_PRIO);
	mu_switch_on(m, 1, 0, 0, 0, false, HIGH, HIGH_PRIO);
	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_switch_on(m, 11, 0, HIGH, HIGH_PRIO, false, OTHER, 0);
	mu_switch_on(m, 20, 1, LOW, LOW_PRIO, true, MID, MID_PRIO);
	mu_switch_on(m, 120, 1, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_wake(m, 130, LOW, HIGH, HIGH_PRIO);
	mu_switch_on(m, 131, 0, OTHER, 0, true, HIGH, HIGH_PRIO);
	mu_end(m, 132, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	w = mu_only_wait(m);
	assert_int_equal(w->starved, US(100));
	assert_int_equal(w->culprits, 1);
	assert_int_equal(w->culprit[0].tid, MID);
	assert_int_equal(w->culprit[0].cpu, 1);
	assert_int_equal(w->ran, US(10 + 12));
}

/* WAKING tells where it slept, CPU 0; it is queued where it runs next, CPU 1. */
static void a_woken_owner_is_queued_where_it_runs_next(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 0, 1, 0, 0, false, MID, MID_PRIO);
	mu_switch_on(m, 1, 0, LOW, LOW_PRIO, false, HIGH, HIGH_PRIO);
	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_switch_on(m, 11, 0, HIGH, HIGH_PRIO, false, 0, 0);
	mu_wake(m, 50, 0, LOW, LOW_PRIO);
	mu_switch_on(m, 90, 1, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_end(m, 100, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->slept, US(40));
	assert_int_equal(mu_only_wait(m)->starved, US(40));
	assert_int_equal(mu_only_wait(m)->ran, US(10));
}

/* LOW has A and waits for B, which OTHER has, whom MID keeps from running. */
static void the_last_of_a_chain_is_to_blame(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_switch(m, 0, 0, 0, false, OTHER, 1);
	mu_wake(m, 9, 0, LOW, LOW_PRIO);
	mu_switch(m, 10, OTHER, 1, true, LOW, LOW_PRIO);
	mu_lock(m, 20, LOW, LOW_PRIO, B_LOCK, OTHER, 1, 0);
	mu_switch(m, 21, LOW, LOW_PRIO, false, HIGH, HIGH_PRIO);
	mu_lock(m, 30, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_switch(m, 31, HIGH, HIGH_PRIO, false, MID, MID_PRIO);
	mu_switch(m, 131, MID, MID_PRIO, false, OTHER, 1);
	mu_wake(m, 140, OTHER, LOW, LOW_PRIO);
	mu_switch(m, 141, OTHER, 1, true, LOW, LOW_PRIO);
	mu_end(m, 142, TRACE_LOCKED, LOW, B_LOCK, 0);
	mu_wake(m, 150, LOW, HIGH, HIGH_PRIO);
	mu_switch(m, 151, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_end(m, 152, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	w = &m->waits.at[1];
	assert_int_equal(w->tid, HIGH);
	assert_int_equal(w->chain, 0);
	assert_int_equal(m->waits.at[w->chain].owner, OTHER);
	assert_int_equal(w->culprit[0].tid, MID);
	assert_int_equal(w->culprit[0].ns, US(100));
	/* At its unlock OTHER ran for a moment although LOW could have. */
	assert_int_equal(w->starved, US(100 + 1));
	assert_int_equal(w->ran, US(9 + 10)); /* OTHER, then LOW */
	assert_int_equal(w->slept, 0);
	assert_int_equal(m->inversions, 2); /* LOW is more urgent than OTHER, too */
}

static void a_circle_of_waits_comes_to_an_end(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, MID, MID_PRIO, 0);
	mu_lock(m, 20, MID, MID_PRIO, B_LOCK, LOW, LOW_PRIO, 0);
	mu_lock(m, 30, LOW, LOW_PRIO, A_LOCK, MID, MID_PRIO, 0);
	mu_sleep(m, 40, 50, OTHER, 0, HIGH);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 3);
	assert_true(m->waits.at[0].open && m->waits.at[1].open && m->waits.at[2].open);
	assert_int_equal(m->inversions, 2);
}

/* ---- the preload's events ---- */

static void an_unknown_owner_makes_no_inversion(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, 0, TRACE_URGENCY_UNKNOWN, 0);
	mu_end(m, 20, TRACE_LOCKED, HIGH, A_LOCK, 0);
	mu_lock(m, 30, HIGH, HIGH_PRIO, A_LOCK, LOW, TRACE_URGENCY_UNKNOWN, 0);
	mu_end(m, 40, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_int_equal(m->waits.at[0].owner, 0);
	assert_int_equal(m->waits.at[1].owner, LOW);
	assert_int_equal(m->inversions, 0);
}

static void an_owner_that_nobody_told_is_who_woke(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, 0, TRACE_URGENCY_UNKNOWN, 0);
	mu_futex(m, 11, HIGH, FUTEX_WAIT, A_LOCK, 2);
	mu_switch_on(m, 12, 1, OTHER, LOW_PRIO, false, LOW, LOW_PRIO);
	mu_futex(m, 20, LOW, FUTEX_WAKE, A_LOCK, 1);
	mu_wake(m, 21, LOW, HIGH, HIGH_PRIO);
	mu_done(m, 22, HIGH, 0);
	mu_end(m, 23, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(mu_only_wait(m)->owner, LOW);
	assert_true(mu_only_wait(m)->owner_inferred && mu_only_wait(m)->inversion);
}

static void a_mutex_with_a_ceiling_has_no_inversions(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0x40);
	mu_end(m, 20, TRACE_LOCKED, HIGH, A_LOCK, ETIMEDOUT);
	trace_model_build(m);
	assert_false(mu_only_wait(m)->inversion || mu_only_wait(m)->boosted);
	assert_int_equal(mu_only_wait(m)->value, ETIMEDOUT);
}

static void one_that_inherits_boosts(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0x20);
	mu_end(m, 20, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_true(mu_only_wait(m)->boosted && !mu_only_wait(m)->inversion);
	assert_int_equal(mu_lock_of(m, mu_only_wait(m))->boosts, 1);
	assert_int_equal(mu_lock_of(m, mu_only_wait(m))->inherits, TRACE_INHERITS_YES);
}

static void futex_calls_inside_of_a_condvar_wait_are_part_of_it(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_wait(m, 10, HIGH, A_COND, A_LOCK, 0);
	mu_futex(m, 11, HIGH, FUTEX_WAIT_BITSET, A_COND + 8, 0);
	mu_done(m, 50, HIGH, 0);
	mu_futex(m, 51, HIGH, FUTEX_WAIT, A_LOCK, 2);
	mu_done(m, 60, HIGH, 0);
	mu_end(m, 61, TRACE_WAITED, HIGH, A_COND, 0);
	trace_model_build(m);
	w = mu_only_wait(m);
	assert_int_equal(w->how, TRACE_HOW_WAIT);
	assert_true(w->since == US(10) && w->until == US(61));
	assert_int_equal(mu_lock_of(m, w)->type, TRACE_CONDVAR);
	assert_int_equal(m->locks.at[mu_lock_of(m, w)->partner].address, A_LOCK);
	assert_int_equal(m->locks.count, 2);
	assert_int_equal(w->owner, 0);
}

static void a_signal_that_sleeps_inside_is_noticed(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_release(m, 10, HIGH, A_COND, true);
	mu_futex(m, 11, HIGH, FUTEX_WAIT, A_COND + 16, 2);
	mu_done(m, 31, HIGH, 0);
	mu_futex(m, 32, HIGH, FUTEX_WAIT, A_COND + 16, 2);
	mu_done(m, 33, HIGH, -EAGAIN);
	mu_futex(m, 34, HIGH, FUTEX_WAKE, A_COND + 8, 1);
	mu_done(m, 38, HIGH, 1);
	mu_end(m, 40, TRACE_RELEASED, HIGH, A_COND, 0);
	trace_model_build(m);
	w = mu_only_wait(m);
	assert_int_equal(w->how, TRACE_HOW_RELEASE);
	assert_true(w->broadcast);
	assert_int_equal(w->asleep, US(20));
	assert_int_equal(mu_lock_of(m, w)->waits, 0);
}

/* LOW has what the signal sleeps for, and MID keeps it from running. */
static void a_signal_that_sleeps_is_blamed_on_who_ran(void **state)
{
	struct trace_model *m = *state;
	const struct trace_wait *w;

	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	mu_switch(m, 5, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_release(m, 10, HIGH, A_COND, false);
	mu_futex(m, 11, HIGH, FUTEX_WAIT, A_COND + 16, 3);
	mu_switch(m, 12, HIGH, HIGH_PRIO, false, MID, MID_PRIO);
	mu_switch(m, 112, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_futex(m, 119, LOW, FUTEX_WAKE, A_COND + 16, 1);
	mu_wake(m, 120, LOW, HIGH, HIGH_PRIO);
	mu_switch(m, 121, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_done(m, 122, HIGH, 0);
	mu_end(m, 123, TRACE_RELEASED, HIGH, A_COND, 0);
	trace_model_build(m);
	w = mu_only_wait(m);
	assert_int_equal(w->asleep, US(111));
	assert_int_equal(w->owner, LOW);
	assert_true(w->owner_inferred && w->blamed && !w->inversion);
	assert_int_equal(w->starved, US(100));
	assert_int_equal(w->culprit[0].tid, MID);
}

/* The owner sleeps until somebody posts a semaphore: that is no lock that somebody has. */
static void a_chain_is_of_locks_alone(void **state)
{
	struct trace_model *m = *state;

	mu_switch_on(m, 0, 1, 0, 0, false, LOW, LOW_PRIO);
	mu_switch_on(m, 1, 2, 0, 0, false, MID, MID_PRIO);
	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_futex(m, 20, LOW, FUTEX_WAIT, B_LOCK, 0);
	mu_switch_on(m, 20, 1, LOW, LOW_PRIO, false, 0, 0);
	mu_futex(m, 50, MID, FUTEX_WAKE, B_LOCK, 1);
	mu_wake(m, 51, MID, LOW, LOW_PRIO);
	mu_switch_on(m, 51, 1, 0, 0, false, LOW, LOW_PRIO);
	mu_done(m, 52, LOW, 0);
	mu_end(m, 60, TRACE_LOCKED, HIGH, A_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_int_equal(m->waits.at[1].owner, MID);
	assert_int_equal(m->waits.at[0].chain, TRACE_NO_INDEX);
	assert_int_equal(m->waits.at[0].slept, US(31));
	assert_int_equal(m->waits.at[0].ran, US(10 + 9));
}

/* ---- ends and beginnings that are missing ---- */

static void a_wait_without_an_end_lasts_as_long_as_the_trace(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_lock(m, 20, MID, MID_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_life(m, 30, TRACE_EXIT, MID, 0);
	mu_life(m, 90, TRACE_EXIT, OTHER, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_true(m->waits.at[0].open && m->waits.at[0].until == US(90));
	assert_true(m->waits.at[1].open && m->waits.at[1].until == US(30));
}

static void a_wait_without_a_beginning_began_before_the_trace(void **state)
{
	struct trace_model *m = *state;

	mu_life(m, 5, TRACE_EXIT, OTHER, 0);
	mu_end(m, 20, TRACE_LOCKED, HIGH, A_LOCK, 0);
	mu_end(m, 25, TRACE_LOCKED, HIGH, A_LOCK, 0); /* its beginning got lost: nothing is known */
	mu_end(m, 30, TRACE_WAITED, LOW, A_COND, -1);
	mu_end(m, 35, TRACE_RELEASED, MID, A_COND, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_true(m->waits.at[0].open && m->waits.at[1].open);
	assert_true(m->waits.at[0].since == US(5) && m->waits.at[1].since == US(5));
	assert_true(m->waits.at[0].until == US(20) && m->waits.at[1].until == US(30));
	assert_int_equal(m->waits.at[1].value, -1);
	assert_int_equal(m->inversions, 0);
}

static void a_lost_end_ends_where_the_next_wait_begins(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_lock(m, 40, HIGH, HIGH_PRIO, B_LOCK, LOW, LOW_PRIO, 0);
	mu_end(m, 50, TRACE_LOCKED, HIGH, B_LOCK, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_true(m->waits.at[0].open && m->waits.at[0].until == US(40));
	assert_true(!m->waits.at[1].open && m->waits.at[1].until == US(50));
}

/* HIGH's number is given to a new thread, which is not the one that waited. */
static void a_thread_id_is_used_again(void **state)
{
	struct trace_model *m = *state;

	mu_futex(m, 10, HIGH, FUTEX_LOCK_PI, A_LOCK, 0);
	mu_life(m, 20, TRACE_EXIT, HIGH, 0);
	mu_life(m, 30, TRACE_FORK, LOW, HIGH);
	mu_done(m, 40, HIGH, 0); /* of a call of which nothing is known */
	mu_end(m, 45, TRACE_LOCKED, HIGH, A_LOCK, 0);
	mu_futex(m, 50, HIGH, FUTEX_LOCK_PI, B_LOCK, 0);
	mu_done(m, 60, HIGH, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2);
	assert_true(m->waits.at[0].open && m->waits.at[0].until == US(20));
	assert_true(!m->waits.at[1].open && m->waits.at[1].since == US(50));
}

static void another_program_ends_the_waits_of_all_threads(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
	mu_lock(m, 10, PROCESS, 0, A_LOCK, LOW, LOW_PRIO, 0);
	mu_futex(m, 15, OTHER, FUTEX_LOCK_PI, B_LOCK, 0); /* of another process, for all we know */
	mu_life(m, 20, TRACE_EXEC, PROCESS, 0);
	mu_life(m, 90, TRACE_EXIT, PROCESS, 0);
	trace_model_build(m);
	assert_int_equal(m->waits.count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(m->waits.at[i].until,
				 m->waits.at[i].tid == OTHER ? US(90) : US(20));
}

static void nothing_happened(void **state)
{
	struct trace_model *m = *state;

	trace_model_build(m);
	assert_true(m->begin == 0 && m->end == 0);
	assert_int_equal(m->waits.count + m->slices.count + m->boosts.count, 0);
}

static void events_that_make_no_sense_are_passed_over(void **state)
{
	struct trace_model *m = *state;
	struct trace_event e = {.ns = 1, .type = TRACE_TYPES, .tid = 7};

	trace_add(m, &e);
	for (uint16_t type = 0; type < TRACE_TYPES; type++) {
		e = (struct trace_event){.ns = 2, .type = type, .cpu = TRACE_NO_CPU};
		trace_add(m, &e);
		e.tid = 7;
		trace_add(m, &e);
	}
	trace_model_build(m);
	assert_int_equal(m->inversions, 0);
}

/* ---- size ---- */

static void a_hundred_thousand_events(void **state)
{
	struct trace_model *m = *state;
	const uint32_t rounds = 20000;

	for (uint32_t i = rounds; i > 0; i--) {
		uint64_t at = i * 100u;
		uint64_t lock = A_LOCK + i % 1000 * 64;

		mu_switch(m, at, 0, 0, false, LOW, LOW_PRIO);
		mu_lock(m, at + 10, HIGH, HIGH_PRIO, lock, LOW, LOW_PRIO, 0);
		mu_lock(m, at + 20, LOW, LOW_PRIO, lock + 8, HIGH, HIGH_PRIO, 0);
		mu_end(m, at + 30, TRACE_LOCKED, LOW, lock + 8, 0);
		mu_end(m, at + 40, TRACE_LOCKED, HIGH, lock, 0);
		mu_switch(m, at + 50, LOW, LOW_PRIO, false, 0, 0);
	}
	trace_model_build(m);
	assert_int_equal(m->waits.count, 2 * rounds);
	assert_int_equal(m->locks.count, 2000);
	assert_int_equal(m->inversions, rounds);
	for (uint32_t i = 0; i < m->waits.count; i++)
		assert_true(i == 0 || m->waits.at[i - 1].since <= m->waits.at[i].since);
	assert_int_equal(m->waits.at[0].ran, US(30));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_inversion_is_blamed_on_who_ran),
	    CASE(futex_calls_alone_show_the_same),
	    CASE(without_the_scheduler_it_is_seen_and_not_blamed),
	    CASE(events_may_arrive_in_any_order),
	    CASE(who_is_more_urgent_than_the_waiter_is_no_culprit),
	    CASE(only_the_owners_cpu_counts),
	    CASE(a_woken_owner_is_queued_where_it_runs_next),
	    CASE(the_last_of_a_chain_is_to_blame),
	    CASE(a_circle_of_waits_comes_to_an_end),
	    CASE(an_unknown_owner_makes_no_inversion),
	    CASE(an_owner_that_nobody_told_is_who_woke),
	    CASE(a_mutex_with_a_ceiling_has_no_inversions),
	    CASE(one_that_inherits_boosts),
	    CASE(futex_calls_inside_of_a_condvar_wait_are_part_of_it),
	    CASE(a_signal_that_sleeps_inside_is_noticed),
	    CASE(a_signal_that_sleeps_is_blamed_on_who_ran),
	    CASE(a_chain_is_of_locks_alone),
	    CASE(a_wait_without_an_end_lasts_as_long_as_the_trace),
	    CASE(a_wait_without_a_beginning_began_before_the_trace),
	    CASE(a_lost_end_ends_where_the_next_wait_begins),
	    CASE(a_thread_id_is_used_again),
	    CASE(another_program_ends_the_waits_of_all_threads),
	    CASE(nothing_happened),
	    CASE(events_that_make_no_sense_are_passed_over),
	    CASE(a_hundred_thousand_events),
	};

	cmocka_set_test_filter(getenv("RQT_FILTER")); /* scripts/wrong.sh */
	return cmocka_run_group_tests_name("trace-model", tests, NULL, NULL);
}
