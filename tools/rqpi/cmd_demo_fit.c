/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo_fit.c - is this machine fit for `rqpi demo`: its program, two CPUs, the right to
 * SCHED_FIFO.
 *
 * Called by cmd_demo.c before anything runs. What is missing is said on standard error with a way
 * to get it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_demo.h"

int demo_find_program(char *path)
{
	const char *chosen = getenv("RQPI_DEMO_PROGRAM");
	char folder[PATH_MAX];
	char beside[PATH_MAX + 32] = "";

	if (chosen && *chosen) {
		if (realpath(chosen, path) && !access(path, X_OK))
			return 0;
		fprintf(stderr, "rqpi demo: RQPI_DEMO_PROGRAM=%s: %s\n", chosen, strerror(errno));
		return -1;
	}
	if (!preload_own_folder(folder)) {
		snprintf(beside, sizeof(beside), "%s/rqpi-demo-program", folder);
		if (realpath(beside, path) && !access(path, X_OK))
			return 0;
	}
	if (realpath(RQPI_DEMO_PROGRAM_INSTALLED, path) && !access(path, X_OK))
		return 0;
	fprintf(stderr, "rqpi demo: cannot find rqpi-demo-program; tried:\n");
	if (*beside)
		fprintf(stderr, "  %s\n", beside);
	fprintf(stderr, "  %s\nSet RQPI_DEMO_PROGRAM to its path.\n", RQPI_DEMO_PROGRAM_INSTALLED);
	return -1;
}

/* The last two CPUs this process may use: interrupts tend to be on the first. */
int demo_choose_cpus(int *cpu, int *cpu2)
{
	cpu_set_t set;

	*cpu = *cpu2 = -1;
	if (sched_getaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "rqpi demo: sched_getaffinity: %s\n", strerror(errno));
		return -1;
	}
	for (int i = CPU_SETSIZE - 1; i >= 0 && *cpu2 < 0; i--) {
		if (!CPU_ISSET((unsigned int)i, &set))
			continue;
		if (*cpu < 0)
			*cpu = i;
		else
			*cpu2 = i;
	}
	return 0;
}

/* Tried in a child, since this process shall stay as it is. */
int demo_probe_realtime(void)
{
	struct sched_param param = {.sched_priority = DEMO_CONDUCTOR_PRIO};
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(sched_setscheduler(0, SCHED_FIFO, &param) ? errno : 0);
	if (pid < 0)
		return errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

void demo_explain_rights(int error)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_RTPRIO, &limit);
	fprintf(stderr, "rqpi demo: no right to SCHED_FIFO at priority %d: %s\n",
		DEMO_CONDUCTOR_PRIO, strerror(error));
	if (geteuid() == 0) {
		fprintf(stderr,
			"This is root, so a container or a control group is in the way:\n"
			"  a container     start it with CAP_SYS_NICE (--cap-add SYS_NICE)\n"
			"  a control group write a real-time budget into its cpu.rt_runtime_us\n");
		return;
	}
	fprintf(
	    stderr,
	    "RLIMIT_RTPRIO is %llu here, hard limit %llu. Any one of these gives the right:\n"
	    "  as root         sudo rqpi demo\n"
	    "  this shell      sudo prlimit --pid $$ --rtprio=%d\n"
	    "                  or, where the hard limit allows it: ulimit -r %d\n"
	    "  every login     '@realtime - rtprio %d' in /etc/security/limits.conf, and be in\n"
	    "                  the group 'realtime'; in a systemd unit: LimitRTPRIO=%d\n"
	    "  one program     sudo setcap cap_sys_nice+ep PROGRAM, for programs linked with rqpi; "
	    "not\n"
	    "                  for this demo: the dynamic linker keeps a preload out of them\n",
	    (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max,
	    DEMO_CONDUCTOR_PRIO, DEMO_CONDUCTOR_PRIO, DEMO_CONDUCTOR_PRIO, DEMO_CONDUCTOR_PRIO);
}
