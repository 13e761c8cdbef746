/* SPDX-License-Identifier: MIT */
/*
 * shim_report.h - the report of --observe and --stats: gathered and written by shim_report.c, in
 * the words of shim_report_text.c or shim_report_json.c.
 */
#ifndef RQU_SHIM_REPORT_H
#define RQU_SHIM_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "src/shim/shim_force.h"
#include "src/shim/shim_print.h"
#include "src/shim/shim_stats.h"
#include "src/shim/shim_symbol.h"
#include <rqpi/base.h>

struct shim_totals {
	uint64_t mutexes; /* that somebody waited for */
	uint64_t mutex_waits;
	uint64_t mutex_wait_ns;
	uint64_t mutex_timeouts;
	uint64_t inversions;
	uint64_t inversion_ns;
	uint64_t boosts;
	uint64_t condvars;
	uint64_t cond_waits;
	uint64_t cond_timeouts;
	uint64_t cond_cancelled;
	uint64_t signals;
	uint64_t broadcasts;
	uint64_t met_nobody;
	uint64_t with_mutex_held;
	uint64_t out_of_order;
	uint64_t waiting_now;
	uint64_t rowless_waits; /* in locks without a row */
	uint64_t unseated;
};

struct shim_report {
	struct shim_print out;
	const char *why; /* "exit", "signal" */
	uint32_t pid;
	uint64_t ns; /* since the start, or since the fork */
	uint32_t count;
	uint32_t *order; /* rows, the most remarkable first: mutexes, then condvars */
	struct shim_totals totals;
	struct shim_force_counts forced;
	struct rqpi_cond_stats conds;
};

/* Set by shim_watch_start.c; constant from then on. */
extern struct shim_report_choice {
	bool json;
	const char *file; /* NULL: standard error */
	uint32_t main;	  /* the process that writes @file itself; others add their ID */
} shim_report_choice;

/* Nothing is known yet, as after a fork. */
void shim_report_begin(void);
/* Write one. Async-signal-safe. */
void shim_report_write(const char *why);

/*
 * Reading symbols is for one thread at a time. @patient: wait for another one, if it is not the
 * caller. False: somebody else does so.
 */
bool shim_report_claim(bool patient);
void shim_report_release(void);

void shim_report_text(struct shim_report *r);
void shim_report_json(struct shim_report *r);

/* ---- for both ---- */

static inline bool shim_row_is_cond(const struct shim_row *row)
{
	return (row->key & 1) != 0;
}

/* "FIFO", "OTHER", ... */
const char *shim_policy_name(int policy);
/* "normal", "recursive", "errorcheck", "adaptive" */
const char *shim_type_name(uint32_t kind);
/* "none", "inherit", "protect" */
const char *shim_protocol_name(uint32_t kind);
/* Why it has been left to libc by --force-pi; NULL: it has not, or nothing is forced. */
const char *shim_left_name(const struct shim_row *row);
/* "exceptions", ...: a member of JSON. */
extern const char *const shim_left_names[SHIM_LEFT_REASONS];

/* "SYMBOL+0xINTO (OBJECT)", "SYMBOL (OBJECT)", "OBJECT+0xOFFSET", "at 0xADDRESS" */
void shim_report_place(struct shim_print *p, const struct shim_place *place, uint64_t address);
/*
 * What a lock at @address is called: the variable it lies in, or else, @is_site true, the code that
 * made it or used it first.
 */
void shim_lock_place(uint64_t address, uint64_t site, struct shim_place *place, bool *is_site);

#endif /* RQU_SHIM_REPORT_H */
