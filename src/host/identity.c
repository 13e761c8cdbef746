/* SPDX-License-Identifier: MIT */
/*
 * identity.c - who is behind a TID, as /proc says.
 *
 * Called by thread.c and reap.c, possibly with raw locks held: reading /proc does not sleep. A
 * number alone says little: threads end without telling, and their numbers are used again.
 */
#define _GNU_SOURCE
#include "src/host/rqh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "src/host/rawcall.h"

#define STAT_BYTES 1024

/* Flags in field 9 of /proc/PID/stat. One that is exiting will not run any more. */
#define IS_EXITING	 0x00000004u
#define IS_KERNEL_THREAD 0x00200000u

enum { FIELD_STATE = 3, FIELD_FLAGS = 9, FIELD_START = 22, FIELD_STACK = 28 };

static char *put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = '\0';
	return at;
}

static char *put_number(char *at, uint32_t number)
{
	char digits[11];
	int n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n)
		*at++ = digits[--n];
	*at = '\0';
	return at;
}

/* /proc/TID/task/TID/@file: works for the threads of all processes. */
static long open_of_thread(uint32_t tid, const char *file)
{
	char path[64];
	char *at = put_number(put_text(path, "/proc/"), tid);

	at = put_number(put_text(at, "/task/"), tid);
	put_text(put_text(at, "/"), file);
	return rqh_syscall4(SYS_openat, AT_FDCWD, RQH_ARG(path), O_RDONLY | O_CLOEXEC, 0);
}

/* The length, or negative. */
static long read_of_thread(uint32_t tid, const char *file, char *text, size_t bytes)
{
	long fd = open_of_thread(tid, file);
	long n;

	if (fd < 0)
		return fd;
	n = rqh_syscall3(SYS_read, fd, RQH_ARG(text), (long)bytes - 1);
	rqh_syscall3(SYS_close, fd, 0, 0);
	if (n >= 0)
		text[n] = '\0';
	return n;
}

static uint64_t number_at(const char *p)
{
	uint64_t n = 0;

	while (*p >= '0' && *p <= '9')
		n = n * 10 + (uint64_t)(*p++ - '0');
	return n;
}

static uint64_t hex_at(const char *p)
{
	uint64_t n = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			n = n * 16 + (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			n = n * 16 + (uint64_t)(*p - 'a') + 10;
		else
			return n;
	}
}

/* The thread group is in another file; for a thread of this process nobody needs to look. */
static uint32_t group_of(uint32_t tid)
{
	char text[STAT_BYTES];
	const char *line;

	if (rqh_syscall3(SYS_tgkill, rqh_local->pid, tid, 0) == 0)
		return rqh_local->pid;
	if (read_of_thread(tid, "status", text, sizeof(text)) <= 0)
		return 0;
	line = strstr(text, "\nTgid:\t");
	return line ? (uint32_t)number_at(line + 7) : 0;
}

/* Without /proc only whether there is such a thread at all, by a signal that is none. */
static bool identify_without_proc(uint32_t tid, struct rqh_identity *who)
{
	long ret = rqh_syscall3(SYS_tkill, tid, 0, 0);

	if (rqh_syscall3(SYS_tgkill, rqh_local->pid, tid, 0) == 0)
		who->pid = rqh_local->pid;
	return ret == 0 || ret == -EPERM;
}

bool rqh_identify(uint32_t tid, struct rqh_identity *who)
{
	char text[STAT_BYTES];
	const char *at;
	long n;

	*who = (struct rqh_identity){.start = 0};
	if (!tid)
		return false;
	if (rqh_syscall3(SYS_tkill, tid, 0, 0) == -ESRCH)
		return false;
	n = read_of_thread(tid, "stat", text, sizeof(text));
	if (n <= 0)
		return identify_without_proc(tid, who);
	/* Field 2 is a name, in brackets, that may hold anything. */
	at = strrchr(text, ')');
	for (int field = FIELD_STATE; at && field <= FIELD_STACK; field++) {
		at = strchr(at + 1, ' ');
		if (!at)
			break;
		if (field == FIELD_STATE && (at[1] == 'Z' || at[1] == 'X'))
			return false;
		/* pthread_join() returns a moment before the thread is out of /proc. */
		if (field == FIELD_FLAGS && (number_at(at + 1) & IS_EXITING))
			return false;
		if (field == FIELD_FLAGS)
			who->kernel = (number_at(at + 1) & IS_KERNEL_THREAD) != 0;
		if (field == FIELD_START)
			who->start = number_at(at + 1);
		if (field == FIELD_STACK)
			who->stack = number_at(at + 1);
	}
	who->pid = group_of(tid);
	return true;
}

/*
 * /proc/TID/task/TID/status has a line of all groups before that of the signals: it is read piece
 * by piece, and what may be the beginning of the line is kept. Under an emulator the set is one of
 * the machine beneath, where signals may have other numbers.
 */
bool rqh_pending_alone(uint64_t *set)
{
	static const char LINE[] = "\nSigPnd:\t";
	enum { LINE_BYTES = sizeof(LINE) - 1 + 16 };
	char text[STAT_BYTES];
	size_t kept = 0;
	long fd = open_of_thread(rqh_me()->tid, "status");
	const char *at = NULL;
	long n;

	if (fd < 0)
		return false;
	while (!at && (n = rqh_syscall3(SYS_read, fd, RQH_ARG(text + kept),
					(long)(sizeof(text) - 1 - kept))) > 0) {
		kept += (size_t)n;
		text[kept] = '\0';
		at = strstr(text, LINE);
		if (at && at + LINE_BYTES > text + kept)
			at = NULL;
		if (!at && kept > LINE_BYTES) {
			memmove(text, text + kept - LINE_BYTES, LINE_BYTES);
			kept = LINE_BYTES;
		}
	}
	rqh_syscall3(SYS_close, fd, 0, 0);
	if (at)
		*set = hex_at(at + sizeof(LINE) - 1);
	return at != NULL;
}

static bool equal_if_known(uint64_t a, uint64_t b)
{
	return a == b || !a || !b;
}

bool rqh_same(const struct rqh_identity *a, const struct rqh_identity *b)
{
	return equal_if_known(a->start, b->start) && equal_if_known(a->stack, b->stack);
}

bool rqh_lives(const struct rqh_thread *t)
{
	struct rqh_identity who;

	if (!t->foreign && t->who.pid == rqh_local->pid)
		return rqh_syscall3(SYS_tgkill, t->who.pid, t->tid, 0) == 0;
	return rqh_identify(t->tid, &who) && rqh_same(&who, &t->who);
}

void rqh_name_of(uint32_t tid, char *name, size_t bytes)
{
	long n = read_of_thread(tid, "comm", name, bytes);

	if (n > 0 && name[n - 1] == '\n')
		name[n - 1] = '\0';
	if (n <= 0 && bytes > sizeof("<...>"))
		put_text(name, "<...>");
}

/* ---------------------------------------------------------------- for tests */

static bool is_asleep(uint32_t park)
{
	return park == RQH_ASLEEP || park == RQH_ASLEEP_BELL;
}

/*
 * Is @number, as /proc has it, that of the system call @expected? An emulator's threads make the
 * calls of the machine beneath, and /proc tells of those: then any will do. One that looks at
 * itself sees the call that it reads by.
 */
static bool is_call(uint64_t number, long expected)
{
	static uint32_t numbers; /* 0: not known yet, 1: ours, 2: an emulator's */
	char text[256];

	if (!rqb_load(&numbers)) {
		bool foreign = read_of_thread(rqh_me()->tid, "syscall", text, sizeof(text)) > 0 &&
			       text[0] >= '0' && text[0] <= '9' &&
			       number_at(text) != (uint64_t)SYS_read;

		rqb_store(&numbers, foreign ? 2 : 1);
	}
	return rqb_load(&numbers) == 2 || number == (uint64_t)expected;
}

bool rqpi_futex_blocked(pid_t tid)
{
	struct rqh_host *h = rqh_enter();
	struct rqh_thread *t;
	char text[256];
	uint32_t park;
	bool off;

	if (!h || tid <= 0)
		return false;
	t = rqh_lookup(h, (uint32_t)tid);
	park = t ? rqb_load_sc(&t->park) : RQH_AWAKE;
	if (!is_asleep(park))
		return false;
	/* "running" unless the thread is really off its CPU; then the number of its system call. */
	if (read_of_thread((uint32_t)tid, "syscall", text, sizeof(text)) > 0) {
		off = text[0] != 'r' &&
		      is_call(number_at(text),
			      park == RQH_ASLEEP_BELL ? RQH_SYS_PPOLL : RQH_SYS_FUTEX);
	} else {
		if (read_of_thread((uint32_t)tid, "stat", text, sizeof(text)) <= 0)
			return false;
		off = strrchr(text, ')') && strrchr(text, ')')[2] == 'S';
	}
	/* And is it still that sleep? */
	return off && rqb_load_sc(&t->park) == park;
}
