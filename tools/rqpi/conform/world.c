/* SPDX-License-Identifier: MIT */
/*
 * world.c - builds the memory, the processes and the tasks of a program in the process of a trial,
 * and finds addresses and values in them.
 *
 * Called by play.c before the first step. Memory lies at the same addresses in all processes, since
 * they are forked from the first after it was mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "world.h"

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH		78
#define PR_FUTEX_HASH_SET_SLOTS 1
#endif

enum {
	BUCKETS = 4096,
	STACK = 64 * 1024,
	START_MS = 5000,
	ALARM_S = 20,
	HOG_PRIORITY = 95,
	CONDUCTOR_PRIORITY = 1, /* below the tasks: it looks when they have nothing left to do */
	NO_TID = 0x1fffffff,	/* more than PID_MAX_LIMIT */
	KTHREADD = 2,
};

struct start {
	struct conform_world *world;
	int task; /* -1: the hog */
};

void conform_cannot(struct conform_world *w, const char *what, int error)
{
	snprintf(w->trace->why, sizeof(w->trace->why), "%s: %s", what, strerror(error));
	w->trace->outcome = CONFORM_CANNOT;
	_exit(2);
}

static char *slot_of(const struct conform_world *w, int page)
{
	return w->memory + (size_t)page * 2 * CONFORM_SLOT;
}

void *conform_address(const struct conform_world *w, const struct conform_address *at)
{
	const struct conform_program *p = w->program;
	uintptr_t base = 0;

	switch (at->kind) {
	case CONFORM_AT_WORD:
		base = (uintptr_t)slot_of(w, p->words[at->word].page) + p->words[at->word].offset;
		break;
	case CONFORM_AT_KERNEL:
		base = (uintptr_t)0 - 4096;
		break;
	case CONFORM_AT_UNMAPPED:
		base = (uintptr_t)slot_of(w, p->page_count);
		break;
	default:
		break;
	}
	return (void *)(base + (uintptr_t)at->offset);
}

static bool is_aligned(const void *word)
{
	return (uintptr_t)word % sizeof(uint32_t) == 0;
}

uint32_t conform_load(const void *word)
{
	uint32_t value;

	if (is_aligned(word))
		return __atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST);
	memcpy(&value, word, sizeof(value));
	return value;
}

void conform_store(void *word, uint32_t value)
{
	if (is_aligned(word))
		__atomic_store_n((uint32_t *)word, value, __ATOMIC_SEQ_CST);
	else
		memcpy(word, &value, sizeof(value));
}

uint32_t *conform_word(const struct conform_world *w, int word)
{
	const struct conform_word *info = &w->program->words[word];

	return (uint32_t *)(void *)(slot_of(w, info->page) + info->offset);
}

uint32_t conform_read_word(const struct conform_world *w, int word)
{
	uint32_t *at = conform_word(w, word), value = 0;

	if (w->page_access[w->program->words[word].page] != CONFORM_NO_ACCESS)
		return conform_load(at);
	/* The kernel lets a process look at its own memory this way whatever mprotect() said. */
	if (pread(w->memory_fd, &value, sizeof(value), (off_t)(uintptr_t)at) != sizeof(value))
		return 0xdeadbeef;
	return value;
}

uint32_t conform_value(const struct conform_world *w, const struct conform_value *value)
{
	switch (value->kind) {
	case CONFORM_OWNED:
		return (uint32_t)atomic_load(&w->boxes[value->task].tid) | value->number;
	case CONFORM_NOBODY:
		return NO_TID | value->number;
	case CONFORM_KTHREAD:
		return KTHREADD | value->number;
	case CONFORM_CURRENT:
		return conform_read_word(w, value->word);
	default:
		return value->number;
	}
}

static void *map_shared(struct conform_world *w, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		conform_cannot(w, "mmap", errno);
	return at;
}

static void map_page(struct conform_world *w, int index)
{
	const struct conform_page *page = &w->program->pages[index];
	int flags = MAP_FIXED | (page->memory == CONFORM_PRIVATE ? MAP_PRIVATE : MAP_SHARED);
	char *at = slot_of(w, index);

	w->file[index] = -1;
	w->page_access[index] = CONFORM_WRITE;
	if (page->same_as >= 0) {
		w->file[index] = w->file[page->same_as];
	} else if (page->memory == CONFORM_FILE) {
		w->file[index] = memfd_create(page->name, MFD_CLOEXEC);
		if (w->file[index] < 0 || ftruncate(w->file[index], CONFORM_SLOT))
			conform_cannot(w, "memfd_create", errno);
	}
	if (w->file[index] < 0)
		flags |= MAP_ANONYMOUS;
	if (mmap(at, CONFORM_SLOT, PROT_READ | PROT_WRITE, flags, w->file[index], 0) ==
		MAP_FAILED ||
	    mmap(at + CONFORM_SLOT, CONFORM_SLOT,
		 page->list_access == CONFORM_WRITE ? PROT_READ | PROT_WRITE : PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		conform_cannot(w, "mmap", errno);
}

static void map_memory(struct conform_world *w)
{
	const struct conform_program *p = w->program;
	size_t pages = (size_t)p->page_count;

	w->page_access = calloc(pages, sizeof(int));
	w->file = calloc(pages, sizeof(int));
	w->known = calloc((size_t)p->task_count, sizeof(*w->known));
	w->pids = calloc((size_t)p->process_count, sizeof(*w->pids));
	/* One more, which stays unmapped. */
	w->memory = mmap(NULL, (pages + 1) * 2 * CONFORM_SLOT, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->memory_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (!w->page_access || !w->file || !w->known || !w->pids || w->memory == MAP_FAILED ||
	    w->memory_fd < 0)
		conform_cannot(w, "memory", errno);
	for (int i = 0; i < p->page_count; i++)
		map_page(w, i);
	w->boxes = map_shared(w, (size_t)p->task_count * sizeof(*w->boxes));
	w->shared = map_shared(w, sizeof(*w->shared));
}

/* Numbers before the fork, so that every process has them; then again with the TIDs. */
static void set_words(struct conform_world *w)
{
	for (int i = 0; i < w->program->word_count; i++) {
		const struct conform_word *word = &w->program->words[i];

		/* What another mapping of the same page has set already stays. */
		if (w->program->pages[word->page].same_as < 0)
			*conform_word(w, i) = conform_value(w, &word->init);
	}
}

static void set_access(struct conform_world *w)
{
	static const int bits[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	for (int i = 0; i < w->program->page_count; i++) {
		w->page_access[i] = (int)w->program->pages[i].access;
		if (w->program->pages[i].access != CONFORM_WRITE &&
		    mprotect(slot_of(w, i), CONFORM_SLOT, bits[w->program->pages[i].access]))
			conform_cannot(w, "mprotect", errno);
	}
}

static void pin(struct conform_world *w, pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET((size_t)cpu, &set);
	} else {
		for (int i = 0; i < CPU_SETSIZE; i++)
			CPU_SET((size_t)i, &set);
	}
	if (sched_setaffinity(tid, sizeof(set), &set))
		conform_cannot(w, "sched_setaffinity", errno);
}

/* As sched_setscheduler(), which musl leaves out. */
static void become_fifo(struct conform_world *w, const struct sched_param *param)
{
	int err = pthread_setschedparam(pthread_self(), SCHED_FIFO, param);

	if (err)
		conform_cannot(w, "SCHED_FIFO", err);
}

static void place_hog(struct conform_world *w)
{
	struct sched_param param = {.sched_priority = HOG_PRIORITY};

	pin(w, 0, w->setting->cpu_work);
	become_fifo(w, &param);
}

static void *enter(void *data)
{
	struct start start = *(struct start *)data;

	free(data);
	if (start.task < 0) {
		place_hog(start.world);
		conform_hog(start.world);
	}
	conform_work(start.world, start.task);
}

static void start_thread(struct conform_world *w, int task)
{
	struct start *start = malloc(sizeof(*start));
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	if (!start)
		conform_cannot(w, "malloc", ENOMEM);
	start->world = w;
	start->task = task;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	error = pthread_create(&thread, &attr, enter, start);
	pthread_attr_destroy(&attr);
	if (error)
		conform_cannot(w, "pthread_create", error);
}

static void start_process(struct conform_world *w, int process)
{
	int first = -1;

	w->pids[process] = fork();
	if (w->pids[process] < 0)
		conform_cannot(w, "fork", errno);
	if (w->pids[process] > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(ALARM_S);
	set_access(w);
	for (int i = 0; i < w->program->task_count; i++) {
		if (w->program->tasks[i].process != process)
			continue;
		if (first < 0)
			first = i;
		else
			start_thread(w, i);
	}
	conform_work(w, first);
}

static void start_tasks(struct conform_world *w)
{
	const struct conform_program *p = w->program;
	int64_t until = conform_now(CLOCK_MONOTONIC) + (int64_t)START_MS * 1000000;

	for (int i = 0; i < p->task_count; i++) {
		w->boxes[i].fd = eventfd(0, EFD_CLOEXEC);
		if (w->boxes[i].fd < 0)
			conform_cannot(w, "eventfd", errno);
	}
	w->hog_fd = eventfd(0, EFD_CLOEXEC);
	w->pids[0] = getpid();
	for (int process = 1; process < p->process_count; process++)
		start_process(w, process);
	if (conform_uses(p, CONFORM_HOG))
		start_thread(w, -1);
	for (int i = 0; i < p->task_count; i++) {
		if (p->tasks[i].process == 0)
			start_thread(w, i);
	}
	for (int i = 0; i < p->task_count; i++) {
		while (!atomic_load(&w->boxes[i].tid)) {
			if (conform_now(CLOCK_MONOTONIC) > until)
				conform_cannot(w, p->tasks[i].name, ETIMEDOUT);
			usleep(20);
		}
	}
}

static int cpu_of(const struct conform_world *w, enum conform_cpu cpu)
{
	if (cpu == CONFORM_CPU_ANY)
		return -1;
	return cpu == CONFORM_CPU_FREE && w->setting->cpu_free >= 0 ? w->setting->cpu_free
								    : w->setting->cpu_work;
}

static int open_proc(struct conform_world *w, int task, const char *leaf)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)w->boxes[task].pid,
		 atomic_load(&w->boxes[task].tid), leaf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		conform_cannot(w, path, errno);
	return fd;
}

static void place_tasks(struct conform_world *w)
{
	const struct conform_program *p = w->program;

	w->one_cpu = !conform_uses(p, CONFORM_HOG);
	for (int i = 0; i < p->task_count; i++) {
		pid_t tid = atomic_load(&w->boxes[i].tid);
		long error;

		w->one_cpu = w->one_cpu && p->tasks[i].cpu == CONFORM_CPU_WORK;

		w->trace->tids[i] = tid;
		w->known[i].syscall_fd = open_proc(w, i, "syscall");
		w->known[i].stat_fd = open_proc(w, i, "stat");
		pin(w, tid, cpu_of(w, p->tasks[i].cpu));
		error = conform_lane_linux.set_scheduler(tid, &p->tasks[i].sched);
		if (error)
			conform_cannot(w, "sched_setattr", (int)-error);
	}
}

/*
 * Two words in one bucket of the kernel's hash are still two futexes, but a waiter that is requeued
 * between them keeps its place in the bucket, and comes before those who were there first. With so
 * many buckets that hardly happens. Kernels before 6.16 have no such table for a process.
 */
static void spread_buckets(void)
{
	prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, BUCKETS, 0, 0);
}

/* Where the hog is, the conductor cannot be. */
void conform_build(struct conform_world *w)
{
	bool hog = conform_uses(w->program, CONFORM_HOG);
	struct sched_param param = {.sched_priority = CONDUCTOR_PRIORITY};
	int error = w->lane->start ? w->lane->start() : 0;

	if (error)
		conform_cannot(w, w->lane->name, -error);
	if (hog && w->setting->cpu_free < 0)
		conform_cannot(w, "a second CPU", ENODEV);
	spread_buckets();
	map_memory(w);
	conform_handle_signals();
	pin(w, 0, hog ? w->setting->cpu_free : w->setting->cpu_work);
	if (w->setting->realtime)
		become_fifo(w, &param);
	set_words(w);
	start_tasks(w);
	place_tasks(w);
	set_words(w);
	set_access(w);
}
