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

/*
 * @node is red, and its parent may be so too. True: every way down from the root has become one
 * black node longer.
 */
static bool repair_insert(struct rqb_tree *tree, struct rqb_node *node)
{
	struct rqb_node *parent;
	bool grew;

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
	grew = tree->root->red;
	tree->root->red = 0;
	return grew;
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
	(void)repair_insert(tree, node);
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

/* As rqb_tree_insert(), a little faster if its place is right behind @near, a node of @tree. */
static void insert_near(struct rqb_tree *tree, struct rqb_node *near, struct rqb_node *node,
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

/* ---------------------------------------------------------------- many at a time */

/* A tree without its ends: the root is black or missing. */
struct part {
	struct rqb_node *root;
	unsigned int blacks; /* on every way down */
};

/* What hangs at @node, with @blacks on every way down from it, as a tree of its own. */
static struct part part_at(struct rqb_node *node, unsigned int blacks)
{
	if (node) {
		node->parent = NULL;
		blacks += node->red;
		node->red = 0;
	}
	return (struct part){node, blacks};
}

static void hang(struct rqb_node *node, struct rqb_node *parent, int side)
{
	parent->child[side] = node;
	if (node)
		node->parent = parent;
}

/*
 * One tree of @a, @mid and @b, in this order. @mid goes where the higher of the two is as high as
 * the lower one, and takes both as its children.
 */
static struct part join(struct part a, struct rqb_node *mid, struct part b)
{
	int side = a.blacks > b.blacks; /* the edge of the higher one that @mid goes to */
	struct part high = side ? a : b;
	struct part low = side ? b : a;
	struct rqb_node *at = high.root;
	struct rqb_node *parent = NULL;
	struct rqb_tree tree = {.root = high.root};
	unsigned int blacks = high.blacks;

	*mid = (struct rqb_node){.linked = 1};
	while (blacks > low.blacks || is_red(at)) {
		blacks -= !at->red;
		parent = at;
		at = at->child[side];
	}
	hang(low.root, mid, side);
	hang(at, mid, !side);
	if (!parent)
		return (struct part){mid, high.blacks + 1};
	mid->red = 1;
	hang(mid, parent, side);
	high.blacks += repair_insert(&tree, mid);
	return (struct part){tree.root, high.blacks};
}

/* On every way down from a child of @node. */
static unsigned int blacks_below(const struct rqb_node *node)
{
	unsigned int blacks = 0;

	while ((node = node->child[0]))
		blacks += !node->red;
	return blacks;
}

/* Take the tree of @node apart: what is before @node and what is behind it. */
static void split(struct rqb_node *node, struct part *before, struct part *behind)
{
	struct rqb_node *parent = node->parent;
	unsigned int blacks = blacks_below(node);
	int side = parent ? side_of(node) : 0;

	*before = part_at(node->child[0], blacks);
	*behind = part_at(node->child[1], blacks);
	blacks += !node->red;
	while (parent) {
		struct rqb_node *mid = parent;
		struct part other = part_at(mid->child[!side], blacks);
		int side_below = side;

		blacks += !mid->red;
		parent = mid->parent;
		side = parent ? side_of(mid) : 0;
		if (side_below == 1)
			*before = join(other, mid, *before);
		else
			*behind = join(*behind, mid, other);
	}
}

static const struct part nothing;

/* A run of @first, those in between and @last; @behind: what follows it. */
static struct part cut_part(struct rqb_node *first, struct rqb_node *last, struct part *behind)
{
	struct part between;

	if (first == last)
		return join(nothing, first, nothing);
	split(last, &between, behind);
	return join(join(nothing, first, between), last, nothing);
}

void rqb_tree_cut(struct rqb_tree *tree, struct rqb_node *first, struct rqb_node *last,
		  struct rqb_tree *run)
{
	struct rqb_node *before = previous(first);
	struct rqb_node *next = rqb_tree_next(last);
	struct part left;
	struct part right;
	struct part none;

	if (!before && !next) {
		*run = *tree;
		*tree = (struct rqb_tree){.root = NULL};
		return;
	}
	split(first, &left, &right);
	*run = (struct rqb_tree){cut_part(first, last, &right).root, first, last};
	if (next) { /* the first one of what is left on the right joins the two halves */
		split(next, &none, &right);
		left = join(left, next, right);
	}
	tree->root = left.root;
	if (!before)
		tree->first = next;
	if (!next)
		tree->last = before;
}

/* The first node of @tree that @node comes before; NULL: none. */
static struct rqb_node *first_behind(const struct rqb_tree *tree, const struct rqb_node *node,
				     rqb_before *before)
{
	struct rqb_node *at = tree->root;
	struct rqb_node *found = NULL;

	while (at) {
		if (before(node, at))
			found = at;
		at = at->child[!before(node, at)];
	}
	return found;
}

static void paste_each(struct rqb_tree *tree, struct rqb_tree *run, rqb_before *before)
{
	struct rqb_node *near = NULL;
	struct rqb_node *node;

	while ((node = run->first)) {
		rqb_tree_remove(run, node);
		if (near)
			insert_near(tree, near, node, before);
		else
			rqb_tree_insert(tree, node, before);
		near = node;
	}
}

/* All of @run goes right before @next, or, if that is NULL, to the end. */
static void paste_whole(struct rqb_tree *tree, const struct rqb_tree *run, struct rqb_node *next)
{
	struct part left;
	struct part right;
	struct part none;
	struct part rest;

	if (tree->first == next)
		tree->first = run->first;
	split(run->first, &none, &rest);
	if (next) {
		split(next, &left, &right);
		left = join(left, run->first, rest);
		left = join(left, next, right);
	} else {
		left = part_at(tree->root, blacks_below(tree->root) + 1);
		left = join(left, run->first, rest);
		tree->last = run->last;
	}
	tree->root = left.root;
}

void rqb_tree_paste(struct rqb_tree *tree, struct rqb_tree *run, rqb_before *before)
{
	struct rqb_node *next;

	if (!run->root)
		return;
	next = first_behind(tree, run->first, before);
	if (!tree->root) {
		*tree = *run;
	} else if (next && !before(run->last, next)) {
		paste_each(tree, run, before);
		return;
	} else {
		paste_whole(tree, run, next);
	}
	*run = (struct rqb_tree){.root = NULL};
}

/* ---------------------------------------------------------------- checking */

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
