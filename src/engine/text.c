/* SPDX-License-Identifier: MIT */
/*
 * text.c - strings and numbers into a line of text. See text.h.
 */
#include "src/engine/text.h"

#include <stddef.h>

void rqk_put_string(struct rqk_text *o, const char *s)
{
	while (*s && o->at < o->end)
		*o->at++ = *s++;
}

void rqk_put_number(struct rqk_text *o, uint64_t n, unsigned int base)
{
	char digits[24];
	size_t i = sizeof(digits);

	digits[--i] = '\0';
	do
		digits[--i] = "0123456789abcdef"[n % base];
	while ((n /= base) && i > 0);
	rqk_put_string(o, digits + i);
}

void rqk_put_signed(struct rqk_text *o, int64_t n)
{
	if (n < 0)
		rqk_put_string(o, "-");
	rqk_put_number(o, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10);
}
