/* SPDX-License-Identifier: MIT */
/*
 * engine_crew.c - see engine_stress.h: threads that wait, signal, broadcast, lock each other's way
 * and end with a mutex, and one that sends signals and changes priorities. engine_referee.c starts
 * them, and judges.
 */
#define _GNU_SOURCE
#include "tests/stress/engine_crew.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include <rqpi/host.h>

enum { TOKENS_MAX = 3 };
enum { PRIO_LOW = 10, PRIO_LEVELS = 4, PRIO_STEP = 10, PRIO_MEDDLER = 60 };

struct es_all es_all = {
    .gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .opens = PTHREAD_COND_INITIALIZER},
};

void es_nap_us(unsigned int us)
{
	struct timespec time = {0, (long)us * 1000};

	nanosleep(&time, NULL); /* a handler may end it early */
}

static void set_prio(pid_t tid, uint64_t *random)
{
	unsigned int level = es_random(random, PRIO_LEVELS + 1);
	long ret;

	if (es_variant->fifo && level)
		ret = rqpi_futex_setscheduler(tid, SCHED_FIFO,
					      PRIO_LOW + (int)(level - 1) * PRIO_STEP);
	else
		ret = rqpi_futex_setscheduler(tid, SCHED_OTHER, (int)level);
	if (ret && ret != -ESRCH && (es_variant->fifo || ret != -EPERM))
		es_fail("rqpi_futex_setscheduler: %s", rqpi_error_name(ret));
	atomic_fetch_add_explicit(&es_totals.prio_changes, 1, memory_order_relaxed);
}

/* ---------------------------------------------------------------- what a worker does */

/* Take a token. A wait that timed out has not taken a signal that came too late: it looks again. */
static void consume(struct es_worker *w)
{
	struct es_cond *c = &es_all.cond[es_random(&w->random, ES_CONDS)];
	bool timed = es_random(&w->random, 3) == 0;
	unsigned int us = timed ? 1 + es_random(&w->random, 1500) : 0;
	bool realtime = es_random(&w->random, 2) != 0;

	w->doing = "takes a token";
	es_lock(c->mutex, w->number, ES_FOR_EVER, 0);
	while (!c->tokens && !c->over) {
		bool released;

		atomic_store(&w->state, timed ? ES_WAITS_TIMED : ES_WAITS);
		released = es_wait(c, w->number, realtime, us);
		atomic_store(&w->state, ES_AT_WORK);
		if (!released)
			break;
	}
	if (c->tokens) {
		c->tokens--;
		c->taken++;
		atomic_fetch_add_explicit(&es_totals.tokens, 1, memory_order_relaxed);
	}
	es_unlock(c->mutex, w->number);
}

static void tell(struct es_cond *c, unsigned int tokens, bool all)
{
	if (all) {
		es_broadcast(c);
		return;
	}
	while (tokens--)
		es_signal(c);
}

/*
 * Add tokens; signal with the mutex held, which requeues, or after, which takes it for the
 * waiter.
 */
static void produce(int number, uint64_t *random)
{
	struct es_cond *c = &es_all.cond[es_random(random, ES_CONDS)];
	unsigned int tokens = 1 + es_random(random, 2);
	bool all = es_random(random, 3) == 0;
	bool held = es_random(random, 2) != 0;

	es_lock(c->mutex, number, ES_FOR_EVER, 0);
	if (c->tokens > TOKENS_MAX) /* what it is about is waiting */
		tokens = 0;
	c->tokens += tokens;
	c->made += tokens;
	if (held)
		tell(c, tokens, all);
	es_unlock(c->mutex, number);
	if (!held)
		tell(c, tokens, all);
}

/* All of them, one inside the other: whoever waits for the last one is waited for by many. */
static void nest(struct es_worker *w)
{
	int taken = 0;

	w->doing = "nests";
	for (; taken < ES_MUTEXES; taken++) {
		enum es_how how = taken ? (enum es_how)es_random(&w->random, ES_TRY + 1)
					: ES_FOR_EVER;

		if (!es_lock(&es_all.mutex[taken], w->number, how, 1 + es_random(&w->random, 800)))
			break;
		if (es_random(&w->random, 4) == 0)
			sched_yield();
	}
	if (es_random(&w->random, 2)) {
		for (int i = 0; i < taken; i++)
			es_unlock(&es_all.mutex[i], w->number);
	} else {
		for (int i = taken - 1; i >= 0; i--)
			es_unlock(&es_all.mutex[i], w->number);
	}
	atomic_fetch_add_explicit(&es_totals.nested, 1, memory_order_relaxed);
}

/* Returns false if the thread is to end, with a mutex. */
static bool work_once(struct es_worker *w)
{
	unsigned int die = es_random(&w->random, 1000);

	if (die < 560) {
		consume(w);
	} else if (die < 580) {
		set_prio(atomic_load(&es_all.worker[es_random(&w->random, ES_WORKERS)].tid),
			 &w->random);
	} else if (die < 815) {
		w->doing = "makes tokens";
		produce(w->number, &w->random);
	} else if (die < 997) {
		nest(w);
	} else {
		struct es_mutex *m = &es_all.mutex[es_random(&w->random, ES_MUTEXES)];

		w->doing = "ends with a mutex";
		es_lock(m, w->number, ES_FOR_EVER, 0);
		es_bequeath(m);
		return false;
	}
	if (es_random(&w->random, 3) == 0)
		es_nap_us(es_random(&w->random, 300));
	return true;
}

/* ---------------------------------------------------------------- a worker's life */

/* Returns false when there is no other phase. */
static bool pass_gate(struct es_worker *w, unsigned long *phase)
{
	bool go_on;

	w->doing = "-";
	pthread_mutex_lock(&es_all.gate.mutex);
	atomic_store(&w->state, ES_AT_GATE);
	while (es_all.gate.phase == *phase && !es_all.gate.over)
		pthread_cond_wait(&es_all.gate.opens, &es_all.gate.mutex);
	*phase = es_all.gate.phase;
	go_on = !es_all.gate.over;
	if (go_on)
		atomic_store(&w->state, ES_AT_WORK);
	pthread_mutex_unlock(&es_all.gate.mutex);
	return go_on;
}

void *es_live(void *arg)
{
	struct es_worker *w = arg;
	unsigned long phase;

	atomic_store(&w->tid, gettid());
	set_prio(0, &w->random);
	pthread_mutex_lock(&es_all.gate.mutex);
	phase = es_all.gate.phase;
	pthread_mutex_unlock(&es_all.gate.mutex);
	while (pass_gate(w, &phase)) {
		while (!atomic_load(&es_all.resting)) {
			if (work_once(w))
				continue;
			atomic_store(&w->state, ES_GONE);
			return NULL;
		}
	}
	return NULL;
}

/* ---------------------------------------------------------------- the meddler */

static void meddle_once(uint64_t *random)
{
	pid_t tid = atomic_load(&es_all.worker[es_random(random, ES_WORKERS)].tid);
	unsigned int die = es_random(random, 8);

	if (die < 4) /* with SA_RESTART, and without */
		syscall(SYS_tgkill, getpid(), tid, die < 2 ? SIGUSR1 : SIGUSR2);
	else if (die < 6)
		set_prio(tid, random);
	else
		produce(ES_MEDDLER, random);
}

void *es_meddle(void *arg)
{
	uint64_t random = *(uint64_t *)arg;

	atomic_store(&es_all.meddler_tid, gettid());
	if (es_variant->fifo && rqpi_futex_setscheduler(0, SCHED_FIFO, PRIO_MEDDLER))
		es_fail("SCHED_FIFO %d is not permitted", PRIO_MEDDLER);
	while (!atomic_load(&es_all.meddler_over)) {
		atomic_store(&es_all.meddling, true);
		if (atomic_load(&es_all.may_meddle))
			meddle_once(&random);
		atomic_store(&es_all.meddling, false);
		es_nap_us(50 + es_random(&random, 400));
	}
	return NULL;
}
