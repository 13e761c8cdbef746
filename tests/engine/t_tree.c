/* SPDX-License-Identifier: MIT */
/*
 * t_tree.c - the tree that all queues are made of: random insertions and removals beside an array
 * that does the same slowly; first in, first out among equals; never deeper than twice log2 n.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/base/tree.h"
#include "tests/engine/stage.h"

#include <string.h>

#define MANY 512

struct item {
	struct rqb_node node;
	int key;
};

static struct item items[MANY];
static struct item *sorted[MANY]; /* what the tree should say */
static size_t n_sorted;
static struct rqb_tree tree;
static uint64_t random_state;

static uint32_t any(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static const struct item *item_of(const struct rqb_node *node)
{
	return rqb_entry(node, const struct item, node);
}

static bool before(const struct rqb_node *a, const struct rqb_node *b)
{
	return item_of(a)->key < item_of(b)->key;
}

static void insert(struct item *it)
{
	size_t at = n_sorted;

	while (at > 0 && it->key < sorted[at - 1]->key)
		at--;
	memmove(&sorted[at + 1], &sorted[at], (n_sorted - at) * sizeof(sorted[0]));
	sorted[at] = it;
	n_sorted++;
	rqb_tree_insert(&tree, &it->node, before);
}

static void take_out(struct item *it)
{
	size_t at = 0;

	while (sorted[at] != it)
		at++;
	n_sorted--;
	memmove(&sorted[at], &sorted[at + 1], (n_sorted - at) * sizeof(sorted[0]));
	rqb_tree_remove(&tree, &it->node);
}

static unsigned int depth_of(const struct rqb_node *node)
{
	unsigned int depth = 0;

	for (; node; node = node->parent)
		depth++;
	return depth;
}

static void same_as_the_array(void)
{
	struct rqb_node *node = rqb_tree_first(&tree);
	unsigned int limit = 1;

	while ((1u << limit) < n_sorted + 2)
		limit++;
	assert_true(rqb_tree_valid(&tree, before));
	assert_int_equal(rqb_tree_empty(&tree), n_sorted == 0);
	for (size_t i = 0; i < n_sorted; i++) {
		assert_ptr_equal(item_of(node), sorted[i]);
		assert_true(rqb_node_linked(node));
		assert_true(depth_of(node) <= 2 * limit);
		node = rqb_tree_next(node);
	}
	assert_null(node);
}

static void random_insertions_and_removals(void **state)
{
	static const int spreads[] = {1, 2, 5, 40, 1000000};

	(void)state;
	random_state = 1;
	for (size_t s = 0; s < sizeof(spreads) / sizeof(spreads[0]); s++) {
		memset(items, 0, sizeof(items));
		for (int step = 0; step < 20000; step++) {
			struct item *it = &items[any(MANY)];
			bool grow = (step / 2000) % 2 == 0;

			if (rqb_node_linked(&it->node) && (!grow || any(4) == 0)) {
				take_out(it);
				assert_false(rqb_node_linked(&it->node));
			} else if (!rqb_node_linked(&it->node) && (grow || any(4) == 0)) {
				it->key = (int)any((uint32_t)spreads[s]);
				insert(it);
			}
			if (step % 50 == 0 || n_sorted < 8)
				same_as_the_array();
		}
		while (n_sorted) {
			take_out(sorted[any((uint32_t)n_sorted)]);
			same_as_the_array();
		}
		assert_null(tree.root);
		assert_null(tree.first);
	}
}

static void equals_stay_in_order_of_arrival(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	for (int i = 0; i < 100; i++) {
		items[i].key = i % 3;
		insert(&items[i]);
	}
	for (int i = 0; i < 100; i += 2)
		take_out(&items[i]);
	for (int i = 0; i < 100; i += 2) { /* back again: last of their like */
		items[i].key = i % 3;
		insert(&items[i]);
	}
	same_as_the_array();
	while (n_sorted)
		take_out(sorted[0]);
}

/* @from .. @to - 1 of the array, cut out of the tree. */
static void cut(size_t from, size_t to, struct rqb_tree *run)
{
	struct item *first = sorted[from];
	struct item *last = sorted[to - 1];

	rqb_tree_cut(&tree, &first->node, &last->node, run);
	memmove(&sorted[from], &sorted[to], (n_sorted - to) * sizeof(sorted[0]));
	n_sorted -= to - from;
}

/* The nodes that are in @run, in the same order, into both. */
static void paste(struct rqb_tree *run)
{
	struct item *it;

	for (struct rqb_node *node = run->first; node; node = rqb_tree_next(node)) {
		size_t at = n_sorted;

		it = rqb_entry(node, struct item, node);
		while (at > 0 && it->key < sorted[at - 1]->key)
			at--;
		memmove(&sorted[at + 1], &sorted[at], (n_sorted - at) * sizeof(sorted[0]));
		sorted[at] = it;
		n_sorted++;
	}
	rqb_tree_paste(&tree, run, before);
	assert_true(rqb_tree_empty(run));
	assert_null(run->first);
	assert_null(run->last);
}

/* Any run, from anywhere to anywhere: between two neighbours, at an end, or all over the tree. */
static void runs_cut_and_pasted(void **state)
{
	static const uint32_t spreads[] = {2, 40, 1000000};

	(void)state;
	random_state = 2;
	for (int step = 0; step < 6000; step++) {
		uint32_t spread = spreads[step % 3];
		uint32_t n = 1 + any(step % 100 == 0 ? MANY : 40);
		struct rqb_tree run;
		size_t from;
		size_t to;
		bool flat;
		int shift;

		memset(items, 0, sizeof(items));
		for (uint32_t i = 0; i < n; i++) {
			items[i].key = (int)any(spread) * 4;
			insert(&items[i]);
		}
		from = any(n);
		to = from + 1 + any(n - (uint32_t)from);
		cut(from, to, &run);
		same_as_the_array();
		assert_true(rqb_tree_valid(&run, before));
		/* As it was, before or behind all others, wherever it falls; or to one place. */
		shift = ((int)any(3) - 1) * (int)(any(2) ? 5 * spread : any(4 * spread));
		flat = any(4) == 0;
		for (struct rqb_node *node = run.first; node; node = rqb_tree_next(node)) {
			struct item *it = rqb_entry(node, struct item, node);

			it->key = flat ? shift : it->key + shift;
		}
		paste(&run);
		same_as_the_array();
		while (n_sorted)
			take_out(sorted[any((uint32_t)n_sorted)]);
	}
}

/* A broken tree is called so. */
static void the_check_can_fail(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	for (int i = 0; i < 20; i++) {
		items[i].key = i;
		insert(&items[i]);
	}
	assert_true(rqb_tree_valid(&tree, before));
	items[7].key = 70;
	assert_false(rqb_tree_valid(&tree, before));
	items[7].key = 7;
	for (int i = 0; i < 20; i++) {
		items[i].node.red ^= 1;
		assert_false(rqb_tree_valid(&tree, before));
		items[i].node.red ^= 1;
	}
	tree.first = &items[1].node;
	assert_false(rqb_tree_valid(&tree, before));
	tree.first = &items[0].node;
	assert_true(rqb_tree_valid(&tree, before));
	while (n_sorted)
		take_out(sorted[0]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_insertions_and_removals),
	    cmocka_unit_test(equals_stay_in_order_of_arrival),
	    cmocka_unit_test(runs_cut_and_pasted),
	    cmocka_unit_test(the_check_can_fail),
	};

	return stage_main("engine: the tree", tests);
}
