/* SPDX-License-Identifier: MIT */
/*
 * t_robust_kill.c - robust mutexes and hard point 6 when a whole process is killed: nothing in it
 * runs any more, so what the kernel reads (the robust list, list_op_pending) must be right at every
 * moment.
 */
#define _GNU_SOURCE
#include "tests/support/shm.h"

#include <signal.h>
#include <unistd.h>

static int child_broadcasts_and_stays(struct rqt_shm *shm, int arg)
{
	int err = rqpi_mutex_lock(shm->mutex);

	if (arg)
		err |= rqpi_cond_broadcast(shm->cond);
	atomic_store(&shm->board->stage, err ? 99 : 1);
	while (pause() != 0)
		;
	return 0;
}

static void thread_waits_shared(struct rqt_thread *t)
{
	struct rqt_shm *shm = t->arg;
	int err = rqpi_mutex_lock(shm->mutex);

	t->value = err ? err : rqpi_cond_wait(shm->cond, shm->mutex);
	if (t->value == EOWNERDEAD && rqpi_mutex_consistent(shm->mutex) != 0)
		atomic_store(&shm->board->bad, 1);
	if (rqpi_mutex_unlock(shm->mutex) != 0)
		atomic_store(&shm->board->bad, 2);
}

static void hp6_killed_process_while_waiters_are_requeued(void **state)
{
	struct rqt_thread *t = calloc(3, sizeof(*t));
	struct rqt_shm shm;
	int dead = 0;
	pid_t pid;

	(void)state;
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_ROBUST);
	for (int i = 0; i < 3; i++) {
		t[i].body = thread_waits_shared;
		t[i].arg = &shm;
		rqt_start(&t[i], 0);
		rqt_wait_asleep(&t[i]);
	}
	pid = rqt_shm_child(&shm, child_broadcasts_and_stays, 1);
	assert_true(rqt_reaches(&shm.board->stage, 1, RQT_SOON_MS));
	assert_int_equal(atomic_load(&shm.board->stage), 1);
	kill(pid, SIGKILL);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	for (int i = 0; i < 3; i++) {
		rqt_join(&t[i]);
		assert_true(t[i].value == 0 || t[i].value == EOWNERDEAD);
		dead += t[i].value == EOWNERDEAD;
	}
	assert_int_equal(dead, 1);
	assert_int_equal(atomic_load(&shm.board->bad), 0);
	free(t);
	rqt_shm_drop(&shm);
}

static void a_killed_process_is_reported_to_the_next_owner(void **state)
{
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_ROBUST);
	pid = rqt_shm_child(&shm, child_broadcasts_and_stays, 0);
	assert_true(rqt_reaches(&shm.board->stage, 1, RQT_SOON_MS));
	kill(pid, SIGKILL);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	rqt_shm_drop(&shm);
}

/*
 * The window that list_op_pending is for: the kernel has stored the child's TID, the child has not
 * run.
 * @op: the call at whose return the child stands still for ever.
 */
static int child_stops_after(struct rqt_shm *shm, int op)
{
	int err;

	rqt_hook_stop(&rqt_main_thread.hook, op, 1, RQT_AFTER);
	if (op == FUTEX_UNLOCK_PI) {
		err = rqpi_mutex_lock(shm->mutex);
		atomic_store(&shm->board->stage, 1);
		rqt_reaches(&shm->board->go, 1, RQT_SOON_MS);
		return err | rqpi_mutex_unlock(shm->mutex);
	}
	err = rqpi_mutex_lock(shm->mutex);
	return err | rqpi_cond_wait(shm->cond, shm->mutex);
}

static void hp6_killed_when_granted_by_a_requeue(void **state)
{
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_need_requeue_pi(__func__);
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_ROBUST);
	pid = rqt_shm_child(&shm, child_stops_after, FUTEX_WAIT_REQUEUE_PI);
	assert_true(rqt_child_asleep(pid));
	assert_int_equal(rqpi_cond_signal(shm.cond), 0);
	assert_int_equal(rqpi_mutex_owner(shm.mutex), pid);
	rqt_sleep_ms(10);
	kill(pid, SIGKILL);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	rqt_shm_drop(&shm);
}

static void killed_when_granted_by_a_lock(void **state)
{
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_ROBUST);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), 0);
	pid = rqt_shm_child(&shm, child_stops_after, FUTEX_LOCK_PI);
	assert_true(rqt_child_asleep(pid));
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_owner(shm.mutex), pid);
	rqt_sleep_ms(10);
	kill(pid, SIGKILL);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 256 + SIGKILL);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	rqt_shm_drop(&shm);
}

/* After the unlock the mutex is another's: the death of the one that gave it up is not its
 * business. */
static void killed_after_an_unlock_harms_nobody(void **state)
{
	struct rqt_shm shm;
	pid_t pid;

	(void)state;
	rqt_shm_make(&shm, RQT_SAME_PAGE, RQPI_ROBUST);
	pid = rqt_shm_child(&shm, child_stops_after, FUTEX_UNLOCK_PI);
	assert_true(rqt_reaches(&shm.board->stage, 1, RQT_SOON_MS));
	atomic_store(&shm.board->go, 1);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), 0);
	rqt_sleep_ms(5);
	kill(pid, SIGKILL);
	rqt_reap(pid, RQT_SOON_MS);
	assert_int_equal(rqpi_mutex_owner(shm.mutex), atomic_load(&rqt_main_thread.tid));
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_lock(shm.mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(shm.mutex), 0);
	rqt_shm_drop(&shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(hp6_killed_process_while_waiters_are_requeued),
	    RQT_CASE(a_killed_process_is_reported_to_the_next_owner),
	    RQT_CASE(hp6_killed_when_granted_by_a_requeue),
	    RQT_CASE(killed_when_granted_by_a_lock),
	    RQT_CASE(killed_after_an_unlock_harms_nobody),
	};

	rqt_program_begin();
	rqt_program_needs_robust();
	return cmocka_run_group_tests_name("robust_kill", tests, NULL, NULL);
}
