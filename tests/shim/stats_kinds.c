/* SPDX-License-Identifier: MIT */
/* stats_kinds.c - a scene of stats_program: what each kind of mutex answers, call by call. */
#define _GNU_SOURCE
#include "stats_program.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static void say(const char *what, int err)
{
	printf("  %s %d\n", what, err);
}

static void *die_with_it(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void *try_it(void *arg)
{
	static const struct timespec past = {1, 0};
	static const struct timespec wrong = {1, -1};
	struct timespec soon = in_ms(CLOCK_MONOTONIC, 5);

	errno = 4711;
	say("another's trylock", pthread_mutex_trylock(arg));
	say("another's timedlock", pthread_mutex_timedlock(arg, &past));
	say("another's timedlock, no time", pthread_mutex_timedlock(arg, &wrong));
	say("another's clocklock", pthread_mutex_clocklock(arg, CLOCK_MONOTONIC, &soon));
	say("another's clocklock, no clock",
	    pthread_mutex_clocklock(arg, CLOCK_PROCESS_CPUTIME_ID, &soon));
	say("another's errno", errno);
	return NULL;
}

static void in_a_thread(void *(*body)(void *), pthread_mutex_t *m)
{
	pthread_t t;

	must(pthread_create(&t, NULL, body, m), "a thread");
	pthread_join(t, NULL);
}

static void ask(pthread_mutex_t *m, int type, bool robust)
{
	static const struct timespec past = {1, 0};
	static const struct timespec wrong = {1, -1};
	/* The others wait for themselves. */
	bool checks = type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK;

	say("clocklock, no clock", pthread_mutex_clocklock(m, CLOCK_PROCESS_CPUTIME_ID, &past));
	say("timedlock, no time", pthread_mutex_timedlock(m, &wrong));
	say("unlock", pthread_mutex_unlock(m));
	errno = 4711;
	say("lock", pthread_mutex_lock(m));
	in_a_thread(try_it, m);
	say("trylock again", pthread_mutex_trylock(m));
	say("timedlock again", pthread_mutex_timedlock(m, &past));
	if (checks)
		say("lock again", pthread_mutex_lock(m));
	say("destroy", pthread_mutex_destroy(m));
	for (int i = 0; i < (type == PTHREAD_MUTEX_RECURSIVE ? 3 : 1); i++)
		say("unlock", pthread_mutex_unlock(m));
	if (checks)
		say("unlock, not locked", pthread_mutex_unlock(m));
	if (robust) {
		in_a_thread(die_with_it, m);
		say("lock, its owner dead", pthread_mutex_lock(m));
		say("consistent", pthread_mutex_consistent(m));
		say("unlock", pthread_mutex_unlock(m));
		in_a_thread(die_with_it, m);
		say("timedlock, its owner dead", pthread_mutex_timedlock(m, &past));
		say("unlock, not consistent", pthread_mutex_unlock(m));
		say("lock, for ever lost", pthread_mutex_lock(m));
		say("trylock, for ever lost", pthread_mutex_trylock(m));
	}
	say("errno", errno);
	say("destroy", pthread_mutex_destroy(m));
}

static void ask_kind(int type, int protocol, bool robust, int shared)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	int err;

	printf("type %d, protocol %d, robust %d, shared %d\n", type, protocol, robust, shared);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutexattr_setprioceiling(&attr, 60);
	pthread_mutexattr_setpshared(&attr, shared);
	if (robust)
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(&m, &attr);
	say("init", err);
	if (!err)
		ask(&m, type, robust);
	pthread_mutexattr_destroy(&attr);
}

void scene_kinds(void)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
	static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT,
					PTHREAD_PRIO_PROTECT};

	for (size_t t = 0; t < COUNT(types); t++)
		for (size_t p = 0; p < COUNT(protocols); p++)
			for (int more = 0; more < 4; more++) {
				/* libc has no robust or process-shared ones. */
				if (types[t] == PTHREAD_MUTEX_ADAPTIVE_NP && more)
					continue;
				ask_kind(types[t], protocols[p], (more & 1) != 0, more >> 1);
			}
}
