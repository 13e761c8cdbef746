/* SPDX-License-Identifier: MIT */
/*
 * shim_report.c - gathers and writes the report of --observe and --stats, at exit and on a signal.
 *
 * The same code does both, so it is async-signal-safe throughout. A signal handler rather than a
 * thread that waits for the signal: the program keeps the threads it has, a forked child can report
 * too, and the signal need not be blocked anywhere, which children would inherit.
 */
#define _GNU_SOURCE
#include "src/shim/shim_report.h"

#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"

#define PATIENCE_NS 2000000000u /* at exit, for a report that another thread writes */

struct shim_report_choice shim_report_choice;

static struct shim_report report;
static uint32_t reporter; /* the thread that writes one now; 0: none */
static uint64_t started;
/* What a parent had counted before it forked us. */
static struct shim_force_counts forced_before;
static struct rqpi_cond_stats conds_before;

static struct rqpi_cond_stats conds_now(void)
{
	struct rqpi_cond_stats stats = {.size = sizeof(stats)};

	if (rqpi_get_cond_stats(&stats))
		memset(&stats, 0, sizeof(stats));
	return stats;
}

void shim_report_begin(void)
{
	rqb_store(&reporter, 0);
	started = shim_stats_now();
	forced_before = shim_force_counts;
	conds_before = conds_now();
}

/* Both are nothing but counters. */
static void subtract(void *now, const void *before, size_t size)
{
	uint64_t *n = now;
	const uint64_t *b = before;

	for (size_t i = 0; i < size / sizeof(*n); i++)
		n[i] -= b[i];
}

/* ---- gather ---- */

static void add_mutex(struct shim_totals *t, const struct shim_row *row)
{
	t->mutexes++;
	t->mutex_waits += row->waits;
	t->mutex_wait_ns += row->wait_ns;
	t->mutex_timeouts += row->timeouts;
	t->inversions += row->inversions;
	t->inversion_ns += row->inversion_ns;
	t->boosts += row->boosts;
}

static void add_cond(struct shim_totals *t, const struct shim_row *row)
{
	t->condvars++;
	t->cond_waits += row->waits;
	t->cond_timeouts += row->timeouts;
	t->cond_cancelled += row->cancelled;
	t->signals += row->signals;
	t->broadcasts += row->broadcasts;
	t->met_nobody += row->met_nobody;
	t->with_mutex_held += row->with_mutex_held;
	t->out_of_order += row->inversions;
}

static void count_waiting(struct shim_totals *t)
{
	for (uint32_t i = 0; i < rqb_load(&shim_table->seats_used); i++)
		t->waiting_now += rqb_load64(&shim_table->seats[i].row) != 0;
}

/* Mutexes first; of each the one with the longest inversion, then with the longest wait. */
static bool comes_before(uint32_t a, uint32_t b)
{
	const struct shim_row *x = &shim_table->row[a];
	const struct shim_row *y = &shim_table->row[b];

	if (shim_row_is_cond(x) != shim_row_is_cond(y))
		return shim_row_is_cond(y);
	if ((x->inversions > 0) != (y->inversions > 0))
		return x->inversions > 0;
	if (x->inversions > 0 && x->worst_ns != y->worst_ns)
		return x->worst_ns > y->worst_ns;
	return x->longest_ns > y->longest_ns;
}

/* Shell's; qsort() may allocate. Counters move meanwhile: the order is as good as it can be. */
static void sort(uint32_t *order, uint32_t count)
{
	for (uint32_t gap = count / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < count; i++) {
			uint32_t row = order[i];
			uint32_t at = i;

			for (; at >= gap && comes_before(row, order[at - gap]); at -= gap)
				order[at] = order[at - gap];
			order[at] = row;
		}
}

static bool gather(struct shim_report *r)
{
	struct shim_table *t = shim_table;
	const struct shim_row *rest = &t->row[t->rows];

	if (!r->order)
		r->order = rqu_sys_map(t->rows * sizeof(*r->order));
	if (!r->order)
		return false;
	memset(&r->totals, 0, sizeof(r->totals));
	r->count = 0;
	for (uint32_t i = 0; i < t->rows; i++) {
		struct shim_row *row = &t->row[i];

		if (rqb_load64(&row->key) == 0)
			continue;
		r->order[r->count++] = i;
		if (shim_row_is_cond(row))
			add_cond(&r->totals, row);
		else
			add_mutex(&r->totals, row);
	}
	sort(r->order, r->count);
	r->totals.rowless_waits = rqb_load64(&rest->waits);
	r->totals.unseated = rqb_load64(&t->unseated);
	count_waiting(&r->totals);
	r->pid = shim_os_pid();
	r->ns = shim_stats_now() - started;
	r->forced = shim_force_counts;
	subtract(&r->forced, &forced_before, sizeof(r->forced));
	r->conds = conds_now();
	subtract(&r->conds, &conds_before, sizeof(r->conds));
	return true;
}

/* ---- names ---- */

const char *shim_policy_name(int policy)
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
		return "?";
	}
}

const char *shim_type_name(uint32_t kind)
{
	static const char *const names[] = {"normal", "recursive", "errorcheck", "adaptive"};

	return names[kind & SHIM_KIND_TYPE];
}

const char *shim_protocol_name(uint32_t kind)
{
	return kind & SHIM_KIND_INHERIT ? "inherit" : kind & SHIM_KIND_PROTECT ? "protect" : "none";
}

const char *const shim_left_names[SHIM_LEFT_REASONS] = {
    [SHIM_LEFT_EXCEPTED] = "excepted",	 [SHIM_LEFT_PROTECT] = "protect",
    [SHIM_LEFT_ELSEWHERE] = "elsewhere", [SHIM_LEFT_LOCKED] = "locked",
    [SHIM_LEFT_UNKNOWN] = "unknown",
};

const char *shim_left_name(const struct shim_row *row)
{
	return row->left > 0 && row->left <= SHIM_LEFT_REASONS ? shim_left_names[row->left - 1]
							       : NULL;
}

void shim_lock_place(uint64_t address, uint64_t site, struct shim_place *place, bool *is_site)
{
	shim_place_of(address, false, place);
	*is_site = !place->object[0] && site;
	if (*is_site)
		shim_place_of(site, true, place);
}

/* ---- write ---- */

/* FILE for the process that was started by `rqpi run`, FILE.PID for every other. */
static int open_output(uint32_t pid)
{
	static char path[PATH_MAX + 16];
	char digits[12];
	size_t n = sizeof(digits);
	uint32_t rest = pid;

	if (!shim_report_choice.file)
		return STDERR_FILENO;
	if (pid == shim_report_choice.main)
		return shim_os_create(shim_report_choice.file);
	digits[--n] = '\0';
	do {
		digits[--n] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	digits[--n] = '.';
	strcpy(path, shim_report_choice.file);
	strcat(path, digits + n);
	return shim_os_create(path);
}

static bool worth_telling(const struct shim_report *r)
{
	const struct shim_totals *t = &r->totals;

	return r->pid == shim_report_choice.main || t->mutexes || t->condvars || t->waiting_now ||
	       t->rowless_waits;
}

static void write_it(struct shim_report *r, const char *why)
{
	r->why = why;
	if (!gather(r) || !worth_telling(r))
		return;
	r->out.fd = open_output(r->pid);
	r->out.used = 0;
	if (r->out.fd < 0) {
		shim_say("cannot write the report to ", shim_report_choice.file, NULL);
		return;
	}
	if (shim_report_choice.json)
		shim_report_json(r);
	else
		shim_report_text(r);
	shim_print_flush(&r->out);
	shim_place_done();
	if (shim_report_choice.file)
		shim_os_close(r->out.fd);
}

bool shim_report_claim(bool patient)
{
	uint32_t me = rqu_tid();
	uint64_t patience = shim_stats_now() + PATIENCE_NS;

	while (!rqb_cas(&reporter, 0, me)) {
		if (!patient || rqb_load(&reporter) == me || shim_stats_now() > patience)
			return false;
		rqu_sys_yield();
	}
	return true;
}

void shim_report_release(void)
{
	rqb_store_rel(&reporter, 0);
}

void shim_report_write(const char *why)
{
	if (!shim_report_claim(strcmp(why, "exit") == 0))
		return;
	write_it(&report, why);
	shim_report_release();
}
