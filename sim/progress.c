/* SPDX-License-Identifier: MIT */
/*
 * progress.c - a line that says how far a visit has come. See progress.h.
 *
 * Called by the command and by the explorers, through rqs_limits. By lot it is known how much is
 * left. A search does not know how many states there are: it says how full the table is, and when
 * it would be full, or the time be over, at the present rate.
 */
#define _GNU_SOURCE
#include "sim/progress.h"

#include <stdio.h>
#include <unistd.h>

static const double every = 0.25; /* seconds */

static const char *subject;
static double last_time;
static uint64_t last_transitions;
static double rate; /* transitions in a second */
static bool is_shown;

void rqs_progress_begin(const char *name)
{
	subject = name;
	last_time = rqs_seconds();
	last_transitions = 0;
	rate = 0;
}

/* What remains, in seconds, of @part of a whole that took @seconds so far. */
static double remaining(double part, double seconds)
{
	return part > 0 ? seconds / part - seconds : 0;
}

static void print_left(const struct rqs_limits *limits, const struct rqs_result *r, double seconds)
{
	if (!r->visited && limits->executions)
		fprintf(stderr, ", %.0f s left",
			remaining((double)r->executions / (double)limits->executions, seconds));
	else if (limits->seconds > 0)
		fprintf(stderr, ", stops in %.0f s", limits->seconds - seconds);
	if (r->visited)
		fprintf(stderr, ", table %.1f %% full, which takes %.0f s more at least",
			100 * rqs_visited_fill(r->visited),
			remaining(rqs_visited_fill(r->visited), seconds));
}

void rqs_progress(const struct rqs_limits *limits, const struct rqs_result *result)
{
	double now = rqs_seconds();
	double seconds = now - result->seconds;

	if (now - last_time < every || !isatty(STDERR_FILENO))
		return;
	if (result->transitions > last_transitions)
		rate = (double)(result->transitions - last_transitions) / (now - last_time);
	last_time = now;
	last_transitions = result->transitions;
	fprintf(stderr, "\r\033[K%s: ", subject);
	if (result->visited)
		fprintf(stderr, "%.2f M states, depth %zu", (double)result->states / 1e6,
			result->depth);
	else
		fprintf(stderr, "%llu executions, %.0f in a second",
			(unsigned long long)result->executions,
			(double)result->executions / seconds);
	fprintf(stderr, ", %.2f M transitions/s, %.0f s", rate / 1e6, seconds);
	print_left(limits, result, seconds);
	fflush(stderr);
	is_shown = true;
}

void rqs_progress_end(void)
{
	if (is_shown)
		fputs("\r\033[K", stderr);
	is_shown = false;
}
