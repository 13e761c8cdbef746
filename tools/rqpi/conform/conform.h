/* SPDX-License-Identifier: MIT */
/*
 * conform.h - the two things `rqpi conform` does: vectors are replayed (vectors.c), and random
 * programs are played on two lanes and compared (random.c makes them, differ.c compares).
 *
 * Called by cmd_conform.c and by the tests.
 */
#ifndef RQPI_CONFORM_H
#define RQPI_CONFORM_H

#include <stdio.h>

#include "trial.h"

enum { CONFORM_LANES = 2 };

struct conform_options {
	const struct conform_lane *lanes[CONFORM_LANES];
	int lane_count;
	struct conform_setting setting;
	struct conform_kernel kernel; /* the running one */
	bool unsafe;		      /* also what may damage this kernel */
	bool verbose;
	FILE *out; /* for people; NULL: nobody */
	uint64_t seed;
	long seconds;	 /* of random programs, 0: no end by time */
	long operations; /* of random programs, 0: no end by number */
};

struct conform_names {
	char **names;
	int count;
};

struct conform_report {
	int vectors, agree;
	struct conform_names differ, skipped;
	long programs, operations, differences, unstable;
	long forgotten_boosts; /* by Linux, see differ.c: no differences of ours */
	bool random;
};

void conform_add_name(struct conform_names *names, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void conform_report_free(struct conform_report *report);

/* What this machine and this process have: CPUs, SCHED_FIFO. 0, or -1 and a message. */
int conform_find_setting(struct conform_setting *setting);

/* Play each of @vectors on each lane. */
void conform_run_vectors(const struct conform_options *options, struct conform_program *vectors,
			 int count, struct conform_report *report);

/* A program made of @seed, the same for the same seed. @guarded: none that could do harm. */
void conform_make_program(struct conform_program *p, uint64_t seed, bool guarded, bool realtime);

/* Random programs until time is up. 0, or -1 after a message if they cannot be played. */
int conform_run_random(const struct conform_options *options, struct conform_report *report);

/*
 * Make @p smaller as long as the lanes differ: fewer steps, fewer tasks. Returns the step at which
 * they still differ.
 */
int conform_shrink(const struct conform_options *options, struct conform_program *p);

#endif /* RQPI_CONFORM_H */
