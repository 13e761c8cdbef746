/* SPDX-License-Identifier: MIT */
/*
 * t_reuse.c - the memory that mutexes and condvars lie in: used as one after the other, zeroed,
 * freed as soon as POSIX allows, and met by many threads at once while it is still zeros.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIND_INHERIT 0x20 /* glibc's */

/* ---- the first lock, by all at once ---- */

#define THREADS 8
#define MUTEXES 200
#define ROUNDS	12

struct crowd {
	pthread_mutex_t m[MUTEXES];
	pthread_barrier_t start;
	int inside[MUTEXES]; /* plain: guarded by m */
	int clumsy;	     /* atomic: calls that failed */
};

static void *lock_them_all(void *arg)
{
	struct crowd *c = arg;

	pthread_barrier_wait(&c->start);
	for (int i = 0; i < MUTEXES; i++) {
		if (pthread_mutex_lock(&c->m[i]))
			__atomic_fetch_add(&c->clumsy, 1, __ATOMIC_SEQ_CST);
		c->inside[i]++;
		if (i % 2)
			sched_yield(); /* for others to come and find it locked */
		if (pthread_mutex_unlock(&c->m[i]))
			__atomic_fetch_add(&c->clumsy, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void check_crowd(struct crowd *c)
{
	for (int i = 0; i < MUTEXES; i++) {
		bool inherits = (c->m[i].__data.__kind & KIND_INHERIT) != 0;

		assert_int_equal(c->inside[i], THREADS);
		assert_int_equal(c->m[i].__data.__lock, 0);
		assert_int_equal(c->m[i].__data.__nusers, 0);
		assert_int_equal(inherits, ord_under() == UNDER_FORCE);
		ord_must(pthread_mutex_destroy(&c->m[i]));
	}
	assert_int_equal(c->clumsy, 0);
}

static void many_threads_lock_a_fresh_mutex_for_the_first_time(void **state)
{
	static struct crowd crowd;
	struct ord_thread t[THREADS];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		memset(&crowd, 0, sizeof(crowd));
		pthread_barrier_init(&crowd.start, NULL, THREADS);
		for (int i = 0; i < THREADS; i++)
			ord_must(ord_start(&t[i], lock_them_all, &crowd, 0));
		for (int i = 0; i < THREADS; i++)
			ord_join(&t[i]);
		pthread_barrier_destroy(&crowd.start);
		check_crowd(&crowd);
	}
}

/* ---- one after the other in the same place ---- */

struct use {
	pthread_mutex_t m;
	pthread_cond_t c;
	int tokens;
	int result;
};

static void *wait_once(void *arg)
{
	struct use *u = arg;

	u->result = pthread_mutex_lock(&u->m);
	while (!u->result && !u->tokens)
		u->result = pthread_cond_wait(&u->c, &u->m);
	u->tokens--;
	if (!u->result)
		u->result = pthread_mutex_unlock(&u->m);
	return NULL;
}

static void use_it(struct use *u, int type)
{
	struct ord_thread t;
	int err;

	ord_must(ord_start(&t, wait_once, u, 0));
	assert_true(ord_asleep(&t) >= 0);
	ord_must(pthread_mutex_lock(&u->m));
	err = pthread_mutex_trylock(&u->m);
	assert_int_equal(err == 0, type == PTHREAD_MUTEX_RECURSIVE);
	if (err == 0)
		ord_must(pthread_mutex_unlock(&u->m));
	u->tokens = 1;
	ord_must(pthread_cond_signal(&u->c));
	ord_must(pthread_mutex_unlock(&u->m));
	ord_join(&t);
	assert_int_equal(u->result, 0);
	assert_int_equal(u->tokens, 0);
}

static void a_place_is_used_for_one_kind_after_another(void **state)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK};
	static const int flags[] = {0, ORD_PI, ORD_SHARED, ORD_PI | ORD_SHARED, ORD_ROBUST};
	struct use u;

	(void)state;
	memset(&u, 0, sizeof(u));
	for (int i = 0; i < 15; i++) {
		int f = flags[i % 5];

		ord_must(ord_init_mutex(&u.m, types[i % 3], f));
		ord_must(ord_init_cond(&u.c, CLOCK_MONOTONIC, f & ORD_SHARED));
		use_it(&u, types[i % 3]);
		ord_must(pthread_cond_destroy(&u.c));
		ord_must(pthread_mutex_destroy(&u.m));
		/* The static initialiser, and zeros, put over what was there. */
		u.m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
		u.c = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
		use_it(&u, PTHREAD_MUTEX_NORMAL);
		memset(&u, 0, sizeof(u)); /* not destroyed: nobody is obliged to */
		use_it(&u, PTHREAD_MUTEX_NORMAL);
		u.m = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
		use_it(&u, PTHREAD_MUTEX_RECURSIVE);
	}
}

static void a_destroyed_mutex_is_refused(void **state)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

	(void)state;
	ord_must(pthread_mutex_lock(&m));
	ord_must(pthread_mutex_unlock(&m));
	ord_must(pthread_mutex_destroy(&m));
	assert_int_equal(pthread_mutex_lock(&m), EINVAL);
	assert_int_equal(pthread_mutex_unlock(&m), EINVAL);
	ord_must(pthread_mutex_init(&m, NULL));
	ord_must(pthread_mutex_lock(&m));
	ord_must(pthread_mutex_unlock(&m));
}

/* ---- freed by the next owner, at once ---- */

struct counted {
	pthread_mutex_t m;
	int refs;
};

static void drop(struct counted *c)
{
	bool last;

	if (pthread_mutex_lock(&c->m))
		abort();
	last = --c->refs == 0;
	if (pthread_mutex_unlock(&c->m))
		abort();
	if (!last)
		return;
	if (pthread_mutex_destroy(&c->m) || munmap(c, (size_t)sysconf(_SC_PAGESIZE)))
		abort();
}

#define OBJECTS 400

struct heap {
	pthread_barrier_t start;
	struct counted *object[OBJECTS];
};

static void *drop_all(void *arg)
{
	struct heap *h = arg;

	pthread_barrier_wait(&h->start);
	for (int i = 0; i < OBJECTS; i++) {
		drop(h->object[i]);
		if (i % 4 == 0)
			sched_yield();
	}
	return NULL;
}

/* A touch after the unlock would be a crash: the page is gone. */
static void the_next_owner_unmaps_the_mutex_right_after_the_unlock(void **state)
{
	static struct heap heap;
	struct ord_thread t[3];

	(void)state;
	pthread_barrier_init(&heap.start, NULL, 3);
	for (int i = 0; i < OBJECTS; i++) {
		heap.object[i] = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(heap.object[i], MAP_FAILED);
		heap.object[i]->refs = 3;
		if (i % 2)
			ord_must(ord_init_mutex(&heap.object[i]->m, PTHREAD_MUTEX_NORMAL,
						i % 4 == 1 ? ORD_PI : 0));
	}
	for (int i = 0; i < 3; i++)
		ord_must(ord_start(&t[i], drop_all, &heap, 0));
	for (int i = 0; i < 3; i++)
		ord_join(&t[i]);
	pthread_barrier_destroy(&heap.start);
}

/* Contended for certain: the others sleep in the kernel, or look, while it is held. */
static void *drop_one(void *arg)
{
	drop(arg);
	return NULL;
}

static void it_is_unmapped_by_one_who_had_to_wait_for_it(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct counted *c = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE),
					 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					 0);
		struct ord_thread t[2];

		assert_ptr_not_equal(c, MAP_FAILED);
		c->refs = 2;
		ord_must(pthread_mutex_lock(&c->m));
		for (int k = 0; k < 2; k++) {
			ord_must(ord_start(&t[k], drop_one, c, 0));
			assert_true(ord_asleep(&t[k]) >= 0);
		}
		ord_must(pthread_mutex_unlock(&c->m));
		for (int k = 0; k < 2; k++)
			ord_join(&t[k]);
	}
}

/* ---- condvars: freed right after the broadcast ---- */

struct guest {
	pthread_mutex_t *m;
	pthread_cond_t *c;
	const int *open;
	int result;
};

static void *be_a_guest(void *arg)
{
	struct guest *g = arg;

	pthread_mutex_lock(g->m);
	while (!*g->open && !g->result)
		g->result = pthread_cond_wait(g->c, g->m);
	pthread_mutex_unlock(g->m);
	return NULL;
}

/* The broadcaster holds the mutex, so that nobody woken can have returned. */
static void free_after_broadcast(int flags)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	pthread_cond_t *c = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
	pthread_mutex_t m;
	struct guest g[4];
	struct ord_thread t[4];
	int open = 0;

	assert_ptr_not_equal(c, MAP_FAILED);
	ord_must(ord_init_mutex(&m, PTHREAD_MUTEX_NORMAL, flags));
	for (int i = 0; i < 4; i++) {
		g[i] = (struct guest){&m, c, &open, 0};
		ord_must(ord_start(&t[i], be_a_guest, &g[i], 0));
		assert_true(ord_asleep(&t[i]) >= 0);
	}
	ord_must(pthread_mutex_lock(&m));
	open = 1;
	ord_must(pthread_cond_broadcast(c));
	ord_must(pthread_cond_destroy(c));
	memset(c, 0xff, sizeof(*c));
	ord_must(munmap(c, page));
	ord_must(pthread_mutex_unlock(&m));
	for (int i = 0; i < 4; i++) {
		ord_join(&t[i]);
		assert_int_equal(g[i].result, 0);
	}
	ord_must(pthread_mutex_destroy(&m));
}

static void a_condvar_is_freed_right_after_the_broadcast(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		free_after_broadcast(ORD_PI);
		free_after_broadcast(ORD_PI | ORD_ROBUST);
		free_after_broadcast(ORD_PI | ORD_SHARED);
		free_after_broadcast(0);
	}
}

/* ---- a condvar, and mutexes of all kinds at different times ---- */

static void a_condvar_is_used_with_one_mutex_after_another(void **state)
{
	static const int flags[] = {
	    ORD_PI, 0, ORD_PI | ORD_ROBUST, ORD_ROBUST, ORD_PI, ORD_PI | ORD_SHARED, 0};
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	(void)state;
	for (int round = 0; round < 28; round++) {
		int open = 0;
		pthread_mutex_t m;
		struct ord_thread t[2];
		struct guest g[2];

		ord_must(ord_init_mutex(&m, PTHREAD_MUTEX_NORMAL, flags[round % 7]));
		for (int i = 0; i < 2; i++) {
			g[i] = (struct guest){&m, &c, &open, 0};
			ord_must(ord_start(&t[i], be_a_guest, &g[i], 0));
			assert_true(ord_asleep(&t[i]) >= 0);
		}
		ord_must(pthread_mutex_lock(&m));
		open = 1;
		for (int i = 0; i < 2; i++)
			ord_must(round % 2 ? pthread_cond_signal(&c) : pthread_cond_broadcast(&c));
		ord_must(pthread_mutex_unlock(&m));
		for (int i = 0; i < 2; i++) {
			ord_join(&t[i]);
			assert_int_equal(g[i].result, 0);
		}
		ord_must(pthread_mutex_destroy(&m));
	}
	ord_must(pthread_cond_destroy(&c));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(many_threads_lock_a_fresh_mutex_for_the_first_time),
	    cmocka_unit_test(a_place_is_used_for_one_kind_after_another),
	    cmocka_unit_test(a_destroyed_mutex_is_refused),
	    cmocka_unit_test(the_next_owner_unmaps_the_mutex_right_after_the_unlock),
	    cmocka_unit_test(it_is_unmapped_by_one_who_had_to_wait_for_it),
	    cmocka_unit_test(a_condvar_is_freed_right_after_the_broadcast),
	    cmocka_unit_test(a_condvar_is_used_with_one_mutex_after_another),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
