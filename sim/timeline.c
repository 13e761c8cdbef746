/* SPDX-License-Identifier: MIT */
/*
 * timeline.c - a recording as text. See timeline.h.
 *
 * Called by the command.
 */
#include "sim/timeline.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	WIDTH_MIN = 80,
	WIDTH_USUAL = 100,
	WIDTH_MAX = 160,
	STEPS_WIDTH = 8, /* the column of the step numbers */
	COLUMN_MIN = 24, /* of a task */
	HANGING = 2,	 /* what does not fit goes on so far to the right */
	TEXT = 320,
};

int rqs_terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int width = WIDTH_USUAL;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		width = size.ws_col;
	else if (columns && atoi(columns) > 0)
		width = atoi(columns);
	if (width < WIDTH_MIN)
		return WIDTH_MIN;
	return width > WIDTH_MAX ? WIDTH_MAX : width;
}

bool rqs_is_told(enum rqs_line_kind kind)
{
	return kind != RQS_LINE_POINT;
}

/* ---------------------------------------------------------------- columns */

struct table {
	FILE *out;
	uint32_t columns;
	int width;	 /* of each */
	char number[48]; /* of the step, until it has been printed */
};

/* How much of @text goes into @width columns: as far as it can be broken, if it can. */
static size_t fitting(const char *text, size_t width)
{
	size_t length = strlen(text), at = width;

	if (length <= width)
		return length;
	while (at > width / 2 && text[at] != ' ')
		at--;
	if (at > width / 2)
		return at;
	for (at = width; at > width / 3 && !strchr("(,|", text[at - 1]);)
		at--;
	return at > width / 3 ? at : width;
}

static void print_row(struct table *t, uint32_t column, const char *text, size_t length, int indent)
{
	fprintf(t->out, "%*s  ", STEPS_WIDTH - 2, t->number);
	t->number[0] = '\0';
	for (uint32_t i = 0; i < column; i++)
		fprintf(t->out, "%*s| ", t->width - 2, "");
	fprintf(t->out, "%*s%.*s", indent, "", (int)length, text);
	if (column + 1 < t->columns) {
		fprintf(t->out, "%*s", t->width - 2 - indent - (int)length, "");
		for (uint32_t i = column + 1; i < t->columns; i++)
			fprintf(t->out, "|%*s", i + 1 < t->columns ? t->width - 1 : 0, "");
	}
	fputc('\n', t->out);
}

/* @text into the column of one task, in as many rows as it needs. */
static void print_cell(struct table *t, uint32_t column, const char *text)
{
	int indent = 0;

	do {
		size_t length = fitting(text, (size_t)(t->width - 3 - indent));

		print_row(t, column, text, length, indent);
		text += length;
		text += strspn(text, " ");
		indent = HANGING;
	} while (*text);
}

static void print_head(struct table *t, const struct rqs_recording *r)
{
	fprintf(t->out, "%*s  ", STEPS_WIDTH - 2, "step");
	for (uint32_t i = 0; i < t->columns; i++) {
		char text[48];

		snprintf(text, sizeof(text), "%c-%u, %s", 'a' + (char)i, RQS_FIRST_TID + i,
			 r->prio[i]);
		if (i + 1 < t->columns)
			fprintf(t->out, "%-*s| ", t->width - 2, text);
		else
			fprintf(t->out, "%s\n", text);
	}
	fprintf(t->out, "%.*s", STEPS_WIDTH, "------------------------");
	for (uint32_t i = 0; i < t->columns; i++) {
		for (int k = 0; k < t->width - 2; k++)
			fputc('-', t->out);
		fputs(i + 1 < t->columns ? "+-" : "\n", t->out);
	}
}

/* ---------------------------------------------------------------- blocks */

/* The first step behind @at that is another task's, or the end. */
static size_t end_of_block(const struct rqs_recording *r, size_t at, bool every_step)
{
	size_t end = at + 1;

	while (!every_step && end < r->steps && r->step[end].choice.task == r->step[at].choice.task)
		end++;
	return end;
}

/* A loop looks at the same word again and again. */
static bool is_told_again(const struct rqs_line *line, const struct rqs_line *before)
{
	return before && line->kind == RQS_LINE_LOOK && !strcmp(line->text, before->text);
}

static void print_block(struct table *t, const struct rqs_recording *r, size_t at, size_t end,
			bool every_step)
{
	uint32_t column = r->step[at].choice.task;
	const struct rqs_step *last = &r->step[end - 1];
	const struct rqs_line *before = NULL;
	bool is_empty = true;
	char text[TEXT];

	if (end - at > 1)
		snprintf(t->number, sizeof(t->number), "%zu-%zu", at, end - 1);
	else
		snprintf(t->number, sizeof(t->number), "%zu", at);
	for (size_t i = at; i < end; i++) {
		for (size_t k = 0; k < r->step[i].lines; k++) {
			const struct rqs_line *line = &r->step[i].line[k];

			if (!every_step &&
			    (!rqs_is_told(line->kind) || is_told_again(line, before)))
				continue;
			before = line;
			print_cell(t, column, line->text);
			is_empty = false;
		}
	}
	if (last->next && !every_step) {
		snprintf(text, sizeof(text), "... before it %s", last->next);
		print_cell(t, column, text);
	} else if (is_empty) {
		print_cell(t, column, "goes on");
	}
	for (size_t i = at; i < end; i++) {
		if (r->step[i].broken)
			fprintf(t->out, "%*zu  *** %s\n", STEPS_WIDTH - 2, i, r->step[i].broken);
	}
}

void rqs_print_end(FILE *out, const struct rqs_recording *r)
{
	const struct rqs_step *last = &r->step[r->steps - 1];
	char text[TEXT];

	if (r->violation.found) {
		rqs_replace_addresses(r->violation.text, text, sizeof(text));
		fprintf(out, "%s: %s\n", r->violation.oracle, text);
	} else {
		fprintf(out, "no violation\n");
	}
	for (uint32_t i = 0; i < r->n_tasks; i++)
		fprintf(out, "  %c: %s%s%s\n", 'a' + (char)i, last->task[i],
			strcmp(last->prio[i], r->prio[i]) ? ", runs as " : "",
			strcmp(last->prio[i], r->prio[i]) ? last->prio[i] : "");
	for (uint32_t i = 0; i < r->n_tasks && last->mutex[i]; i++)
		fprintf(out, "  %s\n", last->mutex[i]);
}

void rqs_print_timeline(FILE *out, const struct rqs_recording *r, bool every_step, int width)
{
	struct table t = {.out = out, .columns = r->n_tasks};
	size_t end;

	if (!r->steps)
		return;
	t.width = (width - STEPS_WIDTH) / (int)(r->n_tasks ? r->n_tasks : 1);
	if (t.width < COLUMN_MIN)
		t.width = COLUMN_MIN;
	print_head(&t, r);
	for (uint32_t i = 0; i < r->n_tasks; i++) {
		if (r->step[0].state[i] == RQS_DOES_SLEEP)
			print_cell(&t, i, r->step[0].task[i]);
	}
	for (size_t at = 1; at < r->steps; at = end) {
		end = end_of_block(r, at, every_step);
		print_block(&t, r, at, end, every_step);
	}
	fputc('\n', out);
	rqs_print_end(out, r);
}

/* ---------------------------------------------------------------- as in 2009 */

static void print_event(FILE *out, uint32_t task, size_t step, const char *event)
{
	fprintf(out, "%8c-%-5u %03u  %5zuus : %s\n", 'a' + (char)task, RQS_FIRST_TID + task, task,
		step, event);
}

void rqs_print_trace(FILE *out, const struct rqs_recording *r)
{
	for (uint32_t i = 0; r->steps && i < r->n_tasks; i++) {
		char text[TEXT];

		snprintf(text, sizeof(text), "schedule: %s", r->step[0].task[i]);
		if (r->step[0].state[i] == RQS_DOES_SLEEP)
			print_event(out, i, 0, text);
	}
	for (size_t i = 1; i < r->steps; i++) {
		const struct rqs_step *step = &r->step[i];

		for (size_t k = 0; k < step->lines; k++) {
			if (step->line[k].event)
				print_event(out, step->choice.task, i, step->line[k].event);
		}
		if (step->broken)
			fprintf(out, "%*s %5zuus : *** %s\n", 19, "", i, step->broken);
	}
}
