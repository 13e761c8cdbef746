/* SPDX-License-Identifier: MIT */
/*
 * hash.c - four lanes of AES rounds over the bytes, each of 16 in one lane, folded into 128 bits.
 *
 * Called by world.c for every transition: it has to be fast and to tell any two states apart that
 * ever meet, not to be secure. Without the instruction (no x86-64 of this century is) a product of
 * 64 by 64 bits takes the place of the round: the same states, more time.
 */
#include "sim/hash.h"

#include <stdbool.h>
#include <string.h>
#include <wmmintrin.h>

enum { LANES = 4, LANE = 16, BLOCK = LANES * LANE };

/* Any bits that differ; these are of the fraction of the golden ratio and other constants. */
static const uint64_t keys[2 * LANES] = {
    0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd6e8feb86659fd93u,
    0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu, 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u,
};

__attribute__((target("aes"))) static __m128i mix(__m128i a, __m128i b)
{
	return _mm_aesenc_si128(_mm_aesenc_si128(a, b), b);
}

__attribute__((target("aes"))) static void add_aes(struct rqs_hash *h, const unsigned char *p,
						   size_t blocks, const unsigned char *last)
{
	const __m128i *key = (const __m128i *)(const void *)keys;
	__m128i seed = _mm_set_epi64x((long long)h->b, (long long)h->a);
	__m128i lane[LANES];

	for (int i = 0; i < LANES; i++)
		lane[i] = _mm_xor_si128(seed, _mm_loadu_si128(key + i));
	for (; blocks; blocks--, p += BLOCK) {
		for (int i = 0; i < LANES; i++)
			lane[i] = _mm_aesenc_si128(
			    lane[i],
			    _mm_loadu_si128((const __m128i *)(const void *)(p + LANE * i)));
	}
	for (int i = 0; i < LANES; i++)
		lane[i] = mix(lane[i],
			      _mm_loadu_si128((const __m128i *)(const void *)(last + LANE * i)));
	seed = mix(mix(lane[0], lane[1]), mix(lane[2], lane[3]));
	h->a = (uint64_t)_mm_cvtsi128_si64(seed);
	h->b = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(seed, seed));
}

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

static void add_products(struct rqs_hash *h, const unsigned char *p, size_t blocks,
			 const unsigned char *last)
{
	uint64_t lane[LANES] = {h->a, h->b, h->a ^ keys[0], ~h->b};

	for (; blocks; blocks--, p += BLOCK)
		multiply_block(lane, p);
	multiply_block(lane, last);
	h->a = fold(lane[0] ^ keys[1], lane[1] ^ keys[4]) + fold(lane[2] ^ keys[6], lane[3]);
	h->b = fold(lane[0] + keys[3], lane[2] ^ keys[2]) ^ fold(lane[1] + keys[7], lane[3]);
}

void rqs_hash_add(struct rqs_hash *h, const void *data, size_t bytes)
{
	/* What is left of a whole block, and how much there was of it all. */
	unsigned char last[BLOCK + LANE] = {0};
	size_t blocks = bytes / BLOCK;

	h->a ^= bytes;
	memcpy(last, (const unsigned char *)data + blocks * BLOCK, bytes % BLOCK);
	if (__builtin_cpu_supports("aes"))
		add_aes(h, data, blocks, last);
	else
		add_products(h, data, blocks, last);
}
