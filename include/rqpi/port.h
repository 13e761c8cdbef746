/* SPDX-License-Identifier: MIT */
/*
 * rqpi/port.h - what a host gives to the futex engine: all that an embedder has to write.
 *
 * The engine (rqpi/engine.h) is freestanding C11. It allocates nothing, has no globals, and calls
 * nothing but memcpy/memset and the functions of the struct below, which it gets with
 * rqpi_engine_init(). docs/embedding.md leads through a port; examples/port_coop.c is a whole
 * one.
 *
 * Contexts, named in each call's comment:
 *   task   called by a task for itself, no raw lock held; may sleep, may fault
 *   lock   called with raw locks of the engine held; must not sleep, must not call the engine
 * Nothing here is called from an interrupt handler, and the engine is not entered from one, except
 * for a port whose lock() keeps that handler out while it is held.
 *
 * Results are 0 (or >= 0) or a negative RQPI_E* code, whose numbers are those of Linux.
 */
#ifndef RQPI_PORT_H
#define RQPI_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang's -Wthread-safety can then check who holds which. */
#if defined(__clang__)
#define RQPI_CAPABILITY(name) __attribute__((capability(name)))
#else
#define RQPI_CAPABILITY(name)
#endif

struct rqpi_engine;
struct rqpi_task;
struct rqpi_pi_state;
struct rqpi_event;

/* The codes that the engine gives and takes, negated. The numbers are Linux's on every machine. */
enum rqpi_error {
	RQPI_EPERM = 1,
	RQPI_ESRCH = 3,
	RQPI_EINTR = 4,
	RQPI_EAGAIN = 11,
	RQPI_EFAULT = 14,
	RQPI_EBUSY = 16,
	RQPI_EINVAL = 22,
	RQPI_EDEADLK = 35,
	RQPI_ENOSYS = 38,
	RQPI_ETIMEDOUT = 110,
	/*
	 * A signal handler is to run: the host runs it, and then calls the engine again with the
	 * same arguments. RESTARTSYS: only if the handler was installed with SA_RESTART, else the
	 * program gets EINTR. RESTARTNOINTR: always. No program ever sees these two.
	 */
	RQPI_ERESTARTSYS = 512,
	RQPI_ERESTARTNOINTR = 513,
};

/*
 * A raw lock: short, never held across a sleep, taken and given back by the same task. All zero is
 * unlocked. What is in it is the port's business.
 *
 * After unlock() has let another task in, the memory may be gone: unlock() must not touch the lock
 * after its releasing store (a system call that the store makes necessary may name the address).
 * The holder must not be preempted for long by a task that then wants the lock: a kernel disables
 * preemption, a host in user space uses locks that inherit priority.
 */
struct RQPI_CAPABILITY("raw lock") rqpi_rawlock {
	uint32_t word[4];
};

/*
 * What a futex word is known by. Two addresses are the same futex if and only if their keys are
 * equal, so: private, an address space that is never reused and the address; shared, an object (an
 * inode) that is never reused and the offset in it, or the address space and the address where the
 * memory is private after all.
 */
struct rqpi_key {
	uint64_t object; /* id of the address space or of the object behind a shared mapping */
	uint64_t offset; /* address, or offset within the object */
	uint64_t shared; /* RQPI_KEY_* */
};
#define RQPI_KEY_PRIVATE       0 /* address space and address; the call was a private one */
#define RQPI_KEY_SHARED_MEMORY 1 /* shared call, memory private to the address space */
#define RQPI_KEY_SHARED_OBJECT 2 /* shared call, memory that others may map */

/*
 * How urgent a task is. @prio is on the scale of Linux's scheduler: -1 DEADLINE; 0 to 98 real time,
 * 0 being SCHED_FIFO or SCHED_RR 99; 100 to 139 everybody else, nice -20 to 19. Smaller is more
 * urgent. DEADLINE tasks are ordered by @deadline, and all of 100 to 139 is one level: nice decides
 * nothing about locks. The rest is carried along, for the port that applies it.
 */
struct rqpi_prio {
	int32_t prio;
	uint32_t policy;   /* of the task that the value comes from; the engine does not look */
	uint64_t deadline; /* DEADLINE: the absolute one, ns, earlier is more urgent; else 0 */
	uint64_t
	    param[3]; /* DEADLINE: runtime, relative deadline, period; the engine does not look */
};
#define RQPI_PRIO_DEADLINE (-1)
#define RQPI_PRIO_RT(n)	   (99 - (n)) /* SCHED_FIFO or SCHED_RR, n from 1 to 99 */
#define RQPI_PRIO_NICE(n)  (120 + (n))

/* A point in time, ns. The two clocks are those of clock_gettime(2), and so are their numbers. */
struct rqpi_deadline {
	uint64_t ns; /* RQPI_FOREVER: none */
	int clock;   /* RQPI_CLOCK_* */
};
#define RQPI_FOREVER	     UINT64_MAX
#define RQPI_CLOCK_REALTIME  0
#define RQPI_CLOCK_MONOTONIC 1

/*
 * struct rqpi_port - the functions of a host. All but trace must be there. @ctx is the pointer that
 * was given to rqpi_engine_init(); @self is the task that is running.
 */
struct rqpi_port {
	/* -- raw locks: any context, as the name says -------------------------------------- */
	void (*lock)(void *ctx, struct rqpi_rawlock *lock);
	bool (*trylock)(void *ctx, struct rqpi_rawlock *lock);
	void (*unlock)(void *ctx, struct rqpi_rawlock *lock);
	/*
	 * trylock() has failed, the lock that its holder may want has been let go, and all will be
	 * tried again at once: give the holder a chance to run, even if it is less urgent than the
	 * caller. Other raw locks of the engine may be held, none that the holder waits for.
	 */
	void (*relax)(void *ctx);

	/* -- the words of user space -------------------------------------------------------- */
	/*
	 * lock. Read the aligned 32-bit word at @uaddr in the address space of the running task,
	 * once, sequentially consistent. 0; -RQPI_EFAULT: not there, or not there without sleeping.
	 */
	int (*load)(void *ctx, const uint32_t *uaddr, uint32_t *val);
	/*
	 * lock. Replace @old by @val; @seen is what was there, equal to @old if it was replaced.
	 * Sequentially consistent. 0 (whether replaced or not); -RQPI_EFAULT: as load(), or
	 * read-only.
	 */
	int (*cmpxchg)(void *ctx, uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen);
	/*
	 * task. load() or, if @write, cmpxchg() answered EFAULT: bring the page in. 0: try again;
	 * -RQPI_EFAULT: it cannot be. A host without paging always answers EFAULT. A host that says
	 * 0 for ever to a word that can never be written makes the operation loop for ever.
	 */
	int (*fault_in)(void *ctx, uint32_t *uaddr, bool write);
	/* task. Copy from user space: a timespec, a link of a robust list. 0 or -RQPI_EFAULT. */
	int (*copy_in)(void *ctx, void *to, const void *from, size_t bytes);
	/*
	 * task. The key of @uaddr. Not called for a private one: that is the address space of the
	 * running task and the address. @write: the word is going to be written.
	 * 0; -RQPI_EFAULT: nothing mapped there, or mapped read-only and @write, or private to this
	 * address space and read-only.
	 */
	int (*shared_key)(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
			  struct rqpi_key *key);
	/* any. Is @uaddr an address of user space at all? */
	bool (*user_range)(void *ctx, const void *uaddr);

	/* -- sleeping ------------------------------------------------------------------------ */
	/*
	 * task. Sleep until wake() has been called for @self. A wake() since the last return of
	 * block() ends it at once; it may return 0 without any, the engine looks at its condition
	 * again. 0; -RQPI_ETIMEDOUT: not before @deadline; -RQPI_EINTR, only if @interruptible: a
	 * signal handler is to run or has run. A signal without a handler does not end it.
	 */
	int (*block)(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
		     bool interruptible);
	/*
	 * any, no raw lock held. @task may have gone on long since: a wake() too many is
	 * harmless.
	 */
	void (*wake)(void *ctx, struct rqpi_task *task);
	/* any. */
	uint64_t (*now)(void *ctx, int clock);

	/* -- tasks --------------------------------------------------------------------------- */
	/*
	 * lock. The task with this id as @self sees ids, with a reference (rqpi_task_get()), or
	 * NULL. Called with a bucket locked: the port's own lock around its table comes after
	 * those.
	 */
	struct rqpi_task *(*find_task)(void *ctx, struct rqpi_task *self, uint32_t tid);
	/*
	 * any, possibly lock. The last reference is gone: the memory of @task and that of the PI
	 * state which it has with it (another one than it came with) may be reused.
	 */
	void (*release)(void *ctx, struct rqpi_task *task, struct rqpi_pi_state *state);
	/*
	 * lock (the pi_lock of @task, so that two calls for one task never overlap and the last one
	 * is right). Let @task run as @eff from now on.
	 */
	void (*set_prio)(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff);

	/* -- telling ------------------------------------------------------------------------- */
	/* any, possibly lock. A decision was made; see rqpi/trace.h. NULL: do not tell. */
	void (*trace)(void *ctx, const struct rqpi_event *event);
	/*
	 * any. An assertion of the engine failed: its state can no longer be relied on. No
	 * return.
	 */
	void (*panic)(void *ctx, const char *what, const char *file, int line);
};

#ifdef __cplusplus
}
#endif
#endif /* RQPI_PORT_H */
