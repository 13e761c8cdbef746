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
#include "sim/site.h"

#define VERSION	    "rqpi2:"
#define OLD_VERSION "rqpi1:"
#define ONE_CPU	    "1cpu:"
#define END_TO_END  "e2e:"
#define NO_END	    "noend:"
#define BUFFERS	    "buffers:"
#define STRICT	    "strict="

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

static const char digits[RQS_SITE_CODES + 1] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/* Where the task of each step stands before it: the path is played. */
static void put_sites(FILE *out, const struct rqs_scenario *scenario, const struct rqs_path *path)
{
	bool good = rqs_world_begin(scenario);

	for (size_t i = 0; i < path->count && good && rqs_is_possible(path->choice[i]); i++) {
		fputc(digits[rqs_site_code(path->choice[i].task) - 1], out);
		good = rqs_take(path->choice[i]);
	}
}

char *rqs_token_make(const struct rqs_scenario *scenario, const struct rqs_path *path)
{
	char *token = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&token, &size);
	size_t at = 0;

	if (!out)
		return NULL;
	fprintf(out, VERSION "%s:%s%s%s%s", scenario->name, rqs_one_cpu ? ONE_CPU : "",
		rqs_end_to_end ? END_TO_END : "", rqs_store_buffers ? BUFFERS : "",
		path->no_end ? NO_END : "");
	if (rqs_clause != RQS_CLAUSE_NONE)
		fprintf(out, STRICT "%s:", rqs_clause_names[rqs_clause]);
	while (at < path->count) {
		size_t end = at + 1;

		while (end < path->count && rqs_same_choice(path->choice[end], path->choice[at]))
			end++;
		put_run(out, path->choice[at], end - at);
		at = end;
	}
	fputc(':', out);
	put_sites(out, scenario, path);
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
	struct rqs_choice choice = {.kind = RQS_RUN};
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

/* Behind @word, if *@at begins with it. */
static bool skip(const char **at, const char *word)
{
	if (strncmp(*at, word, strlen(word)) != 0)
		return false;
	*at += strlen(word);
	return true;
}

/* A character for each step. */
static bool read_sites(const char *at, struct rqs_path *path)
{
	if (strlen(at) != path->count)
		return false;
	for (size_t i = 0; i < path->count; i++) {
		const char *digit = strchr(digits, at[i]);

		if (!digit)
			return false;
		path->choice[i].site = (uint8_t)(digit - digits + 1);
	}
	return true;
}

/* The runs at @at, and the sites behind them. */
static bool read_steps(const char *at, bool has_sites, struct rqs_path *path, char *why,
		       size_t size)
{
	while (*at && *at != ':') {
		if (!read_run(&at, path)) {
			snprintf(why, size, "no step begins at '%.20s'", at);
			return false;
		}
	}
	if (has_sites ? !skip(&at, ":") || !read_sites(at, path) : *at) {
		snprintf(why, size,
			 "it is not whole: a site for each of its %zu steps was expected",
			 path->count);
		return false;
	}
	return true;
}

const struct rqs_scenario *rqs_token_read(const char *token, struct rqs_path *path, char *why,
					  size_t size)
{
	const struct rqs_scenario *scenario;
	const char *name = token;
	const char *at;
	bool has_sites = skip(&name, VERSION);

	*path = (struct rqs_path){.count = 0};
	if ((!has_sites && !skip(&name, OLD_VERSION)) || !(at = strchr(name, ':'))) {
		snprintf(why, size,
			 "'%s' is no token: " VERSION "SCENARIO:STEPS:SITES was expected", token);
		return NULL;
	}
	scenario = rqs_scenario_named(name, (size_t)(at - name));
	if (!scenario) {
		snprintf(why, size, "'%.*s' is no scenario", (int)(at - name), name);
		return NULL;
	}
	at++;
	rqs_one_cpu = skip(&at, ONE_CPU);
	rqs_end_to_end = skip(&at, END_TO_END);
	rqs_store_buffers = skip(&at, BUFFERS);
	path->no_end = skip(&at, NO_END);
	read_clause(&at);
	if (read_steps(at, has_sites, path, why, size))
		return scenario;
	free(path->choice);
	return NULL;
}
