/* SPDX-License-Identifier: MIT */
/*
 * record.c - what happens on a path, step by step, as text. See record.h.
 *
 * Called by replay.c. Whatever a task does on its own stack must not depend on being looked at:
 * what it tells is put into a list, and made text of when the step is over.
 */
#define _GNU_SOURCE
#include "sim/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rqpi/trace.h>

#include "sim/place.h"

enum { LINE = 256, NOTES = 256, WORDS_MAX = 4096 };

struct rqs_place rqs_place;
void (*rqs_result_listener)(const char *call, long got);

/* What the running task has told in this step. */
struct note {
	const char *call; /* of the scenario, which returned @got; NULL: an event */
	long got;
	struct rqpi_event event;
};

static struct note notes[NOTES];
static size_t note_count;

extern char rqs_marked_begin[] __asm__("__start_rqs_state");
extern char rqs_marked_end[] __asm__("__stop_rqs_state");

static char *copy_of(const char *text)
{
	return rqs_need(strdup(text));
}

/* ---------------------------------------------------------------- what tasks tell */

static void note_event(const struct rqpi_event *event)
{
	if (rqs_running() && note_count < NOTES)
		notes[note_count++] = (struct note){.event = *event};
}

static void note_result(const char *call, long got)
{
	if (rqs_running() && note_count < NOTES)
		notes[note_count++] = (struct note){.call = call, .got = got};
}

void rqs_forget_notes(void)
{
	note_count = 0;
}

/* ---------------------------------------------------------------- lines */

static void __attribute__((format(printf, 4, 5)))
add_line(struct rqs_step *step, enum rqs_line_kind kind, const char *event, const char *format, ...)
{
	struct rqs_line *line;
	va_list ap;

	step->line = rqs_need(realloc(step->line, (step->lines + 1) * sizeof(*step->line)));
	line = &step->line[step->lines++];
	*line = (struct rqs_line){.kind = kind, .event = event ? copy_of(event) : NULL};
	va_start(ap, format);
	if (vasprintf(&line->text, format, ap) < 0)
		line->text = rqs_need(NULL);
	va_end(ap);
}

/* "FUTEX_LOCK_PI(m)"; what it is that it waits for, or wakes, is told by what follows. */
static void call_text(const struct rqpi_event *event, char *text, size_t size)
{
	char address[24], name[64];

	snprintf(address, sizeof(address), "%llx", (unsigned long long)event->object);
	rqs_replace_addresses(address, name, sizeof(name));
	snprintf(text, size, "%s(%s)", rqpi_futex_op_name((int)event->value), name);
}

static void result_text(long result, char *text, size_t size)
{
	if (result < 0)
		snprintf(text, size, "-%s", rqpi_error_name(result));
	else
		snprintf(text, size, "%ld", result);
}

static void add_event(struct rqs_recorder *r, struct rqs_step *step, const struct rqpi_event *event)
{
	uint32_t i = step->choice.task;
	char text[LINE], call[128], result[24];

	rqs_event_text(event, text, sizeof(text));
	if (event->id == RQPI_EV_CALL) {
		call_text(event, r->call[i], sizeof(r->call[i]));
		add_line(step, RQS_LINE_CALL, text, "%s ...", r->call[i]);
	} else if (event->id == RQPI_EV_RETURN) {
		call_text(event, call, sizeof(call));
		result_text((long)event->other, result, sizeof(result));
		add_line(step, RQS_LINE_CALL, text, "%s = %s", call, result);
		r->call[i][0] = '\0';
	} else {
		add_line(step, RQS_LINE_EVENT, text, "%s", text);
	}
}

static void add_notes(struct rqs_recorder *r, struct rqs_step *step)
{
	for (size_t i = 0; i < note_count; i++) {
		char event[LINE];

		if (!notes[i].call) {
			add_event(r, step, &notes[i].event);
			continue;
		}
		snprintf(event, sizeof(event), "program: %s returned %ld", notes[i].call,
			 notes[i].got);
		add_line(step, RQS_LINE_CALL, event, "%s = %ld", notes[i].call, notes[i].got);
	}
}

static void add_change(struct rqs_step *step, enum rqs_line_kind kind,
		       const struct rqs_thing *thing, uint64_t before, uint64_t after)
{
	char from[64], to[64];

	rqs_value_text(thing->type, before, from, sizeof(from));
	rqs_value_text(thing->type, after, to, sizeof(to));
	add_line(step, kind, NULL, "%s: %s -> %s", thing->name, from, to);
}

/* ---------------------------------------------------------------- points */

static bool is_word(uint32_t kind)
{
	return kind == RQS_AT_ATOMIC || kind == RQS_AT_LOAD || kind == RQS_AT_EXCHANGE;
}

static bool is_in(const struct rqs_watched_memory *region, const volatile void *addr)
{
	const volatile char *p = addr;

	return p >= region->base && p < region->base + region->bytes;
}

/* "the lock of bucket 0"; "" if nothing is to be said. */
static void place_text(const struct rqs_place *place, char *text, size_t size)
{
	struct rqs_thing thing;
	char lock[80];

	*text = '\0';
	rqs_lock_text(place->addr, lock, sizeof(lock));
	if (place->kind == RQS_AT_LOCK || place->kind == RQS_AT_RELAX)
		snprintf(text, size, "takes the %s", lock);
	else if (place->kind == RQS_AT_TRYLOCK)
		snprintf(text, size, "tries the %s", lock);
	else if (is_word(place->kind) && rqs_thing_at(place->addr, &thing))
		snprintf(text, size, "%s %s",
			 place->kind == RQS_AT_EXCHANGE ? "exchanges" : "looks at", thing.name);
	else if (place->kind == RQS_AT_INSIDE)
		snprintf(text, size, "is inside");
	else if (place->kind == RQS_AT_TESTCANCEL)
		snprintf(text, size, "pthread_testcancel()");
	else if (place->kind == RQS_AT_COPY)
		snprintf(text, size, "reads the other process");
	else if (place->kind == RQS_AT_PAGE && rqs_thing_at(place->addr, &thing))
		snprintf(text, size, "brings in the page of %s", thing.name);
	else if (place->kind == RQS_AT_FORK)
		snprintf(text, size, "forks");
}

/* The point that the step has passed, which it came to in the one before. */
static void add_point(struct rqs_recorder *r, struct rqs_step *step)
{
	const struct rqs_place *place = &r->next[step->choice.task];
	struct rqs_thing thing;
	char text[LINE], value[64];
	uint64_t now;

	place_text(place, text, sizeof(text));
	if (place->kind == RQS_AT_TRYLOCK && r->was_locked) {
		add_line(step, RQS_LINE_LOOK, NULL, "%s: it is not free", text);
	} else if (is_word(place->kind) && rqs_thing_at(place->addr, &thing)) {
		bool is_program = is_in(&r->region[0], place->addr);
		bool matters = !thing.is_inner || is_in(&r->region[1], place->addr);

		now = rqs_thing_value(place->addr, thing.type);
		rqs_value_text(thing.type, r->place_value, value, sizeof(value));
		if (now == r->place_value)
			add_line(step, is_program ? RQS_LINE_LOOK : RQS_LINE_POINT, NULL, "%s: %s",
				 text, value);
		else
			add_change(step, matters ? RQS_LINE_VALUE : RQS_LINE_POINT, &thing,
				   r->place_value, now);
	} else if (*text) {
		add_line(step, RQS_LINE_POINT, NULL, "%s", text);
	} else {
		add_line(step, RQS_LINE_POINT, NULL, "%s",
			 r->begun[step->choice.task] ? "goes on" : "begins");
	}
	r->begun[step->choice.task] = true;
}

static void add_kind(struct rqs_step *step)
{
	static const char *const what[RQS_KINDS] = {
	    [RQS_TIMER] = "timer: its deadline comes",
	    [RQS_SIGNAL] = "signal: one with a handler comes for it",
	    [RQS_CANCEL] = "cancel: it is cancelled",
	    [RQS_KILL] = "kill: it is killed",
	    [RQS_START] = "start: it is there from now on",
	    [RQS_FAULT] = "fault: its page is away",
	    [RQS_FLUSH] = "flush: its oldest store reaches the others",
	};
	const char *event = what[step->choice.kind];

	if (event)
		add_line(step, RQS_LINE_STATUS, event, "%s", strchr(event, ' ') + 1);
}

/* ---------------------------------------------------------------- words and tasks */

/* What has changed besides the word at @passed, which has been told. */
static void add_words(struct rqs_recorder *r, struct rqs_step *step, const volatile void *passed)
{
	for (size_t k = 0; k < sizeof(r->region) / sizeof(r->region[0]); k++) {
		struct rqs_watched_memory *region = &r->region[k];

		for (size_t at = 0; at + 4 <= region->bytes; at += 4) {
			uint64_t before = 0, after;
			struct rqs_thing thing;
			size_t size = 4;

			if (!memcmp(region->base + at, region->before + at, 4))
				continue;
			region->changes[at / 4] = true;
			if (r->learning || !rqs_thing_at(region->base + at, &thing))
				continue;
			if (thing.type == RQS_T_LINK && at + 8 <= region->bytes)
				size = 8;
			if (region->base + at == passed)
				continue;
			memcpy(&before, region->before + at, size);
			after = rqs_thing_value(region->base + at, thing.type);
			add_change(step, thing.is_named || !k ? RQS_LINE_VALUE : RQS_LINE_POINT,
				   &thing, before, after);
			at += size - 4;
		}
	}
}

static void add_status(struct rqs_recorder *r, struct rqs_step *step)
{
	char from[24], to[24];

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];

		if (i != step->choice.task && r->status[i] == RQS_ASLEEP && t->status == RQS_READY)
			add_line(step, RQS_LINE_STATUS, NULL, "wakes %c", rqs_name(t));
		if (t->prio != r->prio[i]) {
			rqs_prio_text(r->prio[i], from, sizeof(from));
			rqs_prio_text(t->prio, to, sizeof(to));
			add_line(step, RQS_LINE_STATUS, NULL, "%c: priority %s -> %s", rqs_name(t),
				 from, to);
		}
	}
	if (step->choice.kind != RQS_RUN)
		return;
	if (rqs_world->tasks[step->choice.task].status == RQS_ASLEEP)
		add_line(step, RQS_LINE_STATUS, "schedule: it sleeps", "sleeps");
	else if (rqs_world->tasks[step->choice.task].status == RQS_ENDED)
		add_line(step, RQS_LINE_STATUS, "exit: it ends", "ends");
}

/* How things are now. */
static void look_around(struct rqs_recorder *r, struct rqs_step *step)
{
	struct rqs_recording *to = r->to;
	char text[LINE];
	size_t mutexes = 0;

	for (uint32_t i = 0; i < to->n_tasks; i++) {
		step->state[i] = (uint8_t)rqs_task_text(i, r->call[i], text, sizeof(text));
		step->task[i] = copy_of(text);
		rqs_prio_text(rqs_world->tasks[i].prio, text, sizeof(text));
		step->prio[i] = copy_of(text);
		if (rqs_rt_mutex_text(i, text, sizeof(text)))
			step->mutex[mutexes++] = copy_of(text);
	}
	step->value = rqs_need(calloc(to->words + 1, sizeof(*step->value)));
	for (size_t i = 0; i < to->words; i++) {
		enum rqs_type type = to->word[i].thing.type;

		rqs_value_text(type, rqs_thing_value(to->word[i].addr, type), text, sizeof(text));
		step->value[i] = copy_of(text);
	}
}

/* What is broken may not even be there to be looked at: that has been judged already. */
static bool is_broken(const struct rqs_scenario *scenario, char text[sizeof(rqs_violation.text)])
{
	volatile bool broken = false;

	if (!sigsetjmp(rqs_judging, 0)) {
		rqs_is_judging = true;
		broken = rqs_broken_invariant(scenario, text);
	}
	rqs_is_judging = false;
	rqs_violation.found = false;
	return broken;
}

/* In a path that goes on behind it. */
static void look_for_broken(struct rqs_recorder *r, struct rqs_step *step)
{
	char raw[sizeof(rqs_violation.text)], text[LINE];

	if ((!rqs_end_to_end && !r->to->scenario->invariant) || r->is_broken || rqs_violation.found)
		return;
	r->is_broken = is_broken(r->to->scenario, raw);
	if (!r->is_broken)
		return;
	rqs_replace_addresses(raw, text, sizeof(text));
	step->broken = copy_of(text);
}

/* ---------------------------------------------------------------- one step */

static struct rqs_step *new_step(struct rqs_recording *to, struct rqs_choice choice)
{
	struct rqs_step *step;

	to->step = rqs_need(realloc(to->step, (to->steps + 1) * sizeof(*to->step)));
	step = &to->step[to->steps++];
	*step = (struct rqs_step){.choice = choice};
	return step;
}

void rqs_before_step(struct rqs_recorder *r, struct rqs_choice choice)
{
	const struct rqs_place *place = &r->next[choice.task];
	struct rqs_thing thing;

	rqs_forget_notes();
	rqs_place = (struct rqs_place){.kind = RQS_AT_NOTHING};
	rqs_switch_space(&rqs_world->tasks[choice.task]); /* as that one sees it */
	for (size_t k = 0; k < sizeof(r->region) / sizeof(r->region[0]); k++)
		memcpy(r->region[k].before, r->region[k].base, r->region[k].bytes);
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		r->status[i] = rqs_world->tasks[i].status;
		r->prio[i] = rqs_world->tasks[i].prio;
	}
	if (place->kind == RQS_AT_TRYLOCK)
		r->was_locked = ((const volatile struct rqpi_rawlock *)place->addr)->word[0] != 0;
	if (is_word(place->kind) && rqs_thing_at(place->addr, &thing))
		r->place_value = rqs_thing_value(place->addr, thing.type);
	rqs_switch_space(&rqs_world->tasks[choice.task]);
}

/* The task has run: which words has it changed, and what has it told of them? */
static void learn(struct rqs_recorder *r, struct rqs_choice choice)
{
	struct rqs_step unused = {.choice = choice};

	for (size_t i = 0; i < note_count; i++) {
		if (!notes[i].call)
			rqs_describe_learn(&notes[i].event);
	}
	rqs_switch_space(&rqs_world->tasks[choice.task]);
	add_words(r, &unused, NULL);
	rqs_switch_space(&rqs_world->tasks[choice.task]);
}

void rqs_after_step(struct rqs_recorder *r, struct rqs_choice choice)
{
	const struct rqs_task *t = &rqs_world->tasks[choice.task];
	struct rqs_step *step;
	const volatile void *passed = NULL;
	char text[LINE];

	if (r->learning) {
		learn(r, choice);
		return;
	}
	step = new_step(r->to, choice);
	rqs_describe_look();
	add_kind(step);
	rqs_switch_space(t);
	if (choice.kind == RQS_RUN) {
		if (is_word(r->next[choice.task].kind))
			passed = r->next[choice.task].addr;
		add_point(r, step);
		add_notes(r, step);
		r->next[choice.task] = rqs_place;
	}
	add_words(r, step, passed);
	rqs_switch_space(t);
	add_status(r, step);
	place_text(&r->next[choice.task], text, sizeof(text));
	if (t->status == RQS_READY && *text && !rqs_violation.found)
		step->next = copy_of(text);
	look_for_broken(r, step);
	look_around(r, step);
}

/* ---------------------------------------------------------------- beginning and end */

static void open_region(struct rqs_watched_memory *region, const void *base, size_t bytes)
{
	*region = (struct rqs_watched_memory){.base = base, .bytes = bytes};
	region->before = rqs_need(calloc(bytes + 1, 1));
	region->changes = rqs_need(calloc(bytes / 4 + 1, sizeof(*region->changes)));
}

void rqs_recorder_open(struct rqs_recorder *r, const struct rqs_scenario *scenario,
		       const struct rqs_path *path, struct rqs_recording *to)
{
	*r = (struct rqs_recorder){.to = to, .learning = true};
	*to = (struct rqs_recording){.scenario = scenario, .path = path};
	rqs_describe_begin(scenario);
	open_region(&r->region[0], rqs_world->program, scenario->bytes);
	open_region(&r->region[1], rqs_marked_begin, (size_t)(rqs_marked_end - rqs_marked_begin));
	rqs_listener = note_event;
	rqs_result_listener = note_result;
}

/* Of the words that change on the way, those that are the program's, or have a name. */
static void choose_words(struct rqs_recorder *r)
{
	struct rqs_recording *to = r->to;

	to->word = rqs_need(calloc(WORDS_MAX, sizeof(*to->word)));
	for (size_t k = 0; k < sizeof(r->region) / sizeof(r->region[0]); k++) {
		for (size_t i = 0; i < r->region[k].bytes / 4 && to->words < WORDS_MAX; i++) {
			struct rqs_watched word = {.addr = r->region[k].base + 4 * i};

			if (r->region[k].changes[i] && rqs_thing_at(word.addr, &word.thing) &&
			    (word.thing.is_named || !k))
				to->word[to->words++] = word;
		}
	}
}

/* Who is asleep when it begins has told what it sleeps in. */
static void look_at_sleepers(struct rqs_recorder *r)
{
	for (size_t i = 0; i < note_count; i++) {
		uint32_t task = notes[i].event.tid - RQS_FIRST_TID;

		if (notes[i].call || notes[i].event.id != RQPI_EV_CALL || task >= r->to->n_tasks ||
		    rqs_world->tasks[task].status != RQS_ASLEEP)
			continue;
		call_text(&notes[i].event, r->call[task], sizeof(r->call[task]));
		r->next[task].kind = RQS_AT_SLEEP;
		r->begun[task] = true;
	}
}

void rqs_recorder_begin(struct rqs_recorder *r)
{
	struct rqs_step *beginning;
	char text[24];

	rqs_describe_begin(r->to->scenario);
	choose_words(r);
	r->learning = false;
	r->to->n_tasks = rqs_world->n_tasks;
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		rqs_prio_text(rqs_world->tasks[i].prio, text, sizeof(text));
		r->to->prio[i] = copy_of(text);
	}
	look_at_sleepers(r);
	beginning = new_step(r->to, (struct rqs_choice){.kind = RQS_KINDS});
	look_around(r, beginning);
}

/* The last step has broken what the path ends with: that is said at the end. */
static void forget_the_end(struct rqs_recording *to)
{
	struct rqs_step *last = to->steps ? &to->step[to->steps - 1] : NULL;

	if (!last || !last->broken || !to->violation.found)
		return;
	free(last->broken);
	last->broken = NULL;
}

void rqs_recorder_close(struct rqs_recorder *r)
{
	rqs_listener = NULL;
	rqs_result_listener = NULL;
	for (size_t k = 0; k < sizeof(r->region) / sizeof(r->region[0]); k++) {
		free(r->region[k].before);
		free(r->region[k].changes);
	}
	r->to->violation = rqs_violation;
	forget_the_end(r->to);
}

static void free_step(struct rqs_step *step, size_t words)
{
	for (size_t i = 0; i < step->lines; i++) {
		free(step->line[i].text);
		free(step->line[i].event);
	}
	free(step->line);
	free(step->next);
	free(step->broken);
	for (size_t i = 0; i < RQS_TASKS; i++) {
		free(step->task[i]);
		free(step->prio[i]);
		free(step->mutex[i]);
	}
	for (size_t i = 0; step->value && i < words; i++)
		free(step->value[i]);
	free(step->value);
}

void rqs_recording_free(struct rqs_recording *recording)
{
	for (size_t i = 0; i < recording->steps; i++)
		free_step(&recording->step[i], recording->words);
	for (size_t i = 0; i < RQS_TASKS; i++)
		free(recording->prio[i]);
	free(recording->step);
	free(recording->word);
}
