/* SPDX-License-Identifier: MIT */
/*
 * rawcall_libc.c - rqh_syscall() where rawcall.h has no instructions for the processor.
 *
 * Called by all of src/host. The next syscall() behind this library is libc's, and not the one that
 * futex_shim.c exports from the same library.
 */
#define _GNU_SOURCE
#include "src/host/rawcall.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "src/base/atomic.h"

static void *found;

long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	void *address = rqb_load_ptr_acq(&found);
	long (*real)(long number, ...);
	int saved = errno;
	long ret;

	if (!address) {
		address = dlsym(RTLD_NEXT, "syscall");
		if (!address)
			return -ENOSYS;
		rqb_store_ptr_rel(&found, address);
	}
	memcpy(&real, &address, sizeof(real));
	ret = real(nr, a, b, c, d, e, f);
	if (ret == -1) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}
