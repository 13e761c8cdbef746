/* SPDX-License-Identifier: MIT */
/*
 * stage.c - see stage.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/stage.h"

#include <stdio.h>
#include <unistd.h>

static void print_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* At rest all invariants hold, but that user words may have been forged by the test. */
static void check(struct stage *s)
{
	if (!s->quick && rqpi_engine_check(s->coop.engine, NULL, print_line, NULL)) {
		rqpi_engine_dump(s->coop.engine, print_line, NULL);
		fail_msg("an invariant does not hold");
	}
}

static void make_call(struct actor *a)
{
	struct stage *s = (struct stage *)a->t.coop; /* its first member */
	long ret;

	for (;;) {
		ret = rqpi_futex_call(a->t.task, a->uaddr, a->op, a->val, a->timeout, a->uaddr2,
				      a->val3);
		if (ret != -RQPI_ERESTARTNOINTR && ret != -RQPI_ERESTARTSYS)
			break;
		a->signals++;
		if (ret == -RQPI_ERESTARTSYS && !a->sa_restart)
			break;
	}
	a->ret = ret == -RQPI_ERESTARTSYS ? -RQPI_EINTR : ret;
	/* No call leaves anything behind. */
	if (!s->forging && !s->quick &&
	    rqpi_engine_check(a->t.coop->engine, a->t.task, print_line, NULL) > 0)
		a->ret = -99999;
}

static void change_prio(struct actor *a)
{
	rqpi_task_set_prio(a->other, &a->prio);
	rqpi_task_put(a->other);
}

static void act(struct coop_task *t, void *arg)
{
	struct actor *a = arg;

	for (;;) {
		while (!a->todo)
			coop_sleep(t);
		t->woken = 0;
		if (a->todo == 2)
			return;
		if (a->todo == 3)
			rqpi_task_exec(t->task, rqpi_task_space(t->task) + 1000);
		else if (a->todo == 4)
			change_prio(a);
		else if (a->todo == 5)
			a->ret = a->fn(a);
		else
			make_call(a);
		a->todo = 0;
	}
}

static void step(struct coop *coop)
{
	struct stage *s = (struct stage *)coop;

	if (!s->steps_left || coop->running != &s->victim->t || --s->steps_left)
		return;
	s->meanwhile(s);
}

/* What the engine tells is a point like any other. */
static void step_at_event(struct coop *coop, const struct rqpi_event *event)
{
	struct stage *s = (struct stage *)coop;

	s->events[event->id]++;
	if (event->id == RQPI_EV_LOOKUP_REFUSED && event->value == -RQPI_EBUSY)
		s->busy++;
	step(coop);
}

static bool can_run(const struct coop_task *t)
{
	return !t->asleep && !t->finished && !t->held;
}

/*
 * The most urgent one, as the port itself chooses. But first the one that is let run, for as long
 * as it can; then the one that was interrupted. Those who wait for a raw lock look again last, in
 * turn.
 */
static struct coop_task *choose(struct coop *coop)
{
	struct stage *s = (struct stage *)coop;
	struct coop_task *best = NULL;

	if (s->focus && can_run(s->focus) && !s->focus->spinning)
		return s->focus;
	if (s->focus) {
		s->focus = NULL;
		return s->back;
	}
	for (struct coop_task *t = coop->tasks; t; t = t->next)
		if (can_run(t) && !t->spinning && (!best || t->prio <= best->prio))
			best = t;
	/* In turn: the next one behind the one before. */
	for (struct coop_task *t = s->last ? s->last->next : NULL; t && !best; t = t->next)
		if (can_run(t))
			best = t;
	for (struct coop_task *t = coop->tasks; t && !best; t = t->next)
		if (can_run(t))
			best = t;
	s->last = best;
	return best;
}

void stage_open(struct stage *s, uint32_t buckets)
{
	*s = (struct stage){.n = 0};
	assert_int_equal(coop_init(&s->coop, buckets), 0);
	s->coop.on_step = step;
	s->coop.choose = choose;
	s->coop.trace = step_at_event;
}

void stage_actor_in(struct stage *s, struct actor *a, int prio, uint64_t space)
{
	a->todo = 0;
	a->ret = 0;
	a->sa_restart = 0;
	a->signals = 0;
	assert_true(s->n < ACTORS);
	assert_int_equal(coop_spawn(&s->coop, &a->t, space, prio, act, a), 0);
	s->actors[s->n++] = a;
	coop_run(&s->coop);
}

void stage_actor(struct stage *s, struct actor *a, int prio)
{
	stage_actor_in(s, a, prio, 1);
}

void stage_kernel(struct stage *s, struct actor *a, int prio)
{
	s->coop.spawn_kernel = 1;
	stage_actor(s, a, prio);
	s->coop.spawn_kernel = 0;
}

void stage_close(struct stage *s)
{
	no_fault(s);
	s->steps_left = 0;
	s->quick = 0;
	for (int i = 0; i < s->n; i++) {
		s->actors[i]->t.held = 0;
		if (!s->actors[i]->t.finished)
			end(s->actors[i]);
	}
	check(s);
	for (int i = 0; i < s->n; i++)
		assert_true(s->actors[i]->t.finished);
	coop_fini(&s->coop);
}

void post(struct actor *a, int op, uint32_t *uaddr, uint32_t val, const void *timeout,
	  uint32_t *uaddr2, uint32_t val3)
{
	assert_int_equal(a->todo, 0);
	a->op = op;
	a->uaddr = uaddr;
	a->val = val;
	a->timeout = timeout;
	a->uaddr2 = uaddr2;
	a->val3 = val3;
	a->ret = BLOCKED;
	a->todo = 1;
	coop_wake(&a->t);
}

long call(struct actor *a, int op, uint32_t *uaddr, uint32_t val, const void *timeout,
	  uint32_t *uaddr2, uint32_t val3)
{
	struct stage *s = (struct stage *)a->t.coop; /* its first member */

	post(a, op, uaddr, val, timeout, uaddr2, val3);
	coop_run(&s->coop);
	check(s);
	return a->ret;
}

long perform(struct actor *a, long (*fn)(struct actor *it), void *arg)
{
	assert_int_equal(a->todo, 0);
	a->fn = fn;
	a->arg = arg;
	a->ret = BLOCKED;
	a->todo = 5;
	coop_wake(&a->t);
	coop_run(a->t.coop);
	check((struct stage *)a->t.coop);
	return a->ret;
}

void post_end(struct actor *a)
{
	assert_int_equal(a->todo, 0);
	a->todo = 2;
	coop_wake(&a->t);
}

void end(struct actor *a)
{
	post_end(a);
	coop_run(a->t.coop);
}

void post_prio(struct actor *a, struct actor *other, int prio)
{
	assert_int_equal(a->todo, 0);
	a->other = other->t.task;
	rqpi_task_get(a->other);
	a->prio = (struct rqpi_prio){.prio = prio};
	a->todo = 4;
	coop_wake(&a->t);
}

void exec_now(struct actor *a)
{
	assert_int_equal(a->todo, 0);
	a->todo = 3;
	coop_wake(&a->t);
	coop_run(a->t.coop);
}

int eff(const struct actor *a)
{
	struct rqpi_prio prio;

	rqpi_task_prio(a->t.task, NULL, &prio);
	assert_int_equal(prio.prio, a->t.prio);
	return prio.prio;
}

void set_prio(struct actor *a, int prio)
{
	struct rqpi_prio own = {.prio = prio};

	rqpi_task_set_prio(a->t.task, &own);
	coop_run(a->t.coop);
}

uint32_t tid(const struct actor *a)
{
	return rqpi_task_tid(a->t.task);
}

void fault(struct stage *s, const uint32_t *uaddr, int times, int for_read)
{
	s->coop.bad = uaddr;
	s->coop.faults_left = times;
	s->coop.bad_for_read = for_read;
}

void no_fault(struct stage *s)
{
	s->coop.bad = NULL;
}

void hold(struct actor *a)
{
	a->t.held = 1;
}

void let_go(struct actor *a)
{
	a->t.held = 0;
	coop_run(a->t.coop);
	check((struct stage *)a->t.coop);
}

struct rqpi_timespec at_ns(uint64_t ns)
{
	return (struct rqpi_timespec){(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000)};
}

/* ---------------------------------------------------------------- a second core */

void interrupt_at(struct stage *s, struct actor *a, int n, void (*meanwhile)(struct stage *s))
{
	s->victim = a;
	s->steps_left = n;
	s->meanwhile = meanwhile;
}

bool interrupted(struct stage *s)
{
	bool was = s->steps_left == 0;

	s->steps_left = 0;
	return was;
}

void let_run(struct stage *s, struct actor *a)
{
	if (!s->coop.running) {
		coop_run(&s->coop);
		return;
	}
	s->focus = &a->t;
	s->back = s->coop.running;
	coop_yield(s->coop.running);
}

void expire(struct stage *s, uint64_t ns)
{
	s->coop.now = ns;
	for (int i = 0; i < s->n; i++) {
		struct coop_task *t = &s->actors[i]->t;

		if (t->asleep && t->deadline && t->deadline <= ns)
			t->asleep = 0;
	}
}

void signal_arrives(struct actor *a)
{
	a->t.interrupted = 1;
	if (a->t.asleep && a->t.interruptible)
		a->t.asleep = 0;
}

void stage_begin(void)
{
	const char *filter = getenv("RQT_FILTER");
	const char *seconds = getenv("RQT_WATCHDOG");

	if (filter)
		cmocka_set_test_filter(filter);
	if (seconds)
		alarm((unsigned int)atoi(seconds));
}

/* ---------------------------------------------------------------- talking */

static void talk(struct coop *coop, const struct rqpi_event *event)
{
	char text[160];

	rqpi_event_text(event, text, sizeof(text));
	fprintf(stderr, "  <%u> %s\n", event->tid, text);
	step(coop);
}

void stage_talk(struct stage *s)
{
	s->coop.trace = talk;
}
