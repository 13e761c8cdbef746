/* SPDX-License-Identifier: MIT */
/* ordinary_main.c - how the test programs in C begin; see ordinary.h. */
#define _GNU_SOURCE
#include "ordinary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void what_is_under_this_program_is_what_was_meant(void **state)
{
	const char *wrong = ord_wrong_under();

	(void)state;
	if (wrong)
		fail_msg("%s", wrong);
}

/* cmocka 1.1.5 calls a skipped case "not ok N # SKIP", which TAP readers count as a failure. */
static ssize_t write_tap(void *cookie, const char *line, size_t size)
{
	bool skipped = strncmp(line, "not ok ", 7) == 0 && memmem(line, size, " # SKIP ", 8);
	size_t drop = skipped ? 4 : 0;

	(void)cookie;
	return write(STDOUT_FILENO, line + drop, size - drop) < 0 ? 0 : (ssize_t)size;
}

static void mend_tap(void)
{
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_tap});

	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, 4096);
	stdout = f;
}

void ord_begin(int argc, char **argv)
{
	ord_watchdog();
	mend_tap();
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
}
