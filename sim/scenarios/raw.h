/* SPDX-License-Identifier: MIT */
/* raw.h - the program that the scenarios of raw.c and raw_locks.c are made of: bare futex words. */
#ifndef RQS_RAW_H
#define RQS_RAW_H

#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

struct program {
	uint32_t seq;
	uint32_t mutex;
	uint32_t other; /* another PI futex */
	uint32_t flag;
	struct rqs_room room;
	int go;
	int served; /* how many have been inside */
	int order;  /* who, decimal, the first actor being 1 */
	int found;  /* how many the last release has found asleep */
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word raw_words[] __attribute__((unused)) = {
    RQS_WORD(struct program, seq, RQS_NUMBER),	   RQS_WORD(struct program, mutex, RQS_PI_FUTEX),
    RQS_WORD(struct program, other, RQS_PI_FUTEX), RQS_WORD(struct program, flag, RQS_NUMBER),
    RQS_WORD(struct program, room, RQS_NUMBER),	   RQS_WORD(struct program, go, RQS_NUMBER),
    RQS_WORD(struct program, served, RQS_NUMBER),  RQS_WORD(struct program, order, RQS_NUMBER),
    RQS_WORD(struct program, found, RQS_NUMBER),   {NULL, 0, RQS_NUMBER},
};

/* As the user half does it: compare-exchange, and the engine where that fails. */
static inline void lock_word(uint32_t *word)
{
	if (!rqb_cas_acq(word, 0, RQS_TID))
		rqs_ok(rqs_futex(word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static inline void unlock_word(uint32_t *word)
{
	if (!rqb_cas_rel(word, RQS_TID, 0))
		rqs_ok(rqs_futex(word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

/* EAGAIN: somebody came and went meanwhile; futex(2) leaves it to the caller to try again. */
static inline void unlock_in_kernel(void)
{
	long ret;

	do
		ret = rqs_futex(&P->mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_check_result(ret, 0, "FUTEX_UNLOCK_PI");
}

static inline void lock(void)
{
	lock_word(&P->mutex);
}

static inline void unlock(void)
{
	unlock_word(&P->mutex);
}

static inline void be_inside(void)
{
	rqs_enter(&P->room);
	P->served++;
	rqs_leave(&P->room);
}

static inline void mutex_is_free(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
}

#endif /* RQS_RAW_H */
