/* SPDX-License-Identifier: MIT */
/*
 * shim_symbol.c - see shim_symbol.h.
 *
 * dladdr() knows the symbols that a library exports, and most locks are static. So the object's own
 * file is read: .symtab, or where it has been stripped .dynsym. The file that is mapped now is
 * kept, as the next address mostly lies in the same. One report is made at a time
 * (shim_report.c), so that there is one such file.
 */
#define _GNU_SOURCE
#include "src/shim/shim_symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "src/shim/shim_os.h"

/* An object's file; all offsets in it are looked at before they are used. */
static struct {
	const struct link_map *map; /* NULL: none is open */
	const uint8_t *bytes;	    /* NULL: it cannot be read, or is no ELF file */
	size_t size;
	const ElfW(Sym) * symbols;
	size_t count;
	const char *names; /* ended by a NUL */
	size_t names_size;
} file;

/* It takes no lock, and may be called by a signal handler: dladdr() may not. */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

static const void *part(uint64_t offset, uint64_t size)
{
	return offset <= file.size && size <= file.size - offset ? file.bytes + offset : NULL;
}

/* A string table that ends as it should. */
static bool use_names(const ElfW(Shdr) * section)
{
	const char *names = part(section->sh_offset, section->sh_size);

	if (section->sh_type != SHT_STRTAB || !names || section->sh_size == 0 ||
	    names[section->sh_size - 1] != '\0')
		return false;
	file.names = names;
	file.names_size = section->sh_size;
	return true;
}

static bool use_table(const ElfW(Shdr) * sections, size_t count, uint32_t type)
{
	for (size_t i = 0; i < count; i++) {
		const ElfW(Shdr) *s = &sections[i];
		const void *symbols;

		if (s->sh_type != type || s->sh_link >= count ||
		    s->sh_entsize != sizeof(ElfW(Sym)) || s->sh_offset % _Alignof(ElfW(Sym)) != 0)
			continue;
		symbols = part(s->sh_offset, s->sh_size);
		if (!symbols || !use_names(&sections[s->sh_link]))
			continue;
		file.symbols = symbols;
		file.count = s->sh_size / sizeof(ElfW(Sym));
		return true;
	}
	return false;
}

static void find_tables(void)
{
	const ElfW(Ehdr) *header = part(0, sizeof(*header));
	const ElfW(Shdr) * sections;

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_shentsize != sizeof(*sections) || header->e_shoff % _Alignof(ElfW(Shdr)) != 0)
		return;
	sections = part(header->e_shoff, (uint64_t)header->e_shnum * sizeof(*sections));
	if (sections && !use_table(sections, header->e_shnum, SHT_SYMTAB))
		use_table(sections, header->e_shnum, SHT_DYNSYM);
}

void shim_place_done(void)
{
	if (file.bytes)
		shim_os_unmap(file.bytes, file.size);
	memset(&file, 0, sizeof(file));
}

static void open_object(const struct link_map *map)
{
	bool program = !map->l_name || !*map->l_name;

	if (file.map == map)
		return;
	shim_place_done();
	file.map = map;
	file.bytes = shim_os_map_file(program ? "/proc/self/exe" : map->l_name, &file.size);
	if (file.bytes)
		find_tables();
}

static bool holds(const ElfW(Sym) * symbol, uint64_t offset, bool code)
{
	int type = symbol->st_info & 0xf;
	bool fits = code ? type == STT_FUNC || type == STT_GNU_IFUNC : type == STT_OBJECT;

	return fits && symbol->st_shndx != SHN_UNDEF && symbol->st_name < file.names_size &&
	       offset >= symbol->st_value && offset - symbol->st_value < symbol->st_size;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

static void name_object(const struct link_map *map, struct shim_place *place)
{
	const char *name = map->l_name;
	const char *slash;

	if (!name || !*name)
		name = program_invocation_short_name;
	slash = strrchr(name, '/');
	copy(place->object, sizeof(place->object), slash ? slash + 1 : name);
}

/* Of several symbols the smallest: a member of what the others are. */
static void name_symbol(struct shim_place *place, bool code)
{
	uint64_t offset = place->offset - code; /* the call is before the return address */
	const ElfW(Sym) *best = NULL;

	for (size_t i = 0; i < file.count; i++)
		if (holds(&file.symbols[i], offset, code) &&
		    (!best || file.symbols[i].st_size < best->st_size))
			best = &file.symbols[i];
	if (!best)
		return;
	copy(place->symbol, sizeof(place->symbol), file.names + best->st_name);
	place->into = place->offset - best->st_value;
}

void shim_place_of(uint64_t address, bool code, struct shim_place *place)
{
	struct dl_find_object found;

	memset(place, 0, sizeof(*place));
	if (!address || !_dl_find_object || _dl_find_object((void *)(uintptr_t)address, &found))
		return;
	place->offset = address - found.dlfo_link_map->l_addr;
	name_object(found.dlfo_link_map, place);
	open_object(found.dlfo_link_map);
	name_symbol(place, code);
}
