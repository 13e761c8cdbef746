/* SPDX-License-Identifier: MIT */
/*
 * t_sched.c - who ran when, and who was boosted, as `rqpi trace` concludes it from the scheduler's
 * events: the rules at the top of tools/rqpi/trace/trace_sched.c. Made-up events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/trace/made_up.h"

static void who_stops_first_has_run_from_the_beginning(void **state)
{
	struct trace_model *m = *state;
	const struct trace_slice *s;

	mu_wake(m, 10, 0, HIGH, HIGH_PRIO);
	mu_switch(m, 50, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_switch(m, 70, HIGH, HIGH_PRIO, false, 0, 0);
	mu_switch(m, 90, 0, 0, false, LOW, LOW_PRIO);
	trace_model_build(m);
	assert_int_equal(m->slices.count, 4);
	s = m->slices.at; /* by thread */
	assert_true(s[0].tid == HIGH && !s[0].running && s[0].since == US(10));
	assert_true(s[1].tid == HIGH && s[1].running && s[1].since == US(50));
	assert_true(s[2].tid == LOW && s[2].running && s[2].since == US(10));
	assert_true(s[3].tid == LOW && !s[3].running && s[3].until == US(90));
}

static void a_boost_divides_a_slice(void **state)
{
	struct trace_model *m = *state;

	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	trace_thread(m, LOW)->traced = true;
	mu_setprio(m, 10, HIGH, LOW, LOW_PRIO, HIGH_PRIO);
	mu_switch(m, 30, LOW, HIGH_PRIO, false, 0, 0);
	trace_model_build(m);
	assert_int_equal(m->slices.count, 2);
	assert_true(m->slices.at[0].urgency == LOW_PRIO && m->slices.at[0].until == US(10));
	assert_true(m->slices.at[1].urgency == HIGH_PRIO && m->slices.at[1].until == US(30));
	assert_int_equal(trace_find_thread(m, LOW)->urgency, LOW_PRIO);
}

static void boosts_of_other_programs_are_not_told(void **state)
{
	struct trace_model *m = *state;

	mu_setprio(m, 10, HIGH, LOW, LOW_PRIO, HIGH_PRIO);
	mu_setprio(m, 20, MID, OTHER, LOW_PRIO, HIGH_PRIO);
	trace_thread(m, LOW)->traced = true;
	trace_model_build(m);
	assert_int_equal(m->boosts.count, 1);
	assert_int_equal(m->boosts.at[0].by, HIGH);
}

/* LOW runs, the events of 20 and 30 got lost, and MID stops where LOW should have. */
static void a_contradiction_makes_no_slice_longer(void **state)
{
	struct trace_model *m = *state;

	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	mu_switch(m, 1000, MID, MID_PRIO, false, 0, 0);
	trace_model_build(m);
	assert_int_equal(m->slices.count, 0);
}

/* The waker is faster than the sleeper: it is woken before it has left its CPU. */
static void a_thread_can_be_woken_before_it_sleeps(void **state)
{
	struct trace_model *m = *state;

	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	mu_wake(m, 10, HIGH, LOW, LOW_PRIO);
	mu_switch(m, 11, LOW, LOW_PRIO, false, MID, MID_PRIO);
	mu_switch(m, 50, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_switch(m, 60, LOW, LOW_PRIO, false, 0, 0);
	trace_model_build(m);
	assert_int_equal(m->slices.count, 4);
	assert_true(m->slices.at[2].tid == LOW && !m->slices.at[2].running);
	assert_true(m->slices.at[2].since == US(11) && m->slices.at[2].until == US(50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(who_stops_first_has_run_from_the_beginning),
	    CASE(a_boost_divides_a_slice),
	    CASE(boosts_of_other_programs_are_not_told),
	    CASE(a_contradiction_makes_no_slice_longer),
	    CASE(a_thread_can_be_woken_before_it_sleeps),
	};

	cmocka_set_test_filter(getenv("RQT_FILTER")); /* scripts/wrong.sh */
	return cmocka_run_group_tests_name("trace-sched", tests, NULL, NULL);
}
