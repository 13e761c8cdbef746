/* SPDX-License-Identifier: MIT */
/*
 * t_step.c - U5 and hard points 1, 2, 3 and 5 at every instruction of a wait: what happens at one
 * chosen instruction (a signal, a cancellation, the end of the condvar) is tried at each of them in
 * turn.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"
#include "tests/support/step.h"

#include <sys/mman.h>

#define STEPS_MAX 4000

/* RQT_STRIDE=n looks at every n-th instruction only: for a quick run. */
static unsigned long stride(void)
{
	const char *env = getenv("RQT_STRIDE");

	return env && atoi(env) > 0 ? (unsigned long)atoi(env) : 1;
}

/* What a run at instruction k found the stepped waiter doing. */
enum phase { HOLDS_MUTEX, IN_THE_WINDOW, AFTER_SLEEP, PAST_THE_END };

static void begin_stepping(struct rqt_waiter *w)
{
	(void)w;
	rqt_step_begin();
}

static void end_stepping(struct rqt_waiter *w)
{
	(void)w;
	rqt_step_end();
}

/* A waiter that will stop at instruction @k of its wait. */
static struct rqt_waiter *stepped_waiter(struct rqt_scene *s, struct rqt_step_plan *plan,
					 unsigned long k)
{
	struct rqt_waiter *w = rqt_waiter_new(s);

	memset(plan, 0, sizeof(*plan));
	plan->at = k;
	rqt_step_plan(plan);
	w->before = begin_stepping;
	w->after = end_stepping;
	return w;
}

/* The stage is used thousands of times: forget the waiters of the last run. */
static void clear_stage(struct rqt_scene *s)
{
	for (unsigned int i = 0; i < s->count; i++)
		assert_true(s->waiters[i].thread.joined);
	memset(s->waiters, 0, sizeof(s->waiters));
	s->count = 0;
}

/* Where does it stand? With the mutex free, the caller has it now. */
static enum phase take_mutex_if_free(struct rqt_scene *s)
{
	return rqpi_mutex_trylock(s->mutex) == 0 ? IN_THE_WINDOW : HOLDS_MUTEX;
}

/* Asleep in the wait itself, not in our stop. */
static void wait_until_waiting(struct rqt_waiter *w)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)RQT_SOON_MS * 1000000;

	while (!rqt_is_asleep_in(&w->thread, rqt_wait_op()))
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("the waiter does not get to sleep");
}

/* One signal at instruction @k, under the mutex or just after it: the waiter comes back. */
static enum phase signal_at(struct rqt_scene *s, unsigned long k, bool held)
{
	struct rqt_step_plan plan;
	struct rqt_waiter *w = stepped_waiter(s, &plan, k);
	enum phase phase = PAST_THE_END;

	rqt_waiter_start(w, 0);
	if (rqt_step_next(&plan, &w->thread, RQT_SOON_MS)) {
		phase = take_mutex_if_free(s);
		if (phase == IN_THE_WINDOW && held)
			assert_int_equal(rqpi_cond_signal(s->cond), 0);
		if (phase == IN_THE_WINDOW)
			rqt_scene_unlock(s);
		if (phase == IN_THE_WINDOW && !held)
			assert_int_equal(rqpi_cond_signal(s->cond), 0);
		rqt_step_go(&plan);
	}
	if (phase != IN_THE_WINDOW) {
		rqt_step_forget();
		wait_until_waiting(w);
		rqt_scene_signal(s, held);
	}
	rqt_scene_join_all(s, 0);
	clear_stage(s);
	return phase;
}

static void check_signal_everywhere(struct rqt_scene *s, bool held)
{
	enum phase phase = HOLDS_MUTEX;
	int window = 0;
	unsigned long k;

	signal_at(s, STEPS_MAX * 10,
		  held); /* the first wait resolves symbols: not stepped through */
	for (k = 1; phase != PAST_THE_END && k < STEPS_MAX; k += stride()) {
		rqt_watchdog();
		phase = signal_at(s, k, held);
		window += phase == IN_THE_WINDOW;
	}
	print_message("# %lu instructions up to the sleep, %d of them after the unlock\n", k,
		      window);
	assert_true(window > 5);
}

static void u5_signal_at_any_instruction_is_kept(void **state)
{
	rqt_need_step(__func__);
	check_signal_everywhere(*state, true);
}

static void u5_signal_without_mutex_at_any_instruction_is_kept(void **state)
{
	rqt_need_step(__func__);
	check_signal_everywhere(*state, false);
}

/*
 * An ordinary thread waits, and a more urgent one that is stepped. One signal is sent: where the
 * urgent one stands at @k before its sleep, or to wake it. Then it is cancelled at @k. The signal
 * must have released one of the two.
 */
static enum phase cancel_at(struct rqt_scene *s, unsigned long k, bool signal)
{
	struct rqt_step_plan plan;
	struct rqt_waiter *w;
	enum phase phase = PAST_THE_END;

	rqt_waiter_asleep(s, 0);
	w = stepped_waiter(s, &plan, k);
	rqt_waiter_start(w, 10);
	if (rqt_step_next(&plan, &w->thread, RQT_SOON_MS)) {
		phase = HOLDS_MUTEX;
		if (signal)
			assert_int_equal(rqpi_cond_signal(s->cond), 0);
	} else if (signal) {
		rqt_scene_signal(s, true);
		if (rqt_step_next(&plan, &w->thread, RQT_SOON_MS))
			phase = AFTER_SLEEP;
	}
	if (phase == PAST_THE_END)
		rqt_step_forget(); /* musl cancels by a jump, behind which it would go on */
	pthread_cancel(w->thread.handle);
	if (phase != PAST_THE_END)
		rqt_step_go(&plan);
	rqt_join(&w->thread);
	return phase;
}

/* After cancel_at(): who got what. */
static void settle_cancelled(struct rqt_scene *s, unsigned long k, bool signal)
{
	struct rqt_waiter *other = &s->waiters[0];
	struct rqt_waiter *w = &s->waiters[1];

	if (!w->thread.cancelled)
		assert_int_equal(w->result, 0);
	else if (w->owner_seen != atomic_load(&w->thread.tid))
		fail_msg("instruction %lu: the cleanup handler ran without the mutex", k);
	if (w->thread.cancelled && signal && !rqt_join_within(&other->thread, RQT_SOON_MS))
		fail_msg("instruction %lu: a cancelled thread kept the signal", k);
	assert_true(rqt_reaches(&other->place, 1, 0) || !atomic_load(&other->thread.done));
	rqt_scene_signal(s, true);
	rqt_join(&other->thread);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	clear_stage(s);
}

static void check_cancel_everywhere(struct rqt_scene *s, bool signal)
{
	enum phase phase = HOLDS_MUTEX;
	int counts[4] = {0};

	for (unsigned long k = 1; phase != PAST_THE_END && k < STEPS_MAX; k += stride()) {
		rqt_watchdog();
		phase = cancel_at(s, k, signal);
		counts[phase]++;
		settle_cancelled(s, k, signal);
	}
	print_message("# cancelled at %d instructions before the sleep, %d after it\n",
		      counts[HOLDS_MUTEX], counts[AFTER_SLEEP]);
	assert_true(counts[HOLDS_MUTEX] > 5 && (!signal || counts[AFTER_SLEEP] > 5));
}

static void hp5_cancelled_at_any_instruction_passes_the_signal_on(void **state)
{
	rqt_need_step(__func__);
	rqt_need_fifo(__func__);
	check_cancel_everywhere(*state, true);
}

static void hp5_cancelled_at_any_instruction_leaves_nothing_behind(void **state)
{
	rqt_need_step(__func__);
	rqt_need_fifo(__func__);
	check_cancel_everywhere(*state, false);
}

/* Time already out, a signal at instruction @k: the timed one has it (0), or the one asleep has. */
static enum phase time_out_at(struct rqt_scene *s, unsigned long k)
{
	struct rqt_step_plan plan;
	struct rqt_waiter *other = rqt_waiter_asleep(s, 0);
	struct rqt_waiter *w = stepped_waiter(s, &plan, k);
	enum phase phase = PAST_THE_END;

	w->timed = true;
	w->clock = CLOCK_MONOTONIC;
	plan.timed = true; /* PREEMPT_RT puts it to sleep until a thread has served the timer */
	rqt_waiter_start(w, 0);
	if (rqt_step_next(&plan, &w->thread, RQT_SOON_MS)) {
		phase = HOLDS_MUTEX;
		assert_int_equal(rqpi_cond_signal(s->cond), 0);
		rqt_step_go(&plan);
	}
	rqt_join(&w->thread);
	assert_true(w->result == 0 || w->result == ETIMEDOUT);
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
	if (phase == HOLDS_MUTEX && w->result == ETIMEDOUT &&
	    !rqt_join_within(&other->thread, 2000))
		fail_msg("instruction %lu: timed out and the signal reached nobody", k);
	rqt_scene_broadcast(s, true);
	rqt_join(&other->thread);
	clear_stage(s);
	return phase;
}

static void hp2_signal_at_any_instruction_of_a_timeout_is_kept(void **state)
{
	struct rqt_scene *s = *state;
	enum phase phase = HOLDS_MUTEX;
	unsigned long k;

	rqt_need_step(__func__);
	for (k = 1; phase != PAST_THE_END && k < STEPS_MAX; k += stride()) {
		rqt_watchdog();
		phase = time_out_at(s, k);
	}
	print_message("# %lu instructions\n", k);
	assert_true(k > 50);
}

/* Broadcast, destroy and take the memory away, with the mutex held, at instruction @k of the
 * window. */
static enum phase destroy_at(struct rqt_scene *s, unsigned long k)
{
	struct rqt_step_plan plan;
	struct rqt_waiter *w;
	enum phase phase = PAST_THE_END;

	s->cond = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(s->cond != MAP_FAILED);
	w = stepped_waiter(s, &plan, k);
	rqt_waiter_start(w, 0);
	if (rqt_step_next(&plan, &w->thread, RQT_SOON_MS))
		phase = take_mutex_if_free(s);
	if (phase != IN_THE_WINDOW) {
		if (phase == HOLDS_MUTEX)
			rqt_step_go(&plan);
		rqt_step_forget();
		wait_until_waiting(w);
		rqt_scene_lock(s);
	}
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	assert_int_equal(rqpi_cond_destroy(s->cond), 0);
	assert_int_equal(mprotect(s->cond, 4096, PROT_NONE), 0);
	if (phase == IN_THE_WINDOW)
		rqt_step_go(&plan);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
	munmap(s->cond, 4096);
	clear_stage(s);
	return phase;
}

static void hp3_destroyed_at_any_instruction_is_not_touched(void **state)
{
	struct rqt_scene *s = *state;
	enum phase phase = HOLDS_MUTEX;
	int window = 0;

	rqt_need_step(__func__);
	for (unsigned long k = 1; phase != PAST_THE_END && k < STEPS_MAX; k += stride()) {
		rqt_watchdog();
		phase = destroy_at(s, k);
		window += phase == IN_THE_WINDOW;
	}
	print_message("# destroyed at %d instructions after the unlock\n", window);
	assert_true(window > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(u5_signal_at_any_instruction_is_kept),
	    RQT_SCENE_CASE(u5_signal_without_mutex_at_any_instruction_is_kept),
	    RQT_SCENE_CASE(hp5_cancelled_at_any_instruction_passes_the_signal_on),
	    RQT_SCENE_CASE(hp5_cancelled_at_any_instruction_leaves_nothing_behind),
	    RQT_SCENE_CASE(hp2_signal_at_any_instruction_of_a_timeout_is_kept),
	    RQT_SCENE_CASE(hp3_destroyed_at_any_instruction_is_not_touched),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
