/* SPDX-License-Identifier: MIT */
/*
 * tid.c - who the calling thread is: a cached thread id that is right after fork.
 *
 * A mutex word holds the owner's TID, so the fast path needs it without a system call. The child of
 * a fork is a new thread with a copy of the old one's memory: the cache is emptied there, or the
 * child would lock in the parent's name.
 */
#define _GNU_SOURCE
#include "src/user/user.h"

#include <pthread.h>

__thread struct rqu_self rqu_this;

/*
 * Who the one thread that came through fork was, in the processes above: newest first, 0 for
 * none. More than one after a fork of a fork, as daemons do it.
 */
#define LINEAGE 8
static RQB_STATE uint32_t lineage[LINEAGE];

uint32_t rqu_tid_slow(void)
{
	uint32_t tid = rqu_sys_gettid();

	/*
	 * An ancestor died and a thread of ours was given its number: the old meaning has expired.
	 */
	for (int i = 0; i < LINEAGE; i++)
		rqb_cas(&lineage[i], tid, RQB_WORD_TID_MASK);
	RQU_THIS.tid = tid;
	return tid;
}

/* Relaxed: written by the child while it is alone, and struck by exchanges; a value by itself. */
bool rqu_tid_is_prefork(uint32_t tid)
{
	if (!RQU_THIS.forked || tid == 0)
		return false;
	for (int i = 0; i < LINEAGE; i++)
		if (rqb_load(&lineage[i]) == tid)
			return true;
	return false;
}

/* Runs in the child, alone. */
static void forget_parent(void)
{
	if (!RQU_THIS.forked) {
		/* Another thread came through the last fork, and is not here any more. */
		for (int i = 0; i < LINEAGE; i++)
			rqb_store(&lineage[i], 0);
	}
	/* A thread that has no cached TID never locked anything in the parent. */
	if (RQU_THIS.tid) {
		for (int i = LINEAGE - 1; i > 0; i--)
			rqb_store(&lineage[i], rqb_load(&lineage[i - 1]));
		rqb_store(&lineage[0], RQU_THIS.tid);
	}
	RQU_THIS.forked = true;
	RQU_THIS.tid = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
	/* ENOMEM at load time is the only failure; the cache would then be wrong in children. */
	RQB_ASSERT(pthread_atfork(NULL, NULL, forget_parent) == 0);
}
