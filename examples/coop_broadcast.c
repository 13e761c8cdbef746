/* SPDX-License-Identifier: MIT */
/*
 * coop_broadcast.c - one broadcast to three waiters, as the engine sees it: docs/requeue-pi.md.
 *
 * Runs on the cooperative port (port_coop.c): one core, no real time, so that its output is the
 * same every time, and the blocks of it in the docs are compared with it by a test. It prints each
 * decision of the engine in the layout of the traces of 2009: task-tid, how many raw locks are
 * held, number: function: text. Addresses are replaced by names: "cond" and "mutex" are the two
 * futex words, "L" is the rt_mutex behind the second; "other" is a second mutex, K its rt_mutex.
 * A TID is 100 + the SCHED_FIFO priority.
 *
 * Exit status 0: all waiters came back owning the mutex, and all invariants held. 1: not so. 2: no
 * memory. 77: not at the address that it needs.
 */
#define _GNU_SOURCE
#include "port_coop.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAITERS	   0x80000000u /* in the word of a PI futex */
#define OWNER_DIED 0x40000000u

struct player {
	struct coop_task t;
	const char *name;
};

static struct {
	struct coop coop;
	struct player low;
	struct player high;
	struct player mid;
	struct player owner;
	struct player base;
	uint64_t l; /* the addresses of L and K, once there are such */
	uint64_t k;
	unsigned int events;
	unsigned int bad;
} world;

/*
 * The words, in the address space that this is about. It is at the same place every time, so that
 * they hash to the same buckets every time.
 */
struct user_space {
	uint32_t cond;
	uint32_t mutex;
	uint32_t other;
};
static struct user_space *user;
#define USER_SPACE ((void *)0x20000000)

/* ---------------------------------------------------------------- telling */

/* @name is not longer than @what. */
static void replace(char *text, const char *what, const char *name)
{
	char *at;

	while ((at = strstr(text, what)) != NULL) {
		memmove(at + strlen(name), at + strlen(what), strlen(at + strlen(what)) + 1);
		memcpy(at, name, strlen(name));
	}
}

static void name_address(char *text, uint64_t address, const char *name)
{
	char hex[24];

	snprintf(hex, sizeof(hex), "%" PRIx64, address);
	if (address)
		replace(text, hex, name);
}

static void put_names(char *text)
{
	name_address(text, (uintptr_t)&user->cond, "cond");
	name_address(text, (uintptr_t)&user->mutex, "mutex");
	name_address(text, (uintptr_t)&user->other, "other");
	name_address(text, world.l, "L");
	name_address(text, world.k, "K");
	replace(text, "private 1:", ""); /* address space 1: there is no other */
}

static const struct player *player_of(const struct coop_task *t)
{
	return (const struct player *)t; /* its first member */
}

/* port->trace: called with raw locks held; this port may print all the same. */
static void tell(struct coop *coop, const struct rqpi_event *event)
{
	const struct player *p = player_of(coop->running);
	char text[240];

	if (event->id == RQPI_EV_LOOKUP_NEW)
		*(user->other && !world.k ? &world.k : &world.l) = event->object;
	rqpi_event_text(event, text, sizeof(text));
	put_names(text);
	printf("%6s-%u %lu %03u: %s\n", p->name, rqpi_task_tid(p->t.task), p->t.raw_locks,
	       ++world.events, text);
}

static void print_word(const char *name, uint32_t word)
{
	printf("  %s = %u%s%s\n", name, word & ~(WAITERS | OWNER_DIED),
	       word & WAITERS ? " | WAITERS" : "", word & OWNER_DIED ? " | OWNER_DIED" : "");
}

/* Those on the condition variable first: the order of the engine's own is that of its buckets. */
static void print_queued(void *arg, const char *line)
{
	const bool requeue = *(const bool *)arg;
	char text[240];

	if ((strstr(line, "to be requeued") != NULL) != requeue)
		return;
	snprintf(text, sizeof(text), "%s", line);
	put_names(text);
	printf("  %s\n", text);
}

static void print_broken(void *arg, const char *line)
{
	char text[240];
	char *at;

	(void)arg;
	snprintf(text, sizeof(text), "%s", line);
	at = strstr(text, ", at "); /* an address that says nothing here */
	if (at)
		strcpy(at, ")");
	printf("  %s\n", text);
	world.bad++;
}

static void print_state(void)
{
	print_word("cond", user->cond);
	print_word("mutex", user->mutex);
	if (user->other)
		print_word("other", user->other);
	for (int requeue = 1; requeue >= 0; requeue--)
		rqpi_engine_dump(world.coop.engine, print_queued, &(bool){requeue != 0});
	(void)rqpi_engine_check(world.coop.engine, NULL, print_broken, NULL);
}

/* ---------------------------------------------------------------- a mutex and a condvar */

static long futex(struct coop_task *t, int op, uint32_t *uaddr, uint32_t val, const void *timeout,
		  uint32_t *uaddr2, uint32_t val3)
{
	/* No signals here, so no restart codes either. */
	return rqpi_futex_call(t->task, uaddr, op | RQPI_FUTEX_PRIVATE, val, timeout, uaddr2, val3);
}

/* In user space if nobody has it, else by the engine. */
static void mutex_lock(struct coop_task *t, uint32_t *word)
{
	uint32_t free_word = 0;

	if (!__atomic_compare_exchange_n(word, &free_word, rqpi_task_tid(t->task), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		(void)futex(t, RQPI_FUTEX_LOCK_PI, word, 0, NULL, NULL, 0);
}

/* In user space if nobody waits. */
static void mutex_unlock(struct coop_task *t, uint32_t *word)
{
	uint32_t mine = rqpi_task_tid(t->task);

	if (!__atomic_compare_exchange_n(word, &mine, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		(void)futex(t, RQPI_FUTEX_UNLOCK_PI, word, 0, NULL, NULL, 0);
}

/* Returns owning the mutex, which the engine has acquired. */
static void cond_wait(struct coop_task *t)
{
	uint32_t ticket = user->cond;
	long ret;

	mutex_unlock(t, &user->mutex);
	ret = futex(t, RQPI_FUTEX_WAIT_REQUEUE_PI, &user->cond, ticket, NULL, &user->mutex, 0);
	if (ret || (user->mutex & ~WAITERS) != rqpi_task_tid(t->task))
		world.bad++;
}

static void cond_broadcast(struct coop_task *t)
{
	user->cond++;
	(void)futex(t, RQPI_FUTEX_CMP_REQUEUE_PI, &user->cond, 1, (const void *)(intptr_t)INT_MAX,
		    &user->mutex, user->cond);
}

/* ---------------------------------------------------------------- the players */

static void waiter(struct coop_task *self, void *arg)
{
	(void)arg;
	mutex_lock(self, &user->mutex);
	cond_wait(self);
	mutex_unlock(self, &user->mutex);
}

static void broadcast_with_mutex(struct coop_task *self, void *arg)
{
	(void)arg;
	mutex_lock(self, &user->mutex);
	printf("\n-- held 2: OWNER has the mutex and broadcasts\n");
	cond_broadcast(self);
	print_state();
	printf("\n-- held 3: OWNER unlocks\n");
	mutex_unlock(self, &user->mutex);
	print_state();
	printf("\n-- held 4: everybody runs\n");
}

static void broadcast_without(struct coop_task *self, void *arg)
{
	(void)arg;
	printf("\n-- free 2: OWNER broadcasts, the mutex is free\n");
	cond_broadcast(self);
	print_state();
	printf("\n-- free 3: everybody runs\n");
}

/* Has the mutex, and waits for another one. */
static void own_and_wait(struct coop_task *self, void *arg)
{
	(void)arg;
	mutex_lock(self, &user->mutex);
	mutex_lock(self, &user->other);
	mutex_unlock(self, &user->other);
	mutex_unlock(self, &user->mutex);
}

/* Has that one, and does nothing. */
static void own_other(struct coop_task *self, void *arg)
{
	(void)arg;
	mutex_lock(self, &user->other);
	coop_sleep(self);
	printf("\n-- chain 3: BASE goes on, and everybody runs\n");
	mutex_unlock(self, &user->other);
}

static void broadcast_from_outside(struct coop_task *self, void *arg)
{
	(void)arg;
	printf("\n-- chain 2: CALLER broadcasts, OWNER has the mutex and waits for BASE\n");
	cond_broadcast(self);
	print_state();
}

static void enter(struct player *p, const char *name, int priority,
		  void (*fn)(struct coop_task *self, void *arg))
{
	p->name = name;
	world.coop.next_tid = 100 + (uint32_t)priority;
	if (coop_spawn(&world.coop, &p->t, 1, RQPI_PRIO_RT(priority), fn, NULL)) {
		fprintf(stderr, "coop_broadcast: no memory for a task\n");
		exit(2);
	}
	coop_run(&world.coop);
}

/* What must not happen: all is done, and somebody sleeps. Say so, and wake one, as a signal may. */
static bool nudge_sleeper(void)
{
	struct coop_task *best = NULL;

	for (struct coop_task *t = world.coop.tasks; t; t = t->next)
		if (!t->finished && (!best || t->prio < best->prio))
			best = t;
	if (!best)
		return false;
	printf("  %s sleeps, and nobody is left to wake it: something does, by chance\n",
	       player_of(best)->name);
	world.bad++;
	coop_wake(best);
	coop_run(&world.coop);
	return true;
}

static void begin(void)
{
	memset(user, 0, sizeof(*user));
	world.l = world.k = 0;
	world.events = 0;
	if (coop_init(&world.coop, 64)) {
		fprintf(stderr, "coop_broadcast: no memory for the engine\n");
		exit(2);
	}
	world.coop.trace = tell;
}

static void end(void)
{
	while (nudge_sleeper())
		continue;
	print_state();
	coop_fini(&world.coop);
}

static void play(const char *title, void (*fn)(struct coop_task *self, void *arg))
{
	begin();
	printf("-- %s 1: LOW, HIGH and MID wait, in this order\n", title);
	enter(&world.low, "LOW", 10, waiter);
	enter(&world.high, "HIGH", 30, waiter);
	enter(&world.mid, "MID", 20, waiter);
	print_state();
	enter(&world.owner, "OWNER", 5, fn);
	end();
}

static void play_chain(void)
{
	begin();
	printf("-- chain 1: HIGH waits; BASE has other; OWNER has the mutex, and wants other\n");
	enter(&world.high, "HIGH", 30, waiter);
	enter(&world.base, "BASE", 2, own_other);
	enter(&world.owner, "OWNER", 5, own_and_wait);
	print_state();
	enter(&world.low, "CALLER", 1, broadcast_from_outside);
	coop_wake(&world.base.t);
	coop_run(&world.coop);
	end();
}

int main(void)
{
	user = mmap(USER_SPACE, sizeof(*user), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (user != USER_SPACE) {
		printf("coop_broadcast: no memory at %p, which has to be there\n", USER_SPACE);
		return 77;
	}
	play("held", broadcast_with_mutex);
	printf("\n");
	play("free", broadcast_without);
	printf("\n");
	play_chain();
	return world.bad ? 1 : 0;
}
