/* SPDX-License-Identifier: MIT */
/*
 * work_util.c - the worker's tools behind worker.h: threads with a priority, the bare futex,
 * counters of context switches, the sample lines. Called by worker.c and by every work_*.c; knows
 * no implementation.
 */
#include "worker.h"
#include "work_args.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024, SMALL_STACK_BYTES = 32 * 1024 };

void work_die(const char *what, int code)
{
	if (code)
		fprintf(stderr, "rqpi-bench-worker: %s: %s\n", what, strerror(code));
	else
		fprintf(stderr, "rqpi-bench-worker: %s\n", what);
	fflush(stdout);
	_exit(2);
}

void work_emit(const char *series, const double *values, size_t n)
{
	fputs(series, stdout);
	for (size_t i = 0; i < n; i++)
		printf(" %.3f", values[i]);
	putchar('\n');
}

void work_emit_one(const char *series, double value)
{
	work_emit(series, &value, 1);
}

void *work_alloc(size_t n, size_t size)
{
	size_t bytes = (n * size + 63) / 64 * 64;
	void *memory = aligned_alloc(64, bytes ? bytes : 64);

	if (!memory)
		work_die("memory", ENOMEM);
	return memset(memory, 0, bytes);
}

void work_bind(int cpu, int cpu2)
{
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (cpu2 >= 0)
		CPU_SET((size_t)cpu2, &set);
	err = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (err)
		work_die("binding a thread to its CPU", err);
}

void work_set_prio(int prio)
{
	int err = work_apply_prio(prio ? SCHED_FIFO : SCHED_OTHER, prio);

	if (err)
		work_die("SCHED_FIFO", err);
}

#ifndef __GLIBC__
/* musl has no attribute for it; but a thread begins where its creator may run. */
static int create_there(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			void *arg, const cpu_set_t *set)
{
	cpu_set_t own;
	int err;

	if (!set)
		return pthread_create(thread, attr, run, arg);
	if (pthread_getaffinity_np(pthread_self(), sizeof(own), &own) ||
	    pthread_setaffinity_np(pthread_self(), sizeof(*set), set))
		return EINVAL;
	err = pthread_create(thread, attr, run, arg);
	pthread_setaffinity_np(pthread_self(), sizeof(own), &own);
	return err;
}
#endif

static pthread_t start(void *(*run)(void *), void *arg, int prio, int cpu, size_t stack)
{
	struct sched_param param = {.sched_priority = prio};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, prio ? SCHED_FIFO : SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &param);
	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET((size_t)cpu, &set);
#ifdef __GLIBC__
	if (cpu >= 0)
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	err = pthread_create(&thread, &attr, run, arg);
#else
	err = create_there(&thread, &attr, run, arg, cpu < 0 ? NULL : &set);
#endif
	if (err)
		work_die("starting a thread", err);
	pthread_attr_destroy(&attr);
	return thread;
}

pthread_t work_start(void *(*run)(void *), void *arg, int prio, int cpu)
{
	return start(run, arg, prio, cpu, STACK_BYTES);
}

pthread_t work_start_small(void *(*run)(void *), void *arg, int prio, int cpu)
{
	return start(run, arg, prio, cpu, SMALL_STACK_BYTES);
}

void work_join(pthread_t thread)
{
	int err = pthread_join(thread, NULL);

	if (err)
		work_die("pthread_join", err);
}

void work_nap(uint64_t ns)
{
	struct timespec left = {(time_t)(ns / WORK_NSEC_PER_SEC), (long)(ns % WORK_NSEC_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

static long count_switches(int who)
{
	struct rusage usage;

	if (getrusage(who, &usage))
		work_die("getrusage", errno);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

long work_switches(void)
{
	return count_switches(RUSAGE_THREAD);
}

long work_switches_all(void)
{
	return count_switches(RUSAGE_SELF);
}

long work_futex(_Atomic uint32_t *word, int op, uint32_t val, uintptr_t val2,
		_Atomic uint32_t *word2, uint32_t val3)
{
	return syscall(SYS_futex, word, op, val, val2, word2, val3);
}

void work_gate_wait(_Atomic uint32_t *gate, uint32_t until)
{
	uint32_t now;

	while ((now = atomic_load(gate)) < until)
		work_futex(gate, FUTEX_WAIT_PRIVATE, now, 0, NULL, 0);
}

void work_gate_open(_Atomic uint32_t *gate, uint32_t value)
{
	atomic_store(gate, value);
	work_futex(gate, FUTEX_WAKE_PRIVATE, INT_MAX, 0, NULL, 0);
}

static uint32_t cas_lock(_Atomic uint32_t *word, uint32_t tid)
{
	uint32_t none = 0;

	return !atomic_compare_exchange_strong_explicit(word, &none, tid, memory_order_acquire,
							memory_order_relaxed);
}

static uint32_t cas_unlock(_Atomic uint32_t *word, uint32_t tid)
{
	return !atomic_compare_exchange_strong_explicit(word, &tid, 0, memory_order_release,
							memory_order_relaxed);
}

uint32_t (*volatile work_cas_lock)(_Atomic uint32_t *word, uint32_t tid) = cas_lock;
uint32_t (*volatile work_cas_unlock)(_Atomic uint32_t *word, uint32_t tid) = cas_unlock;

const char *work_parse_args(struct work_args *args, char **words)
{
	const struct {
		const char *key;
		int *value;
		long min, max;
	} keys[] = {
	    {"cpu", &args->cpu, 0, CPU_SETSIZE - 1},
	    {"cpu2", &args->cpu2, -1, CPU_SETSIZE - 1},
	    {"cross", &args->cross, 0, 1},
	    {"held", &args->held, 0, 1},
	    {"samples", &args->samples, 1, 1000000},
	    {"waiters", &args->waiters, 1, 16384},
	    {"prio", &args->prio, 0, 95},
	    {"hog", &args->hog_ms, 1, 500},
	    {"order", &args->order, 0, 1},
	    {"pairs", &args->pairs, 1, 16},
	    {"ms", &args->ms, 1, 60000},
	    {"threads", &args->threads, 1, 64},
	    {"work", &args->work_ns, 0, 1000000},
	    {"depth", &args->depth, 1, 1000},
	    {"forced", &args->forced, 0, 1},
	    {"part", &args->part, 0, WORK_PARTS - 1},
	    {"limit", &args->limit, 1, 600},
	};

	for (; *words; words++) {
		const char *equals = strchr(*words, '=');
		bool known = false;

		for (size_t i = 0; equals && !known && i < sizeof(keys) / sizeof(keys[0]); i++) {
			size_t length = (size_t)(equals - *words);
			char *end;
			long value;

			if (strlen(keys[i].key) != length ||
			    strncmp(*words, keys[i].key, length) != 0)
				continue;
			value = strtol(equals + 1, &end, 10);
			if (*end || end == equals + 1 || value < keys[i].min || value > keys[i].max)
				return *words;
			*keys[i].value = (int)value;
			known = true;
		}
		if (!known)
			return *words;
	}
	return NULL;
}
