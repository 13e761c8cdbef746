/* SPDX-License-Identifier: MIT */
/*
 * futex_shim.c - a preload that puts the engine under a program's own futex system calls.
 *
 * A program that reaches the futex through libc's syscall() gets rqpi_futex() instead; every other
 * number goes to the kernel as it is. So programs that nobody here wrote can judge the engine. The
 * functions that change a thread's priority are here too, since the engine lays what a thread
 * inherits on top of that. libc's own locks never call syscall(), and stay the kernel's.
 *
 * RQPI_FUTEX_PRELOAD_OFF=1 leaves the program as it is. RQPI_FUTEX_PRELOAD_STATS=1 says at exit, on
 * stderr, what was done, and how many invariants of the engine do not hold.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "rqpi/host.h"
#include "src/base/atomic.h"
#include "src/host/rawcall.h"
#include "src/host/rqh.h"

enum { UNKNOWN, ACTIVE, ASIDE };

static uint32_t state;
static uint32_t want_stats;
static uint32_t first_pid;

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && strcmp(value, "1") == 0;
}

static void say(const char *text)
{
	rqh_syscall3(SYS_write, STDERR_FILENO, RQH_ARG(text), (long)strlen(text));
}

static uint32_t find_out(void)
{
	const struct rqpi_host_options options = {
	    .size = sizeof(options),
	    .flags = RQPI_HOST_DEFER_SIGNALS | RQPI_HOST_CATCH_FAULTS | RQPI_HOST_ACROSS_FORK,
	};

	if (is_set("RQPI_FUTEX_PRELOAD_OFF"))
		return ASIDE;
	if (rqpi_host_start(&options) != 0) {
		say("rqpi: futex preload: the engine could not be started; stepping aside, this "
		    "program runs on the kernel's futex\n");
		return ASIDE;
	}
	(void)rqb_or(&rqh_host->said, RQH_TELL_REFUSED);
	want_stats = is_set("RQPI_FUTEX_PRELOAD_STATS");
	first_pid = (uint32_t)rqh_syscall3(SYS_getpid, 0, 0, 0);
	return ACTIVE;
}

static bool is_active(void)
{
	uint32_t now = rqb_load_acq(&state);

	if (rqb_unlikely(now == UNKNOWN)) {
		/* Nobody else runs yet: this is the constructor, or another library's. */
		now = find_out();
		rqb_store_rel(&state, now);
	}
	return now == ACTIVE;
}

__attribute__((constructor)) static void start(void)
{
	is_active();
}

/* ---------------------------------------------------------------- the futex */

/* As libc does. */
static long with_errno(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

static long note_robust_list(long head, long bytes)
{
	long ret = rqh_syscall3(SYS_set_robust_list, head, bytes, 0);

	if (ret == 0)
		(void)rqpi_futex_set_robust_list((const void *)(uintptr_t)head, (size_t)bytes);
	return ret;
}

long syscall(long nr, ...)
{
	long arg[6];
	va_list list;

	/* As many as there can be: the kernel does not look at those that were not given. */
	va_start(list, nr);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(list, long);
	va_end(list);
	if (is_active()) {
		if (nr == SYS_futex)
			return with_errno(
			    rqpi_futex((uint32_t *)(uintptr_t)arg[0], (int)arg[1], (uint32_t)arg[2],
				       (const struct timespec *)(uintptr_t)arg[3],
				       (uint32_t *)(uintptr_t)arg[4], (uint32_t)arg[5]));
		if (nr == SYS_set_robust_list)
			return with_errno(note_robust_list(arg[0], arg[1]));
		/* A thread that ends like this runs no destructors. */
		if (nr == SYS_exit)
			rqh_leave_if_known();
	}
	return with_errno(rqh_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
}

/* ---------------------------------------------------------------- a thread's own priority */

#define RESET_ON_FORK_FLAG 1u /* of sched_setattr(2) */

static bool is_realtime(uint32_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* @policy < 0: the one it has. */
static long set_policy(uint32_t tid, int policy, const struct sched_param *param)
{
	struct rqh_sched own;
	long ret = rqh_get_own(tid, &own);
	bool asks = policy >= 0;

	if (ret != 0)
		return ret;
	if (asks) {
		own.policy = (uint32_t)policy & ~(uint32_t)SCHED_RESET_ON_FORK;
		own.flags = policy & SCHED_RESET_ON_FORK ? RESET_ON_FORK_FLAG : 0;
	}
	own.priority = (uint32_t)param->sched_priority;
	own.runtime = own.deadline = own.period = 0;
	/* The kernel decides whether all that goes together. */
	return rqh_set_own(tid, &own);
}

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	if (!is_active())
		return (int)with_errno(
		    rqh_syscall3(SYS_sched_setscheduler, pid, policy, RQH_ARG(param)));
	if (pid < 0 || policy < 0 || !param)
		return (int)with_errno(-EINVAL);
	return (int)with_errno(set_policy((uint32_t)pid, policy, param));
}

int sched_setparam(pid_t pid, const struct sched_param *param)
{
	if (!is_active())
		return (int)with_errno(rqh_syscall3(SYS_sched_setparam, pid, RQH_ARG(param), 0));
	if (pid < 0 || !param)
		return (int)with_errno(-EINVAL);
	return (int)with_errno(set_policy((uint32_t)pid, -1, param));
}

int sched_getscheduler(pid_t pid)
{
	struct rqh_sched own;
	long ret;

	if (!is_active())
		return (int)with_errno(rqh_syscall3(SYS_sched_getscheduler, pid, 0, 0));
	ret = pid < 0 ? -EINVAL : rqh_get_own((uint32_t)pid, &own);
	if (ret == 0)
		ret = (long)(own.policy |
			     (own.flags & RESET_ON_FORK_FLAG ? SCHED_RESET_ON_FORK : 0));
	return (int)with_errno(ret);
}

int sched_getparam(pid_t pid, struct sched_param *param)
{
	struct rqh_sched own;
	long ret;

	if (!is_active())
		return (int)with_errno(rqh_syscall3(SYS_sched_getparam, pid, RQH_ARG(param), 0));
	ret = pid < 0 || !param ? -EINVAL : rqh_get_own((uint32_t)pid, &own);
	if (ret == 0)
		param->sched_priority = is_realtime(own.policy) ? (int)own.priority : 0;
	return (int)with_errno(ret);
}

/*
 * The kernel's answer to a nice value that it does not allow is EACCES here and EPERM elsewhere, as
 * setpriority(2) says.
 */
static long set_nice(uint32_t tid, int value)
{
	struct rqh_sched own;
	long ret = rqh_get_own(tid, &own);

	if (ret != 0)
		return ret;
	/* A real-time thread has a nice value for later; only the kernel itself keeps that. */
	if (own.policy == SCHED_DEADLINE || is_realtime(own.policy))
		return rqh_syscall3(SYS_setpriority, PRIO_PROCESS, tid, value);
	own.nice = value < -20 ? -20 : value > 19 ? 19 : value;
	ret = rqh_set_own(tid, &own);
	return ret == -EPERM ? -EACCES : ret;
}

int setpriority(__priority_which_t which, id_t who, int value)
{
	if (!is_active() || which != PRIO_PROCESS)
		return (int)with_errno(rqh_syscall3(SYS_setpriority, which, who, value));
	return (int)with_errno(set_nice(who, value));
}

int nice(int by)
{
	struct rqh_sched own;
	long ret;
	int value;

	if (!is_active() || rqh_get_own(0, &own) != 0 || is_realtime(own.policy)) {
		/* As the C library does it; 20 - nice is what the system call gives. */
		own.nice = 20 - (int)rqh_syscall3(SYS_getpriority, PRIO_PROCESS, 0, 0);
		value = own.nice + by;
		ret = rqh_syscall3(SYS_setpriority, PRIO_PROCESS, 0, value);
	} else {
		value = own.nice + by;
		ret = set_nice(0, value);
	}
	if (ret != 0)
		return (int)with_errno(ret == -EACCES ? -EPERM : ret);
	return value < -20 ? -20 : value > 19 ? 19 : value;
}

/* ---------------------------------------------------------------- the same by pthread_t */

/*
 * The only public way from a pthread_t to a TID: the number is in the name of the thread's CPU
 * clock.
 */
static int tid_of(pthread_t thread, uint32_t *tid)
{
	clockid_t clock;
	int err;

	if (pthread_equal(thread, pthread_self())) {
		*tid = rqh_me()->tid;
		return 0;
	}
	err = pthread_getcpuclockid(thread, &clock);
	*tid = (uint32_t) ~(clock >> 3);
	return err;
}

int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *param)
{
	uint32_t tid;
	int err = tid_of(thread, &tid);

	if (err != 0)
		return err;
	if (!is_active())
		return (int)-rqh_syscall3(SYS_sched_setscheduler, tid, policy, RQH_ARG(param));
	return policy < 0 ? EINVAL : (int)-set_policy(tid, policy, param);
}

int pthread_setschedprio(pthread_t thread, int priority)
{
	const struct sched_param param = {.sched_priority = priority};
	uint32_t tid;
	int err = tid_of(thread, &tid);

	if (err != 0)
		return err;
	if (!is_active())
		return (int)-rqh_syscall3(SYS_sched_setparam, tid, RQH_ARG(&param), 0);
	return (int)-set_policy(tid, -1, &param);
}

int pthread_getschedparam(pthread_t thread, int *policy, struct sched_param *param)
{
	struct rqh_sched own;
	uint32_t tid;
	int err = tid_of(thread, &tid);
	long ret;

	if (err != 0)
		return err;
	ret = is_active() ? rqh_get_own(tid, &own) : rqh_sched_read(tid, &own);
	if (ret != 0)
		return (int)-ret;
	*policy = (int)own.policy;
	*param = (struct sched_param){
	    .sched_priority = is_realtime(own.policy) ? (int)own.priority : 0,
	};
	return 0;
}

/* ---------------------------------------------------------------- at the end */

static void print_line(void *arg, const char *line)
{
	(void)arg;
	say("rqpi: futex preload: ");
	say(line);
	say("\n");
}

__attribute__((destructor)) static void finish(void)
{
	struct rqpi_host_stats stats = {.size = sizeof(stats)};
	char line[320];

	if (!want_stats || !is_active() ||
	    (uint32_t)rqh_syscall3(SYS_getpid, 0, 0, 0) != first_pid ||
	    rqpi_get_host_stats(&stats) != 0)
		return;
	snprintf(line, sizeof(line),
		 "calls %llu, sleeps %llu, wakes %llu, priorities applied %llu and refused %llu, "
		 "deadlines applied as FIFO %llu, foreign owners %llu, broken locks %llu, "
		 "invariants broken %u",
		 (unsigned long long)stats.calls, (unsigned long long)stats.sleeps,
		 (unsigned long long)stats.wakes, (unsigned long long)stats.prio_changes,
		 (unsigned long long)stats.prio_refused, (unsigned long long)stats.deadline_as_fifo,
		 (unsigned long long)stats.foreign_owners, (unsigned long long)stats.broken_locks,
		 rqpi_engine_check(rqpi_host_engine(), NULL, print_line, NULL));
	print_line(NULL, line);
}
