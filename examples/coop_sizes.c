/* SPDX-License-Identifier: MIT */
/*
 * coop_sizes.c - how much memory an embedder gives to the engine: docs/embedding.md quotes it.
 *
 * Prints the sizes for this machine, and then shows that they are all there is: many tasks wait
 * for one PI futex, from storage that was handed over before, and nothing is ever allocated.
 * Exit status 0: so it was. 1: not so. 2: no memory.
 */
#include "port_coop.h"

#include <stdio.h>
#include <stdlib.h>

enum { WAITERS = 1000, BUCKETS = 256 };

static struct coop coop;
static struct coop_task owner;
static struct coop_task *waiters;
static uint32_t word;
static int served;

static void futex(struct coop_task *t, int op)
{
	(void)rqpi_futex_call(t->task, &word, op | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0);
}

static void hold(struct coop_task *self, void *arg)
{
	(void)arg;
	futex(self, RQPI_FUTEX_LOCK_PI);
	coop_sleep(self);
	futex(self, RQPI_FUTEX_UNLOCK_PI);
}

static void want(struct coop_task *self, void *arg)
{
	(void)arg;
	futex(self, RQPI_FUTEX_LOCK_PI);
	served++;
	futex(self, RQPI_FUTEX_UNLOCK_PI);
}

static void spawn(struct coop_task *t, void (*fn)(struct coop_task *self, void *arg))
{
	if (coop_spawn(&coop, t, 1, RQPI_PRIO_NICE(0), fn, NULL)) {
		fprintf(stderr, "coop_sizes: no memory for a task\n");
		exit(2);
	}
	coop_run(&coop);
}

static void count_line(void *arg, const char *line)
{
	(void)line;
	++*(int *)arg;
}

int main(void)
{
	int queued = 0;

	printf("bytes of ...\n");
	printf("  an engine with one hash bucket             %5zu\n", rqpi_engine_size(1));
	printf("  each further bucket                        %5zu\n",
	       rqpi_engine_size(2) - rqpi_engine_size(1));
	printf("  a task, whether it waits or not            %5d\n", RQPI_TASK_BYTES);
	printf("  the PI state that it brings along          %5d\n", RQPI_PI_STATE_BYTES);
	printf("  an rt_mutex of the embedder's own          %5d\n", RQPI_RT_MUTEX_BYTES);
	printf("for 1000 tasks and 1024 buckets              %5zu KiB\n",
	       (rqpi_engine_size(1024) + (size_t)1000 * (RQPI_TASK_BYTES + RQPI_PI_STATE_BYTES)) /
		   1024);

	waiters = calloc(WAITERS, sizeof(*waiters));
	if (!waiters || coop_init(&coop, BUCKETS)) {
		fprintf(stderr, "coop_sizes: no memory\n");
		return 2;
	}
	spawn(&owner, hold);
	for (int i = 0; i < WAITERS; i++)
		spawn(&waiters[i], want);
	rqpi_engine_dump(coop.engine, count_line, &queued);
	printf("%d tasks wait for one PI futex, ", queued);
	coop_wake(&owner);
	coop_run(&coop);
	printf("and %d of them were served\n", served);
	coop_fini(&coop);
	free(waiters);
	return queued == WAITERS && served == WAITERS ? 0 : 1;
}
