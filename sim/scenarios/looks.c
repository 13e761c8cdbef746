/* SPDX-License-Identifier: MIT */
/*
 * looks.c - scenarios of the engine alone that look at it while it works: its invariants, itself in
 * words, who is next; and priorities that are not those of real time.
 */
#include "sim/scenarios/edges.h"

#include <string.h>

#define ME (rqs_running()->task)

/* ---------------------------------------------------------------- in words */

static void count_line(void *arg, const char *line)
{
	(void)arg;
	P->lines++;
	rqs_claim(strncmp(line, "broken", 6) != 0, line);
}

static void say(void)
{
	P->lines = 0;
	(void)rqs_call((rqpi_engine_dump(rqs_world->engine, count_line, NULL), 0));
}

static void wait_plainly(void)
{
	rqs_ok(rqs_futex(&P->flag, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static void wait_for_one(void)
{
	rqs_when(first_rests);
	rqs_ok(rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->m[1], 0));
	unlock(1);
}

static void lock_two(void)
{
	rqs_when(two_rest);
	rqs_ok(lock(2));
	unlock(2);
}

static void say_all_and_let_go(void)
{
	rqs_when(three_rest);
	say();
	rqs_claim(P->lines == 3, "a line for each waiter");
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, ME, count_line, NULL)), 0);
	rqs_is(requeue(1, 0), 1);
	unlock(1);
	unlock(2);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	say();
}

static void fourth_owns_both(void)
{
	own(3, 1);
	own(3, 2);
}

const struct rqs_scenario rqs_told_in_words = {
    .name = "told_in_words",
    .about = "one that wakes all kinds of waiters says before and after who waits for what",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .buckets = 4,
    .actors = {{.fn = wait_plainly, .prio = RQPI_PRIO_NICE(5)},
	       {.fn = wait_for_one, .prio = RQPI_PRIO_DEADLINE},
	       {.fn = lock_two, .prio = RQPI_PRIO_RT(30)},
	       {.fn = say_all_and_let_go, .prio = RQPI_PRIO_RT(20)}},
    .setup = fourth_owns_both,
    .end = all_are_free,
};

static void lock_one_whose_owner_ends(void)
{
	rqs_ok(lock(1));
	rqs_claim(rqb_word_owner_died(rqs_read(&P->m[1])), "OWNER_DIED is told");
	unlock(1);
}

static void say_at_any_time(void)
{
	rqs_when(first_rests);
	say();
	rqs_claim(P->lines <= 1, "a line for each waiter");
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, NULL, count_line, NULL)), 0);
}

static void end_when_one_waits(void)
{
	rqs_when(first_rests);
}

static void third_owns(void)
{
	own(2, 1);
}

const struct rqs_scenario rqs_told_at_an_end = {
    .name = "told_at_an_end",
    .about = "one says at any moment who waits for what, while an owner ends",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_whose_owner_ends, .prio = RQPI_PRIO_RT(30)},
	       {.fn = say_at_any_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_when_one_waits, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
};

/* ---------------------------------------------------------------- what is wrong is told */

static void take_line(void *arg, const char *line)
{
	(void)arg;
	P->lines++;
	rqs_claim(!strncmp(line, "broken: I8 the word", 19), "what is broken is named");
}

static void lock_one(void)
{
	rqs_ok(lock(1));
	unlock(1);
}

static void break_and_look(void)
{
	uint32_t word;

	rqs_when(first_rests);
	word = rqs_read(&P->m[1]);
	rqs_write(&P->m[1], 0);
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, ME, take_line, NULL)), 2);
	rqs_claim(P->lines == 2, "the word names another owner, and has no WAITERS");
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, ME, NULL, NULL)), 2);
	rqs_write(&P->m[1], word);
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, ME, take_line, NULL)), 0);
	unlock(1);
}

static void second_owns(void)
{
	own(1, 1);
}

const struct rqs_scenario rqs_told_what_is_broken = {
    .name = "told_what_is_broken",
    .about = "a word is overwritten, and the invariants say so",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(30)},
	       {.fn = break_and_look, .prio = RQPI_PRIO_RT(20)}},
    .setup = second_owns,
    .end = all_are_free,
    .lies = true,
};

/* A shared word, and one of another address space, is not compared. */
static void lock_one_shared(void)
{
	rqs_ok(rqs_futex(&P->m[1], FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	rqs_ok(rqs_futex(&P->m[1], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

static void lock_two_after(void)
{
	rqs_when(first_rests);
	rqs_ok(lock(2));
	unlock(2);
}

static void look_from_elsewhere(void)
{
	rqs_when(two_rest);
	rqs_is(rqs_call(rqpi_engine_check(rqs_world->engine, ME, count_line, NULL)), 0);
	P->go = 1;
}

static bool it_has_looked(void)
{
	return P->go;
}

static void unlock_both(void)
{
	rqs_when(it_has_looked);
	rqs_ok(rqs_futex(&P->m[1], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	unlock(2);
}

const struct rqs_scenario rqs_looked_at_from_elsewhere = {
    .name = "looked_at_from_elsewhere",
    .about = "the invariants are looked at from another address space, and a shared futex",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_shared, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_two_after, .prio = RQPI_PRIO_RT(20)},
	       {.fn = look_from_elsewhere, .prio = RQPI_PRIO_RT(30), .space = 1},
	       {.fn = unlock_both, .prio = RQPI_PRIO_RT(5)}},
    .setup = fourth_owns_both,
};

/* ---------------------------------------------------------------- who is next */

static void ask_about_the_first(void)
{
	struct rqpi_task *task;
	struct rqpi_task *owner;
	bool next;

	rqs_begin_call();
	task = rqs_get_task(&rqs_world->tasks[0]);
	if (task) {
		next = rqpi_task_is_next(task, &owner);
		rqs_claim(next || !owner, "an owner is named only to who is next");
		rqs_claim(owner != task, "nobody waits for itself");
		if (owner)
			rqpi_task_put(owner);
		rqpi_task_put(task);
	}
	(void)rqs_end_call(0);
}

static void unlock_one(void)
{
	unlock(1);
}

const struct rqs_scenario rqs_who_is_next = {
    .name = "who_is_next",
    .about = "one asks at any moment whether a waiter is the next one to get the lock",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = ask_about_the_first, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};

static void lock_one_second(void)
{
	rqs_when(first_rests);
	rqs_ok(lock(1));
	unlock(1);
}

static void ask_about_both_and_unlock(void)
{
	struct rqpi_task *owner;

	rqs_when(two_rest);
	rqs_claim(!rqs_call(rqpi_task_is_next(rqs_world->tasks[0].task, &owner)) && !owner,
		  "the less urgent one is not the next");
	rqs_claim(rqs_call(rqpi_task_is_next(rqs_world->tasks[1].task, &owner)) && owner == ME,
		  "the more urgent one is, and knows from whom");
	rqpi_task_put(owner);
	unlock(1);
}

const struct rqs_scenario rqs_who_is_not_next = {
    .name = "who_is_not_next",
    .about = "of two waiters the more urgent one is the next to get the lock",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_one_second, .prio = RQPI_PRIO_RT(30)},
	       {.fn = ask_about_both_and_unlock, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = all_are_free,
};

/* ---------------------------------------------------------------- nice values and deadlines */

static int runs_as(int actor)
{
	return rqs_world->tasks[actor].prio;
}

/* It waits for one, and the third waits for what it has: so it is boosted where it sleeps. */
static void lock_one_with_zero(void)
{
	rqs_ok(lock(1));
	unlock(1);
	unlock(0);
}

static void be_nicer_and_unlock(void)
{
	rqs_when(first_rests);
	rqs_claim(runs_as(1) <= RQPI_PRIO_NICE(0), "the better nice value is inherited, too");
	rqs_set_prio(1, RQPI_PRIO_NICE(-5));
	rqs_set_prio(1, RQPI_PRIO_NICE(15));
	rqs_claim(runs_as(1) <= RQPI_PRIO_NICE(0), "and stays, whatever its own is");
	unlock(1);
	rqs_claim(runs_as(1) == RQPI_PRIO_NICE(15), "until the unlock");
}

static void lock_zero_urgently(void)
{
	rqs_when(first_rests);
	rqs_ok(lock(0));
	unlock(0);
}

static void first_and_second_own(void)
{
	own(0, 0);
	own(1, 1);
}

const struct rqs_scenario rqs_nice_inherited = {
    .name = "nice_inherited",
    .about =
	"a normal task waits for another one, and is boosted while its nice value is inherited",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_with_zero, .prio = RQPI_PRIO_NICE(0)},
	       {.fn = be_nicer_and_unlock, .prio = RQPI_PRIO_NICE(10)},
	       {.fn = lock_zero_urgently, .prio = RQPI_PRIO_RT(30)}},
    .setup = first_and_second_own,
    .end = all_are_free,
};

static void set_deadline(uint64_t deadline, uint32_t policy)
{
	const struct rqpi_prio prio = {
	    .prio = RQPI_PRIO_DEADLINE, .policy = policy, .deadline = deadline};

	(void)rqs_call((rqpi_task_set_prio(ME, &prio), 0));
}

static void lock_one_by_deadline(void)
{
	if (rqs_me())
		rqs_when(first_rests);
	set_deadline(rqs_me() ? 1000 : 2000, rqs_me() ? 7 : 6);
	rqs_ok(lock(1));
	P->told = P->told * 10 + rqs_me() + 1;
	unlock(1);
}

/* Its own is the latest of all: each waiter that comes counts. */
static void unlock_by_deadline(void)
{
	struct rqpi_prio eff;

	set_deadline(3000, 6);
	rqs_when(two_rest);
	rqpi_task_prio(ME, NULL, &eff);
	rqs_claim(eff.prio == RQPI_PRIO_DEADLINE && eff.deadline == 1000,
		  "the earliest deadline is inherited");
	set_deadline(500, 6);
	set_deadline(500, 7);
	rqpi_task_prio(ME, NULL, &eff);
	rqs_claim(eff.deadline == 500 && eff.policy == 7, "its own is earlier now");
	unlock(1);
}

static void by_deadline(void)
{
	all_are_free();
	rqs_claim(P->told == 21, "the earliest deadline is served first");
}

const struct rqs_scenario rqs_deadlines = {
    .name = "deadlines",
    .about = "two tasks of class DEADLINE wait for a third one: the earliest is the most urgent",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_by_deadline, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_one_by_deadline, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_by_deadline, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = by_deadline,
    .unjudged = true,
};
