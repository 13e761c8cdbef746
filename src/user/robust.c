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
#include "src/user/robust_list.h"
#include "src/user/user.h"

#include <errno.h>

struct rqu_robust_head *rqu_robust_list(void)
{
	if (!RQU_THIS.robust)
		RQU_THIS.robust = rqu_sys_robust_head(RQU_ROBUST_OFFSET);
	return RQU_THIS.robust;
}

bool rqu_robust_supported(void)
{
	return rqu_robust_list() != NULL;
}

static bool is_shared(const struct rqu_mutex *m)
{
	return (m->kind & RQU_MUTEX_SHARED) != 0;
}

static void give_up_recovery(struct rqu_mutex *m)
{
	if (m->state == RQU_INCONSISTENT)
		m->state = RQU_NOTRECOVERABLE;
}

static int unlock_announced(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	int err;

	rqu_list_dequeue(head, &m->next);
	rqb_compiler_barrier();
	err = rqu_word_unlock(&m->word, is_shared(m));
	if (rqb_unlikely(err))
		rqu_list_enqueue(head, &m->next); /* the kernel refused: still ours */
	return err;
}

/*
 * The word is ours: onto the list, then see in what state the last owner left things. Relaxed: the
 * kernel sets OWNER_DIED before it lets anybody have the word, and only we clear it now.
 */
static int settle(struct rqu_robust_head *head, struct rqu_mutex *m)
{
	int err = 0;

	rqu_list_enqueue(head, &m->next);
	if (rqb_word_owner_died(rqb_load(&m->word))) {
		rqb_and(&m->word, ~RQB_WORD_OWNER_DIED);
		RQB_PROBE1(owner__died, m);
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
	rqu_list_end_announcement(head);
	return err;
}

int rqu_robust_lock(struct rqu_mutex *m, bool try, const struct rqu_deadline *dl)
{
	struct rqu_robust_head *head = rqu_robust_list();
	int err;

	if (!head)
		return ENOTSUP;
	rqu_list_announce(head, &m->next);
	err = try ? rqu_word_trylock(&m->word, is_shared(m))
		  : rqu_word_lock(&m->word, is_shared(m), dl);
	if (err) {
		rqu_list_end_announcement(head);
		return err;
	}
	return settle(head, m);
}

int rqu_robust_unlock(struct rqu_mutex *m)
{
	struct rqu_robust_head *head = rqu_robust_list();
	int err;

	if (!head)
		return ENOTSUP;
	give_up_recovery(m);
	rqu_list_announce(head, &m->next);
	err = unlock_announced(head, m);
	rqu_list_end_announcement(head);
	return err;
}

static int release_for_wait(struct rqu_lock *lock)
{
	struct rqu_robust_head *head = rqu_robust_list();
	struct rqu_mutex *m = lock->mutex;
	int err;

	if (!head)
		return ENOTSUP;
	give_up_recovery(m);
	rqu_list_announce(head, &m->next);
	err = unlock_announced(head, m);
	if (rqb_unlikely(err))
		rqu_list_end_announcement(head);
	return err;
}

static int reacquire_after_wait(struct rqu_lock *lock, bool granted)
{
	struct rqu_robust_head *head = rqu_robust_list();
	struct rqu_mutex *m = lock->mutex;
	int err = granted ? 0 : rqu_word_lock(&m->word, is_shared(m), NULL);

	if (err) {
		rqu_list_end_announcement(head);
		return err;
	}
	return settle(head, m);
}

const struct rqu_lock_way rqu_robust_way = {release_for_wait, reacquire_after_wait};

int rqpi_mutex_consistent(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	if (!(m->kind & RQU_MUTEX_ROBUST) || !rqu_mutex_owned(m) || m->state != RQU_INCONSISTENT)
		return EINVAL;
	m->state = RQU_CONSISTENT;
	return 0;
}
