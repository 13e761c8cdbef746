/* SPDX-License-Identifier: MIT */
/* symbols.h - the names of this program's own functions and variables, static ones too. */
#ifndef RQS_SYMBOLS_H
#define RQS_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Where the program lies in memory: what is stored of an address can be an offset to this. */
uintptr_t rqs_program_base(void);

/*
 * The name of what @addr lies in, up to the first '.' of the compiler's additions, in @name; how
 * far into it @addr is. "?" and 0 if nobody knows: the program has been stripped.
 */
size_t rqs_symbol(uintptr_t addr, char *name, size_t size);

#endif /* RQS_SYMBOLS_H */
