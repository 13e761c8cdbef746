/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo_child.c - runs rqpi-demo-program for `rqpi demo` and reads what it has to say.
 *
 * Owns the child process: its environment, its counter of futex calls, the time it may take. The
 * lines it prints are described in demo_event.h. Called by cmd_demo.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_demo.h"

enum { TIMEOUT_MS = 25000, STATUS_NO_EXEC = 127 };

static const char *const kind_names[DEMO_KIND_COUNT] = DEMO_KIND_NAMES;

static void *grow(void *array, size_t used, size_t *max, size_t item)
{
	if (used < *max)
		return array;
	*max = *max ? *max * 2 : 64;
	array = realloc(array, *max * item);
	if (!array) {
		fprintf(stderr, "rqpi demo: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	return array;
}

/* Read the tracepoint's number below @folder, which is where a tracefs may be. */
static int read_event_id(const char *folder)
{
	char path[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/events/syscalls/sys_enter_futex/id", folder);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%d", &id) != 1)
			id = -1;
		fclose(f);
	}
	return id;
}

/*
 * Where no tracefs is mounted, mount one in a mount namespace that ends with this child, so that
 * nothing changes for anybody else. A number has to come back and an exit status has eight bits:
 * through a pipe.
 */
static int read_event_id_privately(void)
{
	int id = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		if (!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		    !mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL))
			id = read_event_id("/sys/kernel/tracing");
		_exit(write(ends[1], &id, sizeof(id)) != (ssize_t)sizeof(id));
	}
	close(ends[1]);
	if (pid < 0 || read(ends[0], &id, sizeof(id)) != (ssize_t)sizeof(id))
		id = -1;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return id;
}

int demo_futex_event(void)
{
	int id = read_event_id("/sys/kernel/tracing");

	if (id < 0)
		id = read_event_id("/sys/kernel/debug/tracing");
	return id < 0 ? read_event_id_privately() : id;
}

/* In the child: a counter of its own futex calls and of those of all its threads to come. */
static int open_futex_counter(int event)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_TRACEPOINT,
	    .size = sizeof(attr),
	    .config = (unsigned int)event,
	    .inherit = 1,
	};

	return event < 0 ? -1 : (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
}

static void become_program(const struct demo_request *request, int output)
{
	char *preloads = preload_join(request->preload, getenv("LD_PRELOAD"));
	char numbers[6][16];
	const char *args[] = {
	    request->program,
	    request->experiment,
	    "--cpu",
	    numbers[0],
	    "--waiters",
	    numbers[1],
	    "--rounds",
	    numbers[2],
	    "--hog-ms",
	    numbers[3],
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	};
	int argc = 10;
	int counter = open_futex_counter(request->futex_event);

	/* Should rqpi be killed, no real-time thread may outlive it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(numbers[0], sizeof(numbers[0]), "%d", request->cpu);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", request->waiters);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", request->rounds);
	snprintf(numbers[3], sizeof(numbers[3]), "%d", request->hog_ms);
	snprintf(numbers[4], sizeof(numbers[4]), "%d", request->cpu2);
	snprintf(numbers[5], sizeof(numbers[5]), "%d", counter);
	if (request->cpu2 >= 0) {
		args[argc++] = "--cpu2";
		args[argc++] = numbers[4];
	}
	if (counter >= 0) {
		args[argc++] = "--counter-fd";
		args[argc++] = numbers[5];
	}
	if (!request->realtime)
		args[argc++] = "--no-realtime";
	if (*preloads)
		setenv("LD_PRELOAD", preloads, 1);
	else
		unsetenv("LD_PRELOAD");
	if (dup2(output, STDOUT_FILENO) >= 0)
		execv(request->program, (char *const *)args);
	fprintf(stderr, "rqpi demo: cannot run %s: %s\n", request->program, strerror(errno));
	_exit(STATUS_NO_EXEC);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * All that comes from @fd until its end, as one string to free; kills @pid when that takes too
 * long.
 */
static char *read_all(int fd, pid_t pid, bool *timed_out)
{
	long long deadline = now_ms() + TIMEOUT_MS;
	size_t used = 0;
	size_t max = 0;
	char *text = NULL;

	*timed_out = false;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long long left = deadline - now_ms();
		ssize_t n;

		text = grow(text, used + 65536, &max, 1);
		if (!*timed_out && (left <= 0 || poll(&p, 1, (int)left) == 0)) {
			*timed_out = true;
			kill(pid, SIGKILL);
		}
		n = read(fd, text + used, max - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return text;
}

static void add_thread(struct demo_run *run, const char *line)
{
	struct demo_thread t;
	int index;

	if (sscanf(line, "thread %d %15s %d", &index, t.name, &t.prio) != 3 || t.prio < 0 ||
	    t.prio >= DEMO_PRIO_COUNT || (size_t)index != run->thread_count)
		return;
	run->threads = grow(run->threads, run->thread_count, &run->thread_max, sizeof(t));
	run->threads[run->thread_count++] = t;
}

static void add_event(struct demo_run *run, const char *line)
{
	unsigned long long t_ns;
	struct demo_event e;
	char kind[16];
	long long arg;

	if (sscanf(line, "event %llu %d %15s %lld", &t_ns, &e.thread, kind, &arg) != 4 ||
	    e.thread < 0 || (size_t)e.thread >= run->thread_count || !run->round_count)
		return;
	for (int i = 0; i < DEMO_KIND_COUNT; i++) {
		if (strcmp(kind, kind_names[i]))
			continue;
		e.t_ns = t_ns;
		e.arg = arg;
		e.kind = (enum demo_kind)i;
		run->events = grow(run->events, run->event_count, &run->event_max, sizeof(e));
		run->events[run->event_count++] = e;
		run->rounds[run->round_count - 1].count++;
		return;
	}
}

static void add_line(struct demo_run *run, const char *line)
{
	struct demo_round *round = run->round_count ? &run->rounds[run->round_count - 1] : NULL;
	long long n;

	if (!strncmp(line, "event ", 6)) {
		add_event(run, line);
	} else if (!strncmp(line, "thread ", 7)) {
		add_thread(run, line);
	} else if (!strncmp(line, "round ", 6)) {
		run->rounds = grow(run->rounds, run->round_count, &run->round_max, sizeof(*round));
		run->rounds[run->round_count++] = (struct demo_round){
		    .first = run->event_count, .switches = -1, .futex_calls = -1};
	} else if (round && sscanf(line, "switches %lld", &n) == 1) {
		round->switches = n;
	} else if (round && sscanf(line, "futex_calls %lld", &n) == 1) {
		round->futex_calls = n;
	} else if (!strcmp(line, "end")) {
		run->complete = true;
	} else if (sscanf(line, "libc %31s", run->libc) != 1) {
		sscanf(line, "preload %15s", run->preload);
	}
}

static int compare_events(const void *a, const void *b)
{
	const struct demo_event *x = a;
	const struct demo_event *y = b;

	return x->t_ns < y->t_ns ? -1 : x->t_ns > y->t_ns;
}

static void parse(struct demo_run *run, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_line(run, line);
	for (size_t i = 0; i < run->round_count; i++)
		qsort(run->events + run->rounds[i].first, run->rounds[i].count,
		      sizeof(*run->events), compare_events);
}

static enum demo_outcome judge(const struct demo_request *request, const struct demo_run *run,
			       int status, char *why, size_t size)
{
	const char *expected = request->preload ? "active" : "absent";

	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NO_EXEC) {
		snprintf(why, size, "%s could not be run", request->program);
		return DEMO_NO_TRY;
	}
	if (*run->preload && strcmp(run->preload, expected)) {
		if (!request->preload)
			snprintf(why, size,
				 "an rqpi preload is under the program that should run without");
		else if (!strcmp(run->preload, "inactive"))
			snprintf(why, size, "the preload %s stepped aside on this machine",
				 request->preload);
		else
			snprintf(why, size, "%s did not load, or is not rqpi's preload",
				 request->preload);
		return DEMO_NO_TRY;
	}
	if (WIFSIGNALED(status)) {
		snprintf(why, size, "experiment %s ended by signal %d (%s)", request->experiment,
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
		return DEMO_FAILED;
	}
	if (!run->complete || WEXITSTATUS(status)) {
		snprintf(why, size, "experiment %s did not come to its end", request->experiment);
		return DEMO_FAILED;
	}
	return DEMO_RAN;
}

enum demo_outcome demo_run_program(const struct demo_request *request, struct demo_run *run,
				   char *why, size_t why_size)
{
	enum demo_outcome outcome;
	bool timed_out;
	int ends[2];
	int status = 0;
	char *text;
	pid_t pid;

	*run = (struct demo_run){0};
	if (pipe2(ends, O_CLOEXEC)) {
		snprintf(why, why_size, "pipe: %s", strerror(errno));
		return DEMO_NO_TRY;
	}
	fflush(NULL); /* or the child may print it once more */
	pid = fork();
	if (pid == 0)
		become_program(request, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		snprintf(why, why_size, "fork: %s", strerror(errno));
		close(ends[0]);
		return DEMO_NO_TRY;
	}
	text = read_all(ends[0], pid, &timed_out);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	parse(run, text);
	free(text);
	outcome = judge(request, run, status, why, why_size);
	if (timed_out)
		snprintf(why, why_size, "experiment %s hung and was stopped after %d s",
			 request->experiment, TIMEOUT_MS / 1000);
	return outcome;
}

void demo_free(struct demo_run *run)
{
	free(run->threads);
	free(run->events);
	free(run->rounds);
	*run = (struct demo_run){0};
}
