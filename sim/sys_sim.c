/* SPDX-License-Identifier: MIT */
/*
 * sys_sim.c - the operating system under src/sys/sys_linux.c: that file is compiled as it is, with
 * its calls into libc named rqs_*; a futex call goes to the engine, which is the kernel here.
 *
 * Called by src/sys and src/user. Of a system call the task sees what Linux shows: a signal runs
 * its handler before the call returns, and a call that is to be restarted begins anew.
 */
#define _GNU_SOURCE
#include "sim/coverage.h"
#include "sim/monitor.h"
#include "sim/world.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "sim/buffers.h"
#include "sim/place.h"
#include "sim/pthread_sim.h"
#include "sim/scenario.h"
#include "sim/watch.h"
#include "src/sys/sys_backend.h"

long rqs_syscall(long nr, ...);
void *rqs_mmap(void *addr, size_t bytes, int prot, int flags, int fd, long offset);
int rqs_clock_gettime(clockid_t clock, struct timespec *ts);
ssize_t rqs_process_vm_readv(int pid, const struct iovec *to, unsigned long n_to,
			     const struct iovec *from, unsigned long n_from, unsigned long flags);
struct rqu_self *rqs_self(void);

enum { NSEC_PER_SEC = 1000000000 };

/* The other back end, which is not there. */
rqu_futex_fn *rqu_engine_futex;

bool rqu_sys_in_process(void)
{
	return false;
}

void rqu_sys_cancellable(bool on)
{
	(void)on;
}

void rqu_sys_abandon(void)
{
}

void rqu_engine_robust_list(const struct rqu_robust_head *head)
{
	(void)head;
}

/* Only the running task asks: libc's thread-local variable of the user half. */
struct rqu_self *rqs_self(void)
{
	return &rqs_running()->self;
}

/* ---------------------------------------------------------------- system calls */

static bool is_restarted(long ret)
{
	return ret == -RQPI_ERESTARTNOINTR || ret == -RQPI_ERESTARTSYS;
}

long rqs_futex(uint32_t *uaddr, int op, uint32_t val, const void *timeout, uint32_t *uaddr2,
	       uint32_t val3)
{
	struct rqs_task *t = rqs_running();
	long ret;

	do {
		t->in_kernel = 1;
		rqs_urgency_call(t, uaddr, op, uaddr2);
		ret = rqpi_futex_call(t->task, uaddr, op, val, timeout, uaddr2, val3);
		rqs_coverage_result(op, ret);
		rqs_urgency_return(t);
		t->in_kernel = 0;
		rqs_deliver(t);
	} while (is_restarted(ret)); /* as if all handlers had been installed with SA_RESTART */
	return ret;
}

static long get_robust_list(struct rqu_robust_head **head, size_t *bytes)
{
	*head = &rqs_running()->robust;
	*bytes = sizeof(**head);
	return 0;
}

static long result_of(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

long rqs_syscall(long nr, ...)
{
	unsigned long arg[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	switch (nr) {
	case SYS_futex:
		return result_of(rqs_futex((uint32_t *)arg[0], (int)arg[1], (uint32_t)arg[2],
					   (const void *)arg[3], (uint32_t *)arg[4],
					   (uint32_t)arg[5]));
	case SYS_gettid:
		return (long)rqpi_task_tid(rqs_running()->task);
	case SYS_sched_getscheduler:
		return SCHED_FIFO; /* every task is real-time: nobody spins */
	case SYS_get_robust_list:
		return get_robust_list((struct rqu_robust_head **)arg[1], (size_t *)arg[2]);
	default:
		rqs_fail("system", "system call %ld is not there", nr);
		return result_of(-ENOSYS);
	}
}

/* The pool of channels that the library brings along is large enough, or memory is short. */
void *rqs_mmap(void *addr, size_t bytes, int prot, int flags, int fd, long offset)
{
	(void)addr;
	(void)bytes;
	(void)prot;
	(void)flags;
	(void)fd;
	(void)offset;
	errno = ENOMEM;
	return (void *)-1;
}

int rqs_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ts->tv_sec = (time_t)(rqs_world->now / NSEC_PER_SEC);
	ts->tv_nsec = (long)(rqs_world->now % NSEC_PER_SEC);
	return 0;
}

/* Of one word: that is all that the waist reads so. */
ssize_t rqs_process_vm_readv(int pid, const struct iovec *to, unsigned long n_to,
			     const struct iovec *from, unsigned long n_from, unsigned long flags)
{
	(void)pid;
	(void)n_to;
	(void)n_from;
	(void)flags;
	rqs_at(RQS_AT_COPY, from->iov_base);
	rqs_yield();
	rqs_watch(load, from->iov_base);
	*(uint32_t *)to->iov_base = *(volatile uint32_t *)from->iov_base;
	return (ssize_t)sizeof(uint32_t);
}

/* ---------------------------------------------------------------- signals and cancellation */

/* In the handler's frame, or in pthread_testcancel(): this does not return. */
static void act_on_cancel(struct rqs_task *t)
{
	struct rqs_cleanup *frame;

	t->cancel = RQS_CANCEL_ACTED;
	t->cancel_off = 1;
	t->cancel_async = 0;
	rqs_monitor_cancelled();
	while ((frame = t->cleanup)) {
		rqs_monitor_handler(frame);
		t->cleanup = frame->next;
		frame->fn(frame->arg);
	}
	rqs_monitor_handler(NULL);
	rqs_end_task();
}

void rqs_deliver(struct rqs_task *t)
{
	t->interrupted = 0;
	if (t->kill == RQS_CANCEL_PENDING) {
		t->kill = RQS_CANCEL_ACTED;
		rqs_end_task();
	}
	if (t->cancel == RQS_CANCEL_PENDING && t->cancel_async && !t->cancel_off)
		act_on_cancel(t);
}

int rqs_setcancelstate(int state, int *old)
{
	struct rqs_task *t = rqs_running();

	if (old)
		*old = t->cancel_off ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
	t->cancel_off = state == PTHREAD_CANCEL_DISABLE;
	rqs_deliver(t);
	return 0;
}

int rqs_setcanceltype(int type, int *old)
{
	struct rqs_task *t = rqs_running();

	if (old)
		*old = t->cancel_async ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED;
	t->cancel_async = type == PTHREAD_CANCEL_ASYNCHRONOUS;
	rqs_deliver(t);
	return 0;
}

void rqs_testcancel(void)
{
	struct rqs_task *t = rqs_running();

	if (t->cancel == RQS_CANCEL_NEVER || t->cancel_off)
		return;
	t->cancel_point = 1;
	rqs_at(RQS_AT_TESTCANCEL, NULL);
	rqs_yield();
	t->cancel_point = 0;
	if (t->cancel == RQS_CANCEL_PENDING)
		act_on_cancel(t);
}

RQB_BUILD(sizeof(struct rqs_cleanup_frame) == sizeof(struct rqs_cleanup), "one is the other");

void rqs_cleanup_push(struct rqs_cleanup_frame *frame, void (*fn)(void *arg), void *arg)
{
	struct rqs_cleanup *cleanup = (struct rqs_cleanup *)(void *)frame;
	struct rqs_task *t = rqs_running();

	*cleanup = (struct rqs_cleanup){fn, arg, t->cleanup};
	t->cleanup = cleanup;
}

void rqs_cleanup_pop(int run)
{
	struct rqs_task *t = rqs_running();
	struct rqs_cleanup *cleanup = t->cleanup;

	t->cleanup = cleanup->next;
	if (run)
		cleanup->fn(cleanup->arg);
}

/* ---------------------------------------------------------------- what scenarios call */

void *rqs_program(void)
{
	return rqs_world->program;
}

int rqs_me(void)
{
	return (int)(rqs_running() - rqs_world->tasks);
}

uint32_t rqs_tid_of(int actor)
{
	return RQS_FIRST_TID + (uint32_t)actor;
}

uint32_t rqs_tid(void)
{
	return rqpi_task_tid(rqs_running()->task);
}

void rqs_check_result(long got, long want, const char *call)
{
	if (rqs_result_listener)
		rqs_result_listener(call, got);
	if (got != want)
		rqs_fail("result", "%c: %s returned %ld, should be %ld", rqs_name(rqs_running()),
			 call, got, want);
}

void rqs_claim(bool holds, const char *what)
{
	if (!holds)
		rqs_fail("claim", "%s", what);
}

struct timespec rqs_someday(int order)
{
	return (struct timespec){.tv_sec = 1 + order};
}

void rqs_set_prio(int actor, int prio)
{
	struct rqs_task *t = rqs_running();
	struct rqpi_task *task = rqs_get_task(&rqs_world->tasks[actor]);
	const struct rqpi_prio own = {.prio = prio};

	if (!task)
		return;
	t->in_kernel = 1;
	rqs_urgency_set_prio(t, &rqs_world->tasks[actor], prio);
	rqpi_task_set_prio(task, &own);
	rqs_urgency_return(t);
	t->in_kernel = 0;
	rqpi_task_put(task);
	rqs_deliver(t);
}

bool rqs_is_asleep(int actor)
{
	return rqs_world->tasks[actor].status == RQS_ASLEEP;
}

int rqs_runs_as(int actor)
{
	return rqs_world->tasks[actor].prio;
}

struct rqu_robust_head *rqs_robust_head(void)
{
	return &rqs_running()->robust;
}

static uint64_t to_ns(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

long rqs_rt_lock(struct rqpi_rt_mutex *mutex, const struct timespec *late)
{
	struct rqs_task *t = rqs_running();
	struct rqpi_deadline deadline = {.ns = RQPI_FOREVER, .clock = RQPI_CLOCK_MONOTONIC};
	long ret;

	if (late)
		deadline.ns = to_ns(late);
	t->in_kernel = 1;
	ret = rqpi_rt_mutex_timedlock(t->task, mutex, &deadline);
	t->in_kernel = 0;
	rqs_deliver(t);
	return ret;
}

void rqs_rt_unlock(struct rqpi_rt_mutex *mutex)
{
	struct rqs_task *t = rqs_running();

	t->in_kernel = 1;
	rqpi_rt_mutex_unlock(t->task, mutex);
	t->in_kernel = 0;
	rqs_deliver(t);
}

void rqs_gone(const void *memory, size_t bytes)
{
	rqs_wait_for_stores(); /* or its own last one would come behind */
	rqs_watch(reuse, (void *)(uintptr_t)memory, bytes);
	rqs_world->gone = memory;
	rqs_world->gone_bytes = bytes;
}

void rqs_unmapped(const void *memory, size_t bytes)
{
	rqs_wait_for_stores();
	rqs_world->gone = memory;
	rqs_world->gone_bytes = bytes;
	rqs_world->unmapped = 1;
}
