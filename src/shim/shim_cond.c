/* SPDX-License-Identifier: MIT */
/*
 * shim_cond.c - pthread_cond_* for programs that know nothing of rqpi.
 *
 * A wait with a PI mutex is ours; everything else goes to libc untouched. A signal goes where the
 * waiters are: the condvar's slot names a channel of ours, or libc's own count says that its
 * waiters are inside, or nobody is. A process-shared condvar keeps its state in the slot itself
 * (shim_shared.c).
 *
 * With --force-pi, threads without a real-time policy do not sleep to be requeued: the kernel's
 * hand-over would give them nothing but a switch each. They are woken, and then lock
 * (shim_spin.c), after those whom the same signal or broadcast hands the mutex to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "src/shim/shim.h"
#include "src/shim/shim_cond.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_version.h"
#include "src/user/user.h"

const struct shim_cond_watcher *shim_cond_watcher;

static uint32_t *slot_of(pthread_cond_t *cond)
{
	return shim_cond_word(cond, shim_layout.slot);
}

static uint32_t flags_of(pthread_cond_t *cond)
{
	return rqb_load(shim_cond_word(cond, shim_layout.refs));
}

static bool is_shared(pthread_cond_t *cond)
{
	return (flags_of(cond) & shim_layout.pshared_flag) != 0;
}

static bool libc_has_waiters(pthread_cond_t *cond)
{
	return flags_of(cond) >> SHIM_REFS_SHIFT != 0;
}

/* Names a channel: libc's waiters leave smaller values while inside. */
static bool names_channel(uint32_t slot)
{
	return (slot & RQU_REF_TAG) != 0;
}

/* take_wait() with a process-shared condvar. */
static bool take_shared_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	uint32_t *slot = slot_of(cond);
	bool fits = shim_mutex_is_ours(mutex) && shim_mutex_shared(mutex);

	if (shim_layout.slot_is_ours || !shim_layout.share)
		return fits && shim_layout.share;
	if (fits && !libc_has_waiters(cond))
		return true;
	if (shim_shared_in_use(slot)) {
		shim_shared_release(slot, INT_MAX);
		shim_shared_forget(slot);
	}
	return false;
}

/* Is this wait ours? If not, the condvar is made ready for libc. */
static bool take_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	uint32_t name;

	if (!shim_active() || shim_observing)
		return false;
	if (is_shared(cond))
		return take_shared_wait(cond, mutex);
	name = rqb_load(slot_of(cond));
	if (shim_mutex_is_ours(mutex) && (name == 0 || names_channel(name)) &&
	    !libc_has_waiters(cond))
		return true;
	if (names_channel(name)) {
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
				.count = (uint32_t *)&mutex->__data.__count,
				.owner = (uint32_t *)&mutex->__data.__owner,
				.mutex = mutex,
				RQB_PROBED(.cond = cond)};

	if (!shim_mutex_owned(mutex))
		return EPERM;
	if (shim_mutex_robust(mutex)) {
		lock.way = &shim_robust_way;
		lock.owner = NULL; /* it also says in what state the mutex is */
	} else if (shim_forcing && !rqu_sys_realtime()) {
		lock.way = &shim_spin_way;
		lock.plain = true;
	}
	if (is_shared(cond))
		return shim_shared_wait(slot_of(cond), &lock, dl);
	return rqu_private_wait(slot_of(cond), &lock, dl);
}

static int wait_ours_until(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
			   const struct timespec *abstime)
{
	struct rqu_deadline dl;
	int err = rqu_deadline_set(&dl, clock, abstime);

	return err ? err : wait_ours(cond, mutex, &dl);
}

static int do_wait(const struct shim_cond_call *c)
{
	return take_wait(c->cond, c->mutex) ? wait_ours(c->cond, c->mutex, NULL)
					    : shim_real.wait(c->cond, c->mutex);
}

static int do_timedwait(const struct shim_cond_call *c)
{
	clockid_t clock;

	if (!take_wait(c->cond, c->mutex))
		return shim_real.timedwait(c->cond, c->mutex, c->at);
	clock = flags_of(c->cond) & shim_layout.clock_flag ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	return wait_ours_until(c->cond, c->mutex, clock, c->at);
}

static int do_clockwait(const struct shim_cond_call *c)
{
	if (take_wait(c->cond, c->mutex))
		return wait_ours_until(c->cond, c->mutex, c->clock, c->at);
	return shim_real.clockwait ? shim_real.clockwait(c->cond, c->mutex, c->clock, c->at)
				   : ENOSYS;
}

static inline int wait_watched(const struct shim_cond_call *call, const void *caller)
{
	if (rqb_unlikely(shim_active() && shim_cond_watcher))
		return shim_cond_watcher->wait(call, caller);
	return call->how(call);
}

/*
 * The functions have names of our own and are exported as libc's, by version: so that shim.c can
 * ask whether the program's calls really come here.
 */
SHIM_API int shim_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	struct shim_cond_call call = {.how = do_wait, .cond = cond, .mutex = mutex};

	return wait_watched(&call, __builtin_return_address(0));
}

SHIM_API int shim_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				 const struct timespec *abstime)
{
	struct shim_cond_call call = {
	    .how = do_timedwait, .cond = cond, .mutex = mutex, .at = abstime};

	return wait_watched(&call, __builtin_return_address(0));
}

SHIM_API int shim_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
				 const struct timespec *abstime)
{
	struct shim_cond_call call = {
	    .how = do_clockwait, .cond = cond, .mutex = mutex, .clock = clock, .at = abstime};

	return wait_watched(&call, __builtin_return_address(0));
}

/* Nobody waits, neither ours nor libc's: what libc would look at first, without the way there. */
static inline bool nobody_waits(pthread_cond_t *cond)
{
	return rqb_likely(rqb_load_acq(&shim_state) == SHIM_ACTIVE) &&
	       rqb_likely((rqb_load(slot_of(cond)) | flags_of(cond) >> SHIM_REFS_SHIFT) == 0) &&
	       rqb_likely(!is_shared(cond));
}

/* There may be processes without a preload, whose threads wait their own way. */
static int release_shared(pthread_cond_t *cond, int nr_requeue, int (*real)(pthread_cond_t *))
{
	int err = shim_layout.share ? shim_shared_release(slot_of(cond), nr_requeue) : 0;

	return libc_has_waiters(cond) ? real(cond) : err;
}

static int do_release(pthread_cond_t *cond, int nr_requeue, int (*real)(pthread_cond_t *))
{
	if (shim_observing)
		return real(cond);
	if (is_shared(cond))
		return release_shared(cond, nr_requeue, real);
	if (names_channel(rqb_load(slot_of(cond))))
		return rqu_private_release(slot_of(cond), nr_requeue);
	return real(cond);
}

static int release_waiters(pthread_cond_t *cond, int nr_requeue, int (*real)(pthread_cond_t *),
			   const void *caller)
{
	bool tell;
	int err;

	if (!shim_active())
		return real(cond);
	if (!shim_cond_watcher)
		return do_release(cond, nr_requeue, real);
	tell = shim_cond_watcher->release(cond, nr_requeue != 0, caller);
	err = do_release(cond, nr_requeue, real);
	if (tell)
		shim_cond_watcher->released((uint64_t)(uintptr_t)cond);
	return err;
}

SHIM_API int shim_cond_signal(pthread_cond_t *cond)
{
	return nobody_waits(cond)
		   ? 0
		   : release_waiters(cond, 0, shim_real.signal, __builtin_return_address(0));
}

SHIM_API int shim_cond_broadcast(pthread_cond_t *cond)
{
	return nobody_waits(cond) ? 0
				  : release_waiters(cond, INT_MAX, shim_real.broadcast,
						    __builtin_return_address(0));
}

SHIM_API int shim_cond_destroy(pthread_cond_t *cond)
{
	if (shim_active() && shim_cond_watcher)
		shim_cond_watcher->destroy(cond);
	/* Released waiters of ours are not in the condvar any more: nothing to wait for. */
	if (shim_active() && !shim_observing && is_shared(cond)) {
		if (shim_layout.share && shim_shared_in_use(slot_of(cond)))
			shim_shared_forget(slot_of(cond));
	} else if (shim_active() && names_channel(rqb_load(slot_of(cond))))
		rqb_store(slot_of(cond), 0);
	return shim_real.destroy(cond);
}

/* glibc has it from 2.30 in libpthread and from 2.34 in libc: two versions of one function. */
SHIM_EXPORT_ALSO(shim_cond_clockwait, shim_cond_clockwait_2_30, pthread_cond_clockwait,
		 "GLIBC_2.30");
SHIM_EXPORT_DEFAULT(shim_cond_clockwait, pthread_cond_clockwait, "GLIBC_2.34");
SHIM_EXPORT_DEFAULT(shim_cond_wait, pthread_cond_wait, SHIM_COND);
SHIM_EXPORT_DEFAULT(shim_cond_timedwait, pthread_cond_timedwait, SHIM_COND);
SHIM_EXPORT_DEFAULT(shim_cond_signal, pthread_cond_signal, SHIM_COND);
SHIM_EXPORT_DEFAULT(shim_cond_broadcast, pthread_cond_broadcast, SHIM_COND);
SHIM_EXPORT_DEFAULT(shim_cond_destroy, pthread_cond_destroy, SHIM_COND);

/* clang-format off */
const struct shim_binding shim_cond_bindings[] = {
	SHIM_BIND_REAL(wait, shim_cond_wait, pthread_cond_wait, SHIM_COND),
	SHIM_BIND_REAL(timedwait, shim_cond_timedwait, pthread_cond_timedwait, SHIM_COND),
	SHIM_BIND_REAL(signal, shim_cond_signal, pthread_cond_signal, SHIM_COND),
	SHIM_BIND_REAL(broadcast, shim_cond_broadcast, pthread_cond_broadcast, SHIM_COND),
	SHIM_BIND_REAL(destroy, shim_cond_destroy, pthread_cond_destroy, SHIM_COND),
	/* Of 2.30: a program that calls it runs on a libc that has it. The later version wins. */
	SHIM_BIND(&shim_real.clockwait, shim_cond_clockwait_2_30, pthread_cond_clockwait,
		  "GLIBC_2.30", false, false),
	SHIM_BIND(&shim_real.clockwait, shim_cond_clockwait, pthread_cond_clockwait, "GLIBC_2.34",
		  false, true),
	{.name = NULL},
};
/* clang-format on */
