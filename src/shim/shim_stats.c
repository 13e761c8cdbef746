/* SPDX-License-Identifier: MIT */
/* shim_stats.c - the tables of --observe and --stats; see shim_stats.h. */
#define _GNU_SOURCE
#include "src/shim/shim_stats.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

#include "src/base/pause.h"
#include "src/user/user.h"

#define SITES	  4096 /* sets of SITE_WAYS each */
#define SITE_WAYS 4
#define FACES	  4096
#define TRIES	  64 /* for the right to write a record */

/* Where mutexes were initialised: few of them are ever waited for. The oldest is overwritten. */
struct site {
	uint64_t mutex;
	uint64_t site;
};

struct sites {
	uint32_t next[SITES];
	struct site of[SITES][SITE_WAYS];
};

/* Names of threads: `tid` is set last. Two threads of one place take turns in it. */
struct face {
	uint32_t tid;
	char name[SHIM_NAME_SIZE];
};

struct shim_table *shim_table;
static struct sites *sites;
static struct face faces[FACES];

static size_t size_of_table(uint32_t rows)
{
	return sizeof(struct shim_table) + (rows + 1) * sizeof(struct shim_row);
}

bool shim_stats_start(uint32_t rows)
{
	struct shim_table *t;
	uint32_t size = 1;

	while (size < rows)
		size *= 2;
	t = rqu_sys_map(size_of_table(size));
	sites = rqu_sys_map(sizeof(*sites));
	if (!t || !sites)
		return false;
	t->rows = size;
	shim_table = t;
	return true;
}

void shim_stats_forget(void)
{
	uint32_t rows = shim_table->rows;

	shim_os_wipe(shim_table, size_of_table(rows));
	shim_table->rows = rows;
}

static uint32_t hash(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40);
}

/* ---- where a mutex was made ---- */

void shim_stats_made(const void *mutex, const void *site)
{
	uint64_t key = (uint64_t)(uintptr_t)mutex;
	uint32_t set = hash(key) % SITES;
	struct site *s = NULL;

	for (int i = 0; i < SITE_WAYS && !s; i++)
		if (rqb_load64(&sites->of[set][i].mutex) == key)
			s = &sites->of[set][i];
	if (!s)
		s = &sites->of[set][rqb_add(&sites->next[set], 1) % SITE_WAYS];
	rqb_store64(&s->mutex, 0);
	rqb_store64(&s->site, (uint64_t)(uintptr_t)site);
	rqb_store64(&s->mutex, key);
}

uint64_t shim_stats_site(const void *mutex)
{
	uint64_t key = (uint64_t)(uintptr_t)mutex;
	uint32_t set = hash(key) % SITES;

	for (int i = 0; i < SITE_WAYS; i++)
		if (rqb_load64(&sites->of[set][i].mutex) == key)
			return rqb_load64(&sites->of[set][i].site);
	return 0;
}

/* ---- rows ---- */

bool shim_stats_is_shared(const struct shim_row *row)
{
	return row == &shim_table->row[shim_table->rows];
}

/* A mutex of the same address may have ended; made by the same code, it goes on in its row. */
static bool fits(struct shim_row *row, uint64_t made_by)
{
	if (!rqb_load(&row->ended))
		return true;
	if (made_by && row->made && row->site != made_by)
		return false;
	rqb_store(&row->ended, 0);
	rqb_add(&row->lives, 1);
	return true;
}

static struct shim_row *claim(struct shim_row *row, uint64_t key, uint64_t made_by,
			      const void *user)
{
	if (!rqb_cas64(&row->key, 0, key))
		return NULL;
	row->made = made_by != 0;
	row->site = made_by ? made_by : (uint64_t)(uintptr_t)user;
	rqb_add(&row->lives, 1);
	return row;
}

struct shim_row *shim_stats_row(uint64_t key, const void *site)
{
	struct shim_table *t = shim_table;
	uint64_t made_by = 0;
	bool asked = false;

	for (uint32_t i = 0, at = hash(key); i < t->rows; i++, at++) {
		struct shim_row *row = &t->row[at & (t->rows - 1)];
		uint64_t there = rqb_load64(&row->key);

		if (there == key && !rqb_load(&row->ended))
			return row;
		if (there != 0 && there != key)
			continue;
		if (!asked)
			made_by = key & 1 ? 0 : shim_stats_site((const void *)(uintptr_t)key);
		asked = true;
		if (there == 0 && claim(row, key, made_by, site))
			return row;
		if (rqb_load64(&row->key) == key && fits(row, made_by))
			return row;
	}
	return &t->row[t->rows];
}

/* A search that makes nothing. */
static struct shim_row *find(uint64_t key)
{
	struct shim_table *t = shim_table;

	for (uint32_t i = 0, at = hash(key); i < t->rows; i++, at++) {
		struct shim_row *row = &t->row[at & (t->rows - 1)];
		uint64_t there = rqb_load64(&row->key);

		if (there == 0)
			break;
		if (there == key && !rqb_load(&row->ended))
			return row;
	}
	return NULL;
}

void shim_stats_end(uint64_t key)
{
	struct shim_row *row = find(key);

	if (row) {
		rqb_store64(&row->crowd, 0);
		rqb_store(&row->ended, 1);
	}
}

/* ---- who waits ---- */

static void use_seats_to(uint32_t count)
{
	uint32_t seen = rqb_load(&shim_table->seats_used);

	while (seen < count && !rqb_cas(&shim_table->seats_used, seen, count))
		seen = rqb_load(&shim_table->seats_used);
}

struct shim_seat *shim_stats_seat(void)
{
	for (uint32_t i = 0; i < SHIM_SEATS; i++) {
		struct shim_seat *seat = &shim_table->seats[i];

		if (rqb_load64(&seat->row) == 0 && rqb_cas64(&seat->row, 0, 1)) {
			use_seats_to(i + 1);
			seat->tid = rqu_tid();
			seat->owner = 0;
			return seat;
		}
	}
	rqb_count(&shim_table->unseated);
	return NULL;
}

void shim_stats_sit(struct shim_seat *seat, struct shim_row *row)
{
	rqb_store64(&seat->row, shim_stats_is_shared(row) ? 1 : (uint64_t)(uintptr_t)row);
}

void shim_stats_stand_up(struct shim_seat *seat)
{
	rqb_store64(&seat->row, 0);
}

/* ---- threads ---- */

int shim_urgency_of(uint32_t tid)
{
	int policy;
	int priority;

	if (!shim_os_policy(tid, &policy, &priority))
		return INT_MAX; /* nothing is claimed of it */
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return priority;
	case SCHED_DEADLINE:
		return 100; /* above all priorities */
	default:
		return 0;
	}
}

static void remember(uint32_t tid, const char *name)
{
	struct face *face = &faces[tid % FACES];

	rqb_store_rel(&face->tid, 0);
	memcpy(face->name, name, SHIM_NAME_SIZE);
	rqb_store_rel(&face->tid, tid);
}

/* The caller is asked for by 0: that is always allowed. */
static uint32_t as_asked(uint32_t tid)
{
	return tid == rqu_tid() ? 0 : tid;
}

void shim_stats_see(uint32_t tid)
{
	char name[SHIM_NAME_SIZE] = "";

	if (tid && rqb_load(&faces[tid % FACES].tid) != tid && shim_os_name(as_asked(tid), name))
		remember(tid, name);
}

void shim_stats_person(struct shim_person *p, uint32_t tid)
{
	const struct face *face = &faces[tid % FACES];
	int policy;
	int priority;

	memset(p, 0, sizeof(*p));
	p->tid = tid;
	if (tid == 0)
		return;
	shim_os_policy(as_asked(tid), &policy, &priority);
	p->policy = (int16_t)policy;
	p->priority = (int16_t)priority;
	if (shim_os_name(as_asked(tid), p->name))
		remember(tid, p->name);
	else if (rqb_load_acq(&face->tid) == tid)
		memcpy(p->name, face->name, SHIM_NAME_SIZE);
}

/* ---- records ---- */

bool shim_stats_max(uint64_t *max, uint64_t ns)
{
	uint64_t seen = rqb_load64(max);

	while (ns > seen) {
		if (rqb_cas64(max, seen, ns))
			return true;
		seen = rqb_load64(max);
	}
	return false;
}

void shim_stats_record(struct shim_record *r, uint64_t ns, uint32_t waiter, uint32_t other)
{
	struct shim_person who[2];
	uint32_t seq = 1;

	shim_stats_person(&who[0], waiter);
	shim_stats_person(&who[1], other);
	for (int i = 0; i < TRIES; i++) {
		seq = rqb_load(&r->seq);
		if (!(seq & 1) && rqb_cas(&r->seq, seq, seq + 1))
			break;
		seq = 1;
		rqb_pause();
	}
	if (seq & 1)
		return; /* its writer does not run: the maximum is exact, the names are older */
	if (ns > r->ns) {
		r->ns = ns;
		r->waiter = who[0];
		r->other = who[1];
	}
	rqb_store_rel(&r->seq, seq + 2);
}

bool shim_stats_recorded(struct shim_record *r, struct shim_record *copy)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = rqb_load_acq(&r->seq);

		memcpy(copy, r, sizeof(*copy));
		rqb_compiler_barrier();
		if (!(seq & 1) && rqb_add(&r->seq, 0) == seq)
			return copy->waiter.tid != 0;
		rqb_pause();
	}
	return false;
}

uint64_t shim_stats_now(void)
{
	struct timespec now = rqu_sys_now(CLOCK_MONOTONIC);

	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
