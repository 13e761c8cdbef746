/* SPDX-License-Identifier: MIT */
/*
 * space.c - two processes: what each of them has for itself at the same addresses, and fork.
 *
 * Called by world.c. The first address space is there while the explorer runs. When a task of the
 * other one is to run, what is the process's own is exchanged with what the other has there, and
 * exchanged back afterwards: so a state is a state, whoever ran last [W-I1].
 *
 * A process has for itself the variables which the library marks with RQB_STATE, and, where the
 * scenario says so, the program's memory. Stacks and thread-local variables are the task's anyway.
 */
#include "sim/world.h"

#include <string.h>

#include "sim/buffers.h"
#include "sim/place.h"
#include "sim/pthread_sim.h"
#include "sim/scenario.h"
#include "sim/watch.h"

/* Of the scenario; no part of the state. */
static bool own_memory;
static size_t program_bytes;

/* Registered when the program is loaded, by src/user/tid.c. */
static void (*in_child)(void);

int rqs_atfork(void (*child)(void))
{
	in_child = child;
	return 0;
}

bool rqs_own_memory(void)
{
	return own_memory;
}

void rqs_spaces_lay_out(const struct rqs_scenario *scenario)
{
	bool two = false;

	own_memory = scenario->own_memory;
	program_bytes = own_memory ? scenario->bytes : 0;
	for (int i = 0; i < RQS_ACTORS; i++)
		two = two || (scenario->actors[i].fn && scenario->actors[i].space);
	rqs_world->other = two ? rqs_alloc(rqs_marked_bytes() + program_bytes, 64) : NULL;
}

/* The other space's memory becomes a copy of this one's. */
static void copy_to_other(void)
{
	memcpy(rqs_world->other, rqs_state_begin, rqs_marked_bytes());
	memcpy(rqs_world->other + rqs_marked_bytes(), rqs_world->program, program_bytes);
}

void rqs_spaces_begin(void)
{
	if (rqs_world->other)
		copy_to_other();
}

static void exchange(char *a, char *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = a[i];

		a[i] = b[i];
		b[i] = c;
	}
}

void rqs_switch_space(const struct rqs_task *t)
{
	if (!t->space)
		return;
	exchange(rqs_state_begin, rqs_world->other, rqs_marked_bytes());
	exchange(rqs_world->program, rqs_world->other + rqs_marked_bytes(), program_bytes);
}

/* ---------------------------------------------------------------- fork */

void rqs_fork(int actor)
{
	struct rqs_task *t = rqs_running();
	struct rqs_task *child = &rqs_world->tasks[actor];

	if (t->space || child->status != RQS_NONE)
		rqs_fail("setup", "%c cannot fork %c", rqs_name(t), rqs_name(child));
	rqs_at(RQS_AT_FORK, child);
	rqs_yield();
	rqs_drain(t);
	/* It is not the task that reads all that. */
	rqs_watch(runs, -1);
	copy_to_other();
	rqs_watch(runs, (int)(t - rqs_world->tasks));
	rqs_watch(release, child);
	/* The thread-local variables of the one thread that comes through, where it has them. */
	child->self = t->self;
	if (child->self.robust)
		child->self.robust = &child->robust;
	child->status = RQS_READY;
	child->started = 1;
}

void rqs_begin_child(void)
{
	rqs_watch(acquire, rqs_running());
	in_child();
}
