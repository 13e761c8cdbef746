/* SPDX-License-Identifier: MIT */
/*
 * coverage.c - counts the edges of the hand-shake and the results of operations, and tells them.
 *
 * Called by world.c around each step, by sys_sim.c where an operation returns, and by main.c. The
 * only file of sim/ that looks inside the engine: nothing tells how a state of the hand-shake
 * changes, so the field is compared before and after each step, in which it changes at most once.
 */
#include "sim/coverage.h"

#include <string.h>

#include <json-c/json.h>

#include "src/engine/rqk.h"

bool rqs_coverage;

enum by { REQUEUER, WAITER, WAITER_ANEW, BYS };

static const char *const bys[BYS] = {"requeuer", "waiter", "waiter, anew"};

static const char *const states[RQK_REQUEUE_STATES] = {
    [RQK_REQUEUE_NONE] = "none",
    [RQK_REQUEUE_IGNORE] = "ignore",
    [RQK_REQUEUE_IN_PROGRESS] = "in progress",
    [RQK_REQUEUE_DONE] = "done",
    [RQK_REQUEUE_LOCKED] = "locked",
};

/* Results: 0, more than 0 (as 1), and errors by their number; what has none of its own is last. */
enum { OPS = RQPI_FUTEX_LOCK_PI2 + 2, ERRORS = 134, SLOTS = ERRORS + 4 };
enum { ZERO = 0, SOME = ERRORS + 1, RESTARTSYS = ERRORS + 2, RESTARTNOINTR = ERRORS + 3 };

static uint64_t edges[RQK_REQUEUE_STATES][RQK_REQUEUE_STATES][BYS];
static uint64_t results[OPS][SLOTS];
static uint32_t before[RQS_TASKS]; /* RQK_REQUEUE_STATES: there is no such task */

void rqs_coverage_reset(void)
{
	memset(edges, 0, sizeof(edges));
	memset(results, 0, sizeof(results));
}

static uint32_t state_of(const struct rqs_task *t)
{
	return t->task ? t->task->q.requeue_state : (uint32_t)RQK_REQUEUE_STATES;
}

void rqs_coverage_before(void)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++)
		before[i] = state_of(&rqs_world->tasks[i]);
}

/* A waiter that waits again begins at NONE, wherever it was: no edge of the table. */
static enum by who(bool own, uint32_t to)
{
	if (!own)
		return REQUEUER;
	return to == RQK_REQUEUE_NONE ? WAITER_ANEW : WAITER;
}

/* What is done for one that has lost its stack it does itself. */
static bool is_its_own(uint32_t task, uint32_t runs)
{
	return task == runs || rqs_world->tasks[runs].acts_for == task + 1;
}

void rqs_coverage_after(uint32_t runs)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		uint32_t now = state_of(&rqs_world->tasks[i]);

		if (now != before[i] && now < RQK_REQUEUE_STATES && before[i] < RQK_REQUEUE_STATES)
			edges[before[i]][now][who(is_its_own(i, runs), now)]++;
	}
}

static unsigned int slot_of(long ret)
{
	if (ret >= 0)
		return ret ? SOME : ZERO;
	if (ret == -RQPI_ERESTARTSYS)
		return RESTARTSYS;
	if (ret == -RQPI_ERESTARTNOINTR)
		return RESTARTNOINTR;
	return ret >= -ERRORS ? (unsigned int)-ret : ERRORS;
}

void rqs_coverage_result(int op, long ret)
{
	unsigned int cmd = (unsigned int)(op & ~(RQPI_FUTEX_PRIVATE | RQPI_FUTEX_CLOCK_REALTIME));

	if (rqs_coverage && rqs_world->n_tasks) /* there are none yet while it is set up */
		results[cmd < OPS - 1 ? cmd : OPS - 1][slot_of(ret)]++;
}

/* ---------------------------------------------------------------- said */

/* What the table of the engine has, and a new wait, which begins anew from where the last ended. */
static bool is_allowed(unsigned int from, unsigned int to, enum by by)
{
	if (by == WAITER_ANEW)
		return to == RQK_REQUEUE_NONE && from != to && from != RQK_REQUEUE_IN_PROGRESS;
	return rqk_requeue_edge((enum rqk_requeue_state)from, (enum rqk_requeue_state)to,
				by == REQUEUER);
}

/* All that may be and all that was. */
static void each_edge(void (*fn)(void *arg, unsigned int from, unsigned int to, enum by by),
		      void *arg)
{
	for (unsigned int from = 0; from < RQK_REQUEUE_STATES; from++) {
		for (unsigned int to = 0; to < RQK_REQUEUE_STATES; to++) {
			for (unsigned int by = 0; by < BYS; by++) {
				if (edges[from][to][by] || is_allowed(from, to, (enum by)by))
					fn(arg, from, to, (enum by)by);
			}
		}
	}
}

static const char *op_name(unsigned int op)
{
	const char *name = rqpi_futex_op_name(op < OPS - 1 ? (int)op : -1);

	return strncmp(name, "FUTEX_", 6) ? name : name + 6;
}

/* Of an operation that counts something, success is any such count; LOCK_PI and a wait have one. */
static const char *result_name(unsigned int op, unsigned int slot)
{
	static const char *const errors[] = {
	    [ERRORS] = "?",
	    [SOME] = ">=0",
	    [RESTARTSYS] = "ERESTARTSYS",
	    [RESTARTNOINTR] = "ERESTARTNOINTR",
	};
	bool counts = op == RQPI_FUTEX_WAKE || op == RQPI_FUTEX_WAKE_BITSET ||
		      op == RQPI_FUTEX_REQUEUE || op == RQPI_FUTEX_CMP_REQUEUE ||
		      op == RQPI_FUTEX_WAKE_OP || op == RQPI_FUTEX_CMP_REQUEUE_PI;

	if (slot == ZERO)
		return counts ? ">=0" : "0";
	if (slot == SOME && !counts)
		return "more than 0";
	return slot < ERRORS ? rqpi_error_name((long)slot) : errors[slot];
}

static void each_result(void (*fn)(void *arg, const char *op, const char *result, uint64_t count),
			void *arg)
{
	for (unsigned int op = 0; op < OPS; op++) {
		for (unsigned int slot = 0; slot < SLOTS; slot++) {
			if (results[op][slot])
				fn(arg, op_name(op), result_name(op, slot), results[op][slot]);
		}
	}
}

static void add_edge(void *arg, unsigned int from, unsigned int to, enum by by)
{
	struct json_object *edge = json_object_new_object();

	json_object_object_add(edge, "from", json_object_new_string(states[from]));
	json_object_object_add(edge, "to", json_object_new_string(states[to]));
	json_object_object_add(edge, "by", json_object_new_string(bys[by]));
	json_object_object_add(edge, "allowed", json_object_new_boolean(is_allowed(from, to, by)));
	json_object_object_add(edge, "transitions", json_object_new_uint64(edges[from][to][by]));
	json_object_array_add(arg, edge);
}

static void add_result(void *arg, const char *op, const char *result, uint64_t count)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "op", json_object_new_string(op));
	json_object_object_add(o, "result", json_object_new_string(result));
	json_object_object_add(o, "transitions", json_object_new_uint64(count));
	json_object_array_add(arg, o);
}

struct json_object *rqs_coverage_json(void)
{
	struct json_object *root = json_object_new_object();
	struct json_object *array = json_object_new_array();

	each_edge(add_edge, array);
	json_object_object_add(root, "hand_shake", array);
	array = json_object_new_array();
	each_result(add_result, array);
	json_object_object_add(root, "results", array);
	return root;
}

static void print_edge(void *arg, unsigned int from, unsigned int to, enum by by)
{
	fprintf(arg, "  %-12s -> %-12s by the %-14s %12llu%s\n", states[from], states[to], bys[by],
		(unsigned long long)edges[from][to][by],
		is_allowed(from, to, by) ? "" : "   not in the table");
}

static void print_result(void *arg, const char *op, const char *result, uint64_t count)
{
	fprintf(arg, "  %-22s %-24s %12llu\n", op, result, (unsigned long long)count);
}

void rqs_coverage_print(FILE *out)
{
	fprintf(out, "\nedges of the hand-shake, and the transitions that took them\n");
	each_edge(print_edge, out);
	fprintf(out, "\nresults of futex(2), and the transitions that ended with them\n");
	each_result(print_result, out);
}
