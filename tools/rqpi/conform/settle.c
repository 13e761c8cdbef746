/* SPDX-License-Identifier: MIT */
/*
 * settle.c - seeing, from outside, that nothing moves any more, and what each task does then.
 *
 * Called by play.c after each step. A task that is told to do something either comes back, or
 * sleeps in the middle of it: /proc/PID/task/TID/syscall says "running" unless the thread is really
 * off its CPU, and names the system call otherwise. All tasks settled, twice in a row and alike:
 * that is quiescence. No waiting for a time takes part in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

enum {
	GIVE_UP_MS = 3000,
	POLL_NS = 20000,
	/* Between a deadline and its effect; on PREEMPT_RT a thread serves the timers. */
	EXPIRY_GRACE_MS = 1500,
	CLOCKS_APART_NS = 100000,
	X86_64_FUTEX = 202,
	X86_64_RESTART = 219,
	PRIORITY_FIELD = 18,
};

/* Bytes of a file of /proc, 0 if the task it is about has gone. */
static size_t read_proc(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

/* Field 3, the state; fields count from 1, and field 2 may hold anything but ends in a ')'. */
static const char *find_state(const char *stat)
{
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' ? end + 2 : "X";
}

bool conform_has_ended(const struct conform_world *w, int task)
{
	char text[512];

	if (!read_proc(w->known[task].stat_fd, text, sizeof(text)))
		return true;
	return *find_state(text) == 'Z' || *find_state(text) == 'X';
}

static char read_state(const struct conform_world *w, int task)
{
	char text[512];

	read_proc(w->known[task].stat_fd, text, sizeof(text));
	return *find_state(text);
}

static int read_priority(const struct conform_world *w, int task)
{
	const char *at;
	char text[512];

	if (!read_proc(w->known[task].stat_fd, text, sizeof(text)))
		return 0;
	at = find_state(text);
	for (int field = 3; at && field < PRIORITY_FIELD; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? atoi(at) : 0;
}

static bool is_hogged(const struct conform_world *w, int task)
{
	return w->hogged && w->program->tasks[task].cpu == CONFORM_CPU_WORK;
}

/*
 * Is this thread's own system call one that this program did not make? Then it runs under an
 * emulator of another machine, and /proc has the numbers of x86-64, where we know it to be tried.
 */
static bool is_emulated(void)
{
	static int known;
	char text[256];
	int fd;

	if (!known) {
		fd = open("/proc/thread-self/syscall", O_RDONLY | O_CLOEXEC);
		known = fd >= 0 && read(fd, text, sizeof(text)) > 0 && text[0] != 'r' &&
				(int)strtol(text, NULL, 10) != SYS_read
			    ? 2
			    : 1;
		if (fd >= 0)
			close(fd);
	}
	return known == 2;
}

static bool is_sleeping_call(int number)
{
	if (is_emulated())
		return number == X86_64_FUTEX || number == X86_64_RESTART;
	return number == CONFORM_SYS_FUTEX || number == SYS_restart_syscall;
}

/*
 * Inside an operation: asleep, or kept from running by the hog, or neither. A task that another CPU
 * has been told to wake is off its CPU and not yet on a run queue: its state says what it is. On
 * PREEMPT_RT it may also sleep for a lock of the kernel's own, a spinlock elsewhere: that is D.
 */
static enum conform_state state_inside(struct conform_world *w, int task, bool *moving)
{
	char text[256], now = '\0';

	if (read_proc(w->known[task].syscall_fd, text, sizeof(text)))
		now = read_state(w, task);
	if (!now || !strncmp(text, "running", 7) || now == 'D' || (!w->one_cpu && now == 'R')) {
		*moving = !is_hogged(w, task);
		return CONFORM_ISREADY;
	}
	if (w->lane->blocked)
		*moving = !w->lane->blocked(atomic_load(&w->boxes[task].tid));
	else
		*moving = !is_sleeping_call(atoi(text));
	return CONFORM_BLOCKED;
}

enum conform_state conform_state_of(struct conform_world *w, int task, bool *moving)
{
	struct conform_known *known = &w->known[task];
	struct conform_box *box = &w->boxes[task];
	enum conform_state state;

	*moving = false;
	if (known->gone)
		return CONFORM_GONE;
	if (known->must_go) {
		known->gone = conform_has_ended(w, task);
		*moving = !known->gone;
		return CONFORM_GONE;
	}
	if (atomic_load(&box->handled) < known->handled_due && !is_hogged(w, task))
		*moving = true;
	if (atomic_load(&box->done) == atomic_load(&box->issued))
		return CONFORM_IDLE;
	if (atomic_load(&box->entered) != atomic_load(&box->issued)) {
		*moving = true;
		return CONFORM_ISREADY;
	}
	if (*moving)
		return CONFORM_BLOCKED;
	state = state_inside(w, task, moving);
	if (state == CONFORM_BLOCKED && known->armed && known->expired &&
	    conform_now(CLOCK_MONOTONIC) < known->deadline_ns + (int64_t)EXPIRY_GRACE_MS * 1000000)
		*moving = true;
	return state;
}

/* One look at all tasks, or at @only; the name of one that moves, or NULL and a sum of it all. */
static const char *look_once(struct conform_world *w, int only, uint64_t *sum)
{
	const struct conform_program *p = w->program;

	*sum = 0;
	for (int i = only < 0 ? 0 : only; i < (only < 0 ? p->task_count : only + 1); i++) {
		bool moving;
		enum conform_state state = conform_state_of(w, i, &moving);

		if (moving)
			return p->tasks[i].name;
		*sum = *sum * 31 + (uint64_t)state;
		*sum = *sum * 31 + atomic_load(&w->boxes[i].done);
	}
	return NULL;
}

int conform_settle(struct conform_world *w, int only)
{
	const struct timespec pause = {0, POLL_NS};
	int64_t until = conform_now(CLOCK_MONOTONIC) +
			(int64_t)w->setting->scale * GIVE_UP_MS * 1000000;
	uint64_t before = 0, sum;
	bool once = false;

	for (;;) {
		const char *who = look_once(w, only, &sum);

		if (!who && once && sum == before)
			return 0;
		once = !who;
		before = sum;
		if (!who)
			continue;
		if (conform_now(CLOCK_MONOTONIC) > until) {
			snprintf(w->trace->why, sizeof(w->trace->why),
				 "task %s neither returns nor sleeps", who);
			return -1;
		}
		nanosleep(&pause, NULL);
	}
}

static void look_at_return(struct conform_world *w, int task, struct conform_seen *seen)
{
	struct conform_known *known = &w->known[task];
	struct conform_box *box = &w->boxes[task];
	unsigned done = atomic_load(&box->done);
	long slack = known->realtime ? CLOCKS_APART_NS : 0;

	if (done == known->reported || done != atomic_load(&box->issued))
		return;
	known->reported = done;
	seen->returned = box->what == CONFORM_CALL || box->what == CONFORM_CAS ||
			 box->what == CONFORM_SET_ROBUST || box->what == CONFORM_GET_ROBUST;
	seen->result = box->result;
	if (known->armed && box->result == -ETIMEDOUT && box->ended_ns < known->deadline_ns - slack)
		seen->early_ns = (long)(known->deadline_ns - box->ended_ns);
}

/*
 * A deadline that was not to pass yet has passed: before the call returned, or before we had seen
 * all there is to see. To be asked after that, since a timer may end a call while we look.
 */
static bool is_late(struct conform_world *w, int task)
{
	struct conform_known *known = &w->known[task];
	const struct conform_box *box = &w->boxes[task];
	bool returned = known->reported == atomic_load(&box->issued);

	if (!known->armed)
		return false;
	if (returned)
		known->armed = false;
	if (known->expired)
		return false;
	return (returned ? box->ended_ns : conform_now(CLOCK_MONOTONIC)) >= known->deadline_ns;
}

int conform_look(struct conform_world *w, int step)
{
	const struct conform_program *p = w->program;
	bool late = false;

	for (int i = 0; i < p->task_count; i++) {
		struct conform_seen *seen = conform_seen_at(w->trace, step, i);
		struct conform_known *known = &w->known[i];
		int handled = atomic_load(&w->boxes[i].handled);
		bool moving;

		memset(seen, 0, sizeof(*seen));
		if (known->armed && known->relative)
			known->deadline_ns = w->boxes[i].began_ns + known->relative_ns;
		seen->state = conform_state_of(w, i, &moving);
		look_at_return(w, i, seen);
		seen->handled = handled - known->handled;
		known->handled = handled;
		if (seen->state != CONFORM_GONE)
			seen->priority = read_priority(w, i);
	}
	for (int i = 0; i < p->word_count; i++)
		w->trace->words[(size_t)step * (size_t)p->word_count + (size_t)i] =
		    conform_read_word(w, i);
	for (int i = 0; i < p->task_count; i++)
		late = is_late(w, i) || late;
	/* The hog gives up by itself in the end: then anything may have run. */
	return late || (w->hogged && atomic_load(&w->shared->hog_runs) != 1) ? -1 : 0;
}
