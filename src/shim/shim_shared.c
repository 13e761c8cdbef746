/* SPDX-License-Identifier: MIT */
/*
 * shim_shared.c - process-shared condvars: all there is of one lies in the two words of its slot.
 *
 *	word 0	the sequence that waiters sleep on
 *	word 1	PLACE_OURS and the distance to the mutex in words, or PLACE_PLAIN; without
 *		PLACE_OURS: nobody of ours has waited yet
 *
 * It is pshared.c of the library in eight bytes: nobody is counted, so a signal goes to the kernel
 * once anybody has ever waited.
 *
 * From glibc 2.41 on the slot is free for good, and processes without a preload may use the same
 * condvar libc's way (shim_layout.slot_is_ours): a signal of ours reaches both, one of theirs only
 * their own, so that nobody of ours sleeps longer than SLICE_MS before the program looks at its
 * condition again. POSIX calls that a spurious wakeup. Before 2.41 libc's waiters count themselves
 * in those words while inside, and its signallers wait until the count is 0: a process without a
 * preload that met our values there would hang. So a process-shared condvar is then libc's, unless
 * RQPI_PRELOAD_SHARED=1 says that all of its users have the preload; and even so it is on one side
 * at a time, as a private one is.
 *
 *	waiter					signaller
 *	(mutex) place, t = seq			no place: nobody, done
 *	unlock					step seq
 *	WAIT_REQUEUE_PI(seq, t, mutex)		CMP_REQUEUE_PI(seq, mutex by its place)
 */
#include <errno.h>
#include <limits.h>

#include "src/shim/shim.h"
#include "src/shim/shim_cond.h"
#include "src/user/channel.h"

#define SLICE_MS    200
#define PLACE_OURS  0x80000000u /* a count of libc's is never so large */
#define PLACE_PLAIN 0x40000000u /* no place that all processes agree on: sleep and wake plainly */
#define PLACE_BITS  0x3fffffffu /* the distance in words, signed */

enum { SEQ, PLACE };

/* For the probes: the condvar that @slot is in. */
#define COND_OF(slot) ((void *)((char *)(slot)-shim_layout.slot))

/*
 * The mutex lies this far away, if that is a distance which can be kept: it is in all processes the
 * same when both lie in one mapping. The kernel checks it at each requeue.
 */
static uint32_t place_of(const uint32_t *slot, const uint32_t *word)
{
	intptr_t distance = (intptr_t)((uintptr_t)word - (uintptr_t)slot);

	if (distance < INT32_MIN || distance > INT32_MAX || distance % 4)
		return PLACE_OURS | PLACE_PLAIN;
	return PLACE_OURS | ((uint32_t)(int32_t)(distance / 4) & PLACE_BITS);
}

static uint32_t *mutex_at(uint32_t *slot, uint32_t place)
{
	int32_t distance = (int32_t)(place << 2); /* in bytes, with its sign */

	return (uint32_t *)((uintptr_t)slot + (uintptr_t)(intptr_t)distance);
}

static struct rqu_queue queue_of(uint32_t *slot, uint32_t place)
{
	return (struct rqu_queue){&slot[SEQ], mutex_at(slot, place), true};
}

bool shim_shared_in_use(uint32_t *slot)
{
	return (rqb_load(&slot[PLACE]) & PLACE_OURS) != 0;
}

int shim_shared_release(uint32_t *slot, int nr_requeue)
{
	uint32_t place = rqb_load_acq(&slot[PLACE]);
	struct rqu_queue q = queue_of(slot, place);
	int ret;

	if (!(place & PLACE_OURS))
		return 0;
	RQB_PROBE2(cond__release, COND_OF(slot), nr_requeue != 0);
	ret = rqu_release(&q, nr_requeue, (place & PLACE_PLAIN) != 0, NULL);
	RQU_PROBE_RELEASED(COND_OF(slot), nr_requeue != 0, ret);
	if (ret != -EINVAL && ret != -EFAULT)
		return rqu_to_errno(ret);
	/* It is mapped apart: from now on plainly. Who is asleep to be requeued sees the step. */
	rqb_cas(&slot[PLACE], place, PLACE_OURS | PLACE_PLAIN);
	rqu_sys_wake(q.seq, INT_MAX, true);
	return 0;
}

/*
 * Under the mutex. Those inside with another mutex, which POSIX has no meaning for, are released.
 * Each life of a condvar begins with a sequence of its own: a waiter that was released in its
 * window, and runs only after destroy and init, must not find its ticket there again.
 */
static uint32_t bind_mutex(uint32_t *slot, const uint32_t *word)
{
	uint32_t place = place_of(slot, word);
	uint32_t old;

	do {
		old = rqb_load(&slot[PLACE]);
		if (old == place || (old & PLACE_PLAIN))
			return old;
		if (!(old & PLACE_OURS))
			rqb_store(&slot[SEQ], rqu_shared_start(slot));
		else
			shim_shared_release(slot, INT_MAX);
	} while (!rqb_cas(&slot[PLACE], old, place));
	return place;
}

int shim_shared_wait(uint32_t *slot, struct rqu_lock *lock, const struct rqu_deadline *dl)
{
	struct rqu_deadline slice = rqu_deadline_in(SLICE_MS);
	bool all = dl && rqu_deadline_within(dl, SLICE_MS);
	uint32_t place = bind_mutex(slot, lock->word);
	struct rqu_wait w = {.q = {&slot[SEQ], lock->word, true},
			     .ticket = rqb_load(&slot[SEQ]),
			     .lock = lock,
			     .plain = (place & PLACE_PLAIN) != 0,
			     .released = rqu_shared_released,
			     .forward = rqu_shared_forward};
	int err = rqu_wait_and_relock(&w, all ? dl : &slice);

	return err == ETIMEDOUT && !all ? 0 : err;
}

void shim_shared_forget(uint32_t *slot)
{
	rqb_store(&slot[PLACE], 0);
	rqb_store(&slot[SEQ], 0);
}
