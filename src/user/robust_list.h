/* SPDX-License-Identifier: MIT */
/*
 * robust_list.h - the four movements on a thread's robust list, for PI mutexes.
 *
 * The list is the C library's; an entry is the `next` field of a mutex, with `prev` right before
 * it. Called by the one thread whose list it is (robust.c, and the shim for libc's own mutexes);
 * the kernel reads it when that thread is dead. So what matters is the order of the stores in the
 * program: rqb_compiler_barrier() between each two.
 */
#ifndef RQU_ROBUST_LIST_H
#define RQU_ROBUST_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/atomic.h"
#include "src/sys/sys.h"

#define RQU_LIST_PI 1ul /* bit 0 of a pointer to an entry: it is a PI futex */

static inline void *rqu_list_entry(void **next)
{
	return (void *)((uintptr_t)next | RQU_LIST_PI);
}

/* The `next` field that a list pointer means, without the PI bit. */
static inline void **rqu_list_field(void *entry)
{
	return (void **)((uintptr_t)entry & ~RQU_LIST_PI);
}

static inline void rqu_list_announce(struct rqu_robust_head *head, void **next)
{
	head->pending = rqu_list_entry(next);
	rqb_compiler_barrier();
}

static inline void rqu_list_end_announcement(struct rqu_robust_head *head)
{
	rqb_compiler_barrier();
	head->pending = NULL;
}

/*
 * The C library's mutexes have a `prev` on 64-bit machines only; on the others it walks the list.
 * The entry before the first is the head itself; not every libc's head has a `prev`, so leave it
 * alone.
 */
static inline void rqu_list_set_prev(struct rqu_robust_head *head, void *entry, void *prev)
{
	void **field = rqu_list_field(entry);

	if (sizeof(void *) == 8 && field != &head->list)
		field[-1] = prev;
}

/* The field that leads to @next. */
static inline void **rqu_list_before(struct rqu_robust_head *head, void **next)
{
	void **field = &head->list;

	if (sizeof(void *) == 8)
		return rqu_list_field(next[-1]);
	while (rqu_list_field(*field) != next)
		field = rqu_list_field(*field);
	return field;
}

static inline void rqu_list_enqueue(struct rqu_robust_head *head, void **next)
{
	next[0] = head->list;
	next[-1] = &head->list;
	rqu_list_set_prev(head, head->list, rqu_list_entry(next));
	rqb_compiler_barrier();
	head->list = rqu_list_entry(next);
}

static inline void rqu_list_dequeue(struct rqu_robust_head *head, void **next)
{
	if (!next[0]) /* adopted after a fork: on nobody's list */
		return;
	rqu_list_set_prev(head, next[0], next[-1]);
	*rqu_list_before(head, next) = next[0];
	rqb_compiler_barrier();
	next[0] = NULL;
	next[-1] = NULL;
}

#endif /* RQU_ROBUST_LIST_H */
