/* SPDX-License-Identifier: MIT */
/*
 * t_life.c - threads and processes come and go: records are made, shared with children of fork, and
 * buried; an owner that ends hands its locks over, however it ends and whether it ever called or
 * not.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "src/base/cancel.h"

#define WAITERS	   0x80000000u
#define OWNER_DIED 0x40000000u
#define TID	   0x3fffffffu

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *word, uint32_t val)
{
	__atomic_store_n(word, val, __ATOMIC_SEQ_CST);
}

/* ---------------------------------------------------------------- threads */

static _Atomic int go;

static void wait_to_go(void)
{
	while (!atomic_load(&go))
		usleep(300);
}

static void body_lock_and_end(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
	wait_to_go();
}

/*
 * Takes the lock as user space does, without a call: the engine learns of it from the word alone.
 */
static void body_store_and_end(struct rqt_thread *t)
{
	store(t->arg, (uint32_t)gettid());
	wait_to_go();
}

static void body_lock(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
}

static void owner_ends_with_waiters(void (*body)(struct rqt_thread *))
{
	uint32_t word = 0;
	struct rqt_thread owner = {.body = body, .arg = &word};
	struct rqt_thread waiter[2] = {{.body = body_lock, .arg = &word},
				       {.body = body_lock, .arg = &word}};

	atomic_store(&go, 0);
	rqt_start(&owner, 0);
	while (load(&word) == 0)
		usleep(300);
	for (int i = 0; i < 2; i++) {
		rqt_start(&waiter[i], 0);
		rqt_wait_blocked(&waiter[i]);
	}
	assert_int_equal(load(&word), (uint32_t)atomic_load(&owner.tid) | WAITERS);
	atomic_store(&go, 1);
	/* The first waiter gets it, and ends with it in its turn. */
	for (int i = 0; i < 2; i++) {
		rqt_join(&waiter[i]);
		assert_int_equal(waiter[i].value, 0);
	}
	assert_int_equal(load(&word) & (OWNER_DIED | TID),
			 OWNER_DIED | (uint32_t)atomic_load(&waiter[1].tid));
	rqt_join(&owner);
	rqt_check_engine();
}

static void a_lock_passes_on_when_its_owner_ends(void **state)
{
	(void)state;
	owner_ends_with_waiters(body_lock_and_end);
}

static void a_lock_passes_on_when_an_owner_ends_that_never_called(void **state)
{
	uint64_t before = rqt_stats().foreign_owners;

	(void)state;
	owner_ends_with_waiters(body_store_and_end);
	assert_true(rqt_stats().foreign_owners > before);
}

static void the_engine_believes_the_word_of_a_thread_that_never_called(void **state)
{
	uint32_t word = 0;
	struct rqt_thread owner = {.body = body_store_and_end, .arg = &word};

	(void)state;
	atomic_store(&go, 0);
	rqt_start(&owner, 0);
	while (load(&word) == 0)
		usleep(300);
	assert_int_equal(
	    rqpi_futex(&word, RQPI_FUTEX_TRYLOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0),
	    -EAGAIN);
	atomic_store(&go, 1);
	rqt_join(&owner);
	/* It has ended with the lock, and nobody was waiting. */
	assert_int_equal(rqt_lock_pi(&word), -ESRCH);
}

static void no_thread_is_esrch_and_a_kernel_thread_eperm(void **state)
{
	uint32_t word = 0x3ffffff0;
	char text[64] = "";
	FILE *f = fopen("/proc/2/comm", "r");

	(void)state;
	assert_int_equal(rqt_lock_pi(&word), -ESRCH);
	assert_int_equal(load(&word), 0x3ffffff0 | WAITERS);
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	if (strcmp(text, "kthreadd\n") == 0) {
		word = 2;
		assert_int_equal(rqt_lock_pi(&word), -EPERM);
	}
	/* Another process's thread: not with a private futex. */
	word = (uint32_t)getppid();
	assert_int_equal(rqt_lock_pi(&word), -EPERM);
	rqt_check_engine();
}

static void body_end_twice(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
	rqpi_futex_thread_exit();
	atomic_store(&go, 1);
	while (atomic_load(&go) != 2)
		usleep(300);
	/* Alive again by calling again. */
	t->value |= (int)rqt_wake(t->arg, 1);
	atomic_store(&go, 3);
	while (atomic_load(&go) != 4)
		usleep(300);
}

static void a_thread_that_has_taken_its_leave_is_dead_until_it_calls_again(void **state)
{
	uint32_t word = 0;
	struct rqt_thread t = {.body = body_end_twice, .arg = &word};
	uint32_t tid;

	(void)state;
	atomic_store(&go, 0);
	rqt_start(&t, 0);
	assert_true(rqt_reaches(&go, 1, RQT_SOON_MS));
	tid = (uint32_t)atomic_load(&t.tid);
	assert_int_equal(load(&word), tid);
	assert_int_equal(rqt_lock_pi(&word), -ESRCH);
	atomic_store(&go, 2);
	assert_true(rqt_reaches(&go, 3, RQT_SOON_MS));
	assert_int_equal(
	    rqpi_futex(&word, RQPI_FUTEX_TRYLOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0),
	    -EAGAIN);
	atomic_store(&go, 4);
	rqt_join(&t);
}

static uint32_t never;
static _Atomic int cleaned;

/* What a cleanup handler may do: call the engine, which its thread has never returned from. */
RQB_ALIGN_STACK static void clean_up(void *arg)
{
	long ret;

#ifndef __GLIBC__
	/* Run deeper on the stack than the sleep, as a signal handler would be. */
	rqpi_futex_abandon();
#endif
	ret = rqt_lock_pi(arg);
	if (ret == 0)
		ret = rqt_unlock_pi(arg);
	atomic_store(&cleaned, ret == 0 ? 1 : 2);
}

static void body_cancelled(struct rqt_thread *t)
{
	int old;

	pthread_cleanup_push(clean_up, t->arg);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	t->value = (int)rqt_wait(&never, 0);
	pthread_setcanceltype(old, &old);
	pthread_cleanup_pop(0);
}

static void body_cancelled_bare(struct rqt_thread *t)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	t->value = (int)rqt_lock_pi(t->arg);
	pthread_setcanceltype(old, &old);
}

static void a_thread_cancelled_in_its_sleep_leaves_nothing_behind(void **state)
{
	uint32_t word = 0;

	(void)state;
	rqt_need_handlers("a_thread_cancelled_in_its_sleep_leaves_nothing_behind");
	for (int i = 0; i < 20; i++) {
		struct rqt_thread t = {.body = i % 2 ? body_cancelled : body_cancelled_bare,
				       .arg = &word};

		atomic_store(&cleaned, 0);
		if (i % 2 == 0)
			assert_int_equal(rqt_lock_pi(&word), 0);
		rqt_start(&t, 0);
		rqt_wait_blocked(&t);
		pthread_cancel(t.handle);
		rqt_join(&t);
		assert_true(t.cancelled);
		assert_int_equal(atomic_load(&cleaned), i % 2);
		assert_int_equal(rqt_wake(&never, 1), 0);
		if (i % 2 == 0)
			assert_int_equal(rqt_unlock_pi(&word), 0);
		assert_int_equal(load(&word), 0);
	}
	rqt_check_engine();
}

#define MANY 3000

static void body_call(struct rqt_thread *t)
{
	uint32_t word = 0;

	t->value = (int)rqt_wake(&word, 1);
}

/* More than there is room for at a time (see main): records of the dead are used again. */
static void records_are_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		struct rqt_thread t = {.body = body_call};

		rqt_start(&t, 0);
		rqt_join(&t);
		assert_int_equal(t.value, 0);
	}
	rqt_check_engine();
}

/* ---------------------------------------------------------------- children */

static void in_child(int (*body)(uint32_t *word), uint32_t *word, int expected)
{
	pid_t pid = fork();

	if (pid == 0) {
		rqt_in_child();
		_exit(body(word));
	}
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), expected);
}

static int child_uses_its_own(uint32_t *word)
{
	uint32_t own = 0;

	/* The parent's lock, copied; the owner is a thread of another address space. */
	if (rqt_lock_pi(word) != -EPERM)
		return 1;
	if (rqt_lock_pi(&own) != 0 || load(&own) != (uint32_t)gettid())
		return 2;
	if (rqt_unlock_pi(&own) != 0 || load(&own) != 0)
		return 3;
	return rqpi_engine_check(rqpi_host_engine(), NULL, NULL, NULL) ? 4 : 0;
}

static void a_child_is_somebody_else(void **state)
{
	static uint32_t word;

	(void)state;
	store(&word, 0);
	assert_int_equal(rqt_lock_pi(&word), 0);
	in_child(child_uses_its_own, &word, 0);
	assert_int_equal(rqt_unlock_pi(&word), 0);
}

static int child_waits(uint32_t *word)
{
	return (int)rqt_wait_shared(word, 0);
}

static void a_parent_wakes_its_child(void **state)
{
	uint32_t *word = rqt_shared_page();
	int64_t end;
	long woken = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		_exit(child_waits(word));
	}
	end = rqt_now_ns(CLOCK_MONOTONIC) + 5000000000;
	while (!woken && rqt_now_ns(CLOCK_MONOTONIC) < end) {
		usleep(500);
		woken = rqt_wake_shared(word, 1);
	}
	assert_int_equal(woken, 1);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 0);
}

static int child_locks_and_stays(uint32_t *word)
{
	if (rqt_lock_pi_shared(word) != 0)
		return 1;
	store(word + 1, 1);
	for (;;)
		pause();
}

static int child_locks_and_exits(uint32_t *word)
{
	if (rqt_lock_pi_shared(word) != 0)
		return 1;
	store(word + 1, 1);
	while (!load(word + 2))
		usleep(300);
	return 0;
}

static void body_lock_shared(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi_shared(t->arg);
}

static void owner_process_dies(int (*body)(uint32_t *word), int sig)
{
	uint32_t *word = rqt_shared_page();
	struct rqt_thread waiter = {.body = body_lock_shared, .arg = word};
	pid_t pid = fork();

	if (pid == 0) {
		rqt_in_child();
		_exit(body(word));
	}
	while (!load(word + 1))
		usleep(300);
	rqt_start(&waiter, 0);
	rqt_wait_blocked(&waiter);
	store(word + 2, 1);
	if (sig)
		kill(pid, sig);
	rqt_reap(pid, RQT_SOON_MS);
	rqt_join(&waiter);
	assert_int_equal(waiter.value, 0);
	assert_int_equal(load(word) & (OWNER_DIED | TID),
			 OWNER_DIED | (uint32_t)atomic_load(&waiter.tid));
	rqt_check_engine();
}

static void a_lock_passes_on_when_its_process_is_killed(void **state)
{
	(void)state;
	owner_process_dies(child_locks_and_stays, SIGKILL);
}

static void a_lock_passes_on_when_its_process_exits(void **state)
{
	(void)state;
	owner_process_dies(child_locks_and_exits, 0);
}

/* Somebody asleep is killed: a wake-up shall not go to the dead once that is known. */
static void a_killed_sleeper_leaves_the_queue(void **state)
{
	uint32_t *word = rqt_shared_page();
	struct rqt_thread t = {.body = NULL};
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + 5000000000;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		rqt_in_child();
		_exit(child_waits(word));
	}
	assert_true(rqt_tid_blocked_within(pid, NULL, RQT_SOON_MS));
	kill(pid, SIGKILL);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	/* Others that sleep on shared futexes look around. */
	t.body = body_lock_shared;
	t.arg = word + 1;
	store(word + 1, (uint32_t)gettid());
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	rqt_sleep_ms(300);
	assert_int_equal(rqt_wake_shared(word, 1), 0);
	assert_int_equal(rqt_unlock_pi_shared(word + 1), 0);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	assert_true(rqt_now_ns(CLOCK_MONOTONIC) < end);
	rqt_check_engine();
}

#define CHILDREN 200

static int child_calls(uint32_t *word)
{
	return rqt_wake_shared(word, 1) == 0 ? 0 : 1;
}

static void records_of_dead_processes_are_used_again(void **state)
{
	uint32_t *word = rqt_shared_page();

	(void)state;
	for (int i = 0; i < CHILDREN; i++)
		in_child(child_calls, word, 0);
	rqt_check_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_lock_passes_on_when_its_owner_ends),
	    RQT_CASE(a_lock_passes_on_when_an_owner_ends_that_never_called),
	    RQT_CASE(the_engine_believes_the_word_of_a_thread_that_never_called),
	    RQT_CASE(no_thread_is_esrch_and_a_kernel_thread_eperm),
	    RQT_CASE(a_thread_that_has_taken_its_leave_is_dead_until_it_calls_again),
	    RQT_CASE(a_thread_cancelled_in_its_sleep_leaves_nothing_behind),
	    RQT_CASE(records_are_used_again),
	    RQT_CASE(a_child_is_somebody_else),
	    /* From here on with an engine that children share. */
	    RQT_CASE(a_parent_wakes_its_child),
	    RQT_CASE(a_lock_passes_on_when_its_process_is_killed),
	    RQT_CASE(a_lock_passes_on_when_its_process_exits),
	    RQT_CASE(a_killed_sleeper_leaves_the_queue),
	    RQT_CASE(records_of_dead_processes_are_used_again),
	};
	size_t count = sizeof(tests) / sizeof(tests[0]);

	rqt_host_max_threads = 64;
	rqt_host_begin();
	if (!(rqt_host_flags & RQPI_HOST_ACROSS_FORK))
		count -= 5;
	return _cmocka_run_group_tests("life", tests, count, NULL, NULL);
}
