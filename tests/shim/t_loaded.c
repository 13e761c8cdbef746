/* SPDX-License-Identifier: MIT */
/*
 * t_loaded.c - a program whose own malloc locks mutexes from the first call on, before any
 * constructor has run; and libraries that come and go with their mutexes and condvars.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the program's malloc: an arena that is never given back ---- */

#define ARENA (64u << 20)
#define ALIGN 16u

static pthread_mutex_t by_zeros = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t by_init;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int made;
static int calls;
static int clumsy; /* calls of pthread's that failed */
static char arena[ARENA] __attribute__((aligned(16)));
static size_t used;

static void check(int err)
{
	if (err)
		clumsy = err;
}

static void *take(size_t size)
{
	size_t *p;

	size = (size + 2 * ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (used + size > ARENA)
		return NULL;
	p = (size_t *)(void *)(arena + used);
	used += size;
	p[0] = size - ALIGN;
	return (char *)p + ALIGN;
}

static void *allocate(size_t size)
{
	void *p;

	check(pthread_mutex_lock(&by_zeros));
	if (!made)
		check(pthread_mutex_init(&by_init, NULL));
	made = 1;
	check(pthread_mutex_lock(&by_init));
	check(pthread_mutex_lock(&recursive));
	check(pthread_mutex_trylock(&recursive));
	calls++;
	p = take(size);
	check(pthread_mutex_unlock(&recursive));
	check(pthread_mutex_unlock(&recursive));
	check(pthread_mutex_unlock(&by_init));
	check(pthread_mutex_unlock(&by_zeros));
	if (!p)
		errno = ENOMEM;
	return p;
}

void *malloc(size_t size)
{
	return allocate(size);
}

void *calloc(size_t n, size_t size)
{
	size_t all;

	/* The arena begins as zeros, and nothing comes back to it. */
	return __builtin_mul_overflow(n, size, &all) ? NULL : allocate(all);
}

void *realloc(void *old, size_t size)
{
	void *p = allocate(size);

	if (p && old) {
		size_t had = ((size_t *)old)[-2];

		memcpy(p, old, had < size ? had : size);
	}
	return p;
}

void free(void *p)
{
	if (!p)
		return;
	check(pthread_mutex_lock(&by_zeros));
	check(pthread_mutex_unlock(&by_zeros));
}

static void *allocate_much(void *arg)
{
	for (int i = 0; i < 2000; i++)
		free(malloc(16));
	return arg;
}

static void malloc_may_lock_from_the_first_call_on(void **state)
{
	struct ord_thread t[4];

	(void)state;
	assert_true(calls > 0);
	for (int i = 0; i < 4; i++)
		ord_must(ord_start(&t[i], allocate_much, NULL, 0));
	for (int i = 0; i < 4; i++)
		ord_join(&t[i]);
	assert_int_equal(clumsy, 0);
	assert_int_equal(by_zeros.__data.__lock, 0);
	assert_int_equal(by_zeros.__data.__nusers, 0);
	assert_int_equal(by_init.__data.__nusers, 0);
	assert_int_equal(recursive.__data.__nusers, 0);
	assert_int_equal(recursive.__data.__count, 0);
	assert_int_equal((by_zeros.__data.__kind & 0x20) != 0, ord_under() == UNDER_FORCE);
}

/* ---- libraries ---- */

static const char *plugin_path; /* argv[1] */

static void a_library_may_lock_and_wait_when_it_comes_and_goes(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		void *plugin = dlopen(plugin_path, i % 2 ? RTLD_NOW : RTLD_LAZY);
		int (*step)(void);
		int *failed;

		if (!plugin)
			fail_msg("%s", dlerror());
		*(void **)&step = dlsym(plugin, "plugin_step");
		failed = dlsym(plugin, "plugin_failed");
		assert_true(step && failed);
		assert_int_equal(*failed, 0);
		assert_int_equal(step(), 0);
		ord_must(dlclose(plugin));
	}
}

static void *load_and_unload(void *arg)
{
	for (int i = 0; i < 10; i++) {
		void *plugin = dlopen(plugin_path, RTLD_NOW);

		if (plugin)
			dlclose(plugin);
	}
	return arg;
}

static void libraries_come_and_go_in_several_threads(void **state)
{
	struct ord_thread t[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		ord_must(ord_start(&t[i], load_and_unload, NULL, 0));
	for (int i = 0; i < 3; i++)
		ord_join(&t[i]);
	assert_int_equal(clumsy, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(malloc_may_lock_from_the_first_call_on),
	    cmocka_unit_test(a_library_may_lock_and_wait_when_it_comes_and_goes),
	    cmocka_unit_test(libraries_come_and_go_in_several_threads),
	};

	if (argc < 2)
		return 2;
	plugin_path = argv[1];
	ord_begin(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
