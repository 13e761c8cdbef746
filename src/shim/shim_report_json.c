/* SPDX-License-Identifier: MIT */
/* shim_report_json.c - the report of --observe and --stats for programs; one object, RFC 8259. */
#define _GNU_SOURCE
#include <errno.h>

#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_report.h"

static void text_of(struct shim_print *p, int *first, const char *key, const char *value)
{
	shim_print_key(p, first, key);
	if (value)
		shim_print_quoted(p, value);
	else
		shim_print(p, "null", NULL);
}

static void flag_of(struct shim_print *p, int *first, const char *key, bool value)
{
	shim_print_key(p, first, key);
	shim_print(p, value ? "true" : "false", NULL);
}

static void address_of(struct shim_print *p, int *first, const char *key, uint64_t value)
{
	shim_print_key(p, first, key);
	shim_print(p, "\"", NULL);
	shim_print_hex(p, value);
	shim_print(p, "\"", NULL);
}

static void tell_person(struct shim_print *p, int *first, const char *key,
			const struct shim_person *who)
{
	int inner = 1;

	shim_print_key(p, first, key);
	if (!who->tid) {
		shim_print(p, "null", NULL);
		return;
	}
	shim_print(p, "{", NULL);
	shim_print_count(p, &inner, "tid", who->tid);
	text_of(p, &inner, "name", who->name);
	text_of(p, &inner, "policy", shim_policy_name(who->policy));
	shim_print_count(p, &inner, "priority", (uint64_t)who->priority);
	shim_print(p, "}", NULL);
}

static void tell_record(struct shim_print *p, int *first, const char *key, struct shim_record *r,
			const char *waiter, const char *other)
{
	struct shim_record copy;
	int inner = 1;

	shim_print_key(p, first, key);
	if (!shim_stats_recorded(r, &copy)) {
		shim_print(p, "null", NULL);
		return;
	}
	shim_print(p, "{", NULL);
	shim_print_count(p, &inner, "ns", copy.ns);
	tell_person(p, &inner, waiter, &copy.waiter);
	if (other)
		tell_person(p, &inner, other, &copy.other);
	shim_print(p, "}", NULL);
}

static void tell_place(struct shim_print *p, int *first, const struct shim_row *row)
{
	struct shim_place place;
	uint64_t address = row->key & ~1ull;
	bool is_site;

	shim_lock_place(address, row->site, &place, &is_site);
	text_of(p, first, "symbol", place.symbol[0] ? place.symbol : NULL);
	shim_print_count(p, first, "symbol_offset", place.into);
	text_of(p, first, "object", place.object[0] ? place.object : NULL);
	address_of(p, first, "object_offset", place.offset);
	text_of(p, first, "place_is", !is_site ? "lock" : row->made ? "made" : "first_used");
	address_of(p, first, "address", address);
}

static void tell_partner(struct shim_print *p, int *first, uint64_t partner)
{
	struct shim_place place;
	bool is_site;

	shim_lock_place(partner, 0, &place, &is_site);
	address_of(p, first, "mutex_address", partner);
	text_of(p, first, "mutex_symbol", place.symbol[0] ? place.symbol : NULL);
}

static void tell_mutex(struct shim_print *p, int *first, struct shim_row *row)
{
	text_of(p, first, "type", shim_type_name(row->kind));
	text_of(p, first, "protocol", shim_protocol_name(row->kind));
	flag_of(p, first, "robust", (row->kind & SHIM_KIND_ROBUST) != 0);
	flag_of(p, first, "shared", (row->kind & SHIM_KIND_SHARED) != 0);
	flag_of(p, first, "made_pi", (row->kind & SHIM_KIND_MADE) != 0);
	text_of(p, first, "left", shim_left_name(row));
	shim_print_count(p, first, "inversions", row->inversions);
	shim_print_count(p, first, "inversion_ns", row->inversion_ns);
	shim_print_count(p, first, "boosts", row->boosts);
	tell_record(p, first, "longest", &row->longest, "waiter", "holder");
	tell_record(p, first, "worst", &row->worst, "waiter", "holder");
}

static void tell_cond(struct shim_print *p, int *first, struct shim_row *row)
{
	tell_partner(p, first, row->partner);
	shim_print_count(p, first, "cancelled", row->cancelled);
	shim_print_count(p, first, "signals", row->signals);
	shim_print_count(p, first, "broadcasts", row->broadcasts);
	shim_print_count(p, first, "met_nobody", row->met_nobody);
	shim_print_count(p, first, "with_mutex_held", row->with_mutex_held);
	shim_print_count(p, first, "wakes_out_of_order", row->inversions);
	tell_record(p, first, "longest", &row->longest, "waiter", NULL);
	tell_record(p, first, "worst", &row->worst, "overtaken", "by");
}

static void tell_waiting(struct shim_print *p, const struct shim_row *row)
{
	int before = 1;

	for (uint32_t i = 0; i < rqb_load(&shim_table->seats_used); i++) {
		struct shim_seat *s = &shim_table->seats[i];
		struct shim_person who;
		int first = 1;

		if (rqb_load64(&s->row) != (uint64_t)(uintptr_t)row)
			continue;
		shim_print(p, before ? "{" : ", {", NULL);
		before = 0;
		shim_print_count(p, &first, "ns", shim_stats_now() - s->since);
		shim_stats_person(&who, s->tid);
		tell_person(p, &first, "waiter", &who);
		shim_stats_person(&who, s->owner);
		tell_person(p, &first, "holder", &who);
		shim_print(p, "}", NULL);
	}
}

static void tell_lock(struct shim_print *p, struct shim_row *row)
{
	bool cond = shim_row_is_cond(row);
	int first = 1;

	shim_print(p, "{", NULL);
	text_of(p, &first, "kind", cond ? "condvar" : "mutex");
	tell_place(p, &first, row);
	shim_print_count(p, &first, "lives", row->lives);
	flag_of(p, &first, "destroyed", row->ended);
	shim_print_count(p, &first, "waits", row->waits);
	shim_print_count(p, &first, "timeouts", row->timeouts);
	shim_print_count(p, &first, "wait_ns", row->wait_ns);
	shim_print_count(p, &first, "longest_ns", row->longest_ns);
	if (cond)
		tell_cond(p, &first, row);
	else
		tell_mutex(p, &first, row);
	shim_print_key(p, &first, "waiting_now");
	shim_print(p, "[", NULL);
	tell_waiting(p, row);
	shim_print(p, "]}", NULL);
}

static void tell_totals(struct shim_print *p, const struct shim_totals *t)
{
	int first = 1;

	shim_print(p, "{", NULL);
	shim_print_count(p, &first, "mutexes", t->mutexes);
	shim_print_count(p, &first, "mutex_waits", t->mutex_waits);
	shim_print_count(p, &first, "mutex_wait_ns", t->mutex_wait_ns);
	shim_print_count(p, &first, "mutex_timeouts", t->mutex_timeouts);
	shim_print_count(p, &first, "inversions", t->inversions);
	shim_print_count(p, &first, "inversion_ns", t->inversion_ns);
	shim_print_count(p, &first, "boosts", t->boosts);
	shim_print_count(p, &first, "condvars", t->condvars);
	shim_print_count(p, &first, "cond_waits", t->cond_waits);
	shim_print_count(p, &first, "cond_timeouts", t->cond_timeouts);
	shim_print_count(p, &first, "cond_cancelled", t->cond_cancelled);
	shim_print_count(p, &first, "signals", t->signals);
	shim_print_count(p, &first, "broadcasts", t->broadcasts);
	shim_print_count(p, &first, "met_nobody", t->met_nobody);
	shim_print_count(p, &first, "with_mutex_held", t->with_mutex_held);
	shim_print_count(p, &first, "wakes_out_of_order", t->out_of_order);
	shim_print_count(p, &first, "waiting_now", t->waiting_now);
	shim_print_count(p, &first, "waits_of_locks_without_row", t->rowless_waits);
	shim_print_count(p, &first, "waits_without_order", t->unseated);
	shim_print(p, "}", NULL);
}

static void tell_forced(struct shim_print *p, const struct shim_force_counts *f)
{
	int first = 1;

	shim_print(p, "{", NULL);
	shim_print_count(p, &first, "made", f->made);
	shim_print_count(p, &first, "were", f->were);
	shim_print_count(p, &first, "unlocked_by_others", f->unlocked_by_others);
	shim_print_count(p, &first, "refused_to_others", f->refused_to_others);
	shim_print_count(p, &first, "locked_twice", f->locked_twice);
	for (int i = 0; i < SHIM_LEFT_REASONS; i++) {
		static const char *const keys[SHIM_LEFT_REASONS] = {
		    [SHIM_LEFT_EXCEPTED] = "left_excepted",   [SHIM_LEFT_PROTECT] = "left_protect",
		    [SHIM_LEFT_ELSEWHERE] = "left_elsewhere", [SHIM_LEFT_LOCKED] = "left_locked",
		    [SHIM_LEFT_UNKNOWN] = "left_unknown",
		};

		shim_print_count(p, &first, keys[i], f->left[i]);
	}
	shim_print(p, "}", NULL);
}

static void tell_counters(struct shim_print *p, const struct rqpi_cond_stats *c)
{
	int first = 1;

	shim_print(p, "{", NULL);
	shim_print_count(p, &first, "window_wakes", c->window_wakes);
	shim_print_count(p, &first, "late_wakes", c->late_wakes);
	shim_print_count(p, &first, "double_wakes", c->double_wakes);
	shim_print_count(p, &first, "forwarded", c->forwarded);
	shim_print_count(p, &first, "rebinds", c->rebinds);
	shim_print_count(p, &first, "no_channel", c->no_channel);
	shim_print(p, "}", NULL);
}

void shim_report_json(struct shim_report *r)
{
	struct shim_print *p = &r->out;
	int first = 1;

	shim_print(p, "{", NULL);
	text_of(p, &first, "program", program_invocation_short_name);
	shim_print_count(p, &first, "pid", r->pid);
	text_of(p, &first, "written_at", r->why);
	shim_print_count(p, &first, "ns", r->ns);
	flag_of(p, &first, "observe", shim_observing);
	flag_of(p, &first, "force_pi", shim_forcing);
	shim_print_count(p, &first, "rows", shim_table->rows);
	shim_print(p, ",\n", NULL);
	first = 1;
	shim_print_key(p, &first, "totals");
	tell_totals(p, &r->totals);
	shim_print(p, ",\n", NULL);
	first = 1;
	shim_print_key(p, &first, "forced");
	tell_forced(p, &r->forced);
	shim_print(p, ",\n", NULL);
	first = 1;
	shim_print_key(p, &first, "rqpi_condvars");
	tell_counters(p, &r->conds);
	shim_print(p, ",\n\"locks\": [", NULL);
	for (uint32_t i = 0; i < r->count; i++) {
		shim_print(p, i ? ",\n" : "\n", NULL);
		tell_lock(p, &shim_table->row[r->order[i]]);
	}
	shim_print(p, "]}\n", NULL);
}
