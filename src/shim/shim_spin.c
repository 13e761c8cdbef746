/* SPDX-License-Identifier: MIT */
/*
 * shim_spin.c - taking a contended PI mutex without a convoy.
 *
 * The kernel hands a PI mutex from owner to waiter: nobody can take it in passing, and every
 * release costs a system call and a switch for as long as anybody sleeps on it. That is what bounds
 * the wait of an urgent thread, and what makes ordinary threads slow. So threads without a
 * real-time policy, which inherit and lend nothing, first look for a while whether the word becomes
 * free, then let others run and look again, a bounded number of times; only then do they sleep in
 * the kernel as everybody else. While they look, those who sleep are served, the queue runs empty,
 * and the mutex is taken and given back in user space again. A real-time thread goes to the kernel
 * at once: it is in order there, and nobody can pass it.
 *
 * How long it pays to look is learnt per mutex, in a field that libc's PI mutexes leave unused.
 */
#include <errno.h>
#include <pthread.h>

#include "src/base/pause.h"
#include "src/shim/shim_mutex.h"

#define PAUSES_MAX 200 /* looks with a pause in between, a few microseconds */
#define PAUSES_MIN 20
#define YIELDS	   100 /* looks with others running in between */

static bool look(uint32_t *word)
{
	return rqb_load(word) == 0 && rqb_cas_acq(word, 0, rqu_tid());
}

static bool look_with_pauses(uint32_t *word, short *usual)
{
	int limit = 2 * *usual + PAUSES_MIN;
	int n;

	if (limit > PAUSES_MAX)
		limit = PAUSES_MAX;
	for (n = 0; n < limit; n++) {
		if (look(word))
			break;
		rqb_pause();
	}
	/* A guess about the next time; threads may write over each other's. */
	*usual = (short)(*usual + (n - *usual) / 8);
	return n < limit;
}

static bool look_with_yields(uint32_t *word)
{
	for (int n = 0; n < YIELDS; n++) {
		rqu_sys_yield();
		if (look(word))
			return true;
	}
	return false;
}

int shim_lock_word(pthread_mutex_t *m, const struct rqu_deadline *dl)
{
	uint32_t *word = shim_mutex_word(m);

	if (look(word))
		return 0;
	if (!rqu_sys_realtime() &&
	    (look_with_pauses(word, &m->__data.__spins) || look_with_yields(word)))
		return 0;
	return rqu_to_errno(rqu_sys_lock_pi(word, shim_mutex_shared(m), dl));
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
