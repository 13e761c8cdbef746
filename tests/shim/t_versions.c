/* SPDX-License-Identifier: MIT */
/*
 * t_versions.c - a program linked years ago: it calls each function under each version that libc
 * has of it, and under libc's other names; and C11's.
 *
 * Who answers is seen by the address; that what answers works, by waits and locks.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <threads.h>

#if defined(__x86_64__) && defined(__LP64__)
#define BASE "GLIBC_2.2.5"
#define COND "GLIBC_2.3.2"
#elif defined(__aarch64__)
#define BASE "GLIBC_2.17"
#define COND "GLIBC_2.17"
#else
#define BASE "GLIBC_2.27"
#define COND "GLIBC_2.27"
#endif

#define USES(alias, name, version) __asm__(".symver " #alias ", " #name "@" version)

int clockwait_30(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *at);
int clockwait_34(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *at);
int clocklock_30(pthread_mutex_t *m, clockid_t clock, const struct timespec *at);
int clocklock_34(pthread_mutex_t *m, clockid_t clock, const struct timespec *at);
int timedlock_base(pthread_mutex_t *m, const struct timespec *at);
int timedlock_34(pthread_mutex_t *m, const struct timespec *at);
int trylock_base(pthread_mutex_t *m);
int trylock_34(pthread_mutex_t *m);
int init__(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int lock__(pthread_mutex_t *m);
int trylock__(pthread_mutex_t *m);
int unlock__(pthread_mutex_t *m);
USES(clockwait_30, pthread_cond_clockwait, "GLIBC_2.30");
USES(clockwait_34, pthread_cond_clockwait, "GLIBC_2.34");
USES(clocklock_30, pthread_mutex_clocklock, "GLIBC_2.30");
USES(clocklock_34, pthread_mutex_clocklock, "GLIBC_2.34");
USES(timedlock_base, pthread_mutex_timedlock, BASE);
USES(timedlock_34, pthread_mutex_timedlock, "GLIBC_2.34");
USES(trylock_base, pthread_mutex_trylock, BASE);
USES(trylock_34, pthread_mutex_trylock, "GLIBC_2.34");
USES(init__, __pthread_mutex_init, BASE);
USES(lock__, __pthread_mutex_lock, BASE);
USES(trylock__, __pthread_mutex_trylock, BASE);
USES(unlock__, __pthread_mutex_unlock, BASE);

static const struct timespec past = {1, 0};

/* ---- who answers ---- */

struct function {
	const char *name;
	const char *version;
};

#define COND_FUNCTIONS 7
static const struct function functions[] = {
    {"pthread_cond_wait", COND},
    {"pthread_cond_timedwait", COND},
    {"pthread_cond_signal", COND},
    {"pthread_cond_broadcast", COND},
    {"pthread_cond_destroy", COND},
    {"pthread_cond_clockwait", "GLIBC_2.30"},
    {"pthread_cond_clockwait", "GLIBC_2.34"},
    {"pthread_mutex_init", BASE},
    {"pthread_mutex_lock", BASE},
    {"pthread_mutex_unlock", BASE},
    {"pthread_mutex_trylock", BASE},
    {"pthread_mutex_trylock", "GLIBC_2.34"},
    {"pthread_mutex_timedlock", BASE},
    {"pthread_mutex_timedlock", "GLIBC_2.34"},
    {"pthread_mutex_clocklock", "GLIBC_2.30"},
    {"pthread_mutex_clocklock", "GLIBC_2.34"},
    {"__pthread_mutex_init", BASE},
    {"__pthread_mutex_lock", BASE},
    {"__pthread_mutex_trylock", BASE},
    {"__pthread_mutex_unlock", BASE},
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

static bool is_preloads(size_t i)
{
	if (ord_under() == UNDER_DEFAULT)
		return i < COND_FUNCTIONS;
	return ord_under() != UNDER_LIBC;
}

/*
 * With the default preload a lock is libc's own to the byte: that it costs nothing needs no clock.
 */
static void each_version_is_the_preloads_or_exactly_libcs(void **state)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);

	(void)state;
	assert_non_null(libc);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		const struct function *f = &functions[i];
		void *bound = dlvsym(RTLD_DEFAULT, f->name, f->version);
		void *libcs = dlvsym(libc, f->name, f->version);
		Dl_info info;

		print_message("# %s@%s\n", f->name, f->version);
		if (!libcs)
			continue; /* of a glibc later than this one */
		assert_non_null(bound);
		assert_int_equal(bound != libcs, is_preloads(i));
		assert_int_not_equal(dladdr(bound, &info), 0);
		assert_int_equal(strstr(info.dli_fname, "librqpi-preload") != NULL, is_preloads(i));
	}
}

/* The calls of this program itself, as the linker has bound them. */
static void the_programs_own_calls_are_bound_alike(void **state)
{
	int (*const calls[])(pthread_mutex_t *) = {pthread_mutex_lock,
						   pthread_mutex_unlock,
						   pthread_mutex_trylock,
						   trylock_base,
						   trylock_34,
						   lock__,
						   trylock__,
						   unlock__};
	bool ours = ord_under() == UNDER_MUTEX || ord_under() == UNDER_FORCE;
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	void *address;
	Dl_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		memcpy(&address, &calls[i], sizeof(address));
		assert_int_not_equal(dladdr(address, &info), 0);
		assert_int_equal(strstr(info.dli_fname, "librqpi-preload") != NULL, ours);
	}
	memcpy(&address, &calls[0], sizeof(address));
	assert_int_equal(address == dlsym(libc, "pthread_mutex_lock"), !ours);
	memcpy(&address, &calls[1], sizeof(address));
	assert_int_equal(address == dlsym(libc, "pthread_mutex_unlock"), !ours);
}

/* ---- and works ---- */

static void every_version_locks_and_times_out(void **state)
{
	(void)state;
	for (int flags = 0; flags <= ORD_PI; flags += ORD_PI) {
		pthread_cond_t c = PTHREAD_COND_INITIALIZER;
		pthread_mutex_t m;

		ord_must(ord_init_mutex(&m, PTHREAD_MUTEX_NORMAL, flags));
		ord_must(lock__(&m));
		assert_int_equal(trylock__(&m), EBUSY);
		assert_int_equal(trylock_base(&m), EBUSY);
		assert_int_equal(trylock_34(&m), EBUSY);
		assert_int_equal(timedlock_base(&m, &past), ETIMEDOUT);
		assert_int_equal(timedlock_34(&m, &past), ETIMEDOUT);
		assert_int_equal(clocklock_30(&m, CLOCK_MONOTONIC, &past), ETIMEDOUT);
		assert_int_equal(clocklock_34(&m, CLOCK_REALTIME, &past), ETIMEDOUT);
		assert_int_equal(clockwait_30(&c, &m, CLOCK_MONOTONIC, &past), ETIMEDOUT);
		assert_int_equal(clockwait_34(&c, &m, CLOCK_REALTIME, &past), ETIMEDOUT);
		ord_must(unlock__(&m));
		ord_must(trylock_base(&m));
		ord_must(unlock__(&m));
		ord_must(timedlock_base(&m, &past));
		ord_must(pthread_mutex_unlock(&m));
		ord_must(pthread_mutex_destroy(&m));
		ord_must(init__(&m, NULL));
		ord_must(pthread_mutex_lock(&m));
		ord_must(unlock__(&m));
		ord_must(pthread_mutex_destroy(&m));
	}
}

#if defined(__x86_64__) && defined(__LP64__)

/* pthread_cond_t as it was before 2.3.2; only its first word is used by what is left of that. */
struct old_cond {
	void *first;
	char rest[40];
};

int old_init(struct old_cond *c, const pthread_condattr_t *attr);
int old_wait(struct old_cond *c, pthread_mutex_t *m);
int old_timedwait(struct old_cond *c, pthread_mutex_t *m, const struct timespec *at);
int old_signal(struct old_cond *c);
int old_broadcast(struct old_cond *c);
int old_destroy(struct old_cond *c);
USES(old_init, pthread_cond_init, "GLIBC_2.2.5");
USES(old_wait, pthread_cond_wait, "GLIBC_2.2.5");
USES(old_timedwait, pthread_cond_timedwait, "GLIBC_2.2.5");
USES(old_signal, pthread_cond_signal, "GLIBC_2.2.5");
USES(old_broadcast, pthread_cond_broadcast, "GLIBC_2.2.5");
USES(old_destroy, pthread_cond_destroy, "GLIBC_2.2.5");

struct old_scene {
	pthread_mutex_t m;
	struct old_cond c;
	int tokens;
	int inside; /* atomic */
	int served; /* atomic */
};

static void *wait_the_old_way(void *arg)
{
	struct old_scene *s = arg;

	pthread_mutex_lock(&s->m);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		old_wait(&s->c, &s->m);
	s->tokens--;
	__atomic_fetch_add(&s->served, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->m);
	return NULL;
}

static void give_the_old_way(struct old_scene *s, int tokens, int (*release)(struct old_cond *))
{
	ord_must(pthread_mutex_lock(&s->m));
	s->tokens = tokens;
	ord_must(release(&s->c));
	ord_must(pthread_mutex_unlock(&s->m));
}

static void condvars_of_before_2_3_2_work(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		bool pi = round % 2 || ord_under() == UNDER_FORCE;
		bool requeues = ord_under() != UNDER_LIBC && ord_under() != UNDER_FORCE && pi;
		struct old_scene s;
		struct ord_thread t[3];

		memset(&s, 0, sizeof(s)); /* the static initialiser of that time */
		s.c.rest[39] = 1;	  /* not all of it is that condvar's */
		if (round > 1)
			ord_must(old_init(&s.c, NULL));
		ord_must(ord_init_mutex(&s.m, PTHREAD_MUTEX_NORMAL, round % 2 ? ORD_PI : 0));
		ord_must(old_signal(&s.c));
		ord_must(old_broadcast(&s.c));
		for (int i = 0; i < 3; i++) {
			ord_must(ord_start(&t[i], wait_the_old_way, &s, 0));
			assert_true(ord_reaches(&s.inside, i + 1));
			assert_int_equal(ord_asleep(&t[i]),
					 requeues ? FUTEX_WAIT_REQUEUE_PI : FUTEX_WAIT_BITSET);
		}
		give_the_old_way(&s, 1, old_signal);
		assert_true(ord_reaches(&s.served, 1));
		give_the_old_way(&s, 2, old_broadcast);
		for (int i = 0; i < 3; i++)
			ord_join(&t[i]);
		ord_must(pthread_mutex_lock(&s.m));
		assert_int_equal(old_timedwait(&s.c, &s.m, &past), ETIMEDOUT);
		ord_must(pthread_mutex_unlock(&s.m));
		ord_must(old_destroy(&s.c));
		assert_int_equal(s.c.rest[39], 1);
	}
}
#endif

/* ---- C11 ---- */

struct c11 {
	mtx_t m;
	cnd_t c;
	int tokens;
	int inside; /* atomic */
	int result;
};

static int wait_as_in_c11(void *arg)
{
	struct c11 *s = arg;

	mtx_lock(&s->m);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		cnd_wait(&s->c, &s->m);
	s->tokens--;
	s->result = mtx_trylock(&s->m);
	return mtx_unlock(&s->m);
}

static void c11s_mutexes_and_condvars_work(void **state)
{
	static const int types[] = {mtx_plain, mtx_timed};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct c11 s;
		thrd_t t[3];
		int result;

		memset(&s, 0, sizeof(s));
		assert_int_equal(mtx_init(&s.m, types[i]), thrd_success);
		assert_int_equal(cnd_init(&s.c), thrd_success);
		for (int k = 0; k < 3; k++)
			assert_int_equal(thrd_create(&t[k], wait_as_in_c11, &s), thrd_success);
		assert_true(ord_reaches(&s.inside, 3));
		assert_int_equal(mtx_lock(&s.m), thrd_success);
		s.tokens = 3;
		assert_int_equal(cnd_signal(&s.c), thrd_success);
		assert_int_equal(cnd_broadcast(&s.c), thrd_success);
		assert_int_equal(mtx_unlock(&s.m), thrd_success);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(thrd_join(t[k], &result), thrd_success);
			assert_int_equal(result, thrd_success);
		}
		assert_int_equal(s.result, thrd_busy);
		assert_int_equal(mtx_lock(&s.m), thrd_success);
		assert_int_equal(cnd_timedwait(&s.c, &s.m, &past), thrd_timedout);
		if (types[i] == mtx_timed)
			assert_int_equal(mtx_timedlock(&s.m, &past), thrd_timedout);
		assert_int_equal(((pthread_mutex_t *)(void *)&s.m)->__data.__lock == ord_tid(),
				 ord_under() == UNDER_FORCE);
		assert_int_equal(mtx_unlock(&s.m), thrd_success);
		cnd_destroy(&s.c);
		mtx_destroy(&s.m);
	}
}

static void c11s_recursive_mutex_counts(void **state)
{
	mtx_t m;

	(void)state;
	assert_int_equal(mtx_init(&m, mtx_recursive | mtx_timed), thrd_success);
	assert_int_equal(mtx_lock(&m), thrd_success);
	assert_int_equal(mtx_trylock(&m), thrd_success);
	assert_int_equal(mtx_timedlock(&m, &past), thrd_success);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mtx_unlock(&m), thrd_success);
	assert_int_equal(mtx_unlock(&m), thrd_error);
	mtx_destroy(&m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
		cmocka_unit_test(each_version_is_the_preloads_or_exactly_libcs),
		cmocka_unit_test(the_programs_own_calls_are_bound_alike),
		cmocka_unit_test(every_version_locks_and_times_out),
#if defined(__x86_64__) && defined(__LP64__)
		cmocka_unit_test(condvars_of_before_2_3_2_work),
#endif
		cmocka_unit_test(c11s_mutexes_and_condvars_work),
		cmocka_unit_test(c11s_recursive_mutex_counts),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
