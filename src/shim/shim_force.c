/* SPDX-License-Identifier: MIT */
/*
 * shim_force.c - --force-pi: which mutexes become PI, when, and what is said of those that cannot.
 *
 * A mutex is made PI by the INHERIT bit of its kind, which every lock and unlock looks at. That is
 * right only while nobody has it and nobody is about to: at init, or when the first lock of a
 * zero-filled one (PTHREAD_MUTEX_INITIALIZER, std::mutex) comes by here, before anybody can have
 * locked it in the other way. The decision is made once; a bit of our own in the same word says
 * that it has been (SHIM_KIND_DECIDED).
 *
 *	T1, first lock			T2, first lock
 *	kind is 0			kind is 0
 *	0 -> DECIDED|INHERIT
 *	lock as PI			exchange fails: kind says DECIDED|INHERIT
 *					lock as PI
 *
 * Left to libc: mutexes of objects that RQPI_FORCE_PI_EXCEPT names; PTHREAD_PRIO_PROTECT; a robust
 * or process-shared one that was initialised where we were not; one that is found locked, by
 * somebody who does not come by here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/shim/shim.h"
#include "src/shim/shim_force.h"
#include "src/shim/shim_mutex.h"
#include "src/shim/shim_watch.h"

struct shim_force_counts shim_force_counts;
uint32_t shim_stuck_seq;

static const char *except; /* RQPI_FORCE_PI_EXCEPT: patterns, separated by colons; NULL: none */

/* _dl_find_object() takes no lock, and a lock function must not: dladdr() does. */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

/* The base name of the program or library that @address lies in; NULL: in none (heap, stack). */
const char *shim_object_of(const void *address)
{
	struct dl_find_object found;
	const char *name;
	const char *slash;

	if (!_dl_find_object || _dl_find_object((void *)(uintptr_t)address, &found))
		return NULL;
	name = found.dlfo_link_map->l_name;
	if (!name || !*name)
		return program_invocation_short_name;
	slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

static bool matches(const char *name)
{
	const char *rest = except;

	while (name && *rest) {
		size_t length = strcspn(rest, ":");
		char pattern[256];

		if (length > 0 && length < sizeof(pattern)) {
			memcpy(pattern, rest, length);
			pattern[length] = '\0';
			if (fnmatch(pattern, name, 0) == 0)
				return true;
		}
		rest += length + (rest[length] == ':');
	}
	return false;
}

/* By the object whose code uses it first, and by that in whose data it lies. */
static bool is_excepted(const pthread_mutex_t *m, const void *caller)
{
	return except && (matches(shim_object_of(caller)) || matches(shim_object_of(m)));
}

/* Told once for each reason; all are counted. */
static void tell_left(enum shim_left why, const void *caller)
{
	static const char *const texts[SHIM_LEFT_REASONS] = {
	    [SHIM_LEFT_PROTECT] = "it is of PTHREAD_PRIO_PROTECT",
	    [SHIM_LEFT_ELSEWHERE] =
		"it is process-shared or robust, and was initialised without rqpi",
	    [SHIM_LEFT_LOCKED] = "it was locked by other means before",
	    [SHIM_LEFT_UNKNOWN] = "it is of a kind that is not known",
	};
	const char *object = shim_object_of(caller);

	if (rqb_add64(&shim_force_counts.left[why], 1) == 0 && texts[why])
		shim_say("a mutex used by ", object ? object : "generated code",
			 " cannot be made PI: ", texts[why],
			 " (further ones like it are only counted)", NULL);
}

static int *kind_of(pthread_mutex_t *m)
{
	return &m->__data.__kind;
}

static bool settle(pthread_mutex_t *m, int seen, int kind)
{
	return rqb_cas((uint32_t *)(void *)kind_of(m), (uint32_t)seen,
		       (uint32_t)(kind | SHIM_KIND_DECIDED));
}

/* All bits but these make a mutex that we know nothing about; it may be no mutex at all. */
#define KNOWN                                                                        \
	(SHIM_KIND_TYPE | SHIM_KIND_ROBUST | SHIM_KIND_INHERIT | SHIM_KIND_PROTECT | \
	 SHIM_KIND_SHARED | 0x300 /* lock elision */)

/* Why a mutex of @kind cannot be made PI, if so. @new: nobody can have it yet. */
static enum shim_left reason(const pthread_mutex_t *m, int kind, bool new)
{
	if (kind & ~KNOWN)
		return SHIM_LEFT_UNKNOWN;
	if (kind & SHIM_KIND_PROTECT)
		return SHIM_LEFT_PROTECT;
	if (kind & SHIM_KIND_INHERIT)
		return SHIM_LEFT_NOT; /* it is already, and works as libc's for whoever made it */
	if (!new && (kind & (SHIM_KIND_SHARED | SHIM_KIND_ROBUST)))
		return SHIM_LEFT_ELSEWHERE;
	if (m->__data.__lock != 0)
		return SHIM_LEFT_LOCKED;
	return SHIM_LEFT_NOT;
}

enum shim_left shim_why_left(const pthread_mutex_t *m, int kind, const void *caller)
{
	enum shim_left why;

	if (is_excepted(m, caller))
		return SHIM_LEFT_EXCEPTED;
	why = reason(m, kind & ~SHIM_KIND_DECIDED, false);
	return why == SHIM_LEFT_NOT ? SHIM_LEFT_LOCKED : why;
}

static bool decide(pthread_mutex_t *m, const void *caller, bool new)
{
	int kind;
	int now;
	enum shim_left why;

	do {
		kind = shim_mutex_kind(m);
		if (kind & SHIM_KIND_DECIDED)
			return (kind & (SHIM_KIND_INHERIT | SHIM_KIND_ROBUST)) == SHIM_KIND_INHERIT;
		why = is_excepted(m, caller) ? SHIM_LEFT_EXCEPTED : reason(m, kind, new);
		now = kind;
		if (why == SHIM_LEFT_NOT && !(kind & SHIM_KIND_INHERIT))
			now |= SHIM_KIND_INHERIT | SHIM_KIND_MADE;
	} while (why != SHIM_LEFT_UNKNOWN && !settle(m, kind, now));
	if (why != SHIM_LEFT_NOT)
		tell_left(why, caller);
	else if (!(kind & SHIM_KIND_INHERIT))
		rqb_count(&shim_force_counts.made);
	else
		rqb_count(&shim_force_counts.were);
	return why == SHIM_LEFT_NOT && !(now & SHIM_KIND_ROBUST);
}

bool shim_decide(pthread_mutex_t *m, const void *caller)
{
	return decide(m, caller, false);
}

bool shim_decide_new(pthread_mutex_t *m, const void *caller)
{
	return decide(m, caller, true);
}

/* ---- what only a mutex that was not meant to be PI meets ---- */

/*
 * POSIX leaves it undefined, libc unlocks a normal mutex for anybody, and some programs use one as
 * a semaphore. As long as nobody sleeps on it in the kernel it is a word like any other.
 */
int shim_unlock_of_another(pthread_mutex_t *m)
{
	uint32_t *word = shim_mutex_word(m);
	uint32_t seen = rqb_load(word);

	if (!(shim_mutex_kind(m) & SHIM_KIND_MADE))
		return EPERM;
	if (seen == 0)
		return 0; /* as libc: nothing to unlock, no complaint */
	if (!(seen & RQB_WORD_WAITERS)) {
		m->__data.__owner = 0;
		m->__data.__nusers--;
		if (rqb_cas(word, seen, 0)) {
			rqb_add(&shim_stuck_seq, 1);
			rqu_sys_wake(&shim_stuck_seq, INT_MAX, false);
			rqb_count(&shim_force_counts.unlocked_by_others);
			return 0;
		}
		m->__data.__nusers++;
	}
	if (rqb_add64(&shim_force_counts.refused_to_others, 1) == 0)
		shim_say("a mutex is unlocked by a thread that does not own it, while others wait "
			 "for it: a PI mutex cannot be (EPERM); exclude it with "
			 "--except=OBJECT",
			 NULL);
	return EPERM;
}

void shim_tell_stuck(pthread_mutex_t *m, int err)
{
	bool self = rqb_word_tid(rqb_load(shim_mutex_word(m))) == rqu_tid();

	if (err == ESRCH)
		shim_say("deadlock: a thread wants a mutex whose owner has exited", NULL);
	else if (err == EPERM)
		shim_say("deadlock: a thread wants a mutex that another thread held when this "
			 "process was forked",
			 NULL);
	else if (self)
		rqb_count(&shim_force_counts.locked_twice);
	else
		shim_say("deadlock: threads wait for each other's mutexes, in a circle", NULL);
}

/* ---- start ---- */

/* Does glibc mask our bits out, in every function that looks at the kind? */
const char *shim_prove_marks(void)
{
	static const struct timespec past = {1, 0};
	static const char *const no =
	    "this C library uses bits of pthread_mutex_t that should be free";
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	bool ok;

	m.__data.__kind = SHIM_KIND_DECIDED | SHIM_KIND_MADE;
	ok = shim_real.lock(&m) == 0 && m.__data.__lock == 1 && shim_real.trylock(&m) == EBUSY &&
	     shim_real.clocklock(&m, CLOCK_REALTIME, &past) == ETIMEDOUT &&
	     shim_real.unlock(&m) == 0 && m.__data.__lock == 0 && shim_real.trylock(&m) == 0 &&
	     shim_real.unlock(&m) == 0;
	m.__data.__kind |= SHIM_KIND_INHERIT;
	ok = ok && shim_real.lock(&m) == 0 && m.__data.__lock == (int)rqu_tid() &&
	     shim_real.unlock(&m) == 0 && m.__data.__lock == 0 && m.__data.__nusers == 0;
	return ok ? NULL : no;
}

static const char *start(void)
{
	const char *force = getenv("RQPI_FORCE_PI");
	const char *why_not = NULL;

	except = getenv("RQPI_FORCE_PI_EXCEPT");
	if (except && !*except)
		except = NULL;
	if (force && strcmp(force, "1") == 0) {
		why_not = shim_prove_marks();
		shim_forcing = !why_not;
	}
	if (!why_not)
		shim_watch_start();
	return why_not;
}

const char *(*const shim_start_more)(void) = start;
