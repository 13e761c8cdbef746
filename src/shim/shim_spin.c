/* SPDX-License-Identifier: MIT */
/*
 * shim_spin.c - --force-pi: locks by threads that may not be real-time, of which src/user/spin.c
 * tells. How long it pays to look is learnt per mutex, in a field that libc's PI mutexes leave
 * unused.
 */
#include <pthread.h>

#include "src/shim/shim_mutex.h"

int shim_lock_word(pthread_mutex_t *m, const struct rqu_deadline *dl)
{
#if __SIZEOF_POINTER__ == 8
	uint32_t *usual = (uint32_t *)(void *)&m->__data.__spins;
#else
	uint32_t *usual = NULL;
#endif

	return rqu_word_lock_spinning(shim_mutex_word(m), shim_mutex_shared(m), dl, usual);
}

static int release_word(struct rqu_lock *lock)
{
	return rqu_word_unlock(lock->word, lock->shared);
}

static int reacquire_spinning(struct rqu_lock *lock, bool granted)
{
	return granted ? 0 : shim_lock_word(lock->mutex, NULL);
}

const struct rqu_lock_way shim_spin_way = {release_word, reacquire_spinning};
