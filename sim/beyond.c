/* SPDX-License-Identifier: MIT */
/*
 * beyond.c - what the actors of a scenario can do that no program can: begin in a certain state,
 * take a page away, end another one together with its stack, call the engine as its host does.
 *
 * Called by scenarios, and by port_sim.c for the words that are not there. Rules: scenario.h.
 */
#include "sim/watch.h"
#include "sim/world.h"

#include <string.h>

#include "sim/scenario.h"

void rqs_when(bool (*holds)(void))
{
	struct rqs_task *t = rqs_running();

	t->until = holds;
	rqs_yield();
	t->until = NULL;
	rqs_watch(join, -1); /* it says of the others where they are */
}

bool rqs_rests(int actor)
{
	const struct rqs_task *t = &rqs_world->tasks[actor];

	return t->status == RQS_ASLEEP || t->status == RQS_ENDED;
}

/* ---------------------------------------------------------------- pages */

void rqs_set_page(const uint32_t *word, enum rqs_page how)
{
	rqs_yield();
	rqs_world->page = (const char *)word;
	rqs_world->page_is = how;
}

static bool is_on_page(const volatile void *addr)
{
	return (const volatile char *)addr == rqs_world->page;
}

bool rqs_page_there(const volatile void *addr, bool write)
{
	return !is_on_page(addr) || rqs_world->page_is == RQS_PAGE_THERE ||
	       (rqs_world->page_is == RQS_PAGE_READ_ONLY && !write);
}

bool rqs_page_in(const volatile void *addr, bool write)
{
	if (is_on_page(addr) && rqs_world->page_is == RQS_PAGE_AWAY)
		rqs_world->page_is = RQS_PAGE_THERE;
	return rqs_page_there(addr, write);
}

void rqs_alias(const uint32_t *second, const uint32_t *first)
{
	rqs_world->twin = second;
	rqs_world->twin_of = first;
}

/* ---------------------------------------------------------------- the engine's host */

void rqs_begin_call(void)
{
	rqs_running()->in_kernel = 1;
}

long rqs_end_call(long ret)
{
	rqs_running()->in_kernel = 0;
	rqs_deliver(rqs_running());
	return ret;
}

/* Its stack is cleared at once: whoever still looks there finds nothing [W-I2]. */
static void lose_stack(struct rqs_task *t)
{
	memset(t->sp, 0, (size_t)((char *)t->top - (char *)t->sp));
	t->status = RQS_ENDED;
	t->deadline = 0;
	t->interruptible = 0;
	t->in_kernel = 0;
	t->signals_left = 0;
}

long rqs_abandon(int actor, bool words)
{
	struct rqs_task *t = &rqs_world->tasks[actor];
	long ret;

	rqs_begin_call();
	rqs_yield();
	if (!t->deadline || t->status == RQS_ENDED) /* only block() sets one */
		return rqs_end_call(1);
	rqs_watch(join, actor);
	lose_stack(t);
	rqs_running()->acts_for = (uint32_t)actor + 1;
	ret = rqpi_task_abandon(t->task, words);
	rqs_running()->acts_for = 0;
	rqpi_task_exit(t->task);
	rqpi_task_put(t->task);
	return rqs_end_call(ret);
}
