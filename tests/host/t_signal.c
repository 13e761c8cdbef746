/* SPDX-License-Identifier: MIT */
/*
 * t_signal.c - RQPI_HOST_DEFER_SIGNALS: a handler finds its thread outside the engine, may call it,
 * and no signal is lost, doubled, or given to a thread that it was not for.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <sys/syscall.h>

#define ROUNDS 5000

static uint32_t word;
static _Atomic int handled;
static _Atomic int woken_by_handler;
static _Atomic int rounds_done;

/* What a program may well do: wake the very thread that it interrupts. */
static void wake_myself(int sig)
{
	(void)sig;
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	atomic_fetch_add(&woken_by_handler, (int)rqt_wake(&word, 1));
	atomic_fetch_add(&handled, 1);
}

static void body_rounds(struct rqt_thread *t)
{
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
		atomic_store(&rounds_done, i + 1);
		while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) {
			long ret = rqt_wait(&word, 0);

			if (ret != 0 && ret != -EAGAIN && ret != -EINTR)
				t->value = (int)ret;
		}
	}
}

/* A signal a round, at whatever moment it comes. If it is lost the round never ends. */
static void hammer(int flags)
{
	struct rqt_thread t = {.body = body_rounds};

	atomic_store(&handled, 0);
	atomic_store(&rounds_done, 0);
	rqt_handle(SIGUSR1, wake_myself, flags);
	rqt_start(&t, 0);
	for (int i = 1; i <= ROUNDS; i++) {
		assert_true(rqt_reaches(&rounds_done, i, RQT_SOON_MS));
		for (int spin = rand() % 2000; spin > 0; spin--)
			__asm__ volatile("");
		pthread_kill(t.handle, SIGUSR1);
		assert_true(rqt_reaches(&handled, i, RQT_SOON_MS));
	}
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	/* The engine was left before any handler ran: nobody was there to be woken. */
	assert_int_equal(atomic_load(&woken_by_handler), 0);
	rqt_check_engine();
}

static void a_handler_may_wake_the_word_its_thread_sleeps_on(void **state)
{
	(void)state;
	rqt_need_handlers("a_handler_may_wake_the_word_its_thread_sleeps_on");
	hammer(0);
}

static void a_handler_that_restarts_may_as_well(void **state)
{
	(void)state;
	rqt_need_handlers("a_handler_that_restarts_may_as_well");
	hammer(SA_RESTART);
}

/* ---------------------------------------------------------------- signals to the process */

#define SLEEPERS 4

static uint32_t never;

static void just_count(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void body_sleep(struct rqt_thread *t)
{
	t->value = (int)rqt_wait(&never, 0);
}

static void a_signal_to_the_process_interrupts_one_sleeper(void **state)
{
	struct rqt_thread t[SLEEPERS] = {{.body = NULL}};
	sigset_t set;
	int left = 0;

	(void)state;
	rqt_need_handlers("a_signal_to_the_process_interrupts_one_sleeper");
	rqt_handle(SIGUSR1, just_count, 0);
	atomic_store(&handled, 0);
	for (int i = 0; i < SLEEPERS; i++) {
		t[i].body = body_sleep;
		rqt_start(&t[i], 0);
		rqt_wait_blocked(&t[i]);
	}
	/* The sleepers alone shall be there to take it. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int n = 1; n <= SLEEPERS; n++) {
		kill(getpid(), SIGUSR1);
		assert_true(rqt_reaches(&handled, n, RQT_SOON_MS));
		rqt_sleep_ms(RQT_NEVER_MS);
		assert_int_equal(atomic_load(&handled), n);
		left = 0;
		for (int i = 0; i < SLEEPERS; i++)
			left += atomic_load(&t[i].done) && t[i].value == -EINTR;
		assert_int_equal(left, n);
	}
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (int i = 0; i < SLEEPERS; i++)
		rqt_join(&t[i]);
	assert_int_equal(rqt_wake(&never, 1), 0);
}

/* ---------------------------------------------------------------- queued signals */

#define QUEUED 6
#define QUEUES 500

static _Atomic int values[QUEUED];
static _Atomic int taken;

static void note_value(int sig, siginfo_t *info, void *context)
{
	int at = atomic_load(&taken);

	(void)sig;
	(void)context;
	if (at < QUEUED)
		atomic_store(&values[at],
			     info->si_code == SI_QUEUE ? info->si_value.sival_int : -1);
	atomic_store(&taken, at + 1);
}

/* pthread_sigqueue(), which musl does not have. */
static long queue_signal(pid_t tid, int sig, int value)
{
	siginfo_t info = {.si_signo = sig, .si_code = SI_QUEUE};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info);
}

static void spin_usec(int usec)
{
	int64_t until = rqt_now_ns(CLOCK_MONOTONIC) + usec * 1000;

	while (rqt_now_ns(CLOCK_MONOTONIC) < until)
		;
}

static void queued_signals_keep_their_values_and_their_order(void **state)
{
	struct sigaction sa = {.sa_sigaction = note_value, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct rqt_thread t = {.body = body_sleep};

	(void)state;
	rqt_need_handlers("queued_signals_keep_their_values_and_their_order");
	rqt_need_no_emulator("queued_signals_keep_their_values_and_their_order",
			     "its signals have other numbers beneath, and /proc tells of those");
	sigfillset(&sa.sa_mask);
	sigaction(SIGRTMIN + 3, &sa, NULL);
	rqt_start(&t, 0);
	for (int round = 0; round < QUEUES; round++) {
		rqt_wait_blocked(&t);
		atomic_store(&taken, 0);
		/* The later ones come before, while and after the first are looked at. */
		for (int i = 0; i < QUEUED; i++) {
			assert_int_equal(queue_signal(atomic_load(&t.tid), SIGRTMIN + 3, 100 + i),
					 0);
			spin_usec(round % 20);
		}
		assert_true(rqt_reaches(&taken, QUEUED, RQT_SOON_MS));
		for (int i = 0; i < QUEUED; i++)
			assert_int_equal(atomic_load(&values[i]), 100 + i);
	}
	rqt_wait_blocked(&t);
	assert_int_equal(rqt_wake(&never, 1), 1);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
}

/* ---------------------------------------------------------------- a fork in a handler */

static _Atomic pid_t child;

static void fork_here(int sig)
{
	uint32_t mine = 0;
	pid_t pid;

	(void)sig;
	pid = fork();
	if (pid == 0)
		_exit(rqt_wake(&mine, 1) == 0 && rqt_lock_pi(&mine) == 0 &&
			      rqt_unlock_pi(&mine) == 0
			  ? 0
			  : 1);
	atomic_store(&child, pid);
	atomic_fetch_add(&handled, 1);
}

static void a_handler_may_fork(void **state)
{
	struct rqt_thread t = {.body = body_sleep};

	(void)state;
	rqt_need_handlers("a_handler_may_fork");
	rqt_handle(SIGUSR2, fork_here, SA_RESTART);
	atomic_store(&handled, 0);
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	pthread_kill(t.handle, SIGUSR2);
	assert_true(rqt_reaches(&handled, 1, RQT_SOON_MS));
	assert_int_equal(rqt_reap(atomic_load(&child), RQT_SOON_MS), 0);
	rqt_wait_blocked(&t);
	assert_int_equal(rqt_wake(&never, 1), 1);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
}

/* ---------------------------------------------------------------- cancellation */

static void body_cancelled(struct rqt_thread *t)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	t->value = (int)rqt_wait(&never, 0);
	pthread_setcanceltype(old, &old);
}

static void a_thread_cancelled_in_its_sleep_leaves_nothing_behind(void **state)
{
	(void)state;
	rqt_need_handlers("a_thread_cancelled_in_its_sleep_leaves_nothing_behind");
	for (int i = 0; i < 20; i++) {
		struct rqt_thread t = {.body = body_cancelled};

		rqt_start(&t, 0);
		rqt_wait_blocked(&t);
		pthread_cancel(t.handle);
		rqt_join(&t);
		assert_true(t.cancelled);
		assert_int_equal(rqt_wake(&never, 1), 0);
	}
	rqt_check_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_handler_may_wake_the_word_its_thread_sleeps_on),
	    RQT_CASE(a_handler_that_restarts_may_as_well),
	    RQT_CASE(a_signal_to_the_process_interrupts_one_sleeper),
	    RQT_CASE(queued_signals_keep_their_values_and_their_order),
	    RQT_CASE(a_handler_may_fork),
	    RQT_CASE(a_thread_cancelled_in_its_sleep_leaves_nothing_behind),
	};

	rqt_host_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
