/* SPDX-License-Identifier: MIT */
/*
 * pshared.c - process-shared condvars: everything is in the condvar, because nothing else is
 * shared.
 *
 * The waiters sleep on the condvar's own `seq`. Three things differ from private ones:
 *
 *  - Nobody counts out. A waiter that has unlocked the mutex only reads the condvar, and only
 *    through the kernel, which answers EFAULT where the memory is gone. So a released waiter cannot
 *    damage memory that the program has put to another use after destroy, and a process killed
 *    while it waits leaves no count behind. `joined` counts waits ever begun; `served` is what
 *    `joined` was when a signaller last saw the kernel's queue empty after stepping `seq`. Equal:
 *    nobody waits. What is left: a waiter released in the window between unlock and sleep has the
 *    kernel compare `seq` with its ticket, after destroy if it is slow. Init gives each life of a
 *    condvar its own start value, so that only chance (2^-32) could make it sleep there.
 *
 *  - The mutex has another address in each process, so the distance from the condvar is kept.
 *    Within one page it is the same everywhere. Otherwise the two may be mapped apart: the kernel's
 *    own check of the requeue target tells the signaller (EINVAL, EFAULT), which marks the condvar
 *    RQU_COND_PLAIN; and waiters that sleep where a requeue might be refused look at `seq` every
 *    SLICE_MS (and go to the end of their priority's queue by it).
 *
 *  - All processes must have the same capabilities: one without requeue_pi cannot wake those with
 *    it.
 *
 *	waiter					signaller
 *	(mutex) t = seq, joined++		j = joined; j == served: nobody, done
 *	unlock					step seq
 *	WAIT_REQUEUE_PI(seq, t)			CMP_REQUEUE_PI; queue empty: served = j
 *
 * All who joined up to j have a ticket older than the step: they are asleep and are found, or they
 * get EAGAIN. So the load of the ticket may be relaxed: the addition to `joined` releases it, and
 * the signaller acquires that before it steps.
 */
#include "src/user/user.h"

#include <errno.h>
#include <limits.h>

#include "src/user/channel.h"

#define PAGE_BYTES 4096u /* the smallest page of any machine: never takes two pages for one */
#define SLICE_MS   200

/*
 * A start value unlike that of any other life of a condvar. The mixing is the finaliser of
 * SplitMix64.
 */
uint32_t rqu_shared_start(const void *place)
{
	struct timespec now = rqu_sys_now(CLOCK_MONOTONIC);
	uint64_t x = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;

	x ^= (uint64_t)(uintptr_t)place << 20 ^ (uint64_t)rqu_sys_gettid() << 40;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ (x >> 31));
}

void rqu_shared_init(struct rqu_cond *c)
{
	c->seq = rqu_shared_start(c);
}

static struct rqu_queue queue_of(struct rqu_cond *c)
{
	uintptr_t word = (uintptr_t)c + (uintptr_t)rqb_load64(&c->distance);

	return (struct rqu_queue){&c->seq, (uint32_t *)word, true};
}

static bool same_page(const struct rqu_queue *q)
{
	return (uintptr_t)q->seq / PAGE_BYTES == (uintptr_t)q->word / PAGE_BYTES;
}

/* Relaxed: a hint. Who misses it sleeps for a requeue, and looks at `seq` every SLICE_MS. */
static bool is_plain(struct rqu_cond *c)
{
	return (rqb_load(&c->kind) & RQU_COND_PLAIN) != 0;
}

/* `served` only moves forward: a slow signaller must not take back what a later one has seen. */
static void mark_served(struct rqu_cond *c, uint64_t joined)
{
	uint64_t old = rqb_load64(&c->served);

	while (joined > old && !rqb_cas64(&c->served, old, joined))
		old = rqb_load64(&c->served);
}

/*
 * The kernel refused to requeue towards where the mutex is said to be. Mapped apart, that is no
 * place in this process: from now on everybody sleeps plainly, and those already asleep look at
 * `seq` by themselves. In one page it is the same place everywhere, so the mutex itself is not what
 * it should be.
 */
static int requeue_refused(struct rqu_cond *c, const struct rqu_queue *q, int err)
{
	if (same_page(q))
		return err;
	rqb_or(&c->kind, RQU_COND_PLAIN);
	rqu_sys_wake(q->seq, INT_MAX, true);
	return 0;
}

int rqu_shared_release(struct rqu_cond *c, int nr_requeue)
{
	uint64_t joined = rqb_load64(&c->joined);
	struct rqu_queue q;
	int ret;

	if (joined == rqb_load64(&c->served))
		return 0;
	RQB_PROBE2(cond__release, c, nr_requeue != 0);
	do {
		q = queue_of(c);
		ret = rqu_release(&q, nr_requeue, is_plain(c), NULL);
		/* Refused, and bound to another mutex meanwhile: we asked for the one of before. */
	} while ((ret == -EINVAL || ret == -EFAULT) && queue_of(c).word != q.word);
	RQU_PROBE_RELEASED(c, nr_requeue != 0, ret);
	if (ret >= 0) {
		if (nr_requeue > 0 || ret == 0)
			mark_served(c, joined);
		return 0;
	}
	if (ret == -EINVAL || ret == -EFAULT)
		return requeue_refused(c, &q, -ret);
	return rqu_to_errno(ret);
}

/* Gone (EFAULT) is released too: destroy is legal only after that. */
bool rqu_shared_released(struct rqu_wait *w)
{
	int ret = rqu_sys_compare(w->q.seq, w->ticket, true);
	uint32_t now;

	if (ret == 0 || ret == -EAGAIN || ret == -EFAULT)
		return ret != 0;
	/* A sandbox without that operation. */
	return rqu_sys_read(w->q.seq, &now) != 0 || now != w->ticket;
}

/*
 * Without a step of `seq`: this must not write, see above. Nobody else is owed one: whoever was in
 * the window when our signal was sent has been released by that signal's own step.
 */
void rqu_shared_forward(struct rqu_wait *w)
{
	uint32_t now;
	int ret = -ENOSYS;

	while (!w->plain && rqu_can_requeue()) {
		if (rqu_sys_read(w->q.seq, &now) == -EFAULT)
			return;
		ret = rqu_sys_cmp_requeue_pi(w->q.seq, now, w->q.word, 0, true);
		if (ret != -EAGAIN)
			break;
	}
	if (ret == -ENOSYS)
		rqu_sys_wake(w->q.seq, 1, true);
}

/* Under the mutex: make its place known. Those inside with another mutex are released first. */
static void bind_mutex(struct rqu_cond *c, const struct rqu_lock *lock)
{
	uint64_t distance = (uint64_t)((uintptr_t)lock->word - (uintptr_t)c);
	uint64_t old = rqb_load64(&c->distance);

	/* Plain sleepers need no place; two processes that see it differently would never agree. */
	if (old == distance || is_plain(c) || !rqu_can_requeue())
		return;
	if (rqb_load64(&c->joined) != rqb_load64(&c->served)) {
		rqb_count(&rqu_stats.rebinds);
		rqu_shared_release(c, INT_MAX);
	}
	rqb_cas64(&c->distance, old, distance);
}

int rqu_shared_wait(struct rqu_cond *c, struct rqu_lock *lock, const struct rqu_deadline *dl)
{
	struct rqu_wait w;

	bind_mutex(c, lock);
	w = (struct rqu_wait){.q = {&c->seq, lock->word, true},
			      .ticket = rqb_load(&c->seq),
			      .lock = lock,
			      .plain = is_plain(c),
			      .released = rqu_shared_released,
			      .forward = rqu_shared_forward};
	/*
	 * A plain sleeper always: FUTEX_WAKE reaches nobody while one that waits to be requeued is
	 * in front of it.
	 */
	w.slice_ms = !w.plain && same_page(&w.q) ? 0 : SLICE_MS;
	rqb_add64(&c->joined, 1);
	return rqu_wait_and_relock(&w, dl);
}
