/* SPDX-License-Identifier: MIT */
/* replay.h - a path played once more, and what happened on it written down. */
#ifndef RQS_REPLAY_H
#define RQS_REPLAY_H

#include "sim/describe.h"
#include "sim/explore.h"

enum rqs_line_kind {
	RQS_LINE_POINT,	 /* the point that it has passed */
	RQS_LINE_LOOK,	 /* the same: it looked at a word of the program */
	RQS_LINE_CALL,	 /* a call begins or returns */
	RQS_LINE_EVENT,	 /* what the engine tells of its decisions */
	RQS_LINE_VALUE,	 /* a word has another value */
	RQS_LINE_STATUS, /* it sleeps, wakes somebody, ends; something comes for it */
};

struct rqs_line {
	enum rqs_line_kind kind;
	char *text;
	char *event; /* as the engine says it, "function: text"; NULL: it is none of its events */
};

/* One step, and how things are after it. */
struct rqs_step {
	struct rqs_choice choice;
	struct rqs_line *line;
	size_t lines;
	char *next;		  /* what the task is about to do; NULL: nothing */
	char *broken;		  /* the invariant that does not hold from now on; NULL: none */
	char *task[RQS_TASKS];	  /* what each is doing */
	uint8_t state[RQS_TASKS]; /* the same, enum rqs_doing */
	char *prio[RQS_TASKS];	  /* as the engine wants it to run */
	char *mutex[RQS_TASKS];	  /* the rt_mutexes in use; NULL: no more */
	char **value;		  /* of each word of the recording */
};

struct rqs_watched {
	const volatile void *addr;
	struct rqs_thing thing;
};

struct rqs_recording {
	const struct rqs_scenario *scenario;
	const struct rqs_path *path;
	uint32_t n_tasks;
	char *prio[RQS_TASKS];	  /* each task's own */
	struct rqs_watched *word; /* those of the program that change on the way */
	size_t words;
	struct rqs_step *step; /* the first one is the beginning: nobody has done anything */
	size_t steps;
	struct rqs_violation violation; /* in which it ends, if that was found */
};

/*
 * Play @path and write down in @recording (NULL: nothing) what happens. The violation that it ends
 * in is in @found; found->found is false if it ends in none. Returns -1, or the step that could not
 * be taken, or was recorded at another site, and why in found->text: the code is not that which the
 * path was found with.
 */
long rqs_replay(const struct rqs_scenario *scenario, const struct rqs_path *path,
		struct rqs_recording *recording, struct rqs_violation *found);

void rqs_recording_free(struct rqs_recording *recording);

#endif /* RQS_REPLAY_H */
