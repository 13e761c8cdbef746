/* SPDX-License-Identifier: MIT */
/*
 * shim_watch.c - the mutex functions, looked at.
 *
 * A lock that need not wait is libc's trylock and nothing else. Where that may differ from its lock
 * (robust, with a protocol, elided), the word says beforehand whether somebody has it, and then
 * libc's lock is called in any case: somebody may take it in between, and that wait is not seen.
 *
 * A wait is an inversion if the waiter's own policy and priority are above those of the thread that
 * has the mutex when the wait begins, and the mutex does not inherit; if it does, the owner is
 * boosted. With PTHREAD_PRIO_PROTECT it is neither: the owner runs at the ceiling.
 */
#define _GNU_SOURCE
#include "src/shim/shim_watch.h"

#include <errno.h>

#include "src/base/pause.h"
#include "src/shim/shim.h"
#include "src/shim/shim_force.h"
#include "src/shim/shim_lock.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_stats.h"
#include "src/shim/shim_trace.h"
#include "src/shim/shim_version.h"

bool shim_watching;

/* Words that hold their owner's TID; the others' are 0, 1 or 2. */
static bool word_names_owner(int kind)
{
	return (kind & (SHIM_KIND_INHERIT | SHIM_KIND_ROBUST)) != 0;
}

#define LOOKS 100 /* for the name of an owner who has just locked */

/* 0: nobody, or somebody who has not written his name yet. */
static uint32_t owner_of(pthread_mutex_t *m)
{
	if (word_names_owner(shim_mutex_kind(m)))
		return rqb_word_tid(rqb_load(shim_mutex_word(m)));
	return rqb_load((const uint32_t *)(const void *)&m->__data.__owner);
}

/* The same, with patience: the word is taken first, and the name written then. */
static uint32_t await_owner(pthread_mutex_t *m)
{
	uint32_t owner = owner_of(m);

	for (int i = 0; i < LOOKS && !owner && rqb_load(shim_mutex_word(m)); i++) {
		rqb_pause();
		owner = owner_of(m);
	}
	return owner;
}

static void compare_urgency(struct shim_watch *w, int kind, struct shim_seat *seat)
{
	int mine = shim_urgency_of(0);

	if (seat)
		seat->urgency = mine;
	w->inherits = (kind & SHIM_KIND_INHERIT) != 0;
	w->urgent = mine > 0 && w->owner && !(kind & SHIM_KIND_PROTECT) &&
		    mine > shim_urgency_of(w->owner);
}

void shim_watch_enter(struct shim_watch *w, pthread_mutex_t *m, const void *caller)
{
	int kind = shim_mutex_kind(m);

	w->since = shim_stats_now();
	w->mutex = (uint64_t)(uintptr_t)m;
	w->owner = await_owner(m);
	w->row = shim_stats_row(shim_key(m, false), caller);
	rqb_store(&w->row->kind, (uint32_t)kind);
	if (shim_forcing && !(kind & SHIM_KIND_INHERIT) && !rqb_load(&w->row->left))
		rqb_store(&w->row->left, 1 + (uint32_t)shim_why_left(m, kind, caller));
	w->seat = shim_stats_seat();
	compare_urgency(w, kind, w->seat);
	shim_stats_see(w->owner);
	shim_stats_see(rqu_tid());
	if (w->seat) {
		w->seat->owner = w->owner;
		w->seat->since = w->since;
		shim_stats_sit(w->seat, w->row);
	}
	if (shim_trace_session())
		shim_trace_lock(w->row, m, w->since, w->owner, caller);
}

static void count_urgent(struct shim_watch *w, uint64_t ns)
{
	struct shim_row *row = w->row;

	if (w->inherits) {
		rqb_count(&row->boosts);
	} else {
		rqb_count(&row->inversions);
		rqb_add64(&row->inversion_ns, ns);
	}
	if (shim_stats_max(&row->worst_ns, ns))
		shim_stats_record(&row->worst, ns, rqu_tid(), w->owner);
}

static bool has_waited(int err)
{
	return err == 0 || err == ETIMEDOUT || err == EOWNERDEAD || err == ENOTRECOVERABLE;
}

void shim_watch_leave(struct shim_watch *w, int err)
{
	struct shim_row *row = w->row;
	uint64_t ns = shim_stats_now() - w->since;

	if (shim_trace_session())
		shim_trace_locked(w->mutex, err);
	if (w->seat)
		shim_stats_stand_up(w->seat);
	if (!has_waited(err))
		return;
	rqb_count(&row->waits);
	rqb_add64(&row->wait_ns, ns);
	if (err == ETIMEDOUT)
		rqb_count(&row->timeouts);
	if (w->urgent)
		count_urgent(w, ns);
	if (shim_stats_max(&row->longest_ns, ns))
		shim_stats_record(&row->longest, ns, rqu_tid(), w->owner);
}

/* ---- libc's own ---- */

#define PLAIN (~(SHIM_KIND_TYPE | SHIM_KIND_SHARED | SHIM_KIND_DECIDED))

/* Done, with *@err, or else the caller must wait. */
static bool need_not_wait(pthread_mutex_t *m, int *err)
{
	if (rqb_likely((shim_mutex_kind(m) & PLAIN) == 0)) {
		*err = shim_real.trylock(m);
		if (*err != EBUSY)
			return true;
	}
	return false;
}

/* Is it somebody else's? If not, the call fails, succeeds at once, or waits for itself. */
static bool is_anothers(pthread_mutex_t *m)
{
	uint32_t owner = owner_of(m);

	return rqb_load(shim_mutex_word(m)) != 0 && owner != rqu_tid() &&
	       !rqu_tid_is_prefork(owner);
}

int shim_watch_lock(pthread_mutex_t *m, const void *caller)
{
	struct shim_watch w;
	int err;

	if (need_not_wait(m, &err))
		return err;
	if (!is_anothers(m))
		return shim_lock_libcs(m);
	shim_watch_enter(&w, m, caller);
	err = shim_lock_libcs(m);
	shim_watch_leave(&w, err);
	return err;
}

int shim_watch_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
			 const void *caller)
{
	struct shim_watch w;
	int err;

	if (need_not_wait(m, &err))
		return err;
	if (!is_anothers(m))
		return shim_clocklock_libcs(m, clock, at);
	shim_watch_enter(&w, m, caller);
	err = shim_clocklock_libcs(m, clock, at);
	shim_watch_leave(&w, err);
	return err;
}

/* ---- made and destroyed ---- */

void shim_watch_made(pthread_mutex_t *m, const void *caller)
{
	shim_stats_end(shim_key(m, false));
	shim_stats_made(m, caller);
}

static int (*real_destroy)(pthread_mutex_t *m);

SHIM_API int shim_mutex_destroy(pthread_mutex_t *m)
{
	int err;

	if (!shim_ready() && !real_destroy)
		return 0; /* see shim_ready() */
	err = real_destroy(m);
	if (!err && shim_watching)
		shim_stats_end(shim_key(m, false));
	return err;
}

/* clang-format off */
SHIM_EXPORT_DEFAULT(shim_mutex_destroy, pthread_mutex_destroy, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_mutex_destroy, shim_mutex_destroy__, __pthread_mutex_destroy, SHIM_BASE);

const struct shim_binding shim_watch_bindings[] = {
	SHIM_BIND(&real_destroy, shim_mutex_destroy, pthread_mutex_destroy, SHIM_BASE, true, true),
	SHIM_BIND_OLD(shim_mutex_destroy__, __pthread_mutex_destroy, SHIM_BASE),
	{.name = NULL},
};
/* clang-format on */
