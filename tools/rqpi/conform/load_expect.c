/* SPDX-License-Identifier: MIT */
/*
 * load_expect.c - reads what is to be seen after a step.
 *
 * Called by load_step.c. A step may have several such objects in a list: then one of them must fit.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "load.h"

typedef bool take_one(struct conform_loader *l, const char *key, struct conform_expect *e, int task,
		      struct json_object *value);

static bool take_returned(struct conform_loader *l, const char *key, struct conform_expect *e,
			  int task, struct json_object *value)
{
	e->tasks[task].returns = true;
	if (json_object_is_type(value, json_type_int)) {
		e->tasks[task].result = (long)json_object_get_int64(value);
		return e->tasks[task].result >= 0 ||
		       conform_complain(l, key, "an error is given by its name");
	}
	if (json_object_is_type(value, json_type_string))
		e->tasks[task].result = conform_result_by_name(json_object_get_string(value));
	return e->tasks[task].result ||
	       conform_complain(l, key, "%s is neither a number nor the name of an error",
				json_object_get_string(value));
}

/* 30: SCHED_FIFO or RR; "nice 5"; "deadline". As /proc/PID/stat, field 18, has them. */
static bool take_priority(struct conform_loader *l, const char *key, struct conform_expect *e,
			  int task, struct json_object *value)
{
	struct conform_want *want = &e->tasks[task];
	const char *text;
	int nice;

	want->check_priority = true;
	if (json_object_is_type(value, json_type_int)) {
		want->priority = -1 - json_object_get_int(value);
		return (want->priority < -1 && want->priority >= -100) ||
		       conform_complain(l, key, "a real-time priority is 1 to 99");
	}
	text = json_object_get_string(value);
	if (!strcmp(text, "deadline")) {
		want->priority = -101;
		return true;
	}
	if (sscanf(text, "nice %d", &nice) != 1 || nice < -20 || nice > 19)
		return conform_complain(l, key, "%s: not a number, \"nice N\" or \"deadline\"",
					text);
	want->priority = 20 + nice;
	return true;
}

static bool take_handled(struct conform_loader *l, const char *key, struct conform_expect *e,
			 int task, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_int))
		return conform_complain(l, key, "must have numbers");
	e->tasks[task].handled = json_object_get_int(value);
	return true;
}

static bool take_blocked(struct conform_loader *l, const char *key, struct conform_expect *e,
			 int task, struct json_object *value)
{
	(void)l;
	(void)value;
	if (*key == 'b')
		e->tasks[task].blocked = true;
	else
		e->tasks[task].ready = true;
	return true;
}

/* @name may stand for many. */
static bool take_tasks(struct conform_loader *l, const char *key, const char *name,
		       struct conform_expect *e, struct json_object *value, take_one *take)
{
	char base[CONFORM_NAME], full[CONFORM_NAME + 16];
	int first, last, task;

	if (!conform_split_range(l, key, name, base, &first, &last))
		return false;
	for (int i = first; i <= last; i++) {
		snprintf(full, sizeof(full), i < 0 ? "%.40s" : "%.32s[%d]", base, i);
		if (!conform_find_task(l, key, full, &task) || !take(l, key, e, task, value))
			return false;
	}
	return true;
}

static bool take_table(struct conform_loader *l, struct json_object *object, const char *key,
		       struct conform_expect *e, take_one *take)
{
	struct json_object *table = conform_member(object, key);

	if (!table)
		return true;
	if (!json_object_is_type(table, json_type_object))
		return conform_complain(l, key, "must be an object");
	json_object_object_foreach(table, name, value)
	{
		if (!take_tasks(l, key, name, e, value, take))
			return false;
	}
	return true;
}

static bool take_list(struct conform_loader *l, struct json_object *object, const char *key,
		      struct conform_expect *e)
{
	struct json_object *list = conform_member(object, key);

	if (!list)
		return true;
	if (!json_object_is_type(list, json_type_array))
		return conform_complain(l, key, "must be a list");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		if (!take_tasks(l, key, name, e, NULL, take_blocked))
			return false;
	}
	return true;
}

static bool take_words(struct conform_loader *l, struct json_object *object,
		       struct conform_expect *e)
{
	struct json_object *table = conform_member(object, "words");

	if (!table)
		return true;
	if (!json_object_is_type(table, json_type_object))
		return conform_complain(l, "words", "must be an object");
	json_object_object_foreach(table, name, value)
	{
		int word;

		if (!conform_find_word(l, "words", name, &word) ||
		    !conform_load_value(l, name, value, &e->words[word]))
			return false;
		e->check_word[word] = true;
	}
	return true;
}

static bool load_one_expect(struct conform_loader *l, struct json_object *object,
			    struct conform_step *step)
{
	struct conform_expect *e;

	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, "expect", "must be an object, or a list of them");
	if (!conform_check_keys(l, object, "returned blocked ready words priorities handled"))
		return false;
	if (!conform_member(object, "returned") || !conform_member(object, "blocked"))
		return conform_complain(l, "expect", "\"returned\" and \"blocked\" must be there");
	e = conform_add_expect(l->p, step);
	return take_table(l, object, "returned", e, take_returned) &&
	       take_list(l, object, "blocked", e) && take_list(l, object, "ready", e) &&
	       take_words(l, object, e) && take_table(l, object, "priorities", e, take_priority) &&
	       take_table(l, object, "handled", e, take_handled);
}

bool conform_load_expect(struct conform_loader *l, struct json_object *object,
			 struct conform_step *step)
{
	if (!json_object_is_type(object, json_type_array))
		return load_one_expect(l, object, step);
	for (size_t i = 0; i < json_object_array_length(object); i++) {
		if (!load_one_expect(l, json_object_array_get_idx(object, i), step))
			return false;
	}
	return true;
}
