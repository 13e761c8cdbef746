/* SPDX-License-Identifier: MIT */
/* timeline.h - a recording as text: a column for each task, or the engine's events alone. */
#ifndef RQS_TIMELINE_H
#define RQS_TIMELINE_H

#include <stdio.h>

#include "sim/replay.h"

/*
 * A column for each task, and what it did, the steps of one task in a row as one block; or, with
 * @every_step, each step with the point that it passed. In @width columns, as far as that can be.
 */
void rqs_print_timeline(FILE *out, const struct rqs_recording *recording, bool every_step,
			int width);

/*
 * The engine's events, and what the program sees, in the layout of the traces of 2009: the task and
 * its tid, its CPU, the time, which is the number of the step, and "function: text". The invariant
 * that is broken on the way is named where that happens.
 */
void rqs_print_trace(FILE *out, const struct rqs_recording *recording);

/* Of the terminal that standard output is, or 100; from 80 to 160. */
int rqs_terminal_width(void);

/* The kinds of lines that are told if not every step is. */
bool rqs_is_told(enum rqs_line_kind kind);

/* The end of the path in one line each: the violation, what each task does, who owns what. */
void rqs_print_end(FILE *out, const struct rqs_recording *recording);

#endif /* RQS_TIMELINE_H */
