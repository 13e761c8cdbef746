/* SPDX-License-Identifier: MIT */
/*
 * trace_preload.c - what the preload's probes have written (src/shim/trace_record.h), for
 * trace_run.c: as events, names of threads and places of locks.
 *
 * The records may be written by anybody who can write the file: nothing in them is believed that
 * could lead beyond it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/atomic.h"
#include "src/shim/trace_record.h"
#include "trace.h"

#define WHY	    256
#define KIND_PI	    0x20u /* glibc's bits of a mutex's kind: PTHREAD_PRIO_INHERIT, _PROTECT */
#define KIND_CEILED 0x40u
#define LOOK_NS	    500000000u /* how often maps are read again, for libraries loaded later */

struct process {
	uint32_t pid;
	uint64_t looked;
};

struct trace_preload {
	struct trace_record_file *file;
	size_t size;
	uint32_t slots; /* as checked: the file may be written by others */
	uint32_t from;	/* those before are of an earlier trace */
	uint32_t lost;	/* likewise */
	uint32_t seen;	/* slots in which processes have been looked for */
	char *path;	/* to be removed; NULL: it is another's */
	TRACE_ARRAY(struct process) processes;
};

static struct trace_preload *fail(struct trace_preload *p, char why[WHY], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct trace_preload *fail(struct trace_preload *p, char why[WHY], const char *format, ...)
{
	va_list more;

	va_start(more, format);
	vsnprintf(why, WHY, format, more);
	va_end(more);
	trace_preload_close(p);
	return NULL;
}

static size_t size_of(uint32_t slots)
{
	return sizeof(struct trace_record_file) + (size_t)slots * sizeof(struct trace_record);
}

static struct trace_preload *new_preload(void)
{
	struct trace_preload *p = calloc(1, sizeof(*p));

	if (!p)
		trace_no_memory();
	return p;
}

static bool map(struct trace_preload *p, int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return false;
	p->file = memory;
	p->size = size;
	return true;
}

/*
 * Room on the disk is taken now: a page that finds none later would be the end of the traced
 * program, by SIGBUS. Where the file system cannot say, so be it.
 */
static int make_room(int fd, size_t size)
{
	int err = posix_fallocate(fd, 0, (off_t)size);

	if (err != EOPNOTSUPP && err != EINVAL)
		return err;
	return ftruncate(fd, (off_t)size) ? errno : 0;
}

struct trace_preload *trace_preload_make(uint32_t slots, char *path, char why[WHY])
{
	struct trace_preload *p = new_preload();
	const char *folder = getenv("TMPDIR");
	size_t size = size_of(slots);
	int err = 0;
	int fd;

	/* Processes that are in another folder by then find it as well. */
	if (!folder || folder[0] != '/')
		folder = "/tmp";
	if (snprintf(path, PATH_MAX, "%s/rqpi-trace-XXXXXX", folder) >= PATH_MAX)
		return fail(p, why, "TMPDIR=%.64s...: %s", folder, strerror(ENAMETOOLONG));
	fd = mkostemp(path, O_CLOEXEC); /* of mode 0600 */
	if (fd < 0)
		return fail(p, why, "%s: %s", path, strerror(errno));
	p->path = strdup(path);
	err = make_room(fd, size);
	if (!err && !map(p, fd, size))
		err = errno;
	close(fd);
	if (err)
		return fail(p, why, "%s, %zu bytes for %u records: %s", path, size, slots,
			    strerror(err));
	p->slots = slots;
	p->file->slots = slots;
	p->file->version = TRACE_RECORD_VERSION;
	p->file->magic = TRACE_RECORD_MAGIC;
	return p;
}

/* ---- a process that was started with `rqpi run --traceable` ---- */

/* It looks right, and is not the one of a parent that a child has not closed. */
static bool fits(struct trace_preload *p, uint32_t pid)
{
	const struct trace_record_file *f = p->file;
	bool ok = p->size >= sizeof(*f) && f->magic == TRACE_RECORD_MAGIC &&
		  f->version == TRACE_RECORD_VERSION && f->maker == pid &&
		  f->slots <= TRACE_RECORD_SLOTS_MAX && p->size >= size_of(f->slots);

	if (ok)
		p->slots = f->slots;
	return ok;
}

static bool use(struct trace_preload *p, const char *path, uint32_t pid)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool ok = false;
	int seals;

	if (fd < 0)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	/* Without this seal the process could cut it off under us. */
	if (seals > 0 && (seals & F_SEAL_SHRINK) && !fstat(fd, &st) && st.st_size > 0 &&
	    map(p, fd, (size_t)st.st_size)) {
		ok = fits(p, pid);
		if (!ok) {
			munmap(p->file, p->size);
			p->file = NULL;
		}
	}
	close(fd);
	return ok;
}

/* Among the links in @folder of /proc/@pid. False, and errno: 0 none is there. */
static bool search(struct trace_preload *p, uint32_t pid, const char *folder)
{
	static const char wanted[] = "/memfd:" TRACE_RECORD_MEMORY;
	char path[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, folder);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		char target[PATH_MAX];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%u/%s/%s", pid, folder, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < (ssize_t)strlen(wanted) || strncmp(target, wanted, strlen(wanted)) != 0)
			continue;
		found = use(p, path, pid);
	}
	closedir(dir);
	errno = 0;
	return found;
}

/*
 * Records of an earlier trace make room, if none of them is still being written: who writes one
 * later begins it in a slot that is taken from now on.
 */
static void begin_anew(struct trace_preload *p)
{
	struct trace_record_file *f = p->file;
	uint32_t used = rqb_load(&f->used) < p->slots ? rqb_load(&f->used) : p->slots;

	for (uint32_t i = 0; i < used; i++) {
		if (rqb_load_acq(&f->slot[i].type) == TRACE_RECORD_NONE) {
			p->from = p->seen = used;
			p->lost = rqb_load(&f->lost);
			return;
		}
	}
	for (uint32_t i = 0; i < used; i++)
		rqb_store(&f->slot[i].type, TRACE_RECORD_NONE);
	rqb_store(&f->lost, 0);
	rqb_store_rel(&f->used, 0);
}

struct trace_preload *trace_preload_attach(uint32_t pid, char why[WHY])
{
	struct trace_preload *p = new_preload();
	uint32_t other;

	if (!search(p, pid, "fd")) {
		int error = errno;

		/* A program that closes all files has closed this one; root finds it still. */
		if (!search(p, pid, "map_files"))
			return error ? fail(p, why, "the files of process %u cannot be seen: %s",
					    pid, strerror(error))
				     : fail(p, why,
					    "process %u was not started with rqpi run --traceable",
					    pid);
	}
	other = rqb_load(&p->file->enabled);
	if (other && kill((pid_t)other, 0) && errno == ESRCH)
		rqb_store(&p->file->enabled, 0);
	else if (other)
		return fail(p, why, "process %u is traced already, by process %u", pid, other);
	begin_anew(p);
	return p;
}

void trace_preload_enable(struct trace_preload *p, bool on)
{
	rqb_store(&p->file->enabled, on ? (uint32_t)getpid() : 0);
}

/* ---- what is in it ---- */

static uint32_t filled(const struct trace_preload *p)
{
	uint32_t used = rqb_load_acq(&p->file->used);

	return used < p->slots ? used : p->slots;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_known(const struct trace_preload *p, uint32_t pid)
{
	for (uint32_t i = p->processes.count; i > 0; i--)
		if (p->processes.at[i - 1].pid == pid)
			return true;
	return false;
}

bool trace_preload_drain(struct trace_preload *p, struct trace_model *m)
{
	uint32_t count = filled(p);
	uint64_t ns = now();

	for (; p->seen < count; p->seen++) {
		const struct trace_record *r = &p->file->slot[p->seen];

		/* One that is not complete yet may never be. */
		if (rqb_load_acq(&r->type) && !is_known(p, r->pid))
			trace_append(&p->processes)->pid = r->pid;
	}
	for (uint32_t i = 0; m->symbols && i < p->processes.count; i++) {
		struct process *one = &p->processes.at[i];

		if (ns - one->looked < LOOK_NS)
			continue;
		trace_symbols_look(m->symbols, one->pid);
		one->looked = ns;
	}
	return rqb_load(&p->file->attached) > 0;
}

static int16_t urgency_of(struct trace_record_person p)
{
	switch (p.policy) {
	case -1:
		return TRACE_URGENCY_UNKNOWN;
	case SCHED_FIFO:
	case SCHED_RR:
		return p.priority;
	case SCHED_DEADLINE:
		return TRACE_URGENCY_MAX;
	default:
		return 0;
	}
}

static void tell_person(struct trace_model *m, uint32_t pid, uint32_t tid,
			struct trace_record_person p)
{
	struct trace_thread *t = trace_thread(m, tid);

	t->pid = pid;
	t->traced = true;
	/* The kernel's source has asked later, or knows nothing. */
	if (p.policy >= 0 && (!m->from_kernel || t->policy < 0)) {
		t->policy = p.policy;
		t->urgency = urgency_of(p);
	}
}

static uint32_t index_of_mutex(struct trace_model *m, uint32_t pid, uint64_t address, uint32_t kind)
{
	struct trace_lock *lock = trace_lock(m, pid, address);

	lock->type = TRACE_MUTEX;
	lock->kind = kind;
	lock->has_kind = true;
	/* With a ceiling the owner runs at that, which is neither. */
	lock->inherits = kind & KIND_PI	      ? TRACE_INHERITS_YES
			 : kind & KIND_CEILED ? TRACE_INHERITS_UNKNOWN
					      : TRACE_INHERITS_NO;
	return (uint32_t)(lock - m->locks.at);
}

static void tell_lock(struct trace_model *m, const struct trace_record *r)
{
	uint32_t partner;
	struct trace_lock *lock;

	switch (r->type) {
	case TRACE_RECORD_LOCK:
		index_of_mutex(m, r->pid, r->address, r->kind);
		break;
	case TRACE_RECORD_WAIT:
		partner = index_of_mutex(m, r->pid, r->partner, r->kind);
		lock = trace_lock(m, r->pid, r->address);
		lock->type = TRACE_CONDVAR;
		lock->partner = partner;
		break;
	case TRACE_RECORD_RELEASE:
		trace_lock(m, r->pid, r->address)->type = TRACE_CONDVAR;
		break;
	default:
		break;
	}
}

static void tell_event(struct trace_model *m, const struct trace_record *r)
{
	static const uint16_t types[] = {
	    [TRACE_RECORD_LOCK] = TRACE_LOCK,	    [TRACE_RECORD_LOCKED] = TRACE_LOCKED,
	    [TRACE_RECORD_WAIT] = TRACE_WAIT,	    [TRACE_RECORD_WAITED] = TRACE_WAITED,
	    [TRACE_RECORD_RELEASE] = TRACE_RELEASE, [TRACE_RECORD_RELEASED] = TRACE_RELEASED,
	};
	struct trace_event e = {
	    .ns = r->ns,
	    .address = r->address,
	    .address2 = r->partner,
	    .site = r->site,
	    .pid = r->pid,
	    .tid = r->tid,
	    .other = r->other,
	    .value = r->value,
	    .kind = r->kind,
	    .cpu = TRACE_NO_CPU,
	    .mine = urgency_of(r->mine),
	    .its = urgency_of(r->its),
	    .type = types[r->type],
	};

	tell_person(m, r->pid, r->tid, r->mine);
	/* Of a mutex that processes share, the owner may be of another one. */
	if (r->other && !trace_thread(m, r->other)->pid)
		tell_person(m, r->pid, r->other, r->its);
	else if (r->other)
		tell_person(m, trace_thread(m, r->other)->pid, r->other, r->its);
	tell_lock(m, r);
	trace_add(m, &e);
}

static void take_one(struct trace_model *m, const struct trace_record *r)
{
	char name[sizeof(r->name) + 1];

	memcpy(name, r->name, sizeof(r->name));
	name[sizeof(r->name)] = '\0';
	switch (r->type) {
	case TRACE_RECORD_THREAD:
		tell_person(m, r->pid, r->tid, r->mine);
		trace_name_thread(m, r->tid, name);
		break;
	case TRACE_RECORD_PLACE:
		if (r->kind == TRACE_RECORD_CODE && m->symbols)
			trace_symbols_tell(m->symbols, r->pid, r->address, name);
		else if (r->kind != TRACE_RECORD_CODE)
			trace_name_lock(m, r->pid, r->address, name, r->value == 1);
		break;
	default:
		if (r->type <= TRACE_RECORD_RELEASED)
			tell_event(m, r);
		else
			m->lost++;
	}
}

/* What a process did not live to tell: by the maps that were read of it. */
static void name_others(struct trace_model *m)
{
	for (uint32_t i = 0; m->symbols && i < m->locks.count; i++) {
		struct trace_lock *lock = &m->locks.at[i];
		char place[TRACE_PLACE_SIZE];

		if (lock->place[0] || !lock->pid)
			continue;
		if (trace_symbols_name(m->symbols, lock->pid, lock->address, false, place))
			trace_name_lock(m, lock->pid, lock->address, place, false);
	}
	for (uint32_t i = 0; m->symbols && i < m->events.count; i++) {
		const struct trace_event *e = &m->events.at[i];
		char place[TRACE_PLACE_SIZE];

		if ((e->type != TRACE_LOCK && e->type != TRACE_WAIT && e->type != TRACE_RELEASE) ||
		    trace_lock(m, e->pid, e->address)->place[0])
			continue;
		if (trace_symbols_name(m->symbols, e->pid, e->site, true, place))
			trace_name_lock(m, e->pid, e->address, place, true);
	}
}

void trace_preload_take(struct trace_preload *p, struct trace_model *m)
{
	uint32_t count = filled(p);

	for (uint32_t i = p->from; i < count; i++) {
		struct trace_record r;

		r.type = rqb_load_acq(&p->file->slot[i].type);
		if (r.type == TRACE_RECORD_NONE) { /* it was killed while it wrote */
			m->lost++;
			continue;
		}
		memcpy((char *)&r + sizeof(r.type), (char *)&p->file->slot[i] + sizeof(r.type),
		       sizeof(r) - sizeof(r.type));
		take_one(m, &r);
	}
	m->lost += rqb_load(&p->file->lost) - p->lost;
	m->from_preload = rqb_load(&p->file->attached) > 0;
	name_others(m);
}

void trace_preload_close(struct trace_preload *p)
{
	if (!p)
		return;
	if (p->path) {
		unlink(p->path);
		free(p->path);
	}
	if (p->file)
		munmap(p->file, p->size);
	free(p->processes.at);
	free(p);
}
