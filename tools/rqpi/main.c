/* SPDX-License-Identifier: MIT */
/*
 * main.c - the tool `rqpi`: finds the command that its first argument names and hands over.
 *
 * Owns the table of commands; each lives in a cmd_*.c of its own (`bench` in bench/).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rqpi/base.h>

#include "cmd.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
    {"demo", cmd_demo, "wrong order, herd and inversion: the C library beside rqpi, measured"},
    {"run", cmd_run, "run a program with rqpi's condition variables under it"},
#ifdef RQPI_HAVE_BENCH
    {"bench", cmd_bench, "what the operations cost, beside the C library and the bare futex"},
#endif
    {"conform", cmd_conform, "is a futex what Linux's is? Vectors, then random programs"},
#ifdef RQPI_HAVE_DOCTOR
    {"doctor", cmd_doctor, "is this machine fit, and what runs on it? What to mend, and how"},
#endif
#ifdef RQPI_HAVE_TRACE
    {"trace", cmd_trace, "who waited how long for which lock, held by whom, while who ran"},
#endif
    {"check", cmd_check, "run both halves through every interleaving of a scenario"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *out)
{
	fprintf(out, "Usage: rqpi COMMAND [OPTION...]\n"
		     "       rqpi --help | --version\n\n"
		     "Condition variables that keep priority inheritance.\n\n"
		     "Commands:\n");
	for (int i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-7s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
		"\n'rqpi COMMAND --help' tells more. Exit status: 0 done, 1 finding, 2 cannot;\n"
		"of check: 0 clean, 1 violation, 2 incomplete, 3 cannot.\n");
}

/* A report that did not reach the disk is none. */
static int finish(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	fprintf(stderr, "rqpi: cannot write to standard output: %s\n", strerror(errno));
	return RQPI_EXIT_CANNOT;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word) {
		print_help(stderr);
		return RQPI_EXIT_CANNOT;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-?") ||
	    !strcmp(word, "help")) {
		print_help(stdout);
		return finish(RQPI_EXIT_DONE);
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		printf("rqpi %s\n", RQPI_VERSION);
		return finish(RQPI_EXIT_DONE);
	}
	for (int i = 0; i < COMMANDS; i++) {
		if (!strcmp(word, commands[i].name))
			return finish(commands[i].run(argc - 1, argv + 1));
	}
	fprintf(stderr, "rqpi: unknown %s: %s\nrqpi: 'rqpi --help' lists the commands\n",
		word[0] == '-' ? "option" : "command", word);
	return RQPI_EXIT_CANNOT;
}
