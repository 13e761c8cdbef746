/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel_events.c - which tracepoints trace_kernel.c asks for, and what a record of each
 * means.
 *
 * Where a field lies in a record is the running kernel's business: its format files say so, and
 * libtraceevent reads them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "trace_kernel.h"

/* common_flags: it interrupted the thread it is said to be of. */
#define IN_INTERRUPT (TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ | 0x40 /* NMI */)

/* prev_state: what it waits for. Without one of these bits it could have run on. */
#define STATES_ASLEEP 0xffu

/* clone(2): in the same process. */
#define BORN_THREAD 0x00010000u

struct kind {
	const char *system;
	const char *name;
	bool optional;
	const char *field[KERNEL_FIELDS]; /* "?" in front: need not be there */
};

/* In the order in which kernel_events_take() uses them. */
static const struct kind kinds[KERNEL_KINDS] = {
    [KERNEL_SWITCH] = {"sched",
		       "sched_switch",
		       false,
		       {"prev_pid", "prev_prio", "prev_state", "next_pid", "next_prio", "prev_comm",
			"next_comm"}},
    [KERNEL_WAKING] = {"sched", "sched_waking", false, {"pid", "prio", "target_cpu"}},
    [KERNEL_SETPRIO] = {"sched", "sched_pi_setprio", false, {"pid", "oldprio", "newprio"}},
    [KERNEL_NEWTASK] = {"task", "task_newtask", false, {"pid", "clone_flags", "comm"}},
    [KERNEL_RENAME] = {"task", "task_rename", true, {"?pid", "newcomm"}},
    [KERNEL_EXEC] = {"sched", "sched_process_exec", false, {"pid"}},
    [KERNEL_EXIT] = {"sched", "sched_process_exit", false, {"pid", "prio"}},
    [KERNEL_FUTEX] = {"syscalls", "sys_enter_futex", false, {"uaddr", "op", "val", "uaddr2"}},
    [KERNEL_FUTEX_DONE] = {"syscalls", "sys_exit_futex", false, {"ret"}},
    [KERNEL_WAITV] = {"syscalls", "sys_enter_futex_waitv", true, {"waiters"}},
    [KERNEL_WAITV_DONE] = {"syscalls", "sys_exit_futex_waitv", true, {"ret"}},
    [KERNEL_SETSCHEDULER] = {"syscalls", "sys_enter_sched_setscheduler", true, {"pid", "policy"}},
};

static bool learn_fields(struct kernel_event *event, struct tep_event *format,
			 const struct kind *kind)
{
	event->pid = tep_find_common_field(format, "common_pid");
	event->flags = tep_find_common_field(format, "common_flags");
	if (!event->pid || !event->flags)
		return false;
	for (int i = 0; i < KERNEL_FIELDS && kind->field[i]; i++) {
		bool optional = kind->field[i][0] == '?';

		event->field[i] = tep_find_field(format, kind->field[i] + optional);
		if (!event->field[i] && !optional)
			return false;
	}
	event->id = format->id;
	return true;
}

static bool learn_event(struct trace_kernel *k, const struct kind *kind, struct kernel_event *event)
{
	int size = 0;
	char *text = tracefs_event_file_read(NULL, kind->system, kind->name, "format", &size);
	struct tep_event *format = NULL;

	event->id = -1;
	if (text && !tep_parse_event(k->tep, text, (unsigned long)size, kind->system))
		format = tep_find_event_by_name(k->tep, kind->system, kind->name);
	free(text);
	return format && learn_fields(event, format, kind);
}

/* How the pages are made; what libtraceevent takes for granted about them is told it here. */
static bool learn_pages(struct trace_kernel *k)
{
	int size = 0;
	char *header = tracefs_instance_file_read(NULL, "events/header_page", &size);
	int error;

	error = header ? tep_parse_header_page(k->tep, header, (unsigned long)size, sizeof(long))
		       : -1;
	free(header);
	if (error)
		return false;
	size = tep_get_header_page_size(k->tep); /* of the kernel's `long` */
	tep_set_long_size(k->tep, size);
	tep_set_file_bigendian(k->tep, tep_is_bigendian() ? TEP_BIG_ENDIAN : TEP_LITTLE_ENDIAN);
	k->page = kbuffer_alloc(size == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
				KBUFFER_ENDIAN_SAME_AS_HOST);
	if (!k->page)
		trace_no_memory();
	return true;
}

bool kernel_events_learn(struct trace_kernel *k, char why[KERNEL_WHY])
{
	k->tep = tep_alloc();
	if (!k->tep)
		trace_no_memory();
	if (!learn_pages(k))
		return kernel_refuse(why,
				     "the kernel's tracing does not say what its pages look like "
				     "(events/header_page)");
	k->size = (size_t)tep_get_sub_buffer_size(k->tep);
	k->bytes = malloc(k->size);
	if (!k->bytes)
		trace_no_memory();
	for (int i = 0; i < KERNEL_KINDS; i++) {
		if (learn_event(k, &kinds[i], &k->event[i]) || kinds[i].optional)
			continue;
		return kernel_refuse(
		    why, "this kernel has no event %s:%s%s", kinds[i].system, kinds[i].name,
		    strcmp(kinds[i].system, "syscalls") ? "" : " (CONFIG_FTRACE_SYSCALLS)");
	}
	return true;
}

bool kernel_events_enable(struct trace_kernel *k, char why[KERNEL_WHY])
{
	for (int i = 0; i < KERNEL_KINDS; i++) {
		/* The kernel's filter lets pass who is woken of ours, whoever does it. */
		bool ours = !strcmp(kinds[i].system, "syscalls") || i == KERNEL_WAKING;

		if (k->event[i].id >= 0 && tracefs_event_enable(ours ? k->calls.fs : k->sched.fs,
								kinds[i].system, kinds[i].name))
			return kernel_refuse(why, "the kernel does not turn on %s:%s: %s",
					     kinds[i].system, kinds[i].name, strerror(errno));
	}
	return true;
}

/* A PID, a priority, an operation; 0 where there is no such field. */
static uint64_t number(struct tep_format_field *field, const void *data)
{
	unsigned long long value = 0;

	if (field)
		tep_read_number_field(field, data, &value);
	return value;
}

/* The fields are of 4 bytes and, in what enters a system call, of 8. */
static int32_t small(struct tep_format_field *field, const void *data)
{
	return (int32_t)(uint32_t)number(field, data);
}

static void text(const struct tep_format_field *field, const void *data, char name[TRACE_NAME_SIZE])
{
	size_t at = (size_t)field->offset;
	size_t size = (size_t)field->size;

	if (field->flags & TEP_FIELD_IS_DYNAMIC) {
		uint32_t where;

		memcpy(&where, (const char *)data + at, sizeof(where));
		if (field->flags & TEP_FIELD_IS_RELATIVE)
			where += (uint32_t)(at + size);
		at = where & 0xffff;
		size = where >> 16;
	}
	if (size > TRACE_NAME_SIZE - 1)
		size = TRACE_NAME_SIZE - 1;
	memcpy(name, (const char *)data + at, size);
	name[size] = '\0';
}

/* The kernel counts down: 0 to 98 real-time, 100 to 139 others; below, SCHED_DEADLINE. */
static int16_t urgency(int32_t prio)
{
	if (prio < 0)
		return TRACE_URGENCY_MAX;
	return (int16_t)(prio < 99 ? 99 - prio : 0);
}

static void name_task(struct trace_kernel *k, struct trace_model *m, uint32_t tid,
		      const struct tep_format_field *field, const void *data, uint64_t ns)
{
	char name[TRACE_NAME_SIZE];

	if (!tid)
		return;
	text(field, data, name);
	kernel_task_name(k, m, tid, name, ns);
}

static void take_switch(struct trace_kernel *k, struct trace_model *m,
			struct tep_format_field *const *f, const void *data, struct trace_event *e)
{
	e->type = TRACE_SWITCH;
	e->tid = (uint32_t)small(f[0], data);
	e->mine = urgency(small(f[1], data));
	e->value = !(number(f[2], data) & STATES_ASLEEP);
	e->other = (uint32_t)small(f[3], data);
	e->its = urgency(small(f[4], data));
	name_task(k, m, e->tid, f[5], data, e->ns);
	name_task(k, m, e->other, f[6], data, e->ns);
	kernel_task_urgency(k, m, e->tid, e->mine);
	kernel_task_urgency(k, m, e->other, e->its);
}

/* Of the first of its addresses; the model has one for each thread. */
static bool take_waitv(const struct tep_format_field *const *f, const void *data,
		       struct trace_event *e)
{
	struct futex_waitv first = {.uaddr = 0};
	struct iovec here = {.iov_base = &first, .iov_len = sizeof(first)};
	struct iovec there = {.iov_len = sizeof(first)};

	there.iov_base = (void *)(uintptr_t)number((struct tep_format_field *)(uintptr_t)f[0],
						   data);
	if (process_vm_readv((pid_t)e->tid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(first))
		return false;
	e->type = TRACE_FUTEX;
	e->address = first.uaddr;
	e->kind = FUTEX_WAIT_BITSET;
	e->value = (int32_t)first.val;
	return true;
}

static bool take_call(struct trace_kernel *k, struct trace_model *m, enum kernel_kind kind,
		      const void *data, struct trace_event *e)
{
	struct tep_format_field *const *f = k->event[kind].field;
	struct kernel_task *task;
	int64_t ret;

	switch (kind) {
	case KERNEL_FUTEX:
		e->type = TRACE_FUTEX;
		e->address = number(f[0], data);
		e->kind = (uint32_t)number(f[1], data);
		e->value = small(f[2], data);
		e->address2 = number(f[3], data);
		return true;
	case KERNEL_FUTEX_DONE:
	case KERNEL_WAITV_DONE:
		ret = (int64_t)number(f[0], data);
		e->type = TRACE_FUTEX_DONE;
		/* -512 and below: to be begun again after a signal; programs never see it. */
		e->value = ret <= -512 ? -EINTR : (int32_t)ret;
		return true;
	case KERNEL_WAITV:
		return take_waitv((const struct tep_format_field *const *)f, data, e);
	default:
		e->other = (uint32_t)small(f[0], data);
		task = kernel_task(k, m, e->other ? e->other : e->tid);
		task->wished = small(f[1], data) & ~SCHED_RESET_ON_FORK;
		task->changed = true;
		return false;
	}
}

static bool take_life(struct trace_kernel *k, struct trace_model *m, enum kernel_kind kind,
		      const void *data, struct trace_event *e)
{
	struct tep_format_field *const *f = k->event[kind].field;
	uint32_t whom = f[0] ? (uint32_t)small(f[0], data) : e->tid;

	switch (kind) {
	case KERNEL_NEWTASK:
		e->type = TRACE_FORK;
		e->other = whom;
		kernel_task_born(k, m, e->tid, whom, (number(f[1], data) & BORN_THREAD) != 0);
		name_task(k, m, whom, f[2], data, e->ns);
		return true;
	case KERNEL_RENAME:
		name_task(k, m, whom, f[1], data, e->ns);
		return false;
	case KERNEL_EXEC:
		e->type = TRACE_EXEC;
		e->tid = whom;
		kernel_task_exec(k, m, whom);
		return true;
	default:
		e->type = TRACE_EXIT;
		e->tid = whom;
		e->mine = urgency(small(f[1], data));
		kernel_task_exit(k, m, whom, e->mine);
		return true;
	}
}

static bool take(struct trace_kernel *k, struct trace_model *m, enum kernel_kind kind,
		 const void *data, struct trace_event *e)
{
	struct tep_format_field *const *f = k->event[kind].field;

	switch (kind) {
	case KERNEL_SWITCH:
		take_switch(k, m, f, data, e);
		return true;
	case KERNEL_WAKING:
		e->type = TRACE_WAKING;
		if (number(k->event[kind].flags, data) & IN_INTERRUPT)
			e->tid = 0; /* a timer, a device: not who ran there */
		e->other = (uint32_t)small(f[0], data);
		e->its = urgency(small(f[1], data));
		e->cpu = (uint16_t)small(f[2], data);
		kernel_task_urgency(k, m, e->other, e->its);
		return true;
	case KERNEL_SETPRIO:
		e->type = TRACE_SETPRIO;
		e->other = (uint32_t)small(f[0], data);
		e->mine = urgency(small(f[1], data));
		e->its = urgency(small(f[2], data));
		return true;
	case KERNEL_NEWTASK:
	case KERNEL_RENAME:
	case KERNEL_EXEC:
	case KERNEL_EXIT:
		return take_life(k, m, kind, data, e);
	default:
		return take_call(k, m, kind, data, e);
	}
}

void kernel_events_take(struct trace_kernel *k, struct trace_model *m, void *data, uint16_t cpu,
			uint64_t ns)
{
	struct tep_record record = {.data = data, .size = (int)k->size};
	struct trace_event e = {.ns = ns, .cpu = cpu};
	int id = tep_data_type(k->tep, &record);
	int kind = 0;

	while (kind < KERNEL_KINDS && (k->event[kind].id != id || id < 0))
		kind++;
	if (kind == KERNEL_KINDS)
		return;
	e.tid = (uint32_t)small(k->event[kind].pid, data);
	if (take(k, m, (enum kernel_kind)kind, data, &e))
		trace_add(m, &e);
}
