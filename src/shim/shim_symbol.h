/* SPDX-License-Identifier: MIT */
/*
 * shim_symbol.h - what an address is called: the program or library it lies in, and the variable or
 * function there. For the report: reads files, takes no lock, allocates nothing.
 */
#ifndef RQU_SHIM_SYMBOL_H
#define RQU_SHIM_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

struct shim_place {
	char object[48];  /* base name; "": in none (heap, stack, a library that is gone) */
	uint64_t offset;  /* in it, as its symbols count */
	char symbol[112]; /* "": not known */
	uint64_t into;	  /* how far behind the symbol's beginning */
};

/* @code: a return address, looked for among functions; else among variables. */
void shim_place_of(uint64_t address, bool code, struct shim_place *place);

/* Let go of the files that have been read. */
void shim_place_done(void);

#endif /* RQU_SHIM_SYMBOL_H */
