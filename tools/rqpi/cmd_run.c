/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - `rqpi run`: put librqpi-preload.so under a program and become that program.
 *
 * Owns the search for the preload, which cmd_demo.c uses too. The program is started by execvp(3)
 * in this very process, so that its exit status, its signals and its parent are its own.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd.h"

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 }; /* as env(1) and the shells say it */

static const char preload_name[] = "librqpi-preload.so";

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

int preload_find(const char *who, char *path)
{
	const char *chosen = getenv("RQPI_PRELOAD");
	char folder[PATH_MAX];
	char in_tree[PATH_MAX + 64] = "";

	if (chosen && *chosen) {
		if (!realpath(chosen, path) || access(path, R_OK)) {
			fprintf(stderr, "rqpi %s: RQPI_PRELOAD=%s: %s\n", who, chosen,
				strerror(errno));
			return -1;
		}
		return check_expressible(who, path);
	}
	if (!preload_own_folder(folder)) {
		snprintf(in_tree, sizeof(in_tree), "%s/../../src/%s", folder, preload_name);
		if (realpath(in_tree, path) && !access(path, R_OK))
			return check_expressible(who, path);
	}
	if (realpath(RQPI_PRELOAD_INSTALLED, path) && !access(path, R_OK))
		return check_expressible(who, path);
	fprintf(stderr, "rqpi %s: cannot find %s; tried:\n", who, preload_name);
	if (*in_tree)
		fprintf(stderr, "  %s\n", in_tree);
	fprintf(stderr, "  %s\nSet RQPI_PRELOAD to its path.\n", RQPI_PRELOAD_INSTALLED);
	return -1;
}

static bool is_our_preload(const char *entry, size_t length)
{
	const char *slash = memrchr(entry, '/', length);
	const char *base = slash ? slash + 1 : entry;

	length -= (size_t)(base - entry);
	return length == sizeof(preload_name) - 1 && !memcmp(base, preload_name, length);
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

/* Where execvp(3) will find @name. Returns 0 and the path, or -1. */
static int resolve_program(const char *name, char *path)
{
	const char *rest = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, X_OK);
	}
	for (; rest && *rest; rest += *rest == ':') {
		size_t length = strcspn(rest, ":");

		snprintf(path, PATH_MAX, "%.*s/%s", length ? (int)length : 1, length ? rest : ".",
			 name);
		if (!access(path, X_OK))
			return 0;
		rest += length;
	}
	return -1;
}

/* True for an ELF file that asks for no dynamic linker: nobody will read LD_PRELOAD. */
static bool is_static_elf(const char *path)
{
	union {
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} header;
	bool found = false;
	bool elf = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header) &&
	    !memcmp(header.e32.e_ident, ELFMAG, SELFMAG)) {
		bool wide = header.e32.e_ident[EI_CLASS] == ELFCLASS64;
		int count = wide ? header.e64.e_phnum : header.e32.e_phnum;
		off_t at = wide ? (off_t)header.e64.e_phoff : (off_t)header.e32.e_phoff;
		off_t step = wide ? header.e64.e_phentsize : header.e32.e_phentsize;

		elf = true;
		for (int i = 0; i < count && !found; i++, at += step) {
			Elf64_Word type; /* the first field in both classes */

			if (pread(fd, &type, sizeof(type), at) != (ssize_t)sizeof(type))
				elf = false;
			found = type == PT_INTERP;
		}
	}
	if (fd >= 0)
		close(fd);
	return elf && !found;
}

/* Say why the preload will have no effect, where that can be seen beforehand. */
static void warn_if_ignored(const char *program)
{
	char path[PATH_MAX];
	struct stat st;
	bool raised;

	if (resolve_program(program, path) || stat(path, &st))
		return;
	raised = ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
		 ((st.st_mode & S_ISGID) && st.st_gid != getgid()) ||
		 (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
	if (raised)
		fprintf(stderr,
			"rqpi run: warning: %s changes its user, group or capabilities: the "
			"dynamic linker "
			"ignores the preload\n",
			path);
	else if (is_static_elf(path))
		fprintf(stderr,
			"rqpi run: warning: %s is statically linked: the preload has no effect\n",
			path);
}

static int become(const char **command)
{
	int error;

	execvp(command[0], (char *const *)command);
	error = errno;
	fprintf(stderr, "rqpi run: cannot run %s: %s\n", command[0], strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static int run_command(const char **command)
{
	char preload[PATH_MAX];
	char *value;

	if (preload_find("run", preload))
		return RQPI_EXIT_CANNOT;
	value = preload_join(preload, getenv("LD_PRELOAD"));
	if (setenv("LD_PRELOAD", value, 1)) {
		fprintf(stderr, "rqpi run: cannot set LD_PRELOAD: %s\n", strerror(errno));
		free(value);
		return RQPI_EXIT_CANNOT;
	}
	free(value);
	warn_if_ignored(command[0]);
	return become(command);
}

int cmd_run(int argc, char **argv)
{
	struct poptOption table[] = {POPT_AUTOHELP POPT_TABLEEND};
	const char **command;
	poptContext context;
	int status = RQPI_EXIT_CANNOT;
	int c;

	argv[0] = (char[]){"rqpi run"};
	context = poptGetContext("rqpi", argc, (const char **)argv, table,
				 POPT_CONTEXT_POSIXMEHARDER);
	poptSetOtherOptionHelp(context,
			       "[--] CMD [ARG...]\n\n"
			       "Runs CMD with librqpi-preload.so in front of LD_PRELOAD.\n"
			       "Exit status: that of CMD; 127 CMD not found, 126 not executable, "
			       "2 rqpi could not start it.\n");
	c = poptGetNextOpt(context);
	if (c < -1) {
		fprintf(stderr, "rqpi run: %s: %s\n", poptBadOption(context, 0), poptStrerror(c));
	} else {
		command = poptGetArgs(context);
		if (command && command[0])
			status = run_command(command);
		else
			fprintf(stderr,
				"rqpi run: no command given\nUsage: rqpi run [--] CMD [ARG...]\n");
	}
	poptFreeContext(context);
	return status;
}
