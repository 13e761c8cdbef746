/* SPDX-License-Identifier: MIT */
/*
 * spin.c - taking a contended PI mutex without a convoy. Called by mutex.c and by the shim.
 *
 * The kernel hands a PI mutex from owner to waiter: nobody can take it in passing, and every
 * release costs a system call and a switch for as long as anybody sleeps on it. That is what bounds
 * the wait of an urgent thread, and what makes ordinary threads slow. So threads without a
 * real-time policy, which inherit and lend nothing, first look for a while whether the word becomes
 * free, then let others run and look again, a bounded number of times; only then do they sleep in
 * the kernel as everybody else. While they look, those who sleep are served, the queue runs empty,
 * and the mutex is taken and given back in user space again. A real-time thread goes to the kernel
 * at once: there it is in order, and nobody can pass it.
 *
 *	ordinary A		ordinary B			real-time R
 *	owns			word is A: looks		word is A: LOCK_PI, asleep
 *								(word is A|WAITERS)
 *	UNLOCK_PI: R's		word is R: looks
 *								unlock: word is 0
 *				word is 0: takes it
 */
#include "src/base/pause.h"
#include "src/user/user.h"

#define PAUSES_MAX 200u /* looks with a pause in between, a few microseconds */
#define PAUSES_MIN 20u
#define YIELDS	   100 /* looks with others running in between, */
#define QUEUED	   20  /* no more of them with a queue at the mutex: it may be a long one, */
#define YIELD_MS   1   /* and not after this time: the others may run for long */

/* The load is a guess, which the exchange checks. */
static bool look(uint32_t *word)
{
	return rqb_load(word) == 0 && rqb_cas_acq(word, 0, rqu_tid());
}

static bool look_with_pauses(uint32_t *word, uint32_t *usual)
{
	uint32_t mean = rqb_load(usual) & 0xffff;
	uint32_t limit = 2 * mean + PAUSES_MIN;
	uint32_t n;

	if (limit > PAUSES_MAX)
		limit = PAUSES_MAX;
	for (n = 0; n < limit; n++) {
		if (look(word))
			break;
		rqb_pause();
	}
	RQB_PROBE4(spin, word, n < limit ? n + 1 : n, n < limit, 0);
	/* A guess about the next time: threads may write over each other's. */
	rqb_store(usual, (mean * 7 + n) / 8);
	return n < limit;
}

static bool look_with_yields(uint32_t *word, const struct rqu_deadline *dl)
{
	struct rqu_deadline end = rqu_deadline_in(YIELD_MS);
	bool got = false;
	int n = 0;

	for (int queued = 0; n < YIELDS && queued < QUEUED;) {
		rqu_sys_yield();
		n++;
		got = look(word);
		if (got)
			break;
		queued += (rqb_load(word) & RQB_WORD_WAITERS) != 0;
		if (rqu_deadline_within(&end, 0) || (dl && rqu_deadline_within(dl, 0)))
			break;
	}
	RQB_PROBE4(spin, word, (uint32_t)n, (int)got, 1);
	return got;
}

int rqu_word_lock_spinning(uint32_t *word, bool shared, const struct rqu_deadline *dl,
			   uint32_t *usual)
{
	uint32_t none = 0;
	int err = 0;

	if (rqb_cas_acq(word, 0, rqu_tid()))
		return 0;
	RQB_PROBE3(mutex__wait, word, rqb_word_tid(rqb_load(word)), (int)shared);
	if (rqu_sys_realtime() ||
	    (!look_with_pauses(word, usual ? usual : &none) && !look_with_yields(word, dl)))
		err = rqu_to_errno(rqu_sys_lock_pi(word, shared, dl));
	RQB_PROBE2(mutex__acquired, word, err);
	return err;
}
