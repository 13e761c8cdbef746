/* SPDX-License-Identifier: MIT */
/*
 * random.c - programs made of a seed: three to six tasks, two to four words, all operations, and
 * everything that may happen to a task meanwhile.
 *
 * Called by differ.c. What a step does depends on what a word holds when its time comes, so that
 * most compares succeed and some do not; a step of a task that is busy then is left out.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "conform.h"

enum {
	LOCK_PI2 = 13,
	STEPS_MIN = 24,
	STEPS_MORE = 24,
	PLAIN = 0x1000000, /* values of words that no TID can have: PID_MAX_LIMIT is less */
	TIMEOUT_US = 1500,
	PRIORITIES = 12,
};

struct rng {
	uint64_t state;
};

struct maker {
	struct conform_program *p;
	struct rng rng;
	bool guarded, realtime;
	int plain;  /* the first words are plain, the others are locks */
	int shared; /* of 8 calls so many have no FUTEX_PRIVATE_FLAG */
	int timed;  /* task with a deadline to come, or -1 */
};

/* splitmix64: every seed is as good as any other. */
static uint64_t draw_bits(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int draw(struct maker *m, int below)
{
	return (int)(draw_bits(&m->rng) % (uint64_t)below);
}

static bool chance(struct maker *m, int percent)
{
	return draw(m, 100) < percent;
}

static struct conform_value number(uint32_t n)
{
	return (struct conform_value){.kind = CONFORM_NUMBER, .number = n};
}

static struct conform_value owned(int task, uint32_t flags)
{
	return (struct conform_value){.kind = CONFORM_OWNED, .task = task, .number = flags};
}

static struct conform_value current(int word)
{
	return (struct conform_value){.kind = CONFORM_CURRENT, .word = word};
}

static struct conform_address at(int word)
{
	return (struct conform_address){.kind = CONFORM_AT_WORD, .word = word};
}

static void draw_sched(struct maker *m, struct conform_sched *sched)
{
	memset(sched, 0, sizeof(*sched));
	sched->policy = SCHED_OTHER;
	if (!m->realtime)
		return;
	if (chance(m, 80)) {
		sched->policy = chance(m, 85) ? SCHED_FIFO : SCHED_RR;
		sched->priority = 2 + draw(m, PRIORITIES);
	} else if (chance(m, 30)) {
		sched->nice = draw(m, 40) - 20;
	}
}

static int plain_word(struct maker *m)
{
	return draw(m, m->plain);
}

/* Mostly a lock, now and then any word where that does no harm. */
static int lock_word(struct maker *m)
{
	if (chance(m, 4))
		return draw(m, m->p->word_count);
	return m->plain + draw(m, m->p->word_count - m->plain);
}

static int any_plain(struct maker *m)
{
	return chance(m, 4) ? draw(m, m->p->word_count) : plain_word(m);
}

static struct conform_value compare_with(struct maker *m, int word)
{
	return chance(m, 90) ? current(word) : number(PLAIN + (uint32_t)draw(m, 3));
}

static int draw_count(struct maker *m)
{
	static const int counts[] = {0, 1, 1, 1, 2, 3, 100};

	return counts[draw(m, 7)];
}

static void set_timeout(struct maker *m, int task, struct conform_call *call, int op)
{
	if (m->timed >= 0 || !chance(m, 35))
		return;
	call->timeout.us = chance(m, 12) ? -1000 : TIMEOUT_US;
	if (op == FUTEX_WAIT)
		call->timeout.kind = CONFORM_RELATIVE;
	else if (op == FUTEX_LOCK_PI)
		call->timeout.kind = CONFORM_REALTIME;
	else
		call->timeout.kind = chance(m, 70) ? CONFORM_MONOTONIC : CONFORM_REALTIME;
	if (call->timeout.kind == CONFORM_RELATIVE && call->timeout.us < 0)
		call->timeout.us = TIMEOUT_US;
	if (call->timeout.kind == CONFORM_REALTIME && op != FUTEX_LOCK_PI)
		call->op |= FUTEX_CLOCK_REALTIME;
	if (call->timeout.us > 0)
		m->timed = task;
}

static void make_wait(struct maker *m, int task, struct conform_call *call, int op)
{
	int word = any_plain(m);

	call->uaddr = at(word);
	call->val = compare_with(m, word);
	if (op == FUTEX_WAIT_BITSET)
		call->val3 = number(chance(m, 70) ? 0xffffffffu : (uint32_t)draw(m, 4));
	if (op == FUTEX_WAIT_REQUEUE_PI)
		call->uaddr2 = at(lock_word(m));
	set_timeout(m, task, call, op);
}

static void make_wake(struct maker *m, struct conform_call *call, int op)
{
	call->uaddr = at(any_plain(m));
	call->val = number((uint32_t)draw_count(m));
	if (op == FUTEX_WAKE_BITSET)
		call->val3 = number(chance(m, 70) ? 0xffffffffu : (uint32_t)draw(m, 4));
	if (op != FUTEX_WAKE_OP)
		return;
	call->uaddr2 = at(m->guarded ? plain_word(m) : any_plain(m));
	call->has_val2 = true;
	call->val2 = draw_count(m);
	/* Values stay where no TID can be: set, or and xor with small arguments. */
	call->val3 = number(((uint32_t)draw(m, 6) << 28) | ((uint32_t)draw(m, 7) << 24) |
			    ((uint32_t)draw(m, 3) << 12) | (uint32_t)draw(m, 3));
	if (((call->val3.number >> 28) & 7) != 2 && ((call->val3.number >> 28) & 7) != 4)
		call->val3.number = (call->val3.number & 0x0fffffff) | (2u << 28);
}

static void make_requeue(struct maker *m, struct conform_call *call, int op)
{
	int from = any_plain(m), to = chance(m, 85) ? plain_word(m) : lock_word(m);

	call->uaddr = at(from);
	call->uaddr2 = at(op == FUTEX_CMP_REQUEUE_PI ? lock_word(m) : to);
	call->val = number(op == FUTEX_CMP_REQUEUE_PI && chance(m, 96) ? 1
								       : (uint32_t)draw_count(m));
	call->has_val2 = true;
	call->val2 = draw_count(m);
	if (op != FUTEX_REQUEUE)
		call->val3 = compare_with(m, from);
}

static const struct {
	int op, weight;
} weights[] = {
    {FUTEX_WAIT, 7},
    {FUTEX_WAIT_BITSET, 3},
    {FUTEX_WAKE, 4},
    {FUTEX_WAKE_BITSET, 2},
    {FUTEX_WAKE_OP, 2},
    {FUTEX_REQUEUE, 2},
    {FUTEX_CMP_REQUEUE, 3},
    {FUTEX_LOCK_PI, 16},
    {LOCK_PI2, 6},
    {FUTEX_TRYLOCK_PI, 5},
    {FUTEX_UNLOCK_PI, 20},
    {FUTEX_WAIT_REQUEUE_PI, 16},
    {FUTEX_CMP_REQUEUE_PI, 14},
};

static int draw_op(struct maker *m)
{
	int all = 0, pick;

	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		all += weights[i].weight;
	pick = draw(m, all);
	for (size_t i = 0;; i++) {
		pick -= weights[i].weight;
		if (pick < 0)
			return weights[i].op;
	}
}

static void make_call(struct maker *m)
{
	struct conform_step *step = conform_add_step(m->p, CONFORM_CALL);
	struct conform_call *call = &step->call;
	int op = draw_op(m);

	step->task = draw(m, m->p->task_count);
	call->op = op | (draw(m, 8) < m->shared ? 0 : FUTEX_PRIVATE_FLAG);
	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
		make_wait(m, step->task, call, op);
		break;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_WAKE_OP:
		make_wake(m, call, op);
		break;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_CMP_REQUEUE_PI:
		make_requeue(m, call, op);
		break;
	case FUTEX_LOCK_PI:
	case LOCK_PI2:
		call->uaddr = at(lock_word(m));
		set_timeout(m, step->task, call, op);
		break;
	default:
		call->uaddr = at(lock_word(m));
	}
}

/* As a mutex does it without the kernel: it never changes a word on which somebody waits. */
static void make_cas(struct maker *m)
{
	struct conform_step *step = conform_add_step(m->p, CONFORM_CAS);
	int task = draw(m, m->p->task_count);

	step->task = task;
	if (chance(m, 60)) {
		step->word = m->plain + draw(m, m->p->word_count - m->plain);
		step->old = chance(m, 50) ? number(0) : owned(task, 0);
		step->value = step->old.kind == CONFORM_NUMBER ? owned(task, 0) : number(0);
	} else {
		step->word = plain_word(m);
		step->old = current(step->word);
		step->value = number(PLAIN + (uint32_t)draw(m, 3));
	}
}

static void make_exit(struct maker *m)
{
	int task = draw(m, m->p->task_count);
	struct conform_step *step;

	if (chance(m, 60)) {
		step = conform_add_step(m->p, CONFORM_ROBUST);
		step->task = task;
		for (int i = m->plain; i < m->p->word_count; i++) {
			struct conform_entry entry = {at(i), chance(m, 85)};

			if (!chance(m, 70))
				continue;
			step->entries = conform_grow(step->entries, step->entry_count,
						     sizeof(entry));
			step->entries[step->entry_count++] = entry;
		}
		step->has_pending = chance(m, 30);
		step->pending = (struct conform_entry){at(lock_word(m)), chance(m, 85)};
	}
	step = conform_add_step(m->p, CONFORM_EXIT);
	step->task = task;
}

static void make_event(struct maker *m)
{
	int kind = draw(m, 100);
	struct conform_step *step;

	if (kind < 45) {
		make_cas(m);
	} else if (kind < 65) {
		step = conform_add_step(m->p, CONFORM_SIGNAL);
		step->task = draw(m, m->p->task_count);
		step->signal = (enum conform_signal)draw(m, 3);
	} else if (kind < 92) {
		step = conform_add_step(m->p, CONFORM_SCHED);
		step->task = draw(m, m->p->task_count);
		draw_sched(m, &step->sched);
	} else {
		make_exit(m);
	}
}

/* A deadline that came up lies at most three steps away. */
static void make_steps(struct maker *m)
{
	int count = STEPS_MIN + draw(m, STEPS_MORE), since = 0;

	while (m->p->step_count < count) {
		struct conform_step *step;

		if (chance(m, 76))
			make_call(m);
		else
			make_event(m);
		if (m->timed < 0) {
			since = 0;
			continue;
		}
		if (since++ < 3 && !chance(m, 40))
			continue;
		step = conform_add_step(m->p, CONFORM_EXPIRE);
		step->task = m->timed;
		m->timed = -1;
		since = 0;
	}
}

void conform_make_program(struct conform_program *p, uint64_t seed, bool guarded, bool realtime)
{
	struct maker maker = {.p = p, .rng = {seed}, .guarded = guarded, .realtime = realtime};
	struct maker *m = &maker;
	int tasks, words;

	memset(p, 0, sizeof(*p));
	draw_bits(&m->rng);
	snprintf(p->name, sizeof(p->name), "random-%llu", (unsigned long long)seed);
	p->title = conform_copy_text("made of a seed");
	p->file = conform_copy_text("random");
	p->random = true;
	p->repeat = p->process_count = 1;
	m->timed = -1;
	conform_add_page(p, "main");
	tasks = 3 + draw(m, 4);
	words = 2 + draw(m, 3);
	m->plain = words == 4 ? 1 + draw(m, 2) : 1;
	/* Two kinds of keys on one word make owners that the word does not name: see guard.c. */
	m->shared = chance(m, 25) ? 8 : 0;
	if (!guarded && chance(m, 10))
		m->shared = 2;
	for (int i = 0; i < tasks; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%c", 'A' + i);
		draw_sched(m, &conform_add_task(p, name)->sched);
	}
	for (int i = 0; i < words; i++) {
		char name[8];
		struct conform_word *word;

		snprintf(name, sizeof(name), "%c%d", i < m->plain ? 'c' : 'L',
			 i < m->plain ? i + 1 : i + 1 - m->plain);
		word = conform_add_word(p, name);
		word->offset = (unsigned)i * 16;
		word->init = number(i < m->plain ? PLAIN : 0);
	}
	make_steps(m);
}
