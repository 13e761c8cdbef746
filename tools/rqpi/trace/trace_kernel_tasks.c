/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel_tasks.c - what the events of trace_kernel.c do not say themselves: of which process
 * a thread is and whether that is traced, its name and policy, and what its addresses are called.
 *
 * Some of it only /proc and the scheduler know, and only while the thread lives. A short program
 * can be over before we look; so all that events tell is kept, and used where the kernel cannot be
 * asked any more.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "trace_kernel.h"

/* Not in every C library's sched.h. */
#define POLICY_DEADLINE 6

#define FUTEX_OPERATION ((uint32_t)FUTEX_CMD_MASK)

/* An address that has been asked for its name. */
struct address {
	uint32_t pid;
	uint64_t address;
};

/* Index of the first whose TID is not below @tid. */
static uint32_t task_place(const struct trace_kernel *k, uint32_t tid)
{
	uint32_t low = 0;
	uint32_t high = k->tasks.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (k->tasks.at[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct kernel_task *kernel_task(struct trace_kernel *k, struct trace_model *m, uint32_t tid)
{
	uint32_t i = task_place(k, tid);
	struct kernel_task *task;

	if (i < k->tasks.count && k->tasks.at[i].tid == tid)
		return &k->tasks.at[i];
	(void)trace_append(&k->tasks);
	task = &k->tasks.at[i];
	memmove(task + 1, task, (k->tasks.count - 1 - i) * sizeof(*task));
	*task = (struct kernel_task){
	    .tid = tid, .changed = true, .seen = TRACE_URGENCY_UNKNOWN, .wished = -1};
	(void)trace_thread(m, tid);
	return task;
}

void kernel_task_name(struct trace_kernel *k, struct trace_model *m, uint32_t tid, const char *name,
		      uint64_t ns)
{
	struct kernel_task *task = kernel_task(k, m, tid);

	if (ns < task->named || !strcmp(task->name, name))
		return;
	task->named = ns;
	snprintf(task->name, sizeof(task->name), "%s", name);
	trace_name_thread(m, tid, name);
}

void kernel_task_urgency(struct trace_kernel *k, struct trace_model *m, uint32_t tid, int urgency)
{
	struct kernel_task *task;

	if (!tid)
		return;
	task = kernel_task(k, m, tid);
	task->changed |= task->seen != urgency;
	task->seen = urgency;
}

void kernel_task_born(struct trace_kernel *k, struct trace_model *m, uint32_t parent, uint32_t tid,
		      bool is_thread)
{
	struct kernel_task *task;

	kernel_task(k, m, parent);
	task = kernel_task(k, m, tid);
	task->parent = parent;
	task->is_thread = is_thread;
	if (!is_thread)
		*trace_append(&k->look) = tid;
}

void kernel_task_exec(struct trace_kernel *k, struct trace_model *m, uint32_t tid)
{
	struct kernel_task *task = kernel_task(k, m, tid);

	task->executed = true;
	task->changed = true;
	*trace_append(&k->look) = tid;
}

/* By now nothing is inherited any more. */
void kernel_task_exit(struct trace_kernel *k, struct trace_model *m, uint32_t tid, int urgency)
{
	kernel_task(k, m, tid)->changed = true;
	trace_thread(m, tid)->urgency = urgency;
}

/* Of /proc/PID/task, each. */
static void each_thread(uint32_t pid, void (*what)(void *context, uint32_t tid), void *context)
{
	char path[64];
	const struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			what(context, (uint32_t)strtoul(entry->d_name, NULL, 10));
	if (folder)
		closedir(folder);
}

/* The first line of /proc/TID/@file. */
static bool read_line(uint32_t tid, const char *file, char *line, size_t size)
{
	char path[64];
	FILE *f;
	bool read;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", tid, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	read = fgets(line, (int)size, f) != NULL;
	fclose(f);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

struct asleep {
	struct trace_kernel *k;
	uint64_t ns;
};

/* "NUMBER ARGUMENT...", of who is inside of a system call; "running" */
long kernel_task_call(uint32_t tid, uint64_t argument[6])
{
	char line[256];
	long call;

	if (!read_line(tid, "syscall", line, sizeof(line)) ||
	    sscanf(line, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &call, &argument[0], &argument[1], &argument[2], &argument[3], &argument[4],
		   &argument[5]) != 7)
		return -1;
	return call;
}

static void look_asleep(void *context, uint32_t tid)
{
	struct asleep *a = context;
	uint64_t argument[6];
	struct trace_event *e;

	if (kernel_task_call(tid, argument) != SYS_futex)
		return;
	e = trace_append(&a->k->early);
	e->type = TRACE_FUTEX;
	e->ns = a->ns;
	e->tid = tid;
	e->pid = a->k->pid;
	e->cpu = TRACE_NO_CPU;
	e->address = argument[0];
	e->kind = (uint32_t)argument[1];
	e->value = (int32_t)(uint32_t)argument[2];
	e->address2 = argument[4];
}

void kernel_tasks_asleep(struct trace_kernel *k, uint64_t ns)
{
	struct asleep a = {.k = k, .ns = ns};

	each_thread(k->pid, look_asleep, &a);
}

struct begin {
	struct trace_kernel *k;
	struct trace_model *m;
};

static void begin_thread(void *context, uint32_t tid)
{
	struct begin *b = context;
	struct trace_thread *thread;
	char name[TRACE_NAME_SIZE + 8];

	kernel_task(b->k, b->m, tid)->looked = true;
	thread = trace_thread(b->m, tid);
	thread->pid = b->k->pid;
	thread->traced = true;
	if (read_line(tid, "comm", name, sizeof(name)))
		kernel_task_name(b->k, b->m, tid, name, 0);
}

/* A child of ours that has not become the program yet: its maps say nothing. */
static bool is_still_us(uint32_t pid)
{
	struct stat it, we;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", pid);
	return stat(path, &it) || stat("/proc/self/exe", &we) ||
	       (it.st_dev == we.st_dev && it.st_ino == we.st_ino);
}

void kernel_tasks_begin(struct trace_kernel *k, struct trace_model *m)
{
	struct begin b = {.k = k, .m = m};
	struct trace_thread *leader;

	kernel_task(k, m, k->pid);
	leader = trace_thread(m, k->pid);
	leader->pid = k->pid;
	leader->traced = true;
	each_thread(k->pid, begin_thread, &b);
	if (!is_still_us(k->pid))
		*trace_append(&k->look) = k->pid;
}

/* "Tgid:\t123" */
static uint32_t process_of(uint32_t tid)
{
	char path[64];
	char line[128];
	uint32_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/status", tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!pid && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %" SCNu32, &pid) != 1)
			pid = 0;
	fclose(f);
	return pid;
}

/* Its process, from its parent; false if that is not known yet. */
static bool join_family(struct trace_model *m, const struct kernel_task *task)
{
	struct trace_thread *thread = trace_thread(m, task->tid);
	const struct trace_thread *parent = task->parent ? trace_find_thread(m, task->parent)
							 : NULL;

	if (!parent || (thread->pid && thread->traced == parent->traced))
		return false;
	if (task->is_thread && !parent->pid)
		return false;
	thread->pid = task->is_thread ? parent->pid : task->tid;
	thread->traced = parent->traced;
	return true;
}

/* Births come in any order, so that a child can be known before its parent. */
static void settle_families(struct trace_kernel *k, struct trace_model *m)
{
	bool again;

	for (uint32_t i = 0; i < k->tasks.count; i++) {
		struct kernel_task *task = &k->tasks.at[i];

		struct trace_thread *thread = trace_thread(m, task->tid);

		if (task->looked || thread->pid || task->parent)
			continue;
		task->looked = true;
		thread->pid = process_of(task->tid);
	}
	do {
		again = false;
		for (uint32_t i = 0; i < k->tasks.count; i++)
			again |= join_family(m, &k->tasks.at[i]);
	} while (again);
}

/* What the scheduler says, or where it knows the thread no more, what events have said. */
static void settle_policy(struct trace_model *m, struct kernel_task *task)
{
	struct trace_thread *thread = trace_thread(m, task->tid);
	struct sched_param param = {.sched_priority = 0};
	int policy = sched_getscheduler((pid_t)task->tid);

	task->changed = false;
	if (policy >= 0 && !sched_getparam((pid_t)task->tid, &param)) {
		thread->policy = policy & ~SCHED_RESET_ON_FORK;
		thread->urgency = thread->policy == POLICY_DEADLINE ? TRACE_URGENCY_MAX
								    : param.sched_priority;
		return;
	}
	if (task->wished >= 0)
		thread->policy = task->wished;
	else if (task->parent && thread->policy < 0)
		thread->policy = trace_find_thread(m, task->parent)->policy;
	/* Of a policy that does not fit what was seen nothing is known. */
	if (thread->urgency >= 0 && (thread->policy == SCHED_FIFO || thread->policy == SCHED_RR) !=
					(thread->urgency > 0 && thread->urgency < 100))
		thread->policy = thread->urgency ? -1 : SCHED_OTHER;
}

static int compare_addresses(const void *left, const void *right)
{
	const struct address *a = left;
	const struct address *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* Was it asked for already? If not, it has been now. */
static bool asked_before(struct trace_kernel *k, uint32_t pid, uint64_t address)
{
	struct address *new = malloc(sizeof(*new));
	void **found;

	if (!new)
		trace_no_memory();
	*new = (struct address){.pid = pid, .address = address};
	found = tsearch(new, &k->addresses, compare_addresses);
	if (!found)
		trace_no_memory();
	if (*found == new)
		return false;
	free(new);
	return true;
}

/* @looked: the last process whose maps were read for this drain. */
static void name_address(struct trace_kernel *k, struct trace_model *m, uint32_t pid,
			 uint64_t address, uint32_t *looked)
{
	char place[TRACE_PLACE_SIZE];
	uint32_t maps = pid;

	if (!pid || !address || asked_before(k, pid, address))
		return;
	if (!trace_symbols_knows(m->symbols, pid, address) && *looked != pid) {
		trace_symbols_look(m->symbols, pid);
		*looked = pid;
	}
	/* A child that was gone too soon had, until exec, what its parent has. */
	for (int i = 0; i < 8 && !trace_symbols_knows(m->symbols, maps, address); i++) {
		const struct kernel_task *task = kernel_task(k, m, maps);

		if (task->executed || !task->parent)
			break;
		maps = trace_thread(m, task->parent)->pid;
		if (!maps)
			return;
	}
	if (trace_symbols_name(m->symbols, maps, address, false, place))
		trace_name_lock(m, pid, address, place, false);
}

/* Does futex operation @op use its second address? */
static bool has_second(uint32_t op)
{
	switch (op & FUTEX_OPERATION) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_CMP_REQUEUE_PI:
		return true;
	default:
		return false;
	}
}

/* Does its thread sleep in it still? */
static void note_call(struct trace_kernel *k, struct trace_model *m, uint32_t event)
{
	const struct trace_event *e = &m->events.at[event];
	struct kernel_task *task = kernel_task(k, m, e->tid);

	if (e->type == TRACE_FUTEX && e->ns >= task->called) {
		task->called = e->ns;
		task->call = event;
	} else if (e->type == TRACE_FUTEX_DONE && e->ns > task->returned) {
		task->returned = e->ns;
	}
}

static void settle_events(struct trace_kernel *k, struct trace_model *m, uint32_t first)
{
	uint32_t looked = 0; /* a look that did not help is not repeated for the next address */

	for (uint32_t i = first; i < m->events.count; i++) {
		struct trace_event e = m->events.at[i];

		if (!e.pid && e.tid)
			m->events.at[i].pid = e.pid = trace_thread(m, e.tid)->pid;
		if (e.type != TRACE_FUTEX && e.type != TRACE_FUTEX_DONE)
			continue;
		note_call(k, m, i);
		if (e.type == TRACE_FUTEX_DONE)
			continue;
		name_address(k, m, e.pid, e.address, &looked);
		if (has_second(e.kind))
			name_address(k, m, e.pid, e.address2, &looked);
	}
	for (uint32_t i = 0; i < k->tasks.count; i++) {
		const struct kernel_task *task = &k->tasks.at[i];

		if (task->called > task->returned && !m->events.at[task->call].other)
			kernel_owner_look(m, task->call);
	}
}

/*
 * The kernel makes no events of the system calls of a program whose words are narrower than its own
 * (ftrace leaves them out, as their numbers are others).
 */
static void warn_of_narrow(struct kernel_task *task)
{
	uint32_t pid = task->tid;
	unsigned char ident[EI_NIDENT] = {0};
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fread(ident, sizeof(ident), 1, f) == 1 && sizeof(long) == 8 &&
	    ident[EI_CLASS] == ELFCLASS32 && !task->warned) {
		task->warned = true;
		fprintf(stderr,
			"rqpi trace: process %" PRIu32 " is a 32-bit program: a 64-bit kernel "
			"makes no events of its futex calls\n",
			pid);
	}
	fclose(f);
}

static void look_at_processes(struct trace_kernel *k, struct trace_model *m)
{
	for (uint32_t i = 0; i < k->look.count; i++) {
		if (!trace_thread(m, k->look.at[i])->traced)
			continue;
		trace_symbols_look(m->symbols, k->look.at[i]);
		warn_of_narrow(kernel_task(k, m, k->look.at[i]));
	}
	k->look.count = 0;
}

void kernel_tasks_settle(struct trace_kernel *k, struct trace_model *m, uint32_t first)
{
	if (!m->symbols) {
		k->symbols = k->symbols ? k->symbols : trace_symbols_new();
		m->symbols = k->symbols;
	}
	settle_families(k, m);
	look_at_processes(k, m);
	for (uint32_t i = 0; i < k->tasks.count; i++)
		if (k->tasks.at[i].changed)
			settle_policy(m, &k->tasks.at[i]);
	settle_events(k, m, first);
	if (m->symbols == k->symbols)
		m->symbols = NULL;
}

void kernel_tasks_free(struct trace_kernel *k)
{
	tdestroy(k->addresses, free);
	trace_symbols_free(k->symbols);
	free(k->tasks.at);
	free(k->look.at);
}
