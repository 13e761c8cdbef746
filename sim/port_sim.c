/* SPDX-License-Identifier: MIT */
/*
 * port_sim.c - the engine's port on the simulated machine, and the point before each atomic access.
 *
 * Called by the engine and by the atomic accesses of all code under test. Each function in the
 * order of struct rqpi_port. Nothing here needs an order of memory: one task runs at a time.
 *
 * There is a point before a raw lock is taken, a word of user space is touched, and a task sleeps;
 * none before a lock is let go or a task is woken: what others do in between could as well come
 * before or after.
 */
#include "sim/monitor.h"
#include "sim/world.h"

#include <string.h>

#include "sim/buffers.h"
#include "sim/place.h"
#include "sim/watch.h"

/* What freed memory is filled with. */
enum { GONE = 0xa5 };

void (*rqs_listener)(const struct rqpi_event *event);

/* On its own stack nobody meets it. */
static bool is_private(const struct rqs_task *t, const volatile void *addr)
{
	return (const volatile char *)addr >= (char *)t->floor &&
	       (const volatile char *)addr < (char *)t->top;
}

static bool is_gone(const volatile void *addr)
{
	const volatile char *p = addr;

	return rqs_world->gone && p >= rqs_world->gone &&
	       p < rqs_world->gone + rqs_world->gone_bytes;
}

void rqs_touch(const volatile void *addr)
{
	const volatile char *p = addr;

	if (is_gone(addr))
		rqs_fail("touched", "%c touches what has been destroyed, %td bytes into it",
			 rqs_name(rqs_running()), p - rqs_world->gone);
}

static void give_way(struct rqs_task *t, const volatile void *addr)
{
	rqs_at(RQS_AT_ATOMIC, addr);
	rqs_yield();
	rqs_touch(addr);
	if (!t->in_kernel) {
		(void)rqs_page_in(addr, false); /* as any access of a program does */
		rqs_deliver(t);
	}
}

void rqs_point(const volatile void *addr)
{
	struct rqs_task *t = rqs_running();

	if (!t)
		return;
	if (is_private(t, addr)) {
		rqs_wait_for_stores();
		return;
	}
	give_way(t, addr);
	rqs_drain(t);
}

const volatile void *rqs_load_point(const volatile void *addr, unsigned int bytes)
{
	struct rqs_task *t = rqs_running();

	if (!t || is_private(t, addr))
		return addr;
	give_way(t, addr);
	return rqs_seen_at(t, addr, bytes);
}

volatile void *rqs_store_point(volatile void *addr, unsigned int bytes)
{
	struct rqs_task *t = rqs_running();

	if (!t || is_private(t, addr))
		return addr;
	give_way(t, addr);
	return rqs_kept_at(t, addr, bytes);
}

/* ---------------------------------------------------------------- raw locks */

static void take(struct rqs_task *t, struct rqpi_rawlock *lock)
{
	if (lock->word[0])
		rqs_fail("locks", "a raw lock is taken twice");
	lock->word[0] = t ? rqpi_task_tid(t->task) : 1;
	if (t) {
		t->raw_locks++;
		rqs_drain(t);
	}
	rqs_watch(acquire, lock);
}

static void lock(void *ctx, struct rqpi_rawlock *raw)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	if (t) {
		t->wants = raw;
		rqs_at(RQS_AT_LOCK, raw);
		rqs_yield();
		t->wants = NULL;
	}
	take(t, raw);
}

static bool trylock(void *ctx, struct rqpi_rawlock *raw)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	rqs_at(RQS_AT_TRYLOCK, raw);
	rqs_yield();
	if (raw->word[0]) {
		if (t) {
			t->tried = raw;
			rqs_drain(t);
		}
		return false;
	}
	take(t, raw);
	return true;
}

static void unlock(void *ctx, struct rqpi_rawlock *raw)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	if (!raw->word[0] || (t && raw->word[0] != rqpi_task_tid(t->task)))
		rqs_fail("locks", "a raw lock is let go by somebody who does not have it");
	rqs_watch(release, raw);
	raw->word[0] = 0;
	if (t)
		t->raw_locks--;
}

/* Until the lock that could not be had is free: a task that only tries again is a cycle. */
static void relax(void *ctx)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	if (!t)
		return;
	t->wants = t->tried;
	rqs_at(RQS_AT_RELAX, t->tried);
	rqs_yield();
	t->wants = NULL;
	t->tried = NULL;
}

/* ---------------------------------------------------------------- words */

static bool is_there(const void *uaddr)
{
	if (!rqs_world->unmapped)
		rqs_touch(uaddr);
	return (uintptr_t)uaddr >= 4096 && !is_gone(uaddr);
}

bool rqs_yield_at_page(void)
{
	struct rqs_task *t = rqs_running();
	bool there;

	if (t)
		t->at_page = t->faults_left != 0;
	rqs_yield();
	if (!t)
		return true;
	there = !t->page_away;
	t->at_page = 0;
	t->page_away = 0;
	return there;
}

static int load(void *ctx, const uint32_t *uaddr, uint32_t *val)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	rqs_at(RQS_AT_LOAD, uaddr);
	if (!rqs_yield_at_page() || !is_there(uaddr) || !rqs_page_there(uaddr, false))
		return -RQPI_EFAULT;
	rqs_watch(load, uaddr);
	if (t)
		uaddr = (const uint32_t *)(uintptr_t)rqs_seen_at(t, uaddr, sizeof(*uaddr));
	*val = *(const volatile uint32_t *)uaddr;
	return 0;
}

static int compare_exchange(void *ctx, uint32_t *uaddr, uint32_t old, uint32_t val, uint32_t *seen)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	rqs_at(RQS_AT_EXCHANGE, uaddr);
	if (!rqs_yield_at_page() || !is_there(uaddr) || !rqs_page_there(uaddr, true))
		return -RQPI_EFAULT;
	if (t)
		rqs_drain(t);
	*seen = *(volatile uint32_t *)uaddr;
	if (*seen == old) {
		rqs_watch(exchange, uaddr);
		*(volatile uint32_t *)uaddr = val;
	} else {
		rqs_watch(load, uaddr);
	}
	return 0;
}

static int fault_in(void *ctx, uint32_t *uaddr, bool write)
{
	struct rqs_task *t = rqs_running();

	(void)ctx;
	rqs_at(RQS_AT_PAGE, uaddr);
	if (t && t->faults_left && !rqs_yield_at_page())
		return -RQPI_EFAULT;
	return is_there(uaddr) && rqs_page_in(uaddr, write) ? 0 : -RQPI_EFAULT;
}

static int copy_in(void *ctx, void *to, const void *from, size_t bytes)
{
	(void)ctx;
	if (!is_there(from))
		return -RQPI_EFAULT;
	memcpy(to, from, bytes);
	return 0;
}

static int shared_key(void *ctx, struct rqpi_task *self, const uint32_t *uaddr, bool write,
		      struct rqpi_key *key)
{
	(void)ctx;
	if (!is_there(uaddr) || !rqs_page_in(uaddr, write))
		return -RQPI_EFAULT;
	if (uaddr == rqs_world->twin)
		uaddr = rqs_world->twin_of;
	*key = (struct rqpi_key){
	    .object = RQS_SPACE, .offset = (uintptr_t)uaddr, .shared = RQPI_KEY_SHARED_OBJECT};
	if (rqs_own_memory()) {
		key->object = rqpi_task_space(self);
		key->shared = RQPI_KEY_SHARED_MEMORY;
	}
	return 0;
}

static bool user_range(void *ctx, const void *uaddr)
{
	(void)ctx;
	return (uintptr_t)uaddr < UINTPTR_MAX / 2;
}

/* ---------------------------------------------------------------- sleeping */

static struct rqs_task *of(const struct rqpi_task *task)
{
	return rqpi_task_cookie(task);
}

/*
 * A wake-up, the time and a signal may all have come before the task runs again: the wake-up is
 * seen first, as the engine looks at its condition then, and comes back for the others.
 */
static int reason_to_return(struct rqs_task *t, const struct rqpi_deadline *deadline,
			    bool interruptible)
{
	if (t->token) {
		t->token = 0;
		rqs_watch(acquire, &t->token);
		return 0;
	}
	if (interruptible &&
	    (t->interrupted || t->cancel == RQS_CANCEL_PENDING || t->kill == RQS_CANCEL_PENDING))
		return -RQPI_EINTR;
	if (deadline->ns <= rqs_world->now)
		return -RQPI_ETIMEDOUT;
	return 1;
}

static int block(void *ctx, struct rqpi_task *self, const struct rqpi_deadline *deadline,
		 bool interruptible)
{
	struct rqs_task *t = of(self);
	int ret;

	(void)ctx;
	if (t->raw_locks)
		rqs_fail("locks", "%c sleeps with a raw lock held", rqs_name(t));
	rqs_urgency_sleep(t, interruptible);
	while ((ret = reason_to_return(t, deadline, interruptible)) > 0) {
		t->deadline = deadline->ns;
		t->interruptible = interruptible;
		t->status = RQS_ASLEEP;
		rqs_at(RQS_AT_SLEEP, NULL);
		rqs_yield();
	}
	if (ret)
		rqs_urgency_leave(t);
	t->interruptible = 0;
	t->deadline = 0;
	return ret;
}

static void wake(void *ctx, struct rqpi_task *task)
{
	(void)ctx;
	rqs_watch(release, &of(task)->token);
	rqs_urgency_wake(of(task));
	of(task)->token = 1;
	rqs_wake_task(of(task));
}

static uint64_t now(void *ctx, int clock)
{
	(void)ctx;
	(void)clock;
	return rqs_world->now;
}

/* ---------------------------------------------------------------- tasks */

static struct rqpi_task *find_task(void *ctx, struct rqpi_task *self, uint32_t tid)
{
	(void)ctx;
	(void)self;
	rqs_watch(acquire, &rqs_world->tasks);
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		struct rqs_task *t = &rqs_world->tasks[i];

		if (t->task && rqpi_task_tid(t->task) == tid)
			return rqs_get_task(t);
	}
	rqs_watch(release, &rqs_world->tasks);
	return NULL;
}

/*
 * Memory of the host again: whoever still looks at it is to notice. But who has tried a lock in it,
 * and waits to try again, has let go of all that kept it there.
 */
static void fill(void *memory, size_t bytes)
{
	const char *begin = memory;

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		struct rqs_task *t = &rqs_world->tasks[i];
		const char *lock = (const char *)t->wants;

		if (t->wants && t->wants == t->tried && lock >= begin && lock < begin + bytes)
			t->wants = NULL;
	}
	memset(memory, GONE, bytes);
}

/* Every task gives one PI state back, and no two the same. */
static void release(void *ctx, struct rqpi_task *task, struct rqpi_pi_state *state)
{
	uint32_t bit = 0;

	(void)ctx;
	rqs_watch(acquire, &rqs_world->tasks);
	rqs_watch(release, &rqs_world->tasks);
	for (uint32_t i = 0; i <= RQS_TASKS && !bit; i++) {
		if ((unsigned char *)state == rqs_world->tasks[i].pi_state)
			bit = 1u << i;
	}
	if (!bit || (rqs_world->released & bit))
		rqs_fail("left behind", "%c ends %s", rqs_name(of(task)),
			 bit ? "with a PI state that another one has ended with"
			     : "without a PI state");
	rqs_watch(reuse, of(task)->storage, sizeof(of(task)->storage));
	rqs_world->released |= bit;
	of(task)->task = NULL;
	fill(state, RQPI_PI_STATE_BYTES);
	fill(task, RQPI_TASK_BYTES);
}

static void set_prio(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff)
{
	(void)ctx;
	if (of(task)->prio != eff->prio)
		rqs_urgency_prio(of(task));
	of(task)->prio = eff->prio;
}

static void tell(void *ctx, const struct rqpi_event *event)
{
	(void)ctx;
	if (rqs_listener)
		rqs_listener(event);
	rqs_urgency_event(event);
}

static void panic(void *ctx, const char *what, const char *file, int line)
{
	(void)ctx;
	rqs_fail("assertion", "%s:%d: does not hold: %s", file, line, what);
	__builtin_unreachable();
}

const struct rqpi_port rqs_port = {
    .lock = lock,
    .trylock = trylock,
    .unlock = unlock,
    .relax = relax,
    .load = load,
    .cmpxchg = compare_exchange,
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
