/* SPDX-License-Identifier: MIT */
/*
 * cast.h - the stage of most engine tests: one engine, and four actors of rising urgency.
 *
 * Included by one test program each, which opens the stage in its setup() and has teardown() from
 * here; what else it needs, words and further actors, is its own.
 */
#ifndef RQT_CAST_H
#define RQT_CAST_H

#include "tests/engine/stage.h"

#define RT(n)	RQPI_PRIO_RT(n)
#define NICE(n) RQPI_PRIO_NICE(n)

static struct stage stage;
static struct actor o, a, b, c;

/* @o is the one that owns, as a rule; the others wait for it. */
static inline void open_stage(uint32_t buckets)
{
	stage_open(&stage, buckets);
	stage_actor(&stage, &o, RT(1));
	stage_actor(&stage, &a, RT(10));
	stage_actor(&stage, &b, RT(20));
	stage_actor(&stage, &c, RT(30));
}

static inline int teardown(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

#endif /* RQT_CAST_H */
