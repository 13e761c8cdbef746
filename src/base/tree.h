/* SPDX-License-Identifier: MIT */
/*
 * tree.h - an intrusive, ordered tree: waiters in order of urgency, in O(log n).
 *
 * The most urgent one is what a futex asks for most, so the first node is kept at hand; and
 * most come last, so the last one is, too. Equal
 * nodes are kept in the order in which they were inserted. The tree allocates nothing and cannot
 * fail; its user holds the lock. A node is in no tree when it is all zero or has been removed.
 */
#ifndef RQB_TREE_H
#define RQB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqb_node {
	struct rqb_node *parent; /* the root's, and that of a node in no tree: NULL */
	struct rqb_node *child[2];
	uint32_t red;
	uint32_t linked; /* it is in a tree */
};

struct rqb_tree {
	struct rqb_node *root;
	struct rqb_node *first;
	struct rqb_node *last;
};

/* Does @a come before @b? Not for equal nodes, whichever way round. */
typedef bool rqb_before(const struct rqb_node *a, const struct rqb_node *b);

/* The struct that holds @node as its @member. */
#define rqb_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline bool rqb_tree_empty(const struct rqb_tree *tree)
{
	return !tree->root;
}

static inline struct rqb_node *rqb_tree_first(const struct rqb_tree *tree)
{
	return tree->first;
}

static inline bool rqb_node_linked(const struct rqb_node *node)
{
	return node->linked != 0;
}

/* Behind all that @node does not come before. */
void rqb_tree_insert(struct rqb_tree *tree, struct rqb_node *node, rqb_before *before);

/* @node must be in @tree. */
void rqb_tree_remove(struct rqb_tree *tree, struct rqb_node *node);

/* In order; NULL at the end. */
struct rqb_node *rqb_tree_next(const struct rqb_node *node);

/*
 * Take the nodes from @first to @last out of @tree and make @run, which is overwritten, a tree of
 * them. O(log n), however many they are.
 */
void rqb_tree_cut(struct rqb_tree *tree, struct rqb_node *first, struct rqb_node *last,
		  struct rqb_tree *run);

/*
 * Insert all nodes of @run into @tree, as if one by one and in their order, and empty @run.
 * O(log n) if they come to lie between two neighbours of @tree. What @before says of two nodes of
 * @run may have changed since they were cut, as long as they are still in order.
 */
void rqb_tree_paste(struct rqb_tree *tree, struct rqb_tree *run, rqb_before *before);

/* Are order, colours and links as they must be? Walks the whole tree; for tests and checkers. */
bool rqb_tree_valid(const struct rqb_tree *tree, rqb_before *before);

#endif /* RQB_TREE_H */
