/* SPDX-License-Identifier: MIT */
/*
 * maps.c - which mapping of this process is at an address.
 *
 * Called by key.c. Asks /proc/self/maps: in one ioctl since Linux 6.11, else by reading its text.
 * Nothing is remembered but the open file: mappings change at any time.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "src/host/rawcall.h"

/* proc(5), PROCMAP_QUERY: what is asked, and what the kernel fills in. */
struct query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};
#define QUERY	       _IOWR('f', 17, struct query)
#define QUERY_READABLE 0x1u
#define QUERY_WRITABLE 0x2u
#define QUERY_SHARED   0x8u

/* Long enough for the name of a System V segment; a longer name is of no interest. */
#define NAME_BYTES 64

int rqh_find_mapping_by_query(int fd, uintptr_t addr, struct rqh_mapping *map)
{
	char name[NAME_BYTES] = "";
	struct query query = {
	    .size = sizeof(query),
	    .query_addr = addr,
	    .vma_name_addr = (uintptr_t)name,
	    .vma_name_size = sizeof(name),
	};
	long ret = rqh_syscall3(SYS_ioctl, fd, (long)QUERY, RQH_ARG(&query));

	if (ret == -ENAMETOOLONG) {
		query.vma_name_addr = 0;
		query.vma_name_size = 0;
		ret = rqh_syscall3(SYS_ioctl, fd, (long)QUERY, RQH_ARG(&query));
	}
	if (ret == -ENOENT)
		return -EFAULT;
	if (ret < 0)
		return (int)ret;
	*map = (struct rqh_mapping){
	    .start = query.vma_start,
	    .end = query.vma_end,
	    .offset = query.vma_offset,
	    .inode = query.inode,
	    .major = query.dev_major,
	    .minor = query.dev_minor,
	    .readable = (query.vma_flags & QUERY_READABLE) != 0,
	    .writable = (query.vma_flags & QUERY_WRITABLE) != 0,
	    .shared = (query.vma_flags & QUERY_SHARED) != 0,
	    .sysv = strncmp(name, "/SYSV", 5) == 0,
	};
	return 0;
}

/* ---------------------------------------------------------------- the text */

/* A window on the file that is moved on as lines are used up. */
struct reader {
	int fd;
	uint64_t at; /* in the file, of what comes after the window */
	size_t begin;
	size_t end;
	char text[8192];
};

/* The next line, without its end; NULL at the end. Longer ones than the window are cut. */
static char *next_line(struct reader *r)
{
	char *newline = memchr(r->text + r->begin, '\n', r->end - r->begin);
	char *line;
	long n;

	while (!newline) {
		memmove(r->text, r->text + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
		if (r->end == sizeof(r->text))
			return NULL;
		n = rqh_pread(r->fd, r->text + r->end, sizeof(r->text) - r->end, r->at);
		if (n <= 0)
			return NULL;
		r->at += (uint64_t)n;
		newline = memchr(r->text + r->end, '\n', (size_t)n);
		r->end += (size_t)n;
	}
	*newline = '\0';
	line = r->text + r->begin;
	r->begin = (size_t)(newline + 1 - r->text);
	return line;
}

/* A number in @base at *p, which is moved behind it and the one character that ends it. */
static uint64_t take_number(const char **p, unsigned int base)
{
	uint64_t n = 0;

	for (;; (*p)++) {
		unsigned int digit = (unsigned int)(unsigned char)**p;

		if (digit >= '0' && digit <= '9')
			digit -= '0';
		else if (digit >= 'a' && digit <= 'f')
			digit -= 'a' - 10;
		else
			break;
		if (digit >= base)
			break;
		n = n * base + digit;
	}
	if (**p)
		(*p)++;
	return n;
}

/* "start-end rwxs offset major:minor inode   name" */
static void parse_line(const char *line, struct rqh_mapping *map)
{
	const char *p = line;

	*map = (struct rqh_mapping){.start = take_number(&p, 16)};
	map->end = take_number(&p, 16);
	if (strlen(p) < 5)
		return;
	map->readable = p[0] == 'r';
	map->writable = p[1] == 'w';
	map->shared = p[3] == 's';
	p += 5;
	map->offset = take_number(&p, 16);
	map->major = (uint32_t)take_number(&p, 16);
	map->minor = (uint32_t)take_number(&p, 16);
	map->inode = take_number(&p, 10);
	while (*p == ' ')
		p++;
	map->sysv = strncmp(p, "/SYSV", 5) == 0;
}

int rqh_find_mapping_in_text(int fd, uintptr_t addr, struct rqh_mapping *map)
{
	struct reader r = {.fd = fd};
	const char *line;

	while ((line = next_line(&r))) {
		parse_line(line, map);
		if (addr < map->start)
			return -EFAULT;
		if (addr < map->end)
			return 0;
	}
	return -EFAULT;
}

/* ---------------------------------------------------------------- either */

int rqh_open_maps(void)
{
	return (int)rqh_syscall4(SYS_openat, AT_FDCWD, RQH_ARG("/proc/self/maps"),
				 O_RDONLY | O_CLOEXEC, 0);
}

/* The open file of this process, opened again if the program has closed it under us. */
static int maps_fd(bool anew)
{
	struct rqh_local *local = rqh_local;
	uint32_t seen = rqb_load(&local->maps_fd);
	int fd;

	if (seen && !anew)
		return (int)seen - 1;
	fd = rqh_open_maps();
	if (fd < 0)
		return fd;
	if (!rqb_cas(&local->maps_fd, seen, (uint32_t)fd + 1)) {
		rqh_syscall3(SYS_close, fd, 0, 0);
		return (int)rqb_load(&local->maps_fd) - 1;
	}
	return fd;
}

int rqh_find_mapping(uintptr_t addr, struct rqh_mapping *map)
{
	int fd = maps_fd(false);
	int ret = fd < 0 ? fd : rqh_find_mapping_by_query(fd, addr, map);

	if (ret == 0 || ret == -EFAULT)
		return ret;
	if (ret == -EBADF) {
		fd = maps_fd(true);
		ret = fd < 0 ? fd : rqh_find_mapping_by_query(fd, addr, map);
		if (ret == 0 || ret == -EFAULT)
			return ret;
	}
	/*
	 * No such ioctl: an older kernel, or not our file any more. The text is that of a new one.
	 */
	fd = rqh_open_maps();
	if (fd < 0)
		return fd;
	ret = rqh_find_mapping_in_text(fd, addr, map);
	rqh_syscall3(SYS_close, fd, 0, 0);
	return ret;
}
