/* SPDX-License-Identifier: MIT */
/*
 * trace_waits.c - the waits of the threads: from the preload's events, and from futex calls where
 * none of these surrounds them. Called by trace_build.c with each event in order.
 *
 * A futex call inside of the preload's LOCK or WAIT of the same thread is a part of that wait. One
 * inside of a RELEASE is what a signal should never do, sleep: glibc's lock inside of the condition
 * variable (its bug 11588), which adds to `asleep`.
 *
 * A wait whose end is missing (thread killed, program replaced, trace stopped, event lost) lasts
 * until the thread is heard of in a way that excludes it, at most to the end of the trace. One
 * whose beginning is missing began with the trace at the latest. Both are `open`.
 */
#include <errno.h>

#include "trace_build.h"

/* Inside of the kernel, a call that is to be made again after a signal: 512 to 516. */
enum { RESTART_FIRST = 512, RESTART_LAST = 516 };

static uint32_t pid_of(struct trace_builder *b, const struct trace_event *e)
{
	const struct trace_thread *t = trace_find_thread(b->m, e->tid);

	if (e->pid)
		return e->pid;
	/* Of the program's processes there is mostly one. */
	return t && t->pid ? t->pid : b->m->pid;
}

/* The preload has asked for the policy; the scheduler's events may not have shown it yet. */
static int told_urgency(struct trace_state *s, int told)
{
	if (s->own == TRACE_URGENCY_UNKNOWN)
		s->own = told;
	return told != TRACE_URGENCY_UNKNOWN ? told : s->own;
}

static struct trace_facts *begin_wait(struct trace_builder *b, const struct trace_event *e,
				      enum trace_slot slot, enum trace_how how, uint32_t lock)
{
	struct trace_state *s = trace_state(b, e->tid);
	struct trace_wait *w;

	s->open[slot] = b->m->waits.count;
	w = trace_append(&b->m->waits);
	*w = (struct trace_wait){
	    .lock = lock,
	    .tid = e->tid,
	    .how = how,
	    .since = e->ns,
	    .site = e->site,
	    .urgency = s->own,
	    .owner_urgency = TRACE_URGENCY_UNKNOWN,
	    .chain = TRACE_NO_INDEX,
	};
	if (slot != TRACE_SLOT_FUTEX)
		w->urgency = told_urgency(s, e->mine);
	return trace_append(&b->facts);
}

static void end_wait(struct trace_builder *b, struct trace_state *s, enum trace_slot slot,
		     uint64_t ns, int value)
{
	struct trace_wait *w = &b->m->waits.at[s->open[slot]];

	w->until = ns;
	w->value = value;
	if (w->urgency == TRACE_URGENCY_UNKNOWN)
		w->urgency = s->own;
	s->open[slot] = TRACE_NO_INDEX;
}

/* It must have ended, unseen; now at the latest. */
static void abandon(struct trace_builder *b, struct trace_state *s, enum trace_slot slot,
		    uint64_t ns)
{
	if (s->open[slot] == TRACE_NO_INDEX)
		return;
	b->m->waits.at[s->open[slot]].open = true;
	end_wait(b, s, slot, ns, 0);
}

static void abandon_all(struct trace_builder *b, struct trace_state *s, uint64_t ns)
{
	if (s->call.now && s->open[TRACE_SLOT_RELEASE] != TRACE_NO_INDEX &&
	    trace_futex_waits(s->call.op))
		b->m->waits.at[s->open[TRACE_SLOT_RELEASE]].asleep += ns - s->call.since;
	for (int slot = 0; slot < TRACE_SLOTS; slot++)
		abandon(b, s, (enum trace_slot)slot, ns);
	s->call.now = false;
}

/* ---- the preload's events ---- */

static uint32_t mutex_of(struct trace_builder *b, uint32_t pid, uint64_t address)
{
	uint32_t i = trace_lock_index(b->m, pid, address);

	b->m->locks.at[i].type = TRACE_MUTEX;
	return i;
}

/* --force-pi can make it inherit at any time, so what was said last is true. */
static uint32_t mutex_of_kind(struct trace_builder *b, uint32_t pid, uint64_t address,
			      uint32_t kind)
{
	uint32_t i = mutex_of(b, pid, address);
	struct trace_lock *lock = &b->m->locks.at[i];

	lock->kind = kind;
	lock->has_kind = true;
	lock->inherits = kind & TRACE_KIND_INHERIT ? TRACE_INHERITS_YES : TRACE_INHERITS_NO;
	return i;
}

static void lock_waits(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t i = mutex_of_kind(b, pid_of(b, e), e->address, e->kind);
	struct trace_facts *f;
	struct trace_wait *w;

	f = begin_wait(b, e, TRACE_SLOT_LOCK, TRACE_HOW_LOCK, i);
	f->pi = (e->kind & TRACE_KIND_INHERIT) != 0;
	f->ceiling = (e->kind & TRACE_KIND_PROTECT) != 0;
	w = &b->m->waits.at[b->m->waits.count - 1];
	w->owner = e->other;
	if (e->other)
		w->owner_urgency = told_urgency(trace_state(b, e->other), e->its);
}

static void cond_waits(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t pid = pid_of(b, e);
	uint32_t i = trace_lock_index(b->m, pid, e->address);
	uint32_t partner;

	b->m->locks.at[i].type = TRACE_CONDVAR;
	if (e->address2) {
		partner = e->type == TRACE_WAIT
			      ? mutex_of_kind(b, pid, e->address2, e->kind)
			      : mutex_of(b, pid, e->address2); /* its end does not tell */
		b->m->locks.at[i].partner = partner;
	}
	begin_wait(b, e, TRACE_SLOT_WAIT, TRACE_HOW_WAIT, i);
}

static void cond_releases(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t i = trace_lock_index(b->m, pid_of(b, e), e->address);

	b->m->locks.at[i].type = TRACE_CONDVAR;
	begin_wait(b, e, TRACE_SLOT_RELEASE, TRACE_HOW_RELEASE, i);
	b->m->waits.at[b->m->waits.count - 1].broadcast = e->value != 0;
}

/* The end of a wait that the preload told of. */
static void wait_ends(struct trace_builder *b, struct trace_state *s, enum trace_slot slot,
		      const struct trace_event *e)
{
	struct trace_event begin = *e;

	if (s->open[slot] != TRACE_NO_INDEX) {
		end_wait(b, s, slot, e->ns, e->value);
		return;
	}
	/* No beginning. If it is not the first that is heard of the thread, it got lost. */
	if (s->heard || !e->address)
		return;
	begin.ns = b->m->begin;
	begin.site = 0;
	begin.mine = TRACE_URGENCY_UNKNOWN;
	begin.its = TRACE_URGENCY_UNKNOWN;
	begin.other = 0;
	if (slot == TRACE_SLOT_LOCK) {
		uint32_t i = mutex_of(b, pid_of(b, e), e->address);

		begin_wait(b, &begin, slot, TRACE_HOW_LOCK, i);
		b->facts.at[b->facts.count - 1].pi = b->m->locks.at[i].inherits ==
						     TRACE_INHERITS_YES;
	} else if (slot == TRACE_SLOT_WAIT) {
		cond_waits(b, &begin);
	} else {
		return; /* a release is counted by its beginning */
	}
	abandon(b, s, slot, e->ns);
	b->m->waits.at[b->m->waits.count - 1].value = e->value;
}

/* ---- futex calls ---- */

static bool is_inside(const struct trace_state *s)
{
	return s->open[TRACE_SLOT_LOCK] != TRACE_NO_INDEX ||
	       s->open[TRACE_SLOT_WAIT] != TRACE_NO_INDEX ||
	       s->open[TRACE_SLOT_RELEASE] != TRACE_NO_INDEX;
}

static void call_begins(struct trace_builder *b, struct trace_state *s, const struct trace_event *e)
{
	uint32_t pid = pid_of(b, e);
	uint32_t op = e->kind & 0x7fu; /* FUTEX_CMD_MASK, without FUTEX_CLOCK_REALTIME */
	struct trace_facts *f;

	abandon(b, s, TRACE_SLOT_FUTEX, e->ns);
	s->call = (struct trace_call){
	    .now = true,
	    .op = op,
	    .address = e->address,
	    .address2 = e->address2,
	    .since = e->ns,
	};
	if (trace_futex_waits(op) && !is_inside(s)) {
		f = begin_wait(b, e, TRACE_SLOT_FUTEX, TRACE_HOW_FUTEX,
			       trace_lock_index(b->m, pid, e->address));
		f->op = op;
		f->value = (uint32_t)e->value;
		f->pi = trace_futex_is_pi(op);
		f->slept = !trace_sched_runs(b, s); /* it has been asleep for long */
	}
	trace_futex_seen(b, s, pid, e);
}

static void call_ends(struct trace_builder *b, struct trace_state *s, const struct trace_event *e)
{
	int err = e->value < 0 ? -e->value : 0;
	uint32_t i = s->open[TRACE_SLOT_FUTEX];
	bool waited;

	if (!s->call.now)
		return; /* it began before the trace: nobody said where it waited */
	s->call.now = false;
	if (err >= RESTART_FIRST && err <= RESTART_LAST)
		err = EINTR;
	/* EAGAIN: the word had another value already. Other errors: the call was refused. */
	waited = err == 0 || err == ETIMEDOUT || err == EINTR;
	if (i != TRACE_NO_INDEX) {
		b->facts.at[i].drop = !waited;
		end_wait(b, s, TRACE_SLOT_FUTEX, e->ns, err);
	} else if (waited && s->open[TRACE_SLOT_RELEASE] != TRACE_NO_INDEX &&
		   trace_futex_waits(s->call.op)) {
		b->m->waits.at[s->open[TRACE_SLOT_RELEASE]].asleep += e->ns - s->call.since;
	}
}

/* ---- what others' events say of a wait ---- */

/* The innermost: in a handler of a signal, a thread that waits on a condvar can wait for a lock. */
uint32_t trace_waits_now(const struct trace_state *s)
{
	static const enum trace_slot order[] = {TRACE_SLOT_LOCK, TRACE_SLOT_FUTEX, TRACE_SLOT_WAIT};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (s->open[order[i]] != TRACE_NO_INDEX)
			return s->open[order[i]];
	return TRACE_NO_INDEX;
}

static void sleeps(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t i = e->tid && !e->value ? trace_state(b, e->tid)->open[TRACE_SLOT_FUTEX]
					 : TRACE_NO_INDEX;

	if (i != TRACE_NO_INDEX)
		b->facts.at[i].slept = true;
}

/*
 * A thread that comes to wait for a PI lock raises its owner, and along a chain those whom that one
 * waits for, in this order; so the first is the owner. trace_sched.c has made the boost just now.
 */
static void lends(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t i = e->tid ? trace_waits_now(trace_state(b, e->tid)) : TRACE_NO_INDEX;

	if (i == TRACE_NO_INDEX || e->its <= e->mine)
		return;
	b->facts.at[i].raised = true;
	b->m->boosts.at[b->m->boosts.count - 1].wait = i;
	if (!b->facts.at[i].lent) {
		b->facts.at[i].lent = e->other;
		b->facts.at[i].lent_urgency = trace_state(b, e->other)->own;
	}
}

/* The thread ends, or is new: its ID may have been another's. */
static void forget(struct trace_builder *b, struct trace_state *s, uint64_t ns)
{
	abandon_all(b, s, ns);
	s->heard = true; /* a wait without a beginning is none that began before the trace */
	for (int i = 0; i < TRACE_RECENT; i++)
		s->recent[i] = TRACE_NO_INDEX;
}

/* Another program, at other addresses: none of the process's threads waits any more. */
static void replaced(struct trace_builder *b, const struct trace_event *e)
{
	/* Whichever thread does it, it has the ID of the first one from then on. */
	uint32_t pid = e->pid ? e->pid : e->tid;

	abandon_all(b, trace_state(b, e->tid), e->ns);
	for (uint32_t i = 0; i < b->m->threads.count; i++)
		if (b->m->threads.at[i].pid == pid)
			abandon_all(b, &b->state[i], e->ns);
}

/* ---- all of them ---- */

static void preload_step(struct trace_builder *b, struct trace_state *s,
			 const struct trace_event *e)
{
	switch (e->type) {
	case TRACE_LOCK:
		abandon(b, s, TRACE_SLOT_LOCK, e->ns);
		lock_waits(b, e);
		break;
	case TRACE_LOCKED:
		wait_ends(b, s, TRACE_SLOT_LOCK, e);
		break;
	case TRACE_WAIT:
		abandon(b, s, TRACE_SLOT_WAIT, e->ns);
		cond_waits(b, e);
		break;
	case TRACE_WAITED:
		wait_ends(b, s, TRACE_SLOT_WAIT, e);
		break;
	case TRACE_RELEASE:
		abandon(b, s, TRACE_SLOT_RELEASE, e->ns);
		cond_releases(b, e);
		break;
	case TRACE_RELEASED:
		wait_ends(b, s, TRACE_SLOT_RELEASE, e);
		break;
	default:
		return;
	}
	s->heard = true;
}

void trace_waits_step(struct trace_builder *b, const struct trace_event *e)
{
	uint32_t i;

	switch (e->type) {
	case TRACE_SWITCH:
		sleeps(b, e);
		break;
	case TRACE_WAKING:
		i = trace_waits_now(trace_state(b, e->other));
		if (i == TRACE_NO_INDEX)
			i = trace_state(b, e->other)->open[TRACE_SLOT_RELEASE];
		if (i != TRACE_NO_INDEX && e->tid)
			trace_futex_woken(b, i, e);
		break;
	case TRACE_SETPRIO:
		lends(b, e);
		break;
	case TRACE_FUTEX:
		call_begins(b, trace_state(b, e->tid), e);
		break;
	case TRACE_FUTEX_DONE:
		call_ends(b, trace_state(b, e->tid), e);
		break;
	case TRACE_FORK:
	case TRACE_EXIT: {
		uint32_t tid = e->type == TRACE_FORK ? e->other : e->tid;

		if (tid)
			forget(b, trace_state(b, tid), e->ns);
		break;
	}
	case TRACE_EXEC:
		replaced(b, e);
		break;
	default:
		preload_step(b, trace_state(b, e->tid), e);
		break;
	}
}

void trace_waits_end(struct trace_builder *b)
{
	for (uint32_t i = 0; i < b->m->threads.count; i++)
		abandon_all(b, &b->state[i], b->m->end);
}
