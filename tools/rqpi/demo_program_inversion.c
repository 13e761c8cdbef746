/* SPDX-License-Identifier: MIT */
/*
 * demo_program_inversion.c - the experiment *group* of rqpi-demo-program: can an urgent thread that
 * only signals be held up by a thread of medium priority that has nothing to do with it?
 *
 * Called by demo_program.c. One CPU. LOW is signalled but cannot run, since HOG burns; WORKER comes
 * to wait; HIGH signals once more, and that call is timed.
 *
 *	HIGH  40   signal .................... signal (timed)
 *	WORKER 30                    wait
 *	HOG   20        burn burn burn burn burn burn burn
 *	LOW   10  wait  (released by the first signal)
 */
#include "demo_program.h"

enum { LOW = 0, HOG = 1, WORKER = 2, HIGH = 3, THREADS = 4 };

static int posted;     /* under mutex: number of the newest signal */
static int arrived;    /* how many threads have come to wait */
static int burning;    /* HOG has begun */
static int first_done; /* HIGH has sent its first signal */

/* Wait for the next signal after those already sent. */
static void wait_for_next(struct program_thread *self)
{
	int seen;

	lock_mutex(self);
	seen = posted;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	record(self->index, DEMO_WAIT, 0);
	while (posted == seen)
		pthread_cond_wait(&cond, &mutex);
	record(self->index, DEMO_WOKEN, seen + 1);
	unlock_mutex(self);
}

static void run_worker(struct program_thread *self)
{
	wait_for_go(self);
	wait_for_next(self);
}

static void run_hog(struct program_thread *self)
{
	uint64_t start;

	wait_for_go(self);
	start = now_ns();
	record(self->index, DEMO_BURN, 0);
	__atomic_store_n(&burning, 1, __ATOMIC_RELEASE);
	burn_until(start + (uint64_t)options.hog_ms * 1000000u);
	record(self->index, DEMO_BURNED, 0);
}

static void post(const struct program_thread *self)
{
	lock_mutex(self);
	posted++;
	record(self->index, DEMO_SIGNAL, posted);
	pthread_cond_signal(&cond);
	record(self->index, DEMO_SIGNALLED, posted);
	unlock_mutex(self);
	record(self->index, DEMO_DONE, posted); /* nobody else writes it */
}

static void run_high(struct program_thread *self)
{
	wait_for_go(self);
	post(self);
	__atomic_store_n(&first_done, 1, __ATOMIC_RELEASE);
	wait_for_go(self);
	post(self);
}

static void run_round(int round, struct program_thread *threads)
{
	record_round(round);
	init_objects();
	posted = arrived = burning = first_done = 0;
	for (int i = 0; i < THREADS; i++) {
		start_thread(&threads[i]);
		if (i == LOW)
			await_value(&arrived, 1, "LOW did not reach the condition variable");
		await_asleep(&threads[i]);
	}
	sem_post(&threads[HOG].go);
	await_value(&burning, 1, "HOG did not start");
	sem_post(&threads[HIGH].go);
	await_value(&first_done, 1, "HIGH did not come back from its first signal");
	await_asleep(&threads[HIGH]);
	sem_post(&threads[WORKER].go);
	await_value(&arrived, 2, "WORKER did not reach the condition variable");
	await_asleep(&threads[WORKER]);
	sem_post(&threads[HIGH].go);
	for (int i = THREADS - 1; i >= 0; i--)
		join_thread(&threads[i]);
}

void run_group_inversion(void)
{
	struct program_thread threads[THREADS] = {
	    [LOW] = {.name = "LOW", .prio = 10, .index = 1, .body = wait_for_next},
	    [HOG] = {.name = "HOG", .prio = 20, .index = 2, .body = run_hog},
	    [WORKER] = {.name = "WORKER", .prio = 30, .index = 3, .body = run_worker},
	    [HIGH] = {.name = "HIGH", .prio = 40, .index = 4, .body = run_high},
	};
	struct program_thread self = {.name = "MAIN", .prio = DEMO_CONDUCTOR_PRIO, .index = 0};

	become_main(self.prio);
	prepare_log(64u * (unsigned int)options.rounds);
	print_thread(&self);
	for (int i = 0; i < THREADS; i++)
		print_thread(&threads[i]);
	for (int round = 0; round < options.rounds; round++)
		run_round(round, threads);
	print_log();
}
