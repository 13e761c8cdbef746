/* SPDX-License-Identifier: MIT */
/*
 * inner.c - scenarios of the parts of the engine that an embedder calls himself, and of its tree:
 * the rt_mutex, what is asked of an engine and of a task, events in words.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <string.h>

#include <rqpi/trace.h>

#include "sim/world.h"
#include "src/base/tree.h"

/* ---------------------------------------------------------------- the tree */

enum { NODES = 24 };

struct item {
	struct rqb_node node;
	int key;
};

struct forest {
	struct item item[NODES];
	struct rqb_tree tree;
	struct rqb_tree run;
};
#define F RQS_PROGRAM(struct forest)

static int key_of(const struct rqb_node *node)
{
	return rqb_entry(node, struct item, node)->key;
}

static bool by_key(const struct rqb_node *a, const struct rqb_node *b)
{
	return key_of(a) < key_of(b);
}

/* So many nodes, in an order that depends on @step, every key @apart from the next. */
static void plant(struct rqb_tree *tree, int from, int to, int step, int apart)
{
	int n = to - from;

	for (int i = 0; i < n; i++) {
		struct item *item = &F->item[from + i * step % n];

		item->key = (int)(item - F->item) * apart;
		rqb_tree_insert(tree, &item->node, by_key);
		rqs_claim(rqb_tree_valid(tree, by_key), "a tree with one more is a tree");
	}
}

static void fell(struct rqb_tree *tree, int step)
{
	for (int i = 0; i < NODES; i++) {
		struct rqb_node *node = &F->item[i * step % NODES].node;

		if (rqb_node_linked(node))
			rqb_tree_remove(tree, node);
		rqs_claim(rqb_tree_valid(tree, by_key), "a tree with one less is a tree");
	}
	rqs_claim(rqb_tree_empty(tree), "all have been taken out");
}

static int count(const struct rqb_tree *tree)
{
	int n = 0;

	for (struct rqb_node *node = rqb_tree_first(tree); node; node = rqb_tree_next(node))
		n++;
	return n;
}

/* Steps that have no divisor with NODES visit all, in orders that have little in common. */
static void insert_and_remove(void)
{
	static const int steps[] = {1, 5, 7, 11, 13, 17, 19, 23};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (size_t n = 0; n < sizeof(steps) / sizeof(steps[0]); n++) {
			plant(&F->tree, 0, NODES, steps[i], 1);
			rqs_claim(count(&F->tree) == NODES, "all of them are there");
			fell(&F->tree, steps[n]);
		}
	}
}

const struct rqs_scenario rqs_tree_one_by_one = {
    .name = "tree_one_by_one",
    .about = "nodes go into the engine's tree and out of it, in many orders",
    .bytes = sizeof(struct forest),
    .actors = {{.fn = insert_and_remove, .prio = RQPI_PRIO_RT(10)}},
};

static void cut_and_paste_back(int first, int last)
{
	plant(&F->tree, 0, NODES, 5, 1);
	rqb_tree_cut(&F->tree, &F->item[first].node, &F->item[last].node, &F->run);
	rqs_claim(rqb_tree_valid(&F->tree, by_key) && rqb_tree_valid(&F->run, by_key),
		  "what was cut, and what is left, are trees");
	rqs_claim(count(&F->run) == last - first + 1, "what was cut is all there");
	rqb_tree_paste(&F->tree, &F->run, by_key);
	rqs_claim(rqb_tree_valid(&F->tree, by_key) && count(&F->tree) == NODES,
		  "pasted again it is as it was");
	fell(&F->tree, 1);
}

static void cut_all_runs(void)
{
	for (int first = 0; first < NODES; first++) {
		for (int last = first; last < NODES; last++)
			cut_and_paste_back(first, last);
	}
}

/*
 * A run that does not come to lie between two neighbours: the keys of the tree are @group apart,
 * and so many less one of the run are between any two of them.
 */
static void paste_between(int size, int group)
{
	plant(&F->tree, 0, size, 1, group);
	for (int i = size; i < NODES; i++) {
		int n = i - size;

		F->item[i].key = n / (group - 1) * group + n % (group - 1) + 1;
		rqb_tree_insert(&F->run, &F->item[i].node, by_key);
	}
	rqb_tree_paste(&F->tree, &F->run, by_key);
	rqs_claim(rqb_tree_valid(&F->tree, by_key) && count(&F->tree) == NODES,
		  "two trees become one");
	rqs_claim(rqb_tree_empty(&F->run), "and one is empty");
	rqb_tree_paste(&F->tree, &F->run, by_key);
	rqs_claim(count(&F->tree) == NODES, "nothing was pasted");
	fell(&F->tree, 1);
}

static void cut_and_paste(void)
{
	cut_all_runs();
	for (int size = 1; size < NODES; size++) {
		for (int group = 2; group < NODES; group++)
			paste_between(size, group);
	}
}

const struct rqs_scenario rqs_tree_in_runs = {
    .name = "tree_in_runs",
    .about = "every run of nodes is cut out of the engine's tree and pasted, there and elsewhere",
    .bytes = sizeof(struct forest),
    .actors = {{.fn = cut_and_paste, .prio = RQPI_PRIO_RT(10)}},
};

/* Is one wrong bit of it noticed? */
static void spoil(uint32_t *field)
{
	*field = !*field;
	rqs_claim(!rqb_tree_valid(&F->tree, by_key), "a broken tree is no tree");
	*field = !*field;
}

static void spoil_link(struct rqb_node **link, struct rqb_node *wrong)
{
	struct rqb_node *right = *link;

	*link = wrong;
	rqs_claim(!rqb_tree_valid(&F->tree, by_key), "a tree with a wrong link is no tree");
	*link = right;
}

static void break_it(void)
{
	struct item *middle = &F->item[NODES / 2];

	F->tree.last = &middle->node;
	rqs_claim(!rqb_tree_valid(&F->tree, by_key), "an empty tree has no last node");
	F->tree.last = NULL;
	plant(&F->tree, 0, NODES - 1, 1, 1);
	spoil_link(&F->tree.first, &middle->node);
	spoil_link(&F->tree.last, &middle->node);
	spoil_link(&F->tree.root->parent, &F->item[NODES - 1].node); /* which is not in it */
	for (int i = 0; i < NODES - 1; i++) {
		spoil(&F->item[i].node.red);
		if (F->tree.root != &F->item[i].node) {
			spoil(&F->item[i].node.linked);
			spoil_link(&F->item[i].node.parent, NULL);
		}
	}
	middle->key = NODES + 1;
	rqs_claim(!rqb_tree_valid(&F->tree, by_key), "a tree that is out of order is none");
	middle->key = NODES / 2;
	rqs_claim(rqb_tree_valid(&F->tree, by_key), "and now it is one");
}

const struct rqs_scenario rqs_tree_broken = {
    .name = "tree_broken",
    .about = "whatever is wrong with a tree is noticed where the invariants are looked at",
    .bytes = sizeof(struct forest),
    .actors = {{.fn = break_it, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- an engine and a task */

struct one {
	_Alignas(64) unsigned char engine[1024];
	char line[256];
	uint32_t word;
	int lines;
};
#define ONE RQS_PROGRAM(struct one)

/* The same functions, and one of them missing. */
static void leave_one_out(size_t which)
{
	void *functions[sizeof(struct rqpi_port) / sizeof(void *)];
	struct rqpi_port port;
	bool made;

	memcpy(functions, &rqs_port, sizeof(port));
	functions[which] = NULL;
	memcpy(&port, functions, sizeof(port));
	made = rqpi_engine_init(ONE->engine, 1, &port, NULL) != NULL;
	rqs_claim(made == (which == offsetof(struct rqpi_port, trace) / sizeof(void *)),
		  "an engine needs all of its port but trace");
}

static void make_engines(void)
{
	rqs_claim(!rqpi_engine_size(0) && !rqpi_engine_size(3) && !rqpi_engine_size(1u << 25),
		  "buckets are a power of two, and not too many");
	rqs_claim(!rqpi_engine_init(NULL, 1, &rqs_port, NULL), "an engine needs storage");
	rqs_claim(!rqpi_engine_init(ONE->engine + 8, 1, &rqs_port, NULL), "that is aligned");
	rqs_claim(!rqpi_engine_init(ONE->engine, 3, &rqs_port, NULL), "and a number of buckets");
	rqs_claim(!rqpi_engine_init(ONE->engine, 1, NULL, NULL), "and a port");
	for (size_t i = 0; i < sizeof(struct rqpi_port) / sizeof(void *); i++)
		leave_one_out(i);
}

static void ask_the_task(void)
{
	struct rqpi_task *me = rqs_running()->task;
	struct rqpi_prio own;
	struct rqpi_prio eff;

	rqs_claim(rqpi_task_engine(me) == rqs_world->engine, "a task knows its engine");
	rqs_claim(rqpi_engine_ctx(rqs_world->engine) == NULL, "an engine its context");
	rqs_claim(rqpi_task_space(me) == RQS_SPACE, "and its address space");
	rqs_claim(rqpi_task_robust_list(me) == &rqs_running()->robust, "and its robust list");
	rqs_is(rqpi_task_set_robust_list(me, NULL, 8), -EINVAL);
	rqpi_task_prio(me, &own, NULL);
	rqpi_task_prio(me, NULL, &eff);
	rqs_claim(own.prio == RQPI_PRIO_RT(10) && eff.prio == own.prio, "and its priority");
}

static void make_and_ask(void)
{
	make_engines();
	ask_the_task();
}

const struct rqs_scenario rqs_engine_made = {
    .name = "engine_made",
    .about = "engines that cannot be made, and what a task knows",
    .bytes = sizeof(struct one),
    .actors = {{.fn = make_and_ask, .prio = RQPI_PRIO_RT(10)}},
};

static bool says(uint32_t id, int64_t value, int64_t other, const char *text)
{
	const struct rqpi_event event = {
	    .id = id, .tid = 7, .object = 0xabc, .value = value, .other = other};
	size_t n = rqpi_event_text(&event, ONE->line, sizeof(ONE->line));
	char little[8];

	rqs_claim(n == strlen(ONE->line), "the text is as long as was said");
	(void)rqpi_event_text(&event, little, 0);
	n = rqpi_event_text(&event, little, sizeof(little));
	rqs_claim(n <= 7 && !strncmp(little, ONE->line, n), "a short one is its beginning");
	return !text || !strcmp(ONE->line, text);
}

static void say_events(void)
{
	for (uint32_t id = 0; id <= RQPI_EV_IDS; id++)
		(void)says(id, id % 2 ? -EAGAIN : 1, id % 2 ? 1 : -EAGAIN, NULL);
	rqs_claim(says(RQPI_EV_RETURN, RQPI_FUTEX_LOCK_PI, -EDEADLK,
		       "futex: FUTEX_LOCK_PI on abc returns -EDEADLK"),
		  "an event in words");
	rqs_claim(says(RQPI_EV_SET_PRIO, 0, INT64_MIN,
		       "rt_mutex_setprio: 0 runs with priority -9223372036854775808"),
		  "a large number");
	rqs_claim(says(RQPI_EV_IDS, 0, 0, "unknown event"), "no event");
	rqs_claim(!strcmp(rqpi_error_name(0), "0") && !strcmp(rqpi_error_name(4711), "?") &&
		      !strcmp(rqpi_error_name(EPERM), "EPERM"),
		  "codes");
	rqs_claim(!strcmp(rqpi_futex_op_name(2), "an unknown operation") &&
		      !strcmp(rqpi_futex_op_name(99), "an unknown operation"),
		  "operations that there are not");
}

const struct rqs_scenario rqs_engine_in_words = {
    .name = "engine_in_words",
    .about = "every event, code and operation in words",
    .bytes = sizeof(struct one),
    .actors = {{.fn = say_events, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- the rt_mutex */

struct locks {
	struct rqpi_rt_mutex m;
	struct rqs_room room;
	uint32_t step;
	uint32_t granted;
	uint32_t for_ever;
};
#define L  RQS_PROGRAM(struct locks)
#define ME (rqs_running()->task)

static void make_mutex(void)
{
	rqpi_rt_mutex_init(&L->m);
}

static void pass(void)
{
	rqs_claim(rqpi_rt_mutex_owner(&L->m) == ME, "who has it is its owner");
	rqs_enter(&L->room);
	rqs_leave(&L->room);
	(void)rqs_call((rqpi_rt_mutex_unlock(ME, &L->m), 0));
}

static void lock_twice(void)
{
	rqs_ok(rqs_call(rqpi_rt_mutex_lock(ME, &L->m)));
	rqs_is(rqs_call(rqpi_rt_mutex_lock(ME, &L->m)), -EDEADLK);
	pass();
}

static void lock_in_time(void)
{
	const struct rqpi_deadline late = {2000000000, RQPI_CLOCK_MONOTONIC};
	long ret = rqs_call(rqpi_rt_mutex_timedlock(ME, &L->m, &late));

	rqs_claim(!ret || ret == -ETIMEDOUT || ret == -EINTR, "got it, ETIMEDOUT or EINTR");
	if (!ret)
		pass();
}

static void lock_if_free(void)
{
	if (rqs_call(rqpi_rt_mutex_trylock(ME, &L->m)))
		pass();
}

static void nobody_has_it(void)
{
	rqs_claim(!rqpi_rt_mutex_owner(&L->m), "nobody has it in the end");
}

const struct rqs_scenario rqs_rt_mutex_lockers = {
    .name = "rt_mutex_lockers",
    .about = "the rt_mutex of embedders: one locks, one for a time and with a signal, one tries",
    .bytes = sizeof(struct locks),
    .actors = {{.fn = lock_twice, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_in_time, .prio = RQPI_PRIO_RT(20), .signals = 1},
	       {.fn = lock_if_free, .prio = RQPI_PRIO_RT(30)}},
    .setup = make_mutex,
    .end = nobody_has_it,
    .unjudged = true,
};

/* ---------------------------------------------------------------- locked for somebody else */

static bool it_is_kept(void)
{
	return rqs_peek(L->step) == 1 || rqs_peek(L->step) == 3;
}

static bool it_may_go_on(void)
{
	return rqs_peek(L->step) == 2 || rqs_peek(L->step) == 4;
}

/* Kept from running twice: while it has the mutex, and while it is put in the queue. */
static void be_queued(void)
{
	const struct rqpi_deadline late = {2000000000, RQPI_CLOCK_MONOTONIC};
	long ret;

	rqs_ok(rqs_call(rqpi_rt_mutex_timedlock(ME, &L->m, NULL)));
	rqs_begin_call();
	rqs_poke(L->step, 1);
	rqs_when(it_may_go_on);
	(void)rqs_end_call(0);
	pass();
	rqs_begin_call();
	rqs_poke(L->step, 3);
	rqs_when(it_may_go_on);
	ret = L->granted ? 0 : rqpi_rt_mutex_wait_proxy_lock(ME, &L->m, L->for_ever ? NULL : &late);
	rqs_claim(!ret || (ret == -ETIMEDOUT && !L->for_ever), "got it, or ETIMEDOUT");
	if (ret && !rqpi_rt_mutex_cleanup_proxy_lock(ME, &L->m))
		ret = 0;
	if (!rqs_end_call(ret))
		pass();
}

static void queue_it(void)
{
	struct rqpi_task *task = rqs_world->tasks[0].task;
	long ret;

	rqs_when(it_is_kept);
	rqs_is(rqs_call(rqpi_rt_mutex_start_proxy_lock(&L->m, task)), -EDEADLK);
	rqs_poke(L->step, 2);
	rqs_when(it_is_kept);
	ret = rqs_call(rqpi_rt_mutex_start_proxy_lock(&L->m, task));
	rqs_claim(ret == 0 || ret == 1, "start_proxy_lock: queued, or got it");
	L->granted = ret == 1;
	rqs_poke(L->step, 4);
}

static void lock_once(void)
{
	rqs_ok(rqs_call(rqpi_rt_mutex_lock(ME, &L->m)));
	pass();
}

const struct rqs_scenario rqs_rt_mutex_by_proxy = {
    .name = "rt_mutex_by_proxy",
    .about = "the rt_mutex of embedders: one is put in the queue by another one, a third one locks",
    .bytes = sizeof(struct locks),
    .actors = {{.fn = be_queued, .prio = RQPI_PRIO_RT(20)},
	       {.fn = queue_it, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)}},
    .setup = make_mutex,
    .end = nobody_has_it,
    .unjudged = true,
};

static void make_mutex_for_ever(void)
{
	make_mutex();
	L->for_ever = 1;
}

const struct rqs_scenario rqs_rt_mutex_by_proxy_for_ever = {
    .name = "rt_mutex_by_proxy_for_ever",
    .about = "as rt_mutex_by_proxy, and the one in the queue waits until it has the lock",
    .bytes = sizeof(struct locks),
    .actors = {{.fn = be_queued, .prio = RQPI_PRIO_RT(20)},
	       {.fn = queue_it, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)}},
    .setup = make_mutex_for_ever,
    .end = nobody_has_it,
    .unjudged = true,
};
