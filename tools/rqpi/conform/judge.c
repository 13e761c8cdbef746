/* SPDX-License-Identifier: MIT */
/*
 * judge.c - is a trace what a vector expects, and are two traces of one program alike?
 *
 * Called by vectors.c and differ.c. Words are compared with TIDs taken for the tasks they belong
 * to, since every process has TIDs of its own.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "show.h"

enum { SMALL = 80 };

static bool find_owner(const struct conform_program *p, const struct conform_trace *t,
		       uint32_t word, int *owner)
{
	for (*owner = 0; *owner < p->task_count; ++*owner) {
		if ((uint32_t)t->tids[*owner] == (word & CONFORM_TID))
			return true;
	}
	return false;
}

/* The word that @value stands for, with the TIDs of this trace. */
static uint32_t wanted_word(const struct conform_trace *t, const struct conform_value *value)
{
	switch (value->kind) {
	case CONFORM_OWNED:
		return (uint32_t)t->tids[value->task] | value->number;
	case CONFORM_NOBODY:
		return 0x1fffffff | value->number;
	case CONFORM_KTHREAD:
		return 2 | value->number;
	default:
		return value->number;
	}
}

static const char *state_name(const struct conform_seen *seen)
{
	static const char *const names[] = {"idle", "blocked", "woken but not run", "gone"};

	return names[seen->state];
}

static bool judge_task(const struct conform_program *p, const struct conform_trace *t, int step,
		       int task, const struct conform_want *want, char *why, size_t size)
{
	const struct conform_seen *seen = conform_seen_at(t, step, task);
	enum conform_state state = want->blocked ? CONFORM_BLOCKED
				   : want->ready ? CONFORM_ISREADY
						 : CONFORM_IDLE;
	const char *name = p->tasks[task].name;
	char a[SMALL], b[SMALL];

	if (want->returns && !seen->returned) {
		snprintf(why, size, "%s is %s, should have returned %s", name, state_name(seen),
			 conform_show_result(want->result, a, sizeof(a)));
		return false;
	}
	if (!want->returns && seen->returned) {
		snprintf(why, size, "%s returned %s, should not have returned", name,
			 conform_show_result(seen->result, a, sizeof(a)));
		return false;
	}
	if (want->returns && want->result != seen->result) {
		snprintf(why, size, "%s returned %s, should be %s", name,
			 conform_show_result(seen->result, a, sizeof(a)),
			 conform_show_result(want->result, b, sizeof(b)));
		return false;
	}
	if (seen->state != state && !(state == CONFORM_IDLE && seen->state == CONFORM_GONE)) {
		static const char *const wanted[] = {"idle", "blocked", "woken but not run"};

		snprintf(why, size, "%s is %s, should be %s", name, state_name(seen),
			 wanted[state]);
		return false;
	}
	if (want->check_priority && want->priority != seen->priority) {
		snprintf(why, size, "%s has the effective priority %s, should be %s", name,
			 conform_show_priority(seen->priority, a, sizeof(a)),
			 conform_show_priority(want->priority, b, sizeof(b)));
		return false;
	}
	if (want->handled >= 0 && want->handled != seen->handled) {
		snprintf(why, size, "%s ran %d signal handlers, should be %d", name, seen->handled,
			 want->handled);
		return false;
	}
	if (seen->early_ns) {
		snprintf(why, size, "%s returned ETIMEDOUT %ld us before its deadline", name,
			 seen->early_ns / 1000);
		return false;
	}
	return true;
}

static bool judge_one(const struct conform_program *p, const struct conform_trace *t, int step,
		      const struct conform_expect *e, char *why, size_t size)
{
	char a[SMALL], b[SMALL];

	for (int i = 0; i < p->task_count; i++) {
		if (!judge_task(p, t, step, i, &e->tasks[i], why, size))
			return false;
	}
	for (int i = 0; i < p->word_count; i++) {
		uint32_t seen = conform_word_at(t, step, i);
		uint32_t want = wanted_word(t, &e->words[i]);

		if (!e->check_word[i] || seen == want)
			continue;
		snprintf(why, size, "word %s is %s, should be %s", p->words[i].name,
			 conform_show_word(p, t, seen, a, sizeof(a)),
			 conform_show_word(p, t, want, b, sizeof(b)));
		return false;
	}
	return true;
}

/* Of several alternatives one must fit; the reason given is that of the first. */
static bool judge_step(const struct conform_program *p, const struct conform_trace *t, int step,
		       char *why, size_t size)
{
	const struct conform_step *s = &p->steps[step];
	char other[CONFORM_TEXT];

	for (int i = 0; i < s->expect_count; i++) {
		if (judge_one(p, t, step, &s->expect[i], i ? other : why, i ? sizeof(other) : size))
			return true;
	}
	return s->expect_count == 0;
}

int conform_judge(const struct conform_program *p, const struct conform_trace *t, char *why,
		  size_t size)
{
	int looked = t->outcome == CONFORM_PLAYED ? p->step_count : t->steps_begun - 1;

	for (int i = 0; i < looked; i++) {
		if (!judge_step(p, t, i, why, size))
			return i;
	}
	if (t->outcome == CONFORM_PLAYED)
		return -1;
	snprintf(why, size, "%s",
		 t->outcome == CONFORM_LATE ? "a deadline passed too early, again and again"
					    : t->why);
	return looked < 0 ? 0 : looked;
}

static bool is_same_word(const struct conform_program *p, const struct conform_trace *a,
			 uint32_t in_a, const struct conform_trace *b, uint32_t in_b)
{
	int owner_a, owner_b;
	bool owned = find_owner(p, a, in_a, &owner_a);

	if (owned != find_owner(p, b, in_b, &owner_b))
		return false;
	if (!owned)
		return in_a == in_b;
	return owner_a == owner_b && ((in_a ^ in_b) & ~CONFORM_TID) == 0;
}

static bool compare_task(const struct conform_seen *a, const struct conform_seen *b,
			 const char **what)
{
	*what = "state";
	if (a->state != b->state)
		return false;
	*what = "result";
	if (a->returned != b->returned || (a->returned && a->result != b->result))
		return false;
	*what = "effective priority";
	if (a->priority != b->priority)
		return false;
	*what = "number of handlers run";
	if (a->handled != b->handled)
		return false;
	*what = "timeout before its deadline";
	return !a->early_ns == !b->early_ns;
}

static bool compare_step(const struct conform_program *p, const struct conform_trace *a,
			 const struct conform_trace *b, int step, char *why, size_t size)
{
	if (a->marks[step] != b->marks[step]) {
		snprintf(why, size, "one of them could not do this step");
		return false;
	}
	if (a->marks[step] != CONFORM_RUN)
		return true;
	for (int i = 0; i < p->task_count; i++) {
		const char *what;

		if (compare_task(conform_seen_at(a, step, i), conform_seen_at(b, step, i), &what))
			continue;
		snprintf(why, size, "task %s: %s", p->tasks[i].name, what);
		return false;
	}
	for (int i = 0; i < p->word_count; i++) {
		if (is_same_word(p, a, conform_word_at(a, step, i), b, conform_word_at(b, step, i)))
			continue;
		snprintf(why, size, "word %s", p->words[i].name);
		return false;
	}
	return true;
}

int conform_compare(const struct conform_program *p, const struct conform_trace *a,
		    const struct conform_trace *b, char *why, size_t size)
{
	int begun = a->steps_begun < b->steps_begun ? a->steps_begun : b->steps_begun;
	int looked = a->outcome == CONFORM_PLAYED && b->outcome == CONFORM_PLAYED ? begun
										  : begun - 1;

	for (int i = 0; i < looked; i++) {
		if (!compare_step(p, a, b, i, why, size))
			return i;
	}
	if (a->outcome == b->outcome && a->outcome == CONFORM_PLAYED)
		return -1;
	snprintf(why, size, "%s", a->outcome == CONFORM_PLAYED ? b->why : a->why);
	return looked < 0 ? 0 : looked;
}
