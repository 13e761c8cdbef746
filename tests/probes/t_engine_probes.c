/* SPDX-License-Identifier: MIT */
/*
 * t_engine_probes.c - the probes of librqpi-engine: a futex operation that is no system call, and a
 * priority that the engine lends.
 */
#define _GNU_SOURCE
#include "tests/support/probes.h"
#include "tests/support/support.h"

#include <rqpi/host.h>

static const char *not_planted;
static uint32_t word;

static const struct rqt_hit *find(const char *name, intptr_t first, int64_t second)
{
	const struct rqt_hit *hit;

	for (unsigned int n = 0; (hit = rqt_probes_find(name, (void *)first, n)); n++)
		if (hit->arg[1] == second)
			return hit;
	fail_msg("%s has not been hit with %lld", name, (long long)second);
	return NULL;
}

static int setup(void **state)
{
	rqt_plain_setup(state);
	word = 0;
	rqt_probes_forget();
	return 0;
}

static void need_probes(const char *test)
{
	if (not_planted)
		rqt_skip(test, not_planted);
}

static void an_operation_is_told_with_its_result(void **state)
{
	const int op = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
	const struct rqt_hit *entry;
	const struct rqt_hit *back;

	(void)state;
	need_probes(__func__);
	assert_int_equal(rqpi_futex(&word, op, 5, NULL, NULL, 0), -EAGAIN);
	entry = find("futex__entry", (intptr_t)&word, op);
	back = find("futex__return", (intptr_t)&word, op);
	assert_int_equal(entry->arg[2], 5);
	assert_int_equal(entry->arg[3], 0);
	assert_int_equal(back->arg[2], -EAGAIN);
	assert_int_equal(entry->tid, back->tid);
	assert_true(entry < back);
}

static void body_locks(struct rqt_thread *self)
{
	self->value = (int)rqpi_futex(&word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	rqpi_futex(&word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

/* The main thread owns it, and gets the priority of who waits; then its own back. */
static void a_boost_is_told(void **state)
{
	struct rqt_thread t = {.body = body_locks};
	const struct rqt_hit *boost;
	pid_t me = atomic_load(&rqt_main_thread.tid);
	const int op = FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG;

	(void)state;
	need_probes(__func__);
	rqt_need_fifo(__func__);
	assert_int_equal(rqpi_futex(&word, op, 0, NULL, NULL, 0), 0);
	assert_null(rqt_probes_find("prio__apply", (void *)(intptr_t)me, 0));
	rqt_start(&t, 7);
	rqt_wait_asleep(&t);
	boost = find("prio__apply", me, 99 - 7);
	assert_int_equal(boost->arg[2], 0);
	assert_int_equal(boost->tid, atomic_load(&t.tid));
	rqpi_futex(&word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	assert_true(rqt_probes_count("prio__apply", (void *)(intptr_t)me) >= 2);
}

#define PROBE_CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PROBE_CASE(an_operation_is_told_with_its_result),
	    PROBE_CASE(a_boost_is_told),
	};

	struct rqpi_host_options options = {.size = sizeof(options)};

	rqt_program_begin();
	if (rqpi_host_start(&options) != 0)
		return 1;
	not_planted = rqt_probes_plant("librqpi-engine.so");
	return cmocka_run_group_tests_name("engine probes", tests, NULL, NULL);
}
