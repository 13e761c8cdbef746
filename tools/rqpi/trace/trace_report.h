/* SPDX-License-Identifier: MIT */
/*
 * trace_report.h - what the two reports have in common, trace_text.c for people and trace_json.c
 * for programs: which waits are told first, sums of signals, and what to do about a finding.
 */
#ifndef RQPI_TRACE_REPORT_H
#define RQPI_TRACE_REPORT_H

#include "trace.h"

static inline uint64_t trace_wait_ns(const struct trace_wait *w)
{
	return w->until - w->since;
}

/* "FIFO"; NULL: not known. */
const char *trace_policy_name(int policy);
/* "normal", "recursive" ... of a mutex. */
const char *trace_kind_name(uint32_t kind);

/* Indices of waits that @wanted, the longest first; to be freed. */
uint32_t *trace_order_waits(const struct trace_model *m, bool (*wanted)(const struct trace_wait *w),
			    uint32_t *count);
bool trace_is_inversion(const struct trace_wait *w);
bool trace_slept_inside(const struct trace_wait *w); /* a signal or broadcast that slept */
bool trace_is_other(const struct trace_wait *w);     /* neither, and not a signal */

/*
 * Indices of the locks of @type that anybody waited for, first those with the longest inversion,
 * then with the longest wait; to be freed.
 */
uint32_t *trace_order_locks(const struct trace_model *m, enum trace_lock_type type,
			    uint32_t *count);

/* Signals and broadcasts of a condvar that the preload told of: with somebody inside. */
struct trace_releases {
	uint64_t signals;
	uint64_t broadcasts;
	uint64_t slept; /* of both: those that slept inside */
	uint64_t asleep_ns;
	uint64_t longest_asleep_ns;
};

/* One for each lock of the model; to be freed. */
struct trace_releases *trace_sum_releases(const struct trace_model *m);

/* What to do about @w, an inversion or a signal that slept: sentences. Returns how many. */
#define TRACE_ADVICE_MOST 3
#define TRACE_ADVICE_SIZE 320
typedef char trace_advice[TRACE_ADVICE_MOST][TRACE_ADVICE_SIZE];
int trace_advise(const struct trace_model *m, const struct trace_wait *w, trace_advice advice);

#endif /* RQPI_TRACE_REPORT_H */
