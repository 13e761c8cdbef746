/* SPDX-License-Identifier: MIT */
/*
 * vectors.c - plays vectors on the lanes, and says which agree, which differ and which were left
 * out.
 *
 * Called by cmd_conform.c. A difference counts only if a second trial, with twice the time for all
 * that has a deadline, has it too; that it took two is said.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"
#include "show.h"

enum verdict { AGREES, DIFFERS, SKIPPED };

enum { TRIES = 3, PRIORITY = 90 };

void conform_add_name(struct conform_names *names, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	names->names = conform_grow(names->names, names->count, sizeof(*names->names));
	names->names[names->count++] = conform_copy_text(text);
}

static void free_names(struct conform_names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
}

void conform_report_free(struct conform_report *report)
{
	free_names(&report->differ);
	free_names(&report->skipped);
	memset(report, 0, sizeof(*report));
}

/* Tried in a child, since this process shall stay as it is. */
static bool probe_realtime(void)
{
	struct sched_param param = {.sched_priority = PRIORITY};
	int status = 1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) ? 1 : 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A wrong length is refused with EINVAL, and changes nothing; with ENOSYS by qemu-user. */
static bool probe_robust_lists(void)
{
	return syscall(SYS_set_robust_list, NULL, 0) == 0 || errno != ENOSYS;
}

/* Is thread 2 kthreadd here, as a bit of its flags in proc(5) tells? Not so in a container. */
static bool probe_kthread(void)
{
	enum { PF_KTHREAD = 0x00200000 };
	FILE *stat = fopen("/proc/2/stat", "re");
	unsigned int flags = 0;
	bool told;

	if (!stat)
		return false;
	told = fscanf(stat, "2 (%*[^)]) %*c %*d %*d %*d %*d %*d %u", &flags) == 1;
	fclose(stat);
	return told && (flags & PF_KTHREAD);
}

int conform_find_setting(struct conform_setting *setting)
{
	cpu_set_t set;

	setting->cpu_work = setting->cpu_free = -1;
	setting->scale = 1;
	if (sched_getaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "rqpi conform: sched_getaffinity: %s\n", strerror(errno));
		return -1;
	}
	/* The last two: interrupts tend to be on the first. */
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && setting->cpu_free < 0; cpu--) {
		if (!CPU_ISSET((size_t)cpu, &set))
			continue;
		if (setting->cpu_work < 0)
			setting->cpu_work = cpu;
		else
			setting->cpu_free = cpu;
	}
	setting->realtime = probe_realtime();
	setting->robust_lists = probe_robust_lists();
	setting->kthread = probe_kthread();
	return 0;
}

static bool names_kthread(const struct conform_program *p)
{
	for (int i = 0; i < p->word_count; i++) {
		if (p->words[i].init.kind == CONFORM_KTHREAD)
			return true;
	}
	return false;
}

/* Why @p cannot be played on @lane here, or NULL. */
static const char *why_not(const struct conform_options *o, const struct conform_program *p,
			   const struct conform_lane *lane)
{
	const struct conform_version *version = lane->kernel.part[0] ? &lane->kernel
								     : &o->kernel.version;
	unsigned lacks = conform_features(p) & lane->lacks;

	if (p->kernel_count && !conform_in_spans(version, p->kernels, p->kernel_count))
		return "is about other versions of Linux";
	if (conform_needs_realtime(p) && !o->setting.realtime)
		return "no right to SCHED_FIFO";
	if (names_kthread(p) && !o->setting.kthread)
		return "no thread of the kernel can be named in this PID namespace";
	if (conform_uses(p, CONFORM_HOG) && o->setting.cpu_free < 0)
		return "needs two CPUs";
	if (p->unsafe && lane == &conform_lane_linux && !o->unsafe)
		return "could damage a kernel with CVE-2026-43499; --unsafe runs it";
	if (lacks & CONFORM_NEEDS_KILL)
		return "this lane does not notice that a process is killed";
	if (lacks & CONFORM_NEEDS_WATCH)
		return "this lane notices that a process is killed only if somebody else sleeps";
	if (lacks & CONFORM_NEEDS_LIST)
		return "to this lane the robust list of a killed process is gone with its memory";
	if (lacks & CONFORM_NEEDS_EXEC)
		return "this lane does not notice exec";
	if (lacks & CONFORM_NEEDS_DEADLINE)
		return "this lane passes SCHED_DEADLINE on as SCHED_FIFO 99";
	if (lacks & CONFORM_NEEDS_PROCESS)
		return "this lane has one process only";
	if (conform_uses(p, CONFORM_GET_ROBUST) && !lane->get_robust_list)
		return "this lane has no get_robust_list";
	return NULL;
}

static int judge_trial(const struct conform_options *o, const struct conform_program *p,
		       const struct conform_lane *lane, int scale, struct conform_trace *trace,
		       char *why, size_t size)
{
	struct conform_setting setting = o->setting;

	setting.scale = scale;
	setting.guard = false;
	conform_trial_in_time(p, lane, &setting, trace);
	return conform_judge(p, trace, why, size);
}

/* All repetitions; the step that is wrong, or -1. */
static int judge_all(const struct conform_options *o, const struct conform_program *p,
		     const struct conform_lane *lane, int scale, struct conform_trace *trace,
		     char *why, size_t size)
{
	int wrong = -1;

	for (int i = 0; i < p->repeat && wrong < 0; i++)
		wrong = judge_trial(o, p, lane, scale, trace, why, size);
	return wrong;
}

static void tell(const struct conform_options *o, const struct conform_program *p,
		 const struct conform_lane *lane, struct conform_trace *trace, int wrong,
		 const char *why)
{
	struct conform_trace *traces[] = {trace};
	const char *names[] = {lane->name};

	if (!o->out)
		return;
	fprintf(o->out, "DIFFERS  %s on %s: %s\n  rules", p->name, lane->name, p->title);
	for (int i = 0; i < p->rule_count; i++)
		fprintf(o->out, " %s", p->rules[i]);
	fprintf(o->out, "; %s\n", p->file);
	conform_print_story(o->out, p, traces, names, 1, wrong);
	fprintf(o->out, "  step %d: %s\n", wrong + 1, why);
}

static enum verdict run_on(const struct conform_options *o, const struct conform_program *p,
			   const struct conform_lane *lane, struct conform_report *report)
{
	struct conform_trace *trace = conform_trace_new(p);
	char why[CONFORM_TEXT], first[CONFORM_TEXT + 32] = "";
	enum verdict verdict = AGREES;
	int wrong = -1, scale = 1;

	for (int try = 0; try < TRIES; try++, scale *= 2) {
		wrong = judge_all(o, p, lane, scale, trace, why, sizeof(why));
		if (wrong < 0 || trace->outcome == CONFORM_CANNOT)
			break;
		if (!*first)
			snprintf(first, sizeof(first), "step %d: %s", wrong + 1, why);
	}
	if (trace->outcome == CONFORM_CANNOT) {
		conform_add_name(&report->skipped, "%s on %s: %s", p->name, lane->name, trace->why);
		verdict = SKIPPED;
	} else if (wrong >= 0) {
		tell(o, p, lane, trace, wrong, why);
		conform_add_name(&report->differ, "%s on %s", p->name, lane->name);
		verdict = DIFFERS;
	} else if (*first) {
		fprintf(stderr,
			"rqpi conform: %s on %s: agreed only when tried again; before: %s\n",
			p->name, lane->name, first);
	}
	if (verdict == AGREES && o->verbose && o->out) {
		struct conform_trace *traces[] = {trace};
		const char *names[] = {lane->name};

		fprintf(o->out, "agrees   %s on %s: %s\n", p->name, lane->name, p->title);
		conform_print_story(o->out, p, traces, names, 1, p->step_count);
	}
	conform_trace_free(trace);
	return verdict;
}

void conform_run_vectors(const struct conform_options *o, struct conform_program *vectors,
			 int count, struct conform_report *report)
{
	bool progress = isatty(STDERR_FILENO);

	for (int i = 0; i < count; i++) {
		bool differs = false, agrees = false;

		if (progress)
			fprintf(stderr, "\r\033[K%d of %d: %s", i + 1, count, vectors[i].name);
		for (int k = 0; k < o->lane_count; k++) {
			const char *why = why_not(o, &vectors[i], o->lanes[k]);
			enum verdict verdict = SKIPPED;

			if (why)
				conform_add_name(&report->skipped, "%s on %s: %s", vectors[i].name,
						 o->lanes[k]->name, why);
			else
				verdict = run_on(o, &vectors[i], o->lanes[k], report);
			differs = differs || verdict == DIFFERS;
			agrees = agrees || verdict == AGREES;
		}
		report->vectors++;
		report->agree += agrees && !differs;
	}
	if (progress)
		fprintf(stderr, "\r\033[K");
}
