/* SPDX-License-Identifier: MIT */
/*
 * trace_chrome.h - between trace_chrome.c, which writes the file and the tracks of the locks, and
 * trace_chrome_thread.c, which writes those of threads and processors.
 */
#ifndef RQPI_TRACE_CHROME_H
#define RQPI_TRACE_CHROME_H

#include "trace.h"
#include "trace_put.h"

/* PID_MAX_LIMIT of the kernel is 1 << 22. */
#define LOCKS_OF    (1u << 30)	/* + PID: a pseudo process with its locks */
#define CPUS	    (3u << 29)	/* the pseudo process with the processors */
#define NOT_KNOWN   (CPUS + 1)	/* process of threads of which it is not known */
#define CPU_THREADS (CPUS + 2)	/* + number of the processor */
#define LANES	    (65u << 24) /* numbers of all other tracks count up from here */

struct track {
	uint32_t pid;
	uint32_t tid;
	uint64_t end; /* of what is in it; with nesting, of the outermost slice at its end */
};

struct chrome {
	FILE *out;
	const struct trace_model *m;
	struct trace_marks marks;
	uint32_t *boosts; /* indices, by whom and then by time */
	bool any;	  /* an event was written */
	uint32_t next_lane;
	uint32_t next_rank;	  /* of the tracks, top to bottom */
	struct track *wait_track; /* of each wait: where its thread shows it */
};

/* An event with its phase and track, to be completed and written. */
struct json_object *trace_chrome_event(const char *phase, uint32_t pid, uint32_t tid);
/* A slice; times are those of the model. */
struct json_object *trace_chrome_slice(const struct chrome *c, const struct track *track,
				       const char *category, const char *name, uint64_t since,
				       uint64_t until);
struct json_object *trace_chrome_args(struct json_object *event);
void trace_chrome_wait_args(const struct chrome *c, struct json_object *args, uint32_t index);
void trace_chrome_write(struct chrome *c, struct json_object *o);
/* Names, each after those before. */
void trace_chrome_process(struct chrome *c, uint32_t pid, const char *name);
void trace_chrome_track(struct chrome *c, uint32_t pid, uint32_t tid, const char *name);
/* "prog (123)" */
const char *trace_chrome_process_name(const struct chrome *c, uint32_t pid,
				      char text[TRACE_PERSON_SIZE]);

/* For `boosts` */
int trace_chrome_by_whom(const void *a, const void *b, void *model);
void trace_chrome_threads(struct chrome *c);
void trace_chrome_boosts(struct chrome *c);
void trace_chrome_cpus(struct chrome *c);

#endif /* RQPI_TRACE_CHROME_H */
