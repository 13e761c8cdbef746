/* SPDX-License-Identifier: MIT */
/* made_up.c - makes the events of made_up.h. Linked into the programs of tests/trace. */
#include "tests/trace/made_up.h"

#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { NS = 1000, SIDE = 0x80 /* FUTEX_PRIVATE_FLAG */ };

static struct trace_event new_event(uint64_t us, enum trace_type type, uint32_t tid)
{
	return (struct trace_event){.ns = us * NS, .type = (uint16_t)type, .tid = tid};
}

void mu_begin(struct trace_model *m)
{
	trace_model_init(m);
	m->pid = PROCESS;
	m->command = "prog arg";
	m->from_kernel = true;
	m->from_preload = true;
}

void mu_switch_on(struct trace_model *m, uint64_t us, uint16_t cpu, uint32_t from, int prio,
		  bool stay, uint32_t to, int its)
{
	struct trace_event e = new_event(us, TRACE_SWITCH, from);

	e.cpu = cpu;
	e.mine = (int16_t)prio;
	e.value = stay;
	e.other = to;
	e.its = (int16_t)its;
	trace_add(m, &e);
}

void mu_switch(struct trace_model *m, uint64_t us, uint32_t from, int prio, bool stay, uint32_t to,
	       int its)
{
	mu_switch_on(m, us, 0, from, prio, stay, to, its);
}

void mu_wake(struct trace_model *m, uint64_t us, uint32_t by, uint32_t whom, int prio)
{
	struct trace_event e = new_event(us, TRACE_WAKING, by);

	e.other = whom;
	e.its = (int16_t)prio;
	trace_add(m, &e);
}

void mu_setprio(struct trace_model *m, uint64_t us, uint32_t by, uint32_t whom, int from, int to)
{
	struct trace_event e = new_event(us, TRACE_SETPRIO, by);

	e.other = whom;
	e.mine = (int16_t)from;
	e.its = (int16_t)to;
	trace_add(m, &e);
}

void mu_futex(struct trace_model *m, uint64_t us, uint32_t tid, uint32_t op, uint64_t address,
	      uint32_t value)
{
	struct trace_event e = new_event(us, TRACE_FUTEX, tid);

	e.kind = op | SIDE;
	e.address = address;
	e.value = (int32_t)value;
	trace_add(m, &e);
}

void mu_futex2(struct trace_model *m, uint64_t us, uint32_t tid, uint32_t op, uint64_t address,
	       uint64_t address2)
{
	struct trace_event e = new_event(us, TRACE_FUTEX, tid);

	e.kind = op | SIDE;
	e.address = address;
	e.address2 = address2;
	trace_add(m, &e);
}

void mu_done(struct trace_model *m, uint64_t us, uint32_t tid, int value)
{
	struct trace_event e = new_event(us, TRACE_FUTEX_DONE, tid);

	e.value = value;
	trace_add(m, &e);
}

void mu_life(struct trace_model *m, uint64_t us, enum trace_type type, uint32_t tid, uint32_t other)
{
	struct trace_event e = new_event(us, type, tid);

	e.other = other;
	trace_add(m, &e);
}

void mu_lock(struct trace_model *m, uint64_t us, uint32_t tid, int prio, uint64_t address,
	     uint32_t owner, int its, uint32_t kind)
{
	struct trace_event e = new_event(us, TRACE_LOCK, tid);

	e.pid = PROCESS;
	e.mine = (int16_t)prio;
	e.address = address;
	e.other = owner;
	e.its = (int16_t)its;
	e.kind = kind;
	e.site = 0x5012;
	trace_add(m, &e);
}

void mu_wait(struct trace_model *m, uint64_t us, uint32_t tid, uint64_t cond, uint64_t mutex,
	     uint32_t kind)
{
	struct trace_event e = new_event(us, TRACE_WAIT, tid);

	e.pid = PROCESS;
	e.mine = TRACE_URGENCY_UNKNOWN;
	e.address = cond;
	e.address2 = mutex;
	e.kind = kind;
	e.site = 0x5100;
	trace_add(m, &e);
}

void mu_release(struct trace_model *m, uint64_t us, uint32_t tid, uint64_t cond, bool broadcast)
{
	struct trace_event e = new_event(us, TRACE_RELEASE, tid);

	e.pid = PROCESS;
	e.mine = TRACE_URGENCY_UNKNOWN;
	e.address = cond;
	e.value = broadcast;
	e.site = 0x5200;
	trace_add(m, &e);
}

void mu_end(struct trace_model *m, uint64_t us, enum trace_type type, uint32_t tid,
	    uint64_t address, int value)
{
	struct trace_event e = new_event(us, type, tid);

	e.pid = PROCESS;
	e.address = address;
	e.value = value;
	trace_add(m, &e);
}

static void name(struct trace_model *m, uint32_t tid, const char *name, int urgency)
{
	trace_name_thread(m, tid, name);
	trace_thread(m, tid)->policy = SCHED_FIFO;
	trace_thread(m, tid)->urgency = urgency;
	trace_thread(m, tid)->traced = true;
}

void mu_inversion(struct trace_model *m, bool kernel, bool preload)
{
	m->from_kernel = kernel;
	m->from_preload = preload;
	name(m, HIGH, "controller", HIGH_PRIO);
	name(m, MID, "indexer", MID_PRIO);
	name(m, LOW, "logger", LOW_PRIO);
	if (preload) {
		trace_name_lock(m, PROCESS, A_LOCK, "the_lock (prog)", false);
		mu_lock(m, 110, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 0);
		mu_end(m, 20103, TRACE_LOCKED, HIGH, A_LOCK, 0);
	}
	if (!kernel)
		return;
	mu_switch(m, 0, 0, 0, false, LOW, LOW_PRIO);
	mu_wake(m, 99, 0, HIGH, HIGH_PRIO);
	mu_switch(m, 100, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_futex(m, 111, HIGH, FUTEX_WAIT, A_LOCK, 2);
	mu_switch(m, 112, HIGH, HIGH_PRIO, false, LOW, LOW_PRIO);
	mu_wake(m, 199, 0, MID, MID_PRIO);
	mu_switch(m, 200, LOW, LOW_PRIO, true, MID, MID_PRIO);
	mu_switch(m, 20000, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_futex(m, 20099, LOW, FUTEX_WAKE, A_LOCK, 1);
	mu_wake(m, 20100, LOW, HIGH, HIGH_PRIO);
	mu_switch(m, 20101, LOW, LOW_PRIO, true, HIGH, HIGH_PRIO);
	mu_done(m, 20102, HIGH, 0);
	mu_futex(m, 20200, HIGH, FUTEX_WAKE, A_LOCK, 1);
	mu_done(m, 20201, HIGH, 0);
	mu_switch(m, 20300, HIGH, HIGH_PRIO, false, LOW, LOW_PRIO);
	mu_done(m, 20301, LOW, 1);
}

/* ---- for a test ---- */

int mu_setup(void **state)
{
	static struct trace_model m;

	mu_begin(&m);
	*state = &m;
	return 0;
}

int mu_teardown(void **state)
{
	trace_model_free(*state);
	return 0;
}

const struct trace_wait *mu_only_wait(const struct trace_model *m)
{
	assert_int_equal(m->waits.count, 1);
	return &m->waits.at[0];
}

const struct trace_lock *mu_lock_of(const struct trace_model *m, const struct trace_wait *w)
{
	return &m->locks.at[w->lock];
}

void mu_sleep(struct trace_model *m, uint64_t since, uint64_t until, uint32_t tid, int prio,
	      uint32_t by)
{
	mu_switch_on(m, since, (uint16_t)tid, tid, prio, false, 0, 0);
	mu_wake(m, until, by, tid, prio);
	mu_switch_on(m, until + 1, (uint16_t)tid, 0, 0, false, tid, prio);
}
