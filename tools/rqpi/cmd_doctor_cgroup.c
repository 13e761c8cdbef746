/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_cgroup.c - `rqpi doctor`: has the control group of this process a budget of real-time
 * CPU time?
 *
 * Called by cmd_doctor.c. With CONFIG_RT_GROUP_SCHED a group without one gets EPERM for SCHED_FIFO,
 * root or not. Version 1 of control groups has a file for it; version 2 has none, and all groups
 * but the root have nothing.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd_doctor.h"

static const char id[] = "rt-cgroup";
static const char why[] =
    "With CONFIG_RT_GROUP_SCHED a process may use SCHED_FIFO only where its control group has a "
    "budget of real-time CPU time; root, too, is refused with EPERM.";

struct own_groups {
	char cpu[PATH_MAX / 2];	    /* of version 1, controller cpu; "" none */
	char controllers[64];	    /* mounted together: cpu, or cpu,cpuacct */
	char unified[PATH_MAX / 2]; /* of version 2; "" none */
};

static bool has_word(const char *list, size_t length, const char *word, char separator)
{
	size_t size = strlen(word);

	for (const char *p = list; p < list + length; p++) {
		bool begins = p == list || p[-1] == separator;

		if (begins && !strncmp(p, word, size) &&
		    (p + size == list + length || p[size] == separator))
			return true;
	}
	return false;
}

/* Each line is NUMBER:CONTROLLER,...:PATH, with number 0 and no controllers for version 2. */
static void parse_groups(char *text, struct own_groups *own)
{
	char *save = NULL;

	*own = (struct own_groups){0};
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':');
		char *path = list ? strchr(list + 1, ':') : NULL;
		size_t length;

		if (!path)
			continue;
		list++;
		length = (size_t)(path - list);
		path++;
		if (!length) {
			snprintf(own->unified, sizeof(own->unified), "%s", path);
		} else if (has_word(list, length, "cpu", ',')) {
			snprintf(own->cpu, sizeof(own->cpu), "%s", path);
			snprintf(own->controllers, sizeof(own->controllers), "%.*s", (int)length,
				 list);
		}
	}
}

/* NULL: the kernel has budgets for groups, or may have. Else why it has none. */
static const char *no_budgets(const struct doctor *d)
{
	char cmdline[4096];
	char value[8] = "";
	bool given;
	long long runtime;

	if (doctor_config(d, "CONFIG_RT_GROUP_SCHED") == 'n')
		return "CONFIG_RT_GROUP_SCHED is off";
	if (!doctor_read_number(d, "/proc/sys/kernel/sched_rt_runtime_us", &runtime) && runtime < 0)
		return "kernel.sched_rt_runtime_us is -1";
	if (doctor_read(d, "/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return NULL;
	given = doctor_argument(cmdline, "rt_group_sched", value, sizeof(value));
	if (given && *value == '0')
		return "rt_group_sched=0 is in /proc/cmdline";
	if (!given && doctor_config(d, "CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED") == 'y')
		return "CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED is on";
	return NULL;
}

static void look_at_version_1(struct doctor *d, const struct own_groups *own)
{
	struct doctor_finding *f;
	char path[PATH_MAX];
	const char *below = strcmp(own->cpu, "/") ? own->cpu : "";
	long long runtime;
	int error;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/cpu.rt_runtime_us", own->controllers,
		 below);
	error = doctor_read_number(d, path, &runtime);
	if (error) {
		doctor_cannot_read(d, id, path, error);
		return;
	}
	if (runtime) {
		f = doctor_add(d, id, DOCTOR_OK, "%s is %lld", path, runtime);
	} else {
		f = doctor_add(d, id, DOCTOR_BAD, "no budget: %s is 0", path);
		doctor_mend(
		    d,
		    "echo 100000 | sudo tee %s    # from the top down, each group above it first",
		    path);
		doctor_mend(d, "sudo sysctl -w kernel.sched_rt_runtime_us=-1");
	}
	f->why = why;
}

/*
 * The group whose budget counts is the nearest one, from our own upwards, that has the controller
 * cpu. Returns 1: it is the root; 0: another, then @path is its folder; -errno.
 */
static ssize_t find_unified(const struct doctor *d, const struct own_groups *own, char *path,
			    size_t size)
{
	/* Beside version 1, the hierarchy of version 2 is mounted below it. */
	const char *mount = doctor_exists(d, "/sys/fs/cgroup/cgroup.controllers")
				? "/sys/fs/cgroup"
				: "/sys/fs/cgroup/unified";
	size_t top = strlen(mount);
	char list[512];

	snprintf(path, size, "%s%s", mount, strcmp(own->unified, "/") ? own->unified : "");
	for (;;) {
		char file[PATH_MAX];
		size_t folder = strlen(path);
		ssize_t n;

		snprintf(file, sizeof(file), "%s/cgroup.controllers", path);
		n = doctor_read(d, file, list, sizeof(list));
		if (n < 0) {
			strcat(path, "/cgroup.controllers"); /* there is room: it fits file */
			return n;
		}
		/* The root has no type; in a container, what looks like the root may be none. */
		snprintf(file, sizeof(file), "%s/cgroup.type", path);
		if (!doctor_exists(d, file))
			return 1;
		if (has_word(list, (size_t)n, "cpu", ' '))
			return 0;
		if (folder <= top)
			return 1;
		*strrchr(path, '/') = '\0';
	}
}

static void look_at_version_2(struct doctor *d, const struct own_groups *own)
{
	struct doctor_finding *f;
	char path[PATH_MAX - 32];
	ssize_t root = find_unified(d, own, path, sizeof(path));

	if (root < 0) {
		doctor_cannot_read(d, id, path, root);
		return;
	}
	if (root) {
		f = doctor_add(d, id, DOCTOR_OK, "the group whose budget counts is the root");
	} else if (doctor_config(d, "CONFIG_RT_GROUP_SCHED") == '?') {
		f = doctor_add(d, id, DOCTOR_UNKNOWN,
			       "not looked at: no configuration of the kernel can be read, so "
			       "nobody knows whether the group %s needs a budget",
			       path);
	} else {
		f = doctor_add(d, id, DOCTOR_BAD,
			       "no budget: %s has CONFIG_RT_GROUP_SCHED=y, and control groups of "
			       "version 2 cannot have one, such as %s",
			       d->config_path, path);
		doctor_mend(d, "sudo sysctl -w kernel.sched_rt_runtime_us=-1");
		doctor_mend(d, "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&rt_group_sched=0 /' "
			       "/etc/default/grub && sudo update-grub && sudo reboot");
	}
	f->why = why;
}

void doctor_look_at_cgroup(struct doctor *d)
{
	struct own_groups own;
	char text[PATH_MAX];
	const char *none = no_budgets(d);
	ssize_t n;

	if (none) {
		doctor_add(d, id, DOCTOR_OK, "control groups need no real-time budget: %s", none)
		    ->why = why;
		return;
	}
	if (d->fifo_max > 0 && doctor_config(d, "CONFIG_RT_GROUP_SCHED") == '?') {
		doctor_add(d, id, DOCTOR_OK, "SCHED_FIFO was granted: no budget is missing")->why =
		    why;
		return;
	}
	n = doctor_read(d, "/proc/self/cgroup", text, sizeof(text));
	if (n < 0) {
		doctor_cannot_read(d, id, "/proc/self/cgroup", n);
		return;
	}
	parse_groups(text, &own);
	if (*own.cpu)
		look_at_version_1(d, &own);
	else if (*own.unified)
		look_at_version_2(d, &own);
	else
		doctor_add(d, id, DOCTOR_OK, "this process is in no control group of CPU time")
		    ->why = why;
}
