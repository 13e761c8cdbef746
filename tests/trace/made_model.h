/* SPDX-License-Identifier: MIT */
/*
 * made_model.h - models of traces filled in by hand, for the tests of the outputs: every fact is
 * known. made_model.c has them; t_chrome.c uses them, and made_trace.c for t_html.py and
 * t_chrome.py.
 */
#ifndef MADE_MODEL_H
#define MADE_MODEL_H

#include "tools/rqpi/trace/trace.h"

enum {
	MADE_PID = 4100,
	MADE_CONTROLLER = 4101, /* FIFO 80 */
	MADE_LOGGER = 4102,	/* FIFO 10 */
	MADE_HOG = 4103,	/* FIFO 50 */
	MADE_OTHER = 900,	/* of another program */
};

/*
 * NULL: there is no such scene.
 *
 * "inversion"	controller waits 4.2 ms for the_lock, which logger has while hog runs; then
 *		80 us for safe_lock, which inherits; a condition variable between them
 * "crowd"	five threads wait at once for one lock, in lanes; nested waits; boosts step by step
 * "names"	threads and locks called in every way that breaks a file
 * "preload"	waits alone: nothing is known of the scheduler
 * "empty"	nothing happened
 * "big"	100,000 slices and 5,000 waits
 */
struct trace_model *made_model(const char *scene);
void made_model_free(struct trace_model *m);

#endif /* MADE_MODEL_H */
