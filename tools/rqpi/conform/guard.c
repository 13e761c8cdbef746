/* SPDX-License-Identifier: MIT */
/*
 * guard.c - keeps requeues away from a kernel that they would damage.
 *
 * A FUTEX_CMP_REQUEUE_PI whose waiter would wait for itself is rolled back, and kernels with
 * CVE-2026-43499 roll back the wrong task. play.c asks before each requeue on such a machine; the
 * answer is made from what the conductor knows and may be "yes" too often, never too seldom.
 */
#include <linux/futex.h>

#include "world.h"

static bool is_inside(const struct conform_world *w, int task, int op)
{
	const struct conform_known *known = &w->known[task];
	const struct conform_box *box = &w->boxes[task];

	return !known->gone && !known->must_go && box->what == CONFORM_CALL &&
	       atomic_load(&box->done) != atomic_load(&box->issued) &&
	       (box->op & FUTEX_CMD_MASK) == op;
}

/* Sleeps on the word that is to be requeued from, or did when it began to. */
static bool may_be_moved(const struct conform_world *w, int task, const void *from)
{
	return is_inside(w, task, FUTEX_WAIT_REQUEUE_PI) && w->boxes[task].uaddr == from;
}

/* The word that @task may be waiting to own, NULL if it waits for none. */
static uint32_t *awaited_word(const struct conform_world *w, int task)
{
	if (is_inside(w, task, FUTEX_LOCK_PI) || is_inside(w, task, 13 /* FUTEX_LOCK_PI2 */))
		return w->boxes[task].uaddr;
	return is_inside(w, task, FUTEX_WAIT_REQUEUE_PI) ? w->boxes[task].uaddr2 : NULL;
}

static int task_of(const struct conform_world *w, uint32_t word)
{
	for (int i = 0; i < w->program->task_count; i++) {
		if ((uint32_t)atomic_load(&w->boxes[i].tid) == (word & CONFORM_TID))
			return i;
	}
	return -1;
}

static bool is_a_word(const struct conform_world *w, const void *at)
{
	for (int i = 0; i < w->program->word_count; i++) {
		if (conform_word(w, i) == at)
			return true;
	}
	return false;
}

/*
 * A free target is given to the first waiter, so that those behind it wait for that one: it waits
 * for nothing itself, and no circle can close.
 */
bool conform_is_dangerous(const struct conform_world *w, const struct conform_call *call)
{
	const void *from = conform_address(w, &call->uaddr);
	const void *word = conform_address(w, &call->uaddr2);

	if ((call->op & FUTEX_CMD_MASK) != FUTEX_CMP_REQUEUE_PI)
		return false;
	for (int steps = 0; word && steps <= w->program->task_count; steps++) {
		int owner = is_a_word(w, word) ? task_of(w, conform_load(word)) : -1;

		if (owner < 0)
			return false;
		if (may_be_moved(w, owner, from))
			return true;
		word = awaited_word(w, owner);
	}
	return word != NULL;
}
