/* SPDX-License-Identifier: MIT */
/*
 * state.c - the state of the machine as bytes: snapshots and hashes of it [W-I1].
 *
 * Called by the explorers for every transition.
 */
#include <string.h>

#include "sim/watch.h"
#include "sim/world.h"

enum { WHOLE = 128 }; /* bytes that the hash takes at once */

static size_t live_bytes(const struct rqs_task *t)
{
	return t->status == RQS_ENDED ? 0 : (size_t)((char *)t->top - (char *)t->sp);
}

size_t rqs_state_bytes(void)
{
	size_t bytes = rqs_world->used + rqs_marked_bytes();

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++)
		bytes += live_bytes(&rqs_world->tasks[i]);
	return bytes;
}

static char *put(char *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	return to + bytes;
}

void rqs_state_save(void *to)
{
	char *at = put(to, rqs_world, rqs_world->used);

	at = put(at, rqs_state_begin, rqs_marked_bytes());
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];

		if (live_bytes(t))
			at = put(at, t->sp, live_bytes(t));
	}
}

/* What is live now and will be dead is cleared: it goes down to @sp. */
static void clear_dead(const struct rqs_task *t, char *sp)
{
	char *end = t->status == RQS_ENDED ? t->top : t->sp;

	if (sp < end)
		memset(sp, 0, (size_t)(end - sp));
}

void rqs_state_restore(const void *from)
{
	const struct rqs_world *saved = from;
	const char *at = (const char *)from + saved->used;
	char *sp[RQS_TASKS];

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++)
		sp[i] = rqs_world->tasks[i].status == RQS_ENDED ? rqs_world->tasks[i].top
								: rqs_world->tasks[i].sp;
	memcpy(rqs_world, from, saved->used);
	memcpy(rqs_state_begin, at, rqs_marked_bytes());
	at += rqs_marked_bytes();
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		struct rqs_task *t = &rqs_world->tasks[i];

		clear_dead(t, sp[i]);
		if (!live_bytes(t))
			continue;
		memcpy(t->sp, at, live_bytes(t));
		at += live_bytes(t);
	}
	rqs_watch(begin);
	rqs_violation.found = false;
}

struct rqs_hash rqs_state_hash(void)
{
	struct rqs_region region[2 + RQS_TASKS] = {
	    {rqs_world, rqs_world->used},
	    {rqs_state_begin, rqs_marked_bytes()},
	};
	size_t n = 2;

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];
		size_t bytes = (live_bytes(t) + WHOLE - 1) / WHOLE * WHOLE;

		/* Below it there is nothing but 0, and where it ends is in the arena. */
		region[n++] = (struct rqs_region){(char *)t->top - bytes, bytes};
	}
	return rqs_hash_of(region, n);
}
