/* SPDX-License-Identifier: MIT */
/*
 * rqpi/host.h - the engine on ordinary threads of a Linux process: futex(2) without the kernel's
 * futex.
 *
 * Threads register themselves with their first call and are unregistered when they end. They
 * really sleep, and priorities that they inherit are really applied with sched_setattr(2), where
 * that is permitted. Library: librqpi-engine.so (-lrqpi-engine).
 */
#ifndef RQPI_HOST_H
#define RQPI_HOST_H

#include "rqpi/base.h"
#include "rqpi/engine.h"

#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The engine has 64-bit times alone; on 32-bit machines glibc has them with -D_TIME_BITS=64. */
typedef char rqpi_host_needs_64_bit_time_[sizeof(time_t) == 8 ? 1 : -1];

/*
 * rqpi_futex() - what syscall(SYS_futex, ...) takes, done by the engine of this process.
 * @timeout: a struct timespec, or for the operations without one the number val2. Returns: >= 0
 * or a negative errno value; errno itself is not changed. A signal handler ends or restarts a
 * sleep as it does in Linux. No cancellation point. Async-signal-safety: see
 * RQPI_HOST_DEFER_SIGNALS.
 */
RQPI_API long rqpi_futex(uint32_t *uaddr, int op, uint32_t val, const struct timespec *timeout,
			 uint32_t *uaddr2, uint32_t val3);

/* set_robust_list(2), for the engine. 0 or a negative errno value. */
RQPI_API long rqpi_futex_set_robust_list(const void *head, size_t bytes);

/*
 * rqpi_futex_setscheduler() - a thread's own scheduling, beneath what it inherits. With the
 * engine in use, this takes the place of sched_setscheduler(2), setpriority(2) and
 * pthread_setschedparam(3): the engine cannot see those. @tid 0: the caller. @policy SCHED_*;
 * @priority 1 to 99 for FIFO and RR, else the nice value -20 to 19. Returns: 0; -ESRCH, -EINVAL,
 * -EPERM. After -EPERM nothing has changed.
 */
RQPI_API long rqpi_futex_setscheduler(pid_t tid, int policy, int priority);

/*
 * rqpi_futex_cancellable() - may the caller be cancelled while it sleeps in rqpi_futex(), from
 * now on? Off unless switched on; then a sleep is a cancellation point where cancellation is
 * enabled; not with RQPI_HOST_DEFER_SIGNALS, where cancellation waits until the call returns.
 * A thread that is cancelled there is unwound out of the middle of its operation: its
 * cleanup handler must call rqpi_futex_abandon() first of all. The operation is then over as if a
 * signal handler had ended it, but for its result: the word of a PI futex says whether the thread
 * owns it.
 */
RQPI_API void rqpi_futex_cancellable(bool on);
RQPI_API void rqpi_futex_abandon(void);

/*
 * Is this thread asleep in an operation of the engine? For tests: true only once it really
 * sleeps.
 */
RQPI_API bool rqpi_futex_blocked(pid_t tid);

/* What the caller, who has just become another program as with execve(2), must still call: nothing.
 * For tests and emulators: the caller's futex state as after exec, or as after thread exit. */
RQPI_API void rqpi_futex_exec(void);
RQPI_API void rqpi_futex_thread_exit(void);

/* Options of rqpi_host_start(). */
#define RQPI_HOST_DEFER_SIGNALS \
	0x1u /* handlers wait while a call is in the engine: they may call it too */
#define RQPI_HOST_CATCH_FAULTS 0x2u /* a bad address is EFAULT and not SIGSEGV */
#define RQPI_HOST_ACROSS_FORK  0x4u /* children of fork share the engine: shared futexes meet */
#define RQPI_HOST_TRACE	       0x8u /* keep the last events of each thread, for rqpi_host_trace() */

struct rqpi_host_options {
	uint64_t size;	      /* sizeof(struct rqpi_host_options) */
	uint32_t flags;	      /* RQPI_HOST_* */
	uint32_t buckets;     /* hash buckets; 0: 256 for each CPU */
	uint32_t max_threads; /* 0: 32768 */
};

/*
 * rqpi_host_start() - start the engine with these options, before any thread calls rqpi_futex(),
 * which otherwise starts it with none. Returns: 0; EBUSY: it is running; EINVAL; ENOMEM.
 */
RQPI_API int rqpi_host_start(const struct rqpi_host_options *options);

/* The engine behind rqpi_futex(), for rqpi_engine_check() and rqpi_engine_dump(). */
RQPI_API struct rqpi_engine *rqpi_host_engine(void);

struct rqpi_host_stats {
	uint64_t size;		   /* set by the caller to sizeof(struct rqpi_host_stats) */
	uint64_t calls;		   /* of rqpi_futex() */
	uint64_t sleeps;	   /* times a thread really slept */
	uint64_t wakes;		   /* times one was really woken by a system call */
	uint64_t prio_changes;	   /* effective priorities applied */
	uint64_t prio_refused;	   /* effective priorities the kernel did not let us apply */
	uint64_t deadline_as_fifo; /* inherited DEADLINE that was applied as FIFO 99 */
	uint64_t
	    foreign_owners;    /* owners found in a word that never called the engine themselves */
	uint64_t broken_locks; /* raw locks taken over from a thread that died with them */
};
RQPI_API int rqpi_get_host_stats(struct rqpi_host_stats *stats) RQPI_NONNULL;

/*
 * rqpi_host_trace() - print the events kept by RQPI_HOST_TRACE, oldest first, each as
 * "task-tid cpu time: function: text". Other threads should be at rest.
 */
RQPI_API void rqpi_host_trace(rqpi_print *print, void *arg);

#ifdef __cplusplus
}
#endif
#endif /* RQPI_HOST_H */
