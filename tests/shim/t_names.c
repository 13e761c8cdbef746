/* SPDX-License-Identifier: MIT */
/*
 * t_names.c - every name and version that librqpi-preload-mutex.so has is the one that a program
 * gets, and does what the C library's of that name does: C11's mutexes and condition variables,
 * and the names with two underlines that old programs ask for.
 *
 * Run with the preload, without and with RQPI_FORCE_PI=1.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/shim/shim_version.h"

/* No program is linked with these any more: the linker has to be told that there is a version. */
int __pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __pthread_mutex_destroy(pthread_mutex_t *mutex);
int __pthread_mutex_lock(pthread_mutex_t *mutex);
int __pthread_mutex_trylock(pthread_mutex_t *mutex);
int __pthread_mutex_unlock(pthread_mutex_t *mutex);
#define OLD_NAME(name) __asm__(".symver " #name ", " #name "@" SHIM_BASE)
OLD_NAME(__pthread_mutex_init);
OLD_NAME(__pthread_mutex_destroy);
OLD_NAME(__pthread_mutex_lock);
OLD_NAME(__pthread_mutex_trylock);
OLD_NAME(__pthread_mutex_unlock);

static void every_name_is_the_preloads(void **state)
{
	static const struct {
		const char *name, *version;
	} names[] = {
	    {"pthread_mutex_init", SHIM_BASE},
	    {"pthread_mutex_destroy", SHIM_BASE},
	    {"pthread_mutex_lock", SHIM_BASE},
	    {"pthread_mutex_unlock", SHIM_BASE},
	    {"pthread_mutex_trylock", SHIM_BASE},
	    {"pthread_mutex_trylock", "GLIBC_2.34"},
	    {"pthread_mutex_timedlock", SHIM_BASE},
	    {"pthread_mutex_timedlock", "GLIBC_2.34"},
	    {"pthread_mutex_clocklock", "GLIBC_2.30"},
	    {"pthread_mutex_clocklock", "GLIBC_2.34"},
	    {"__pthread_mutex_init", SHIM_BASE},
	    {"__pthread_mutex_destroy", SHIM_BASE},
	    {"__pthread_mutex_lock", SHIM_BASE},
	    {"__pthread_mutex_unlock", SHIM_BASE},
	    {"__pthread_mutex_trylock", SHIM_BASE},
	    {"pthread_cond_wait", SHIM_COND},
	    {"pthread_cond_timedwait", SHIM_COND},
	    {"pthread_cond_signal", SHIM_COND},
	    {"pthread_cond_broadcast", SHIM_COND},
	    {"pthread_cond_destroy", SHIM_COND},
	    {"pthread_cond_clockwait", "GLIBC_2.30"},
	    {"pthread_cond_clockwait", "GLIBC_2.34"},
#ifdef SHIM_COND_OLD
	    {"pthread_cond_wait", SHIM_COND_OLD},
	    {"pthread_cond_timedwait", SHIM_COND_OLD},
	    {"pthread_cond_signal", SHIM_COND_OLD},
	    {"pthread_cond_broadcast", SHIM_COND_OLD},
	    {"pthread_cond_destroy", SHIM_COND_OLD},
#endif
	    {"mtx_lock", "GLIBC_2.28"},
	    {"mtx_lock", "GLIBC_2.34"},
	    {"mtx_trylock", "GLIBC_2.28"},
	    {"mtx_trylock", "GLIBC_2.34"},
	    {"mtx_timedlock", "GLIBC_2.28"},
	    {"mtx_timedlock", "GLIBC_2.34"},
	    {"mtx_unlock", "GLIBC_2.28"},
	    {"mtx_unlock", "GLIBC_2.34"},
	    {"cnd_wait", "GLIBC_2.28"},
	    {"cnd_wait", "GLIBC_2.34"},
	    {"cnd_timedwait", "GLIBC_2.28"},
	    {"cnd_timedwait", "GLIBC_2.34"},
	    {"cnd_signal", "GLIBC_2.28"},
	    {"cnd_signal", "GLIBC_2.34"},
	    {"cnd_broadcast", "GLIBC_2.28"},
	    {"cnd_broadcast", "GLIBC_2.34"},
	    {"cnd_destroy", "GLIBC_2.28"},
	    {"cnd_destroy", "GLIBC_2.34"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *function = dlvsym(RTLD_DEFAULT, names[i].name, names[i].version);
		Dl_info info;

		if (!function || !dladdr(function, &info) ||
		    !strstr(info.dli_fname, "librqpi-preload-mutex"))
			fail_msg("%s@%s is not the preload's", names[i].name, names[i].version);
	}
}

static void old_names_are_the_same_functions(void **state)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	(void)state;
	pthread_mutexattr_init(&attr);
	for (int inherit = 0; inherit < 2; inherit++) {
		pthread_mutexattr_setprotocol(&attr,
					      inherit ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
		assert_int_equal(__pthread_mutex_init(&m, &attr), 0);
		assert_int_equal(__pthread_mutex_lock(&m), 0);
		assert_int_equal(pthread_mutex_trylock(&m), EBUSY);
		assert_int_equal(__pthread_mutex_trylock(&m), EBUSY);
		assert_int_equal(pthread_mutex_unlock(&m), 0);
		assert_int_equal(__pthread_mutex_trylock(&m), 0);
		assert_int_equal(__pthread_mutex_unlock(&m), 0);
		assert_int_equal(pthread_mutex_lock(&m), 0);
		assert_int_equal(__pthread_mutex_unlock(&m), 0);
		assert_int_equal(__pthread_mutex_destroy(&m), 0);
	}
	pthread_mutexattr_destroy(&attr);
}

/* ---------------------------------------------------------------- C11 */

static mtx_t lock;
static cnd_t cond;
static int waiting, tickets, served;

static struct timespec in_ms(long ms)
{
	struct timespec ts;

	timespec_get(&ts, TIME_UTC);
	ts.tv_nsec += ms * 1000000L;
	ts.tv_sec += ts.tv_nsec / 1000000000L;
	ts.tv_nsec %= 1000000000L;
	return ts;
}

/* From another thread, which does not own it. */
static int try_and_time_out(void *unused)
{
	struct timespec soon = in_ms(10);

	(void)unused;
	if (mtx_trylock(&lock) != thrd_busy)
		return 1;
	return mtx_timedlock(&lock, &soon) == thrd_timedout ? 0 : 2;
}

static void a_c11_mutex_excludes(void **state)
{
	struct timespec later = in_ms(60000);
	thrd_t other;
	int result = -1;

	(void)state;
	assert_int_equal(mtx_init(&lock, mtx_timed), thrd_success);
	assert_int_equal(mtx_lock(&lock), thrd_success);
	assert_int_equal(thrd_create(&other, try_and_time_out, NULL), thrd_success);
	assert_int_equal(thrd_join(other, &result), thrd_success);
	assert_int_equal(result, 0);
	assert_int_equal(mtx_unlock(&lock), thrd_success);
	assert_int_equal(mtx_trylock(&lock), thrd_success);
	assert_int_equal(mtx_unlock(&lock), thrd_success);
	assert_int_equal(mtx_timedlock(&lock, &later), thrd_success);
	assert_int_equal(mtx_unlock(&lock), thrd_success);
	mtx_destroy(&lock);
}

static void a_c11_recursive_mutex_counts(void **state)
{
	mtx_t m;

	(void)state;
	assert_int_equal(mtx_init(&m, mtx_plain | mtx_recursive), thrd_success);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mtx_lock(&m), thrd_success);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mtx_unlock(&m), thrd_success);
	mtx_destroy(&m);
}

static int wait_for_ticket(void *timed)
{
	struct timespec later = in_ms(60000);
	int bad = mtx_lock(&lock) != thrd_success;

	waiting++;
	while (!tickets && !bad)
		bad = (timed ? cnd_timedwait(&cond, &lock, &later) : cnd_wait(&cond, &lock)) !=
		      thrd_success;
	tickets--;
	served++;
	return bad | (mtx_unlock(&lock) != thrd_success);
}

static void until(const int *count, int wanted)
{
	for (bool there = false; !there;) {
		mtx_lock(&lock);
		there = *count == wanted;
		mtx_unlock(&lock);
		if (!there)
			usleep(500);
	}
}

static void a_c11_condvar_wakes_one_or_all(void **state)
{
	enum { THREADS = 4 };
	struct timespec soon = in_ms(10);
	thrd_t threads[THREADS];

	(void)state;
	assert_int_equal(mtx_init(&lock, mtx_plain), thrd_success);
	assert_int_equal(cnd_init(&cond), thrd_success);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(thrd_create(&threads[i], wait_for_ticket, i % 2 ? &lock : NULL),
				 thrd_success);
	until(&waiting, THREADS);
	mtx_lock(&lock);
	tickets = 1;
	assert_int_equal(cnd_signal(&cond), thrd_success);
	mtx_unlock(&lock);
	until(&served, 1);
	mtx_lock(&lock);
	tickets = THREADS - 1;
	assert_int_equal(cnd_broadcast(&cond), thrd_success);
	mtx_unlock(&lock);
	for (int i = 0; i < THREADS; i++) {
		int bad = -1;

		assert_int_equal(thrd_join(threads[i], &bad), thrd_success);
		assert_int_equal(bad, 0);
	}
	assert_int_equal(mtx_lock(&lock), thrd_success);
	assert_int_equal(cnd_timedwait(&cond, &lock, &soon), thrd_timedout);
	assert_int_equal(mtx_unlock(&lock), thrd_success);
	cnd_destroy(&cond);
	mtx_destroy(&lock);
}

static void timed_locks_end_on_both_clocks(void **state)
{
	pthread_mutex_t m = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	assert_int_equal(pthread_mutex_timedlock(&m, &now), 0);
	assert_int_equal(pthread_mutex_timedlock(&m, &now), EDEADLK);
	assert_int_equal(pthread_mutex_unlock(&m), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_int_equal(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &now), 0);
	assert_int_equal(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &now), EDEADLK);
	assert_int_equal(pthread_mutex_unlock(&m), 0);
	assert_int_equal(pthread_mutex_destroy(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_name_is_the_preloads),
	    cmocka_unit_test(old_names_are_the_same_functions),
	    cmocka_unit_test(a_c11_mutex_excludes),
	    cmocka_unit_test(a_c11_recursive_mutex_counts),
	    cmocka_unit_test(a_c11_condvar_wakes_one_or_all),
	    cmocka_unit_test(timed_locks_end_on_both_clocks),
	};

	alarm(60);
	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
