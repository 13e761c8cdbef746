/* SPDX-License-Identifier: MIT */
/* ordinary_main.c - how the test programs in C begin; see ordinary.h. */
#include "ordinary.h"

void what_is_under_this_program_is_what_was_meant(void **state)
{
	const char *wrong = ord_wrong_under();

	(void)state;
	if (wrong)
		fail_msg("%s", wrong);
}

void ord_begin(int argc, char **argv)
{
	ord_watchdog();
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
}
