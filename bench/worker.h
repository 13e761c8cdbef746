/* SPDX-License-Identifier: MIT */
/*
 * worker.h - what the parts of rqpi-bench-worker share: the arguments of one batch, the clock,
 * threads with a real-time priority, the bare futex, and the lines of samples on stdout. The
 * work_*.c are compiled once for every implementation (see impl.h); worker.c calls them, and nobody
 * outside the worker includes this.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WORK_NSEC_PER_USEC UINT64_C(1000)
#define WORK_NSEC_PER_MSEC UINT64_C(1000000)
#define WORK_NSEC_PER_SEC  UINT64_C(1000000000)

/* One batch, as the driver ordered it: "worker BENCH IMPL key=value ...". */
struct work_args {
	int cpu;     /* everything, or the one side of it, runs here */
	int cpu2;    /* a second CPU, or -1 */
	int cross;   /* wake, engine: one thread on cpu2;  herd: all threads on both CPUs */
	int held;    /* wake: signal with the mutex held */
	int samples; /* batches, wake-ups, broadcasts or rounds */
	int waiters; /* herd, engine */
	int prio;    /* herd: of the broadcaster;  queue, engine: of all, 0 is SCHED_OTHER */
	int hog_ms;  /* inversion */
	int order;   /* inversion: scenario order, else group */
	int pairs;   /* queue */
	int ms;	     /* queue, contended: for how long */
	int threads; /* contended */
	int work_ns; /* contended: with the mutex held, and as much without */
	int depth;   /* chain */
	int forced;  /* contended, pool: measure nothing if the mutex does not inherit */
	int part;    /* engine: enum work_part */
	int limit;   /* seconds until the watchdog ends the process */
};

/* Those of the engine question, see work_engine.c. */
enum work_part { WORK_PART_CALLS, WORK_PART_REQUEUE, WORK_PART_HANDS, WORK_PARTS };

/* The implementations; each defines its own set of these, see impl.h. */
#define WORK_DECLARE(impl)                                          \
	void work_uncontended_##impl(const struct work_args *args); \
	void work_wake_##impl(const struct work_args *args);        \
	void work_herd_##impl(const struct work_args *args);        \
	void work_inversion_##impl(const struct work_args *args);   \
	void work_queue_##impl(const struct work_args *args);       \
	void work_contended_##impl(const struct work_args *args);   \
	void work_pool_##impl(const struct work_args *args)
WORK_DECLARE(pthread);
WORK_DECLARE(normal);
WORK_DECLARE(native);
/* The floors answer what they are a floor of. */
void work_wake_requeue(const struct work_args *args);
void work_herd_requeue(const struct work_args *args);
void work_contended_requeue(const struct work_args *args);
void work_pool_requeue(const struct work_args *args);
void work_wake_futex(const struct work_args *args);
/* One futex against the other. */
void work_engine_linux(const struct work_args *args);
void work_engine_engine(const struct work_args *args);
void work_chain_linux(const struct work_args *args);
void work_chain_engine(const struct work_args *args);
void work_requeue_linux(const struct work_args *args);
void work_requeue_engine(const struct work_args *args);

/* What a worker program can run; worker_table.c, worker_musl.c. */
struct work_entry {
	const char *bench, *impl;
	void (*run)(const struct work_args *args);
};
extern const struct work_entry work_table[];
extern const size_t work_entries;
/* work_apply_prio() - pthread_setschedparam() for the caller. Returns 0 or an errno value. */
int work_apply_prio(int policy, int prio);
/* work_check_implementation() - end the process unless it is @impl. */
void work_check_implementation(const char *impl);

/*
 * work_die() - say on stderr what went wrong (@code: an errno value or 0) and end the process with
 * 2.
 */
_Noreturn void work_die(const char *what, int code);

/* work_emit() - one line on stdout: the name of a series and its samples. */
void work_emit(const char *series, const double *values, size_t n);
void work_emit_one(const char *series, double value);

/*
 * work_alloc() - zeroed, cache-line aligned memory for @n things of @size bytes; ends the process
 * if none.
 */
void *work_alloc(size_t n, size_t size);

/*
 * work_bind() - the calling thread, and those it starts later, run on @cpu, and on @cpu2 unless
 * that is -1.
 */
void work_bind(int cpu, int cpu2);

/* work_set_prio() - the calling thread becomes SCHED_FIFO @prio, or SCHED_OTHER for 0. */
void work_set_prio(int prio);

/*
 * work_start() - a thread on @cpu (-1: where the caller may run) at SCHED_FIFO @prio (0:
 * SCHED_OTHER).
 * work_start_small() - the same with a stack that ten thousand threads may have.
 */
pthread_t work_start(void *(*run)(void *), void *arg, int prio, int cpu);
pthread_t work_start_small(void *(*run)(void *), void *arg, int prio, int cpu);
void work_join(pthread_t thread);

void work_nap(uint64_t ns);

/*
 * work_switches() - context switches of the calling thread; work_switches_all() - of the process,
 * all threads.
 */
long work_switches(void);
long work_switches_all(void);

/* The bare futex. @word is private to the process. The wait returns for any reason. */
long work_futex(_Atomic uint32_t *word, int op, uint32_t val, uintptr_t val2,
		_Atomic uint32_t *word2, uint32_t val3);
void work_gate_wait(_Atomic uint32_t *gate, uint32_t until);
void work_gate_open(_Atomic uint32_t *gate, uint32_t value);

/*
 * The bare compare-exchange pair; called through pointers, as a library's functions are through its
 * PLT.
 */
extern uint32_t (*volatile work_cas_lock)(_Atomic uint32_t *word, uint32_t tid);
extern uint32_t (*volatile work_cas_unlock)(_Atomic uint32_t *word, uint32_t tid);

static inline uint64_t work_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * WORK_NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

#endif /* BENCH_WORKER_H */
