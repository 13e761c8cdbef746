/* SPDX-License-Identifier: MIT */
/*
 * judge.c - is a state as it should be? The invariants of the engine where no raw lock is held, and
 * at the end that everybody has ended and nothing is left behind.
 *
 * Called by the explorers for every state.
 */
#include "sim/explore.h"

#include <stdio.h>
#include <string.h>

#include "sim/monitor.h"

bool rqs_end_to_end;

static void keep_first_line(void *arg, const char *line)
{
	char *text = arg;

	if (!*text)
		snprintf(text, sizeof(rqs_violation.text), "%s", line);
}

/* Somebody at work on the engine may be in the middle of it. */
static bool is_at_rest(void)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (rqs_world->tasks[i].raw_locks)
			return false;
	}
	return true;
}

/*
 * A task that is in no operation, NULL: all are. With it the words are looked at, too. (Who ends
 * is in one: it may wait for its own exit_lock.)
 */
static const struct rqs_task *idle_task(const struct rqs_scenario *scenario)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks && !scenario->lies; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];

		if (t->status == RQS_READY && !t->in_kernel)
			return t;
	}
	return NULL;
}

bool rqs_broken_invariant(const struct rqs_scenario *scenario,
			  char text[sizeof(rqs_violation.text)])
{
	const struct rqs_task *idle = idle_task(scenario);
	bool broken;

	*text = '\0';
	if (!is_at_rest())
		return false;
	if (rqs_is_still_marked(text, sizeof(rqs_violation.text)))
		return true;
	if (idle)
		rqs_switch_space(idle);
	broken = rqpi_engine_check(rqs_world->engine, idle ? idle->task : NULL, keep_first_line,
				   text) != 0;
	if (idle)
		rqs_switch_space(idle);
	return broken;
}

/* The priorities are what a program can see, so they are looked at end to end, too. */
static bool check_engine(const struct rqs_scenario *scenario)
{
	char text[sizeof(rqs_violation.text)];

	if (!rqs_end_to_end && rqs_broken_invariant(scenario, text) &&
	    (!scenario->invariant || strstr(text, scenario->invariant)))
		rqs_fail("invariant", "%s", text);
	else if (is_at_rest() && !scenario->invariant && !scenario->unjudged)
		rqs_urgency_state();
	return !rqs_violation.found;
}

bool rqs_world_ended(void)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (rqs_world->tasks[i].status != RQS_ENDED)
			return false;
	}
	return true;
}

static void describe(char *text, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < rqs_world->n_tasks && n < size; i++) {
		const struct rqs_task *t = &rqs_world->tasks[i];

		if (t->status != RQS_ENDED)
			n += (size_t)snprintf(text + n, size - n, "%s%c %s", n ? ", " : "",
					      rqs_name(t),
					      t->wants ? "waits for a raw lock" : "sleeps");
	}
}

/* Whoever still waits knows nothing of a time to come, a signal, or a wake-up. */
static void check_all_ended(const struct rqs_scenario *scenario)
{
	char text[128] = "";
	enum rqs_left left;

	if (rqs_world_ended())
		return;
	left = rqs_monitor_left(text, sizeof(text));
	if (left == RQS_LEFT_BLOCKED && scenario->may_wait)
		return;
	if (left == RQS_LEFT_LOST)
		rqs_fail("lost wakeup",
			 "posix: a signal or broadcast has released one of those that wait (%s), "
			 "and nobody goes on",
			 text);
	describe(text, sizeof(text));
	rqs_fail("lost wakeup", "nothing can happen any more, and not all have ended: %s", text);
}

static void check_nothing_left(void)
{
	char text[sizeof(rqs_violation.text)] = "";

	rqpi_engine_dump(rqs_world->engine, keep_first_line, text);
	if (*text)
		rqs_fail("left behind", "%s", text);
}

void rqs_fail_livelock(void)
{
	rqs_fail("livelock", "the most urgent task goes in circles");
}

void rqs_fail_no_end(void)
{
	rqs_fail("no way to the end", "whatever happens from here on, not all will end");
}

static bool judge(const struct rqs_scenario *scenario, int choices)
{
	if (!check_engine(scenario))
		return false;
	if (choices)
		return true;
	check_all_ended(scenario);
	if (!rqs_violation.found && !rqs_end_to_end && rqs_world_ended())
		check_nothing_left();
	if (!rqs_violation.found && scenario->end)
		scenario->end();
	return !rqs_violation.found;
}

bool rqs_judge(const struct rqs_scenario *scenario, int choices)
{
	volatile bool good = false; /* a fault in judge() comes back here */

	if (rqs_violation.found)
		return false;
	if (!sigsetjmp(rqs_judging, 0)) {
		rqs_is_judging = true;
		good = judge(scenario, choices);
	}
	rqs_is_judging = false;
	return good;
}
