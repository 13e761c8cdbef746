/* SPDX-License-Identifier: MIT */
/*
 * world.c - the memory of the simulated machine, its tasks, and one step of one of them.
 *
 * Called by the explorers (explore_*.c). Rules: world.h [W-I1..3].
 */
#define _GNU_SOURCE
#include "sim/world.h"

#include <emmintrin.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/buffers.h"
#include "sim/coverage.h"
#include "sim/fiber.h"
#include "sim/monitor.h"
#include "sim/scenario.h"
#include "sim/watch.h"
#include "src/base/assert.h"

/*
 * One mapping, at an address where no sanitizer and no loader puts anything: the arena, then the
 * stacks, each with a page below it that nobody may touch.
 */
#define BASE	    ((char *)0x300000000000)
#define ARENA_BYTES (64u * 1024)
#define STACK_BYTES (64u * 1024)
#define GUARD_BYTES 4096u
#define STACKS	    (RQS_TASKS + 1u) /* and that of the one that sets up */
#define MAP_BYTES   (ARENA_BYTES + STACKS * STACK_BYTES)

/*
 * Below the stack pointer of a task that gives way lies what calls that have returned left behind.
 * Each of their frames had a return address, which is not 0, and was smaller than this, as
 * meson.build has the compiler see to: where so much is 0, all below is.
 */
#define FRAME_BYTES 1024u

enum { VECTORS = 4 }; /* looked at in one go, there */

struct rqs_world *const rqs_world = (struct rqs_world *)(uintptr_t)0x300000000000;
struct rqs_violation rqs_violation;
bool rqs_one_cpu;
struct rqs_place rqs_places[RQS_TASKS + 1];

/* The explorer's side; no part of the state. */
static struct rqs_task *running;
static void *explorer;
static bool alone; /* points are none */
static const struct rqs_scenario *playing;
sigjmp_buf rqs_judging;
bool rqs_is_judging;

static char *marked_at_first; /* as the loader left it */

/* ---------------------------------------------------------------- violations */

void rqs_fail(const char *oracle, const char *format, ...)
{
	va_list ap;

	if (!rqs_violation.found) {
		rqs_violation.found = true;
		snprintf(rqs_violation.oracle, sizeof(rqs_violation.oracle), "%s", oracle);
		va_start(ap, format);
		vsnprintf(rqs_violation.text, sizeof(rqs_violation.text), format, ap);
		va_end(ap);
	}
	if (running) {
		struct rqs_task *t = running;

		running = NULL;
		rqs_fiber_switch(&t->sp, explorer);
	}
}

/*
 * The code under test has touched what is not there: on a stack of its own, as the task's is
 * lost. The explorer goes on, as if the task had given way.
 */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;
	struct rqs_task *t;
	void *lost;

	(void)context;
	if (!running && rqs_is_judging) {
		rqs_fail("memory", "%s at address %p", strsignal(sig), info->si_addr);
		siglongjmp(rqs_judging, 1);
	}
	if (!running) {
		psiginfo(info, "rqpi check: the checker itself has crashed");
		_Exit(3);
	}
	t = running;
	running = NULL;
	rqs_watch(runs, -1);
	if (at >= (char *)t->floor - GUARD_BYTES && at < (char *)t->floor)
		rqs_fail("memory", "%c has used up its stack", rqs_name(t));
	rqs_fail("memory", "%s at address %p", strsignal(sig), info->si_addr);
	rqs_fiber_switch(&lost, explorer);
}

static int catch_faults(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	static char stack[64 * 1024];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (sigaltstack(&alternate, NULL))
		return -1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], &action, NULL))
			return -1;
	}
	return 0;
}

/* ---------------------------------------------------------------- tasks */

struct rqs_task *rqs_running(void)
{
	return running;
}

char rqs_name(const struct rqs_task *t)
{
	return (char)('a' + (t - rqs_world->tasks));
}

void *rqs_alloc(size_t bytes, size_t align)
{
	uint32_t at = (rqs_world->used + (uint32_t)align - 1) & ~((uint32_t)align - 1);

	if (at + bytes > ARENA_BYTES) {
		fprintf(stderr, "rqpi check: a scenario needs more than %u bytes\n", ARENA_BYTES);
		_Exit(3);
	}
	rqs_world->used = at + (uint32_t)bytes;
	return BASE + at;
}

void rqs_yield(void)
{
	struct rqs_task *t = running;

	if (t && !alone)
		rqs_fiber_switch(&t->sp, explorer);
}

struct rqpi_task *rqs_get_task(struct rqs_task *t)
{
	bool before = alone;

	rqs_wait_for_stores();
	alone = true;
	rqs_watch(acquire, &rqs_world->tasks);
	if (t->task)
		rqpi_task_get(t->task);
	rqs_watch(release, &rqs_world->tasks);
	alone = before;
	return t->task;
}

void rqs_wake_task(struct rqs_task *t)
{
	if (t->status == RQS_ASLEEP)
		t->status = RQS_READY;
}

void rqs_end_task(void)
{
	struct rqs_task *t = running;

	rqs_wait_for_stores();
	rqs_monitor_ended();
	rqs_urgency_exit(t);
	t->in_kernel = RQS_ENDING;
	rqpi_task_exit(t->task);
	rqpi_task_put(t->task);
	t->status = RQS_ENDED;
	if (t->raw_locks)
		rqs_fail("locks", "%c ended with a raw lock of the engine held", rqs_name(t));
	running = NULL;
	rqs_fiber_switch(&t->sp, explorer);
	__builtin_unreachable();
}

static void begin_task(void)
{
	if (running->forked)
		rqs_begin_child();
	running->fn();
	rqs_end_task();
}

static void spawn(uint32_t index, const struct rqs_actor *actor)
{
	struct rqs_task *t = &rqs_world->tasks[index];
	struct rqpi_task_attr attr = {
	    .tid = RQS_FIRST_TID + index,
	    .space = RQS_SPACE + actor->space,
	    .kernel = actor->kernel,
	    .prio = {.prio = actor->prio},
	    .cookie = t,
	};

	memset(t, 0, sizeof(*t)); /* a literal would be on this stack first: FRAME_BYTES */
	t->fn = actor->fn;
	t->status = actor->forked ? RQS_NONE : RQS_READY;
	t->prio = actor->prio;
	t->signals_left = (uint32_t)actor->signals;
	t->cancel = actor->may_cancel ? RQS_CANCEL_MAY : RQS_CANCEL_NEVER;
	t->started = !rqs_one_cpu;
	t->kill = actor->may_be_killed ? RQS_CANCEL_MAY : RQS_CANCEL_NEVER;
	t->space = actor->space;
	t->forked = actor->forked;
	t->faults_left = (uint32_t)actor->faults;
	t->self.tid = attr.tid;
	rqs_places[index] = (struct rqs_place){.kind = RQS_AT_NOTHING};
	t->floor = BASE + ARENA_BYTES + index * STACK_BYTES + GUARD_BYTES;
	t->top = BASE + ARENA_BYTES + (index + 1) * STACK_BYTES;
	memset(t->floor, 0, STACK_BYTES - GUARD_BYTES);
	t->sp = rqs_fiber_new(t->top, begin_task);
	t->task = rqpi_task_init(rqs_world->engine, t->storage, t->pi_state, &attr);
	t->robust.list = &t->robust;
	t->robust.futex_offset = RQU_ROBUST_OFFSET;
	(void)rqpi_task_set_robust_list(t->task, &t->robust, sizeof(t->robust));
	rqs_urgency_new(t, actor->prio);
}

/* ---------------------------------------------------------------- what may happen next */

/* It can go on. */
static inline bool is_ready(const struct rqs_task *t)
{
	return t->started && t->status == RQS_READY && (!t->wants || !t->wants->word[0]) &&
	       (!t->until || t->until());
}

/* Who holds a raw lock has preemption switched off. Equals take turns as they like. */
static bool is_before(const struct rqs_task *a, const struct rqs_task *b)
{
	if (!a->raw_locks != !b->raw_locks)
		return a->raw_locks != 0;
	return a->prio < b->prio;
}

static bool is_most_urgent(const struct rqs_task *t)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqs_task *other = &rqs_world->tasks[i];

		if (is_ready(other) && is_before(other, t))
			return false;
	}
	return true;
}

static inline bool can_run(const struct rqs_task *t)
{
	return is_ready(t) && (!rqs_one_cpu || is_most_urgent(t));
}

static inline bool can(const struct rqs_task *t, enum rqs_kind kind)
{
	switch (kind) {
	case RQS_RUN:
		return can_run(t);
	case RQS_START:
		return !t->started && t->status != RQS_NONE;
	case RQS_FLUSH:
		return rqs_is_buffering(t);
	case RQS_FAULT:
		return t->at_page && t->faults_left && !t->page_away;
	case RQS_TIMER:
		return t->status == RQS_ASLEEP && t->deadline != RQPI_FOREVER;
	case RQS_SIGNAL: /* a handler between two instructions changes nothing */
		return t->signals_left && !t->interrupted && t->in_kernel &&
		       t->in_kernel != RQS_ENDING;
	case RQS_CANCEL: /* nor does it matter since when one is pending */
		return t->cancel == RQS_CANCEL_MAY && !t->cancel_off &&
		       (t->cancel_point || t->cancel_async) && t->status != RQS_ENDED;
	case RQS_KILL: /* in a system call it ends on the way back, unless that sleeps */
		return t->kill == RQS_CANCEL_MAY && t->status != RQS_ENDED &&
		       (!t->in_kernel || t->interruptible);
	default:
		return false;
	}
}

static inline int add(struct rqs_choice list[RQS_CHOICES], int n, uint32_t i, enum rqs_kind kind)
{
	if (can(&rqs_world->tasks[i], kind))
		list[n++] = (struct rqs_choice){.kind = (uint8_t)kind, .task = (uint8_t)i};
	return n;
}

/* Kind by kind: the compiler makes of it what a task cannot have without asking for each. */
int rqs_choices(struct rqs_choice list[RQS_CHOICES])
{
	int n = 0;

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		n = add(list, n, i, RQS_RUN);
		n = add(list, n, i, RQS_TIMER);
		n = add(list, n, i, RQS_SIGNAL);
		n = add(list, n, i, RQS_CANCEL);
		n = add(list, n, i, RQS_KILL);
		n = add(list, n, i, RQS_START);
		n = add(list, n, i, RQS_FAULT);
		n = add(list, n, i, RQS_FLUSH);
	}
	return n;
}
RQB_BUILD(RQS_KINDS == 8, "rqs_choices() has them all");

bool rqs_same_choice(struct rqs_choice a, struct rqs_choice b)
{
	return a.kind == b.kind && a.task == b.task;
}

bool rqs_is_possible(struct rqs_choice choice)
{
	return choice.task < rqs_world->n_tasks &&
	       can(&rqs_world->tasks[choice.task], (enum rqs_kind)choice.kind);
}

/*
 * Whatever @t has left below its stack pointer is cleared [W-I2]; all, if it has ended. What tells
 * of events has larger frames.
 */
static void clear_left(const struct rqs_task *t)
{
	__m128i *at = (__m128i *)((uintptr_t)t->sp & ~(uintptr_t)(sizeof(__m128i) - 1));
	__m128i *floor = t->floor;
	uint32_t clean = 0;

	if (t->status == RQS_ENDED)
		memset(t->sp, 0, (size_t)((char *)t->top - (char *)t->sp));
	if (rqs_listener)
		memset(floor, 0, (size_t)((char *)t->sp - (char *)floor));
	if ((char *)at < (char *)t->sp) /* a switch leaves it at half of one */
		memset(at, 0, sizeof(uint64_t));
	while (at - VECTORS >= floor && clean < FRAME_BYTES) {
		__m128i any;

		at -= VECTORS;
		any = _mm_or_si128(_mm_or_si128(at[0], at[1]), _mm_or_si128(at[2], at[3]));
		clean += VECTORS * sizeof(*at);
		if (_mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) == 0xffff)
			continue;
		at[0] = at[1] = at[2] = at[3] = _mm_setzero_si128();
		clean = 0;
	}
}

/*
 * Let it go on until it gives way. errno is the explorer's: the user half keeps it, which is to
 * say, has it on a stack [W-I2].
 */
static void run(struct rqs_task *t)
{
	uint32_t index = (uint32_t)(t - rqs_world->tasks);

	t->wants = NULL;
	errno = 0;
	rqs_at(RQS_AT_NOTHING, NULL);
	running = t;
	rqs_watch(runs, (int)index);
	rqs_fiber_switch(&explorer, t->sp);
	rqs_watch(runs, -1);
	running = NULL;
	rqs_places[index].kind = rqs_place.kind; /* one by one, as they were written */
	rqs_places[index].addr = rqs_place.addr;
	clear_left(t);
	if (t->status == RQS_ENDED)
		t->sp = t->top; /* from wherever it went */
}

bool rqs_take(struct rqs_choice choice)
{
	struct rqs_task *t = &rqs_world->tasks[choice.task];

	rqs_switch_space(t);
	switch (choice.kind) {
	case RQS_RUN:
		if (rqs_one_cpu)
			rqs_urgency_step(t);
		if (rqs_coverage)
			rqs_coverage_before();
		run(t);
		if (rqs_coverage)
			rqs_coverage_after(choice.task);
		break;
	case RQS_TIMER:
		if (t->deadline > rqs_world->now)
			rqs_world->now = t->deadline;
		rqs_wake_task(t);
		break;
	case RQS_SIGNAL:
		t->signals_left--;
		t->interrupted = 1;
		if (t->interruptible)
			rqs_wake_task(t);
		break;
	case RQS_START:
		t->started = 1;
		break;
	case RQS_KILL:
		t->kill = RQS_CANCEL_PENDING;
		if (t->interruptible)
			rqs_wake_task(t);
		break;
	case RQS_CANCEL:
		t->cancel = RQS_CANCEL_PENDING;
		if (t->interruptible)
			rqs_wake_task(t);
		break;
	case RQS_FLUSH:
		rqs_flush(t);
		break;
	case RQS_FAULT:
		t->faults_left--;
		t->page_away = 1;
		break;
	}
	rqs_switch_space(t);
	return !rqs_violation.found;
}

/* ---------------------------------------------------------------- states */

int rqs_world_open(void)
{
	void *at = mmap(BASE, MAP_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != BASE) {
		if (at != MAP_FAILED)
			munmap(at, MAP_BYTES);
		return -1;
	}
	for (uint32_t i = 0; i < STACKS; i++) {
		if (mprotect(BASE + ARENA_BYTES + i * STACK_BYTES, GUARD_BYTES, PROT_NONE))
			return -1;
	}
	marked_at_first = malloc(rqs_marked_bytes());
	if (!marked_at_first)
		return -1;
	memcpy(marked_at_first, rqs_state_begin, rqs_marked_bytes());
	return catch_faults();
}

size_t rqs_program_bytes(void)
{
	return playing->bytes;
}

void rqs_world_memory(struct rqs_memory *arena, struct rqs_memory *marked)
{
	*arena = (struct rqs_memory){BASE, MAP_BYTES};
	*marked = (struct rqs_memory){rqs_state_begin, rqs_marked_bytes()};
}

/* What depends on nothing but the program is done before the first choice. */
static void set_up(void)
{
	(void)rqu_sys_caps();
	if (playing->setup)
		playing->setup();
}

static uint32_t count_actors(const struct rqs_scenario *scenario)
{
	uint32_t n = 0;

	while (n < RQS_ACTORS && scenario->actors[n].fn)
		n++;
	return n;
}

/* An empty arena, with all that @scenario needs in it but its tasks' beginnings. */
static void lay_out(const struct rqs_scenario *scenario, uint32_t n_tasks)
{
	uint32_t buckets = scenario->buckets ? scenario->buckets : 1;

	memset(BASE, 0, ARENA_BYTES);
	memcpy(rqs_state_begin, marked_at_first, rqs_marked_bytes());
	rqs_world->used = sizeof(*rqs_world);
	rqs_world->now = 1;
	rqs_world->engine = rqpi_engine_init(rqs_alloc(rqpi_engine_size(buckets), 64), buckets,
					     &rqs_port, NULL);
	rqs_world->program = rqs_alloc(scenario->bytes, 64);
	rqs_monitor_begin(n_tasks, scenario->lies || scenario->own_memory);
	rqs_spaces_lay_out(scenario);
	rqs_world->tasks = rqs_alloc((n_tasks + 1) * sizeof(struct rqs_task), 64);
	rqs_world->used -= (uint32_t)sizeof(struct rqs_task);
}

/* As far as it comes alone. */
static void go_to_sleep(struct rqs_task *t)
{
	t->started = 1;
	while (t->status == RQS_READY && !rqs_violation.found)
		run(t);
}

bool rqs_world_begin(const struct rqs_scenario *scenario)
{
	const struct rqs_actor first = {.fn = set_up, .prio = RQPI_PRIO_NICE(0)};
	uint32_t n = count_actors(scenario);

	playing = scenario;
	rqs_violation.found = false;
	rqs_watch(begin);
	lay_out(scenario, n);
	spawn(n, &first);
	rqs_world->tasks[n].started = 1;
	alone = true;
	run(&rqs_world->tasks[n]);
	alone = false;
	if (rqs_world->tasks[n].status != RQS_ENDED)
		rqs_fail("setup", "%s: setting up does not end", scenario->name);
	rqs_spaces_begin();
	for (uint32_t i = 0; i < n; i++)
		spawn(i, &scenario->actors[i]);
	rqs_world->n_tasks = n;
	rqs_buffers_begin();
	for (uint32_t i = 0; i < scenario->asleep; i++)
		go_to_sleep(&rqs_world->tasks[i]);
	rqs_watch(begin);
	return !rqs_violation.found;
}
