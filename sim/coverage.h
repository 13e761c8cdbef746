/* SPDX-License-Identifier: MIT */
/*
 * coverage.h - what the explorer has seen happen: the edges of the hand-shake of a requeue, and the
 * results of each operation. For reports alone, and so no part of a state [W-I1].
 */
#ifndef RQS_COVERAGE_H
#define RQS_COVERAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/world.h"

struct json_object;

/* Count? Off, it costs one look per step. */
extern bool rqs_coverage;

void rqs_coverage_reset(void);

/* Around one step of the task @runs. */
void rqs_coverage_before(void);
void rqs_coverage_after(uint32_t runs);

/* futex(2) with @op returns @ret. */
void rqs_coverage_result(int op, long ret);

/* {"hand_shake": [..], "results": [..]} */
struct json_object *rqs_coverage_json(void);
void rqs_coverage_print(FILE *out);

#endif /* RQS_COVERAGE_H */
