/* SPDX-License-Identifier: MIT */
/* monitor_set.h - the sets of monitor.h, for monitor.c: closed, and cut to what was seen. */
#ifndef RQS_MONITOR_SET_H
#define RQS_MONITOR_SET_H

#include "sim/monitor.h"

/* A task in a wait; and one in a signal or broadcast. Outside both: 0. */
enum rqs_phase { RQS_ENTERED, RQS_BLOCKED, RQS_RELEASED, RQS_GONE };
enum rqs_effect { RQS_PENDING, RQS_DONE };

static inline bool rqs_is_wait(const struct rqs_api_call *c)
{
	return c->kind == RQS_API_WAIT || c->kind == RQS_API_CANCELLED;
}

bool rqs_set_is_empty(const uint64_t *set);

/* Add all that may have come of it unseen by now; drop what the rest stands for as well. */
void rqs_set_close(uint64_t *set, enum rqs_clause clause);
void rqs_set_reduce(uint64_t *set);

/* Keep those in which task @i has one of @values, a bit each; the call of @i is over. */
void rqs_set_keep(uint64_t *set, uint32_t i, unsigned int values);
void rqs_set_forget(uint64_t *set, uint32_t i);

/*
 * Keep those in which nobody more urgent is still to return whom the same broadcast has released.
 */
void rqs_set_keep_in_order(uint64_t *set, uint32_t i);

/* Is there a vector in which all waits are blocked? */
bool rqs_set_may_be_blocked(const uint64_t *set);

#endif /* RQS_MONITOR_SET_H */
