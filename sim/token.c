/* SPDX-License-Identifier: MIT */
/*
 * token.c - paths to words and back. See token.h.
 *
 * Called by the command.
 */
#define _GNU_SOURCE
#include "sim/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/buffers.h"
#include "sim/monitor.h"

#define VERSION	   "rqpi1:"
#define ONE_CPU	   "1cpu:"
#define END_TO_END "e2e:"
#define BUFFERS	   "buffers:"
#define STRICT	   "strict="

enum { RUN_MAX = 1000000 };

static void put_run(FILE *out, struct rqs_choice choice, size_t length)
{
	static const char *const before[RQS_KINDS] = {
	    [RQS_RUN] = "",   [RQS_TIMER] = "",	 [RQS_SIGNAL] = "!", [RQS_CANCEL] = "#",
	    [RQS_KILL] = "%", [RQS_START] = "^", [RQS_FAULT] = "@",  [RQS_FLUSH] = "="};
	char first = choice.kind == RQS_TIMER ? 'A' : 'a';

	fprintf(out, "%s%c", before[choice.kind], first + choice.task);
	if (length > 1)
		fprintf(out, "%zu", length);
}

char *rqs_token_make(const struct rqs_scenario *scenario, const struct rqs_path *path)
{
	char *token = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&token, &size);
	size_t at = 0;

	if (!out)
		return NULL;
	fprintf(out, VERSION "%s:%s%s%s", scenario->name, rqs_one_cpu ? ONE_CPU : "",
		rqs_end_to_end ? END_TO_END : "", rqs_store_buffers ? BUFFERS : "");
	if (rqs_clause != RQS_CLAUSE_NONE)
		fprintf(out, STRICT "%s:", rqs_clause_names[rqs_clause]);
	while (at < path->count) {
		size_t end = at + 1;

		while (end < path->count && rqs_same_choice(path->choice[end], path->choice[at]))
			end++;
		put_run(out, path->choice[at], end - at);
		at = end;
	}
	fclose(out);
	return token;
}

const struct rqs_scenario *rqs_scenario_named(const char *name, size_t length)
{
	for (int i = 0; rqs_scenarios[i]; i++) {
		if (strlen(rqs_scenarios[i]->name) == length &&
		    !strncmp(rqs_scenarios[i]->name, name, length))
			return rqs_scenarios[i];
	}
	return NULL;
}

/* One run at *@at, which goes behind it. False: there is none. */
static bool read_run(const char **at, struct rqs_path *path)
{
	struct rqs_choice choice = {RQS_RUN, 0};
	const char *p = *at;
	unsigned long length = 1;
	char *end;

	if (*p && strchr("!#%^@=", *p)) {
		choice.kind = *p == '!'	  ? RQS_SIGNAL
			      : *p == '#' ? RQS_CANCEL
			      : *p == '%' ? RQS_KILL
			      : *p == '@' ? RQS_FAULT
			      : *p == '=' ? RQS_FLUSH
					  : RQS_START;
		p++;
	}
	if (*p >= 'a' && *p < 'a' + RQS_ACTORS) {
		choice.task = (uint8_t)(*p - 'a');
	} else if (*p >= 'A' && *p < 'A' + RQS_ACTORS && choice.kind == RQS_RUN) {
		choice.kind = RQS_TIMER;
		choice.task = (uint8_t)(*p - 'A');
	} else {
		return false;
	}
	p++;
	if (*p >= '0' && *p <= '9') {
		length = strtoul(p, &end, 10);
		p = end;
	}
	if (length < 1 || length > RUN_MAX)
		return false;
	while (length--)
		rqs_path_add(path, choice);
	*at = p;
	return true;
}

/* "strict=one:" at *@at, which goes behind it: the clause that was looked at. */
static void read_clause(const char **at)
{
	rqs_clause = RQS_CLAUSE_NONE;
	for (int i = 0; !strncmp(*at, STRICT, strlen(STRICT)) && i < RQS_CLAUSES; i++) {
		size_t length = strlen(rqs_clause_names[i]);
		const char *name = *at + strlen(STRICT);

		if (!strncmp(name, rqs_clause_names[i], length) && name[length] == ':') {
			rqs_clause = (enum rqs_clause)i;
			*at = name + length + 1;
		}
	}
}

const struct rqs_scenario *rqs_token_read(const char *token, struct rqs_path *path, char *why,
					  size_t size)
{
	const struct rqs_scenario *scenario;
	const char *name = token + strlen(VERSION);
	const char *at;

	*path = (struct rqs_path){NULL, 0, 0};
	if (strncmp(token, VERSION, strlen(VERSION)) != 0 || !(at = strchr(name, ':'))) {
		snprintf(why, size, "'%s' is no token: " VERSION "SCENARIO:STEPS was expected",
			 token);
		return NULL;
	}
	scenario = rqs_scenario_named(name, (size_t)(at - name));
	if (!scenario) {
		snprintf(why, size, "'%.*s' is no scenario", (int)(at - name), name);
		return NULL;
	}
	at++;
	rqs_one_cpu = !strncmp(at, ONE_CPU, strlen(ONE_CPU));
	if (rqs_one_cpu)
		at += strlen(ONE_CPU);
	rqs_end_to_end = !strncmp(at, END_TO_END, strlen(END_TO_END));
	if (rqs_end_to_end)
		at += strlen(END_TO_END);
	rqs_store_buffers = !strncmp(at, BUFFERS, strlen(BUFFERS));
	if (rqs_store_buffers)
		at += strlen(BUFFERS);
	read_clause(&at);
	while (*at) {
		if (!read_run(&at, path)) {
			snprintf(why, size, "no step begins at '%.20s'", at);
			free(path->choice);
			return NULL;
		}
	}
	return scenario;
}
