/* SPDX-License-Identifier: MIT */
/* record.h - what happens on a path, step by step, as text: between replay.c and record.c. */
#ifndef RQS_RECORD_H
#define RQS_RECORD_H

#include "sim/place.h"
#include "sim/replay.h"

/* Memory whose words are watched: as it was before the step. */
struct rqs_watched_memory {
	const char *base;
	size_t bytes;
	char *before;
	bool *changes; /* a flag for each 4 bytes */
};

/* A path that is being recorded. */
struct rqs_recorder {
	struct rqs_recording *to;
	bool learning;
	bool is_broken; /* an invariant is, and that has been said */
	struct rqs_watched_memory region[2];
	struct rqs_place next[RQS_TASKS]; /* what each task is about to do */
	char call[RQS_TASKS][128];	  /* the futex operation it is in */
	bool begun[RQS_TASKS];
	uint32_t status[RQS_TASKS]; /* before the step */
	int32_t prio[RQS_TASKS];
	uint64_t place_value; /* before the step, of what it is about to touch */
	bool was_locked;
};

/* The path is played for the first time: which words change, and what they are. */
void rqs_recorder_open(struct rqs_recorder *r, const struct rqs_scenario *scenario,
		       const struct rqs_path *path, struct rqs_recording *to);

/* And for the second time, from now on: the machine has begun anew. */
void rqs_recorder_begin(struct rqs_recorder *r);

/* Around each step. */
void rqs_before_step(struct rqs_recorder *r, struct rqs_choice choice);
void rqs_after_step(struct rqs_recorder *r, struct rqs_choice choice);

void rqs_recorder_close(struct rqs_recorder *r);

/* What tasks have told so far is forgotten. */
void rqs_forget_notes(void);

/* @memory, or the end. */
void *rqs_need(void *memory);

#endif /* RQS_RECORD_H */
