/* SPDX-License-Identifier: MIT */
/*
 * t_mutex.c - every kind of mutex (type x robust x process-shared), every function, errno by errno
 * as include/rqpi/mutex.h promises. Time is t_mutex_time.c's, death t_robust.c's, inheritance
 * t_mutex_pi.c's.
 */
#define _GNU_SOURCE
#include "tests/support/support.h"

#include <sched.h>

struct kind {
	int type;
	int robust;
	int pshared;
};

typedef void (*kind_check)(rqpi_mutex_t *m, const struct kind *k);

/* Run @check on a mutex of each of the twelve kinds, and on zero bytes and the static initialisers.
 */
static void for_each_kind(kind_check check)
{
	rqpi_mutex_t fixed[] = {RQPI_MUTEX_INITIALIZER, RQPI_RECURSIVE_MUTEX_INITIALIZER,
				RQPI_ERRORCHECK_MUTEX_INITIALIZER};
	rqpi_mutexattr_t attr;
	rqpi_mutex_t m;

	for (int i = 0; i < 12; i++) {
		struct kind k = {i % 3, i / 3 % 2, i / 6};

		rqpi_mutexattr_init(&attr);
		assert_int_equal(rqpi_mutexattr_settype(&attr, k.type), 0);
		assert_int_equal(rqpi_mutexattr_setrobust(&attr, k.robust), 0);
		assert_int_equal(rqpi_mutexattr_setpshared(&attr, k.pshared), 0);
		if (k.robust && !rqt_has_robust()) {
			assert_int_equal(rqpi_mutex_init(&m, &attr), ENOTSUP);
			continue;
		}
		memset(&m, 0xee, sizeof(m));
		assert_int_equal(rqpi_mutex_init(&m, &attr), 0);
		check(&m, &k);
		assert_int_equal(rqpi_mutex_destroy(&m), 0);
	}
	for (int i = 0; i < 3; i++) {
		struct kind k = {i, RQPI_STALLED, RQPI_PROCESS_PRIVATE};

		check(&fixed[i], &k);
	}
	memset(&m, 0, sizeof(m));
	check(&m, &(struct kind){RQPI_MUTEX_NORMAL, RQPI_STALLED, RQPI_PROCESS_PRIVATE});
}

static pid_t self_tid(void)
{
	return atomic_load(&rqt_main_thread.tid);
}

static void check_lock_and_unlock(rqpi_mutex_t *m, const struct kind *k)
{
	(void)k;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rqpi_mutex_owner(m), 0);
		assert_int_equal(rqpi_mutex_lock(m), 0);
		assert_int_equal(rqpi_mutex_owner(m), self_tid());
		assert_int_equal(rqpi_mutex_unlock(m), 0);
		assert_int_equal(rqpi_mutex_trylock(m), 0);
		assert_int_equal(rqpi_mutex_owner(m), self_tid());
		assert_int_equal(rqpi_mutex_unlock(m), 0);
	}
}

static void lock_and_unlock_of_every_kind(void **state)
{
	(void)state;
	for_each_kind(check_lock_and_unlock);
}

static void check_no_system_call(rqpi_mutex_t *m, const struct kind *k)
{
	(void)k;
	rqt_hook_reset();
	check_lock_and_unlock(m, k);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
}

static void uncontended_makes_no_futex_call(void **state)
{
	(void)state;
	for_each_kind(check_no_system_call);
}

static void check_relock(rqpi_mutex_t *m, const struct kind *k)
{
	struct timespec far = rqt_in_ms(CLOCK_REALTIME, 60000);
	struct timespec far_mono = rqt_in_ms(CLOCK_MONOTONIC, 60000);

	assert_int_equal(rqpi_mutex_lock(m), 0);
	if (k->type == RQPI_MUTEX_RECURSIVE) {
		assert_int_equal(rqpi_mutex_lock(m), 0);
		assert_int_equal(rqpi_mutex_trylock(m), 0);
		assert_int_equal(rqpi_mutex_timedlock(m, &far), 0);
		assert_int_equal(rqpi_mutex_clocklock(m, CLOCK_MONOTONIC, &far_mono), 0);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(rqpi_mutex_unlock(m), 0);
			assert_int_equal(rqpi_mutex_owner(m), self_tid());
		}
	} else {
		assert_int_equal(rqpi_mutex_lock(m), EDEADLK);
		assert_int_equal(rqpi_mutex_trylock(m), EBUSY);
		assert_int_equal(rqpi_mutex_timedlock(m, &far), EDEADLK);
		assert_int_equal(rqpi_mutex_clocklock(m, CLOCK_MONOTONIC, &far_mono), EDEADLK);
	}
	assert_int_equal(rqpi_mutex_owner(m), self_tid());
	assert_int_equal(rqpi_mutex_unlock(m), 0);
	assert_int_equal(rqpi_mutex_owner(m), 0);
}

static void relocking_counts_or_is_refused(void **state)
{
	(void)state;
	for_each_kind(check_relock);
}

static void check_not_owner(rqpi_mutex_t *m, const struct kind *k)
{
	(void)k;
	assert_int_equal(rqpi_mutex_unlock(m), EPERM);
	assert_int_equal(rqpi_mutex_lock(m), 0);
	assert_int_equal(rqpi_mutex_unlock(m), 0);
	assert_int_equal(rqpi_mutex_unlock(m), EPERM);
	assert_int_equal(rqpi_mutex_owner(m), 0);
}

static void unlocking_an_unlocked_one_is_refused(void **state)
{
	(void)state;
	for_each_kind(check_not_owner);
}

/* Another thread's view of a mutex that the main thread holds. */
struct visitor {
	struct rqt_thread thread;
	rqpi_mutex_t *m;
	int trylock;
	int unlock;
	int destroy;
	pid_t owner;
};

static void visit(struct rqt_thread *t)
{
	struct visitor *v = t->arg;

	v->trylock = rqpi_mutex_trylock(v->m);
	v->unlock = rqpi_mutex_unlock(v->m);
	v->destroy = rqpi_mutex_destroy(v->m);
	v->owner = rqpi_mutex_owner(v->m);
}

static void check_held_by_other(rqpi_mutex_t *m, const struct kind *k)
{
	struct visitor *v = calloc(1, sizeof(*v));

	(void)k;
	v->m = m;
	v->thread.body = visit;
	v->thread.arg = v;
	assert_int_equal(rqpi_mutex_lock(m), 0);
	rqt_start(&v->thread, 0);
	rqt_join(&v->thread);
	assert_int_equal(v->trylock, EBUSY);
	assert_int_equal(v->unlock, EPERM);
	assert_int_equal(v->destroy, EBUSY);
	assert_int_equal(v->owner, self_tid());
	assert_int_equal(rqpi_mutex_destroy(m), EBUSY);
	assert_int_equal(rqpi_mutex_unlock(m), 0);
	free(v);
}

static void another_thread_is_kept_out(void **state)
{
	(void)state;
	for_each_kind(check_held_by_other);
}

/* trylock on a mutex held by another leaves its owner's unlock in user space. */
static void trylock_costs_the_owner_nothing(void **state)
{
	struct visitor *v = calloc(1, sizeof(*v));
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;

	(void)state;
	v->m = &m;
	v->thread.body = visit;
	v->thread.arg = v;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	rqt_hook_reset();
	rqt_start(&v->thread, 0);
	rqt_join(&v->thread);
	assert_int_equal(v->trylock, EBUSY);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	free(v);
}

struct crowd {
	rqpi_mutex_t *m;
	int rounds;
	long guarded;
	_Atomic int errors;
};

static void join_crowd(struct rqt_thread *t)
{
	struct crowd *c = t->arg;

	for (int i = 0; i < c->rounds; i++) {
		if (rqpi_mutex_lock(c->m) != 0)
			atomic_fetch_add(&c->errors, 1);
		c->guarded++;
		if (i % 16 == 0)
			sched_yield();
		if (rqpi_mutex_unlock(c->m) != 0)
			atomic_fetch_add(&c->errors, 1);
	}
}

static void check_exclusion(rqpi_mutex_t *m, const struct kind *k)
{
	struct rqt_thread *t = calloc(4, sizeof(*t));
	struct crowd c = {.m = m, .rounds = 400};

	(void)k;
	for (int i = 0; i < 4; i++) {
		t[i].body = join_crowd;
		t[i].arg = &c;
		rqt_start(&t[i], 0);
	}
	for (int i = 0; i < 4; i++)
		rqt_join(&t[i]);
	assert_int_equal(c.errors, 0);
	assert_int_equal(c.guarded, 4 * 400);
	free(t);
}

static void contended_of_every_kind_excludes(void **state)
{
	(void)state;
	for_each_kind(check_exclusion);
}

/* The last touch of an unlock is the release: the next owner may free the mutex at once. */
static void free_after_lock(struct rqt_thread *t)
{
	rqpi_mutex_t *m = t->arg;

	t->value = rqpi_mutex_lock(m);
	t->value |= rqpi_mutex_unlock(m);
	t->value |= rqpi_mutex_destroy(m);
	memset(m, 0xff, sizeof(*m));
	free(m);
}

static void may_be_freed_by_the_next_owner(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));

	(void)state;
	for (int i = 0; i < 200; i++) {
		rqpi_mutex_t *m = calloc(1, sizeof(*m));

		memset(t, 0, sizeof(*t));
		t->body = free_after_lock;
		t->arg = m;
		assert_int_equal(rqpi_mutex_lock(m), 0);
		rqt_start(t, 0);
		if (i % 2)
			rqt_wait_asleep(t);
		assert_int_equal(rqpi_mutex_unlock(m), 0);
		rqt_join(t);
		assert_int_equal(t->value, 0);
	}
	free(t);
}

static void errno_is_left_alone(void **state)
{
	struct timespec past = {0, 0};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct crowd c = {.m = &m, .rounds = 1};

	(void)state;
	errno = 1234;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), EDEADLK);
	assert_int_equal(rqpi_mutex_timedlock(&m, &past), EDEADLK);
	assert_int_equal(errno, 1234);
	t->body = join_crowd;
	t->arg = &c;
	rqt_start(t, 0);
	rqt_wait_asleep(t);
	errno = 1234;
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), EPERM);
	assert_int_equal(errno, 1234);
	rqt_join(t);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(lock_and_unlock_of_every_kind),
	    RQT_CASE(uncontended_makes_no_futex_call),
	    RQT_CASE(relocking_counts_or_is_refused),
	    RQT_CASE(unlocking_an_unlocked_one_is_refused),
	    RQT_CASE(another_thread_is_kept_out),
	    RQT_CASE(trylock_costs_the_owner_nothing),
	    RQT_CASE(contended_of_every_kind_excludes),
	    RQT_CASE(may_be_freed_by_the_next_owner),
	    RQT_CASE(errno_is_left_alone),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("mutex", tests, NULL, NULL);
}
