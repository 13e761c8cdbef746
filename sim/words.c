/* SPDX-License-Identifier: MIT */
/*
 * words.c - what scenarios do to memory that they share. A file of its own, as the detector of
 * races has to look at it like at the scenarios themselves.
 *
 * Called by scenarios.
 */
#include "sim/place.h"
#include "sim/scenario.h"
#include "sim/world.h"

uint32_t rqs_read(const uint32_t *p)
{
	return rqb_load_acq(p);
}

void rqs_write(uint32_t *p, uint32_t value)
{
	rqb_store_rel(p, value);
}

void rqs_enter(struct rqs_room *room)
{
	if (room->inside)
		rqs_fail("mutual exclusion", "%c is inside together with %c",
			 rqs_name(rqs_running()), (char)('a' + room->inside - 1));
	room->inside = (uint32_t)rqs_me() + 1;
	rqs_at(RQS_AT_INSIDE, room);
	rqs_yield();
}

void rqs_leave(struct rqs_room *room)
{
	room->inside = 0;
}
