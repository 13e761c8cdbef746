/* SPDX-License-Identifier: MIT */
/*
 * demo_program_herd.c - the experiment *herd* of rqpi-demo-program: what a broadcast to many
 * waiters costs.
 *
 * Called by demo_program.c. MAIN has the lowest priority, holds the mutex, broadcasts, sleeps for a
 * moment and unlocks. It sleeps, as in a page fault, because the kernel lets the first waiter spin
 * for a mutex whose owner runs: then it would be chance whether the others find it locked. Waiters
 * are parked between rounds in read(2) of an eventfd, not on a futex, so that all futex calls that
 * are counted belong to the mutex and the condvar.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "demo_program.h"

enum {
	MAIN_PRIO = 1,
	PRIO_MIN_WAITER = 2,
	PRIO_SPREAD = 79, /* prime, so that PRIO_STEP meets every priority once before any twice */
	PRIO_STEP = 37,
	HOLD_US = 20, /* MAIN sleeps that long after its broadcast, with the mutex locked, */
	HOLD_PER_WAITER_US = 4, /* and with one CPU so much longer: they wake one after the other */
	WAITER_WORK_US = 2,
	BUDGET_S = 5, /* no new round after this, but */
	ROUNDS_MIN = 3,
};

static int generation; /* under mutex: the number of broadcasts */
static int arrived;    /* under mutex: waiters of this round that have come to wait */
static int served;     /* under mutex: waiters of this round that have been served */
static int gate_fd;    /* a waiter takes one from it to start the next round */
static int done_fd;    /* MAIN reads it until the round is over */

static long switches_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static long sleeps_of_thread(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static int64_t futex_calls(void)
{
	int64_t count = -1;

	if (options.counter_fd >= 0 &&
	    read(options.counter_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		count = -1;
	return count;
}

static void take_ticket(int fd)
{
	uint64_t ticket;

	while (read(fd, &ticket, sizeof(ticket)) < 0 && errno == EINTR)
		;
}

static void add_tickets(int fd, uint64_t count)
{
	if (write(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		fail("eventfd", errno);
}

static void run_waiter(struct program_thread *self)
{
	for (;;) {
		long sleeps;
		int seen;
		bool last;

		take_ticket(gate_fd);
		pthread_mutex_lock(&mutex);
		seen = generation;
		__atomic_store_n(&arrived, arrived + 1, __ATOMIC_RELEASE);
		sleeps = sleeps_of_thread();
		while (generation == seen)
			pthread_cond_wait(&cond, &mutex);
		record(self->index, DEMO_WOKEN, generation);
		burn_until(now_ns() + WAITER_WORK_US * 1000u);
		last = ++served == options.waiters;
		unlock_mutex(self);
		record(self->index, DEMO_SLEPT, sleeps_of_thread() - sleeps);
		if (last)
			add_tickets(done_fd, 1);
	}
}

static void broadcast(const struct program_thread *self)
{
	long hold_us = HOLD_US +
		       (options.cpu2 < 0 ? (long)options.waiters * HOLD_PER_WAITER_US : 0);

	lock_mutex(self);
	generation++;
	record(self->index, DEMO_BROADCAST, generation);
	pthread_cond_broadcast(&cond);
	record(self->index, DEMO_SIGNALLED, generation);
	sleep_us(hold_us);
	unlock_mutex(self);
}

static void await_all_asleep(const struct program_thread *waiters)
{
	for (int i = 0; i < options.waiters; i++)
		await_asleep(&waiters[i]);
}

static void run_round(int round, const struct program_thread *self,
		      const struct program_thread *waiters)
{
	long switches;
	long own_switches;
	int64_t calls;

	arrived = served = 0;
	add_tickets(gate_fd, (uint64_t)options.waiters);
	await_value(&arrived, options.waiters, "not all waiters reached the condition variable");
	await_all_asleep(waiters);
	record_round(round);
	calls = futex_calls();
	switches = switches_of(RUSAGE_SELF);
	broadcast(self);
	/* What MAIN sleeps from here on is its own affair. */
	own_switches = switches_of(RUSAGE_THREAD);
	take_ticket(done_fd);
	await_all_asleep(waiters);
	switches = switches_of(RUSAGE_SELF) - switches;
	switches -= switches_of(RUSAGE_THREAD) - own_switches;
	record_count("switches", switches);
	if (calls >= 0)
		record_count("futex_calls", futex_calls() - calls);
}

void run_herd(void)
{
	struct program_thread self = {.name = "MAIN", .prio = MAIN_PRIO, .index = 0};
	unsigned int count = (unsigned int)options.waiters;
	struct program_thread *waiters = calloc(count, sizeof(*waiters));
	uint64_t end;

	if (!waiters)
		fail("no memory for the waiters", ENOMEM);
	become_main(self.prio);
	prepare_log((unsigned int)options.rounds * (3 * count + 8));
	init_objects();
	gate_fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	done_fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	if (gate_fd < 0 || done_fd < 0)
		fail("eventfd", errno);
	print_thread(&self);
	for (int i = 0; i < options.waiters; i++) {
		waiters[i] = (struct program_thread){
		    .name = "waiter",
		    .prio = PRIO_MIN_WAITER + i * PRIO_STEP % PRIO_SPREAD,
		    .index = i + 1,
		    .body = run_waiter,
		};
		start_thread(&waiters[i]);
		print_thread(&waiters[i]);
	}
	end = now_ns() + BUDGET_S * 1000000000ull;
	for (int round = 0; round < options.rounds; round++) {
		if (round >= ROUNDS_MIN && now_ns() > end)
			break;
		run_round(round, &self, waiters);
	}
	print_log();
}
