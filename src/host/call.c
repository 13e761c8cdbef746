/* SPDX-License-Identifier: MIT */
/*
 * call.c - rqpi_futex() and what else a thread calls for itself.
 *
 * Called by programs, by futex_shim.c and by the waist. Owns the way into the engine and out of it:
 * when signals are held back, and whether an operation that a handler ended is begun again.
 * Contracts: rqpi/host.h.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <sched.h>

#include "src/base/assert.h"
#include "src/base/probe.h"

RQB_BUILD(sizeof(struct timespec) == sizeof(struct rqpi_timespec),
	  "the engine takes 64-bit times, and gets them as they are");

/* The arguments of one call. */
struct call {
	uint32_t *uaddr;
	int op;
	uint32_t val;
	const void *timeout;
	uint32_t *uaddr2;
	uint32_t val3;
};

static void enter(struct rqh_host *h, struct rqh_thread *t, int op)
{
	if (rqb_unlikely(rqb_load(&t->in_call)))
		rqh_recover(t, (uintptr_t)__builtin_frame_address(0));
	rqb_store(&t->in_call, 1);
	rqb_compiler_barrier();
	rqb_store(&t->cpu, (uint32_t)(sched_getcpu() + 1));
	t->shared_call = !(op & RQPI_FUTEX_PRIVATE);
	t->may_restart = 0;
	if (rqb_unlikely(rqb_load(&t->own_deadline)))
		rqh_refresh_deadline(t);
	if (rqh_has(h, RQPI_HOST_CATCH_FAULTS))
		rqh_catch_faults();
}

static void leave(struct rqh_thread *t)
{
	rqb_compiler_barrier();
	rqb_store_rel(&t->in_call, 0);
}

static long run(struct rqh_host *h, struct rqh_thread *t, const struct call *c)
{
	long ret;

	enter(h, t, c->op);
	rqb_count(&t->counts.calls);
	ret = rqpi_futex_call(rqh_task(t), c->uaddr, c->op, c->val, c->timeout, c->uaddr2, c->val3);
	leave(t);
	return ret;
}

/* A handler has run, or is about to: is the call to be made again? */
static bool restarts(long ret, bool with_sa_restart)
{
	return ret == -RQPI_ERESTARTNOINTR || (ret == -RQPI_ERESTARTSYS && with_sa_restart);
}

static long finish(long ret)
{
	return ret == -RQPI_ERESTARTSYS ? -EINTR : ret;
}

/* Handlers have run by the time the engine is left; which ones, nobody knows. */
static long call_open(struct rqh_host *h, const struct call *c)
{
	long ret;

	do {
		struct rqh_thread *t = rqh_self(h);

		if (!t)
			return -ENOMEM;
		ret = run(h, t, c);
	} while (restarts(ret, ret == -RQPI_ERESTARTSYS && rqh_signals_all_restart()));
	return finish(ret);
}

/*
 * Handlers run where the mask is put back, with the engine left. They may do anything there, even
 * call fork(): the record is looked for again in each turn.
 */
static long call_deferred(struct rqh_host *h, const struct call *c)
{
	bool again;
	long ret;

	do {
		uint64_t mask = rqh_signals_block();
		struct rqh_thread *t = rqh_self(h);

		if (!t) {
			rqh_signals_restore(mask);
			return -ENOMEM;
		}
		t->mask = mask;
		t->deferring = 1;
		ret = run(h, t, c);
		t->deferring = 0;
		again = restarts(ret, t->may_restart);
		rqh_signals_restore(mask);
		h = again ? rqh_enter() : h;
	} while (again && h);
	return finish(ret);
}

long rqpi_futex(uint32_t *uaddr, int op, uint32_t val, const struct timespec *timeout,
		uint32_t *uaddr2, uint32_t val3)
{
	const struct call c = {uaddr, op, val, timeout, uaddr2, val3};
	struct rqh_host *h = rqh_enter();
	long ret;

	if (rqb_unlikely(!h))
		return -ENOMEM;
	/* For a tracer, these are the system call that is not made. */
	RQB_PROBE4(futex__entry, uaddr, op, val, uaddr2);
	ret = rqh_has(h, RQPI_HOST_DEFER_SIGNALS) ? call_deferred(h, &c) : call_open(h, &c);
	RQB_PROBE3(futex__return, uaddr, op, ret);
	return ret;
}

/* ---------------------------------------------------------------- cancellation */

void rqpi_futex_cancellable(bool on)
{
	struct rqh_host *h = rqh_enter();
	struct rqh_thread *t = h ? rqh_self(h) : NULL;

	if (t)
		t->cancellable = on;
}

void rqpi_futex_abandon(void)
{
	struct rqh_thread *t = rqh_me()->thread;

	if (!t || !t->in_call)
		return;
	t->cancellable = 0;
	rqb_store_sc(&t->park, RQH_AWAKE); /* a token too few: nobody sleeps for it */
	(void)rqpi_task_abandon(rqh_task(t), true);
	leave(t);
}

/* ---------------------------------------------------------------- the rest of a thread's life */

/* Signals are blocked around what is short and rare, whatever the options. */
static struct rqh_thread *begin(struct rqh_host **h, uint64_t *mask)
{
	struct rqh_thread *t;

	*h = rqh_enter();
	if (!*h)
		return NULL;
	*mask = rqh_signals_block();
	t = rqh_self(*h);
	if (!t)
		rqh_signals_restore(*mask);
	return t;
}

long rqpi_futex_set_robust_list(const void *head, size_t bytes)
{
	struct rqh_host *h;
	uint64_t mask;
	struct rqh_thread *t = begin(&h, &mask);
	long ret;

	if (!t)
		return -ENOMEM;
	ret = rqpi_task_set_robust_list(rqh_task(t), head, bytes);
	rqh_signals_restore(mask);
	return ret;
}

void rqpi_futex_thread_exit(void)
{
	struct rqh_host *h;
	uint64_t mask;
	struct rqh_thread *t = begin(&h, &mask);

	if (!t)
		return;
	rqh_leave(h, t);
	rqh_signals_restore(mask);
}

void rqpi_futex_exec(void)
{
	struct rqh_host *h;
	uint64_t mask;
	struct rqh_thread *t = begin(&h, &mask);

	if (!t)
		return;
	t->in_call = 1;
	t->space = rqb_add64(&h->last_space, 1) + 1;
	rqpi_task_exec(rqh_task(t), t->space);
	t->in_call = 0;
	rqh_signals_restore(mask);
}

int rqpi_get_host_stats(struct rqpi_host_stats *stats)
{
	struct rqpi_host_stats now = {.size = stats->size};
	struct rqh_host *h = rqh_enter();
	uint64_t bytes = stats->size;

	if (bytes < sizeof(stats->size) || bytes % 8 != 0)
		return EINVAL;
	if (h)
		rqh_sum_counts(h, &now);
	for (size_t i = 0; i < bytes / 8; i++)
		((uint64_t *)stats)[i] = i < sizeof(now) / 8 ? ((uint64_t *)&now)[i] : 0;
	return 0;
}
