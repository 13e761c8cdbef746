/* SPDX-License-Identifier: MIT */
/*
 * cmd_conform.c - `rqpi conform`: is a futex what Linux's is? Vectors, then random programs.
 *
 * Owns the options, where the vectors are, the summary and the exit status; the work is done in
 * conform/.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd.h"
#include "conform/conform.h"

enum { SECONDS_DEFAULT = 10 };

struct options {
	int vectors, random, list, json, verbose, unsafe;
	long seconds, operations;
	char *seed, *on, *vector;
	uint64_t seed_value;
};

struct vectors {
	struct conform_program *list;
	int count;
};

static int check_options(struct options *o)
{
	char *end;

	if (o->seconds < 0 || o->operations < 0) {
		fprintf(stderr, "rqpi conform: --seconds and --operations cannot be negative\n");
		return -1;
	}
	if (!o->vectors && !o->random)
		o->vectors = o->random = 1;
	if (o->vector && !o->list) {
		o->vectors = 1;
		o->random = 0;
	}
	if (!o->seconds && !o->operations)
		o->seconds = SECONDS_DEFAULT;
	if (!o->seed) {
		if (getrandom(&o->seed_value, sizeof(o->seed_value), 0) < 0)
			o->seed_value = (uint64_t)getpid();
		/* Short enough to be typed, and exact as a number of JSON. */
		o->seed_value = (o->seed_value >> 24) << 8;
		return 0;
	}
	errno = 0;
	o->seed_value = strtoull(o->seed, &end, 10);
	if (*end || end == o->seed || errno || *o->seed == '-') {
		fprintf(stderr, "rqpi conform: --seed %s: must be a number\n", o->seed);
		return -1;
	}
	return 0;
}

/* Returns 0, or -1 after a message. --help does not return. */
static int parse_options(struct options *o, int argc, char **argv)
{
	struct poptOption table[] = {
	    {"vectors", 0, POPT_ARG_NONE, &o->vectors, 0, "replay the vectors only", NULL},
	    {"random", 0, POPT_ARG_NONE, &o->random, 0, "play random programs only", NULL},
	    {"seconds", 0, POPT_ARG_LONG, &o->seconds, 0,
	     "how long random programs are played; 10, if no number of operations is given", "N"},
	    {"operations", 0, POPT_ARG_LONG, &o->operations, 0,
	     "how many steps of random programs are played", "N"},
	    {"seed", 0, POPT_ARG_STRING, &o->seed, 0, "of the first random program", "S"},
	    {"on", 0, POPT_ARG_STRING, &o->on, 0,
	     "linux, engine, or both, which is also compared; all there is by default", "LANE"},
	    {"vector", 0, POPT_ARG_STRING, &o->vector, 0,
	     "one vector, or those of one file (a name with .json)", "NAME|FILE"},
	    {"list", 0, POPT_ARG_NONE, &o->list, 0, "list the vectors and run none", NULL},
	    {"unsafe", 0, POPT_ARG_NONE, &o->unsafe, 0,
	     "run on Linux what damages a kernel that has CVE-2026-43499", NULL},
	    {"verbose", 'v', POPT_ARG_NONE, &o->verbose, 0, "print every step of every vector",
	     NULL},
	    {"json", 0, POPT_ARG_NONE, &o->json, 0, "print one JSON object and nothing else", NULL},
	    POPT_AUTOHELP POPT_TABLEEND};
	poptContext context;
	int status = 0;
	int c;

	argv[0] = (char[]){"rqpi conform"};
	context = poptGetContext("rqpi", argc, (const char **)argv, table, 0);
	c = poptGetNextOpt(context);
	if (c < -1) {
		fprintf(stderr, "rqpi conform: %s: %s\n", poptBadOption(context, 0),
			poptStrerror(c));
		status = -1;
	} else if (poptPeekArg(context)) {
		fprintf(stderr, "rqpi conform: what is '%s'? See 'rqpi conform --help'.\n",
			poptPeekArg(context));
		status = -1;
	} else {
		status = check_options(o);
	}
	poptFreeContext(context);
	return status;
}

/* All lanes of this build; the kernel is the last, since others are played before it. */
static const struct conform_lane *const all_lanes[] = {
#ifdef RQPI_HAVE_ENGINE
    &conform_lane_engine,
#endif
    &conform_lane_linux,
};

enum { ALL_LANES = sizeof(all_lanes) / sizeof(all_lanes[0]) };

static int choose_lanes(const char *on, struct conform_options *o)
{
	bool both = on && !strcmp(on, "both");

	for (int i = 0; i < ALL_LANES; i++) {
		if (!on || both || !strcmp(on, all_lanes[i]->name))
			o->lanes[o->lane_count++] = all_lanes[i];
	}
	if (o->lane_count > (both ? 1 : 0))
		return 0;
	if (both || !strcmp(on, "engine"))
		fprintf(stderr, "rqpi conform: --on %s: this build has no engine\n", on);
	else
		fprintf(stderr, "rqpi conform: --on %s: must be linux, engine or both\n", on);
	return -1;
}

/* Where the vectors are: as the user says, beside this program in a build tree, installed. */
static int find_folder(char *folder)
{
	const char *chosen = getenv("RQPI_CONFORM_VECTORS");
	char own[PATH_MAX], beside[PATH_MAX + 16] = "";
	struct stat st;

	if (chosen && *chosen) {
		snprintf(folder, PATH_MAX, "%s", chosen);
		if (!stat(folder, &st) && S_ISDIR(st.st_mode))
			return 0;
		fprintf(stderr, "rqpi conform: RQPI_CONFORM_VECTORS=%s: not a folder\n", chosen);
		return -1;
	}
	if (!preload_own_folder(own)) {
		snprintf(beside, sizeof(beside), "%s/conform", own);
		if (strlen(beside) < PATH_MAX && !stat(beside, &st) && S_ISDIR(st.st_mode)) {
			memcpy(folder, beside, strlen(beside) + 1);
			return 0;
		}
	}
	snprintf(folder, PATH_MAX, "%s", RQPI_CONFORM_INSTALLED);
	if (!stat(folder, &st) && S_ISDIR(st.st_mode))
		return 0;
	fprintf(stderr,
		"rqpi conform: cannot find the vectors; tried:\n  %s\n  %s\n"
		"Set RQPI_CONFORM_VECTORS to their folder.\n",
		beside, RQPI_CONFORM_INSTALLED);
	return -1;
}

static int load_folder(struct vectors *v)
{
	char folder[PATH_MAX], pattern[PATH_MAX + 16];
	int status = 0;
	glob_t found;

	if (find_folder(folder))
		return -1;
	snprintf(pattern, sizeof(pattern), "%s/*.json", folder);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr, "rqpi conform: %s: no vectors there\n", folder);
		return -1;
	}
	for (size_t i = 0; i < found.gl_pathc && !status; i++)
		status = conform_load_file(found.gl_pathv[i], &v->list, &v->count) < 0 ? -1 : 0;
	globfree(&found);
	return status;
}

/* Keep the one that is named, and drop the others. */
static int keep_only(struct vectors *v, const char *name)
{
	int kept = 0;

	for (int i = 0; i < v->count; i++) {
		if (strcmp(v->list[i].name, name) != 0)
			conform_program_free(&v->list[i]);
		else
			v->list[kept++] = v->list[i];
	}
	v->count = kept;
	if (kept)
		return 0;
	fprintf(stderr, "rqpi conform: --vector %s: no vector has this name, see --list\n", name);
	return -1;
}

static int load_vectors(const struct options *o, struct vectors *v)
{
	size_t length = o->vector ? strlen(o->vector) : 0;

	if (length > 5 && !strcmp(o->vector + length - 5, ".json"))
		return conform_load_file(o->vector, &v->list, &v->count) < 0 ? -1 : 0;
	if (load_folder(v))
		return -1;
	return o->vector ? keep_only(v, o->vector) : 0;
}

static void list_vectors(const struct vectors *v)
{
	for (int i = 0; i < v->count; i++) {
		printf("%-40s ", v->list[i].name);
		for (int k = 0; k < v->list[i].rule_count; k++)
			printf("%s%s", k ? "," : "", v->list[i].rules[k]);
		printf("  %s\n", v->list[i].title);
	}
}

static struct json_object *new_names(const struct conform_names *names)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < names->count; i++)
		json_object_array_add(list, json_object_new_string(names->names[i]));
	return list;
}

static void add_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static struct json_object *new_kernel(const struct conform_kernel *k)
{
	struct json_object *kernel = json_object_new_object();
	char version[48];

	snprintf(version, sizeof(version), "%d.%d.%d", k->version.part[0], k->version.part[1],
		 k->version.part[2]);
	json_object_object_add(kernel, "version", json_object_new_string(version));
	json_object_object_add(kernel, "preempt_rt", json_object_new_boolean(k->realtime));
	return kernel;
}

static void print_json(const struct conform_options *c, const struct conform_report *r,
		       uint64_t seed)
{
	struct json_object *root = json_object_new_object(), *random = json_object_new_object();

	json_object_object_add(root, "kernel", new_kernel(&c->kernel));
	add_number(root, "vectors", r->vectors);
	add_number(root, "agree", r->agree);
	json_object_object_add(root, "differ", new_names(&r->differ));
	json_object_object_add(root, "skipped", new_names(&r->skipped));
	add_number(random, "programs", r->programs);
	add_number(random, "operations", r->operations);
	add_number(random, "differences", r->differences);
	add_number(random, "unstable", r->unstable);
	add_number(random, "forgotten_boosts", r->forgotten_boosts);
	json_object_object_add(random, "seed", json_object_new_uint64(seed));
	json_object_object_add(root, "random", random);
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static void print_summary(const struct conform_report *r, uint64_t seed)
{
	for (int i = 0; i < r->skipped.count; i++)
		printf("skipped  %s\n", r->skipped.names[i]);
	if (r->vectors)
		printf("%d vectors: %d agree, %d differ, %d skipped\n", r->vectors, r->agree,
		       r->differ.count, r->skipped.count);
	if (r->random)
		printf("%ld random programs, %ld operations: %ld differences, %ld unstable; "
		       "seed %llu\n",
		       r->programs, r->operations, r->differences, r->unstable,
		       (unsigned long long)seed);
	if (r->forgotten_boosts)
		printf("%ld programs ended where Linux forgets a boost (rules 15.9, 15.15)\n",
		       r->forgotten_boosts);
}

static int run(const struct options *o, struct conform_options *c, struct vectors *v)
{
	struct conform_report report = {0};
	int code = RQPI_EXIT_DONE;
	struct utsname name;

	uname(&name);
	conform_find_kernel(&c->kernel);
	if (!o->json)
		printf("on Linux %s\n", c->kernel.name);
	c->unsafe = o->unsafe || conform_kernel_is_safe(name.release);
	c->verbose = o->verbose;
	c->out = o->json ? NULL : stdout;
	c->seed = o->seed_value;
	c->seconds = o->seconds;
	c->operations = o->operations;
	for (int i = 0; i < c->lane_count; i++)
		c->setting.guard = c->setting.guard ||
				   (c->lanes[i] == &conform_lane_linux && !c->unsafe);
	if (o->vectors)
		conform_run_vectors(c, v->list, v->count, &report);
	if (o->random && conform_run_random(c, &report))
		code = RQPI_EXIT_CANNOT;
	if (o->json)
		print_json(c, &report, o->seed_value);
	else
		print_summary(&report, o->seed_value);
	if (report.differ.count || report.differences || report.unstable)
		code = RQPI_EXIT_FINDING;
	conform_report_free(&report);
	return code;
}

int cmd_conform(int argc, char **argv)
{
	struct conform_options conform = {0};
	struct options options = {0};
	struct vectors vectors = {0};
	int code = RQPI_EXIT_CANNOT;

	if (parse_options(&options, argc, argv) || choose_lanes(options.on, &conform) ||
	    conform_find_setting(&conform.setting))
		return RQPI_EXIT_CANNOT;
	if (!(options.vectors || options.list) || !load_vectors(&options, &vectors)) {
		code = RQPI_EXIT_DONE;
		if (options.list)
			list_vectors(&vectors);
		else
			code = run(&options, &conform, &vectors);
	}
	for (int i = 0; i < vectors.count; i++)
		conform_program_free(&vectors.list[i]);
	free(vectors.list);
	return code;
}
