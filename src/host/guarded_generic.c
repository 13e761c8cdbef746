/* SPDX-License-Identifier: MIT */
/*
 * guarded_generic.c - accesses that may fault and then answer EFAULT, where no instructions were
 * written for the processor: the kernel is asked first whether there is memory.
 *
 * Called by word.c and key.c. Between question and access another thread may unmap the page; then
 * it is SIGSEGV after all. guarded_x86_64.c has no such gap.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "src/host/rawcall.h"

#define PAGE 4096u

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int rqh_guarded_copy(void *to, const void *from, size_t bytes)
{
	struct iovec target = {to, bytes};
	struct iovec source = {(void *)(uintptr_t)from, bytes};
	long ret = rqh_syscall(SYS_process_vm_readv, (long)rqh_local->pid, RQH_ARG(&target), 1,
			       RQH_ARG(&source), 1, 0);

	if (ret == (long)bytes)
		return 0;
	/* Not allowed to ask, as in some sandboxes: then as without the option. */
	if (ret == -EPERM || ret == -ENOSYS) {
		for (size_t i = 0; i < bytes; i++)
			((volatile char *)to)[i] = ((const volatile char *)from)[i];
		return 0;
	}
	return -RQPI_EFAULT;
}

int rqh_guarded_load(const uint32_t *uaddr, uint32_t *val)
{
	if (rqh_guarded_copy(val, uaddr, sizeof(*val)) != 0)
		return -RQPI_EFAULT;
	*val = rqb_load_sc(uaddr);
	return 0;
}

static long populate(const void *address)
{
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)(PAGE - 1);

	return rqh_syscall3(SYS_madvise, (long)page, PAGE, MADV_POPULATE_WRITE);
}

/* EINVAL is said of a read-only mapping, and by a kernel that does not know the advice at all. */
static bool is_writable(const uint32_t *uaddr)
{
	uint32_t ours;
	long ret = populate(uaddr);

	return ret != -EFAULT && ret != -ENOMEM && (ret != -EINVAL || populate(&ours) == -EINVAL);
}

int rqh_guarded_cmpxchg(uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	if (rqh_guarded_load(uaddr, seen) != 0 || !is_writable(uaddr))
		return -RQPI_EFAULT;
	*seen = old;
	while (!rqb_cas(uaddr, old, val)) {
		*seen = rqb_load_sc(uaddr);
		if (*seen != old)
			break;
	}
	return 0;
}

/* Nothing of the above faults as long as the mapping stays. */
uintptr_t rqh_guarded_exit(uintptr_t pc)
{
	(void)pc;
	return 0;
}
