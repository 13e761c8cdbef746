/* SPDX-License-Identifier: MIT */
/*
 * key.c - from an address to what the futex is known by, and from there to its bucket.
 *
 * Called by every operation, before any lock is taken. What is behind a shared mapping only the
 * port knows; a private futex is known by address space and address, and its memory is not looked
 * at.
 */
#include "src/engine/rqk.h"

int rqk_key(struct rqpi_task *self, const uint32_t *uaddr, bool shared, bool write,
	    struct rqpi_key *key)
{
	struct rqpi_engine *e = self->engine;

	if ((uintptr_t)uaddr % sizeof(*uaddr))
		return -RQPI_EINVAL;
	if (!e->port->user_range(e->ctx, uaddr))
		return -RQPI_EFAULT;
	if (shared)
		return e->port->shared_key(e->ctx, self, uaddr, write, key);
	key->object = self->space;
	key->offset = (uintptr_t)uaddr;
	key->shared = RQPI_KEY_PRIVATE;
	return 0;
}

bool rqk_key_equal(const struct rqpi_key *a, const struct rqpi_key *b)
{
	return a->offset == b->offset && a->object == b->object && a->shared == b->shared;
}

/* Addresses differ in their middle bits: two rounds of multiply and fold bring those everywhere. */
struct rqk_bucket *rqk_bucket(struct rqpi_engine *e, const struct rqpi_key *key)
{
	uint64_t hash = key->offset ^ (key->object << 17) ^ (key->shared << 62);

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15u;
	hash ^= hash >> 29;
	hash *= 0xbf58476d1ce4e5b9u;
	hash ^= hash >> 32;
	return &e->buckets[hash & e->mask];
}
