/* SPDX-License-Identifier: MIT */
/*
 * visited.c - a hash table with open addresses, in lines of the cache. See visited.h.
 *
 * Called by the explorers. The first line of a hash is its upper bits, so that a table of twice the
 * size has the same order, and is filled from one end to the other; at three quarters full.
 */
#define _GNU_SOURCE
#include "sim/visited.h"

#include <sys/mman.h>

enum { FIRST_BITS = 12, HASH_BITS = 64 };

/*
 * Large pages: with small ones, every look-up would miss the TLB, too. What is mapped is 0, and so
 * every line is empty.
 */
static struct rqs_row *map(size_t lines)
{
	size_t bytes = lines * sizeof(struct rqs_row);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

bool rqs_visited_init(struct rqs_visited *v, size_t memory)
{
	*v = (struct rqs_visited){
	    .lines = (size_t)1 << FIRST_BITS, .shift = HASH_BITS - FIRST_BITS, .memory = memory};
	v->line = map(v->lines);
	return v->line != NULL;
}

void rqs_visited_fini(struct rqs_visited *v)
{
	if (v->line)
		munmap(v->line, v->lines * sizeof(*v->line));
}

/* Where @h is, or else the place for it: that behind the last one of @*line. */
static uint32_t find(const struct rqs_visited *v, struct rqs_hash h, struct rqs_row **line)
{
	size_t at = (size_t)(h.a >> v->shift);

	for (;; at = (at + 1) & (v->lines - 1)) {
		struct rqs_row *l = &v->line[at];

		*line = l;
		for (uint32_t i = 0; i < l->used; i++) {
			if (l->hash[i].a == h.a && l->hash[i].b == h.b)
				return i;
		}
		if (l->used < RQS_ROW)
			return l->used;
	}
}

static uint32_t *put(const struct rqs_visited *v, struct rqs_hash h, uint32_t number)
{
	struct rqs_row *line;
	uint32_t at = find(v, h, &line);

	line->used++;
	line->hash[at] = h;
	line->number[at] = number;
	return &line->number[at];
}

static bool grow(struct rqs_visited *v)
{
	struct rqs_visited old = *v;

	if (v->lines * 2 * sizeof(*v->line) > v->memory)
		return false;
	v->line = map(v->lines * 2);
	if (!v->line) {
		v->line = old.line;
		return false;
	}
	v->lines *= 2;
	v->shift--;
	for (size_t i = 0; i < old.lines; i++) {
		const struct rqs_row *l = &old.line[i];

		for (uint32_t j = 0; j < l->used; j++)
			put(v, l->hash[j], l->number[j]);
	}
	rqs_visited_fini(&old);
	return true;
}

enum rqs_seen rqs_visited_add(struct rqs_visited *v, struct rqs_hash h, uint32_t **number)
{
	struct rqs_row *line;
	uint32_t at = find(v, h, &line);

	if (at < line->used) {
		*number = &line->number[at];
		return RQS_OLD;
	}
	if (v->count >= v->lines * RQS_ROW / 4 * 3 && !grow(v))
		return RQS_FULL;
	*number = put(v, h, 0);
	v->count++;
	return RQS_NEW;
}

double rqs_visited_fill(const struct rqs_visited *v)
{
	size_t lines = v->lines;

	while (lines * 2 * sizeof(*v->line) <= v->memory)
		lines *= 2;
	return (double)v->count / ((double)lines * RQS_ROW * 3 / 4);
}
