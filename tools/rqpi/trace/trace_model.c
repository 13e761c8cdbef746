/* SPDX-License-Identifier: MIT */
/*
 * trace_model.c - the model of `rqpi trace`: its arrays, and what threads, locks and times are
 * called.
 *
 * The sources (trace_kernel.c, trace_preload.c) append to it, trace_build.c makes waits of it, the
 * outputs read it. Interface: trace.h.
 */
#define _GNU_SOURCE
#include "trace_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace_report.h"

enum { FIRST_ROOM = 64, STATUS_CANNOT = 2 };

void trace_no_memory(void)
{
	fputs("rqpi trace: out of memory: a shorter trace, or a machine with more, is needed\n",
	      stderr);
	exit(STATUS_CANNOT);
}

void trace_grow(void **at, uint32_t *count, uint32_t *room, size_t size)
{
	if (*count == *room) {
		uint32_t more = *room ? *room * 2 : FIRST_ROOM;
		void *bigger = more > *room ? reallocarray(*at, more, size) : NULL;

		if (!bigger)
			trace_no_memory();
		*at = bigger;
		*room = more;
	}
	memset((char *)*at + *count * size, 0, size);
	++*count;
}

void trace_model_init(struct trace_model *m)
{
	memset(m, 0, sizeof(*m));
}

void trace_model_free(struct trace_model *m)
{
	free(m->events.at);
	free(m->threads.at);
	free(m->locks.at);
	free(m->by_address.at);
	free(m->waits.at);
	free(m->slices.at);
	free(m->boosts.at);
	memset(m, 0, sizeof(*m));
}

void trace_add(struct trace_model *m, const struct trace_event *e)
{
	*trace_append(&m->events) = *e;
}

/* ---- threads ---- */

/* Index of the first thread whose TID is not below @tid. */
static uint32_t thread_place(const struct trace_model *m, uint32_t tid)
{
	uint32_t low = 0;
	uint32_t high = m->threads.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->threads.at[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct trace_thread *trace_thread(struct trace_model *m, uint32_t tid)
{
	uint32_t i = thread_place(m, tid);
	struct trace_thread *t;

	if (i < m->threads.count && m->threads.at[i].tid == tid)
		return &m->threads.at[i];
	(void)trace_append(&m->threads);
	t = &m->threads.at[i];
	memmove(t + 1, t, (m->threads.count - 1 - i) * sizeof(*t));
	*t = (struct trace_thread){.tid = tid, .policy = -1, .urgency = TRACE_URGENCY_UNKNOWN};
	return t;
}

const struct trace_thread *trace_find_thread(const struct trace_model *m, uint32_t tid)
{
	uint32_t i = thread_place(m, tid);

	return i < m->threads.count && m->threads.at[i].tid == tid ? &m->threads.at[i] : NULL;
}

void trace_name_thread(struct trace_model *m, uint32_t tid, const char *name)
{
	char *own;

	if (!*name)
		return;
	own = trace_thread(m, tid)->name;
	snprintf(own, TRACE_NAME_SIZE, "%s", name);
	/* It may have any bytes, and a report has lines and goes to terminals. */
	for (; *own; own++)
		if ((unsigned char)*own < ' ' || *own == 0x7f)
			*own = '?';
}

/* ---- locks ---- */

static bool lies_before(const struct trace_lock *lock, uint32_t pid, uint64_t address)
{
	return lock->pid != pid ? lock->pid < pid : lock->address < address;
}

/* Index into `by_address` of the first lock that does not lie before it. */
static uint32_t lock_place(const struct trace_model *m, uint32_t pid, uint64_t address)
{
	uint32_t low = 0;
	uint32_t high = m->by_address.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (lies_before(&m->locks.at[m->by_address.at[middle]], pid, address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t lock_at(const struct trace_model *m, uint32_t place, uint32_t pid, uint64_t address)
{
	uint32_t i = place < m->by_address.count ? m->by_address.at[place] : TRACE_NO_INDEX;

	if (i == TRACE_NO_INDEX || m->locks.at[i].pid != pid || m->locks.at[i].address != address)
		return TRACE_NO_INDEX;
	return i;
}

uint32_t trace_find_lock(const struct trace_model *m, uint32_t pid, uint64_t address)
{
	return lock_at(m, lock_place(m, pid, address), pid, address);
}

uint32_t trace_lock_index(struct trace_model *m, uint32_t pid, uint64_t address)
{
	uint32_t place = lock_place(m, pid, address);
	uint32_t i = lock_at(m, place, pid, address);

	if (i != TRACE_NO_INDEX)
		return i;
	(void)trace_append(&m->by_address);
	memmove(&m->by_address.at[place + 1], &m->by_address.at[place],
		(m->by_address.count - 1 - place) * sizeof(*m->by_address.at));
	i = m->locks.count;
	m->by_address.at[place] = i;
	*trace_append(&m->locks) = (struct trace_lock){
	    .pid = pid,
	    .address = address,
	    .type = TRACE_WORD,
	    .inherits = TRACE_INHERITS_UNKNOWN,
	    .partner = TRACE_NO_INDEX,
	    .longest = TRACE_NO_INDEX,
	    .worst = TRACE_NO_INDEX,
	};
	return i;
}

struct trace_lock *trace_lock(struct trace_model *m, uint32_t pid, uint64_t address)
{
	uint32_t i = trace_lock_index(m, pid, address); /* before `at` is read: it moves */

	return &m->locks.at[i];
}

void trace_name_lock(struct trace_model *m, uint32_t pid, uint64_t address, const char *place,
		     bool by_site)
{
	struct trace_lock *lock;

	if (!*place)
		return;
	lock = trace_lock(m, pid, address);
	snprintf(lock->place, sizeof(lock->place), "%s", place);
	lock->named_by_site = by_site;
}

/* ---- in words ---- */

const char *trace_thread_name(const struct trace_model *m, uint32_t tid,
			      char text[TRACE_PERSON_SIZE])
{
	const struct trace_thread *t = trace_find_thread(m, tid);

	if (tid)
		snprintf(text, TRACE_PERSON_SIZE, "%s[%" PRIu32 "]", t ? t->name : "", tid);
	else
		snprintf(text, TRACE_PERSON_SIZE, "a thread that is not known");
	return text;
}

const char *trace_person(const struct trace_model *m, uint32_t tid, char text[TRACE_PERSON_SIZE])
{
	const struct trace_thread *t = trace_find_thread(m, tid);
	const char *policy;
	size_t used;

	trace_thread_name(m, tid, text);
	if (!tid || !t)
		return text;
	used = strlen(text);
	policy = trace_policy_name(t->policy);
	/* Only the kernel spoke of it: its events have the urgency, and no policy. */
	if (!policy && t->urgency == TRACE_URGENCY_UNKNOWN)
		return text;
	if (!policy)
		policy = t->urgency == 0		   ? "not real-time"
			 : t->urgency == TRACE_URGENCY_MAX ? "DEADLINE"
							   : "real-time";
	if (t->urgency > 0 && t->urgency < TRACE_URGENCY_MAX)
		snprintf(text + used, TRACE_PERSON_SIZE - used, " %s %d", policy, t->urgency);
	else
		snprintf(text + used, TRACE_PERSON_SIZE - used, " %s", policy);
	return text;
}

const char *trace_lock_name(const struct trace_lock *lock, char text[TRACE_PLACE_SIZE])
{
	if (!lock->place[0])
		snprintf(text, TRACE_PLACE_SIZE, "0x%" PRIx64, lock->address);
	else
		snprintf(text, TRACE_PLACE_SIZE, "%s%.*s", lock->named_by_site ? "made by " : "",
			 TRACE_PLACE_SIZE - 9, lock->place);
	return text;
}

const char *trace_site_name(const struct trace_model *m, uint32_t pid, uint64_t site,
			    char text[TRACE_PLACE_SIZE])
{
	if (!m->symbols || !m->name_site || !m->name_site(m->symbols, pid, site, true, text))
		snprintf(text, TRACE_PLACE_SIZE, "0x%" PRIx64, site);
	return text;
}

const char *trace_time(uint64_t ns, char text[TRACE_TIME_SIZE])
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	size_t u = 0;
	double value;

	/* Three digits; what would be rounded to 1000 of a unit is 1.00 of the next. */
	while (u < 3 && (double)ns >= 999.5 * units[u].ns)
		u++;
	value = (double)ns / units[u].ns;
	if (u == 0)
		snprintf(text, TRACE_TIME_SIZE, "%" PRIu64 " ns", ns);
	else
		snprintf(text, TRACE_TIME_SIZE, "%.*f %s",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, units[u].name);
	return text;
}
