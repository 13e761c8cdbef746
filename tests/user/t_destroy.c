/* SPDX-License-Identifier: MIT */
/*
 * t_destroy.c - hard point 3: a condvar may be destroyed and its memory taken away right after
 * broadcast, with the mutex still held, wherever the released threads stand; or be made again at
 * the same address.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096

/* The condvar alone on a page, so that the page can go. */
static void put_cond_on_page(struct rqt_scene *s, bool shared)
{
	rqpi_condattr_t attr;

	s->cond = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	assert_true(s->cond != MAP_FAILED);
	if (!shared)
		return;
	rqpi_condattr_init(&attr);
	rqpi_condattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_cond_init(s->cond, &attr), 0);
}

static void share_mutex(struct rqt_scene *s)
{
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_mutex_init(s->mutex, &attr), 0);
}

/* With the mutex held by the caller. First any access is a crash, then the address is nobody's. */
static void broadcast_destroy_unmap(struct rqt_scene *s, bool unmap)
{
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	assert_int_equal(rqpi_cond_destroy(s->cond), 0);
	assert_int_equal(mprotect(s->cond, PAGE, PROT_NONE), 0);
	if (unmap)
		assert_int_equal(munmap(s->cond, PAGE), 0);
}

static void check_requeued(struct rqt_scene *s, bool unmap)
{
	for (int i = 0; i < 6; i++)
		rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	broadcast_destroy_unmap(s, unmap);
	rqt_sleep_ms(5);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

static void hp3_gone_while_waiters_are_requeued(void **state)
{
	put_cond_on_page(*state, false);
	check_requeued(*state, true);
}

static void hp3_shared_gone_while_waiters_are_requeued(void **state)
{
	put_cond_on_page(*state, true);
	share_mutex(*state);
	check_requeued(*state, true);
}

static void check_window(struct rqt_scene *s, bool unmap)
{
	struct rqt_waiter *window[3];

	for (int i = 0; i < 3; i++)
		window[i] = rqt_waiter_in_window(s);
	rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	broadcast_destroy_unmap(s, unmap);
	for (int i = 0; i < 3; i++)
		rqt_hook_release(&window[i]->thread.hook);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

static void hp3_gone_while_waiters_are_in_the_window(void **state)
{
	put_cond_on_page(*state, false);
	check_window(*state, true);
}

static void hp3_shared_gone_while_waiters_are_in_the_window(void **state)
{
	put_cond_on_page(*state, true);
	share_mutex(*state);
	check_window(*state, true);
}

/* The time ran out in the kernel, the thread has not looked yet; then broadcast and destroy. */
static void check_timed_out(struct rqt_scene *s, bool requeued)
{
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->timed = true;
	w->clock = CLOCK_MONOTONIC;
	w->deadline = rqt_in_ms(CLOCK_MONOTONIC, requeued ? 400 : 30);
	rqt_hook_stop(&w->thread.hook, rqt_wait_op(), 1, RQT_AFTER);
	rqt_waiter_start(w, 0);
	if (requeued)
		rqt_wait_asleep(&w->thread);
	else
		assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	rqt_scene_lock(s);
	broadcast_destroy_unmap(s, true);
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	rqt_hook_release(&w->thread.hook);
	rqt_sleep_ms(5);
	rqt_scene_unlock(s);
	rqt_join(&w->thread);
	assert_true(w->result == 0 || (w->result == ETIMEDOUT && !requeued));
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
}

static void hp3_gone_while_a_waiter_has_timed_out(void **state)
{
	put_cond_on_page(*state, false);
	check_timed_out(*state, false);
}

static void hp3_gone_while_a_requeued_waiter_times_out(void **state)
{
	put_cond_on_page(*state, false);
	check_timed_out(*state, true);
}

static void hp3_shared_gone_while_a_waiter_has_timed_out(void **state)
{
	put_cond_on_page(*state, true);
	share_mutex(*state);
	check_timed_out(*state, false);
}

static void hp3_shared_gone_while_a_requeued_waiter_times_out(void **state)
{
	put_cond_on_page(*state, true);
	share_mutex(*state);
	check_timed_out(*state, true);
}

static void do_nothing(int sig)
{
	(void)sig;
}

static void hp3_gone_while_a_requeued_waiter_is_interrupted(void **state)
{
	struct sigaction sa = {.sa_handler = do_nothing};
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqt_need_handlers(__func__);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	put_cond_on_page(s, false);
	w = rqt_waiter_asleep(s, 0);
	rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	broadcast_destroy_unmap(s, true);
	pthread_kill(w->thread.handle, SIGUSR1);
	rqt_sleep_ms(10);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

static void check_cancelled(struct rqt_scene *s, bool in_window)
{
	struct rqt_waiter *w = in_window ? rqt_waiter_in_window(s) : rqt_waiter_asleep(s, 0);
	struct rqt_waiter *other = rqt_waiter_asleep(s, 0);

	rqt_scene_lock(s);
	broadcast_destroy_unmap(s, true);
	pthread_cancel(w->thread.handle);
	if (in_window)
		rqt_hook_release(&w->thread.hook);
	rqt_sleep_ms(10);
	rqt_scene_unlock(s);
	rqt_join(&w->thread);
	/* Without requeue_pi it may be past its sleep and in the lock, which is no cancellation
	 * point. */
	assert_true(w->thread.cancelled || !(rqpi_caps() & RQPI_CAP_REQUEUE_PI));
	assert_int_equal(atomic_load(&w->cleaned), w->thread.cancelled);
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
	rqt_join(&other->thread);
	assert_int_equal(other->result, 0);
}

static void hp3_gone_while_a_requeued_waiter_is_cancelled(void **state)
{
	put_cond_on_page(*state, false);
	check_cancelled(*state, false);
}

static void hp3_gone_while_a_waiter_in_the_window_is_cancelled(void **state)
{
	put_cond_on_page(*state, false);
	check_cancelled(*state, true);
}

static void hp3_shared_gone_while_a_requeued_waiter_is_cancelled(void **state)
{
	rqt_need_no_emulator(__func__, "no process_vm_readv(2), by which memory is looked at that "
				       "may be gone");
	put_cond_on_page(*state, true);
	share_mutex(*state);
	check_cancelled(*state, false);
}

/* Made again at the same address while old waiters are still on their way out. */
static void check_remade(struct rqt_scene *s, bool shared, bool destroy)
{
	struct rqt_waiter *window;
	struct rqt_waiter *fresh;

	put_cond_on_page(s, shared);
	rqt_waiter_asleep(s, 0);
	rqt_waiter_asleep(s, 0);
	window = rqt_waiter_in_window(s);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	if (destroy)
		assert_int_equal(rqpi_cond_destroy(s->cond), 0);
	memset(s->cond, destroy ? 0xa5 : 0, sizeof(*s->cond));
	munmap(s->cond, PAGE);
	put_cond_on_page(s, shared);
	rqt_scene_unlock(s);
	rqt_scene_served(s, 2);
	fresh = rqt_waiter_asleep(s, 0);
	rqt_hook_release(&window->thread.hook);
	rqt_join(&window->thread);
	assert_int_equal(window->result, 0);
	assert_true(rqt_stays_asleep(&fresh->thread));
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
	/* A shared condvar learns by one call that its last waiter has gone: pshared.c. */
	if (shared)
		rqt_scene_signal(s, true);
	rqt_hook_reset();
	rqt_scene_signal(s, true);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
}

static void hp3_made_again_at_the_same_address(void **state)
{
	check_remade(*state, false, true);
}

static void hp3_zeroed_again_at_the_same_address(void **state)
{
	check_remade(*state, false, false);
}

static void hp3_shared_made_again_at_the_same_address(void **state)
{
	share_mutex(*state);
	check_remade(*state, true, true);
}

/* Thousands of short lives; the waiters run against the destroyer. */
static void hp3_many_short_lives(void **state)
{
	struct rqt_scene *s = *state;

	for (int life = 0; life < 300; life++) {
		memset(s->waiters, 0, sizeof(s->waiters));
		s->count = 0;
		s->cond = calloc(1, sizeof(*s->cond));
		for (int i = 0; i < 3; i++)
			rqt_waiter_asleep(s, 0);
		rqt_scene_lock(s);
		assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
		assert_int_equal(rqpi_cond_destroy(s->cond), 0);
		memset(s->cond, 0xff, sizeof(*s->cond));
		free(s->cond);
		rqt_scene_unlock(s);
		rqt_scene_join_all(s, 0);
	}
}

static void destroy_never_waits_and_makes_no_call(void **state)
{
	struct rqt_scene *s = *state;
	unsigned int before;

	rqt_waiter_in_window(s);
	rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	before = rqt_hook_begun(&rqt_main_thread.hook, RQT_ANY_OP);
	assert_int_equal(rqpi_cond_destroy(s->cond), 0);
	assert_int_equal(rqt_hook_begun(&rqt_main_thread.hook, RQT_ANY_OP), before);
	rqt_hook_release(&s->waiters[0].thread.hook);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(hp3_gone_while_waiters_are_requeued),
	    RQT_SCENE_CASE(hp3_shared_gone_while_waiters_are_requeued),
	    RQT_SCENE_CASE(hp3_gone_while_waiters_are_in_the_window),
	    RQT_SCENE_CASE(hp3_shared_gone_while_waiters_are_in_the_window),
	    RQT_SCENE_CASE(hp3_gone_while_a_waiter_has_timed_out),
	    RQT_SCENE_CASE(hp3_gone_while_a_requeued_waiter_times_out),
	    RQT_SCENE_CASE(hp3_shared_gone_while_a_waiter_has_timed_out),
	    RQT_SCENE_CASE(hp3_shared_gone_while_a_requeued_waiter_times_out),
	    RQT_SCENE_CASE(hp3_gone_while_a_requeued_waiter_is_interrupted),
	    RQT_SCENE_CASE(hp3_gone_while_a_requeued_waiter_is_cancelled),
	    RQT_SCENE_CASE(hp3_gone_while_a_waiter_in_the_window_is_cancelled),
	    RQT_SCENE_CASE(hp3_shared_gone_while_a_requeued_waiter_is_cancelled),
	    RQT_SCENE_CASE(hp3_made_again_at_the_same_address),
	    RQT_SCENE_CASE(hp3_zeroed_again_at_the_same_address),
	    RQT_SCENE_CASE(hp3_shared_made_again_at_the_same_address),
	    RQT_SCENE_CASE(hp3_many_short_lives),
	    RQT_SCENE_CASE(destroy_never_waits_and_makes_no_call),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("destroy", tests, NULL, NULL);
}
