/* SPDX-License-Identifier: MIT */
/*
 * watch.h - who is told what tasks do to each other: the detector of races (races.c), in a program
 * of its own; in any other nobody is, and each of these is a test of a pointer.
 *
 * Called by the machine: world.c, port_sim.c, sys_sim.c.
 */
#ifndef RQS_WATCH_H
#define RQS_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct rqs_watcher {
	/* An execution begins: all that was comes before all that is done from now on. */
	void (*begin)(void);
	/* @task runs, an index; -1: the explorer does. */
	void (*runs)(int task);
	/* What was done before a release of @object comes before what follows this. */
	void (*acquire)(const void *object);
	void (*release)(const void *object);
	/* All that @task has done comes before what follows this; -1: that of all tasks. */
	void (*join)(int task);
	/* The kernel has read a word of the program; or read and changed it, in one. */
	void (*load)(const uint32_t *word);
	void (*exchange)(uint32_t *word);
	/* Memory is given back: it may be anybody's from now on, who writes to it. */
	void (*reuse)(void *memory, size_t bytes);
};

/* In program.c. NULL: nobody. */
extern const struct rqs_watcher *const rqs_watcher;

/* The one of races.c. */
extern const struct rqs_watcher rqs_race_watcher;

#define rqs_watch(what, ...)                            \
	do {                                            \
		if (rqs_watcher)                        \
			rqs_watcher->what(__VA_ARGS__); \
	} while (0)

#endif /* RQS_WATCH_H */
