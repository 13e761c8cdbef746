/* SPDX-License-Identifier: MIT */
/*
 * t_attr.c - attributes, initialisers, sizes, texts and capabilities: what needs no second thread.
 */
#define _GNU_SOURCE
#include "tests/support/support.h"

static void mutex_attributes_keep_what_they_are_told(void **state)
{
	rqpi_mutexattr_t attr;
	int value = -1;

	(void)state;
	assert_int_equal(rqpi_mutexattr_init(&attr), 0);
	assert_int_equal(rqpi_mutexattr_gettype(&attr, &value), 0);
	assert_int_equal(value, RQPI_MUTEX_NORMAL);
	assert_int_equal(rqpi_mutexattr_getrobust(&attr, &value), 0);
	assert_int_equal(value, RQPI_STALLED);
	assert_int_equal(rqpi_mutexattr_getpshared(&attr, &value), 0);
	assert_int_equal(value, RQPI_PROCESS_PRIVATE);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(rqpi_mutexattr_settype(&attr, i % 3), 0);
		assert_int_equal(rqpi_mutexattr_setrobust(&attr, i / 3 % 2), 0);
		assert_int_equal(rqpi_mutexattr_setpshared(&attr, i / 6), 0);
		assert_int_equal(rqpi_mutexattr_gettype(&attr, &value), 0);
		assert_int_equal(value, i % 3);
		assert_int_equal(rqpi_mutexattr_getrobust(&attr, &value), 0);
		assert_int_equal(value, i / 3 % 2);
		assert_int_equal(rqpi_mutexattr_getpshared(&attr, &value), 0);
		assert_int_equal(value, i / 6);
	}
	assert_int_equal(rqpi_mutexattr_destroy(&attr), 0);
	assert_int_equal(rqpi_mutexattr_init(&attr), 0);
}

static void mutex_attributes_refuse_other_values(void **state)
{
	static const int bad[] = {-1, 3, 4, 99, 0x7fffffff};
	rqpi_mutexattr_t attr;
	int value;

	(void)state;
	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_settype(&attr, RQPI_MUTEX_RECURSIVE);
	rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(rqpi_mutexattr_settype(&attr, bad[i]), EINVAL);
		assert_int_equal(rqpi_mutexattr_setrobust(&attr, bad[i]), EINVAL);
		assert_int_equal(rqpi_mutexattr_setpshared(&attr, bad[i]), EINVAL);
	}
	assert_int_equal(rqpi_mutexattr_setrobust(&attr, 2), EINVAL);
	assert_int_equal(rqpi_mutexattr_setpshared(&attr, 2), EINVAL);
	rqpi_mutexattr_gettype(&attr, &value);
	assert_int_equal(value, RQPI_MUTEX_RECURSIVE);
	rqpi_mutexattr_getrobust(&attr, &value);
	assert_int_equal(value, RQPI_ROBUST);
	rqpi_mutexattr_getpshared(&attr, &value);
	assert_int_equal(value, RQPI_PROCESS_PRIVATE);
}

static void condvar_attributes_keep_what_they_are_told(void **state)
{
	rqpi_condattr_t attr;
	clockid_t clock = 99;
	int pshared = -1;

	(void)state;
	assert_int_equal(rqpi_condattr_init(&attr), 0);
	assert_int_equal(rqpi_condattr_getclock(&attr, &clock), 0);
	assert_int_equal(clock, CLOCK_REALTIME);
	assert_int_equal(rqpi_condattr_getpshared(&attr, &pshared), 0);
	assert_int_equal(pshared, RQPI_PROCESS_PRIVATE);
	assert_int_equal(rqpi_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
	assert_int_equal(rqpi_condattr_setpshared(&attr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_condattr_getclock(&attr, &clock), 0);
	assert_int_equal(clock, CLOCK_MONOTONIC);
	assert_int_equal(rqpi_condattr_getpshared(&attr, &pshared), 0);
	assert_int_equal(pshared, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_condattr_setclock(&attr, CLOCK_BOOTTIME), EINVAL);
	assert_int_equal(rqpi_condattr_setclock(&attr, CLOCK_THREAD_CPUTIME_ID), EINVAL);
	assert_int_equal(rqpi_condattr_setclock(&attr, -1), EINVAL);
	assert_int_equal(rqpi_condattr_setpshared(&attr, 2), EINVAL);
	assert_int_equal(rqpi_condattr_setpshared(&attr, -1), EINVAL);
	rqpi_condattr_getclock(&attr, &clock);
	assert_int_equal(clock, CLOCK_MONOTONIC);
	assert_int_equal(rqpi_condattr_setclock(&attr, CLOCK_REALTIME), 0);
	rqpi_condattr_getclock(&attr, &clock);
	assert_int_equal(clock, CLOCK_REALTIME);
	assert_int_equal(rqpi_condattr_destroy(&attr), 0);
}

static void an_attribute_never_initialised_is_refused(void **state)
{
	rqpi_mutexattr_t mattr = {0};
	rqpi_condattr_t cattr = {0};
	rqpi_mutex_t m;
	rqpi_cond_t c;

	(void)state;
	assert_int_equal(rqpi_mutex_init(&m, &mattr), EINVAL);
	assert_int_equal(rqpi_cond_init(&c, &cattr), EINVAL);
	memset(&mattr, 0x5a, sizeof(mattr));
	memset(&cattr, 0x5a, sizeof(cattr));
	assert_int_equal(rqpi_mutex_init(&m, &mattr), EINVAL);
	assert_int_equal(rqpi_cond_init(&c, &cattr), EINVAL);
	rqpi_mutexattr_init(&mattr);
	rqpi_mutexattr_destroy(&mattr);
	assert_int_equal(rqpi_mutex_init(&m, &mattr), EINVAL);
}

static void the_types_fit_where_glibcs_do(void **state)
{
	(void)state;
	assert_true(sizeof(rqpi_mutex_t) <= 40);
	assert_true(sizeof(rqpi_cond_t) <= 48);
	assert_true(_Alignof(rqpi_mutex_t) <= _Alignof(pthread_mutex_t));
	/* No preload on i386, where glibc does without 64-bit atomics. */
	assert_true(_Alignof(rqpi_cond_t) <= _Alignof(pthread_cond_t) || sizeof(void *) == 4);
}

/* Init means: whatever was in the memory before is of no importance, and equals zero bytes. */
static void init_equals_zero_bytes(void **state)
{
	rqpi_mutex_t m;
	rqpi_mutex_t zero_m = {{0}};
	rqpi_cond_t c;
	rqpi_cond_t zero_c = {{0}};
	rqpi_mutex_t fixed_m = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t fixed_c = RQPI_COND_INITIALIZER;

	(void)state;
	memset(&m, 0xff, sizeof(m));
	memset(&c, 0xff, sizeof(c));
	assert_int_equal(rqpi_mutex_init(&m, NULL), 0);
	assert_int_equal(rqpi_cond_init(&c, NULL), 0);
	assert_memory_equal(&m, &zero_m, sizeof(m));
	assert_memory_equal(&c, &zero_c, sizeof(c));
	assert_memory_equal(&fixed_m, &zero_m, sizeof(m));
	assert_memory_equal(&fixed_c, &zero_c, sizeof(c));
	assert_int_equal(rqpi_mutex_destroy(&m), 0);
	assert_int_equal(rqpi_cond_destroy(&c), 0);
}

static void the_initialisers_give_the_kind_they_name(void **state)
{
	rqpi_mutex_t fixed[] = {RQPI_MUTEX_INITIALIZER, RQPI_RECURSIVE_MUTEX_INITIALIZER,
				RQPI_ERRORCHECK_MUTEX_INITIALIZER};
	rqpi_cond_t monotonic = RQPI_COND_MONOTONIC_INITIALIZER;
	rqpi_mutexattr_t mattr;
	rqpi_condattr_t cattr;
	rqpi_mutex_t m;
	rqpi_cond_t c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rqpi_mutexattr_init(&mattr);
		rqpi_mutexattr_settype(&mattr, i);
		assert_int_equal(rqpi_mutex_init(&m, &mattr), 0);
		assert_memory_equal(&m, &fixed[i], sizeof(m));
	}
	rqpi_condattr_init(&cattr);
	rqpi_condattr_setclock(&cattr, CLOCK_MONOTONIC);
	assert_int_equal(rqpi_cond_init(&c, &cattr), 0);
	assert_memory_equal(&c, &monotonic, sizeof(c));
}

static void every_code_has_a_text_of_its_own(void **state)
{
	static const int codes[] = {0,	    EPERM,     ESRCH,	   EAGAIN,
				    EBUSY,  EINVAL,    EDEADLK,	   ENOTSUP,
				    ENOMEM, ETIMEDOUT, EOWNERDEAD, ENOTRECOVERABLE};
	static const int unknown[] = {-1, ENOENT, 12345, -EINVAL, EINTR};
	size_t n = sizeof(codes) / sizeof(codes[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *text = rqpi_strerror(codes[i]);

		assert_non_null(text);
		assert_true(strlen(text) > 0);
		assert_string_not_equal(text, "unknown error code");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(text, rqpi_strerror(codes[j]));
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_string_equal(rqpi_strerror(unknown[i]), "unknown error code");
}

static void the_version_is_the_headers(void **state)
{
	(void)state;
	assert_string_equal(rqpi_version(), RQPI_VERSION);
}

/* What the capabilities say, by what this run was denied and by what a raw call answers. */
static void capabilities_are_what_the_kernel_lets_us_do(void **state)
{
	unsigned int caps = rqpi_caps();
	bool no_pi = rqt_is_denied("pi");
	bool no_requeue = no_pi || rqt_is_denied("requeue_pi");
	bool no_pi2 = no_pi || rqt_is_denied("lock_pi2");
	uint32_t word = 0;

	(void)state;
	if (!no_pi)
		no_requeue |= rqt_raw_futex(&word, FUTEX_WAIT_REQUEUE_PI, 1, NULL) == -ENOSYS;
	if (!no_pi)
		no_pi2 |= rqt_raw_futex(&word, FUTEX_LOCK_PI2, 0, NULL) == -ENOSYS;
	assert_int_equal((caps & RQPI_CAP_PI) != 0, !no_pi);
	assert_int_equal((caps & RQPI_CAP_REQUEUE_PI) != 0, !no_requeue);
	assert_int_equal((caps & RQPI_CAP_LOCK_PI2) != 0, !no_pi2);
	if (rqt_must_have_robust())
		assert_true(caps & RQPI_CAP_ROBUST);
	assert_int_equal((caps & RQPI_CAP_ENGINE) != 0, rqt_on_engine());
	assert_int_equal(rqpi_caps(), caps);
}

static void the_counters_honour_the_size(void **state)
{
	struct rqpi_cond_stats stats = {.size = 4};
	struct {
		struct rqpi_cond_stats known;
		uint64_t newer[2];
	} large;

	(void)state;
	assert_int_equal(rqpi_get_cond_stats(&stats), EINVAL);
	stats.size = sizeof(stats) - 3;
	assert_int_equal(rqpi_get_cond_stats(&stats), EINVAL);
	stats.size = 0;
	assert_int_equal(rqpi_get_cond_stats(&stats), EINVAL);
	memset(&stats, 0xee, sizeof(stats));
	stats.size = 2 * sizeof(uint64_t);
	assert_int_equal(rqpi_get_cond_stats(&stats), 0);
	assert_true(stats.late_wakes == 0xeeeeeeeeeeeeeeeeu);
	memset(&large, 0xee, sizeof(large));
	large.known.size = sizeof(large);
	assert_int_equal(rqpi_get_cond_stats(&large.known), 0);
	assert_true(large.newer[0] == 0 && large.newer[1] == 0);
	assert_true(large.known.size == sizeof(large));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(mutex_attributes_keep_what_they_are_told),
	    RQT_CASE(mutex_attributes_refuse_other_values),
	    RQT_CASE(condvar_attributes_keep_what_they_are_told),
	    RQT_CASE(an_attribute_never_initialised_is_refused),
	    RQT_CASE(the_types_fit_where_glibcs_do),
	    RQT_CASE(init_equals_zero_bytes),
	    RQT_CASE(the_initialisers_give_the_kind_they_name),
	    RQT_CASE(every_code_has_a_text_of_its_own),
	    RQT_CASE(the_version_is_the_headers),
	    RQT_CASE(capabilities_are_what_the_kernel_lets_us_do),
	    RQT_CASE(the_counters_honour_the_size),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
