/* SPDX-License-Identifier: MIT */
/*
 * t_wake_op.c - WAKE_OP (semantics 6.4), and which operations refuse which waiters, wherever they
 * stand in the queue (6.2.3, 6.2.4, 6.3.5, 13.3, 13.5.6, 13.5.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

#include <limits.h>

static struct actor d;
static uint32_t u, u2, m;

static int setup(void **state)
{
	(void)state;
	u = u2 = m = 0;
	open_stage(1);
	stage_actor(&stage, &d, RT(40));
	return 0;
}

static long wake_op(uint32_t *u1, int nr, int nr2, uint32_t *word2, uint32_t code)
{
	return call(&o, RQPI_FUTEX_WAKE_OP | P, u1, (uint32_t)nr, (const void *)(intptr_t)nr2,
		    word2, code);
}

#define SHIFT 8u
#define CODE(op, arg, cmp, cmparg)                                                      \
	((uint32_t)(op) << 28 | (uint32_t)(cmp) << 24 | ((uint32_t)(arg)&0xfff) << 12 | \
	 ((uint32_t)(cmparg)&0xfff))

enum { SET, ADD, OR, ANDN, XOR };
enum { EQ, NE, LT, LE, GT, GE };

/* ---------------------------------------------------------------- the word [6.4.1, 6.4.2] */

static const struct {
	uint32_t before, op;
	int arg;
	uint32_t after;
} ops[] = {
    {5, SET, 7, 7},
    {5, SET, -1, 0xffffffffu},
    {5, ADD, 7, 12},
    {5, ADD, -6, 0xffffffffu},
    {0x7fffffffu, ADD, 1, 0x80000000u},
    {5, OR, 2, 7},
    {5, ANDN, 4, 1},
    {5, XOR, 4, 1},
    {0, SET, 0x7ff, 0x7ff},
    {0, SET, 0x800, 0xfffff800u},
    {0, SHIFT | SET, 4, 16},
    {1, SHIFT | ADD, 31, 0x80000001u},
    {0, SHIFT | OR, 33, 2},
    {0, SHIFT | OR, -1, 0x80000000u},
    {0xff, SHIFT | ANDN, 0, 0xfe},
    {0, SHIFT | XOR, 32, 1},
};

static void what_becomes_of_the_second_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		u2 = ops[i].before;
		assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(ops[i].op, ops[i].arg, EQ, 0)), 0);
		assert_int_equal(u2, ops[i].after);
	}
	for (uint32_t op = 5; op < 8; op++) {
		u2 = 9;
		assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(op, 1, EQ, 0)), -RQPI_ENOSYS);
		assert_int_equal(u2, 9);
		assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SHIFT | op, 1, EQ, 0)), -RQPI_ENOSYS);
		assert_int_equal(u2, 9);
	}
	for (uint32_t cmp = 6; cmp < 16; cmp++) {
		u2 = 9;
		assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 1, cmp, 0)), -RQPI_ENOSYS);
		assert_int_equal(u2, 1); /* done already */
	}
}

static void old_value_is_compared_signed(void **state)
{
	static const int values[] = {-2048, -1, 0, 1, 2047};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 5; k++) {
			int old = values[i];
			int arg = values[k];
			const bool holds[] = {old == arg, old != arg, old<arg, old <= arg, old> arg,
					      old >= arg};

			for (int cmp = EQ; cmp <= GE; cmp++) {
				u = 0;
				u2 = (uint32_t)old;
				assert_int_equal(wait_on(&a, &u2, (uint32_t)old), BLOCKED);
				assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 3, cmp, arg)),
						 holds[cmp]);
				assert_int_equal(result(&a), holds[cmp] ? 0 : BLOCKED);
				if (!holds[cmp])
					assert_int_equal(wake(&o, &u2, 1), 1);
			}
		}
	}
}

static void word_faults(void **state)
{
	(void)state;
	fault(&stage, &u2, -1, 0);
	assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 1, EQ, 0)), -RQPI_EFAULT);
	assert_int_equal(u2, 0);
	fault(&stage, &u2, 3, 1);
	assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 1, EQ, 0)), 0);
	assert_int_equal(u2, 1);
	fault(&stage, &u, -1, 1); /* the first one is not looked at */
	assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 2, EQ, 0)), 0);
	/* An operation that there is not is refused before the word is touched. */
	fault(&stage, &u2, -1, 1);
	assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(7, 1, EQ, 0)), -RQPI_ENOSYS);
}

/* [6.4.3] */
static void how_many_are_woken_on_both(void **state)
{
	static const int rows[][3] = {/* nr, nr2, result */
				      {1, 1, 2}, {0, 0, 2}, {-1, -1, 2},
				      {2, 1, 3}, {1, 2, 3}, {9, 9, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		u2 = 0;
		assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
		assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
		assert_int_equal(wait_on(&c, &u2, 0), BLOCKED);
		assert_int_equal(wait_on(&d, &u2, 0), BLOCKED);
		assert_int_equal(wake_op(&u, rows[i][0], rows[i][1], &u2, CODE(SET, 0, EQ, 0)),
				 rows[i][2]);
		assert_int_equal(wake(&o, &u, 9) + wake(&o, &u2, 9), 4 - rows[i][2]);
	}
	/* The condition does not hold: the first word's only. The same word twice. */
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&b, &u2, 0), BLOCKED);
	assert_int_equal(wake_op(&u, 1, 1, &u2, CODE(SET, 0, NE, 0)), 1);
	assert_int_equal(result(&b), BLOCKED);
	assert_int_equal(wait_on(&a, &u2, 0), BLOCKED);
	assert_int_equal(wake_op(&u2, 1, 1, &u2, CODE(ADD, 1, EQ, 0)), 2);
	assert_int_equal(u2, 1);
}

/* ---------------------------------------------------------------- misuse [bugs 1.5] */

enum kind { PLAIN, PI, REQUEUE, KINDS };
enum op { OP_WAKE, OP_WAKE_BITSET, OP_WAKE_OP, OP_REQUEUE, OP_CMP_REQUEUE, OP_CRPI, OPS };

/* @it becomes a waiter of that kind on u. o owns u for those of kind PI. */
static void queue_on_u(struct actor *it, enum kind kind)
{
	if (kind == PLAIN)
		assert_int_equal(wait_on(it, &u, u), BLOCKED);
	else if (kind == PI)
		assert_int_equal(lock_pi(it, &u), BLOCKED);
	else
		assert_int_equal(wait_requeue_pi(it, &u, u, &m), BLOCKED);
}

static long do_op(enum op op, int nr)
{
	switch (op) {
	case OP_WAKE:
		return wake(&o, &u, nr);
	case OP_WAKE_BITSET:
		return call(&o, RQPI_FUTEX_WAKE_BITSET | P, &u, (uint32_t)nr, NULL, NULL, 2);
	case OP_WAKE_OP:
		return wake_op(&u, nr, 1, &u2, CODE(SET, 1, NE, 0));
	case OP_REQUEUE:
		return requeue(&o, &u, nr, 0, &u2);
	case OP_CMP_REQUEUE:
		return call(&o, RQPI_FUTEX_CMP_REQUEUE | P, &u, (uint32_t)nr, NULL, &u2, u);
	default:
		return cmp_requeue_pi(&o, &u, u, &m, nr - 1);
	}
}

static bool suits(enum op op, enum kind kind)
{
	return op == OP_CRPI ? kind == REQUEUE : kind == PLAIN;
}

static void leave_u(struct actor *it)
{
	if (!it->todo)
		return;
	it->sa_restart = 0;
	u = ~u;
	coop_interrupt(&it->t);
	u = ~u;
	if (it->todo) /* LOCK_PI never ends by a signal, and a signal's restart does */
		assert_int_equal(result(it), BLOCKED);
}

/* One waiter in front that suits the operation, or none; then one that may not. */
static void each_operation_refuses_the_others_waiters(void **state)
{
	for (int op = 0; op < OPS; op++) {
		for (int kind = 0; kind < KINDS; kind++) {
			for (int behind = 0; behind < 2; behind++) {
				bool ok = suits((enum op)op, (enum kind)kind);
				/* A PI waiter only queues where no other kind is in front. */
				if (behind && (kind == PI || ok))
					continue;
				if (kind == PI)
					assert_int_equal(lock_pi(&o, &u), 0);
				if (behind)
					queue_on_u(&c, op == OP_CRPI ? REQUEUE : PLAIN);
				queue_on_u(&a, (enum kind)kind);
				/* Out of reach: not noticed. */
				if (behind) {
					assert_int_equal(do_op((enum op)op, 1), 1);
					assert_int_equal(result(&a), BLOCKED);
					if (op == OP_CRPI)
						assert_int_equal(unlock_pi(&c, &m), 0);
					queue_on_u(&c, op == OP_CRPI ? REQUEUE : PLAIN);
				}
				assert_int_equal(do_op((enum op)op, 2), ok ? 1 : -RQPI_EINVAL);
				if (behind) /* what was done stands */
					assert_int_equal(result(&c), 0);
				assert_int_equal(result(&a), ok ? 0 : BLOCKED);
				if (kind == PI)
					assert_int_equal(unlock_pi(&o, &u), 0);
				(void)wake(&o, &u2, 1);
				leave_u(&a);
				teardown(state);
				setup(state);
			}
		}
	}
}

/* [6.3.5, bugs 5.19] */
static void pi_waiter_is_refused_whatever_was_to_be_done_with_it(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &u), 0);
	assert_int_equal(lock_pi(&a, &u), BLOCKED);
	assert_int_equal(requeue(&b, &u, 0, 1, &u), -RQPI_EINVAL);
	assert_int_equal(requeue(&b, &u, 1, 1, &u2), -RQPI_EINVAL);
	assert_int_equal(requeue(&b, &u, 1, 0, &u2), -RQPI_EINVAL);
	assert_int_equal(requeue(&b, &u, 0, 0, &u2), 0);
	/* [6.2.4]: a plain waiter behind it cannot be reached. */
	assert_int_equal(wait_on(&o, &u, W | tid(&o)), BLOCKED);
	assert_int_equal(wake(&b, &u, 1), -RQPI_EINVAL);
	coop_interrupt(&o.t);
	assert_int_equal(result(&o), -RQPI_EINTR);
	assert_int_equal(unlock_pi(&o, &u), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &u), 0);
}

/* [13.5.6, bugs 1.2] */
static void moved_waiter_is_a_pi_waiter(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&a, &u, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&b, &u, 0, &m, 0), 1);
	assert_int_equal(wake(&b, &m, 1), -RQPI_EINVAL);
	assert_int_equal(requeue(&b, &m, 1, 1, &u), -RQPI_EINVAL);
	assert_int_equal(cmp_requeue_pi(&b, &m, m, &u, 1), -RQPI_EINVAL);
	assert_int_equal(cmp_requeue_pi(&b, &m, m, &m, 1), -RQPI_EINVAL);
	assert_int_equal(cmp_requeue_pi(&b, &u, 0, &m, 1), 0);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(what_becomes_of_the_second_word),
	    T(old_value_is_compared_signed),
	    T(word_faults),
	    T(how_many_are_woken_on_both),
	    T(each_operation_refuses_the_others_waiters),
	    T(pi_waiter_is_refused_whatever_was_to_be_done_with_it),
	    T(moved_waiter_is_a_pi_waiter),
	};

	return stage_main("engine: wake-op, and waiters of the wrong kind", tests);
}
