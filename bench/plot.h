/* SPDX-License-Identifier: MIT */
/*
 * plot.h - pictures of what was measured: panels of curves or bars, collected while a question is
 * being reported and drawn by gnuplot at its end. Included by the driver's files: the ask_*.c say
 * what is in a picture, cmd_bench.c where it goes.
 */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "driver.h"

/*
 * LINES - a value against a number, with a bar from p10 to p90 at each point; LATER - for each
 * value, the share of the samples that are above it; BARS - a group of bars for each thing that was
 * measured.
 */
enum bench_plot_kind { BENCH_PLOT_LINES, BENCH_PLOT_LATER, BENCH_PLOT_BARS };

enum { BENCH_PLOT_LOG_X = 1, BENCH_PLOT_LOG_Y = 2 };

/*
 * bench_plot_usable() - can @file be written, and is there a gnuplot? The reason on stderr if not:
 * asked before anything is measured.
 */
bool bench_plot_usable(const char *file, bool many);

struct bench_plot *bench_plot_new(void);
void bench_plot_free(struct bench_plot *plot);

/* Where @plot is NULL these do nothing, so that nobody who reports has to ask. */
void bench_plot_panel(struct bench_plot *plot, enum bench_plot_kind kind, int logs,
		      const char *title, const char *x, const char *y);
/* bench_plot_add() - @series, times @scale: of implementation @impl, at @x in LINES. */
void bench_plot_add(struct bench_plot *plot, enum bench_impl impl, double x,
		    const struct bench_series *series, double scale);
/* bench_plot_group() - the next group of a panel of BARS; bench_plot_add() goes to it. */
void bench_plot_group(struct bench_plot *plot, const char *name);
/* bench_plot_case() - bench_plot_add() for all that took part in @c. */
void bench_plot_case(struct bench_plot *plot, double x, const struct bench_case *c,
		     const char *series, double scale);

/*
 * bench_plot_draw() - into @file, or with "-@question" before its suffix if @many. Returns false,
 * the reason on stderr, if that failed; nothing collected is no failure.
 */
bool bench_plot_draw(struct bench_plot *plot, const char *file, const char *question, bool many);

#endif /* BENCH_PLOT_H */
