/* SPDX-License-Identifier: MIT */
/*
 * race.c - see race.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/race.h"

struct stage stage;
struct actor o, a, b, c, d, x;
uint32_t m, m2, m3, cond;
struct rqpi_timespec soon;

static void open_all(void)
{
	m = m2 = m3 = cond = 0;
	soon = at_ns(100);
	stage_open(&stage, 4);
	stage_actor(&stage, &o, RT(1));
	stage_actor(&stage, &a, RT(10));
	stage_actor(&stage, &b, RT(20));
	stage_actor(&stage, &c, RT(30));
	stage_actor(&stage, &d, RQPI_PRIO_NICE(0));
	stage_actor(&stage, &x, RT(5));
}

/* All sleep: who waits for an rt_mutex must be able to hope that its owner unlocks it. */
static void nobody_is_stranded(void)
{
	for (int i = 0; i < stage.n; i++) {
		struct rqpi_task *task = stage.actors[i]->t.task;

		if (!task || !task->blocked_on)
			continue;
		if (!rqk_rt_owner(task->blocked_on->lock))
			fail_msg("tid %u waits for a lock that nobody owns", task->tid);
		if (!rqk_prio_equal(&task->blocked_on->prio, &task->eff))
			fail_msg("tid %u is not sorted by its priority", task->tid);
	}
}

/* Everybody unlocks what it owns, until nobody owns anything and nobody waits. */
static void unlock_all(void)
{
	uint32_t *words[] = {&m, &m2, &m3};
	bool again = true;

	while (again) {
		again = false;
		for (size_t w = 0; w < 3; w++) {
			for (int i = 0; i < stage.n; i++) {
				struct actor *it = stage.actors[i];

				if (it->t.finished || it->todo ||
				    (*words[w] & RQB_WORD_TID_MASK) != tid(it))
					continue;
				assert_int_equal(unlock_pi(it, words[w]), 0);
				again = true;
			}
		}
	}
	for (int i = 0; i < stage.n; i++) {
		struct actor *it = stage.actors[i];

		if (it->t.finished)
			continue;
		assert_int_equal(it->todo, 0);
		assert_int_equal(eff(it), it->t.task->own.prio);
	}
	assert_int_equal(m | m2 | m3, 0);
}

void at_every_step(struct actor *victim, void (*begin)(void), void (*meanwhile)(struct stage *),
		   void (*after)(void))
{
	bool more = true;
	int n = 0;

	while (more) {
		open_all();
		begin();
		interrupt_at(&stage, victim, ++n, meanwhile);
		coop_run(&stage.coop);
		more = interrupted(&stage);
		if (!more)
			meanwhile(&stage);
		coop_run(&stage.coop);
		for (int i = 0; i < stage.n; i++)
			stage.actors[i]->t.held = 0;
		coop_run(&stage.coop);
		nobody_is_stranded();
		after();
		unlock_all();
		stage_close(&stage);
	}
	assert_true(n > 2);
}

void b_times_out(struct stage *s)
{
	expire(s, 100);
	let_run(s, &b);
}
