/* SPDX-License-Identifier: MIT */
/*
 * shim_lock.c - pthread_mutex_* of librqpi-preload-mutex.so.
 *
 * A mutex that --force-pi has made PI, or that was so and is private, is locked and unlocked here,
 * in libc's layout and with libc's bookkeeping, so that libc's own functions (destroy, the wait of
 * a condvar, another process) find what they would have left. Every other mutex is libc's: the call
 * is passed on, by way of shim_watch.c where `rqpi run --observe` or `--stats` wants to see it.
 *
 * What libc does where POSIX says nothing is kept, because programs rely on it: a second lock of a
 * normal mutex by its owner waits until somebody else unlocks it, and a forked child unlocks what
 * its parent's thread had locked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>

#include "src/shim/shim.h"
#include "src/shim/shim_lock.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_version.h"
#include "src/shim/shim_watch.h"

#define STUCK_MS 100 /* how often a thread that can never get its mutex looks again */

static bool kind_is_ours(int kind)
{
	int mask = SHIM_KIND_DECIDED | SHIM_KIND_INHERIT | SHIM_KIND_PROTECT | SHIM_KIND_ROBUST;

	return (kind & mask) == (SHIM_KIND_DECIDED | SHIM_KIND_INHERIT);
}

static bool is_recursive(const pthread_mutex_t *m)
{
	return (shim_mutex_kind(m) & SHIM_KIND_TYPE) == PTHREAD_MUTEX_RECURSIVE;
}

static bool is_errorcheck(const pthread_mutex_t *m)
{
	return (shim_mutex_kind(m) & SHIM_KIND_TYPE) == PTHREAD_MUTEX_ERRORCHECK;
}

/* Is @m ours? The first call for each mutex decides. */
static bool take(pthread_mutex_t *m, const void *caller)
{
	int kind = shim_mutex_kind(m);

	if (rqb_likely(kind_is_ours(kind)))
		return true;
	if (!shim_ready() || !shim_forcing || (kind & SHIM_KIND_DECIDED))
		return false;
	return shim_decide(m, caller);
}

/*
 * The child of a fork goes on as the thread that called fork: a private mutex which that thread
 * held is held by the child in its own copy, under a TID that means the parent.
 */
static bool adopt_after_fork(pthread_mutex_t *m, uint32_t word)
{
	if (shim_mutex_shared(m) || !rqu_tid_is_prefork(rqb_word_tid(word)) ||
	    !rqb_cas(shim_mutex_word(m), word, rqu_tid()))
		return false;
	m->__data.__owner = (int)rqu_tid();
	return true;
}

bool shim_mutex_owned(pthread_mutex_t *m)
{
	uint32_t word = rqb_load(shim_mutex_word(m));

	return rqb_word_tid(word) == rqu_tid() ||
	       (rqb_unlikely(RQU_THIS.forked) && adopt_after_fork(m, word));
}

/* The word is ours: libc's bookkeeping. */
static int own(pthread_mutex_t *m)
{
	m->__data.__owner = (int)rqu_tid();
	m->__data.__nusers++;
	m->__data.__count = 1;
	return 0;
}

/* A lock of the kernel's that ended so will not end better by itself. */
static bool is_stuck(int err)
{
	return err == EDEADLK || err == ESRCH || err == EPERM;
}

/*
 * It is the caller's already, or the kernel says that it will never be: its owner is dead, waits
 * for the caller, or is the parent's after a fork. libc would sleep for good; a mutex that somebody
 * else unlocks, or a circle that a timeout opens, is noticed here. The sleep is not on the mutex's
 * word: the kernel serves nobody there while one sleeps who is not in for inheritance (EINVAL).
 */
static int lock_stuck(pthread_mutex_t *m, int why, const struct rqu_deadline *dl)
{
	int err;

	shim_tell_stuck(m, why);
	for (;;) {
		struct rqu_deadline slice = rqu_deadline_in(STUCK_MS);
		uint32_t seen = rqb_load_acq(&shim_stuck_seq);

		err = shim_mutex_owned(m) ? EDEADLK : shim_lock_word(m, dl);
		if (!is_stuck(err))
			return err ? err : own(m);
		if (dl && rqu_deadline_within(dl, 0))
			return ETIMEDOUT;
		rqu_sys_wait(&shim_stuck_seq, seen, false,
			     dl && rqu_deadline_within(dl, STUCK_MS) ? dl : &slice);
	}
}

static int lock_again(pthread_mutex_t *m, const struct rqu_deadline *dl)
{
	if (is_errorcheck(m))
		return EDEADLK;
	if (!is_recursive(m))
		return lock_stuck(m, EDEADLK, dl);
	if (m->__data.__count == UINT32_MAX)
		return EAGAIN;
	m->__data.__count++;
	return 0;
}

static int lock_slow(pthread_mutex_t *m, const struct rqu_deadline *dl, const void *caller)
{
	struct shim_watch watch;
	int err;

	if (shim_mutex_owned(m))
		return lock_again(m, dl);
	shim_watch_begin(&watch, m, caller);
	err = shim_lock_word(m, dl);
	shim_watch_end(&watch, err);
	if (rqb_likely(!err))
		return own(m);
	if (is_stuck(err) && !(err == EDEADLK && is_errorcheck(m)))
		return lock_stuck(m, err, dl);
	return err;
}

static bool lock_fast(pthread_mutex_t *m)
{
	return rqb_likely(rqb_cas_acq(shim_mutex_word(m), 0, rqu_tid()));
}

int shim_lock_for(pthread_mutex_t *m, const void *caller)
{
	if (rqb_unlikely(!take(m, caller)))
		return shim_watching ? shim_watch_lock(m, caller) : shim_lock_libcs(m);
	return lock_fast(m) ? own(m) : lock_slow(m, NULL, caller);
}

SHIM_API int shim_mutex_lock(pthread_mutex_t *m)
{
	return shim_lock_for(m, __builtin_return_address(0));
}

static int trylock_slow(pthread_mutex_t *m)
{
	int err;

	if (shim_mutex_owned(m))
		return is_recursive(m) ? lock_again(m, NULL) : EBUSY;
	err = rqu_word_trylock(shim_mutex_word(m), shim_mutex_shared(m));
	return err ? err : own(m);
}

int shim_trylock_for(pthread_mutex_t *m, const void *caller)
{
	if (rqb_unlikely(!take(m, caller)))
		return shim_real.trylock ? shim_real.trylock(m) : EBUSY;
	return lock_fast(m) ? own(m) : trylock_slow(m);
}

SHIM_API int shim_mutex_trylock(pthread_mutex_t *m)
{
	return shim_trylock_for(m, __builtin_return_address(0));
}

/* POSIX: a lock that need not wait need not look at the time. */
static int lock_until(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
		      const void *caller)
{
	struct rqu_deadline dl;
	int err;

	if (lock_fast(m))
		return own(m);
	if (shim_mutex_owned(m) && is_recursive(m))
		return lock_again(m, NULL);
	err = rqu_deadline_set(&dl, clock, at);
	return err ? err : lock_slow(m, &dl, caller);
}

int shim_clocklock_for(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
		       const void *caller)
{
	if (rqb_likely(take(m, caller)))
		return lock_until(m, clock, at, caller);
	if (shim_watching)
		return shim_watch_clocklock(m, clock, at, caller);
	return shim_clocklock_libcs(m, clock, at);
}

SHIM_API int shim_mutex_timedlock(pthread_mutex_t *m, const struct timespec *at)
{
	return shim_clocklock_for(m, CLOCK_REALTIME, at, __builtin_return_address(0));
}

SHIM_API int shim_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at)
{
	/* libc looks at the clock before it looks at the mutex. */
	if (rqb_unlikely(clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
		return EINVAL;
	return shim_clocklock_for(m, clock, at, __builtin_return_address(0));
}

static int unlock_slow(pthread_mutex_t *m)
{
	if (!shim_mutex_owned(m)) {
		if (is_recursive(m) || is_errorcheck(m))
			return EPERM;
		return shim_unlock_of_another(m);
	}
	if (is_recursive(m) && --m->__data.__count != 0)
		return 0;
	m->__data.__owner = 0;
	m->__data.__nusers--;
	return rqu_word_unlock(shim_mutex_word(m), shim_mutex_shared(m));
}

SHIM_API int shim_mutex_unlock(pthread_mutex_t *m)
{
	uint32_t *word = shim_mutex_word(m);

	if (rqb_unlikely(!kind_is_ours(shim_mutex_kind(m))))
		return shim_unlock_libcs(m);
	if (rqb_unlikely(rqb_load(word) != rqu_tid() || is_recursive(m)))
		return unlock_slow(m);
	m->__data.__owner = 0;
	m->__data.__nusers--;
	/* Somebody may have begun to wait since. */
	if (rqb_likely(rqb_cas_rel(word, rqu_tid(), 0)))
		return 0;
	RQB_PROBE1(mutex__unlock__slow, word);
	return rqu_to_errno(rqu_sys_unlock_pi(word, shim_mutex_shared(m)));
}

SHIM_API int shim_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	const void *caller = __builtin_return_address(0);
	int err;

	if (!shim_ready() && !shim_real.init) {
		/* The dynamic linker calls malloc, see shim_ready(): a default one is zeros. */
		*m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
		return attr ? ENOTSUP : 0;
	}
	err = shim_real.init(m, attr);
	if (!err && shim_active() && shim_forcing)
		shim_decide_new(m, caller);
	if (!err && shim_watching)
		shim_watch_made(m, caller);
	return err;
}

/* libc's own lock and unlock; nothing before they are known, see shim_ready(). */
int shim_lock_libcs(pthread_mutex_t *m)
{
	return shim_ready() ? shim_real.lock(m) : 0;
}

int shim_unlock_libcs(pthread_mutex_t *m)
{
	return shim_ready() ? shim_real.unlock(m) : 0;
}

/* pthread_mutex_timedlock is the same on CLOCK_REALTIME. */
int shim_clocklock_libcs(pthread_mutex_t *m, clockid_t clock, const struct timespec *at)
{
	return shim_real.clocklock ? shim_real.clocklock(m, clock, at) : EBUSY;
}

/* clang-format off */
SHIM_EXPORT_DEFAULT(shim_mutex_init, pthread_mutex_init, SHIM_BASE);
SHIM_EXPORT_DEFAULT(shim_mutex_lock, pthread_mutex_lock, SHIM_BASE);
SHIM_EXPORT_DEFAULT(shim_mutex_unlock, pthread_mutex_unlock, SHIM_BASE);
SHIM_EXPORT_DEFAULT(shim_mutex_trylock, pthread_mutex_trylock, "GLIBC_2.34");
SHIM_EXPORT_DEFAULT(shim_mutex_timedlock, pthread_mutex_timedlock, "GLIBC_2.34");
SHIM_EXPORT_DEFAULT(shim_mutex_clocklock, pthread_mutex_clocklock, "GLIBC_2.34");
SHIM_EXPORT_ALSO(shim_mutex_trylock, shim_mutex_trylock_base, pthread_mutex_trylock, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_timedlock, shim_mutex_timedlock_base,
		 pthread_mutex_timedlock, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_clocklock, shim_mutex_clocklock_2_30,
		 pthread_mutex_clocklock, "GLIBC_2.30");
/* The same functions under the names that libraries of long ago call. */
SHIM_EXPORT_ALSO(shim_mutex_init, shim_mutex_init__, __pthread_mutex_init, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_lock, shim_mutex_lock__, __pthread_mutex_lock, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_trylock, shim_mutex_trylock__, __pthread_mutex_trylock, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_unlock, shim_mutex_unlock__, __pthread_mutex_unlock, SHIM_BASE);

/* Lock, unlock and trylock first: see shim_ready(). */
const struct shim_binding shim_mutex_bindings[] = {
	SHIM_BIND_REAL(unlock, shim_mutex_unlock, pthread_mutex_unlock, SHIM_BASE),
	SHIM_BIND_REAL(lock, shim_mutex_lock, pthread_mutex_lock, SHIM_BASE),
	SHIM_BIND_REAL(trylock, shim_mutex_trylock, pthread_mutex_trylock, "GLIBC_2.34"),
	SHIM_BIND_REAL(init, shim_mutex_init, pthread_mutex_init, SHIM_BASE),
	SHIM_BIND_NOW(shim_mutex_timedlock, pthread_mutex_timedlock, "GLIBC_2.34"),
	SHIM_BIND_REAL(clocklock, shim_mutex_clocklock, pthread_mutex_clocklock, "GLIBC_2.34"),
	SHIM_BIND_OLD(shim_mutex_trylock_base, pthread_mutex_trylock, SHIM_BASE),
	SHIM_BIND_OLD(shim_mutex_timedlock_base, pthread_mutex_timedlock, SHIM_BASE),
	SHIM_BIND_OLD(shim_mutex_clocklock_2_30, pthread_mutex_clocklock, "GLIBC_2.30"),
	SHIM_BIND_OLD(shim_mutex_init__, __pthread_mutex_init, SHIM_BASE),
	SHIM_BIND_OLD(shim_mutex_lock__, __pthread_mutex_lock, SHIM_BASE),
	SHIM_BIND_OLD(shim_mutex_trylock__, __pthread_mutex_trylock, SHIM_BASE),
	SHIM_BIND_OLD(shim_mutex_unlock__, __pthread_mutex_unlock, SHIM_BASE),
	{.name = NULL},
};
/* clang-format on */
