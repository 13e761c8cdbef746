/* SPDX-License-Identifier: MIT */
/*
 * shim_trace.c - see shim_trace.h.
 *
 * The file is the tracer's, named by RQPI_TRACE, and is kept over fork and found again after exec;
 * or, with RQPI_TRACE=memfd, memory of this process that a tracer of the same user finds by its
 * name in /proc: then a child makes its own, for what its parent's tracer sees is the parent.
 *
 * The last slots are kept for names: without them the other records would be worth little.
 */
#define _GNU_SOURCE
#include "src/shim/shim_trace.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_report.h"
#include "src/shim/shim_stats.h"
#include "src/shim/shim_symbol.h"
#include "src/user/user.h"

#define OF_OWN	   "memfd" /* RQPI_TRACE=memfd:SLOTS */
#define OWN_SLOTS  65536
#define TOLD	   4096
#define FOR_NAMES  16 /* one slot of so many */
#define SITES	   1024
#define SITE_TRIES 16
#define NO_SESSION 0

struct trace_record_file *shim_trace;

static size_t file_size;
static uint32_t slots;	   /* of the file; whoever else has mapped it could change what it says */
static uint32_t own_slots; /* 0: the file is a tracer's */
static struct shim_os_shared own;
static uint32_t pid; /* this process */

/*
 * Whose names have been told, in which trace. Two threads of one place take turns in it, and one
 * that is told by two others at the same moment is told twice.
 */
static struct told {
	uint32_t tid;
	uint32_t session;
	uint32_t looked; /* it has also been asked for as an owner, with the name it had then */
	char name[SHIM_NAME_SIZE];
} told[TOLD];

/* Code that waited or released: of few places, and those beyond this are not told. */
static uint64_t sites[SITES];

/* ---- records ---- */

static struct trace_record *take_slot(uint32_t spare)
{
	struct trace_record_file *f = shim_trace;

	/* Looked at first, lest it be counted up until it begins anew. */
	if (rqb_load(&f->used) < slots - spare) {
		uint32_t slot = rqb_add(&f->used, 1);

		if (slot < slots)
			return &f->slot[slot];
	}
	rqb_add(&f->lost, 1);
	return NULL;
}

/* All but the type is filled in. */
static bool put(const struct trace_record *r, enum trace_record_type type, uint32_t spare)
{
	struct trace_record *slot = take_slot(spare);
	size_t head = offsetof(struct trace_record, pid);

	if (!slot)
		return false;
	memcpy((char *)slot + head, (const char *)r + head, sizeof(*r) - head);
	rqb_store_rel(&slot->type, (uint32_t)type);
	return true;
}

/* @tid 0: nobody is known. */
static struct trace_record_person person_of(uint32_t tid)
{
	struct trace_record_person p = {-1, 0};
	int policy;
	int priority;

	/* The caller is asked for by 0: that is always allowed. */
	if (tid && shim_os_policy(tid == rqu_tid() ? 0 : tid, &policy, &priority)) {
		p.policy = (int16_t)policy;
		p.priority = (int16_t)priority;
	}
	return p;
}

static void tell_name(uint32_t tid, const char *name)
{
	struct told *t = &told[tid % TOLD];
	struct trace_record r = {.pid = pid, .tid = tid, .ns = shim_stats_now()};

	r.mine = person_of(tid);
	memcpy(r.name, name, SHIM_NAME_SIZE);
	if (!put(&r, TRACE_RECORD_THREAD, 0))
		return;
	rqb_store_rel(&t->tid, 0);
	memcpy(t->name, name, SHIM_NAME_SIZE);
	rqb_store(&t->looked, 0);
	rqb_store(&t->session, shim_trace_session());
	rqb_store_rel(&t->tid, tid);
}

static bool is_told(uint32_t tid)
{
	const struct told *t = &told[tid % TOLD];

	return rqb_load_acq(&t->tid) == tid && rqb_load(&t->session) == shim_trace_session();
}

static void see_name(uint32_t tid, const char *name)
{
	if (!is_told(tid) || strcmp(told[tid % TOLD].name, name) != 0)
		tell_name(tid, name);
}

/* It may have a new name since; asking for it is cheap. */
static void see_caller(void)
{
	char name[SHIM_NAME_SIZE] = "";

	if (shim_os_name(0, name))
		see_name(rqu_tid(), name);
}

/* Another's is read in /proc: once, or a wait would take too long to begin. */
static void see_other(uint32_t tid)
{
	struct told *t = &told[tid % TOLD];
	char name[SHIM_NAME_SIZE] = "";

	if (!tid || tid == rqu_tid() || (is_told(tid) && rqb_load(&t->looked)) ||
	    !shim_os_name(tid, name))
		return;
	see_name(tid, name);
	if (is_told(tid))
		rqb_store(&t->looked, 1);
}

static struct trace_record record_of(uint64_t address, const void *caller)
{
	struct trace_record r = {.pid = pid, .tid = rqu_tid(), .address = address};

	r.site = (uint64_t)(uintptr_t)caller;
	/* An end has no caller: it may have the mutex in hand, and the beginning has told this. */
	r.mine = person_of(caller ? r.tid : 0);
	r.its = person_of(0);
	return r;
}

static void see_site(uint64_t site)
{
	uint32_t at = (uint32_t)((site * 0x9e3779b97f4a7c15u) >> 40);

	for (uint32_t i = 0; i < SITE_TRIES; i++) {
		uint64_t *there = &sites[(at + i) % SITES];

		if (rqb_load64(there) == site || rqb_cas64(there, 0, site) ||
		    rqb_load64(there) == site)
			return;
	}
}

static void put_event(const struct trace_record *r, enum trace_record_type type)
{
	if (r->site)
		see_site(r->site);
	put(r, type, slots / FOR_NAMES);
}

static void mark(struct shim_row *row)
{
	if (!shim_stats_is_shared(row))
		rqb_store(&row->traced, shim_trace_session());
}

void shim_trace_lock(struct shim_row *row, const pthread_mutex_t *m, uint64_t since, uint32_t owner,
		     const void *caller)
{
	struct trace_record r = record_of((uint64_t)(uintptr_t)m, caller);

	see_caller();
	see_other(owner);
	mark(row);
	r.ns = since;
	r.other = owner;
	r.its = person_of(owner);
	r.kind = (uint32_t)shim_mutex_kind(m);
	put_event(&r, TRACE_RECORD_LOCK);
}

void shim_trace_locked(uint64_t mutex, int err)
{
	struct trace_record r = record_of(mutex, NULL);

	r.ns = shim_stats_now();
	r.value = err;
	put_event(&r, TRACE_RECORD_LOCKED);
}

void shim_trace_wait(struct shim_row *row, const pthread_cond_t *cond, const pthread_mutex_t *m,
		     uint64_t since, const void *caller)
{
	struct trace_record r = record_of((uint64_t)(uintptr_t)cond, caller);

	see_caller();
	mark(row);
	r.ns = since;
	r.partner = (uint64_t)(uintptr_t)m;
	r.kind = (uint32_t)shim_mutex_kind(m);
	put_event(&r, TRACE_RECORD_WAIT);
}

void shim_trace_waited(uint64_t cond, int err)
{
	struct trace_record r = record_of(cond, NULL);

	r.ns = shim_stats_now();
	r.value = err;
	put_event(&r, TRACE_RECORD_WAITED);
}

void shim_trace_release(struct shim_row *row, const pthread_cond_t *cond, bool all,
			const void *caller)
{
	struct trace_record r = record_of((uint64_t)(uintptr_t)cond, caller);

	see_caller();
	mark(row);
	r.ns = shim_stats_now();
	r.value = all;
	put_event(&r, TRACE_RECORD_RELEASE);
}

void shim_trace_released(uint64_t cond)
{
	struct trace_record r = record_of(cond, NULL);

	r.ns = shim_stats_now();
	put_event(&r, TRACE_RECORD_RELEASED);
}

/* ---- the end ---- */

static void tell_place(struct trace_record *r, const struct shim_place *place)
{
	struct shim_print text = {.fd = -1};

	if (!place->object[0])
		return; /* nothing is known */
	shim_report_place(&text, place, r->address);
	if (text.used >= sizeof(r->name))
		text.used = sizeof(r->name) - 1;
	memcpy(r->name, text.text, text.used);
	r->ns = shim_stats_now();
	put(r, TRACE_RECORD_PLACE, 0);
}

static void tell_lock(const struct shim_row *row)
{
	struct trace_record r = record_of(row->key & ~(uint64_t)1, NULL);
	struct shim_place place;
	bool is_site;

	shim_lock_place(r.address, row->site, &place, &is_site);
	r.kind = shim_row_is_cond(row) ? TRACE_RECORD_CONDVAR : TRACE_RECORD_MUTEX;
	r.value = is_site;
	tell_place(&r, &place);
}

static void tell_site(uint64_t site)
{
	struct trace_record r = record_of(site, NULL);
	struct shim_place place;

	shim_place_of(site, true, &place);
	r.kind = TRACE_RECORD_CODE;
	tell_place(&r, &place);
}

void shim_trace_end(void)
{
	uint32_t session = shim_trace_session();

	/* A sandbox need not let us read the files that have the symbols. */
	if (session == NO_SESSION || shim_os_sandboxed() || !shim_report_claim(true))
		return;
	for (uint32_t i = 0; i < shim_table->rows; i++) {
		struct shim_row *row = &shim_table->row[i];

		if (rqb_load64(&row->key) == 0 || rqb_load(&row->traced) != session)
			continue;
		rqb_store(&row->traced, NO_SESSION);
		tell_lock(row);
	}
	for (uint32_t i = 0; i < SITES; i++) {
		uint64_t site = rqb_load64(&sites[i]);

		if (site && rqb_cas64(&sites[i], site, 0))
			tell_site(site);
	}
	shim_place_done();
	shim_report_release();
}

/* ---- the beginning ---- */

/* A process that has come. */
static void attach(void)
{
	pid = shim_os_pid();
	rqb_add(&shim_trace->attached, 1);
}

/* A tracer that has gone has removed its file: no word about that. */
static bool open_file(const char *path)
{
	bool missing = false;
	struct trace_record_file *f = shim_os_map_shared(path, &file_size, &missing);

	if (!f) {
		if (!missing)
			shim_say("RQPI_TRACE=", path, ": cannot be mapped; not traced", NULL);
		return false;
	}
	if (file_size < sizeof(*f) || f->magic != TRACE_RECORD_MAGIC ||
	    f->version != TRACE_RECORD_VERSION || f->slots > TRACE_RECORD_SLOTS_MAX ||
	    file_size < sizeof(*f) + f->slots * sizeof(f->slot[0])) {
		shim_say("RQPI_TRACE=", path, ": not a file of this version of rqpi; not traced",
			 NULL);
		shim_os_unmap(f, file_size);
		return false;
	}
	slots = f->slots;
	shim_trace = f;
	return true;
}

static bool make_own(void)
{
	struct trace_record_file *f;

	file_size = sizeof(*f) + (size_t)own_slots * sizeof(f->slot[0]);
	f = shim_os_make_shared(TRACE_RECORD_MEMORY, file_size, &own);
	if (!f)
		return false;
	f->version = TRACE_RECORD_VERSION;
	f->slots = slots = own_slots;
	f->maker = shim_os_pid();
	rqb_store64(&f->magic, TRACE_RECORD_MAGIC); /* last: a tracer may look at any time */
	shim_trace = f;
	return true;
}

static bool wants_own(const char *where)
{
	size_t length = strlen(OF_OWN);
	char *end = NULL;
	unsigned long n = OWN_SLOTS;

	if (strncmp(where, OF_OWN, length) != 0 || (where[length] && where[length] != ':'))
		return false;
	if (where[length])
		n = strtoul(where + length + 1, &end, 10);
	if ((end && *end) || n < 1 || n > TRACE_RECORD_SLOTS_MAX) {
		shim_say("RQPI_TRACE=", where, ": not a number of records that is possible", NULL);
		n = OWN_SLOTS;
	}
	own_slots = (uint32_t)n;
	return true;
}

bool shim_trace_start(const char *where)
{
	bool of_own = wants_own(where);

	if (of_own && !make_own())
		shim_say("RQPI_TRACE=", where, ": no memory; not traceable", NULL);
	else if (!of_own)
		open_file(where);
	if (!shim_trace)
		return false;
	attach();
	/* The tracer learns who has come, and looks at once where its files are mapped. */
	if (shim_trace_session() != NO_SESSION)
		see_caller();
	return true;
}

/* What its parent goes on to use, a child lets alone. */
static void leave_parents(void)
{
	struct trace_record_file *parents = shim_trace;

	shim_trace = NULL;
	shim_os_unmap(parents, file_size);
	shim_os_close_shared(&own);
	if (!shim_os_sandboxed())
		make_own();
}

void shim_trace_fork(void)
{
	if (!shim_trace)
		return;
	memset(told, 0, sizeof(told));
	memset(sites, 0, sizeof(sites));
	if (own_slots)
		leave_parents();
	if (shim_trace)
		attach();
}
