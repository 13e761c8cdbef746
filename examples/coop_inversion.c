/* SPDX-License-Identifier: MIT */
/*
 * coop_inversion.c - a chain of two mutexes and a task that only burns time, with and without
 * inheritance.
 *
 * LOW holds A. MID holds B and wants A. HIGH wants B. HOG is more urgent than LOW and MID and needs
 * none of this. On the cooperative port (port_coop.c) the most urgent task runs, for one tick, and
 * then the next is chosen; what the port is told by set_prio() decides. First the mutexes are plain
 * futexes, then PI futexes: only then HIGH is served before HOG.
 *
 * Exit status 0: HIGH came before HOG with inheritance, and after it without. 1: not so. 2: no
 * memory.
 */
#include "port_coop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 4, TICKS = 24, LOW = 0, MID, HIGH, HOG };

static const char *const names[TASKS] = {"LOW", "MID", "HIGH", "HOG"};
static const int priorities[TASKS] = {10, 20, 40, 30}; /* as of SCHED_FIFO */

static struct {
	struct coop coop;
	struct coop_task tasks[TASKS];
	bool inherit;
	uint32_t a;
	uint32_t b;
	char ran[TASKS][TICKS + 1];
	int ticks;
	int ended[TASKS]; /* the tick at which it was through */
} world;

static void set_up(bool inherit)
{
	memset(&world, 0, sizeof(world));
	world.inherit = inherit;
	if (coop_init(&world.coop, 16)) {
		fprintf(stderr, "coop_inversion: no memory for the engine\n");
		exit(2);
	}
	for (int i = 0; i < TASKS; i++)
		memset(world.ran[i], '.', TICKS);
}

/* ---------------------------------------------------------------- two kinds of mutex */

static long futex(struct coop_task *t, int op, uint32_t *word, uint32_t val)
{
	return rqpi_futex_call(t->task, word, op | RQPI_FUTEX_PRIVATE, val, NULL, NULL, 0);
}

/* 0 free, 1 held, 2 held and somebody waits. Only one task runs at a time: plain stores will do. */
static void plain_lock(struct coop_task *t, uint32_t *word)
{
	if (*word == 0) {
		*word = 1;
		return;
	}
	while (*word != 0) {
		*word = 2;
		(void)futex(t, RQPI_FUTEX_WAIT, word, 2);
	}
	*word = 2;
}

static void lock(struct coop_task *t, uint32_t *word)
{
	if (world.inherit)
		(void)futex(t, RQPI_FUTEX_LOCK_PI, word, 0);
	else
		plain_lock(t, word);
}

static void unlock(struct coop_task *t, uint32_t *word)
{
	if (world.inherit) {
		(void)futex(t, RQPI_FUTEX_UNLOCK_PI, word, 0);
		return;
	}
	*word = 0;
	(void)futex(t, RQPI_FUTEX_WAKE, word, 1);
}

/* ---------------------------------------------------------------- what the tasks do */

static int index_of(const struct coop_task *t)
{
	return (int)(t - world.tasks);
}

/* Work for one tick; @how is how it is drawn. Then let the most urgent go on. */
static void work(struct coop_task *self, int ticks, char how)
{
	for (int i = 0; i < ticks && world.ticks < TICKS; i++) {
		world.ran[index_of(self)][world.ticks++] = how;
		coop_yield(self);
	}
}

/* Until the main program has let all others begin. */
static void stop(struct coop_task *self)
{
	coop_sleep(self);
	self->woken = 0;
}

static void low(struct coop_task *self, void *arg)
{
	(void)arg;
	lock(self, &world.a);
	work(self, 1, 'A');
	stop(self);
	work(self, 2, 'A');
	unlock(self, &world.a);
	world.ended[LOW] = world.ticks;
}

static void mid(struct coop_task *self, void *arg)
{
	(void)arg;
	lock(self, &world.b);
	work(self, 1, 'b');
	lock(self, &world.a);
	work(self, 2, 'B');
	unlock(self, &world.a);
	unlock(self, &world.b);
	world.ended[MID] = world.ticks;
}

static void high(struct coop_task *self, void *arg)
{
	(void)arg;
	lock(self, &world.b);
	work(self, 2, 'H');
	unlock(self, &world.b);
	world.ended[HIGH] = world.ticks;
}

static void hog(struct coop_task *self, void *arg)
{
	(void)arg;
	work(self, 10, '#');
	world.ended[HOG] = world.ticks;
}

/* ---------------------------------------------------------------- telling */

static void show_priorities(const char *after)
{
	printf("  %-28s", after);
	for (int i = 0; i < TASKS; i++) {
		struct rqpi_prio eff;

		if (!world.tasks[i].task) {
			printf("%8s", "-");
			continue;
		}
		rqpi_task_prio(world.tasks[i].task, NULL, &eff);
		printf("%8d", RQPI_PRIO_RT(0) - eff.prio);
	}
	printf("\n");
}

static void begin(int i, void (*fn)(struct coop_task *self, void *arg), bool now)
{
	if (coop_spawn(&world.coop, &world.tasks[i], 1, RQPI_PRIO_RT(priorities[i]), fn, NULL)) {
		fprintf(stderr, "coop_inversion: no memory for a task\n");
		exit(2);
	}
	if (now)
		coop_run(&world.coop);
}

/* True: HIGH was through before HOG. */
static bool play(bool inherit)
{
	set_up(inherit);
	printf("-- %s\n", inherit ? "with inheritance: PI futexes" : "without: plain futexes");
	printf("  %-28s%8s%8s%8s%8s\n", "effective priorities", names[0], names[1], names[2],
	       names[3]);
	begin(LOW, low, true);
	show_priorities("LOW has A, and is stopped");
	begin(MID, mid, true);
	show_priorities("MID has B, and wants A");
	begin(HIGH, high, true);
	show_priorities("HIGH wants B");
	begin(HOG, hog, false);
	coop_wake(&world.tasks[LOW]); /* from here on HOG and LOW can both run */
	coop_run(&world.coop);
	for (int i = TASKS - 1; i >= 0; i--)
		printf("  %-5s|%.*s|  done at %d\n", names[i], world.ticks, world.ran[i],
		       world.ended[i]);
	coop_fini(&world.coop);
	return world.ended[HIGH] < world.ended[HOG];
}

int main(void)
{
	bool without = play(false);
	bool with;

	printf("\n");
	with = play(true);
	return with && !without ? 0 : 1;
}
