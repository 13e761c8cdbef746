/* SPDX-License-Identifier: MIT */
/*
 * t_found.c - faults that a review of the library found, each as the sequence of steps that showed
 * it: process-shared condvars, and the heir of a dead owner's mutex.
 *
 * The others are in t_found_channel.c (private condvars), t_cancel.c (a late SIGCANCEL) and
 * t_posix.c (the signal of a cancelled process-shared wait without requeue_pi).
 */
#define _GNU_SOURCE
#include "tests/support/shm.h"

#include <sys/mman.h>

#include "src/user/user.h"

/* ---- process-shared, in one page: nobody looks at the condvar by the clock there ---- */

struct page {
	rqpi_mutex_t m[2];
	rqpi_cond_t c;
	int due; /* rounds that the waiter may take; guarded by the mutex in use */
	_Atomic int taken;
};

struct taker {
	struct rqt_thread thread;
	struct page *page;
	rqpi_mutex_t *mutex;
	int rounds;
};

static struct page *make_page(void)
{
	struct page *p = mmap(NULL, RQT_SHM_PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rqpi_mutexattr_t mattr;
	rqpi_condattr_t cattr;

	assert_true(p != MAP_FAILED);
	rqpi_mutexattr_init(&mattr);
	assert_int_equal(rqpi_mutexattr_setpshared(&mattr, RQPI_PROCESS_SHARED), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rqpi_mutex_init(&p->m[i], &mattr), 0);
	rqpi_condattr_init(&cattr);
	assert_int_equal(rqpi_condattr_setpshared(&cattr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_cond_init(&p->c, &cattr), 0);
	return p;
}

static struct rqu_cond *inside(struct page *p)
{
	return (struct rqu_cond *)(void *)&p->c;
}

static void take_rounds(struct rqt_thread *t)
{
	struct taker *w = t->arg;
	struct page *p = w->page;
	int err = rqpi_mutex_lock(w->mutex);

	for (int i = 0; i < w->rounds; i++) {
		while (p->due == 0)
			err |= rqpi_cond_wait(&p->c, w->mutex);
		p->due--;
		atomic_fetch_add(&p->taken, 1);
	}
	t->value = err | rqpi_mutex_unlock(w->mutex);
}

/* A thread that takes @rounds rounds with mutex @which; it is asleep. */
static struct taker *start_taker(struct page *p, int which, int rounds)
{
	struct taker *w = calloc(1, sizeof(*w));

	w->page = p;
	w->mutex = &p->m[which];
	w->rounds = rounds;
	w->thread.body = take_rounds;
	w->thread.arg = w;
	rqt_start(&w->thread, 0);
	rqt_wait_asleep(&w->thread);
	return w;
}

/* One more round: one signal, which must do. */
static void serve(struct taker *w, const char *what)
{
	struct page *p = w->page;
	int before = atomic_load(&p->taken);

	rqt_wait_asleep(&w->thread);
	assert_int_equal(rqpi_mutex_lock(w->mutex), 0);
	p->due++;
	assert_int_equal(rqpi_cond_signal(&p->c), 0);
	assert_int_equal(rqpi_mutex_unlock(w->mutex), 0);
	if (!rqt_reaches(&p->taken, before + 1, RQT_SOON_MS))
		fail_msg("%s: after %d rounds a signal reached nobody", what, before);
}

static void end_taker(struct taker *w)
{
	rqt_join(&w->thread);
	assert_int_equal(w->thread.value, 0);
	free(w);
}

/*
 * A program that signals only when somebody waits: each signal takes the last waiter, and the
 * condvar never learns that none is left. 2^32 such rounds take hours: the count is set to where
 * they lead.
 */
static void counts_do_not_wrap(void **state)
{
	struct page *p = make_page();
	struct taker *w = start_taker(p, 0, 10);

	(void)state;
	for (int i = 0; i < 10; i++) {
		serve(w, "process-shared");
		if (i != 2)
			continue;
		rqt_wait_asleep(&w->thread);
		assert_int_equal(rqpi_mutex_lock(w->mutex), 0);
		inside(p)->joined = inside(p)->served + (UINT64_C(1) << 32) - 3;
		assert_int_equal(rqpi_mutex_unlock(w->mutex), 0);
	}
	end_taker(w);
	/* The first finds out that nobody waits, the second knows. */
	assert_int_equal(rqpi_cond_signal(&p->c), 0);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_signal(&p->c), 0);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	munmap(p, RQT_SHM_PAGE);
}

struct late {
	struct rqt_thread thread;
	rqpi_cond_t *cond;
	bool broadcast;
};

static void signal_late(struct rqt_thread *t)
{
	struct late *l = t->arg;

	t->value = l->broadcast ? rqpi_cond_broadcast(l->cond) : rqpi_cond_signal(l->cond);
}

/* A thread that is about to release @cond's waiters in the kernel: it has read all it goes by. */
static struct late *start_late(rqpi_cond_t *cond, bool broadcast, int cmd)
{
	struct late *l = calloc(1, sizeof(*l));

	l->cond = cond;
	l->broadcast = broadcast;
	l->thread.body = signal_late;
	l->thread.arg = l;
	rqt_hook_stop(&l->thread.hook, cmd, 1, RQT_BEFORE);
	rqt_start(&l->thread, 0);
	assert_true(rqt_hook_wait_stopped(&l->thread.hook, RQT_SOON_MS));
	return l;
}

static void end_late(struct late *l)
{
	rqt_hook_release(&l->thread.hook);
	rqt_join(&l->thread);
	assert_int_equal(l->thread.value, 0);
	free(l);
}

static void check_late_signaller(bool broadcast)
{
	struct page *p = make_page();
	struct taker *w = start_taker(p, 0, 1);
	struct late *l;

	serve(w, "first mutex");
	end_taker(w);
	/* Nobody waits, but the condvar does not know. Nobody holds the mutex, which is legal. */
	l = start_late(&p->c, broadcast, FUTEX_CMP_REQUEUE_PI);
	/* Nobody waits: it may be used with another mutex. */
	w = start_taker(p, 1, 3);
	end_late(l);
	for (int i = 0; i < 3; i++) {
		rqt_wait_asleep(&w->thread);
		assert_true(rqt_is_asleep_in(&w->thread, FUTEX_WAIT_REQUEUE_PI));
		serve(w, "second mutex");
	}
	end_taker(w);
	assert_int_equal(inside(p)->kind & RQU_COND_PLAIN, 0);
	munmap(p, RQT_SHM_PAGE);
}

/* Its requeue goes to the mutex of before, and the kernel refuses. */
static void late_signaller_does_not_turn_a_condvar_plain(void **state)
{
	(void)state;
	rqt_need_requeue_pi(__func__);
	check_late_signaller(false);
}

static void late_broadcaster_does_not_turn_a_condvar_plain(void **state)
{
	(void)state;
	rqt_need_requeue_pi(__func__);
	check_late_signaller(true);
}

/*
 * The condvar turns plain (in a process that has the mutex elsewhere) just when a waiter has looked
 * and goes to sleep to be requeued. FUTEX_WAKE reaches nobody while it is in front.
 */
static void sleeper_to_be_requeued_is_reached_in_plain_mode(void **state)
{
	struct page *p;
	struct taker *w;

	(void)state;
	rqt_need_requeue_pi(__func__);
	p = make_page();
	w = start_taker(p, 0, 2);
	assert_true(rqt_is_asleep_in(&w->thread, FUTEX_WAIT_REQUEUE_PI));
	__atomic_fetch_or(&inside(p)->kind, RQU_COND_PLAIN, __ATOMIC_SEQ_CST);
	serve(w, "asleep before");
	rqt_wait_asleep(&w->thread);
	assert_true(rqt_is_asleep_in(&w->thread, FUTEX_WAIT_BITSET));
	serve(w, "plain");
	end_taker(w);
	munmap(p, RQT_SHM_PAGE);
}

/* ---- process-shared, mapped apart ---- */

struct view {
	struct rqt_thread thread;
	struct rqt_shm shm;
	_Atomic int wakes;
};

static void wait_until_go(struct rqt_thread *t)
{
	struct view *v = t->arg;
	int err = rqpi_mutex_lock(v->shm.mutex);

	while (!err && atomic_load(&v->shm.board->go) == 0) {
		err |= rqpi_cond_wait(v->shm.cond, v->shm.mutex);
		atomic_fetch_add(&v->wakes, 1);
	}
	t->value = err | rqpi_mutex_unlock(v->shm.mutex);
}

/* Two waiters in two mappings, and no signal. Returns how often their waits ended nevertheless. */
static int count_idle_wakes(enum rqt_layout layout)
{
	struct view *v = calloc(2, sizeof(*v));
	int wakes;

	rqt_shm_make(&v[0].shm, layout, RQPI_STALLED);
	v[1].shm = v[0].shm;
	assert_true(rqt_shm_map(&v[1].shm));
	for (int i = 0; i < 2; i++) {
		v[i].thread.body = wait_until_go;
		v[i].thread.arg = &v[i];
		rqt_start(&v[i].thread, 0);
		rqt_wait_asleep(&v[i].thread);
	}
	rqt_sleep_ms(600); /* some of the slices after which they look by themselves */
	wakes = atomic_load(&v[0].wakes) + atomic_load(&v[1].wakes);
	assert_int_equal(rqpi_mutex_lock(v[0].shm.mutex), 0);
	atomic_store(&v[0].shm.board->go, 1);
	assert_int_equal(rqpi_mutex_unlock(v[0].shm.mutex), 0);
	assert_int_equal(rqpi_cond_broadcast(v[0].shm.cond), 0);
	for (int i = 0; i < 2; i++) {
		rqt_join(&v[i].thread);
		assert_int_equal(v[i].thread.value, 0);
	}
	rqt_shm_drop(&v[0].shm);
	free(v);
	return wakes;
}

/*
 * Each sees the mutex at another distance from the condvar, takes that for another mutex, and
 * releases those inside. Once may be.
 */
static void two_layouts_do_not_wake_each_other_for_ever(void **state)
{
	(void)state;
	assert_int_equal(count_idle_wakes(RQT_SAME_PAGE), 0);
	assert_int_equal(count_idle_wakes(RQT_SAME_DISTANCE), 0);
	assert_in_range(count_idle_wakes(RQT_APART), 0, 2);
}

/* ---- the heir of a dead owner's mutex ---- */

#define OWNERS_DEPTH 3

struct estate {
	struct rqt_thread owner;
	struct rqt_thread heir;
	rqpi_mutex_t m;
	rqpi_cond_t c;
	bool timed;
	_Atomic int held;
	_Atomic int die;
	int unlocks; /* that succeeded, the heir's */
};

static void lock_deep_and_die(struct rqt_thread *t)
{
	struct estate *e = t->arg;

	for (int i = 0; i < OWNERS_DEPTH; i++)
		t->value |= rqpi_mutex_lock(&e->m);
	t->value |= rqpi_cond_signal(&e->c);
	atomic_store(&e->held, 1);
	rqt_reaches(&e->die, 1, 20000);
}

static void unlock_all(struct estate *e)
{
	while (rqpi_mutex_unlock(&e->m) == 0)
		e->unlocks++;
}

static void inherit_by_lock(struct rqt_thread *t)
{
	struct estate *e = t->arg;
	struct timespec far = rqt_in_ms(CLOCK_MONOTONIC, 20000);

	t->value = e->timed ? rqpi_mutex_clocklock(&e->m, CLOCK_MONOTONIC, &far)
			    : rqpi_mutex_lock(&e->m);
	unlock_all(e);
}

static void inherit_by_wait(struct rqt_thread *t)
{
	struct estate *e = t->arg;

	t->value = rqpi_mutex_lock(&e->m) | rqpi_mutex_lock(&e->m);
	t->value |= rqpi_cond_wait(&e->c, &e->m);
	unlock_all(e);
}

static struct estate *make_estate(void (*inherit)(struct rqt_thread *t), bool timed)
{
	struct estate *e = calloc(1, sizeof(*e));

	e->m = (rqpi_mutex_t)RQPI_RECURSIVE_MUTEX_INITIALIZER;
	e->timed = timed;
	e->owner.body = lock_deep_and_die;
	e->owner.arg = e;
	e->heir.body = inherit;
	e->heir.arg = e;
	return e;
}

static void start_owner(struct estate *e)
{
	rqt_start(&e->owner, 0);
	assert_true(rqt_reaches(&e->held, 1, RQT_SOON_MS));
}

/* The owner dies; the heir has got the mutex @depth levels deep, and then it is free. */
static void settle_estate(struct estate *e, int depth)
{
	rqt_wait_asleep(&e->heir);
	atomic_store(&e->die, 1);
	rqt_join(&e->owner);
	assert_int_equal(e->owner.value, 0);
	rqt_join(&e->heir);
	assert_int_equal(e->heir.value, 0);
	assert_int_equal(e->unlocks, depth);
	assert_int_equal(rqpi_mutex_owner(&e->m), 0);
	assert_int_equal(rqpi_mutex_trylock(&e->m), 0);
	assert_int_equal(rqpi_mutex_unlock(&e->m), 0);
	assert_int_equal(rqpi_mutex_destroy(&e->m), 0);
	free(e);
}

/* The kernel hands a stalled mutex to a thread that waits when its owner dies. */
static void heir_of_a_recursive_mutex_holds_it_once(void **state)
{
	(void)state;
	for (int timed = 0; timed < 2; timed++) {
		struct estate *e = make_estate(inherit_by_lock, timed);

		start_owner(e);
		rqt_start(&e->heir, 0);
		settle_estate(e, 1);
	}
}

static void heir_in_a_wait_holds_it_as_before_the_wait(void **state)
{
	struct estate *e = make_estate(inherit_by_wait, false);

	(void)state;
	rqt_start(&e->heir, 0);
	rqt_wait_asleep(&e->heir);
	start_owner(e); /* signals */
	settle_estate(e, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(counts_do_not_wrap),
	    RQT_CASE(late_signaller_does_not_turn_a_condvar_plain),
	    RQT_CASE(late_broadcaster_does_not_turn_a_condvar_plain),
	    RQT_CASE(sleeper_to_be_requeued_is_reached_in_plain_mode),
	    RQT_CASE(two_layouts_do_not_wake_each_other_for_ever),
	    RQT_CASE(heir_of_a_recursive_mutex_holds_it_once),
	    RQT_CASE(heir_in_a_wait_holds_it_as_before_the_wait),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("found", tests, NULL, NULL);
}
