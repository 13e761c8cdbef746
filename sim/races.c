/* SPDX-License-Identifier: MIT */
/*
 * races.c - the detector of races: vector clocks, kept by what the compiler calls before each
 * access to memory.
 *
 * The code under test and the scenarios are compiled with -fsanitize=thread, and linked with this
 * instead of the compiler's own runtime: so every plain access is seen, and every atomic one with
 * the order that the code asks for. Called by that code (races_calls.c) and by the machine, which
 * tells of the edges that it makes itself (watch.h).
 *
 * Each task has a clock, which it steps when it releases something, and knows of each other task's
 * clock what has reached it by an edge. Of each word it is known when each task has accessed it
 * last, in each of four ways. An access that conflicts with one that is later than what the task
 * knows of the other is a race.
 *
 * All of this is outside of the state [W-I1]: it is about one execution, not about a state, and
 * so goes with the orders that play one execution after the other. An execution begins with a
 * time that is later than all before it, and every task knows it: nothing has to be cleared.
 */
#include "sim/races.h"

#include <stdio.h>
#include <string.h>

#include "sim/symbols.h"
#include "sim/watch.h"
#include "sim/world.h"

enum {
	LANES = 8, /* tasks, and the one that sets up; as many as are compared at a time */
	WORD = 4,  /* bytes that are one location: no two tasks share such a word by its bytes */
	OTHER = 1 << 17, /* from here on: what the other address space has for itself */
	WORDS = OTHER + (1 << 15),
};

_Static_assert(RQS_TASKS < LANES, "a lane for each task");

struct clocks {
	uint32_t of[LANES];
};

/* Of each word: when each task accessed it last, in each way; what its last release has left. */
static struct {
	struct clocks at[RQS_WAYS];
	struct clocks released;
} cells[WORDS];

/* And where in the code that was, as an offset into the program: for the report. */
static uint32_t code[WORDS][RQS_WAYS][LANES];

static struct clocks known[LANES]; /* what each task knows; its own lane is its time */
static int me = -1;		   /* the task that runs */
static bool in_other;		   /* it is of the other address space */
static struct rqs_memory arena;
static struct rqs_memory marked; /* RQB_STATE */

/* Which accesses of others, in which ways, one in this way conflicts with. */
static const struct {
	uint8_t with[RQS_WAYS];
	uint8_t count;
} conflicts[RQS_WAYS] = {
    [RQS_READ] = {{RQS_WRITE, RQS_ATOMIC_WRITE}, 2},
    [RQS_WRITE] = {{RQS_READ, RQS_WRITE, RQS_ATOMIC_READ, RQS_ATOMIC_WRITE}, 4},
    [RQS_ATOMIC_READ] = {{RQS_WRITE}, 1},
    [RQS_ATOMIC_WRITE] = {{RQS_READ, RQS_WRITE}, 2},
};

/* ---------------------------------------------------------------- places */

static bool is_in(uintptr_t addr, const void *memory, size_t bytes)
{
	return addr - (uintptr_t)memory < bytes;
}

static bool is_programs(uintptr_t addr)
{
	return is_in(addr, rqs_world->program, rqs_program_bytes());
}

/* The cell of @addr, -1: nobody shares it. */
static long cell_of(const volatile void *addr)
{
	uintptr_t at = (uintptr_t)addr - (uintptr_t)arena.base;
	long first = 0;

	if (at < arena.bytes) {
		if (in_other && rqs_own_memory() && is_programs((uintptr_t)addr))
			first = OTHER;
		return first + (long)(at / WORD);
	}
	at = (uintptr_t)addr - (uintptr_t)marked.base;
	if (at >= marked.bytes)
		return -1;
	/* Of the other space there are no stacks, so this is behind all of the program's. */
	return (in_other ? WORDS : OTHER) - (long)((marked.bytes - at + WORD - 1) / WORD);
}

static void name_in_task(uintptr_t addr, const struct rqs_task *t, char *text, size_t size)
{
	if (is_in(addr, t->storage, sizeof(t->storage)))
		snprintf(text, size, "the engine's task %c+%zu", rqs_name(t),
			 (size_t)(addr - (uintptr_t)t->storage));
	else if (is_in(addr, t->pi_state, sizeof(t->pi_state)))
		snprintf(text, size, "the PI state of %c+%zu", rqs_name(t),
			 (size_t)(addr - (uintptr_t)t->pi_state));
	else if (is_in(addr, t->floor, (size_t)((char *)t->top - (char *)t->floor)))
		snprintf(text, size, "the stack of %c", rqs_name(t));
	else
		snprintf(text, size, "the thread %c+%zu", rqs_name(t),
			 (size_t)(addr - (uintptr_t)t));
}

static void name_place(uintptr_t addr, char *text, size_t size)
{
	const struct rqs_world *w = rqs_world;
	char name[40];
	size_t in;

	for (uint32_t i = 0; i < w->n_tasks; i++) {
		const struct rqs_task *t = &w->tasks[i];

		if (is_in(addr, t, sizeof(*t)) ||
		    is_in(addr, t->floor, (size_t)((char *)t->top - (char *)t->floor))) {
			name_in_task(addr, t, text, size);
			return;
		}
	}
	if (is_in(addr, marked.base, marked.bytes)) {
		in = rqs_symbol(addr, name, sizeof(name));
		snprintf(text, size, "%s+%zu", name, in);
	} else if (is_programs(addr)) {
		snprintf(text, size, "the program's memory+%zu",
			 (size_t)(addr - (uintptr_t)w->program));
	} else {
		snprintf(text, size, "the engine+%zu", (size_t)(addr - (uintptr_t)w->engine));
	}
}

/* ---------------------------------------------------------------- races */

static void report(long cell, uintptr_t addr, enum rqs_way way, uintptr_t pc, int other,
		   enum rqs_way earlier)
{
	static const char *const names[RQS_WAYS] = {
	    [RQS_READ] = "read",
	    [RQS_WRITE] = "write",
	    [RQS_ATOMIC_READ] = "atomic read",
	    [RQS_ATOMIC_WRITE] = "atomic write",
	};
	char place[64], here[40], there[40];

	name_place(addr, place, sizeof(place));
	(void)rqs_symbol(pc, here, sizeof(here));
	(void)rqs_symbol(rqs_program_base() + code[cell][earlier][other], there, sizeof(there));
	rqs_fail("race", "%s of %s by %c in %s, unordered with the earlier %s by %c in %s",
		 names[way], place, 'a' + me, here, names[earlier], 'a' + other, there);
}

/* One word. What has been looked at since the last step of the clock need not be again. */
static void look(long cell, uintptr_t addr, enum rqs_way way, uintptr_t pc)
{
	const struct clocks *mine = &known[me];

	if (cells[cell].at[way].of[me] == mine->of[me])
		return;
	for (int i = 0; i < conflicts[way].count; i++) {
		enum rqs_way with = (enum rqs_way)conflicts[way].with[i];
		const struct clocks *theirs = &cells[cell].at[with];
		int later = 0;

		for (int t = 0; t < LANES; t++)
			later |= theirs->of[t] > mine->of[t];
		for (int t = 0; later && t < LANES; t++) {
			if (theirs->of[t] > mine->of[t]) {
				report(cell, addr, way, pc, t, with);
				return;
			}
		}
	}
	cells[cell].at[way].of[me] = mine->of[me];
	code[cell][way][me] = (uint32_t)(pc - rqs_program_base());
}

void rqs_race_access(const volatile void *addr, size_t bytes, enum rqs_way way, const void *pc)
{
	long cell;
	long last;

	if (me < 0 || !bytes || (cell = cell_of(addr)) < 0)
		return;
	last = cell_of((const volatile char *)addr + bytes - 1);
	for (uintptr_t at = (uintptr_t)addr; cell <= last; cell++, at += WORD)
		look(cell, at, way, (uintptr_t)pc - 1);
}

/* In the arena, and neither the engine's nor the program's. */
static bool is_machines(uintptr_t addr)
{
	const struct rqs_world *w = rqs_world;
	const char *end = (const char *)w->program + rqs_program_bytes();

	if (!is_in(addr, w, w->used) ||
	    is_in(addr, w->engine, (size_t)(end - (const char *)w->engine)))
		return false;
	for (uint32_t i = 0; i < w->n_tasks; i++) {
		const struct rqs_task *t = &w->tasks[i];

		if (is_in(addr, t->storage, sizeof(t->storage)) ||
		    is_in(addr, t->pi_state, sizeof(t->pi_state)))
			return false;
	}
	return true;
}

void rqs_race_copy(const volatile void *addr, size_t bytes, enum rqs_way way, const void *pc)
{
	if (me >= 0 && !is_machines((uintptr_t)addr))
		rqs_race_access(addr, bytes, way, pc);
}

/* ---------------------------------------------------------------- edges */

static void join(struct clocks *to, const struct clocks *from)
{
	for (int t = 0; t < LANES; t++)
		to->of[t] = to->of[t] > from->of[t] ? to->of[t] : from->of[t];
}

static void join_task(int task)
{
	for (int t = 0; me >= 0 && t < LANES; t++) {
		if (task < 0 || t == task) {
			join(&known[me], &known[t]);
			known[t].of[t] += t != me;
		}
	}
}

static void acquire(const void *object)
{
	long cell = cell_of(object);

	if (me >= 0 && cell >= 0)
		join(&known[me], &cells[cell].released);
}

/* @add: to what others have released there before, as a read-modify-write does. */
static void release_to(const volatile void *object, bool add)
{
	long cell = cell_of(object);

	if (me < 0 || cell < 0)
		return;
	if (add)
		join(&cells[cell].released, &known[me]);
	else
		cells[cell].released = known[me];
	known[me].of[me]++;
}

static void release(const void *object)
{
	release_to(object, true);
}

static bool acquires(int order)
{
	return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME ||
	       order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

void rqs_race_load(const volatile void *addr, size_t bytes, int order, const void *pc)
{
	rqs_race_access(addr, bytes, RQS_ATOMIC_READ, pc);
	if (acquires(order))
		acquire((const void *)(uintptr_t)addr);
}

/* A relaxed store leaves nothing for those who acquire: it ends the release sequence before it. */
void rqs_race_store(volatile void *addr, size_t bytes, int order, const void *pc)
{
	static const struct clocks nothing;
	long cell = cell_of(addr);

	rqs_race_access(addr, bytes, RQS_ATOMIC_WRITE, pc);
	if (releases(order))
		release_to(addr, false);
	else if (me >= 0 && cell >= 0)
		cells[cell].released = nothing;
}

/* A relaxed one goes on with the release sequence that it finds. */
void rqs_race_exchange(volatile void *addr, size_t bytes, int order, const void *pc)
{
	rqs_race_access(addr, bytes, RQS_ATOMIC_WRITE, pc);
	if (acquires(order))
		acquire((const void *)(uintptr_t)addr);
	if (releases(order))
		release_to(addr, true);
}

/* ---------------------------------------------------------------- what the machine tells */

static uint32_t latest(void)
{
	uint32_t time = 0;

	for (int t = 0; t < LANES; t++)
		time = known[t].of[t] > time ? known[t].of[t] : time;
	return time;
}

static void begin(void)
{
	uint32_t time = latest();

	if (!arena.base)
		rqs_world_memory(&arena, &marked);
	if (time > UINT32_MAX / 2) {
		memset(cells, 0, sizeof(cells));
		time = 0;
	}
	for (int t = 0; t < LANES; t++) {
		for (int other = 0; other < LANES; other++)
			known[t].of[other] = time;
		known[t].of[t] = time + 1;
	}
}

static void runs(int task)
{
	me = task;
	in_other = task >= 0 && rqs_world->tasks[task].space;
}

/* As weak as a kernel's own copy of a word may be. */
static void load(const uint32_t *word)
{
	rqs_race_load(word, sizeof(*word), __ATOMIC_RELAXED, __builtin_return_address(0));
}

static void exchange(uint32_t *word)
{
	rqs_race_exchange(word, sizeof(*word), __ATOMIC_SEQ_CST, __builtin_return_address(0));
}

static void reuse(void *memory, size_t bytes)
{
	rqs_race_access(memory, bytes, RQS_WRITE, __builtin_return_address(0));
}

const struct rqs_watcher rqs_race_watcher = {
    .begin = begin,
    .runs = runs,
    .acquire = acquire,
    .release = release,
    .join = join_task,
    .load = load,
    .exchange = exchange,
    .reuse = reuse,
};
