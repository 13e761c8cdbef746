/* SPDX-License-Identifier: MIT */
/*
 * cmd_check.c - `rqpi check`: become the program of the checker, rqpi-check, which has the code
 * under test in it; or the one that looks for races; or one with a historical bug planted; or run
 * all of those and tell which were found.
 *
 * Only a build tree has the programs with a bug: none is ever installed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cmd.h"

enum { EXIT_CLEAN, EXIT_VIOLATION, EXIT_INCOMPLETE, EXIT_UNUSABLE };

#define PROGRAM "rqpi-check"
#define RACES	"races" /* as if it were a mutant: the program that looks for races */
#define SECONDS "10"	/* in which a mutant must be found, for each order */

/* The folder with the programs: $RQPI_CHECK_DIR, the build tree, or where they are installed. */
static int find_folder(char *folder, size_t size)
{
	const char *chosen = getenv("RQPI_CHECK_DIR");
	char own[PATH_MAX], tried[PATH_MAX + 32] = "", program[PATH_MAX + 64];

	if (!chosen && !preload_own_folder(own)) {
		snprintf(tried, sizeof(tried), "%s/../../sim", own);
		snprintf(program, sizeof(program), "%s/" PROGRAM, tried);
		if (!access(program, X_OK))
			chosen = tried;
	}
	if (!chosen || !*chosen)
		chosen = RQPI_CHECK_INSTALLED;
	snprintf(program, sizeof(program), "%s/" PROGRAM, chosen);
	if (!access(program, X_OK)) {
		snprintf(folder, size, "%s", chosen);
		return 0;
	}
	fprintf(stderr,
		"rqpi check: %s: %s\nSet RQPI_CHECK_DIR to the folder of " PROGRAM
		" (there is none but on x86-64).\n",
		program, strerror(errno));
	return -1;
}

static int run_program(const char *folder, const char *mutant, char **argv)
{
	char program[2 * PATH_MAX];

	snprintf(program, sizeof(program), "%s/" PROGRAM "%s%s", folder, mutant ? "-" : "",
		 mutant ? mutant : "");
	if (mutant && (strchr(mutant, '/') || access(program, X_OK))) {
		fprintf(stderr,
			"rqpi check: --mutant=%s: there is none of this name in %s; "
			"only a build tree has any, 'rqpi check --mutants' tries them all\n",
			mutant, folder);
		return EXIT_UNUSABLE;
	}
	argv[0] = (char *)(uintptr_t) "rqpi check";
	execv(program, argv);
	fprintf(stderr, "rqpi check: %s: %s\n", program, strerror(errno));
	return EXIT_UNUSABLE;
}

/* ---------------------------------------------------------------- all mutants */

/* What its checker says of the one scenario. NULL: it could not be run. */
static struct json_object *try_order(const char *program, const char *mode)
{
	char command[2 * PATH_MAX], *line = NULL;
	struct json_object *seen = NULL;
	size_t size = 0;
	FILE *out;

	snprintf(command, sizeof(command),
		 "'%s' --suite=mutant --mode=%s --executions=0 --seconds=" SECONDS " --json",
		 program, mode);
	out = popen(command, "re");
	if (!out)
		return NULL;
	if (getline(&line, &size, out) > 0)
		seen = json_tokener_parse(line);
	free(line);
	pclose(out);
	return seen;
}

/* A nearest violation if it is near; one that shows on one CPU alone; or any. */
static struct json_object *try_mutant(const char *program)
{
	static const char *const modes[] = {"bfs", "up", "random"};
	struct json_object *seen = NULL, *violation;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		json_object_put(seen);
		seen = try_order(program, modes[i]);
		violation = NULL;
		if (seen && json_object_object_get_ex(seen, "violation", &violation) && violation)
			break;
	}
	return seen;
}

static void copy_field(struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *value;

	if (json_object_object_get_ex(from, key, &value))
		json_object_object_add(to, key, json_object_get(value));
}

/* {"mutant", "source", "killed", "scenario", "mode", "oracle", "steps", "token", "seconds"} */
static struct json_object *verdict(const char *program)
{
	struct json_object *seen = try_mutant(program), *v = json_object_new_object();
	struct json_object *violation = NULL;
	const char *name = strstr(strrchr(program, '/'), PROGRAM "-") + strlen(PROGRAM "-");

	json_object_object_add(v, "mutant", json_object_new_string(name));
	if (seen)
		copy_field(v, seen, "source");
	if (seen)
		json_object_object_get_ex(seen, "violation", &violation);
	json_object_object_add(v, "killed", json_object_new_boolean(violation != NULL));
	if (violation) {
		copy_field(v, seen, "scenario");
		copy_field(v, seen, "mode");
		copy_field(v, violation, "oracle");
		copy_field(v, violation, "steps");
		copy_field(v, violation, "token");
		copy_field(v, seen, "seconds");
	}
	json_object_put(seen);
	return v;
}

static const char *text_of(struct json_object *v, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(v, key, &value) ? json_object_get_string(value) : "";
}

static void print_verdict(struct json_object *v)
{
	const char *steps = text_of(v, "steps");

	if (*steps)
		printf("killed    %-28s %s, %s steps: %s\n", text_of(v, "mutant"),
		       text_of(v, "scenario"), steps, text_of(v, "oracle"));
	else
		printf("SURVIVED  %s\n", text_of(v, "mutant"));
	fflush(stdout);
}

static int try_mutants(const char *folder, bool json)
{
	char pattern[PATH_MAX + 64];
	struct json_object *all = json_object_new_array();
	size_t survived = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/" PROGRAM "-*", folder);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr,
			"rqpi check: --mutants: there are none in %s; only a build tree has "
			"any\n",
			folder);
		json_object_put(all);
		return EXIT_UNUSABLE;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct json_object *v;

		const char *name = strrchr(found.gl_pathv[i], '/') + 1;

		if (strchr(name, '.') || !strcmp(name, PROGRAM "-" RACES))
			continue; /* what the build left beside the programs; it has no bug */
		v = verdict(found.gl_pathv[i]);
		survived += strcmp(text_of(v, "killed"), "true") != 0;
		if (!json)
			print_verdict(v);
		json_object_array_add(all, v);
	}
	if (json)
		printf("%s\n", json_object_to_json_string_ext(
				   all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		printf("%zu mutants, %zu survived\n", json_object_array_length(all), survived);
	json_object_put(all);
	globfree(&found);
	return survived ? EXIT_VIOLATION : EXIT_CLEAN;
}

/* ---------------------------------------------------------------- */

/*
 * Take --mutant NAME, --mutant=NAME, --races or --mutants out of @argv; the rest is the checker's.
 */
static int take_mutant(char **argv, const char **mutant, bool *all)
{
	int kept = 0;

	for (int i = 0; argv[i]; i++) {
		if (!strcmp(argv[i], "--mutants")) {
			*all = true;
		} else if (!strcmp(argv[i], "--races")) {
			*mutant = RACES;
		} else if (!strncmp(argv[i], "--mutant=", strlen("--mutant="))) {
			*mutant = argv[i] + strlen("--mutant=");
		} else if (!strcmp(argv[i], "--mutant")) {
			if (!argv[i + 1]) {
				fprintf(stderr, "rqpi check: --mutant: a name was expected\n");
				return -1;
			}
			*mutant = argv[++i];
		} else {
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	return 0;
}

int cmd_check(int argc, char **argv)
{
	const char *mutant = NULL;
	char folder[PATH_MAX];
	bool all = false, json;

	(void)argc;
	if (take_mutant(argv, &mutant, &all) || find_folder(folder, sizeof(folder)))
		return EXIT_UNUSABLE;
	if (!all)
		return run_program(folder, mutant, argv);
	json = argv[1] && !strcmp(argv[1], "--json");
	if (argv[1] && (!json || argv[2])) {
		fprintf(stderr, "rqpi check: --mutants goes with --json alone, not with '%s'\n",
			json ? argv[2] : argv[1]);
		return EXIT_UNUSABLE;
	}
	return try_mutants(folder, json);
}
