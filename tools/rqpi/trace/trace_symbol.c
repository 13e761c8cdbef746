/* SPDX-License-Identifier: MIT */
/*
 * trace_symbol.c - what addresses in other processes are called: "the_lock+0x28 (prog)", or
 * "prog+0x4010" where the file has no symbol for it. See trace.h; the spelling is that of
 * shim_symbol.c, which does the same for its own process.
 *
 * A process's maps say which file begins where; the file's segments say how far it reaches, for
 * what is 0 at the start (.bss) is mapped from no file. A file is opened when it is first seen,
 * since it may be gone when somebody asks, and its symbols are read when somebody does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "trace.h"

struct segment {
	uint64_t offset; /* in the file */
	uint64_t size;	 /* of it in the file */
	uint64_t address;
};

struct symbol {
	uint64_t address;
	uint64_t size;
	uint32_t name; /* in `names` */
	bool code;
};

struct file {
	dev_t device;
	ino_t inode;
	int fd; /* -1: cannot be read */
	bool elf;
	bool read; /* its symbols, if it has any */
	char name[NAME_MAX + 1];
	uint64_t low, high; /* addresses of all its segments */
	TRACE_ARRAY(struct segment) segments;
	TRACE_ARRAY(struct symbol) symbols;
	TRACE_ARRAY(char) names;
};

/* A file in a process. */
struct object {
	uint32_t file; /* index */
	uint64_t bias; /* address in memory less address in the file */
	uint64_t low, high;
};

struct process {
	uint32_t pid;
	TRACE_ARRAY(struct object) objects;
};

struct told {
	uint32_t pid;
	uint64_t address;
	char place[TRACE_PLACE_SIZE];
};

struct trace_symbols {
	TRACE_ARRAY(struct told) told;
	TRACE_ARRAY(struct file) files;
	TRACE_ARRAY(struct process) processes;
};

/* A line of /proc/PID/maps. */
struct mapping {
	uint64_t start, end, offset;
	bool code;
	dev_t device;
	ino_t inode;
	const char *path;
};

struct trace_symbols *trace_symbols_new(void)
{
	struct trace_symbols *s = calloc(1, sizeof(*s));

	if (!s)
		trace_no_memory();
	elf_version(EV_CURRENT);
	return s;
}

void trace_symbols_free(struct trace_symbols *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->files.count; i++) {
		struct file *f = &s->files.at[i];

		if (f->fd >= 0)
			close(f->fd);
		free(f->segments.at);
		free(f->symbols.at);
		free(f->names.at);
	}
	for (uint32_t i = 0; i < s->processes.count; i++)
		free(s->processes.at[i].objects.at);
	free(s->told.at);
	free(s->files.at);
	free(s->processes.at);
	free(s);
}

/* Nothing but a file is opened: a device could mind. */
static int open_same(const char *path, const struct mapping *map)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_ino != map->inode)
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * As the process sees it: by its root, in its mount namespace; if the path is another file by now,
 * by the kernel's own link, which only some may follow. The device is not compared: some file
 * systems tell one number in the maps and another one here.
 */
static int open_file(uint32_t pid, const struct mapping *map)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s%s", pid, "root", map->path);
	fd = open_same(path, map);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, pid,
		 map->start, map->end);
	return open_same(path, map);
}

static void read_segments(struct file *f, Elf *elf)
{
	size_t count = 0;
	GElf_Phdr header;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count; i++) {
		struct segment *s;

		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		s = trace_append(&f->segments);
		*s = (struct segment){header.p_offset, header.p_filesz, header.p_vaddr};
		if (f->segments.count == 1 || header.p_vaddr < f->low)
			f->low = header.p_vaddr;
		if (header.p_vaddr + header.p_memsz > f->high)
			f->high = header.p_vaddr + header.p_memsz;
	}
	f->elf = f->segments.count > 0;
}

/* The name under which it is linked with is how the dynamic linker calls a library. */
static void read_soname(struct file *f, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Dyn entry;

	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getdyn(data, i, &entry); i++) {
			const char *name;

			if (entry.d_tag != DT_SONAME)
				continue;
			name = elf_strptr(elf, header.sh_link, (size_t)entry.d_un.d_val);
			if (name && *name)
				snprintf(f->name, sizeof(f->name), "%s", name);
			return;
		}
	}
}

static void name_file(struct file *f, const char *path)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	size_t n;

	snprintf(f->name, sizeof(f->name), "%s", slash ? slash + 1 : path);
	n = strlen(f->name);
	if (n > sizeof(deleted) - 1 && !strcmp(f->name + n - (sizeof(deleted) - 1), deleted))
		f->name[n - (sizeof(deleted) - 1)] = '\0';
}

/* Index of it, opened if it is new. */
static uint32_t find_file(struct trace_symbols *s, uint32_t pid, const struct mapping *map)
{
	struct file *f;
	Elf *elf;

	for (uint32_t i = 0; i < s->files.count; i++)
		if (s->files.at[i].inode == map->inode && s->files.at[i].device == map->device)
			return i;
	f = trace_append(&s->files);
	f->device = map->device;
	f->inode = map->inode;
	f->fd = open_file(pid, map);
	name_file(f, map->path);
	elf = f->fd >= 0 ? elf_begin(f->fd, ELF_C_READ, NULL) : NULL;
	if (elf && elf_kind(elf) == ELF_K_ELF) {
		read_segments(f, elf);
		read_soname(f, elf);
	}
	elf_end(elf);
	if (!f->elf && f->fd >= 0) {
		close(f->fd); /* data: a name and an offset are all there is to tell */
		f->fd = -1;
	}
	return s->files.count - 1;
}

/* "START-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH" */
static bool parse_mapping(char *line, struct mapping *map)
{
	char permissions[8];
	unsigned int major_number, minor_number;
	unsigned long long inode;
	int path = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %llu %n", &map->start,
		   &map->end, permissions, &map->offset, &major_number, &minor_number, &inode,
		   &path) != 7 ||
	    !inode || line[path] != '/')
		return false;
	map->code = permissions[2] == 'x';
	map->device = makedev(major_number, minor_number);
	map->inode = (ino_t)inode;
	map->path = line + path;
	/* Shared memory without a name is mapped from there: no file that anybody could look at. */
	return strncmp(map->path, "/dev/zero", 9) != 0;
}

static void add_data(struct process *p, uint32_t file, const struct mapping *map)
{
	*trace_append(&p->objects) = (struct object){
	    .file = file,
	    .bias = map->start - map->offset,
	    .low = map->start,
	    .high = map->end,
	};
}

/* By its code: a program may map files, also its own, only to read in them. */
static void add_code(struct process *p, const struct trace_symbols *s, uint32_t file,
		     const struct mapping *map)
{
	const struct file *f = &s->files.at[file];

	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct segment *segment = &f->segments.at[i];
		uint64_t bias = map->start - map->offset + segment->offset - segment->address;

		/* A mapping begins with a page, and a segment need not. */
		if (map->offset + (map->end - map->start) <= segment->offset ||
		    map->offset >= segment->offset + segment->size)
			continue;
		for (uint32_t o = 0; o < p->objects.count; o++)
			if (p->objects.at[o].file == file && p->objects.at[o].bias == bias)
				return;
		*trace_append(&p->objects) = (struct object){file, bias, bias + f->low,
							     bias + f->high};
		return;
	}
}

static struct process *find_process(const struct trace_symbols *s, uint32_t pid)
{
	for (uint32_t i = 0; i < s->processes.count; i++)
		if (s->processes.at[i].pid == pid)
			return &s->processes.at[i];
	return NULL;
}

void trace_symbols_look(struct trace_symbols *s, uint32_t pid)
{
	struct process new = {.pid = pid};
	struct process *p = find_process(s, pid);
	char path[64];
	char *line = NULL;
	size_t size = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return;
	while (getline(&line, &size, maps) > 0) {
		struct mapping map;
		uint32_t file;

		if (!parse_mapping(line, &map))
			continue;
		file = find_file(s, pid, &map);
		if (!s->files.at[file].elf)
			add_data(&new, file, &map);
		else if (map.code)
			add_code(&new, s, file, &map);
	}
	free(line);
	fclose(maps);
	if (!new.objects.count)
		return; /* it ends, and has no memory any more: what was there stays known */
	if (!p)
		p = trace_append(&s->processes);
	free(p->objects.at);
	*p = new;
}

static const struct object *find_object(const struct trace_symbols *s, uint32_t pid,
					uint64_t address)
{
	const struct process *p = find_process(s, pid);

	for (uint32_t i = 0; p && i < p->objects.count; i++)
		if (address >= p->objects.at[i].low && address < p->objects.at[i].high)
			return &p->objects.at[i];
	return NULL;
}

bool trace_symbols_knows(const struct trace_symbols *s, uint32_t pid, uint64_t address)
{
	return find_object(s, pid, address) != NULL;
}

static uint32_t keep_name(struct file *f, const char *name)
{
	uint32_t at = f->names.count;

	do
		*trace_append(&f->names) = *name;
	while (*name++);
	return at;
}

static void read_table(struct file *f, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
		int type = GELF_ST_TYPE(symbol.st_info);
		bool code = type == STT_FUNC || type == STT_GNU_IFUNC;
		const char *name;
		struct symbol *new;

		if ((!code && type != STT_OBJECT) || symbol.st_shndx == SHN_UNDEF ||
		    !symbol.st_size)
			continue;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (!name || !*name)
			continue;
		new = trace_append(&f->symbols);
		*new = (struct symbol){symbol.st_value, symbol.st_size, 0, code};
		f->symbols.at[f->symbols.count - 1].name = keep_name(f, name);
	}
}

/* .symtab has the static ones, too; a stripped file has .dynsym alone. */
static void read_symbols(struct file *f)
{
	static const uint32_t tables[] = {SHT_SYMTAB, SHT_DYNSYM};
	Elf *elf;

	f->read = true;
	elf = f->fd >= 0 ? elf_begin(f->fd, ELF_C_READ, NULL) : NULL;
	for (size_t t = 0; elf && t < 2 && !f->symbols.count; t++) {
		Elf_Scn *section = NULL;
		GElf_Shdr header;

		while ((section = elf_nextscn(elf, section)))
			if (gelf_getshdr(section, &header) && header.sh_type == tables[t])
				read_table(f, elf, section, &header);
	}
	elf_end(elf);
}

/* Of several symbols the smallest: a member of what the others are. NULL: none. */
static const struct symbol *find_symbol(const struct file *f, uint64_t address, bool code)
{
	const struct symbol *best = NULL;

	for (uint32_t i = 0; i < f->symbols.count; i++) {
		const struct symbol *s = &f->symbols.at[i];

		if (s->code == code && address >= s->address && address - s->address < s->size &&
		    (!best || s->size < best->size))
			best = s;
	}
	return best;
}

void trace_symbols_tell(struct trace_symbols *s, uint32_t pid, uint64_t address, const char *place)
{
	struct told *t = trace_append(&s->told);

	t->pid = pid;
	t->address = address;
	snprintf(t->place, sizeof(t->place), "%s", place);
}

/* The last word counts: of a program that another became, it is the other's. */
static bool name_told(const struct trace_symbols *s, uint32_t pid, uint64_t address,
		      char place[TRACE_PLACE_SIZE])
{
	for (uint32_t i = s->told.count; i > 0; i--) {
		const struct told *t = &s->told.at[i - 1];

		if (t->pid == pid && t->address == address) {
			memcpy(place, t->place, sizeof(t->place));
			return true;
		}
	}
	return false;
}

bool trace_symbols_name(struct trace_symbols *s, uint32_t pid, uint64_t address, bool code,
			char place[TRACE_PLACE_SIZE])
{
	const struct object *o = find_object(s, pid, address);
	const struct symbol *symbol;
	struct file *f;
	uint64_t offset;

	place[0] = '\0';
	if (!o)
		return code && name_told(s, pid, address, place);
	f = &s->files.at[o->file];
	offset = address - o->bias;
	if (f->elf && !f->read)
		read_symbols(f);
	/* A return address: the call is before it. */
	symbol = find_symbol(f, offset - code, code);
	/* Names that are too long are cut, each by itself. */
	if (!symbol)
		snprintf(place, TRACE_PLACE_SIZE, "%.128s+0x%" PRIx64, f->name, offset);
	else if (offset == symbol->address)
		snprintf(place, TRACE_PLACE_SIZE, "%.90s (%.45s)", f->names.at + symbol->name,
			 f->name);
	else
		snprintf(place, TRACE_PLACE_SIZE, "%.90s+0x%" PRIx64 " (%.45s)",
			 f->names.at + symbol->name, offset - symbol->address, f->name);
	return true;
}
