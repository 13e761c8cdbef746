/* SPDX-License-Identifier: MIT */
/*
 * trace_report.c - order, sums and advice for the reports. Called by trace_text.c and trace_json.c;
 * interface: trace_report.h.
 */
#define _GNU_SOURCE
#include "trace_report.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "trace_build.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

const char *trace_policy_name(int policy)
{
	switch (policy) {
	case SCHED_OTHER:
		return "OTHER";
	case SCHED_FIFO:
		return "FIFO";
	case SCHED_RR:
		return "RR";
	case SCHED_BATCH:
		return "BATCH";
	case SCHED_IDLE:
		return "IDLE";
	case SCHED_DEADLINE:
		return "DEADLINE";
	default:
		return NULL;
	}
}

const char *trace_kind_name(uint32_t kind)
{
	static const char *const names[] = {"normal", "recursive", "errorcheck", "adaptive"};

	return names[kind & TRACE_KIND_TYPE];
}

/* ---- order ---- */

bool trace_is_inversion(const struct trace_wait *w)
{
	return w->inversion;
}

bool trace_slept_inside(const struct trace_wait *w)
{
	return w->how == TRACE_HOW_RELEASE && w->asleep > 0;
}

bool trace_is_other(const struct trace_wait *w)
{
	return w->how != TRACE_HOW_RELEASE && !w->inversion;
}

static uint64_t badness(const struct trace_wait *w)
{
	return w->how == TRACE_HOW_RELEASE ? w->asleep : trace_wait_ns(w);
}

static int longest_first(const void *a, const void *b, void *waits)
{
	uint32_t i = *(const uint32_t *)a;
	uint32_t j = *(const uint32_t *)b;
	uint64_t x = badness((const struct trace_wait *)waits + i);
	uint64_t y = badness((const struct trace_wait *)waits + j);

	if (x != y)
		return x < y ? 1 : -1;
	return i < j ? -1 : i > j;
}

static uint32_t *new_order(uint32_t room)
{
	uint32_t *order = calloc(room + 1u, sizeof(*order));

	if (!order)
		trace_no_memory();
	return order;
}

uint32_t *trace_order_waits(const struct trace_model *m, bool (*wanted)(const struct trace_wait *w),
			    uint32_t *count)
{
	uint32_t *order = new_order(m->waits.count);

	*count = 0;
	for (uint32_t i = 0; i < m->waits.count; i++)
		if (wanted(&m->waits.at[i]))
			order[(*count)++] = i;
	qsort_r(order, *count, sizeof(*order), longest_first, m->waits.at);
	return order;
}

static uint64_t length_of(const struct trace_model *m, uint32_t wait)
{
	return wait == TRACE_NO_INDEX ? 0 : trace_wait_ns(&m->waits.at[wait]);
}

static int worst_first(const void *a, const void *b, void *model)
{
	const struct trace_model *m = model;
	uint32_t i = *(const uint32_t *)a;
	uint32_t j = *(const uint32_t *)b;
	const struct trace_lock *x = &m->locks.at[i];
	const struct trace_lock *y = &m->locks.at[j];
	uint64_t x_ns = length_of(m, x->worst);
	uint64_t y_ns = length_of(m, y->worst);

	if (x_ns == y_ns) {
		x_ns = length_of(m, x->longest);
		y_ns = length_of(m, y->longest);
	}
	if (x_ns != y_ns)
		return x_ns < y_ns ? 1 : -1;
	return i < j ? -1 : i > j;
}

static bool is_worth_telling(const struct trace_lock *lock, const struct trace_releases *r)
{
	return lock->waits || r->signals || r->broadcasts;
}

uint32_t *trace_order_locks(const struct trace_model *m, enum trace_lock_type type, uint32_t *count)
{
	uint32_t *order = new_order(m->locks.count);
	struct trace_releases *releases = trace_sum_releases(m);

	*count = 0;
	for (uint32_t i = 0; i < m->locks.count; i++)
		if (m->locks.at[i].type == type && is_worth_telling(&m->locks.at[i], &releases[i]))
			order[(*count)++] = i;
	free(releases);
	qsort_r(order, *count, sizeof(*order), worst_first, (void *)(uintptr_t)m);
	return order;
}

struct trace_releases *trace_sum_releases(const struct trace_model *m)
{
	struct trace_releases *all = calloc(m->locks.count + 1u, sizeof(*all));

	if (!all)
		trace_no_memory();
	for (uint32_t i = 0; i < m->waits.count; i++) {
		const struct trace_wait *w = &m->waits.at[i];
		struct trace_releases *r = &all[w->lock];

		if (w->how != TRACE_HOW_RELEASE)
			continue;
		r->signals += !w->broadcast;
		r->broadcasts += w->broadcast;
		if (!w->asleep)
			continue;
		r->slept++;
		r->asleep_ns += w->asleep;
		if (w->asleep > r->longest_asleep_ns)
			r->longest_asleep_ns = w->asleep;
	}
	return all;
}

/* ---- what to do ---- */

/* Of a process that runs already, how it was started is not known. */
static const char *program(const struct trace_model *m)
{
	return m->command && strncmp(m->command, "process ", 8) ? m->command : "PROGRAM";
}

static int advise_signal(const struct trace_model *m, const struct trace_lock *cond,
			 trace_advice advice)
{
	enum trace_inherits inherits = cond->partner == TRACE_NO_INDEX
					   ? TRACE_INHERITS_UNKNOWN
					   : m->locks.at[cond->partner].inherits;

	/* Without --force-pi the preload serves the condvars of PI mutexes alone. */
	if (inherits == TRACE_INHERITS_YES)
		snprintf(advice[0], TRACE_ADVICE_SIZE, "rqpi run -- %s", program(m));
	else if (inherits == TRACE_INHERITS_NO)
		snprintf(advice[0], TRACE_ADVICE_SIZE, "rqpi run --force-pi -- %s", program(m));
	else
		snprintf(advice[0], TRACE_ADVICE_SIZE,
			 "rqpi run -- %s, with --force-pi if its mutex does not inherit",
			 program(m));
	snprintf(advice[1], TRACE_ADVICE_SIZE, "rqpi_cond_t with rqpi_mutex_t");
	return 2;
}

int trace_advise(const struct trace_model *m, const struct trace_wait *w, trace_advice advice)
{
	const struct trace_lock *lock = &m->locks.at[w->lock];

	if (w->how == TRACE_HOW_RELEASE)
		return advise_signal(m, lock, advice);
	if (lock->inferred && m->from_preload) {
		snprintf(
		    advice[0], TRACE_ADVICE_SIZE,
		    "a PI mutex in its place; --force-pi does not reach it, as it is no mutex of "
		    "pthread, or one that is locked inside of libc");
		return 1;
	}
	snprintf(advice[0], TRACE_ADVICE_SIZE,
		 "pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT)");
	snprintf(advice[1], TRACE_ADVICE_SIZE, "rqpi_mutex_t");
	snprintf(advice[2], TRACE_ADVICE_SIZE, "rqpi run --force-pi -- %s", program(m));
	return 3;
}
