/* SPDX-License-Identifier: MIT */
/*
 * t_kinds.c - every type of mutex, made in every way: what each function returns to its owner and
 * to others, and what it leaves in the mutex.
 *
 * The results are those of POSIX, or of glibc's manual for its own initialisers, and so the same
 * whatever is under this program. The bookkeeping is compared with that of a twin, which libc's own
 * functions are called for, behind the back of any preload.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KIND_INHERIT 0x20	/* glibc's */
#define KIND_OURS    0xc00	/* the bits of __kind that are not glibc's */
#define KIND_ELISION 0x300	/* glibc's, says nothing about how the mutex works */
#define OWNER_MASK   0x3fffffff /* of __lock; the bits above say by chance that somebody waits */

struct made {
	const char *name;
	int type;
	int flags;
	bool by_init;
	pthread_mutex_t initializer; /* unless by_init */
};

static const struct made all_made[] = {
    {"PTHREAD_MUTEX_INITIALIZER", PTHREAD_MUTEX_NORMAL, 0, false, PTHREAD_MUTEX_INITIALIZER},
    {"zeroed memory", PTHREAD_MUTEX_NORMAL, 0, false, {{0}}},
    {"RECURSIVE initialiser", PTHREAD_MUTEX_RECURSIVE, 0, false,
     PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP},
    {"ERRORCHECK initialiser", PTHREAD_MUTEX_ERRORCHECK, 0, false,
     PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP},
    {"ADAPTIVE initialiser", PTHREAD_MUTEX_ADAPTIVE_NP, 0, false,
     PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP},
    {"init normal", PTHREAD_MUTEX_NORMAL, 0, true, {{0}}},
    {"init recursive", PTHREAD_MUTEX_RECURSIVE, 0, true, {{0}}},
    {"init errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, true, {{0}}},
    {"init adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, 0, true, {{0}}},
    {"init shared", PTHREAD_MUTEX_NORMAL, ORD_SHARED, true, {{0}}},
    {"init PI normal", PTHREAD_MUTEX_NORMAL, ORD_PI, true, {{0}}},
    {"init PI recursive", PTHREAD_MUTEX_RECURSIVE, ORD_PI, true, {{0}}},
    {"init PI errorcheck", PTHREAD_MUTEX_ERRORCHECK, ORD_PI, true, {{0}}},
    {"init PI adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, ORD_PI, true, {{0}}},
};
#define ALL_MADE (sizeof(all_made) / sizeof(all_made[0]))

static const struct timespec past = {1, 0};
static const struct timespec bad_time = {1, 1000000000};

static void make(pthread_mutex_t *m, const struct made *how)
{
	print_message("# %s\n", how->name);
	if (how->by_init)
		ord_must(ord_init_mutex(m, how->type, how->flags));
	else
		*m = how->initializer;
}

static bool checks_owner(const struct made *how)
{
	return how->type == PTHREAD_MUTEX_RECURSIVE || how->type == PTHREAD_MUTEX_ERRORCHECK ||
	       how->flags & ORD_PI;
}

/* ---- results ---- */

struct tries {
	pthread_mutex_t *m;
	bool checks_owner;
	int try;
	int timed;
	int clock[2];
	int bad;
	int unlock;
};

static void *try_it_all(void *arg)
{
	struct tries *t = arg;

	t->try = pthread_mutex_trylock(t->m);
	t->timed = pthread_mutex_timedlock(t->m, &past);
	t->clock[0] = pthread_mutex_clocklock(t->m, CLOCK_REALTIME, &past);
	t->clock[1] = pthread_mutex_clocklock(t->m, CLOCK_MONOTONIC, &past);
	t->bad = pthread_mutex_timedlock(t->m, &bad_time);
	t->unlock = t->checks_owner ? pthread_mutex_unlock(t->m) : EPERM;
	return NULL;
}

static void others_are_refused(pthread_mutex_t *m, const struct made *how)
{
	struct tries t = {.m = m, .checks_owner = checks_owner(how)};
	struct ord_thread other;

	ord_must(ord_start(&other, try_it_all, &t, 0));
	ord_join(&other);
	assert_int_equal(t.try, EBUSY);
	assert_int_equal(t.timed, ETIMEDOUT);
	assert_int_equal(t.clock[0], ETIMEDOUT);
	assert_int_equal(t.clock[1], ETIMEDOUT);
	assert_int_equal(t.bad, EINVAL);
	assert_int_equal(t.unlock, EPERM);
}

static void owner_locks_a_recursive_one_again(pthread_mutex_t *m, const struct made *how)
{
	ord_must(pthread_mutex_lock(m));
	ord_must(pthread_mutex_trylock(m));
	ord_must(pthread_mutex_timedlock(m, &past));
	ord_must(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &past));
	for (int i = 0; i < 4; i++) {
		ord_must(pthread_mutex_unlock(m));
		others_are_refused(m, how);
	}
}

static void owner_is_refused(pthread_mutex_t *m, const struct made *how)
{
	int again = how->type == PTHREAD_MUTEX_ERRORCHECK ? EDEADLK : ETIMEDOUT;
	int err = pthread_mutex_trylock(m);

	/* EDEADLK is what glibc says for those that are PI by their own wish. */
	assert_true(err == EBUSY || (err == EDEADLK && how->type == PTHREAD_MUTEX_ERRORCHECK));
	assert_int_equal(pthread_mutex_timedlock(m, &past), again);
	assert_int_equal(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &past), again);
	if (how->type == PTHREAD_MUTEX_ERRORCHECK)
		assert_int_equal(pthread_mutex_lock(m), EDEADLK);
}

static void every_function_says_what_posix_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALL_MADE; i++) {
		const struct made *how = &all_made[i];
		pthread_mutex_t m;

		make(&m, how);
		ord_must(pthread_mutex_lock(&m));
		others_are_refused(&m, how);
		if (how->type == PTHREAD_MUTEX_RECURSIVE)
			owner_locks_a_recursive_one_again(&m, how);
		else
			owner_is_refused(&m, how);
		assert_int_equal(pthread_mutex_destroy(&m), EBUSY);
		ord_must(pthread_mutex_unlock(&m));
		if (checks_owner(how))
			assert_int_equal(pthread_mutex_unlock(&m), EPERM);
		/* Free: the time is not looked at, but the clock is. */
		ord_must(pthread_mutex_timedlock(&m, &bad_time));
		ord_must(pthread_mutex_unlock(&m));
		assert_int_equal(pthread_mutex_clocklock(&m, CLOCK_PROCESS_CPUTIME_ID, &past),
				 EINVAL);
		ord_must(pthread_mutex_trylock(&m));
		ord_must(pthread_mutex_unlock(&m));
		ord_must(pthread_mutex_destroy(&m));
	}
}

static void force_makes_all_of_them_pi_and_nothing_else_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALL_MADE; i++) {
		bool want = ord_under() == UNDER_FORCE || all_made[i].flags & ORD_PI;
		pthread_mutex_t m;

		make(&m, &all_made[i]);
		ord_must(pthread_mutex_lock(&m));
		assert_int_equal((m.__data.__kind & KIND_INHERIT) != 0, want);
		assert_int_equal(m.__data.__lock == ord_tid(), want);
		if (ord_under() != UNDER_FORCE)
			assert_int_equal(m.__data.__kind & KIND_OURS, 0);
		ord_must(pthread_mutex_unlock(&m));
		ord_must(pthread_mutex_destroy(&m));
	}
}

/* ---- bookkeeping ---- */

struct libcs {
	int (*lock)(pthread_mutex_t *m);
	int (*trylock)(pthread_mutex_t *m);
	int (*timedlock)(pthread_mutex_t *m, const struct timespec *at);
	int (*unlock)(pthread_mutex_t *m);
	int (*wait)(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *at);
};

static const struct libcs called = {pthread_mutex_lock, pthread_mutex_trylock,
				    pthread_mutex_timedlock, pthread_mutex_unlock,
				    pthread_cond_timedwait};

/* A look-up in one library sees that one only, and what it needs. */
static void find_libcs(struct libcs *l)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);

	assert_non_null(libc);
	*(void **)&l->lock = dlsym(libc, "pthread_mutex_lock");
	*(void **)&l->trylock = dlsym(libc, "pthread_mutex_trylock");
	*(void **)&l->timedlock = dlsym(libc, "pthread_mutex_timedlock");
	*(void **)&l->unlock = dlsym(libc, "pthread_mutex_unlock");
	*(void **)&l->wait = dlsym(libc, "pthread_cond_timedwait");
	assert_true(l->lock && l->trylock && l->timedlock && l->unlock && l->wait);
}

static void step(const struct libcs *l, pthread_mutex_t *m, pthread_cond_t *c, char what)
{
	switch (what) {
	case 'l':
		ord_must(l->lock(m));
		break;
	case 't':
		ord_must(l->trylock(m));
		break;
	case 'T':
		ord_must(l->timedlock(m, &past));
		break;
	case 'u':
		ord_must(l->unlock(m));
		break;
	default:
		assert_int_equal(l->wait(c, m, &past), ETIMEDOUT);
	}
}

static void same_bookkeeping(const pthread_mutex_t *m, const pthread_mutex_t *twin)
{
	assert_int_equal(m->__data.__lock & OWNER_MASK, twin->__data.__lock & OWNER_MASK);
	assert_int_equal(m->__data.__owner, twin->__data.__owner);
	assert_int_equal(m->__data.__nusers, twin->__data.__nusers);
	assert_int_equal(m->__data.__count, twin->__data.__count);
	assert_int_equal(m->__data.__kind & ~(KIND_OURS | KIND_ELISION),
			 twin->__data.__kind & ~KIND_ELISION);
}

static void libc_would_have_left_the_same_in_the_mutex(void **state)
{
	struct libcs libcs;

	(void)state;
	find_libcs(&libcs);
	for (size_t i = 0; i < ALL_MADE; i++) {
		const struct made *how = &all_made[i];
		const char *steps = how->type == PTHREAD_MUTEX_RECURSIVE ? "ltTuuuluTwtwluuu"
									 : "lutuTulwuTwu";
		int flags = how->flags | (ord_under() == UNDER_FORCE ? ORD_PI : 0);
		pthread_cond_t c = PTHREAD_COND_INITIALIZER;
		pthread_cond_t twins = PTHREAD_COND_INITIALIZER;
		pthread_mutex_t m;
		pthread_mutex_t twin;

		make(&m, how);
		if (how->by_init || flags)
			ord_must(ord_init_mutex(&twin, how->type, flags));
		else
			twin = how->initializer;
		twin.__data.__kind &= ~KIND_OURS;
		for (const char *s = steps; *s; s++) {
			step(&called, &m, &c, *s);
			step(&libcs, &twin, &twins, *s);
			same_bookkeeping(&m, &twin);
		}
	}
}

/* A preload has one lock, libc the other: they must be one. */
static void libcs_own_functions_and_the_programs_fit_together(void **state)
{
	struct libcs libcs;

	(void)state;
	find_libcs(&libcs);
	for (size_t i = 0; i < ALL_MADE; i++) {
		pthread_mutex_t m;
		int err;

		make(&m, &all_made[i]);
		ord_must(pthread_mutex_trylock(&m)); /* decides what it is */
		ord_must(libcs.unlock(&m));
		ord_must(libcs.lock(&m));
		err = pthread_mutex_trylock(&m);
		if (err == 0)
			ord_must(libcs.unlock(&m));
		assert_int_equal(err == 0, all_made[i].type == PTHREAD_MUTEX_RECURSIVE);
		ord_must(pthread_mutex_unlock(&m));
		ord_must(pthread_mutex_destroy(&m));
	}
}

struct elsewhere {
	pthread_mutex_t m;
	int result;
};

static void *lock_and_unlock(void *arg)
{
	struct elsewhere *e = arg;

	e->result = pthread_mutex_lock(&e->m);
	if (!e->result)
		e->result = pthread_mutex_unlock(&e->m);
	return NULL;
}

/* By whoever does not come by the preload: it must not become another kind of mutex then. */
static void a_mutex_that_is_locked_by_other_means_stays_what_it_is(void **state)
{
	struct elsewhere e = {.m = PTHREAD_MUTEX_INITIALIZER};
	struct libcs libcs;
	struct ord_thread t;

	(void)state;
	find_libcs(&libcs);
	ord_must(libcs.lock(&e.m));
	assert_int_equal(pthread_mutex_trylock(&e.m), EBUSY);
	ord_must(ord_start(&t, lock_and_unlock, &e, 0));
	assert_true(ord_asleep(&t) >= 0);
	ord_must(libcs.unlock(&e.m));
	ord_join(&t);
	assert_int_equal(e.result, 0);
	assert_int_equal(e.m.__data.__kind & KIND_INHERIT, 0);
	ord_must(pthread_mutex_lock(&e.m));
	ord_must(pthread_mutex_unlock(&e.m));
	ord_must(pthread_mutex_destroy(&e.m));
}

/* A condvar works with each of them. */

struct wait {
	pthread_mutex_t m;
	pthread_cond_t c;
	int tokens;
	int served;
};

static void *take_token(void *arg)
{
	struct wait *w = arg;

	pthread_mutex_lock(&w->m);
	while (!w->tokens)
		pthread_cond_wait(&w->c, &w->m);
	w->tokens--;
	__atomic_fetch_add(&w->served, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&w->m);
	return NULL;
}

static void every_kind_waits_and_is_woken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALL_MADE; i++) {
		struct wait w = {.c = PTHREAD_COND_INITIALIZER};
		struct ord_thread t[3];

		make(&w.m, &all_made[i]);
		for (int k = 0; k < 3; k++) {
			ord_must(ord_start(&t[k], take_token, &w, 0));
			assert_true(ord_asleep(&t[k]) >= 0);
		}
		ord_must(pthread_mutex_lock(&w.m));
		w.tokens = 1;
		ord_must(pthread_cond_signal(&w.c));
		ord_must(pthread_mutex_unlock(&w.m));
		assert_true(ord_reaches(&w.served, 1));
		ord_must(pthread_mutex_lock(&w.m));
		w.tokens = 2;
		ord_must(pthread_cond_broadcast(&w.c));
		ord_must(pthread_mutex_unlock(&w.m));
		for (int k = 0; k < 3; k++)
			ord_join(&t[k]);
		assert_int_equal(w.m.__data.__nusers, 0);
		ord_must(pthread_cond_destroy(&w.c));
		ord_must(pthread_mutex_destroy(&w.m));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(every_function_says_what_posix_says),
	    cmocka_unit_test(force_makes_all_of_them_pi_and_nothing_else_does),
	    cmocka_unit_test(libc_would_have_left_the_same_in_the_mutex),
	    cmocka_unit_test(libcs_own_functions_and_the_programs_fit_together),
	    cmocka_unit_test(a_mutex_that_is_locked_by_other_means_stays_what_it_is),
	    cmocka_unit_test(every_kind_waits_and_is_woken),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
