/* SPDX-License-Identifier: MIT */
/*
 * html.c - a recording as one page: a table that can be read as it is, and a script (page.js)
 * that goes through it step by step. See html.h.
 *
 * Called by the command. The page asks for nothing: no file, no network.
 */
#include "sim/html.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/main.h"
#include "sim/timeline.h"
#include "sim/token.h"

enum { TEXT = 320, CELL = 10 /* of a lane */ };

/* page.css and page.js, as embed.py has made strings of them. */
extern const char rqs_page_css[];
extern const char rqs_page_js[];

/* In text and in attributes. */
static void put(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fputc(*text, out);
	}
}

static void put_tagged(FILE *out, const char *open, const char *text, const char *close)
{
	fputs(open, out);
	put(out, text);
	fputs(close, out);
}

/* ---------------------------------------------------------------- the head of the page */

static void put_verdict(FILE *out, const struct rqs_recording *r)
{
	char text[TEXT];

	if (!r->violation.found) {
		fputs("<p class=\"verdict good\" id=\"verdict\">no violation</p>\n", out);
		return;
	}
	rqs_replace_addresses(r->violation.text, text, sizeof(text));
	put_tagged(out, "<p class=\"verdict bad\" id=\"verdict\"><b>", r->violation.oracle,
		   "</b>: ");
	put_tagged(out, "", text, "</p>\n");
}

static void put_head(FILE *out, const struct rqs_recording *r)
{
	char *token = rqs_token_make(r->scenario, r->path);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
	      out);
	put_tagged(out, "<title>rqpi check: ", r->scenario->name, "</title>\n<style>\n");
	fputs(rqs_page_css, out);
	put_tagged(out, "</style>\n</head>\n<body>\n<header>\n<h1>", r->scenario->name, "</h1>\n");
	put_tagged(out, "<p class=\"dim\">", r->scenario->about, "</p>\n");
	if (rqs_mutant) {
		put_tagged(out, "<p>with the planted bug <b>", rqs_mutant, "</b> ");
		put_tagged(out, "<span class=\"dim\">(", rqs_mutant_source, ")</span></p>\n");
	}
	put_verdict(out, r);
	put_tagged(out, "\n<p class=\"token\"><code id=\"token\">rqpi check ",
		   rqs_mutant ? "--mutant " : "", "");
	put_tagged(out, rqs_mutant ? rqs_mutant : "", rqs_mutant ? " " : "", "--replay ");
	put_tagged(out, "", token ? token : "", "</code></p>\n</header>\n");
	free(token);
}

/* ---------------------------------------------------------------- a lane for each task */

static const char *lane_class(uint8_t state)
{
	switch (state) {
	case RQS_DOES_SLEEP:
		return "asleep";
	case RQS_DOES_WAIT:
		return "waits";
	case RQS_DOES_NOTHING:
		return "ended";
	default:
		return "ready";
	}
}

static void put_lane(FILE *out, const struct rqs_recording *r, uint32_t task)
{
	fprintf(out,
		"<div class=\"lane\"><b class=\"t%u\">%c-%u</b><svg viewBox=\"0 0 %zu %d\" "
		"preserveAspectRatio=\"none\">",
		task, 'a' + (char)task, RQS_FIRST_TID + task, r->steps * CELL, CELL);
	for (size_t i = 0; i < r->steps; i++) {
		const struct rqs_step *step = &r->step[i];
		char class[24];

		if (step->choice.kind == RQS_RUN && step->choice.task == task)
			snprintf(class, sizeof(class), "runs t%u", task);
		else
			snprintf(class, sizeof(class), "%s", lane_class(step->state[task]));
		fprintf(out, "<rect class=\"%s\" x=\"%zu\" y=\"0\" width=\"%d\" height=\"%d\"/>",
			class, i * CELL, CELL, CELL);
	}
	fprintf(out,
		"<rect class=\"cursor\" x=\"0\" y=\"0\" width=\"%d\" height=\"%d\"/></svg></div>\n",
		CELL, CELL);
}

static void put_lanes(FILE *out, const struct rqs_recording *r)
{
	fputs("<header class=\"lanes\">\n", out);
	for (uint32_t i = 0; i < r->n_tasks; i++)
		put_lane(out, r, i);
	fputs("<div class=\"key dim\"><span><i class=\"runs\"></i>makes the step</span>"
	      "<span><i class=\"ready\"></i>could go on</span>"
	      "<span><i class=\"waits\"></i>waits for a raw lock</span>"
	      "<span><i class=\"asleep\"></i>asleep</span>"
	      "<span><i class=\"ended\"></i>ended</span></div>\n</header>\n",
	      out);
}

/* ---------------------------------------------------------------- the table */

static void put_table_head(FILE *out, const struct rqs_recording *r)
{
	fputs("<thead><tr><th>step</th>", out);
	for (uint32_t i = 0; i < r->n_tasks; i++)
		fprintf(out, "<th class=\"t%u\" data-name=\"%c-%u\">%c-%u, %s</th>", i,
			'a' + (char)i, RQS_FIRST_TID + i, 'a' + (char)i, RQS_FIRST_TID + i,
			r->prio[i]);
	for (size_t i = 0; i < r->words; i++)
		put_tagged(out, r->word[i].thing.is_inner ? "<th class=\"inner\">" : "<th>",
			   r->word[i].thing.name, "</th>");
	fputs("<th>who has what</th></tr></thead>\n", out);
}

static void put_lines(FILE *out, const struct rqs_step *step)
{
	static const char *const class[] = {
	    [RQS_LINE_POINT] = "point", [RQS_LINE_LOOK] = "look",   [RQS_LINE_CALL] = "call",
	    [RQS_LINE_EVENT] = "event", [RQS_LINE_VALUE] = "value", [RQS_LINE_STATUS] = "status",
	};

	for (size_t i = 0; i < step->lines; i++) {
		fprintf(out, "<div class=\"%s\">", class[step->line[i].kind]);
		put_tagged(out, "", step->line[i].text, "</div>");
	}
}

static void put_tasks(FILE *out, const struct rqs_recording *r, size_t at)
{
	const struct rqs_step *step = &r->step[at];

	for (uint32_t i = 0; i < r->n_tasks; i++) {
		bool acts = at > 0 && step->choice.task == i;

		put_tagged(out, "<td class=\"task", acts ? " acts" : "", "\"");
		put_tagged(out, " data-now=\"", step->task[i], "\"");
		put_tagged(out, " data-prio=\"", step->prio[i], "\"");
		put_tagged(out, " data-own=\"", r->prio[i], "\">");
		if (acts)
			put_lines(out, step);
		else if (!at && step->state[i] == RQS_DOES_SLEEP)
			put_tagged(out, "<div class=\"status\">", step->task[i], "</div>");
		fputs("</td>", out);
	}
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void put_rest(FILE *out, const struct rqs_recording *r, size_t at)
{
	const struct rqs_step *step = &r->step[at], *before = at ? step - 1 : NULL;
	bool same = before != NULL;

	for (size_t i = 0; i < r->words; i++) {
		bool changed = before && !is_same(step->value[i], before->value[i]);

		put_tagged(out, "<td class=\"value", changed ? " new" : before ? " same" : "", "");
		put_tagged(out, r->word[i].thing.is_inner ? " inner" : "", "", "\"");
		put_tagged(out, " data-word=\"", r->word[i].thing.name, "\">");
		put_tagged(out, "", step->value[i], "</td>");
	}
	for (uint32_t i = 0; before && i < r->n_tasks; i++)
		same = same && is_same(step->mutex[i], before->mutex[i]);
	put_tagged(out, "<td class=\"rt", same ? " same" : "", "\">");
	for (uint32_t i = 0; i < r->n_tasks && step->mutex[i]; i++)
		put_tagged(out, "<div>", step->mutex[i], "</div>");
	fputs("</td>", out);
}

/* Has it passed points, and nothing else? */
static bool is_quiet(const struct rqs_step *step)
{
	for (size_t i = 0; i < step->lines; i++) {
		if (rqs_is_told(step->line[i].kind))
			return false;
	}
	return !step->broken;
}

static void put_step(FILE *out, const struct rqs_recording *r, size_t at)
{
	const struct rqs_step *step = &r->step[at];
	size_t columns = 2 + r->n_tasks + r->words;

	fprintf(
	    out,
	    "<tr id=\"step-%zu\" data-step=\"%zu\" class=\"t%u%s\"><td class=\"number\">%zu</td>",
	    at, at, step->choice.task, at && is_quiet(step) ? " quiet" : "", at);
	put_tasks(out, r, at);
	put_rest(out, r, at);
	fputs("</tr>\n", out);
	if (!step->broken)
		return;
	fprintf(out, "<tr class=\"broken\"><td colspan=\"%zu\">", columns);
	put_tagged(out, "from here on ", step->broken, "</td></tr>\n");
}

static void put_table(FILE *out, const struct rqs_recording *r)
{
	char text[TEXT];

	fputs("<main>\n<div class=\"steps\">\n<table id=\"steps\">\n", out);
	put_table_head(out, r);
	fputs("<tbody>\n", out);
	for (size_t i = 0; i < r->steps; i++)
		put_step(out, r, i);
	if (r->violation.found) {
		rqs_replace_addresses(r->violation.text, text, sizeof(text));
		fprintf(out, "<tr class=\"broken\" id=\"end\"><td colspan=\"%zu\">",
			2 + r->n_tasks + r->words);
		put_tagged(out, "", r->violation.oracle, ": ");
		put_tagged(out, "", text, "</td></tr>\n");
	}
	fputs("</tbody>\n</table>\n</div>\n<aside id=\"now\" hidden></aside>\n</main>\n", out);
}

static void put_foot(FILE *out)
{
	fputs(
	    "<footer>\n<p>A step goes from one point to the next: a raw lock, an atomic access, a "
	    "word of the program that the engine touches. The values are those after the step. "
	    "<code>m.rt</code> is the rt_mutex behind the futex word <code>m</code>.</p>\n"
	    "<p><kbd>&larr;</kbd> <kbd>&rarr;</kbd> a step, <kbd>PgUp</kbd> <kbd>PgDn</kbd> ten, "
	    "<kbd>Home</kbd> <kbd>End</kbd>, <kbd>p</kbd> all points or only what changes "
	    "something, or a click. <code>#step-12</code> at the end of the address opens the "
	    "page there.</p>\n</footer>\n<script>\n",
	    out);
	fputs(rqs_page_js, out);
	fputs("</script>\n</body>\n</html>\n", out);
}

bool rqs_write_html(const char *file, const struct rqs_recording *recording)
{
	FILE *out = fopen(file, "we");
	bool good;

	if (!out) {
		fprintf(stderr, "rqpi check: --html=%s: %s\n", file, strerror(errno));
		return false;
	}
	put_head(out, recording);
	put_lanes(out, recording);
	put_table(out, recording);
	put_foot(out);
	good = !ferror(out);
	good = !fclose(out) && good;
	if (!good)
		fprintf(stderr, "rqpi check: --html=%s: %s\n", file, strerror(errno));
	return good;
}
