/* SPDX-License-Identifier: MIT */
/*
 * made_model.c - see made_model.h.
 */
#include "made_model.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN UINT64_C(7000000000123)
#define US    UINT64_C(1000)
#define MS    UINT64_C(1000000)

static struct trace_model *new_model(const char *command, uint64_t length)
{
	struct trace_model *m = calloc(1, sizeof(*m));

	if (!m)
		trace_no_memory();
	m->command = command;
	m->pid = MADE_PID;
	m->ended = true;
	m->begin = BEGIN;
	m->end = BEGIN + length;
	m->from_kernel = true;
	m->from_preload = true;
	return m;
}

/* Threads are added by number, slices by thread and time, as the model has them. */
static void add_thread(struct trace_model *m, uint32_t tid, const char *name, int urgency)
{
	struct trace_thread *t = trace_append(&m->threads);

	t->tid = tid;
	t->pid = tid >= MADE_PID ? MADE_PID : tid;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->policy = urgency ? SCHED_FIFO : SCHED_OTHER;
	t->urgency = urgency;
	t->traced = tid >= MADE_PID;
	t->first = m->begin;
	t->last = m->end;
}

static uint32_t add_lock(struct trace_model *m, const char *place, enum trace_lock_type type,
			 enum trace_inherits inherits)
{
	struct trace_lock *l = trace_append(&m->locks);

	l->pid = MADE_PID;
	l->address = 0x55d0c0de0000u + 64 * (uint64_t)m->locks.count;
	l->type = type;
	l->inherits = inherits;
	snprintf(l->place, sizeof(l->place), "%s", place);
	l->partner = l->longest = l->worst = TRACE_NO_INDEX;
	return m->locks.count - 1;
}

/* Times are in nanoseconds after the begin. A pointer until the next is added. */
static struct trace_wait *add_wait(struct trace_model *m, uint32_t lock, uint32_t tid,
				   uint32_t owner, uint64_t since, uint64_t until)
{
	struct trace_wait *w = trace_append(&m->waits);
	struct trace_lock *l = &m->locks.at[lock];

	w->lock = lock;
	w->tid = tid;
	w->how = l->type == TRACE_CONDVAR ? TRACE_HOW_WAIT : TRACE_HOW_LOCK;
	w->owner = owner;
	w->since = m->begin + since;
	w->until = m->begin + until;
	w->urgency = TRACE_URGENCY_UNKNOWN;
	w->owner_urgency = TRACE_URGENCY_UNKNOWN;
	for (uint32_t i = 0; i < m->threads.count; i++) {
		if (m->threads.at[i].tid == tid)
			w->urgency = m->threads.at[i].urgency;
		if (m->threads.at[i].tid == owner)
			w->owner_urgency = m->threads.at[i].urgency;
	}
	w->blamed = m->from_kernel;
	w->chain = TRACE_NO_INDEX;
	l->waits++;
	l->wait_ns += until - since;
	return w;
}

static void invert(struct trace_model *m, struct trace_wait *w, uint32_t culprit, uint64_t ns)
{
	struct trace_lock *l = &m->locks.at[w->lock];

	w->inversion = true;
	if (culprit) {
		w->starved = ns;
		w->culprits = 1;
		w->culprit[0] =
		    (struct trace_culprit){.tid = culprit, .cpu = 1, .urgency = 50, .ns = ns};
	}
	l->inversions++;
	l->inversion_ns += w->until - w->since;
	m->inversions++;
}

static void add_slice(struct trace_model *m, uint32_t tid, int cpu, int urgency, uint64_t since,
		      uint64_t until)
{
	struct trace_slice *s = trace_append(&m->slices);

	s->tid = tid;
	s->running = cpu >= 0;
	s->cpu = cpu >= 0 ? (uint16_t)cpu : TRACE_NO_CPU;
	s->urgency = urgency;
	s->since = m->begin + since;
	s->until = m->begin + until;
}

static void add_boost(struct trace_model *m, uint64_t ns, uint32_t by, uint32_t whom, int from,
		      int to, uint32_t wait)
{
	struct trace_boost *b = trace_append(&m->boosts);

	*b = (struct trace_boost){
	    .ns = m->begin + ns, .by = by, .whom = whom, .from = from, .to = to, .wait = wait};
	if (wait != TRACE_NO_INDEX && to > from)
		m->locks.at[m->waits.at[wait].lock].boosts++;
}

static void add_crew(struct trace_model *m)
{
	add_thread(m, MADE_OTHER, "journald", 0);
	add_thread(m, MADE_PID, "plant", 0);
	add_thread(m, MADE_CONTROLLER, "controller", 80);
	add_thread(m, MADE_LOGGER, "logger", 10);
	add_thread(m, MADE_HOG, "hog", 50);
}

/* Two periods of a controller: the first is held up, the second one is not. */
static struct trace_model *inversion(void)
{
	struct trace_model *m = new_model("./plant --once", 12 * MS);
	uint32_t the_lock, safe_lock, more;
	struct trace_wait *w;

	add_crew(m);
	the_lock = add_lock(m, "the_lock (plant)", TRACE_MUTEX, TRACE_INHERITS_NO);
	safe_lock = add_lock(m, "safe_lock (plant)", TRACE_MUTEX, TRACE_INHERITS_YES);
	more = add_lock(m, "more (plant)", TRACE_CONDVAR, TRACE_INHERITS_UNKNOWN);
	m->locks.at[more].partner = safe_lock;

	w = add_wait(m, more, MADE_CONTROLLER, 0, 200 * US, 1000 * US + 7);
	w = add_wait(m, the_lock, MADE_CONTROLLER, MADE_LOGGER, 1200 * US + 345, 5400 * US + 678);
	w->site = 0x55d0c0de1234u;
	w->ran = 60 * US;
	invert(m, w, MADE_HOG, 4100 * US);
	w = add_wait(m, more, MADE_CONTROLLER, 0, 6 * MS, 8 * MS);
	w->value = ETIMEDOUT;
	w = add_wait(m, safe_lock, MADE_CONTROLLER, MADE_LOGGER, 8300 * US, 8380 * US);
	w->boosted = true;
	w->ran = 75 * US;

	add_slice(m, MADE_OTHER, 0, 0, 400 * US, 700 * US);
	add_slice(m, MADE_OTHER, 0, 0, 9 * MS, 9500 * US);
	add_slice(m, MADE_PID, 0, 0, 0, 150 * US);
	add_slice(m, MADE_PID, 0, 0, 11500 * US, 12 * MS);
	add_slice(m, MADE_CONTROLLER, 1, 80, 150 * US, 210 * US);
	add_slice(m, MADE_CONTROLLER, 1, 80, 1 * MS, 1210 * US);
	add_slice(m, MADE_CONTROLLER, -1, 80, 5395 * US, 5398 * US);
	add_slice(m, MADE_CONTROLLER, 1, 80, 5398 * US, 6010 * US);
	add_slice(m, MADE_CONTROLLER, 1, 80, 8 * MS, 8310 * US);
	add_slice(m, MADE_CONTROLLER, 1, 80, 8378 * US, 8900 * US);
	add_slice(m, MADE_LOGGER, 1, 10, 600 * US, 1 * MS);
	add_slice(m, MADE_LOGGER, -1, 10, 1 * MS, 1210 * US);
	add_slice(m, MADE_LOGGER, 1, 10, 1210 * US, 1240 * US);
	add_slice(m, MADE_LOGGER, -1, 10, 1240 * US, 5340 * US);
	add_slice(m, MADE_LOGGER, 1, 10, 5340 * US, 5398 * US);
	add_slice(m, MADE_LOGGER, -1, 10, 5398 * US, 6010 * US);
	add_slice(m, MADE_LOGGER, 1, 10, 6010 * US, 8 * MS);
	add_slice(m, MADE_LOGGER, -1, 10, 8 * MS, 8302 * US);
	add_slice(m, MADE_LOGGER, -1, 80, 8302 * US, 8310 * US);
	add_slice(m, MADE_LOGGER, 1, 80, 8310 * US, 8378 * US);
	add_slice(m, MADE_LOGGER, -1, 10, 8378 * US, 8900 * US);
	add_slice(m, MADE_LOGGER, 1, 10, 8900 * US, 9200 * US);
	add_slice(m, MADE_HOG, 1, 50, 1240 * US, 5340 * US);
	add_slice(m, MADE_HOG, 0, 50, 8100 * US, 9 * MS);

	add_boost(m, 8302 * US, MADE_CONTROLLER, MADE_LOGGER, 10, 80, 3);
	add_boost(m, 8378 * US, MADE_LOGGER, MADE_LOGGER, 80, 10, TRACE_NO_INDEX);
	return m;
}

static struct trace_model *crowd(void)
{
	struct trace_model *m = new_model("./crowd", 100 * MS);
	uint32_t pool, inner, idle;
	struct trace_wait *w;

	add_crew(m);
	for (uint32_t i = 0; i < 5; i++)
		add_thread(m, 4110 + i, "worker", 20 + (int)i);
	pool = add_lock(m, "pool (crowd)", TRACE_MUTEX, TRACE_INHERITS_YES);
	inner = add_lock(m, "made by open_channel+0x1c (crowd)", TRACE_MUTEX, TRACE_INHERITS_NO);
	idle = add_lock(m, "idle (crowd)", TRACE_CONDVAR, TRACE_INHERITS_UNKNOWN);
	/* All at once, and they leave in another order. */
	for (uint32_t i = 0; i < 5; i++)
		add_wait(m, pool, 4110 + i, MADE_LOGGER, 10 * MS + i, (60 - 5 * i) * MS)->boosted =
		    true;
	/* Inside of a wait; another that begins with it; without length; half overlapping. */
	add_wait(m, inner, 4110, MADE_HOG, 20 * MS, 30 * MS);
	add_wait(m, inner, 4110, MADE_HOG, 20 * MS, 25 * MS);
	add_wait(m, inner, 4110, MADE_HOG, 40 * MS, 40 * MS);
	add_wait(m, inner, 4110, MADE_HOG, 50 * MS, 70 * MS);
	/* What worker[4111] waits for in vain, waits itself: a chain. */
	m->waits.at[1].owner = 4110;
	m->waits.at[1].chain = 5;
	/* It was there before the trace, and stayed. */
	m->waits.at[8].open = true;
	add_wait(m, inner, 4114, 0, 0, 100 * MS)->open = true;
	m->waits.at[9].since -= 5 * MS;

	w = add_wait(m, idle, MADE_HOG, 0, 72 * MS, 90 * MS);
	w->how = TRACE_HOW_RELEASE;
	w->broadcast = true;
	w->asleep = 17 * MS;
	w = add_wait(m, idle, MADE_CONTROLLER, 0, 80 * MS, 81 * MS);
	w->how = TRACE_HOW_RELEASE;

	add_slice(m, MADE_LOGGER, -1, 10, 1 * MS, 2 * MS);
	add_slice(m, MADE_LOGGER, 0, 10, 2 * MS, 10 * MS);
	add_slice(m, MADE_LOGGER, 0, 24, 10 * MS, 61 * MS);
	/* It spins before it sleeps, and runs on when it has the lock. */
	add_slice(m, 4110, 1, 20, 5 * MS, 21 * MS);
	add_slice(m, 4110, 1, 20, 24 * MS, 28 * MS);
	add_slice(m, 4110, 1, 20, 39 * MS, 80 * MS);
	/* Two threads on one processor: an event got lost. */
	add_slice(m, 4111, 1, 21, 20 * MS, 23 * MS);
	m->lost = 3;
	for (uint32_t i = 0; i < 5; i++)
		add_boost(m, 10 * MS + i + 1, 4110 + i, MADE_LOGGER, i ? 19 + (int)i : 10,
			  20 + (int)i, i);
	add_boost(m, 40 * MS, MADE_LOGGER, MADE_LOGGER, 24, 20, TRACE_NO_INDEX);
	add_boost(m, 60 * MS, MADE_LOGGER, MADE_LOGGER, 20, 10, TRACE_NO_INDEX);
	/* Of programs that only ran meanwhile. */
	add_boost(m, 50 * MS, MADE_OTHER, MADE_OTHER, 0, 10, TRACE_NO_INDEX);
	/* Nobody knows of a wait, but what the thread did then is known; and not even that. */
	add_boost(m, 70 * MS, 4110, MADE_LOGGER, 10, 20, TRACE_NO_INDEX);
	add_boost(m, 90 * MS, 4111, MADE_LOGGER, 20, 21, TRACE_NO_INDEX);
	return m;
}

static struct trace_model *names(void)
{
	static const char *const name[] = {
	    "\"quoted\"\\",		      /* ends a string */
	    "</script>",		      /* ends an element */
	    "<!--<script>",		      /* begins what no </script> ends */
	    "\xff\xfe latin \xe9",	      /* no UTF-8 */
	    "\xc3\xa9t\xc3\xa9 \xe2\x82\xac", /* UTF-8 */
	    "\xe2\x82",			      /* cut in the middle */
	    "\xc0\xaf\xed\xa0\x80",	      /* overlong; a surrogate */
	    "a\tb\nc\x7f\x01",		      /* control characters */
	    "&amp; %s %n",
	    "__proto__",
	};
	struct trace_model *m = new_model("./p '<img src=x onerror=alert(1)>' \"\xff\"", 10 * MS);
	uint32_t lock;

	add_thread(m, MADE_PID, "plant", 0);
	for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		add_thread(m, 4110 + i, name[i], (int)i + 1);
	lock = add_lock(m, "vector<pair<\"a\", b>>::lock</script><!-- (p)", TRACE_MUTEX,
			TRACE_INHERITS_NO);
	for (uint32_t i = 0; i + 1 < sizeof(name) / sizeof(name[0]); i++)
		invert(m, add_wait(m, lock, 4111 + i, 4110 + i, i * MS, (i + 1) * MS), 4110 + i,
		       1 * US);
	for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		add_slice(m, 4110 + i, 0, (int)i + 1, i * MS, i * MS + 500 * US);
	return m;
}

static struct trace_model *preload(void)
{
	struct trace_model *m = new_model("process 4100", 3000 * MS);
	uint32_t lock;
	struct trace_wait *w;

	m->from_kernel = false;
	m->no_kernel = "tracefs is not mounted: mount -t tracefs none /sys/kernel/tracing";
	add_crew(m);
	lock = add_lock(m, "", TRACE_MUTEX, TRACE_INHERITS_NO);
	w = add_wait(m, lock, MADE_CONTROLLER, MADE_LOGGER, 1 * MS, 5 * MS);
	invert(m, w, 0, 0);
	w = add_wait(m, lock, MADE_CONTROLLER, MADE_LOGGER, 1000 * MS, 2500 * MS);
	invert(m, w, 0, 0);
	w = add_wait(m, lock, MADE_HOG, MADE_CONTROLLER, 2500 * MS, 2501 * MS);
	w->owner_inferred = true;
	w->value = -1;
	return m;
}

static struct trace_model *big(void)
{
	struct trace_model *m = new_model("./big", 10000 * MS);
	uint32_t locks[8];
	char text[32];

	add_crew(m);
	for (uint32_t i = 0; i < 16; i++)
		add_thread(m, 4110 + i, "worker", (int)(i % 4) * 10);
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "lock_%u (big)", i);
		locks[i] = add_lock(m, text, TRACE_MUTEX, (enum trace_inherits)(i % 2));
	}
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t since = i * 2 * MS + i % 7 * 10 * US;
		uint32_t waiter = 4110 + i % 16, owner = 4110 + (i + 5) % 16;
		struct trace_wait *w = add_wait(m, locks[i % 8], waiter, owner, since,
						since + 1 * MS + i % 11 * 400 * US);

		if (i % 500 == 250 && m->locks.at[w->lock].inherits == TRACE_INHERITS_NO)
			invert(m, w, 4110 + (i + 9) % 16, 800 * US);
	}
	for (uint32_t t = 0; t < 16; t++) {
		for (uint32_t i = 0; i < 6250; i++) {
			uint64_t since = i * (uint64_t)1600000 + t * 100000;

			add_slice(m, 4110 + t, i % 5 ? (int)(t % 4) : -1, (int)(t % 4) * 10, since,
				  since + 90000 + i % 10000);
		}
	}
	return m;
}

struct trace_model *made_model(const char *scene)
{
	static const struct {
		const char *name;
		struct trace_model *(*make)(void);
	} all[] = {{"inversion", inversion},
		   {"crowd", crowd},
		   {"names", names},
		   {"preload", preload},
		   {"big", big}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i].name, scene))
			return all[i].make();
	}
	return strcmp(scene, "empty") ? NULL : new_model("true", 0);
}

void made_model_free(struct trace_model *m)
{
	free(m->threads.at);
	free(m->locks.at);
	free(m->waits.at);
	free(m->slices.at);
	free(m->boosts.at);
	free(m);
}
