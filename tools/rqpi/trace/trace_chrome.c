/* SPDX-License-Identifier: MIT */
/*
 * trace_chrome.c - the model as a file in Chrome's trace event format, which ui.perfetto.dev and
 * chrome://tracing open.
 *
 * Called by the command. The rules that shape it (tests/trace/chrome_rules.py checks them):
 * slices ("X") of one track nest or do not overlap, else they are dropped; so what overlaps goes to
 * further lanes, and what a thread did is cut where its waits begin and end. An arrow is a pair of
 * "s" and "f", each inside of a slice of its track. Numbers of threads are unique over the file,
 * not only within their process; what is no thread or process gets numbers that no kernel gives.
 * Where times are equal the order in the file decides: the outer slice comes first, arrows last.
 *
 * Objects are written one at a time: there may be a million.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace_chrome.h"

enum { MOST_CHAIN = 8 };

/* ---- events ---- */

struct json_object *trace_chrome_event(const char *phase, uint32_t pid, uint32_t tid)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		trace_no_memory();
	trace_put_text(o, "ph", phase);
	trace_put_number(o, "pid", pid);
	trace_put_number(o, "tid", tid);
	return o;
}

void trace_chrome_write(struct chrome *c, struct json_object *o)
{
	fputs(c->any ? ",\n" : "\n", c->out);
	trace_write_object(c->out, o, false);
	c->any = true;
}

struct json_object *trace_chrome_args(struct json_object *event)
{
	struct json_object *args = json_object_new_object();

	if (!args || json_object_object_add(event, "args", args))
		trace_no_memory();
	return args;
}

static void write_metadata(struct chrome *c, uint32_t pid, uint32_t tid, const char *what,
			   const char *name, uint32_t rank)
{
	struct json_object *o = trace_chrome_event("M", pid, tid);

	trace_put_text(o, "cat", "__metadata"); /* as Chrome does: some readers want it */
	trace_put_text(o, "name", what);
	if (name)
		trace_put_text(trace_chrome_args(o), "name", name);
	else
		trace_put_number(trace_chrome_args(o), "sort_index", rank);
	trace_chrome_write(c, o);
}

void trace_chrome_process(struct chrome *c, uint32_t pid, const char *name)
{
	write_metadata(c, pid, pid, "process_name", name, 0);
	write_metadata(c, pid, pid, "process_sort_index", NULL, c->next_rank++);
}

void trace_chrome_track(struct chrome *c, uint32_t pid, uint32_t tid, const char *name)
{
	write_metadata(c, pid, tid, "thread_name", name, 0);
	write_metadata(c, pid, tid, "thread_sort_index", NULL, c->next_rank++);
}

/* A slice, to be completed. Times are of the model. */
struct json_object *trace_chrome_slice(const struct chrome *c, const struct track *track,
				       const char *category, const char *name, uint64_t since,
				       uint64_t until)
{
	struct json_object *o = trace_chrome_event("X", track->pid, track->tid);
	uint64_t from = trace_since_begin(c->m, since), to = trace_since_begin(c->m, until);

	trace_put_text(o, "cat", category);
	trace_put_text(o, "name", name);
	trace_put_us(o, "ts", from);
	trace_put_us(o, "dur", to > from ? to - from : 0);
	return o;
}

/* ---- what is said of a wait ---- */

/* What its owner does with it, as far as that is known. A word that is no lock has none. */
static const char *has_words(const struct chrome *c, const struct trace_wait *w)
{
	if (!w->owner_inferred)
		return "has it";
	return c->m->locks.at[w->lock].type == TRACE_WORD ? "wakes it" : "has it, it seems";
}

static const char *wait_words(const struct chrome *c, const struct trace_wait *w, char text[256])
{
	char waiter[TRACE_PERSON_SIZE], owner[TRACE_PERSON_SIZE];
	const char *mark = w->inversion ? "INVERSION: " : "";

	trace_thread_name(c->m, w->tid, waiter);
	if (w->how == TRACE_HOW_WAIT)
		snprintf(text, 256, "%s waits on it", waiter);
	else if (w->how == TRACE_HOW_RELEASE && w->asleep)
		snprintf(text, 256, "%s%s sleeps in a %s", mark, waiter,
			 w->broadcast ? "broadcast" : "signal");
	else if (w->how == TRACE_HOW_RELEASE)
		snprintf(text, 256, "%s%s %s", mark, waiter,
			 w->broadcast ? "broadcasts" : "signals");
	else if (w->owner)
		snprintf(text, 256, "%s%s waits, %s %s", mark, waiter,
			 trace_thread_name(c->m, w->owner, owner), has_words(c, w));
	else
		snprintf(text, 256, "%s%s waits", mark, waiter);
	return text;
}

static const char *result_words(const struct trace_wait *w)
{
	if (w->open)
		return "had not ended";
	if (w->value == 0)
		return "done";
	if (w->value == -1)
		return "cancelled";
	return w->value == ETIMEDOUT ? "timed out" : strerror(w->value);
}

static struct json_object *add_list(struct json_object *args, const char *key)
{
	struct json_object *list = json_object_new_array();

	if (!list || json_object_object_add(args, key, list))
		trace_no_memory();
	return list;
}

static void put_culprits(const struct chrome *c, struct json_object *args,
			 const struct trace_wait *w)
{
	struct json_object *list = add_list(args, "ran_instead_of_the_owner");

	for (uint32_t i = 0; i < w->culprits && i < TRACE_CULPRITS; i++) {
		const struct trace_culprit *guilty = &w->culprit[i];
		char who[TRACE_PERSON_SIZE], urgency[32], when[TRACE_TIME_SIZE], text[192];

		snprintf(text, sizeof(text), "%s, %s, ran %s on CPU %u",
			 trace_thread_name(c->m, guilty->tid, who),
			 trace_urgency_words(guilty->urgency, urgency),
			 trace_time(guilty->ns, when), guilty->cpu);
		if (json_object_array_add(list, trace_text_object(text)))
			trace_no_memory();
	}
}

/* The owner waited, for another one, and so on. */
static void put_chain(const struct chrome *c, struct json_object *args, const struct trace_wait *w)
{
	const struct trace_model *m = c->m;
	struct json_object *list;

	if (w->chain >= m->waits.count)
		return;
	list = add_list(args, "meanwhile_the_owner");
	for (int i = 0; i < MOST_CHAIN && w->chain < m->waits.count; i++) {
		char who[TRACE_PERSON_SIZE], owner[TRACE_PERSON_SIZE], when[TRACE_TIME_SIZE];
		char lock[TRACE_PLACE_SIZE], text[2 * TRACE_PLACE_SIZE + 64];

		w = &m->waits.at[w->chain];
		snprintf(text, sizeof(text), "%s waited %s for %s, which %s had",
			 trace_thread_name(m, w->tid, who), trace_time(w->until - w->since, when),
			 trace_lock_name(&m->locks.at[w->lock], lock),
			 trace_thread_name(m, w->owner, owner));
		if (json_object_array_add(list, trace_text_object(text)))
			trace_no_memory();
	}
}

/* What every slice of a wait says; the rest is where the number leads, among the locks. */
void trace_chrome_wait_args(const struct chrome *c, struct json_object *args, uint32_t index)
{
	const struct trace_wait *w = &c->m->waits.at[index];
	char text[TRACE_PERSON_SIZE];

	trace_put_number(args, "wait", index);
	if (w->owner) {
		const char *key = !w->owner_inferred			       ? "owner"
				  : c->m->locks.at[w->lock].type == TRACE_WORD ? "woken_by"
									       : "owner_it_seems";

		trace_put_text(args, key, trace_person(c->m, w->owner, text));
	}
	trace_put_text(args, "result", result_words(w));
}

static void put_wait_args(const struct chrome *c, struct json_object *args, uint32_t index)
{
	static const char *const how[] = {"lock", "condition variable", "release", "futex"};
	static const char *const inherits[] = {"no", "yes", "unknown"};
	const struct trace_wait *w = &c->m->waits.at[index];
	const struct trace_lock *lock = &c->m->locks.at[w->lock];
	char text[TRACE_PLACE_SIZE];

	trace_chrome_wait_args(c, args, index);
	trace_put_text(args, "how", how[w->how]);
	trace_put_text(args, "lock", trace_lock_name(lock, text));
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)lock->address);
	trace_put_text(args, "address", text);
	trace_put_text(args, "inherits_priority", inherits[lock->inherits]);
	trace_put_text(args, "waiter", trace_person(c->m, w->tid, text));
	if (w->site)
		trace_put_text(args, "code", trace_site_name(c->m, lock->pid, w->site, text));
	trace_put_bool(args, "inversion", w->inversion);
	trace_put_bool(args, "owner_was_boosted", w->boosted);
	if (w->how == TRACE_HOW_RELEASE)
		trace_put_us(args, "asleep_us", w->asleep);
	if (!w->blamed)
		return;
	trace_put_us(args, "owner_ran_us", w->ran);
	trace_put_us(args, "owner_could_have_run_us", w->starved);
	trace_put_us(args, "owner_slept_us", w->slept);
	put_chain(c, args, w);
	if (w->culprits)
		put_culprits(c, args, w);
}

/* ---- locks ---- */

const char *trace_chrome_process_name(const struct chrome *c, uint32_t pid,
				      char text[TRACE_PERSON_SIZE])
{
	char name[TRACE_PERSON_SIZE];
	const struct trace_thread *main_thread = trace_find_thread(c->m, pid);

	if (main_thread && *main_thread->name)
		snprintf(name, sizeof(name), "%s", main_thread->name);
	else
		snprintf(name, sizeof(name), "%s", pid ? "process" : "a process not known");
	snprintf(text, TRACE_PERSON_SIZE, "%.40s (%u)", name, pid);
	return text;
}

static int by_lock(const void *a, const void *b, void *model)
{
	const struct trace_model *sorted = model;
	const uint32_t *i = a, *j = b;
	const struct trace_wait *x = &sorted->waits.at[*i], *y = &sorted->waits.at[*j];
	uint32_t p = sorted->locks.at[x->lock].pid, q = sorted->locks.at[y->lock].pid;

	if (p != q)
		return p < q ? -1 : 1;
	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return *i < *j ? -1 : *i > *j;
}

/* A lane in which nothing is from @since on, made if all are taken: "the_lock", "the_lock (2)". */
static const struct track *free_lane(struct chrome *c, struct track *lanes, uint32_t *count,
				     uint32_t pid, const char *name, const struct trace_wait *w)
{
	char text[TRACE_PLACE_SIZE + 16];
	struct track *lane = lanes;

	while (lane < lanes + *count && lane->end > w->since)
		lane++;
	if (lane == lanes + *count) {
		if (*count)
			snprintf(text, sizeof(text), "%s (%u)", name, *count + 1);
		else
			snprintf(text, sizeof(text), "%s", name);
		*lane = (struct track){.pid = pid, .tid = c->next_lane++};
		trace_chrome_track(c, pid, lane->tid, text);
		++*count;
	}
	lane->end = w->until;
	return lane;
}

static void write_lock_wait(struct chrome *c, const struct track *lane, uint32_t index)
{
	const struct trace_wait *w = &c->m->waits.at[index];
	char text[256];
	struct json_object *o = trace_chrome_slice(c, lane, "wait", wait_words(c, w, text),
						   w->since, w->until);

	if (w->inversion)
		trace_put_text(o, "cname", "terrible");
	else if (w->boosted)
		trace_put_text(o, "cname", "good");
	else if (w->asleep)
		trace_put_text(o, "cname", "bad");
	put_wait_args(c, trace_chrome_args(o), index);
	trace_chrome_write(c, o);
	if (!w->inversion)
		return;
	o = trace_chrome_event("i", lane->pid, lane->tid);
	trace_put_text(o, "cat", "inversion");
	trace_put_text(o, "name", text);
	trace_put_text(o, "s", "p"); /* over all the locks of the process */
	trace_put_text(o, "cname", "terrible");
	trace_put_us(o, "ts", trace_since_begin(c->m, w->since));
	trace_put_number(trace_chrome_args(o), "wait", index);
	trace_chrome_write(c, o);
}

static void write_locks(struct chrome *c)
{
	const struct trace_model *m = c->m;
	uint32_t *order = trace_in_order(m, m->waits.count, by_lock);
	struct track *lanes = malloc((m->waits.count + 1) * sizeof(*lanes));
	uint32_t count = 0;
	uint32_t lock = TRACE_NO_INDEX, pid = TRACE_NO_INDEX;
	char name[TRACE_PLACE_SIZE];

	if (!lanes)
		trace_no_memory();
	for (uint32_t i = 0; i < m->waits.count; i++) {
		const struct trace_wait *w = &m->waits.at[order[i]];

		if (m->locks.at[w->lock].pid != pid) {
			char process[TRACE_PERSON_SIZE], text[TRACE_PERSON_SIZE + 16];

			pid = m->locks.at[w->lock].pid;
			snprintf(text, sizeof(text), "locks of %s",
				 trace_chrome_process_name(c, pid, process));
			trace_chrome_process(c, LOCKS_OF + pid, text);
		}
		if (w->lock != lock) {
			lock = w->lock;
			count = 0;
			trace_lock_name(&m->locks.at[lock], name);
		}
		write_lock_wait(c, free_lane(c, lanes, &count, LOCKS_OF + pid, name, w), order[i]);
	}
	free(lanes);
	free(order);
}

/* ---- the file ---- */

static void put_head(struct chrome *c)
{
	const struct trace_model *m = c->m;
	struct json_object *o = json_object_new_object();
	char text[TRACE_PERSON_SIZE];

	if (!o)
		trace_no_memory();
	trace_put_text(o, "command", m->command ? m->command : "");
	trace_put_text(o, "process", trace_chrome_process_name(c, m->pid, text));
	trace_put_bool(o, "from_kernel", m->from_kernel);
	trace_put_bool(o, "from_preload", m->from_preload);
	if (m->no_kernel)
		trace_put_text(o, "no_kernel", m->no_kernel);
	if (m->no_preload)
		trace_put_text(o, "no_preload", m->no_preload);
	trace_put_number(o, "lost_events", (int64_t)m->lost);
	trace_put_number(o, "begin_ns", (int64_t)m->begin);
	trace_put_us(o, "duration_us", trace_since_begin(m, m->end));
	trace_put_number(o, "waits", m->waits.count);
	trace_put_number(o, "inversions", (int64_t)m->inversions);
	fputs("{\n\"otherData\":", c->out);
	trace_write_object(c->out, o, false);
	fputs(",\n\"traceEvents\":[", c->out);
}

int trace_write_chrome(const struct trace_model *m, FILE *out)
{
	struct chrome c = {.out = out, .m = m, .next_lane = LANES};

	c.wait_track = calloc((size_t)m->waits.count + 1, sizeof(*c.wait_track));
	if (!c.wait_track)
		trace_no_memory();
	trace_marks_make(&c.marks, m);
	c.boosts = trace_in_order(m, m->boosts.count, trace_chrome_by_whom);
	put_head(&c);
	write_locks(&c);
	trace_chrome_threads(&c);
	trace_chrome_cpus(&c);
	trace_chrome_boosts(&c);
	/*
	 * It comes last because of Perfetto before 2022, which looked for it at the begin of the
	 * file and took it for the unit of the times. They are microseconds whatever it says.
	 */
	fputs("\n],\n\"displayTimeUnit\":\"ns\"\n}\n", out);
	trace_marks_free(&c.marks);
	free(c.boosts);
	free(c.wait_track);
	return fflush(out) || ferror(out) ? -1 : 0;
}
