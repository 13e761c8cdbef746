/* SPDX-License-Identifier: MIT */
/*
 * machine.c - where the figures come from: kernel, C library, processor; which CPUs to use; may
 * this process have SCHED_FIFO. Called by cmd_bench.c. Everything is read from the running system,
 * nothing is assumed.
 */
#include "driver.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/*
 * The first line of @path that begins with @key, from its value on; the whole line if @key is "".
 */
static bool read_value(const char *path, const char *key, char *value, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char line[512];

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		char *at = line;

		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		if (*key)
			at = strchr(line, ':');
		if (!at)
			continue;
		at += *key ? 1 : 0;
		at += strspn(at, " \t");
		at[strcspn(at, "\n")] = '\0';
		snprintf(value, size, "%s", at);
		found = true;
	}
	fclose(file);
	return found;
}

static void add(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void bench_machine(struct bench_report *rep)
{
	struct json_object *machine = json_object_new_object();
	char processor[128] = "unknown", runtime[32] = "unknown", clock[32] = "unknown",
	     load[64] = "unknown", kernel[256];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname uts;

	uname(&uts);
	snprintf(kernel, sizeof(kernel), "%.64s %.64s %.96s", uts.release, uts.machine,
		 uts.version);
	read_value("/proc/cpuinfo", "model name", processor, sizeof(processor));
	read_value("/proc/sys/kernel/sched_rt_runtime_us", "", runtime, sizeof(runtime));
	read_value("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", clock,
		   sizeof(clock));
	read_value("/proc/loadavg", "", load, sizeof(load));
	add(machine, "processor", processor);
	add(machine, "loadavg", load);
	json_object_object_add(machine, "cpus", json_object_new_int64(cpus));
	add(machine, "kernel", kernel);
	add(machine, "glibc", gnu_get_libc_version());
	add(machine, "sched_rt_runtime_us", runtime);
	add(machine, "clocksource", clock);
	json_object_object_add(machine, "sched_fifo", json_object_new_boolean(rep->opt->fifo));
	json_object_object_add(machine, "cpu", json_object_new_int(rep->opt->cpu));
	json_object_object_add(machine, "cpu2", json_object_new_int(rep->opt->cpu2));
	json_object_object_add(machine, "preload", json_object_new_boolean(rep->opt->have_preload));
	json_object_object_add(rep->root, "machine", machine);
	bench_say(rep, "machine: %s, %ld CPUs, clock %s\n", processor, cpus, clock);
	bench_say(rep, "kernel:  %s, sched_rt_runtime_us %s\n", kernel, runtime);
	bench_say(rep, "load:    %.14s in the last 1, 5, 15 minutes\n", load);
	bench_say(rep, "glibc:   %s\n", gnu_get_libc_version());
	json_object_object_add(machine, "force_pi",
			       json_object_new_boolean(rep->opt->have_preload_mutex));
	if (!rep->opt->have_preload_mutex)
		bench_say(rep, "force-pi: left out, cannot read %s\n", rep->opt->preload_mutex);
	json_object_object_add(machine, "musl", json_object_new_boolean(rep->opt->have_musl));
	if (!rep->opt->have_musl)
		bench_say(rep, "musl:    left out, cannot run %s (it is built where musl-gcc is)\n",
			  rep->opt->musl);
	if (!rep->opt->have_preload)
		bench_say(rep, "preload: left out, cannot read %s\n", rep->opt->preload);
}

bool bench_may_use_fifo(void)
{
	struct sched_param before, wanted = {.sched_priority = 95};
	int policy = sched_getscheduler(0);

	if (policy < 0 || sched_getparam(0, &before))
		return false;
	if (sched_setscheduler(0, SCHED_FIFO, &wanted))
		return false;
	sched_setscheduler(0, policy, &before);
	return true;
}

bool bench_pick_cpus(struct bench_options *opt)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set)) {
		perror("rqpi bench: sched_getaffinity");
		return false;
	}
	/* By default the last one: the first serves more interrupts than the others. */
	for (int cpu = CPU_SETSIZE - 1; opt->cpu < 0 && cpu >= 0; cpu--) {
		if (CPU_ISSET((size_t)cpu, &set))
			opt->cpu = cpu;
	}
	if (opt->cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)opt->cpu, &set)) {
		fprintf(stderr, "rqpi bench: --cpu %d: this process may not run there\n", opt->cpu);
		return false;
	}
	opt->cpu2 = -1;
	for (int cpu = 0; opt->cpu2 < 0 && cpu < CPU_SETSIZE; cpu++) {
		if (cpu != opt->cpu && CPU_ISSET((size_t)cpu, &set))
			opt->cpu2 = cpu;
	}
	return true;
}
