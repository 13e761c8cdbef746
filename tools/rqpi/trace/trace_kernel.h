/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel.h - what the files of the kernel's source share: trace_kernel.c (start, drain,
 * stop), trace_kernel_setup.c (tracefs, instances), trace_kernel_events.c (records),
 * trace_kernel_tasks.c (whose events they are, what addresses are called). Included by these alone,
 * where there is libtracefs.
 *
 * Two instances of the kernel's tracing, with buffers of their own, so that nobody else's tracing
 * is touched. `calls` sees the futex calls of the traced program, and who wakes it, by the kernel's
 * filter of TIDs, which follows forks. `sched` sees everybody: who ran instead of the program is
 * what it is about.
 */
#ifndef RQPI_TRACE_KERNEL_H
#define RQPI_TRACE_KERNEL_H

#include <event-parse.h>
#include <kbuffer.h>
#include <sys/types.h>
#include <tracefs.h>

#include "trace.h"

#define KERNEL_WHY 256

enum kernel_kind {
	KERNEL_SWITCH,
	KERNEL_WAKING,
	KERNEL_SETPRIO,
	KERNEL_NEWTASK,
	KERNEL_RENAME,
	KERNEL_EXEC,
	KERNEL_EXIT,
	KERNEL_FUTEX,
	KERNEL_FUTEX_DONE,
	KERNEL_WAITV,
	KERNEL_WAITV_DONE,
	KERNEL_SETSCHEDULER,
	KERNEL_KINDS
};

#define KERNEL_FIELDS 7

/* A tracepoint, as this kernel has it. */
struct kernel_event {
	int id;				/* in the records; -1: this kernel has no such event */
	struct tep_format_field *pid;	/* common_pid */
	struct tep_format_field *flags; /* common_flags */
	struct tep_format_field *field[KERNEL_FIELDS];
};

struct kernel_instance {
	struct tracefs_instance *fs; /* NULL: not made */
	uint32_t cpus;		     /* how many `fd` and `cpu` there are */
	int *fd;		     /* trace_pipe_raw of each */
	uint16_t *cpu;
};

/* What is known of a thread beyond struct trace_thread. */
struct kernel_task {
	uint32_t tid;
	uint32_t parent; /* TID, from the event of its birth; 0: it was there before */
	bool is_thread;	 /* of its parent's process */
	bool looked;	 /* /proc has been asked for its process */
	bool changed;	 /* its policy has to be asked for again */
	bool executed;	 /* (leader) another program since its birth: not its parent's maps */
	bool warned;	 /* that its calls are not seen */
	int seen;	 /* urgency in its last event; TRACE_URGENCY_UNKNOWN */
	int wished;	 /* policy of its last sched_setscheduler(); -1 */
	uint64_t called; /* its last futex call began: event number `call` */
	uint64_t returned;
	uint32_t call;
	uint64_t named; /* when its name was told */
	char name[TRACE_NAME_SIZE];
};

struct trace_kernel {
	pid_t tracer; /* a forked child of ours must leave it alone */
	uint32_t pid;
	int mount; /* tracefs, mounted for us alone; -1: it was mounted */
	uint32_t buffer_kb;
	struct kernel_instance calls;
	struct kernel_instance sched;
	struct tep_handle *tep;
	struct kbuffer *page;
	void *bytes; /* a page of the kernel's buffers */
	size_t size;
	struct kernel_event event[KERNEL_KINDS];
	TRACE_ARRAY(struct trace_event) early; /* who slept in a futex call when we came */
	TRACE_ARRAY(struct kernel_task) tasks; /* by TID */
	TRACE_ARRAY(uint32_t) look;	       /* processes whose maps are to be read */
	bool begun;			       /* the threads that were there are in the model */
	void *addresses;		       /* tsearch(3): those that were asked for a name */
	struct trace_symbols *symbols;	       /* ours, where the model has none */
};

/* trace_kernel_setup.c */

/* @why is why not. Returns false. */
bool kernel_refuse(char why[KERNEL_WHY], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* All of it, or false and @why. */
bool kernel_open(struct trace_kernel *k, char why[KERNEL_WHY]);
/* No more events come; those in the buffers stay. */
void kernel_pause(struct trace_kernel *k);
/* What the kernel had to throw away. */
uint64_t kernel_lost(const struct trace_kernel *k);
/* Give back all that kernel_open() took; it may have failed half-way. */
void kernel_close(struct trace_kernel *k);

/* trace_kernel_events.c */

/* The formats of the events; false and @why if one is missing that we cannot be without. */
bool kernel_events_learn(struct trace_kernel *k, char why[KERNEL_WHY]);
/* Have the kernel make them. */
bool kernel_events_enable(struct trace_kernel *k, char why[KERNEL_WHY]);
/* One record. */
void kernel_events_take(struct trace_kernel *k, struct trace_model *m, void *data, uint16_t cpu,
			uint64_t ns);

/* trace_kernel_tasks.c */

/* A pointer until the next is made. */
struct kernel_task *kernel_task(struct trace_kernel *k, struct trace_model *m, uint32_t tid);
void kernel_task_name(struct trace_kernel *k, struct trace_model *m, uint32_t tid, const char *name,
		      uint64_t ns);
/* It is this urgent now, perhaps by inheritance. */
void kernel_task_urgency(struct trace_kernel *k, struct trace_model *m, uint32_t tid, int urgency);
void kernel_task_born(struct trace_kernel *k, struct trace_model *m, uint32_t parent, uint32_t tid,
		      bool is_thread);
void kernel_task_exec(struct trace_kernel *k, struct trace_model *m, uint32_t tid);
void kernel_task_exit(struct trace_kernel *k, struct trace_model *m, uint32_t tid, int urgency);
/* Those who sleep in a futex call now, as events at @ns. */
void kernel_tasks_asleep(struct trace_kernel *k, uint64_t ns);
/* All threads of process @pid are traced. */
void kernel_tasks_begin(struct trace_kernel *k, struct trace_model *m);
/* After a drain: whose events are those from @first on, and what are their addresses called? */
void kernel_tasks_settle(struct trace_kernel *k, struct trace_model *m, uint32_t first);
/* The system call in which it sleeps now; -1: none. */
long kernel_task_call(uint32_t tid, uint64_t argument[6]);
void kernel_tasks_free(struct trace_kernel *k);

/* trace_kernel_owner.c */

/* Event @event is a futex call that has not ended: who has the lock? `other`, if that is seen. */
void kernel_owner_look(struct trace_model *m, uint32_t event);

#endif /* RQPI_TRACE_KERNEL_H */
