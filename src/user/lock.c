/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the mutex of a wait: given up before the sleep, owned again after it.
 *
 * Called by wait.c and channel.c. What the owner knows of a mutex beyond its word (depth, owner's
 * name, robust list) is put away while the word is still ours, and put back once it is ours again.
 */
#include "src/user/user.h"

#include <errno.h>

int rqu_lock_release(struct rqu_lock *lock)
{
	int err;

	lock->depth = *lock->count;
	*lock->count = 0;
	if (lock->owner)
		*lock->owner = 0;
	if (rqb_unlikely(lock->way))
		err = lock->way->release(lock);
	else
		err = rqu_word_unlock(lock->word, lock->shared);
	if (rqb_unlikely(err)) {
		*lock->count = lock->depth;
		if (lock->owner)
			*lock->owner = rqu_tid();
	}
	return err;
}

int rqu_lock_reacquire(struct rqu_lock *lock, bool granted)
{
	int err = 0;

	if (rqb_unlikely(lock->way))
		err = lock->way->reacquire(lock, granted);
	else if (!granted)
		err = rqu_word_lock(lock->word, lock->shared, NULL);
	if (rqb_unlikely(err && err != EOWNERDEAD))
		return err;
	*lock->count = lock->depth;
	if (lock->owner)
		*lock->owner = rqu_tid();
	return err;
}
