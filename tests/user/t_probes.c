/* SPDX-License-Identifier: MIT */
/*
 * t_probes.c - each probe of docs/probes.md is hit when it says, in the order that it says, with
 * the arguments that it says; and none where nobody waits.
 *
 * The same cases for librqpi and for each preload (environment PROBES_IN: which one). What a
 * preload leaves to libc has no probes: librqpi-preload.so has those of a wait alone.
 */
#define _GNU_SOURCE
#include "tests/user/probes_stage.h"

#include <sched.h>

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
	t = stage_asleep(0, body_locks, 5);
	wait = expect("mutex__wait", &stage.mutex, tid_of(t));
	check_arg(wait, 1, my_tid());
	check_arg(wait, 2, 0);
	expect_not("mutex__acquired", &stage.mutex);
	expect_not("mutex__unlock__slow", &stage.mutex);
	expect_not("spin", &stage.mutex); /* a real-time thread does not */
	unlock();
	rqt_join(t);
	/* The second is the waiter's own: its word says still that somebody may wait. */
	unlocked = expect_first("mutex__unlock__slow", &stage.mutex, my_tid());
	check_order(wait, unlocked);
	check_order(unlocked, expect("mutex__acquired", &stage.mutex, tid_of(t)));
	check_arg(expect("mutex__acquired", &stage.mutex, tid_of(t)), 1, 0);
}

static void a_shared_mutex_says_so(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	stage_teardown(NULL);
	stage_mutex(SHARED);
	rqt_probes_forget();
	lock();
	t = stage_asleep(0, body_locks, 0);
	check_arg(expect("mutex__wait", &stage.mutex, tid_of(t)), 2, 1);
	unlock();
	rqt_join(t);
}

static void a_lock_whose_time_runs_out_says_so(void **state)
{
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	lock();
	t = stage_start(0, body_locks_until, 0);
	rqt_join(t);
	assert_int_equal(stage.results[0], ETIMEDOUT);
	expect("mutex__wait", &stage.mutex, tid_of(t));
	check_arg(expect("mutex__acquired", &stage.mutex, tid_of(t)), 1, ETIMEDOUT);
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
	t = stage_asleep(0, body_locks, 0);
	pauses = rqt_probes_find("spin", &stage.mutex, 0);
	yields = rqt_probes_find("spin", &stage.mutex, 1);
	assert_non_null(pauses);
	assert_non_null(yields);
	check_order(expect("mutex__wait", &stage.mutex, tid_of(t)), pauses);
	assert_in_range(pauses->arg[1], 1, 1000);
	check_arg(pauses, 2, 0);
	check_arg(pauses, 3, 0);
	assert_in_range(yields->arg[1], 1, 1000);
	check_arg(yields, 2, 0);
	check_arg(yields, 3, 1);
	unlock();
	rqt_join(t);
	check_order(yields, expect("mutex__acquired", &stage.mutex, tid_of(t)));
}

/* Given back before the other looks for the first time. */
static void a_spin_that_got_it_is_told(void **state)
{
	const struct rqt_hit *spin;
	struct rqt_thread *t;

	(void)state;
	need_mutexes(__func__);
	rqt_probes_hold("mutex__wait");
	lock();
	t = stage_start(0, body_locks, 0);
	while (!rqt_probes_find("mutex__wait", &stage.mutex, 0))
		sched_yield();
	unlock();
	rqt_probes_hold(NULL);
	rqt_join(t);
	spin = expect("spin", &stage.mutex, tid_of(t));
	check_arg(spin, 1, 1);
	check_arg(spin, 2, 1);
	check_arg(spin, 3, 0);
	check_arg(expect("mutex__acquired", &stage.mutex, spin->tid), 1, 0);
}

/* ---- condvars ---- */

static void check_wait_and_signal(int prio, int64_t answer)
{
	struct rqt_thread *t = stage_asleep(0, body_waits, prio);
	const struct rqt_hit *wait = expect("cond__wait", &stage.cond, tid_of(t));
	const struct rqt_hit *release;
	const struct rqt_hit *signalled;
	const struct rqt_hit *woken;

	check_pointer(wait, 1, &stage.mutex);
	assert_int_not_equal(wait->arg[2], 0);
	expect_not("cond__woken", &stage.cond);
	lock();
	assert_int_equal(LOCKS(cond_signal)(&stage.cond), 0);
	release = expect("cond__release", &stage.cond, my_tid());
	check_arg(release, 1, 0);
	signalled = expect("cond__signal", &stage.cond, my_tid());
	check_arg(signalled, 1, answer);
	check_order(wait, release);
	check_order(release, signalled);
	if (prio > 0 || !stage.forced)
		expect_not("cond__woken", &stage.cond); /* not without the mutex */
	unlock();
	rqt_join(t);
	woken = expect("cond__woken", &stage.cond, tid_of(t));
	check_order(signalled, woken);
	check_pointer(woken, 1, &stage.mutex);
	check_arg(woken, 2, 0);
	check_arg(woken, 3, handed(prio));
	expect_not("cond__broadcast", &stage.cond);
	expect_not("cond__cancelled", &stage.cond);
	if (stage.mutexes_too && handed(prio))
		check_order(expect_first("mutex__unlock__slow", &stage.mutex, my_tid()), woken);
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
		stage_asleep(i, body_waits, 0);
	assert_int_equal(rqt_probes_count("cond__wait", &stage.cond), HERD);
	lock();
	assert_int_equal(LOCKS(cond_broadcast)(&stage.cond), 0);
	check_arg(expect("cond__release", &stage.cond, my_tid()), 1, 1);
	all = expect("cond__broadcast", &stage.cond, my_tid());
	check_arg(all, 1, HERD);
	unlock();
	for (int i = 0; i < HERD; i++)
		rqt_join(&stage.threads[i]);
	assert_int_equal(rqt_probes_count("cond__woken", &stage.cond), HERD);
	expect_not("cond__signal", &stage.cond);
}

static void a_wait_whose_time_runs_out_says_so(void **state)
{
	const struct rqt_hit *woken;
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	t = stage_start(0, body_waits_until, 0);
	rqt_join(t);
	assert_int_equal(stage.results[0], ETIMEDOUT);
	woken = expect("cond__woken", &stage.cond, tid_of(t));
	check_order(expect("cond__wait", &stage.cond, tid_of(t)), woken);
	check_pointer(woken, 1, &stage.mutex);
	check_arg(woken, 2, ETIMEDOUT);
	check_arg(woken, 3, 0);
}

static void a_cancelled_wait_is_no_other(void **state)
{
	const struct rqt_hit *cancelled;
	struct rqt_thread *t;

	(void)state;
	need_probes(__func__);
	t = stage_asleep(0, body_waits, 0);
	pthread_cancel(t->handle);
	rqt_join(t);
	assert_true(t->cancelled);
	cancelled = expect("cond__cancelled", &stage.cond, tid_of(t));
	check_pointer(cancelled, 1, &stage.mutex);
	check_arg(cancelled, 2, 0);
	check_arg(cancelled, 3, 0);
	expect_not("cond__woken", &stage.cond);
}

/* Stopped between its unlock and its sleep, and signalled there. */
static struct rqt_thread *signalled_in_the_window(void)
{
	struct rqt_thread *t = &stage.threads[0];

	*t = (struct rqt_thread){.body = body_waits};
	rqt_hook_stop(&t->hook, stage.forced ? FUTEX_WAIT_BITSET : FUTEX_WAIT_REQUEUE_PI, 1,
		      RQT_BEFORE);
	rqt_start(t, 0);
	assert_true(rqt_hook_wait_stopped(&t->hook, RQT_SOON_MS));
	assert_int_equal(LOCKS(cond_signal)(&stage.cond), 0);
	check_arg(expect("cond__signal", &stage.cond, my_tid()), 1, 0);
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
	check_arg(expect("cond__woken", &stage.cond, tid_of(t)), 2, 0);
	check_arg(expect("cond__woken", &stage.cond, tid_of(t)), 3, 0);
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
	check_arg(expect("cond__cancelled", &stage.cond, tid_of(t)), 2, 0);
	check_arg(expect("cond__cancelled", &stage.cond, tid_of(t)), 3, 1);
}

/* The owner ends after its signal: the mutex comes from the dead. */
static void a_dead_owner_is_told(void **state)
{
	struct rqt_thread *waiter;

	(void)state;
	need_probes(__func__);
	rqt_need_requeue_pi(__func__);
	rqt_need_robust(__func__);
	stage_teardown(NULL);
	stage_cond(false);
	stage_mutex(ROBUST);
	rqt_probes_forget();
	waiter = stage_asleep(0, body_waits, 0);
	rqt_join(stage_start(1, body_signals_and_dies, 0));
	rqt_join(waiter);
	assert_int_equal(stage.results[0], EOWNERDEAD);
	check_order(expect("owner__died", &stage.mutex, tid_of(waiter)),
		    expect("cond__woken", &stage.cond, tid_of(waiter)));
	check_arg(expect("cond__woken", &stage.cond, tid_of(waiter)), 2, EOWNERDEAD);
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
	stage_teardown(NULL);
	stage_cond(true);
	stage_mutex(SHARED);
	rqt_probes_forget();
	t = stage_asleep(0, body_waits, 0);
	check_pointer(expect("cond__wait", &stage.cond, tid_of(t)), 1, &stage.mutex);
	lock();
	assert_int_equal(LOCKS(cond_signal)(&stage.cond), 0);
	check_arg(expect("cond__signal", &stage.cond, my_tid()), 1, 1);
	unlock();
	rqt_join(t);
	check_order(expect("cond__signal", &stage.cond, my_tid()),
		    expect("cond__woken", &stage.cond, tid_of(t)));
}

/* ---- none ---- */

static void use_it(void)
{
	struct timespec later = rqt_in_ms(CLOCK_REALTIME, 1000);

	lock();
	if (LOCKS(mutex_trylock)(&stage.mutex) == 0) /* a recursive one */
		unlock();
	unlock();
	assert_int_equal(LOCKS(mutex_trylock)(&stage.mutex), 0);
	unlock();
	assert_int_equal(LOCKS(mutex_timedlock)(&stage.mutex, &later), 0);
	LOCKS(cond_signal)(&stage.cond);
	LOCKS(cond_broadcast)(&stage.cond);
	unlock();
	LOCKS(cond_signal)(&stage.cond);
	LOCKS(cond_broadcast)(&stage.cond);
}

static void nothing_is_hit_where_nobody_waits(void **state)
{
	(void)state;
	need_probes(__func__);
	for (int kind = NORMAL; kind < KINDS; kind++) {
		if (kind == ROBUST && !rqt_has_robust())
			continue;
		LOCKS(mutex_destroy)(&stage.mutex);
		stage_mutex((enum kind)kind);
		rqt_probes_forget();
		use_it();
		expect_not(NULL, &stage.mutex);
		expect_not(NULL, &stage.cond);
	}
}

/* A first wait leaves the condvar with something to look at; still nobody is there. */
static void nothing_is_hit_once_all_have_left(void **state)
{
	(void)state;
	need_probes(__func__);
	rqt_join(stage_start(0, body_waits_until, 0));
	rqt_probes_forget();
	lock();
	LOCKS(cond_signal)(&stage.cond);
	LOCKS(cond_broadcast)(&stage.cond);
	unlock();
	LOCKS(cond_signal)(&stage.cond);
	expect_not(NULL, &stage.mutex);
	expect_not(NULL, &stage.cond);
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
	const char *library = "librqpi.so"; /* its base name begins so */
	const struct CMUnitTest tests[] = {
	    STAGE_CASE(a_lock_that_waits_names_the_owner),
	    STAGE_CASE(a_shared_mutex_says_so),
	    STAGE_CASE(a_lock_whose_time_runs_out_says_so),
	    STAGE_CASE(a_spin_in_vain_is_told_and_then_a_sleep),
	    STAGE_CASE(a_spin_that_got_it_is_told),
	    STAGE_CASE(a_signal_hands_the_mutex_over),
	    STAGE_CASE(an_ordinary_thread_waits_alike),
	    STAGE_CASE(a_broadcast_says_how_many),
	    STAGE_CASE(a_wait_whose_time_runs_out_says_so),
	    STAGE_CASE(a_cancelled_wait_is_no_other),
	    STAGE_CASE(who_is_signalled_before_its_sleep_locks_by_itself),
	    STAGE_CASE(a_cancelled_wait_says_that_it_passed_a_signal_on),
	    STAGE_CASE(a_dead_owner_is_told),
	    STAGE_CASE(a_shared_condvar_has_them_too),
	    STAGE_CASE(nothing_is_hit_where_nobody_waits),
	    STAGE_CASE(nothing_is_hit_once_all_have_left),
	    STAGE_CASE(every_probe_has_been_hit),
	};

#ifdef PROBES_OF_PTHREAD
	library = getenv("PROBES_IN");
	if (!library)
		library = "librqpi-preload";
	stage.mutexes_too = strstr(library, "mutex") != NULL;
	stage.forced = stage.mutexes_too;
#endif
	rqt_program_begin();
	stage.not_planted = rqt_probes_plant(library);
	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
