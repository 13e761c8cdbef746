/* SPDX-License-Identifier: MIT */
/*
 * work_chain.c - what it costs that a priority goes along a chain: each thread holds a PI futex and
 * waits for the next one's, and an urgent one asks for the first. Compiled twice, for the kernel's
 * futex and for the engine; called by worker.c.
 *
 * The urgent one asks with a time limit that has passed long ago: the call lines up, boosts every
 * owner, sees that the time is over, takes all of it back, and returns. That is two walks along the
 * chain, all within one call. Everything runs on one CPU, where the others sleep.
 */
#include "impl.h"

#include <stdlib.h>
#include <time.h>

enum { PRIO_CHAIN = 10, PRIO_URGENT = 50, CALLS = 8, WARM_UP = 2 };

#define SETTLE_NS (200 * WORK_NSEC_PER_USEC)

struct link {
	_Alignas(64) _Atomic uint32_t word; /* held by the thread of this link */
	_Alignas(64) struct chain *chain;
	pthread_t thread;
	int at;
};

struct chain {
	_Alignas(64) _Atomic uint32_t there, end;
	struct link *link;
	int depth;
};

/* The last one sleeps with its lock held; whoever comes before it waits for the next one's lock. */
static void *hold_and_wait(void *arg)
{
	struct link *own = arg;
	struct chain *c = own->chain;

	bf_lock(&own->word);
	work_gate_open(&c->there, (uint32_t)(c->depth - own->at));
	if (own->at == c->depth - 1) {
		work_gate_wait(&c->end, 1);
	} else {
		bf_lock(&c->link[own->at + 1].word);
		bf_unlock(&c->link[own->at + 1].word);
	}
	bf_unlock(&own->word);
	return NULL;
}

static void ask_in_vain(struct chain *c)
{
	static const struct timespec long_ago = {.tv_sec = 1};
	long ret = bf_futex(&c->link[0].word, FUTEX_LOCK_PI, 0, (uintptr_t)&long_ago, NULL, 0);

	if (ret != -ETIMEDOUT)
		work_die("FUTEX_LOCK_PI with a time limit in the past", ret < 0 ? (int)-ret : 0);
}

void WORK_FN(chain)(const struct work_args *args)
{
	struct chain *c = work_alloc(1, sizeof(*c));
	double *us = work_alloc((size_t)args->samples, sizeof(*us));

	c->depth = args->depth;
	c->link = work_alloc((size_t)c->depth, sizeof(*c->link));
	work_bind(args->cpu, -1);
	work_set_prio(PRIO_URGENT);
	for (int i = c->depth - 1; i >= 0; i--) {
		c->link[i].chain = c;
		c->link[i].at = i;
		c->link[i].thread = work_start_small(hold_and_wait, &c->link[i], PRIO_CHAIN,
						     args->cpu);
		work_gate_wait(&c->there, (uint32_t)(c->depth - i));
		/* Until it sleeps: one that does not would end the walk. */
		do
			work_nap(SETTLE_NS);
		while (i < c->depth - 1 && !(atomic_load(&c->link[i + 1].word) & FUTEX_WAITERS));
	}
	for (int i = -WARM_UP; i < args->samples; i++) {
		uint64_t begin = work_now();

		for (int call = 0; call < CALLS; call++)
			ask_in_vain(c);
		if (i >= 0)
			us[i] = (double)(work_now() - begin) / CALLS / 1e3;
	}
	work_gate_open(&c->end, 1);
	for (int i = 0; i < c->depth; i++)
		work_join(c->link[i].thread);
	work_emit("chain_us", us, (size_t)args->samples);
	free(us);
	free(c->link);
	free(c);
}
