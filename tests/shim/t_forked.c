/* SPDX-License-Identifier: MIT */
/*
 * t_forked.c - fork in a program with threads: atfork handlers that lock, mutexes held across the
 * fork, waits in the child.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * glibc's own recursive and errorcheck mutexes refuse the child's unlock, for they ask who the
 * owner is. Under --force-pi they know the child.
 */
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t second;
static pthread_mutex_t third; /* with --force-pi a recursive one, see below */
static int stop;	      /* atomic */

static void lock_all(void)
{
	pthread_mutex_lock(&first);
	pthread_mutex_lock(&second);
	pthread_mutex_lock(&third);
	if (ord_under() == UNDER_FORCE)
		pthread_mutex_lock(&third);
}

static int failed; /* atomic: the first error of an unlock */

static void unlock(pthread_mutex_t *m)
{
	int err = pthread_mutex_unlock(m);

	if (err)
		__atomic_store_n(&failed, err, __ATOMIC_SEQ_CST);
}

static void unlock_all(void)
{
	unlock(&third);
	if (ord_under() == UNDER_FORCE)
		unlock(&third);
	unlock(&second);
	unlock(&first);
}

static void *use_them(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		lock_all();
		unlock_all();
		usleep(50);
	}
	return arg;
}

static void *use_them_once(void *arg)
{
	lock_all();
	unlock_all();
	return arg;
}

struct wait {
	pthread_mutex_t m;
	pthread_cond_t c;
	int inside; /* atomic */
	int token;
};

static void *wait_for_token(void *arg)
{
	struct wait *w = arg;

	pthread_mutex_lock(&w->m);
	__atomic_store_n(&w->inside, 1, __ATOMIC_SEQ_CST);
	while (!w->token)
		pthread_cond_wait(&w->c, &w->m);
	pthread_mutex_unlock(&w->m);
	return NULL;
}

static void signal_it(struct wait *w)
{
	pthread_mutex_lock(&w->m);
	w->token = 1;
	pthread_cond_signal(&w->c);
	pthread_mutex_unlock(&w->m);
}

/* In a child: all of it works, with a second thread, too. */
static int try_all(void)
{
	struct wait w;
	struct ord_thread t;

	alarm(20);
	use_them_once(NULL);
	if (ord_start(&t, use_them_once, NULL, 0))
		return 2;
	ord_join(&t);
	memset(&w, 0, sizeof(w));
	if (ord_init_mutex(&w.m, PTHREAD_MUTEX_NORMAL, ORD_PI) ||
	    ord_start(&t, wait_for_token, &w, 0))
		return 3;
	if (!ord_reaches(&w.inside, 1))
		return 4;
	signal_it(&w);
	ord_join(&t);
	return first.__data.__lock || second.__data.__lock || third.__data.__lock ? 5 : failed;
}

static void atfork_handlers_lock_before_and_unlock_on_both_sides(void **state)
{
	bool force = ord_under() == UNDER_FORCE;
	struct ord_thread t[2];

	(void)state;
	ord_must(
	    ord_init_mutex(&second, force ? PTHREAD_MUTEX_ERRORCHECK : PTHREAD_MUTEX_NORMAL, 0));
	ord_must(ord_init_mutex(&third, force ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL, 0));
	ord_must(pthread_atfork(lock_all, unlock_all, unlock_all));
	for (int i = 0; i < 2; i++)
		ord_must(ord_start(&t[i], use_them, NULL, 0));
	for (int i = 0; i < 12; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			pid = fork(); /* and once more, as daemons do */
			if (pid == 0)
				_exit(try_all());
			_exit(pid > 0 ? ord_reap(pid) : 1);
		}
		assert_int_equal(ord_reap(pid), 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2; i++)
		ord_join(&t[i]);
	assert_int_equal(failed, 0);
}

static int unlock_held(pthread_mutex_t *m, bool is_recursive)
{
	alarm(20);
	if (is_recursive && pthread_mutex_lock(m))
		return 2;
	if (is_recursive && pthread_mutex_unlock(m))
		return 3;
	if (pthread_mutex_unlock(m))
		return 4;
	if (pthread_mutex_lock(m))
		return 5;
	return pthread_mutex_unlock(m) || m->__data.__lock || m->__data.__nusers ? 6 : 0;
}

/* Held by the thread that forks: its child may unlock its copy. */
static void the_child_unlocks_what_was_held(void **state)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE};

	(void)state;
	for (int i = 0; i < (ord_under() == UNDER_FORCE ? 2 : 1); i++) {
		pthread_mutex_t m;
		pid_t pid;

		ord_must(ord_init_mutex(&m, types[i], 0));
		ord_must(pthread_mutex_lock(&m));
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(unlock_held(&m, types[i] == PTHREAD_MUTEX_RECURSIVE));
		assert_int_equal(ord_reap(pid), 0);
		ord_must(pthread_mutex_unlock(&m));
		ord_must(pthread_mutex_destroy(&m));
	}
}

static void *hold_it(void *arg)
{
	struct wait *w = arg;

	pthread_mutex_lock(&w->m);
	__atomic_store_n(&w->inside, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&w->token, __ATOMIC_SEQ_CST))
		usleep(500);
	pthread_mutex_unlock(&w->m);
	return NULL;
}

/* Held by a thread that the child does not have: it stays locked there, and nobody is let in. */
static void what_another_thread_held_stays_locked_in_the_child(void **state)
{
	struct wait w = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};
	struct ord_thread t;
	pid_t pid;

	(void)state;
	ord_must(ord_start(&t, hold_it, &w, 0));
	assert_true(ord_reaches(&w.inside, 1));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct timespec soon = ord_in_ms(CLOCK_REALTIME, 30);

		alarm(20);
		if (pthread_mutex_trylock(&w.m) != EBUSY)
			_exit(1);
		_exit(pthread_mutex_timedlock(&w.m, &soon) == ETIMEDOUT ? 0 : 2);
	}
	assert_int_equal(ord_reap(pid), 0);
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(&w.m);
		_exit(1);
	}
	assert_int_equal(ord_child_asleep(pid) >= 0, 1);
	usleep(150000); /* longer than a thread that is stuck sleeps at a time */
	ord_must(kill(pid, SIGKILL));
	assert_int_equal(ord_reap(pid), 256 + SIGKILL);
	__atomic_store_n(&w.token, 1, __ATOMIC_SEQ_CST);
	ord_join(&t);
}

/* A waiter in the parent while the child is made: the child's condvar has nobody. */
static void the_child_uses_a_condvar_that_has_waiters_in_the_parent(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wait w;
		struct ord_thread t;
		pid_t pid;

		memset(&w, 0, sizeof(w));
		ord_must(ord_init_mutex(&w.m, PTHREAD_MUTEX_NORMAL, i ? ORD_PI : 0));
		ord_must(ord_start(&t, wait_for_token, &w, 0));
		assert_true(ord_reaches(&w.inside, 1));
		assert_true(ord_asleep(&t) >= 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct timespec soon = ord_in_ms(CLOCK_REALTIME, 10);
			int err;

			alarm(20);
			pthread_mutex_lock(&w.m);
			err = pthread_cond_timedwait(&w.c, &w.m, &soon);
			pthread_mutex_unlock(&w.m);
			_exit(err == ETIMEDOUT ? 0 : 1);
		}
		assert_int_equal(ord_reap(pid), 0);
		signal_it(&w);
		ord_join(&t);
		ord_must(pthread_cond_destroy(&w.c));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(the_child_unlocks_what_was_held),
	    cmocka_unit_test(what_another_thread_held_stays_locked_in_the_child),
	    cmocka_unit_test(the_child_uses_a_condvar_that_has_waiters_in_the_parent),
	    cmocka_unit_test(atfork_handlers_lock_before_and_unlock_on_both_sides),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
