/* SPDX-License-Identifier: MIT */
/*
 * probes.c - see probes.h. The handler runs on the thread that came by, wherever that was: it uses
 * atomics and memory of its own, nothing else.
 */
#define _GNU_SOURCE
#include "tests/support/probes.h"

#if defined(__x86_64__) && defined(HAVE_LIBELF)

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define SITES_MAX  128
#define HITS_MAX   8192
#define NOP	   0x90
#define BREAKPOINT 0xcc

enum kind { CONSTANT, REGISTER, MEMORY };

struct argument {
	enum kind kind;
	int bytes;
	bool is_signed;
	int reg; /* index into gregs; of MEMORY the base */
	int64_t number;
};

struct site {
	const uint8_t *pc;
	char name[32];
	int args;
	struct argument arg[RQT_PROBE_ARGS];
	_Atomic unsigned int hits;
};

static struct site sites[SITES_MAX];
static unsigned int nr_sites;
static struct rqt_hit all_hits[HITS_MAX];
static _Atomic unsigned int nr_hits;
static char why_not[256];

/* ---- when a probe is hit ---- */

static int64_t narrowed(uint64_t raw, const struct argument *a)
{
	switch (a->bytes) {
	case 1:
		return a->is_signed ? (int64_t)(int8_t)raw : (int64_t)(uint8_t)raw;
	case 2:
		return a->is_signed ? (int64_t)(int16_t)raw : (int64_t)(uint16_t)raw;
	case 4:
		return a->is_signed ? (int64_t)(int32_t)raw : (int64_t)(uint32_t)raw;
	default:
		return (int64_t)raw;
	}
}

static int64_t value_of(const struct argument *a, const greg_t *regs)
{
	uint64_t raw = (uint64_t)a->number;

	if (a->kind == REGISTER)
		raw = (uint64_t)regs[a->reg];
	else if (a->kind == MEMORY)
		memcpy(&raw, (const void *)(uintptr_t)(regs[a->reg] + a->number), (size_t)a->bytes);
	return narrowed(raw, a);
}

static struct site *site_at(const uint8_t *pc)
{
	for (unsigned int i = 0; i < nr_sites; i++)
		if (sites[i].pc == pc)
			return &sites[i];
	return NULL;
}

static const char *held; /* atomic */

void rqt_probes_hold(const char *name)
{
	__atomic_store_n(&held, name, __ATOMIC_SEQ_CST);
}

static bool is_held(const struct site *s)
{
	const char *name = __atomic_load_n(&held, __ATOMIC_SEQ_CST);

	return name && strcmp(name, s->name) == 0;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct site *s = site_at((const uint8_t *)(uintptr_t)regs[REG_RIP] - 1);
	unsigned int number;
	struct rqt_hit *hit;

	(void)info;
	if (!s) { /* none of ours: as if there were no handler */
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	atomic_fetch_add(&s->hits, 1);
	number = atomic_fetch_add(&nr_hits, 1);
	if (number >= HITS_MAX)
		return;
	hit = &all_hits[number];
	hit->name = s->name;
	hit->args = s->args;
	hit->tid = gettid();
	for (int i = 0; i < s->args; i++)
		hit->arg[i] = value_of(&s->arg[i], regs);
	__atomic_store_n(&hit->complete, true, __ATOMIC_RELEASE);
	while (is_held(s))
		sched_yield();
}

/* ---- notes ---- */

/* Where gregs has the register of this name, whatever part of it is meant: 8 names of 4 widths. */
static int register_named(const char *name)
{
	static const struct {
		const char *names; /* each with a blank behind it */
		int reg;
	} table[] = {
	    {"rax eax ax al ", REG_RAX},      {"rbx ebx bx bl ", REG_RBX},
	    {"rcx ecx cx cl ", REG_RCX},      {"rdx edx dx dl ", REG_RDX},
	    {"rsi esi si sil ", REG_RSI},     {"rdi edi di dil ", REG_RDI},
	    {"rbp ebp bp bpl ", REG_RBP},     {"rsp esp sp spl ", REG_RSP},
	    {"r8 r8d r8w r8b ", REG_R8},      {"r9 r9d r9w r9b ", REG_R9},
	    {"r10 r10d r10w r10b ", REG_R10}, {"r11 r11d r11w r11b ", REG_R11},
	    {"r12 r12d r12w r12b ", REG_R12}, {"r13 r13d r13w r13b ", REG_R13},
	    {"r14 r14d r14w r14b ", REG_R14}, {"r15 r15d r15w r15b ", REG_R15},
	};
	char wanted[24];

	snprintf(wanted, sizeof(wanted), "%s ", name);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *at = strstr(table[i].names, wanted);

		if (at && (at == table[i].names || at[-1] == ' '))
			return table[i].reg;
	}
	return -1;
}

/* "-4@$110", "8@%rbx", "8@-24(%rbp)": as the assembler writes operands. */
static bool read_argument(const char *text, struct argument *a)
{
	char name[16];
	long number = 0;
	int end = 0;

	if (sscanf(text, "%d@%n", &a->bytes, &end) != 1 || end == 0)
		return false;
	a->is_signed = a->bytes < 0;
	a->bytes = a->bytes < 0 ? -a->bytes : a->bytes;
	text += end;
	if (sscanf(text, "$%ld", &number) == 1) {
		a->kind = CONSTANT;
		a->number = number;
		return true;
	}
	if (sscanf(text, "%%%15[a-z0-9]", name) == 1) {
		a->kind = REGISTER;
	} else if (sscanf(text, "(%%%15[a-z0-9])", name) == 1 ||
		   sscanf(text, "%ld(%%%15[a-z0-9])", &number, name) == 2) {
		a->kind = MEMORY;
		a->number = number;
	} else {
		return false;
	}
	a->reg = register_named(name);
	return a->reg >= 0;
}

static bool read_arguments(struct site *s, const char *text)
{
	char copy[256];
	char *rest;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *one = strtok_r(copy, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
		if (s->args == RQT_PROBE_ARGS || !read_argument(one, &s->arg[s->args]))
			return false;
		s->args++;
	}
	return true;
}

/* Three addresses of the file, then provider, name and arguments, each with a 0 behind it. */
static bool add_site(const char *note, uint64_t bias, uint64_t base)
{
	struct site *s = &sites[nr_sites];
	const char *provider = note + 3 * sizeof(uint64_t);
	const char *name = provider + strlen(provider) + 1;
	const char *args = name + strlen(name) + 1;
	uint64_t at[3];

	if (strcmp(provider, "rqpi") != 0)
		return true;
	memcpy(at, note, sizeof(at));
	s->pc = (const uint8_t *)(uintptr_t)(at[0] + base - at[1] + bias);
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (nr_sites + 1 == SITES_MAX || !read_arguments(s, args) || *s->pc != NOP) {
		snprintf(why_not, sizeof(why_not), "the note of %s says: %s", name, args);
		return false;
	}
	nr_sites++;
	return true;
}

static bool read_notes(Elf_Data *data, uint64_t bias, uint64_t base)
{
	size_t name;
	size_t desc;
	size_t at = 0;
	GElf_Nhdr head;

	while ((at = gelf_getnote(data, at, &head, &name, &desc)) > 0)
		if (!add_site((const char *)data->d_buf + desc, bias, base))
			return false;
	return true;
}

static bool read_sections(Elf *elf, uint64_t bias)
{
	Elf_Scn *notes = NULL;
	Elf_Scn *section = NULL;
	uint64_t base = 0;
	GElf_Shdr head;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) != 0)
		return false;
	while ((section = elf_nextscn(elf, section)) && gelf_getshdr(section, &head)) {
		const char *name = elf_strptr(elf, strings, head.sh_name);

		if (name && strcmp(name, ".note.stapsdt") == 0)
			notes = section;
		else if (name && strcmp(name, ".stapsdt.base") == 0)
			base = head.sh_addr;
	}
	return !notes || read_notes(elf_getdata(notes, NULL), bias, base);
}

static bool read_library(const char *path, uint64_t bias)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;
	bool ok;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ok = elf && read_sections(elf, bias);
	elf_end(elf);
	close(fd);
	return ok;
}

/* ---- planting ---- */

static bool plant(const struct site *s)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)s->pc & ~(page - 1);

	if (mprotect((void *)at, page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		return false;
	*(volatile uint8_t *)(uintptr_t)s->pc = BREAKPOINT;
	return mprotect((void *)at, page, PROT_READ | PROT_EXEC) == 0;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char **library = arg;
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!*library || !slash || strncmp(slash + 1, *library, strlen(*library)) != 0)
		return 0;
	*library = NULL;
	return read_library(info->dlpi_name, info->dlpi_addr) ? 0 : -1;
}

const char *rqt_probes_plant(const char *library)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
	const char *wanted = library;

	snprintf(why_not, sizeof(why_not), "%s cannot be read", library);
	if (dl_iterate_phdr(find_library, &wanted) != 0)
		return why_not;
	if (wanted) { /* no reason to skip anything: the test is not set up as it should be */
		printf("Bail out! %s is not in this process\n", library);
		exit(1);
	}
	if (nr_sites == 0)
		return "built without probes (sys/sdt.h; meson's option usdt)";
	sigaction(SIGTRAP, &sa, NULL);
	for (unsigned int i = 0; i < nr_sites; i++)
		if (!plant(&sites[i]))
			return "no leave to change the library's code";
	return NULL;
}

/* ---- what was hit ---- */

void rqt_probes_forget(void)
{
	memset(all_hits, 0, sizeof(all_hits));
	atomic_store(&nr_hits, 0);
}

const struct rqt_hit *rqt_probes_find(const char *name, const void *first, unsigned int nth)
{
	unsigned int n = atomic_load(&nr_hits);

	for (unsigned int i = 0; i < n && i < HITS_MAX; i++) {
		const struct rqt_hit *hit = &all_hits[i];

		if (__atomic_load_n(&hit->complete, __ATOMIC_ACQUIRE) &&
		    (!name || strcmp(hit->name, name) == 0) &&
		    hit->arg[0] == (int64_t)(intptr_t)first && nth-- == 0)
			return hit;
	}
	return NULL;
}

unsigned int rqt_probes_count(const char *name, const void *first)
{
	unsigned int n = 0;

	while (rqt_probes_find(name, first, n))
		n++;
	return n;
}

const char *rqt_probes_name(unsigned int number)
{
	return number < nr_sites ? sites[number].name : NULL;
}

bool rqt_probes_ever(const char *name)
{
	for (unsigned int i = 0; i < nr_sites; i++)
		if (strcmp(sites[i].name, name) == 0 && atomic_load(&sites[i].hits) > 0)
			return true;
	return false;
}

#else /* another machine */

const char *rqt_probes_plant(const char *library)
{
	(void)library;
	return "the arguments of probes are read on x86-64 alone, and with libelf";
}

void rqt_probes_hold(const char *name)
{
	(void)name;
}

void rqt_probes_forget(void)
{
}

const struct rqt_hit *rqt_probes_find(const char *name, const void *first, unsigned int nth)
{
	(void)name;
	(void)first;
	(void)nth;
	return NULL;
}

unsigned int rqt_probes_count(const char *name, const void *first)
{
	(void)name;
	(void)first;
	return 0;
}

const char *rqt_probes_name(unsigned int number)
{
	(void)number;
	return NULL;
}

bool rqt_probes_ever(const char *name)
{
	(void)name;
	return false;
}

#endif
