/* SPDX-License-Identifier: MIT */
/* stats_program.h - what the scenes of stats_program share. */
#ifndef RQT_STATS_PROGRAM_H
#define RQT_STATS_PROGRAM_H

#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Ends the program if @err is an error number. */
void must(int err, const char *what);
struct timespec in_ms(clockid_t clock, long ms);

/* stats_kinds.c */
void scene_kinds(void);

#endif /* RQT_STATS_PROGRAM_H */
