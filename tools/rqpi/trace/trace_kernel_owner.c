/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel_owner.c - who has the mutex that a thread sleeps for, by what stands in the
 * program's memory. Called by trace_kernel_tasks.c for those who sleep at a drain.
 *
 * No event says who owns a mutex. For a wait that ends it can be concluded from who woke the
 * waiter; for one that does not, and that is what one attaches to a program for, there is nothing
 * else.
 *
 * A PI mutex has its owner's ID in its word: the kernel wants it so. Any other one is believed to
 * be glibc's if all of it fits: its word is 2, its owner is a thread of the same process, it has
 * users, and no bit of its kind is one that such a mutex does not have. And the waiter must still
 * sleep at it when that has been read.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "trace_kernel.h"

#ifdef __GLIBC__

#define LOCK_PI2 13 /* FUTEX_LOCK_PI2, not in the headers of before 5.14 */

#define WAITED_FOR 2 /* of a mutex without a protocol: locked, and somebody sleeps */

#define KIND_INHERIT 0x20u
/* Type, process-shared, elided or not, and the bit by which our preload has decided about it. */
#define KIND_PLAIN   (0x3u | 0x80u | 0x300u | 0x400u)

/* To the kernel @tid is who it is to itself: both are in the same PID namespace. */
static bool has_our_pids(uint32_t tid)
{
	struct stat its, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/ns/pid", tid);
	return !stat(path, &its) && !stat("/proc/self/ns/pid", &ours) && its.st_ino == ours.st_ino;
}

static bool read_mutex(uint32_t tid, uint64_t address, pthread_mutex_t *mutex)
{
	struct iovec here = {.iov_base = mutex, .iov_len = sizeof(*mutex)};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = sizeof(*mutex)};

	return process_vm_readv((pid_t)tid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(*mutex);
}

static bool still_sleeps(const struct trace_event *e)
{
	uint64_t argument[6];

	return kernel_task_call(e->tid, argument) == SYS_futex && argument[0] == e->address;
}

static bool is_other_thread(const struct trace_model *m, const struct trace_event *e, uint32_t tid)
{
	const struct trace_thread *t = trace_find_thread(m, tid);

	return t && tid != e->tid && t->traced && t->pid == e->pid;
}

void kernel_owner_look(struct trace_model *m, uint32_t event)
{
	struct trace_event *e = &m->events.at[event];
	uint32_t op = e->kind & (uint32_t)FUTEX_CMD_MASK;
	bool pi = op == FUTEX_LOCK_PI || op == LOCK_PI2;
	pthread_mutex_t mutex;
	struct trace_lock *lock;
	uint32_t owner, kind;

	if (!pi && ((op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET) || e->value != WAITED_FOR))
		return;
	if (!e->pid || !read_mutex(e->tid, e->address, &mutex) || !has_our_pids(e->tid) ||
	    !still_sleeps(e))
		return;
	kind = (uint32_t)mutex.__data.__kind;
	owner = (uint32_t)(pi ? mutex.__data.__lock & FUTEX_TID_MASK : mutex.__data.__owner);
	if (!is_other_thread(m, e, owner))
		return;
	if (!pi &&
	    (mutex.__data.__lock != WAITED_FOR || !mutex.__data.__nusers || kind & ~KIND_PLAIN))
		return;
	e->other = owner;
	lock = trace_lock(m, e->pid, e->address);
	lock->type = TRACE_MUTEX;
	lock->inherits = pi ? TRACE_INHERITS_YES : TRACE_INHERITS_NO;
	if (!pi || (kind & KIND_INHERIT && (uint32_t)mutex.__data.__owner == owner)) {
		lock->kind = kind;
		lock->has_kind = true;
	}
}

#else

void kernel_owner_look(struct trace_model *m, uint32_t event)
{
	(void)m;
	(void)event;
}

#endif
