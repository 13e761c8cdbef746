/* SPDX-License-Identifier: MIT */
/*
 * word.c - the words of the program: read, compare-exchange, copy; which addresses are its own.
 *
 * Called by the engine through the port, with buckets locked. With RQPI_HOST_CATCH_FAULTS the
 * guarded_* functions of guarded_x86_64.c or guarded_generic.c answer EFAULT where there is no
 * memory; without it these are plain accesses, and a wrong address is the SIGSEGV that it would be
 * elsewhere.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>

#include "src/host/rawcall.h"

#define PAGE 4096u

static uintptr_t user_end;

/*
 * The guarded accesses are in assembly, where ThreadSanitizer does not look: it is told that they
 * have an order, which is that of rqb_load_sc() and rqb_cas().
 */
static int guarded_load(const uint32_t *uaddr, uint32_t *val)
{
	int ret = rqh_guarded_load(uaddr, val);

	rqb_handoff_acquire((uint32_t *)(uintptr_t)uaddr);
	return ret;
}

static int guarded_cmpxchg(uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	int ret;

	rqb_handoff_release(uaddr);
	ret = rqh_guarded_cmpxchg(uaddr, old, val, seen);
	rqb_handoff_acquire(uaddr);
	return ret;
}

int rqh_load(void *ctx, const uint32_t *uaddr, uint32_t *val)
{
	if (rqh_has(ctx, RQPI_HOST_CATCH_FAULTS))
		return guarded_load(uaddr, val);
	*val = rqb_load_sc(uaddr);
	return 0;
}

int rqh_cmpxchg(void *ctx, uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	if (rqh_has(ctx, RQPI_HOST_CATCH_FAULTS))
		return guarded_cmpxchg(uaddr, old, val, seen);
	*seen = old;
	while (!rqb_cas(uaddr, old, val)) {
		*seen = rqb_load_sc(uaddr);
		if (*seen != old)
			break;
		/* It changed and changed back between the two: try again. */
	}
	return 0;
}

/*
 * The kernel brings pages in by itself, so EFAULT is the last word, unless the mapping has changed
 * since. Worth another try is only what would succeed now; a write is tried with the word's own
 * value.
 */
int rqh_fault_in(void *ctx, uint32_t *uaddr, bool write)
{
	uint32_t val;
	uint32_t seen;

	if (!rqh_has(ctx, RQPI_HOST_CATCH_FAULTS) || rqh_guarded_load(uaddr, &val) != 0)
		return -RQPI_EFAULT;
	return write ? rqh_guarded_cmpxchg(uaddr, val, val, &seen) : 0;
}

int rqh_copy_in(void *ctx, void *to, const void *from, size_t bytes)
{
	if (rqh_has(ctx, RQPI_HOST_CATCH_FAULTS))
		return rqh_guarded_copy(to, from, bytes);
	memcpy(to, from, bytes);
	return 0;
}

bool rqh_user_range(void *ctx, const void *uaddr)
{
	(void)ctx;
	return (uintptr_t)uaddr < user_end;
}

/* The kernel checks the address of a futex before anything else, and waking nobody does nothing. */
static bool is_users(uintptr_t page)
{
	return rqh_syscall(RQH_SYS_FUTEX, (long)page, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0,
			   0) != -EFAULT;
}

void rqh_probe_user_range(void)
{
	uintptr_t low = 0;		     /* a page of user space */
	uintptr_t high = UINTPTR_MAX / PAGE; /* a page that is not */

	/* A sandbox answers the same to everything; then the machine itself has to object. */
	if (is_users(high * PAGE))
		low = high;
	while (high - low > 1) {
		uintptr_t middle = low + (high - low) / 2;

		if (is_users(middle * PAGE))
			low = middle;
		else
			high = middle;
	}
	user_end = high * PAGE;
}
