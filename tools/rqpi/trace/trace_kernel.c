/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel.c - events of the kernel for `rqpi trace`: start, drain, stop. See trace.h.
 *
 * The kernel writes into one buffer a processor and instance; drain() reads them page by page and
 * never waits. So the events of one processor come in order, those of two do not, and nothing here
 * relies on it: what needs both sides of a story is settled after each drain
 * (trace_kernel_tasks.c), and trace_model_build() sorts.
 */
#define _GNU_SOURCE
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef RQPI_HAVE_TRACEFS

#include <time.h>

#include "trace_kernel.h"

/* The one that is at work, for the end of the program. */
static struct trace_kernel *started;

/*
 * exit() by somebody else, as when memory runs out: an instance that stays would go on tracing.
 * After a SIGKILL it does, until the next tracer removes it.
 */
static void close_at_exit(void)
{
	if (started && started->tracer == getpid())
		kernel_close(started);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct trace_kernel *trace_kernel_start(uint32_t pid, uint32_t buffer_kb, char why[256])
{
	static bool registered;
	struct trace_kernel *k = calloc(1, sizeof(*k));

	if (!k)
		trace_no_memory();
	if (!registered)
		registered = !atexit(close_at_exit);
	k->tracer = getpid();
	k->pid = pid;
	k->buffer_kb = buffer_kb;
	k->mount = -1;
	started = k;
	if (!kernel_open(k, why)) {
		started = NULL;
		kernel_close(k);
		free(k);
		return NULL;
	}
	kernel_tasks_asleep(k, now_ns());
	return k;
}

static void read_buffer(struct trace_kernel *k, struct trace_model *m, int fd, uint16_t cpu)
{
	/* All that it can hold, twice: who makes events faster than we read must not keep us. */
	uint64_t pages = 2048u * (uint64_t)k->buffer_kb / k->size + 2;
	unsigned long long ns;

	while (pages-- && read(fd, k->bytes, k->size) > 0) {
		void *data;

		kbuffer_load_subbuffer(k->page, k->bytes);
		for (data = kbuffer_read_event(k->page, &ns); data;
		     data = kbuffer_next_event(k->page, &ns))
			kernel_events_take(k, m, data, cpu, ns);
	}
}

void trace_kernel_drain(struct trace_kernel *k, struct trace_model *m)
{
	uint32_t first = m->events.count;

	m->from_kernel = true;
	if (!k->begun) {
		k->begun = true;
		kernel_tasks_begin(k, m);
		for (uint32_t i = 0; i < k->early.count; i++)
			trace_add(m, &k->early.at[i]);
	}
	for (uint32_t i = 0; i < k->sched.cpus; i++)
		read_buffer(k, m, k->sched.fd[i], k->sched.cpu[i]);
	for (uint32_t i = 0; i < k->calls.cpus; i++)
		read_buffer(k, m, k->calls.fd[i], k->calls.cpu[i]);
	kernel_tasks_settle(k, m, first);
}

void trace_kernel_stop(struct trace_kernel *k, struct trace_model *m)
{
	kernel_pause(k);
	trace_kernel_drain(k, m);
	/* Once more for all: who was born in one drain can have been known in a later one only. */
	kernel_tasks_settle(k, m, 0);
	m->lost += kernel_lost(k);
	started = NULL;
	kernel_close(k);
	kernel_tasks_free(k);
	free(k->early.at);
	free(k);
}

#else /* no libtracefs */

struct trace_kernel *trace_kernel_start(uint32_t pid, uint32_t buffer_kb, char why[256])
{
	(void)pid;
	(void)buffer_kb;
	snprintf(why, 256,
		 "this rqpi was built without libtracefs, and has no events of the kernel");
	return NULL;
}

void trace_kernel_drain(struct trace_kernel *k, struct trace_model *m)
{
	(void)k;
	(void)m;
}

void trace_kernel_stop(struct trace_kernel *k, struct trace_model *m)
{
	(void)k;
	(void)m;
}

#endif
