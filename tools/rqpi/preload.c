/* SPDX-License-Identifier: MIT */
/*
 * preload.c - where the preloads are, and how a value of LD_PRELOAD is made of them; for cmd_run.c
 * and cmd_demo.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const char *const names[] = {
    [PRELOAD_COND] = "librqpi-preload.so",
    [PRELOAD_MUTEX] = "librqpi-preload-mutex.so",
};

int preload_own_folder(char *path)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return -1;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -1;
	*slash = '\0';
	return 0;
}

/* LD_PRELOAD separates by spaces and colons and has no way to quote them. */
static int check_expressible(const char *who, const char *path)
{
	if (!strpbrk(path, " :\t\n"))
		return 0;
	fprintf(stderr,
		"rqpi %s: %s: LD_PRELOAD cannot express a path with a space or a colon in it\n",
		who, path);
	return -1;
}

/* @folder/@name, if it can be read; else what was tried is in @path all the same. */
static bool lies_in(const char *folder, const char *name, char *path)
{
	char tried[PATH_MAX + 64];

	snprintf(tried, sizeof(tried), "%s/%s", folder, name);
	if (realpath(tried, path) && !access(path, R_OK))
		return true;
	snprintf(path, PATH_MAX, "%.*s", PATH_MAX - 1, tried);
	return false;
}

/* $RQPI_PRELOAD names librqpi-preload.so; the other one lies beside it. */
static int find_chosen(const char *who, enum preload which, const char *chosen, char *path)
{
	char *slash;

	if (!realpath(chosen, path) || access(path, R_OK)) {
		fprintf(stderr, "rqpi %s: RQPI_PRELOAD=%s: %s\n", who, chosen, strerror(errno));
		return -1;
	}
	slash = strrchr(path, '/');
	if (which != PRELOAD_COND && slash) {
		char folder[PATH_MAX];

		*slash = '\0';
		snprintf(folder, sizeof(folder), "%s", path);
		if (!lies_in(folder, names[which], path)) {
			fprintf(stderr, "rqpi %s: RQPI_PRELOAD=%s: there is no %s beside it\n", who,
				chosen, names[which]);
			return -1;
		}
	}
	return check_expressible(who, path);
}

int preload_find(const char *who, enum preload which, char *path)
{
	const char *chosen = getenv("RQPI_PRELOAD");
	char folder[PATH_MAX];
	char in_tree[PATH_MAX + 64] = "";

	if (chosen && *chosen)
		return find_chosen(who, which, chosen, path);
	if (!preload_own_folder(folder)) {
		snprintf(in_tree, sizeof(in_tree), "%s/../../src", folder);
		if (lies_in(in_tree, names[which], path))
			return check_expressible(who, path);
	}
	if (lies_in(RQPI_PRELOAD_INSTALLED, names[which], path))
		return check_expressible(who, path);
	fprintf(stderr, "rqpi %s: cannot find %s; tried:\n", who, names[which]);
	if (*in_tree)
		fprintf(stderr, "  %s/%s\n", in_tree, names[which]);
	fprintf(stderr, "  %s/%s\nSet RQPI_PRELOAD to the path of %s.\n", RQPI_PRELOAD_INSTALLED,
		names[which], names[PRELOAD_COND]);
	return -1;
}

static bool is_preload(const char *entry, size_t length, enum preload which)
{
	const char *slash = memrchr(entry, '/', length);
	const char *base = slash ? slash + 1 : entry;

	length -= (size_t)(base - entry);
	return strlen(names[which]) == length && !memcmp(base, names[which], length);
}

static bool is_our_preload(const char *entry, size_t length)
{
	return is_preload(entry, length, PRELOAD_COND) || is_preload(entry, length, PRELOAD_MUTEX);
}

bool preload_named(const char *inherited, enum preload which)
{
	const char *rest = inherited ? inherited : "";

	while (*(rest += strspn(rest, " :"))) {
		size_t length = strcspn(rest, " :");

		if (is_preload(rest, length, which))
			return true;
		rest += length;
	}
	return false;
}

char *preload_join(const char *preload, const char *inherited)
{
	const char *rest = inherited ? inherited : "";
	size_t size = (preload ? strlen(preload) : 0) + strlen(rest) + 2;
	char *joined = malloc(size);
	size_t used;

	if (!joined) {
		fprintf(stderr, "rqpi: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	used = (size_t)snprintf(joined, size, "%s", preload ? preload : "");
	for (;;) {
		size_t length;

		rest += strspn(rest, " :");
		length = strcspn(rest, " :");
		if (!length)
			break;
		if (!is_our_preload(rest, length))
			used += (size_t)snprintf(joined + used, size - used, "%s%.*s",
						 used ? ":" : "", (int)length, rest);
		rest += length;
	}
	return joined;
}
