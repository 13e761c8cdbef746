/* SPDX-License-Identifier: MIT */
/*
 * Which of the threads that wait does a signal go to? Threads of priority 10 and 20 wait, one
 * signal is sent, a thread of priority 80 comes to wait, two more signals are sent. Prints the
 * priorities in the order in which they were served: by urgency that is 20 80 10. All on one CPU;
 * no thread runs for longer than a moment. Compiled without rqpi.
 * Exit status: 0, 77 without the right to SCHED_FIFO, 2 on any other error.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t served;
static int waiting, tickets;

static void *wait_for_ticket(void *priority)
{
	pthread_mutex_lock(&lock);
	waiting++;
	while (!tickets)
		pthread_cond_wait(&cond, &lock);
	tickets--;
	printf(" %d", (int)(intptr_t)priority);
	pthread_mutex_unlock(&lock);
	sem_post(&served);
	return NULL;
}

/* Returns once the thread waits: it counts itself under the lock, which only its wait gives up. */
static int begin(pthread_t *thread, int priority)
{
	struct sched_param param = {.sched_priority = priority};
	int before = waiting, now;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	if (pthread_create(thread, &attr, wait_for_ticket, (void *)(intptr_t)priority))
		return -1;
	do {
		usleep(1000);
		pthread_mutex_lock(&lock);
		now = waiting;
		pthread_mutex_unlock(&lock);
	} while (now == before);
	return 0;
}

static void serve_one(void)
{
	pthread_mutex_lock(&lock);
	tickets++;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	sem_wait(&served);
}

int main(void)
{
	struct sched_param param = {.sched_priority = 90};
	pthread_mutexattr_t attr;
	pthread_t threads[3];
	cpu_set_t cpus;
	int i;

	alarm(20);
	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	sem_init(&served, 0, 0);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (pthread_mutex_init(&lock, &attr) || sched_setaffinity(0, sizeof(cpus), &cpus))
		return 2;
	if (sched_setscheduler(0, SCHED_FIFO, &param)) {
		perror("SCHED_FIFO");
		return 77;
	}
	if (begin(&threads[0], 10) || begin(&threads[1], 20))
		return 2;
	serve_one();
	if (begin(&threads[2], 80))
		return 2;
	serve_one();
	serve_one();
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	putchar('\n');
	return 0;
}
