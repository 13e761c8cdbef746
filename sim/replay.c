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

static long play(const struct rqs_scenario *scenario, const struct rqs_path *path,
		 struct rqs_recorder *r, struct rqs_hash *seen)
{
	struct rqs_choice list[RQS_CHOICES];

	seen[0] = rqs_state_hash();
	for (size_t i = 0; i < path->count; i++) {
		if (!rqs_is_possible(path->choice[i]))
			return (long)i + 1;
		if (take(r, path->choice[i]))
			look_for_circle(seen, i + 1);
		if (!rqs_judge(scenario, rqs_choices(list)))
			return i + 1 == path->count ? -1 : (long)i + 2;
	}
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
