/* SPDX-License-Identifier: MIT */
/*
 * show.c - steps and what was seen after them, in words; the story of a program, step by step.
 *
 * Called by vectors.c and differ.c for a failure, and with --verbose.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "show.h"

enum { SMALL = 80, TASKS_SHOWN = 16, QUIET_SHOWN = 4 };

/* Append to the text, as far as there is room. */
static void put(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list ap;

	if (used + 1 >= size)
		return;
	va_start(ap, format);
	vsnprintf(text + used, size - used, format, ap);
	va_end(ap);
}

static const char *name_of_tid(const struct conform_program *p, const struct conform_trace *t,
			       uint32_t tid)
{
	for (int i = 0; t && i < p->task_count; i++) {
		if ((uint32_t)t->tids[i] == tid)
			return p->tasks[i].name;
	}
	return NULL;
}

const char *conform_show_word(const struct conform_program *p, const struct conform_trace *t,
			      uint32_t word, char *text, size_t size)
{
	const char *name = name_of_tid(p, t, word & CONFORM_TID);

	*text = '\0';
	if (name)
		put(text, size, "%s", name);
	else
		put(text, size, "%u", word & CONFORM_TID);
	put(text, size, "%s%s", word & CONFORM_W ? "|W" : "", word & CONFORM_OD ? "|OD" : "");
	return text;
}

const char *conform_show_result(long result, char *text, size_t size)
{
	const char *name = conform_errno_name(result);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%ld", result);
	return text;
}

const char *conform_show_priority(int priority, char *text, size_t size)
{
	if (priority == -101)
		snprintf(text, size, "deadline");
	else if (priority < 0)
		snprintf(text, size, "%d", -1 - priority);
	else
		snprintf(text, size, "nice %d", priority - 20);
	return text;
}

static void put_value(const struct conform_program *p, const struct conform_value *v, char *text,
		      size_t size)
{
	const char *flags = (v->number & CONFORM_W) && (v->number & CONFORM_OD) ? "|W|OD"
			    : v->number & CONFORM_W				? "|W"
			    : v->number & CONFORM_OD				? "|OD"
										: "";

	if (v->kind == CONFORM_OWNED)
		put(text, size, "%s%s", p->tasks[v->task].name, flags);
	else if (v->kind == CONFORM_NOBODY)
		put(text, size, "nobody%s", flags);
	else if (v->kind == CONFORM_KTHREAD)
		put(text, size, "kernel thread%s", flags);
	else if (v->kind == CONFORM_CURRENT)
		put(text, size, "what %s holds", p->words[v->word].name);
	else
		put(text, size, "%u", v->number);
}

static void put_address(const struct conform_program *p, const struct conform_address *at,
			char *text, size_t size)
{
	static const char *const names[] = {"NULL", "", "kernel", "unmapped"};

	put(text, size, "%s",
	    at->kind == CONFORM_AT_WORD ? p->words[at->word].name : names[at->kind]);
	if (at->offset)
		put(text, size, "+%ld", at->offset);
}

static void put_time(const struct conform_time *time, char *text, size_t size)
{
	static const char *const clocks[] = {"", "relative", "monotonic", "realtime"};

	if (time->kind == CONFORM_RAW)
		put(text, size, " timeout {%lld, %lld}", (long long)time->sec,
		    (long long)time->nsec);
	else if (time->kind == CONFORM_POINTER)
		put(text, size, " timeout at a bad address");
	else if (time->kind != CONFORM_FOREVER)
		put(text, size, " timeout in %ld us, %s", time->us, clocks[time->kind]);
}

static void put_call(const struct conform_program *p, const struct conform_call *call, char *text,
		     size_t size)
{
	const char *name = conform_op_name(call->op);

	if (name)
		put(text, size, "%s", name);
	else
		put(text, size, "operation %d", call->op);
	put(text, size, "%s%s (", call->op & FUTEX_PRIVATE_FLAG ? "" : " shared",
	    call->op & FUTEX_CLOCK_REALTIME ? " realtime" : "");
	put_address(p, &call->uaddr, text, size);
	put(text, size, ", val ");
	put_value(p, &call->val, text, size);
	if (call->has_val2)
		put(text, size, ", val2 %lld", (long long)call->val2);
	if (call->uaddr2.kind != CONFORM_AT_NULL) {
		put(text, size, ", ");
		put_address(p, &call->uaddr2, text, size);
	}
	if (call->val3.kind != CONFORM_NUMBER || call->val3.number) {
		put(text, size, ", val3 ");
		put_value(p, &call->val3, text, size);
	}
	put(text, size, ")");
	put_time(&call->timeout, text, size);
}

static void put_sched(const struct conform_sched *sched, char *text, size_t size)
{
	put(text, size, "%s", conform_policy_name(sched->policy));
	if (sched->policy == SCHED_FIFO || sched->policy == SCHED_RR)
		put(text, size, " %d", sched->priority);
	else if (sched->nice)
		put(text, size, " nice %d", sched->nice);
}

static void put_entries(const struct conform_program *p, const struct conform_step *s, char *text,
			size_t size)
{
	for (int i = 0; i < s->entry_count && i < TASKS_SHOWN; i++) {
		put(text, size, " ");
		put_address(p, &s->entries[i].at, text, size);
		put(text, size, "%s", s->entries[i].pi ? " (PI)" : "");
	}
	if (!s->has_pending)
		return;
	put(text, size, "; pending ");
	put_address(p, &s->pending.at, text, size);
	put(text, size, "%s", s->pending.pi ? " (PI)" : "");
}

const char *conform_show_step(const struct conform_program *p, int step, char *text, size_t size)
{
	static const char *const handlers[] = {"", " with SA_RESTART", " which is ignored"};
	static const char *const accesses[] = {"nothing", "reading", "writing"};
	const struct conform_step *s = &p->steps[step];

	*text = '\0';
	if (s->task >= 0)
		put(text, size, "%s: ", p->tasks[s->task].name);
	if (s->what != CONFORM_CALL)
		put(text, size, "%s", conform_what_name(s->what));
	switch (s->what) {
	case CONFORM_CALL:
		put_call(p, &s->call, text, size);
		break;
	case CONFORM_STORE:
	case CONFORM_CAS:
		put(text, size, " %s", p->words[s->word].name);
		if (s->what == CONFORM_CAS) {
			put(text, size, " from ");
			put_value(p, &s->old, text, size);
		}
		put(text, size, " to ");
		put_value(p, &s->value, text, size);
		break;
	case CONFORM_ROBUST:
		put_entries(p, s, text, size);
		break;
	case CONFORM_PROTECT:
		put(text, size, " page %s for %s", p->pages[s->page].name, accesses[s->access]);
		break;
	case CONFORM_SIGNAL:
		put(text, size, "%s", handlers[s->signal]);
		break;
	case CONFORM_SCHED:
		put(text, size, " ");
		put_sched(&s->sched, text, size);
		break;
	case CONFORM_HOG:
		put(text, size, "%s", s->number ? " on" : " off");
		break;
	case CONFORM_SLEEP:
	case CONFORM_SET_ROBUST:
		put(text, size, " %ld", s->number);
		break;
	default:
		break;
	}
	return text;
}

static void put_states(const struct conform_program *p, const struct conform_trace *t, int step,
		       char *text, size_t size)
{
	static const char *const labels[] = {"", "blocked", "woken but not run", "gone"};

	for (int state = CONFORM_BLOCKED; state <= CONFORM_GONE; state++) {
		bool any = false;

		for (int i = 0; i < p->task_count; i++) {
			if ((int)conform_seen_at(t, step, i)->state != state)
				continue;
			put(text, size, any ? " %s" : "; %s", any ? "" : labels[state]);
			put(text, size, "%s%s", any ? "" : " ", p->tasks[i].name);
			any = true;
		}
	}
}

const char *conform_show_seen(const struct conform_program *p, const struct conform_trace *t,
			      int step, char *text, size_t size)
{
	char small[SMALL];

	*text = '\0';
	for (int i = 0; i < p->task_count; i++) {
		const struct conform_seen *seen = conform_seen_at(t, step, i);

		if (seen->returned)
			put(text, size, "%s returned %s; ", p->tasks[i].name,
			    conform_show_result(seen->result, small, sizeof(small)));
		if (seen->handled)
			put(text, size, "%s handled %d signals; ", p->tasks[i].name, seen->handled);
	}
	put(text, size, "words");
	for (int i = 0; i < p->word_count && i < TASKS_SHOWN; i++)
		put(text, size, " %s=%s", p->words[i].name,
		    conform_show_word(p, t, conform_word_at(t, step, i), small, sizeof(small)));
	put_states(p, t, step, text, size);
	put(text, size, "; priorities");
	for (int i = 0; i < p->task_count && i < TASKS_SHOWN; i++) {
		const struct conform_seen *seen = conform_seen_at(t, step, i);

		if (seen->state != CONFORM_GONE)
			put(text, size, " %s=%s", p->tasks[i].name,
			    conform_show_priority(seen->priority, small, sizeof(small)));
	}
	return text;
}

static void print_head(FILE *out, const struct conform_program *p)
{
	fprintf(out, "  tasks:");
	for (int i = 0; i < p->task_count && i < TASKS_SHOWN; i++) {
		char text[SMALL] = "";

		put_sched(&p->tasks[i].sched, text, sizeof(text));
		fprintf(out, "%s %s %s", i ? "," : "", p->tasks[i].name, text);
	}
	fprintf(out, "\n  words:");
	for (int i = 0; i < p->word_count && i < TASKS_SHOWN; i++) {
		char text[SMALL] = "";

		put_value(p, &p->words[i].init, text, sizeof(text));
		fprintf(out, "%s %s=%s", i ? "," : "", p->words[i].name, text);
	}
	fputc('\n', out);
}

void conform_print_story(FILE *out, const struct conform_program *p,
			 struct conform_trace *const *traces, const char *const *names, int count,
			 int last)
{
	static char text[CONFORM_TEXT], other[CONFORM_TEXT];
	int quiet = 0;

	print_head(out, p);
	for (int i = 0; i <= last && i < p->step_count; i++) {
		if (count && traces[0]->marks[i] == CONFORM_LEFT_OUT)
			continue;
		/* Of a long row of steps without a look the first and the last say enough. */
		quiet = p->random || p->steps[i].expect_count ? 0 : quiet + 1;
		if (quiet > QUIET_SHOWN && i + QUIET_SHOWN < last)
			continue;
		fprintf(out, "  %3d  %s\n", i + 1, conform_show_step(p, i, text, sizeof(text)));
		if (!p->random && !p->steps[i].expect_count)
			continue;
		for (int k = 0; k < count; k++) {
			bool alike;

			if (i >= traces[k]->steps_begun)
				continue;
			conform_show_seen(p, traces[k], i, text, sizeof(text));
			if (k == 0)
				snprintf(other, sizeof(other), "%s", text);
			alike = count == 1 || (k + 1 == count && !strcmp(text, other));
			/* The first waits for the second, in case they are alike. */
			if (count == 2 && k == 0 && i < traces[1]->steps_begun)
				continue;
			if (!alike && k)
				fprintf(out, "       %s: %s\n", names[0], other);
			if (alike)
				fprintf(out, "       %s\n", text);
			else
				fprintf(out, "       %s: %s\n", names[k], text);
		}
	}
}
