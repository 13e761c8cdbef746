/* SPDX-License-Identifier: MIT */
/*
 * engine_referee.c - see engine_stress.h: starts the crew, and judges.
 *
 * Time is cut into phases. At the end of each, everybody comes to rest, at the gate or asleep in a
 * wait for ever: where there are tokens nobody may be left asleep (a lost wakeup). Then all are
 * released, and the books must balance.
 */
#define _GNU_SOURCE
#include "tests/stress/engine_crew.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rqpi/host.h>
#include "src/host/rqh.h"

enum { PHASE_MS = 150, REST_SEC = 20 };

static const char *const state_name[] = {"works", "waits", "waits for a time", "is at the gate",
					 "has ended"};

/* ---------------------------------------------------------------- telling */

/* What the kernel knows of a thread: number and arguments of its system call, or that it runs. */
static void print_syscall(pid_t tid)
{
	char path[64], text[160] = "?\n";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "r");
	if (file && !fgets(text, sizeof(text), file))
		text[0] = '\n';
	if (file)
		fclose(file);
	printf("    system call: %s", text);
}

void es_print_crew(void)
{
	for (int i = 0; i < ES_WORKERS; i++) {
		pid_t tid = atomic_load(&es_all.worker[i].tid);

		printf("  thread %d (%d) %s: %s\n", es_all.worker[i].number, tid,
		       state_name[atomic_load(&es_all.worker[i].state)], es_all.worker[i].doing);
		print_syscall(tid);
	}
	printf("  the meddler (%d)\n", atomic_load(&es_all.meddler_tid));
	print_syscall(atomic_load(&es_all.meddler_tid));
	for (int i = 0; i < ES_CONDS; i++)
		printf("  condvar %d of mutex %d: seq %u at %p, %d inside, %lu tokens\n", i,
		       i % ES_MUTEXES, atomic_load(&es_all.cond[i].seq),
		       (void *)&es_all.cond[i].seq, es_all.cond[i].waiting, es_all.cond[i].tokens);
	for (int i = 0; i < ES_MUTEXES; i++)
		printf("  mutex %d: word %08x at %p, inside %d\n", i, es_all.mutex[i].word,
		       (void *)&es_all.mutex[i].word, atomic_load(&es_all.mutex[i].inside));
}

/* ---------------------------------------------------------------- a phase */

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)256 * 1024);
	err = pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	if (err)
		es_fail("pthread_create: %s", strerror(err));
}

static void await_rest(bool waiting_is_rest, const char *otherwise)
{
	int64_t until = es_now_ns(CLOCK_MONOTONIC) + REST_SEC * INT64_C(1000000000);

	for (int i = 0; i < ES_WORKERS;) {
		int state = atomic_load(&es_all.worker[i].state);

		if (state == ES_AT_GATE || state == ES_GONE ||
		    (waiting_is_rest && state == ES_WAITS)) {
			i++;
			continue;
		}
		if (es_now_ns(CLOCK_MONOTONIC) > until)
			es_fail("HANG: %s: thread %d %s after %d s", otherwise,
				es_all.worker[i].number, state_name[state], REST_SEC);
		es_nap_us(200);
	}
}

/* Tokens, and somebody asleep for them: true if it stays so. */
static bool has_lost_wakeup(struct es_cond *c)
{
	int64_t until = es_now_ns(CLOCK_MONOTONIC) + REST_SEC * INT64_C(1000000000);
	bool both = true;

	while (both && es_now_ns(CLOCK_MONOTONIC) < until) {
		es_lock(c->mutex, ES_REFEREE, ES_FOR_EVER, 0);
		both = c->tokens && c->waiting;
		es_unlock(c->mutex, ES_REFEREE);
		if (both)
			es_nap_us(500);
	}
	return both;
}

static void count_lines(void *arg, const char *line)
{
	++*(int *)arg;
	printf("%s\n", line);
}

/* A thread that has no lock runs with its own priority: so say the engine and the kernel. */
static void check_prio(const struct es_worker *w)
{
	pid_t tid = atomic_load(&w->tid);
	struct rqh_thread *t = rqh_lookup(rqh_enter(), (uint32_t)tid);
	struct rqh_sched sched;
	struct rqpi_prio own, eff;

	if (!t || atomic_load(&w->state) != ES_AT_GATE)
		return; /* new, it has not called the engine yet; or it has ended */
	rqpi_task_prio(rqh_task(t), &own, &eff);
	if (rqh_sched_read((uint32_t)tid, &sched))
		es_fail("sched_getattr of thread %d", w->number);
	if (own.prio != eff.prio)
		es_fail("thread %d has no lock, and runs as %d instead of %d", w->number, eff.prio,
			own.prio);
	if (rqh_prio_of(&sched).prio != own.prio)
		es_fail("thread %d (%d): the kernel has it at %d, the engine at %d", w->number, tid,
			rqh_prio_of(&sched).prio, own.prio);
}

static void balance_books(void)
{
	int left = 0;

	for (int i = 0; i < ES_CONDS; i++) {
		struct es_cond *c = &es_all.cond[i];

		es_lock(c->mutex, ES_REFEREE, ES_FOR_EVER, 0);
		if (c->made != c->taken + c->tokens)
			es_fail("condvar %d: %lu tokens made, %lu taken, %lu there", i, c->made,
				c->taken, c->tokens);
		if (c->waiting)
			es_fail("condvar %d: %d inside, and nobody waits", i, c->waiting);
		es_unlock(c->mutex, ES_REFEREE);
	}
	for (int i = 0; i < ES_MUTEXES; i++) {
		struct es_mutex *m = &es_all.mutex[i];

		if (m->word)
			es_fail("mutex %d: word %08x, and nobody has it", i, m->word);
		if (m->counted != atomic_load(&m->entered))
			es_fail("mutex %d: taken %lu times, and counted %lu times", i,
				atomic_load(&m->entered), m->counted);
		if (m->deaths != m->recovered)
			es_fail("mutex %d: %lu owners died, %lu times was that seen", i, m->deaths,
				m->recovered);
	}
	for (int i = 0; i < ES_WORKERS; i++)
		check_prio(&es_all.worker[i]);
	rqpi_engine_dump(rqpi_host_engine(), count_lines, &left);
	if (left)
		es_fail("%d waiters are left in the engine, and nobody waits", left);
}

/* The referee takes all mutexes, also those that somebody died with and nobody wanted since. */
static void end_phase(void)
{
	atomic_store(&es_all.resting, true);
	await_rest(true, "threads did not come to rest");
	for (int i = 0; i < ES_CONDS; i++) {
		if (has_lost_wakeup(&es_all.cond[i]))
			es_fail("LOST WAKEUP: condvar %d has %lu tokens, and %d wait", i,
				es_all.cond[i].tokens, es_all.cond[i].waiting);
	}
	atomic_store(&es_all.may_meddle, false);
	while (atomic_load(&es_all.meddling))
		es_nap_us(50);
	for (int i = 0; i < ES_CONDS; i++) {
		es_lock(es_all.cond[i].mutex, ES_REFEREE, ES_FOR_EVER, 0);
		es_all.cond[i].over = true;
		es_broadcast(&es_all.cond[i]);
		es_unlock(es_all.cond[i].mutex, ES_REFEREE);
	}
	await_rest(false, "LOST WAKEUP: a broadcast did not release all");
	balance_books();
	for (int i = 0; i < ES_CONDS; i++)
		es_all.cond[i].over = false;
	atomic_fetch_add(&es_totals.phases, 1);
}

static void begin_phase(void)
{
	for (int i = 0; i < ES_WORKERS; i++) {
		struct es_worker *w = &es_all.worker[i];

		if (atomic_load(&w->state) != ES_GONE)
			continue;
		pthread_join(w->thread, NULL);
		atomic_store(&w->state, ES_AT_WORK);
		start(&w->thread, es_live, w);
	}
	await_rest(false, "new threads did not come to the gate");
	atomic_store(&es_all.resting, false);
	pthread_mutex_lock(&es_all.gate.mutex);
	es_all.gate.phase++;
	pthread_cond_broadcast(&es_all.gate.opens);
	pthread_mutex_unlock(&es_all.gate.mutex);
	atomic_store(&es_all.may_meddle, true);
}

void es_crew(double seconds, uint64_t seed)
{
	int64_t end = es_now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
	uint64_t meddler_seed = seed + 1000;
	pthread_t meddler;

	for (int i = 0; i < ES_CONDS; i++)
		es_all.cond[i].mutex = &es_all.mutex[i % ES_MUTEXES];
	for (int i = 0; i < ES_WORKERS; i++) {
		es_all.worker[i].number = i + 1;
		es_all.worker[i].random = seed + (uint64_t)i;
		es_all.worker[i].doing = "-";
		start(&es_all.worker[i].thread, es_live, &es_all.worker[i]);
	}
	start(&meddler, es_meddle, &meddler_seed);
	do {
		begin_phase();
		es_nap_us(PHASE_MS * 1000);
		end_phase();
	} while (es_now_ns(CLOCK_MONOTONIC) < end);
	atomic_store(&es_all.meddler_over, true);
	pthread_join(meddler, NULL);
	pthread_mutex_lock(&es_all.gate.mutex);
	es_all.gate.over = true;
	pthread_cond_broadcast(&es_all.gate.opens);
	pthread_mutex_unlock(&es_all.gate.mutex);
	for (int i = 0; i < ES_WORKERS; i++)
		pthread_join(es_all.worker[i].thread, NULL);
}
