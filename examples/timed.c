/* SPDX-License-Identifier: MIT */
/*
 * timed.c - a control loop that does its work every 5 ms and takes new orders in between.
 *
 *	cc timed.c $(pkg-config --cflags --libs rqpi) -o timed && ./timed
 *
 * The loop sleeps in rqpi_cond_clockwait() until the next period begins, on CLOCK_MONOTONIC, so
 * that setting the wall clock does not disturb it. A new setpoint wakes it early; the deadline is
 * absolute, so that it goes back to sleep for the rest of the period without adding anything up.
 * If it may, the loop runs as SCHED_FIFO 10: then the thread that gives orders inherits that
 * priority whenever it is in the loop's way.
 * Exit status 0: no period began too early, and the last order was taken. 1: not so. 2: cannot.
 * 77: no PI futex here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/rqpi.h>

enum { PERIOD_NS = 5000000, ORDERS = 10, STOP = -1, PRIORITY = 10 };

struct loop {
	rqpi_mutex_t lock;
	rqpi_cond_t order;
	int setpoint; /* guarded by lock; the newest order, or STOP */
	int taken;    /* guarded by lock; the newest one that the loop has seen */
	int periods;
	int early;    /* periods that began before their time */
	long late_ns; /* the worst delay of a period */
	double value; /* what is controlled: follows the setpoint */
};

static struct loop loop = {.lock = RQPI_MUTEX_INITIALIZER, .order = RQPI_COND_INITIALIZER};

static void add_ns(struct timespec *at, long ns)
{
	at->tv_nsec += ns;
	at->tv_sec += at->tv_nsec / 1000000000;
	at->tv_nsec %= 1000000000;
}

static long ns_since(const struct timespec *at)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)(now.tv_sec - at->tv_sec) * 1000000000 + (now.tv_nsec - at->tv_nsec);
}

/* With the lock: sleep until @at, taking orders meanwhile. 0, or what went wrong. */
static int sleep_until(struct loop *l, const struct timespec *at)
{
	int err;

	do {
		err = rqpi_cond_clockwait(&l->order, &l->lock, CLOCK_MONOTONIC, at);
		l->taken = l->setpoint;
	} while (err == 0); /* an order, or a wakeup without a reason: the period is not over */
	return err == ETIMEDOUT ? 0 : err;
}

static void *run_loop(void *arg)
{
	struct loop *l = arg;
	struct timespec next;
	long late;
	int err = rqpi_mutex_lock(&l->lock);

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!err && l->taken != STOP) {
		add_ns(&next, PERIOD_NS);
		err = sleep_until(l, &next);
		late = ns_since(&next);
		if (late < 0)
			l->early++;
		if (late > l->late_ns)
			l->late_ns = late;
		l->periods++;
		if (l->taken != STOP)
			l->value += (l->taken - l->value) / 4;
	}
	rqpi_mutex_unlock(&l->lock);
	if (err)
		fprintf(stderr, "timed: the wait failed: %s\n", rqpi_strerror(err));
	return err ? l : NULL;
}

/* The loop's thread, real-time if that is allowed. */
static bool start_loop(pthread_t *thread)
{
	struct sched_param param = {.sched_priority = PRIORITY};
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(thread, &attr, run_loop, &loop);
	pthread_attr_destroy(&attr);
	if (err == EPERM) {
		printf("timed: no right to SCHED_FIFO, see rqpi(7); as an ordinary thread\n");
		err = pthread_create(thread, NULL, run_loop, &loop);
	}
	return err == 0;
}

static void give_order(int setpoint)
{
	rqpi_mutex_lock(&loop.lock);
	loop.setpoint = setpoint;
	rqpi_cond_signal(&loop.order);
	rqpi_mutex_unlock(&loop.lock);
}

int main(void)
{
	const struct timespec pause = {0, 27000000};
	pthread_t thread;
	void *failed;

	alarm(30);
	if (!(rqpi_caps() & RQPI_CAP_PI)) {
		printf("timed: the kernel, or a sandbox, offers no PI futex\n");
		return 77;
	}
	if (!start_loop(&thread)) {
		fprintf(stderr, "timed: cannot make a thread\n");
		return 2;
	}
	for (int i = 1; i <= ORDERS; i++) {
		give_order(i * 10);
		nanosleep(&pause, NULL);
	}
	give_order(STOP);
	pthread_join(thread, &failed);
	printf("timed: %d periods of %d us, %d early, worst delay %ld us; value %.1f of %d\n",
	       loop.periods, PERIOD_NS / 1000, loop.early, loop.late_ns / 1000, loop.value,
	       ORDERS * 10);
	return !failed && loop.early == 0 && loop.periods > 0 && loop.taken == STOP ? 0 : 1;
}
