/* SPDX-License-Identifier: MIT */
/*
 * hash.h - 128 bits for a state: that two of a billion states share one has a chance of 1 in
 * 10^20.
 */
#ifndef RQS_HASH_H
#define RQS_HASH_H

#include <stddef.h>
#include <stdint.h>

struct rqs_hash {
	uint64_t a;
	uint64_t b;
};

/*
 * Continue @h with @bytes bytes of @data. Where a block ends matters: "ab", "c" is not "a", "bc".
 */
void rqs_hash_add(struct rqs_hash *h, const void *data, size_t bytes);

#endif /* RQS_HASH_H */
