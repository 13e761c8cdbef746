/* SPDX-License-Identifier: MIT */
/*
 * timeline.h - draws one round of a run of rqpi-demo-program, a row for each thread, time running
 * to the right.
 *
 * Called by report_text.c.
 */
#ifndef RQPI_TIMELINE_H
#define RQPI_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd_demo.h"

enum { TIMELINE_COLUMNS = 100, TIMELINE_COLUMNS_MIN = 60 };

struct timeline {
	const struct demo_run *run;
	size_t round;
	const int *rows; /* thread indexes, from the top */
	int row_count;
	int columns;	  /* of the whole drawing, labels included */
	bool show_sleeps; /* at the right edge, how often the thread slept before it was served */
	bool colour;
};

void timeline_draw(const struct timeline *timeline);
void timeline_legend(void);

#endif /* RQPI_TIMELINE_H */
