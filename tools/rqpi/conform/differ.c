/* SPDX-License-Identifier: MIT */
/*
 * differ.c - plays random programs on two lanes, compares what was seen after each step, and makes
 * a program on which they differ as small as it can be.
 *
 * Called by cmd_conform.c and by the tests. A difference is tried again: if a lane does not agree
 * with itself it is called unstable, and real if it is there each time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conform.h"
#include "show.h"

enum { AGAIN = 3, SHRINK_TRIALS = 2, STORIES = 5 };

struct pair {
	struct conform_trace *trace[CONFORM_LANES];
	int step; /* of the first difference, or -1 */
	char why[256];
};

/* With one lane only, that one against itself. */
static const struct conform_lane *lane_at(const struct conform_options *o, int i)
{
	return o->lanes[i < o->lane_count ? i : 0];
}

static void pair_new(struct pair *pair, const struct conform_program *p)
{
	for (int i = 0; i < CONFORM_LANES; i++)
		pair->trace[i] = conform_trace_new(p);
	pair->step = -1;
}

static void pair_free(struct pair *pair)
{
	for (int i = 0; i < CONFORM_LANES; i++)
		conform_trace_free(pair->trace[i]);
}

/* Did a requeue find a deadlock, which a kernel with CVE-2026-43499 must not be asked to undo? */
static bool rolled_back(const struct conform_program *p, const struct conform_trace *t)
{
	for (int i = 0; i < t->steps_begun && i < p->step_count; i++) {
		const struct conform_step *s = &p->steps[i];
		const struct conform_seen *seen;

		if (s->what != CONFORM_CALL ||
		    (s->call.op & FUTEX_CMD_MASK) != FUTEX_CMP_REQUEUE_PI)
			continue;
		seen = conform_seen_at(t, i, s->task);
		if (t->marks[i] == CONFORM_RUN && seen->returned && seen->result == -EDEADLK)
			return true;
	}
	return false;
}

/* Any lane but the kernel goes first. False: the second must not be, or could not be played. */
static bool play_pair(const struct conform_options *o, const struct conform_program *p,
		      struct pair *pair)
{
	int first = lane_at(o, 0) == &conform_lane_linux && o->lane_count > 1 ? 1 : 0;
	const struct conform_lane *other = lane_at(o, 1 - first);

	conform_trial_in_time(p, lane_at(o, first), &o->setting, pair->trace[first]);
	if (pair->trace[first]->outcome == CONFORM_CANNOT)
		return false;
	if (o->setting.guard && other == &conform_lane_linux &&
	    lane_at(o, first) != &conform_lane_linux && rolled_back(p, pair->trace[first]))
		return false;
	conform_trial_in_time(p, other, &o->setting, pair->trace[1 - first]);
	if (pair->trace[1 - first]->outcome == CONFORM_CANNOT)
		return false;
	/* The machine had no time for it, however often it was tried. */
	for (int i = 0; i < CONFORM_LANES; i++) {
		if (pair->trace[i]->outcome == CONFORM_LATE)
			return false;
	}
	pair->step = conform_compare(p, pair->trace[0], pair->trace[1], pair->why,
				     sizeof(pair->why));
	return true;
}

/* The word that @task waits to own since its last call up to @step, -1: none. */
static int word_waited_for(const struct conform_program *p, const struct conform_trace *t, int step,
			   int task)
{
	const struct conform_step *s;

	/* A step of a task that was busy was left out. */
	while (step >= 0 && (p->steps[step].task != task || p->steps[step].what != CONFORM_CALL ||
			     t->marks[step] != CONFORM_RUN))
		step--;
	if (step < 0)
		return -1;
	s = &p->steps[step];
	switch (s->call.op & FUTEX_CMD_MASK) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return s->call.uaddr.kind == CONFORM_AT_WORD ? s->call.uaddr.word : -1;
	case FUTEX_WAIT_REQUEUE_PI:
		return s->call.uaddr2.kind == CONFORM_AT_WORD ? s->call.uaddr2.word : -1;
	default:
		return -1;
	}
}

/* Is there a task as urgent as @owner, blocked on a PI futex that @owner has? */
static bool has_reason(const struct conform_program *p, const struct conform_trace *t, int step,
		       int owner)
{
	int priority = conform_seen_at(t, step, owner)->priority;

	for (int i = 0; i < p->task_count; i++) {
		const struct conform_seen *seen = conform_seen_at(t, step, i);
		int word;

		if (i == owner || seen->state != CONFORM_BLOCKED || seen->priority != priority)
			continue;
		word = word_waited_for(p, t, step, i);
		if (word >= 0 &&
		    (conform_word_at(t, step, word) & CONFORM_TID) == (uint32_t)t->tids[owner])
			return true;
	}
	return false;
}

/*
 * The one difference that is known, and right: Linux does not let a task inherit what a waiter for
 * one of its PI futexes brings, the engine does (RULES.md 15.9, 15.15). All else is alike, and for
 * each task that is more urgent on the engine the waiter can be seen.
 */
static bool is_forgotten_boost(const struct conform_options *o, const struct conform_program *p,
			       const struct pair *pair)
{
	int linux_lane = lane_at(o, 0) == &conform_lane_linux ? 0 : 1;
	const struct conform_trace *kernel = pair->trace[linux_lane];
	const struct conform_trace *engine = pair->trace[1 - linux_lane];
	bool forgotten = false;

	if (o->lane_count < 2)
		return false;
	for (int i = 0; i < p->task_count; i++) {
		const struct conform_seen *a = conform_seen_at(kernel, pair->step, i);
		const struct conform_seen *b = conform_seen_at(engine, pair->step, i);

		if (a->state != b->state || a->returned != b->returned ||
		    (a->returned && a->result != b->result))
			return false;
		if (a->state == CONFORM_GONE || a->priority == b->priority)
			continue;
		if (b->priority > a->priority || !has_reason(p, engine, pair->step, i))
			return false;
		forgotten = true;
	}
	return forgotten;
}

/* Does each lane agree with itself, and not with the other, again? */
static bool is_real(const struct conform_options *o, const struct conform_program *p,
		    const struct pair *before)
{
	bool real = true;

	for (int i = 0; i < AGAIN && real; i++) {
		struct pair pair;
		char why[256];

		pair_new(&pair, p);
		real = play_pair(o, p, &pair) && pair.step == before->step;
		for (int k = 0; k < CONFORM_LANES && real; k++) {
			int step = conform_compare(p, before->trace[k], pair.trace[k], why,
						   sizeof(why));

			/* After the difference anything may follow. */
			real = step < 0 || step > before->step;
		}
		pair_free(&pair);
	}
	return real;
}

/* The step of the difference, the same in all trials; -1 if there is none. */
static int still_differs(const struct conform_options *o, const struct conform_program *p)
{
	int step = -1;

	for (int i = 0; i < SHRINK_TRIALS; i++) {
		struct pair pair;
		bool played;

		pair_new(&pair, p);
		played = play_pair(o, p, &pair);
		pair_free(&pair);
		if (!played || pair.step < 0 || (i && pair.step != step))
			return -1;
		step = pair.step;
	}
	return step;
}

/* Steps that are out of the program have no owner of their memory there: they are kept aside. */
static void take_steps(struct conform_program *p, int first, int count, struct conform_step *kept)
{
	size_t size = sizeof(*p->steps);

	memcpy(kept, &p->steps[first], (size_t)count * size);
	memmove(&p->steps[first], &p->steps[first + count],
		(size_t)(p->step_count - first - count) * size);
	p->step_count -= count;
}

static void put_back(struct conform_program *p, int first, int count,
		     const struct conform_step *kept)
{
	size_t size = sizeof(*p->steps);

	memmove(&p->steps[first + count], &p->steps[first], (size_t)(p->step_count - first) * size);
	memcpy(&p->steps[first], kept, (size_t)count * size);
	p->step_count += count;
}

/* Leave out runs of @length steps. True if that worked anywhere. */
static bool drop_runs(const struct conform_options *o, struct conform_program *p, int length,
		      int *step)
{
	struct conform_step *kept = calloc((size_t)length, sizeof(*kept));
	bool dropped = false;

	for (int i = p->step_count - length; kept && i >= 0; i--) {
		int now;

		if (i + length > p->step_count)
			continue;
		take_steps(p, i, length, kept);
		now = p->step_count ? still_differs(o, p) : -1;
		if (now < 0) {
			put_back(p, i, length, kept);
			continue;
		}
		for (int k = 0; k < length; k++)
			free(kept[k].entries);
		*step = now;
		dropped = true;
	}
	free(kept);
	return dropped;
}

/* Steps after the difference say nothing. */
static void cut_after(struct conform_program *p, int step)
{
	while (p->step_count > step + 1)
		free(p->steps[--p->step_count].entries);
}

/* Tasks of which no step is left; words keep their places. */
static void drop_idle_tasks(const struct conform_options *o, struct conform_program *p, int *step)
{
	for (int i = p->task_count - 1; i >= 0 && p->task_count > 1; i--) {
		struct conform_task kept = p->tasks[i];
		bool used = false;
		int now;

		for (int k = 0; k < p->step_count; k++)
			used = used || p->steps[k].task == i ||
			       (p->steps[k].value.kind == CONFORM_OWNED &&
				p->steps[k].value.task == i);
		if (used || i != p->task_count - 1)
			continue;
		p->task_count--;
		now = still_differs(o, p);
		if (now >= 0) {
			*step = now;
			continue;
		}
		p->tasks[p->task_count++] = kept;
		return;
	}
}

int conform_shrink(const struct conform_options *o, struct conform_program *p)
{
	int step = still_differs(o, p);

	if (step < 0)
		return -1;
	cut_after(p, step);
	for (int length = p->step_count / 2; length > 0; length /= 2) {
		while (drop_runs(o, p, length, &step) && length == 1)
			;
		cut_after(p, step);
	}
	drop_idle_tasks(o, p, &step);
	return step;
}

static void tell(const struct conform_options *o, struct conform_program *p, uint64_t seed,
		 const struct pair *found)
{
	const char *names[] = {lane_at(o, 0)->name, lane_at(o, 1)->name};
	int steps = p->step_count, step;
	struct pair pair;

	if (!o->out)
		return;
	fprintf(o->out, "DIFFERS  program %llu: %s and %s, step %d of %d: %s\n",
		(unsigned long long)seed, names[0], names[1], found->step + 1, steps, found->why);
	step = conform_shrink(o, p);
	if (step < 0)
		fprintf(o->out, "  it cannot be made smaller\n");
	pair_new(&pair, p);
	if (play_pair(o, p, &pair)) {
		conform_print_story(o->out, p, pair.trace, names, CONFORM_LANES,
				    pair.step < 0 ? p->step_count : pair.step);
		fprintf(o->out, "  %s\n", pair.step < 0 ? "and now they are alike" : pair.why);
	}
	pair_free(&pair);
	fflush(o->out);
}

/* What was seen the first time, since the next time it may be something else. */
static void tell_unstable(const struct conform_options *o, const struct conform_program *p,
			  uint64_t seed, const struct pair *found)
{
	const char *names[] = {"once", "then"};

	if (!o->out)
		return;
	fprintf(o->out, "UNSTABLE program %llu: %s and %s, step %d: %s\n", (unsigned long long)seed,
		lane_at(o, 0)->name, lane_at(o, 1)->name, found->step + 1, found->why);
	if (o->lane_count > 1) {
		names[0] = o->lanes[0]->name;
		names[1] = o->lanes[1]->name;
	}
	conform_print_story(o->out, p, found->trace, names, CONFORM_LANES, found->step);
	fflush(o->out);
}

static int count_run(const struct conform_trace *t)
{
	int count = 0;

	for (int i = 0; i < t->step_count && i < t->steps_begun; i++)
		count += t->marks[i] == CONFORM_RUN;
	return count;
}

static void leave_out_robust(struct conform_program *p)
{
	for (int i = p->step_count - 1; i >= 0; i--) {
		struct conform_step step;

		if (p->steps[i].what != CONFORM_ROBUST)
			continue;
		take_steps(p, i, 1, &step);
		free(step.entries);
	}
}

/* What the lanes are known to do differently: the engine is a Linux of one version, and whole. */
static void leave_out_known(const struct conform_options *o, struct conform_program *p)
{
	if (!o->setting.robust_lists)
		leave_out_robust(p);
	if (conform_leaves_pending(&o->kernel.version))
		return;
	for (int i = 0; i < p->step_count; i++) {
		if (p->steps[i].what == CONFORM_ROBUST && !p->steps[i].pending.pi)
			p->steps[i].has_pending = false;
	}
}

static int run_one(const struct conform_options *o, uint64_t seed, struct conform_report *report)
{
	struct conform_program program;
	struct pair pair;
	int result = 0;

	conform_make_program(&program, seed, o->setting.guard, o->setting.realtime);
	leave_out_known(o, &program);
	pair_new(&pair, &program);
	if (play_pair(o, &program, &pair)) {
		report->programs++;
		report->operations += count_run(pair.trace[0]);
		if (pair.step >= 0 && is_forgotten_boost(o, &program, &pair)) {
			report->forgotten_boosts++;
		} else if (pair.step >= 0 && is_real(o, &program, &pair)) {
			if (report->differences++ < STORIES || o->verbose)
				tell(o, &program, seed, &pair);
		} else if (pair.step >= 0) {
			if (report->unstable++ < STORIES || o->verbose)
				tell_unstable(o, &program, seed, &pair);
		}
	} else if (pair.trace[0]->outcome == CONFORM_CANNOT ||
		   pair.trace[1]->outcome == CONFORM_CANNOT) {
		fprintf(stderr, "rqpi conform: %s%s\n", pair.trace[0]->why, pair.trace[1]->why);
		result = -1;
	}
	pair_free(&pair);
	conform_program_free(&program);
	return result;
}

int conform_run_random(const struct conform_options *o, struct conform_report *report)
{
	time_t until = time(NULL) + o->seconds;
	bool progress = isatty(STDERR_FILENO);
	uint64_t seed = o->seed;

	report->random = true;
	while ((!o->seconds || time(NULL) < until) &&
	       (!o->operations || report->operations < o->operations)) {
		if (run_one(o, seed++, report))
			return -1;
		if (progress && report->programs % 64 == 0)
			fprintf(stderr, "\r\033[K%ld programs, %ld operations", report->programs,
				report->operations);
	}
	if (progress)
		fprintf(stderr, "\r\033[K");
	return 0;
}
