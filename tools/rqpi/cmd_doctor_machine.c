/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_machine.c - `rqpi doctor`: the CPUs: do they change their frequency, how long do they
 * take to wake up, which are set apart?
 *
 * Called by cmd_doctor.c. All of it is read from files below /sys, /proc and /dev.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_doctor.h"

static const char cpu_folder[] = "/sys/devices/system/cpu/cpu0";

enum { SLOW_WAKEUP_US = 50, NAMES_MAX = 128 };

/* The files below the root that @pattern matches; the paths in @found include the root. */
static size_t find_files(const struct doctor *d, const char *pattern, glob_t *found)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", d->root, pattern);
	if (glob(full, 0, NULL, found))
		found->gl_pathc = 0;
	return found->gl_pathc;
}

/* Add @name to the list in @names unless it is there. */
static void add_name(char *names, const char *name)
{
	size_t used = strlen(names);
	size_t length = strlen(name);

	for (const char *p = names; *p; p += strcspn(p, " "), p += *p == ' ')
		if (!strncmp(p, name, length) && strchr(" ", p[length]))
			return;
	snprintf(names + used, NAMES_MAX - used, "%s%s", used ? " " : "", name);
}

static const char governor_why[] =
    "A CPU that runs slowly when a thread wakes up takes milliseconds to run fast. With schedutil "
    "real-time threads get the highest frequency, once it has been switched to.";

void doctor_look_at_governor(struct doctor *d)
{
	char names[NAMES_MAX] = "";
	char name[32];
	bool others = false;
	size_t performance = 0;
	struct doctor_finding *f;
	glob_t found;
	size_t count = find_files(d, "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
				  &found);

	if (!count && !doctor_exists(d, cpu_folder)) {
		doctor_cannot_read(d, "governor", cpu_folder, -ENOENT);
		return;
	}
	if (!count) {
		doctor_add(d, "governor", DOCTOR_INFO,
			   "no CPU has a scaling_governor in /sys/devices/system/cpu: what scales "
			   "the frequency, if anything, is not this kernel (a virtual machine, the "
			   "firmware)");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		ssize_t n = doctor_read(d, found.gl_pathv[i] + strlen(d->root), name, sizeof(name));

		if (n < 0) {
			doctor_cannot_read(d, "governor", found.gl_pathv[i], n);
			globfree(&found);
			return;
		}
		performance += !strcmp(name, "performance");
		others |= strcmp(name, "performance") && strcmp(name, "schedutil");
		add_name(names, name);
	}
	globfree(&found);
	f = doctor_add(
	    d, "governor",
	    others		   ? DOCTOR_WARNING
	    : performance == count ? DOCTOR_OK
				   : DOCTOR_INFO,
	    "%zu of %zu CPUs have the governor performance%s%s", performance, count,
	    performance == count ? "" : "; governors: ", performance == count ? "" : names);
	f->why = governor_why;
	if (performance < count)
		doctor_mend(d, "echo performance | sudo tee "
			       "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
}

struct idle_state {
	char name[32];
	long long latency_us;
};

/* The slowest state of CPU 0 that may be entered at all. Returns how many states there are. */
static size_t slowest_state(const struct doctor *d, struct idle_state *slowest)
{
	glob_t found;
	size_t count = find_files(d, "/sys/devices/system/cpu/cpu0/cpuidle/state[0-9]*/latency",
				  &found);

	*slowest = (struct idle_state){.name = "none"};
	for (size_t i = 0; i < count; i++) {
		char *path = found.gl_pathv[i] + strlen(d->root);
		size_t folder = strlen(path) - strlen("latency");
		char file[PATH_MAX];
		long long latency, disabled;

		if (doctor_read_number(d, path, &latency) || latency < slowest->latency_us)
			continue;
		snprintf(file, sizeof(file), "%.*sdisable", (int)folder, path);
		if (!doctor_read_number(d, file, &disabled) && disabled)
			continue;
		slowest->latency_us = latency;
		snprintf(file, sizeof(file), "%.*sname", (int)folder, path);
		if (doctor_read(d, file, slowest->name, sizeof(slowest->name)) < 0)
			snprintf(slowest->name, sizeof(slowest->name), "?");
	}
	if (count)
		globfree(&found);
	return count;
}

/* The longest wake-up that somebody who holds this file open has asked for; -1: cannot be read. */
static long long read_dma_latency(const struct doctor *d, ssize_t *error)
{
	char bytes[16];
	int32_t value;

	/*
	 * Four bytes of a number. doctor_read() would take a last byte of 10 for a line end: only
	 * of numbers that are as good as no limit.
	 */
	memset(bytes, 0, sizeof(bytes));
	*error = doctor_read(d, "/dev/cpu_dma_latency", bytes, sizeof(value) + 1);
	if (*error < 0)
		return -1;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

void doctor_look_at_idle(struct doctor *d)
{
	struct idle_state slowest;
	struct doctor_finding *f;
	ssize_t error;
	long long limit_us;
	char limit[128];
	bool slow;

	if (!doctor_exists(d, cpu_folder)) {
		doctor_cannot_read(d, "cpu-idle", cpu_folder, -ENOENT);
		return;
	}
	if (!slowest_state(d, &slowest)) {
		doctor_add(d, "cpu-idle", DOCTOR_INFO,
			   "CPU 0 has no idle states in /sys/devices/system/cpu/cpu0/cpuidle");
		return;
	}
	limit_us = read_dma_latency(d, &error);
	if (limit_us < 0)
		snprintf(limit, sizeof(limit), "/dev/cpu_dma_latency cannot be read: %s",
			 strerror((int)-error));
	else if (limit_us >= slowest.latency_us)
		snprintf(limit, sizeof(limit), "nobody holds /dev/cpu_dma_latency below that");
	else
		snprintf(limit, sizeof(limit), "/dev/cpu_dma_latency is held at %lld", limit_us);
	slow = slowest.latency_us > SLOW_WAKEUP_US;
	if (slow && limit_us >= 0 && limit_us < slowest.latency_us)
		slow = limit_us > SLOW_WAKEUP_US;
	f = doctor_add(d, "cpu-idle", slow ? DOCTOR_WARNING : DOCTOR_OK,
		       "the deepest idle state of CPU 0, %s, takes %lld microseconds to leave; %s",
		       slowest.name, slowest.latency_us, limit);
	f->why = "The time to leave an idle state comes on top of each wake-up of a CPU that had "
		 "nothing to do.";
	if (slow)
		doctor_mend(d, "sudo sh -c 'exec 3>/dev/cpu_dma_latency; printf \"\\0\\0\\0\\0\" "
			       ">&3; exec sleep infinity' &");
}

static void read_list(const struct doctor *d, const char *path, char *text, size_t size)
{
	ssize_t n = doctor_read(d, path, text, size);

	if (n < 0)
		snprintf(text, size, "not known (%s: %s)", path, strerror((int)-n));
	else if (!*text || !strcmp(text, "(null)"))
		snprintf(text, size, "none");
}

/* The list after "Cpus_allowed_list:". */
static void read_allowed(const struct doctor *d, char *text, size_t size)
{
	static const char key[] = "\nCpus_allowed_list:\t";
	char status[8192];
	const char *line;

	if (doctor_read(d, "/proc/self/status", status, sizeof(status)) < 0 ||
	    !(line = strstr(status, key))) {
		snprintf(text, size, "not known (/proc/self/status)");
		return;
	}
	line += sizeof(key) - 1;
	snprintf(text, size, "%.*s", (int)strcspn(line, "\n"), line);
}

void doctor_look_at_isolation(struct doctor *d)
{
	char cmdline[4096];
	char isolated[192], tickless[192], allowed[192];
	char callbacks[64] = "none";

	read_list(d, "/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	/* Without CONFIG_NO_HZ_FULL the file is not there, and that is an answer. */
	if (doctor_config(d, "CONFIG_NO_HZ_FULL") == 'n')
		snprintf(tickless, sizeof(tickless), "none");
	else
		read_list(d, "/sys/devices/system/cpu/nohz_full", tickless, sizeof(tickless));
	read_allowed(d, allowed, sizeof(allowed));
	if (doctor_read(d, "/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		snprintf(callbacks, sizeof(callbacks), "not known");
	else
		doctor_argument(cmdline, "rcu_nocbs", callbacks, sizeof(callbacks));
	doctor_add(d, "isolation", DOCTOR_INFO,
		   "CPUs isolated: %s; nohz_full: %s; rcu_nocbs: %s; this process may run on: %s",
		   isolated, tickless, callbacks, allowed)
	    ->why = "Isolated CPUs are left alone by other threads; only threads that are put "
		    "there (taskset(1), sched_setaffinity(2)) run on them.";
}
