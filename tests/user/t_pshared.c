/* SPDX-License-Identifier: MIT */
/*
 * t_pshared.c - hard point 4: one condvar and mutex in two processes that map them at different
 * addresses: in one page, in two pages mapped together, in two pages mapped apart.
 */
#define _GNU_SOURCE
#include "tests/support/shm.h"

#include <signal.h>
#include <sys/mman.h>

#define APART_MS 3000 /* where no requeue is possible a waiter may poll; it must not hang */

static int child_waits_once(struct rqt_shm *shm, int arg)
{
	int err = rqpi_mutex_lock(shm->mutex);

	(void)arg;
	atomic_fetch_add(&shm->board->stage, 1);
	err |= rqpi_cond_wait(shm->cond, shm->mutex);
	if (rqpi_mutex_owner(shm->mutex) != atomic_load(&rqt_main_thread.tid))
		atomic_store(&shm->board->bad, 1);
	shm->board->guarded++;
	atomic_fetch_add(&shm->board->served, 1);
	return err | rqpi_mutex_unlock(shm->mutex);
}

static int child_signals(struct rqt_shm *shm, int arg)
{
	int err = rqpi_mutex_lock(shm->mutex);

	err |= arg ? rqpi_cond_broadcast(shm->cond) : rqpi_cond_signal(shm->cond);
	return err | rqpi_mutex_unlock(shm->mutex);
}

static void signal_held(struct rqt_shm *shm, bool broadcast)
{
	assert_int_equal(rqpi_mutex_lock(shm->mutex), 0);
	assert_int_equal(broadcast ? rqpi_cond_broadcast(shm->cond) : rqpi_cond_signal(shm->cond),
			 0);
	assert_int_equal(rqpi_mutex_unlock(shm->mutex), 0);
}

/* The child waits, the parent signals: with the mutex and without. */
static void check_to_child(enum rqt_layout layout)
{
	struct rqt_shm shm;
	pid_t pid;

	rqt_shm_make(&shm, layout, RQPI_STALLED);
	for (int held = 0; held < 2; held++) {
		pid = rqt_shm_child(&shm, child_waits_once, 0);
		assert_true(rqt_reaches(&shm.board->stage, held + 1, RQT_SOON_MS));
		assert_true(rqt_child_asleep(pid));
		if (held)
			signal_held(&shm, false);
		else
			assert_int_equal(rqpi_cond_signal(shm.cond), 0);
		assert_int_equal(rqt_reap(pid, APART_MS), 0);
	}
	assert_int_equal(atomic_load(&shm.board->bad), 0);
	assert_int_equal(rqpi_mutex_owner(shm.mutex), 0);
	rqt_shm_drop(&shm);
}

static void thread_waits(struct rqt_thread *t)
{
	struct rqt_shm *shm = t->arg;

	t->value = child_waits_once(shm, 0);
}

static int thread_waits_in_parent(struct rqt_shm *shm, struct rqt_thread *t)
{
	t->body = thread_waits;
	t->arg = shm;
	rqt_start(t, 0);
	rqt_wait_asleep(t);
	return 0;
}

/* Waiters in both processes; the child broadcasts. */
static void check_broadcast_from_child(enum rqt_layout layout)
{
	struct rqt_thread *t = calloc(3, sizeof(*t));
	struct rqt_shm shm;
	pid_t waiting[2];
	pid_t pid;

	rqt_shm_make(&shm, layout, RQPI_STALLED);
	for (int i = 0; i < 2; i++) {
		waiting[i] = rqt_shm_child(&shm, child_waits_once, 0);
		assert_true(rqt_child_asleep(waiting[i]));
	}
	for (int i = 0; i < 3; i++)
		thread_waits_in_parent(&shm, &t[i]);
	pid = rqt_shm_child(&shm, child_signals, 1);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 0);
	assert_true(rqt_reaches(&shm.board->served, 5, APART_MS));
	for (int i = 0; i < 2; i++)
		assert_int_equal(rqt_reap(waiting[i], RQT_SOON_MS), 0);
	for (int i = 0; i < 3; i++)
		rqt_join(&t[i]);
	assert_int_equal(shm.board->guarded, 5);
	free(t);
	rqt_shm_drop(&shm);
}

static void hp4_same_page_signal(void **state)
{
	(void)state;
	check_to_child(RQT_SAME_PAGE);
}

static void hp4_two_pages_signal(void **state)
{
	(void)state;
	check_to_child(RQT_SAME_DISTANCE);
}

static void hp4_apart_signal(void **state)
{
	(void)state;
	check_to_child(RQT_APART);
}

static void hp4_same_page_broadcast(void **state)
{
	(void)state;
	check_broadcast_from_child(RQT_SAME_PAGE);
}

static void hp4_two_pages_broadcast(void **state)
{
	(void)state;
	check_broadcast_from_child(RQT_SAME_DISTANCE);
}

static void hp4_apart_broadcast(void **state)
{
	(void)state;
	check_broadcast_from_child(RQT_APART);
}

/* Where one requeue is possible, it is one: the mutex moves over in the kernel between processes.
 */
static void hp4_handed_over_between_processes(void **state)
{
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_need_requeue_pi(__func__);
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_STALLED);
	pid = rqt_shm_child(&shm, child_waits_once, 0);
	assert_true(rqt_child_asleep(pid));
	assert_int_equal(rqpi_mutex_lock(shm.mutex), 0);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_broadcast(shm.cond), 0);
	assert_int_equal(rqt_hook_total(FUTEX_CMP_REQUEUE_PI), 1);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 1);
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 0);
	rqt_shm_drop(&shm);
}

/* Ping-pong: every wakeup crosses from one process into the other. */
static int child_plays(struct rqt_shm *shm, int rounds)
{
	int err = rqpi_mutex_lock(shm->mutex);

	for (int i = 0; i < rounds; i++) {
		while (shm->board->guarded % 2 == 0)
			err |= rqpi_cond_wait(shm->cond, shm->mutex);
		shm->board->guarded++;
		err |= rqpi_cond_signal(shm->cond);
	}
	return err | rqpi_mutex_unlock(shm->mutex);
}

static void check_ping_pong(enum rqt_layout layout, int rounds)
{
	struct rqt_shm shm;
	pid_t pid;

	rqt_shm_make(&shm, layout, RQPI_STALLED);
	pid = rqt_shm_child(&shm, child_plays, rounds);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), 0);
	for (int i = 0; i < rounds; i++) {
		while (shm.board->guarded % 2 == 1)
			assert_int_equal(rqpi_cond_wait(shm.cond, shm.mutex), 0);
		shm.board->guarded++;
		assert_int_equal(rqpi_cond_signal(shm.cond), 0);
	}
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	assert_int_equal(rqt_reap(pid, 20000), 0);
	assert_int_equal(shm.board->guarded, 2 * rounds);
	rqt_shm_drop(&shm);
}

static void hp4_same_page_ping_pong(void **state)
{
	(void)state;
	check_ping_pong(RQT_SAME_PAGE, 500);
}

static void hp4_two_pages_ping_pong(void **state)
{
	(void)state;
	check_ping_pong(RQT_SAME_DISTANCE, 500);
}

static void hp4_apart_ping_pong(void **state)
{
	(void)state;
	check_ping_pong(RQT_APART, 20);
}

static int child_times_out(struct rqt_shm *shm, int ms)
{
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, ms);
	int err = rqpi_mutex_lock(shm->mutex);

	atomic_fetch_add(&shm->board->stage, 1);
	atomic_store(&shm->board->result,
		     rqpi_cond_clockwait(shm->cond, shm->mutex, CLOCK_MONOTONIC, &ts));
	return err | rqpi_mutex_unlock(shm->mutex);
}

static void check_timeout(enum rqt_layout layout, int ms)
{
	struct rqt_shm shm;
	int64_t start;
	pid_t pid;

	rqt_shm_make(&shm, layout, RQPI_STALLED);
	start = rqt_now_ns(CLOCK_MONOTONIC);
	pid = rqt_shm_child(&shm, child_times_out, ms);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 0);
	assert_int_equal(atomic_load(&shm.board->result), ETIMEDOUT);
	assert_true(rqt_now_ns(CLOCK_MONOTONIC) - start >= (int64_t)ms * 1000000);
	rqt_shm_drop(&shm);
}

static void hp4_timeouts_are_exact_in_every_layout(void **state)
{
	(void)state;
	check_timeout(RQT_SAME_PAGE, 60);
	check_timeout(RQT_SAME_DISTANCE, 60);
	check_timeout(RQT_APART, 60);
	check_timeout(RQT_APART, 450); /* longer than any polling slice */
}

/* A process killed while it waits leaves nothing behind that takes or hides a signal. */
static void a_waiter_killed_in_its_sleep_takes_no_signal(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_STALLED);
	pid = rqt_shm_child(&shm, child_waits_once, 0);
	assert_true(rqt_child_asleep(pid));
	thread_waits_in_parent(&shm, t);
	kill(pid, SIGKILL);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	/*
	 * The kernel knows at once; the engine's sleepers look for the dead twenty times a
	 * second.
	 */
	if (rqt_on_engine())
		rqt_sleep_ms(300);
	signal_held(&shm, false);
	rqt_join(t);
	assert_int_equal(t->value, 0);
	signal_held(&shm, false);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_signal(shm.cond), 0);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	free(t);
	rqt_shm_drop(&shm);
}

/* Two views of the same memory in one process are as good as two processes. */
static void hp4_two_views_in_one_process(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct rqt_shm one;
	struct rqt_shm two;

	(void)state;
	for (int layout = RQT_SAME_PAGE; layout <= RQT_APART; layout++) {
		memset(t, 0, sizeof(*t));
		rqt_shm_make(&one, (enum rqt_layout)layout, RQPI_STALLED);
		two = one;
		assert_true(rqt_shm_map(&two));
		thread_waits_in_parent(&two, t);
		signal_held(&one, false);
		rqt_join(t);
		assert_int_equal(t->value, 0);
		rqt_shm_drop(&one);
	}
	free(t);
}

/*
 * The kernel refuses one requeue, so new waiters sleep plainly while an older one still sleeps to
 * be requeued. FUTEX_WAKE reaches nobody then; all must come back nevertheless.
 */
static void hp4_apart_plain_sleepers_beside_requeued_ones(void **state)
{
	struct rqt_thread *t;
	struct rqt_shm one;
	struct rqt_shm two;

	(void)state;
	rqt_need_requeue_pi(__func__);
	t = calloc(2, sizeof(*t));
	rqt_shm_make(&one, RQT_APART, RQPI_STALLED);
	two = one;
	assert_true(rqt_shm_map(&two));
	thread_waits_in_parent(&two, &t[0]);
	assert_int_equal(rqpi_cond_signal(one.cond), 0); /* refused: the mutex is elsewhere here */
	thread_waits_in_parent(&one, &t[1]);
	assert_true(rqt_is_asleep_in(&t[1], FUTEX_WAIT_BITSET));
	assert_int_equal(rqpi_cond_broadcast(one.cond), 0);
	for (int i = 0; i < 2; i++) {
		rqt_join(&t[i]);
		assert_int_equal(t[i].value, 0);
	}
	free(t);
	rqt_shm_drop(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(hp4_same_page_signal),
	    RQT_CASE(hp4_two_pages_signal),
	    RQT_CASE(hp4_apart_signal),
	    RQT_CASE(hp4_same_page_broadcast),
	    RQT_CASE(hp4_two_pages_broadcast),
	    RQT_CASE(hp4_apart_broadcast),
	    RQT_CASE(hp4_handed_over_between_processes),
	    RQT_CASE(hp4_same_page_ping_pong),
	    RQT_CASE(hp4_two_pages_ping_pong),
	    RQT_CASE(hp4_apart_ping_pong),
	    RQT_CASE(hp4_apart_plain_sleepers_beside_requeued_ones),
	    RQT_CASE(hp4_timeouts_are_exact_in_every_layout),
	    RQT_CASE(a_waiter_killed_in_its_sleep_takes_no_signal),
	    RQT_CASE(hp4_two_views_in_one_process),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("pshared", tests, NULL, NULL);
}
