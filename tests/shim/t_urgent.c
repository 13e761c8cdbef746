/* SPDX-License-Identifier: MIT */
/*
 * t_urgent.c - real-time and ordinary threads on one mutex and one condvar of a program that asked
 * for no inheritance, with --force-pi.
 *
 * The former sleep to be requeued, the latter are woken and lock: a signal goes to an urgent one
 * first, none is lost, and an ordinary owner works at the priority of those who wait for it.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIFO_PRIO(n) (-1 - (n))

struct scene {
	pthread_mutex_t m;
	pthread_cond_t c;
	int tokens; /* guarded by m */
	int served; /* atomic */
	int order[8];
};

struct waiter {
	struct ord_thread t;
	struct scene *s;
	int prio;
	int inside; /* atomic */
};

static void *wait_for_token(void *arg)
{
	struct waiter *w = arg;
	struct scene *s = w->s;

	pthread_mutex_lock(&s->m);
	__atomic_store_n(&w->inside, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		pthread_cond_wait(&s->c, &s->m);
	s->tokens--;
	s->order[s->served] = w->prio;
	__atomic_fetch_add(&s->served, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->m);
	return NULL;
}

static void start(struct waiter *w, struct scene *s, int prio)
{
	memset(w, 0, sizeof(*w));
	w->s = s;
	w->prio = prio;
	ord_must(ord_start(&w->t, wait_for_token, w, prio));
	assert_true(ord_reaches(&w->inside, 1));
	assert_int_equal(ord_asleep(&w->t), prio ? FUTEX_WAIT_REQUEUE_PI : FUTEX_WAIT_BITSET);
}

static void give(struct scene *s, int tokens, int (*release)(pthread_cond_t *))
{
	ord_must(pthread_mutex_lock(&s->m));
	s->tokens += tokens;
	ord_must(release(&s->c));
	ord_must(pthread_mutex_unlock(&s->m));
}

static void a_signal_goes_to_the_most_urgent_one(void **state)
{
	static const int prios[] = {0, 10, 0, 30, 20};
	static const int served[] = {30, 20, 10, 0, 0};
	struct scene s = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};
	struct waiter w[5];

	(void)state;
	ord_need_fifo();
	for (int i = 0; i < 5; i++)
		start(&w[i], &s, prios[i]);
	for (int i = 0; i < 5; i++) {
		give(&s, 1, pthread_cond_signal);
		assert_true(ord_reaches(&s.served, i + 1));
		assert_int_equal(s.order[i], served[i]);
	}
	for (int i = 0; i < 5; i++)
		ord_join(&w[i].t);
	assert_int_equal(s.m.__data.__nusers, 0);
	ord_must(pthread_cond_destroy(&s.c));
	ord_must(pthread_mutex_destroy(&s.m));
}

static void a_broadcast_serves_the_urgent_ones_in_order(void **state)
{
	static const int prios[] = {0, 10, 0, 30, 20};
	struct scene s = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};
	struct waiter w[5];
	int before = 100;

	(void)state;
	ord_need_fifo();
	for (int i = 0; i < 5; i++)
		start(&w[i], &s, prios[i]);
	give(&s, 5, pthread_cond_broadcast);
	for (int i = 0; i < 5; i++)
		ord_join(&w[i].t);
	for (int i = 0; i < 5; i++) {
		if (s.order[i] == 0)
			continue; /* one of these may pass by while nobody has the mutex */
		assert_true(s.order[i] < before);
		before = s.order[i];
	}
	assert_int_equal(s.served, 5);
}

/* ---- inheritance ---- */

struct owner {
	pthread_mutex_t *m;
	int has; /* atomic */
	int go;	 /* atomic */
};

static void *own_it(void *arg)
{
	struct owner *o = arg;

	pthread_mutex_lock(o->m);
	__atomic_store_n(&o->has, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&o->go, __ATOMIC_SEQ_CST))
		usleep(200);
	pthread_mutex_unlock(o->m);
	__atomic_store_n(&o->has, 2, __ATOMIC_SEQ_CST);
	ord_reaches(&o->go, 2);
	return NULL;
}

static void *lock_it(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void boosts(pthread_mutex_t *m)
{
	struct owner o = {.m = m};
	struct ord_thread owner;
	struct ord_thread urgent;

	ord_must(ord_start(&owner, own_it, &o, 0));
	assert_true(ord_reaches(&o.has, 1));
	assert_int_equal(ord_kernel_prio(owner.tid), ord_kernel_prio(getpid()));
	ord_must(ord_start(&urgent, lock_it, m, 30));
	assert_true(ord_reaches_prio(owner.tid, FIFO_PRIO(30)));
	__atomic_store_n(&o.go, 1, __ATOMIC_SEQ_CST);
	ord_join(&urgent);
	assert_true(ord_reaches(&o.has, 2));
	assert_int_equal(ord_kernel_prio(owner.tid), ord_kernel_prio(getpid()));
	__atomic_store_n(&o.go, 2, __ATOMIC_SEQ_CST);
	ord_join(&owner);
}

static void an_ordinary_owner_inherits(void **state)
{
	static pthread_mutex_t of_zeros;
	pthread_mutex_t fixed = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	pthread_mutex_t made;

	(void)state;
	ord_need_fifo();
	ord_must(pthread_mutex_init(&made, NULL));
	boosts(&of_zeros);
	boosts(&fixed);
	boosts(&recursive);
	boosts(&made);
}

/* Signalled while somebody has the mutex: it waits for the mutex from then on, not for its turn. */
static void an_owner_inherits_from_one_that_was_signalled(void **state)
{
	struct scene s = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};
	struct owner o = {.m = &s.m};
	struct ord_thread owner;
	struct waiter w[2];

	(void)state;
	ord_need_fifo();
	start(&w[0], &s, 0);
	start(&w[1], &s, 40);
	ord_must(ord_start(&owner, own_it, &o, 0));
	assert_true(ord_reaches(&o.has, 1));
	s.tokens = 2; /* its owner does not look */
	ord_must(pthread_cond_broadcast(&s.c));
	assert_true(ord_reaches_prio(owner.tid, FIFO_PRIO(40)));
	__atomic_store_n(&o.go, 2, __ATOMIC_SEQ_CST);
	ord_join(&w[1].t);
	ord_join(&w[0].t);
	ord_join(&owner);
	assert_int_equal(s.order[0], 40);
}

/* ---- none is lost ---- */

#define SIGNALS	   100000
#define BATCH	   16
#define CONSUMERS  5 /* two of them urgent */
#define MORTAL_MAX 400

struct works {
	pthread_mutex_t m;
	pthread_cond_t c;
	int tokens; /* guarded by m */
	int eaten;  /* atomic */
	int end;    /* guarded by m */
	int deaths;
	int timeouts; /* guarded by m */
};

static void eat(struct works *w)
{
	w->tokens--;
	__atomic_fetch_add(&w->eaten, 1, __ATOMIC_SEQ_CST);
}

static void *consume(void *arg)
{
	struct works *w = arg;

	pthread_mutex_lock(&w->m);
	for (;;) {
		while (!w->tokens && !w->end)
			pthread_cond_wait(&w->c, &w->m);
		if (!w->tokens)
			break;
		eat(w);
	}
	pthread_mutex_unlock(&w->m);
	return NULL;
}

/* What comes too late for it is for others: it must not eat what it was not woken for. */
static void *consume_or_time_out(void *arg)
{
	struct works *w = arg;

	pthread_mutex_lock(&w->m);
	while (!w->end) {
		struct timespec at = ord_in_ms(CLOCK_REALTIME, 0);
		int err;

		at.tv_nsec += 30000;
		if (at.tv_nsec > 999999999)
			at.tv_nsec = 999999999;
		err = pthread_cond_timedwait(&w->c, &w->m, &at);
		if (err == ETIMEDOUT)
			w->timeouts++;
		else if (w->tokens)
			eat(w);
	}
	pthread_mutex_unlock(&w->m);
	return NULL;
}

static void unlock_it(void *arg)
{
	pthread_mutex_unlock(arg);
}

static void *consume_until_cancelled(void *arg)
{
	struct works *w = arg;

	pthread_mutex_lock(&w->m);
	pthread_cleanup_push(unlock_it, &w->m);
	while (!w->end) {
		pthread_cond_wait(&w->c, &w->m);
		if (w->tokens)
			eat(w);
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void *cancel_some(void *arg)
{
	struct works *w = arg;
	struct ord_thread t;
	int end = 0;

	for (int i = 0; i < MORTAL_MAX && !end; i++) {
		if (ord_start(&t, consume_until_cancelled, w, i % 2 ? 6 : 0))
			break;
		usleep((useconds_t)(i % 7) * 200);
		pthread_cancel(t.handle);
		ord_join(&t);
		w->deaths++;
		pthread_mutex_lock(&w->m);
		end = w->end;
		pthread_mutex_unlock(&w->m);
	}
	return NULL;
}

static void end_works(struct works *w)
{
	ord_must(pthread_mutex_lock(&w->m));
	w->end = 1;
	ord_must(pthread_cond_broadcast(&w->c));
	ord_must(pthread_mutex_unlock(&w->m));
}

/* Each batch has to be eaten before the next one comes: nobody is signalled for it again. */
static void no_signal_is_lost_among_cancellations_and_timeouts(void **state)
{
	static struct works w = {.m = PTHREAD_MUTEX_INITIALIZER, .c = PTHREAD_COND_INITIALIZER};
	struct ord_thread t[CONSUMERS + 3];
	int n = 0;

	(void)state;
	ord_need_fifo();
	for (; n < CONSUMERS; n++)
		ord_must(ord_start(&t[n], consume, &w, n % 2 ? 5 + n : 0));
	ord_must(ord_start(&t[n++], consume_or_time_out, &w, 0));
	ord_must(ord_start(&t[n++], consume_or_time_out, &w, 7));
	ord_must(ord_start(&t[n++], cancel_some, &w, 0));
	for (int i = 0; i < SIGNALS / BATCH; i++) {
		for (int k = 0; k < BATCH; k++) {
			ord_must(pthread_mutex_lock(&w.m));
			w.tokens++;
			if (k % 2)
				ord_must(pthread_cond_signal(&w.c));
			ord_must(pthread_mutex_unlock(&w.m));
			if (k % 2 == 0)
				ord_must(pthread_cond_signal(&w.c));
		}
		if (!ord_reaches(&w.eaten, (i + 1) * BATCH))
			fail_msg("of %d tokens %d were taken", (i + 1) * BATCH, w.eaten);
	}
	end_works(&w);
	while (n > 0)
		ord_join(&t[--n]);
	print_message("# %d cancelled, %d timeouts\n", w.deaths, w.timeouts);
	assert_int_equal(w.tokens, 0);
	assert_true(w.deaths > 0);
	assert_int_equal(w.m.__data.__lock, 0);
	assert_int_equal(w.m.__data.__nusers, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(a_signal_goes_to_the_most_urgent_one),
	    cmocka_unit_test(a_broadcast_serves_the_urgent_ones_in_order),
	    cmocka_unit_test(an_ordinary_owner_inherits),
	    cmocka_unit_test(an_owner_inherits_from_one_that_was_signalled),
	    cmocka_unit_test(no_signal_is_lost_among_cancellations_and_timeouts),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
