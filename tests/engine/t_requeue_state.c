/* SPDX-License-Identifier: MIT */
/*
 * t_requeue_state.c - the hand-shake between CMP_REQUEUE_PI and a waiter that leaves: the table of
 * its edges, what each side finds in each state, and the four orders in which the two can meet
 * (bugs.md 1.8), with a timeout and with a signal. t_race.c runs them at every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/cast.h"

static uint32_t m, m2, cond;
static struct rqpi_timespec soon;

static int setup(void **state)
{
	(void)state;
	m = m2 = cond = 0;
	soon = at_ns(100);
	open_stage(2);
	return 0;
}

/* ---------------------------------------------------------------- the table */

static void edges_of_the_table(void **state)
{
	enum {
		NONE = RQK_REQUEUE_NONE,
		IGNORE = RQK_REQUEUE_IGNORE,
		IN_PROGRESS = RQK_REQUEUE_IN_PROGRESS,
		DONE = RQK_REQUEUE_DONE,
		LOCKED = RQK_REQUEUE_LOCKED
	};
	static const struct {
		int from, to;
		bool requeuer;
	} allowed[] = {
	    {NONE, IN_PROGRESS, true}, {NONE, IGNORE, false},	    {IN_PROGRESS, NONE, true},
	    {IN_PROGRESS, DONE, true}, {IN_PROGRESS, LOCKED, true},
	};

	(void)state;
	for (int from = 0; from < RQK_REQUEUE_STATES; from++) {
		for (int to = 0; to < RQK_REQUEUE_STATES; to++) {
			for (int who = 0; who < 2; who++) {
				bool expected = false;

				for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
					expected = expected || (allowed[i].from == from &&
								allowed[i].to == to &&
								allowed[i].requeuer == who);
				assert_int_equal(rqk_requeue_edge((enum rqk_requeue_state)from,
								  (enum rqk_requeue_state)to, who),
						 expected);
			}
		}
	}
}

static void each_side_in_each_state(void **state)
{
	struct rqk_futex_q *q = &a.t.task->q;
	struct rqk_bucket *hb = &stage.coop.engine->buckets[0];

	(void)state;
	rqk_requeue_begin(q);
	assert_true(rqk_requeue_claim(b.t.task, q));
	assert_false(rqk_requeue_claim(b.t.task, q));
	rqk_requeue_finish(b.t.task, q, RQK_REQUEUE_NONE);
	assert_true(rqk_requeue_claim(b.t.task, q)); /* refused once, and asked for again */
	rqk_requeue_finish(b.t.task, q, RQK_REQUEUE_DONE);
	assert_int_equal(rqk_requeue_leave(a.t.task, hb), RQK_REQUEUE_DONE);
	assert_false(rqk_requeue_claim(b.t.task, q));
	rqk_requeue_begin(q);
	assert_true(rqk_requeue_claim(b.t.task, q));
	rqk_requeue_finish(b.t.task, q, RQK_REQUEUE_LOCKED);
	assert_int_equal(rqk_requeue_leave(a.t.task, hb), RQK_REQUEUE_LOCKED);
	rqk_requeue_begin(q);
	assert_int_equal(rqk_requeue_leave(a.t.task, hb), RQK_REQUEUE_IGNORE);
	assert_false(rqk_requeue_claim(b.t.task, q));
	assert_int_equal(q->requeue_state, RQK_REQUEUE_IGNORE);
}

/* ---------------------------------------------------------------- the four orders */

static bool by_signal;
static bool driven; /* the order that a case is about has come about */

static enum rqk_requeue_state state_of(const struct actor *it)
{
	return (enum rqk_requeue_state)it->t.task->q.requeue_state;
}

static void reason_to_leave(void)
{
	if (by_signal)
		signal_arrives(&a);
	else
		expire(&stage, 100);
}

static void a_sleeps_on_cond(void)
{
	soon = at_ns(100);
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT_REQUEUE_PI | P, &cond, 0, &soon, &m, 0), BLOCKED);
}

static void c_requeues(void)
{
	post(&c, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond, 1, (void *)0, &m, 0);
}

/* The waiter has announced it, and has not got the bucket yet. */
static void requeuer_comes(struct stage *s)
{
	if (state_of(&a) != RQK_REQUEUE_IGNORE || !rqk_queued(&a.t.task->q))
		return;
	driven = true;
	c_requeues();
	let_run(s, &c);
	cond = 1; /* or a restarted waiter would sleep again */
}

/* The requeuer has claimed it, and is not through. */
static void waiter_wants_to_leave(struct stage *s)
{
	if (state_of(&a) != RQK_REQUEUE_IN_PROGRESS)
		return;
	driven = true;
	reason_to_leave();
	let_run(s, &a);
	assert_true(a.todo); /* it waits for the requeuer */
}

/*
 * @prepare, then @begin, with @meanwhile at each step of @victim; @judge if the order came about.
 * With a timeout and with a signal.
 */
static void in_this_order(void **state, struct actor *victim, void (*prepare)(void),
			  void (*begin)(void), void (*meanwhile)(struct stage *),
			  void (*judge)(void))
{
	unsigned int times = 0;

	for (int i = 0; i < 2; i++) {
		for (int n = 1; n < 30; n++) {
			by_signal = i;
			driven = false;
			prepare();
			interrupt_at(&stage, victim, n, meanwhile);
			begin();
			coop_run(&stage.coop);
			(void)interrupted(&stage);
			if (driven) {
				judge();
				times++;
			}
			cond = 1; /* all go home */
			expire(&stage, 1000000);
			signal_arrives(&a);
			signal_arrives(&b);
			coop_run(&stage.coop);
			m = m2 = 0;
			a.t.interrupted = b.t.interrupted = 0;
			for (int k = 0; k < stage.n; k++)
				if (!stage.actors[k]->todo)
					end(stage.actors[k]);
			coop_run(&stage.coop);
			for (int k = 0; k < stage.n; k++)
				if (!stage.actors[k]->t.finished)
					end(stage.actors[k]);
			teardown(state);
			setup(state);
		}
		assert_true(times > 0);
		times = 0;
	}
}

/* 1.8 a: the requeuer passes over it at once, and takes the next one [12.11, CVE-2026-52977]. */
static void two_sleep_and_m_is_held(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	set_prio(&b, RT(5));
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	a_sleeps_on_cond();
}

static void passed_over(void)
{
	assert_int_equal(result(&c), 1);
	assert_int_equal(b.t.task->q.kind, RQK_PI);
	assert_int_equal(result(&a), by_signal ? -RQPI_EAGAIN : -RQPI_ETIMEDOUT);
	assert_int_equal(a.signals, by_signal); /* restarted: it has not been moved */
	assert_int_equal(stage.events[RQPI_EV_REQUEUE_SKIPPED], 1);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

static void waiter_announces_first(void **state)
{
	in_this_order(state, &a, two_sleep_and_m_is_held, reason_to_leave, requeuer_comes,
		      passed_over);
}

/* 1.8 b: it waits until it has been moved, and leaves then. */
static void one_sleeps_and_m_is_held(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	a_sleeps_on_cond();
}

static void moved_and_then_left(void)
{
	assert_int_equal(result(&c), 1);
	assert_int_equal(result(&a), by_signal ? -RQPI_EAGAIN : -RQPI_ETIMEDOUT);
	assert_int_equal(a.signals, 0); /* not restarted [4.5] */
	assert_int_equal(eff(&o), RT(1));
	assert_int_equal(m, W | tid(&o));
	assert_int_equal(unlock_pi(&o, &m), 0);
}

static void requeuer_claims_first(void **state)
{
	in_this_order(state, &c, one_sleeps_and_m_is_held, c_requeues, waiter_wants_to_leave,
		      moved_and_then_left);
}

/* 1.8 c: the requeuer is refused, and it leaves as from the first word. */
static void one_sleeps_and_would_close_a_cycle(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m2), 0);
	assert_int_equal(lock_pi(&o, &m2), BLOCKED);
	a_sleeps_on_cond();
}

static void refused_and_left(void)
{
	assert_int_equal(result(&c), -RQPI_EDEADLK);
	assert_int_equal(result(&a), by_signal ? BLOCKED : -RQPI_ETIMEDOUT);
	assert_int_equal(a.signals, by_signal);
	assert_null(a.t.task->blocked_on);
	cond = 1;
	if (by_signal)
		coop_interrupt(&a.t);
	assert_int_equal(unlock_pi(&a, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m), 0);
}

static void requeuer_claims_first_and_is_refused(void **state)
{
	in_this_order(state, &c, one_sleeps_and_would_close_a_cycle, c_requeues,
		      waiter_wants_to_leave, refused_and_left);
}

/* 1.8 d: it owns the mutex, though its time was up. */
static void granted_in_spite_of_it(void)
{
	assert_int_equal(result(&c), 1);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void requeuer_grants(void **state)
{
	in_this_order(state, &c, a_sleeps_on_cond, c_requeues, waiter_wants_to_leave,
		      granted_in_spite_of_it);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(edges_of_the_table),
	    T(each_side_in_each_state),
	    T(waiter_announces_first),
	    T(requeuer_claims_first),
	    T(requeuer_claims_first_and_is_refused),
	    T(requeuer_grants),
	};

	return stage_main("engine: the hand-shake of a requeue", tests);
}
