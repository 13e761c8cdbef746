/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_rights.c - `rqpi doctor`: may this process have real-time priorities, and lock its
 * memory? By /proc/self, and by the control group it is in.
 *
 * Called by cmd_doctor.c, after cmd_doctor_try.c has asked for SCHED_FIFO: what was granted beats
 * what files say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_doctor.h"

enum { CAP_BIT_IPC_LOCK = 14, CAP_BIT_SYS_NICE = 23, STATUS_MAX = 8192 };

/* Both are capabilities of the machine: those of a user namespace do not count. */
struct rights {
	bool known;
	const char *unread; /* the file that cannot be read */
	ssize_t error;
	bool nice, lock;
	bool user_namespace;
	long long priority_limit; /* -1: unlimited */
	long long memory_limit;
};

/* The soft limit on the line of /proc/self/limits that begins with @name. */
static long long read_limit(const char *limits, const char *name)
{
	const char *line = strstr(limits, name);
	long long value = 0;

	if (!line)
		return 0;
	line += strlen(name);
	line += strspn(line, " ");
	if (!strncmp(line, "unlimited", 9))
		return -1;
	if (sscanf(line, "%lld", &value) != 1)
		return 0;
	return value;
}

static bool in_user_namespace(const struct doctor *d)
{
	unsigned long long first, outside, count;
	char map[256];

	if (doctor_read(d, "/proc/self/uid_map", map, sizeof(map)) < 0)
		return false;
	return sscanf(map, "%llu %llu %llu", &first, &outside, &count) != 3 || first || outside ||
	       count != 4294967295ull;
}

static struct rights read_rights(const struct doctor *d)
{
	struct rights r = {.unread = "/proc/self/status"};
	unsigned long long effective = 0;
	char text[STATUS_MAX];
	const char *line;

	r.error = doctor_read(d, r.unread, text, sizeof(text));
	if (r.error < 0)
		return r;
	line = strstr(text, "\nCapEff:");
	if (!line || sscanf(line, "\nCapEff: %llx", &effective) != 1) {
		r.error = -EINVAL;
		return r;
	}
	r.user_namespace = in_user_namespace(d);
	r.nice = effective >> CAP_BIT_SYS_NICE & 1 && !r.user_namespace;
	r.lock = effective >> CAP_BIT_IPC_LOCK & 1 && !r.user_namespace;
	r.unread = "/proc/self/limits";
	r.error = doctor_read(d, r.unread, text, sizeof(text));
	if (r.error < 0)
		return r;
	r.priority_limit = read_limit(text, "Max realtime priority");
	r.memory_limit = read_limit(text, "Max locked memory");
	r.known = true;
	return r;
}

static void mend_priority(struct doctor *d)
{
	doctor_mend(d, "sudo prlimit --pid $$ --rtprio=%d    # this shell", d->priority);
	doctor_mend(
	    d,
	    "echo '@realtime - rtprio %d' | sudo tee -a /etc/security/limits.d/realtime.conf"
	    "    # every login in the group realtime",
	    d->priority);
	doctor_mend(d, "LimitRTPRIO=%d    # a service: in its systemd unit", d->priority);
	doctor_mend(d, "docker run --cap-add SYS_NICE --ulimit rtprio=%d ...    # a container",
		    d->priority);
}

void doctor_look_at_rights(struct doctor *d)
{
	struct rights r = read_rights(d);
	const char *caps = r.user_namespace ? "no CAP_SYS_NICE outside its user namespace"
					    : "no CAP_SYS_NICE";
	struct doctor_finding *f;
	bool enough = r.priority_limit < 0 || r.priority_limit >= d->priority;

	if (!r.known) {
		doctor_cannot_read(d, "rt-limit", r.unread, r.error);
		return;
	}
	if (r.nice)
		f = doctor_add(d, "rt-limit", DOCTOR_OK, "this process has CAP_SYS_NICE");
	else if (enough && r.priority_limit < 0)
		f = doctor_add(d, "rt-limit", DOCTOR_OK, "RLIMIT_RTPRIO is unlimited");
	else if (enough)
		f = doctor_add(d, "rt-limit", DOCTOR_OK, "%s, but RLIMIT_RTPRIO is %lld", caps,
			       r.priority_limit);
	else
		f = doctor_add(d, "rt-limit", DOCTOR_BAD,
			       "%s, and RLIMIT_RTPRIO is %lld, below priority %d", caps,
			       r.priority_limit, d->priority);
	if (f->state == DOCTOR_BAD)
		mend_priority(d);
	/* Adding a command does not move the finding. */
	f->why = "One of the two is the right to SCHED_FIFO and SCHED_RR, the limit up to its "
		 "number. Without them all threads have the same priority, and there is nothing "
		 "to inherit.";
}

static void look_at_swap(struct doctor *d)
{
	struct doctor_finding *f;
	char swaps[4096];
	ssize_t n = doctor_read(d, "/proc/swaps", swaps, sizeof(swaps));
	const char *first;

	if (n < 0) {
		doctor_cannot_read(d, "swap", "/proc/swaps", n);
		return;
	}
	first = strchr(swaps, '\n');
	if (!first) {
		f = doctor_add(d, "swap", DOCTOR_OK, "none");
	} else {
		first++;
		f = doctor_add(d, "swap", d->may_lock ? DOCTOR_INFO : DOCTOR_WARNING,
			       "memory may be written to %.*s, %s", (int)strcspn(first, " \t\n"),
			       first,
			       d->may_lock ? "where a program does not lock it"
					   : "and cannot be locked as a whole");
		doctor_mend(d, "mlockall(MCL_CURRENT | MCL_FUTURE);    # in the program");
		doctor_mend(d, "sudo swapoff -a");
	}
	f->why = "Memory that was written to disk is read again when it is touched: milliseconds, "
		 "whatever the priority.";
}

void doctor_look_at_memory(struct doctor *d)
{
	struct rights r = read_rights(d);
	struct doctor_finding *f;

	if (!r.known) {
		doctor_cannot_read(d, "memory-lock", r.unread, r.error);
	} else {
		d->may_lock = r.lock || r.memory_limit < 0;
		if (r.lock)
			f = doctor_add(d, "memory-lock", DOCTOR_OK,
				       "all of it may be locked: this process has CAP_IPC_LOCK");
		else if (d->may_lock)
			f = doctor_add(d, "memory-lock", DOCTOR_OK,
				       "all of it may be locked: RLIMIT_MEMLOCK is unlimited");
		else
			f = doctor_add(d, "memory-lock", DOCTOR_WARNING,
				       "no CAP_IPC_LOCK, and RLIMIT_MEMLOCK is %lld KiB",
				       r.memory_limit / 1024);
		f->why = "mlockall(2) keeps page faults out of real-time threads. It fails for a "
			 "program that is larger than the limit, and with MCL_FUTURE so does each "
			 "later mmap(2) beyond it.";
		if (!d->may_lock) {
			doctor_mend(d, "sudo prlimit --pid $$ --memlock=unlimited    # this shell");
			doctor_mend(d, "echo '@realtime - memlock unlimited' | sudo tee -a "
				       "/etc/security/limits.d/realtime.conf    # every login in "
				       "the group realtime");
			doctor_mend(d, "LimitMEMLOCK=infinity    # a service: in its systemd unit");
		}
	}
	look_at_swap(d);
}
