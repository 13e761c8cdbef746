/* SPDX-License-Identifier: MIT */
/*
 * trial.c - the process of a trial: started, watched and ended from here; and the memory in which
 * it leaves its trace.
 *
 * Called by vectors.c and differ.c. Whatever a lane does to that process, this one goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <poll.h>
#include <unistd.h>

#include "trial.h"

enum {
	ALARM_S = 20,	     /* the process ends itself */
	GIVE_UP_MS = 25000,  /* and is killed if that failed */
	RUNAWAY_US = 900000, /* a real-time thread that never sleeps */
	SCALES = 5,
};

static size_t align_up(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

struct conform_trace *conform_trace_new(const struct conform_program *p)
{
	size_t steps = (size_t)p->step_count + 1, tasks = (size_t)p->task_count,
	       words = (size_t)p->word_count;
	size_t tids_at = align_up(sizeof(struct conform_trace));
	size_t marks_at = align_up(tids_at + tasks * sizeof(pid_t));
	size_t seen_at = align_up(marks_at + steps);
	size_t words_at = align_up(seen_at + steps * tasks * sizeof(struct conform_seen));
	size_t size = words_at + steps * words * sizeof(uint32_t);
	struct conform_trace *t = mmap(NULL, size, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (t == MAP_FAILED) {
		fprintf(stderr, "rqpi conform: mmap: %s\n", strerror(errno));
		exit(2);
	}
	t->size = size;
	t->step_count = p->step_count;
	t->task_count = p->task_count;
	t->word_count = p->word_count;
	t->tids = (void *)((char *)t + tids_at);
	t->marks = (void *)((char *)t + marks_at);
	t->seen = (void *)((char *)t + seen_at);
	t->words = (void *)((char *)t + words_at);
	return t;
}

void conform_trace_free(struct conform_trace *trace)
{
	if (trace)
		munmap(trace, trace->size);
}

struct conform_seen *conform_seen_at(const struct conform_trace *trace, int step, int task)
{
	return &trace->seen[(size_t)step * (size_t)trace->task_count + (size_t)task];
}

uint32_t conform_word_at(const struct conform_trace *trace, int step, int word)
{
	return trace->words[(size_t)step * (size_t)trace->word_count + (size_t)word];
}

/* So large that no program of threads here can need it, where the hard limit allows that. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void run_child(const struct conform_program *p, const struct conform_lane *lane,
		      const struct conform_setting *setting, struct conform_trace *trace)
    __attribute__((noreturn));

static void run_child(const struct conform_program *p, const struct conform_lane *lane,
		      const struct conform_setting *setting, struct conform_trace *trace)
{
	struct rlimit runaway = {RUNAWAY_US, RUNAWAY_US + RUNAWAY_US / 4};
	struct rlimit no_core = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(ALARM_S);
	setrlimit(RLIMIT_RTTIME, &runaway);
	setrlimit(RLIMIT_CORE, &no_core);
	raise_file_limit();
	conform_play(p, lane, setting, trace);
}

/* Wait for @pid, for so long at most; true if it ended by itself. */
static bool wait_for(pid_t pid, int *status)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	bool ended;

	if (fd < 0)
		return waitpid(pid, status, 0) == pid;
	while (poll(&poll_fd, 1, GIVE_UP_MS) < 0 && errno == EINTR)
		;
	ended = poll_fd.revents != 0;
	close(fd);
	if (!ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return ended;
}

void conform_trial(const struct conform_program *p, const struct conform_lane *lane,
		   const struct conform_setting *setting, struct conform_trace *trace)
{
	int status = 0;
	bool ended;
	pid_t pid;

	trace->outcome = CONFORM_UNFINISHED;
	trace->steps_begun = 0;
	*trace->why = '\0';
	memset(trace->marks, 0, (size_t)trace->step_count);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(p, lane, setting, trace);
	if (pid < 0) {
		snprintf(trace->why, sizeof(trace->why), "fork: %s", strerror(errno));
		trace->outcome = CONFORM_CANNOT;
		return;
	}
	ended = wait_for(pid, &status);
	if (trace->outcome != CONFORM_UNFINISHED)
		return;
	if (!ended || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
		snprintf(trace->why, sizeof(trace->why), "did not end: stopped by the watchdog");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(trace->why, sizeof(trace->why),
			 "a real-time thread ran %d ms without sleeping", RUNAWAY_US / 1000);
	else if (WIFSIGNALED(status))
		snprintf(trace->why, sizeof(trace->why), "ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(trace->why, sizeof(trace->why), "ended with status %d",
			 WEXITSTATUS(status));
}

void conform_trial_in_time(const struct conform_program *p, const struct conform_lane *lane,
			   const struct conform_setting *setting, struct conform_trace *trace)
{
	struct conform_setting slower = *setting;

	for (int i = 0; i < SCALES; i++) {
		conform_trial(p, lane, &slower, trace);
		if (trace->outcome != CONFORM_LATE)
			return;
		slower.scale *= 2;
	}
}
