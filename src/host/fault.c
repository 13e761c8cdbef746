/* SPDX-License-Identifier: MIT */
/*
 * fault.c - SIGSEGV and SIGBUS inside the accesses of guarded_*.c become EFAULT; every other fault
 * goes to whoever was there before.
 *
 * Called when the host starts, and again at each call with RQPI_HOST_CATCH_FAULTS: a program that
 * installs a handler of its own later on is asked second from then on.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "src/host/rawcall.h"

/*
 * What was installed when ours came. Two places: a handler that runs just now, in another thread,
 * reads one of them while a change is written to the other.
 */
static struct sigaction before[2][2];
static uint32_t current[2];
static uint32_t changing;

/* The handler before may call ours, if it knows of it: the second time is the end. */
static __thread uint32_t forwarding;

static int slot_of(int sig)
{
	return sig == SIGBUS;
}

#if defined(__x86_64__)
static uintptr_t *pc_in(ucontext_t *context)
{
	return (uintptr_t *)&context->uc_mcontext.gregs[REG_RIP];
}
#else
/* guarded_generic.c does not look at it. */
static uintptr_t *pc_in(ucontext_t *context)
{
	static uintptr_t nowhere;

	(void)context;
	return &nowhere;
}
#endif

/* As if we were not there: the instruction is repeated, or the signal sent again, without us. */
static void let_it_happen(int sig, const siginfo_t *info)
{
	signal(sig, SIG_DFL);
	if (info->si_code <= 0)
		rqh_syscall3(SYS_tgkill, rqh_local->pid, rqh_me()->tid, sig);
}

static void forward(int sig, siginfo_t *info, void *context)
{
	const struct sigaction *sa = &before[slot_of(sig)][rqb_load_acq(&current[slot_of(sig)])];

	if (sa->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	/* The kernel lets nobody ignore a real fault either. */
	if (sa->sa_handler == SIG_DFL || sa->sa_handler == SIG_IGN || forwarding) {
		let_it_happen(sig, info);
		return;
	}
	forwarding = 1;
	if (sa->sa_flags & SA_SIGINFO)
		sa->sa_sigaction(sig, info, context);
	else
		sa->sa_handler(sig);
	forwarding = 0;
}

static void handle_fault(int sig, siginfo_t *info, void *context)
{
	uintptr_t *pc = pc_in(context);
	uint64_t mask;
	uintptr_t exit;

	/* As far as the kernel fills it in. */
	memcpy(&mask, &((ucontext_t *)context)->uc_sigmask, sizeof(mask));
	exit = rqh_guarded_exit(*pc, (uintptr_t)info->si_addr, mask);

	if (exit)
		*pc = exit;
	else
		forward(sig, info, context);
}

static void take_place(int sig)
{
	struct sigaction now;
	struct sigaction ours;
	uint32_t *which = &current[slot_of(sig)];
	uint32_t other = !rqb_load(which);

	if (sigaction(sig, NULL, &now) != 0 ||
	    ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle_fault))
		return;
	/* Under the conditions that the program asked for, but always on its alternative stack. */
	ours = now;
	ours.sa_sigaction = handle_fault;
	ours.sa_flags = (now.sa_flags & (SA_NODEFER | SA_RESTART)) | SA_SIGINFO | SA_ONSTACK;
	before[slot_of(sig)][other] = now;
	rqb_store_rel(which, other);
	sigaction(sig, &ours, NULL);
}

void rqh_catch_faults(void)
{
	/* Whoever comes second while somebody is at it relies on that. */
	if (!rqb_cas_acq(&changing, 0, 1))
		return;
	take_place(SIGSEGV);
	take_place(SIGBUS);
	rqb_store_rel(&changing, 0);
}
