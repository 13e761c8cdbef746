/* SPDX-License-Identifier: MIT */
/*
 * shim_cond.c - pthread_cond_* for programs that know nothing of rqpi.
 *
 * A wait with a PI mutex (not robust) on a private condvar is ours; everything else goes to libc
 * untouched. A signal goes where the waiters are: the condvar's slot names a channel of ours, or
 * libc's own count says that its waiters are inside, or nobody is. The process-shared and robust
 * cases are libc's for now.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"
#include "src/user/user.h"

#define SHIM_EXPORT __attribute__((visibility("default")))

static uint32_t *cond_word(pthread_cond_t *cond, size_t offset)
{
	return (uint32_t *)(void *)((char *)cond + offset);
}

static uint32_t *slot_of(pthread_cond_t *cond)
{
	return cond_word(cond, shim_layout.slot);
}

static uint32_t flags_of(pthread_cond_t *cond)
{
	return rqb_load(cond_word(cond, shim_layout.refs));
}

static bool libc_has_waiters(pthread_cond_t *cond)
{
	return flags_of(cond) >> SHIM_REFS_SHIFT != 0;
}

/* Is this wait ours? If not, the condvar is made ready for libc. */
static bool take_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	uint32_t name;

	if (!shim_active())
		return false;
	name = rqb_load(slot_of(cond));
	if (shim_mutex_is_ours(mutex) && !(flags_of(cond) & shim_layout.pshared_flag) &&
	    (name == 0 || (name & RQU_REF_TAG)) && !libc_has_waiters(cond))
		return true;
	if (name & RQU_REF_TAG) {
		/*
		 * The condvar changes sides. Whoever is still inside on ours has been released, or
		 * is now.
		 */
		rqu_private_release(slot_of(cond), INT_MAX);
		rqb_cas(slot_of(cond), name, 0);
	}
	return false;
}

static int wait_ours(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct rqu_deadline *dl)
{
	struct rqu_lock lock = {.word = shim_mutex_word(mutex),
				.shared = shim_mutex_shared(mutex),
				.count = &mutex->__data.__count,
				.owner = (uint32_t *)&mutex->__data.__owner};

	if (rqb_word_tid(rqb_load(lock.word)) != rqu_tid())
		return EPERM;
	return rqu_private_wait(slot_of(cond), &lock, dl);
}

static int wait_ours_until(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			   const struct timespec *abstime)
{
	struct rqu_deadline dl;
	int err = rqu_deadline_set(&dl, clock, abstime);

	return err ? err : wait_ours(cond, mutex, &dl);
}

/*
 * The functions have names of our own and are exported as libc's, by version (shim.map): so that
 * shim.c can ask whether the program's calls really come here.
 */
SHIM_EXPORT int shim_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	return take_wait(cond, mutex) ? wait_ours(cond, mutex, NULL) : shim_real.wait(cond, mutex);
}

SHIM_EXPORT int shim_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				    const struct timespec *abstime)
{
	clockid_t clock;

	if (!take_wait(cond, mutex))
		return shim_real.timedwait(cond, mutex, abstime);
	clock = flags_of(cond) & shim_layout.clock_flag ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	return wait_ours_until(cond, mutex, clock, abstime);
}

SHIM_EXPORT int shim_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
				    const struct timespec *abstime)
{
	if (take_wait(cond, mutex))
		return wait_ours_until(cond, mutex, clock, abstime);
	return shim_real.clockwait ? shim_real.clockwait(cond, mutex, clock, abstime) : ENOSYS;
}

/* glibc has it from 2.30 in libpthread and from 2.34 in libc: two versions of one function. */
SHIM_EXPORT int shim_cond_clockwait_2_30(pthread_cond_t *cond, pthread_mutex_t *mutex,
					 clockid_t clock, const struct timespec *abstime)
{
	return shim_cond_clockwait(cond, mutex, clock, abstime);
}

/* Nobody waits, neither ours nor libc's: what libc would look at first, without the way there. */
static inline bool nobody_waits(pthread_cond_t *cond)
{
	return rqb_likely(rqb_load_acq(&shim_state) == SHIM_ACTIVE) &&
	       rqb_likely((rqb_load(slot_of(cond)) | flags_of(cond) >> SHIM_REFS_SHIFT) == 0);
}

static int release_waiters(pthread_cond_t *cond, int nr_requeue, int (*real)(pthread_cond_t *))
{
	if (shim_active() && (rqb_load(slot_of(cond)) & RQU_REF_TAG))
		return rqu_private_release(slot_of(cond), nr_requeue);
	return real(cond);
}

SHIM_EXPORT int shim_cond_signal(pthread_cond_t *cond)
{
	return nobody_waits(cond) ? 0 : release_waiters(cond, 0, shim_real.signal);
}

SHIM_EXPORT int shim_cond_broadcast(pthread_cond_t *cond)
{
	return nobody_waits(cond) ? 0 : release_waiters(cond, INT_MAX, shim_real.broadcast);
}

SHIM_EXPORT int shim_cond_destroy(pthread_cond_t *cond)
{
	/* Released waiters of ours are not in the condvar any more: nothing to wait for. */
	if (shim_active() && (rqb_load(slot_of(cond)) & RQU_REF_TAG))
		rqb_store(slot_of(cond), 0);
	return shim_real.destroy(cond);
}

__asm__(".symver shim_cond_wait, pthread_cond_wait@@GLIBC_2.3.2");
__asm__(".symver shim_cond_timedwait, pthread_cond_timedwait@@GLIBC_2.3.2");
__asm__(".symver shim_cond_clockwait, pthread_cond_clockwait@@GLIBC_2.34");
__asm__(".symver shim_cond_clockwait_2_30, pthread_cond_clockwait@GLIBC_2.30");
__asm__(".symver shim_cond_signal, pthread_cond_signal@@GLIBC_2.3.2");
__asm__(".symver shim_cond_broadcast, pthread_cond_broadcast@@GLIBC_2.3.2");
__asm__(".symver shim_cond_destroy, pthread_cond_destroy@@GLIBC_2.3.2");
