/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - the commands of the tool `rqpi` and what they share: exit codes and finding the preload.
 *
 * A command is called by main.c as cmd_NAME(argc, argv) with argv[0] being its own name ("demo")
 * and its arguments after it, and returns the exit status of the process. Included by main.c,
 * cmd_*.c, report*.c.
 */
#ifndef RQPI_CMD_H
#define RQPI_CMD_H

#include <popt.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum rqpi_exit {
	RQPI_EXIT_DONE = 0,
	RQPI_EXIT_FINDING = 1, /* it ran, and found that something is not as it should be */
	RQPI_EXIT_CANNOT = 2,  /* it could not run: usage, missing rights, missing files */
};

int cmd_demo(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_bench(int argc, char **argv); /* in bench/, where that is built */
int cmd_conform(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_check(int argc, char **argv); /* its exit codes are its own: 0, 1, 2, 3 */

enum preload {
	PRELOAD_COND,  /* librqpi-preload.so */
	PRELOAD_MUTEX, /* librqpi-preload-mutex.so: the same and the mutex functions */
};

/*
 * preload_find() - where a preload is: $RQPI_PRELOAD or beside it, else the build tree this binary
 * lies in, else where it was installed.
 * @who: the command, for the message on standard error that says what was tried.
 * Returns 0 and an absolute path in @path (PATH_MAX bytes), or -1.
 */
int preload_find(const char *who, enum preload which, char *path);

/*
 * The folder this binary lies in, PATH_MAX bytes at @path. Returns 0, or -1 where /proc does not
 * tell.
 */
int preload_own_folder(char *path);

/* Does @inherited, a value of LD_PRELOAD (NULL: nothing), name the preload @which? */
bool preload_named(const char *inherited, enum preload which);

/*
 * preload_join() - a value for LD_PRELOAD: @preload (NULL: nothing) in front of @inherited (NULL:
 * nothing), without any other preload of ours that @inherited names. Returns memory to free; ""
 * when nothing is left.
 */
char *preload_join(const char *preload, const char *inherited);

/*
 * Will the dynamic linker not load a preload into @program, as far as can be seen beforehand? Says
 * so on standard error, on behalf of command @who.
 */
bool preload_is_ignored(const char *who, const char *program);

/* Where execvp(3) will find the program @name: 0 and its path (PATH_MAX bytes at @path), or -1. */
int program_find(const char *name, char *path);

#endif /* RQPI_CMD_H */
