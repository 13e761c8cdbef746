/* SPDX-License-Identifier: MIT */
/*
 * shim_watch_cond.c - pthread_cond_*, looked at: who waits, how long, and in which order they go.
 *
 * A wake is out of order if a thread comes back from its wait while a more urgent one, which was
 * waiting when the first was released, has not. Who was released when is not visible; what is
 * certain suffices: at a *calm* moment, when all that was released had come back, everybody inside
 * was waiting. Waits are numbered, and the condvar remembers the number of the last calm moment. So
 * a waiter was surely there when another was released if its number is smaller than the other's, or
 * not beyond the last calm moment.
 *
 * `crowd` of a row: waiters inside (16 bits), of these released and not back yet (16 bits), the
 * number of the last wait (32 bits). A wait and a wake change it with the mutex held, a signal
 * perhaps without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>

#include "src/shim/shim.h"
#include "src/shim/shim_cond.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_stats.h"
#include "src/shim/shim_trace.h"
#include "src/shim/shim_watch.h"

struct crowd {
	uint32_t waiters;
	uint32_t released;
	uint32_t number;
};

static struct crowd unpack(uint64_t bits)
{
	return (struct crowd){(uint32_t)(bits & 0xffff), (uint32_t)(bits >> 16 & 0xffff),
			      (uint32_t)(bits >> 32)};
}

static uint64_t pack(struct crowd c)
{
	return c.waiters | (uint64_t)c.released << 16 | (uint64_t)c.number << 32;
}

static struct crowd arrive(struct shim_row *row)
{
	struct crowd c;
	uint64_t seen;

	do {
		seen = rqb_load64(&row->crowd);
		c = unpack(seen);
		c.number++;
		c.waiters += c.waiters < 0xffff;
	} while (!rqb_cas64(&row->crowd, seen, pack(c)));
	if (c.released == 0)
		rqb_store(&row->calm, c.number);
	return c;
}

/* Returns what it was before. */
static struct crowd depart(struct shim_row *row, bool woken)
{
	struct crowd before;
	struct crowd c;
	uint64_t seen;

	do {
		seen = rqb_load64(&row->crowd);
		before = c = unpack(seen);
		c.waiters -= c.waiters > 0;
		c.released -= woken && c.released > 0;
		if (c.released > c.waiters)
			c.released = c.waiters;
	} while (!rqb_cas64(&row->crowd, seen, pack(c)));
	if (c.released == 0)
		rqb_store(&row->calm, c.number);
	return before;
}

/* Returns how many were waiting for it. */
static uint32_t release(struct shim_row *row, bool all)
{
	struct crowd c;
	uint32_t waiting;
	uint64_t seen;

	do {
		seen = rqb_load64(&row->crowd);
		c = unpack(seen);
		waiting = c.waiters - c.released;
		c.released = all ? c.waiters : c.released + (waiting > 0);
	} while (waiting > 0 && !rqb_cas64(&row->crowd, seen, pack(c)));
	return waiting;
}

struct wait {
	struct shim_row *row;
	struct shim_seat *seat;
	uint64_t cond;
	uint64_t since;
	int urgency;
	uint32_t number;
	int err;
};

/* The most urgent of those who were there before the caller was released; its TID, or 0. */
static uint32_t overtaken(const struct wait *w, uint64_t *since)
{
	uint32_t seats = rqb_load(&shim_table->seats_used);
	uint32_t calm = rqb_load(&w->row->calm);
	int most = w->urgency;
	uint32_t tid = 0;

	for (uint32_t i = 0; i < seats; i++) {
		const struct shim_seat *s = &shim_table->seats[i];

		if (rqb_load64(&s->row) != (uint64_t)(uintptr_t)w->row || s->urgency <= most ||
		    (s->number >= w->number && s->number > calm))
			continue;
		most = s->urgency;
		tid = s->tid;
		*since = s->since;
	}
	return tid;
}

static void look_at_order(const struct wait *w, uint64_t now)
{
	uint64_t since = 0;
	uint32_t tid = overtaken(w, &since);

	if (!tid)
		return;
	rqb_count(&w->row->inversions);
	if (shim_stats_max(&w->row->worst_ns, now - since))
		shim_stats_record(&w->row->worst, now - since, tid, rqu_tid());
}

static void leave(struct wait *w, bool cancelled)
{
	struct shim_row *row = w->row;
	uint64_t now = shim_stats_now();
	uint64_t ns = now - w->since;
	bool woken = !cancelled && (w->err == 0 || w->err == EOWNERDEAD);

	if (shim_trace_session())
		shim_trace_waited(w->cond, cancelled ? -1 : w->err);
	if (!shim_stats_is_shared(row)) {
		if (woken && unpack(rqb_load64(&row->crowd)).released > 0)
			look_at_order(w, now);
		depart(row, woken);
	}
	if (w->seat)
		shim_stats_stand_up(w->seat);
	if (!cancelled && !woken && w->err != ETIMEDOUT && w->err != ENOTRECOVERABLE)
		return; /* refused */
	rqb_count(&row->waits);
	rqb_add64(&row->wait_ns, ns);
	if (cancelled)
		rqb_count(&row->cancelled);
	else if (w->err == ETIMEDOUT)
		rqb_count(&row->timeouts);
	if (shim_stats_max(&row->longest_ns, ns))
		shim_stats_record(&row->longest, ns, rqu_tid(), 0);
}

static void on_cancel(void *arg)
{
	leave(arg, true);
}

static void enter(struct wait *w, const struct shim_cond_call *call, const void *caller)
{
	struct shim_row *row = shim_stats_row(shim_key(call->cond, true), caller);

	w->row = row;
	w->cond = (uint64_t)(uintptr_t)call->cond;
	w->since = shim_stats_now();
	w->urgency = shim_urgency_of(0);
	w->seat = shim_stats_seat();
	rqb_store64(&row->partner, (uint64_t)(uintptr_t)call->mutex);
	w->number = shim_stats_is_shared(row) ? 0 : arrive(row).number;
	if (w->seat) {
		w->seat->urgency = w->urgency;
		w->seat->number = w->number;
		w->seat->since = w->since;
		shim_stats_sit(w->seat, row);
	}
	if (shim_trace_session())
		shim_trace_wait(row, call->cond, call->mutex, w->since, caller);
}

static int watch_wait(const struct shim_cond_call *call, const void *caller)
{
	struct wait w;

	enter(&w, call, caller);
	pthread_cleanup_push(on_cancel, &w);
	w.err = call->how(call);
	pthread_cleanup_pop(0);
	leave(&w, false);
	return w.err;
}

/*
 * Somebody is inside, who will want the mutex again, so it is there; unless he has just left and
 * freed it, which reading by the kernel survives.
 */
static bool holds_partner(struct shim_row *row)
{
	pthread_mutex_t *m = (pthread_mutex_t *)(uintptr_t)rqb_load64(&row->partner);
	uint32_t owner;

	return m && !shim_os_sandboxed() &&
	       rqu_sys_read((uint32_t *)(void *)&m->__data.__owner, &owner) == 0 &&
	       owner == rqu_tid();
}

static bool watch_release(pthread_cond_t *cond, bool all, const void *caller)
{
	struct shim_row *row = shim_stats_row(shim_key(cond, true), caller);

	rqb_count(all ? &row->broadcasts : &row->signals);
	if (shim_stats_is_shared(row))
		return false;
	if (release(row, all) == 0) {
		rqb_count(&row->met_nobody);
		return false;
	}
	if (holds_partner(row))
		rqb_count(&row->with_mutex_held);
	if (!shim_trace_session())
		return false;
	shim_trace_release(row, cond, all, caller);
	return true;
}

static void watch_released(uint64_t cond)
{
	if (shim_trace_session())
		shim_trace_released(cond);
}

static void watch_destroy(pthread_cond_t *cond)
{
	shim_stats_end(shim_key(cond, true));
}

const struct shim_cond_watcher shim_watch_cond = {
    .wait = watch_wait,
    .release = watch_release,
    .released = watch_released,
    .destroy = watch_destroy,
};
