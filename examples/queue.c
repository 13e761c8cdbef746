/* SPDX-License-Identifier: MIT */
/*
 * queue.c - a bounded queue between threads, the first thing to build with a mutex and two
 * condvars.
 *
 *	cc queue.c $(pkg-config --cflags --libs rqpi) -o queue && ./queue
 *
 * Nothing has to be initialised at run time. put() and get() are the ten lines that matter: lock,
 * wait in a loop while there is nothing to do, do it, signal, unlock. A signal with the mutex held
 * does not wake a thread only to let it sleep again: the kernel moves it onto the mutex, and it
 * wakes once, owning it.
 * Exit status 0: every item arrived once. 1: an item was lost or doubled. 2: no thread could be
 * made. 77: no PI futex here.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rqpi/rqpi.h>

enum { SLOTS = 8, PRODUCERS = 2, CONSUMERS = 2, ITEMS = 5000 /* of each producer */ };

static rqpi_mutex_t lock = RQPI_MUTEX_INITIALIZER;
static rqpi_cond_t not_empty = RQPI_COND_INITIALIZER;
static rqpi_cond_t not_full = RQPI_COND_INITIALIZER;
static int slots[SLOTS]; /* guarded by lock, as the two counts are */
static unsigned int head, count;

static void put(int item)
{
	rqpi_mutex_lock(&lock);
	while (count == SLOTS)
		rqpi_cond_wait(&not_full, &lock);
	slots[(head + count++) % SLOTS] = item;
	rqpi_cond_signal(&not_empty);
	rqpi_mutex_unlock(&lock);
}

static int get(void)
{
	int item;

	rqpi_mutex_lock(&lock);
	while (count == 0)
		rqpi_cond_wait(&not_empty, &lock);
	item = slots[head];
	head = (head + 1) % SLOTS;
	count--;
	rqpi_cond_signal(&not_full);
	rqpi_mutex_unlock(&lock);
	return item;
}

static void *produce(void *arg)
{
	for (int item = 1; item <= ITEMS; item++)
		put(item);
	return arg;
}

/* Items are 1, 2, 3 ...; 0 is the sign to end. Returns their sum through @arg. */
static void *consume(void *arg)
{
	long *sum = arg;
	int item;

	while ((item = get()) != 0)
		*sum += item;
	return NULL;
}

static pthread_t start(void *(*body)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, arg)) {
		fprintf(stderr, "queue: cannot make a thread\n");
		exit(2);
	}
	return thread;
}

int main(void)
{
	const long expected = (long)PRODUCERS * ITEMS * (ITEMS + 1) / 2;
	pthread_t producers[PRODUCERS], consumers[CONSUMERS];
	long sums[CONSUMERS] = {0};
	long sum = 0;

	alarm(60); /* an example must not hang a test run */
	/* put() and get() ignore what lock returns: with this capability it cannot fail in them. */
	if (!(rqpi_caps() & RQPI_CAP_PI)) {
		printf("queue: the kernel, or a sandbox, offers no PI futex\n");
		return 77;
	}
	for (int i = 0; i < CONSUMERS; i++)
		consumers[i] = start(consume, &sums[i]);
	for (int i = 0; i < PRODUCERS; i++)
		producers[i] = start(produce, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	for (int i = 0; i < CONSUMERS; i++)
		put(0);
	for (int i = 0; i < CONSUMERS; i++) {
		pthread_join(consumers[i], NULL);
		sum += sums[i];
	}
	printf("queue: %d items through %d slots, sum %ld, expected %ld\n", PRODUCERS * ITEMS,
	       SLOTS, sum, expected);
	return sum == expected ? 0 : 1;
}
