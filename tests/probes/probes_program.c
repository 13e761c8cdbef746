/* SPDX-License-Identifier: MIT */
/*
 * probes_program.c - a small program to look into with bpftrace; it says itself what it did.
 *
 * probes_program waits: a known number of locks that wait, waits, signals and broadcasts.
 * probes_program inversion: three SCHED_FIFO threads on one processor. The urgent one
 * ("eager") waits for a mutex whose owner works, and so inherits and runs, while one in the middle
 * ("idler") does not get to run. Then the same with an owner that sleeps: "high" waits, "middle"
 * runs.
 *
 * Each mode waits for a line on standard input first. Exit status 77: no right to SCHED_FIFO.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/rqpi.h>

#define LOCKS	   20
#define SIGNALS	   15
#define BROADCASTS 5
#define HERD	   3
#define TIMEOUTS   4
#define SLEEP_MS   40
#define BUSY_MS	   10

static rqpi_mutex_t the_lock = RQPI_MUTEX_INITIALIZER;
static rqpi_mutex_t cond_lock = RQPI_MUTEX_INITIALIZER;
static rqpi_cond_t the_cond = RQPI_COND_INITIALIZER;
static sem_t turn;
static sem_t done;
static _Atomic pid_t tids[HERD];

static void must(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "probes_program: %s: %s\n", what, strerror(err));
	exit(err == EPERM ? 77 : 1);
}

static void pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&time, &time) != 0)
		;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Asleep for longer than a yield: two looks. */
static void await_sleeper(pid_t tid)
{
	int asleep = 0;

	while (asleep < 3) {
		char path[64];
		char state = 0;
		FILE *f;

		pause_ms(1);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
		f = fopen(path, "re");
		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			exit(1);
		fclose(f);
		asleep = state == 'S' ? asleep + 1 : 0;
	}
}

/* ---- waits ---- */

static void *locker(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "locker");
	atomic_store(&tids[0], gettid());
	for (int i = 0; i < LOCKS; i++) {
		sem_wait(&turn);
		rqpi_mutex_lock(&the_lock);
		rqpi_mutex_unlock(&the_lock);
		sem_post(&done);
	}
	return NULL;
}

static void do_locks(void)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, locker, NULL), "pthread_create");
	for (int i = 0; i < LOCKS; i++) {
		rqpi_mutex_lock(&the_lock);
		sem_post(&turn);
		while (!atomic_load(&tids[0]))
			pause_ms(1);
		await_sleeper(atomic_load(&tids[0]));
		rqpi_mutex_unlock(&the_lock);
		sem_wait(&done);
	}
	pthread_join(thread, NULL);
}

static void *waiter(void *arg)
{
	_Atomic pid_t *tid = arg;

	pthread_setname_np(pthread_self(), "waiter");
	rqpi_mutex_lock(&cond_lock);
	atomic_store(tid, gettid());
	rqpi_cond_wait(&the_cond, &cond_lock);
	rqpi_mutex_unlock(&cond_lock);
	return NULL;
}

static void release(int waiters, int (*how)(rqpi_cond_t *cond))
{
	pthread_t threads[HERD];

	for (int i = 0; i < waiters; i++) {
		atomic_store(&tids[i], 0);
		must(pthread_create(&threads[i], NULL, waiter, &tids[i]), "pthread_create");
		while (!atomic_load(&tids[i]))
			pause_ms(1);
		await_sleeper(atomic_load(&tids[i]));
	}
	rqpi_mutex_lock(&cond_lock);
	how(&the_cond);
	rqpi_mutex_unlock(&cond_lock);
	for (int i = 0; i < waiters; i++)
		pthread_join(threads[i], NULL);
}

static void wait_in_vain(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	rqpi_mutex_lock(&cond_lock);
	rqpi_cond_timedwait(&the_cond, &cond_lock, &at);
	rqpi_mutex_unlock(&cond_lock);
}

static void do_waits(void)
{
	do_locks();
	for (int i = 0; i < SIGNALS; i++)
		release(1, rqpi_cond_signal);
	for (int i = 0; i < BROADCASTS; i++)
		release(HERD, rqpi_cond_broadcast);
	for (int i = 0; i < TIMEOUTS; i++)
		wait_in_vain();
	printf("the_lock %p locks %d\n", (void *)&the_lock, LOCKS);
	printf("the_cond %p signals %d broadcasts %d released %d timeouts %d\n", (void *)&the_cond,
	       SIGNALS, BROADCASTS, SIGNALS + BROADCASTS * HERD, TIMEOUTS);
}

/* ---- inversion ---- */

static bool owner_sleeps;
static sem_t owned;
static sem_t middle_may;

static void burn(double ms)
{
	double end = now_ms() + ms;

	while (now_ms() < end)
		;
}

static void *low(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "low");
	rqpi_mutex_lock(&the_lock);
	sem_post(&owned);
	if (owner_sleeps)
		pause_ms(SLEEP_MS);
	else
		burn(BUSY_MS);
	rqpi_mutex_unlock(&the_lock);
	return NULL;
}

static void *middle(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), owner_sleeps ? "middle" : "idler");
	sem_wait(&middle_may);
	burn(BUSY_MS);
	return NULL;
}

static void *high(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), owner_sleeps ? "high" : "eager");
	sem_wait(&owned);
	sem_post(&middle_may);
	rqpi_mutex_lock(&the_lock);
	rqpi_mutex_unlock(&the_lock);
	return NULL;
}

static pthread_t start_fifo(void *(*body)(void *arg), int priority)
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	must(pthread_create(&thread, &attr, body, NULL), "SCHED_FIFO");
	pthread_attr_destroy(&attr);
	return thread;
}

static void do_inversion(bool sleeps)
{
	cpu_set_t one;
	pthread_t threads[3];

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one); /* all of them on this one */
	owner_sleeps = sleeps;
	threads[0] = start_fifo(middle, 20);
	threads[1] = start_fifo(high, 30);
	threads[2] = start_fifo(low, 10);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	char line[16];

	alarm(60);
	sem_init(&turn, 0, 0);
	sem_init(&done, 0, 0);
	sem_init(&owned, 0, 0);
	sem_init(&middle_may, 0, 0);
	if (argc != 2 || !fgets(line, sizeof(line), stdin))
		return 2;
	if (strcmp(argv[1], "waits") == 0) {
		do_waits();
	} else {
		do_inversion(false);
		do_inversion(true);
	}
	return 0;
}
