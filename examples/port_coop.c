/* SPDX-License-Identifier: MIT */
/*
 * port_coop.c - a port of the engine for one core and cooperative tasks. See port_coop.h.
 *
 * Each function below is one call of struct rqpi_port, in the order of that struct. With one core
 * and no preemption a raw lock has nothing to do but to notice mistakes.
 */
#include "port_coop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- raw locks */

/* Here a test may let another task go on, as a second core would (on_step). */
static void step(struct coop *coop)
{
	if (coop->on_step)
		coop->on_step(coop);
}

/* How many the running task has; or whoever called the engine from outside of all tasks. */
static unsigned long *raw_locks(struct coop *coop)
{
	return coop->running ? &coop->running->raw_locks : &coop->raw_locks;
}

/* Without on_step nobody else can hold one on a single core. */
static void wait_for_holder(struct coop *coop, const char *what)
{
	if (!coop->on_step || !coop->running) {
		fprintf(stderr, "port_coop: %s\n", what);
		abort();
	}
	coop->running->spinning = 1;
	coop_yield(coop->running);
	coop->running->spinning = 0;
}

static bool raw_trylock(void *ctx, struct rqpi_rawlock *lock)
{
	struct coop *coop = ctx;

	step(coop);
	if (lock->word[0])
		return false;
	lock->word[0] = 1;
	++*raw_locks(coop);
	return true;
}

static void raw_lock(void *ctx, struct rqpi_rawlock *lock)
{
	while (!raw_trylock(ctx, lock))
		wait_for_holder(ctx, "a raw lock is taken twice");
}

static void raw_unlock(void *ctx, struct rqpi_rawlock *lock)
{
	struct coop *coop = ctx;

	if (!lock->word[0]) {
		fprintf(stderr, "port_coop: a raw lock is given back twice\n");
		abort();
	}
	lock->word[0] = 0;
	--*raw_locks(coop);
}

static void raw_relax(void *ctx)
{
	wait_for_holder(ctx, "waiting for a raw lock");
}

/* ---------------------------------------------------------------- user words */

static int access_word(struct coop *coop, const uint32_t *uaddr, int write)
{
	step(coop);
	if (coop->on_access)
		coop->on_access(coop, (uint32_t *)(uintptr_t)uaddr);
	if (!uaddr || (uaddr == coop->bad && coop->faults_left && (write || coop->bad_for_read)))
		return -RQPI_EFAULT;
	return 0;
}

static int load_word(void *ctx, const uint32_t *uaddr, uint32_t *val)
{
	if (access_word(ctx, uaddr, 0))
		return -RQPI_EFAULT;
	*val = __atomic_load_n(uaddr, __ATOMIC_SEQ_CST);
	return 0;
}

static int cmpxchg_word(void *ctx, uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	if (access_word(ctx, uaddr, 1))
		return -RQPI_EFAULT;
	*seen = old;
	(void)__atomic_compare_exchange_n(uaddr, seen, val, false, __ATOMIC_SEQ_CST,
					  __ATOMIC_SEQ_CST);
	return 0;
}

/* A kernel with paging would bring the page in, and sleep for it. */
static int fault_in(void *ctx, uint32_t *uaddr, bool write)
{
	struct coop *coop = ctx;

	(void)write;
	step(coop);
	if (coop->on_fault)
		coop->on_fault(coop, uaddr);
	if (!uaddr || uaddr != coop->bad || coop->faults_left < 0)
		return -RQPI_EFAULT;
	if (coop->faults_left > 0)
		coop->faults_left--;
	return 0;
}

static int copy_in(void *ctx, void *to, const void *from, size_t bytes)
{
	(void)ctx;
	if (!from || from == ((struct coop *)ctx)->bad)
		return -RQPI_EFAULT;
	memcpy(to, from, bytes);
	return 0;
}

/* All memory is everybody's, at the same address: address and object are one. */
static int shared_key(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
		      struct rqpi_key *key)
{
	struct coop *coop = ctx;

	(void)self;
	if (!uaddr ||
	    (uaddr == coop->bad && coop->faults_left < 0 && (write || coop->bad_for_read)))
		return -RQPI_EFAULT;
	key->object = 0;
	key->offset = (uintptr_t)uaddr;
	key->shared = RQPI_KEY_SHARED_OBJECT;
	return 0;
}

static bool user_range(void *ctx, const void *uaddr)
{
	(void)ctx;
	return (uintptr_t)uaddr < (sizeof(void *) == 8 ? UINTPTR_MAX / 2 : UINTPTR_MAX - 65535);
}

/* ---------------------------------------------------------------- sleeping */

static struct coop_task *of(const struct rqpi_task *task)
{
	return rqpi_task_cookie(task);
}

void coop_sleep(struct coop_task *self)
{
	struct coop *coop = self->coop;

	if (self->raw_locks) {
		fprintf(stderr, "port_coop: sleeping with a raw lock held\n");
		abort();
	}
	self->asleep = 1;
	swapcontext(&self->context, &coop->idle);
}

void coop_yield(struct coop_task *self)
{
	swapcontext(&self->context, &self->coop->idle);
}

static int block(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
		 bool interruptible)
{
	struct coop *coop = ctx;
	struct coop_task *t = of(self);

	for (;;) {
		if (t->woken) {
			t->woken = 0;
			return 0;
		}
		if (interruptible && t->interrupted) {
			t->interrupted = 0;
			return -RQPI_EINTR;
		}
		if (deadline->ns <= coop->now)
			return -RQPI_ETIMEDOUT;
		t->deadline = deadline->ns;
		t->interruptible = interruptible;
		coop_sleep(t);
	}
}

void coop_wake(struct coop_task *t)
{
	t->woken = 1;
	t->asleep = 0;
}

static void wake(void *ctx, struct rqpi_task *task)
{
	(void)ctx;
	coop_wake(of(task));
}

static uint64_t now(void *ctx, int clock)
{
	(void)clock;
	return ((struct coop *)ctx)->now;
}

/* ---------------------------------------------------------------- tasks */

static struct rqpi_task *find_task(void *ctx, struct rqpi_task *self, uint32_t tid)
{
	struct coop *coop = ctx;

	(void)self;
	for (struct coop_task *t = coop->tasks; t; t = t->next) {
		if (t->task && rqpi_task_tid(t->task) == tid) {
			rqpi_task_get(t->task);
			return t->task;
		}
	}
	return NULL;
}

/* Its storage is part of struct coop_task, and the user's. */
static void release(void *ctx, struct rqpi_task *task, struct rqpi_pi_state *state)
{
	(void)ctx;
	(void)state;
	of(task)->task = NULL;
}

static void set_prio(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff)
{
	(void)ctx;
	of(task)->prio = eff->prio;
}

static void tell(void *ctx, const struct rqpi_event *event)
{
	struct coop *coop = ctx;

	if (coop->trace)
		coop->trace(coop, event);
}

static void panic(void *ctx, const char *what, const char *file, int line)
{
	(void)ctx;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

static const struct rqpi_port port = {
    .lock = raw_lock,
    .trylock = raw_trylock,
    .unlock = raw_unlock,
    .relax = raw_relax,
    .load = load_word,
    .cmpxchg = cmpxchg_word,
    .fault_in = fault_in,
    .copy_in = copy_in,
    .shared_key = shared_key,
    .user_range = user_range,
    .block = block,
    .wake = wake,
    .now = now,
    .find_task = find_task,
    .release = release,
    .set_prio = set_prio,
    .trace = tell,
    .panic = panic,
};

/* ---------------------------------------------------------------- the kernel around it */

int coop_init(struct coop *coop, uint32_t buckets)
{
	*coop = (struct coop){.next_tid = 1};
	coop->memory = aligned_alloc(64, (rqpi_engine_size(buckets) + 63) & ~(size_t)63);
	if (!coop->memory)
		return -1;
	coop->engine = rqpi_engine_init(coop->memory, buckets, &port, coop);
	return coop->engine ? 0 : -1;
}

void coop_fini(struct coop *coop)
{
	for (struct coop_task *t = coop->tasks; t; t = t->next)
		free(t->stack);
	free(coop->memory);
}

/* makecontext() passes ints: the task that is to begin is the one that runs. */
static struct coop_task *beginning;

static void begin(void)
{
	struct coop_task *t = beginning;

	t->fn(t, t->arg);
	/* A thread's end: what it owns is passed on. */
	rqpi_task_exit(t->task);
	rqpi_task_put(t->task);
	t->finished = 1;
	swapcontext(&t->context, &t->coop->idle);
}

int coop_spawn(struct coop *coop, struct coop_task *t, uint64_t space, int prio,
	       void (*fn)(struct coop_task *self, void *arg), void *arg)
{
	struct rqpi_task_attr attr = {
	    .tid = coop->next_tid++,
	    .space = space,
	    .kernel = coop->spawn_kernel,
	    .prio = {.prio = prio},
	    .cookie = t,
	};
	size_t stack_bytes = coop->stack_bytes ? coop->stack_bytes : COOP_STACK;

	memset(t, 0, sizeof(*t));
	t->coop = coop;
	t->fn = fn;
	t->arg = arg;
	t->prio = prio;
	t->stack = malloc(stack_bytes);
	if (!t->stack || getcontext(&t->context))
		return -1;
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = stack_bytes;
	makecontext(&t->context, begin, 0);
	t->task = rqpi_task_init(coop->engine, t->storage, t->state, &attr);
	t->next = coop->tasks;
	coop->tasks = t;
	return 0;
}

/* The most urgent; of equals the one that has been here longest: @tasks has the newest in front. */
static struct coop_task *pick(struct coop *coop)
{
	struct coop_task *best = NULL;

	for (struct coop_task *t = coop->tasks; t; t = t->next)
		if (!t->finished && !t->asleep && !t->held && (!best || t->prio <= best->prio))
			best = t;
	return best;
}

void coop_run(struct coop *coop)
{
	struct coop_task *t;

	while ((t = coop->choose ? coop->choose(coop) : pick(coop))) {
		beginning = t;
		coop->running = t;
		swapcontext(&coop->idle, &t->context);
		coop->running = NULL;
	}
}

void coop_advance(struct coop *coop, uint64_t ns)
{
	coop->now += ns;
	for (struct coop_task *t = coop->tasks; t; t = t->next)
		if (t->asleep && t->deadline && t->deadline <= coop->now)
			t->asleep = 0;
	coop_run(coop);
}

void coop_interrupt(struct coop_task *t)
{
	t->interrupted = 1;
	if (t->asleep && t->interruptible)
		t->asleep = 0;
	coop_run(t->coop);
}
