/* SPDX-License-Identifier: MIT */
/*
 * t_probes.c - each probe of docs/probes.md is hit when it says, in the order that it says, with the
 * arguments that it says; and none where nobody waits.
 *
 * The same cases for three libraries: librqpi by its own names, and with PROBES_OF_PTHREAD each
 * preload under the names of pthread (environment PROBES_IN: which one). What a preload leaves to libc
 * has no probes: librqpi-preload.so has those of a wait alone.
 */
#define _GNU_SOURCE
#include "tests/support/probes.h"
#include "tests/support/support.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#ifdef PROBES_OF_PTHREAD
typedef pthread_mutex_t mutex_t;
typedef pthread_cond_t cond_t;
#define LOCKS(name) pthread_##name
#else
typedef rqpi_mutex_t mutex_t;
typedef rqpi_cond_t cond_t;
#define LOCKS(name) rqpi_##name
#endif

#define HERD 3

enum kind { NORMAL, RECURSIVE, ERRORCHECK, ROBUST, SHARED, KINDS };

static const char *library;	/* base name of the one that is looked at */
static const char *not_planted; /* why there is nothing to see; NULL: there is */
static bool mutexes_too = true; /* its mutex functions are its own */
static bool forced;

/* The scene: the test's own mutex and condvar, so that no other hit is taken for theirs. */
static mutex_t mutex;
static cond_t cond;
static struct rqt_thread threads[HERD];
static int results[HERD];
static _Atomic int go;

/* ---- the scene ---- */

#ifdef PROBES_OF_PTHREAD
static void make_mutex(enum kind kind)
{
	static const int types[KINDS] = {
	    [RECURSIVE] = PTHREAD_MUTEX_RECURSIVE, [ERRORCHECK] = PTHREAD_MUTEX_ERRORCHECK};
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&attr, types[kind]);
	if (kind == ROBUST)
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (kind == SHARED)
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	assert_int_equal(pthread_mutex_init(&mutex, &attr), 0);
}

static void make_cond(bool shared)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	if (shared)
		pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&cond, &attr);
}
#else
static void make_mutex(enum kind kind)
{
	static const int types[KINDS] = {
	    [RECURSIVE] = RQPI_MUTEX_RECURSIVE, [ERRORCHECK] = RQPI_MUTEX_ERRORCHECK};
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_settype(&attr, types[kind]);
	if (kind == ROBUST)
		rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	if (kind == SHARED)
		rqpi_mutexattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_mutex_init(&mutex, &attr), 0);
}

static void make_cond(bool shared)
{
	rqpi_condattr_t attr;

	rqpi_condattr_init(&attr);
	if (shared)
		rqpi_condattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	rqpi_cond_init(&cond, &attr);
}
#endif

static int setup(void **state)
{
	rqt_plain_setup(state);
	memset(threads, 0, sizeof(threads));
	atomic_store(&go, 0);
	make_mutex(NORMAL);
	make_cond(false);
	rqt_probes_forget();
	return 0;
}

/* The next case may have another one in the same place. */
static int teardown(void **state)
{
	(void)state;
	LOCKS(cond_destroy)(&cond);
	LOCKS(mutex_destroy)(&mutex);
	return 0;
}

#define PROBE_CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void need_probes(const char *test)
{
	if (not_planted)
		rqt_skip(test, not_planted);
}

static void need_mutexes(const char *test)
{
	need_probes(test);
	if (!mutexes_too)
		rqt_skip(test, "this preload leaves the mutex functions to libc");
}

static void lock(void)
{
	assert_int_equal(LOCKS(mutex_lock)(&mutex), 0);
}

static void unlock(void)
{
	assert_int_equal(LOCKS(mutex_unlock)(&mutex), 0);
}

static int *result_of(struct rqt_thread *t)
{
	return &results[t - threads];
}

static void body_locks(struct rqt_thread *self)
{
	*result_of(self) = LOCKS(mutex_lock)(&mutex);
	LOCKS(mutex_unlock)(&mutex);
}

static void body_locks_until(struct rqt_thread *self)
{
	struct timespec soon = rqt_in_ms(CLOCK_REALTIME, 30);

	*result_of(self) = LOCKS(mutex_timedlock)(&mutex, &soon);
}

static void unlock_mutex(void *arg)
{
	(void)arg;
	LOCKS(mutex_unlock)(&mutex);
}

static void body_waits(struct rqt_thread *self)
{
	LOCKS(mutex_lock)(&mutex);
	pthread_cleanup_push(unlock_mutex, NULL);
	*result_of(self) = LOCKS(cond_wait)(&cond, &mutex);
	pthread_cleanup_pop(1);
}

static void body_waits_until(struct rqt_thread *self)
{
	struct timespec soon = rqt_in_ms(CLOCK_REALTIME, 30);

	LOCKS(mutex_lock)(&mutex);
	*result_of(self) = LOCKS(cond_timedwait)(&cond, &mutex, &soon);
	LOCKS(mutex_unlock)(&mutex);
}

static void body_signals_and_dies(struct rqt_thread *self)
{
	*result_of(self) = LOCKS(mutex_lock)(&mutex);
	LOCKS(cond_signal)(&cond);
}

/* @prio 0: an ordinary thread. */
static struct rqt_thread *start(int number, void (*body)(struct rqt_thread *self), int prio)
{
	threads[number] = (struct rqt_thread){.body = body};
	rqt_start(&threads[number], prio);
	return &threads[number];
}

static struct rqt_thread *start_asleep(int number, void (*body)(struct rqt_thread *self), int prio)
{
	struct rqt_thread *t = start(number, body, prio);

	rqt_wait_asleep(t);
	return t;
}

static pid_t tid_of(struct rqt_thread *t)
{
	return atomic_load(&t->tid);
}

static pid_t my_tid(void)
{
	return atomic_load(&rqt_main_thread.tid);
}

/* ---- what is expected ---- */

/* The first hit of @name on @first, which must be by @tid. */
static const struct rqt_hit *expect_first(const char *name, const void *first, pid_t tid)
{
	const struct rqt_hit *hit = rqt_probes_find(name, first, 0);

	if (!hit)
		fail_msg("%s has not been hit", name);
	if (hit->tid != tid)
		fail_msg("%s was hit by thread %d, not by %d", name, (int)hit->tid, (int)tid);
	return hit;
}

/* The only one. */
static const struct rqt_hit *expect(const char *name, const void *first, pid_t tid)
{
	if (rqt_probes_find(name, first, 1))
		fail_msg("%s has been hit more than once", name);
	return expect_first(name, first, tid);
}

/* @name NULL: none at all. */
static void expect_not(const char *name, const void *first)
{
	const struct rqt_hit *hit = rqt_probes_find(name, first, 0);

	if (hit)
		fail_msg("%s has been hit, and should not have been", hit->name);
}

static void check_arg(const struct rqt_hit *hit, int number, int64_t value)
{
	if (number >= hit->args || hit->arg[number] != value)
		fail_msg("argument %d of %s is %lld, not %lld", number, hit->name,
			 (long long)hit->arg[number], (long long)value);
}

static void check_pointer(const struct rqt_hit *hit, int number, const void *value)
{
	check_arg(hit, number, (int64_t)(intptr_t)value);
}

/* Hits are in order of time: they lie in an array. */
static void check_order(const struct rqt_hit *first, const struct rqt_hit *second)
{
	if (first >= second)
		fail_msg("%s was hit before %s", second->name, first->name);
}

/* With --force-pi an ordinary thread wakes first and locks then, by its own wish. */
static int handed(int prio)
{
	return forced && prio == 0 ? 0 : 1;
}

/* ---- mutexes ---- */

static void a_lock_that_waits_names_the_owner(void **state)
{
	const struct rqt_hit *wait;
	const struct rqt_hit *unlocked;
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	rqt_need_fifo(__func__);
	lock();
	t = start_asleep(0, body_locks, 5);
	wait = expect("mutex__wait", &mutex, tid_of(t));
	check_arg(wait, 1, my_tid());
	check_arg(wait, 2, 0);
	expect_not("mutex__acquired", &mutex);
	expect_not("mutex__unlock__slow", &mutex);
	expect_not("spin", &mutex); /* a real-time thread does not */
	unlock();
	rqt_join(t);
	/* The second is the waiter's own: its word says still that somebody may wait. */
	unlocked = expect_first("mutex__unlock__slow", &mutex, my_tid());
	check_order(wait, unlocked);
	check_order(unlocked, expect("mutex__acquired", &mutex, tid_of(t)));
	check_arg(expect("mutex__acquired", &mutex, tid_of(t)), 1, 0);
}

static void a_shared_mutex_says_so(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	teardown(NULL);
	make_mutex(SHARED);
	rqt_probes_forget();
	lock();
	t = start_asleep(0, body_locks, 0);
	check_arg(expect("mutex__wait", &mutex, tid_of(t)), 2, 1);
	unlock();
	rqt_join(t);
}

static void a_lock_whose_time_runs_out_says_so(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	lock();
	t = start(0, body_locks_until, 0);
	rqt_join(t);
	assert_int_equal(results[0], ETIMEDOUT);
	expect("mutex__wait", &mutex, tid_of(t));
	check_arg(expect("mutex__acquired", &mutex, tid_of(t)), 1, ETIMEDOUT);
	unlock();
}

/* An ordinary thread looks for a while, with pauses and then with yields, before it sleeps. */
static void a_spin_in_vain_is_told_and_then_a_sleep(void **state)
{
	const struct rqt_hit *pauses;
	const struct rqt_hit *yields;
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	lock();
	t = start_asleep(0, body_locks, 0);
	pauses = rqt_probes_find("spin", &mutex, 0);
	yields = rqt_probes_find("spin", &mutex, 1);
	assert_non_null(pauses);
	assert_non_null(yields);
	check_order(expect("mutex__wait", &mutex, tid_of(t)), pauses);
	assert_in_range(pauses->arg[1], 1, 1000);
	check_arg(pauses, 2, 0);
	check_arg(pauses, 3, 0);
	assert_in_range(yields->arg[1], 1, 1000);
	check_arg(yields, 2, 0);
	check_arg(yields, 3, 1);
	unlock();
	rqt_join(t);
	check_order(yields, expect("mutex__acquired", &mutex, tid_of(t)));
}

/* Given back while the other looks; that it does just then is a matter of luck, so: again. */
static void a_spin_that_got_it_is_told(void **state)
{
	const struct rqt_hit *spin = NULL;

	(void)state;
	need_mutexes(__func__);
	for (int turn = 0; turn < 500 && !(spin && spin->arg[2] == 1); turn++) {
		struct rqt_thread *t;

		rqt_probes_forget();
		lock();
		t = start(0, body_locks, 0);
		while (!rqt_probes_find("mutex__wait", &mutex, 0))
			sched_yield();
		unlock();
		rqt_join(t);
		for (unsigned int n = 0; rqt_probes_find("spin", &mutex, n); n++)
			spin = rqt_probes_find("spin", &mutex, n);
	}
	assert_non_null(spin);
	check_arg(spin, 2, 1);
	check_arg(expect("mutex__acquired", &mutex, spin->tid), 1, 0);
}

/* ---- condvars ---- */

static void check_wait_and_signal(int prio, int64_t answer)
{
	struct rqt_thread *t = start_asleep(0, body_waits, prio);
	const struct rqt_hit *wait = expect("cond__wait", &cond, tid_of(t));
	const struct rqt_hit *release;
	const struct rqt_hit *signalled;
	const struct rqt_hit *woken;

	check_pointer(wait, 1, &mutex);
	assert_int_not_equal(wait->arg[2], 0);
	expect_not("cond__woken", &cond);
	lock();
	assert_int_equal(LOCKS(cond_signal)(&cond), 0);
	release = expect("cond__release", &cond, my_tid());
	check_arg(release, 1, 0);
	signalled = expect("cond__signal", &cond, my_tid());
	check_arg(signalled, 1, answer);
	check_order(wait, release);
	check_order(release, signalled);
	if (prio > 0 || !forced)
		expect_not("cond__woken", &cond); /* not without the mutex */
	unlock();
	rqt_join(t);
	woken = expect("cond__woken", &cond, tid_of(t));
	check_order(signalled, woken);
	check_pointer(woken, 1, &mutex);
	check_arg(woken, 2, 0);
	check_arg(woken, 3, handed(prio));
	expect_not("cond__broadcast", &cond);
	expect_not("cond__cancelled", &cond);
	if (mutexes_too && handed(prio))
		check_order(expect_first("mutex__unlock__slow", &mutex, my_tid()), woken);
}

static void a_signal_hands_the_mutex_over(void **state)
{
	(void)state;
	need_probes(__func__);
	rqt_need_fifo(__func__);
	rqt_need_requeue_pi(__func__);
	check_wait_and_signal(5, 1);
}

static void an_ordinary_thread_waits_alike(void **state)
{
	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	check_wait_and_signal(0, 1);
}

static void a_broadcast_says_how_many(void **state)
{
	const struct rqt_hit *all;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	for (int i = 0; i < HERD; i++)
		start_asleep(i, body_waits, 0);
	assert_int_equal(rqt_probes_count("cond__wait", &cond), HERD);
	lock();
	assert_int_equal(LOCKS(cond_broadcast)(&cond), 0);
	check_arg(expect("cond__release", &cond, my_tid()), 1, 1);
	all = expect("cond__broadcast", &cond, my_tid());
	check_arg(all, 1, HERD);
	unlock();
	for (int i = 0; i < HERD; i++)
		rqt_join(&threads[i]);
	assert_int_equal(rqt_probes_count("cond__woken", &cond), HERD);
	expect_not("cond__signal", &cond);
}

static void a_wait_whose_time_runs_out_says_so(void **state)
{
	const struct rqt_hit *woken;
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	t = start(0, body_waits_until, 0);
	rqt_join(t);
	assert_int_equal(results[0], ETIMEDOUT);
	woken = expect("cond__woken", &cond, tid_of(t));
	check_order(expect("cond__wait", &cond, tid_of(t)), woken);
	check_pointer(woken, 1, &mutex);
	check_arg(woken, 2, ETIMEDOUT);
	check_arg(woken, 3, 0);
}

static void a_cancelled_wait_is_no_other(void **state)
{
	const struct rqt_hit *cancelled;
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	t = start_asleep(0, body_waits, 0);
	pthread_cancel(t->handle);
	rqt_join(t);
	assert_true(t->cancelled);
	cancelled = expect("cond__cancelled", &cond, tid_of(t));
	check_pointer(cancelled, 1, &mutex);
	check_arg(cancelled, 2, 0);
	check_arg(cancelled, 3, 0);
	expect_not("cond__woken", &cond);
}

/* Stopped between its unlock and its sleep, and signalled there. */
static struct rqt_thread *signalled_in_the_window(void)
{
	struct rqt_thread *t = &threads[0];

	*t = (struct rqt_thread){.body = body_waits};
	rqt_hook_stop(&t->hook, forced ? FUTEX_WAIT_BITSET : FUTEX_WAIT_REQUEUE_PI, 1, RQT_BEFORE);
	rqt_start(t, 0);
	assert_true(rqt_hook_wait_stopped(&t->hook, RQT_SOON_MS));
	assert_int_equal(LOCKS(cond_signal)(&cond), 0);
	check_arg(expect("cond__signal", &cond, my_tid()), 1, 0);
	return t;
}

static void who_is_signalled_before_its_sleep_locks_by_itself(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	t = signalled_in_the_window();
	rqt_hook_release(&t->hook);
	rqt_join(t);
	check_arg(expect("cond__woken", &cond, tid_of(t)), 2, 0);
	check_arg(expect("cond__woken", &cond, tid_of(t)), 3, 0);
}

static void a_cancelled_wait_says_that_it_passed_a_signal_on(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	t = signalled_in_the_window();
	pthread_cancel(t->handle);
	rqt_hook_release(&t->hook);
	rqt_join(t);
	assert_true(t->cancelled);
	check_arg(expect("cond__cancelled", &cond, tid_of(t)), 2, 0);
	check_arg(expect("cond__cancelled", &cond, tid_of(t)), 3, 1);
}

/* The owner ends after its signal: the mutex comes from the dead. */
static void a_dead_owner_is_told(void **state)
{
	struct rqt_thread *waiter;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	rqt_need_robust(__func__);
	teardown(NULL);
	make_cond(false);
	make_mutex(ROBUST);
	rqt_probes_forget();
	waiter = start_asleep(0, body_waits, 0);
	rqt_join(start(1, body_signals_and_dies, 0));
	rqt_join(waiter);
	assert_int_equal(results[0], EOWNERDEAD);
	check_order(expect("owner__died", &mutex, tid_of(waiter)),
		    expect("cond__woken", &cond, tid_of(waiter)));
	check_arg(expect("cond__woken", &cond, tid_of(waiter)), 2, EOWNERDEAD);
}

static void a_shared_condvar_has_them_too(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
#ifdef PROBES_OF_PTHREAD
	if (!getenv("RQPI_PRELOAD_SHARED"))
		rqt_skip(__func__, "the preload leaves process-shared condvars to libc");
#endif
	teardown(NULL);
	make_cond(true);
	make_mutex(SHARED);
	rqt_probes_forget();
	t = start_asleep(0, body_waits, 0);
	check_pointer(expect("cond__wait", &cond, tid_of(t)), 1, &mutex);
	lock();
	assert_int_equal(LOCKS(cond_signal)(&cond), 0);
	check_arg(expect("cond__signal", &cond, my_tid()), 1, 1);
	unlock();
	rqt_join(t);
	check_order(expect("cond__signal", &cond, my_tid()),
		    expect("cond__woken", &cond, tid_of(t)));
}

/* ---- none ---- */

static void use_it(void)
{
	struct timespec later = rqt_in_ms(CLOCK_REALTIME, 1000);

	lock();
	if (LOCKS(mutex_trylock)(&mutex) == 0) /* a recursive one */
		unlock();
	unlock();
	assert_int_equal(LOCKS(mutex_trylock)(&mutex), 0);
	unlock();
	assert_int_equal(LOCKS(mutex_timedlock)(&mutex, &later), 0);
	LOCKS(cond_signal)(&cond);
	LOCKS(cond_broadcast)(&cond);
	unlock();
	LOCKS(cond_signal)(&cond);
	LOCKS(cond_broadcast)(&cond);
}

static void nothing_is_hit_where_nobody_waits(void **state)
{
	(void)state;
	need_probes(__func__);
	for (int kind = NORMAL; kind < KINDS; kind++) {
		if (kind == ROBUST && !rqt_has_robust())
			continue;
		LOCKS(mutex_destroy)(&mutex);
		make_mutex((enum kind)kind);
		rqt_probes_forget();
		use_it();
		expect_not(NULL, &mutex);
		expect_not(NULL, &cond);
	}
}

/* A first wait leaves the condvar with something to look at; still nobody is there. */
static void nothing_is_hit_once_all_have_left(void **state)
{
	(void)state;
	need_probes(__func__);
	rqt_join(start(0, body_waits_until, 0));
	rqt_probes_forget();
	lock();
	LOCKS(cond_signal)(&cond);
	LOCKS(cond_broadcast)(&cond);
	unlock();
	LOCKS(cond_signal)(&cond);
	expect_not(NULL, &mutex);
	expect_not(NULL, &cond);
}

/* The last case: what no case has seen would be in the library for nothing. */
static void every_probe_has_been_hit(void **state)
{
	const char *name;

	(void)state;
	need_probes(__func__);
	need_mutexes(__func__);
	rqt_need_fifo(__func__);
	rqt_need_requeue_pi(__func__);
	rqt_need_robust(__func__);
	if (getenv("RQT_FILTER"))
		rqt_skip(__func__, "not all cases run");
	for (unsigned int i = 0; (name = rqt_probes_name(i)); i++)
		if (!rqt_probes_ever(name))
			fail_msg("%s has never been hit", name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PROBE_CASE(a_lock_that_waits_names_the_owner),
	    PROBE_CASE(a_shared_mutex_says_so),
	    PROBE_CASE(a_lock_whose_time_runs_out_says_so),
	    PROBE_CASE(a_spin_in_vain_is_told_and_then_a_sleep),
	    PROBE_CASE(a_spin_that_got_it_is_told),
	    PROBE_CASE(a_signal_hands_the_mutex_over),
	    PROBE_CASE(an_ordinary_thread_waits_alike),
	    PROBE_CASE(a_broadcast_says_how_many),
	    PROBE_CASE(a_wait_whose_time_runs_out_says_so),
	    PROBE_CASE(a_cancelled_wait_is_no_other),
	    PROBE_CASE(who_is_signalled_before_its_sleep_locks_by_itself),
	    PROBE_CASE(a_cancelled_wait_says_that_it_passed_a_signal_on),
	    PROBE_CASE(a_dead_owner_is_told),
	    PROBE_CASE(a_shared_condvar_has_them_too),
	    PROBE_CASE(nothing_is_hit_where_nobody_waits),
	    PROBE_CASE(nothing_is_hit_once_all_have_left),
	    PROBE_CASE(every_probe_has_been_hit),
	};

#ifdef PROBES_OF_PTHREAD
	library = getenv("PROBES_IN");
	if (!library)
		library = "librqpi-preload";
	mutexes_too = strstr(library, "mutex") != NULL;
	forced = mutexes_too;
#else
	library = "librqpi.so";
#endif
	rqt_program_begin();
	not_planted = rqt_probes_plant(library);
	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
