/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_report.c - `rqpi doctor`: findings as text for people, or as one JSON object.
 *
 * Called by cmd_doctor.c at the end. The members of the object are described in rqpi-doctor(1).
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rqpi/base.h>

#include "cmd.h"
#include "cmd_doctor.h"

enum { COLUMNS = 96, INDENT = 29, LABEL = 6 };

static const struct {
	const char *name, *colour;
} states[DOCTOR_STATES] = {
    [DOCTOR_OK] = {"ok", "32"},		  [DOCTOR_INFO] = {"info", ""},
    [DOCTOR_WARNING] = {"warning", "33"}, [DOCTOR_BAD] = {"bad", "31"},
    [DOCTOR_UNKNOWN] = {"unknown", "33"}, [DOCTOR_SKIPPED] = {"skipped", ""},
};

/* @text from column @at on, broken between words; the next lines are indented. */
static void print_wrapped(const char *text, int at)
{
	int column = at;

	while (*text) {
		int length = (int)strcspn(text, " ");

		if (column > INDENT && column + 1 + length > COLUMNS) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > at || (column > INDENT && at > INDENT)) {
			putchar(' ');
			column++;
		}
		printf("%.*s", length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}

/* A command is one line, however long it is: it is there to be copied. */
static void print_finding(const struct doctor_finding *f, bool verbose, bool colour)
{
	const char *name = states[f->state].name;
	bool reasons = verbose || f->state == DOCTOR_WARNING || f->state == DOCTOR_BAD ||
		       f->state == DOCTOR_UNKNOWN;

	if (colour && *states[f->state].colour)
		printf("  \033[%sm%-8s\033[m %-17s ", states[f->state].colour, name, f->id);
	else
		printf("  %-8s %-17s ", name, f->id);
	print_wrapped(f->what, INDENT);
	if (reasons && f->why) {
		printf("%*swhy:  ", INDENT - LABEL, "");
		print_wrapped(f->why, INDENT);
	}
	for (int i = 0; reasons && i < f->mend_count; i++)
		printf("%*s%-5s %s\n", INDENT - LABEL, "", i ? "or:" : "mend:", f->mends[i]);
}

static int count_state(const struct doctor *d, enum doctor_state state)
{
	int count = 0;

	for (size_t i = 0; i < d->count; i++)
		count += d->findings[i].state == state;
	return count;
}

static void print_ids(const struct doctor *d, enum doctor_state state, const char *head)
{
	if (!count_state(d, state))
		return;
	printf("%s", head);
	for (size_t i = 0; i < d->count; i++)
		if (d->findings[i].state == state)
			printf(" %s", d->findings[i].id);
	putchar('\n');
}

static void print_verdict(const struct doctor *d, int code)
{
	printf("\nVerdict\n");
	print_ids(d, DOCTOR_BAD, "  bad:    ");
	print_ids(d, DOCTOR_WARNING, "  warning:");
	print_ids(d, DOCTOR_UNKNOWN, "  unknown:");
	print_ids(d, DOCTOR_SKIPPED, "  skipped:");
	if (code == RQPI_EXIT_FINDING)
		printf("  not fit: mend what is %s\n",
		       count_state(d, DOCTOR_BAD) ? "bad" : "warned of (--strict)");
	else if (code == RQPI_EXIT_CANNOT)
		printf("  cannot say: what is unknown decides\n");
	else
		printf("  %s\n",
		       d->live && d->experiments ? "fit" : "nothing bad in what was looked at");
}

void doctor_report_text(const struct doctor *d, bool verbose, int code)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	const char *group = NULL;

	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->findings[i];

		if (f->group != group)
			printf("%s%s\n", group ? "\n" : "", f->group);
		group = f->group;
		print_finding(f, verbose, colour);
	}
	print_verdict(d, code);
}

static void add(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *new_finding(const struct doctor_finding *f)
{
	struct json_object *o = json_object_new_object();
	struct json_object *mends = json_object_new_array();

	add(o, "id", f->id);
	add(o, "group", f->group);
	add(o, "state", states[f->state].name);
	add(o, "what", f->what);
	add(o, "why", f->why);
	for (int i = 0; i < f->mend_count; i++)
		json_object_array_add(mends, json_object_new_string(f->mends[i]));
	json_object_object_add(o, "mend", mends);
	if (f->data)
		json_object_object_add(o, "measured", json_object_get(f->data));
	return o;
}

/* Without the experiments nothing is proven: null. */
static struct json_object *new_fit(const struct doctor *d, int code)
{
	if (code == RQPI_EXIT_FINDING)
		return json_object_new_boolean(false);
	if (code == RQPI_EXIT_CANNOT || !d->live || !d->experiments)
		return NULL;
	return json_object_new_boolean(true);
}

void doctor_report_json(const struct doctor *d, int code)
{
	struct json_object *o = json_object_new_object();
	struct json_object *checks = json_object_new_array();

	add(o, "rqpi", RQPI_VERSION);
	add(o, "kernel", *d->release ? d->release : NULL);
	add(o, "root", *d->root ? d->root : NULL);
	json_object_object_add(o, "fit", new_fit(d, code));
	for (size_t i = 0; i < d->count; i++)
		json_object_array_add(checks, new_finding(&d->findings[i]));
	json_object_object_add(o, "checks", checks);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
