/* SPDX-License-Identifier: MIT */
/*
 * t_numbers.c - the numbers that are compiled into programs: macros and enumerators of the public
 * headers, which no tool sees in a library. Where they are Linux's, they are compared with Linux's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/futex.h>

#include <rqpi/engine.h>
#include <rqpi/host.h>
#include <rqpi/rqpi.h>
#include <rqpi/trace.h>

static void the_version_is_one(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d.%d.%d", RQPI_VERSION_MAJOR, RQPI_VERSION_MINOR,
		 RQPI_VERSION_PATCH);
	assert_string_equal(text, RQPI_VERSION);
	assert_string_equal(text, rqpi_version());
}

static void kinds_of_mutexes_and_condvars_keep_their_numbers(void **state)
{
	(void)state;
	assert_int_equal(RQPI_MUTEX_NORMAL, 0);
	assert_int_equal(RQPI_MUTEX_RECURSIVE, 1);
	assert_int_equal(RQPI_MUTEX_ERRORCHECK, 2);
	assert_int_equal(RQPI_STALLED, 0);
	assert_int_equal(RQPI_ROBUST, 1);
	assert_int_equal(RQPI_PROCESS_PRIVATE, 0);
	assert_int_equal(RQPI_PROCESS_SHARED, 1);
	assert_int_equal(RQPI_CAP_PI, 1);
	assert_int_equal(RQPI_CAP_LOCK_PI2, 2);
	assert_int_equal(RQPI_CAP_REQUEUE_PI, 4);
	assert_int_equal(RQPI_CAP_ROBUST, 8);
	assert_int_equal(RQPI_CAP_ENGINE, 16);
}

/* What a static initialiser leaves in memory is what this and every later library must accept. */
static void initialisers_keep_their_bytes(void **state)
{
	static const rqpi_mutex_t mutexes[] = {RQPI_MUTEX_INITIALIZER,
					       RQPI_RECURSIVE_MUTEX_INITIALIZER,
					       RQPI_ERRORCHECK_MUTEX_INITIALIZER};
	static const rqpi_cond_t conds[] = {RQPI_COND_INITIALIZER, RQPI_COND_MONOTONIC_INITIALIZER};
	uint32_t words[12];

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t want[10] = {0, i};

		memcpy(words, &mutexes[i], sizeof(want));
		assert_memory_equal(words, want, sizeof(want));
		assert_int_equal(sizeof(mutexes[i]), sizeof(want));
	}
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t want[12] = {i * 0x100};

		memcpy(words, &conds[i], sizeof(want));
		assert_memory_equal(words, want, sizeof(want));
		assert_int_equal(sizeof(conds[i]), sizeof(want));
	}
}

static void operations_have_linux_numbers(void **state)
{
	static const struct {
		int ours, linux_has;
	} ops[] = {
	    {RQPI_FUTEX_WAIT, FUTEX_WAIT},
	    {RQPI_FUTEX_WAKE, FUTEX_WAKE},
	    {RQPI_FUTEX_REQUEUE, FUTEX_REQUEUE},
	    {RQPI_FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE},
	    {RQPI_FUTEX_WAKE_OP, FUTEX_WAKE_OP},
	    {RQPI_FUTEX_LOCK_PI, FUTEX_LOCK_PI},
	    {RQPI_FUTEX_UNLOCK_PI, FUTEX_UNLOCK_PI},
	    {RQPI_FUTEX_TRYLOCK_PI, FUTEX_TRYLOCK_PI},
	    {RQPI_FUTEX_WAIT_BITSET, FUTEX_WAIT_BITSET},
	    {RQPI_FUTEX_WAKE_BITSET, FUTEX_WAKE_BITSET},
	    {RQPI_FUTEX_WAIT_REQUEUE_PI, FUTEX_WAIT_REQUEUE_PI},
	    {RQPI_FUTEX_CMP_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI},
	    {RQPI_FUTEX_LOCK_PI2, 13}, /* not in the headers before Linux 5.14 */
	    {RQPI_FUTEX_PRIVATE, FUTEX_PRIVATE_FLAG},
	    {RQPI_FUTEX_CLOCK_REALTIME, FUTEX_CLOCK_REALTIME},
	    {RQPI_CLOCK_REALTIME, CLOCK_REALTIME},
	    {RQPI_CLOCK_MONOTONIC, CLOCK_MONOTONIC},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		assert_int_equal(ops[i].ours, ops[i].linux_has);
}

/* On x86-64, whose numbers the engine has on every machine. */
static void errors_have_linux_numbers(void **state)
{
	static const struct {
		int ours, linux_has;
	} errors[] = {
	    {RQPI_EPERM, 1},	   {RQPI_ESRCH, 3},	    {RQPI_EINTR, 4},
	    {RQPI_EAGAIN, 11},	   {RQPI_EFAULT, 14},	    {RQPI_EBUSY, 16},
	    {RQPI_EINVAL, 22},	   {RQPI_EDEADLK, 35},	    {RQPI_ENOSYS, 38},
	    {RQPI_ETIMEDOUT, 110}, {RQPI_ERESTARTSYS, 512}, {RQPI_ERESTARTNOINTR, 513},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(errors[i].ours, errors[i].linux_has);
		assert_string_not_equal(rqpi_error_name(errors[i].linux_has), "?");
	}
#if defined(__x86_64__)
	assert_int_equal(RQPI_EDEADLK, EDEADLK);
	assert_int_equal(RQPI_ETIMEDOUT, ETIMEDOUT);
	assert_int_equal(RQPI_ENOSYS, ENOSYS);
#endif
}

static void what_a_port_gets_keeps_its_numbers(void **state)
{
	(void)state;
	assert_int_equal(RQPI_KEY_PRIVATE, 0);
	assert_int_equal(RQPI_KEY_SHARED_MEMORY, 1);
	assert_int_equal(RQPI_KEY_SHARED_OBJECT, 2);
	assert_int_equal(RQPI_PRIO_DEADLINE, -1);
	assert_int_equal(RQPI_PRIO_RT(99), 0);
	assert_int_equal(RQPI_PRIO_RT(1), 98);
	assert_int_equal(RQPI_PRIO_NICE(-20), 100);
	assert_int_equal(RQPI_PRIO_NICE(19), 139);
	assert_true(RQPI_FOREVER == UINT64_MAX);
	assert_int_equal(RQPI_TASK_BYTES, 768);
	assert_int_equal(RQPI_PI_STATE_BYTES, 192);
	assert_int_equal(RQPI_OBJECT_ALIGN, 2 * sizeof(void *)); /* as malloc() gives it */
	assert_int_equal(RQPI_RT_MUTEX_BYTES, sizeof(struct rqpi_rt_mutex));
	assert_int_equal(RQPI_RT_MUTEX_BYTES, 64);
	assert_int_equal(RQPI_HOST_DEFER_SIGNALS, 1);
	assert_int_equal(RQPI_HOST_CATCH_FAULTS, 2);
	assert_int_equal(RQPI_HOST_ACROSS_FORK, 4);
	assert_int_equal(RQPI_HOST_TRACE, 8);
}

/* In the order of their numbers, each with the function that its text begins with. */
static void events_keep_their_numbers(void **state)
{
	static const struct {
		uint32_t id;
		const char *function;
	} events[] = {
	    {RQPI_EV_CALL, "futex: "},
	    {RQPI_EV_RETURN, "futex: "},
	    {RQPI_EV_LOOKUP_NEW, "lookup_pi_state: "},
	    {RQPI_EV_LOOKUP_FOUND, "lookup_pi_state: "},
	    {RQPI_EV_LOOKUP_REFUSED, "lookup_pi_state: "},
	    {RQPI_EV_ATOMIC, "futex_lock_pi_atomic: "},
	    {RQPI_EV_REQUEUE_TAKEN, "futex_requeue: "},
	    {RQPI_EV_REQUEUE_MOVED, "futex_requeue: "},
	    {RQPI_EV_REQUEUE_SKIPPED, "futex_requeue: "},
	    {RQPI_EV_START_PROXY, "rt_mutex_start_proxy_lock: "},
	    {RQPI_EV_HAS_WAITERS, "rt_mutex_start_proxy_lock: "},
	    {RQPI_EV_BLOCKS_ON, "rt_mutex_start_proxy_lock: task_blocks_on_rt_mutex "},
	    {RQPI_EV_TRY_TAKE, "try_to_take_rt_mutex: "},
	    {RQPI_EV_TAKEN, "try_to_take_rt_mutex: assigned "},
	    {RQPI_EV_SLOWLOCK, "rt_mutex_slowlock: "},
	    {RQPI_EV_SLOWLOCK_DONE, "rt_mutex_slowlock: "},
	    {RQPI_EV_UNLOCK, "rt_mutex_unlock: unlocking "},
	    {RQPI_EV_FASTUNLOCK, "rt_mutex_unlock: unlocked "},
	    {RQPI_EV_DESIGNATE, "rt_mutex_unlock: unlocked "},
	    {RQPI_EV_REMOVE_WAITER, "remove_waiter: "},
	    {RQPI_EV_CHAIN, "rt_mutex_adjust_prio_chain: step "},
	    {RQPI_EV_CHAIN_DEADLOCK, "rt_mutex_adjust_prio_chain: deadlock"},
	    {RQPI_EV_SET_PRIO, "rt_mutex_setprio: "},
	    {RQPI_EV_FIXUP, "fixup_pi_state_owner: "},
	    {RQPI_EV_EXIT_LIST, "exit_robust_list: "},
	    {RQPI_EV_EXIT_STATE, "exit_pi_state_list: "},
	    {RQPI_EV_WAKE, "wake_up_q: "},
	};

	(void)state;
	assert_int_equal(RQPI_EV_IDS, sizeof(events) / sizeof(events[0]));
	for (uint32_t i = 0; i < RQPI_EV_IDS; i++) {
		struct rqpi_event event = {.id = i, .tid = 1};
		char text[200];

		assert_int_equal(events[i].id, i);
		rqpi_event_text(&event, text, sizeof(text));
		assert_memory_equal(text, events[i].function, strlen(events[i].function));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_version_is_one),
	    cmocka_unit_test(kinds_of_mutexes_and_condvars_keep_their_numbers),
	    cmocka_unit_test(initialisers_keep_their_bytes),
	    cmocka_unit_test(operations_have_linux_numbers),
	    cmocka_unit_test(errors_have_linux_numbers),
	    cmocka_unit_test(what_a_port_gets_keeps_its_numbers),
	    cmocka_unit_test(events_keep_their_numbers),
	};

	return cmocka_run_group_tests_name("abi: numbers", tests, NULL, NULL);
}
