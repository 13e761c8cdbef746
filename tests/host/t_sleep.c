/* SPDX-License-Identifier: MIT */
/*
 * t_sleep.c - sleeping on the host port: wake-ups are not lost, deadlines are kept, and handlers
 * end a sleep or begin it again as futex(2) and signal(7) say.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>

static _Atomic int handled;

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void body_wait(struct rqt_thread *t)
{
	t->value = (int)rqt_wait(t->arg, 0);
}

static void body_lock_pi(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
	if (t->value == 0)
		t->value = (int)rqt_unlock_pi(t->arg);
}

static void wake_ends_a_wait(void **state)
{
	struct rqt_thread t = {.body = body_wait};
	uint32_t word = 0;

	(void)state;
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	assert_true(rqt_stays_blocked(&t));
	assert_int_equal(rqt_wake(&word, 1), 1);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	assert_int_equal(rqt_wake(&word, 1), 0);
	rqt_check_engine();
}

/* ---------------------------------------------------------------- no lost wake-ups */

#define TURNS 20000

struct ping {
	uint32_t turn;
	uint32_t me;
};

static uint32_t ball;

static void body_ping(struct rqt_thread *t)
{
	uint32_t me = *(uint32_t *)t->arg;

	for (uint32_t i = me; i < TURNS; i += 2) {
		uint32_t seen;

		while ((seen = __atomic_load_n(&ball, __ATOMIC_SEQ_CST)) != i)
			rqt_wait(&ball, seen);
		__atomic_store_n(&ball, i + 1, __ATOMIC_SEQ_CST);
		rqt_wake(&ball, 1);
	}
}

static void no_wake_up_is_lost_between_two_threads(void **state)
{
	static uint32_t who[2] = {0, 1};
	struct rqt_thread t[2] = {{.body = body_ping, .arg = &who[0]},
				  {.body = body_ping, .arg = &who[1]}};

	(void)state;
	ball = 0;
	rqt_start(&t[0], 0);
	rqt_start(&t[1], 0);
	assert_true(rqt_join_within(&t[0], 50000));
	assert_true(rqt_join_within(&t[1], 50000));
	assert_int_equal(ball, TURNS);
	rqt_check_engine();
}

/* ---------------------------------------------------------------- time */

static void a_wait_ends_at_its_deadline_and_not_before(void **state)
{
	static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
	uint32_t word = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct timespec at = rqt_in_ms(clocks[i], 60);
		int64_t end = rqt_now_ns(clocks[i]) + 50000000;
		int op = RQPI_FUTEX_WAIT_BITSET | RQPI_FUTEX_PRIVATE;

		if (clocks[i] == CLOCK_REALTIME)
			op |= RQPI_FUTEX_CLOCK_REALTIME;
		assert_int_equal(rqpi_futex(&word, op, 0, &at, NULL, ~0u), -ETIMEDOUT);
		assert_true(rqt_now_ns(clocks[i]) >= end);
		assert_true(rqt_now_ns(clocks[i]) < end + 4000000000);
	}
}

static void past_deadlines_end_at_once(void **state)
{
	const struct timespec zero = {0, 0};
	uint32_t word = 0;

	(void)state;
	assert_int_equal(
	    rqpi_futex(&word, RQPI_FUTEX_WAIT_BITSET | RQPI_FUTEX_PRIVATE, 0, &zero, NULL, ~0u),
	    -ETIMEDOUT);
	assert_int_equal(
	    rqpi_futex(&word,
		       RQPI_FUTEX_WAIT_BITSET | RQPI_FUTEX_PRIVATE | RQPI_FUTEX_CLOCK_REALTIME, 0,
		       &zero, NULL, ~0u),
	    -ETIMEDOUT);
	assert_int_equal(rqpi_futex(&word, RQPI_FUTEX_WAIT | RQPI_FUTEX_PRIVATE, 0, &zero, NULL, 0),
			 -ETIMEDOUT);
}

/* ---------------------------------------------------------------- handlers */

static void body_timed_wait(struct rqt_thread *t)
{
	const struct timespec far = {3600, 0};

	t->value = (int)rqpi_futex(t->arg, RQPI_FUTEX_WAIT | RQPI_FUTEX_PRIVATE, 0, &far, NULL, 0);
}

static void interrupt(struct rqt_thread *t, int sig)
{
	int before = atomic_load(&handled);

	pthread_kill(t->handle, sig);
	assert_true(rqt_reaches(&handled, before + 1, RQT_SOON_MS));
}

static void a_handler_without_restart_ends_a_wait(void **state)
{
	struct rqt_thread t = {.body = body_wait};
	uint32_t word = 0;

	(void)state;
	rqt_need_handlers("a_handler_without_restart_ends_a_wait");
	rqt_handle(SIGUSR1, count_signal, 0);
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	interrupt(&t, SIGUSR1);
	rqt_join(&t);
	assert_int_equal(t.value, -EINTR);
	assert_int_equal(rqt_wake(&word, 1), 0);
}

static void a_handler_with_restart_begins_a_wait_again(void **state)
{
	struct rqt_thread t = {.body = body_wait};
	uint32_t word = 0;

	(void)state;
	rqt_need_handlers("a_handler_with_restart_begins_a_wait_again");
	rqt_handle(SIGUSR1, count_signal, SA_RESTART);
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	for (int i = 0; i < 20; i++) {
		interrupt(&t, SIGUSR1);
		rqt_wait_blocked(&t);
	}
	/* And again means from the start: the word is compared anew. */
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	interrupt(&t, SIGUSR1);
	rqt_join(&t);
	assert_int_equal(t.value, -EAGAIN);
}

static void a_timed_wait_is_never_begun_again(void **state)
{
	struct rqt_thread t = {.body = body_timed_wait};
	uint32_t word = 0;

	(void)state;
	rqt_need_handlers("a_timed_wait_is_never_begun_again");
	rqt_handle(SIGUSR1, count_signal, SA_RESTART);
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	interrupt(&t, SIGUSR1);
	rqt_join(&t);
	assert_int_equal(t.value, -EINTR);
}

static void a_lock_is_always_begun_again(void **state)
{
	struct rqt_thread t = {.body = body_lock_pi};
	uint32_t word = 0;

	(void)state;
	rqt_need_handlers("a_lock_is_always_begun_again");
	rqt_handle(SIGUSR1, count_signal, 0);
	assert_int_equal(rqt_lock_pi(&word), 0);
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	for (int i = 0; i < 20; i++) {
		interrupt(&t, SIGUSR1);
		rqt_wait_blocked(&t);
	}
	assert_int_equal(rqt_unlock_pi(&word), 0);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
	rqt_check_engine();
}

/* Without the option nobody knows which handler ran: all count, and here they agree. In a child. */
static int child_restarts_if_all_do(void)
{
	struct rqt_thread t = {.body = body_wait};
	uint32_t word = 0;

	rqt_in_child();
	/* The watchdog's handlers have no SA_RESTART. */
	signal(SIGALRM, SIG_DFL);
	rqt_handle(SIGUSR1, count_signal, SA_RESTART);
	t.arg = &word;
	rqt_start(&t, 0);
	if (!rqt_blocked_within(&t))
		return 1;
	for (int i = 0; i < 5; i++) {
		interrupt(&t, SIGUSR1);
		if (!rqt_blocked_within(&t))
			return 2;
	}
	return rqt_wake(&word, 1) == 1 && rqt_join_within(&t, RQT_SOON_MS) && t.value == 0 ? 0 : 3;
}

static void a_wait_is_begun_again_if_all_handlers_restart(void **state)
{
	pid_t pid;

	(void)state;
	rqt_need_handlers("a_wait_is_begun_again_if_all_handlers_restart");
	pid = fork();
	if (pid == 0)
		_exit(child_restarts_if_all_do());
	assert_int_equal(rqt_reap(pid, 20000), 0);
}

/* ---------------------------------------------------------------- signals without handlers */

static void an_ignored_signal_does_not_end_a_wait(void **state)
{
	struct rqt_thread t = {.body = body_wait};
	uint32_t word = 0;

	(void)state;
	signal(SIGUSR2, SIG_IGN);
	t.arg = &word;
	rqt_start(&t, 0);
	rqt_wait_blocked(&t);
	for (int i = 0; i < 20; i++) {
		pthread_kill(t.handle, SIGUSR2);
		pthread_kill(t.handle, SIGCHLD);
		usleep(1000);
	}
	assert_true(rqt_stays_blocked(&t));
	assert_int_equal(rqt_wake(&word, 1), 1);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
}

static int child_sleeps(uint32_t *word)
{
	rqt_in_child();
	/* In an orphaned process group nobody is stopped by SIGTSTP. */
	setpgid(0, 0);
	__atomic_store_n(word + 1, 1, __ATOMIC_SEQ_CST);
	return (int)rqt_wait_shared(word, 0);
}

/*
 * Its engine is its own unless children share it; that it sleeps is to be seen in /proc as well.
 * Not once, but for a while: on its way it may sleep for a moment with a raw lock, and where those
 * are plain ones, nobody could have that any more if it were killed then.
 */
static bool child_gets_to_sleep(pid_t pid, const uint32_t *said)
{
	char path[64];
	char text[512];
	int looks = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < RQT_SOON_MS; i++) {
		FILE *f = fopen(path, "r");
		size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

		if (f)
			fclose(f);
		text[n] = '\0';
		if (!__atomic_load_n(said, __ATOMIC_SEQ_CST) || !strstr(text, ") S "))
			looks = 0;
		else if (++looks == 20)
			return true;
		usleep(1000);
	}
	return false;
}

static void a_stopped_process_goes_on_sleeping_and_a_fatal_signal_ends_it(void **state)
{
	static const int fatal[] = {SIGTERM, SIGKILL};
	uint32_t *word = rqt_shared_page();
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(child_sleeps(word));
		assert_true(child_gets_to_sleep(pid, word + 1));
		kill(pid, SIGTSTP);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		kill(pid, SIGCONT);
		rqt_sleep_ms(50);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		assert_true(child_gets_to_sleep(pid, word + 1));
		kill(pid, fatal[i]);
		assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + fatal[i]);
		__atomic_store_n(word + 1, 0, __ATOMIC_SEQ_CST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(wake_ends_a_wait),
	    RQT_CASE(no_wake_up_is_lost_between_two_threads),
	    RQT_CASE(a_wait_ends_at_its_deadline_and_not_before),
	    RQT_CASE(past_deadlines_end_at_once),
	    RQT_CASE(a_handler_without_restart_ends_a_wait),
	    RQT_CASE(a_timed_wait_is_never_begun_again),
	    RQT_CASE(a_lock_is_always_begun_again),
	    RQT_CASE(a_wait_is_begun_again_if_all_handlers_restart),
	    RQT_CASE(an_ignored_signal_does_not_end_a_wait),
	    RQT_CASE(a_stopped_process_goes_on_sleeping_and_a_fatal_signal_ends_it),
	    /* Without the option the flags of the watchdog's handler count, too: not without it. */
	    RQT_CASE(a_handler_with_restart_begins_a_wait_again),
	};
	size_t count = sizeof(tests) / sizeof(tests[0]);

	rqt_host_begin();
	if (!(rqt_host_flags & RQPI_HOST_DEFER_SIGNALS))
		count--;
	return _cmocka_run_group_tests("sleep", tests, count, NULL, NULL);
}
