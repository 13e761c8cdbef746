/* SPDX-License-Identifier: MIT */
/*
 * An ordinary program: a queue of eight places between two producers and two consumers, with a
 * mutex that inherits priority and two condition variables. It is compiled without rqpi, and prints
 * the sum of what went through, and whether the function is there by which rqpi(7) tells a program
 * that the preload is at work.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { PLACES = 8, ITEMS = 20000 };

static pthread_mutex_t lock;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static int places[PLACES];
static unsigned int put, taken;
static long long sum;

static void *produce(void *first)
{
	int item;

	for (item = *(int *)first; item <= ITEMS; item += 2) {
		pthread_mutex_lock(&lock);
		while (put - taken == PLACES)
			pthread_cond_wait(&not_full, &lock);
		places[put++ % PLACES] = item;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *consume(void *unused)
{
	int n;

	(void)unused;
	for (n = 0; n < ITEMS / 2; n++) {
		pthread_mutex_lock(&lock);
		while (put == taken)
			pthread_cond_wait(&not_empty, &lock);
		sum += places[taken++ % PLACES];
		pthread_cond_broadcast(&not_full);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	int (*active)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "rqpi_preload_active");
	int first[2] = {1, 2};
	pthread_mutexattr_t attr;
	pthread_t threads[4];
	int i;

	alarm(60);
	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) ||
	    pthread_mutex_init(&lock, &attr))
		return 2;
	for (i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, i < 2 ? produce : consume, &first[i % 2]))
			return 2;
	}
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("sum %lld, rqpi %s\n", sum,
	       !active	  ? "is not here"
	       : active() ? "is at work"
			  : "has stepped aside");
	return sum != (long long)ITEMS * (ITEMS + 1) / 2;
}
