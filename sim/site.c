/* SPDX-License-Identifier: MIT */
/*
 * site.c - where a task stands, in 6 bits and in words. See site.h.
 *
 * Called by token.c and replay.c.
 */
#include "sim/site.h"

#include <stdio.h>

#include "sim/world.h"
#include "src/base/assert.h"

enum { OBJECTS = 4 };

RQB_BUILD(RQS_PLACE_KINDS *OBJECTS <= RQS_SITE_CODES, "a code is one character");

static const char *const kinds[RQS_PLACE_KINDS] = {
    [RQS_AT_NOTHING] = "its beginning, or a point without a name",
    [RQS_AT_ATOMIC] = "an atomic access",
    [RQS_AT_LOCK] = "a raw lock",
    [RQS_AT_TRYLOCK] = "a try for a raw lock",
    [RQS_AT_RELAX] = "a raw lock that it could not have",
    [RQS_AT_LOAD] = "a word that the engine reads",
    [RQS_AT_EXCHANGE] = "a word that the engine exchanges",
    [RQS_AT_SLEEP] = "a sleep",
    [RQS_AT_INSIDE] = "the critical section",
    [RQS_AT_TESTCANCEL] = "a cancellation point",
    [RQS_AT_COPY] = "the memory of another process",
    [RQS_AT_PAGE] = "a page that is to be brought in",
    [RQS_AT_FORK] = "a fork",
};

/* A part of the arena by name: how a compiler orders variables is left out. */
struct place {
	const char *part;
	int task; /* -1: of none */
	size_t offset;
};

static struct place in_task(const char *p)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];
		const char *storage = (const char *)t->storage;
		const char *pi_state = (const char *)t->pi_state;

		if (p >= storage && p < storage + sizeof(t->storage))
			return (struct place){"task", (int)i, (size_t)(p - storage)};
		if (p >= pi_state && p < pi_state + sizeof(t->pi_state))
			return (struct place){"PI state", (int)i, (size_t)(p - pi_state)};
		if (p >= (const char *)t->floor && p < (const char *)t->top)
			return (struct place){"stack", (int)i, 0};
	}
	return (struct place){"process", -1, 0};
}

static struct place place_of(const volatile void *object)
{
	const char *p = (const char *)(uintptr_t)object;
	const char *engine = (const char *)rqs_world->engine;
	const char *program = rqs_world->program;

	if (!p)
		return (struct place){"nothing", -1, 0};
	if (p >= engine && p < program)
		return (struct place){"engine", -1, (size_t)(p - engine)};
	if (p >= program && p < (const char *)rqs_world->tasks)
		return (struct place){"program", -1, (size_t)(p - program)};
	return in_task(p);
}

uint8_t rqs_site_code(unsigned int task)
{
	struct place place = place_of(rqs_places[task].addr);
	uint32_t hash = (uint32_t)place.part[0] + 7u * (uint32_t)(place.task + 1) +
			(uint32_t)place.offset / sizeof(uint32_t);

	hash = hash * 0x9e3779b1u >> 30;
	return (uint8_t)(1 + rqs_places[task].kind * OBJECTS + hash);
}

void rqs_site_text(unsigned int task, char *text, size_t size)
{
	struct place place = place_of(rqs_places[task].addr);
	const char *kind = kinds[rqs_places[task].kind];

	if (!rqs_places[task].addr)
		snprintf(text, size, "%s", kind);
	else if (place.task < 0)
		snprintf(text, size, "%s (%s+%zu)", kind, place.part, place.offset);
	else
		snprintf(text, size, "%s (%s of %c+%zu)", kind, place.part, 'a' + place.task,
			 place.offset);
}

const char *rqs_site_of_code(uint8_t code)
{
	unsigned int kind = (code - 1u) / OBJECTS;

	return code && kind < RQS_PLACE_KINDS ? kinds[kind] : "nothing that is known";
}
