/* SPDX-License-Identifier: MIT */
/*
 * replay.c - a path played once more, told step by step. See replay.h.
 *
 * Called by the command. The layout is that of the traces of 2009: the task, the CPU, which is one
 * for each task here, the time, which is the number of the step, and what the function did.
 */
#include "sim/replay.h"

#include <stdlib.h>
#include <string.h>

#include <rqpi/trace.h>

enum { LINE = 160 };

static FILE *to;
static size_t step_number;

static void print_event(const struct rqpi_event *event)
{
	const struct rqs_task *t = rqs_running();
	char text[LINE];

	if (!t)
		return;
	rqpi_event_text(event, text, sizeof(text));
	fprintf(to, "%8c-%-5u %03d  %5zuus : %s\n", rqs_name(t), rqpi_task_tid(t->task),
		rqs_name(t) - 'a', step_number, text);
}

static void print_step(struct rqs_choice choice)
{
	static const char *const what[RQS_KINDS] = {
	    [RQS_RUN] = "goes on",
	    [RQS_TIMER] = "its time has come",
	    [RQS_SIGNAL] = "a signal comes for it",
	    [RQS_CANCEL] = "it is cancelled",
	    [RQS_KILL] = "it is killed",
	    [RQS_START] = "is there from now on",
	    [RQS_FAULT] = "its page is away",
	};

	fprintf(to, "%5zu  %c %s\n", step_number, 'a' + choice.task, what[choice.kind]);
}

/* On one CPU: has the path been here before? @seen: its states so far, @count of them. */
static void look_for_circle(struct rqs_hash *seen, size_t count)
{
	seen[count] = rqs_state_hash();
	for (size_t i = 0; rqs_one_cpu && i < count; i++) {
		if (seen[i].a == seen[count].a && seen[i].b == seen[count].b) {
			rqs_fail_livelock();
			return;
		}
	}
}

static long play(const struct rqs_scenario *scenario, const struct rqs_path *path, bool steps,
		 struct rqs_hash *seen)
{
	struct rqs_choice list[RQS_CHOICES];

	seen[0] = rqs_state_hash();
	for (size_t i = 0; i < path->count; i++) {
		step_number = i + 1;
		if (!rqs_is_possible(path->choice[i]))
			return (long)i + 1;
		if (to && (steps || path->choice[i].kind != RQS_RUN))
			print_step(path->choice[i]);
		if (rqs_take(path->choice[i]))
			look_for_circle(seen, i + 1);
		if (!rqs_judge(scenario, rqs_choices(list)))
			return i + 1 == path->count ? -1 : (long)i + 2;
	}
	return -1;
}

long rqs_replay(const struct rqs_scenario *scenario, const struct rqs_path *path, bool steps,
		FILE *out, struct rqs_violation *found)
{
	struct rqs_hash *seen = calloc(path->count + 1, sizeof(*seen));
	long diverged = -1;

	to = out;
	if (!seen) {
		fprintf(stderr, "rqpi check: no memory for a replay\n");
		exit(3);
	}
	if (rqs_world_begin(scenario)) {
		rqs_listener = out ? print_event : NULL;
		diverged = play(scenario, path, steps, seen);
		rqs_listener = NULL;
	}
	free(seen);
	*found = rqs_violation;
	return diverged;
}
