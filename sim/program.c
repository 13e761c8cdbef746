/* SPDX-License-Identifier: MIT */
/* program.c - linked with the code under test as it is, or with one of its files broken. */
#include "sim/main.h"
#include "sim/watch.h"

#ifdef RQS_RACES
const struct rqs_watcher *const rqs_watcher = &rqs_race_watcher;
#else
const struct rqs_watcher *const rqs_watcher;
#endif

#ifdef RQS_MUTANT
const char *const rqs_mutant = RQS_MUTANT;
const char *const rqs_mutant_source = RQS_MUTANT_SOURCE;
const char *const rqs_mutant_scenario = RQS_MUTANT_SCENARIO;
#else
const char *const rqs_mutant;
const char *const rqs_mutant_source;
const char *const rqs_mutant_scenario;
#endif

#ifdef RQS_MUTANT_BUFFERS
const bool rqs_mutant_buffers = true;
#else
const bool rqs_mutant_buffers;
#endif

int main(int argc, const char **argv)
{
	return rqs_main(argc, argv);
}
