/* SPDX-License-Identifier: MIT */
/*
 * edges.h - the program that the scenarios of edges.c, faults.c and ends.c are made of: PI futexes
 * that have an owner before anything begins. A word that names a task is owned by it, whether it
 * has ever locked it or not: so a chain of owners and waiters needs one call of each.
 */
#ifndef RQS_EDGES_H
#define RQS_EDGES_H

#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

#include "sim/world.h"

struct program {
	uint32_t m[5];
	uint32_t seq;
	uint32_t flag;
	struct rqs_room room;
	struct rqu_robust_head head; /* of a robust list */
	uintptr_t link[8];
	int go;
	int told;
	int lines;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word edge_words[] __attribute__((unused)) = {
    RQS_WORD(struct program, m[0], RQS_PI_FUTEX), RQS_WORD(struct program, m[1], RQS_PI_FUTEX),
    RQS_WORD(struct program, m[2], RQS_PI_FUTEX), RQS_WORD(struct program, m[3], RQS_PI_FUTEX),
    RQS_WORD(struct program, m[4], RQS_PI_FUTEX), RQS_WORD(struct program, seq, RQS_NUMBER),
    RQS_WORD(struct program, flag, RQS_NUMBER),	  RQS_WORD(struct program, room, RQS_NUMBER),
    RQS_WORD(struct program, go, RQS_NUMBER),	  RQS_WORD(struct program, told, RQS_NUMBER),
    RQS_WORD(struct program, lines, RQS_NUMBER),  {NULL, 0, RQS_NUMBER},
};

/* For the set-up. */
static inline void own(int actor, int mutex)
{
	P->m[mutex] = RQS_FIRST_TID + (uint32_t)actor;
}

static inline long lock(int mutex)
{
	if (rqb_cas_acq(&P->m[mutex], 0, RQS_TID))
		return 0;
	return rqs_futex(&P->m[mutex], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static inline long lock_in_time(int mutex)
{
	struct timespec late = rqs_someday(rqs_me());

	if (rqb_cas_acq(&P->m[mutex], 0, RQS_TID))
		return 0;
	return rqs_futex(&P->m[mutex], FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &late, NULL, 0);
}

/* EAGAIN: somebody came and went meanwhile. */
static inline void unlock(int mutex)
{
	long ret = 0;

	if (rqb_cas_rel(&P->m[mutex], RQS_TID, 0))
		return;
	do
		ret = rqs_futex(&P->m[mutex], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_check_result(ret, 0, "FUTEX_UNLOCK_PI");
}

static inline long wait_requeue(int mutex)
{
	struct timespec late = rqs_someday(rqs_me());

	return rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->m[mutex], 0);
}

static inline long requeue(int mutex, int nr_requeue)
{
	return rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
			 (const void *)(intptr_t)nr_requeue, &P->m[mutex], 0);
}

static inline bool first_rests(void)
{
	return rqs_rests(0);
}

static inline bool two_rest(void)
{
	return rqs_rests(0) && rqs_rests(1);
}

static inline bool three_rest(void)
{
	return two_rest() && rqs_rests(2);
}

static inline void all_are_free(void)
{
	for (int i = 0; i < 5; i++)
		rqs_claim(P->m[i] == 0, "all mutexes are free in the end");
}

#endif /* RQS_EDGES_H */
