/* SPDX-License-Identifier: MIT */
/*
 * guarded_generic.c - accesses that may fault and then answer EFAULT, where no instructions were
 * written for the processor: the handler of the fault jumps back to before the access.
 *
 * Called by word.c and key.c; the handler in fault.c asks rqh_guarded_exit(). A fault is this
 * access's only if it is at its address: a signal handler may run in the middle, and fault by
 * itself.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <setjmp.h>
#include <string.h>

struct guard {
	uintptr_t at;
	size_t bytes;
	struct guard *outer; /* of the code that a signal handler interrupted */
	sigjmp_buf way_out;
};

static __thread struct guard *volatile innermost;

static void guard_begin(struct guard *g, const void *at, size_t bytes)
{
	g->at = (uintptr_t)at;
	g->bytes = bytes;
	g->outer = innermost;
	innermost = g;
	rqb_compiler_barrier();
}

static void guard_end(const struct guard *g)
{
	rqb_compiler_barrier();
	innermost = g->outer;
}

int rqh_guarded_copy(void *to, const void *from, size_t bytes)
{
	struct guard g;

	guard_begin(&g, from, bytes);
	if (sigsetjmp(g.way_out, 0)) {
		guard_end(&g);
		return -RQPI_EFAULT;
	}
	for (size_t i = 0; i < bytes; i++)
		((volatile char *)to)[i] = ((const volatile char *)from)[i];
	guard_end(&g);
	return 0;
}

int rqh_guarded_load(const uint32_t *uaddr, uint32_t *val)
{
	struct guard g;

	guard_begin(&g, uaddr, sizeof(*uaddr));
	if (sigsetjmp(g.way_out, 0)) {
		guard_end(&g);
		return -RQPI_EFAULT;
	}
	*val = rqb_load_sc(uaddr);
	guard_end(&g);
	return 0;
}

int rqh_guarded_cmpxchg(uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	struct guard g;

	guard_begin(&g, uaddr, sizeof(*uaddr));
	if (sigsetjmp(g.way_out, 0)) {
		guard_end(&g);
		return -RQPI_EFAULT;
	}
	*seen = old;
	while (!rqb_cas(uaddr, old, val)) {
		*seen = rqb_load_sc(uaddr);
		if (*seen != old)
			break;
	}
	guard_end(&g);
	return 0;
}

/* Does not return to the handler: the mask of the interrupted code is put back here. */
uintptr_t rqh_guarded_exit(uintptr_t pc, uintptr_t address, uint64_t mask)
{
	struct guard *g = innermost;

	(void)pc;
	if (!g || address - g->at >= g->bytes)
		return 0;
	rqh_signals_restore(mask);
	siglongjmp(g->way_out, 1);
}
