/* SPDX-License-Identifier: MIT */
/* probes_stage.c - see probes_stage.h. */
#define _GNU_SOURCE
#include "tests/user/probes_stage.h"

struct stage stage = {.mutexes_too = true};

#ifdef PROBES_OF_PTHREAD
void stage_mutex(enum kind kind)
{
	static const int types[KINDS] = {
	    [RECURSIVE] = PTHREAD_MUTEX_RECURSIVE, [ERRORCHECK] = PTHREAD_MUTEX_ERRORCHECK};
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&attr, types[kind]);
	if (kind == ROBUST)
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (kind == SHARED)
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	assert_int_equal(pthread_mutex_init(&stage.mutex, &attr), 0);
}

void stage_cond(bool shared)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	if (shared)
		pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&stage.cond, &attr);
}
#else
void stage_mutex(enum kind kind)
{
	static const int types[KINDS] = {
	    [RECURSIVE] = RQPI_MUTEX_RECURSIVE, [ERRORCHECK] = RQPI_MUTEX_ERRORCHECK};
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_settype(&attr, types[kind]);
	if (kind == ROBUST)
		rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	if (kind == SHARED)
		rqpi_mutexattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_mutex_init(&stage.mutex, &attr), 0);
}

void stage_cond(bool shared)
{
	rqpi_condattr_t attr;

	rqpi_condattr_init(&attr);
	if (shared)
		rqpi_condattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	rqpi_cond_init(&stage.cond, &attr);
}
#endif

int stage_setup(void **state)
{
	rqt_plain_setup(state);
	memset(stage.threads, 0, sizeof(stage.threads));
	stage_mutex(NORMAL);
	stage_cond(false);
	rqt_probes_forget();
	return 0;
}

/* The next case may have another one in the same place. */
int stage_teardown(void **state)
{
	(void)state;
	LOCKS(cond_destroy)(&stage.cond);
	LOCKS(mutex_destroy)(&stage.mutex);
	return 0;
}

void need_probes(const char *test)
{
	if (stage.not_planted)
		rqt_skip(test, stage.not_planted);
}

void need_mutexes(const char *test)
{
	need_probes(test);
	if (!stage.mutexes_too)
		rqt_skip(test, "this preload leaves the mutex functions to libc");
}

void lock(void)
{
	assert_int_equal(LOCKS(mutex_lock)(&stage.mutex), 0);
}

void unlock(void)
{
	assert_int_equal(LOCKS(mutex_unlock)(&stage.mutex), 0);
}

static int *result_of(struct rqt_thread *t)
{
	return &stage.results[t - stage.threads];
}

void body_locks(struct rqt_thread *self)
{
	*result_of(self) = LOCKS(mutex_lock)(&stage.mutex);
	LOCKS(mutex_unlock)(&stage.mutex);
}

void body_locks_until(struct rqt_thread *self)
{
	struct timespec soon = rqt_in_ms(CLOCK_REALTIME, 30);

	*result_of(self) = LOCKS(mutex_timedlock)(&stage.mutex, &soon);
}

static void unlock_mutex(void *arg)
{
	(void)arg;
	LOCKS(mutex_unlock)(&stage.mutex);
}

void body_waits(struct rqt_thread *self)
{
	LOCKS(mutex_lock)(&stage.mutex);
	pthread_cleanup_push(unlock_mutex, NULL);
	*result_of(self) = LOCKS(cond_wait)(&stage.cond, &stage.mutex);
	pthread_cleanup_pop(1);
}

void body_waits_until(struct rqt_thread *self)
{
	struct timespec soon = rqt_in_ms(CLOCK_REALTIME, 30);

	LOCKS(mutex_lock)(&stage.mutex);
	*result_of(self) = LOCKS(cond_timedwait)(&stage.cond, &stage.mutex, &soon);
	LOCKS(mutex_unlock)(&stage.mutex);
}

void body_signals_and_dies(struct rqt_thread *self)
{
	*result_of(self) = LOCKS(mutex_lock)(&stage.mutex);
	LOCKS(cond_signal)(&stage.cond);
}

struct rqt_thread *stage_start(int number, void (*body)(struct rqt_thread *self), int prio)
{
	stage.threads[number] = (struct rqt_thread){.body = body};
	rqt_start(&stage.threads[number], prio);
	return &stage.threads[number];
}

struct rqt_thread *stage_asleep(int number, void (*body)(struct rqt_thread *self), int prio)
{
	struct rqt_thread *t = stage_start(number, body, prio);

	rqt_wait_asleep(t);
	return t;
}

pid_t tid_of(struct rqt_thread *t)
{
	return atomic_load(&t->tid);
}

pid_t my_tid(void)
{
	return atomic_load(&rqt_main_thread.tid);
}

/* ---- what is expected ---- */

const struct rqt_hit *expect_first(const char *name, const void *first, pid_t tid)
{
	const struct rqt_hit *hit = rqt_probes_find(name, first, 0);

	if (!hit)
		fail_msg("%s has not been hit", name);
	if (hit->tid != tid)
		fail_msg("%s was hit by thread %d, not by %d", name, (int)hit->tid, (int)tid);
	return hit;
}

const struct rqt_hit *expect(const char *name, const void *first, pid_t tid)
{
	if (rqt_probes_find(name, first, 1))
		fail_msg("%s has been hit more than once", name);
	return expect_first(name, first, tid);
}

void expect_not(const char *name, const void *first)
{
	const struct rqt_hit *hit = rqt_probes_find(name, first, 0);

	if (hit)
		fail_msg("%s has been hit, and should not have been", hit->name);
}

void check_arg(const struct rqt_hit *hit, int number, int64_t value)
{
	if (number >= hit->args || hit->arg[number] != value)
		fail_msg("argument %d of %s is %lld, not %lld", number, hit->name,
			 (long long)hit->arg[number], (long long)value);
}

void check_pointer(const struct rqt_hit *hit, int number, const void *value)
{
	check_arg(hit, number, (int64_t)(intptr_t)value);
}

void check_order(const struct rqt_hit *first, const struct rqt_hit *second)
{
	if (first >= second)
		fail_msg("%s was hit before %s", second->name, first->name);
}

int handed(int prio)
{
	return stage.forced && prio == 0 ? 0 : 1;
}
