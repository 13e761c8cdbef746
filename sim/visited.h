/* SPDX-License-Identifier: MIT */
/* visited.h - the table of the states that were seen: their hashes, and a number of each. */
#ifndef RQS_VISITED_H
#define RQS_VISITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/hash.h"

enum { RQS_ROW = 3 };

/* A line of the cache, so that a look-up costs one access to memory. */
struct rqs_row {
	struct rqs_hash hash[RQS_ROW];
	uint32_t number[RQS_ROW];
	uint32_t used;
};

struct rqs_visited {
	struct rqs_row *line;
	size_t lines; /* a power of two */
	int shift;    /* of a hash, for the first line where it may be */
	size_t count;
	size_t memory; /* may grow to so many bytes */
};

enum rqs_seen { RQS_NEW, RQS_OLD, RQS_FULL };

bool rqs_visited_init(struct rqs_visited *v, size_t memory);
void rqs_visited_fini(struct rqs_visited *v);

/*
 * Add @h, if it is not there. *@number: what the caller likes to remember of it, 0 at first; until
 * the next call.
 */
enum rqs_seen rqs_visited_add(struct rqs_visited *v, struct rqs_hash h, uint32_t **number);

/* It will be asked for @h soon: memory takes its time. */
static inline void rqs_visited_expect(const struct rqs_visited *v, struct rqs_hash h)
{
	__builtin_prefetch(&v->line[h.a >> v->shift], 1);
}

/* How full it is, of all that it may have; 0 to 1. */
double rqs_visited_fill(const struct rqs_visited *v);

#endif /* RQS_VISITED_H */
