/* SPDX-License-Identifier: MIT */
/*
 * hash.c - eight lanes of AES rounds over the bytes, each of 16 in one lane, folded into 128 bits.
 *
 * Called by world.c for every transition: it has to be fast and to tell any two states apart that
 * ever meet, not to be secure. A round takes four cycles and another one can begin in each half
 * cycle: hence eight lanes, each a variable of its own, which stays in a register. Without the
 * instruction (no x86-64 of this century is) a product of 64 by 64 bits takes the place of the
 * round: the same states, more time.
 */
#include "sim/hash.h"

#include <string.h>
#include <wmmintrin.h>

enum { LANES = 8, LANE = 16, BLOCK = LANES * LANE };

/* Any bits that differ; these are of the fraction of the golden ratio and other constants. */
static const uint64_t keys[2 * LANES] = {
    0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd6e8feb86659fd93u,
    0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu, 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u,
    0x1d8e4e27c47d124fu, 0xeb44accab455d165u, 0x2d358dccaa6c78a5u, 0x8bb84b93962eacc9u,
    0x4b33a62ed433d4a3u, 0x4d5a2da51de1aa47u, 0x2f2af0e1b0b3a4c7u, 0xc6a4a7935bd1e995u,
};

/* The @bytes at @p that are no whole block any more, padded with 0. */
static const unsigned char *last_block(const unsigned char *p, size_t bytes,
				       unsigned char buffer[BLOCK])
{
	memset(buffer, 0, BLOCK);
	memcpy(buffer, p, bytes);
	return buffer;
}

/* ---------------------------------------------------------------- with the instruction */

__attribute__((target("aes"))) static inline __m128i at(const void *p, int lane)
{
	return _mm_loadu_si128((const __m128i *)p + lane);
}

__attribute__((target("aes"))) static inline __m128i mix(__m128i a, __m128i b)
{
	return _mm_aesenc_si128(_mm_aesenc_si128(a, b), b);
}

/* One round in each lane, or in each of half of them, for what is at p. */
#define HALF_ROUND(p)                                  \
	do {                                           \
		l0 = _mm_aesenc_si128(l0, at((p), 0)); \
		l1 = _mm_aesenc_si128(l1, at((p), 1)); \
		l2 = _mm_aesenc_si128(l2, at((p), 2)); \
		l3 = _mm_aesenc_si128(l3, at((p), 3)); \
	} while (0)
#define ROUND(p)                                       \
	do {                                           \
		HALF_ROUND(p);                         \
		l4 = _mm_aesenc_si128(l4, at((p), 4)); \
		l5 = _mm_aesenc_si128(l5, at((p), 5)); \
		l6 = _mm_aesenc_si128(l6, at((p), 6)); \
		l7 = _mm_aesenc_si128(l7, at((p), 7)); \
	} while (0)

__attribute__((target("aes"))) static struct rqs_hash hash_aes(const struct rqs_region *region,
							       size_t count)
{
	__m128i l0 = at(keys, 0);
	__m128i l1 = at(keys, 1);
	__m128i l2 = at(keys, 2);
	__m128i l3 = at(keys, 3);
	__m128i l4 = at(keys, 4);
	__m128i l5 = at(keys, 5);
	__m128i l6 = at(keys, 6);
	__m128i l7 = at(keys, 7);

	for (size_t i = 0; i < count; i++) {
		const unsigned char *p = region[i].data;
		const unsigned char *end = p + region[i].bytes / BLOCK * BLOCK;
		unsigned char rest[BLOCK];

		l0 = mix(l0, _mm_set_epi64x((long long)i, (long long)region[i].bytes));
		for (; p < end; p += BLOCK)
			ROUND(p);
		end = (const unsigned char *)region[i].data + region[i].bytes;
		if (p + BLOCK / 2 <= end) {
			HALF_ROUND(p);
			p += BLOCK / 2;
		}
		if (p < end)
			ROUND(last_block(p, (size_t)(end - p), rest));
	}
	l0 = mix(mix(l0, l1), mix(l2, l3));
	l4 = mix(mix(l4, l5), mix(l6, l7));
	l0 = mix(l0, l4);
	return (struct rqs_hash){(uint64_t)_mm_cvtsi128_si64(l0),
				 (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(l0, l0))};
}

/* ---------------------------------------------------------------- without */

static uint64_t fold(uint64_t x, uint64_t y)
{
	unsigned __int128 product = (unsigned __int128)x * y;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static void multiply_block(uint64_t lane[LANES], const unsigned char *p)
{
	for (int i = 0; i < LANES; i++)
		lane[i] = fold(word_at(p + LANE * i) ^ keys[2 * i] ^ lane[i],
			       word_at(p + LANE * i + 8) ^ keys[2 * i + 1]) +
			  lane[i] * 5;
}

static struct rqs_hash hash_products(const struct rqs_region *region, size_t count)
{
	uint64_t lane[LANES] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct rqs_hash h = {keys[0], keys[1]};

	for (size_t i = 0; i < count; i++) {
		const unsigned char *p = region[i].data;
		const unsigned char *end = p + region[i].bytes / BLOCK * BLOCK;
		unsigned char rest[BLOCK];

		lane[0] = fold(lane[0] ^ region[i].bytes, keys[2] + i);
		for (; p < end; p += BLOCK)
			multiply_block(lane, p);
		if (region[i].bytes % BLOCK)
			multiply_block(lane, last_block(p, region[i].bytes % BLOCK, rest));
	}
	for (int i = 0; i < LANES; i++) {
		h.a = fold(h.a ^ lane[i], keys[i] ^ h.b);
		h.b = fold(h.b + lane[i], keys[i + LANES] ^ h.a) ^ lane[i];
	}
	return h;
}

struct rqs_hash rqs_hash_of(const struct rqs_region *region, size_t count)
{
	return __builtin_cpu_supports("aes") ? hash_aes(region, count)
					     : hash_products(region, count);
}
