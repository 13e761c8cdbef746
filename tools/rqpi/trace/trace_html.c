/* SPDX-License-Identifier: MIT */
/*
 * trace_html.c - the model as one page that shows it without anything else: page.html, page.css and
 * page.js, which the build makes strings of, and between them the data.
 *
 * Called by the command. What the data means is said here, and read in page.js. Times are
 * nanoseconds after the begin. It is written an object at a time, of which there may be a million.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "trace.h"
#include "trace_put.h"

extern const char trace_page_html[];
extern const char trace_page_css[];
extern const char trace_page_js[];

/* Of a wait: as in page.js. */
enum {
	FLAG_INVERSION = 1,
	FLAG_BOOSTED = 2,
	FLAG_OPEN = 4,
	FLAG_INFERRED = 8,
	FLAG_BROADCAST = 16,
	FLAG_BLAMED = 32,
};

static void add(struct json_object *array, struct json_object *value)
{
	if (!value || json_object_array_add(array, value))
		trace_no_memory();
}

static void add_number(struct json_object *array, int64_t number)
{
	add(array, json_object_new_int64(number));
}

/* One of a list: @first of them has no comma before it. */
static void put_item(FILE *out, struct json_object *o, bool first)
{
	fputs(first ? "\n" : ",\n", out);
	trace_write_object(out, o, true);
}

static void put_threads(FILE *out, const struct trace_model *m)
{
	struct trace_marks marks;
	char text[TRACE_PERSON_SIZE];

	trace_marks_make(&marks, m);
	fputs(",\n\"threads\":[", out);
	for (uint32_t i = 0; i < m->threads.count; i++) {
		const struct trace_thread *t = &m->threads.at[i];
		struct json_object *o = trace_new_object();

		trace_put_number(o, "tid", t->tid);
		trace_put_number(o, "pid", t->pid);
		trace_put_text(o, "name", trace_thread_name(m, t->tid, text));
		trace_put_text(o, "label", trace_person(m, t->tid, text));
		trace_put_number(o, "urgency", t->urgency);
		trace_put_bool(o, "traced", t->traced);
		trace_put_bool(o, "told", trace_marks_have(&marks, t->tid)); /* has a row */
		put_item(out, o, i == 0);
	}
	fputs("]", out);
	trace_marks_free(&marks);
}

static void put_locks(FILE *out, const struct trace_model *m)
{
	static const char *const type[] = {"mutex", "condvar", "word"};
	static const char *const inherits[] = {"no", "yes", "unknown"};
	char text[TRACE_PLACE_SIZE];

	fputs(",\n\"locks\":[", out);
	for (uint32_t i = 0; i < m->locks.count; i++) {
		const struct trace_lock *l = &m->locks.at[i];
		struct json_object *o = trace_new_object();

		trace_put_text(o, "name", trace_lock_name(l, text));
		trace_put_number(o, "pid", l->pid);
		trace_put_text(o, "type", type[l->type]);
		trace_put_text(o, "inherits", inherits[l->inherits]);
		put_item(out, o, i == 0);
	}
	fputs("]", out);
}

static int flags_of(const struct trace_wait *w)
{
	return (w->inversion ? FLAG_INVERSION : 0) | (w->boosted ? FLAG_BOOSTED : 0) |
	       (w->open ? FLAG_OPEN : 0) | (w->owner_inferred ? FLAG_INFERRED : 0) |
	       (w->broadcast ? FLAG_BROADCAST : 0) | (w->blamed ? FLAG_BLAMED : 0);
}

/*
 * [lock, tid, how, flags, since, until, value, owner, ran, starved, slept, asleep, "code",
 * [[tid, cpu, urgency, ns], ... of who ran instead of the owner], chain or -1]
 */
static struct json_object *new_wait(const struct trace_model *m, const struct trace_wait *w)
{
	struct json_object *o = trace_new_array(), *culprits = trace_new_array();
	uint64_t since = trace_since_begin(m, w->since), until = trace_since_begin(m, w->until);
	char site[TRACE_PLACE_SIZE] = "";

	if (w->site)
		trace_site_name(m, m->locks.at[w->lock].pid, w->site, site);
	add_number(o, w->lock);
	add_number(o, w->tid);
	add_number(o, w->how);
	add_number(o, flags_of(w));
	add_number(o, (int64_t)since);
	add_number(o, (int64_t)(until > since ? until : since));
	add_number(o, w->value);
	add_number(o, w->owner);
	add_number(o, (int64_t)w->ran);
	add_number(o, (int64_t)w->starved);
	add_number(o, (int64_t)w->slept);
	add_number(o, (int64_t)w->asleep);
	add(o, trace_text_object(site));
	for (uint32_t i = 0; i < w->culprits && i < TRACE_CULPRITS; i++) {
		const struct trace_culprit *guilty = &w->culprit[i];
		struct json_object *c = trace_new_array();

		add_number(c, guilty->tid);
		add_number(c, guilty->cpu);
		add_number(c, guilty->urgency);
		add_number(c, (int64_t)guilty->ns);
		add(culprits, c);
	}
	add(o, culprits);
	add_number(o, w->chain < m->waits.count ? (int64_t)w->chain : -1);
	return o;
}

/* [tid, cpu or -1: could run, urgency, since, length] */
static struct json_object *new_slice(const struct trace_model *m, const struct trace_slice *s)
{
	struct json_object *o = trace_new_array();
	uint64_t since = trace_since_begin(m, s->since), until = trace_since_begin(m, s->until);

	add_number(o, s->tid);
	add_number(o, s->running ? s->cpu : -1);
	add_number(o, s->urgency);
	add_number(o, (int64_t)since);
	add_number(o, until > since ? (int64_t)(until - since) : 0);
	return o;
}

/* [when, by, whom, from, to, wait or -1] */
static struct json_object *new_boost(const struct trace_model *m, const struct trace_boost *b)
{
	struct json_object *o = trace_new_array();

	add_number(o, (int64_t)trace_since_begin(m, b->ns));
	add_number(o, b->by);
	add_number(o, b->whom);
	add_number(o, b->from);
	add_number(o, b->to);
	add_number(o, b->wait < m->waits.count ? (int64_t)b->wait : -1);
	return o;
}

/* Error numbers in words, of those that there are. */
static void put_errors(struct json_object *head, const struct trace_model *m)
{
	struct json_object *errors = trace_new_object();
	char key[16];

	for (uint32_t i = 0; i < m->waits.count; i++) {
		int value = m->waits.at[i].value;

		if (value <= 0)
			continue;
		snprintf(key, sizeof(key), "%d", value);
		if (!json_object_object_get_ex(errors, key, NULL))
			trace_put_text(errors, key,
				       value == ETIMEDOUT ? "timed out" : strerror(value));
	}
	if (json_object_object_add(head, "errors", errors))
		trace_no_memory();
}

static void put_head(FILE *out, const struct trace_model *m)
{
	struct json_object *o = trace_new_object();

	trace_put_text(o, "command", m->command ? m->command : "");
	trace_put_number(o, "pid", m->pid);
	trace_put_number(o, "duration", (int64_t)trace_since_begin(m, m->end));
	trace_put_bool(o, "from_kernel", m->from_kernel);
	trace_put_bool(o, "from_preload", m->from_preload);
	trace_put_text(o, "no_kernel", m->no_kernel ? m->no_kernel : "");
	trace_put_text(o, "no_preload", m->no_preload ? m->no_preload : "");
	trace_put_number(o, "lost", (int64_t)m->lost);
	trace_put_bool(o, "ended", m->ended);
	trace_put_number(o, "signal", m->ended && WIFSIGNALED(m->status) ? WTERMSIG(m->status) : 0);
	trace_put_number(o, "exit", m->ended && WIFEXITED(m->status) ? WEXITSTATUS(m->status) : 0);
	put_errors(o, m);
	fputs("{\"about\":\n", out);
	trace_write_object(out, o, true);
}

static void put_data(FILE *out, const struct trace_model *m)
{
	bool first = true;

	put_head(out, m);
	put_threads(out, m);
	put_locks(out, m);
	fputs(",\n\"waits\":[", out);
	for (uint32_t i = 0; i < m->waits.count; i++)
		put_item(out, new_wait(m, &m->waits.at[i]), i == 0);
	fputs("],\n\"slices\":[", out);
	for (uint32_t i = 0; i < m->slices.count; i++)
		put_item(out, new_slice(m, &m->slices.at[i]), i == 0);
	fputs("],\n\"boosts\":[", out);
	for (uint32_t i = 0; i < m->boosts.count; i++) {
		if (trace_boost_is_ours(m, &m->boosts.at[i])) {
			put_item(out, new_boost(m, &m->boosts.at[i]), first);
			first = false;
		}
	}
	fputs("]}\n", out);
}

int trace_write_html(const struct trace_model *m, FILE *out)
{
	static const char *const mark[] = {"@STYLE@\n", "@DATA@\n", "@SCRIPT@\n"};
	const char *page = trace_page_html;

	for (int i = 0; i < 3; i++) {
		const char *place = strstr(page, mark[i]);

		if (!place) {
			errno = EINVAL; /* of a page.html that somebody has changed */
			return -1;
		}
		fwrite(page, 1, (size_t)(place - page), out);
		if (i == 1)
			put_data(out, m);
		else
			fputs(i == 0 ? trace_page_css : trace_page_js, out);
		page = place + strlen(mark[i]);
	}
	fputs(page, out);
	return fflush(out) || ferror(out) ? -1 : 0;
}
