/* SPDX-License-Identifier: MIT */
/*
 * work_contended.c - several threads take and give back one lock, as fast as they can, for a
 * bounded time: how often in all, how evenly, how long a thread waits. Compiled once per
 * implementation; called by worker.c.
 *
 * Two spans, each half of the time: in the first nobody looks at a clock, and takes are counted; in
 * the second every wait is timed, which would slow down the counting.
 */
#include "impl.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

enum { MAX_THREADS = 64, CALIBRATION_LOOPS = 200000, CALIBRATIONS = 5 };

/* A histogram of nanoseconds: eight steps to each power of two, so 9 % wide at most. */
enum { SUB_BITS = 3, SUB = 1 << SUB_BITS, BUCKETS = (40 - SUB_BITS + 1) * SUB };

struct contended {
	_Alignas(64) bm_t mutex;
	_Alignas(64) uint64_t taken; /* under the mutex */
	_Alignas(64) _Atomic uint32_t stop;
	_Alignas(64) _Atomic uint32_t gate;
	_Atomic int begun; /* threads that run */
	bool timed;
	uint32_t inside, outside; /* turns of burn() */
};

struct contender {
	_Alignas(64) struct contended *c;
	pthread_t thread;
	uint64_t taken, longest_ns;
	uint32_t bucket[BUCKETS];
};

static void burn(uint32_t turns)
{
	for (uint32_t i = 0; i < turns; i++)
		__asm__ volatile("" ::: "memory");
}

/* Turns of burn() in @ns; the fastest of several, for whatever disturbs only makes it slower. */
static uint32_t turns_of(int ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; ns && i < CALIBRATIONS; i++) {
		uint64_t begin = work_now(), took;

		burn(CALIBRATION_LOOPS);
		took = work_now() - begin;
		best = took < best ? took : best;
	}
	return ns ? (uint32_t)((uint64_t)ns * CALIBRATION_LOOPS / best) : 0;
}

static size_t bucket_of(uint64_t ns)
{
	size_t top, bucket;

	if (ns < SUB)
		return (size_t)ns;
	top = 63 - (size_t)__builtin_clzll(ns);
	bucket = (top - SUB_BITS + 1) * SUB + ((size_t)(ns >> (top - SUB_BITS)) & (SUB - 1));
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of what bucket_of() puts there. */
static double value_of(size_t bucket)
{
	size_t power = bucket / SUB;

	if (!power)
		return (double)bucket;
	return (double)((uint64_t)(SUB + bucket % SUB) << (power - 1)) +
	       (double)(UINT64_C(1) << (power - 1)) / 2;
}

static void take_lock(struct contender *me)
{
	struct contended *c = me->c;
	uint64_t taken = 0;

	do {
		bm_lock(&c->mutex);
		c->taken++;
		burn(c->inside);
		bm_unlock(&c->mutex);
		burn(c->outside);
		taken++;
	} while (!atomic_load_explicit(&c->stop, memory_order_relaxed));
	me->taken = taken;
}

static void take_lock_timed(struct contender *me)
{
	struct contended *c = me->c;

	do {
		uint64_t waited = work_now();

		bm_lock(&c->mutex);
		waited = work_now() - waited;
		c->taken++;
		burn(c->inside);
		bm_unlock(&c->mutex);
		burn(c->outside);
		me->taken++;
		me->bucket[bucket_of(waited)]++;
		me->longest_ns = waited > me->longest_ns ? waited : me->longest_ns;
	} while (!atomic_load_explicit(&c->stop, memory_order_relaxed));
}

static void *contend(void *arg)
{
	struct contender *me = arg;

	work_gate_wait(&me->c->gate, 1);
	atomic_fetch_add(&me->c->begun, 1);
	if (me->c->timed)
		take_lock_timed(me);
	else
		take_lock(me);
	return NULL;
}

static void report_span(const struct contender *all, const struct work_args *args, double seconds,
			long switches)
{
	uint64_t sum = 0, least = UINT64_MAX, most = 0;

	for (int i = 0; i < args->threads; i++) {
		sum += all[i].taken;
		least = all[i].taken < least ? all[i].taken : least;
		most = all[i].taken > most ? all[i].taken : most;
	}
	work_emit_one("takes_per_s", (double)sum / seconds);
	work_emit_one("share", (double)least / (double)most);
	work_emit_one("switches", (double)switches / (double)sum);
}

static void report_waits(const struct contender *all, int threads)
{
	static const struct {
		const char *series;
		double share;
	} points[] = {{"wait_p50_us", 0.5},
		      {"wait_p90_us", 0.9},
		      {"wait_p99_us", 0.99},
		      {"wait_p99.9_us", 0.999}};
	uint64_t sum = 0, longest = 0, below = 0;
	size_t point = 0;

	for (int i = 0; i < threads; i++) {
		sum += all[i].taken;
		longest = all[i].longest_ns > longest ? all[i].longest_ns : longest;
	}
	for (size_t b = 0; b < BUCKETS; b++) {
		for (int i = 0; i < threads; i++)
			below += all[i].bucket[b];
		for (; point < 4 && (double)below >= points[point].share * (double)sum; point++)
			work_emit_one(points[point].series, value_of(b) / 1e3);
	}
	work_emit_one("wait_max_us", (double)longest / 1e3);
}

/*
 * The CPU of thread @i: one after the other of those that this process may use. Where the scheduler
 * is left to itself, two threads may share one CPU for a whole batch, and then nobody contends.
 */
static int cpu_of(int i)
{
	cpu_set_t set;
	int nth;

	if (sched_getaffinity(0, sizeof(set), &set))
		work_die("sched_getaffinity", errno);
	nth = i % CPU_COUNT(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET((size_t)cpu, &set) && nth-- == 0)
			return cpu;
	}
	return -1;
}

static void run_span(struct contended *c, const struct work_args *args, bool timed)
{
	struct contender *all = work_alloc((size_t)args->threads, sizeof(*all));
	uint64_t begin, end, sum = 0;
	long switches;

	c->timed = timed;
	c->taken = 0;
	atomic_store(&c->stop, 0);
	atomic_store(&c->gate, 0);
	atomic_store(&c->begun, 0);
	for (int i = 0; i < args->threads; i++) {
		all[i].c = c;
		all[i].thread = work_start(contend, &all[i], 0, cpu_of(i));
	}
	switches = work_switches_all();
	begin = work_now();
	work_gate_open(&c->gate, 1);
	do /* on a machine with much else to do, a thread may begin late */
		work_nap((uint64_t)args->ms * WORK_NSEC_PER_MSEC / 2);
	while (atomic_load(&c->begun) < args->threads);
	atomic_store(&c->stop, 1);
	end = work_now();
	switches = work_switches_all() - switches;
	for (int i = 0; i < args->threads; i++) {
		work_join(all[i].thread);
		sum += all[i].taken;
	}
	if (sum != c->taken)
		work_die("contended: the lock was taken by two at once", 0);
	if (timed)
		report_waits(all, args->threads);
	else
		report_span(all, args, (double)(end - begin) / 1e9, switches);
	free(all);
}

void WORK_FN(contended)(const struct work_args *args)
{
	struct contended *c = work_alloc(1, sizeof(*c));
	bool forced;

	if (args->threads > MAX_THREADS)
		work_die("contended: too many threads", EINVAL);
	bm_init(&c->mutex);
	bm_lock(&c->mutex);
	forced = bm_is_pi(&c->mutex);
	bm_unlock(&c->mutex);
	work_emit_one("pi", forced);
	if (args->forced && !forced)
		return; /* these would be the figures of a mutex of another kind */
	c->inside = c->outside = turns_of(args->work_ns);
	run_span(c, args, false);
	run_span(c, args, true);
	free(c);
}
