/* SPDX-License-Identifier: MIT */
/* progress.h - a line that says how far a visit has come, for whoever waits at a terminal. */
#ifndef RQS_PROGRESS_H
#define RQS_PROGRESS_H

#include "sim/explore.h"

/* For limits->progress: what is written about @name to standard error from now on. */
void rqs_progress_begin(const char *name);
void rqs_progress(const struct rqs_limits *limits, const struct rqs_result *result);

/* The line is gone. */
void rqs_progress_end(void);

#endif /* RQS_PROGRESS_H */
