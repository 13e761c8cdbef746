/* SPDX-License-Identifier: MIT */
/* replay.h - a path played once more, told step by step. */
#ifndef RQS_REPLAY_H
#define RQS_REPLAY_H

#include <stdio.h>

#include "sim/explore.h"

/*
 * Play @path and print it to @out (NULL: print nothing), what the engine decides as lines of
 * "task-tid cpu time: function: text"; with @steps, each step besides. The violation that it ends
 * in is in @found; found->found is false if it ends in none. Returns -1, or the step that could not
 * be taken: the code is not that which the path was found with.
 */
long rqs_replay(const struct rqs_scenario *scenario, const struct rqs_path *path, bool steps,
		FILE *out, struct rqs_violation *found);

#endif /* RQS_REPLAY_H */
