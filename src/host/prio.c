/* SPDX-License-Identifier: MIT */
/*
 * prio.c - priorities of threads: their own, as sched_getattr(2) says, and the effective ones,
 * applied with sched_setattr(2).
 *
 * Called by thread.c, by the engine through the port, and by programs that change a thread's own
 * priority. prio_lock of a record makes one of a change and what is remembered of it.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "src/base/probe.h"
#include "src/host/rawcall.h"

#define RT_PRIORITY_MAX 99

long rqh_sched_read(uint32_t tid, struct rqh_sched *sched)
{
	*sched = (struct rqh_sched){.size = sizeof(*sched)};
	return rqh_syscall4(SYS_sched_getattr, tid, RQH_ARG(sched), sizeof(*sched), 0);
}

static long apply(uint32_t tid, const struct rqh_sched *sched)
{
	return rqh_syscall3(SYS_sched_setattr, tid, RQH_ARG(sched), 0);
}

static bool is_realtime(uint32_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* The kernel keeps the absolute deadline to itself: it is taken to begin now. */
struct rqpi_prio rqh_prio_of(const struct rqh_sched *sched)
{
	struct rqpi_prio prio = {.policy = sched->policy};

	if (sched->policy == SCHED_DEADLINE) {
		prio.prio = RQPI_PRIO_DEADLINE;
		prio.deadline = rqh_now(NULL, RQPI_CLOCK_MONOTONIC) + sched->deadline;
		prio.param[0] = sched->runtime;
		prio.param[1] = sched->deadline;
		prio.param[2] = sched->period;
	} else if (is_realtime(sched->policy)) {
		prio.prio = RQPI_PRIO_RT((int32_t)sched->priority);
	} else {
		prio.prio = RQPI_PRIO_NICE(sched->nice);
	}
	return prio;
}

/* ---------------------------------------------------------------- the effective one */

/*
 * What to ask of the kernel for @eff. Back at its own priority a thread gets exactly its own back.
 */
static struct rqh_sched target_of(const struct rqh_thread *t, const struct rqpi_prio *eff)
{
	struct rqpi_prio own = rqh_prio_of(&t->own);
	struct rqh_sched target = {.size = sizeof(target), .flags = t->own.flags};

	if (eff->prio == own.prio && (own.prio >= 0 || eff->param[1] == own.param[1]))
		return t->own;
	if (eff->prio < 0) {
		target.policy = SCHED_DEADLINE;
		target.runtime = eff->param[0];
		target.deadline = eff->param[1];
		target.period = eff->param[2];
	} else if (eff->prio < RQPI_PRIO_NICE(-20)) {
		target.policy = t->own.policy == SCHED_RR ? SCHED_RR : SCHED_FIFO;
		target.priority = (uint32_t)(RQPI_PRIO_RT(0) - eff->prio);
	} else {
		/*
		 * An IDLE thread would not run for any nice value; one that has just been made
		 * real-time has none, and the engine is about to hear of it.
		 */
		target.policy = t->own.policy == SCHED_BATCH ? SCHED_BATCH : SCHED_OTHER;
		target.nice = eff->prio - RQPI_PRIO_NICE(0);
	}
	return target;
}

/* An inherited deadline that the kernel does not admit: the next best is above all but DEADLINE. */
static long apply_fifo_instead(struct rqh_thread *t, struct rqh_sched *target)
{
	long ret;

	*target = (struct rqh_sched){
	    .size = sizeof(*target),
	    .flags = t->own.flags,
	    .policy = SCHED_FIFO,
	    .priority = RT_PRIORITY_MAX,
	};
	ret = apply(t->tid, target);
	if (ret == 0)
		rqb_count(&t->counts.deadline_as_fifo);
	return ret;
}

static void note_refused(struct rqh_host *h, struct rqh_thread *t)
{
	rqb_count(&t->counts.prio_refused);
	if (rqb_load(&h->said) & RQH_TELL_REFUSED)
		rqh_say_once(h, RQH_SAID_REFUSED,
			     "rqpi: no right to raise a thread's priority: "
			     "locks work, but inherited priorities are not applied\n");
}

void rqh_set_prio(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff)
{
	struct rqh_thread *t = rqpi_task_cookie(task);
	struct rqh_host *h = ctx;
	struct rqh_sched target;
	long ret = 0;

	rqh_lock(h, &t->prio_lock);
	target = target_of(t, eff);
	if (memcmp(&target, &t->applied, sizeof(target)) != 0) {
		ret = apply(t->tid, &target);
		if (ret != 0 && ret != -ESRCH && target.policy == SCHED_DEADLINE &&
		    t->own.policy != SCHED_DEADLINE)
			ret = apply_fifo_instead(t, &target);
		RQB_PROBE3(prio__apply, t->tid, eff->prio, ret);
		if (ret == 0) {
			t->applied = target;
			rqb_count(&t->counts.prio_changes);
		} else if (ret != -ESRCH) {
			note_refused(h, t);
		}
	}
	rqh_unlock(h, &t->prio_lock);
}

void rqh_refresh_deadline(struct rqh_thread *t)
{
	struct rqpi_prio prio = rqh_prio_of(&t->own);

	rqpi_task_set_prio(rqh_task(t), &prio);
}

/* ---------------------------------------------------------------- its own */

/* As the kernel would say; of what stays hidden beneath a boost it is not asked. */
static bool is_valid(const struct rqh_sched *own)
{
	if (is_realtime(own->policy))
		return own->priority >= 1 && own->priority <= RT_PRIORITY_MAX;
	if (own->policy == SCHED_DEADLINE)
		return own->runtime > 0 && own->runtime <= own->deadline;
	if (own->policy != SCHED_OTHER && own->policy != SCHED_BATCH && own->policy != SCHED_IDLE)
		return false;
	return own->priority == 0 && own->nice >= -20 && own->nice <= 19;
}

/* On the scale of the scheduler: smaller is more urgent. */
static int level_of(const struct rqh_sched *sched)
{
	if (sched->policy == SCHED_DEADLINE)
		return RQPI_PRIO_DEADLINE;
	if (is_realtime(sched->policy))
		return RQPI_PRIO_RT((int)sched->priority);
	return RQPI_PRIO_NICE(sched->nice);
}

static bool has_cap_sys_nice(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};

	if (rqh_syscall3(SYS_capget, RQH_ARG(&head), RQH_ARG(data), 0) != 0)
		return false;
	return (data[0].effective & (1u << CAP_SYS_NICE)) != 0;
}

/*
 * May the caller give a boosted thread @own for its own, which stays hidden as long as it is
 * boosted beyond that? Trying would take the boost away for a moment. Whoever was allowed to raise
 * it is allowed everything below, but for a better nice value than it has.
 */
static bool may_hide(const struct rqh_thread *t, const struct rqh_sched *own)
{
	struct rlimit limit;

	if (is_realtime(own->policy) || own->nice >= t->own.nice || has_cap_sys_nice())
		return true;
	if (rqh_syscall4(SYS_prlimit64, 0, RLIMIT_NICE, 0, RQH_ARG(&limit)) != 0)
		return false;
	return limit.rlim_cur == RLIM_INFINITY || 20 - own->nice <= (int)limit.rlim_cur;
}

/* prio_lock. Its own is @own from now on, and is applied unless a more urgent one is in force. */
static long take_own(struct rqh_thread *t, const struct rqh_sched *own)
{
	bool boosted = memcmp(&t->applied, &t->own, sizeof(t->own)) != 0;
	long ret;

	if (boosted && level_of(&t->applied) <= level_of(own)) {
		if (!is_valid(own))
			return -EINVAL;
		if (!may_hide(t, own))
			return -EPERM;
	} else {
		ret = apply(t->tid, own);
		if (ret != 0)
			return ret;
		t->applied = *own;
	}
	t->own = *own;
	rqb_store(&t->own_deadline, own->policy == SCHED_DEADLINE);
	return 0;
}

static long change_own(struct rqh_host *h, struct rqh_thread *t, const struct rqh_sched *own)
{
	struct rqh_sched told;
	struct rqpi_prio prio;
	bool again;
	long ret;

	rqh_lock(h, &t->prio_lock);
	ret = take_own(t, own);
	told = t->own;
	rqh_unlock(h, &t->prio_lock);
	if (ret != 0)
		return ret;
	/* Of two changes that come at once, the engine may hear of the first one last. */
	do {
		prio = rqh_prio_of(&told);
		rqpi_task_set_prio(rqh_task(t), &prio);
		rqh_lock(h, &t->prio_lock);
		again = memcmp(&told, &t->own, sizeof(told)) != 0;
		told = t->own;
		rqh_unlock(h, &t->prio_lock);
	} while (again);
	return 0;
}

long rqh_set_own(uint32_t tid, const struct rqh_sched *own)
{
	struct rqh_host *h = rqh_enter();
	struct rqh_thread *t;
	uint64_t mask;
	long ret;

	if (!h)
		return -ENOMEM;
	if (!tid)
		tid = rqh_me()->tid;
	mask = rqh_signals_block();
	do {
		t = rqh_ref_known(h, tid);
		if (t) {
			ret = change_own(h, t, own);
			rqpi_task_put(rqh_task(t));
		}
	} while (!t && !rqh_if_unknown(h, tid, apply, own, &ret));
	rqh_signals_restore(mask);
	return ret;
}

long rqh_get_own(uint32_t tid, struct rqh_sched *own)
{
	struct rqh_host *h = rqh_enter();
	struct rqh_thread *t;
	uint64_t mask;

	if (!h)
		return -ENOMEM;
	mask = rqh_signals_block();
	t = rqh_ref_known(h, tid ? tid : rqh_me()->tid);
	if (t) {
		rqh_lock(h, &t->prio_lock);
		*own = t->own;
		rqh_unlock(h, &t->prio_lock);
		rqpi_task_put(rqh_task(t));
	}
	rqh_signals_restore(mask);
	return t ? 0 : rqh_sched_read(tid, own);
}

long rqpi_futex_setscheduler(pid_t tid, int policy, int priority)
{
	struct rqh_sched own = {.size = sizeof(own), .policy = (uint32_t)policy};

	if (is_realtime(own.policy))
		own.priority = (uint32_t)priority;
	else
		own.nice = priority;
	if (tid < 0 || !is_valid(&own))
		return -EINVAL;
	return rqh_set_own((uint32_t)tid, &own);
}
