/* SPDX-License-Identifier: MIT */
/*
 * play.c - the conductor of a trial: does the steps of a program one after the other, and looks at
 * all there is to see when nothing moves any more.
 *
 * Called by trial.c in a process of its own, which ends here. world.c builds what is played with,
 * settle.c looks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "world.h"

enum {
	AFTER_US = 200, /* past a deadline, to be beyond the timer's own slack */
	WAIT_MS = 2000,
};

enum result { OK, FAILED, LATE, SKIPPED };

static enum result fail(struct conform_world *w, const char *what, const char *task)
{
	snprintf(w->trace->why, sizeof(w->trace->why), "%s%s%s", task, *task ? ": " : "", what);
	return FAILED;
}

static void sleep_until(int64_t ns)
{
	struct timespec at = {ns / 1000000000, (long)(ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

static int64_t scaled_ns(const struct conform_world *w, long us)
{
	/* Times that have passed need no more room. */
	return (int64_t)us * 1000 * (us > 0 ? w->setting->scale : 1);
}

/* The clock that a deadline of @op is read on; -1: it is a span of time. */
static int clock_of(int op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return -1;
	case FUTEX_LOCK_PI:
		return CLOCK_REALTIME;
	default:
		return op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	}
}

/* What is to pass at once passes when a timer says so, which takes a while: as after `expire`. */
static void note_if_past(struct conform_known *known, const struct conform_box *box, int64_t now)
{
	const struct timespec *time = &box->time;
	int clock = clock_of(box->op);
	int64_t from = clock < 0 ? 0 : conform_now((clockid_t)clock);

	if (time->tv_sec > from / 1000000000 ||
	    (time->tv_sec == from / 1000000000 && time->tv_nsec > from % 1000000000))
		return;
	known->armed = known->expired = true;
	known->relative = false;
	known->deadline_ns = now;
}

static void set_timeout(struct conform_world *w, int task, const struct conform_time *time)
{
	struct conform_known *known = &w->known[task];
	struct conform_box *box = &w->boxes[task];
	int64_t now = conform_now(CLOCK_MONOTONIC);
	int64_t in = scaled_ns(w, time->us);
	int64_t at = in;

	known->armed = known->expired = false;
	known->relative = time->kind == CONFORM_RELATIVE;
	known->realtime = time->kind == CONFORM_REALTIME;
	box->timeout = &box->time;
	if (time->kind == CONFORM_FOREVER) {
		box->timeout = NULL;
		return;
	}
	if (time->kind == CONFORM_POINTER) {
		box->timeout = conform_address(w, &time->at);
		return;
	}
	if (time->kind == CONFORM_MONOTONIC)
		at = now + in;
	else if (time->kind == CONFORM_REALTIME)
		at = conform_now(CLOCK_REALTIME) + in;
	box->time = (struct timespec){at / 1000000000, (long)(at % 1000000000)};
	if (time->kind == CONFORM_RAW)
		box->time = (struct timespec){time->sec, (long)time->nsec};
	else
		known->armed = time->us > 0;
	known->relative_ns = in;
	known->deadline_ns = now + in;
	note_if_past(known, box, now);
}

static void prepare_call(struct conform_world *w, const struct conform_step *step)
{
	const struct conform_call *call = &step->call;
	struct conform_box *box = &w->boxes[step->task];

	box->op = call->op;
	box->uaddr = conform_address(w, &call->uaddr);
	box->uaddr2 = conform_address(w, &call->uaddr2);
	box->val = conform_value(w, &call->val);
	box->val3 = conform_value(w, &call->val3);
	set_timeout(w, step->task, &call->timeout);
	if (call->has_val2)
		box->timeout = (const void *)(uintptr_t)call->val2;
}

/* Hand @step over to its task. */
static void issue(struct conform_world *w, int index, bool gate)
{
	static const int bits[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
	const struct conform_step *step = &w->program->steps[index];
	struct conform_box *box = &w->boxes[step->task];
	const uint64_t one = 1;
	ssize_t written;

	box->what = step->what;
	box->gate = gate;
	w->known[step->task].armed = false;
	w->known[step->task].step = index;
	switch (step->what) {
	case CONFORM_CALL:
		prepare_call(w, step);
		break;
	case CONFORM_STORE:
	case CONFORM_CAS:
		box->uaddr = conform_word(w, step->word);
		box->store = conform_value(w, &step->value);
		box->old = conform_value(w, &step->old);
		break;
	case CONFORM_ROBUST:
		box->length = (size_t)index;
		break;
	case CONFORM_SET_ROBUST:
		box->length = (size_t)step->number;
		break;
	case CONFORM_GET_ROBUST:
		box->who = (pid_t)conform_value(w, &step->value);
		break;
	case CONFORM_PROTECT:
		box->uaddr = w->memory + (size_t)step->page * 2 * CONFORM_SLOT;
		box->access = bits[step->access];
		if (w->program->tasks[step->task].process == 0)
			w->page_access[step->page] = (int)step->access;
		break;
	default:
		w->known[step->task].must_go = true;
	}
	atomic_fetch_add(&box->issued, 1);
	do {
		written = write(box->fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
}

static void send_signal(struct conform_world *w, const struct conform_step *step)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2, SIGURG};
	struct conform_known *known = &w->known[step->task];

	if (step->signal != CONFORM_IGNORED)
		known->handled_due = atomic_load(&w->boxes[step->task].handled) + 1;
	syscall(SYS_tgkill, w->boxes[step->task].pid, atomic_load(&w->boxes[step->task].tid),
		numbers[step->signal]);
}

static char read_state(const struct conform_world *w, int task)
{
	char text[512];
	ssize_t length = pread(w->known[task].stat_fd, text, sizeof(text) - 1, 0);
	const char *end;

	text[length > 0 ? length : 0] = '\0';
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 'X';
}

static enum result stop_and_continue(struct conform_world *w, const struct conform_step *step)
{
	int64_t until = conform_now(CLOCK_MONOTONIC) + (int64_t)WAIT_MS * 1000000;
	enum result result = OK;

	if (w->program->tasks[step->task].process == 0)
		return fail(w, "the first process cannot be stopped", "stop_continue");
	kill(w->boxes[step->task].pid, SIGSTOP);
	while (read_state(w, step->task) != 'T' && result == OK) {
		if (conform_now(CLOCK_MONOTONIC) > until)
			result = fail(w, "does not stop", w->program->tasks[step->task].name);
		usleep(100);
	}
	kill(w->boxes[step->task].pid, SIGCONT);
	return result;
}

static void end_process(struct conform_world *w, int process, pid_t pid, bool killed)
{
	for (int i = 0; i < w->program->task_count; i++) {
		if (w->program->tasks[i].process == process)
			w->known[i].must_go = true;
	}
	if (killed)
		kill(pid, SIGKILL);
}

/* After exec the TID lives on with another program; then the task has gone for our purposes. */
static enum result await_exec(struct conform_world *w, const struct conform_step *step, int index)
{
	int64_t until = conform_now(CLOCK_MONOTONIC) + (int64_t)WAIT_MS * 1000000;
	char path[64], comm[32];

	if (access("/bin/sleep", X_OK))
		conform_cannot(w, "/bin/sleep", errno);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)w->boxes[step->task].pid);
	issue(w, index, false);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t length = fd < 0 ? 0 : read(fd, comm, sizeof(comm) - 1);

		if (fd >= 0)
			close(fd);
		comm[length > 0 ? length : 0] = '\0';
		if (!strcmp(comm, "sleep\n"))
			break;
		if (conform_now(CLOCK_MONOTONIC) > until)
			return fail(w, "does not execute", w->program->tasks[step->task].name);
		usleep(100);
	}
	for (int i = 0; i < w->program->task_count; i++) {
		if (w->program->tasks[i].process == w->program->tasks[step->task].process)
			w->known[i].gone = true;
	}
	return OK;
}

static enum result expire(struct conform_world *w, const struct conform_step *step)
{
	struct conform_known *known = &w->known[step->task];

	if (!known->armed)
		return w->program->random
			   ? SKIPPED
			   : fail(w, "has no deadline to come", w->program->tasks[step->task].name);
	if (known->relative)
		known->deadline_ns = w->boxes[step->task].began_ns + known->relative_ns;
	known->expired = true;
	sleep_until(known->deadline_ns + AFTER_US * 1000);
	return OK;
}

static enum result switch_hog(struct conform_world *w, bool on)
{
	int64_t until = conform_now(CLOCK_MONOTONIC) + (int64_t)WAIT_MS * 1000000;
	const uint64_t one = 1;

	if (on == w->hogged)
		return fail(w, "the hog is so already", "");
	atomic_store(&w->shared->hog_wanted, on);
	if (on && write(w->hog_fd, &one, sizeof(one)) != sizeof(one))
		return fail(w, "write", "hog");
	while (atomic_load(&w->shared->hog_runs) != (on ? 1 : 0)) {
		if (conform_now(CLOCK_MONOTONIC) > until || atomic_load(&w->shared->hog_runs) < 0)
			return LATE;
		usleep(20);
	}
	w->hogged = on;
	return OK;
}

static enum result set_scheduler(struct conform_world *w, const struct conform_step *step)
{
	long error = w->lane->set_scheduler(atomic_load(&w->boxes[step->task].tid), &step->sched);

	return error ? fail(w, strerror((int)-error), "set_scheduler") : OK;
}

static enum result do_event(struct conform_world *w, const struct conform_step *step, int index)
{
	switch (step->what) {
	case CONFORM_SIGNAL:
		send_signal(w, step);
		return OK;
	case CONFORM_STOP:
		return stop_and_continue(w, step);
	case CONFORM_KILL:
		end_process(w, w->program->tasks[step->task].process, w->boxes[step->task].pid,
			    true);
		if (w->lane->notices_death_ms)
			sleep_until(conform_now(CLOCK_MONOTONIC) +
				    w->lane->notices_death_ms * 1000000);
		return OK;
	case CONFORM_EXEC:
		return await_exec(w, step, index);
	case CONFORM_SCHED:
		return set_scheduler(w, step);
	case CONFORM_EXPIRE:
		return expire(w, step);
	case CONFORM_SLEEP:
		sleep_until(conform_now(CLOCK_MONOTONIC) + scaled_ns(w, step->number));
		return OK;
	default:
		return switch_hog(w, step->number);
	}
}

static bool is_by_task(enum conform_what what)
{
	return what < CONFORM_EXEC;
}

static bool is_idle(const struct conform_world *w, int task)
{
	return !w->known[task].gone && !w->known[task].must_go &&
	       atomic_load(&w->boxes[task].done) == atomic_load(&w->boxes[task].issued);
}

/* One step, without looking at what comes of it. */
static enum result do_step(struct conform_world *w, int index, bool gate)
{
	const struct conform_step *step = &w->program->steps[index];
	const char *name = step->task < 0 ? "" : w->program->tasks[step->task].name;

	if (step->task >= 0 && (w->known[step->task].gone || w->known[step->task].must_go))
		return w->program->random ? SKIPPED : fail(w, "has ended", name);
	if (!is_by_task(step->what))
		return do_event(w, step, index);
	if (!is_idle(w, step->task))
		return w->program->random ? SKIPPED : fail(w, "has not returned", name);
	if (w->setting->guard && step->what == CONFORM_CALL && conform_is_dangerous(w, &step->call))
		return w->program->random ? SKIPPED
					  : fail(w, "would run into CVE-2026-43499", name);
	issue(w, index, gate);
	return OK;
}

/* What a task did by order of the program, beside the calls, has no way to fail. */
static bool has_failed_errand(struct conform_world *w, const struct conform_step *step)
{
	const struct conform_box *box = step->task < 0 ? NULL : &w->boxes[step->task];

	if (!box || (step->what != CONFORM_STORE && step->what != CONFORM_ROBUST &&
		     step->what != CONFORM_PROTECT))
		return false;
	if (atomic_load(&box->done) != atomic_load(&box->issued) || !box->result)
		return false;
	fail(w, strerror((int)-box->result), conform_what_name(step->what));
	return true;
}

/* All tasks of the group are at the gate, or as good as there. */
static void open_gate(struct conform_world *w, int tasks)
{
	int64_t until = conform_now(CLOCK_MONOTONIC) + 5000000;

	while (atomic_load(&w->shared->at_gate) < tasks && conform_now(CLOCK_MONOTONIC) < until)
		;
	atomic_store(&w->shared->open, 1);
}

/* The steps that begin together with @first, @first included; returns the last of them. */
static enum result do_group(struct conform_world *w, int first, int *last)
{
	const struct conform_program *p = w->program;
	bool group = p->steps[first].with_next;
	enum result result;
	int i = first, gated = 0;

	atomic_store(&w->shared->at_gate, 0);
	atomic_store(&w->shared->open, 0);
	for (;; i++) {
		w->trace->steps_begun = i + 1;
		result = do_step(w, i, group);
		w->trace->marks[i] = result == SKIPPED ? CONFORM_LEFT_OUT : CONFORM_RUN;
		gated += group && result == OK && is_by_task(p->steps[i].what);
		if (result == FAILED || result == LATE || !p->steps[i].with_next ||
		    i + 1 == p->step_count)
			break;
	}
	*last = i;
	if (gated)
		open_gate(w, gated);
	return result;
}

static void finish(struct conform_world *w, enum conform_outcome outcome)
{
	w->trace->outcome = outcome;
	for (int i = 1; i < w->program->process_count; i++)
		kill(w->pids[i], SIGKILL);
	_exit(0);
}

void conform_play(const struct conform_program *p, const struct conform_lane *lane,
		  const struct conform_setting *setting, struct conform_trace *trace)
{
	struct conform_world world = {
	    .program = p, .lane = lane, .setting = setting, .trace = trace};
	struct conform_world *w = &world;

	conform_build(w);
	if (conform_settle(w, -1))
		finish(w, CONFORM_STUCK);
	for (int i = 0; i < p->step_count; i++) {
		enum result result = do_group(w, i, &i);
		const struct conform_step *step = &p->steps[i];
		bool look = p->random || step->expect_count > 0;

		if (result == LATE)
			finish(w, CONFORM_LATE);
		if (result == FAILED)
			finish(w, CONFORM_STUCK);
		if (conform_settle(w, look ? -1 : step->task))
			finish(w, CONFORM_STUCK);
		if (look && conform_look(w, i))
			finish(w, CONFORM_LATE);
		if (has_failed_errand(w, step))
			finish(w, CONFORM_STUCK);
	}
	finish(w, CONFORM_PLAYED);
	_exit(0);
}
