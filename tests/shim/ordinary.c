/* SPDX-License-Identifier: MIT */
/* ordinary.c - see ordinary.h. Linked into every test program of the preloads. */
#define _GNU_SOURCE
#include "ordinary.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON_MS	   10000 /* for what must happen; only a failing test waits this long */
#define WATCHDOG_S 40

/* RQT_WATCHDOG: on a slow machine, as support.c has it. */
void ord_watchdog(void)
{
	const char *env = getenv("RQT_WATCHDOG");
	int seconds = env ? atoi(env) : 0;

	alarm(seconds > 0 ? (unsigned int)seconds : WATCHDOG_S);
}

enum under ord_under(void)
{
	const char *under = getenv("ORDINARY_UNDER");

	if (under && strcmp(under, "default") == 0)
		return UNDER_DEFAULT;
	if (under && strcmp(under, "mutex") == 0)
		return UNDER_MUTEX;
	if (under && strcmp(under, "force") == 0)
		return UNDER_FORCE;
	return UNDER_LIBC;
}

const char *ord_wrong_under(void)
{
	const char *force = getenv("RQPI_FORCE_PI");
	int (*active)(void);
	Dl_info info;
	bool mutex;

	*(void **)&active = dlsym(RTLD_DEFAULT, "rqpi_preload_active");
	if (ord_under() == UNDER_LIBC)
		return active ? "there is a preload, but none was meant" : NULL;
	if (!active || !dladdr(*(void **)&active, &info))
		return "there is no preload";
	if (!active())
		return "the preload has stepped aside";
	mutex = strstr(info.dli_fname, "librqpi-preload-mutex.so") != NULL;
	if (mutex == (ord_under() == UNDER_DEFAULT))
		return "it is the other preload";
	if ((ord_under() == UNDER_FORCE) != (force && strcmp(force, "1") == 0))
		return "RQPI_FORCE_PI says the opposite";
	return NULL;
}

pid_t ord_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void *run(void *arg)
{
	struct ord_thread *t = arg;
	void *result;

	__atomic_store_n(&t->tid, ord_tid(), __ATOMIC_SEQ_CST);
	result = t->body(t->arg);
	__atomic_store_n(&t->ended, true, __ATOMIC_SEQ_CST);
	return result;
}

int ord_start(struct ord_thread *t, void *(*body)(void *arg), void *arg, int prio)
{
	struct sched_param param = {.sched_priority = prio};
	pthread_attr_t attr;
	int err;

	memset(t, 0, sizeof(*t));
	t->body = body;
	t->arg = arg;
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, prio ? SCHED_FIFO : SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(&t->handle, &attr, run, t);
	pthread_attr_destroy(&attr);
	while (!err && !__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		usleep(100);
	return err;
}

void ord_join(struct ord_thread *t)
{
	if (pthread_join(t->handle, NULL))
		abort();
}

static void *do_nothing(void *arg)
{
	return arg;
}

bool ord_may_fifo(void)
{
	struct ord_thread t;

	if (ord_start(&t, do_nothing, NULL, 1))
		return false;
	ord_join(&t);
	return true;
}

/* The futex operation that a thread sleeps in, -1: none. */
static int operation(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long op;
	long number;
	int n;

	if (!f)
		return -1;
	n = fscanf(f, "%ld %*x %lx", &number, &op);
	fclose(f);
	return n == 2 && number == SYS_futex ? (int)(op & (unsigned long)FUTEX_CMD_MASK) : -1;
}

static int wait_operation(const char *path, const bool *ended)
{
	int64_t end = ord_now_ns() + SOON_MS * 1000000LL;
	int op;

	while ((op = operation(path)) < 0 && ord_now_ns() < end &&
	       !(ended && __atomic_load_n(ended, __ATOMIC_SEQ_CST)))
		usleep(200);
	return op;
}

int ord_asleep(struct ord_thread *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)t->tid);
	return wait_operation(path, &t->ended);
}

int ord_child_asleep(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	return wait_operation(path, NULL);
}

bool ord_is_asleep(struct ord_thread *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)t->tid);
	return operation(path) >= 0;
}

long ord_kernel_prio(pid_t tid)
{
	char path[64];
	char buf[1024];
	char *at;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;
	if (f)
		fclose(f);
	buf[n] = '\0';
	/* Field 18; the name in field 2 may hold blanks: count from its bracket. */
	at = strrchr(buf, ')');
	for (int field = 2; at && field < 18; field++)
		at = strchr(at + 1, ' ');
	return at ? strtol(at, NULL, 10) : 1000;
}

bool ord_reaches_prio(pid_t tid, long want)
{
	int64_t end = ord_now_ns() + SOON_MS * 1000000LL;

	while (ord_kernel_prio(tid) != want) {
		if (ord_now_ns() > end)
			return false;
		usleep(200);
	}
	return true;
}

bool ord_reaches(const int *value, int want)
{
	int64_t end = ord_now_ns() + SOON_MS * 1000000LL;

	while (__atomic_load_n(value, __ATOMIC_SEQ_CST) < want) {
		if (ord_now_ns() > end)
			return false;
		usleep(100);
	}
	return true;
}

struct timespec ord_in_ms(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_nsec -= 1000000000L;
		ts.tv_sec++;
	}
	return ts;
}

int64_t ord_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int ord_reap(pid_t pid)
{
	int64_t end = ord_now_ns() + SOON_MS * 1000000LL;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ord_now_ns() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(500);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int ord_init_mutex(pthread_mutex_t *m, int type, int flags)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	err = pthread_mutexattr_settype(&attr, type);
	if (!err && flags & ORD_PI)
		err = pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (!err && flags & ORD_ROBUST)
		err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!err && flags & ORD_SHARED)
		err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!err)
		err = pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
	return err;
}

int ord_init_cond(pthread_cond_t *c, clockid_t clock, int flags)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	err = pthread_condattr_setclock(&attr, clock);
	if (!err && flags & ORD_SHARED)
		err = pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!err)
		err = pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
	return err;
}
