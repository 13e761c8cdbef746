/* SPDX-License-Identifier: MIT */
/*
 * trace_json.c - `rqpi trace --json`: all that the model has, for programs. Called by cmd_trace.c.
 *
 * One object. What is not known is null; times are nanoseconds, and those of a moment count from
 * the beginning of the trace.
 *
 *	command, pid, duration_ns
 *	status		as a shell has it: 128 + N if signal N killed it; null: it has not ended
 *	sources		kernel, preload: true, or the sentence why it is missing
 *	lost		events that got lost on the way
 *	inversions	all of them, the longest first: WAITs
 *	waits		of the others the longest 100: WAITs
 *	signals_asleep	signals and broadcasts that slept inside of the condvar, the longest 100: by
 *			THREAD, condvar LOCK, broadcast, site, since_ns, call_ns, asleep_ns;
 *			for_whom THREAD and inferred, or null, and what that did, as in a WAIT:
 *			owner_ran_ns, starved_ns, owner_slept_ns, culprits; advice [...]
 *	signals_held_up	how many of all that slept did so for one who is less urgent
 *	locks		mutexes, and futexes of which no more is known, that anybody waited for:
 *			LOCK and waits, wait_ns, longest_ns, inversions, inversion_ns, worst_ns,
 *			boosts
 *	condvars	LOCK and mutex LOCK, waits, wait_ns, longest_ns; signals, broadcasts, with
 *			somebody inside; signals_asleep of both, asleep_ns, longest_asleep_ns
 *	boosts		at_ns, by THREAD, whom THREAD, from, to (priorities), lock LOCK or null
 *	threads		THREAD and pid, traced (of the program; else it only ran beside it),
 *			first_ns, last_ns
 *
 *	WAIT	waiter THREAD; owner THREAD and inferred (nobody said so: it woke the waiter, or was
 *		boosted), or null; lock LOCK; how "lock", "condvar" or "futex"; site, since_ns,
 *		wait_ns; open (its end or its beginning was not seen); error (errno, "cancelled"
 *		or null); inversion, boosted; owner_ran_ns, starved_ns, owner_slept_ns; culprits:
 *		THREAD and cpu, ran_at (priority), ns; chain: what the owner waited for itself,
 *		and so on: waiter, lock, owner, wait_ns; of inversions advice [...]
 *	THREAD	tid, name, policy ("FIFO"), priority (0: none, 100: DEADLINE)
 *	LOCK	name, address ("0x..."), pid, type "mutex", "condvar" or "futex", kind ("normal"
 *		...), inherits, inferred (that it is what it is was concluded from futex calls)
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "trace_build.h"
#include "trace_put.h"
#include "trace_report.h"

enum { MOST_WAITS = 100, MOST_CHAIN = 16 };

static void add(struct json_object *to, const char *key, struct json_object *value)
{
	if (json_object_object_add(to, key, value))
		trace_no_memory();
}

static void append(struct json_object *to, struct json_object *value)
{
	if (json_object_array_add(to, value))
		trace_no_memory();
}

static void add_number(struct json_object *to, const char *key, uint64_t value)
{
	add(to, key, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	add(to, key, text && *text ? trace_text_object(text) : NULL);
}

static void add_bool(struct json_object *to, const char *key, bool value)
{
	add(to, key, json_object_new_boolean(value));
}

static void add_urgency(struct json_object *to, const char *key, int urgency)
{
	add(to, key, urgency == TRACE_URGENCY_UNKNOWN ? NULL : json_object_new_int(urgency));
}

/* ---- threads and locks ---- */

static struct json_object *new_thread(const struct trace_model *m, uint32_t tid)
{
	const struct trace_thread *t = trace_find_thread(m, tid);
	struct json_object *o = trace_new_object();

	add_number(o, "tid", tid);
	add_text(o, "name", t ? t->name : NULL);
	add_text(o, "policy", t ? trace_policy_name(t->policy) : NULL);
	add_urgency(o, "priority", t ? t->urgency : TRACE_URGENCY_UNKNOWN);
	return o;
}

static struct json_object *new_lock(const struct trace_model *m, uint32_t index)
{
	static const char *const types[] = {
	    [TRACE_MUTEX] = "mutex", [TRACE_CONDVAR] = "condvar", [TRACE_WORD] = "futex"};
	const struct trace_lock *lock = &m->locks.at[index];
	struct json_object *o = trace_new_object();
	char text[TRACE_PLACE_SIZE];
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, lock->address);
	add_text(o, "name", trace_lock_name(lock, text));
	add_text(o, "address", address);
	add_number(o, "pid", lock->pid);
	add_text(o, "type", types[lock->type]);
	add_text(o, "kind", lock->has_kind ? trace_kind_name(lock->kind) : NULL);
	add(o, "inherits",
	    lock->inherits == TRACE_INHERITS_UNKNOWN
		? NULL
		: json_object_new_boolean(lock->inherits == TRACE_INHERITS_YES));
	add_bool(o, "inferred", lock->inferred);
	return o;
}

static void add_site(const struct trace_model *m, struct json_object *o, const struct trace_wait *w)
{
	char text[TRACE_PLACE_SIZE];

	add_text(o, "site",
		 w->site ? trace_site_name(m, m->locks.at[w->lock].pid, w->site, text) : NULL);
}

/* ---- waits ---- */

static struct json_object *new_culprits(const struct trace_model *m, const struct trace_wait *w)
{
	struct json_object *all = trace_new_array();

	for (uint32_t i = 0; i < w->culprits; i++) {
		struct json_object *o = new_thread(m, w->culprit[i].tid);

		add_number(o, "cpu", w->culprit[i].cpu);
		add_urgency(o, "ran_at", w->culprit[i].urgency);
		add_number(o, "ns", w->culprit[i].ns);
		append(all, o);
	}
	return all;
}

static void add_blame(const struct trace_model *m, struct json_object *o,
		      const struct trace_wait *w)
{
	add(o, "owner_ran_ns", w->blamed ? json_object_new_int64((int64_t)w->ran) : NULL);
	add(o, "starved_ns", w->blamed ? json_object_new_int64((int64_t)w->starved) : NULL);
	add(o, "owner_slept_ns", w->blamed ? json_object_new_int64((int64_t)w->slept) : NULL);
	add(o, "culprits", new_culprits(m, w));
}

static struct json_object *new_owner(const struct trace_model *m, const struct trace_wait *w)
{
	struct json_object *o;

	if (!w->owner)
		return NULL;
	o = new_thread(m, w->owner);
	add_bool(o, "inferred", w->owner_inferred);
	return o;
}

static struct json_object *new_chain(const struct trace_model *m, const struct trace_wait *w)
{
	struct json_object *all = trace_new_array();

	for (int i = 0; i < MOST_CHAIN && w->chain != TRACE_NO_INDEX; i++) {
		struct json_object *o = trace_new_object();

		w = &m->waits.at[w->chain];
		add(o, "waiter", new_thread(m, w->tid));
		add(o, "lock", new_lock(m, w->lock));
		add(o, "owner", new_owner(m, w));
		add_number(o, "wait_ns", trace_wait_ns(w));
		append(all, o);
	}
	return all;
}

static void add_advice(const struct trace_model *m, struct json_object *o,
		       const struct trace_wait *w)
{
	struct json_object *all = trace_new_array();
	trace_advice advice;
	int count = trace_advise(m, w, advice);

	for (int i = 0; i < count; i++)
		append(all, trace_text_object(advice[i]));
	add(o, "advice", all);
}

static void add_error(struct json_object *o, const struct trace_wait *w)
{
	add(o, "error",
	    w->value < 0   ? json_object_new_string("cancelled")
	    : w->value > 0 ? json_object_new_int(w->value)
			   : NULL);
}

static struct json_object *new_wait(const struct trace_model *m, const struct trace_wait *w)
{
	static const char *const hows[] = {[TRACE_HOW_LOCK] = "lock",
					   [TRACE_HOW_WAIT] = "condvar",
					   [TRACE_HOW_RELEASE] = "signal",
					   [TRACE_HOW_FUTEX] = "futex"};
	struct json_object *o = trace_new_object();

	add(o, "waiter", new_thread(m, w->tid));
	add(o, "owner", new_owner(m, w));
	add(o, "lock", new_lock(m, w->lock));
	add_text(o, "how", hows[w->how]);
	add_site(m, o, w);
	add_number(o, "since_ns", w->since - m->begin);
	add_number(o, "wait_ns", trace_wait_ns(w));
	add_bool(o, "open", w->open);
	add_error(o, w);
	add_bool(o, "inversion", w->inversion);
	add_bool(o, "boosted", w->boosted);
	add_blame(m, o, w);
	add(o, "chain", new_chain(m, w));
	if (w->inversion)
		add_advice(m, o, w);
	return o;
}

static struct json_object *new_waits(const struct trace_model *m,
				     bool (*wanted)(const struct trace_wait *w), uint32_t most)
{
	struct json_object *all = trace_new_array();
	uint32_t count;
	uint32_t *order = trace_order_waits(m, wanted, &count);

	for (uint32_t i = 0; i < count && i < most; i++)
		append(all, new_wait(m, &m->waits.at[order[i]]));
	free(order);
	return all;
}

static struct json_object *new_signals_asleep(const struct trace_model *m)
{
	struct json_object *all = trace_new_array();
	uint32_t count;
	uint32_t *order = trace_order_waits(m, trace_slept_inside, &count);

	for (uint32_t i = 0; i < count && i < MOST_WAITS; i++) {
		const struct trace_wait *w = &m->waits.at[order[i]];
		struct json_object *o = trace_new_object();

		add(o, "by", new_thread(m, w->tid));
		add(o, "condvar", new_lock(m, w->lock));
		add(o, "broadcast",
		    m->locks.at[w->lock].inferred ? NULL : json_object_new_boolean(w->broadcast));
		add_site(m, o, w);
		add_number(o, "since_ns", w->since - m->begin);
		add_number(o, "call_ns", trace_wait_ns(w));
		add_number(o, "asleep_ns", w->asleep);
		add(o, "for_whom", new_owner(m, w));
		add_blame(m, o, w);
		add_advice(m, o, w);
		append(all, o);
	}
	free(order);
	return all;
}

/* ---- sums ---- */

static void add_longest(const struct trace_model *m, struct json_object *o, const char *key,
			uint32_t wait)
{
	add_number(o, key, wait == TRACE_NO_INDEX ? 0 : trace_wait_ns(&m->waits.at[wait]));
}

static void add_waits(const struct trace_model *m, struct json_object *o,
		      const struct trace_lock *lock)
{
	add_number(o, "waits", lock->waits);
	add_number(o, "wait_ns", lock->wait_ns);
	add_longest(m, o, "longest_ns", lock->longest);
}

static void append_locks(const struct trace_model *m, struct json_object *all,
			 enum trace_lock_type type)
{
	uint32_t count;
	uint32_t *order = trace_order_locks(m, type, &count);

	for (uint32_t i = 0; i < count; i++) {
		const struct trace_lock *lock = &m->locks.at[order[i]];
		struct json_object *o = new_lock(m, order[i]);

		add_waits(m, o, lock);
		add_number(o, "inversions", lock->inversions);
		add_number(o, "inversion_ns", lock->inversion_ns);
		add_longest(m, o, "worst_ns", lock->worst);
		add_number(o, "boosts", lock->boosts);
		append(all, o);
	}
	free(order);
}

static struct json_object *new_condvars(const struct trace_model *m)
{
	struct json_object *all = trace_new_array();
	struct trace_releases *releases = trace_sum_releases(m);
	uint32_t count;
	uint32_t *order = trace_order_locks(m, TRACE_CONDVAR, &count);

	for (uint32_t i = 0; i < count; i++) {
		const struct trace_lock *lock = &m->locks.at[order[i]];
		const struct trace_releases *r = &releases[order[i]];
		struct json_object *o = new_lock(m, order[i]);

		add(o, "mutex",
		    lock->partner == TRACE_NO_INDEX ? NULL : new_lock(m, lock->partner));
		add_waits(m, o, lock);
		add_number(o, "signals", r->signals);
		add_number(o, "broadcasts", r->broadcasts);
		add_number(o, "signals_asleep", r->slept);
		add_number(o, "asleep_ns", r->asleep_ns);
		add_number(o, "longest_asleep_ns", r->longest_asleep_ns);
		append(all, o);
	}
	free(order);
	free(releases);
	return all;
}

static struct json_object *new_boosts(const struct trace_model *m)
{
	struct json_object *all = trace_new_array();

	for (uint32_t i = 0; i < m->boosts.count; i++) {
		const struct trace_boost *boost = &m->boosts.at[i];
		struct json_object *o = trace_new_object();

		add_number(o, "at_ns", boost->ns - m->begin);
		add(o, "by", new_thread(m, boost->by));
		add(o, "whom", new_thread(m, boost->whom));
		add_urgency(o, "from", boost->from);
		add_urgency(o, "to", boost->to);
		add(o, "lock",
		    boost->wait == TRACE_NO_INDEX ? NULL
						  : new_lock(m, m->waits.at[boost->wait].lock));
		append(all, o);
	}
	return all;
}

static struct json_object *new_threads(const struct trace_model *m)
{
	struct json_object *all = trace_new_array();

	for (uint32_t i = 0; i < m->threads.count; i++) {
		const struct trace_thread *t = &m->threads.at[i];
		struct json_object *o = new_thread(m, t->tid);

		add(o, "pid", t->pid ? json_object_new_int64(t->pid) : NULL);
		add_bool(o, "traced", t->traced);
		add(o, "first_ns",
		    t->last ? json_object_new_int64((int64_t)(t->first - m->begin)) : NULL);
		add(o, "last_ns",
		    t->last ? json_object_new_int64((int64_t)(t->last - m->begin)) : NULL);
		append(all, o);
	}
	return all;
}

/* ---- all of it ---- */

static struct json_object *new_source(bool there, const char *why)
{
	return there ? json_object_new_boolean(true)
		     : trace_text_object(why ? why : "it was not asked for");
}

static struct json_object *new_status(const struct trace_model *m)
{
	if (!m->ended)
		return NULL;
	return json_object_new_int(WIFSIGNALED(m->status) ? 128 + WTERMSIG(m->status)
							  : WEXITSTATUS(m->status));
}

int trace_write_json(const struct trace_model *m, FILE *out)
{
	struct json_object *o = trace_new_object();
	struct json_object *sources = trace_new_object();
	struct json_object *locks = trace_new_array();
	int bad;

	add_text(o, "command", m->command);
	add_number(o, "pid", m->pid);
	add_number(o, "duration_ns", m->end - m->begin);
	add(o, "status", new_status(m));
	add(sources, "kernel", new_source(m->from_kernel, m->no_kernel));
	add(sources, "preload", new_source(m->from_preload, m->no_preload));
	add(o, "sources", sources);
	add_number(o, "lost", m->lost);
	add(o, "inversions", new_waits(m, trace_is_inversion, UINT32_MAX));
	add(o, "waits", new_waits(m, trace_is_other, MOST_WAITS));
	add(o, "signals_asleep", new_signals_asleep(m));
	add_number(o, "signals_held_up", m->held_up);
	append_locks(m, locks, TRACE_MUTEX);
	append_locks(m, locks, TRACE_WORD);
	add(o, "locks", locks);
	add(o, "condvars", new_condvars(m));
	add(o, "boosts", new_boosts(m));
	add(o, "threads", new_threads(m));
	errno = 0;
	bad = fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY), out) < 0 ||
	      fputc('\n', out) == EOF || fflush(out);
	json_object_put(o);
	return bad ? -1 : 0;
}
