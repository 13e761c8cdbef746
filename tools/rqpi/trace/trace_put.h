/* SPDX-License-Identifier: MIT */
/*
 * trace_put.h - JSON of the report and the two timelines: text that is UTF-8 whatever a thread
 * calls itself, times, and one object at a time on its way to the file. trace_put.c does it, on
 * json-c.
 */
#ifndef RQPI_TRACE_PUT_H
#define RQPI_TRACE_PUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

struct trace_boost;
struct trace_model;

/* Memory that runs out ends the program. */
struct json_object *trace_new_object(void);
struct json_object *trace_new_array(void);
/* What is no UTF-8 and what is a control character becomes U+FFFD. */
struct json_object *trace_text_object(const char *text);
/* @ns after the begin of @m, and never before it. */
uint64_t trace_since_begin(const struct trace_model *m, uint64_t ns);
/* Adds to @o; memory that runs out ends the program. */
void trace_put_text(struct json_object *o, const char *key, const char *text);
void trace_put_number(struct json_object *o, const char *key, int64_t number);
void trace_put_bool(struct json_object *o, const char *key, bool value);
/* Microseconds with the fraction, as Chrome's format has them. */
void trace_put_us(struct json_object *o, const char *key, uint64_t ns);
/*
 * Writes @o on one line and gives it up. @in_page: inside a script element of a page, where no
 * string may end it or begin a comment.
 */
void trace_write_object(FILE *out, struct json_object *o, bool in_page);
/* "priority 80", "ordinary", "deadline", "priority unknown". */
const char *trace_urgency_words(int urgency, char text[32]);
/*
 * The numbers 0 to @count - 1, ordered by @order, which gets pointers to two of them, and @m. To be
 * freed.
 */
uint32_t *trace_in_order(const struct trace_model *m, uint32_t count,
			 int (*order)(const void *, const void *, void *));
/* Or one that only happened meanwhile, in another program. */
bool trace_boost_is_ours(const struct trace_model *m, const struct trace_boost *b);
/*
 * Is @tid told of on its own: it belongs to the traced program, or a wait, a boost or a culprit
 * names it? The others are seen on the processors alone. Ask after trace_marks_make().
 */
struct trace_marks {
	uint32_t *tid; /* sorted, each once */
	uint32_t count;
};
void trace_marks_make(struct trace_marks *marks, const struct trace_model *m);
bool trace_marks_have(const struct trace_marks *marks, uint32_t tid);
void trace_marks_free(struct trace_marks *marks);

#endif /* RQPI_TRACE_PUT_H */
