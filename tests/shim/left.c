/* SPDX-License-Identifier: MIT */
/*
 * left.c - a program that uses mutexes of several origins and says of each whether it inherits
 * priority now; for t_left.sh.
 *
 * left [WHAT] [LIBRARY]: own, protect, elsewhere, or library, which needs the library's path.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define INHERIT 0x20 /* glibc's, in __kind */

static int failed;

static void use(pthread_mutex_t *m)
{
	failed |= pthread_mutex_lock(m);
	failed |= pthread_mutex_unlock(m);
}

static void say(const char *what, const pthread_mutex_t *m)
{
	printf("%s %s\n", what, m->__data.__kind & INHERIT ? "pi" : "plain");
}

static void own(void)
{
	static pthread_mutex_t zeros;
	pthread_mutex_t made;

	failed |= pthread_mutex_init(&made, NULL);
	use(&zeros);
	use(&made);
	say("zeros", &zeros);
	say("made", &made);
}

static void protect(void)
{
	struct sched_param lowest = {.sched_priority = 1};
	/* glibc locks them in real-time threads only. */
	int realtime = pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest) == 0;
	pthread_mutexattr_t attr;
	pthread_mutex_t m[2];

	pthread_mutexattr_init(&attr);
	failed |= pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT);
	for (int i = 0; i < 2; i++) {
		failed |= pthread_mutex_init(&m[i], &attr);
		if (realtime)
			use(&m[i]);
		say("protect", &m[i]);
		failed |= pthread_mutex_destroy(&m[i]);
	}
}

struct shared {
	pthread_mutex_t m[4];
};

/* In a process of its own, without the preload. */
static int initialise(int fd)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_mutexattr_t attr;
	int err = s == MAP_FAILED;

	for (int i = 0; i < 4 && !err; i++) {
		pthread_mutexattr_init(&attr);
		err |= pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
		if (i == 1)
			err |= pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
		if (i > 1)
			err |= pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
		err |= pthread_mutex_init(&s->m[i], &attr);
	}
	return err;
}

static void elsewhere(void)
{
	int fd = memfd_create("left", 0);
	struct shared *s;
	char number[16];
	int status = 1;
	pid_t pid;

	failed |= ftruncate(fd, sizeof(*s));
	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		execl("/proc/self/exe", "left", "initialise", number, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (status || s == MAP_FAILED) {
		failed = 1;
		return;
	}
	for (int i = 0; i < 4; i++) {
		use(&s->m[i]);
		say(i < 2 ? "elsewhere" : "elsewhere-pi", &s->m[i]);
	}
}

static void library(const char *path)
{
	static pthread_mutex_t ours;
	static pthread_mutex_t lent;
	void *handle = dlopen(path, RTLD_NOW);
	void (*left_use)(pthread_mutex_t * m);
	pthread_mutex_t *left_mutex;

	if (!handle) {
		printf("%s\n", dlerror());
		failed = 1;
		return;
	}
	*(void **)&left_use = dlsym(handle, "left_use");
	left_mutex = dlsym(handle, "left_mutex");
	use(&ours);
	left_use(&lent);
	use(left_mutex);
	say("ours", &ours);
	say("by-library", &lent);
	say("in-library", left_mutex);
	dlclose(handle);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "own";

	alarm(20);
	if (argc > 2 && strcmp(what, "initialise") == 0)
		return initialise(atoi(argv[2]));
	if (strcmp(what, "protect") == 0)
		protect();
	else if (strcmp(what, "elsewhere") == 0)
		elsewhere();
	else if (argc > 2 && strcmp(what, "library") == 0)
		library(argv[2]);
	else
		own();
	return failed != 0;
}
