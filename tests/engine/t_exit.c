/* SPDX-License-Identifier: MIT */
/*
 * t_exit.c - what an owner leaves behind when it ends or executes another program: PI futexes with
 * and without waiters (semantics 10.1 to 10.13), and waiters that come or go meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/cast.h"

#include <stdio.h>
#include <stdlib.h>

/* One entry of a robust list, as user space has it. */
struct entry {
	uintptr_t next;
	uint32_t pad;
	uint32_t word;
};

struct list {
	uintptr_t first;
	intptr_t offset;
	uintptr_t pending;
};

#define OFFSET ((intptr_t)offsetof(struct entry, word))

static uint32_t m, m2;
static struct list list;
static struct entry e1, e2, e3;

static int setup(void **state)
{
	(void)state;
	m = m2 = 0;
	e1 = e2 = e3 = (struct entry){0, 0, 0};
	open_stage(1);
	return 0;
}

static void fresh(void **state)
{
	teardown(state);
	setup(state);
}

/* @it's robust list: the entries given, each with its PI bit or not, and the pending one. */
static void has_list(struct actor *it, struct entry *first, struct entry *pending)
{
	list.first = first ? (uintptr_t)first : (uintptr_t)&list;
	list.offset = OFFSET;
	list.pending = (uintptr_t)pending;
	assert_int_equal(rqpi_task_set_robust_list(it->t.task, &list, sizeof(list)), 0);
}

static void append(struct entry *to, const void *next, unsigned int pi)
{
	to->next = (uintptr_t)next | pi;
}

/* ---------------------------------------------------------------- PI futexes */

/* Where the word is: on the list with the PI bit or without, only pending, on no list. */
enum place { PI_LISTED, LISTED, PENDING, PI_PENDING, NOWHERE, PLACES };

static void put(enum place place)
{
	append(&e1, &list, 0);
	switch (place) {
	case PI_LISTED:
	case LISTED:
		has_list(&o, &e1, NULL);
		list.first |= place == PI_LISTED;
		break;
	case PENDING:
	case PI_PENDING:
		has_list(&o, NULL, &e1);
		list.pending |= place == PI_PENDING;
		break;
	default:
		break;
	}
}

/* [10.1, 10.2, 10.5, 10.6, 10.7, 10.9] */
static void waiter_gets_it_wherever_the_word_is_listed(void **state)
{
	for (int place = 0; place < PLACES; place++) {
		for (int exec = 0; exec < 2; exec++) {
			put((enum place)place);
			assert_int_equal(lock_pi(&o, &e1.word), 0);
			assert_int_equal(lock_pi(&a, &e1.word), BLOCKED);
			assert_int_equal(lock_pi(&b, &e1.word), BLOCKED);
			if (exec)
				exec_now(&o);
			else
				end(&o);
			assert_int_equal(result(&b), 0);
			assert_int_equal(result(&a), BLOCKED);
			assert_int_equal(e1.word, OD | W | tid(&b));
			assert_int_equal(eff(&b), RT(20));
			assert_int_equal(unlock_pi(&b, &e1.word), 0);
			assert_int_equal(e1.word, W | tid(&a));
			assert_int_equal(unlock_pi(&a, &e1.word), 0);
			if (exec)
				assert_int_equal(eff(&o), RT(1));
			fresh(state);
		}
	}
}

/* [10.3, 10.4] */
static void nobody_waits(void **state)
{
	static const struct {
		enum place place;
		uint32_t flags, after;
		long lock;
	} rows[] = {
	    {NOWHERE, 0, 1, -RQPI_ESRCH}, {PI_LISTED, 0, OD, 0},  {PI_LISTED, W, OD | W, 0},
	    {LISTED, 0, OD, 0},		  {PI_PENDING, 0, OD, 0}, {PENDING, OD, OD, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t dead = tid(&o);

		put(rows[i].place);
		assert_int_equal(lock_pi(&o, &e1.word), 0);
		e1.word |= rows[i].flags;
		end(&o);
		assert_int_equal(e1.word, rows[i].after == 1 ? dead : rows[i].after);
		assert_int_equal(trylock_pi(&a, &e1.word), rows[i].lock);
		assert_int_equal(e1.word, rows[i].lock ? W | dead : OD | tid(&a));
		fresh(state);
	}
}

/* [10.8] */
static void all_locks_are_passed_on(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&o, &m2), 0);
	assert_int_equal(lock_pi(&o, &e1.word), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m2), BLOCKED);
	assert_int_equal(lock_pi(&c, &e1.word), BLOCKED);
	end(&o);
	assert_int_equal(m, OD | W | tid(&a));
	assert_int_equal(m2, OD | W | tid(&b));
	assert_int_equal(e1.word, OD | W | tid(&c));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(unlock_pi(&b, &m2), 0);
	assert_int_equal(unlock_pi(&c, &e1.word), 0);
}

/* [10.11] */
static void word_that_user_space_zeroed(void **state)
{
	(void)state;
	stage.forging = 1;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	m = 0;
	assert_int_equal(lock_pi(&b, &m), -RQPI_EINVAL);
	end(&o);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, OD | W | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* Designated, not run, and robbed; and the thief ends. */
static void thief_ends_before_the_robbed_one_runs(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	hold(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(trylock_pi(&b, &m), 0);
	end(&b);
	let_go(&a);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, OD | W | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* ---------------------------------------------------------------- meanwhile */

static void c_locks(struct stage *s)
{
	post(&c, RQPI_FUTEX_LOCK_PI | P, &e1.word, 0, NULL, NULL, 0);
	let_run(s, &c);
}

/* [10.13, bugs 4.1]: at each step of the owner's end. A robust owner is always succeeded. */
static void locker_comes_while_the_owner_ends(void **state)
{
	bool waited = false;
	bool more = true;

	for (int n = 1; more; n++) {
		append(&e1, &list, 0);
		has_list(&o, &e1, NULL);
		list.first |= 1;
		assert_int_equal(lock_pi(&o, &e1.word), 0);
		post_end(&o);
		interrupt_at(&stage, &o, n, c_locks);
		coop_run(&stage.coop);
		more = interrupted(&stage);
		if (more) {
			assert_int_equal(result(&c), 0);
			assert_int_equal(e1.word & ~W, OD | tid(&c));
			waited = waited || stage.busy; /* c found it just ending */
			assert_int_equal(unlock_pi(&c, &e1.word), 0);
			assert_int_equal(e1.word, 0);
		}
		fresh(state);
	}
	assert_true(waited);
}

static struct rqpi_timespec soon;

static void all_time_out(struct stage *s)
{
	expire(s, 100);
	let_run(s, &a);
	let_run(s, &b);
	if (!a.todo) { /* what it took along is in use again at once */
		post(&a, RQPI_FUTEX_LOCK_PI | P, &e1.word, 0, NULL, NULL, 0);
		let_run(s, &a);
	}
}

/*
 * The last waiter leaves just when the owner has picked the PI state to deal with it: the two swap
 * their spares (pi_state.c, retire()).
 */
static void pi_state_is_retired_while_the_owner_ends(void **state)
{
	const struct rqpi_task *dead = (const void *)o.t.storage;
	bool more = true;

	for (int n = 1; more; n++) {
		assert_int_equal(lock_pi(&c, &e1.word), 0);
		for (int i = 0; i < 2; i++) {
			uint32_t *word = i ? &m2 : &m;

			soon = at_ns(100);
			assert_int_equal(lock_pi(&o, word), 0);
			assert_int_equal(
			    call(i ? &b : &a, RQPI_FUTEX_LOCK_PI2 | P, word, 0, &soon, NULL, 0),
			    BLOCKED);
		}
		post_end(&o);
		interrupt_at(&stage, &o, n, all_time_out);
		coop_run(&stage.coop);
		more = interrupted(&stage);
		m = m2 = 0;
		if (!a.todo)
			assert_int_equal(lock_pi(&a, &e1.word), BLOCKED);
		assert_int_equal(eff(&c), RT(30));
		assert_int_equal(rqpi_engine_check(stage.coop.engine, c.t.task, NULL, NULL), 0);
		/* Each has one of its own, and so has the dead. */
		assert_ptr_not_equal(a.t.task->q.pi_state, b.t.task->spare);
		assert_ptr_not_equal(a.t.task->q.pi_state, dead->spare);
		assert_ptr_not_equal(b.t.task->spare, dead->spare);
		assert_int_equal(unlock_pi(&c, &e1.word), 0);
		assert_int_equal(result(&a), 0);
		assert_int_equal(e1.word, W | tid(&a));
		fresh(state);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(waiter_gets_it_wherever_the_word_is_listed),
	    T(nobody_waits),
	    T(all_locks_are_passed_on),
	    T(word_that_user_space_zeroed),
	    T(thief_ends_before_the_robbed_one_runs),
	    T(locker_comes_while_the_owner_ends),
	    T(pi_state_is_retired_while_the_owner_ends),
	};

	return stage_main("engine: the end of an owner", tests);
}
