/* SPDX-License-Identifier: MIT */
/*
 * run_stats.h - the options of `rqpi run` that only look: --observe, --stats and what goes with
 * them. For cmd_run.c.
 */
#ifndef RQPI_RUN_STATS_H
#define RQPI_RUN_STATS_H

#include <popt.h>
#include <stdbool.h>

struct run_stats {
	int observe;
	char *format; /* text or json; NULL: no --stats */
	char *file;
	char *signal;
};

/* Rows of a popt table; @s is a struct run_stats. */
#define RUN_STATS_OPTIONS(s)                                                                    \
	{"observe",                                                                             \
	 '\0',                                                                                  \
	 POPT_ARG_NONE,                                                                         \
	 &(s).observe,                                                                          \
	 0,                                                                                     \
	 "change nothing, look at all locks that threads wait for, and report at exit",         \
	 NULL},                                                                                 \
	    {"stats",	  '\0', POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL,                        \
	     &(s).format, 0,	"report at exit who waited for which lock, as text or json",    \
	     "text|json"},                                                                      \
	    {"stats-file",                                                                      \
	     '\0',                                                                              \
	     POPT_ARG_STRING,                                                                   \
	     &(s).file,                                                                         \
	     0,                                                                                 \
	     "write the report there, further processes to FILE.PID (default: standard error)", \
	     "FILE"},                                                                           \
	{                                                                                       \
		"stats-signal", '\0', POPT_ARG_STRING, &(s).signal, 0,                          \
		    "report on this signal as well, for instance USR2", "SIGNAL"                \
	}

/*
 * popt would take the word after a bare --stats for its value: write --stats=text in its place.
 * Looks at the options only, not at the command behind them.
 */
void run_stats_prepare(int argc, char **argv);

/* Is anything to be looked at? The preload with the mutex functions does it. */
bool run_stats_wanted(const struct run_stats *s);

/* Check them and put them into the environment. 0, or -1 and a message has been printed. */
int run_stats_set(const struct run_stats *s, bool force);

#endif /* RQPI_RUN_STATS_H */
