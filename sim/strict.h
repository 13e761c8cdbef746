/* SPDX-License-Identifier: MIT */
/* strict.h - `rqpi check --strict`: more than POSIX demands of a condvar, clause by clause. */
#ifndef RQS_STRICT_H
#define RQS_STRICT_H

#include "sim/explore.h"

enum rqs_strict { RQS_STRICT_HELD, RQS_STRICT_BROKEN, RQS_STRICT_INCOMPLETE };

/*
 * Does each clause hold in every state of @scenario, or what is the shortest way to one in which it
 * does not? Prints a line for each clause, or a JSON object. A violation of anything else counts as
 * broken.
 */
enum rqs_strict rqs_check_strict(const struct rqs_scenario *scenario,
				 const struct rqs_limits *limits, bool json);

#endif /* RQS_STRICT_H */
