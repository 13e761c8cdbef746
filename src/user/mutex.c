/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - the PI mutex: fast paths, types, and what is not robust about it.
 *
 * Uncontended, the word goes from 0 to the owner's TID and back by compare-exchange. All else is
 * the kernel's LOCK_PI and UNLOCK_PI. Robust mutexes branch off to robust.c before anything is
 * changed.
 *
 * Orders of memory (docs/memory-order.md): the exchange that unlocks releases and the one that
 * locks acquires, on one word; where the kernel hands the mutex over, its own locks do. All plain
 * loads of the word are relaxed. They ask whether the caller is the owner, and its TID is there
 * if and only if it is; or they are guesses that an exchange or the kernel checks.
 */
#include "src/user/user.h"

#include <errno.h>

static bool is_shared(const struct rqu_mutex *m)
{
	return (m->kind & RQU_MUTEX_SHARED) != 0;
}

static bool is_recursive(const struct rqu_mutex *m)
{
	return (m->kind & RQU_MUTEX_TYPE) == RQPI_MUTEX_RECURSIVE;
}

int rqu_to_errno(int ret)
{
	if (ret >= 0)
		return 0;
	return ret == -ENOSYS ? ENOTSUP : -ret;
}

/*
 * The child of a fork continues the thread that called fork: a private mutex which that thread held
 * is held by the child in its own copy, under a TID that means the parent. Put our own there.
 * Nobody can be waiting in the kernel: no other thread came along.
 */
static bool adopt_after_fork(struct rqu_mutex *m, uint32_t word)
{
	if (is_shared(m) || !rqu_tid_is_prefork(rqb_word_tid(word)))
		return false;
	m->prev = NULL; /* libc has emptied the child's robust list */
	m->next = NULL;
	return rqb_cas(&m->word, word, rqu_tid());
}

bool rqu_mutex_owned(struct rqu_mutex *m)
{
	uint32_t word = rqb_load(&m->word);

	return rqb_word_tid(word) == rqu_tid() ||
	       (rqb_unlikely(RQU_THIS.forked) && adopt_after_fork(m, word));
}

/* The caller owns @m and locks it again. */
static int lock_again(struct rqu_mutex *m, bool try)
{
	if (!is_recursive(m))
		return try ? EBUSY : EDEADLK;
	if (m->count == UINT32_MAX)
		return EAGAIN;
	m->count++;
	return 0;
}

int rqu_word_lock(uint32_t *word, bool shared, const struct rqu_deadline *dl)
{
	int err;

	if (rqb_cas_acq(word, 0, rqu_tid()))
		return 0;
	RQB_PROBE3(mutex__wait, word, rqb_word_tid(rqb_load(word)), (int)shared);
	err = rqu_to_errno(rqu_sys_lock_pi(word, shared, dl));
	RQB_PROBE2(mutex__acquired, word, err);
	return err;
}

int rqu_word_trylock(uint32_t *word, bool shared)
{
	uint32_t seen;

	if (rqb_cas_acq(word, 0, rqu_tid()))
		return 0;
	/*
	 * TRYLOCK_PI on a held mutex would set WAITERS and send its owner into the kernel for
	 * nothing. Only a word without an owner and yet not 0 (an owner died) is the kernel's.
	 */
	seen = rqb_load(word);
	if (rqb_word_tid(seen) != 0 || seen == 0)
		return EBUSY;
	return rqu_to_errno(rqu_sys_trylock_pi(word, shared));
}

int rqu_word_unlock(uint32_t *word, bool shared)
{
	/*
	 * Not even tried where somebody waits: on the way out of a broadcast every thread comes by
	 * here, and most of them after a first try. The exchange is the last touch of the mutex:
	 * the next owner may free it.
	 */
	if (rqb_load(word) == rqu_tid() && rqb_cas_rel(word, rqu_tid(), 0))
		return 0;
	RQB_PROBE1(mutex__unlock__slow, word);
	return rqu_to_errno(rqu_sys_unlock_pi(word, shared));
}

static uint32_t *spins_of(struct rqu_mutex *m)
{
#if __SIZEOF_POINTER__ == 8
	return &m->spins;
#else
	(void)m;
	return NULL;
#endif
}

static int lock_slow(struct rqu_mutex *m, bool try, const struct rqu_deadline *dl)
{
	int err;

	if (rqu_mutex_owned(m))
		return lock_again(m, try);
	if (m->kind & RQU_MUTEX_ROBUST)
		return rqu_robust_lock(m, try, dl);
	if (try)
		err = rqu_word_trylock(&m->word, is_shared(m));
	else
		err = rqu_word_lock_spinning(&m->word, is_shared(m), dl, spins_of(m));
	/* The kernel may have passed it on from an owner that died some levels deep. */
	if (!err)
		m->count = 0;
	return err;
}

static bool lock_fast(struct rqu_mutex *m)
{
	return rqb_likely(!(m->kind & RQU_MUTEX_ROBUST)) && rqb_cas_acq(&m->word, 0, rqu_tid());
}

int rqpi_mutex_lock(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	return rqb_likely(lock_fast(m)) ? 0 : lock_slow(m, false, NULL);
}

int rqpi_mutex_trylock(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	return rqb_likely(lock_fast(m)) ? 0 : lock_slow(m, true, NULL);
}

int rqpi_mutex_clocklock(rqpi_mutex_t *mutex, clockid_t clock, const struct timespec *abstime)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);
	struct rqu_deadline dl;
	int err;

	if (lock_fast(m))
		return 0;
	/*
	 * POSIX: a lock that need not wait need not look at the time. Looking costs a word less of
	 * doubt.
	 */
	err = lock_slow(m, true, NULL);
	if (err != EBUSY)
		return err;
	err = rqu_deadline_set(&dl, clock, abstime);
	return err ? err : lock_slow(m, false, &dl);
}

int rqpi_mutex_timedlock(rqpi_mutex_t *mutex, const struct timespec *abstime)
{
	return rqpi_mutex_clocklock(mutex, CLOCK_REALTIME, abstime);
}

static int unlock_slow(struct rqu_mutex *m)
{
	if (!rqu_mutex_owned(m))
		return EPERM;
	if (is_recursive(m) && m->count > 0) {
		m->count--;
		return 0;
	}
	if (m->kind & RQU_MUTEX_ROBUST)
		return rqu_robust_unlock(m);
	return rqu_word_unlock(&m->word, is_shared(m));
}

int rqpi_mutex_unlock(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	if (rqb_likely(!(m->kind & (RQU_MUTEX_ROBUST | RQPI_MUTEX_RECURSIVE))) &&
	    rqb_likely(rqb_cas_rel(&m->word, rqu_tid(), 0)))
		return 0;
	return unlock_slow(m);
}

int rqpi_mutex_init(rqpi_mutex_t *mutex, const rqpi_mutexattr_t *attr)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);
	int type = RQPI_MUTEX_NORMAL;
	int robust = RQPI_STALLED;
	int pshared = RQPI_PROCESS_PRIVATE;

	if (attr &&
	    (rqpi_mutexattr_gettype(attr, &type) || rqpi_mutexattr_getrobust(attr, &robust) ||
	     rqpi_mutexattr_getpshared(attr, &pshared)))
		return EINVAL;
	if (!(rqu_sys_caps() & RQPI_CAP_PI) || (robust == RQPI_ROBUST && !rqu_robust_supported()))
		return ENOTSUP;
	*mutex = (rqpi_mutex_t)RQPI_MUTEX_INITIALIZER;
	m->kind = (uint32_t)type | (robust == RQPI_ROBUST ? RQU_MUTEX_ROBUST : 0) |
		  (pshared == RQPI_PROCESS_SHARED ? RQU_MUTEX_SHARED : 0);
	return 0;
}

/* Acquire, as if to lock it: what the last owner has done comes before the end of the memory. */
int rqpi_mutex_destroy(rqpi_mutex_t *mutex)
{
	struct rqu_mutex *m = rqu_mutex_of(mutex);

	return rqb_word_tid(rqb_load_acq(&m->word)) ? EBUSY : 0;
}

pid_t rqpi_mutex_owner(const rqpi_mutex_t *mutex)
{
	const struct rqu_mutex *m = (const void *)mutex;

	return (pid_t)rqb_word_tid(rqb_load(&m->word));
}
