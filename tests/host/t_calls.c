/* SPDX-License-Identifier: MIT */
/*
 * t_calls.c - what a runtime, an emulator or librqpi itself calls beside rqpi_futex(): sleeps that
 * can be cancelled and what must follow, and exec.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <unistd.h>

#define OWNER_DIED 0x40000000u
#define TID	   0x3fffffffu

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static _Atomic int go;
static _Atomic int abandoned;

static void wait_to_go(void)
{
	while (!atomic_load(&go))
		usleep(300);
}

/* Its thread is looked at before its end, which would leave nothing behind either. */
static void abandon(void *unused)
{
	(void)unused;
	rqpi_futex_abandon();
	atomic_store(&abandoned, 1);
	wait_to_go();
}

static void body_wait_cancellable(struct rqt_thread *t)
{
	rqpi_futex_cancellable(true);
	pthread_cleanup_push(abandon, NULL);
	t->value = (int)rqt_wait(t->arg, 0);
	pthread_cleanup_pop(0);
	rqpi_futex_cancellable(false);
}

static void body_lock_cancellable(struct rqt_thread *t)
{
	rqpi_futex_cancellable(true);
	pthread_cleanup_push(abandon, NULL);
	t->value = (int)rqt_lock_pi(t->arg);
	pthread_cleanup_pop(0);
	rqpi_futex_cancellable(false);
}

static void a_cancellable_sleep_ends_and_its_rest_is_abandoned(void **state)
{
	void (*const bodies[])(struct rqt_thread *) = {body_wait_cancellable,
						       body_lock_cancellable};

	(void)state;
	rqt_need_handlers("a_cancellable_sleep_ends_and_its_rest_is_abandoned");
	for (int i = 0; i < 10; i++) {
		uint32_t word = 0;
		struct rqt_thread t = {.body = bodies[i % 2], .arg = &word};

		atomic_store(&abandoned, 0);
		atomic_store(&go, 0);
		if (i % 2)
			assert_int_equal(rqt_lock_pi(&word), 0);
		rqt_start(&t, 0);
		rqt_wait_blocked(&t);
		pthread_cancel(t.handle);
		assert_true(rqt_reaches(&abandoned, 1, RQT_SOON_MS));
		/* It is in no queue any more, and a lock that it waited for is only its owner's. */
		if (i % 2)
			assert_int_equal(rqt_unlock_pi(&word), 0);
		else
			assert_int_equal(rqt_wake(&word, 1), 0);
		assert_int_equal(load(&word), 0);
		atomic_store(&go, 1);
		rqt_join(&t);
		assert_true(t.cancelled);
	}
	rqt_check_engine();
}

/* musl tells a thread of its cancellation by a signal, whose handler lets it go on. */
static int wait_on(uint32_t *word)
{
	long ret;

	do
		ret = rqt_wait(word, 0);
	while (ret == -EINTR);
	return (int)ret;
}

static void body_wait(struct rqt_thread *t)
{
	t->value = wait_on(t->arg);
	/* Off again: a cancellation waits for the next cancellation point. */
	rqpi_futex_cancellable(true);
	rqpi_futex_cancellable(false);
	t->value |= wait_on(t->arg);
}

static void a_sleep_is_no_cancellation_point_unless_asked_for(void **state)
{
	uint32_t word = 0;
	struct rqt_thread t = {.body = body_wait, .arg = &word, .value = -1};

	(void)state;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	pthread_cancel(t.handle);
	assert_true(rqt_stays_blocked(&t));
	for (int i = 0; i < 2; i++) {
		rqt_wait_blocked(&t);
		assert_int_equal(rqt_wake(&word, 1), 1);
	}
	rqt_join(&t);
	assert_int_equal(t.value, 0);
}

static void body_abandon_nothing(struct rqt_thread *t)
{
	rqpi_futex_abandon();
	t->value = (int)rqt_lock_pi(t->arg);
	rqpi_futex_abandon();
	t->value |= (int)rqt_unlock_pi(t->arg);
}

static void without_a_sleep_there_is_nothing_to_abandon(void **state)
{
	uint32_t word = 0;
	struct rqt_thread t = {.body = body_abandon_nothing, .arg = &word, .value = -1};

	(void)state;
	rqt_start(&t, 0);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	assert_int_equal(load(&word), 0);
	rqt_check_engine();
}

static void body_exec(struct rqt_thread *t)
{
	uint32_t *words = t->arg;

	t->value = (int)rqt_lock_pi(&words[0]);
	wait_to_go();
	rqpi_futex_exec();
	/* Another program by now, and alive. */
	t->value |= (int)rqt_lock_pi(&words[1]);
	t->value |= (int)rqt_unlock_pi(&words[1]);
	/* Its end would pass the lock on as well. */
	while (atomic_load(&go) != 2)
		usleep(300);
}

static void body_lock(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
}

static void at_exec_a_lock_passes_on_and_its_owner_lives(void **state)
{
	uint32_t words[2] = {0, 0};
	struct rqt_thread owner = {.body = body_exec, .arg = words, .value = -1};
	struct rqt_thread waiter = {.body = body_lock, .arg = &words[0], .value = -1};

	(void)state;
	atomic_store(&go, 0);
	rqt_start(&owner, 0);
	while (!load(&words[0]))
		usleep(300);
	rqt_start(&waiter, 0);
	rqt_wait_blocked(&waiter);
	atomic_store(&go, 1);
	rqt_join(&waiter);
	atomic_store(&go, 2);
	rqt_join(&owner);
	assert_int_equal(owner.value, 0);
	assert_int_equal(waiter.value, 0);
	assert_int_equal(load(&words[0]) & TID, (uint32_t)atomic_load(&waiter.tid));
	assert_true(load(&words[0]) & OWNER_DIED);
	assert_int_equal(load(&words[1]), 0);
	rqt_check_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_cancellable_sleep_ends_and_its_rest_is_abandoned),
	    RQT_CASE(a_sleep_is_no_cancellation_point_unless_asked_for),
	    RQT_CASE(without_a_sleep_there_is_nothing_to_abandon),
	    RQT_CASE(at_exec_a_lock_passes_on_and_its_owner_lives),
	};

	rqt_host_begin();
	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
