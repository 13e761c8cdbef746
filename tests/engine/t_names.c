/* SPDX-License-Identifier: MIT */
/*
 * t_names.c - everything has a name: codes, operations, events; a text that does not fit is cut; an
 * engine says in words who waits for what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/stage.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define RT(n) RQPI_PRIO_RT(n)

static void every_code_has_a_name(void **state)
{
	static const struct {
		int code;
		const char *name;
	} codes[] = {
	    {RQPI_EPERM, "EPERM"},
	    {RQPI_ESRCH, "ESRCH"},
	    {RQPI_EINTR, "EINTR"},
	    {RQPI_EAGAIN, "EAGAIN"},
	    {RQPI_EFAULT, "EFAULT"},
	    {RQPI_EBUSY, "EBUSY"},
	    {RQPI_EINVAL, "EINVAL"},
	    {RQPI_EDEADLK, "EDEADLK"},
	    {RQPI_ENOSYS, "ENOSYS"},
	    {RQPI_ETIMEDOUT, "ETIMEDOUT"},
	    {RQPI_ERESTARTSYS, "ERESTARTSYS"},
	    {RQPI_ERESTARTNOINTR, "ERESTARTNOINTR"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_string_equal(rqpi_error_name(codes[i].code), codes[i].name);
		assert_string_equal(rqpi_error_name(-codes[i].code), codes[i].name);
	}
	assert_string_equal(rqpi_error_name(0), "0");
	assert_string_equal(rqpi_error_name(2), "?");
	assert_string_equal(rqpi_error_name(LONG_MIN), "?");
}

static void every_operation_has_a_name(void **state)
{
	(void)state;
	for (int op = 0; op <= RQPI_FUTEX_LOCK_PI2; op++) {
		if (op == 2)
			continue;
		assert_memory_equal(rqpi_futex_op_name(op), "FUTEX_", 6);
		assert_string_equal(rqpi_futex_op_name(op | P), rqpi_futex_op_name(op));
		assert_string_equal(rqpi_futex_op_name(op | RQPI_FUTEX_CLOCK_REALTIME),
				    rqpi_futex_op_name(op));
		for (int other = 0; other < op; other++)
			assert_string_not_equal(rqpi_futex_op_name(op), rqpi_futex_op_name(other));
	}
	assert_string_equal(rqpi_futex_op_name(2), "an unknown operation");
	assert_string_equal(rqpi_futex_op_name(14), "an unknown operation");
	assert_string_equal(rqpi_futex_op_name(-1), "an unknown operation");
	assert_string_equal(rqpi_futex_op_name(INT_MIN), "an unknown operation");
}

/* "function: text", with nothing left of the %x in it. */
static void every_event_has_a_text(void **state)
{
	(void)state;
	for (uint32_t id = 0; id <= RQPI_EV_IDS; id++) {
		struct rqpi_event event = {id, 3, 0xabcdef, INT64_MIN, -RQPI_EDEADLK};
		char text[200];
		size_t n = rqpi_event_text(&event, text, sizeof(text));

		assert_int_equal(n, strlen(text));
		assert_null(strchr(text, '%'));
		if (id < RQPI_EV_IDS)
			assert_non_null(strstr(text, ": "));
		else
			assert_string_equal(text, "unknown event");
	}
}

static void a_text_that_does_not_fit_is_cut(void **state)
{
	static const struct rqpi_event events[] = {
	    {RQPI_EV_RETURN, 3, UINT64_MAX, RQPI_FUTEX_WAIT_REQUEUE_PI, -RQPI_ERESTARTNOINTR},
	    {RQPI_EV_BLOCKS_ON, 3, UINT64_MAX, -RQPI_EDEADLK, INT64_MAX},
	    {RQPI_EV_SET_PRIO, 3, 0, INT64_MIN, INT64_MIN},
	    {UINT32_MAX, 3, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		char whole[200];
		size_t length = rqpi_event_text(&events[i], whole, sizeof(whole));

		for (size_t bytes = 0; bytes <= length + 2; bytes++) {
			char text[200];
			size_t n;

			memset(text, '#', sizeof(text));
			n = rqpi_event_text(&events[i], text, bytes);
			for (size_t k = bytes; k < sizeof(text); k++)
				assert_int_equal(text[k], '#');
			if (!bytes) {
				assert_int_equal(n, 0);
				continue;
			}
			assert_int_equal(n, bytes - 1 < length ? bytes - 1 : length);
			assert_int_equal(text[n], 0);
			assert_memory_equal(text, whole, n);
		}
	}
}

/* ---------------------------------------------------------------- an engine in words */

static struct stage stage;
static struct actor o, a, b, c, d;
static char dump[4000];

static void add_line(void *arg, const char *line)
{
	(void)arg;
	strncat(dump, line, sizeof(dump) - strlen(dump) - 2);
	strcat(dump, "\n");
}

static void says(const char *format, uint32_t id)
{
	char part[200];

	snprintf(part, sizeof(part), format, id);
	if (!strstr(dump, part))
		fail_msg("\"%s\" is not in:\n%s", part, dump);
}

static void an_engine_says_who_waits_for_what(void **state)
{
	uint32_t m = 0, u = 0, cond = 0;

	(void)state;
	stage_open(&stage, 1);
	stage_actor(&stage, &o, RT(1));
	stage_actor(&stage, &a, RT(10));
	stage_actor(&stage, &b, RQPI_PRIO_NICE(5));
	stage_actor(&stage, &c, RQPI_PRIO_DEADLINE);
	stage_actor(&stage, &d, RT(10));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
	assert_int_equal(wait_requeue_pi(&c, &cond, 0, &m), BLOCKED);
	dump[0] = '\0';
	rqpi_engine_dump(stage.coop.engine, add_line, NULL);
	says("%u (real-time 10) waits for the PI futex private 1:", tid(&a));
	says(", owned by %u (real-time 1, runs as real-time 10)", tid(&o));
	says("%u (nice 5) waits on private 1:", tid(&b));
	says("%u (deadline) waits to be requeued on private 1:", tid(&c));
	hold(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	dump[0] = '\0';
	rqpi_engine_dump(stage.coop.engine, add_line, NULL);
	says(", being given to %u (real-time 10)", tid(&a));
	assert_int_equal(trylock_pi(&d, &m), -RQPI_EAGAIN);
	let_go(&a);
	hold(&d);
	assert_int_equal(lock_pi(&d, &m), BLOCKED);
	let_go(&d);
	hold(&d);
	end(&a);
	dump[0] = '\0';
	rqpi_engine_dump(stage.coop.engine, add_line, NULL);
	says("%u (real-time 10) waits for the PI futex", tid(&d));
	says(", whose owner died", 0);
	let_go(&d);
	assert_int_equal(unlock_pi(&d, &m), 0);
	assert_int_equal(wake(&o, &u, 1), 1);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, 0), 1);
	assert_int_equal(unlock_pi(&c, &m), 0);
	dump[0] = '\0';
	rqpi_engine_dump(stage.coop.engine, add_line, NULL);
	assert_string_equal(dump, "");
	stage_close(&stage);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_code_has_a_name),
	    cmocka_unit_test(every_operation_has_a_name),
	    cmocka_unit_test(every_event_has_a_text),
	    cmocka_unit_test(a_text_that_does_not_fit_is_cut),
	    cmocka_unit_test(an_engine_says_who_waits_for_what),
	};

	return stage_main("engine: in words", tests);
}
