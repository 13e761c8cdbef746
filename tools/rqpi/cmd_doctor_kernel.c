/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_kernel.c - `rqpi doctor`: what kind of kernel is this, and how much time does it leave
 * to real-time threads?
 *
 * Called by cmd_doctor.c. All of it is read from files; what a file cannot say is not said.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd_doctor.h"

enum { LINE_MAX_HERE = 4096 };

/* What the kernel says of itself, and what a file says of it. */
struct rt_evidence {
	char version[256];
	int by_version; /* 1: yes; 0: no; -1: says nothing */
	int by_flag;
	int by_config;
};

/* Mainline writes PREEMPT_RT there, the patches of before 5.3 "PREEMPT RT". */
static int version_says_rt(const char *version)
{
	return strstr(version, "PREEMPT_RT") || strstr(version, "PREEMPT RT") ||
	       strstr(version, "PREEMPT_{RT");
}

static void gather_evidence(const struct doctor *d, struct rt_evidence *e)
{
	long long flag;

	e->by_version = e->by_flag = e->by_config = -1;
	if (doctor_read(d, "/proc/sys/kernel/version", e->version, sizeof(e->version)) >= 0)
		e->by_version = version_says_rt(e->version);
	else
		*e->version = '\0';
	if (!doctor_read_number(d, "/sys/kernel/realtime", &flag))
		e->by_flag = flag == 1;
	if (d->config)
		e->by_config = doctor_config(d, "CONFIG_PREEMPT_RT") == 'y' ||
			       doctor_config(d, "CONFIG_PREEMPT_RT_FULL") == 'y';
}

static void tell_evidence(const struct doctor *d, const struct rt_evidence *e, char *text,
			  size_t size)
{
	int n = 0;

	*text = '\0';
	if (e->by_version >= 0)
		n += snprintf(text, size, "its version is \"%s\"", e->version);
	if (e->by_flag >= 0)
		n += snprintf(text + n, size - (size_t)n, "%s/sys/kernel/realtime says %d",
			      n ? "; " : "", e->by_flag);
	if (e->by_config >= 0)
		snprintf(text + n, size - (size_t)n, "%s%s has %s", n ? "; " : "", d->config_path,
			 e->by_config ? "CONFIG_PREEMPT_RT=y" : "no CONFIG_PREEMPT_RT=y");
}

static void mend_kernel(struct doctor *d)
{
	struct utsname name;
	char arch[65];

	uname(&name);
	if (doctor_read(d, "/proc/sys/kernel/arch", arch, sizeof(arch)) < 0)
		snprintf(arch, sizeof(arch), "%s", *d->root ? "unknown" : name.machine);
	if (!strcmp(arch, "x86_64"))
		doctor_mend(d, "sudo apt install linux-image-rt-amd64 && sudo reboot");
	else if (!strcmp(arch, "aarch64"))
		doctor_mend(d, "sudo apt install linux-image-rt-arm64 && sudo reboot");
	else
		doctor_mend(d, "build and boot a kernel with CONFIG_PREEMPT_RT=y");
}

void doctor_look_at_preempt_rt(struct doctor *d)
{
	struct doctor_finding *f;
	struct rt_evidence e;
	bool own_config = !strcmp(d->config_path, "/proc/config.gz");
	char text[1024];

	gather_evidence(d, &e);
	tell_evidence(d, &e, text, sizeof(text));
	/*
	 * Versions and the flag are of the kernel that runs. A file in /boot only bears its name,
	 * and decides where the kernel itself says nothing.
	 */
	if (e.by_version == 1 || e.by_flag == 1 || (own_config && e.by_config == 1))
		d->preempt_rt = 1;
	else if (e.by_version == 0 || e.by_flag == 0 || (own_config && e.by_config == 0))
		d->preempt_rt = 0;
	else
		d->preempt_rt = e.by_config;
	if (d->preempt_rt < 0) {
		doctor_add(d, "preempt-rt", DOCTOR_UNKNOWN,
			   "not looked at: neither /proc/sys/kernel/version nor "
			   "/sys/kernel/realtime nor a configuration of the kernel can be read");
		return;
	}
	f = doctor_add(d, "preempt-rt", d->preempt_rt ? DOCTOR_OK : DOCTOR_WARNING, "%s: %s%s",
		       d->preempt_rt ? "a PREEMPT_RT kernel" : "not a PREEMPT_RT kernel", text,
		       e.by_config >= 0 && e.by_config != d->preempt_rt
			   ? ", which is of another kernel of that name"
			   : "");
	f->why = "Only PREEMPT_RT can interrupt nearly all of the kernel. Elsewhere priority "
		 "inheritance works as well, but the most urgent thread may wait for interrupt "
		 "handlers and for the kernel itself, now and then for milliseconds.";
	if (!d->preempt_rt)
		mend_kernel(d);
}

void doctor_look_at_irq_threads(struct doctor *d)
{
	struct doctor_finding *f;
	char cmdline[LINE_MAX_HERE];
	char value[8];
	ssize_t n;

	if (d->preempt_rt == 1) {
		doctor_add(d, "irq-threads", DOCTOR_OK,
			   "interrupts are handled by threads, as always on PREEMPT_RT");
		return;
	}
	n = doctor_read(d, "/proc/cmdline", cmdline, sizeof(cmdline));
	if (n < 0) {
		doctor_cannot_read(d, "irq-threads", "/proc/cmdline", n);
		return;
	}
	if (!doctor_argument(cmdline, "threadirqs", value, sizeof(value))) {
		f = doctor_add(d, "irq-threads", DOCTOR_WARNING,
			       "interrupts are not handled by threads: no threadirqs in "
			       "/proc/cmdline");
		doctor_mend(d, "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&threadirqs /' "
			       "/etc/default/grub && sudo update-grub && sudo reboot");
	} else if (doctor_config(d, "CONFIG_IRQ_FORCED_THREADING") == 'n') {
		f = doctor_add(d, "irq-threads", DOCTOR_WARNING,
			       "threadirqs is in /proc/cmdline, but %s has no "
			       "CONFIG_IRQ_FORCED_THREADING=y: without effect",
			       d->config_path);
		mend_kernel(d);
	} else {
		f = doctor_add(d, "irq-threads", DOCTOR_OK,
			       "interrupts are handled by threads: threadirqs is in "
			       "/proc/cmdline");
	}
	f->why = "A handler that is no thread has no priority: it runs before the most urgent "
		 "thread, for as long as it takes.";
}

static const char throttling_why[] =
    "It is a safety net: a real-time thread that never sleeps would stop the machine. But who "
    "needs more than the limit is stopped for the rest of the period, most urgent or not.";

/* From 6.12 on, and without budgets for control groups, this limits SCHED_DEADLINE alone. */
static bool fair_server_instead(const struct doctor *d)
{
	return doctor_release_is(d, 6, 12) && doctor_config(d, "CONFIG_RT_GROUP_SCHED") == 'n';
}

void doctor_look_at_throttling(struct doctor *d)
{
	static const char runtime_path[] = "/proc/sys/kernel/sched_rt_runtime_us";
	static const char period_path[] = "/proc/sys/kernel/sched_rt_period_us";
	struct doctor_finding *f;
	long long runtime, period;
	int error = doctor_read_number(d, runtime_path, &runtime);

	if (error) {
		doctor_cannot_read(d, "rt-throttling", runtime_path, error);
		return;
	}
	error = doctor_read_number(d, period_path, &period);
	if (error || period <= 0) {
		doctor_cannot_read(d, "rt-throttling", period_path, error ? error : -EINVAL);
		return;
	}
	if (fair_server_instead(d)) {
		f = doctor_add(d, "rt-throttling", DOCTOR_OK,
			       "kernels from 6.12 on do not throttle: see fair-server");
	} else if (runtime < 0) {
		f = doctor_add(d, "rt-throttling", DOCTOR_INFO,
			       "off: real-time threads may use all of the CPU time");
		doctor_mend(d, "sudo sysctl -w kernel.sched_rt_runtime_us=950000");
	} else if (runtime == 0) {
		f = doctor_add(d, "rt-throttling", DOCTOR_BAD,
			       "real-time threads get no time at all: %s is 0", runtime_path);
		doctor_mend(d, "sudo sysctl -w kernel.sched_rt_runtime_us=950000");
	} else {
		bool much = runtime >= period / 10 * 9;

		f = doctor_add(d, "rt-throttling", much ? DOCTOR_OK : DOCTOR_WARNING,
			       "real-time threads may use %lld of each %lld microseconds", runtime,
			       period);
		if (!much)
			doctor_mend(d, "sudo sysctl -w kernel.sched_rt_runtime_us=%lld",
				    period / 100 * 95);
	}
	f->why = throttling_why;
}

void doctor_look_at_fair_server(struct doctor *d)
{
	static const char runtime_path[] = "/sys/kernel/debug/sched/fair_server/cpu0/runtime";
	static const char period_path[] = "/sys/kernel/debug/sched/fair_server/cpu0/period";
	struct doctor_finding *f;
	long long runtime, period;
	int error;

	if (!doctor_release_is(d, 6, 12))
		return;
	error = doctor_read_number(d, runtime_path, &runtime);
	if (error) {
		doctor_cannot_read(d, "fair-server", runtime_path, error);
		if (doctor_config(d, "CONFIG_DEBUG_FS") != 'n')
			doctor_mend(d, error == -ENOENT
					   ? "sudo mount -t debugfs none /sys/kernel/debug"
					   : "sudo rqpi doctor");
		return;
	}
	error = doctor_read_number(d, period_path, &period);
	if (error) {
		doctor_cannot_read(d, "fair-server", period_path, error);
		return;
	}
	if (runtime == 0) {
		f = doctor_add(d, "fair-server", DOCTOR_INFO,
			       "off on CPU 0: nothing is set aside for ordinary threads");
	} else {
		f = doctor_add(d, "fair-server", DOCTOR_INFO,
			       "on CPU 0 ordinary threads may take %lld of each %lld microseconds, "
			       "where real-time threads leave them none",
			       runtime / 1000, period / 1000);
		doctor_mend(d, "echo 0 | sudo tee /sys/kernel/debug/sched/fair_server/cpu*/runtime"
			       "    # to switch it off");
	}
	f->why = "From Linux 6.12 on it is the safety net in the place of throttling, and holds up "
		 "real-time threads on purpose, however urgent.";
}
