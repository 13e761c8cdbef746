/* SPDX-License-Identifier: MIT */
/*
 * t_processes.c - process-shared mutexes and condvars: after fork, at several addresses, mapped
 * apart, beside a process that has no preload.
 *
 * With "--answer FD" it is that other process: it takes part in a game of ping-pong and ends.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 4 /* of ping-pong; where the other has no preload each takes two slices of 200 ms */

static const int kinds[] = {ORD_SHARED, ORD_SHARED | ORD_PI};
static const struct timespec past = {1, 0};

/* RQPI_PRELOAD_SHARED=1: the preload may have process-shared condvars, on any glibc. */
static bool preload_has_them(void)
{
	return getenv("RQPI_PRELOAD_SHARED") && ord_under() != UNDER_LIBC;
}

struct table {
	pthread_mutex_t m;
	pthread_cond_t c;
	int ball;    /* whose turn: 0 ours, 1 the other's; guarded by the mutex in use */
	int waiting; /* atomic: in a wait, or about to be, with the mutex held before */
	int served;  /* atomic */
	int tokens;
};

static void make(struct table *t, int flags)
{
	memset(t, 0, sizeof(*t));
	ord_must(ord_init_mutex(&t->m, PTHREAD_MUTEX_NORMAL, flags));
	ord_must(ord_init_cond(&t->c, CLOCK_MONOTONIC, ORD_SHARED));
}

static int memory(void)
{
	int fd = memfd_create("table", 0);

	assert_true(fd >= 0);
	ord_must(ftruncate(fd, sysconf(_SC_PAGESIZE)));
	return fd;
}

static void *map(int fd)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p)
{
	munmap(p, (size_t)sysconf(_SC_PAGESIZE));
}

/* Each waits for its turn and gives it back. 0, or what a call returned. */
static int play(struct table *t, pthread_mutex_t *m, int me, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int err = pthread_mutex_lock(m);

		while (!err && t->ball != me)
			err = pthread_cond_wait(&t->c, m);
		t->ball = 1 - me;
		if (!err)
			err = pthread_cond_signal(&t->c);
		if (!err)
			err = pthread_mutex_unlock(m);
		if (err)
			return err;
	}
	return 0;
}

static void waits_and_signals_go_between_parent_and_child(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table *t = map(memory());
		pid_t pid;

		make(t, kinds[i]);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			alarm(30);
			_exit(play(t, &t->m, 1, 200));
		}
		ord_must(play(t, &t->m, 0, 200));
		assert_int_equal(ord_reap(pid), 0);
		ord_must(pthread_cond_destroy(&t->c));
		ord_must(pthread_mutex_destroy(&t->m));
		unmap(t);
	}
}

static void timed_waits_end_when_they_should(void **state)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table *t = map(memory());
		struct timespec bad = {1, -1};

		make(t, kinds[i]);
		ord_must(pthread_mutex_lock(&t->m));
		assert_int_equal(pthread_cond_timedwait(&t->c, &t->m, &past), ETIMEDOUT);
		assert_int_equal(pthread_cond_timedwait(&t->c, &t->m, &bad), EINVAL);
		for (int k = 0; k < 2; k++) {
			struct timespec at = ord_in_ms(clocks[k], 250); /* beyond a slice */
			struct timespec now;
			int err = 0;

			while (err == 0)
				err = pthread_cond_clockwait(&t->c, &t->m, clocks[k], &at);
			assert_int_equal(err, ETIMEDOUT);
			clock_gettime(clocks[k], &now);
			assert_true(now.tv_sec > at.tv_sec ||
				    (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
			assert_int_equal(t->m.__data.__owner, ord_tid());
		}
		ord_must(pthread_mutex_unlock(&t->m));
		unmap(t);
	}
}

/* ---- one memory at two addresses ---- */

static void *take_token(void *arg)
{
	struct table *t = arg;

	pthread_mutex_lock(&t->m);
	__atomic_fetch_add(&t->waiting, 1, __ATOMIC_SEQ_CST);
	while (!t->tokens)
		pthread_cond_wait(&t->c, &t->m);
	t->tokens--;
	__atomic_fetch_add(&t->served, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&t->m);
	return NULL;
}

static void give(struct table *t, int tokens, int (*release)(pthread_cond_t *))
{
	ord_must(pthread_mutex_lock(&t->m));
	t->tokens += tokens;
	ord_must(release(&t->c));
	ord_must(pthread_mutex_unlock(&t->m));
}

/* Returns the futex operation that it sleeps in. */
static int start_taker(struct ord_thread *thread, struct table *t)
{
	int before = __atomic_load_n(&t->waiting, __ATOMIC_SEQ_CST);
	int op;

	ord_must(ord_start(thread, take_token, t, 0));
	assert_true(ord_reaches(&t->waiting, before + 1));
	op = ord_asleep(thread);
	assert_true(op >= 0);
	return op;
}

static void one_condvar_is_one_at_two_addresses(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bool pi = kinds[i] & ORD_PI || ord_under() == UNDER_FORCE;
		int op = preload_has_them() && pi ? FUTEX_WAIT_REQUEUE_PI : FUTEX_WAIT_BITSET;
		int fd = memory();
		struct table *here = map(fd);
		struct table *there = map(fd);
		struct ord_thread thread[4];

		assert_ptr_not_equal(here, there);
		make(here, kinds[i]);
		for (int k = 0; k < 4; k++)
			assert_int_equal(start_taker(&thread[k], k % 2 ? here : there), op);
		give(here, 1, pthread_cond_signal);
		assert_true(ord_reaches(&here->served, 1));
		give(there, 1, pthread_cond_signal);
		assert_true(ord_reaches(&here->served, 2));
		give(there, 2, pthread_cond_broadcast);
		for (int k = 0; k < 4; k++)
			ord_join(&thread[k]);
		close(fd);
		unmap(here);
		unmap(there);
	}
}

/* ---- the mutex in a mapping of its own, as far away as each process likes ---- */

static void *map_at_a_distance(int fd, const void *from, long pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *want = (char *)(uintptr_t)from + pages * (long)page;
	void *p = mmap(want, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Any place that is free and not the one that another process has. */
static struct table *map_mutex(int fd, const void *from, long first)
{
	struct table *t = NULL;

	for (long pages = first; !t && pages < first + 64; pages++)
		t = map_at_a_distance(fd, from, pages);
	return t;
}

static void the_mutex_may_be_mapped_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct table *t = map(memory());
		int fd = memory();
		struct table *with_mutex;
		pid_t pid;

		make(t, kinds[i]);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			alarm(30);
			with_mutex = map_mutex(fd, t, 5000);
			while (with_mutex && !__atomic_load_n(&t->tokens, __ATOMIC_SEQ_CST))
				usleep(1000);
			_exit(with_mutex ? play(t, &with_mutex->m, 1, ROUNDS) : 99);
		}
		with_mutex = map_mutex(fd, t, 1000);
		assert_non_null(with_mutex);
		make(with_mutex, kinds[i]);
		__atomic_store_n(&t->tokens, 1, __ATOMIC_SEQ_CST);
		ord_must(play(t, &with_mutex->m, 0, ROUNDS));
		assert_int_equal(ord_reap(pid), 0);
		unmap(with_mutex);
		unmap(t);
		close(fd);
	}
}

/* ---- a process without preload ---- */

static int answer(int fd)
{
	struct table *t = map(fd);

	return t ? play(t, &t->m, 1, ROUNDS) : 99;
}

static void a_process_without_preload_plays_too(void **state)
{
	(void)state;
	if (preload_has_them())
		ord_skip("glibc before 2.41 hangs beside it, see rqpi(7)");
	for (int i = 0; i < 2; i++) {
		int fd = memory();
		struct table *t = map(fd);
		pid_t pid;

		make(t, kinds[i]);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			char number[16];

			alarm(30);
			snprintf(number, sizeof(number), "%d", fd);
			unsetenv("LD_PRELOAD");
			setenv("ORDINARY_UNDER", "libc", 1);
			execl("/proc/self/exe", "t_processes", "--answer", number, (char *)NULL);
			_exit(98);
		}
		ord_must(play(t, &t->m, 0, ROUNDS));
		assert_int_equal(ord_reap(pid), 0);
		ord_must(pthread_mutex_lock(&t->m));
		ord_must(pthread_mutex_unlock(&t->m));
		ord_must(pthread_mutex_destroy(&t->m));
		close(fd);
		unmap(t);
	}
}

/* ---- lives ---- */

static void a_condvar_is_destroyed_and_made_again(void **state)
{
	struct table *t = map(memory());

	(void)state;
	for (int i = 0; i < 24; i++) {
		struct ord_thread thread[2];

		make(t, kinds[i % 2]);
		if (i % 3 == 1) { /* a private one in the same place */
			ord_must(pthread_cond_destroy(&t->c));
			ord_must(pthread_cond_init(&t->c, NULL));
		}
		for (int k = 0; k < 2; k++)
			start_taker(&thread[k], t);
		give(t, 2, pthread_cond_broadcast);
		for (int k = 0; k < 2; k++)
			ord_join(&thread[k]);
		ord_must(pthread_cond_destroy(&t->c));
		ord_must(pthread_mutex_destroy(&t->m));
	}
	unmap(t);
}

/* ---- cancelled with a signal in hand ---- */

static void unlock_it(void *arg)
{
	pthread_mutex_unlock(arg);
}

static void *take_token_or_be_cancelled(void *arg)
{
	struct table *t = arg;

	pthread_mutex_lock(&t->m);
	pthread_cleanup_push(unlock_it, &t->m);
	__atomic_fetch_add(&t->waiting, 1, __ATOMIC_SEQ_CST);
	while (!t->tokens)
		pthread_cond_wait(&t->c, &t->m);
	t->tokens--;
	__atomic_fetch_add(&t->served, 1, __ATOMIC_SEQ_CST);
	pthread_cleanup_pop(1);
	return NULL;
}

static void a_cancelled_waiter_does_not_take_the_signal_with_it(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		struct table *t = map(memory());
		struct ord_thread thread[2];
		void *result;

		make(t, kinds[i % 2]);
		for (int k = 0; k < 2; k++) {
			ord_must(ord_start(&thread[k], take_token_or_be_cancelled, t, 0));
			assert_true(ord_reaches(&t->waiting, k + 1));
			assert_true(ord_asleep(&thread[k]) >= 0);
		}
		ord_must(pthread_mutex_lock(&t->m));
		t->tokens = 1;
		ord_must(pthread_cond_signal(&t->c));
		ord_must(pthread_cancel(thread[0].handle));
		ord_must(pthread_mutex_unlock(&t->m));
		ord_must(pthread_join(thread[0].handle, &result));
		/* Whoever got it: the token is taken, and not by nobody. */
		assert_true(ord_reaches(&t->served, 1));
		if (result != PTHREAD_CANCELED)
			give(t, 1, pthread_cond_signal);
		ord_join(&thread[1]);
		assert_int_equal(t->tokens, 0);
		unmap(t);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(waits_and_signals_go_between_parent_and_child),
	    cmocka_unit_test(timed_waits_end_when_they_should),
	    cmocka_unit_test(one_condvar_is_one_at_two_addresses),
	    cmocka_unit_test(the_mutex_may_be_mapped_apart),
	    cmocka_unit_test(a_process_without_preload_plays_too),
	    cmocka_unit_test(a_condvar_is_destroyed_and_made_again),
	    cmocka_unit_test(a_cancelled_waiter_does_not_take_the_signal_with_it),
	};

	if (argc == 3 && strcmp(argv[1], "--answer") == 0)
		return answer(atoi(argv[2]));
	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
