/* SPDX-License-Identifier: MIT */
/*
 * tree.c - a red-black tree: no red node has a red child, and every way down from a node to a
 * missing child passes the same number of black ones, so that no way is twice as long as another.
 *
 * Called with whatever lock guards the tree. The two halves of each repair are mirror images, told
 * apart by @side, an index of child[].
 */
#include "src/base/tree.h"

static int side_of(const struct rqb_node *node)
{
	return node->parent->child[1] == node;
}

/* A missing child counts as black. */
static bool is_red(const struct rqb_node *node)
{
	return node && node->red;
}

/* Put @new where @old hangs. @new may be NULL. */
static void replace(struct rqb_tree *tree, struct rqb_node *old, struct rqb_node *new)
{
	if (!old->parent)
		tree->root = new;
	else
		old->parent->child[side_of(old)] = new;
	if (new)
		new->parent = old->parent;
}

/* @node goes down on @side, and its child on the other side takes its place. */
static void rotate(struct rqb_tree *tree, struct rqb_node *node, int side)
{
	struct rqb_node *up = node->child[!side];
	struct rqb_node *inner = up->child[side];

	replace(tree, node, up);
	node->child[!side] = inner;
	if (inner)
		inner->parent = node;
	up->child[side] = node;
	node->parent = up;
}

/* @node is red, and its parent may be so too. */
static void repair_insert(struct rqb_tree *tree, struct rqb_node *node)
{
	struct rqb_node *parent;

	while ((parent = node->parent) && parent->red) {
		struct rqb_node *grand = parent->parent; /* there, as the root is never red */
		int side = side_of(parent);
		struct rqb_node *uncle = grand->child[!side];

		if (is_red(uncle)) {
			parent->red = 0;
			uncle->red = 0;
			grand->red = 1;
			node = grand;
			continue;
		}
		if (side_of(node) != side) {
			rotate(tree, parent, side);
			parent = node;
		}
		parent->red = 0;
		grand->red = 1;
		rotate(tree, grand, !side);
		break;
	}
	tree->root->red = 0;
}

/* @node becomes @parent's child on @side, where there is none yet. */
static void link(struct rqb_tree *tree, struct rqb_node *node, struct rqb_node *parent, int side)
{
	*node = (struct rqb_node){.parent = parent, .red = 1, .linked = 1};
	if (!parent) {
		tree->root = node;
		tree->first = node;
		tree->last = node;
	} else {
		parent->child[side] = node;
		if (side == 0 && tree->first == parent)
			tree->first = node;
		if (side == 1 && tree->last == parent)
			tree->last = node;
	}
	repair_insert(tree, node);
}

void rqb_tree_insert(struct rqb_tree *tree, struct rqb_node *node, rqb_before *before)
{
	struct rqb_node *parent = NULL;
	struct rqb_node *at = tree->root;
	int side = 0;

	if (at && !before(node, tree->last)) {
		link(tree, node, tree->last, 1);
		return;
	}
	while (at) {
		parent = at;
		side = before(node, at) ? 0 : 1;
		at = at->child[side];
	}
	link(tree, node, parent, side);
}

void rqb_tree_insert_near(struct rqb_tree *tree, struct rqb_node *near, struct rqb_node *node,
			  rqb_before *before)
{
	struct rqb_node *next = rqb_tree_next(near);

	if (before(node, near) || (next && !before(node, next)))
		rqb_tree_insert(tree, node, before);
	else if (!near->child[1])
		link(tree, node, near, 1);
	else
		link(tree, node, next, 0); /* the leftmost of what is right of @near */
}

/* The ways through @parent's child on @side are one black node short. */
static void repair_remove(struct rqb_tree *tree, struct rqb_node *parent, int side)
{
	while (parent) {
		struct rqb_node *node = parent->child[side];
		struct rqb_node *sibling = parent->child[!side]; /* there: its ways are longer */

		if (is_red(node)) {
			node->red = 0;
			return;
		}
		if (sibling->red) {
			sibling->red = 0;
			parent->red = 1;
			rotate(tree, parent, side);
			sibling = parent->child[!side];
		}
		if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
			sibling->red = 1;
			if (parent->red || !parent->parent) {
				parent->red = 0;
				return;
			}
			side = side_of(parent);
			parent = parent->parent;
			continue;
		}
		if (!is_red(sibling->child[!side])) {
			sibling->child[side]->red = 0;
			sibling->red = 1;
			rotate(tree, sibling, !side);
			sibling = parent->child[!side];
		}
		sibling->red = parent->red;
		parent->red = 0;
		sibling->child[!side]->red = 0;
		rotate(tree, parent, side);
		return;
	}
	if (tree->root)
		tree->root->red = 0;
}

/* @node has two children: let its successor, which has at most one, take its place and colour. */
static void swap_with_next(struct rqb_tree *tree, struct rqb_node *node)
{
	struct rqb_node *next = rqb_tree_next(node);
	struct rqb_node *right = next->child[1];
	struct rqb_node *parent = next->parent == node ? next : next->parent;
	uint32_t red = next->red;

	if (parent != next) {
		parent->child[0] = node;
		next->child[1] = node->child[1];
		next->child[1]->parent = next;
	} else {
		next->child[1] = node;
	}
	replace(tree, node, next);
	next->child[0] = node->child[0];
	next->child[0]->parent = next;
	next->red = node->red;
	node->parent = parent;
	node->child[0] = NULL;
	node->child[1] = right;
	if (right)
		right->parent = node;
	node->red = red;
}

/* NULL before the first. */
static struct rqb_node *previous(struct rqb_node *node)
{
	if (node->child[0]) {
		node = node->child[0];
		while (node->child[1])
			node = node->child[1];
		return node;
	}
	while (node->parent && side_of(node) == 0)
		node = node->parent;
	return node->parent;
}

void rqb_tree_remove(struct rqb_tree *tree, struct rqb_node *node)
{
	struct rqb_node *parent;
	struct rqb_node *child;
	int side = 0;

	if (tree->first == node)
		tree->first = rqb_tree_next(node);
	if (tree->last == node)
		tree->last = previous(node);
	if (node->child[0] && node->child[1])
		swap_with_next(tree, node);
	child = node->child[0] ? node->child[0] : node->child[1];
	parent = node->parent;
	if (parent)
		side = side_of(node);
	replace(tree, node, child);
	if (!node->red)
		repair_remove(tree, parent, side);
	if (!parent && child)
		child->red = 0;
	*node = (struct rqb_node){0};
}

struct rqb_node *rqb_tree_next(const struct rqb_node *node)
{
	if (node->child[1]) {
		node = node->child[1];
		while (node->child[0])
			node = node->child[0];
		return (struct rqb_node *)(uintptr_t)node;
	}
	while (node->parent && side_of(node) == 1)
		node = node->parent;
	return node->parent;
}

static const struct rqb_node *leftmost(const struct rqb_node *node)
{
	while (node && node->child[0])
		node = node->child[0];
	return node;
}

static bool node_valid(const struct rqb_node *node)
{
	for (int side = 0; side < 2; side++) {
		const struct rqb_node *child = node->child[side];

		if (child && (child->parent != node || !child->linked))
			return false;
		if (node->red && is_red(child))
			return false;
	}
	return true;
}

/* Black nodes from @node up to the root. */
static unsigned int black_depth(const struct rqb_node *node)
{
	unsigned int depth = 0;

	for (; node; node = node->parent)
		depth += !node->red;
	return depth;
}

bool rqb_tree_valid(const struct rqb_tree *tree, rqb_before *before)
{
	const struct rqb_node *node = leftmost(tree->root);
	const struct rqb_node *next;
	unsigned int depth = node ? black_depth(node) : 0;

	if (!node && tree->last)
		return false;
	if (tree->first != node || is_red(tree->root) || (tree->root && tree->root->parent))
		return false;
	for (; node; node = next) {
		next = rqb_tree_next(node);
		if (!next && tree->last != node)
			return false;
		if (!node_valid(node) || (next && before(next, node)))
			return false;
		if ((!node->child[0] || !node->child[1]) && black_depth(node) != depth)
			return false;
	}
	return true;
}
