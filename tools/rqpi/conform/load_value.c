/* SPDX-License-Identifier: MIT */
/*
 * load_value.c - reads names of tasks, words and pages, values of words, addresses, and scheduling.
 *
 * Called by the other load*.c. In a step that stands for many, [i] and [i+1] in a name are the
 * number of the repetition.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Puts the number in the place of [i] and [i+1]. */
static void fill_index(const struct conform_loader *l, const char *name, char *full)
{
	const char *at = l->index < 0 ? NULL : strstr(name, "[i");
	int number = l->index;

	snprintf(full, CONFORM_NAME, "%s", name);
	if (!at || (strcmp(at, "[i]") != 0 && strcmp(at, "[i+1]") != 0))
		return;
	number += at[2] == '+';
	snprintf(full, CONFORM_NAME, "%.*s[%d]", (int)(at - name < 32 ? at - name : 32), name,
		 number);
}

bool conform_find_task(const struct conform_loader *l, const char *key, const char *name, int *task)
{
	char full[CONFORM_NAME];

	fill_index(l, name, full);
	for (*task = 0; *task < l->p->task_count; ++*task) {
		if (!strcmp(l->p->tasks[*task].name, full))
			return true;
	}
	return conform_complain(l, key, "there is no task %s", full);
}

bool conform_find_word(const struct conform_loader *l, const char *key, const char *name, int *word)
{
	char full[CONFORM_NAME];

	fill_index(l, name, full);
	for (*word = 0; *word < l->p->word_count; ++*word) {
		if (!strcmp(l->p->words[*word].name, full))
			return true;
	}
	return conform_complain(l, key, "there is no word %s", full);
}

bool conform_find_page(const struct conform_loader *l, const char *key, const char *name, int *page)
{
	for (*page = 0; *page < l->p->page_count; ++*page) {
		if (!strcmp(l->p->pages[*page].name, name))
			return true;
	}
	return conform_complain(l, key, "there is no page %s", name);
}

static bool load_tid(const struct conform_loader *l, const char *key, struct json_object *tid,
		     struct conform_value *value)
{
	const char *name;

	if (json_object_is_type(tid, json_type_int) && json_object_get_int64(tid) == 0) {
		value->kind = CONFORM_NUMBER;
		return true;
	}
	if (!json_object_is_type(tid, json_type_string))
		return conform_complain(l, key, "\"tid\" must be a task or 0");
	name = json_object_get_string(tid);
	if (!strcmp(name, "nobody")) {
		value->kind = CONFORM_NOBODY;
		return true;
	}
	if (!strcmp(name, "kernel thread")) {
		value->kind = CONFORM_KTHREAD;
		return true;
	}
	value->kind = CONFORM_OWNED;
	return conform_find_task(l, key, name, &value->task);
}

bool conform_load_value(const struct conform_loader *l, const char *key, struct json_object *object,
			struct conform_value *value)
{
	struct json_object *tid;
	int64_t number;
	bool w, od;

	memset(value, 0, sizeof(*value));
	if (json_object_is_type(object, json_type_int)) {
		number = json_object_get_int64(object);
		if (number < INT32_MIN || number > UINT32_MAX)
			return conform_complain(l, key, "does not fit into 32 bits");
		value->number = (uint32_t)number;
		return true;
	}
	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, key, "must be a number, or an object with \"tid\"");
	if (conform_member(object, "current")) {
		const char *name = conform_text(l, object, "current");

		value->kind = CONFORM_CURRENT;
		return name && conform_check_keys(l, object, "current") &&
		       conform_find_word(l, key, name, &value->word);
	}
	tid = conform_member(object, "tid");
	if (!tid)
		return conform_complain(l, key, "\"tid\" is missing");
	if (!conform_check_keys(l, object, "tid W OD") || !conform_truth(l, object, "W", &w) ||
	    !conform_truth(l, object, "OD", &od) || !load_tid(l, key, tid, value))
		return false;
	value->number = (w ? CONFORM_W : 0) | (od ? CONFORM_OD : 0);
	return true;
}

bool conform_load_address(const struct conform_loader *l, const char *key,
			  struct json_object *object, struct conform_address *at)
{
	char name[CONFORM_NAME];
	const char *plus;

	memset(at, 0, sizeof(*at));
	if (!json_object_is_type(object, json_type_string))
		return conform_complain(l, key, "must be text");
	snprintf(name, sizeof(name), "%s", json_object_get_string(object));
	/* L+2, but not L[i+1]. */
	plus = strrchr(name, '+');
	if (plus && !strchr(plus, ']')) {
		char *end;

		at->offset = strtol(plus + 1, &end, 10);
		if (*end || end == plus + 1)
			return conform_complain(l, key, "%s: no number after the +", name);
		name[plus - name] = '\0';
	}
	at->kind = CONFORM_AT_NULL;
	if (!strcmp(name, "null"))
		return true;
	at->kind = CONFORM_AT_KERNEL;
	if (!strcmp(name, "kernel"))
		return true;
	at->kind = CONFORM_AT_UNMAPPED;
	if (!strcmp(name, "unmapped"))
		return true;
	at->kind = CONFORM_AT_WORD;
	return conform_find_word(l, key, name, &at->word);
}

bool conform_load_sched(const struct conform_loader *l, struct json_object *object,
			struct conform_sched *sched)
{
	static const int64_t none = 0, deadline = 100;
	const char *policy = "other";
	int64_t priority, nice, deadline_ms;
	bool realtime;

	if (conform_member(object, "policy"))
		policy = conform_text(l, object, "policy");
	if (!policy)
		return false;
	memset(sched, 0, sizeof(*sched));
	sched->policy = conform_policy_by_name(policy);
	if (sched->policy < 0)
		return conform_complain(l, "policy", "there is no %s", policy);
	realtime = sched->policy == SCHED_FIFO || sched->policy == SCHED_RR;
	if (!conform_number(l, object, "priority", realtime ? 1 : 0, realtime ? 90 : 0,
			    realtime ? NULL : &none, &priority) ||
	    !conform_number(l, object, "nice", -20, 19, &none, &nice) ||
	    !conform_number(l, object, "deadline_ms", 1, 10000, &deadline, &deadline_ms))
		return false;
	sched->priority = (int)priority;
	sched->nice = (int)nice;
	sched->deadline_ms = (unsigned)deadline_ms;
	return true;
}

bool conform_split_range(const struct conform_loader *l, const char *key, const char *name,
			 char *base, int *first, int *last)
{
	const char *open = strchr(name, '['), *dots = strstr(name, "..");
	int end = 0;

	snprintf(base, CONFORM_NAME, "%s", name);
	*first = *last = -1;
	if (!dots)
		return true;
	if (!open || open - name > 32 || sscanf(open, "[%d..%d]%n", first, last, &end) != 2 ||
	    open[end] || *first < 0 || *last < *first)
		return conform_complain(l, key, "%s: a range is NAME[FIRST..LAST]", name);
	base[open - name] = '\0';
	return true;
}
