/* SPDX-License-Identifier: MIT */
/*
 * show.h - programs and traces in words, for people; and what is right or alike in them.
 *
 * show.c prints, judge.c compares a trace with what a vector expects, and two traces of one
 * program. Called by vectors.c and differ.c.
 */
#ifndef RQPI_CONFORM_SHOW_H
#define RQPI_CONFORM_SHOW_H

#include <stdio.h>

#include "trial.h"

enum { CONFORM_TEXT = 4096 };

/* A word with the owner by name ("A|W|OD"), a result ("0", "EAGAIN"), a priority; into @text. */
const char *conform_show_word(const struct conform_program *p, const struct conform_trace *t,
			      uint32_t word, char *text, size_t size);
const char *conform_show_result(long result, char *text, size_t size);
const char *conform_show_priority(int priority, char *text, size_t size);

/* What is done in a step; what was seen after it. One line, without its end. */
const char *conform_show_step(const struct conform_program *p, int step, char *text, size_t size);
const char *conform_show_seen(const struct conform_program *p, const struct conform_trace *t,
			      int step, char *text, size_t size);

/*
 * Print tasks and words, then all steps up to @last with what was seen in @traces (@count of them,
 * named @names): once where they are alike, else each.
 */
void conform_print_story(FILE *out, const struct conform_program *p,
			 struct conform_trace *const *traces, const char *const *names, int count,
			 int last);

/*
 * conform_judge() - is what was seen what @p expects? If not: the step, and in @why what is wrong.
 * Returns -1 if all is as it should be.
 */
int conform_judge(const struct conform_program *p, const struct conform_trace *t, char *why,
		  size_t size);

/* The first step after which @a and @b are not alike, with the difference in @why; or -1. */
int conform_compare(const struct conform_program *p, const struct conform_trace *a,
		    const struct conform_trace *b, char *why, size_t size);

#endif /* RQPI_CONFORM_SHOW_H */
