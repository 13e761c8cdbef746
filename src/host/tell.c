/* SPDX-License-Identifier: MIT */
/*
 * tell.c - what the host says: the ring of events, the sums of the counters, lines on stderr, the
 * end.
 *
 * Called by the engine through the port, possibly with raw locks held, and by whoever wants to
 * know.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/host/rawcall.h"

#define STDERR 2

void rqh_say_once(struct rqh_host *h, uint32_t bit, const char *text)
{
	if (!(rqb_or(&h->said, bit) & bit))
		rqh_syscall3(SYS_write, STDERR, RQH_ARG(text), (long)strlen(text));
}

/* ---------------------------------------------------------------- events */

void rqh_trace(void *ctx, const struct rqpi_event *event)
{
	struct rqh_host *h = ctx;
	struct rqh_trace_entry *entry;
	uint64_t serial;
	int cpu;

	serial = rqb_add64(&h->events, 1) + 1;
	entry = &h->ring[(serial - 1) % RQH_TRACE_EVENTS];
	cpu = sched_getcpu();
	rqb_store_bits(&entry->serial, 0);
	entry->ns = rqh_now(ctx, RQPI_CLOCK_MONOTONIC);
	entry->cpu = cpu < 0 ? 0 : (uint64_t)cpu;
	entry->event = *event;
	if (!entry->event.tid)
		entry->event.tid = rqh_me()->tid;
	rqb_store_bits(&entry->serial, (uintptr_t)serial);
}

/*
 * Four flags follow the CPU in the kernel's traces: interrupts, scheduling; we know none of them.
 */
static void print_entry(const struct rqh_trace_entry *entry, rqpi_print *print, void *arg)
{
	char line[320];
	char text[200];
	char name[32];

	rqh_name_of(entry->event.tid, name, sizeof(name));
	rqpi_event_text(&entry->event, text, sizeof(text));
	snprintf(line, sizeof(line), "%s-%u %u.... %lluus : %s", name, entry->event.tid,
		 (unsigned int)entry->cpu, (unsigned long long)(entry->ns / 1000), text);
	print(arg, line);
}

void rqpi_host_trace(rqpi_print *print, void *arg)
{
	struct rqh_host *h = rqh_enter();
	uint64_t end;
	uint64_t first;

	if (!h || !rqh_has(h, RQPI_HOST_TRACE) || !print)
		return;
	end = rqb_load64(&h->events);
	first = end > RQH_TRACE_EVENTS ? end - RQH_TRACE_EVENTS : 0;
	for (uint64_t i = first; i < end; i++) {
		const struct rqh_trace_entry *entry = &h->ring[i % RQH_TRACE_EVENTS];

		if (rqb_load_bits(&entry->serial) == (uintptr_t)(i + 1))
			print_entry(entry, print, arg);
	}
}

/* ---------------------------------------------------------------- counters */

void rqh_sum_counts(struct rqh_host *h, struct rqpi_host_stats *sum)
{
	struct rqh_counts all;

	rqh_lock(h, &h->table_lock);
	all = h->past;
	for (uint32_t i = 0; i < h->threads_used; i++)
		rqh_add_counts(&all, &h->threads[i].counts);
	rqh_unlock(h, &h->table_lock);
	sum->calls = all.calls;
	sum->sleeps = all.sleeps;
	sum->wakes = all.wakes;
	sum->prio_changes = all.prio_changes;
	sum->prio_refused = all.prio_refused;
	sum->deadline_as_fifo = all.deadline_as_fifo;
	sum->foreign_owners = rqb_load64(&h->foreign_owners);
	sum->broken_locks = rqb_load64(&h->broken_locks);
}

/* ---------------------------------------------------------------- the end */

static void print_line(void *arg, const char *line)
{
	(void)arg;
	rqh_syscall3(SYS_write, STDERR, RQH_ARG(line), (long)strlen(line));
	rqh_syscall3(SYS_write, STDERR, RQH_ARG("\n"), 1);
}

void rqh_panic(void *ctx, const char *what, const char *file, int line)
{
	struct rqh_tls *me = rqh_me();
	struct rqh_host *h = ctx;
	char text[320];

	if (!me->panicking) {
		/* From here on this thread passes every lock: it may hold some already. */
		me->panicking = 1;
		snprintf(text, sizeof(text), "rqpi: panic: %s (%s:%d), thread %u", what, file, line,
			 me->tid);
		print_line(NULL, text);
		if (h && h->engine)
			rqpi_engine_dump(h->engine, print_line, NULL);
	}
	abort();
}
