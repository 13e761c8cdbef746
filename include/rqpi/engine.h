/* SPDX-License-Identifier: MIT */
/*
 * rqpi/engine.h - the kernel half: a futex with priority inheritance and requeue PI, for a kernel,
 * a unikernel, an emulator, or a program of its own.
 *
 * An engine is a hash table of futexes. Tasks of the host are registered with it and then call
 * rqpi_futex_call() with what a program passed to futex(2); results, the bits of the words, the
 * order of checks and wake-ups are those of Linux. The engine is told when a task's priority
 * changes and when a task ends, and tells the host, through its port, how urgent each task is at
 * the moment.
 *
 * Errors are negative RQPI_E* codes (rqpi/port.h). All functions may be called by any task at any
 * time unless they say otherwise; none may be called with a raw lock of the engine held.
 *
 * Source: futex(2), set_robust_list(2); Linux's Documentation/locking/futex-requeue-pi.
 */
#ifndef RQPI_ENGINE_H
#define RQPI_ENGINE_H

#include "rqpi/base.h"
#include "rqpi/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -- an engine --------------------------------------------------------------------------------- */

/*
 * rqpi_engine_size() - bytes of storage for an engine with @buckets hash buckets.
 * @buckets: a power of two, 1 to 2^24; about as many as there are tasks is a good choice. Waiters
 * of one bucket are in a tree: too few buckets cost contention on their locks, not long searches.
 * Returns: 0 for a number that is no such power.
 */
RQPI_API size_t rqpi_engine_size(uint32_t buckets);

/*
 * rqpi_engine_init() - make an engine in @storage, which must be aligned to 64 bytes, have
 * rqpi_engine_size(@buckets) bytes, and outlive all tasks. @port is not copied.
 * Returns: the engine; NULL if @buckets, the alignment or the port (a function missing) is wrong.
 * There is no destructor: an engine owns nothing.
 */
RQPI_API struct rqpi_engine *rqpi_engine_init(void *storage, uint32_t buckets,
					      const struct rqpi_port *port, void *ctx);

/* The @ctx of rqpi_engine_init(). */
RQPI_API void *rqpi_engine_ctx(const struct rqpi_engine *engine);

/* -- tasks ------------------------------------------------------------------------------------- */

/* Bytes and alignment of the storage of a task and of a PI state, on every supported machine. */
#define RQPI_TASK_BYTES	    768
#define RQPI_PI_STATE_BYTES 192
#define RQPI_OBJECT_ALIGN   (2 * sizeof(void *)) /* as malloc() gives it */

struct rqpi_task_attr {
	uint32_t tid;	 /* 1 to 0x3fffffff: what stands in a PI futex word that it owns */
	uint32_t kernel; /* not 0: a kernel thread, which no program can make owner of a futex */
	uint64_t space;	 /* id of its address space; never used again for another one */
	struct rqpi_prio prio; /* its own priority */
	void *cookie;	       /* the port's own */
};

/*
 * rqpi_task_init() - register a task.
 * @storage, @state: RQPI_TASK_BYTES and RQPI_PI_STATE_BYTES, for the engine until port->release()
 * gives them back. A task brings a PI state along because some task has to: the first that waits
 * for a PI futex lends it to the futex, and whoever leaves takes any one back. So nothing is ever
 * allocated, and no operation fails for want of memory. Returns: the task, which is @storage,
 * with one reference, the host's. Does not sleep.
 */
RQPI_API struct rqpi_task *rqpi_task_init(struct rqpi_engine *engine, void *storage, void *state,
					  const struct rqpi_task_attr *attr);

/* One reference more or less. At the last rqpi_task_put(), port->release() is called. */
RQPI_API void rqpi_task_get(struct rqpi_task *task);
RQPI_API void rqpi_task_put(struct rqpi_task *task);

RQPI_API void *rqpi_task_cookie(const struct rqpi_task *task);
RQPI_API uint32_t rqpi_task_tid(const struct rqpi_task *task);
RQPI_API uint64_t rqpi_task_space(const struct rqpi_task *task);
RQPI_API struct rqpi_engine *rqpi_task_engine(const struct rqpi_task *task);

/*
 * rqpi_task_exit() - @self ends: its robust list is handled, every PI futex it owns is given to
 * its top waiter with OWNER_DIED set, and from then on its id is that of no task. Context: @self,
 * in no operation. The words must still be mapped, and port->find_task() must know it until this
 * has returned: who looks for it meanwhile waits for the end. Does not drop the host's reference.
 */
RQPI_API void rqpi_task_exit(struct rqpi_task *self);

/*
 * rqpi_task_abandon() - @task will never return from port->block(), because its stack is gone: its
 * thread was cancelled, and calls this first of all; or it was killed together with its address
 * space, and somebody else calls this, with @words false as its words are out of reach, and then
 * rqpi_task_exit(). It leaves its queues as if a signal had ended the operation there and then.
 * Returns: what the operation would; 0: it was woken, or owns the PI futex after all.
 * Context: @task is in block() for an operation of rqpi_futex_call(), and cannot run meanwhile.
 */
RQPI_API long rqpi_task_abandon(struct rqpi_task *task, bool words);

/* rqpi_task_exec() - as rqpi_task_exit(), but @self lives on, in the address space @space. */
RQPI_API void rqpi_task_exec(struct rqpi_task *self, uint64_t space);

/*
 * rqpi_task_set_prio() - @task's own priority is now @prio. What it inherits stays on top of that;
 * where it waits for a PI lock it is sorted anew, and so is everybody along the chain.
 * Any task may call it for any other that it holds a reference to. Does not sleep.
 */
RQPI_API void rqpi_task_set_prio(struct rqpi_task *task, const struct rqpi_prio *prio);

/* Its own priority and the one it runs with. Either pointer may be NULL. */
RQPI_API void rqpi_task_prio(struct rqpi_task *task, struct rqpi_prio *own, struct rqpi_prio *eff);

/*
 * rqpi_task_is_next() - for block(): is @self the next one to get a PI lock, and from whom?
 * @owner: set to the task that has the lock, with a reference; to NULL, if it is just being given
 * up or somebody is at work on the lock.
 * Returns: false: @self is not the next one, or waits for something else; @owner is NULL. With
 * true, a port may find that the owner is running, and wait for it without sleeping.
 */
RQPI_API bool rqpi_task_is_next(struct rqpi_task *self, struct rqpi_task **owner);

/*
 * set_robust_list(2) and its counterpart. @head is an address of user space, of a struct of three
 * pointer-sized fields: first link, offset from a link to its word, pending link. @bytes must be
 * the size of that. Returns: 0; -RQPI_EINVAL.
 */
RQPI_API long rqpi_task_set_robust_list(struct rqpi_task *self, const void *head, size_t bytes);
RQPI_API const void *rqpi_task_robust_list(const struct rqpi_task *task);

/* -- the futex --------------------------------------------------------------------------------- */

/* The operations and options of futex(2), with its numbers. */
enum rqpi_futex_op {
	RQPI_FUTEX_WAIT = 0,
	RQPI_FUTEX_WAKE = 1,
	RQPI_FUTEX_REQUEUE = 3,
	RQPI_FUTEX_CMP_REQUEUE = 4,
	RQPI_FUTEX_WAKE_OP = 5,
	RQPI_FUTEX_LOCK_PI = 6,
	RQPI_FUTEX_UNLOCK_PI = 7,
	RQPI_FUTEX_TRYLOCK_PI = 8,
	RQPI_FUTEX_WAIT_BITSET = 9,
	RQPI_FUTEX_WAKE_BITSET = 10,
	RQPI_FUTEX_WAIT_REQUEUE_PI = 11,
	RQPI_FUTEX_CMP_REQUEUE_PI = 12,
	RQPI_FUTEX_LOCK_PI2 = 13,
};
#define RQPI_FUTEX_PRIVATE	  128
#define RQPI_FUTEX_CLOCK_REALTIME 256

/* The timespec that @timeout points to in user space: two signed 64-bit numbers. */
struct rqpi_timespec {
	int64_t sec;
	int64_t nsec;
};

/*
 * rqpi_futex_call() - one futex system call of @self. The arguments are those of futex(2), in its
 * order; all pointers are addresses of user space and are read through the port. For the
 * operations without a timeout, @timeout is the number val2. Returns: what futex(2) returns;
 * -RQPI_ERESTARTSYS, -RQPI_ERESTARTNOINTR: see rqpi/port.h. Context: @self, in no other
 * operation. Sleeps where the operation does.
 */
RQPI_API long rqpi_futex_call(struct rqpi_task *self, uint32_t *uaddr, int op, uint32_t val,
			      const void *timeout, uint32_t *uaddr2, uint32_t val3);

/* -- rt_mutex: a sleeping lock with priority inheritance, for the host's own use --------------- */

#define RQPI_RT_MUTEX_BYTES 64

/* All zero is not valid: use rqpi_rt_mutex_init(). */
struct rqpi_rt_mutex {
	uint64_t opaque[RQPI_RT_MUTEX_BYTES / sizeof(uint64_t)];
};

RQPI_API void rqpi_rt_mutex_init(struct rqpi_rt_mutex *mutex);

/*
 * rqpi_rt_mutex_lock() - lock, sleeping uninterruptibly. Not recursive.
 * Returns: 0; -RQPI_EDEADLK: @self has it, or would close a cycle of tasks waiting for each other.
 */
RQPI_API int rqpi_rt_mutex_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex);

/* As above, until @deadline (NULL: for ever), interruptible. Also -RQPI_ETIMEDOUT, -RQPI_EINTR. */
RQPI_API int rqpi_rt_mutex_timedlock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex,
				     const struct rqpi_deadline *deadline);

/* True: @self has it. A free mutex that was promised to a less urgent waiter is taken from it. */
RQPI_API bool rqpi_rt_mutex_trylock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex);

/* By the owner only: anything else is a panic. */
RQPI_API void rqpi_rt_mutex_unlock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex);

/* Who has it, NULL if nobody; out of date as soon as it is known. No reference is taken. */
RQPI_API struct rqpi_task *rqpi_rt_mutex_owner(const struct rqpi_rt_mutex *mutex);

/*
 * The proxy calls: put @task, which is asleep elsewhere, on the mutex's queue. @task must be kept
 * from running meanwhile by the caller, and afterwards, once it runs, call
 * rqpi_rt_mutex_wait_proxy_lock() and, if that fails, rqpi_rt_mutex_cleanup_proxy_lock().
 *
 * start: 1: @task owns it now; 0: it is queued, and its priority passed on to the owner;
 *   -RQPI_EDEADLK: it would close a cycle, and is not queued.
 * wait: 0: @self owns it; -RQPI_ETIMEDOUT, -RQPI_EINTR: it is still queued. cleanup: true: @self
 * is off the queue and does not own it; false: it turned out to own it after all.
 */
RQPI_API int rqpi_rt_mutex_start_proxy_lock(struct rqpi_rt_mutex *mutex, struct rqpi_task *task);
RQPI_API int rqpi_rt_mutex_wait_proxy_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex,
					   const struct rqpi_deadline *deadline);
RQPI_API bool rqpi_rt_mutex_cleanup_proxy_lock(struct rqpi_task *self, struct rqpi_rt_mutex *mutex);

/* -- looking at it ----------------------------------------------------------------------------- */

/* Gets one line of text, without the newline. */
typedef void rqpi_print(void *arg, const char *line);

/*
 * rqpi_engine_check() - do the invariants hold (src/engine/rqk.h lists them: I1 to I12)? Locks
 * one bucket after the other, so other tasks may be running; what is in motion is left out.
 * @self: the calling task, in no operation: that it has left nothing behind is checked, too, and
 * the words of its address space are compared with the PI states (which programs that write to
 * words with waiters make disagree); NULL: neither.
 * @print: gets a line for each that does not hold; may be NULL. Returns: how many do not.
 */
RQPI_API unsigned int rqpi_engine_check(struct rqpi_engine *engine, struct rqpi_task *self,
					rqpi_print *print, void *arg);

/* rqpi_engine_dump() - say in words who waits for what, who owns what, and with what priority. */
RQPI_API void rqpi_engine_dump(struct rqpi_engine *engine, rqpi_print *print, void *arg);

/* The name of a code, "EDEADLK" for 35 or -35; of an operation with its options. Never NULL. */
RQPI_API const char *rqpi_error_name(long code);
RQPI_API const char *rqpi_futex_op_name(int op);

#ifdef __cplusplus
}
#endif
#endif /* RQPI_ENGINE_H */
