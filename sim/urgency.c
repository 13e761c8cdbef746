/* SPDX-License-Identifier: MIT */
/*
 * urgency.c - wake order, requeues that wake, effective priorities and bounded inversion; see
 * urgency.h.
 *
 * Each of the three is looked at where it is decided: an order, when a task takes a lock or is
 * taken off a condvar; a priority, when nobody is at work on the chain; an inversion, at each
 * step.
 */
#include "sim/urgency.h"

#include <stddef.h>

#include "sim/monitor.h"
#include "sim/scenario.h"
#include "sim/world.h"

enum { TID_MASK = 0x3fffffff, NOBODY = -1 };

/*
 * On one CPU, while somebody more urgent waits for a lock and whoever has that could run: in user
 * space a task that has nothing to do with it takes no step. In the engine it may be in the
 * middle of what must not be broken off, as it holds a raw lock, or may be about to give back the
 * priority of a waiter that it has just woken: so many steps in one go, and no more. In no scenario
 * are there more than 17.
 */
enum { BEHIND_MAX = 32 };

static uint32_t place_of(const void *p)
{
	return p ? (uint32_t)((uintptr_t)p - (uintptr_t)rqs_world) : 0;
}

static struct rqs_urgency *watch(int i)
{
	return &rqs_world->monitor->watch[i];
}

static struct rqs_task *task(int i)
{
	return &rqs_world->tasks[i];
}

static int count(void)
{
	return (int)rqs_world->n_tasks;
}

/* NOBODY: whoever sets up, before there are any. */
static int index_of(const struct rqs_task *t)
{
	long i = t ? t - rqs_world->tasks : NOBODY;

	return i < count() ? (int)i : NOBODY;
}

static int index_of_tid(int64_t tid)
{
	int64_t i = tid - RQS_FIRST_TID;

	return i >= 0 && i < count() ? (int)i : NOBODY;
}

/* As urgent as locks go by: all of nice is one level. */
static int32_t level(int32_t prio)
{
	return prio < RQPI_PRIO_NICE(-20) ? prio : RQPI_PRIO_NICE(-20);
}

/* ---------------------------------------------------------------- who is in which call */

void rqs_urgency_new(const struct rqs_task *t, int prio)
{
	struct rqs_monitor *m = rqs_world->monitor;

	if ((uint32_t)(t - rqs_world->tasks) < m->n)
		m->watch[t - rqs_world->tasks] = (struct rqs_urgency){.own = prio};
}

/* In the queue of the lock of @word: until it has the lock, or is taken off. */
static bool waits_for_word(int i, uint32_t word)
{
	const struct rqs_urgency *w = watch(i);

	return w->word == word && w->waiting && (w->op == RQS_OP_LOCK || w->moved);
}

/* The same of a futex. Whose time has come is skipped, if it is already on its way out. */
static bool waits_on_first(int i, uint32_t first)
{
	const struct rqs_urgency *w = watch(i);
	const struct rqs_task *t = task(i);

	return w->op == RQS_OP_WAIT_REQUEUE && w->first == first && !w->moved && w->waiting &&
	       !t->interrupted && t->kill != RQS_CANCEL_PENDING &&
	       t->cancel != RQS_CANCEL_PENDING && !(t->deadline && t->deadline <= rqs_world->now);
}

static void set_bit(uint8_t *bits, int i)
{
	*bits = (uint8_t)(*bits | 1u << i);
}

static void clear_bit(uint8_t *bits, int i)
{
	*bits = (uint8_t)(*bits & ~(1u << i));
}

/* @i does not stand where it stood: nobody is behind it there. */
static void lose_place(int i)
{
	watch(i)->before = 0;
	for (int j = 0; j < count(); j++)
		clear_bit(&watch(j)->before, i);
}

/* In the queue of a futex the own priority of each counts as it was when it came. Is it as now? */
static bool is_comparable(int i, int j)
{
	return !watch(i)->changed && !watch(j)->changed;
}

/* Those as urgent as @i that wait where it comes to. */
static void remember_equals(int i)
{
	struct rqs_urgency *w = watch(i);

	w->before = 0;
	for (int j = 0; j < count(); j++) {
		bool same = w->op == RQS_OP_WAIT_REQUEUE && !w->moved
				? waits_on_first(j, w->first) && is_comparable(i, j) &&
				      level(watch(j)->own) == level(w->own)
				: waits_for_word(j, w->word) &&
				      level(task(j)->prio) == level(task(i)->prio);

		/* Of deadlines nobody has told which comes first. */
		if (j != i && same && task(i)->prio != RQPI_PRIO_DEADLINE)
			set_bit(&w->before, j);
	}
}

/* The same address is another word in another process. */
static uint32_t place_in(const struct rqs_task *t, const uint32_t *uaddr)
{
	return place_of(uaddr) ^ (rqs_own_memory() && t->space ? 1u << 31 : 0);
}

static enum rqs_operation operation_of(int op)
{
	switch (op & ~(RQPI_FUTEX_PRIVATE | RQPI_FUTEX_CLOCK_REALTIME)) {
	case RQPI_FUTEX_LOCK_PI:
	case RQPI_FUTEX_LOCK_PI2:
	case RQPI_FUTEX_TRYLOCK_PI:
		return RQS_OP_LOCK;
	case RQPI_FUTEX_UNLOCK_PI:
		return RQS_OP_UNLOCK;
	case RQPI_FUTEX_WAIT_REQUEUE_PI:
		return RQS_OP_WAIT_REQUEUE;
	case RQPI_FUTEX_CMP_REQUEUE_PI:
		return RQS_OP_REQUEUE;
	default:
		return RQS_OP_NONE;
	}
}

void rqs_urgency_call(const struct rqs_task *t, const uint32_t *uaddr, int op,
		      const uint32_t *uaddr2)
{
	int i = index_of(t);
	struct rqs_urgency *w;

	if (i == NOBODY)
		return;
	w = watch(i);
	w->op = (uint8_t)operation_of(op);
	if (w->op == RQS_OP_NONE)
		return;
	w->word = place_in(t, uaddr);
	if (w->op == RQS_OP_WAIT_REQUEUE || w->op == RQS_OP_REQUEUE) {
		w->first = place_in(t, uaddr);
		w->word = place_in(t, uaddr2);
	}
	if (w->op == RQS_OP_LOCK || w->op == RQS_OP_WAIT_REQUEUE)
		remember_equals(i);
}

void rqs_urgency_return(const struct rqs_task *t)
{
	int i = index_of(t);

	if (i == NOBODY)
		return;
	lose_place(i);
	*watch(i) = (struct rqs_urgency){.own = watch(i)->own, .changed = watch(i)->changed};
}

void rqs_urgency_exit(const struct rqs_task *t)
{
	int i = index_of(t);

	if (i == NOBODY)
		return;
	rqs_urgency_return(t);
	watch(i)->op = RQS_OP_EXIT;
}

void rqs_urgency_set_prio(const struct rqs_task *t, const struct rqs_task *target, int prio)
{
	int i = index_of(t);
	int j = index_of(target);

	if (i == NOBODY || j == NOBODY)
		return;
	watch(i)->op = RQS_OP_SET_PRIO;
	watch(j)->own = prio;
	watch(j)->changed = 1;
}

void rqs_urgency_sleep(const struct rqs_task *t, bool interruptible)
{
	int i = index_of(t);

	/* Uninterruptible: for the end of a task, not for the lock. */
	if (i != NOBODY && interruptible && !watch(i)->given &&
	    (watch(i)->op == RQS_OP_LOCK || watch(i)->op == RQS_OP_WAIT_REQUEUE))
		watch(i)->waiting = 1;
}

void rqs_urgency_leave(const struct rqs_task *t)
{
	int i = index_of(t);

	/* Once moved it is in the queue of the lock until it takes itself off. */
	if (i == NOBODY || watch(i)->op != RQS_OP_WAIT_REQUEUE || watch(i)->moved)
		return;
	watch(i)->waiting = 0;
	lose_place(i);
}

void rqs_urgency_prio(const struct rqs_task *t)
{
	int i = index_of(t);

	/* In the queue of a futex it stays where it is. */
	if (i != NOBODY && (watch(i)->op != RQS_OP_WAIT_REQUEUE || watch(i)->moved))
		lose_place(i);
}

/* ---------------------------------------------------------------- wake order */

/* It is in the middle of an operation. */
static bool is_at_work(int i)
{
	return watch(i)->op != RQS_OP_NONE && task(i)->status == RQS_READY;
}

/* A priority may be on its way along a chain that leads through other locks than @word. */
static bool is_changing(int i, uint32_t word)
{
	for (int j = 0; j < count(); j++) {
		if (j != i && is_at_work(j) &&
		    (watch(j)->op >= RQS_OP_SET_PRIO || watch(j)->word != word))
			return true;
	}
	return false;
}

/* Task @i has the lock of @word from now on. */
static void check_taken(int i, uint32_t word)
{
	if (is_changing(i, word))
		return;
	for (int j = 0; j < count(); j++) {
		if (j == i || !waits_for_word(j, word))
			continue;
		if (level(task(j)->prio) < level(task(i)->prio))
			rqs_fail("wake order",
				 "%c takes the lock, and %c, which waits, is more urgent",
				 rqs_name(task(i)), rqs_name(task(j)));
		if (watch(i)->before >> j & 1)
			rqs_fail("wake order",
				 "%c takes the lock, and %c, which is as urgent, has waited longer",
				 rqs_name(task(i)), rqs_name(task(j)));
	}
}

/* Task @i is the next one that is taken off the condvar @first. */
static void check_found(int i, uint32_t first)
{
	for (int j = 0; j < count(); j++) {
		if (j == i || !waits_on_first(j, first))
			continue;
		if (is_comparable(i, j) && level(watch(j)->own) < level(watch(i)->own))
			rqs_fail("wake order",
				 "%c is released, and %c, which waits, is more urgent",
				 rqs_name(task(i)), rqs_name(task(j)));
		if (watch(i)->before >> j & 1)
			rqs_fail("wake order",
				 "%c is released, and %c, which is as urgent, has waited longer",
				 rqs_name(task(i)), rqs_name(task(j)));
	}
}

/* A task's own lock, for which one waits that needs its end. */
static bool is_exit_lock(uint64_t object)
{
	for (int i = 0; i < count(); i++) {
		uintptr_t at = (uintptr_t)task(i)->storage;

		if (object >= at && object < at + sizeof(task(i)->storage))
			return true;
	}
	return false;
}

static void give(int i)
{
	watch(i)->given = 1;
	watch(i)->waiting = 0;
	lose_place(i);
}

static void on_taken(int i, uint32_t word)
{
	check_taken(i, word);
	give(i);
}

static void on_found(const struct rqpi_event *event)
{
	int i = index_of_tid(event->value);

	if (i == NOBODY || watch(i)->op != RQS_OP_WAIT_REQUEUE)
		return;
	check_found(i, watch(i)->first);
	if (index_of_tid(event->tid) != NOBODY)
		rqs_monitor_found(task(index_of_tid(event->tid)));
	if (event->id == RQPI_EV_REQUEUE_MOVED) {
		lose_place(i);
		watch(i)->moved = 1;
		watch(i)->waiting = 1;
		remember_equals(i);
	} else {
		give(i);
	}
}

void rqs_urgency_event(const struct rqpi_event *event)
{
	int i;

	switch (event->id) {
	case RQPI_EV_TAKEN:
		i = index_of_tid(event->value);
		if (i != NOBODY && watch(i)->word && !is_exit_lock(event->object))
			on_taken(i, watch(i)->word);
		break;
	case RQPI_EV_ATOMIC: /* got by the word alone, as nobody was seen to wait */
		i = index_of_tid(event->other);
		if (i != NOBODY && event->value == 1 && watch(i)->word && !rqs_world->monitor->lies)
			check_taken(i, watch(i)->word);
		break;
	case RQPI_EV_REMOVE_WAITER:
		i = index_of_tid(event->value);
		/* Not moved yet: it was undone, and it waits where it was. */
		if (i != NOBODY && !is_exit_lock(event->object) &&
		    (watch(i)->op == RQS_OP_LOCK || watch(i)->moved)) {
			watch(i)->waiting = 0;
			lose_place(i);
		}
		break;
	case RQPI_EV_REQUEUE_TAKEN:
	case RQPI_EV_REQUEUE_MOVED:
		on_found(event);
		break;
	default:
		break;
	}
}

/* ---------------------------------------------------------------- effective priorities */

/* Who the word of a PI futex says has it. NOBODY: none of the tasks that are still there. */
static int owner_of(uint32_t word)
{
	const uint32_t *at = (const uint32_t *)(const void *)((const char *)rqs_world + word);
	int i = index_of_tid(*at & TID_MASK);

	return i != NOBODY && task(i)->status != RQS_ENDED ? i : NOBODY;
}

/*
 * A requeue wakes one sleeper at most: whom it gave the lock, or who is to take it, as it is being
 * given away and nobody has it.
 */
void rqs_urgency_wake(const struct rqs_task *t)
{
	int by = index_of(rqs_running());
	int i = index_of(t);
	int owner;

	if (by == NOBODY || i == NOBODY || watch(by)->op != RQS_OP_REQUEUE ||
	    watch(i)->op != RQS_OP_WAIT_REQUEUE || watch(i)->first != watch(by)->first ||
	    watch(i)->given || rqs_world->monitor->lies)
		return;
	owner = owner_of(watch(i)->word);
	if (owner != NOBODY && !waits_for_word(owner, watch(i)->word))
		rqs_fail("wake order", "a requeue wakes %c, and %c has the lock", rqs_name(t),
			 rqs_name(task(owner)));
}

/* Asleep in the queue of the lock of @word. */
static bool sleeps_for(int i, uint32_t word)
{
	const struct rqs_urgency *w = watch(i);

	return task(i)->status == RQS_ASLEEP && w->waiting && w->word == word &&
	       (w->op == RQS_OP_LOCK || w->moved);
}

/* From whom @i inherits. Whoever was only chosen to get the lock has not got it yet. */
static bool inherits_from(int i, int from)
{
	uint32_t word = watch(from)->word;

	return from != i && word && sleeps_for(from, word) && owner_of(word) == i &&
	       !(watch(i)->word == word && watch(i)->waiting);
}

static int32_t priority_due_to(int i, int depth)
{
	int32_t best = watch(i)->own;

	for (int j = 0; depth < count() && j < count(); j++) {
		if (inherits_from(i, j)) {
			int32_t more = priority_due_to(j, depth + 1);

			if (more < best)
				best = more;
		}
	}
	return best;
}

/* Do @i and @j have to do with one lock? A waiter that was not moved yet has not. */
static bool are_related(int i, int j)
{
	const struct rqs_urgency *a = watch(i);
	const struct rqs_urgency *b = watch(j);

	if (!a->word || (a->op == RQS_OP_WAIT_REQUEUE && !a->moved && !is_at_work(i)))
		return false;
	return owner_of(a->word) == j || b->word == a->word;
}

/* Nobody is in the middle of something that has to do with @i, or with whom that has to do. */
static bool is_settled(int i)
{
	unsigned int related = 1u << i;
	unsigned int before;

	do {
		before = related;
		for (int j = 0; j < count(); j++) {
			for (int k = 0; k < count(); k++) {
				if ((related >> j & 1) && (are_related(j, k) || are_related(k, j)))
					related |= 1u << k;
			}
		}
	} while (related != before);
	for (int j = 0; j < count(); j++) {
		if (is_at_work(j) && ((related >> j & 1) || watch(j)->op >= RQS_OP_SET_PRIO))
			return false;
	}
	return true;
}

void rqs_urgency_state(void)
{
	struct rqpi_prio eff;

	for (int i = 0; !rqs_world->monitor->lies && i < count(); i++) {
		int32_t due;

		if (!task(i)->task || task(i)->status == RQS_ENDED || !is_settled(i))
			continue;
		due = priority_due_to(i, 0);
		rqpi_task_prio(task(i)->task, NULL, &eff);
		if (level(eff.prio) != level(due) || level(task(i)->prio) != level(due))
			rqs_fail(
			    "priority",
			    "%c runs with priority %d (the engine has %d), and %d is due to it",
			    rqs_name(task(i)), task(i)->prio, eff.prio, due);
	}
}

/* ---------------------------------------------------------------- bounded inversion */

/*
 * Who gives the lock of @word away, has chosen @i, and has not woken it yet. It runs with the
 * priority that @i had when it was chosen: when @i was raised meanwhile nobody told it, and so it
 * is NOBODY. A kernel switches preemption off there; a port cannot.
 */
static int who_wakes(int i, uint32_t word)
{
	for (int j = 0; j < count(); j++) {
		if (is_at_work(j) && watch(j)->word == word)
			return level(task(j)->prio) > level(watch(i)->own) ? j : NOBODY;
	}
	return NOBODY;
}

/* Who has to run next so that @i gets its lock, NOBODY: who has it waits for something else. */
static int who_helps(int i, unsigned int *locks)
{
	int at = i;

	for (int depth = 0; depth <= count(); depth++) {
		uint32_t word = watch(at)->word;
		int owner = owner_of(word);

		*locks |= 1u << at;
		if (owner == NOBODY)
			return NOBODY;
		if (sleeps_for(owner, word))
			return who_wakes(owner, word);
		if (task(owner)->status == RQS_READY)
			return owner;
		if (!watch(owner)->word || !sleeps_for(owner, watch(owner)->word))
			return NOBODY;
		at = owner;
	}
	return NOBODY;
}

static bool could_run(const struct rqs_task *t)
{
	return t->started && (!t->until || t->until());
}

/* Task @i is about to run: does somebody more urgent wait for one that could? */
static int who_is_behind(int i)
{
	for (int j = 0; j < count(); j++) {
		unsigned int chain = 0;
		bool has_business = false;
		int helper;

		if (j == i || !watch(j)->word || !sleeps_for(j, watch(j)->word) ||
		    level(priority_due_to(i, 0)) <= level(priority_due_to(j, 0)))
			continue;
		helper = who_helps(j, &chain);
		if (helper == NOBODY || helper == i || !could_run(task(helper)))
			continue;
		/* It has what that one wants in turn, or is about to give it away. */
		if (are_related(helper, i))
			continue;
		/* Whoever is at work on a lock of the chain will be through with it. */
		for (int k = 0; k < count(); k++) {
			if ((chain >> k & 1) && is_at_work(i) && watch(k)->word == watch(i)->word)
				has_business = true;
		}
		if (!has_business)
			return j;
	}
	return NOBODY;
}

void rqs_urgency_step(const struct rqs_task *t)
{
	uint32_t *behind = &rqs_world->monitor->behind;
	int i = index_of(t);
	int who;

	for (int j = 0; j < count(); j++) {
		/* The walk of a new priority along a chain may be preempted, as anything. */
		if (is_at_work(j) && watch(j)->op == RQS_OP_SET_PRIO)
			return;
	}
	who = who_is_behind(i);
	if (who == NOBODY) {
		*behind = 0;
		return;
	}
	if (t->in_kernel || t->raw_locks ? ++*behind > BEHIND_MAX : is_settled(i))
		rqs_fail("inversion",
			 "%c runs, and %c, which is more urgent, waits for a lock that %c has "
			 "nothing to do with",
			 rqs_name(t), rqs_name(task(who)), rqs_name(t));
}
