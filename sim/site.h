/* SPDX-License-Identifier: MIT */
/*
 * site.h - where a task stands, as one character: the kind of its point, and the object. A token
 * has it for each step, so that a replay notices code that is not that which the token was made
 * with.
 *
 * It is the same for every compiler: objects are named by where they lie in the engine, in the
 * program or in a task. And it is no part of a state (place.h).
 */
#ifndef RQS_SITE_H
#define RQS_SITE_H

#include <stddef.h>
#include <stdint.h>

enum { RQS_SITE_CODES = 64 };

/* Of the task with this index, 1 to RQS_SITE_CODES: the kind, and two bits of the object. */
uint8_t rqs_site_code(unsigned int task);

/* The same in words; and what is known of a site of which there is only the code. */
void rqs_site_text(unsigned int task, char *text, size_t size);
const char *rqs_site_of_code(uint8_t code);

#endif /* RQS_SITE_H */
