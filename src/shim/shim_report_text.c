/* SPDX-License-Identifier: MIT */
/* shim_report_text.c - the report of --observe and --stats for people. */
#define _GNU_SOURCE
#include <errno.h>

#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_report.h"

#define MOST 20 /* locks of each kind; all of them are in JSON */

static void tell_count(struct shim_print *p, uint64_t n, const char *what)
{
	shim_print_number(p, n);
	shim_print(p, what, NULL);
}

static void tell_person(struct shim_print *p, const struct shim_person *who)
{
	if (!who->tid) {
		shim_print(p, "a thread that is not known", NULL);
		return;
	}
	shim_print(p, who->name[0] ? who->name : "?", "[", NULL);
	shim_print_number(p, who->tid);
	shim_print(p, "] ", shim_policy_name(who->policy), NULL);
	if (who->priority) {
		shim_print(p, " ", NULL);
		shim_print_number(p, (uint64_t)who->priority);
	}
}

void shim_report_place(struct shim_print *p, const struct shim_place *place, uint64_t address)
{
	if (place->symbol[0]) {
		shim_print(p, place->symbol, NULL);
		if (place->into) {
			shim_print(p, "+", NULL);
			shim_print_hex(p, place->into);
		}
		shim_print(p, " (", place->object, ")", NULL);
	} else if (place->object[0]) {
		shim_print(p, place->object, "+", NULL);
		shim_print_hex(p, place->offset);
	} else {
		shim_print(p, "at ", NULL);
		shim_print_hex(p, address);
	}
}

static void tell_lock(struct shim_print *p, uint64_t address, uint64_t site, bool made)
{
	struct shim_place place;
	bool is_site;

	shim_lock_place(address, site, &place, &is_site);
	if (is_site) {
		shim_print_hex(p, address);
		shim_print(p, made ? ", made in " : ", first used in ", NULL);
		shim_report_place(p, &place, site);
	} else {
		shim_report_place(p, &place, address);
	}
}

static void tell_record(struct shim_print *p, struct shim_record *r, const char *between)
{
	struct shim_record copy;

	if (!shim_stats_recorded(r, &copy))
		return;
	shim_print(p, ": ", NULL);
	tell_person(p, &copy.waiter);
	if (between) {
		shim_print(p, between, NULL);
		tell_person(p, &copy.other);
	}
}

static void tell_waits(struct shim_print *p, struct shim_row *row, const char *between)
{
	shim_print(p, "    waits ", NULL);
	shim_print_number(p, row->waits);
	if (row->timeouts) {
		shim_print(p, " (timed out ", NULL);
		tell_count(p, row->timeouts, ")");
	}
	if (row->cancelled) {
		shim_print(p, " (cancelled ", NULL);
		tell_count(p, row->cancelled, ")");
	}
	shim_print(p, ", ", NULL);
	shim_print_time(p, row->wait_ns);
	shim_print(p, " in all, longest ", NULL);
	shim_print_time(p, row->longest_ns);
	tell_record(p, &row->longest, between);
	shim_print(p, "\n", NULL);
}

static void tell_life(struct shim_print *p, const struct shim_row *row)
{
	if (row->lives > 1) {
		shim_print(p, ", made ", NULL);
		tell_count(p, row->lives, " times");
	}
	shim_print(p, row->ended ? ", destroyed\n" : "\n", NULL);
}

static void tell_mutex(struct shim_print *p, struct shim_row *row)
{
	const char *left = shim_left_name(row);

	shim_print(p, "MUTEX ", NULL);
	tell_lock(p, row->key, row->site, row->made);
	shim_print(p, ", ", shim_type_name(row->kind),
		   row->kind & SHIM_KIND_ROBUST ? ", robust" : "",
		   row->kind & SHIM_KIND_SHARED ? ", process-shared" : "",
		   row->kind & SHIM_KIND_MADE	   ? ", made to inherit"
		   : row->kind & SHIM_KIND_INHERIT ? ", inherits"
		   : row->kind & SHIM_KIND_PROTECT ? ", has a ceiling"
						   : ", does not inherit",
		   NULL);
	if (left)
		shim_print(p, ", left to libc: ", left, NULL);
	tell_life(p, row);
	tell_waits(p, row, " waited for ");
	if (row->inversions) {
		shim_print(p, "    INVERSIONS ", NULL);
		tell_count(p, row->inversions, ", ");
		shim_print_time(p, row->inversion_ns);
		shim_print(p, " in all, longest ", NULL);
		shim_print_time(p, row->worst_ns);
		tell_record(p, &row->worst, " waited for ");
		shim_print(p, "\n", NULL);
	}
	if (row->boosts) {
		shim_print(p, "    boosts ", NULL);
		tell_count(p, row->boosts, "");
		if (!row->inversions) {
			shim_print(p, ", longest ", NULL);
			shim_print_time(p, row->worst_ns);
			tell_record(p, &row->worst, " boosted ");
		}
		shim_print(p, "\n", NULL);
	}
}

static void tell_cond(struct shim_print *p, struct shim_row *row)
{
	shim_print(p, "CONDVAR ", NULL);
	tell_lock(p, row->key & ~1ull, row->site, false);
	if (row->partner) {
		shim_print(p, ", with mutex ", NULL);
		tell_lock(p, row->partner, shim_stats_site((const void *)(uintptr_t)row->partner),
			  true);
	}
	tell_life(p, row);
	tell_waits(p, row, NULL);
	shim_print(p, "    signals ", NULL);
	tell_count(p, row->signals, ", broadcasts ");
	tell_count(p, row->broadcasts, "; met nobody ");
	tell_count(p, row->met_nobody, ", with the mutex held ");
	tell_count(p, row->with_mutex_held, "\n");
	if (row->inversions) {
		shim_print(p, "    WAKES OUT OF ORDER ", NULL);
		tell_count(p, row->inversions, "; longest overtaken, waiting for ");
		shim_print_time(p, row->worst_ns);
		tell_record(p, &row->worst, " by ");
		shim_print(p, "\n", NULL);
	}
}

static void tell_waiting(struct shim_report *r)
{
	struct shim_print *p = &r->out;

	for (uint32_t i = 0; i < rqb_load(&shim_table->seats_used); i++) {
		struct shim_seat *s = &shim_table->seats[i];
		struct shim_row *row = (struct shim_row *)(uintptr_t)rqb_load64(&s->row);
		struct shim_person who;

		if ((uintptr_t)row <= 1)
			continue;
		shim_print(p, "WAITING NOW, for ", NULL);
		shim_print_time(p, shim_stats_now() - s->since);
		shim_print(p, ": ", NULL);
		shim_stats_person(&who, s->tid);
		tell_person(p, &who);
		shim_print(p, " on ", NULL);
		tell_lock(p, row->key & ~1ull, row->site, row->made);
		if (!shim_row_is_cond(row)) {
			shim_stats_person(&who, s->owner);
			shim_print(p, ", held when it began by ", NULL);
			tell_person(p, &who);
		}
		shim_print(p, "\n", NULL);
	}
}

static void tell_totals(struct shim_report *r)
{
	struct shim_print *p = &r->out;
	const struct shim_totals *t = &r->totals;

	shim_print(p, "rqpi: the locks of ", program_invocation_short_name, " (pid ", NULL);
	shim_print_number(p, r->pid);
	shim_print(p, ") after ", NULL);
	shim_print_time(p, r->ns);
	shim_print(p,
		   shim_observing ? ", observed and not changed\n"
		   : shim_forcing ? ", every mutex made PI that can be\n"
				  : "\n",
		   NULL);
	shim_print(p, "mutexes waited for ", NULL);
	tell_count(p, t->mutexes, ": waits ");
	tell_count(p, t->mutex_waits, ", ");
	shim_print_time(p, t->mutex_wait_ns);
	shim_print(p, "; inversions ", NULL);
	tell_count(p, t->inversions, ", boosts ");
	tell_count(p, t->boosts, "\ncondvars ");
	tell_count(p, t->condvars, ": waits ");
	tell_count(p, t->cond_waits, ", signals ");
	tell_count(p, t->signals, ", broadcasts ");
	tell_count(p, t->broadcasts, "; wakes out of order ");
	tell_count(p, t->out_of_order, "\n");
}

static void tell_rest(struct shim_report *r)
{
	struct shim_print *p = &r->out;
	const struct shim_force_counts *f = &r->forced;

	if (shim_forcing) {
		shim_print(p, "--force-pi: made PI ", NULL);
		tell_count(p, f->made, ", were PI ");
		tell_count(p, f->were, "; left to libc");
		for (int i = 0; i < SHIM_LEFT_REASONS; i++) {
			shim_print(p, i ? ", " : ": ", shim_left_names[i], " ", NULL);
			shim_print_number(p, f->left[i]);
		}
		shim_print(p, "\n", NULL);
	}
	if (r->conds.window_wakes) {
		shim_print(
		    p, "released between unlock and sleep, and so not in the order of priority: ",
		    NULL);
		tell_count(p, r->conds.window_wakes, " waits\n");
	}
	if (r->totals.rowless_waits) {
		shim_print(p, "the table is full (RQPI_STATS_LOCKS=", NULL);
		tell_count(p, shim_table->rows, "): ");
		tell_count(p, r->totals.rowless_waits, " waits more, of locks not told here\n");
	}
	if (r->totals.unseated) {
		shim_print(p, "too many threads waited at once: the order of ", NULL);
		tell_count(p, r->totals.unseated, " waits was not looked at\n");
	}
}

void shim_report_text(struct shim_report *r)
{
	uint64_t told[2] = {0, 0};
	uint64_t silent = 0;

	tell_totals(r);
	for (uint32_t i = 0; i < r->count; i++) {
		struct shim_row *row = &shim_table->row[r->order[i]];
		bool cond = shim_row_is_cond(row);

		if (row->waits == 0)
			continue; /* somebody waits now, or it has only been signalled */
		if (told[cond]++ >= MOST)
			silent++;
		else if (cond)
			tell_cond(&r->out, row);
		else
			tell_mutex(&r->out, row);
	}
	if (silent)
		tell_count(&r->out, silent, " locks more, which --stats=json tells\n");
	tell_waiting(r);
	tell_rest(r);
}
