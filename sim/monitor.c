/* SPDX-License-Identifier: MIT */
/*
 * monitor.c - the set of abstract condvar states that are consistent with the history; see
 * monitor.h.
 *
 * At each event the set is closed under what may have happened unseen since the last one, then what
 * contradicts the event is dropped. None left: no order of the calls explains what was returned.
 * The text of POSIX decides what may happen; beside it runs, where asked for, one strict clause.
 */
#include "sim/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/monitor_set.h"
#include "sim/scenario.h"
#include "sim/world.h"

enum { TID_MASK = 0x3fffffff };

enum rqs_clause rqs_clause;

const char *const rqs_clause_names[RQS_CLAUSES] = {
    [RQS_CLAUSE_NONE] = "posix",    [RQS_CLAUSE_REASON] = "reason", [RQS_CLAUSE_ONE] = "one",
    [RQS_CLAUSE_URGENT] = "urgent", [RQS_CLAUSE_FIFO] = "fifo",	    [RQS_CLAUSE_ORDER] = "order",
};

const char *const rqs_clause_texts[RQS_CLAUSES] = {
    [RQS_CLAUSE_NONE] = "what POSIX demands",
    [RQS_CLAUSE_REASON] = "a wait returns 0 only if a signal or broadcast has released it",
    [RQS_CLAUSE_ONE] = "a signal releases one thread, no more",
    [RQS_CLAUSE_URGENT] = "a signal releases the most urgent of those blocked",
    [RQS_CLAUSE_FIFO] = "of equals, a signal releases whoever came first",
    [RQS_CLAUSE_ORDER] = "those whom a broadcast releases return by urgency",
};

static struct rqs_monitor *monitor(void)
{
	return rqs_world->monitor;
}

static uint32_t place_of(const void *p)
{
	return p ? (uint32_t)((uintptr_t)p - (uintptr_t)rqs_world) : 0;
}

/* The running task's call; NULL: nobody runs, or who sets up. */
static struct rqs_api_call *my_call(void)
{
	const struct rqs_task *t = rqs_running();

	if (!t || (uint32_t)(t - rqs_world->tasks) >= rqs_world->n_tasks)
		return NULL;
	return &monitor()->call[t - rqs_world->tasks];
}

static char my_name(void)
{
	return rqs_name(rqs_running());
}

/* ---------------------------------------------------------------- events */

static void before_event(void)
{
	struct rqs_monitor *m = monitor();

	rqs_set_close(m->posix, RQS_CLAUSE_NONE);
	if (m->strict)
		rqs_set_close(m->strict, rqs_clause);
}

static void after_event(void)
{
	struct rqs_monitor *m = monitor();

	rqs_set_close(m->posix, RQS_CLAUSE_NONE);
	rqs_set_reduce(m->posix);
	if (m->strict)
		rqs_set_close(m->strict, rqs_clause);
}

void rqs_monitor_begin(uint32_t n, bool lies)
{
	struct rqs_monitor *m = rqs_alloc(sizeof(*m), 8);

	m->n = n;
	m->lies = lies;
	m->words = n > 3 ? 1u << (2 * n - 6) : 1;
	m->call = rqs_alloc(n * sizeof(*m->call), 8);
	m->watch = rqs_alloc(n * sizeof(*m->watch), 8);
	m->posix = rqs_alloc(m->words * sizeof(*m->posix), 8);
	m->posix[0] = 1;
	if (rqs_clause != RQS_CLAUSE_NONE) {
		m->strict = rqs_alloc(m->words * sizeof(*m->strict), 8);
		m->strict[0] = 1;
	}
	rqs_world->monitor = m;
}

static void leave(struct rqs_api_call *c)
{
	struct rqs_monitor *m = monitor();
	uint32_t i = (uint32_t)(c - m->call);

	rqs_set_forget(m->posix, i);
	if (m->strict)
		rqs_set_forget(m->strict, i);
	*c = (struct rqs_api_call){.kind = RQS_API_NONE};
	for (uint32_t j = 0; j < m->n; j++)
		m->call[j].older &= (uint8_t) ~(1u << i);
	after_event();
}

static void keep_both(uint32_t i, unsigned int values)
{
	rqs_set_keep(monitor()->posix, i, values);
	if (monitor()->strict)
		rqs_set_keep(monitor()->strict, i, values);
}

static void expect(const char *what)
{
	const struct rqs_monitor *m = monitor();

	if (rqs_set_is_empty(m->posix))
		rqs_fail("posix", "%c: %s", my_name(), what);
	if (m->strict && rqs_set_is_empty(m->strict))
		rqs_fail("strict",
			 "not so: %s: no order of the calls explains that %c returns here",
			 rqs_clause_texts[rqs_clause], my_name());
}

static bool is_owned(uint32_t mutex)
{
	const rqpi_mutex_t *m = (const void *)((const char *)rqs_world + mutex);

	return (m->u32_[0] & TID_MASK) == rqs_tid();
}

/* Whoever waits on @c's condvar has somebody to thank. @mutex: only those with another one. */
static void mark_signalled(const struct rqs_api_call *c, uint32_t mutex)
{
	const struct rqs_monitor *m = monitor();

	for (uint32_t i = 0; i < m->n; i++) {
		if (rqs_is_wait(&m->call[i]) && m->call[i].cond == c->cond && &m->call[i] != c &&
		    m->call[i].mutex != mutex)
			m->call[i].signalled = 1;
	}
}

static bool is_being_signalled(const struct rqs_api_call *c)
{
	const struct rqs_monitor *m = monitor();

	for (uint32_t i = 0; i < m->n; i++) {
		if (m->call[i].kind > RQS_API_WAIT && m->call[i].cond == c->cond)
			return true;
	}
	return false;
}

/*
 * Who waits for a condvar holds its mutex at the call: the calls come in the order of blocking.
 * Of the waiters of @cond those as urgent as task @i.
 */
static uint8_t equals_on(uint32_t cond, uint32_t i)
{
	const struct rqs_monitor *m = monitor();
	unsigned int equals = 0;

	for (uint32_t j = 0; rqs_clause == RQS_CLAUSE_FIFO && j < m->n; j++) {
		if (rqs_is_wait(&m->call[j]) && m->call[j].cond == cond &&
		    m->watch[j].own == m->watch[i].own)
			equals |= 1u << j;
	}
	return (uint8_t)equals;
}

void rqs_monitor_wait(const void *cond, const void *mutex, uint64_t deadline)
{
	struct rqs_api_call *c = my_call();
	struct rqs_api_call call = {.cond = place_of(cond),
				    .mutex = place_of(mutex),
				    .deadline = deadline,
				    .kind = RQS_API_WAIT};

	/* Without the mutex it is to be refused. */
	if (!c || !is_owned(call.mutex))
		return;
	before_event();
	call.outer = place_of(rqs_running()->cleanup);
	call.signalled = is_being_signalled(&call);
	call.older = equals_on(call.cond, (uint32_t)(c - monitor()->call));
	*c = call;
	mark_signalled(c, call.mutex); /* another mutex at one time: as if by a broadcast */
	after_event();
}

static void returned_released(struct rqs_api_call *c)
{
	const struct rqs_monitor *m = monitor();
	uint32_t i = (uint32_t)(c - m->call);

	if (!c->signalled)
		rqs_fail("condvar",
			 "U5: %c: a wait returned 0, and nobody has signalled since it began",
			 my_name());
	if (!m->strict)
		return;
	rqs_set_keep(m->strict, i,
		     1u << RQS_RELEASED | (rqs_clause == RQS_CLAUSE_ORDER ? 1u << RQS_GONE : 0));
	if (rqs_clause == RQS_CLAUSE_ORDER)
		rqs_set_keep_in_order(m->strict, i);
	expect("");
}

/* What POSIX has no name for, or what cannot be. */
static void check_result(const struct rqs_api_call *c, int err)
{
	switch (err) {
	case EOWNERDEAD:
	case ENOTRECOVERABLE:
	case EPERM:
	case EINVAL:
	case ESRCH:
	case EDEADLK:
	case 0:
		break;
	case ETIMEDOUT:
		if (c->deadline > rqs_world->now)
			rqs_fail("posix", "%c: a wait returned ETIMEDOUT before its time",
				 my_name());
		break;
	default:
		rqs_fail("posix", "%c: a wait returned %d, an error that it does not have",
			 my_name(), err);
	}
	if ((!err || err == ETIMEDOUT || err == EOWNERDEAD) && !is_owned(c->mutex))
		rqs_fail("posix", "%c: a wait returned %d, and the mutex is not locked by it",
			 my_name(), err);
}

void rqs_monitor_waited(int err)
{
	struct rqs_api_call *c = my_call();
	const void *mutex;

	if (!c || c->kind != RQS_API_WAIT)
		return;
	mutex = (const char *)rqs_world + c->mutex;
	before_event();
	check_result(c, err);
	if (err == ETIMEDOUT) {
		keep_both((uint32_t)(c - monitor()->call), 1u << RQS_GONE);
		expect("a wait returned ETIMEDOUT, and had been released before its time "
		       "came: the signal is lost");
	} else if (err == EPERM || err == EINVAL) {
		keep_both((uint32_t)(c - monitor()->call), 1u << RQS_ENTERED);
		expect("a wait was refused after it had given up the mutex");
	} else if (!err) {
		returned_released(c);
	}
	leave(c);
	if (!err || err == ETIMEDOUT || err == EOWNERDEAD)
		rqs_monitor_locked(mutex);
}

void rqs_monitor_signal(const void *cond, bool broadcast)
{
	struct rqs_api_call *c = my_call();

	if (!c)
		return;
	before_event();
	*c = (struct rqs_api_call){.cond = place_of(cond),
				   .kind = broadcast ? RQS_API_BROADCAST : RQS_API_SIGNAL};
	mark_signalled(c, 0);
	after_event();
}

void rqs_monitor_signalled(int err)
{
	struct rqs_api_call *c = my_call();

	if (!c || c->kind <= RQS_API_CANCELLED)
		return;
	before_event();
	/* Where the kernel refused because of the mutex, some or none have been released. */
	if (!err)
		keep_both((uint32_t)(c - monitor()->call), 1u << RQS_DONE);
	leave(c);
}

void rqs_monitor_locked(const void *mutex)
{
	struct rqs_api_call *c = my_call();
	const struct rqs_monitor *m = monitor();

	if (!c)
		return;
	if (!is_owned(place_of(mutex)))
		rqs_fail("posix", "%c: the mutex is locked, says the call, and is not", my_name());
	before_event();
	/* POSIX: whoever gets the mutex after a waiter gave it up finds that blocked. */
	for (uint32_t i = 0; i < m->n; i++) {
		if (rqs_is_wait(&m->call[i]) && m->call[i].mutex == place_of(mutex))
			keep_both(i, ~(1u << RQS_ENTERED));
	}
	expect("the mutex was locked before a waiter gave it up");
	after_event();
}

void rqs_monitor_cancelled(void)
{
	struct rqs_api_call *c = my_call();

	if (!c || c->kind != RQS_API_WAIT)
		return;
	before_event();
	c->kind = RQS_API_CANCELLED;
	mark_signalled(c, 0); /* it may pass a signal on */
	after_event();
}

void rqs_monitor_handler(const void *frame)
{
	struct rqs_api_call *c = my_call();
	uint32_t mutex;

	if (!c || c->kind != RQS_API_CANCELLED || place_of(frame) != c->outer)
		return;
	mutex = c->mutex;
	before_event();
	keep_both((uint32_t)(c - monitor()->call), 1u << RQS_GONE);
	expect("a cancelled wait kept a signal");
	leave(c);
	if (!is_owned(mutex))
		rqs_fail("posix",
			 "%c: cancelled in a wait, and a cleanup handler runs without the mutex",
			 my_name());
	rqs_monitor_locked((const char *)rqs_world + mutex);
}

void rqs_monitor_ended(void)
{
	struct rqs_api_call *c = my_call();

	if (!c || c->kind == RQS_API_NONE)
		return;
	before_event();
	leave(c);
}

void rqs_monitor_found(const struct rqs_task *t)
{
	struct rqs_api_call *c = &monitor()->call[t - rqs_world->tasks];

	if (c->kind == RQS_API_SIGNAL && ++c->found > 1)
		rqs_fail("condvar", "U1: %c: one signal has released %d that were asleep",
			 rqs_name(t), c->found);
}

/* ---------------------------------------------------------------- the end */

enum rqs_left rqs_monitor_left(char *names, unsigned long size)
{
	const struct rqs_monitor *m = monitor();
	size_t n = 0;

	*names = '\0';
	for (uint32_t i = 0; i < m->n; i++) {
		if (rqs_world->tasks[i].status == RQS_ENDED)
			continue;
		if (m->call[i].kind != RQS_API_WAIT)
			return RQS_LEFT_UNKNOWN;
		if (n < size)
			n += (size_t)snprintf(names + n, size - n, "%s%c", n ? ", " : "",
					      rqs_name(&rqs_world->tasks[i]));
	}
	return rqs_set_may_be_blocked(m->posix) ? RQS_LEFT_BLOCKED : RQS_LEFT_LOST;
}
