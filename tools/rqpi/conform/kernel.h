/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - which Linux is this, and is what somebody says of some versions said of it?
 *
 * kernel.c finds out; vectors.c leaves out vectors of other kernels; load_kernels.c reads them.
 */
#ifndef RQPI_CONFORM_KERNEL_H
#define RQPI_CONFORM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFORM_VERSION = 3, CONFORM_SPANS = 8 };

struct conform_version {
	int part[CONFORM_VERSION];
};

/* From the first to the last, both included. */
struct conform_span {
	struct conform_version first, last;
};

struct conform_kernel {
	struct conform_version version;
	bool realtime; /* PREEMPT_RT */
	char name[96]; /* for people: "6.12.117, PREEMPT_RT" */
};

/*
 * The version as numbers, of a text like 6.12 or 6.1.192-2; what is not said becomes @rest. False:
 * it does not begin with two numbers and a dot.
 */
bool conform_parse_version(const char *text, int rest, struct conform_version *version);

/* The running one. */
void conform_find_kernel(struct conform_kernel *kernel);
/*
 * The same from what uname(2) and /proc/version_signature (NULL: there is none) say. Distributions
 * take changes of later releases in, and say in one of them which release they are at.
 */
void conform_name_kernel(const char *release, const char *version, const char *signature,
			 struct conform_kernel *kernel);

bool conform_in_spans(const struct conform_version *version, const struct conform_span *spans,
		      int count);

/* Does the end of a thread wake nobody at a pending entry that is another's (rule 10.24)? */
bool conform_leaves_pending(const struct conform_version *version);

#endif /* RQPI_CONFORM_KERNEL_H */
