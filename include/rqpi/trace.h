/* SPDX-License-Identifier: MIT */
/*
 * rqpi/trace.h - what the engine tells of its decisions, and the same in words.
 *
 * One event is one decision, under the name of the function that makes it in the literature: the
 * traces of the 2009 discussion of requeue PI read the same way. port->trace() gets them, possibly
 * with raw locks held: store them, print later.
 */
#ifndef RQPI_TRACE_H
#define RQPI_TRACE_H

#include "rqpi/base.h"
#include "rqpi/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The comments name @object, @value and @other. "lock" is the address of an rt_mutex. */
enum rqpi_event_id {
	RQPI_EV_CALL,		 /* futex: uaddr; op; val */
	RQPI_EV_RETURN,		 /* futex: uaddr; op; result */
	RQPI_EV_LOOKUP_NEW,	 /* lookup_pi_state, a new one: lock; tid of its owner */
	RQPI_EV_LOOKUP_FOUND,	 /* lookup_pi_state, there is one: lock; tid of its owner */
	RQPI_EV_LOOKUP_REFUSED,	 /* lookup_pi_state: lock or 0; the error; the word */
	RQPI_EV_ATOMIC,		 /* futex_lock_pi_atomic: uaddr; result; tid it is for */
	RQPI_EV_REQUEUE_TAKEN,	 /* futex_requeue, granted: uaddr2; tid of the waiter */
	RQPI_EV_REQUEUE_MOVED,	 /* futex_requeue, moved: uaddr2; tid of the waiter */
	RQPI_EV_REQUEUE_SKIPPED, /* futex_requeue, is just leaving: uaddr2; tid of the waiter */
	RQPI_EV_START_PROXY,	 /* rt_mutex_start_proxy_lock: lock; result; tid of the waiter */
	RQPI_EV_HAS_WAITERS,	 /* rt_mutex_start_proxy_lock: lock; the flag, 0 or 1 */
	RQPI_EV_BLOCKS_ON,	 /* task_blocks_on_rt_mutex: lock; result; tid of the waiter */
	RQPI_EV_TRY_TAKE, /* try_to_take_rt_mutex, refused: lock; tid of the owner or 0; to whom */
	RQPI_EV_TAKEN,	  /* try_to_take_rt_mutex, assigned: lock; tid of the new owner */
	RQPI_EV_SLOWLOCK, /* rt_mutex_wait_proxy_lock, woken: lock; is waiter->task still set */
	RQPI_EV_SLOWLOCK_DONE,	/* rt_mutex_wait_proxy_lock: lock; result */
	RQPI_EV_UNLOCK,		/* rt_mutex_unlock: lock; the HAS_WAITERS flag */
	RQPI_EV_FASTUNLOCK,	/* rt_mutex_unlock, nobody is waiting: lock */
	RQPI_EV_DESIGNATE,	/* rt_mutex_unlock: lock; tid of the top waiter */
	RQPI_EV_REMOVE_WAITER,	/* remove_waiter: lock; tid of the waiter */
	RQPI_EV_CHAIN,		/* rt_mutex_adjust_prio_chain, a step: lock; depth; tid looked at */
	RQPI_EV_CHAIN_DEADLOCK, /* rt_mutex_adjust_prio_chain, a cycle: lock; depth */
	RQPI_EV_SET_PRIO,	/* rt_mutex_setprio: 0; tid; the priority */
	RQPI_EV_FIXUP,		/* fixup_pi_state_owner: uaddr; old tid; new tid */
	RQPI_EV_EXIT_LIST,	/* exit_robust_list: uaddr; the word it became */
	RQPI_EV_EXIT_STATE,	/* exit_pi_state_list: lock; tid of who leaves it */
	RQPI_EV_WAKE,		/* wake_up_q: 0; tid of the task woken */
	RQPI_EV_IDS
};

struct rqpi_event {
	uint32_t id;  /* enum rqpi_event_id */
	uint32_t tid; /* of the task that was running, 0 if not known */
	uint64_t object;
	int64_t value;
	int64_t other;
};

/*
 * rqpi_event_text() - "function: text", as in the traces of 2009, into @text, always terminated.
 * Returns: the length without the 0, cut to @bytes - 1. Async-signal-safe.
 */
RQPI_API size_t rqpi_event_text(const struct rqpi_event *event, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif /* RQPI_TRACE_H */
