/* SPDX-License-Identifier: MIT */
/*
 * t_robust.c - robust lists of every shape, when their owner ends (semantics 10.20 to 10.30).
 * Those of PI futexes with waiters are in t_exit.c.
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

static struct list list;
static struct entry e1, e2, e3;

static int setup(void **state)
{
	(void)state;
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

static long shared_wait(struct actor *it, uint32_t *word, uint32_t val)
{
	return call(it, RQPI_FUTEX_WAIT, word, val, NULL, NULL, 0);
}

/* ---------------------------------------------------------------- robust lists [10.20 to 10.30] */

static const struct {
	uint32_t word; /* 1: with the TID of the one that ends; 2: of another one */
	bool pending, pi;
	uint32_t after; /* the same */
	int woken;
} deaths[] = {
    {1, false, false, OD, 0},
    {W | 1, false, false, W | OD, 1},
    {OD | W | 1, false, false, W | OD, 1},
    {OD | 1, false, false, OD, 0},
    {2, false, false, 2, 0},
    {W | 2, false, false, W | 2, 0},
    {0, false, false, 0, 0},
    {W, false, false, W, 0},
    {1, true, false, OD, 0},
    {W | 1, true, false, W | OD, 1},
    {0, true, false, 0, 1},
    {W, true, false, W, 1},
    {OD, true, false, OD, 1},
    {OD | W, true, false, OD | W, 1},
    {W | 2, true, false, W | 2, 0},
    {2, true, false, 2, 0},
    {0, true, true, 0, 0},
    {2, true, true, 2, 0},
    {W | 1, true, true, W | OD, 0},
    {W | 1, false, true, W | OD, 0},
};

static uint32_t with_tids(uint32_t word)
{
	uint32_t id = rqb_word_tid(word);

	return (word & ~RQB_WORD_TID_MASK) | (id == 1 ? tid(&o) : id == 2 ? tid(&c) : 0);
}

static void plain_entry_of_a_robust_list(void **state)
{
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		uint32_t before = with_tids(deaths[i].word);
		uint32_t after = with_tids(deaths[i].after);

		print_message("# row %zu: %08x\n", i, before);
		append(&e1, &list, 0);
		has_list(&o, deaths[i].pending ? NULL : &e1, deaths[i].pending ? &e1 : NULL);
		if (deaths[i].pi)
			*(deaths[i].pending ? &list.pending : &list.first) |= 1;
		e1.word = before;
		assert_int_equal(shared_wait(&a, &e1.word, before), BLOCKED);
		assert_int_equal(shared_wait(&b, &e1.word, before), BLOCKED);
		assert_int_equal(wait_on(&c, &e1.word, before), BLOCKED); /* private [2.8] */
		end(&o);
		assert_int_equal(e1.word, after);
		assert_int_equal(result(&b), deaths[i].woken ? 0 : BLOCKED);
		assert_int_equal(result(&a), BLOCKED);
		assert_int_equal(result(&c), BLOCKED);
		e1.word = ~before;
		coop_interrupt(&a.t);
		coop_interrupt(&b.t);
		coop_interrupt(&c.t);
		fresh(state);
	}
}

/* [10.26] */
static void entry_that_is_listed_and_pending_is_handled_once(void **state)
{
	uint32_t word = W | tid(&o);

	(void)state;
	append(&e1, &list, 0);
	has_list(&o, &e1, &e1);
	e1.word = word;
	assert_int_equal(shared_wait(&a, &e1.word, word), BLOCKED);
	assert_int_equal(shared_wait(&b, &e1.word, word), BLOCKED);
	end(&o);
	assert_int_equal(result(&b), 0);
	assert_int_equal(result(&a), BLOCKED);
	coop_interrupt(&a.t);
}

/* [10.27, bugs 4.10] */
static void misaligned_entry_ends_the_walk(void **state)
{
	uint32_t word = tid(&o);

	(void)state;
	e1.word = e2.word = e3.word = word;
	append(&e1, (char *)&e2 + 2, 0); /* a link at an odd place: so is its word */
	has_list(&o, &e1, &e3);
	end(&o);
	assert_int_equal(e1.word, OD);
	assert_int_equal(e2.word, word);
	assert_int_equal(e3.word, word);
}

/* [10.28] */
static void unreadable_link_ends_the_walk_after_its_entry(void **state)
{
	uint32_t word = tid(&o);

	(void)state;
	e1.word = e2.word = e3.word = word;
	append(&e1, &e2, 0);
	append(&e2, &list, 0);
	has_list(&o, &e1, &e3);
	fault(&stage, (const uint32_t *)(const void *)&e2.next, -1, 1);
	end(&o);
	assert_int_equal(e1.word, OD);
	assert_int_equal(e2.word, OD);
	assert_int_equal(e3.word, word);
}

static void unwritable_word_ends_the_walk(void **state)
{
	uint32_t word = tid(&o);

	(void)state;
	e1.word = e2.word = e3.word = word;
	append(&e1, &e2, 0);
	append(&e2, &list, 0);
	has_list(&o, &e1, &e3);
	fault(&stage, &e1.word, -1, 0);
	end(&o);
	assert_int_equal(e1.word, word);
	assert_int_equal(e2.word, word);
	assert_int_equal(e3.word, word);
}

static void word_that_is_only_away_is_brought_in(void **state)
{
	for (int read = 0; read < 2; read++) {
		append(&e1, &list, 0);
		e1.word = W | tid(&o);
		has_list(&o, &e1, NULL);
		fault(&stage, &e1.word, 3, read);
		end(&o);
		assert_int_equal(e1.word, W | OD);
		fresh(state);
	}
}

/* [10.29, bugs 4.13] */
static void long_and_circular_lists_end(void **state)
{
	struct entry *many = calloc(2050, sizeof(*many));
	uint32_t word = tid(&o);

	(void)state;
	assert_non_null(many);
	for (int i = 0; i < 2050; i++) {
		many[i].word = word;
		append(&many[i], &many[i + 1 < 2050 ? i + 1 : 0], 0);
	}
	e1.word = word;
	has_list(&o, many, &e1);
	end(&o);
	for (int i = 0; i < 2050; i++)
		assert_int_equal(many[i].word, i < 2048 ? OD : word);
	assert_int_equal(e1.word, OD);
	free(many);
}

/* [10.30] */
static void size_of_the_head_must_be_right(void **state)
{
	(void)state;
	assert_int_equal(rqpi_task_set_robust_list(o.t.task, &list, sizeof(list) - 1),
			 -RQPI_EINVAL);
	assert_int_equal(rqpi_task_set_robust_list(o.t.task, &list, sizeof(list) + 8),
			 -RQPI_EINVAL);
	assert_null(rqpi_task_robust_list(o.t.task));
	has_list(&o, NULL, NULL);
	assert_ptr_equal(rqpi_task_robust_list(o.t.task), &list);
	exec_now(&o);
	assert_null(rqpi_task_robust_list(o.t.task));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(plain_entry_of_a_robust_list),   T(entry_that_is_listed_and_pending_is_handled_once),
	    T(misaligned_entry_ends_the_walk), T(unreadable_link_ends_the_walk_after_its_entry),
	    T(unwritable_word_ends_the_walk),  T(word_that_is_only_away_is_brought_in),
	    T(long_and_circular_lists_end),    T(size_of_the_head_must_be_right),
	};

	return stage_main("engine: robust lists", tests);
}
