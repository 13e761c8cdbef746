/* SPDX-License-Identifier: MIT */
/*
 * assert.h - two strengths of assertion.
 *
 * RQB_ASSERT stays on in release builds: cheap, and what it guards is never worth running past.
 * RQB_BUILD is checked by the compiler.
 */
#ifndef RQB_ASSERT_H
#define RQB_ASSERT_H

/* Stops the program without touching stdio: the caller may hold any lock. */
#define RQB_ASSERT(cond)                          \
	do {                                      \
		if (__builtin_expect(!(cond), 0)) \
			__builtin_trap();         \
	} while (0)

#define RQB_BUILD(cond, text) _Static_assert(cond, text)

#endif /* RQB_ASSERT_H */
