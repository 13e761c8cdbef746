/* SPDX-License-Identifier: MIT */
/*
 * buffers.c - store buffers. See buffers.h.
 *
 * Called by the machine. They are in the arena, behind all else, and only if they were asked for:
 * without them a state is what it is without this file [W-I1].
 */
#include "sim/buffers.h"

#include <string.h>

bool rqs_store_buffers;

void rqs_buffers_begin(void)
{
	size_t bytes = rqs_world->n_tasks * sizeof(struct rqs_buffer);

	if (!rqs_store_buffers)
		return;
	rqs_world->buffers = rqs_alloc(bytes, 64);
	memset(rqs_world->buffers, 0, bytes);
}

/* NULL: there are none; the one that sets up has none either. */
static inline struct rqs_buffer *buffer_of(const struct rqs_task *t)
{
	return rqs_world->buffers ? &rqs_world->buffers[t - rqs_world->tasks] : NULL;
}

static bool is_gone(const void *addr)
{
	const char *p = addr;

	return rqs_world->gone && p >= rqs_world->gone &&
	       p < rqs_world->gone + rqs_world->gone_bytes;
}

/* One size or the other, and as one access: those are the only ones that the code makes. */
static void write_entry(void *addr, uint64_t bytes, uint64_t value)
{
	if (bytes == sizeof(uint32_t))
		*(volatile uint32_t *)addr = (uint32_t)value;
	else
		*(volatile uint64_t *)addr = value;
}

void rqs_flush(const struct rqs_task *t)
{
	struct rqs_buffer *b = buffer_of(t);

	if (!b || !b->count)
		return;
	if (is_gone(b->entry[0].addr))
		rqs_fail("touched", "a store of %c arrives in what has been destroyed",
			 rqs_name(t));
	write_entry(b->entry[0].addr, b->entry[0].bytes, b->entry[0].value);
	b->count--;
	memmove(&b->entry[0], &b->entry[1], b->count * sizeof(b->entry[0]));
	memset(&b->entry[b->count], 0, sizeof(b->entry[0]));
}

/* Two sizes at one place: wait until the stores are out, as a processor does. */
static bool overlaps(const struct rqs_buffer *b, uint64_t i, uintptr_t addr, uint64_t bytes)
{
	uintptr_t at = (uintptr_t)b->entry[i].addr;

	return at < addr + bytes && addr < at + b->entry[i].bytes;
}

const volatile void *rqs_seen_at(const struct rqs_task *t, const volatile void *addr,
				 uint64_t bytes)
{
	struct rqs_buffer *b = buffer_of(t);

	for (uint64_t i = b ? b->count : 0; i-- > 0;) {
		if (b->entry[i].addr == addr && b->entry[i].bytes == bytes)
			return &b->entry[i].value;
		if (overlaps(b, i, (uintptr_t)addr, bytes)) {
			rqs_drain(t);
			return addr;
		}
	}
	return addr;
}

volatile void *rqs_kept_at(const struct rqs_task *t, volatile void *addr, uint64_t bytes)
{
	struct rqs_buffer *b = buffer_of(t);

	if (!b)
		return addr;
	/* A real one has more. To wait for room here would leave something out without a word. */
	if (b->count == RQS_BUFFERED)
		rqs_fail("setup", "more than %d stores are on their way: make RQS_BUFFERED larger",
			 RQS_BUFFERED);
	b->entry[b->count].addr = (void *)(uintptr_t)addr;
	b->entry[b->count].bytes = bytes;
	return &b->entry[b->count++].value;
}
