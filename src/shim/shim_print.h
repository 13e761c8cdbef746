/* SPDX-License-Identifier: MIT */
/*
 * shim_print.h - text for the report, into a file descriptor by way of a buffer. No stdio, which
 * allocates and locks: a signal handler prints, too.
 */
#ifndef RQU_SHIM_PRINT_H
#define RQU_SHIM_PRINT_H

#include <stddef.h>
#include <stdint.h>

struct shim_print {
	int fd;
	size_t used;
	char text[4096];
};

void shim_print_flush(struct shim_print *p);

/* All parts up to NULL. */
void shim_print(struct shim_print *p, const char *part, ...) __attribute__((sentinel));
void shim_print_number(struct shim_print *p, uint64_t n);
void shim_print_hex(struct shim_print *p, uint64_t n);
/* "12.3 ms": three digits and a unit. */
void shim_print_time(struct shim_print *p, uint64_t ns);

/* JSON: a string; a member of an object whose first member has been printed with @first. */
void shim_print_quoted(struct shim_print *p, const char *text);
void shim_print_key(struct shim_print *p, int *first, const char *key);
void shim_print_count(struct shim_print *p, int *first, const char *key, uint64_t n);

#endif /* RQU_SHIM_PRINT_H */
