/* SPDX-License-Identifier: MIT */
/*
 * trace_kernel_setup.c - tracefs for trace_kernel.c: find or mount it, make our two instances, and
 * leave it as it was found.
 *
 * Where tracefs is not mounted it is mounted for this process alone: a mount that is attached
 * nowhere, reached by its file descriptor, and gone with the process however that ends. The
 * instances are not; so they have the name of their tracer, and those whose tracer is gone are
 * removed when the next one comes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace_kernel.h"

/* The first PID namespace's, of include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu
/* Of linux/mount.h, which clashes with the C library's header of before 2.36. */
#define FSCONFIG_MAKE	    6

bool kernel_refuse(char why[KERNEL_WHY], const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(why, KERNEL_WHY, format, list);
	va_end(list);
	return false;
}

/* No group gets it: what can be written there is its owner's. */
static bool refuse_rights(char *why)
{
	return kernel_refuse(
	    why, "the kernel's events are for root alone: %s",
	    geteuid() ? "sudo rqpi trace ..."
		      : "this root is that of a container, or the kernel is locked down");
}

/* Returns a file descriptor, or -1 and errno. */
static int mount_for_us(void)
{
	int root = -1;
	int error;
#if defined(SYS_fsopen) && defined(SYS_fsconfig) && defined(SYS_fsmount)
	int fs = (int)syscall(SYS_fsopen, "tracefs", 1u /* close on exec */);

	if (fs < 0)
		return -1;
	if (!syscall(SYS_fsconfig, fs, FSCONFIG_MAKE, NULL, NULL, 0))
		root = (int)syscall(SYS_fsmount, fs, 1u /* close on exec */, 0u);
	error = errno;
	close(fs);
#else
	error = ENOSYS;
#endif
	errno = error;
	return root;
}

static bool find_tracefs(struct trace_kernel *k, char *why)
{
	char path[64];
	const char *mounted = NULL;

	if (tracefs_tracing_dir_is_mounted(false, &mounted) > 0 && mounted) {
		tracefs_set_tracing_dir((char *)(uintptr_t)mounted); /* it is copied */
		return true;
	}
	k->mount = mount_for_us();
	if (k->mount >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", k->mount);
		tracefs_set_tracing_dir(path);
		return true;
	}
	if (errno == ENODEV)
		return kernel_refuse(why, "this kernel was built without tracing (CONFIG_FTRACE)");
	if (errno == EPERM)
		return refuse_rights(why);
	return kernel_refuse(why,
			     "tracefs is not mounted (%s): sudo mount -t tracefs nodev "
			     "/sys/kernel/tracing",
			     strerror(errno));
}

/* Field 22 of /proc/PID/stat, when it began: a PID alone comes again. 0: there is none. */
static unsigned long long began_at(pid_t pid)
{
	unsigned long long began = 0;
	char path[64];
	char text[1024];
	const char *rest;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	rest = strrchr(text, ')'); /* the name before it can have blanks */
	for (int i = 2; rest && i < 22; i++)
		rest = strchr(rest + 1, ' ');
	if (rest)
		began = strtoull(rest, NULL, 10);
	return began;
}

/* A live tracer's instance could not be removed, either: its buffers are open. */
static void remove_stale(void)
{
	char **names = tracefs_instances(NULL);

	for (int i = 0; names && names[i]; i++) {
		unsigned long long began;
		int pid;

		if (sscanf(names[i], "rqpi-%d-%llu-", &pid, &began) == 2 &&
		    began_at((pid_t)pid) != began) {
			struct tracefs_instance *fs = tracefs_instance_alloc(NULL, names[i]);

			if (fs) {
				tracefs_instance_destroy(fs);
				tracefs_instance_free(fs);
			}
		}
	}
	tracefs_list_free(names);
}

static bool refuse_instance(char *why, int error)
{
	if (error == EACCES || error == EPERM)
		return refuse_rights(why);
	return kernel_refuse(why, "the kernel makes no tracing instance for us: %s",
			     strerror(error));
}

static bool open_cpu(struct kernel_instance *i, const char *entry)
{
	char file[64];
	char *end;
	long cpu;
	int fd;

	if (strncmp(entry, "cpu", 3) || entry[3] < '0' || entry[3] > '9')
		return true;
	cpu = strtol(entry + 3, &end, 10);
	if (*end || cpu >= TRACE_NO_CPU)
		return true;
	snprintf(file, sizeof(file), "per_cpu/cpu%ld/trace_pipe_raw", cpu);
	fd = tracefs_instance_file_open(i->fs, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	i->fd = realloc(i->fd, (i->cpus + 1) * sizeof(*i->fd));
	i->cpu = realloc(i->cpu, (i->cpus + 1) * sizeof(*i->cpu));
	if (!i->fd || !i->cpu)
		trace_no_memory();
	i->fd[i->cpus] = fd;
	i->cpu[i->cpus++] = (uint16_t)cpu;
	return true;
}

static bool open_cpus(struct kernel_instance *i)
{
	char *path = tracefs_instance_get_file(i->fs, "per_cpu");
	DIR *folder = path ? opendir(path) : NULL;
	const struct dirent *entry;
	bool all = folder != NULL;

	while (all && (entry = readdir(folder)))
		all = open_cpu(i, entry->d_name);
	if (folder)
		closedir(folder);
	tracefs_put_tracing_file(path);
	return all && i->cpus;
}

static bool make_instance(struct trace_kernel *k, struct kernel_instance *i, const char *what,
			  char *why)
{
	char text[64];

	snprintf(text, sizeof(text), "rqpi-%d-%llu-%s", (int)k->tracer, began_at(k->tracer), what);
	errno = 0;
	i->fs = tracefs_instance_create(text);
	if (!i->fs)
		return refuse_instance(why, errno);
	/* Who is called how we learn from events; the kernel's own table is for everybody. */
	tracefs_option_disable(i->fs, TRACEFS_OPTION_RECORD_CMD);
	snprintf(text, sizeof(text), "%u", k->buffer_kb);
	if (tracefs_instance_file_write(i->fs, "buffer_size_kb", text) < 0)
		return kernel_refuse(why, "the kernel has no %u KB a processor for tracing: %s",
				     k->buffer_kb, strerror(errno));
	if (tracefs_instance_file_write(i->fs, "trace_clock", "mono") < 0)
		return kernel_refuse(why, "the kernel's tracing has no clock \"mono\": %s",
				     strerror(errno));
	if (!open_cpus(i))
		return kernel_refuse(why, "the kernel's trace buffers cannot be opened: %s",
				     strerror(errno));
	return true;
}

/*
 * Its calls alone, and those of all it starts. A thread that is started while we list them is
 * followed if its creator was listed; if it was not, the next look finds both.
 */
static bool follow(struct trace_kernel *k, char *why)
{
	uint32_t known = 0;
	uint32_t count;

	if (tracefs_option_enable(k->calls.fs, TRACEFS_OPTION_EVENT_FORK))
		return kernel_refuse(why,
				     "the kernel's tracing cannot follow new threads (event-fork)");
	do {
		char path[64];
		const struct dirent *entry;
		DIR *folder;

		count = known;
		known = 0;
		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", k->pid);
		folder = opendir(path);
		if (!folder)
			return kernel_refuse(why, "there is no process %" PRIu32, k->pid);
		while ((entry = readdir(folder))) {
			if (entry->d_name[0] == '.')
				continue;
			known++;
			tracefs_instance_file_append(k->calls.fs, "set_event_pid", entry->d_name);
		}
		closedir(folder);
	} while (known > count);
	return true;
}

bool kernel_open(struct trace_kernel *k, char why[KERNEL_WHY])
{
	struct stat ns;

	tracefs_set_loglevel(TEP_LOG_NONE);
	tep_set_loglevel(TEP_LOG_NONE);
	if (!stat("/proc/self/ns/pid", &ns) && ns.st_ino != FIRST_PID_NAMESPACE)
		return kernel_refuse(why,
				     "the kernel's tracing has the machine's PIDs, and a container "
				     "has others: run rqpi trace outside of it");
	if (!find_tracefs(k, why))
		return false;
	remove_stale();
	if (!make_instance(k, &k->calls, "calls", why) ||
	    !make_instance(k, &k->sched, "sched", why) || !kernel_events_learn(k, why) ||
	    !follow(k, why) || !kernel_events_enable(k, why))
		return false;
	return true;
}

void kernel_pause(struct trace_kernel *k)
{
	tracefs_trace_off(k->calls.fs);
	tracefs_trace_off(k->sched.fs);
}

static uint64_t lost_in(const struct kernel_instance *i)
{
	static const char *const lines[] = {
	    "\noverrun: ", "\ncommit overrun: ", "\ndropped events: "};
	uint64_t lost = 0;

	for (uint32_t n = 0; n < i->cpus; n++) {
		char file[64];
		char *text;

		snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", i->cpu[n]);
		text = tracefs_instance_file_read(i->fs, file, NULL);
		for (size_t l = 0; text && l < sizeof(lines) / sizeof(lines[0]); l++) {
			const char *at = strstr(text, lines[l]);

			if (at)
				lost += strtoull(at + strlen(lines[l]), NULL, 10);
		}
		free(text);
	}
	return lost;
}

uint64_t kernel_lost(const struct trace_kernel *k)
{
	return lost_in(&k->calls) + lost_in(&k->sched);
}

static void close_instance(struct kernel_instance *i)
{
	for (uint32_t n = 0; n < i->cpus; n++)
		close(i->fd[n]);
	free(i->fd);
	free(i->cpu);
	if (i->fs) {
		tracefs_instance_destroy(i->fs);
		tracefs_instance_free(i->fs);
	}
	memset(i, 0, sizeof(*i));
}

void kernel_close(struct trace_kernel *k)
{
	close_instance(&k->calls);
	close_instance(&k->sched);
	if (k->page)
		kbuffer_free(k->page);
	if (k->tep)
		tep_free(k->tep);
	free(k->bytes);
	if (k->mount >= 0) {
		close(k->mount);
		tracefs_set_tracing_dir(NULL);
	}
	k->page = NULL;
	k->tep = NULL;
	k->bytes = NULL;
	k->mount = -1;
}
