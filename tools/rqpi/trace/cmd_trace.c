/* SPDX-License-Identifier: MIT */
/*
 * cmd_trace.c - `rqpi trace`: its options, its files, its report. What is in a report: rqpi(1).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <popt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cmd.h"
#include "src/shim/trace_record.h"
#include "trace.h"
#include "trace_run.h"

#define DEFAULT_OUTPUT	  "rqpi-trace.json"
#define DEFAULT_RECORDS	  65536u
#define DEFAULT_BUFFER_KB 4096u

struct choice {
	char *output;
	char *html;
	char *seconds;
	char *pid;
	char *buffer_kb;
	char *records;
	int json;
	int force;
	int no_preload;
	int no_kernel;
};

/* A file to be written at the end, opened at the beginning. */
struct target {
	const char *path; /* NULL: not asked for */
	const char *what;
	int (*write)(const struct trace_model *m, FILE *out);
	int fd;
	bool made; /* it was not there before */
};

static int fail(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "rqpi trace: %s%s%s: %s\n", option, value ? "=" : "", value ? value : "",
		why);
	return -1;
}

/* ---- options ---- */

static int number(const char *option, const char *text, uint32_t from, uint32_t to, uint32_t usual,
		  uint32_t *n)
{
	char why[96];
	char *end;
	unsigned long long value;

	*n = usual;
	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < from || value > to) {
		snprintf(why, sizeof(why), "not a number from %u to %u", from, to);
		return fail(option, text, why);
	}
	*n = (uint32_t)value;
	return 0;
}

static int seconds(const char *text, uint64_t *ns)
{
	char *end;
	double value;

	*ns = 0;
	if (!text)
		return 0;
	value = strtod(text, &end);
	if (end == text || *end || !(value >= 0.001 && value <= 1e6))
		return fail("--seconds", text, "not a number from 0.001 to 1000000");
	*ns = (uint64_t)(value * 1e9);
	return 0;
}

/* A thread's ID stands for its process. */
static uint32_t leader_of(uint32_t tid)
{
	char path[64];
	char line[256];
	uint32_t pid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %u", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

static int check_process(const char *text, uint32_t *pid)
{
	char path[64];
	struct stat st;

	if (number("-p", text, 1, INT_MAX, 0, pid))
		return -1;
	*pid = leader_of(*pid);
	if (!kill((pid_t)*pid, 0))
		return 0;
	if (errno == ESRCH)
		return fail("-p", text, "there is no such process");
	snprintf(path, sizeof(path), "/proc/%u", *pid);
	if (errno == EPERM && !stat(path, &st)) {
		const struct passwd *owner = getpwuid(st.st_uid);
		char why[160];

		snprintf(why, sizeof(why),
			 "this process belongs to another user (%s): only that user and root may "
			 "trace it",
			 owner ? owner->pw_name : "who has no name");
		return fail("-p", text, why);
	}
	return fail("-p", text, strerror(errno));
}

static int check(const struct choice *c, const char **command, struct trace_run *r)
{
	if (c->pid && command && command[0])
		return fail("-p", c->pid, "means nothing with a command");
	if (!c->pid && (!command || !command[0])) {
		fprintf(stderr, "rqpi trace: no command given\n"
				"Usage: rqpi trace [OPTION...] [--] CMD [ARG...]\n"
				"       rqpi trace [OPTION...] -p PID\n");
		return -1;
	}
	if (c->no_preload && c->no_kernel)
		return fail("--no-preload --no-kernel", NULL,
			    "there is nothing else to trace with");
	if (c->force && c->no_preload)
		return fail("--force-pi --no-preload", NULL, "it is the preload that does it");
	if (c->force && c->pid)
		return fail("--force-pi", NULL, "means nothing with -p: the process runs already");
	if (c->records && c->pid)
		return fail("--records", c->records,
			    "means nothing with -p: the process has its own (RQPI_TRACE)");
	if (seconds(c->seconds, &r->ns) ||
	    number("--buffer-kb", c->buffer_kb, 16, 1048576, DEFAULT_BUFFER_KB, &r->buffer_kb) ||
	    number("--records", c->records, 16, TRACE_RECORD_SLOTS_MAX, DEFAULT_RECORDS,
		   &r->records))
		return -1;
	r->use_preload = !c->no_preload;
	r->use_kernel = !c->no_kernel;
	r->force = c->force;
	r->command = c->pid ? NULL : command;
	return c->pid ? check_process(c->pid, &r->pid) : 0;
}

static int check_command(const char *name)
{
	char path[PATH_MAX];

	if (!program_find(name, path))
		return 0;
	fprintf(stderr, "rqpi trace: cannot run %s: %s\n", name,
		strerror(strchr(name, '/') ? errno : ENOENT));
	return -1;
}

/* ---- files ---- */

/* What is there stays as it is until there is something to take its place. */
static int open_target(struct target *t)
{
	t->fd = -1;
	if (!t->path)
		return 0;
	t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	t->made = t->fd >= 0;
	if (!t->made)
		t->fd = open(t->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (t->fd >= 0)
		return 0;
	fprintf(stderr, "rqpi trace: cannot write %s: %s\n", t->path, strerror(errno));
	return -1;
}

static void give_up_target(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->fd >= 0 && t->made)
		unlink(t->path);
	t->fd = -1;
}

static int write_target(struct target *t, const struct trace_model *m)
{
	struct stat st;
	FILE *out;
	int err;

	if (!t->path)
		return 0;
	err = !fstat(t->fd, &st) && S_ISREG(st.st_mode) && ftruncate(t->fd, 0);
	out = fdopen(t->fd, "w");
	if (out) {
		err = t->write(m, out) || ferror(out) || err;
		err = fclose(out) || err;
	}
	t->fd = -1;
	if (!out || err) {
		fprintf(stderr, "rqpi trace: cannot write %s: %s\n", t->path, strerror(errno));
		return -1;
	}
	fprintf(stderr, "rqpi trace: %s: %s\n", t->path, t->what);
	return 0;
}

/* ---- the whole ---- */

static char *as_typed(const char **command, uint32_t pid)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		trace_no_memory();
	if (!command)
		fprintf(out, "process %u", pid);
	for (int i = 0; command && command[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", command[i]);
	if (fclose(out))
		trace_no_memory();
	return text;
}

static int trace_it(struct trace_run *r, bool json, struct target targets[2])
{
	struct trace_model m;
	char *command = as_typed(r->command, r->pid);
	int status = RQPI_EXIT_CANNOT;
	int err;

	trace_model_init(&m);
	r->model = &m;
	m.command = command;
	err = trace_run(r);
	if (!err) {
		trace_model_build(&m);
		err = write_target(&targets[0], &m) || write_target(&targets[1], &m);
		err = (json ? trace_write_json(&m, stdout) : trace_write_text(&m, stdout)) || err;
		err = fflush(stdout) || err;
		if (!err)
			status = m.inversions || m.held_up ? RQPI_EXIT_FINDING : RQPI_EXIT_DONE;
	}
	trace_run_finish(r);
	trace_symbols_free(m.symbols);
	trace_model_free(&m);
	free(command);
	return status;
}

static int run(const struct choice *c, const char **command)
{
	struct trace_run r = {0};
	struct target targets[2] = {
	    {.path = c->output ? c->output : DEFAULT_OUTPUT,
	     .what = "timeline, for https://ui.perfetto.dev",
	     .write = trace_write_chrome,
	     .fd = -1},
	    {.path = c->html,
	     .what = "timeline, for any browser",
	     .write = trace_write_html,
	     .fd = -1},
	};
	int status = RQPI_EXIT_CANNOT;

	if (check(c, command, &r) || (r.command && check_command(r.command[0])))
		return RQPI_EXIT_CANNOT;
	if (!open_target(&targets[0]) && !open_target(&targets[1]))
		status = trace_it(&r, c->json, targets);
	give_up_target(&targets[0]);
	give_up_target(&targets[1]);
	return status;
}

int cmd_trace(int argc, char **argv)
{
	struct choice c = {0};
	struct poptOption table[] = {
	    {"pid", 'p', POPT_ARG_STRING, &c.pid, 0,
	     "a process that runs already; until it ends, or Ctrl-C", "PID"},
	    {"output", 'o', POPT_ARG_STRING, &c.output, 0,
	     "the timeline, for Perfetto (default: " DEFAULT_OUTPUT ")", "FILE"},
	    {"html", '\0', POPT_ARG_STRING, &c.html, 0,
	     "a timeline that needs a browser and nothing else", "FILE"},
	    {"json", '\0', POPT_ARG_NONE, &c.json, 0, "the report as JSON", NULL},
	    {"seconds", '\0', POPT_ARG_STRING, &c.seconds, 0, "trace so long; the program goes on",
	     "N"},
	    {"force-pi", '\0', POPT_ARG_NONE, &c.force, 0,
	     "with every mutex inheriting priority, as rqpi run --force-pi does", NULL},
	    {"no-preload", '\0', POPT_ARG_NONE, &c.no_preload, 0, "the kernel's events only", NULL},
	    {"no-kernel", '\0', POPT_ARG_NONE, &c.no_kernel, 0, "the preload's probes only", NULL},
	    {"buffer-kb", '\0', POPT_ARG_STRING, &c.buffer_kb, 0,
	     "the kernel's buffer for each processor (default: 4096)", "N"},
	    {"records", '\0', POPT_ARG_STRING, &c.records, 0,
	     "room for so many of the probes' records (default: 65536)", "N"},
	    POPT_AUTOHELP POPT_TABLEEND};
	poptContext context;
	int status = RQPI_EXIT_CANNOT;
	int err;

	argv[0] = (char[]){"rqpi trace"};
	context = poptGetContext("rqpi", argc, (const char **)argv, table,
				 POPT_CONTEXT_POSIXMEHARDER);
	poptSetOtherOptionHelp(context,
			       "[OPTION...] [--] CMD [ARG...]\n"
			       "       rqpi trace [OPTION...] -p PID\n\n"
			       "Says who waited how long for which lock, and why.\n"
			       "Exit status: 0 no inversion, 1 inversions found, at a mutex or "
			       "inside of a condvar,\n2 cannot.\n");
	err = poptGetNextOpt(context);
	if (err < -1)
		fprintf(stderr, "rqpi trace: %s: %s\n", poptBadOption(context, 0),
			poptStrerror(err));
	else
		status = run(&c, poptGetArgs(context));
	poptFreeContext(context);
	free(c.output);
	free(c.html);
	free(c.seconds);
	free(c.pid);
	free(c.buffer_kb);
	free(c.records);
	return status;
}
