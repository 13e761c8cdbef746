/* SPDX-License-Identifier: MIT */
/*
 * robust.c - mutexes that survive their owner.
 *
 * When a thread exits, the kernel walks the robust list it registered and marks the mutexes on it
 * OWNER_DIED. The list is the C library's, one a thread; ours hang in it beside its own, in its
 * layout. `pending` (list_op_pending) covers the moments when a mutex is owned and not on the list,
 * or the other way round. The kernel reads both only when the thread is dead, so the order that
 * matters is that of the stores in the program: rqb_compiler_barrier() between each two.
 *
 *	lock:    pending = m;  take the word;  put on the list;  pending = none
 *	unlock:  pending = m;  take off the list;  give up the word;  pending = none
 *	wait:    pending = m;  take off the list;  give up the word;  sleep: the kernel may store
 *	         our TID at any moment from here;  put on the list;  pending = none
 */
#include "src/user/user.h"

#include <errno.h>

#define PI_ENTRY 1ul /* bit 0 of a pointer to an entry: it is a PI futex */

static struct rqu_robust_head *my_list(void)
{
	if (!RQU_THIS.robust)
		RQU_THIS.robust = rqu_sys_robust_head(RQU_ROBUST_OFFSET);
	return RQU_THIS.robust;
}

bool rqu_robust_supported(void)
{
	return sizeof(void *) == 8 && my_list() != NULL;
}

static bool is_shared(const struct rqu_mutex *m)
{
	return (m->kind & RQU_MUTEX_SHARED) != 0;
}

static void *entry_of(struct rqu_mutex *m)
{
	return (void *)((uintptr_t)&m->next | PI_ENTRY);
}

/* The `next` field that a list pointer means, without the PI bit. */
static void **field_of(void *entry)
{
	return (void **)((uintptr_t)entry & ~PI_ENTRY);
}

static void announce(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	head->pending = entry_of(m);
	rqb_compiler_barrier();
}

static void end_announcement(struct rqu_robust_head *head)
{
	rqb_compiler_barrier();
	head->pending = NULL;
}

/*
 * The entry before the first is the head itself; not every libc's head has a `prev`, so leave it
 * alone.
 */
static void set_prev(struct rqu_robust_head *head, void *entry, void *prev)
{
	void **field = field_of(entry);

	if (field != &head->list)
		field[-1] = prev;
}

static void enqueue(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	m->next = head->list;
	m->prev = &head->list;
	set_prev(head, head->list, entry_of(m));
	rqb_compiler_barrier();
	head->list = entry_of(m);
}

static void dequeue(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	if (!m->next) /* adopted after a fork: on nobody's list */
		return;
	set_prev(head, m->next, m->prev);
	*field_of(m->prev) = m->next;
	rqb_compiler_barrier();
	m->next = NULL;
	m->prev = NULL;
}

static void give_up_recovery(struct rqu_mutex *m)
{
	if (m->state == RQU_INCONSISTENT)
		m->state = RQU_NOTRECOVERABLE;
}

static int unlock_announced(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	int err;

	dequeue(head, m);
	rqb_compiler_barrier();
	err = rqu_word_unlock(&m->word, is_shared(m));
	if (rqb_unlikely(err))
		enqueue(head, m); /* the kernel refused: still ours */
	return err;
}

/*
 * The word is ours: onto the list, then see in what state the last owner left things. Relaxed: the
 * kernel sets OWNER_DIED before it lets anybody have the word, and only we clear it now.
 */
static int settle(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	int err = 0;

	enqueue(head, m);
	if (rqb_word_owner_died(rqb_load(&m->word))) {
		rqb_and(&m->word, ~RQB_WORD_OWNER_DIED);
		m->count = 0;
		if (m->state != RQU_NOTRECOVERABLE)
			m->state = RQU_INCONSISTENT;
		err = EOWNERDEAD;
	}
	if (m->state == RQU_NOTRECOVERABLE) {
		/* The kernel gives it to the next in line, who comes by here as well. */
		unlock_announced(head, m);
		err = ENOTRECOVERABLE;
	}
	end_announcement(head);
	return err;
}

int rqu_robust_lock(struct rqu_mutex *m, bool try, const struct rqu_deadline *dl)
{
	struct rqu_robust_head *head = my_list();
	int err;

	if (!head)
		return ENOTSUP;
	announce(head, m);
	err = try ? rqu_word_trylock(&m->word, is_shared(m))
		  : rqu_word_lock(&m->word, is_shared(m), dl);
	if (err) {
		end_announcement(head);
		return err;
	}
	return settle(head, m);
}

int rqu_robust_unlock(struct rqu_mutex *m)
{
	struct rqu_robust_head *head = my_list();
	int err;

	if (!head)
		return ENOTSUP;
	give_up_recovery(m);
	announce(head, m);
	err = unlock_announced(head, m);
	end_announcement(head);
	return err;
}

int rqu_robust_wait_begin(struct rqu_mutex *m)
{
	struct rqu_robust_head *head = my_list();
	int err;

	if (!head)
		return ENOTSUP;
	give_up_recovery(m);
	announce(head, m);
	err = unlock_announced(head, m);
	if (rqb_unlikely(err))
		end_announcement(head);
	return err;
}

int rqu_robust_wait_end(struct rqu_mutex *m, bool granted)
{
	struct rqu_robust_head *head = my_list();
	int err = granted ? 0 : rqu_word_lock(&m->word, is_shared(m), NULL);

	if (err) {
		end_announcement(head);
		return err;
	}
	return settle(head, m);
}

int rqpi_mutex_consistent(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	if (!(m->kind & RQU_MUTEX_ROBUST) || !rqu_mutex_owned(m) || m->state != RQU_INCONSISTENT)
		return EINVAL;
	m->state = RQU_CONSISTENT;
	return 0;
}
