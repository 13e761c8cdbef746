/* SPDX-License-Identifier: MIT */
/*
 * key.c - the key of a futex that is not a private one: the object behind a mapping, and where in
 * it.
 *
 * Called by the engine through the port, with no lock held. What counts as shared memory is what
 * Linux makes of it: memory of a file or of MAP_SHARED is the object's, all other is the address
 * space's, and of that only what is writable can be waited on.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "src/host/rawcall.h"

/* An entry of /proc/self/pagemap, 64 bits for each page. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_OBJECT	(1ull << 61) /* a page of a file, or shared anonymous */

/*
 * In a private mapping of a file a page is the file's until somebody writes to it, and then the
 * address space's own. A page that was never touched is the file's.
 */
static bool page_is_the_files(uintptr_t addr)
{
	uint64_t entry = 0;
	long page = sysconf(_SC_PAGESIZE);
	long fd = rqh_syscall4(SYS_openat, AT_FDCWD, RQH_ARG("/proc/self/pagemap"),
			       O_RDONLY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return false;
	n = rqh_pread(fd, &entry, sizeof(entry), (uint64_t)addr / (uint64_t)page * sizeof(entry));
	rqh_syscall3(SYS_close, fd, 0, 0);
	return n == sizeof(entry) && (entry & PAGEMAP_PRESENT) && (entry & PAGEMAP_OBJECT);
}

/* Beyond the end of its file a mapping has no memory. Without the option nobody can look. */
static bool is_there(struct rqh_host *h, const uint32_t *uaddr)
{
	uint32_t val;

	return !rqh_has(h, RQPI_HOST_CATCH_FAULTS) || rqh_guarded_load(uaddr, &val) == 0;
}

/*
 * Inode numbers are those of a device, and System V segments have numbers of their own on the
 * device of all shared memory. Both go where no offset reaches.
 */
static struct rqpi_key object_key(const struct rqh_mapping *map, uintptr_t addr)
{
	uint64_t device = ((uint64_t)map->major << 20 | map->minor) << 1 | map->sysv;

	return (struct rqpi_key){
	    .object = map->inode,
	    .offset = (map->offset + (addr - map->start)) ^ device << 31,
	    .shared = RQPI_KEY_SHARED_OBJECT,
	};
}

int rqh_shared_key(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
		   struct rqpi_key *key)
{
	uintptr_t addr = (uintptr_t)uaddr;
	struct rqh_mapping map;

	if (rqh_find_mapping(addr, &map) != 0 || !(map.readable || map.writable))
		return -RQPI_EFAULT;
	if ((write && !map.writable) || !is_there(ctx, uaddr))
		return -RQPI_EFAULT;
	if (map.shared || (map.inode && !map.writable && page_is_the_files(addr))) {
		*key = object_key(&map, addr);
		return 0;
	}
	if (!map.writable)
		return -RQPI_EFAULT;
	*key = (struct rqpi_key){
	    .object = rqpi_task_space(self),
	    .offset = addr,
	    .shared = RQPI_KEY_SHARED_MEMORY,
	};
	return 0;
}
