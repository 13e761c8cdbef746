/* SPDX-License-Identifier: MIT */
/*
 * owners.h - the stage of the tests of which words an operation accepts: an actor for each kind of
 * thread that the TID of a word can name.
 *
 * Included by t_pi_table.c and t_unlock.c.
 */
#ifndef RQT_OWNERS_H
#define RQT_OWNERS_H

#include "tests/engine/stage.h"

#define RT(n) RQPI_PRIO_RT(n)

/* In the tables: the TID field of a word. */
#define SELF	1u
#define OTHER	2u /* alive, same address space */
#define NOBODY	0x3ffffff0u
#define KERNEL	3u
#define FOREIGN 4u
#define ENDED	5u

static struct stage stage;
static struct actor self, other, kernel, foreign, ended, waiter;
static uint32_t m, cond;

static inline int setup(void **state)
{
	(void)state;
	m = cond = 0;
	stage_open(&stage, 1);
	stage_actor(&stage, &self, RT(1));
	stage_actor(&stage, &other, RT(2));
	stage_kernel(&stage, &kernel, RT(3));
	stage_actor_in(&stage, &foreign, RT(4), 77);
	stage_actor(&stage, &ended, RT(5));
	stage_actor(&stage, &waiter, RT(6));
	assert_int_equal(tid(&self), SELF);
	assert_int_equal(tid(&ended), ENDED);
	rqpi_task_get(ended.t.task); /* ended, and not yet forgotten: a zombie */
	end(&ended);
	stage.forging = 1;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	rqpi_task_put(ended.t.task);
	stage_close(&stage);
	return 0;
}

static inline void fresh(void **state)
{
	teardown(state);
	setup(state);
}

#endif /* RQT_OWNERS_H */
