/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor.h - what the parts of `rqpi doctor` share: findings, reading files, running something
 * in a child.
 *
 * cmd_doctor.c decides what is looked at and how it ends; cmd_doctor_{kernel,rights,machine,try,
 * experiment,program}.c look, each with functions that add findings; cmd_doctor_read.c reads for
 * them; cmd_doctor_report.c prints. Tests link all but cmd_doctor.c.
 */
#ifndef RQPI_CMD_DOCTOR_H
#define RQPI_CMD_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct json_object;

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_INFO,	/* neither good nor bad */
	DOCTOR_WARNING, /* costs time, or will be missed later */
	DOCTOR_BAD,	/* priority inheritance, or the right to priorities, is not there */
	DOCTOR_UNKNOWN, /* could not be looked at; the finding says why */
	DOCTOR_SKIPPED, /* was not looked at, since something else rules it out or was asked to */
	DOCTOR_STATES,
};

enum { DOCTOR_MENDS_MAX = 4 };

struct doctor_finding {
	const char *group;
	const char *id;
	enum doctor_state state;
	bool needed;		       /* no verdict without it */
	char *what;		       /* what was seen, and where */
	const char *why;	       /* why that matters */
	char *mends[DOCTOR_MENDS_MAX]; /* commands, any one of which mends it */
	int mend_count;
	struct json_object *data; /* what was measured; printed by --json only */
};

struct doctor {
	/* What was asked for. */
	const char *root; /* "", or the folder that has /proc, /sys and /boot of another machine */
	bool live;	  /* this machine and this process may be tried: no --root */
	bool experiments;
	int priority; /* that the real-time threads are going to have */

	/* What was found and others go by. */
	int preempt_rt;	   /* 1, 0, or -1: unknown */
	int fifo_max;	   /* highest priority that was granted; 0: none; -1: not tried */
	bool may_lock;	   /* memory: without limit */
	char release[128]; /* of the kernel, "" where it cannot be read */
	char *config;	   /* of the kernel, NULL where it cannot be read */
	char config_path[192];

	const char *group; /* that the next finding belongs to */
	struct doctor_finding *findings;
	size_t count, max;
};

/*
 * doctor_add() - a new finding, with what was seen. The pointer is good until the next one.
 * doctor_mend() adds a command to the newest finding.
 */
struct doctor_finding *doctor_add(struct doctor *d, const char *id, enum doctor_state state,
				  const char *format, ...) __attribute__((format(printf, 4, 5)));
void doctor_mend(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_free(struct doctor *d);

/*
 * cmd_doctor_read.c. doctor_read() reads a file below the root as a string without the line end;
 * returns its length, or -errno. doctor_cannot_read() adds the finding that says so.
 */
ssize_t doctor_read(const struct doctor *d, const char *path, char *text, size_t size);
void doctor_cannot_read(struct doctor *d, const char *id, const char *path, ssize_t error);
bool doctor_exists(const struct doctor *d, const char *path);

/* A number in a file; returns 0 or -errno. */
int doctor_read_number(const struct doctor *d, const char *path, long long *value);

/* Is @word an argument of the kernel's command line? Its value, "" for none; NULL: it is not. */
const char *doctor_argument(const char *cmdline, const char *word, char *value, size_t size);

/*
 * The kernel's configuration: 'y', 'm', 'n', or '?' where it is not known.
 * doctor_read_config() finds it, once.
 */
void doctor_read_config(struct doctor *d);
char doctor_config(const struct doctor *d, const char *option);

/* Is the kernel's release at least this? False where it is not known. */
bool doctor_release_is(const struct doctor *d, int major, int minor);

/* cmd_doctor_kernel.c, cmd_doctor_rights.c, cmd_doctor_machine.c: what files tell. */
void doctor_look_at_preempt_rt(struct doctor *d);
void doctor_look_at_irq_threads(struct doctor *d);
void doctor_look_at_throttling(struct doctor *d);
void doctor_look_at_fair_server(struct doctor *d);
void doctor_look_at_rights(struct doctor *d);
void doctor_look_at_memory(struct doctor *d);
void doctor_look_at_cgroup(struct doctor *d);
void doctor_look_at_governor(struct doctor *d);
void doctor_look_at_idle(struct doctor *d);
void doctor_look_at_isolation(struct doctor *d);

/*
 * doctor_child() - run @body in a child, which may be killed by a sandbox or its own watchdog.
 * @shared: memory from doctor_share(), where @body leaves what it found.
 * Returns 0 if it came to its end within @seconds, else -1 and the reason in @why.
 */
int doctor_child(void (*body)(void *shared), void *shared, unsigned int seconds, char *why,
		 size_t size);
void *doctor_share(size_t size);
void doctor_unshare(void *shared, size_t size);

/* cmd_doctor_try.c: the operations of the kernel, by trying each. */
void doctor_try_futexes(struct doctor *d);
void doctor_try_fifo(struct doctor *d);

/* cmd_doctor_experiment.c. What an experiment is made with; tests also ask for the wrong one. */
enum doctor_lock {
	DOCTOR_LOCK_PI,	   /* pthread_mutex_t with PTHREAD_PRIO_INHERIT */
	DOCTOR_LOCK_PLAIN, /* without */
	DOCTOR_LOCK_RQPI,
	DOCTOR_LOCK_SEMAPHORE, /* inherits nowhere, whatever is preloaded */
};
enum doctor_cond { DOCTOR_COND_LIBC, DOCTOR_COND_RQPI };

/* @control: what must show an inversion, or the experiment could not have told. */
void doctor_prove_inheritance(struct doctor *d, const char *id, enum doctor_lock kind,
			      enum doctor_lock control);
/* @failing: what a wrong order is. */
void doctor_prove_order(struct doctor *d, const char *id, enum doctor_cond kind,
			enum doctor_state failing);

/* cmd_doctor_program.c. doctor_look_at_program() returns -1 where there is no such program. */
void doctor_look_at_libc(struct doctor *d);
int doctor_look_at_program(struct doctor *d, const char *name);

/* cmd_doctor_report.c */
void doctor_report_text(const struct doctor *d, bool verbose, int code);
void doctor_report_json(const struct doctor *d, int code);

#endif /* RQPI_CMD_DOCTOR_H */
