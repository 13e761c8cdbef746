/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_program.c - `rqpi doctor`: which C library, and which condition variable, does a
 * program get here? For this process by asking it, for a program that was named by reading its
 * file.
 *
 * Called by cmd_doctor.c. The program is not run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_doctor.h"

enum { SCRIPTS_MAX = 4, NEEDED_MAX = 32 };

static void libc_name(char *text, size_t size)
{
#ifdef _CS_GNU_LIBC_VERSION
	if (confstr(_CS_GNU_LIBC_VERSION, text, size))
		return;
#endif
	snprintf(text, size, "a C library that is not glibc");
}

/* -1: no preload of rqpi in this process; 0: it has stepped aside; 1: it works. */
static int preload_state(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "rqpi_preload_active");
	int (*active)(void);

	if (!symbol)
		return -1;
	memcpy(&active, &symbol, sizeof(active));
	return active() == 1;
}

/* Does the preload in effect make every mutex inherit, as `rqpi run --force-pi` has it? */
static bool every_mutex_inherits(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "pthread_mutex_lock");
	Dl_info info;

	return preload_state() > 0 && symbol && dladdr(symbol, &info) && info.dli_fname &&
	       strstr(info.dli_fname, "librqpi-preload-mutex");
}

static void look_at_preload(struct doctor *d)
{
	static const char why[] = "The preload puts rqpi's condition variables under a program "
				  "that nobody recompiles.";
	char path[PATH_MAX];
	int state = preload_state();

	if (state > 0) {
		doctor_add(d, "preload", DOCTOR_OK, "in effect in this process, and working");
	} else if (state == 0) {
		doctor_add(d, "preload", DOCTOR_WARNING,
			   "in this process, but it has stepped aside; why, it has said on "
			   "standard error, or RQPI_PRELOAD_OFF is set");
		doctor_mend(d, "unset RQPI_PRELOAD_OFF    # if it is set");
	} else if (preload_find("doctor", PRELOAD_COND, path)) {
		doctor_add(d, "preload", DOCTOR_WARNING,
			   "not in effect, and librqpi-preload.so was not found");
		doctor_mend(d, "RQPI_PRELOAD=PATH rqpi run -- PROGRAM");
	} else {
		doctor_add(d, "preload", DOCTOR_INFO, "not in effect here; it is %s", path);
	}
	d->findings[d->count - 1].why = why;
}

void doctor_look_at_libc(struct doctor *d)
{
	struct doctor_finding *f;
	void *symbol = dlsym(RTLD_DEFAULT, "pthread_cond_wait");
	bool ours = preload_state() > 0;
	Dl_info info;
	char libc[64];

	libc_name(libc, sizeof(libc));
	doctor_add(d, "libc", DOCTOR_OK, "%s", libc)->why =
	    "The preload knows the layout of glibc's condition variables, and is for glibc alone.";
	if (!symbol || !dladdr(symbol, &info) || !info.dli_fname)
		f = doctor_add(d, "condvar", DOCTOR_UNKNOWN,
			       "not looked at: the dynamic linker does not say where "
			       "pthread_cond_wait is");
	else
		f = doctor_add(d, "condvar", ours ? DOCTOR_OK : DOCTOR_INFO,
			       "what is started from here gets pthread_cond_wait of %s",
			       info.dli_fname);
	f->why = "glibc's condition variable does not inherit priority, and wakes in the wrong "
		 "order: bug 11588. order-pthreads shows whether this one does.";
	if (f->state == DOCTOR_INFO)
		doctor_mend(d, "rqpi run -- PROGRAM    # or link it with rqpi: rqpi(7)");
	look_at_preload(d);
}

/* What was read in the program's file. */
struct program {
	char path[PATH_MAX]; /* of the file; of its interpreter, if it is a script */
	char script[PATH_MAX];
	bool elf;
	bool foreign; /* for another kind of CPU, or another word size, than rqpi itself */
	char linker[PATH_MAX];
	char needed[NEEDED_MAX][64];
	int needed_count;
	bool listed;   /* its imports were found */
	bool waits;    /* imports a condition variable's wait */
	bool inherits; /* imports pthread_mutexattr_setprotocol */
};

/* Follow #! lines to the program that will be run. */
static void follow_script(struct program *p)
{
	char line[PATH_MAX];
	char found[PATH_MAX];

	for (int i = 0; i < SCRIPTS_MAX; i++) {
		FILE *f = fopen(p->path, "re");
		char *start, *rest = NULL;

		if (!f)
			return;
		start = fgets(line, sizeof(line), f);
		fclose(f);
		if (!start || strncmp(line, "#!", 2))
			return;
		start = strtok_r(line + 2, " \t\n", &rest);
		if (!*p->script)
			memcpy(p->script, p->path, sizeof(p->script));
		if (!start)
			return;
		snprintf(p->path, sizeof(p->path), "%s", start);
		/* env(1) looks for the next word on the path. */
		start = strtok_r(NULL, " \t\n", &rest);
		if (start && !strcmp(strrchr(p->path, '/') ? strrchr(p->path, '/') : "", "/env") &&
		    program_find(start, found) == 0)
			memcpy(p->path, found, sizeof(p->path));
	}
}

/* Ours, without naming it: that of the file that runs. */
static void read_own_kind(int *machine, int *class)
{
	Elf64_Ehdr header = {.e_machine = EM_NONE}; /* both fields are at the same place in all */
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	*machine = EM_NONE;
	*class = ELFCLASSNONE;
	if (fd < 0)
		return;
	if (read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header)) {
		*machine = header.e_machine;
		*class = header.e_ident[EI_CLASS];
	}
	close(fd);
}

static void read_dynamic(struct program *p, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Dyn entry;

	for (int i = 0; data && gelf_getdyn(data, i, &entry); i++) {
		const char *name;

		if (entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag != DT_NEEDED || p->needed_count == NEEDED_MAX)
			continue;
		name = elf_strptr(elf, header->sh_link, (size_t)entry.d_un.d_val);
		if (name)
			snprintf(p->needed[p->needed_count++], sizeof(p->needed[0]), "%s", name);
	}
}

/* Imports by name: C's own, and the members of std::condition_variable, mangled. */
static bool is_wait(const char *name)
{
	static const char *const names[] = {
	    "pthread_cond_wait",
	    "pthread_cond_timedwait",
	    "pthread_cond_clockwait",
	    "cnd_wait",
	    "cnd_timedwait",
	    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE",
	    "_ZNSt3__118condition_variable4waitERNS_11unique_lockINS_5mutexEEE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void read_imports(struct program *p, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	p->listed = data != NULL;
	for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);

		if (!name || symbol.st_shndx != SHN_UNDEF)
			continue;
		p->waits |= is_wait(name);
		p->inherits |= !strcmp(name, "pthread_mutexattr_setprotocol");
	}
}

static void read_linker(struct program *p, Elf *elf, int fd)
{
	GElf_Phdr segment;
	size_t count = 0;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count; i++) {
		ssize_t n;

		if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_type != PT_INTERP)
			continue;
		n = pread(fd, p->linker, sizeof(p->linker) - 1, (off_t)segment.p_offset);
		p->linker[n < 0 ? 0 : n] = '\0'; /* it ends with a zero byte of its own */
		return;
	}
}

static void read_elf(struct program *p, Elf *elf, int fd)
{
	int machine, class;
	GElf_Ehdr header;
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return;
	p->elf = true;
	read_own_kind(&machine, &class);
	p->foreign = header.e_machine != machine || header.e_ident[EI_CLASS] != class;
	read_linker(p, elf, fd);
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &shdr))
			continue;
		if (shdr.sh_type == SHT_DYNAMIC)
			read_dynamic(p, elf, section, &shdr);
		else if (shdr.sh_type == SHT_DYNSYM)
			read_imports(p, elf, section, &shdr);
	}
}

/* Returns 0 or an errno value. */
static int read_program(struct program *p)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	Elf *elf;

	if (fd < 0)
		return errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf) {
		read_elf(p, elf, fd);
		elf_end(elf);
	}
	close(fd);
	return 0;
}

static bool needs(const struct program *p, const char *library)
{
	for (int i = 0; i < p->needed_count; i++)
		if (!strncmp(p->needed[i], library, strlen(library)))
			return true;
	return false;
}

/* The dynamic linker ignores LD_PRELOAD where the program gets more rights than its user has. */
static const char *raises_rights(const struct program *p)
{
	struct stat st;

	if (stat(p->path, &st))
		return NULL;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return "it changes its user (setuid)";
	if (st.st_mode & S_ISGID && st.st_gid != getgid())
		return "it changes its group (setgid)";
	if (getuid() && getxattr(p->path, "security.capability", NULL, 0) > 0)
		return "it has capabilities of its own (getcap)";
	return NULL;
}

/* NULL: the preload can be put under it. Else why not. */
static const char *no_preload(const struct program *p)
{
	const char *base = strrchr(p->linker, '/');

	base = base ? base + 1 : p->linker;
	if (!*p->linker)
		return "it is statically linked";
	if (!strncmp(base, "ld-musl", 7))
		return "its C library is musl, and the preload is for glibc";
	if (!strncmp(base, "linker", 6))
		return "its C library is bionic, and the preload is for glibc";
	if (p->foreign)
		return "it is for another kind of CPU than this rqpi";
	return raises_rights(p);
}

static void tell_needed(const struct program *p, char *text, size_t size)
{
	int n = 0;

	*text = '\0';
	for (int i = 0; i < p->needed_count && n < (int)size; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%s", i ? ", " : "", p->needed[i]);
}

static void tell_condvar(struct doctor *d, const struct program *p)
{
	struct doctor_finding *f;
	const char *obstacle = no_preload(p);

	if (needs(p, "librqpi.so"))
		f = doctor_add(d, "program-condvar", DOCTOR_OK,
			       "it is linked with rqpi and can use its condition variables");
	else if (obstacle)
		f = doctor_add(d, "program-condvar", DOCTOR_BAD,
			       "the preload cannot be put under it: %s", obstacle);
	else if (preload_state() > 0)
		f = doctor_add(d, "program-condvar", DOCTOR_OK,
			       "started from here it has rqpi's, by the preload");
	else if (!p->listed)
		f = doctor_add(d, "program-condvar", DOCTOR_UNKNOWN,
			       "not looked at: its file does not list what it imports");
	else
		f = doctor_add(d, "program-condvar", p->waits ? DOCTOR_WARNING : DOCTOR_INFO,
			       "started from here it has its C library's; it %s itself%s",
			       p->waits ? "waits on condition variables" : "imports no wait",
			       p->waits ? "" : ", its libraries were not looked at");
	f->why = "glibc's condition variable does not inherit priority, and wakes in the wrong "
		 "order: bug 11588.";
	if (f->state == DOCTOR_BAD)
		doctor_mend(d, "cc ... $(pkg-config --cflags --libs rqpi)    # build it with rqpi "
			       "itself: rqpi(7)");
	else if (f->state != DOCTOR_OK)
		doctor_mend(d, "rqpi run -- %s", *p->script ? p->script : p->path);
}

static void tell_mutex(struct doctor *d, const struct program *p)
{
	struct doctor_finding *f;

	/* In a static program there is nothing to import. */
	if (!*p->linker || !p->listed || needs(p, "librqpi.so"))
		return;
	if (p->inherits)
		f = doctor_add(d, "program-mutex", DOCTOR_OK,
			       "it asks for mutexes that inherit priority "
			       "(pthread_mutexattr_setprotocol)");
	else if (every_mutex_inherits() && !no_preload(p))
		f = doctor_add(d, "program-mutex", DOCTOR_OK,
			       "started from here each of its mutexes inherits, by the preload");
	else
		f = doctor_add(d, "program-mutex", DOCTOR_INFO,
			       "it does not itself ask for mutexes that inherit priority "
			       "(pthread_mutexattr_setprotocol); its libraries were not looked at");
	if (f->state == DOCTOR_INFO && !no_preload(p))
		doctor_mend(d, "rqpi run --force-pi -- %s", *p->script ? p->script : p->path);
	f->why = "The preload serves condition variables that are used with such mutexes.";
}

int doctor_look_at_program(struct doctor *d, const char *name)
{
	struct program *p = calloc(1, sizeof(*p));
	char needed[512];
	int error;

	if (!p) {
		fprintf(stderr, "rqpi doctor: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	if (program_find(name, p->path)) {
		fprintf(stderr, "rqpi doctor: %s: no such program, or not executable\n", name);
		free(p);
		return -1;
	}
	follow_script(p);
	error = read_program(p);
	if (error) {
		doctor_add(d, "program", DOCTOR_UNKNOWN, "not looked at: %s: %s", p->path,
			   strerror(error));
	} else if (!p->elf) {
		doctor_add(d, "program", DOCTOR_UNKNOWN, "not looked at: %s is no ELF file",
			   p->path);
	} else {
		tell_needed(p, needed, sizeof(needed));
		doctor_add(d, "program", DOCTOR_INFO, "%s%s%s%s: %s%s%s%s", p->script,
			   *p->script ? ", run by " : "", p->path, p->foreign ? ", foreign" : "",
			   *p->linker ? "dynamic linker " : "no dynamic linker", p->linker,
			   p->needed_count ? "; needs " : "", needed);
		tell_condvar(d, p);
		tell_mutex(d, p);
	}
	free(p);
	return 0;
}
