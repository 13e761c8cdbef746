/* SPDX-License-Identifier: MIT */
/*
 * shim_robust.c - a wait with a robust PI mutex of libc's: its list entry and its state, kept as
 * libc itself keeps them.
 *
 * The same movements as in src/user/robust.c (see there for their order) on libc's layout. What
 * differs is where the state is: __owner is the owner's TID, or says that the last owner died
 * (INCONSISTENT) or that the mutex was then given up (NOTRECOVERABLE).
 */
#include <errno.h>
#include <pthread.h>

#include "src/shim/shim_mutex.h"
#include "src/user/robust_list.h"

#if __SIZEOF_POINTER__ == 8

static void **entry_of(pthread_mutex_t *m)
{
	return (void **)(void *)&m->__data.__list.__next;
}

/* Off the list and given up, still announced; @owner is what __owner says then. */
static int give_up(struct rqu_robust_head *head, struct rqu_lock *lock, int owner)
{
	pthread_mutex_t *m = lock->mutex;
	int before = m->__data.__owner;
	int err;

	m->__data.__owner = owner;
	rqu_list_dequeue(head, entry_of(m));
	rqb_compiler_barrier();
	err = rqu_word_unlock(lock->word, lock->shared);
	if (rqb_unlikely(err)) {
		rqu_list_enqueue(head, entry_of(m));
		m->__data.__owner = before;
	}
	return err;
}

static int release_for_wait(struct rqu_lock *lock)
{
	struct rqu_robust_head *head = rqu_robust_list();
	pthread_mutex_t *m = lock->mutex;
	int err;

	if (!head)
		return ENOTSUP;
	rqu_list_announce(head, entry_of(m));
	err = give_up(head, lock, m->__data.__owner == SHIM_INCONSISTENT ? SHIM_NOTRECOVERABLE : 0);
	if (rqb_unlikely(err))
		rqu_list_end_announcement(head);
	return err;
}

/* The word is ours: see in what state the last owner left things. */
static int settle(struct rqu_robust_head *head, struct rqu_lock *lock)
{
	pthread_mutex_t *m = lock->mutex;
	int err = 0;

	rqu_list_enqueue(head, entry_of(m));
	if (m->__data.__owner == SHIM_NOTRECOVERABLE) {
		/* The kernel gives it to the next in line, who comes by here as well. */
		give_up(head, lock, SHIM_NOTRECOVERABLE);
		err = ENOTRECOVERABLE;
	} else if (rqb_word_owner_died(rqb_load(lock->word))) {
		rqb_and(lock->word, ~RQB_WORD_OWNER_DIED);
		RQB_PROBE1(owner__died, m);
		m->__data.__owner = SHIM_INCONSISTENT;
		m->__data.__nusers--; /* the dead owner; a waiter has counted all the time */
		err = EOWNERDEAD;
	} else {
		m->__data.__owner = (int)rqu_tid();
	}
	rqu_list_end_announcement(head);
	return err;
}

static int reacquire_after_wait(struct rqu_lock *lock, bool granted)
{
	struct rqu_robust_head *head = rqu_robust_list();
	int err = granted ? 0 : rqu_word_lock(lock->word, lock->shared, NULL);

	if (err) {
		rqu_list_end_announcement(head);
		return err;
	}
	return settle(head, lock);
}

const struct rqu_lock_way shim_robust_way = {release_for_wait, reacquire_after_wait};

#else /* libc's list has no way back there: such a wait is left to it (shim_mutex_is_ours) */
const struct rqu_lock_way shim_robust_way = {0};
#endif
