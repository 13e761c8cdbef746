/* SPDX-License-Identifier: MIT */
/*
 * tid.c - who the calling thread is: a cached thread id that is right after fork.
 *
 * A mutex word holds the owner's TID, so the fast path needs it without a system call. The child of a
 * fork is a new thread with a copy of the old one's memory: the cache is emptied there, or the child
 * would lock in the parent's name.
 */
#define _GNU_SOURCE
#include "src/user/user.h"

#include <pthread.h>

__thread struct rqu_self rqu_self __attribute__((tls_model("initial-exec")));

/* In a forked child: the TID, in the parent, of the thread that forked. */
static uint32_t prefork_tid;

uint32_t rqu_tid_slow(void)
{
	uint32_t tid = rqu_sys_gettid();

	/* The parent died and a thread of ours was given its number: the old meaning has expired. */
	if (tid == rqb_load(&prefork_tid))
		rqb_store(&prefork_tid, 0);
	rqu_self.tid = tid;
	return tid;
}

bool rqu_tid_is_prefork(uint32_t tid)
{
	return rqu_self.forked != 0 && tid == rqu_self.forked && tid == rqb_load(&prefork_tid);
}

static void forget_parent(void)
{
	/* If nothing was ever locked by this thread, there is no TID to remember. */
	rqu_self.forked = rqu_self.tid;
	rqb_store(&prefork_tid, rqu_self.tid);
	rqu_self.tid = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
	/* ENOMEM at load time is the only failure; the cache would then be wrong in children. */
	RQB_ASSERT(pthread_atfork(NULL, NULL, forget_parent) == 0);
}
