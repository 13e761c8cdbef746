/* SPDX-License-Identifier: MIT */
/* strict.c - what POSIX does not demand of a condvar, clause by clause. See strict.h. */
#include "sim/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "sim/monitor.h"
#include "sim/shrink.h"
#include "sim/token.h"

/*
 * Depth first, which takes the least memory; and if it is broken, breadth first, for the nearest.
 */
static void explore(const struct rqs_scenario *s, const struct rqs_limits *limits,
		    struct rqs_result *r)
{
	struct rqs_result nearest;

	rqs_explore(s, RQS_DFS, limits, r);
	if (!r->violation.found)
		return;
	rqs_explore(s, RQS_BFS, limits, &nearest);
	if (nearest.violation.found) {
		free(r->path.choice);
		*r = nearest;
	} else {
		free(nearest.path.choice);
		rqs_shrink(s, r);
	}
}

static enum rqs_strict verdict(const struct rqs_result *r)
{
	if (r->violation.found)
		return RQS_STRICT_BROKEN;
	return r->complete ? RQS_STRICT_HELD : RQS_STRICT_INCOMPLETE;
}

static void print_text(const struct rqs_scenario *s, const struct rqs_result *r, const char *token)
{
	static const char *const words[] = {"holds", "BROKEN", "unknown"};

	printf("%-28s %-7s %-7s %s", s->name, rqs_clause_names[rqs_clause], words[verdict(r)],
	       rqs_clause_texts[rqs_clause]);
	if (!r->violation.found) {
		printf(r->complete ? " (%llu states)\n" : " (%llu states, stopped by %s)\n",
		       (unsigned long long)r->states, r->stopped);
		return;
	}
	printf(": not after %zu steps\n", r->path.count);
	if (strcmp(r->violation.oracle, "strict") != 0)
		printf("  %s: %s\n", r->violation.oracle, r->violation.text);
	printf("  rqpi check --replay %s\n", token);
}

static void print_json(const struct rqs_scenario *s, const struct rqs_result *r, const char *token)
{
	struct json_object *root = json_object_new_object();
	struct json_object *v = NULL;

	json_object_object_add(root, "scenario", json_object_new_string(s->name));
	json_object_object_add(root, "clause",
			       json_object_new_string(rqs_clause_names[rqs_clause]));
	json_object_object_add(root, "holds",
			       json_object_new_boolean(verdict(r) == RQS_STRICT_HELD));
	json_object_object_add(root, "states", json_object_new_uint64(r->states));
	json_object_object_add(root, "complete", json_object_new_boolean(r->complete));
	json_object_object_add(root, "seconds", json_object_new_double(r->seconds));
	if (r->violation.found) {
		v = json_object_new_object();
		json_object_object_add(v, "oracle", json_object_new_string(r->violation.oracle));
		json_object_object_add(v, "text", json_object_new_string(r->violation.text));
		json_object_object_add(v, "steps", json_object_new_int64((int64_t)r->path.count));
		json_object_object_add(v, "token", json_object_new_string(token));
	}
	json_object_object_add(root, "violation", v);
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static enum rqs_strict worse(enum rqs_strict a, enum rqs_strict b)
{
	if (a == RQS_STRICT_BROKEN || b == RQS_STRICT_BROKEN)
		return RQS_STRICT_BROKEN;
	return a > b ? a : b;
}

enum rqs_strict rqs_check_strict(const struct rqs_scenario *scenario,
				 const struct rqs_limits *limits, bool json)
{
	enum rqs_strict all = RQS_STRICT_HELD;

	for (int i = RQS_CLAUSE_NONE + 1; i < RQS_CLAUSES; i++) {
		struct rqs_result r;
		char *token;

		rqs_clause = (enum rqs_clause)i;
		explore(scenario, limits, &r);
		token = r.violation.found ? rqs_token_make(scenario, &r.path) : NULL;
		if (json)
			print_json(scenario, &r, token ? token : "");
		else
			print_text(scenario, &r, token ? token : "");
		fflush(stdout);
		all = worse(all, verdict(&r));
		free(token);
		free(r.path.choice);
		if (limits->stop && *limits->stop)
			break;
	}
	rqs_clause = RQS_CLAUSE_NONE;
	return all;
}
