/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor.c - `rqpi doctor`: is this machine, and is this process, fit for priority inheritance?
 *
 * Owns the options, which checks are made in which order, and the exit status. The checks are in
 * cmd_doctor_*.c; nothing is changed on the machine, and what could be dangerous happens in
 * children.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "cmd_doctor.h"

enum { PRIORITY_DEFAULT = 50, PRIORITY_MAX = 99 };

struct doctor_options {
	char *root;
	char *program;
	int priority, json, strict, verbose, no_experiments;
};

static const char usage[] =
    "[--] [CMD]\n\n"
    "Looks at the kernel, at the rights of this process and at the machine, proves priority\n"
    "inheritance and the order of wake-ups by experiment, and says what to mend and how.\n"
    "With CMD: what that program gets here. It is not run.\n"
    "Exit status: 0 fit, 1 something is bad (with --strict: or warned of), 2 cannot say.\n";

static int check_options(struct doctor_options *o)
{
	struct stat st;

	if (o->priority < 1 || o->priority > PRIORITY_MAX) {
		fprintf(stderr, "rqpi doctor: --priority %d: must be 1 to %d\n", o->priority,
			PRIORITY_MAX);
		return -1;
	}
	if (o->root && (stat(o->root, &st) || !S_ISDIR(st.st_mode))) {
		fprintf(stderr, "rqpi doctor: --root %s: no such folder\n", o->root);
		return -1;
	}
	if (o->root && o->program) {
		fprintf(stderr, "rqpi doctor: --root %s: tells of files alone, not of %s\n",
			o->root, o->program);
		return -1;
	}
	return 0;
}

/* Returns 1: go on; else -1 after a message. --help does not come back. */
static int parse_options(struct doctor_options *o, int argc, char **argv)
{
	struct poptOption table[] = {
	    {"json", 0, POPT_ARG_NONE, &o->json, 0, "print one JSON object", NULL},
	    {"verbose", 'v', POPT_ARG_NONE, &o->verbose, 0, "say of each check why it matters",
	     NULL},
	    {"strict", 0, POPT_ARG_NONE, &o->strict, 0, "exit status 1 for warnings, too", NULL},
	    {"priority", 0, POPT_ARG_INT, &o->priority, 0,
	     "the SCHED_FIFO priority that is needed (50)", "N"},
	    {"no-experiments", 0, POPT_ARG_NONE, &o->no_experiments, 0,
	     "start no real-time threads", NULL},
	    {"root", 0, POPT_ARG_STRING, &o->root, 0,
	     "read /proc, /sys, /boot and /dev below DIR, and try nothing", "DIR"},
	    POPT_AUTOHELP POPT_TABLEEND,
	};
	const char **rest;
	poptContext context;
	int c;

	argv[0] = (char[]){"rqpi doctor"};
	context = poptGetContext("rqpi", argc, (const char **)argv, table,
				 POPT_CONTEXT_POSIXMEHARDER);
	poptSetOtherOptionHelp(context, usage);
	c = poptGetNextOpt(context);
	if (c < -1) {
		fprintf(stderr, "rqpi doctor: %s: %s\n", poptBadOption(context, 0),
			poptStrerror(c));
		poptFreeContext(context);
		return -1;
	}
	/* What follows CMD are its arguments, and no matter here. */
	rest = poptGetArgs(context);
	if (rest && rest[0])
		o->program = strdup(rest[0]);
	poptFreeContext(context);
	return check_options(o);
}

static void look_at_kernel(struct doctor *d)
{
	d->group = "Kernel";
	if (d->live)
		doctor_try_futexes(d);
	else
		doctor_add(d, "pi-futex", DOCTOR_SKIPPED,
			   "futex operations: not tried: --root tells of files alone");
	doctor_look_at_preempt_rt(d);
	doctor_look_at_irq_threads(d);
	doctor_look_at_throttling(d);
	doctor_look_at_fair_server(d);
}

static void look_at_rights(struct doctor *d)
{
	d->group = "Rights of this process";
	if (d->live)
		doctor_try_fifo(d);
	else
		doctor_add(d, "sched-fifo", DOCTOR_SKIPPED,
			   "SCHED_FIFO: not tried: --root tells of files alone");
	doctor_look_at_rights(d);
	doctor_look_at_cgroup(d);
	doctor_look_at_memory(d);
}

static void look_at_machine(struct doctor *d)
{
	d->group = "Machine";
	doctor_look_at_governor(d);
	doctor_look_at_idle(d);
	doctor_look_at_isolation(d);
}

static void make_experiments(struct doctor *d)
{
	d->group = "Experiments";
	doctor_prove_inheritance(d, "inherit-pthreads", DOCTOR_LOCK_PI, DOCTOR_LOCK_SEMAPHORE);
	doctor_prove_inheritance(d, "inherit-rqpi", DOCTOR_LOCK_RQPI, DOCTOR_LOCK_SEMAPHORE);
	doctor_prove_order(d, "order-pthreads", DOCTOR_COND_LIBC, DOCTOR_WARNING);
	doctor_prove_order(d, "order-rqpi", DOCTOR_COND_RQPI, DOCTOR_BAD);
}

/* Bad outweighs what could not be looked at: no answer there could make it fit. */
static int judge(const struct doctor *d, bool strict)
{
	int code = RQPI_EXIT_DONE;

	for (size_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->findings[i];

		if (f->state == DOCTOR_BAD || (strict && f->state == DOCTOR_WARNING))
			return RQPI_EXIT_FINDING;
		if (f->state == DOCTOR_UNKNOWN && f->needed)
			code = RQPI_EXIT_CANNOT;
	}
	return code;
}

static int examine(const struct doctor_options *o)
{
	struct doctor d = {
	    .root = o->root ? o->root : "",
	    .live = !o->root,
	    .experiments = !o->no_experiments,
	    .priority = o->priority,
	    .preempt_rt = -1,
	    .fifo_max = -1,
	};
	int code;

	doctor_read_config(&d);
	look_at_kernel(&d);
	look_at_rights(&d);
	look_at_machine(&d);
	d.group = "Programs";
	if (d.live)
		doctor_look_at_libc(&d);
	if (o->program && doctor_look_at_program(&d, o->program)) {
		doctor_free(&d);
		return RQPI_EXIT_CANNOT;
	}
	make_experiments(&d);
	code = judge(&d, o->strict);
	if (o->json)
		doctor_report_json(&d, code);
	else
		doctor_report_text(&d, o->verbose, code);
	doctor_free(&d);
	return code;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options o = {.priority = PRIORITY_DEFAULT};
	int code = RQPI_EXIT_CANNOT;

	if (!parse_options(&o, argc, argv))
		code = examine(&o);
	free(o.root);
	free(o.program);
	return code;
}
