/* SPDX-License-Identifier: MIT */
/*
 * signals.c - signals held back while a thread is in the engine (RQPI_HOST_DEFER_SIGNALS).
 *
 * Called by call.c around every operation, and by bell.c when signals are there during a sleep. No
 * handler runs while the engine is entered: one that must run ends the operation first, and runs
 * when the old mask is put back. Synchronous faults are never held back: the kernel would kill us.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <signal.h>

#include "src/host/rawcall.h"

#define SIGNALS	   64
#define BIT(sig)   (1ull << ((sig)-1))
#define MASK_BYTES 8

#define SYNCHRONOUS \
	(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP) | BIT(SIGSYS))

/*
 * Those below the program's real-time signals are the C library's own: cancellation, setuid of all
 * threads, with musl timers as well.
 */
#define OF_LIBC (BIT(SIGRTMIN) - BIT(32))

/* As many pending signals of one number as are kept in order when they are claimed. */
#define CLAIM_MAX 16

/* How the kernel's own struct sigaction begins on every machine that we know; the rest is its. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	unsigned long rest[18];
};

static uint64_t set_mask(int how, uint64_t mask)
{
	uint64_t old = 0;

	rqh_syscall4(SYS_rt_sigprocmask, how, RQH_ARG(&mask), RQH_ARG(&old), MASK_BYTES);
	return old;
}

uint64_t rqh_signals_block(void)
{
	return set_mask(SIG_SETMASK, ~SYNCHRONOUS);
}

void rqh_signals_restore(uint64_t mask)
{
	set_mask(SIG_SETMASK, mask);
}

/* True: there is a handler for @sig; *restart: with SA_RESTART. */
static bool has_handler(int sig, bool *restart)
{
	struct kernel_sigaction sa = {.handler = SIG_DFL};

	if (rqh_syscall4(SYS_rt_sigaction, sig, 0, RQH_ARG(&sa), MASK_BYTES) != 0)
		return false;
	*restart = (sa.flags & SA_RESTART) != 0;
	return sa.handler != SIG_DFL && sa.handler != SIG_IGN;
}

/*
 * A signal to the process is pending for all its threads, and here it may be that all of them hold
 * it back. Take it, and send it to this thread alone, so that its handler runs here and only here,
 * and no other sleeper is interrupted for nothing. False: another thread was faster.
 *
 * What comes to the process meanwhile stays behind those: the kernel delivers a thread's own first.
 * But not what comes to this thread, so signals that are this thread's own already are left alone:
 *
 *	sender			here
 *	queue 1, 2
 *				take 1, 2
 *	queue 3
 *				send 1, 2: they are behind 3
 */
static bool claim(int sig)
{
	const struct timespec now = {0, 0};
	uint64_t set = BIT(sig);
	siginfo_t info[CLAIM_MAX];
	int n = 0;

	while (n < CLAIM_MAX && rqh_syscall4(RQH_SYS_SIGTIMEDWAIT, RQH_ARG(&set), RQH_ARG(&info[n]),
					     RQH_ARG(&now), MASK_BYTES) == sig)
		n++;
	for (int i = 0; i < n; i++) {
		uint32_t tid = rqh_me()->tid;

		if (rqh_syscall4(SYS_rt_tgsigqueueinfo, rqh_local->pid, tid, sig,
				 RQH_ARG(&info[i])) != 0)
			rqh_syscall3(SYS_tgkill, rqh_local->pid, tid, sig);
	}
	return n > 0;
}

bool rqh_signals_settle(struct rqh_thread *t)
{
	uint64_t pending = 0;
	uint64_t alone = 0;
	uint64_t without = 0; /* no handler: they are ignored, or stop or end the process */
	bool found = false;

	rqh_syscall3(SYS_rt_sigpending, RQH_ARG(&pending), MASK_BYTES, 0);
	pending &= ~t->mask;
	if (pending)
		rqh_pending_alone(&alone);
	for (int sig = 1; sig <= SIGNALS; sig++) {
		bool restart;

		if (!(pending & BIT(sig)))
			continue;
		if (!has_handler(sig, &restart)) {
			without |= BIT(sig);
		} else if (((alone & BIT(sig)) || claim(sig)) && !found) {
			/*
			 * The kernel delivers the lowest first, and that one decides about the
			 * call.
			 */
			found = true;
			t->may_restart = restart;
		}
	}
	if (without) {
		/* The kernel keeps even ignored ones as long as they are blocked. */
		rqh_signals_restore(~SYNCHRONOUS & ~without);
		rqh_signals_block();
	}
	return found;
}

/* Handlers in @set: is there one without SA_RESTART? *any: is there one at all? */
static bool all_restart_in(uint64_t set, bool *any)
{
	bool all = true;
	bool restart;

	*any = false;
	for (int sig = 1; sig <= SIGNALS; sig++) {
		if ((set & BIT(sig)) && has_handler(sig, &restart)) {
			*any = true;
			all = all && restart;
		}
	}
	return all;
}

/*
 * What the program installed itself counts first; the C library's own and ours only if that is all.
 */
bool rqh_signals_all_restart(void)
{
	bool any;
	bool all = all_restart_in(~(OF_LIBC | SYNCHRONOUS), &any);

	return any ? all : all_restart_in(OF_LIBC | SYNCHRONOUS, &any);
}
