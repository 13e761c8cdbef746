/* SPDX-License-Identifier: MIT */
/*
 * t_dispatch.c - which calls are refused before anything is done, and in which order; the clocks
 * and the largest times (semantics 1, 3); what an engine is made from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/stage.h"

#include <limits.h>
#include <string.h>

#define RT(n) RQPI_PRIO_RT(n)
#define REAL  RQPI_FUTEX_CLOCK_REALTIME

static struct stage stage;
static struct actor o, a;
static uint32_t u, u2;
static uint32_t *const odd = (uint32_t *)(uintptr_t)0x1002;
static uint32_t *const outside = (uint32_t *)(UINTPTR_MAX - 4095);

static int setup(void **state)
{
	(void)state;
	u = u2 = 0;
	stage_open(&stage, 1);
	stage_actor(&stage, &o, RT(1));
	stage_actor(&stage, &a, RT(10));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

static bool has_timeout(int cmd)
{
	return cmd == RQPI_FUTEX_WAIT || cmd == RQPI_FUTEX_WAIT_BITSET ||
	       cmd == RQPI_FUTEX_LOCK_PI || cmd == RQPI_FUTEX_LOCK_PI2 ||
	       cmd == RQPI_FUTEX_WAIT_REQUEUE_PI;
}

static bool takes_realtime(int cmd)
{
	return cmd == RQPI_FUTEX_WAIT_BITSET || cmd == RQPI_FUTEX_LOCK_PI2 ||
	       cmd == RQPI_FUTEX_WAIT_REQUEUE_PI;
}

static bool exists(int cmd)
{
	return cmd >= 0 && cmd <= RQPI_FUTEX_LOCK_PI2 && cmd != 2;
}

/* [1.1, 1.4] */
static void operations_that_there_are_not(void **state)
{
	static const int others[] = {0x200 | RQPI_FUTEX_WAKE,
				     (int)(0x80000000u | RQPI_FUTEX_WAKE),
				     -1,
				     14,
				     15,
				     63,
				     100,
				     127,
				     INT_MIN,
				     INT_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(call(&a, others[i], &u, 1, NULL, &u2, 1), -RQPI_ENOSYS);
	for (int cmd = 0; cmd < 16; cmd++) {
		for (int options = 0; options < 4; options++) {
			int op = cmd | (options & 1 ? P : 0) | (options & 2 ? REAL : 0);
			bool known = exists(cmd) && (!(op & REAL) || takes_realtime(cmd));
			long ret;

			if (cmd == RQPI_FUTEX_UNLOCK_PI && known)
				continue; /* t_pi_table.c */
			/* A misaligned address is the least that a known one must object to. */
			ret = call(&a, op, odd, 1, NULL, odd, 1);
			assert_int_equal(ret, known ? -RQPI_EINVAL : -RQPI_ENOSYS);
		}
	}
}

/* [1.2] */
static void time_is_looked_at_first_if_the_operation_has_one(void **state)
{
	static const struct rqpi_timespec wrong[] = {
	    {-1, 0}, {0, -1}, {0, 1000000000}, {INT64_MIN, 0}, {0, INT64_MAX}};
	const struct rqpi_timespec *nowhere = (void *)&stage;

	(void)state;
	for (int cmd = 0; cmd < 16; cmd++) {
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			long ret = call(&a, cmd | REAL, odd, 1, &wrong[i], odd, 0);

			if (has_timeout(cmd))
				assert_int_equal(ret, -RQPI_EINVAL);
			else
				assert_int_equal(ret, -RQPI_ENOSYS);
		}
		fault(&stage, (const uint32_t *)(const void *)nowhere, -1, 1);
		assert_int_equal(call(&a, cmd | REAL, odd, 1, nowhere, odd, 0),
				 has_timeout(cmd) ? -RQPI_EFAULT : -RQPI_ENOSYS);
		no_fault(&stage);
	}
	/* Even where the lock is free. */
	assert_int_equal(call(&a, RQPI_FUTEX_LOCK_PI | P, &u, 0, &wrong[0], NULL, 0), -RQPI_EINVAL);
	assert_int_equal(u, 0);
}

/* [1.3] */
static void others_take_the_fourth_argument_for_a_number_or_for_nothing(void **state)
{
	const void *eight = (const void *)(uintptr_t)8;

	(void)state;
	assert_int_equal(call(&a, RQPI_FUTEX_TRYLOCK_PI | P, &u, 0, eight, NULL, 0), 0);
	assert_int_equal(call(&a, RQPI_FUTEX_UNLOCK_PI | P, &u, 0, eight, NULL, 0), 0);
	assert_int_equal(call(&a, RQPI_FUTEX_WAKE | P, &u, 1, eight, NULL, 0), 0);
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
#if UINTPTR_MAX > 0xffffffffu
	assert_int_equal(call(&o, RQPI_FUTEX_REQUEUE | P, &u, 0, (void *)0x100000001, &u2, 0), 1);
#else
	assert_int_equal(requeue(&o, &u, 0, 1, &u2), 1);
#endif
	assert_int_equal(wake(&o, &u2, 1), 1);
}

/* [1.5 to 1.8] */
static void addresses(void **state)
{
	static const int two[] = {RQPI_FUTEX_REQUEUE, RQPI_FUTEX_CMP_REQUEUE, RQPI_FUTEX_WAKE_OP,
				  RQPI_FUTEX_CMP_REQUEUE_PI};
	static const int one[] = {RQPI_FUTEX_WAIT,	 RQPI_FUTEX_WAKE,
				  RQPI_FUTEX_LOCK_PI,	 RQPI_FUTEX_LOCK_PI2,
				  RQPI_FUTEX_TRYLOCK_PI, RQPI_FUTEX_WAIT_BITSET,
				  RQPI_FUTEX_WAKE_BITSET};
	const void *nr = (const void *)(uintptr_t)1;

	(void)state;
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		assert_int_equal(call(&a, one[i] | P, odd, 1, NULL, NULL, 1), -RQPI_EINVAL);
		assert_int_equal(call(&a, one[i] | P, outside, 1, NULL, NULL, 1), -RQPI_EFAULT);
		assert_int_equal(call(&a, one[i], NULL, 1, NULL, NULL, 1), -RQPI_EFAULT);
	}
	assert_int_equal(call(&a, RQPI_FUTEX_UNLOCK_PI, outside, 1, NULL, NULL, 1), -RQPI_EFAULT);
	assert_int_equal(call(&a, RQPI_FUTEX_WAKE | P, NULL, 1, NULL, NULL, 1), 0);
	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
		assert_int_equal(call(&a, two[i] | P, odd, 1, nr, outside, 1), -RQPI_EINVAL);
		assert_int_equal(call(&a, two[i] | P, outside, 1, nr, odd, 1), -RQPI_EFAULT);
		/* Before the value, which is wrong. */
		assert_int_equal(call(&a, two[i] | P, &u, 1, nr, odd, 1), -RQPI_EINVAL);
		assert_int_equal(call(&a, two[i] | P, &u, 1, nr, outside, 1), -RQPI_EFAULT);
	}
	assert_int_equal(requeue(&a, NULL, 1, 1, &u), 0);
	/* WAIT_REQUEUE_PI looks at the second one first. */
	assert_int_equal(wait_requeue_pi(&a, odd, 1, outside), -RQPI_EFAULT);
	assert_int_equal(wait_requeue_pi(&a, outside, 1, odd), -RQPI_EINVAL);
	assert_int_equal(wait_requeue_pi(&a, NULL, 1, &u), -RQPI_EFAULT);
	assert_int_equal(wait_requeue_pi(&a, odd, 1, odd), -RQPI_EINVAL);
}

/* Two addresses of one shared word, as two mappings have them [2.6]. */
static int same_key(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
		    struct rqpi_key *key)
{
	(void)ctx;
	(void)self;
	(void)uaddr;
	(void)write;
	*key = (struct rqpi_key){7, 8, RQPI_KEY_SHARED_OBJECT};
	return 0;
}

static void two_addresses_of_one_word(void **state)
{
	const struct rqpi_port *original = stage.coop.engine->port;
	struct rqpi_port port = *original;

	(void)state;
	port.shared_key = same_key;
	stage.coop.engine->port = &port;
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT_REQUEUE_PI, &u, 0, NULL, &u2, 0), -RQPI_EINVAL);
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT_REQUEUE_PI, &u, 1, NULL, &u2, 0), -RQPI_EAGAIN);
	assert_int_equal(call(&a, RQPI_FUTEX_CMP_REQUEUE_PI, &u, 1, NULL, &u2, 0), -RQPI_EINVAL);
	assert_int_equal(call(&a, RQPI_FUTEX_CMP_REQUEUE_PI, &u, 1, NULL, &u2, 1), -RQPI_EINVAL);
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT, &u, 0, NULL, NULL, 0), BLOCKED);
	assert_int_equal(call(&o, RQPI_FUTEX_WAKE, &u2, 1, NULL, NULL, 0), 1);
	stage.coop.engine->port = original;
}

/* ---------------------------------------------------------------- clocks [3.1, 3.4] */

static struct rqpi_deadline seen;

static int record_block(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
			bool interruptible)
{
	(void)ctx;
	(void)self;
	(void)interruptible;
	seen = *deadline;
	return -RQPI_ETIMEDOUT;
}

static void clocks_and_deadlines(void **state)
{
	static const struct {
		int op;
		int64_t sec, nsec;
		uint64_t ns;
		int clock;
	} rows[] = {
	    {RQPI_FUTEX_WAIT, 2, 5, 2000001005, RQPI_CLOCK_MONOTONIC}, /* relative */
	    {RQPI_FUTEX_WAIT_BITSET, 2, 5, 2000000005, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_WAIT_BITSET | REAL, 2, 5, 2000000005, RQPI_CLOCK_REALTIME},
	    {RQPI_FUTEX_WAIT_REQUEUE_PI, 2, 5, 2000000005, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_WAIT_REQUEUE_PI | REAL, 2, 5, 2000000005, RQPI_CLOCK_REALTIME},
	    {RQPI_FUTEX_LOCK_PI, 2, 5, 2000000005, RQPI_CLOCK_REALTIME},
	    {RQPI_FUTEX_LOCK_PI2, 2, 5, 2000000005, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_LOCK_PI2 | REAL, 2, 5, 2000000005, RQPI_CLOCK_REALTIME},
	    {RQPI_FUTEX_WAIT, INT64_MAX, 0, RQPI_FOREVER, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_WAIT_BITSET, INT64_MAX, 999999999, RQPI_FOREVER, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_WAIT, INT64_MAX / 1000000000, 0, RQPI_FOREVER, RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_WAIT_BITSET, INT64_MAX / 1000000000 - 1, 0, 9223372035000000000u,
	     RQPI_CLOCK_MONOTONIC},
	    {RQPI_FUTEX_LOCK_PI2, INT64_MAX, 0, RQPI_FOREVER, RQPI_CLOCK_MONOTONIC},
	};
	const struct rqpi_port *original = stage.coop.engine->port;
	struct rqpi_port port = *original;

	(void)state;
	coop_advance(&stage.coop, 1000);
	port.block = record_block;
	stage.coop.engine->port = &port;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rqpi_timespec ts = {rows[i].sec, rows[i].nsec};

		u = 0;
		if ((rows[i].op & ~REAL) == RQPI_FUTEX_LOCK_PI ||
		    (rows[i].op & ~REAL) == RQPI_FUTEX_LOCK_PI2)
			u = tid(&o);
		assert_int_equal(call(&a, rows[i].op | P, &u, 0, &ts, &u2, 1), -RQPI_ETIMEDOUT);
		assert_int_equal(seen.ns, rows[i].ns);
		assert_int_equal(seen.clock, rows[i].clock);
	}
	u = 0;
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT | P, &u, 0, NULL, NULL, 0), -RQPI_ETIMEDOUT);
	assert_int_equal(seen.ns, RQPI_FOREVER);
	stage.coop.engine->port = original;
}

/* ---------------------------------------------------------------- an engine */

static void what_an_engine_is_made_from(void **state)
{
	static const size_t functions[] = {
	    offsetof(struct rqpi_port, lock),	    offsetof(struct rqpi_port, trylock),
	    offsetof(struct rqpi_port, unlock),	    offsetof(struct rqpi_port, relax),
	    offsetof(struct rqpi_port, load),	    offsetof(struct rqpi_port, cmpxchg),
	    offsetof(struct rqpi_port, fault_in),   offsetof(struct rqpi_port, copy_in),
	    offsetof(struct rqpi_port, shared_key), offsetof(struct rqpi_port, user_range),
	    offsetof(struct rqpi_port, block),	    offsetof(struct rqpi_port, wake),
	    offsetof(struct rqpi_port, now),	    offsetof(struct rqpi_port, find_task),
	    offsetof(struct rqpi_port, release),    offsetof(struct rqpi_port, set_prio),
	    offsetof(struct rqpi_port, panic),
	};
	static _Alignas(64) char storage[4096];
	const struct rqpi_port *original = stage.coop.engine->port;
	struct rqpi_port port;

	(void)state;
	assert_int_equal(rqpi_engine_size(0), 0);
	assert_int_equal(rqpi_engine_size(3), 0);
	assert_int_equal(rqpi_engine_size(1u << 25), 0);
	assert_int_not_equal(rqpi_engine_size(1u << 24), 0);
	assert_in_range(rqpi_engine_size(16), 1, sizeof(storage));
	assert_null(rqpi_engine_init(storage, 3, original, NULL));
	assert_null(rqpi_engine_init(storage + 8, 16, original, NULL));
	assert_null(rqpi_engine_init(NULL, 16, original, NULL));
	assert_null(rqpi_engine_init(storage, 16, NULL, NULL));
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		port = *original;
		memset((char *)&port + functions[i], 0, sizeof(void *));
		assert_null(rqpi_engine_init(storage, 16, &port, NULL));
	}
	port = *original;
	port.trace = NULL; /* may be missing */
	assert_non_null(rqpi_engine_init(storage, 16, &port, &u));
	assert_ptr_equal(rqpi_engine_ctx((struct rqpi_engine *)storage), &u);
	assert_ptr_equal(rqpi_task_engine(a.t.task), stage.coop.engine);
	assert_ptr_equal(rqpi_task_cookie(a.t.task), &a.t);
	assert_int_equal(rqpi_task_space(a.t.task), 1);
	stage.coop.engine->port = &port; /* and then nothing is told */
	assert_int_equal(lock_pi(&o, &u), 0);
	assert_int_equal(lock_pi(&a, &u), BLOCKED);
	assert_int_equal(unlock_pi(&o, &u), 0);
	assert_int_equal(unlock_pi(&a, &u), 0);
	stage.coop.engine->port = original;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(operations_that_there_are_not),
	    T(time_is_looked_at_first_if_the_operation_has_one),
	    T(others_take_the_fourth_argument_for_a_number_or_for_nothing),
	    T(addresses),
	    T(two_addresses_of_one_word),
	    T(clocks_and_deadlines),
	    T(what_an_engine_is_made_from),
	};

	return stage_main("engine: arguments", tests);
}
