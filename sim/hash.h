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

/* A piece of what is hashed. */
struct rqs_region {
	const void *data;
	size_t bytes;
};

/* Of @count regions, one behind the other. Where one ends matters: "ab", "c" is not "a", "bc". */
struct rqs_hash rqs_hash_of(const struct rqs_region *region, size_t count);

#endif /* RQS_HASH_H */
