/* SPDX-License-Identifier: MIT */
/*
 * t_boost.c - real boosts: what the kernel's scheduler has for each thread, read from its stat
 * file, is at every step exactly what the threads that wait for it lend, along chains of up to 64
 * owners, with nested locks, timeouts, signals, changed priorities and dead owners; and exactly
 * its own afterwards.
 */
#define _GNU_SOURCE
#include "tests/host/actor.h"

#include <signal.h>

#define OWNER_DIED 0x40000000u
#define TID_MASK   0x3fffffffu

enum { CHAIN_MAX = 64 };

static int more(int a, int b)
{
	return a > b ? a : b;
}

/* ---------------------------------------------------------------- chains */

/* @owner[i] holds lock i and waits for lock i + 1. */
struct chain {
	int n;
	struct rqt_actor owner[CHAIN_MAX];
	struct rqt_pi_lock lock[CHAIN_MAX];
};

static void chain_begin(struct chain *c, int n)
{
	memset(c, 0, sizeof(*c));
	c->n = n;
	for (int i = 0; i < n; i++) {
		rqt_actor_begin(&c->owner[i], i * 5 % 9); /* 0, which is OTHER, to FIFO 8 */
		rqt_does(&c->owner[i], LOCK, &c->lock[i]);
	}
	for (int i = 0; i < n - 1; i++)
		rqt_blocks_on(&c->owner[i], &c->lock[i + 1]);
}

/*
 * Those of @from and after are a chain, with a waiter of priority @fifo at its beginning (0:
 * none).
 */
static void chain_runs_as(struct chain *c, int from, int fifo, int line)
{
	for (int i = from; i < c->n; i++) {
		fifo = more(fifo, c->owner[i].own);
		rqt_runs_as_line(&c->owner[i], fifo, line);
	}
}
#define chain_runs(c, from, fifo) chain_runs_as(c, from, fifo, __LINE__)

/* The last owner lets go, and so on to the first; @fifo is lent to the first, and stays. */
static void chain_dissolve(struct chain *c, int fifo)
{
	for (int last = c->n - 1; last > 0; last--) {
		struct rqt_actor *next = &c->owner[last - 1];

		rqt_does(&c->owner[last], UNLOCK, &c->lock[last]);
		assert_int_equal(rqt_result_of(next), 0);
		rqt_runs_as(&c->owner[last], c->owner[last].own);
		rqt_does(next, UNLOCK, &c->lock[last]);
		c->n = last; /* what is left of it */
		chain_runs(c, 0, fifo);
		rqt_actor_end(&c->owner[last]);
	}
}

static void boost_chain(int n)
{
	struct chain *c = calloc(1, sizeof(*c));
	struct rqt_actor high;

	assert_non_null(c);
	chain_begin(c, n);
	chain_runs(c, 0, OTHER);
	rqt_actor_begin(&high, 50);
	/* Lent, and taken back when the time is up. */
	high.ms = 300;
	rqt_tell(&high, LOCK_FOR, &c->lock[0]);
	rqt_wait_blocked(&high.thread);
	chain_runs(c, 0, 50);
	assert_int_equal(rqt_result_of(&high), -ETIMEDOUT);
	chain_runs(c, 0, OTHER);
	rqt_check_engine();
	/* Lent, and taken back by handing on, from one owner to the next. */
	rqt_blocks_on(&high, &c->lock[0]);
	chain_runs(c, 0, 50);
	chain_dissolve(c, 50);
	rqt_does(&c->owner[0], UNLOCK, &c->lock[0]);
	assert_int_equal(rqt_result_of(&high), 0);
	rqt_runs_as(&c->owner[0], c->owner[0].own);
	rqt_runs_as(&high, 50);
	rqt_does(&high, UNLOCK, &c->lock[0]);
	rqt_actor_end(&c->owner[0]);
	rqt_actor_end(&high);
	rqt_check_engine();
	free(c);
}

static void a_chain_of_1_owner(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	boost_chain(1);
}

static void a_chain_of_2_owners(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	boost_chain(2);
}

static void a_chain_of_8_owners(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	boost_chain(8);
}

static void a_chain_of_64_owners(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	boost_chain(64);
}

static void priorities_changed_while_blocked(void **state)
{
	struct chain *c = calloc(1, sizeof(*c));
	struct rqt_actor high;

	(void)state;
	rqt_need_fifo(__func__);
	assert_non_null(c);
	chain_begin(c, 8);
	rqt_actor_begin(&high, 30);
	rqt_blocks_on(&high, &c->lock[0]);
	chain_runs(c, 0, 30);
	/* Of the waiter at the beginning: up, and below what some owners have themselves. */
	rqt_set_own(&high, 60);
	rqt_runs_as(&high, 60);
	chain_runs(c, 0, 60);
	rqt_set_own(&high, 3);
	rqt_runs_as(&high, 3);
	chain_runs(c, 0, 3);
	rqt_set_own(&high, OTHER);
	rqt_runs_as(&high, OTHER);
	chain_runs(c, 0, OTHER);
	rqt_set_own(&high, 30);
	/*
	 * Of an owner in the middle, who waits and is waited for: beyond, and beneath, what it is
	 * lent.
	 */
	rqt_set_own(&c->owner[3], 40);
	chain_runs(c, 0, 30);
	rqt_set_own(&c->owner[3], 20);
	chain_runs(c, 0, 30);
	rqt_set_own(&c->owner[3], OTHER);
	chain_runs(c, 0, 30);
	/* Of the last, who waits for nobody. */
	rqt_set_own(&c->owner[7], 35);
	chain_runs(c, 0, 30);
	rqt_set_own(&c->owner[7], 10);
	chain_runs(c, 0, 30);
	rqt_check_engine();
	chain_dissolve(c, 30);
	rqt_does(&c->owner[0], UNLOCK, &c->lock[0]);
	assert_int_equal(rqt_result_of(&high), 0);
	rqt_runs_as(&c->owner[0], c->owner[0].own);
	rqt_does(&high, UNLOCK, &c->lock[0]);
	rqt_actor_end(&c->owner[0]);
	rqt_actor_end(&high);
	free(c);
}

/* ---------------------------------------------------------------- one owner, several waiters */

static void nested_locks_are_paid_back_one_by_one(void **state)
{
	struct rqt_pi_lock lock[3] = {{.word = 0}};
	struct rqt_actor owner, waiter[3];

	(void)state;
	rqt_need_fifo(__func__);
	rqt_actor_begin(&owner, 5);
	for (int i = 0; i < 3; i++)
		rqt_does(&owner, LOCK, &lock[i]);
	for (int i = 0; i < 3; i++) {
		static const int prio[] = {20, 40, 3};

		rqt_actor_begin(&waiter[i], prio[i]);
		rqt_blocks_on(&waiter[i], &lock[i]);
		rqt_runs_as(&owner, more(i == 0 ? 20 : 40, 5));
	}
	/* Not the one that was taken last, and not the one that lends most: each in its turn. */
	rqt_does(&owner, UNLOCK, &lock[0]);
	assert_int_equal(rqt_result_of(&waiter[0]), 0);
	rqt_runs_as(&owner, 40);
	rqt_does(&owner, UNLOCK, &lock[1]);
	assert_int_equal(rqt_result_of(&waiter[1]), 0);
	rqt_runs_as(&owner, 5); /* the waiter that is left is less urgent */
	rqt_does(&owner, UNLOCK, &lock[2]);
	assert_int_equal(rqt_result_of(&waiter[2]), 0);
	rqt_runs_as(&owner, 5);
	for (int i = 0; i < 3; i++) {
		rqt_runs_as(&waiter[i], waiter[i].own);
		rqt_does(&waiter[i], UNLOCK, &lock[i]);
		rqt_actor_end(&waiter[i]);
	}
	rqt_actor_end(&owner);
	rqt_check_engine();
}

static void when_the_first_gives_up_the_second_lends(void **state)
{
	struct rqt_pi_lock lock = {.word = 0};
	struct rqt_actor owner, low, high;

	(void)state;
	rqt_need_fifo(__func__);
	rqt_actor_begin(&owner, OTHER);
	rqt_actor_begin(&low, 15);
	rqt_actor_begin(&high, 45);
	rqt_does(&owner, LOCK, &lock);
	rqt_blocks_on(&low, &lock);
	rqt_runs_as(&owner, 15);
	high.ms = 200;
	rqt_tell(&high, LOCK_FOR, &lock);
	rqt_wait_blocked(&high.thread);
	rqt_runs_as(&owner, 45);
	assert_int_equal(rqt_result_of(&high), -ETIMEDOUT);
	rqt_runs_as(&owner, 15);
	rqt_does(&owner, UNLOCK, &lock);
	assert_int_equal(rqt_result_of(&low), 0);
	rqt_runs_as(&owner, OTHER);
	rqt_does(&low, UNLOCK, &lock);
	rqt_actor_end(&owner);
	rqt_actor_end(&low);
	rqt_actor_end(&high);
	rqt_check_engine();
}

static _Atomic int handled;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

/* A lock is waited for again after a handler ran, whatever its flags: the boost is there again. */
static void a_handler_does_not_end_the_boost_of_a_lock(void **state)
{
	struct rqt_pi_lock lock = {.word = 0};
	struct rqt_actor owner, high;

	(void)state;
	rqt_need_fifo(__func__);
	rqt_handle(SIGUSR1, on_signal, 0);
	rqt_actor_begin(&owner, 7);
	rqt_actor_begin(&high, 45);
	rqt_does(&owner, LOCK, &lock);
	rqt_blocks_on(&high, &lock);
	rqt_runs_as(&owner, 45);
	for (int i = 1; i <= 5; i++) {
		int before = atomic_load(&handled);

		pthread_kill(high.thread.handle, SIGUSR1);
		assert_true(rqt_reaches(&handled, before + 1, RQT_SOON_MS));
		rqt_wait_blocked(&high.thread);
		rqt_runs_as(&owner, 45);
	}
	rqt_does(&owner, UNLOCK, &lock);
	assert_int_equal(rqt_result_of(&high), 0);
	rqt_runs_as(&owner, 7);
	rqt_does(&high, UNLOCK, &lock);
	rqt_actor_end(&owner);
	rqt_actor_end(&high);
	rqt_check_engine();
}

/* ---------------------------------------------------------------- requeued waiters */

static void a_broadcast_lends_the_owner_the_best_of_those_moved(void **state)
{
	static const int prio[] = {10, 30, 20};
	struct rqt_pi_lock lock = {.word = 0};
	struct rqt_actor owner, waiter[3];
	uint32_t seq = 0;

	(void)state;
	rqt_need_fifo(__func__);
	rqt_actor_begin(&owner, OTHER);
	rqt_does(&owner, LOCK, &lock);
	for (int i = 0; i < 3; i++) {
		rqt_actor_begin(&waiter[i], prio[i]);
		rqt_waits_on(&waiter[i], &seq, &lock);
		rqt_runs_as(&owner, OTHER); /* nobody waits for the lock yet */
	}
	assert_int_equal(rqt_broadcast(&seq, &lock), 3);
	rqt_runs_as(&owner, 30);
	rqt_does(&owner, UNLOCK, &lock);
	rqt_runs_as(&owner, OTHER);
	assert_int_equal(rqt_result_of(&waiter[1]), 0);
	rqt_runs_as(&waiter[1], 30);
	/* The next owner is waited for by the rest, and lent what they have. */
	rqt_set_own(&waiter[1], 5);
	rqt_runs_as(&waiter[1], 20);
	rqt_does(&waiter[1], UNLOCK, &lock);
	rqt_runs_as(&waiter[1], 5);
	assert_int_equal(rqt_result_of(&waiter[2]), 0);
	rqt_runs_as(&waiter[2], 20);
	rqt_does(&waiter[2], UNLOCK, &lock);
	assert_int_equal(rqt_result_of(&waiter[0]), 0);
	rqt_does(&waiter[0], UNLOCK, &lock);
	for (int i = 0; i < 3; i++)
		rqt_actor_end(&waiter[i]);
	rqt_actor_end(&owner);
	rqt_check_engine();
}

static void a_requeued_waiter_that_a_handler_ends_takes_its_boost_away(void **state)
{
	struct rqt_pi_lock lock = {.word = 0};
	struct rqt_actor owner, low, high;
	uint32_t seq = 0;

	(void)state;
	rqt_need_fifo(__func__);
	rqt_handle(SIGUSR1, on_signal, 0);
	rqt_actor_begin(&owner, OTHER);
	rqt_actor_begin(&low, 12);
	rqt_actor_begin(&high, 48);
	rqt_does(&owner, LOCK, &lock);
	rqt_waits_on(&high, &seq, &lock);
	rqt_waits_on(&low, &seq, &lock);
	assert_int_equal(rqt_broadcast(&seq, &lock), 2);
	rqt_runs_as(&owner, 48);
	pthread_kill(high.thread.handle, SIGUSR1);
	assert_int_equal(rqt_result_of(&high), -EAGAIN);
	rqt_runs_as(&owner, 12);
	rqt_does(&owner, UNLOCK, &lock);
	assert_int_equal(rqt_result_of(&low), 0);
	rqt_runs_as(&owner, OTHER);
	rqt_does(&low, UNLOCK, &lock);
	rqt_actor_end(&owner);
	rqt_actor_end(&low);
	rqt_actor_end(&high);
	rqt_check_engine();
}

/* ---------------------------------------------------------------- dead owners */

/*
 * The last of a chain dies: the one before it has its lock, still with all that it is lent
 * itself.
 */
static void die_in_chain(bool robust)
{
	struct chain *c = calloc(1, sizeof(*c));
	struct rqt_actor high, *heir;
	uint32_t word;

	assert_non_null(c);
	chain_begin(c, 3);
	heir = &c->owner[1];
	rqt_actor_begin(&high, 50);
	rqt_blocks_on(&high, &c->lock[0]);
	chain_runs(c, 0, 50);
	if (robust)
		rqt_does(&c->owner[2], BEQUEATH, &c->lock[2]);
	rqt_actor_end(&c->owner[2]);
	assert_int_equal(rqt_result_of(heir), 0);
	word = __atomic_load_n(&c->lock[2].word, __ATOMIC_ACQUIRE);
	assert_int_equal(word & TID_MASK, rqt_actor_tid(heir));
	assert_int_equal(word & OWNER_DIED, OWNER_DIED);
	c->n = 2;
	chain_runs(c, 0, 50);
	rqt_check_engine();
	rqt_does(heir, UNLOCK, &c->lock[2]);
	chain_runs(c, 0, 50);
	chain_dissolve(c, 50);
	rqt_does(&c->owner[0], UNLOCK, &c->lock[0]);
	assert_int_equal(rqt_result_of(&high), 0);
	rqt_runs_as(&c->owner[0], c->owner[0].own);
	rqt_does(&high, UNLOCK, &c->lock[0]);
	rqt_actor_end(&c->owner[0]);
	rqt_actor_end(&high);
	rqt_check_engine();
	free(c);
}

static void the_heir_of_a_dead_owner_is_lent_the_same(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	die_in_chain(true);
}

static void so_is_that_of_one_without_a_robust_list(void **state)
{
	(void)state;
	rqt_need_fifo(__func__);
	die_in_chain(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_chain_of_1_owner),
	    RQT_CASE(a_chain_of_2_owners),
	    RQT_CASE(a_chain_of_8_owners),
	    RQT_CASE(a_chain_of_64_owners),
	    RQT_CASE(priorities_changed_while_blocked),
	    RQT_CASE(nested_locks_are_paid_back_one_by_one),
	    RQT_CASE(when_the_first_gives_up_the_second_lends),
	    RQT_CASE(a_handler_does_not_end_the_boost_of_a_lock),
	    RQT_CASE(a_broadcast_lends_the_owner_the_best_of_those_moved),
	    RQT_CASE(a_requeued_waiter_that_a_handler_ends_takes_its_boost_away),
	    RQT_CASE(the_heir_of_a_dead_owner_is_lent_the_same),
	    RQT_CASE(so_is_that_of_one_without_a_robust_list),
	};

	rqt_host_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
