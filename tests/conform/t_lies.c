/* SPDX-License-Identifier: MIT */
/*
 * t_lies.c - lanes that lie: each is the running kernel but for one thing, and the comparison of
 * random programs must find that, and make the program that shows it small.
 *
 * A liar changes what comes back from the kernel, or what it is asked.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/rqpi/conform/conform.h"
#include "tools/rqpi/conform/show.h"

enum {
	SEED = 1,
	PROGRAMS = 400, /* a lie that is not found in so many is not found */
	STEPS = 6,	/* and one that needs so many steps is not made small */
};

static long honest(uint32_t *uaddr, int op, uint32_t val, const void *timeout, uint32_t *uaddr2,
		   uint32_t val3)
{
	return conform_lane_linux.futex(uaddr, op, val, timeout, uaddr2, val3);
}

/* One more than it woke. */
static long counts_too_many(uint32_t *uaddr, int op, uint32_t val, const void *timeout,
			    uint32_t *uaddr2, uint32_t val3)
{
	long result = honest(uaddr, op, val, timeout, uaddr2, val3);

	return (op & FUTEX_CMD_MASK) == FUTEX_WAKE && result > 0 ? result + 1 : result;
}

/* nr_wake 0 wakes nobody, as a reader of the manual might think. */
static long wakes_none_for_zero(uint32_t *uaddr, int op, uint32_t val, const void *timeout,
				uint32_t *uaddr2, uint32_t val3)
{
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAKE && !val)
		return 0;
	return honest(uaddr, op, val, timeout, uaddr2, val3);
}

/* The word of a lock that is handed over loses its W. */
static long forgets_waiters_flag(uint32_t *uaddr, int op, uint32_t val, const void *timeout,
				 uint32_t *uaddr2, uint32_t val3)
{
	long result = honest(uaddr, op, val, timeout, uaddr2, val3);

	if ((op & FUTEX_CMD_MASK) == FUTEX_LOCK_PI && !result)
		__atomic_and_fetch(uaddr, ~(uint32_t)FUTEX_WAITERS, __ATOMIC_SEQ_CST);
	return result;
}

/* A requeue that finds nobody says so with an error. */
static long refuses_empty_requeue(uint32_t *uaddr, int op, uint32_t val, const void *timeout,
				  uint32_t *uaddr2, uint32_t val3)
{
	long result = honest(uaddr, op, val, timeout, uaddr2, val3);

	return (op & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE_PI && !result ? -EAGAIN : result;
}

static long sets_nothing(pid_t tid, const struct conform_sched *sched)
{
	(void)tid;
	(void)sched;
	return 0;
}

static struct conform_options two_lanes(const struct conform_lane *liar)
{
	struct conform_options o = {
	    .lanes = {liar, &conform_lane_linux},
	    .lane_count = 2,
	    .seed = SEED,
	};

	assert_int_equal(conform_find_setting(&o.setting), 0);
	o.setting.guard = true;
	return o;
}

static bool is_found(const struct conform_options *o, uint64_t seed, struct conform_program *p)
{
	struct conform_options one = *o;
	struct conform_report report = {0};
	bool found;

	one.seed = seed;
	one.operations = 1;
	assert_int_equal(conform_run_random(&one, &report), 0);
	found = report.differences > 0;
	conform_report_free(&report);
	if (found)
		conform_make_program(p, seed, true, o->setting.realtime);
	return found;
}

static void must_be_found(const struct conform_lane *liar)
{
	struct conform_options o = two_lanes(liar);
	struct conform_program program;
	uint64_t seed = SEED;
	int step;

	while (seed < SEED + PROGRAMS && !is_found(&o, seed, &program))
		seed++;
	assert_true(seed < SEED + PROGRAMS);
	step = conform_shrink(&o, &program);
	print_message("# program %llu, %d steps left\n", (unsigned long long)seed,
		      program.step_count);
	assert_true(step >= 0);
	assert_true(program.step_count <= STEPS);
	assert_int_equal(step, program.step_count - 1);
	conform_program_free(&program);
}

#define LIAR(title, ...)                                       \
	static void title(void **state)                        \
	{                                                      \
		struct conform_lane liar = conform_lane_linux; \
                                                               \
		(void)state;                                   \
		liar.name = "liar";                            \
		__VA_ARGS__;                                   \
		must_be_found(&liar);                          \
	}

LIAR(a_wrong_count_is_found, liar.futex = counts_too_many)
LIAR(a_wake_that_does_nothing_is_found, liar.futex = wakes_none_for_zero)
LIAR(a_lost_waiters_flag_is_found, liar.futex = forgets_waiters_flag)
LIAR(a_wrong_error_is_found, liar.futex = refuses_empty_requeue)
LIAR(a_priority_that_does_not_change_is_found, liar.set_scheduler = sets_nothing)

static void the_same_lane_twice_does_not_differ(void **state)
{
	struct conform_options o = two_lanes(&conform_lane_linux);
	struct conform_report report = {0};

	(void)state;
	o.operations = 3000;
	o.seconds = 60;
	assert_int_equal(conform_run_random(&o, &report), 0);
	assert_int_equal(report.differences, 0);
	/* An emulator on a busy machine may be late in what it says of a thread. */
	assert_true(report.unstable * 10 <= (getenv("RQT_EMULATOR") ? report.programs : 0));
	assert_true(report.programs > 20);
	conform_report_free(&report);
}

static void a_seed_makes_one_program(void **state)
{
	struct conform_program a, b;
	char in_a[CONFORM_TEXT], in_b[CONFORM_TEXT];

	(void)state;
	conform_make_program(&a, 12345, false, true);
	conform_make_program(&b, 12345, false, true);
	assert_int_equal(a.step_count, b.step_count);
	for (int i = 0; i < a.step_count; i++)
		assert_string_equal(conform_show_step(&a, i, in_a, sizeof(in_a)),
				    conform_show_step(&b, i, in_b, sizeof(in_b)));
	conform_program_free(&a);
	conform_program_free(&b);
}

static void kernels_are_told_apart(void **state)
{
	(void)state;
	assert_false(conform_kernel_is_safe("6.1.0-49-amd64"));
	assert_false(conform_kernel_is_safe("7.0.11-200.fc44.x86_64"));
	assert_true(conform_kernel_is_safe("7.1.0-rc1"));
	assert_true(conform_kernel_is_safe("8.0.1"));
	assert_false(conform_kernel_is_safe("strange"));
}

static void kernels_have_the_version_that_they_say(void **state)
{
	static const char debian[] = "#1 SMP PREEMPT_RT Debian 6.1.192-2 (2026-11-16)";
	static const char ubuntu[] = "Ubuntu 5.15.0-91.101-generic 5.15.131\n";
	struct conform_kernel k;

	(void)state;
	conform_name_kernel("6.1.0-56-rt-amd64", debian, NULL, &k);
	assert_string_equal(k.name, "6.1.192, PREEMPT_RT");
	conform_name_kernel("5.15.0-91-generic", "#101-Ubuntu SMP", ubuntu, &k);
	assert_string_equal(k.name, "5.15.131");
	conform_name_kernel("6.18.44-custom", "#1 SMP PREEMPT_DYNAMIC", NULL, &k);
	assert_string_equal(k.name, "6.18.44");
	conform_name_kernel("6.18.0-rc3", "#1 SMP PREEMPT_RT", NULL, &k);
	assert_string_equal(k.name, "6.18.0, PREEMPT_RT");
}

static void spans_have_both_ends(void **state)
{
	struct conform_span span;
	struct conform_version v;

	(void)state;
	assert_true(conform_parse_version("6.1.183", 0, &span.first));
	assert_true(conform_parse_version("6.1", INT_MAX, &span.last));
	assert_true(conform_parse_version("6.1.182", 0, &v));
	assert_false(conform_in_spans(&v, &span, 1));
	assert_true(conform_parse_version("6.1.183", 0, &v));
	assert_true(conform_in_spans(&v, &span, 1));
	assert_true(conform_parse_version("6.1.9999", 0, &v));
	assert_true(conform_in_spans(&v, &span, 1));
	assert_true(conform_parse_version("6.2", 0, &v));
	assert_false(conform_in_spans(&v, &span, 1));
	assert_false(conform_parse_version("6", 0, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_seed_makes_one_program),
	    cmocka_unit_test(kernels_are_told_apart),
	    cmocka_unit_test(kernels_have_the_version_that_they_say),
	    cmocka_unit_test(spans_have_both_ends),
	    cmocka_unit_test(the_same_lane_twice_does_not_differ),
	    cmocka_unit_test(a_wrong_count_is_found),
	    cmocka_unit_test(a_wake_that_does_nothing_is_found),
	    cmocka_unit_test(a_lost_waiters_flag_is_found),
	    cmocka_unit_test(a_wrong_error_is_found),
	    cmocka_unit_test(a_priority_that_does_not_change_is_found),
	};

	return cmocka_run_group_tests_name("lies", tests, NULL, NULL);
}
