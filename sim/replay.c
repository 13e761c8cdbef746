/* SPDX-License-Identifier: MIT */
/*
 * replay.c - a path played once more. See replay.h.
 *
 * Called by the command. For a recording the path is played twice: the first time it is only seen
 * which words change, and what they are.
 */
#include "sim/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/record.h"
#include "sim/site.h"

void *rqs_need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "rqpi check: no memory for a replay\n");
		exit(3);
	}
	return memory;
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

static bool take(struct rqs_recorder *r, struct rqs_choice choice)
{
	bool good;

	if (!r)
		return rqs_take(choice);
	rqs_before_step(r, choice);
	good = rqs_take(choice);
	rqs_after_step(r, choice);
	return good;
}

/* Is this not where the task stood when the path was recorded? Then it is said in @text. */
static bool has_diverged(struct rqs_choice choice, char *text, size_t size)
{
	uint8_t code = rqs_site_code(choice.task);
	const char *was = rqs_site_of_code(choice.site);
	char here[96];

	if (!rqs_is_possible(choice)) {
		snprintf(text, size, "it cannot be taken");
		return true;
	}
	if (!choice.site || choice.site == code)
		return false;
	rqs_site_text(choice.task, here, sizeof(here));
	snprintf(text, size, "%c is at %.80s, and was at %s%s", 'a' + choice.task, here, was,
		 was == rqs_site_of_code(code) ? ", another one" : "");
	return true;
}

static long play(const struct rqs_scenario *scenario, const struct rqs_path *path,
		 struct rqs_recorder *r, struct rqs_hash *seen)
{
	struct rqs_choice list[RQS_CHOICES];

	seen[0] = rqs_state_hash();
	for (size_t i = 0; i < path->count; i++) {
		if (has_diverged(path->choice[i], rqs_violation.text, sizeof(rqs_violation.text)))
			return (long)i + 1;
		if (take(r, path->choice[i]))
			look_for_circle(seen, i + 1);
		if (!rqs_judge(scenario, rqs_choices(list)))
			return i + 1 == path->count ? -1 : (long)i + 2;
	}
	if (path->no_end && !rqs_can_end())
		rqs_fail_no_end();
	return -1;
}

static long play_twice(const struct rqs_scenario *scenario, const struct rqs_path *path,
		       struct rqs_recording *to, struct rqs_hash *seen)
{
	struct rqs_recorder r;
	long diverged;

	rqs_recorder_open(&r, scenario, path, to);
	diverged = play(scenario, path, &r, seen);
	rqs_forget_notes();
	if (rqs_world_begin(scenario)) {
		rqs_recorder_begin(&r);
		diverged = play(scenario, path, &r, seen);
	}
	rqs_recorder_close(&r);
	return diverged;
}

long rqs_replay(const struct rqs_scenario *scenario, const struct rqs_path *path,
		struct rqs_recording *recording, struct rqs_violation *found)
{
	struct rqs_hash *seen = rqs_need(calloc(path->count + 1, sizeof(*seen)));
	long diverged = -1;

	if (recording)
		*recording = (struct rqs_recording){.scenario = scenario, .path = path};
	if (rqs_world_begin(scenario))
		diverged = recording ? play_twice(scenario, path, recording, seen)
				     : play(scenario, path, NULL, seen);
	free(seen);
	*found = rqs_violation;
	return diverged;
}
