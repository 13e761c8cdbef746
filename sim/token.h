/* SPDX-License-Identifier: MIT */
/* token.h - a path as one word, to be passed on: "rqpi2:two_lockers:a3b2:BlklB". */
#ifndef RQS_TOKEN_H
#define RQS_TOKEN_H

#include "sim/explore.h"

/*
 * The token of @path: version, scenario, "1cpu:" if there is one CPU only, "e2e:" if invariants
 * are not looked at, "buffers:" if there are store buffers, "noend:" if it leads to where no end
 * can be reached, and the choices, run by run. A small letter: so many steps of that task; a
 * capital: its time comes; before a small one: ! a signal comes for it, # it is cancelled, % it is
 * killed, ^ it is there from now on, @ its page is away, = its oldest store reaches the others.
 * Then a character for each step: where the task stood (site.h). The path is played for that, and
 * the machine is in its last state afterwards. The caller frees it.
 */
char *rqs_token_make(const struct rqs_scenario *scenario, const struct rqs_path *path);

/*
 * The scenario and the path of @token. Those of version 1 are read, too: they have no sites. NULL:
 * it is none, or names a scenario that there is not; @why says so. The caller frees path->choice.
 */
const struct rqs_scenario *rqs_token_read(const char *token, struct rqs_path *path, char *why,
					  size_t size);

const struct rqs_scenario *rqs_scenario_named(const char *name, size_t length);

#endif /* RQS_TOKEN_H */
