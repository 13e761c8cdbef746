/* SPDX-License-Identifier: MIT */
/*
 * stats_program.c - an ordinary pthread program that does one thing with locks, a known number of
 * times; t_stats.py runs it under `rqpi run --observe` and `--stats` and reads the report,
 * t_probes.py with the probes of `rqpi trace`.
 *
 * stats_program SCENE. Exit status 77: the scene needs SCHED_FIFO, which is not to be had.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stats_program.h"

static pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t many_locks[6];
static pthread_cond_t the_cond = PTHREAD_COND_INITIALIZER;
static int tokens;
static int served;
static int order[8];

struct worker {
	pthread_t handle;
	pid_t tid;
	sem_t born;
	const char *name;
	int priority; /* 0: SCHED_OTHER */
	pthread_mutex_t *mutex;
	void (*body)(struct worker *w);
	long timeout_ms;
	int result;
};

void must(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "stats_program: %s: %s\n", what, strerror(err));
	exit(err == EPERM ? 77 : 1);
}

struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), w->name);
	w->tid = (pid_t)syscall(SYS_gettid);
	sem_post(&w->born);
	w->body(w);
	return NULL;
}

static void start(struct worker *w)
{
	struct sched_param param = {.sched_priority = w->priority};
	pthread_attr_t attr;

	sem_init(&w->born, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, w->priority ? SCHED_FIFO : SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &param);
	must(pthread_create(&w->handle, &attr, run, w), "a thread");
	pthread_attr_destroy(&attr);
	sem_wait(&w->born);
}

/* Until it sleeps in the kernel; the alarm of main() bounds it. */
static void await_asleep(const struct worker *w)
{
	char path[64];
	char state = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)w->tid);
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		usleep(1000);
		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
	}
}

static void lock_and_unlock(struct worker *w)
{
	must(pthread_mutex_lock(w->mutex), "lock");
	must(pthread_mutex_unlock(w->mutex), "unlock");
}

static void lock_for_a_while(struct worker *w)
{
	struct timespec at = in_ms(CLOCK_REALTIME, w->timeout_ms);

	w->result = pthread_mutex_timedlock(w->mutex, &at);
}

static void wait_for_token(struct worker *w)
{
	pthread_mutex_lock(w->mutex);
	while (tokens == 0)
		pthread_cond_wait(&the_cond, w->mutex);
	tokens--;
	order[served] = w->priority;
	__atomic_store_n(&served, served + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(w->mutex);
}

/* The caller has @m; a thread comes to wait for it and sleeps. */
static void contend(pthread_mutex_t *m, const char *name, int priority)
{
	struct worker w = {.name = name, .priority = priority, .mutex = m, .body = lock_and_unlock};

	must(pthread_mutex_lock(m), "lock");
	start(&w);
	await_asleep(&w);
	must(pthread_mutex_unlock(m), "unlock");
	pthread_join(w.handle, NULL);
}

static void scene_inversion(void)
{
	pthread_setname_np(pthread_self(), "logger");
	contend(&the_lock, "controller", 10);
}

static void scene_odd_names(void)
{
	contend(&the_lock, "a\"b\\c\nd", 0);
}

static void scene_no_utf8(void)
{
	contend(&the_lock, "\xff\xc3(\x1b[1m", 0);
}

static void scene_equals(void)
{
	contend(&the_lock, "controller", 0);
}

/* The holder is the more urgent one. */
static void scene_opposite(void)
{
	struct sched_param param = {.sched_priority = 20};

	must(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), "SCHED_FIFO");
	contend(&the_lock, "controller", 10);
}

static void scene_no_waits(void)
{
	for (int i = 0; i < 1000; i++)
		must(pthread_mutex_lock(&the_lock) || pthread_mutex_unlock(&the_lock), "lock");
}

static void wait_once(bool broadcast, bool held)
{
	struct worker w = {.name = "waiter", .mutex = &the_lock, .body = wait_for_token};

	start(&w);
	await_asleep(&w);
	pthread_mutex_lock(&the_lock);
	tokens = 1;
	if (!held)
		pthread_mutex_unlock(&the_lock);
	if (broadcast)
		pthread_cond_broadcast(&the_cond);
	else
		pthread_cond_signal(&the_cond);
	if (held)
		pthread_mutex_unlock(&the_lock);
	pthread_join(w.handle, NULL);
}

/* 5 lock waits; 3 that time out; cond waits: 6 woken, 2 timed out; 4 signals met nobody. */
static void scene_counts(void)
{
	struct timespec at;

	for (int i = 0; i < 5; i++)
		contend(&the_lock, "controller", 0);
	for (int i = 0; i < 3; i++) {
		struct worker w = {.name = "hasty",
				   .mutex = &many_locks[0],
				   .body = lock_for_a_while,
				   .timeout_ms = 10};

		pthread_mutex_lock(&many_locks[0]);
		start(&w);
		pthread_join(w.handle, NULL);
		pthread_mutex_unlock(&many_locks[0]);
		must(w.result == ETIMEDOUT ? 0 : EINVAL, "timedlock");
	}
	for (int i = 0; i < 4; i++) {
		pthread_cond_signal(&the_cond);
		wait_once(false, false);
	}
	wait_once(false, true);
	wait_once(true, false);
	pthread_mutex_lock(&the_lock);
	for (int i = 0; i < 2; i++) {
		at = in_ms(CLOCK_MONOTONIC, 5);
		pthread_cond_clockwait(&the_cond, &the_lock, CLOCK_MONOTONIC, &at);
	}
	pthread_mutex_unlock(&the_lock);
}

static void send_token(pthread_mutex_t *m, int count)
{
	pthread_mutex_lock(m);
	tokens++;
	pthread_cond_signal(&the_cond);
	pthread_mutex_unlock(m);
	while (__atomic_load_n(&served, __ATOMIC_ACQUIRE) < count)
		usleep(1000);
}

/* Two wait, one is signalled, a third and more urgent one comes: who has the next signal? */
static void scene_order(void)
{
	static pthread_mutex_t m;
	struct sched_param param = {.sched_priority = 50};
	pthread_mutexattr_t attr;
	struct worker w[] = {{.name = "low", .priority = 10},
			     {.name = "middle", .priority = 20},
			     {.name = "urgent", .priority = 40}};

	must(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), "SCHED_FIFO");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &attr);
	for (size_t i = 0; i < COUNT(w); i++) {
		w[i].mutex = &m;
		w[i].body = wait_for_token;
		start(&w[i]);
		await_asleep(&w[i]);
		if (i == 1)
			send_token(&m, 1);
	}
	send_token(&m, 2);
	send_token(&m, 3);
	for (size_t i = 0; i < COUNT(w); i++)
		pthread_join(w[i].handle, NULL);
	printf("%d %d %d\n", order[0], order[1], order[2]);
}

static void wait_plainly(struct worker *w)
{
	pthread_mutex_lock(w->mutex);
	pthread_cond_wait(&the_cond, w->mutex);
	__atomic_store_n(&served, served + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(w->mutex);
}

/*
 * The low one has been signalled and waits for the mutex, as the urgent one does, who gets it
 * first, and begins to wait: too late for that signal, so nothing is out of order.
 */
static void scene_late(void)
{
	static pthread_mutex_t m;
	struct sched_param param = {.sched_priority = 50};
	pthread_mutexattr_t attr;
	struct worker low = {.name = "low", .priority = 10, .mutex = &m, .body = wait_plainly};
	struct worker late = {.name = "late", .priority = 40, .mutex = &m, .body = wait_plainly};

	must(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), "SCHED_FIFO");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &attr);
	start(&low);
	await_asleep(&low);
	pthread_mutex_lock(&m);
	start(&late);
	await_asleep(&late);
	pthread_cond_signal(&the_cond);
	usleep(5000); /* the low one comes as far as the mutex */
	pthread_mutex_unlock(&m);
	while (__atomic_load_n(&served, __ATOMIC_ACQUIRE) == 0)
		usleep(1000);
	await_asleep(&late);
	pthread_cond_signal(&the_cond);
	pthread_join(low.handle, NULL);
	pthread_join(late.handle, NULL);
}

/* One thread has it, one waits, and nothing goes on: the report on a signal is the only one. */
static void scene_stuck(void)
{
	struct worker w = {.name = "stuck", .mutex = &the_lock, .body = lock_and_unlock};

	pthread_setname_np(pthread_self(), "keeper");
	pthread_mutex_lock(&the_lock);
	start(&w);
	await_asleep(&w);
	raise(SIGUSR2);
	raise(SIGKILL);
}

static void scene_fork(void)
{
	pid_t child;

	contend(&the_lock, "parents", 0);
	contend(&the_lock, "parents", 0);
	child = fork();
	if (child == 0) {
		contend(&the_lock, "offspring", 0);
		exit(0);
	}
	waitpid(child, NULL, 0);
	contend(&the_lock, "parents", 0);
}

static void wait_in_vain(struct worker *w)
{
	struct timespec at;

	pthread_mutex_lock(w->mutex);
	while (tokens == 0) {
		at = in_ms(CLOCK_MONOTONIC, 5);
		pthread_cond_clockwait(&the_cond, w->mutex, CLOCK_MONOTONIC, &at);
	}
	pthread_mutex_unlock(w->mutex);
}

/* Says who it is; then a thread waits again and again, until there is a line to read. */
static void scene_patient(void)
{
	struct worker w = {.name = "patient", .mutex = &the_lock, .body = wait_in_vain};

	start(&w);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		;
	pthread_mutex_lock(&the_lock);
	tokens = 1;
	pthread_mutex_unlock(&the_lock);
	pthread_join(w.handle, NULL);
}

static void scene_patient_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		scene_patient();
		exit(0);
	}
	waitpid(child, NULL, 0);
}

static void scene_vfork(void)
{
	pid_t child;

	contend(&the_lock, "parents", 0);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	child = vfork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
}

static void on_forbidden(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	dprintf(STDERR_FILENO, "call %d is forbidden\n", info->si_syscall);
	_exit(3);
}

#define NUMBER offsetof(struct seccomp_data, nr)
#define FIRST  offsetof(struct seccomp_data, args[0])

/* As browsers do for their renderers: no files, and no look at threads but the caller. */
static void forbid(void)
{
	struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 5, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 4, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getscheduler, 0, 2),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIRST),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog program = {.len = COUNT(filter), .filter = filter};

	must(sigaction(SIGSYS, &action, NULL) ? errno : 0, "SIGSYS");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? errno : 0, "no new privileges");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? errno : 0, "a filter");
}

static void scene_sandboxed(void)
{
	struct worker w = {.name = "renderer", .mutex = &the_lock, .body = lock_and_unlock};
	int status = 0;
	pid_t child;

	forbid();
	pthread_mutex_lock(&the_lock);
	start(&w);
	usleep(20000); /* it comes to wait; /proc is closed to us */
	pthread_mutex_unlock(&the_lock);
	pthread_join(w.handle, NULL);
	child = fork();
	if (child == 0)
		exit(0);
	waitpid(child, &status, 0);
	must(status ? EPROTO : 0, "a child");
}

static void scene_quick_end(void)
{
	contend(&the_lock, "controller", 0);
	_exit(0);
}

static void scene_quick_end_c99(void)
{
	contend(&the_lock, "controller", 0);
	_Exit(0);
}

static void scene_many(void)
{
	for (size_t i = 0; i < COUNT(many_locks); i++)
		contend(&many_locks[i], "controller", 0);
}

__attribute__((noinline)) void make_a_mutex(pthread_mutex_t *m);

void make_a_mutex(pthread_mutex_t *m)
{
	must(pthread_mutex_init(m, NULL), "init");
}

/* Three in turn, in the same place. */
static void scene_lives(void)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	for (int i = 0; i < 3; i++) {
		make_a_mutex(m);
		contend(m, "controller", 0);
		must(pthread_mutex_destroy(m), "destroy");
	}
	free(m);
}

static void scene_cancel(void)
{
	struct worker w = {.name = "waiter", .mutex = &the_lock, .body = wait_for_token};

	start(&w);
	await_asleep(&w);
	pthread_cancel(w.handle);
	pthread_join(w.handle, NULL);
}

static const struct scene {
	const char *name;
	void (*play)(void);
} scenes[] = {
    {"inversion", scene_inversion}, {"equals", scene_equals},
    {"opposite", scene_opposite},   {"no-waits", scene_no_waits},
    {"counts", scene_counts},	    {"order", scene_order},
    {"stuck", scene_stuck},	    {"fork", scene_fork},
    {"patient", scene_patient},	    {"patient-child", scene_patient_child},
    {"vfork", scene_vfork},	    {"sandboxed", scene_sandboxed},
    {"quick-end", scene_quick_end}, {"quick-end-c99", scene_quick_end_c99},
    {"many", scene_many},	    {"lives", scene_lives},
    {"cancel", scene_cancel},	    {"odd-names", scene_odd_names},
    {"no-utf8", scene_no_utf8},	    {"late", scene_late},
    {"kinds", scene_kinds},
};

int main(int argc, char **argv)
{
	cpu_set_t one;

	alarm(20);
	/* One CPU: the most urgent thread that can run is the only one that does. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (size_t i = 0; argc == 2 && i < COUNT(scenes); i++) {
		if (strcmp(argv[1], scenes[i].name) == 0) {
			scenes[i].play();
			return 0;
		}
	}
	fprintf(stderr, "usage: stats_program SCENE\n");
	return 2;
}
