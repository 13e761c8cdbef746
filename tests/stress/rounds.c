/* SPDX-License-Identifier: MIT */
/*
 * rounds.c - see stress.h: rounds of waits, signals, timeouts, handlers and cancellations that add
 * up.
 *
 * All of `struct station` is guarded by its mutex, which is the library's own and so tested along.
 */
#define _GNU_SOURCE
#include "tests/stress/stress.h"

#include <signal.h>

#define WAITERS	 10
#define LOST_SEC 20
#define SHORT_US 3000

struct station;

struct round_waiter {
	struct rqt_thread thread;
	struct station *station;
	int prio;
	bool timed;
	bool doomed; /* will be cancelled in this round */
	bool gone;   /* was: the thread is on its way out */
	clockid_t clock;
	struct timespec deadline;
	unsigned long seen;
};

struct station {
	rqpi_mutex_t mutex;
	rqpi_cond_t start; /* a round begins */
	rqpi_cond_t ready; /* somebody came in or got out: for the referee */
	rqpi_cond_t *cond; /* the one under test; heap, made anew at will */
	unsigned long round;
	int inside;
	int released;
	int returned;
	bool over;
	uint64_t random;
	struct round_waiter w[WAITERS];
};

static struct station st;

static void must(int err, const char *what)
{
	if (err != 0)
		stress_fail("%s: %s", what, rqpi_strerror(err));
}

static void leave(struct round_waiter *w, int result)
{
	struct station *s = w->station;

	if (rqpi_mutex_owner(&s->mutex) != atomic_load(&w->thread.tid))
		stress_fail("a wait came back without the mutex");
	if (result == 0)
		s->released++;
	else if (result == ETIMEDOUT && w->timed)
		atomic_fetch_add(&totals.timeouts, 1);
	else if (result != ECANCELED)
		stress_fail("a wait returned %d: %s", result, rqpi_strerror(result));
	s->returned++;
	must(rqpi_cond_signal(&s->ready), "signal of ready");
}

static void on_cancel(void *arg)
{
	struct round_waiter *w = arg;

	w->gone = true;
	leave(w, ECANCELED);
	must(rqpi_mutex_unlock(&w->station->mutex), "unlock when cancelled");
}

static int wait_once(struct round_waiter *w)
{
	rqpi_cond_t *c = w->station->cond;
	int err;

	pthread_cleanup_push(on_cancel, w);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	if (w->timed)
		err = rqpi_cond_clockwait(c, &w->station->mutex, w->clock, &w->deadline);
	else
		err = rqpi_cond_wait(c, &w->station->mutex);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_pop(0);
	return err;
}

static void waiter_body(struct rqt_thread *t)
{
	struct round_waiter *w = t->arg;
	struct station *s = w->station;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	must(rqpi_mutex_lock(&s->mutex), "lock");
	for (;;) {
		while (s->round == w->seen && !s->over)
			must(rqpi_cond_wait(&s->start, &s->mutex), "wait for the start");
		if (s->over)
			break;
		w->seen = s->round;
		s->inside++;
		must(rqpi_cond_signal(&s->ready), "signal of ready");
		atomic_fetch_add(&totals.waits, 1);
		leave(w, wait_once(w));
	}
	must(rqpi_mutex_unlock(&s->mutex), "unlock");
}

static void start_waiter(struct round_waiter *w)
{
	memset(&w->thread, 0, sizeof(w->thread));
	w->station = &st;
	w->seen = st.round;
	w->gone = false;
	w->thread.body = waiter_body;
	w->thread.arg = w;
	w->prio = stress_does("fifo") ? (int)stress_random(&st.random, 6) : 0;
	rqt_start(&w->thread, w->prio);
}

/* Who does what in the coming round. Returns how many wait for ever unless released. */
static int deal_roles(void)
{
	int patient = 0;

	for (int i = 0; i < WAITERS; i++) {
		struct round_waiter *w = &st.w[i];
		unsigned int die = stress_random(&st.random, 10);

		w->doomed = w->doomed || (die == 3 && stress_does("cancel"));
		w->timed = die < 3 && !w->doomed;
		patient += !w->timed && !w->doomed;
		w->clock = stress_random(&st.random, 2) ? CLOCK_REALTIME : CLOCK_MONOTONIC;
		w->deadline = rqt_in_ms(w->clock, 0);
		w->deadline.tv_nsec += (long)stress_random(&st.random, SHORT_US) * 1000;
		if (w->deadline.tv_nsec >= 1000000000) {
			w->deadline.tv_nsec -= 1000000000;
			w->deadline.tv_sec++;
		}
	}
	return patient;
}

/* With the mutex: until *@what is at least @n. */
static void await(const int *what, int n, const char *otherwise)
{
	struct timespec end = rqt_in_ms(CLOCK_MONOTONIC, LOST_SEC * 1000L);

	while (*what < n)
		if (rqpi_cond_clockwait(&st.ready, &st.mutex, CLOCK_MONOTONIC, &end) == ETIMEDOUT &&
		    *what < n)
			stress_fail("%s: %d of %d after %d s in round %lu", otherwise, *what, n,
				    LOST_SEC, st.round);
}

static void disturb(bool *cancelled)
{
	struct round_waiter *w = &st.w[stress_random(&st.random, WAITERS)];

	if (w->doomed && !*cancelled) {
		*cancelled = true;
		for (int i = 0; i < WAITERS; i++)
			if (st.w[i].doomed)
				pthread_cancel(st.w[i].thread.handle);
	} else if (!w->doomed) {
		pthread_kill(w->thread.handle, SIGUSR1);
		atomic_fetch_add(&totals.interrupts, 1);
	}
}

/* Send @signals, mixed with disturbances; the mutex is held by the caller throughout if @held. */
static void send(int signals, bool held)
{
	bool cancelled = false;
	int turns = signals + (int)stress_random(&st.random, 6);

	for (int sent = 0; turns > 0; turns--) {
		if (sent < signals && stress_random(&st.random, (unsigned int)turns) <
					  (unsigned int)(signals - sent)) {
			must(rqpi_cond_signal(st.cond),
			     held ? "signal" : "signal without the mutex");
			sent++;
		} else {
			disturb(&cancelled);
		}
	}
	for (int i = 0; i < WAITERS; i++)
		if (st.w[i].doomed && !cancelled)
			pthread_cancel(st.w[i].thread.handle);
	atomic_fetch_add(&totals.signals, (unsigned long)signals);
}

/* With the mutex held: the old condvar ends, with threads still on their way out of it. */
static void make_anew(void)
{
	must(rqpi_cond_destroy(st.cond), "destroy");
	memset(st.cond, 0xdb, sizeof(*st.cond));
	free(st.cond);
	st.cond = malloc(sizeof(*st.cond));
	if (!st.cond)
		stress_fail("no memory");
	must(rqpi_cond_init(st.cond, NULL), "init");
	atomic_fetch_add(&totals.remade, 1);
}

/*
 * A cancellation may come when the wait has already been released; it then stays pending, and ends
 * the thread's next wait, in a round in which it is doomed still.
 */
static void replace_the_doomed(void)
{
	for (int i = 0; i < WAITERS; i++) {
		struct round_waiter *w = &st.w[i];

		if (!w->gone)
			continue;
		if (!rqt_join_within(&w->thread, LOST_SEC * 1000))
			stress_fail("a cancelled thread did not end");
		atomic_fetch_add(&totals.cancels, w->thread.cancelled);
		start_waiter(w);
		w->doomed = false;
	}
}

static void play_round(void)
{
	bool held = stress_random(&st.random, 2) != 0;
	int patient;
	int signals;

	must(rqpi_mutex_lock(&st.mutex), "lock");
	patient = deal_roles();
	st.inside = st.released = st.returned = 0;
	st.round++;
	must(rqpi_cond_broadcast(&st.start), "broadcast of start");
	await(&st.inside, WAITERS, "threads did not come to wait");
	signals = (int)stress_random(&st.random, (unsigned int)patient + 1);
	if (held) {
		send(signals, true);
	} else {
		must(rqpi_mutex_unlock(&st.mutex), "unlock");
		send(signals, false);
		must(rqpi_mutex_lock(&st.mutex), "lock");
	}
	await(&st.released, signals, "LOST WAKEUP: waits released");
	must(rqpi_cond_broadcast(st.cond), "broadcast");
	atomic_fetch_add(&totals.broadcasts, 1);
	if (stress_random(&st.random, 3) == 0)
		make_anew();
	await(&st.returned, WAITERS, "LOST WAKEUP: waits ended by a broadcast");
	atomic_fetch_add(&totals.released, (unsigned long)st.released);
	must(rqpi_mutex_unlock(&st.mutex), "unlock");
	replace_the_doomed();
	atomic_fetch_add(&totals.rounds, 1);
}

void stress_rounds(uint64_t seed)
{
	st.random = seed;
	st.cond = calloc(1, sizeof(*st.cond));
	if (!st.cond)
		stress_fail("no memory");
	for (int i = 0; i < WAITERS; i++)
		start_waiter(&st.w[i]);
	while (!atomic_load(&stress_stop)) {
		play_round();
		if (atomic_load(&totals.rounds) % 64 == 0)
			stress_pool_check();
	}
	must(rqpi_mutex_lock(&st.mutex), "lock");
	st.over = true;
	must(rqpi_cond_broadcast(&st.start), "broadcast of start");
	must(rqpi_mutex_unlock(&st.mutex), "unlock");
	for (int i = 0; i < WAITERS; i++)
		if (!rqt_join_within(&st.w[i].thread, LOST_SEC * 1000))
			stress_fail("a thread did not end");
	free(st.cond);
}
