/* SPDX-License-Identifier: MIT */
/*
 * channel.c - wait channels: lending one to a private condvar, pinning, taking it back.
 *
 * A condvar holds the name of a channel (`ref`), never the channel itself. The name may be stale:
 * the channel has gone back to the free list, or belongs to another condvar by now. pin() sorts
 * this out:
 *
 *	waiter (holds the mutex)	last one inside			signaller
 *	name = *ref
 *					refs 1 -> 0
 *	refs is 0: stale
 *					ref = NULL, onto free list
 *	take another, *ref = its name				name = *ref, pin, step, requeue
 *
 * A pin taken on a channel that has changed hands is dropped again at once; it did no harm.
 * Channels in use are never more than threads inside waits, so the pool stops growing by itself.
 *
 * Orders of memory (docs/memory-order.md): what is stored to a channel before it is lent is
 * released by the store to `refs` in lend(), and acquired by whoever adds to `refs` in pin(),
 * directly or along the read-modify-writes in between. What a user of it reads is released when
 * it drops its pin, and acquired, by way of the last pin and the free list, by the next one to
 * lend it. All read-modify-writes are sequentially consistent; a relaxed load in front of one is
 * a guess that it checks.
 */
#include "src/user/channel.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "src/user/user.h"

#ifndef RQU_CHUNK	 /* the checker has few: they are part of each of its states */
#define RQU_CHUNK  1024u /* channels a chunk, 64 KiB */
#define RQU_CHUNKS 4096u /* more channels than Linux has thread ids */
#endif
#define CHUNK	RQU_CHUNK
#define CHUNKS	RQU_CHUNKS
#define POLL_MS 1 /* how often a waiter without a channel looks again */

static RQB_STATE struct rqu_chan first_chunk[CHUNK];
static RQB_STATE void *chunks[CHUNKS] = {first_chunk};
static RQB_STATE uint32_t fresh; /* channels below this index have been used */
/* Low half: index + 1 of the first, 0 none; high half: tag against ABA. */
static RQB_STATE uint64_t free_list __attribute__((aligned(8)));

/* Acquire: the chunk is zeroed memory to whoever finds it, by grow()'s exchange. */
static struct rqu_chan *channel_at(uint32_t index)
{
	struct rqu_chan *chunk = rqb_load_ptr_acq(&chunks[index / CHUNK]);

	return chunk ? &chunk[index % CHUNK] : NULL;
}

static uint64_t list_head(uint64_t old, uint32_t first)
{
	return ((old >> 32) + 1) << 32 | first;
}

/*
 * `next` is relaxed: it goes with the exchange of the head, and pop_free() believes it after one.
 */
static void push_free(struct rqu_chan *c)
{
	uint64_t old;

	do {
		old = rqb_load64(&free_list);
		rqb_store(&c->next, (uint32_t)old);
	} while (!rqb_cas64(&free_list, old, list_head(old, c->index + 1)));
}

static struct rqu_chan *pop_free(void)
{
	struct rqu_chan *c;
	uint64_t old;

	do {
		old = rqb_load64(&free_list);
		if ((uint32_t)old == 0)
			return NULL;
		/*
		 * May be popped and reused while we look: the tag has moved then, and the exchange
		 * fails.
		 */
		c = channel_at((uint32_t)old - 1);
	} while (!rqb_cas64(&free_list, old, list_head(old, rqb_load(&c->next))));
	return c;
}

/* The chunk that @index lies in exists on return, unless there is no memory. */
static bool grow(uint32_t index)
{
	void *chunk;

	if (rqb_load_ptr_acq(&chunks[index / CHUNK]))
		return true;
	chunk = rqu_sys_map(CHUNK * sizeof(struct rqu_chan));
	if (!chunk)
		return false;
	/*
	 * Lost to another thread: our chunk stays unused, 64 KiB of address space, once in a
	 * process's life.
	 */
	rqb_cas_ptr(&chunks[index / CHUNK], NULL, chunk);
	return true;
}

static struct rqu_chan *take_fresh(void)
{
	struct rqu_chan *c;
	uint32_t index;

	do {
		index = rqb_load(&fresh);
		if (index >= CHUNK * CHUNKS || !grow(index))
			return NULL;
	} while (!rqb_cas(&fresh, index, index + 1));
	c = channel_at(index);
	c->index = index;
	return c;
}

static uint32_t kind_of(const struct rqu_lock *lock)
{
	return rqb_unlikely(lock->plain) ? RQU_CHAN_PLAIN : RQU_CHAN_REQUEUED;
}

/* Where a wait with @lock sleeps in @c. */
static uint32_t *seq_of(struct rqu_chan *c, const struct rqu_lock *lock)
{
	return rqb_unlikely(lock->plain) ? &c->plain_seq : &c->seq;
}

/*
 * A channel for the condvar of @ref, with one pin, the caller's. NULL: no memory. Until `refs` is
 * stored it is nobody else's: `seq` may be relaxed.
 */
static struct rqu_chan *lend(uint32_t *ref, const struct rqu_lock *lock)
{
	struct rqu_chan *c = pop_free();

	if (!c)
		c = take_fresh();
	if (!c)
		return NULL;
	c->word = lock->word;
	c->shared = lock->shared;
	RQB_PROBED(c->cond = lock->cond;)
	/* Whoever still holds a ticket or a step of the channel's last life finds it stale. */
	rqb_store(&c->seq, rqu_seq_after(rqb_load(&c->seq), true));
	if (c->kinds & RQU_CHAN_PLAIN)
		rqb_store(&c->plain_seq, rqu_seq_after(rqb_load(&c->plain_seq), true));
	c->kinds = kind_of(lock);
	rqb_store_ptr_rel((void **)&c->ref, ref);
	rqb_store_rel(&c->refs, 1);
	return c;
}

void rqu_channel_unpin(struct rqu_chan *c)
{
	if (rqb_add(&c->refs, -1u) != 1)
		return;
	rqb_store_ptr_rel((void **)&c->ref, NULL);
	push_free(c);
}

/*
 * Pin the channel that @name means, if it still serves @ref. Once pinned it is not lent anew, and
 * `ref`, `word` and `shared` are those of the lending that the exchange has acquired.
 */
static struct rqu_chan *pin(uint32_t *ref, uint32_t name)
{
	uint32_t index = name & ~RQU_REF_TAG;
	struct rqu_chan *c;
	uint32_t refs;

	if (!(name & RQU_REF_TAG) || index >= CHUNK * CHUNKS)
		return NULL;
	c = channel_at(index);
	if (!c)
		return NULL;
	do {
		refs = rqb_load(&c->refs);
		if (refs == 0)
			return NULL;
	} while (!rqb_cas(&c->refs, refs, refs + 1));
	if (rqb_load_ptr_acq((void **)&c->ref) == ref)
		return c;
	rqu_channel_unpin(c);
	return NULL;
}

static struct rqu_queue queue_of(struct rqu_chan *c)
{
	return (struct rqu_queue){&c->seq, c->word, c->shared != 0};
}

/* Two releases by one signal step: its own requeue and a waiter in the window, or two of those. */
static void mark_release(struct rqu_chan *c, uint32_t seq)
{
	if (rqb_xchg(&c->mark, seq) == seq)
		rqb_count(&rqu_stats.double_wakes);
}

/* `seq` is relaxed: for a counter, where missing one is no harm. */
void rqu_channel_window_wake(struct rqu_chan *c, uint32_t ticket)
{
	uint32_t next = rqu_seq_after(ticket, false);

	rqb_count(&rqu_stats.window_wakes);
	if (rqb_load(&c->seq) == next)
		mark_release(c, next);
}

/*
 * The caller holds a pin. A signal is for one of those who are requeued, else for one of the plain.
 * If it released somebody of the former who was in the window, and not asleep, it releases two:
 * which POSIX allows.
 */
static int release(struct rqu_chan *c, int nr_requeue)
{
	struct rqu_queue q = queue_of(c);
	uint32_t kinds = rqb_load(&c->kinds);
	uint32_t seq;
	int ret = 0;
	int woken;

	if (rqb_likely(kinds & RQU_CHAN_REQUEUED))
		ret = rqu_release(&q, nr_requeue, false, &seq);
	if (ret > 0 && nr_requeue == 0)
		mark_release(c, seq);
	else if (rqb_unlikely(kinds & RQU_CHAN_PLAIN)) {
		q.seq = &c->plain_seq;
		woken = rqu_release(&q, nr_requeue, true, NULL);
		if (ret >= 0 && woken > 0)
			ret += woken;
	}
	return ret;
}

/*
 * The channel for a wait with @lock, pinned, and the ticket of this wait. The caller holds the
 * mutex, so that two waiters cannot both find no channel, unless they use different mutexes at one
 * time, which POSIX leaves undefined. Here it means that those inside are released; and nobody is
 * ever left on a channel that no name leads to:
 *
 *	W1, mutex m1			W2, mutex m2
 *	pin c1, ticket = c1.seq
 *	*ref still names c1
 *					c1 is another mutex's: lend c2, *ref = c2
 *					step c1: W1's ticket is stale
 *
 * Two words, two looks, hence acquire at `seq`: a ticket from after the step is seen together with
 * the new name in *ref, and W1 begins anew.
 */
static struct rqu_chan *join(uint32_t *ref, const struct rqu_lock *lock, uint32_t *ticket)
{
	struct rqu_chan *old;
	struct rqu_chan *c;
	uint32_t name;
	bool published;

	for (;;) {
		name = rqb_load_acq(ref);
		old = pin(ref, name);
		if (old && old->word == lock->word && old->shared == lock->shared) {
			if (rqb_unlikely(!(rqb_load(&old->kinds) & kind_of(lock))))
				rqb_or(&old->kinds, kind_of(lock));
			*ticket = rqb_load_acq(seq_of(old, lock));
			if (rqb_load_acq(ref) == name)
				return old;
			rqu_channel_unpin(old);
			continue;
		}
		c = lend(ref, lock);
		if (c)
			*ticket = rqb_load(seq_of(c, lock));
		published = c && rqb_cas(ref, name, RQU_REF_TAG | c->index);
		/*
		 * The name was stale when we looked, but another's wait may have taken that very
		 * channel off the free list and written the same name again.
		 */
		if (published && !old && name != (RQU_REF_TAG | c->index))
			old = pin(ref, name);
		if (old) {
			if (published) {
				rqb_count(&rqu_stats.rebinds);
				release(old, INT_MAX);
			}
			rqu_channel_unpin(old);
		}
		if (!c || published)
			return c;
		rqu_channel_unpin(c);
	}
}

static bool private_released(struct rqu_wait *w)
{
	return rqb_load_acq(w->q.seq) != w->ticket;
}

static void private_forward(struct rqu_wait *w)
{
	release(w->chan, 0);
}

/*
 * No memory for a channel: a wait that ends by itself after a moment. The caller's loop makes it a
 * poll, slow and without order, but nothing is lost.
 */
static int wait_without_channel(struct rqu_lock *lock, const struct rqu_deadline *dl)
{
	struct rqu_deadline until = rqu_deadline_in(POLL_MS);
	uint32_t never = 0;
	int err;

	pthread_testcancel(); /* with the mutex held, as cleanup handlers expect */
	RQB_PROBE3(cond__wait, lock->cond, lock->mutex, (uint32_t *)NULL);
	err = rqu_lock_release(lock);
	if (!err) {
		rqb_count(&rqu_stats.no_channel);
		rqu_sys_wait(&never, 0, false, &until);
		err = rqu_lock_reacquire(lock, false);
		if (!err && dl && rqu_deadline_within(dl, 0))
			err = ETIMEDOUT;
	}
	RQB_PROBE4(cond__woken, lock->cond, lock->mutex, err, 0);
	return err;
}

int rqu_private_wait(uint32_t *ref, struct rqu_lock *lock, const struct rqu_deadline *dl)
{
	uint32_t ticket;
	struct rqu_chan *c = join(ref, lock, &ticket);
	struct rqu_wait w;

	if (rqb_unlikely(!c))
		return wait_without_channel(lock, dl);
	w = (struct rqu_wait){.q = {seq_of(c, lock), c->word, c->shared != 0},
			      .ticket = ticket,
			      .lock = lock,
			      .plain = lock->plain,
			      .released = private_released,
			      .forward = private_forward,
			      .chan = c};
	return rqu_wait_and_relock(&w, dl);
}

/*
 * Somebody is there. By itself, so that a signal for nobody need not save registers for this; the
 * caller's pin is dropped.
 */
static __attribute__((noinline)) int release_pinned(struct rqu_chan *c, int nr_requeue)
{
	int ret;

	RQB_PROBE2(cond__release, c->cond, nr_requeue != 0);
	ret = release(c, nr_requeue);
	RQU_PROBE_RELEASED(c->cond, nr_requeue != 0, ret);
	rqu_channel_unpin(c);
	return rqu_to_errno(ret);
}

int rqu_private_release(uint32_t *ref, int nr_requeue)
{
	uint32_t name = rqb_load_acq(ref);
	struct rqu_chan *c;

	if (rqb_likely(name == 0))
		return 0;
	c = pin(ref, name);
	return c ? release_pinned(c, nr_requeue) : 0;
}

bool rqu_private_busy(uint32_t *ref)
{
	struct rqu_chan *c = pin(ref, rqb_load_acq(ref));

	if (c)
		rqu_channel_unpin(c);
	return c != NULL;
}
