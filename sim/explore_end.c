/* SPDX-License-Identifier: MIT */
/*
 * explore_end.c - is there a way to the end from one state? For a path that is played again: a
 * search of all states was right to say that there is none, if a search from there finds none.
 *
 * Called by replay.c and shrink.c. What is wrong on the way is not looked at.
 */
#include "sim/explore.h"

#include <stdlib.h>

enum { MEMORY = 1 << 30 };

struct way {
	struct rqs_visited visited;
	char **snapshot; /* of the states that are still to be left */
	size_t count;
	size_t room;
};

/* The state there is now: look on from there, if that was not done. False: it is an end. */
static bool look_on(struct way *way)
{
	struct rqs_choice list[RQS_CHOICES];
	uint32_t *number;
	char **more;

	if (!rqs_choices(list))
		return false;
	more = rqs_more(way->snapshot, &way->room, way->count + 1, sizeof(*more));
	if (!more || rqs_visited_add(&way->visited, rqs_state_hash(), &number) != RQS_NEW)
		return true;
	way->snapshot = more;
	more[way->count] = malloc(rqs_state_bytes());
	if (more[way->count])
		rqs_state_save(more[way->count++]);
	return true;
}

/* One state less, and those that it leads to. False: one of them is an end. */
static bool leave(struct way *way)
{
	struct rqs_choice list[RQS_CHOICES];
	char *from = way->snapshot[--way->count];
	bool none = true;
	int count;

	rqs_state_restore(from);
	count = rqs_choices(list);
	for (int i = 0; i < count && none; i++) {
		if (i)
			rqs_state_restore(from);
		none = !rqs_take(list[i]) || look_on(way);
	}
	free(from);
	return none;
}

bool rqs_can_end(void)
{
	void (*listener)(const struct rqpi_event *event) = rqs_listener;
	struct way way = {.count = 0};
	char *here = malloc(rqs_state_bytes());
	bool none = true;

	rqs_listener = NULL;
	if (here && rqs_visited_init(&way.visited, MEMORY)) {
		rqs_state_save(here);
		none = look_on(&way);
		while (none && way.count)
			none = leave(&way);
		rqs_state_restore(here);
		rqs_visited_fini(&way.visited);
	}
	for (size_t i = 0; i < way.count; i++)
		free(way.snapshot[i]);
	free(way.snapshot);
	free(here);
	rqs_listener = listener;
	return !none;
}
