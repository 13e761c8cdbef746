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

static void print_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* At rest all invariants hold, but that user words may have been forged by the test. */
static void check(struct stage *s)
{
	if (rqpi_engine_check(s->coop.engine, NULL, print_line, NULL)) {
		rqpi_engine_dump(s->coop.engine, print_line, NULL);
		fail_msg("an invariant does not hold");
	}
}

static void make_call(struct actor *a)
{
	long ret;

	do
		ret = rqpi_futex_call(a->t.task, a->uaddr, a->op, a->val, a->timeout, a->uaddr2,
				      a->val3);
	while (ret == -RQPI_ERESTARTNOINTR || (ret == -RQPI_ERESTARTSYS && a->sa_restart));
	a->ret = ret == -RQPI_ERESTARTSYS ? -RQPI_EINTR : ret;
	/* No call leaves anything behind. */
	if (rqpi_engine_check(a->t.coop->engine, a->t.task, print_line, NULL) > 0)
		a->ret = -99999;
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
		else
			make_call(a);
		a->todo = 0;
	}
}

void stage_open(struct stage *s, uint32_t buckets)
{
	s->n = 0;
	assert_int_equal(coop_init(&s->coop, buckets), 0);
}

void stage_actor_in(struct stage *s, struct actor *a, int prio, uint64_t space)
{
	a->todo = 0;
	a->ret = 0;
	a->sa_restart = 0;
	assert_int_equal(coop_spawn(&s->coop, &a->t, space, prio, act, a), 0);
	s->actors[s->n++] = a;
	coop_run(&s->coop);
}

void stage_actor(struct stage *s, struct actor *a, int prio)
{
	stage_actor_in(s, a, prio, 1);
}

void stage_close(struct stage *s)
{
	s->coop.bad = NULL;
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

void end(struct actor *a)
{
	assert_int_equal(a->todo, 0);
	a->todo = 2;
	coop_wake(&a->t);
	coop_run(a->t.coop);
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

static void talk(struct coop *coop, const struct rqpi_event *event)
{
	char text[160];

	(void)coop;
	rqpi_event_text(event, text, sizeof(text));
	fprintf(stderr, "  <%u> %s\n", event->tid, text);
}

void stage_talk(struct stage *s)
{
	s->coop.trace = talk;
}
