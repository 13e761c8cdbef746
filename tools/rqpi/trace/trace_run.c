/* SPDX-License-Identifier: MIT */
/*
 * trace_run.c - runs what is traced, with both sources, for cmd_trace.c.
 *
 * The command is a child, held before its exec until the sources know it. Signals are waited for
 * and not handled, so that nothing here is ever interrupted: what a process sends us goes on to the
 * command, what a terminal sends has come to it already.
 */
#define _GNU_SOURCE
#include "trace_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../cmd.h"

#define TICK_MS	 20
#define EARLY_MS 1 /* until the preload has come: a short program's files are to be seen, too */
#define EARLY_NS 200000000u

/* Who is traced, while it is. */
struct traced {
	struct trace_run *run;
	struct trace_preload *preload; /* NULL: none */
	struct trace_kernel *kernel;   /* NULL: none */
	char file[PATH_MAX];	       /* for RQPI_TRACE */
	pid_t child;		       /* 0: none of ours */
	int go;			       /* one byte lets the child run */
	int failed;		       /* its errno, if it could not */
	int handle;		       /* of a process that is no child, or -1 */
};

static sigset_t waited_for;
static sigset_t usual;
static bool children_ignored;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the child ---- */

/* A signal that is ignored, as under nohup(1), stays so: it is never seen here. */
static void hold_signals(void)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
	struct sigaction before;

	sigemptyset(&waited_for);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&waited_for, ours[i]);
	sigprocmask(SIG_BLOCK, &waited_for, &usual);
	/* Who ignores this one never learns how a child ended. */
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &before);
	children_ignored = before.sa_handler == SIG_IGN;
}

static void set_or_die(const char *name, const char *value)
{
	if (!setenv(name, value, 1))
		return;
	fprintf(stderr, "rqpi trace: cannot set %s: %s\n", name, strerror(errno));
	exit(RQPI_EXIT_CANNOT);
}

/* In the child. */
static _Noreturn void become(const struct traced *t, const char *preload, int go[2], int failed[2])
{
	char byte = 0;
	int error;

	close(go[1]);
	close(failed[0]);
	if (preload) {
		set_or_die("LD_PRELOAD", preload);
		set_or_die("RQPI_TRACE", t->file);
		if (t->run->force)
			set_or_die("RQPI_FORCE_PI", "1");
	}
	if (children_ignored)
		signal(SIGCHLD, SIG_IGN);
	sigprocmask(SIG_SETMASK, &usual, NULL);
	while (read(go[0], &byte, 1) < 0 && errno == EINTR)
		;
	if (byte == 1) {
		execvp(t->run->command[0], (char *const *)t->run->command);
		error = errno;
		while (write(failed[1], &error, sizeof(error)) < 0 && errno == EINTR)
			;
	}
	_exit(RQPI_EXIT_CANNOT);
}

/* It waits for a byte at t->go. */
static int start_child(struct traced *t, const char *preload)
{
	int go[2];
	int failed[2];

	t->child = -1;
	if (!pipe2(go, O_CLOEXEC) && !pipe2(failed, O_CLOEXEC))
		t->child = fork();
	if (t->child == 0)
		become(t, preload, go, failed);
	if (t->child < 0) {
		fprintf(stderr, "rqpi trace: cannot start %s: %s\n", t->run->command[0],
			strerror(errno));
		t->child = 0;
		return -1;
	}
	close(go[0]);
	close(failed[1]);
	t->go = go[1];
	t->failed = failed[0];
	return 0;
}

/*
 * Wait until it has become the program, and stands before its first instruction: what its variables
 * are called is seen now, since it may be over before we get to look again. Nobody else can hold it
 * while we do (a debugger, strace), and its signals go through us; so we let go at once. It may
 * also end instead.
 */
static void look_at_program(struct traced *t)
{
	struct trace_model *m = t->run->model;
	int status = 0;

	while (waitpid(t->child, &status, 0) == t->child && WIFSTOPPED(status)) {
		int event = status >> 16; /* 0: a signal comes */
		int signal = event ? 0 : WSTOPSIG(status);

		if (event == PTRACE_EVENT_EXEC) {
			trace_symbols_look(m->symbols, (uint32_t)t->child);
			ptrace(PTRACE_DETACH, t->child, NULL, NULL);
			return;
		}
		ptrace(PTRACE_CONT, t->child, NULL, (void *)(intptr_t)signal);
	}
	m->ended = true;
	m->status = status;
	t->child = 0;
}

/* To stop when it becomes the program. Not everybody may do that: then it just runs. */
static bool hold(const struct traced *t)
{
	return !ptrace(PTRACE_SEIZE, t->child, NULL, (void *)(intptr_t)PTRACE_O_TRACEEXEC);
}

/* @run false: it goes without having run. */
static int let_go(struct traced *t, bool run)
{
	bool held = run && hold(t);
	bool gone = false;
	void (*before)(int);
	char byte = 1;
	int error = 0;

	/* A signal may have ended it already, and must not end us by SIGPIPE. */
	before = signal(SIGPIPE, SIG_IGN);
	if (run)
		gone = write(t->go, &byte, 1) < 0;
	signal(SIGPIPE, before);
	close(t->go);
	if (held)
		look_at_program(t);
	if (read(t->failed, &error, sizeof(error)) != (ssize_t)sizeof(error))
		error = 0;
	close(t->failed);
	if (run && !error && !gone)
		return 0;
	if (t->child)
		waitpid(t->child, NULL, 0);
	t->child = 0;
	if (gone)
		fprintf(stderr, "rqpi trace: %s was ended before it began\n", t->run->command[0]);
	if (error)
		fprintf(stderr, "rqpi trace: cannot run %s: %s\n", t->run->command[0],
			strerror(error));
	return -1;
}

/* ---- until it ends ---- */

/* What a process sent, and not the terminal or the kernel, which send to all of a group. */
static bool is_for_child(const siginfo_t *info)
{
	return info->si_signo != SIGCHLD && info->si_code <= 0;
}

static bool has_ended(struct traced *t)
{
	struct trace_model *m = t->run->model;
	struct pollfd end = {.fd = t->handle, .events = POLLIN};

	if (m->ended)
		return true;
	if (t->child)
		m->ended = waitpid(t->child, &m->status, WNOHANG) == t->child;
	else if (t->handle >= 0)
		return poll(&end, 1, 0) > 0;
	else
		return kill((pid_t)t->run->pid, 0) != 0 && errno == ESRCH;
	if (m->ended)
		t->child = 0;
	return m->ended;
}

static void drain(struct traced *t, bool *come)
{
	if (t->preload)
		*come = trace_preload_drain(t->preload, t->run->model);
	if (t->kernel)
		trace_kernel_drain(t->kernel, t->run->model);
}

/* True: a signal says that enough is enough, which only who is no parent of it may decide. */
static bool wait_a_moment(const struct traced *t, long ms)
{
	struct timespec moment = {.tv_nsec = ms * 1000000};
	siginfo_t info;

	if (sigtimedwait(&waited_for, &info, &moment) <= 0)
		return false;
	if (t->child && is_for_child(&info))
		kill(t->child, info.si_signo);
	return !t->child && info.si_signo != SIGCHLD;
}

static void watch_until_end(struct traced *t)
{
	uint64_t begin = now();
	uint64_t ns = t->run->ns;
	bool come = !t->preload;

	for (;;) {
		uint64_t passed = now() - begin;
		long ms = !come && passed < EARLY_NS ? EARLY_MS : TICK_MS;

		drain(t, &come);
		if (has_ended(t) || (ns && passed >= ns))
			return;
		if (ns && ns - passed < (uint64_t)ms * 1000000)
			ms = (long)((ns - passed) / 1000000) + 1;
		if (wait_a_moment(t, ms))
			return;
	}
}

/* An event that is nothing but a time: so long the trace is, though nothing may have happened. */
static void mark(struct trace_model *m)
{
	struct trace_event e = {.ns = now(), .type = TRACE_NOTHING, .cpu = TRACE_NO_CPU};

	trace_add(m, &e);
}

static void watch(struct traced *t)
{
	mark(t->run->model);
	watch_until_end(t);
	mark(t->run->model);
}

/* ---- sources ---- */

static void forgo(char why[256], const char **told, const char *reason)
{
	if (reason)
		snprintf(why, 256, "%s", reason);
	*told = why;
}

/* LD_PRELOAD for the child, to be freed; NULL: there is no preload, and the model says why. */
static char *prepare_preload(struct traced *t)
{
	struct trace_run *r = t->run;
	char path[PATH_MAX];
	const char *reason = NULL;

	if (!r->use_preload)
		reason = "--no-preload";
	else if (preload_find("trace", PRELOAD_MUTEX, path))
		reason = "the preload was not found";
	else if (preload_is_ignored("trace", r->command[0]))
		reason = "the program is static, or changes its user: it loads no preload";
	else
		t->preload = trace_preload_make(r->records, t->file, r->no_preload);
	if (t->preload)
		return preload_join(path, getenv("LD_PRELOAD"));
	forgo(r->no_preload, &r->model->no_preload, reason);
	return NULL;
}

static void start_kernel(struct traced *t, uint32_t pid)
{
	struct trace_run *r = t->run;

	if (r->use_kernel)
		t->kernel = trace_kernel_start(pid, r->buffer_kb, r->no_kernel);
	if (!t->kernel)
		forgo(r->no_kernel, &r->model->no_kernel, r->use_kernel ? NULL : "--no-kernel");
}

static int say_nothing_to_be_had(const struct trace_run *r, const char *what)
{
	fprintf(stderr,
		"rqpi trace: %s: there is nothing to trace it with\n"
		"  kernel: %s\n"
		"  preload: %s\n",
		what, r->no_kernel, r->no_preload);
	return -1;
}

/* Everything that has come, and no more. */
static void take_all(struct traced *t)
{
	struct trace_run *r = t->run;

	if (t->preload)
		trace_preload_enable(t->preload, false);
	if (t->kernel)
		trace_kernel_stop(t->kernel, r->model);
	if (t->preload) {
		trace_preload_take(t->preload, r->model);
		trace_preload_close(t->preload);
		if (!r->model->from_preload)
			forgo(r->no_preload, &r->model->no_preload,
			      "no process of it has loaded the preload (what it says on standard "
			      "error, if anything, tells why)");
	}
}

static int trace_command(struct traced *t)
{
	struct trace_run *r = t->run;
	char *preload = prepare_preload(t);
	int err = start_child(t, preload);

	free(preload);
	if (!err) {
		r->model->pid = (uint32_t)t->child;
		start_kernel(t, (uint32_t)t->child);
		if (t->preload)
			trace_preload_enable(t->preload, true);
		err = let_go(t, t->preload || t->kernel);
		if (err && !t->preload && !t->kernel)
			return say_nothing_to_be_had(r, r->command[0]);
	}
	if (!err)
		watch(t);
	take_all(t);
	r->child = t->child;
	if (!err && !r->model->from_preload && !r->model->from_kernel)
		return say_nothing_to_be_had(r, r->command[0]);
	return err;
}

static int trace_process(struct traced *t)
{
	struct trace_run *r = t->run;
	char what[32];

	snprintf(what, sizeof(what), "process %u", r->pid);
	r->model->pid = r->pid;
	if (r->use_preload)
		t->preload = trace_preload_attach(r->pid, r->no_preload);
	if (!t->preload)
		forgo(r->no_preload, &r->model->no_preload, r->use_preload ? NULL : "--no-preload");
	start_kernel(t, r->pid);
	if (!t->preload && !t->kernel)
		return say_nothing_to_be_had(r, what);
	/* It can be over before the first drain. */
	trace_symbols_look(r->model->symbols, r->pid);
	t->handle = (int)syscall(SYS_pidfd_open, (pid_t)r->pid, 0);
	if (t->preload)
		trace_preload_enable(t->preload, true);
	watch(t);
	take_all(t);
	if (t->handle >= 0)
		close(t->handle);
	return 0;
}

int trace_run(struct trace_run *r)
{
	struct traced t = {.run = r, .handle = -1};
	int err;

	hold_signals();
	r->model->symbols = trace_symbols_new();
	r->model->name_site = trace_symbols_name;
	err = r->command ? trace_command(&t) : trace_process(&t);
	if (!r->child)
		sigprocmask(SIG_SETMASK, &usual, NULL);
	return err;
}

void trace_run_finish(struct trace_run *r)
{
	struct traced t = {.run = r, .child = r->child, .handle = -1};

	while (t.child && !has_ended(&t))
		wait_a_moment(&t, 1000);
	r->child = 0;
}
