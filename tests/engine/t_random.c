/* SPDX-License-Identifier: MIT */
/*
 * t_random.c - random programs: a few tasks, two mutexes, a condition, a plain futex; calls,
 * timeouts, signals, changes of priority and ends, in any order; on one core, and on as many as
 * there are tasks, where any of them may go on at any point. Whenever all sleep the invariants
 * hold, and nobody waits for a mutex without owner.
 *
 * Environment: RQT_SEED=n (default 1), RQT_ROUNDS=n programs, RQT_TALK=1 prints what happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/stage.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define TASKS  5
#define ROUNDS 400
#define STEPS  40
#define WORDS  4 /* two mutexes, then a condition and a plain futex */

static struct stage stage;
static struct actor actors[TASKS];
static struct actor helper; /* changes priorities */
static uint32_t *words;
static struct rqpi_timespec times[TASKS];
static bool owned[TASKS]; /* did it own the mutex when its call began? */
static uint64_t random_state;
static unsigned int yields; /* one out of so many steps lets another one run; 0: none */
static unsigned long turns;
static bool talk;
static unsigned long done_steps, returned[2];

static uint32_t any(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % n;
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* ---------------------------------------------------------------- as many cores as tasks */

static void maybe_yield(struct coop *coop)
{
	if (coop->running && yields && any(yields) == 0)
		coop_yield(coop->running);
}

static void talk_and_yield(struct coop *coop, const struct rqpi_event *event)
{
	char text[160];

	if (talk) {
		rqpi_event_text(event, text, sizeof(text));
		fprintf(stderr, "  <%u> %s\n", event->tid, text);
	}
	maybe_yield(coop);
}

static struct coop_task *choose_any(struct coop *coop)
{
	struct coop_task *ready[TASKS + 1];
	uint32_t n = 0;

	if (++turns > 1000000)
		fail_msg("they run and run");
	for (struct coop_task *t = coop->tasks; t; t = t->next)
		if (!t->finished && !t->asleep && !t->held)
			ready[n++] = t;
	return n ? ready[any(n)] : NULL;
}

/* ---------------------------------------------------------------- what may be seen at rest */

static bool is_idle(const struct actor *a)
{
	return !a->t.finished && !a->todo;
}

static bool owns(const struct actor *a, const uint32_t *word)
{
	return rqb_word_tid(*word) == tid(a);
}

static bool has_waiters(uint32_t *word)
{
	const struct rqpi_key key = {.object = 1, .offset = (uintptr_t)word};

	return rqk_first(rqk_bucket(stage.coop.engine, &key), &key) != NULL;
}

static void check_rest(void)
{
	struct rqpi_task *idle = NULL;

	for (int i = 0; i < TASKS; i++) {
		struct rqpi_task *task = actors[i].t.task;

		if (is_idle(&actors[i]))
			idle = task;
		if (!task || !task->blocked_on)
			continue;
		if (!rqk_rt_owner(task->blocked_on->lock))
			fail_msg("tid %u waits for a mutex that nobody owns", task->tid);
		assert_true(rqk_prio_equal(&task->blocked_on->prio, &task->eff));
	}
	if (rqpi_engine_check(stage.coop.engine, idle, print_line, NULL)) {
		rqpi_engine_dump(stage.coop.engine, print_line, NULL);
		fail_msg("an invariant does not hold");
	}
	/* An owner that ended with nobody waiting: user space recovers the mutex. */
	for (int w = 0; w < 2; w++) {
		bool alive = false;

		for (int i = 0; i < TASKS; i++)
			if (!actors[i].t.finished && tid(&actors[i]) == rqb_word_tid(words[w]))
				alive = true;
		if (!alive && !has_waiters(&words[w]))
			words[w] = 0;
	}
}

static void run_all(void)
{
	turns = 0;
	coop_run(&stage.coop);
	check_rest();
}

/* ---------------------------------------------------------------- what a task does */

static int any_prio(void)
{
	static const int prios[] = {RQPI_PRIO_RT(10), RQPI_PRIO_RT(10),	 RQPI_PRIO_RT(20),
				    RQPI_PRIO_RT(30), RQPI_PRIO_NICE(0), RQPI_PRIO_NICE(-5)};

	return prios[any(sizeof(prios) / sizeof(prios[0]))];
}

static const void *any_deadline(int i)
{
	if (any(3))
		return NULL;
	times[i] = at_ns(stage.coop.now + any(4) * 10);
	return &times[i];
}

static void post_any(int i)
{
	struct actor *it = &actors[i];
	uint32_t *mutex = &words[any(2)];
	uint32_t *cond = &words[2];
	int nr = (int)any(3) - (any(6) ? 0 : 1);

	if (rqb_word_tid(*mutex) == tid(it) && any(3)) {
		post(it, RQPI_FUTEX_UNLOCK_PI | P, mutex, 0, NULL, NULL, 0);
		return;
	}
	switch (any(12)) {
	case 0:
	case 1:
	case 2:
		post(it, RQPI_FUTEX_LOCK_PI | P, mutex, 0, any_deadline(i), NULL, 0);
		break;
	case 3:
		post(it, RQPI_FUTEX_TRYLOCK_PI | P, mutex, 0, NULL, NULL, 0);
		break;
	case 4:
	case 5:
	case 6:
		post(it, RQPI_FUTEX_WAIT_REQUEUE_PI | P, cond, 0, any_deadline(i), &words[0], 0);
		break;
	case 7:
	case 8:
		post(it, RQPI_FUTEX_CMP_REQUEUE_PI | P, cond, 1,
		     (const void *)(intptr_t)(any(2) ? INT_MAX : nr), &words[0], 0);
		break;
	case 9:
		post(it, RQPI_FUTEX_WAIT | P, &words[3], 0, any_deadline(i), NULL, 0);
		break;
	case 10:
		post(it, RQPI_FUTEX_WAKE | P, &words[2 + any(2)], (uint32_t)nr, NULL, NULL, 0);
		break;
	default:
		post(it, RQPI_FUTEX_REQUEUE | P, &words[3], 1, (const void *)(intptr_t)nr,
		     &words[2 + any(2)], 0);
		break;
	}
}

static uint32_t *mutex_of(const struct actor *a)
{
	return (a->op & ~P) == RQPI_FUTEX_WAIT_REQUEUE_PI ? a->uaddr2 : a->uaddr;
}

static bool owns_its_mutex(const struct actor *a)
{
	return owns(a, mutex_of(a));
}

/* What a call that has returned may not say. */
static void check_result(const struct actor *a, bool owned_before)
{
	int cmd = a->op & ~P;
	uint32_t *mutex = mutex_of(a);
	bool takes = cmd == RQPI_FUTEX_LOCK_PI || cmd == RQPI_FUTEX_TRYLOCK_PI ||
		     cmd == RQPI_FUTEX_WAIT_REQUEUE_PI;

	returned[a->ret < 0]++;
	assert_int_not_equal(a->ret, BLOCKED);
	assert_int_not_equal(a->ret, -99999);
	if (takes && a->ret == 0)
		assert_int_equal(rqb_word_tid(*mutex), tid(a));
	if (takes && a->ret < 0 && !owned_before)
		assert_int_not_equal(rqb_word_tid(*mutex), tid(a));
}

static void something_happens(void)
{
	struct actor *it = &actors[any(TASKS)];

	switch (any(6)) {
	case 0:
	case 1:
		expire(&stage, stage.coop.now + any(30));
		break;
	case 2:
		if (!it->t.finished && it->todo == 1)
			signal_arrives(it);
		break;
	case 3:
	case 4:
		if (!it->t.finished)
			post_prio(&helper, it, any_prio());
		break;
	default:
		if (is_idle(it) && any(4) == 0)
			post_end(it);
		break;
	}
}

static void one_step(unsigned int at_once)
{
	bool posted[TASKS] = {false};

	for (unsigned int k = 0; k < at_once; k++) {
		int i = (int)any(TASKS);

		if (is_idle(&actors[i]) && any(8)) {
			post_any(i);
			owned[i] = owns_its_mutex(&actors[i]);
		} else if (!helper.todo) {
			something_happens();
		}
	}
	for (int i = 0; i < TASKS; i++) {
		posted[i] = !actors[i].t.finished && actors[i].todo == 1;
	}
	run_all();
	for (int i = 0; i < TASKS; i++)
		if (posted[i] && !actors[i].todo)
			check_result(&actors[i], owned[i]);
	done_steps++;
}

/* ---------------------------------------------------------------- one program */

/* Nobody has a reason to wait any more: all come to an end, and nothing is left. */
static void wind_up(void)
{
	for (int n = 0;; n++) {
		bool busy = false;

		expire(&stage, stage.coop.now + 100);
		for (int i = 0; i < TASKS; i++) {
			if (actors[i].t.finished)
				continue;
			busy = true;
			if (!actors[i].todo)
				post_end(&actors[i]);
			else
				signal_arrives(&actors[i]);
		}
		if (!busy)
			break;
		words[2] = 1; /* whoever is restarted finds that it has changed */
		run_all();
		assert_true(n < 100);
	}
	for (uint32_t i = 0; i <= stage.coop.engine->mask; i++)
		assert_int_equal(stage.coop.engine->buckets[i].waiters, 0);
}

static void one_program(uint64_t seed, bool cores)
{
	static const unsigned int rates[] = {2, 5, 20, 100};

	random_state = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 4; i++)
		(void)any(2);
	memset(words, 0, WORDS * sizeof(*words));
	stage_open(&stage, any(2) ? 1 : 4);
	stage.coop.trace = talk_and_yield;
	stage.coop.on_step = maybe_yield;
	yields = 0;
	stage_actor(&stage, &helper, RQPI_PRIO_RT(1));
	for (int i = 0; i < TASKS; i++)
		stage_actor(&stage, &actors[i], any_prio());
	if (cores) {
		yields = rates[any(4)];
		stage.coop.choose = choose_any;
	}
	for (int step = 0; step < STEPS; step++)
		one_step(cores ? 1 + any(4) : 1);
	wind_up();
	yields = 0;
	stage_close(&stage);
}

static void many_programs(bool cores)
{
	const char *seed_text = getenv("RQT_SEED");
	const char *rounds_text = getenv("RQT_ROUNDS");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	uint64_t rounds = rounds_text ? strtoull(rounds_text, NULL, 0) : ROUNDS;

	talk = getenv("RQT_TALK") != NULL;
	done_steps = returned[0] = returned[1] = 0;
	for (uint64_t i = 0; i < rounds; i++) {
		if (talk)
			fprintf(stderr, "# seed %llu\n", (unsigned long long)(seed + i));
		print_message("# RQT_SEED=%llu\n", (unsigned long long)(seed + i));
		one_program(seed + i, cores);
	}
	print_message("# %lu steps, %lu calls done, %lu refused\n", done_steps, returned[0],
		      returned[1]);
}

static void one_core(void **state)
{
	(void)state;
	many_programs(false);
}

static void many_cores(void **state)
{
	(void)state;
	many_programs(true);
}

/* The address decides the bucket, and so what a seed means. */
static void place_words(void)
{
	void *at = (void *)(uintptr_t)0x20000000;
	void *got = mmap(at, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == MAP_FAILED) {
		static uint32_t elsewhere[WORDS];

		fprintf(stderr, "no fixed address for the words: seeds do not repeat\n");
		got = elsewhere;
	}
	words = got;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_core),
	    cmocka_unit_test(many_cores),
	};

	place_words();
	return stage_main("engine: random programs", tests);
}
