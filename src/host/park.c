/* SPDX-License-Identifier: MIT */
/*
 * park.c - how a thread sleeps, and is woken.
 *
 * Called by the engine through the port. A wake-up leaves a token, which the next sleep takes at
 * once: it cannot be lost, and one too many only makes the engine look again.
 *
 *   sleeper                              waker
 *   AWAKE -> ASLEEP, or takes the TOKEN
 *   sleeps while it is ASLEEP            any -> TOKEN; was it ASLEEP: a system call ends the sleep
 *   ASLEEP -> AWAKE, or takes the TOKEN
 *
 * The sleep itself is the kernel's: a futex wait on @park, or the thread's bell (bell.c) where
 * signals are held back.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <time.h>

#include "src/base/cancel.h"
#include "src/base/pause.h"
#include "src/host/rawcall.h"

/* How long a thread sleeps at most before it looks for others that died without telling. */
#define WATCH_NSEC    50000000u
#define WATCH_RECORDS 64u

#define SPINS 1000 /* as long as a sleep and a wake-up take */

#define LOOK_NSEC 5000000u /* between two looks for signals */

uint64_t rqh_now(void *ctx, int clock)
{
	struct timespec ts = {0, 0};

	(void)ctx;
	clock_gettime(clock == RQPI_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * RQH_NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int futex_flags(const struct rqh_host *h)
{
	return rqh_has(h, RQPI_HOST_ACROSS_FORK) ? 0 : FUTEX_PRIVATE_FLAG;
}

/*
 * The time is always given, if only the end of all time: the kernel then never restarts the call by
 * itself after a handler, whatever that was installed with.
 */
static int futex_sleep(struct rqh_host *h, struct rqh_thread *t,
		       const struct rqpi_deadline *deadline)
{
	struct timespec at = {
	    .tv_sec = (time_t)(deadline->ns / RQH_NSEC_PER_SEC),
	    .tv_nsec = (long)(deadline->ns % RQH_NSEC_PER_SEC),
	};
	int op = FUTEX_WAIT_BITSET | futex_flags(h);

	if (deadline->clock == RQPI_CLOCK_REALTIME)
		op |= FUTEX_CLOCK_REALTIME;
	return (int)rqh_syscall(RQH_SYS_FUTEX, RQH_ARG(&t->park), op, RQH_ASLEEP, RQH_ARG(&at), 0,
				(long)FUTEX_BITSET_MATCH_ANY);
}

/*
 * Signals are held back and there is no bell, for want of descriptors: sleep a little and look for
 * signals in between. Late, but never unnoticed.
 */
static int sleep_and_look(struct rqh_host *h, struct rqh_thread *t,
			  const struct rqpi_deadline *deadline, bool interruptible)
{
	struct rqpi_deadline slice = *deadline;
	uint64_t look = rqh_now(h, deadline->clock) + LOOK_NSEC;
	int ret;

	if (look < slice.ns)
		slice.ns = look;
	ret = futex_sleep(h, t, &slice);
	if (interruptible && rqh_signals_settle(t))
		return -EINTR;
	return slice.ns == deadline->ns ? ret : 0;
}

/*
 * Nothing is held here, and what there is to be finished can be found without this stack:
 * rqpi_futex_abandon().
 */
static int sleep_async(struct rqh_host *h, struct rqh_thread *t,
		       const struct rqpi_deadline *deadline)
{
	int type;
	int ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = futex_sleep(h, t, deadline);
	pthread_setcanceltype(type, NULL);
	return ret;
}

/* See base/cancel.h. */
RQB_ALIGN_STACK static void on_cancel(void *arg)
{
	(void)arg;
	pthread_exit(PTHREAD_CANCELED);
}

static int cancellable_sleep(struct rqh_host *h, struct rqh_thread *t,
			     const struct rqpi_deadline *deadline)
{
	int ret;

	if (!RQB_CANCEL_JUMPS)
		return sleep_async(h, t, deadline);
	pthread_cleanup_push(on_cancel, NULL);
	ret = sleep_async(h, t, deadline);
	pthread_cleanup_pop(0);
	return ret;
}

/*
 * One sleep, until something happens, which may be nothing: then the result is one not looked for.
 */
static int sleep_once(struct rqh_host *h, struct rqh_thread *t, enum rqh_park how,
		      const struct rqpi_deadline *deadline, bool interruptible)
{
	if (how == RQH_ASLEEP_BELL)
		return rqh_bell_sleep(h, t, deadline, interruptible);
	if (t->deferring)
		return sleep_and_look(h, t, deadline, interruptible);
	if (t->cancellable && interruptible)
		return cancellable_sleep(h, t, deadline);
	return futex_sleep(h, t, deadline);
}

/* Is there somebody whose death nobody would tell us of? */
static bool must_watch(const struct rqh_host *h, const struct rqh_thread *t)
{
	return rqb_load(&h->foreign_live) || (t->shared_call && rqh_has(h, RQPI_HOST_ACROSS_FORK));
}

/* The same deadline, or the end of this watch if that comes first. */
static struct rqpi_deadline slice_of(struct rqh_host *h, const struct rqh_thread *t,
				     const struct rqpi_deadline *deadline)
{
	struct rqpi_deadline slice = *deadline;
	uint64_t watch;

	if (!must_watch(h, t))
		return slice;
	watch = rqh_now(h, deadline->clock) + WATCH_NSEC;
	if (watch < slice.ns)
		slice.ns = watch;
	return slice;
}

static bool is_asleep(uint32_t park)
{
	return park == RQH_ASLEEP || park == RQH_ASLEEP_BELL;
}

static bool take_token(struct rqh_thread *t)
{
	return rqb_cas(&t->park, RQH_TOKEN, RQH_AWAKE);
}

/* Up again. True: there was a token. */
static bool get_up(struct rqh_thread *t, enum rqh_park how)
{
	return !rqb_cas(&t->park, how, RQH_AWAKE) && take_token(t);
}

/* Is @owner running on another CPU than @t, as far as one can see? */
static bool is_elsewhere(const struct rqh_thread *t, struct rqpi_task *owner)
{
	const struct rqh_thread *o = rqpi_task_cookie(owner);

	return rqb_load(&o->cpu) != rqb_load(&t->cpu) && !is_asleep(rqb_load_acq(&o->park));
}

/*
 * Who is next for a lock whose owner is running on another CPU has it sooner than a sleep and a
 * wake-up take. Without an owner it is being unlocked this very moment. Bounded, as the owner's
 * section may be long, and the CPU is only where it was last seen.
 */
static bool spin_for_owner(struct rqh_thread *t, struct rqpi_task *self)
{
	struct rqpi_task *owner;
	bool token = false;

	if (!rqpi_task_is_next(self, &owner))
		return false;
	for (int i = 0; i < SPINS && !token; i++) {
		if (owner && !is_elsewhere(t, owner))
			break;
		rqb_pause();
		token = rqb_load_acq(&t->park) == RQH_TOKEN;
	}
	if (owner)
		rqpi_task_put(owner);
	return token && take_token(t);
}

int rqh_block(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
	      bool interruptible)
{
	const struct rqpi_deadline forever = {RQPI_FOREVER, RQPI_CLOCK_MONOTONIC};
	struct rqh_thread *t = rqpi_task_cookie(self);
	struct rqh_host *h = ctx;

	if (!deadline)
		deadline = &forever;
	if (spin_for_owner(t, self))
		return 0;
	for (;;) {
		struct rqpi_deadline slice = slice_of(h, t, deadline);
		enum rqh_park how;
		int ret;

		how = t->deferring && rqh_bell_prepare(h, t) == 0 ? RQH_ASLEEP_BELL : RQH_ASLEEP;
		if (take_token(t) || !rqb_cas(&t->park, RQH_AWAKE, how))
			return 0;
		rqb_count(&t->counts.sleeps);
		/* From here to there the thread may be cancelled or killed, and others can tell. */
		t->frame = (uintptr_t)__builtin_frame_address(0);
		rqb_store_rel(&t->in_sleep, 1);
		ret = sleep_once(h, t, how, &slice, interruptible);
		rqb_store_rel(&t->in_sleep, 0);
		if (get_up(t, how))
			return 0;
		if (ret == -EINTR && interruptible)
			return -RQPI_EINTR;
		if (ret == -ETIMEDOUT && slice.ns == deadline->ns)
			return -RQPI_ETIMEDOUT;
		if (ret == -ETIMEDOUT)
			rqh_reap(h, WATCH_RECORDS);
	}
}

void rqh_wake(void *ctx, struct rqpi_task *task)
{
	struct rqh_thread *t = rqpi_task_cookie(task);
	struct rqh_host *h = ctx;
	uint32_t was = rqb_xchg(&t->park, RQH_TOKEN);

	if (was == RQH_ASLEEP)
		rqh_syscall(RQH_SYS_FUTEX, RQH_ARG(&t->park), FUTEX_WAKE | futex_flags(h), 1, 0, 0,
			    0);
	else if (was == RQH_ASLEEP_BELL)
		rqh_bell_ring(h, t);
	else
		return;
	rqb_count(&t->counts.wakes);
}
