/* SPDX-License-Identifier: MIT */
/*
 * text.h - a line of text, a few characters at a time: no libc, no allocation.
 *
 * Owned by text.c; used by names.c and inspect.c. What does not fit is cut off.
 */
#ifndef RQK_TEXT_H
#define RQK_TEXT_H

#include <stdint.h>

struct rqk_text {
	char *at;
	char *end; /* of what may be written, the final 0 not counted */
};

void rqk_put_string(struct rqk_text *o, const char *s);
void rqk_put_number(struct rqk_text *o, uint64_t n, unsigned int base);
void rqk_put_signed(struct rqk_text *o, int64_t n);

#endif /* RQK_TEXT_H */
