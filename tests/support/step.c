/* SPDX-License-Identifier: MIT */
/*
 * step.c - see step.h. The SIGTRAP handler runs on the stepped thread, so it uses nothing but
 * atomics and raw futex calls; a cancellation or a second signal may hit it there.
 */
#define _GNU_SOURCE
#include "tests/support/step.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

enum { STEP_RUNNING, STEP_STOPPED, STEP_OVER };

static struct rqt_step_plan *_Atomic current;

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_STEP 1
#define TRAP_FLAG 0x100
#endif

void rqt_need_step(const char *test)
{
	rqt_need_kernel(test);
#ifndef HAVE_STEP
	rqt_skip(test, "stepping by instruction needs x86-64 and no sanitizer");
#else
	(void)test;
#endif
}

#ifdef HAVE_STEP
static void stop_here(struct rqt_step_plan *plan)
{
	atomic_store(&plan->state, STEP_STOPPED);
	rqt_raw_futex(&plan->state, FUTEX_WAKE, INT_MAX, NULL);
	while (atomic_load(&plan->state) == STEP_STOPPED)
		rqt_raw_futex(&plan->state, FUTEX_WAIT, STEP_STOPPED, NULL);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	struct rqt_step_plan *plan = atomic_load(&current);
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	if (!plan) {
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	plan->steps++;
	if (!plan->every) {
		if (plan->steps < plan->at)
			return;
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		atomic_store(&current, NULL);
	}
	stop_here(plan);
}

void rqt_step_begin(void)
{
	/* Below the red zone: the flag's first trap comes after the popfq. */
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
			     : "memory", "cc");
}

void rqt_step_end(void)
{
	struct rqt_step_plan *plan = atomic_exchange(&current, NULL);

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
			     : "memory", "cc");
	if (plan)
		atomic_store(&plan->state, STEP_OVER);
}
#else
void rqt_step_begin(void)
{
}

void rqt_step_end(void)
{
}
#endif

void rqt_step_plan(struct rqt_step_plan *plan)
{
#ifdef HAVE_STEP
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGTRAP, &sa, NULL);
#endif
	plan->steps = 0;
	atomic_store(&plan->state, STEP_RUNNING);
	atomic_store(&current, plan);
}

/* Not in a stop of ours (FUTEX_WAIT), but in a call that the library made. */
static bool is_asleep_for_good(struct rqt_thread *t)
{
	return rqt_is_asleep_in(t, FUTEX_WAIT_REQUEUE_PI) ||
	       rqt_is_asleep_in(t, FUTEX_WAIT_BITSET) || rqt_is_asleep_in(t, FUTEX_LOCK_PI);
}

bool rqt_step_next(struct rqt_step_plan *plan, struct rqt_thread *t, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;

	for (unsigned int turn = 1; atomic_load(&plan->state) == STEP_RUNNING; turn++) {
		if (atomic_load(&t->done) ||
		    (!plan->every && !plan->timed && turn % 256 == 0 && is_asleep_for_good(t)))
			return false;
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("the stepped thread stands still after %lu instructions",
				 plan->steps);
		sched_yield();
	}
	return atomic_load(&plan->state) == STEP_STOPPED;
}

void rqt_step_go(struct rqt_step_plan *plan)
{
	atomic_store(&plan->state, STEP_RUNNING);
	rqt_raw_futex(&plan->state, FUTEX_WAKE, INT_MAX, NULL);
}

void rqt_step_forget(void)
{
	atomic_store(&current, NULL);
}
