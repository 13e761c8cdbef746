/* SPDX-License-Identifier: MIT */
/*
 * cost.c - how many instructions it takes to lock, unlock, signal and broadcast where nobody waits.
 *
 * Run by t_cost.sh with a library that has probes, and with the same without. One line for each
 * operation: its name and the number of instructions, those of the stepping itself included.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>

#include "tests/support/step.h"

static rqpi_mutex_t mutex = RQPI_MUTEX_INITIALIZER;
static rqpi_mutex_t robust;
static rqpi_cond_t fresh = RQPI_COND_INITIALIZER;
static rqpi_cond_t used = RQPI_COND_INITIALIZER;

static void lock(void)
{
	rqpi_mutex_lock(&mutex);
	rqpi_mutex_unlock(&mutex);
}

static void trylock(void)
{
	if (rqpi_mutex_trylock(&mutex) == 0)
		rqpi_mutex_unlock(&mutex);
}

static void lock_robust(void)
{
	rqpi_mutex_lock(&robust);
	rqpi_mutex_unlock(&robust);
}

static void signal_fresh(void)
{
	rqpi_cond_signal(&fresh);
}

static void broadcast_fresh(void)
{
	rqpi_cond_broadcast(&fresh);
}

static void signal_used(void)
{
	rqpi_cond_signal(&used);
}

static void count_instructions(const char *name, void (*operation)(void))
{
	struct rqt_step_plan plan = {.at = ULONG_MAX};

	operation(); /* all that only the first call does */
	rqt_step_plan(&plan);
	rqt_step_begin();
	operation();
	rqt_step_end();
	printf("%s %lu\n", name, plan.steps);
}

/* A wait that ends at once leaves the condvar as one that was waited on. */
static void use(rqpi_cond_t *cond)
{
	struct timespec past = {1, 0};

	rqpi_mutex_lock(&mutex);
	rqpi_cond_timedwait(cond, &mutex, &past);
	rqpi_mutex_unlock(&mutex);
}

int main(void)
{
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	rqpi_mutex_init(&robust, &attr);
	use(&used);
	count_instructions("lock and unlock", lock);
	count_instructions("trylock and unlock", trylock);
	if (rqpi_caps() & RQPI_CAP_ROBUST)
		count_instructions("lock and unlock, robust", lock_robust);
	count_instructions("signal", signal_fresh);
	count_instructions("broadcast", broadcast_fresh);
	count_instructions("signal after a first wait", signal_used);
	return 0;
}
