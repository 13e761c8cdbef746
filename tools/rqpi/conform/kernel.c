/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - see kernel.h.
 */
#define _GNU_SOURCE
#include "kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

bool conform_parse_version(const char *text, int rest, struct conform_version *version)
{
	int *part = version->part;
	int read = sscanf(text, "%d.%d.%d", &part[0], &part[1], &part[2]);

	if (read < 2 || part[0] < 0 || part[1] < 0 || (read == 3 && part[2] < 0))
		return false;
	if (read == 2)
		part[2] = rest;
	return true;
}

void conform_name_kernel(const char *release, const char *version, const char *signature,
			 struct conform_kernel *kernel)
{
	const char *debian = strstr(version, " Debian ");
	const char *last = signature ? strrchr(signature, ' ') : NULL;

	memset(kernel, 0, sizeof(*kernel));
	kernel->realtime = strstr(version, "PREEMPT_RT") || strstr(version, "PREEMPT RT");
	/* Debian: "#1 SMP ... Debian 6.1.192-2 (date)"; Ubuntu: "Ubuntu 5.15.0-91.101 5.15.131". */
	if (!(debian && conform_parse_version(debian + 8, 0, &kernel->version)) &&
	    !(last && conform_parse_version(last + 1, 0, &kernel->version)))
		conform_parse_version(release, 0, &kernel->version);
	snprintf(kernel->name, sizeof(kernel->name), "%d.%d.%d%s", kernel->version.part[0],
		 kernel->version.part[1], kernel->version.part[2],
		 kernel->realtime ? ", PREEMPT_RT" : "");
}

void conform_find_kernel(struct conform_kernel *kernel)
{
	int fd = open("/proc/version_signature", O_RDONLY | O_CLOEXEC);
	char signature[256] = "";
	ssize_t length = 0;
	struct utsname name;

	uname(&name);
	if (fd >= 0) {
		length = read(fd, signature, sizeof(signature) - 1);
		close(fd);
	}
	signature[length > 0 ? length : 0] = '\0';
	conform_name_kernel(name.release, name.version, length > 0 ? signature : NULL, kernel);
}

/* Negative, 0 or positive, as of strcmp(). */
static int compare(const struct conform_version *a, const struct conform_version *b)
{
	for (int i = 0; i < CONFORM_VERSION; i++) {
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	}
	return 0;
}

bool conform_in_spans(const struct conform_version *version, const struct conform_span *spans,
		      int count)
{
	for (int i = 0; i < count; i++) {
		if (compare(version, &spans[i].first) >= 0 && compare(version, &spans[i].last) <= 0)
			return true;
	}
	return false;
}

bool conform_leaves_pending(const struct conform_version *version)
{
	/* Rule 14.2: up to the last without "futex: Prevent robust futex exit race some more". */
	static const struct conform_span without[] = {
	    {{{6, 1, 0}}, {{6, 1, 182}}},
	    {{{6, 12, 0}}, {{6, 12, 103}}},
	    {{{6, 18, 0}}, {{6, 18, 44}}},
	};

	return conform_in_spans(version, without, sizeof(without) / sizeof(without[0]));
}
