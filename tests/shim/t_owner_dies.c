/* SPDX-License-Identifier: MIT */
/*
 * t_owner_dies.c - robust mutexes, PI by the program's wish or made so by --force-pi: owners that
 * die holding one, after a wait, in a wait, by SIGKILL.
 *
 * What is asserted is POSIX's, so the same without any preload.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct timespec past = {1, 0};
static const int kinds[] = {ORD_ROBUST, ORD_ROBUST | ORD_PI};
static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
			    PTHREAD_MUTEX_ERRORCHECK};

/*
 * Where glibc's own functions for robust mutexes that are not PI do not hold what POSIX says, and
 * hang, only the others are looked at: from this one of kinds[] on.
 */
static int sound_from(void)
{
	return ord_under() == UNDER_FORCE ? 0 : 1;
}

struct place {
	pthread_mutex_t m;
	pthread_cond_t c;
	int flag;     /* guarded by m */
	int inside;   /* atomic */
	int result;   /* of the wait */
	int in_child; /* of a child process */
	bool repair;
	bool keep;
};

static void make(struct place *p, int type, int flags)
{
	memset(p, 0, sizeof(*p));
	ord_must(ord_init_mutex(&p->m, type, flags));
	ord_must(ord_init_cond(&p->c, CLOCK_REALTIME, flags & ORD_SHARED));
}

static void unmake(struct place *p)
{
	assert_int_equal(p->m.__data.__nusers, 0);
	ord_must(pthread_cond_destroy(&p->c));
	ord_must(pthread_mutex_destroy(&p->m));
}

static void repair(struct place *p)
{
	ord_must(pthread_mutex_consistent(&p->m));
	ord_must(pthread_mutex_unlock(&p->m));
	ord_must(pthread_mutex_lock(&p->m));
	ord_must(pthread_mutex_unlock(&p->m));
}

static void *lock_and_exit(void *arg)
{
	struct place *p = arg;

	p->result = pthread_mutex_lock(&p->m);
	return NULL;
}

static void let_owner_die(struct place *p)
{
	struct ord_thread t;

	ord_must(ord_start(&t, lock_and_exit, p, 0));
	ord_join(&t);
	assert_int_equal(p->result, 0);
}

static int timedlock(pthread_mutex_t *m)
{
	return pthread_mutex_timedlock(m, &past);
}

static void the_next_one_is_told_that_the_owner_died(void **state)
{
	static int (*const locks[])(pthread_mutex_t *) = {pthread_mutex_lock, pthread_mutex_trylock,
							  timedlock};

	(void)state;
	for (int i = 0; i < 18; i++) {
		struct place p;

		make(&p, types[i % 3], kinds[i / 3 % 2]);
		let_owner_die(&p);
		assert_int_equal(locks[i / 6](&p.m), EOWNERDEAD);
		repair(&p);
		unmake(&p);
	}
}

static void who_does_not_repair_it_spoils_it_for_all(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct place p;

		make(&p, types[i % 3], kinds[i / 3]);
		let_owner_die(&p);
		assert_int_equal(pthread_mutex_lock(&p.m), EOWNERDEAD);
		ord_must(pthread_mutex_unlock(&p.m));
		assert_int_equal(pthread_mutex_lock(&p.m), ENOTRECOVERABLE);
		assert_int_equal(pthread_mutex_timedlock(&p.m, &past), ENOTRECOVERABLE);
		/* Last: glibc 2.36 keeps one that is not PI locked after this. */
		assert_int_equal(pthread_mutex_trylock(&p.m), ENOTRECOVERABLE);
		ord_must(pthread_mutex_destroy(&p.m));
		ord_must(ord_init_mutex(&p.m, types[i % 3], kinds[i / 3]));
		let_owner_die(&p);
		assert_int_equal(pthread_mutex_lock(&p.m), EOWNERDEAD);
		repair(&p);
		unmake(&p);
	}
}

/* ---- waits ---- */

static void *wait_for_flag(void *arg)
{
	struct place *p = arg;

	p->result = pthread_mutex_lock(&p->m);
	__atomic_fetch_add(&p->inside, 1, __ATOMIC_SEQ_CST);
	while (!p->flag && !p->result)
		p->result = pthread_cond_wait(&p->c, &p->m);
	if (p->result == EOWNERDEAD && p->repair)
		pthread_mutex_consistent(&p->m);
	if (p->result != ENOTRECOVERABLE && !p->keep)
		pthread_mutex_unlock(&p->m);
	return NULL;
}

static void start_waiter(struct ord_thread *t, struct place *p)
{
	int before = __atomic_load_n(&p->inside, __ATOMIC_SEQ_CST);

	ord_must(ord_start(t, wait_for_flag, p, 0));
	assert_true(ord_reaches(&p->inside, before + 1));
	assert_true(ord_asleep(t) >= 0);
}

static void *signal_and_exit(void *arg)
{
	struct place *p = arg;

	if (pthread_mutex_lock(&p->m) == 0) {
		p->flag = 1;
		pthread_cond_broadcast(&p->c);
	}
	return NULL;
}

static void a_wait_ends_with_the_news_that_the_owner_died(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct place p;
		struct ord_thread waiter;
		struct ord_thread owner;

		make(&p, types[i % 3], kinds[i / 3]);
		p.repair = true;
		start_waiter(&waiter, &p);
		ord_must(ord_start(&owner, signal_and_exit, &p, 0));
		ord_join(&owner);
		ord_join(&waiter);
		assert_int_equal(p.result, EOWNERDEAD);
		ord_must(pthread_mutex_lock(&p.m));
		ord_must(pthread_mutex_unlock(&p.m));
		unmake(&p);
	}
}

/* The first waiter to come out is told EOWNERDEAD and does not repair; the others are told so. */
static void a_wait_ends_with_the_news_that_nothing_can_be_repaired(void **state)
{
	(void)state;
	for (int i = sound_from(); i < 2; i++) {
		struct place p;
		struct ord_thread waiter[3];
		struct ord_thread owner;

		make(&p, PTHREAD_MUTEX_NORMAL, kinds[i]);
		for (int k = 0; k < 3; k++)
			start_waiter(&waiter[k], &p);
		ord_must(ord_start(&owner, signal_and_exit, &p, 0));
		ord_join(&owner);
		for (int k = 0; k < 3; k++)
			ord_join(&waiter[k]);
		/* The last one to write it. */
		assert_int_equal(p.result, ENOTRECOVERABLE);
		assert_int_equal(pthread_mutex_lock(&p.m), ENOTRECOVERABLE);
		ord_must(pthread_mutex_destroy(&p.m));
	}
}

static void a_wait_without_repair_gives_the_mutex_up_for_good(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct place p;

		make(&p, PTHREAD_MUTEX_NORMAL, kinds[i]);
		let_owner_die(&p);
		assert_int_equal(pthread_mutex_lock(&p.m), EOWNERDEAD);
		assert_int_equal(pthread_cond_timedwait(&p.c, &p.m, &past), ENOTRECOVERABLE);
		assert_int_equal(pthread_mutex_trylock(&p.m), ENOTRECOVERABLE);
		ord_must(pthread_mutex_destroy(&p.m));
	}
}

static void give_flag(struct place *p)
{
	ord_must(pthread_mutex_lock(&p->m));
	p->flag = 1;
	ord_must(pthread_cond_signal(&p->c));
	ord_must(pthread_mutex_unlock(&p->m));
}

/* A waiter is an owner like any other once its wait has returned. */
static void an_owner_that_dies_after_a_wait_is_noticed(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct place p;
		struct ord_thread waiter;

		make(&p, types[i % 3], kinds[i / 3]);
		p.keep = true;
		start_waiter(&waiter, &p);
		give_flag(&p);
		ord_join(&waiter);
		assert_int_equal(p.result, 0);
		assert_int_equal(pthread_mutex_lock(&p.m), EOWNERDEAD);
		repair(&p);
		unmake(&p);
	}
}

/* Cancelled in its wait and without a handler: it ends as the owner. */
static void an_owner_cancelled_in_a_wait_is_noticed(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct place p;
		struct ord_thread waiter;

		make(&p, types[i % 3], kinds[i / 3]);
		start_waiter(&waiter, &p);
		ord_must(pthread_cancel(waiter.handle));
		ord_join(&waiter);
		assert_int_equal(pthread_mutex_lock(&p.m), EOWNERDEAD);
		repair(&p);
		unmake(&p);
	}
}

struct three {
	struct place p[3];
};

static void *wait_with_the_middle_of_three(void *arg)
{
	struct three *t = arg;

	for (int i = 0; i < 3; i++)
		pthread_mutex_lock(&t->p[i].m);
	t->p[1].result = pthread_cond_timedwait(&t->p[1].c, &t->p[1].m, &past);
	return NULL;
}

static void all_that_the_dead_one_held_are_known_as_his(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct three t;
		struct ord_thread owner;

		for (int k = 0; k < 3; k++)
			make(&t.p[k], PTHREAD_MUTEX_NORMAL, kinds[i]);
		ord_must(ord_start(&owner, wait_with_the_middle_of_three, &t, 0));
		ord_join(&owner);
		assert_int_equal(t.p[1].result, ETIMEDOUT);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(pthread_mutex_lock(&t.p[k].m), EOWNERDEAD);
			repair(&t.p[k]);
			unmake(&t.p[k]);
		}
	}
}

/* ---- recursion ---- */

static void *see_it_free(void *arg)
{
	struct place *p = arg;

	p->in_child = pthread_mutex_lock(&p->m);
	p->flag = 1;
	pthread_cond_signal(&p->c);
	pthread_mutex_unlock(&p->m);
	return NULL;
}

static void recursive_depth_goes_through_a_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		/* glibc's own wait gives up one level only. */
		int depth = ord_under() == UNDER_LIBC || i < sound_from() ? 1 : 3;
		struct place p;
		struct ord_thread t;

		make(&p, PTHREAD_MUTEX_RECURSIVE, kinds[i]);
		for (int k = 0; k < depth; k++)
			ord_must(pthread_mutex_lock(&p.m));
		ord_must(ord_start(&t, see_it_free, &p, 0));
		while (!p.flag)
			ord_must(pthread_cond_wait(&p.c, &p.m));
		assert_int_equal(p.in_child, 0);
		for (int k = 0; k < depth; k++) {
			assert_int_equal(p.m.__data.__owner, ord_tid());
			ord_must(pthread_mutex_unlock(&p.m));
		}
		assert_int_equal(pthread_mutex_unlock(&p.m), EPERM);
		ord_join(&t);
		unmake(&p);
	}
}

/* ---- processes ---- */

static struct place *map_place(int flags)
{
	struct place *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	make(p, PTHREAD_MUTEX_NORMAL, flags | ORD_SHARED);
	return p;
}

static pid_t child_that_waits(struct place *p)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		wait_for_flag(p);
		_exit(p->result);
	}
	assert_true(ord_reaches(&p->inside, 1));
	assert_true(ord_child_asleep(pid) >= 0);
	return pid;
}

static void kill_child(pid_t pid)
{
	ord_must(kill(pid, SIGKILL));
	assert_int_equal(ord_reap(pid), 256 + SIGKILL);
}

static void a_process_is_killed_holding_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct place *p = map_place(kinds[i]);
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			if (pthread_mutex_lock(&p->m) == 0)
				__atomic_store_n(&p->inside, 1, __ATOMIC_SEQ_CST);
			pause();
			_exit(1);
		}
		assert_true(ord_reaches(&p->inside, 1));
		kill_child(pid);
		assert_int_equal(pthread_mutex_lock(&p->m), EOWNERDEAD);
		repair(p);
		munmap(p, sizeof(*p));
	}
}

static void a_process_is_killed_in_a_wait(void **state)
{
	(void)state;
	if (!getenv("RQPI_PRELOAD_SHARED"))
		ord_skip("a killed waiter leaves glibc's condvar unusable");
	for (int i = sound_from(); i < 2; i++) {
		struct place *p = map_place(kinds[i]);
		pid_t pid = child_that_waits(p);
		int err;

		kill_child(pid);
		ord_must(pthread_mutex_lock(&p->m));
		ord_must(pthread_cond_signal(&p->c));
		ord_must(pthread_mutex_unlock(&p->m));
		/* And one that had been woken by then, and waits for the mutex. */
		__atomic_store_n(&p->inside, 0, __ATOMIC_SEQ_CST);
		pid = child_that_waits(p);
		ord_must(pthread_mutex_lock(&p->m));
		p->flag = 1;
		ord_must(pthread_cond_broadcast(&p->c));
		kill_child(pid);
		ord_must(pthread_mutex_unlock(&p->m));
		err = pthread_mutex_lock(&p->m);
		assert_true(err == 0 || err == EOWNERDEAD);
		if (err)
			ord_must(pthread_mutex_consistent(&p->m));
		ord_must(pthread_mutex_unlock(&p->m));
		munmap(p, sizeof(*p));
	}
}

static void a_wait_in_another_process_learns_that_the_owner_was_killed(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct place *p = map_place(kinds[i]);
		pid_t pid = child_that_waits(p);
		pid_t owner = fork();

		assert_true(owner >= 0);
		if (owner == 0) {
			signal_and_exit(p);
			kill(getpid(), SIGKILL);
		}
		assert_int_equal(ord_reap(owner), 256 + SIGKILL);
		assert_int_equal(ord_reap(pid), EOWNERDEAD);
		munmap(p, sizeof(*p));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(the_next_one_is_told_that_the_owner_died),
	    cmocka_unit_test(who_does_not_repair_it_spoils_it_for_all),
	    cmocka_unit_test(a_wait_ends_with_the_news_that_the_owner_died),
	    cmocka_unit_test(a_wait_ends_with_the_news_that_nothing_can_be_repaired),
	    cmocka_unit_test(a_wait_without_repair_gives_the_mutex_up_for_good),
	    cmocka_unit_test(an_owner_that_dies_after_a_wait_is_noticed),
	    cmocka_unit_test(an_owner_cancelled_in_a_wait_is_noticed),
	    cmocka_unit_test(all_that_the_dead_one_held_are_known_as_his),
	    cmocka_unit_test(recursive_depth_goes_through_a_wait),
	    cmocka_unit_test(a_process_is_killed_holding_it),
	    cmocka_unit_test(a_process_is_killed_in_a_wait),
	    cmocka_unit_test(a_wait_in_another_process_learns_that_the_owner_was_killed),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
