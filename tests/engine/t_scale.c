/* SPDX-License-Identifier: MIT */
/*
 * t_scale.c - ten thousand waiters of one futex, a hundred thousand futexes: all are served in
 * order, and the trees stay as flat as they must. No time is judged: the depth of a tree is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/stage.h"

#include <limits.h>
#include <stdlib.h>

#define WAITERS 10000
#define FUTEXES 100000

/*
 * Tasks without a stack: they are put to sleep by the engine's own functions, and what wakes them
 * is counted. A sleeper needs no more of the engine than its struct rqpi_task.
 */
struct sleeper {
	_Alignas(16) char task[RQPI_TASK_BYTES];
	_Alignas(16) char state[RQPI_PI_STATE_BYTES];
	uint32_t word;
};

static struct stage stage;
static struct actor o;
static struct sleeper *sleepers;
static struct rqpi_port port;
static const struct rqpi_port *original;
static struct rqpi_task *last_woken;
static unsigned int woken;
static unsigned int out_of_order;

static struct rqpi_task *task_of(int i)
{
	return (struct rqpi_task *)(void *)sleepers[i].task;
}

static void count_wake(void *ctx, struct rqpi_task *task)
{
	(void)ctx;
	woken++;
	if (last_woken && task->own.prio < last_woken->own.prio)
		out_of_order++;
	last_woken = task;
}

static void no_prio(void *ctx, struct rqpi_task *task, const struct rqpi_prio *eff)
{
	(void)ctx;
	(void)task;
	(void)eff;
}

static void start(uint32_t buckets, int n)
{
	stage_open(&stage, buckets);
	stage_actor(&stage, &o, RQPI_PRIO_RT(1));
	stage.quick = 1;
	sleepers = aligned_alloc(16, (size_t)n * sizeof(*sleepers));
	assert_non_null(sleepers);
	original = stage.coop.engine->port;
	port = *original;
	port.set_prio = no_prio;
	port.wake = count_wake;
	for (int i = 0; i < n; i++) {
		struct rqpi_task_attr attr = {
		    .tid = 1000 + (uint32_t)i,
		    .space = 1,
		    .prio = {.prio = RQPI_PRIO_RT(1 + (i * 7919) % 90)},
		};

		rqpi_task_init(stage.coop.engine, sleepers[i].task, sleepers[i].state, &attr);
		sleepers[i].word = 0;
	}
	woken = out_of_order = 0;
	last_woken = NULL;
}

static void finish(void)
{
	stage.coop.engine->port = original;
	stage_close(&stage);
	free(sleepers);
}

/* @i sleeps in WAIT, or in WAIT_REQUEUE_PI for @target. */
static void fall_asleep(int i, uint32_t *word, uint32_t *target)
{
	struct rqk_futex_q *q = &task_of(i)->q;
	struct rqk_call call = {.uaddr = word};

	q->kind = target ? RQK_REQUEUE_PI : RQK_PLAIN;
	q->bitset = UINT32_MAX;
	q->pi_state = NULL;
	rqk_requeue_begin(q);
	assert_int_equal(rqk_key(task_of(i), word, false, false, &q->key), 0);
	if (target)
		assert_int_equal(rqk_key(task_of(i), target, false, true, &q->requeue_key), 0);
	assert_int_equal(rqk_wait_setup(task_of(i), &call), 0);
}

/* A call by o, whose wake-ups are counted. */
static long counted(int op, uint32_t *u, uint32_t val, uintptr_t val2, uint32_t *u2)
{
	long ret;

	post(&o, op | P, u, val, (const void *)val2, u2, 0);
	stage.coop.engine->port = &port;
	coop_run(&stage.coop);
	stage.coop.engine->port = original;
	ret = result(&o);
	return ret;
}

static unsigned int depth_of(const struct rqb_node *node)
{
	unsigned int left;
	unsigned int right;

	if (!node)
		return 0;
	left = depth_of(node->child[0]);
	right = depth_of(node->child[1]);
	return 1 + (left > right ? left : right);
}

static void flat_for(const struct rqb_tree *tree, unsigned int n)
{
	unsigned int log = 0;

	while ((1u << log) < n + 1)
		log++;
	assert_true(depth_of(tree->root) <= 2 * log);
	print_message("# %u waiters, depth %u\n", n, depth_of(tree->root));
}

static void many_waiters_of_one_futex(void **state)
{
	uint32_t u = 0;
	uint32_t u2 = 0;

	(void)state;
	start(1, WAITERS);
	for (int i = 0; i < WAITERS; i++)
		fall_asleep(i, &u, NULL);
	flat_for(&stage.coop.engine->buckets[0].tree, WAITERS);
	assert_int_equal(counted(RQPI_FUTEX_REQUEUE, &u, 0, INT_MAX, &u2), WAITERS);
	flat_for(&stage.coop.engine->buckets[0].tree, WAITERS);
	assert_int_equal(counted(RQPI_FUTEX_WAKE, &u2, WAITERS / 2, 0, NULL), WAITERS / 2);
	assert_int_equal(woken, WAITERS / 2);
	assert_int_equal(counted(RQPI_FUTEX_WAKE, &u2, INT_MAX, 0, NULL), WAITERS / 2);
	assert_int_equal(woken, WAITERS);
	assert_int_equal(out_of_order, 0);
	finish();
}

/* A broadcast to ten thousand: all wait for the mutex, and its owner has the best of all. */
static void many_waiters_are_requeued_to_a_mutex(void **state)
{
	uint32_t cond = 0;
	uint32_t m = 0;
	struct rqk_pi_state *ps;
	struct rqpi_prio prio;

	(void)state;
	start(1, WAITERS);
	assert_int_equal(lock_pi(&o, &m), 0);
	for (int i = 0; i < WAITERS; i++)
		fall_asleep(i, &cond, &m);
	assert_int_equal(counted(RQPI_FUTEX_CMP_REQUEUE_PI, &cond, 1, INT_MAX, &m), WAITERS);
	assert_int_equal(woken, 0);
	ps = task_of(0)->q.pi_state;
	assert_int_equal(ps->refs, WAITERS);
	flat_for(&ps->lock.waiters, WAITERS);
	rqpi_task_prio(o.t.task, NULL, &prio);
	assert_int_equal(prio.prio, RQPI_PRIO_RT(90));
	assert_int_equal(rqpi_engine_check(stage.coop.engine, NULL, NULL, NULL), 0);
	/* One after the other leaves, the least urgent of those left first. */
	for (int level = 1; level <= 90; level++) {
		for (int i = 0; i < WAITERS; i++) {
			if (task_of(i)->own.prio != RQPI_PRIO_RT(level))
				continue;
			assert_true(rqk_cleanup_proxy_lock(task_of(i), &ps->lock));
			rqk_unqueue(&stage.coop.engine->buckets[0], &task_of(i)->q);
			rqk_detach(&task_of(i)->q);
			assert_non_null(task_of(i)->spare);
		}
		rqpi_task_prio(o.t.task, NULL, &prio);
		assert_int_equal(prio.prio, RQPI_PRIO_RT(level == 90 ? 1 : 90));
	}
	assert_int_equal(unlock_pi(&o, &m), 0);
	finish();
}

static void many_futexes(void **state)
{
	static const uint32_t sizes[] = {1, 65536};

	(void)state;
	for (int k = 0; k < 2; k++) {
		uint32_t buckets = sizes[k];

		start(buckets, FUTEXES);
		for (int i = 0; i < FUTEXES; i++)
			fall_asleep(i, &sleepers[i].word, NULL);
		if (buckets == 1)
			flat_for(&stage.coop.engine->buckets[0].tree, FUTEXES);
		for (int i = 0; i < FUTEXES; i++) {
			last_woken = NULL;
			assert_int_equal(counted(RQPI_FUTEX_WAKE, &sleepers[i].word, 2, 0, NULL),
					 1);
			assert_ptr_equal(last_woken, task_of(i));
		}
		assert_int_equal(counted(RQPI_FUTEX_WAKE, &sleepers[0].word, 1, 0, NULL), 0);
		finish();
	}
}

static void bytes(void **state)
{
	(void)state;
	print_message("# bytes: task %zu with its waiter (%zu) and its place in a futex (%zu), "
		      "PI state %zu, rt_mutex %zu, bucket %zu\n",
		      sizeof(struct rqpi_task), sizeof(struct rqk_waiter),
		      sizeof(struct rqk_futex_q), sizeof(struct rqk_pi_state),
		      sizeof(struct rqk_rt_mutex), sizeof(struct rqk_bucket));
	print_message("# bytes: an idle task %d, a waiter none beyond that\n",
		      RQPI_TASK_BYTES + RQPI_PI_STATE_BYTES);
	assert_true(sizeof(struct rqpi_task) <= RQPI_TASK_BYTES);
	assert_true(sizeof(struct rqk_pi_state) <= RQPI_PI_STATE_BYTES);
	assert_true(sizeof(struct rqk_bucket) <= 64);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_waiters_of_one_futex),
	    cmocka_unit_test(many_waiters_are_requeued_to_a_mutex),
	    cmocka_unit_test(many_futexes),
	    cmocka_unit_test(bytes),
	};

	return stage_main("engine: many", tests);
}
