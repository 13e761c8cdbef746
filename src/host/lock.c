/* SPDX-License-Identifier: MIT */
/*
 * lock.c - raw locks: PI locks of the real kernel, since a thread of user space that holds one can
 * be preempted, and a real-time thread that span on it would never let it run again.
 *
 * Called by the engine through the port, and by all of src/host. word[0] is the futex: 0, or the
 * TID of the holder and the kernel's bits, as in src/base/word.h. On a kernel without PI futexes it
 * is 0 free, 1 held, 2 held and somebody waits; then a holder's death is not noticed.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "src/base/pause.h"
#include "src/base/word.h"
#include "src/host/rawcall.h"

/* Looks before a system call: about as long as the longest section under a raw lock. Bounded. */
#define LOOKS 60

/*
 * How often relax() only waits a little, since the last trylock() that had success; then it sleeps.
 */
#define RELAX_LOOKS 4
#define RELAX_NSEC  50000
#define RELAX_DOUBLINGS \
	5 /* of that: a few real-time threads that all do so leave no CPU to others */

static uint32_t without_pi;

static bool is_plain(void)
{
	return rqb_load(&without_pi) != 0;
}

/* The lock may be in shared memory, unless nobody shares the arena. */
static long futex(const struct rqh_host *h, uint32_t *word, int op, uint32_t val)
{
	if (!h || !rqh_has(h, RQPI_HOST_ACROSS_FORK))
		op |= FUTEX_PRIVATE_FLAG;
	return rqh_syscall(RQH_SYS_FUTEX, RQH_ARG(word), op, (long)val, 0, 0, 0);
}

void rqh_lock_probe(void)
{
	uint32_t word = rqh_me()->tid;
	long ret = rqh_syscall(RQH_SYS_FUTEX, RQH_ARG(&word), FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0,
			       0, 0, 0);

	/* It is ours already, and a kernel that knows the operation says so. */
	rqb_store_sc(&without_pi, ret == -EDEADLK ? 0 : 1);
}

static void note_broken(struct rqh_host *h)
{
	if (!h)
		return;
	rqb_count(&h->broken_locks);
	rqh_say_once(h, RQH_SAID_BROKEN,
		     "rqpi: a thread died inside the engine; its lock was taken over\n");
}

static bool can_be_holder(const struct rqh_host *h, uint32_t tid)
{
	struct rqh_identity who;

	if (!rqh_identify(tid, &who) || who.kernel)
		return false;
	return (h && rqh_has(h, RQPI_HOST_ACROSS_FORK)) || who.pid == rqh_local->pid;
}

/*
 * The word names a thread that cannot be its holder: a dead one, or none that could have taken it.
 */
static bool take_over(struct rqh_host *h, uint32_t *word, uint32_t tid)
{
	uint32_t seen = rqb_load(word);

	if (rqb_word_tid(seen) != tid && can_be_holder(h, rqb_word_tid(seen)))
		return false; /* somebody was faster, or it is its holder's after all */
	if (!rqb_cas_acq(word, seen, tid))
		return false;
	note_broken(h);
	return true;
}

static void lock_in_kernel(struct rqh_host *h, uint32_t *word, const struct rqh_tls *me)
{
	for (;;) {
		switch (futex(h, word, FUTEX_LOCK_PI, 0)) {
		case 0:
			rqb_handoff_acquire(word);
			if (rqb_word_owner_died(rqb_load_acq(word))) {
				(void)rqb_and(word, ~RQB_WORD_OWNER_DIED);
				note_broken(h);
			}
			return;
		case -EDEADLK:
			/*
			 * Ours already: left behind by a dead thread of this number, or a true one.
			 */
			rqh_assert(me->raw_held == 0);
			if (take_over(h, word, me->tid))
				return;
			break;
		case -ESRCH:
		case -EPERM:
			if (take_over(h, word, me->tid))
				return;
			break;
		case -EAGAIN:
		case -EINTR:
			break;
		case -ENOMEM:
			rqh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
			break;
		default:
			rqh_panic(h, "the kernel refuses a lock", __FILE__, __LINE__);
		}
	}
}

static void lock_plain(struct rqh_host *h, uint32_t *word)
{
	while (rqb_xchg(word, 2) != 0)
		futex(h, word, FUTEX_WAIT, 2);
}

static bool take_if_free(struct rqh_tls *me, uint32_t *word)
{
	if (rqb_load(word) != 0 || !rqb_cas_acq(word, 0, is_plain() ? 1 : me->tid))
		return false;
	me->raw_held++;
	return true;
}

bool rqh_trylock(void *ctx, struct rqpi_rawlock *lock)
{
	struct rqh_tls *me = rqh_me();

	(void)ctx;
	if (rqb_unlikely(me->panicking))
		return true;
	if (!take_if_free(me, &lock->word[0]))
		return false;
	me->relaxed = 0;
	return true;
}

void rqh_lock(void *ctx, struct rqpi_rawlock *lock)
{
	struct rqh_tls *me = rqh_me();

	if (rqb_unlikely(me->panicking))
		return;
	for (int i = 0; i < LOOKS; i++) {
		if (take_if_free(me, &lock->word[0]))
			return;
		rqb_pause();
	}
	if (is_plain())
		lock_plain(ctx, &lock->word[0]);
	else
		lock_in_kernel(ctx, &lock->word[0], me);
	me->raw_held++;
}

void rqh_unlock(void *ctx, struct rqpi_rawlock *lock)
{
	struct rqh_tls *me = rqh_me();
	long ret;

	if (me->panicking)
		return;
	me->raw_held--;
	if (is_plain()) {
		if (rqb_xchg(&lock->word[0], 0) == 2)
			futex(ctx, &lock->word[0], FUTEX_WAKE, 1);
		return;
	}
	if (rqb_cas_rel(&lock->word[0], me->tid, 0))
		return;
	rqb_handoff_release(&lock->word[0]);
	do
		ret = futex(ctx, &lock->word[0], FUTEX_UNLOCK_PI, 0);
	while (ret == -EAGAIN || ret == -EINTR);
	if (ret != 0)
		rqh_panic(ctx, "the kernel refuses to unlock", __FILE__, __LINE__);
}

/*
 * Not by waiting for the lock: its memory may be gone by now. The holder is most likely running,
 * and done in a moment. If not, a real sleep, however short, lets every thread of this CPU run,
 * which yielding does not do for those less urgent.
 */
void rqh_relax(void *ctx)
{
	struct timespec moment = {0, RELAX_NSEC};
	struct rqh_tls *me = rqh_me();
	uint32_t slept;

	(void)ctx;
	if (me->relaxed++ < RELAX_LOOKS) {
		for (int i = 0; i < LOOKS; i++)
			rqb_pause();
		return;
	}
	slept = me->relaxed - RELAX_LOOKS - 1;
	moment.tv_nsec <<= slept < RELAX_DOUBLINGS ? slept : RELAX_DOUBLINGS;
	rqh_syscall4(RQH_SYS_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, 0, RQH_ARG(&moment), 0);
}
