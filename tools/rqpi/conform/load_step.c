/* SPDX-License-Identifier: MIT */
/*
 * load_step.c - reads the steps of a vector: calls and events.
 *
 * Called by load.c, when tasks, words and pages are known.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

enum { TIMES_MAX = 4096, US_MAX = 1000000 };

#define COMMON " task with_next expect times"

static bool load_op(struct conform_loader *l, struct json_object *object, int *op)
{
	struct json_object *name = conform_member(object, "call");
	struct json_object *flags = conform_member(object, "flags");

	if (json_object_is_type(name, json_type_int)) {
		*op = (int)json_object_get_int64(name);
	} else {
		*op = conform_op_by_name(json_object_get_string(name));
		if (*op < 0)
			return conform_complain(l, "call", "there is no operation %s",
						json_object_get_string(name));
	}
	if (!flags)
		return true;
	if (!json_object_is_type(flags, json_type_array))
		return conform_complain(l, "flags", "must be a list");
	for (size_t i = 0; i < json_object_array_length(flags); i++) {
		const char *flag = json_object_get_string(json_object_array_get_idx(flags, i));

		if (!strcmp(flag, "private"))
			*op |= FUTEX_PRIVATE_FLAG;
		else if (!strcmp(flag, "realtime"))
			*op |= FUTEX_CLOCK_REALTIME;
		else
			return conform_complain(l, "flags", "there is no %s", flag);
	}
	return true;
}

static bool load_timeout(struct conform_loader *l, struct json_object *call,
			 struct conform_time *time)
{
	static const char *const keys[] = {"relative_us", "monotonic_us", "realtime_us"};
	struct json_object *object = conform_member(call, "timeout");
	int64_t number, sec, nsec;

	if (!object)
		return true;
	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, "timeout", "must be an object");
	if (!conform_check_keys(l, object, "relative_us monotonic_us realtime_us sec nsec address"))
		return false;
	for (int i = 0; i < 3; i++) {
		if (!conform_member(object, keys[i]))
			continue;
		time->kind = (enum conform_time_kind)(CONFORM_RELATIVE + i);
		if (!conform_number(l, object, keys[i], -US_MAX, US_MAX, NULL, &number))
			return false;
		time->us = (long)number;
		return true;
	}
	if (conform_member(object, "address")) {
		time->kind = CONFORM_POINTER;
		return conform_load_address(l, "timeout", conform_member(object, "address"),
					    &time->at);
	}
	time->kind = CONFORM_RAW;
	if (!conform_number(l, object, "sec", INT64_MIN, INT64_MAX, NULL, &sec) ||
	    !conform_number(l, object, "nsec", INT64_MIN, INT64_MAX, NULL, &nsec))
		return false;
	time->sec = sec;
	time->nsec = nsec;
	return true;
}

static bool load_call(struct conform_loader *l, struct json_object *object,
		      struct conform_step *step)
{
	struct conform_call *call = &step->call;
	struct json_object *member;

	if (!conform_check_keys(l, object,
				"call flags uaddr val timeout val2 uaddr2 val3" COMMON) ||
	    !load_op(l, object, &call->op) || !load_timeout(l, object, &call->timeout))
		return false;
	member = conform_member(object, "uaddr");
	if (!member)
		return conform_complain(l, "uaddr", "is missing");
	if (!conform_load_address(l, "uaddr", member, &call->uaddr))
		return false;
	member = conform_member(object, "uaddr2");
	if (member && !conform_load_address(l, "uaddr2", member, &call->uaddr2))
		return false;
	member = conform_member(object, "val");
	if (member && !conform_load_value(l, "val", member, &call->val))
		return false;
	member = conform_member(object, "val3");
	if (member && !conform_load_value(l, "val3", member, &call->val3))
		return false;
	call->has_val2 = conform_member(object, "val2") != NULL;
	if (call->has_val2 && call->timeout.kind != CONFORM_FOREVER)
		return conform_complain(l, "val2", "cannot be there beside \"timeout\"");
	return !call->has_val2 ||
	       conform_number(l, object, "val2", INT64_MIN, INT64_MAX, NULL, &call->val2);
}

static bool load_store(struct conform_loader *l, struct json_object *object,
		       struct conform_step *step)
{
	struct json_object *value = conform_member(object, "value");
	struct json_object *old = conform_member(object, "old");
	const char *word = conform_text(l, object, "word");

	if (!word || !conform_check_keys(l, object, "event word value old" COMMON) ||
	    !conform_find_word(l, "word", word, &step->word))
		return false;
	if (!value || (step->what == CONFORM_CAS) != (old != NULL))
		return conform_complain(l, value ? "old" : "value", "is missing or too much");
	return conform_load_value(l, "value", value, &step->value) &&
	       (!old || conform_load_value(l, "old", old, &step->old));
}

/* "L", or {"word":"L","pi":true}, or all of an array of words: "L[0..9]". */
static bool load_entry(struct conform_loader *l, struct json_object *object,
		       struct conform_step *step, bool pending)
{
	struct conform_entry entry = {.pi = false};
	struct json_object *word = object;
	char base[CONFORM_NAME];
	int first, last;

	if (json_object_is_type(object, json_type_object)) {
		word = conform_member(object, "word");
		if (!word || !conform_check_keys(l, object, "word pi") ||
		    !conform_truth(l, object, "pi", &entry.pi))
			return conform_complain(l, "entries", "\"word\" must be there");
	}
	if (!json_object_is_type(word, json_type_string))
		return conform_complain(l, "entries", "must be names of words");
	if (!conform_split_range(l, "entries", json_object_get_string(word), base, &first, &last))
		return false;
	for (int i = first; i <= last; i++) {
		char full[CONFORM_NAME + 16];
		struct json_object *name;
		bool found;

		snprintf(full, sizeof(full), i < 0 ? "%.40s" : "%.32s[%d]", base, i);
		name = json_object_new_string(full);
		found = conform_load_address(l, "entries", name, &entry.at);
		json_object_put(name);
		if (!found)
			return false;
		if (pending) {
			step->pending = entry;
			continue;
		}
		step->entries = conform_grow(step->entries, step->entry_count, sizeof(entry));
		step->entries[step->entry_count++] = entry;
	}
	return true;
}

static bool load_robust(struct conform_loader *l, struct json_object *object,
			struct conform_step *step)
{
	struct json_object *entries = conform_member(object, "entries");
	struct json_object *pending = conform_member(object, "pending");

	if (!conform_check_keys(l, object, "event entries pending" COMMON))
		return false;
	if (!entries || !json_object_is_type(entries, json_type_array))
		return conform_complain(l, "entries", "must be a list");
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		if (!load_entry(l, json_object_array_get_idx(entries, i), step, false))
			return false;
	}
	step->has_pending = pending != NULL;
	return !pending || load_entry(l, pending, step, true);
}

static bool load_event(struct conform_loader *l, struct json_object *object,
		       struct conform_step *step)
{
	static const char *const handlers[] = {"interrupts", "restarts", "ignored", NULL};
	static const char *const accesses[] = {"none", "read", "write", NULL};
	struct json_object *value;
	const char *text;
	int64_t number;
	int chosen;

	switch (step->what) {
	case CONFORM_STORE:
	case CONFORM_CAS:
		return load_store(l, object, step);
	case CONFORM_ROBUST:
		return load_robust(l, object, step);
	case CONFORM_SET_ROBUST:
	case CONFORM_SLEEP:
		text = step->what == CONFORM_SLEEP ? "us" : "length";
		if (!conform_check_keys(l, object, "event us length" COMMON) ||
		    !conform_number(l, object, text, 0, US_MAX, NULL, &number))
			return false;
		step->number = (long)number;
		return true;
	case CONFORM_GET_ROBUST:
		value = conform_member(object, "of");
		return conform_check_keys(l, object, "event of" COMMON) && value &&
		       conform_load_value(l, "of", value, &step->value);
	case CONFORM_PROTECT:
		text = conform_text(l, object, "page");
		if (!text || !conform_find_page(l, "page", text, &step->page))
			return false;
		text = conform_text(l, object, "access");
		if (!text || !conform_check_keys(l, object, "event page access" COMMON) ||
		    !conform_choice(l, "access", text, accesses, &chosen))
			return false;
		step->access = (enum conform_access)chosen;
		return true;
	case CONFORM_SIGNAL:
		text = conform_text(l, object, "handler");
		if (!text || !conform_check_keys(l, object, "event handler" COMMON) ||
		    !conform_choice(l, "handler", text, handlers, &chosen))
			return false;
		step->signal = (enum conform_signal)chosen;
		return true;
	case CONFORM_SCHED:
		return conform_check_keys(l, object,
					  "event policy priority nice deadline_ms" COMMON) &&
		       conform_load_sched(l, object, &step->sched);
	case CONFORM_HOG: {
		bool on;

		if (!conform_check_keys(l, object, "event on" COMMON) ||
		    !conform_truth(l, object, "on", &on))
			return false;
		step->number = on;
		return true;
	}
	default:
		return conform_check_keys(l, object, "event" COMMON);
	}
}

static bool find_event(struct conform_loader *l, struct json_object *object,
		       enum conform_what *what)
{
	const char *name;

	*what = CONFORM_CALL;
	if (conform_member(object, "call"))
		return !conform_member(object, "event") ||
		       conform_complain(l, "event", "cannot be there beside \"call\"");
	name = conform_text(l, object, "event");
	if (!name)
		return false;
	for (int i = CONFORM_CALL + 1; i < CONFORM_WHAT_COUNT; i++) {
		if (!strcmp(name, conform_what_name((enum conform_what)i))) {
			*what = (enum conform_what)i;
			return true;
		}
	}
	return conform_complain(l, "event", "there is no %s", name);
}

static bool load_step(struct conform_loader *l, struct json_object *object)
{
	struct json_object *expect = conform_member(object, "expect");
	struct conform_step *step;
	enum conform_what what;
	const char *task;

	if (!find_event(l, object, &what))
		return false;
	step = conform_add_step(l->p, what);
	if (what != CONFORM_HOG && what != CONFORM_SLEEP) {
		task = conform_text(l, object, "task");
		if (!task || !conform_find_task(l, "task", task, &step->task))
			return false;
	}
	if (!conform_truth(l, object, "with_next", &step->with_next))
		return false;
	if (!(what == CONFORM_CALL ? load_call(l, object, step) : load_event(l, object, step)))
		return false;
	if (step->with_next && expect)
		return conform_complain(l, "expect",
					"is for the last of those that begin together");
	return !expect || conform_load_expect(l, expect, step);
}

bool conform_load_steps(struct conform_loader *l, struct json_object *steps)
{
	static const int64_t none = -1;
	int64_t times;

	if (!steps || !json_object_is_type(steps, json_type_array) ||
	    !json_object_array_length(steps))
		return conform_complain(l, "steps", "must be a list, and not an empty one");
	for (size_t i = 0; i < json_object_array_length(steps); i++) {
		struct json_object *object = json_object_array_get_idx(steps, i);

		l->step = (int)i;
		if (!json_object_is_type(object, json_type_object))
			return conform_complain(l, NULL, "must be an object");
		if (!conform_number(l, object, "times", 1, TIMES_MAX, &none, &times))
			return false;
		if (times < 0) {
			if (!load_step(l, object))
				return false;
			continue;
		}
		for (l->index = 0; l->index < times; l->index++) {
			if (!load_step(l, object))
				return false;
		}
		l->index = -1;
	}
	if (!l->p->steps[l->p->step_count - 1].expect_count)
		return conform_complain(l, "expect", "is missing in the last step");
	l->step = -1;
	return true;
}
