/* SPDX-License-Identifier: MIT */
/*
 * cond.c - the public condvar: which kind of wait, with which mutex.
 *
 * The waiting itself is wait.c's, where the waiters sleep is channel.c's or pshared.c's.
 */
#include "src/user/user.h"

#include <errno.h>
#include <limits.h>

static struct rqu_cond *cond_of(rqpi_cond_t *cond)
{
	return (struct rqu_cond *)(void *)cond;
}

/* Relaxed: that one value is stored by init alone, which the program orders before all else. */
static bool is_shared(const struct rqu_cond *c)
{
	return rqb_load(&c->ref) == RQU_REF_SHARED;
}

static int wait_on(struct rqu_cond *c, struct rqu_mutex *m, const struct rqu_deadline *dl)
{
	struct rqu_lock lock = {.word = &m->word,
				.shared = (m->kind & RQU_MUTEX_SHARED) != 0,
				.count = &m->count,
				.way = m->kind & RQU_MUTEX_ROBUST ? &rqu_robust_way : NULL,
				.mutex = m,
				RQB_PROBED(.cond = c)};

	if (!rqu_mutex_owned(m))
		return EPERM;
	if (!is_shared(c))
		return rqu_private_wait(&c->ref, &lock, dl);
	return lock.shared ? rqu_shared_wait(c, &lock, dl) : EINVAL;
}

int rqpi_cond_wait(rqpi_cond_t *cond, rqpi_mutex_t *mutex)
{
	return wait_on(cond_of(cond), rqu_mutex_of(mutex), NULL);
}

int rqpi_cond_clockwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, clockid_t clock,
			const struct timespec *abstime)
{
	struct rqu_deadline dl;
	int err = rqu_deadline_set(&dl, clock, abstime);

	return err ? err : wait_on(cond_of(cond), rqu_mutex_of(mutex), &dl);
}

int rqpi_cond_timedwait(rqpi_cond_t *cond, rqpi_mutex_t *mutex, const struct timespec *abstime)
{
	bool monotonic = (rqb_load(&cond_of(cond)->kind) & RQU_COND_MONOTONIC) != 0;

	return rqpi_cond_clockwait(cond, mutex, monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME,
				   abstime);
}

/* Somebody has waited on @c since it was made. */
static int release_waiters(struct rqu_cond *c, int nr_requeue)
{
	return is_shared(c) ? rqu_shared_release(c, nr_requeue)
			    : rqu_private_release(&c->ref, nr_requeue);
}

/*
 * "Nobody has waited yet" is a relaxed load. A waiter that the caller owes a wake-up has stored
 * `ref` before it unlocked the mutex, and the caller has had the mutex since, or has heard of the
 * waiter in another way that orders the two: then this load cannot miss it. A waiter that nothing
 * orders before the signal may as well have come after it.
 */
int rqpi_cond_signal(rqpi_cond_t *cond)
{
	struct rqu_cond *c = cond_of(cond);

	return rqb_likely(rqb_load(&c->ref) == 0) ? 0 : release_waiters(c, 0);
}

int rqpi_cond_broadcast(rqpi_cond_t *cond)
{
	struct rqu_cond *c = cond_of(cond);

	return rqb_likely(rqb_load(&c->ref) == 0) ? 0 : release_waiters(c, INT_MAX);
}

int rqpi_cond_init(rqpi_cond_t *cond, const rqpi_condattr_t *attr)
{
	struct rqu_cond *c = cond_of(cond);
	clockid_t clock = CLOCK_REALTIME;
	int pshared = RQPI_PROCESS_PRIVATE;

	if (attr &&
	    (rqpi_condattr_getclock(attr, &clock) || rqpi_condattr_getpshared(attr, &pshared)))
		return EINVAL;
	*cond = (rqpi_cond_t)RQPI_COND_INITIALIZER;
	c->kind = clock == CLOCK_MONOTONIC ? RQU_COND_MONOTONIC : 0;
	if (pshared == RQPI_PROCESS_SHARED) {
		c->ref = RQU_REF_SHARED;
		rqu_shared_init(c);
	}
	return 0;
}

int rqpi_cond_destroy(rqpi_cond_t *cond)
{
	/*
	 * Released waiters are on a channel, or only have `seq` compared: nothing to wait for
	 * [U-I1, U-I2]. Relaxed: whoever uses the memory next is ordered behind this by the
	 * program.
	 */
	rqb_store(&cond_of(cond)->ref, 0);
	return 0;
}
