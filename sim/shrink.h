/* SPDX-License-Identifier: MIT */
/* shrink.h - another path to the same kind of violation, with fewer changes between tasks. */
#ifndef RQS_SHRINK_H
#define RQS_SHRINK_H

#include "sim/explore.h"

/*
 * Make the path of @result shorter, as far as that can be had by leaving out and moving together
 * runs of one task; its violation becomes that of the new path, of the same oracle.
 */
void rqs_shrink(const struct rqs_scenario *scenario, struct rqs_result *result);

#endif /* RQS_SHRINK_H */
