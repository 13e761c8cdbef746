/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - `rqpi run`: put librqpi-preload.so under a program and become that program.
 *
 * The program is started by execvp(3) in this very process, so that its exit status, its signals
 * and its parent are its own. What is asked for goes to the preload by the environment (rqpi(7)).
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
#include "run_stats.h"

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 }; /* as env(1) and the shells say it */

int program_find(const char *name, char *path)
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

bool preload_is_ignored(const char *who, const char *program)
{
	char path[PATH_MAX];
	struct stat st;
	bool raised;

	if (program_find(program, path) || stat(path, &st))
		return false;
	raised = ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
		 ((st.st_mode & S_ISGID) && st.st_gid != getgid()) ||
		 (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
	if (raised)
		fprintf(stderr,
			"rqpi %s: warning: %s changes its user, group or capabilities: the "
			"dynamic linker ignores the preload\n",
			who, path);
	else if (is_static_elf(path))
		fprintf(stderr,
			"rqpi %s: warning: %s is statically linked: the preload has no effect\n",
			who, path);
	else
		return false;
	return true;
}

static int become(const char **command)
{
	int error;

	execvp(command[0], (char *const *)command);
	error = errno;
	fprintf(stderr, "rqpi run: cannot run %s: %s\n", command[0], strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

struct choice {
	int force;    /* --force-pi */
	char *except; /* --except, all of them, separated by colons; NULL: none */
	int traceable;
	struct run_stats stats;
};

static int set_variable(const char *name, const char *value)
{
	if (!setenv(name, value, 1))
		return 0;
	fprintf(stderr, "rqpi run: cannot set %s: %s\n", name, strerror(errno));
	return -1;
}

static int set_environment(const struct choice *choice)
{
	char preload[PATH_MAX];
	char *value;
	int err;
	/* Within another `rqpi run`, what was asked for there goes on. */
	bool mutex = choice->force || choice->traceable || run_stats_wanted(&choice->stats) ||
		     preload_named(getenv("LD_PRELOAD"), PRELOAD_MUTEX);

	if (run_stats_set(&choice->stats, choice->force) ||
	    preload_find("run", mutex ? PRELOAD_MUTEX : PRELOAD_COND, preload))
		return -1;
	value = preload_join(preload, getenv("LD_PRELOAD"));
	err = set_variable("LD_PRELOAD", value);
	free(value);
	if (!err && choice->force)
		err = set_variable("RQPI_FORCE_PI", "1");
	if (!err && choice->except)
		err = set_variable("RQPI_FORCE_PI_EXCEPT", choice->except);
	/* Within `rqpi trace` there is a file already. */
	if (!err && choice->traceable && !getenv("RQPI_TRACE"))
		err = set_variable("RQPI_TRACE", "memfd");
	return err;
}

static int run_command(const struct choice *choice, const char **command)
{
	if (choice->except && !choice->force) {
		fprintf(stderr, "rqpi run: --except=%s: means nothing without --force-pi\n",
			choice->except);
		return RQPI_EXIT_CANNOT;
	}
	if (set_environment(choice))
		return RQPI_EXIT_CANNOT;
	preload_is_ignored("run", command[0]);
	return become(command);
}

/* One more --except. */
static void add_pattern(struct choice *choice, const char *pattern)
{
	char *longer = NULL;

	if (choice->except && asprintf(&longer, "%s:%s", choice->except, pattern) < 0)
		longer = NULL;
	else if (!choice->except)
		longer = strdup(pattern);
	if (!longer) {
		fprintf(stderr, "rqpi: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	free(choice->except);
	choice->except = longer;
}

int cmd_run(int argc, char **argv)
{
	struct choice choice = {0};
	char *pattern = NULL;
	struct poptOption table[] = {
	    {"force-pi", '\0', POPT_ARG_NONE, &choice.force, 0,
	     "every mutex inherits priority, whatever the program asked for", NULL},
	    {"except", '\0', POPT_ARG_STRING, &pattern, 'x',
	     "but not those in, or first used by, programs and libraries of this name (may be "
	     "repeated)",
	     "PATTERN"},
	    {"traceable", '\0', POPT_ARG_NONE, &choice.traceable, 0,
	     "rqpi trace -p of the same user may look at it, at any time", NULL},
	    RUN_STATS_OPTIONS(choice.stats),
	    POPT_AUTOHELP POPT_TABLEEND};
	const char **command;
	poptContext context;
	int status = RQPI_EXIT_CANNOT;
	int c;

	argv[0] = (char[]){"rqpi run"};
	run_stats_prepare(argc, argv);
	context = poptGetContext("rqpi", argc, (const char **)argv, table,
				 POPT_CONTEXT_POSIXMEHARDER);
	poptSetOtherOptionHelp(context,
			       "[OPTION...] [--] CMD [ARG...]\n\n"
			       "Runs CMD with a preload of rqpi in front of LD_PRELOAD.\n"
			       "Exit status: that of CMD; 127 CMD not found, 126 not executable, "
			       "2 rqpi could not start it.\n");
	while ((c = poptGetNextOpt(context)) == 'x') {
		add_pattern(&choice, pattern);
		free(pattern);
	}
	if (c < -1) {
		fprintf(stderr, "rqpi run: %s: %s\n", poptBadOption(context, 0), poptStrerror(c));
	} else {
		command = poptGetArgs(context);
		if (command && command[0])
			status = run_command(&choice, command);
		else
			fprintf(stderr, "rqpi run: no command given\n"
					"Usage: rqpi run [OPTION...] [--] CMD [ARG...]\n");
	}
	poptFreeContext(context);
	free(choice.except);
	free(choice.stats.format);
	free(choice.stats.file);
	free(choice.stats.signal);
	return status;
}
