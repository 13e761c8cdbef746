/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - the symbol table of the program's own file, read when it is first asked for: dladdr()
 * knows exported names only.
 *
 * Called by races.c.
 */
#define _GNU_SOURCE
#include "sim/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file;
static const Elf64_Sym *symbols;
static size_t n_symbols;
static const char *names;

static int first_object(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uintptr_t *)base = (uintptr_t)info->dlpi_addr;
	return 1;
}

uintptr_t rqs_program_base(void)
{
	static uintptr_t base;

	if (!base)
		dl_iterate_phdr(first_object, &base);
	return base;
}

static void find_table(void)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file;
	const Elf64_Shdr *section =
	    (const Elf64_Shdr *)(const void *)(file + (size_t)header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++) {
		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		symbols = (const Elf64_Sym *)(const void *)(file + section[i].sh_offset);
		n_symbols = section[i].sh_size / sizeof(*symbols);
		names = file + section[section[i].sh_link].sh_offset;
	}
}

static void read_file(void)
{
	static bool tried;
	struct stat stat;
	void *map = MAP_FAILED;
	int fd;

	if (tried)
		return;
	tried = true;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &stat))
		map = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	file = map;
	find_table();
}

size_t rqs_symbol(uintptr_t addr, char *name, size_t size)
{
	const Elf64_Sym *best = NULL;

	read_file();
	addr -= rqs_program_base();
	for (size_t i = 0; i < n_symbols; i++) {
		const Elf64_Sym *s = &symbols[i];
		int type = ELF64_ST_TYPE(s->st_info);

		if ((type == STT_FUNC || type == STT_OBJECT) && addr >= s->st_value &&
		    addr < s->st_value + s->st_size)
			best = s;
	}
	if (!best) {
		snprintf(name, size, "?");
		return 0;
	}
	snprintf(name, size, "%.*s", (int)strcspn(names + best->st_name, "."),
		 names + best->st_name);
	return addr - best->st_value;
}
