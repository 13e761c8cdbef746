/* SPDX-License-Identifier: MIT */
/* main.h - the whole program behind `rqpi check`; program.c calls it, once for each mutant. */
#ifndef RQS_MAIN_H
#define RQS_MAIN_H

#include <stdbool.h>

/* The bug that was planted and where it is known from; NULL: none. In program.c. */
extern const char *const rqs_mutant;
extern const char *const rqs_mutant_source;
extern const char *const rqs_mutant_scenario; /* in which it shows */
extern const bool rqs_mutant_buffers;	      /* and only with store buffers */

int rqs_main(int argc, const char **argv);

#endif /* RQS_MAIN_H */
