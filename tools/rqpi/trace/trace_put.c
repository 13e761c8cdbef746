/* SPDX-License-Identifier: MIT */
/*
 * trace_put.c - what trace_json.c, trace_chrome.c and trace_html.c share: see trace_put.h.
 */
#define _GNU_SOURCE /* qsort_r */
#include "trace_put.h"

#include <stdlib.h>
#include <string.h>

#include "trace.h"

/*
 * Bytes of the character that begins at @s, 0: it is none that may be in the output. Stricter than
 * json-c, which hands bytes through: overlong forms, surrogates and all control characters are out,
 * as the readers of the file refuse them, some silently.
 */
static size_t good_bytes(const unsigned char *s)
{
	size_t length = *s < 0x80 ? 1 : *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};
	static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = *s & bits[length];

	if ((*s >= 0x80 && *s < 0xc2) || *s > 0xf4 || *s == 0x7f)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

struct json_object *trace_new_object(void)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		trace_no_memory();
	return o;
}

struct json_object *trace_new_array(void)
{
	struct json_object *o = json_object_new_array();

	if (!o)
		trace_no_memory();
	return o;
}

struct json_object *trace_text_object(const char *text)
{
	static const char instead[] = "\xef\xbf\xbd"; /* U+FFFD */
	const unsigned char *s = (const unsigned char *)text;
	char *copy = malloc(3 * strlen(text) + 1);
	struct json_object *o = NULL;
	char *to = copy;

	if (!copy)
		trace_no_memory();
	while (*s) {
		size_t length = good_bytes(s);

		if (length) {
			memcpy(to, s, length);
			to += length;
			s += length;
		} else {
			memcpy(to, instead, 3);
			to += 3;
			s++;
		}
	}
	*to = '\0';
	o = json_object_new_string(copy);
	free(copy);
	if (!o)
		trace_no_memory();
	return o;
}

uint64_t trace_since_begin(const struct trace_model *m, uint64_t ns)
{
	return ns > m->begin ? ns - m->begin : 0;
}

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add(o, key, value))
		trace_no_memory();
}

void trace_put_text(struct json_object *o, const char *key, const char *text)
{
	put(o, key, trace_text_object(text));
}

void trace_put_number(struct json_object *o, const char *key, int64_t number)
{
	put(o, key, json_object_new_int64(number));
}

void trace_put_bool(struct json_object *o, const char *key, bool value)
{
	put(o, key, json_object_new_boolean(value));
}

/*
 * A whole number where it is one. Else a tenth of a nanosecond is added: readers turn the decimals
 * into a binary fraction and that into nanoseconds, some of them by cutting off, which would lose
 * one now and then. A slice that so ends a nanosecond behind the one around it, is thrown away.
 */
void trace_put_us(struct json_object *o, const char *key, uint64_t ns)
{
	char text[40];

	if (ns % 1000 == 0) {
		trace_put_number(o, key, (int64_t)(ns / 1000));
		return;
	}
	snprintf(text, sizeof(text), "%llu.%03llu1", (unsigned long long)(ns / 1000),
		 (unsigned long long)(ns % 1000));
	put(o, key, json_object_new_double_s((double)ns / 1000, text));
}

void trace_write_object(FILE *out, struct json_object *o, bool in_page)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);

	if (!text)
		trace_no_memory();
	if (!in_page)
		fputs(text, out);
	/* In JSON it can only be in a string, and there it may be written so. */
	for (; in_page && *text; text++) {
		size_t plain = strcspn(text, "<");

		fwrite(text, 1, plain, out);
		text += plain;
		if (!*text)
			break;
		fputs("\\u003c", out);
	}
	json_object_put(o);
}

const char *trace_urgency_words(int urgency, char text[32])
{
	if (urgency <= 0 || urgency >= TRACE_URGENCY_MAX)
		snprintf(text, 32, "%s",
			 urgency < 0   ? "priority unknown"
			 : urgency > 0 ? "deadline"
				       : "ordinary");
	else
		snprintf(text, 32, "priority %d", urgency);
	return text;
}

uint32_t *trace_in_order(const struct trace_model *m, uint32_t count,
			 int (*order)(const void *, const void *, void *))
{
	uint32_t *at = malloc(((size_t)count + 1) * sizeof(*at));

	if (!at)
		trace_no_memory();
	for (uint32_t i = 0; i < count; i++)
		at[i] = i;
	qsort_r(at, count, sizeof(*at), order, (void *)(uintptr_t)m);
	return at;
}

/* ---- who is told of ---- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

bool trace_marks_have(const struct trace_marks *marks, uint32_t tid)
{
	return marks->count &&
	       bsearch(&tid, marks->tid, marks->count, sizeof(*marks->tid), by_number);
}

static bool is_traced(const struct trace_model *m, uint32_t tid)
{
	const struct trace_thread *t = trace_find_thread(m, tid);

	return t && t->traced;
}

bool trace_boost_is_ours(const struct trace_model *m, const struct trace_boost *b)
{
	return is_traced(m, b->by) || is_traced(m, b->whom);
}

void trace_marks_make(struct trace_marks *marks, const struct trace_model *m)
{
	TRACE_ARRAY(uint32_t) all = {0};
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->threads.count; i++) {
		if (m->threads.at[i].traced)
			*trace_append(&all) = m->threads.at[i].tid;
	}
	for (uint32_t i = 0; i < m->waits.count; i++) {
		const struct trace_wait *w = &m->waits.at[i];

		*trace_append(&all) = w->tid;
		*trace_append(&all) = w->owner;
		for (uint32_t c = 0; c < w->culprits && c < TRACE_CULPRITS; c++)
			*trace_append(&all) = w->culprit[c].tid;
	}
	for (uint32_t i = 0; i < m->boosts.count; i++) {
		if (trace_boost_is_ours(m, &m->boosts.at[i]))
			*trace_append(&all) = m->boosts.at[i].whom;
	}
	if (all.count)
		qsort(all.at, all.count, sizeof(*all.at), by_number);
	for (uint32_t i = 0; i < all.count; i++) {
		if (all.at[i] && (!kept || all.at[kept - 1] != all.at[i]))
			all.at[kept++] = all.at[i];
	}
	marks->tid = all.at;
	marks->count = kept;
}

void trace_marks_free(struct trace_marks *marks)
{
	free(marks->tid);
	marks->tid = NULL;
	marks->count = 0;
}
