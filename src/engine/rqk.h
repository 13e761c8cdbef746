/* SPDX-License-Identifier: MIT */
/*
 * rqk.h - the kernel half inside: its types, who guards which field, the order of the locks, and
 * the invariants. The other files of src/engine say "rqk.h [I2]" and never explain these again.
 *
 * Lock order. A lock may be taken while those above it are held, and by no other way round:
 *
 *   (b) bucket->lock        two of them: the one with the lower index first
 *   (w) rt_mutex->wait_lock one at a time
 *   (p) task->pi_lock       one at a time
 *
 * The chain walk goes from a task to the lock it is blocked on, which is (p) before (w): it only
 * tries (w), and lets (p) go if it cannot have it. All three are raw locks: never held across a
 * sleep, or where a user word may fault for longer than it takes to answer EFAULT.
 *
 * A letter at a field names the lock that guards it: (b) (w) (p) as above, (s) the task itself
 * and no other, (a) atomic, (c) constant after initialisation. Two letters: written with both
 * held, read with either.
 *
 * Invariants. They hold whenever the locks that guard their fields are free; inspect.c is their
 * code.
 *
 *   I1  An rt_mutex with waiters has an owner, or its top waiter has been woken to become that.
 *   I2  An rt_mutex with waiters has HAS_WAITERS set in its owner word, so that no unlock takes the
 *       fast path and leaves them behind. (Set without waiters: only until the next slow unlock.)
 *   I3  A task's effective priority is the most urgent of its own and its pi_waiters'. It is
 *       computed anew each time, never saved and restored. (Of normal tasks nice values: as they
 *       were when a waiter last came or left.)
 *   I4  A task's pi_waiters are the top waiters of the rt_mutexes it owns: all of them, no other.
 *   I5  task->blocked_on is its waiter if and only if that is in the tree of waiter->lock.
 *   I6  Waiters of an rt_mutex are sorted by urgency, equals by arrival, and the key of a waiter is
 *       its task's effective priority (but for a walk that is on its way to say so).
 *   I7  A PI state's owner is its rt_mutex's owner; or the rt_mutex has none and the PI state's
 *       owner is the waiter that was woken to take it; or somebody is in fixup_owner() about it.
 *   I8  A PI futex word names its PI state's owner and has WAITERS set whenever the bucket is free,
 *       unless user space wrote to it, or it could not be written.
 *   I9  refs of a PI state: one for each waiter attached to it; all of those but one have lent a
 *       spare.
 *   I10 A futex_q is in the tree of the bucket of its key if and only if q->bucket names that.
 *   I11 After -EAGAIN from a compare nothing has moved.
 *   I12 A task that is in no operation is in no tree, attached to nothing, and has its spare.
 */
#ifndef RQK_H
#define RQK_H

#include "rqpi/engine.h"
#include "rqpi/trace.h"
#include "src/base/assert.h"
#include "src/base/atomic.h"
#include "src/base/tree.h"
#include "src/base/word.h"

/* What clang's -Wthread-safety checks; nothing to other compilers. */
#if defined(__clang__)
#define RQK_ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define RQK_RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define RQK_TRIES(...)	  __attribute__((try_acquire_capability(true, __VA_ARGS__)))
#define RQK_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define RQK_UNCHECKED	  __attribute__((no_thread_safety_analysis))
#else
#define RQK_ACQUIRES(...)
#define RQK_RELEASES(...)
#define RQK_TRIES(...)
#define RQK_REQUIRES(...)
#define RQK_UNCHECKED
#endif

#define RQK_WORD_WAITERS    RQB_WORD_WAITERS
#define RQK_WORD_OWNER_DIED RQB_WORD_OWNER_DIED

/* An rt_mutex's owner word: the task, and one bit. */
#define RQK_HAS_WAITERS ((uintptr_t)1)

/* The longest chain of blocked tasks that a walk follows, as Linux's default max_lock_depth. */
#define RQK_MAX_LOCK_DEPTH 1024

/* Entries of a robust list that are looked at, so that a circular one ends. */
#define RQK_ROBUST_LIMIT 2048

/* ---------------------------------------------------------------- rt_mutex and its waiters */

struct rqk_rt_mutex {
	struct rqpi_rawlock wait_lock;
	uintptr_t owner; /* (w)(a) task | RQK_HAS_WAITERS; fast paths change it 0 <-> task */
	struct rqb_tree waiters; /* (w) [I6] */
};

/*
 * One task's place in the queue of one rt_mutex. It lives in the task, which blocks on one at
 * most.
 */
struct rqk_waiter {
	struct rqb_node tree;	   /* (w) in lock->waiters */
	struct rqpi_task *task;	   /* (w) NULL once the lock is taken or given up */
	struct rqk_rt_mutex *lock; /* (w)(p of the task) */
	struct rqpi_prio prio;	   /* (w)(p of the task) sort key */
	struct rqb_node pi;	   /* (p) of the lock's owner: in its pi_waiters, if top waiter */
	struct rqpi_prio pi_prio;  /* (p) of the lock's owner: the same, as its tree has it */
	uint32_t times;		   /* (p of the task) how often it has blocked */
};

/*
 * What a task is blocked on, to tell later whether it has been away from there. The lock alone
 * does not tell: its memory, a PI state, may serve another futex by then, and the task may have
 * come for that.
 */
struct rqk_blocked {
	struct rqk_rt_mutex *lock; /* NULL: on none */
	uint32_t times;
};

/* ---------------------------------------------------------------- futexes */

/*
 * A bucket holds all waiters of all keys that hash to it, in one tree: by key, then by urgency,
 * then by arrival. @waiters counts those that are in it or on their way, and is stepped before
 * the word is compared: a waker that sees 0 after changing the word has nobody to wake. It looks by
 * adding 0: of the two read-modify-writes the later one acquires what came before the other, and so
 * the waiter sees the changed word, or the waker sees the waiter.
 */
struct rqk_bucket {
	struct rqpi_rawlock lock;
	struct rqb_tree tree; /* (b) */
	uint32_t waiters;     /* (a) */
} __attribute__((aligned(64)));

/*
 * The kernel's side of a contended PI futex. Lent by the first waiter; any waiter that leaves
 * takes one of those lent since, and the last one takes the one in use.
 */
struct rqk_pi_state {
	struct rqk_rt_mutex lock;
	struct rqpi_task *owner;     /* (w)(p of the owner) whom the word names; NULL: owner died */
	struct rqk_pi_state *next;   /* (p) of the owner: in its pi_states, */
	struct rqk_pi_state **prev;  /* and where the pointer to this one is */
	struct rqk_pi_state *spares; /* (b) lent by the waiters, linked by next_spare */
	struct rqk_pi_state *next_spare;
	struct rqpi_key key; /* (b)(p) */
	uint32_t refs;	     /* (b) waiters attached [I9] */
};

enum rqk_kind {
	RQK_PLAIN,	/* WAIT, WAIT_BITSET */
	RQK_REQUEUE_PI, /* WAIT_REQUEUE_PI, not moved yet */
	RQK_PI,		/* LOCK_PI, or moved by CMP_REQUEUE_PI: is attached to a PI state */
};

/*
 * How far the hand-shake between CMP_REQUEUE_PI and a waiter that wants to leave has come. The
 * edges, and who may take them, are a table in requeue_state.c, which alone writes the field.
 */
enum rqk_requeue_state {
	RQK_REQUEUE_NONE,	 /* asleep, for anybody to move */
	RQK_REQUEUE_IGNORE,	 /* leaving: timed out or interrupted before it was moved */
	RQK_REQUEUE_IN_PROGRESS, /* being moved, under the lock of the bucket it was in */
	RQK_REQUEUE_DONE,	 /* is on the rt_mutex of the target */
	RQK_REQUEUE_LOCKED,	 /* owns the target */
	RQK_REQUEUE_STATES
};

/* One task's place in the queue of one futex. */
struct rqk_futex_q {
	struct rqb_node node;	       /* (b) in bucket->tree */
	uintptr_t bucket;	       /* (b)(a) struct rqk_bucket *, 0: in none [I10] */
	struct rqk_pi_state *pi_state; /* (b) attached to, or NULL */
	uint32_t kind;		       /* (b) enum rqk_kind */
	uint32_t bitset;	       /* (b) */
	uint32_t requeue_state;	       /* (a) enum rqk_requeue_state */
	struct rqpi_key key;	       /* (b) */
	struct rqpi_key requeue_key;   /* (b) RQK_REQUEUE_PI: the declared target */
	struct rqpi_prio prio; /* (b) own priority when it queued; later changes do not move it */
};

/* ---------------------------------------------------------------- tasks and the engine */

enum rqk_life { RQK_ALIVE, RQK_EXITING, RQK_DEAD };

/*
 * The members stand as they are used: in storage that is aligned to 64 bytes a requeue touches
 * six cache lines of each task that it moves.
 */
struct rqpi_task {
	struct rqpi_engine *engine;  /* (c) */
	void *cookie;		     /* (c) */
	uint64_t space;		     /* (s) and (p) */
	uint32_t tid;		     /* (c) */
	uint32_t kernel;	     /* (c) */
	uint32_t refs;		     /* (a) */
	uint32_t wake_claimed;	     /* (a) it is in somebody's wake list */
	struct rqpi_task *wake_next; /* of whoever set wake_claimed */

	struct rqpi_rawlock pi_lock;
	struct rqpi_prio eff;		/* (p) [I3] */
	uint32_t eff_now;		/* (a) eff.prio, for whoever inherits from it */
	uint32_t life;			/* (p) enum rqk_life */
	struct rqk_waiter *blocked_on;	/* (p) [I5] */
	struct rqk_pi_state *pi_states; /* (p) those whose owner it is */

	struct rqk_waiter waiter;

	/* (s) What it sleeps for, to be found without its stack: rqpi_task_abandon(). */
	struct rqk_bucket *slept_in;   /* WAIT_REQUEUE_PI: of its first word */
	uint32_t *pi_word;	       /* the PI futex that it waits for */
	struct rqpi_task *awaits_exit; /* whose exit_lock it waits for */
	const void *robust_list;       /* (s) address of user space */

	struct rqk_futex_q q;

	struct rqpi_prio own;		 /* (p) */
	struct rqpi_prio applied;	 /* (p) what the port was told last */
	struct rqb_tree pi_waiters;	 /* (p) [I4] */
	struct rqk_pi_state *exit_state; /* (p) the one its exit is about to deal with */
	struct rqk_pi_state *spare;	 /* (s); asleep: (b); exiting: (p) */
	struct rqk_rt_mutex
	    exit_lock;	   /* held by the task while it exits: who needs the end waits here */
	uint32_t no_words; /* (s) its address space is out of reach */
};

struct rqpi_engine {
	const struct rqpi_port *port; /* (c) */
	void *ctx;		      /* (c) */
	uint32_t mask;		      /* (c) buckets - 1 */
	struct rqk_bucket *buckets;   /* (c) */
};

/* ---------------------------------------------------------------- asserting and telling */

#define rqk_assert(engine, cond)                                                         \
	do {                                                                             \
		if (rqb_unlikely(!(cond)))                                               \
			(engine)->port->panic((engine)->ctx, #cond, __FILE__, __LINE__); \
	} while (0)

/* names.c. Does nothing if the port does not listen. */
void rqk_tell(struct rqpi_engine *engine, const struct rqpi_task *self, enum rqpi_event_id id,
	      uintptr_t object, int64_t value, int64_t other);
#define rqk_trace(engine, self, id, object, value, other)                                 \
	do {                                                                              \
		if (rqb_unlikely((engine)->port->trace != NULL))                          \
			rqk_tell(engine, self, id, (uintptr_t)(object), (int64_t)(value), \
				 (int64_t)(other));                                       \
	} while (0)

/* ---------------------------------------------------------------- raw locks */

static inline RQK_UNCHECKED void rqk_lock(struct rqpi_engine *e, struct rqpi_rawlock *lock)
    RQK_ACQUIRES(lock)
{
	e->port->lock(e->ctx, lock);
}

static inline RQK_UNCHECKED bool rqk_trylock(struct rqpi_engine *e, struct rqpi_rawlock *lock)
    RQK_TRIES(lock)
{
	return e->port->trylock(e->ctx, lock);
}

static inline RQK_UNCHECKED void rqk_unlock(struct rqpi_engine *e, struct rqpi_rawlock *lock)
    RQK_RELEASES(lock)
{
	e->port->unlock(e->ctx, lock);
}

/* ---------------------------------------------------------------- wake lists (task.c) */

/*
 * Tasks to wake once all raw locks have been let go. A task is in one list at a time; whoever
 * finds it in one already may rely on that wake-up being still to come.
 */
struct rqk_wakes {
	struct rqpi_task *first;
	struct rqpi_task *last;
};

/*
 * Takes a reference: the task may be gone from its queue, and from the world, before the wake-up.
 */
void rqk_wake_later(struct rqk_wakes *wakes, struct rqpi_task *task);
void rqk_wake_now(struct rqpi_engine *e, const struct rqpi_task *self, struct rqk_wakes *wakes);

/* ---------------------------------------------------------------- priorities (task.c) */

/* Is @a strictly more urgent than @b, as far as locks are concerned? All of nice is one level. */
bool rqk_prio_before(const struct rqpi_prio *a, const struct rqpi_prio *b);
bool rqk_prio_equal(const struct rqpi_prio *a, const struct rqpi_prio *b);

/* Recompute @task->eff from its own priority and its top pi waiter [I3]. */
void rqk_adjust_prio(struct rqpi_task *task) RQK_REQUIRES(task->pi_lock);

/* Tell the port, if it does not know yet. */
void rqk_apply_prio(struct rqpi_task *task) RQK_REQUIRES(task->pi_lock);

/* ---------------------------------------------------------------- keys and buckets */

/* key.c. 0, -EINVAL (not aligned), -EFAULT. */
int rqk_key(struct rqpi_task *self, const uint32_t *uaddr, bool shared, bool write,
	    struct rqpi_key *key);
bool rqk_key_equal(const struct rqpi_key *a, const struct rqpi_key *b);

struct rqk_bucket *rqk_bucket(struct rqpi_engine *e, const struct rqpi_key *key);

/* bucket.c */
void rqk_lock_two(struct rqpi_engine *e, struct rqk_bucket *a, struct rqk_bucket *b)
    RQK_ACQUIRES(a->lock, b->lock);
void rqk_unlock_two(struct rqpi_engine *e, struct rqk_bucket *a, struct rqk_bucket *b)
    RQK_RELEASES(a->lock, b->lock);

/* Announce a waiter: before the word is compared (struct rqk_bucket). */
static inline void rqk_bucket_expect(struct rqk_bucket *hb)
{
	(void)rqb_add(&hb->waiters, 1);
}

static inline void rqk_bucket_unexpect(struct rqk_bucket *hb)
{
	(void)rqb_sub(&hb->waiters, 1);
}

/* The first waiter of @key, the most urgent; and the next one of the same key. NULL: no more. */
struct rqk_futex_q *rqk_first(struct rqk_bucket *hb, const struct rqpi_key *key)
    RQK_REQUIRES(hb->lock);
struct rqk_futex_q *rqk_next(struct rqk_futex_q *q);

/* Into the bucket, which expects it; out of it, which stops expecting it. */
void rqk_queue(struct rqk_bucket *hb, struct rqk_futex_q *q) RQK_REQUIRES(hb->lock);
void rqk_unqueue(struct rqk_bucket *hb, struct rqk_futex_q *q) RQK_REQUIRES(hb->lock);
/*
 * A run: the waiters that one operation moves from one queue to another, neighbours there. Each is
 * told where it belongs as it is added; they change trees together, in the end. In between, which
 * is under both locks, the first tree is out of order: nothing may be searched in it.
 */
struct rqk_run {
	const struct rqpi_key *key; /* of the queue they go to */
	struct rqk_futex_q *first;
	struct rqk_futex_q *last;
	uint32_t count;
};

void rqk_run_add(struct rqk_bucket *from, struct rqk_bucket *to, struct rqk_run *run,
		 struct rqk_futex_q *q) RQK_REQUIRES(from->lock, to->lock);
void rqk_run_end(struct rqk_bucket *from, struct rqk_bucket *to, const struct rqk_run *run)
    RQK_REQUIRES(from->lock, to->lock);

/*
 * Lock the bucket that @q is in, wherever it is moved meanwhile. NULL: in none, nothing is
 * locked.
 */
struct rqk_bucket *rqk_lock_bucket_of(struct rqpi_engine *e, struct rqk_futex_q *q);

static inline bool rqk_queued(const struct rqk_futex_q *q)
{
	return rqb_load_bits(&q->bucket) != 0;
}

static inline struct rqpi_task *rqk_q_task(struct rqk_futex_q *q)
{
	return rqb_entry(q, struct rqpi_task, q);
}

/* ---------------------------------------------------------------- rt_mutex (rtmutex.c, chain.c) */

void rqk_rt_mutex_init(struct rqk_rt_mutex *lock, struct rqpi_task *owner);

static inline struct rqk_blocked rqk_blocked_on(const struct rqpi_task *task)
    RQK_REQUIRES(task->pi_lock)
{
	return (struct rqk_blocked){task->blocked_on ? task->blocked_on->lock : NULL,
				    task->waiter.times};
}

static inline struct rqpi_task *rqk_rt_owner(const struct rqk_rt_mutex *lock)
{
	return (struct rqpi_task *)(rqb_load_bits(&lock->owner) & ~RQK_HAS_WAITERS);
}

static inline bool rqk_rt_has_flag(const struct rqk_rt_mutex *lock)
{
	return (rqb_load_bits(&lock->owner) & RQK_HAS_WAITERS) != 0;
}

static inline struct rqk_waiter *rqk_rt_top(const struct rqk_rt_mutex *lock)
{
	struct rqb_node *node = rqb_tree_first(&lock->waiters);

	return node ? rqb_entry(node, struct rqk_waiter, tree) : NULL;
}

static inline struct rqk_waiter *rqk_top_pi_waiter(const struct rqpi_task *task)
{
	struct rqb_node *node = rqb_tree_first(&task->pi_waiters);

	return node ? rqb_entry(node, struct rqk_waiter, pi) : NULL;
}

/* How a waiter gets into and out of the trees, with its keys. Used by rtmutex.c and chain.c. */
void rqk_enqueue(struct rqk_rt_mutex *lock, struct rqk_waiter *waiter)
    RQK_REQUIRES(lock->wait_lock);
void rqk_dequeue(struct rqk_rt_mutex *lock, struct rqk_waiter *waiter)
    RQK_REQUIRES(lock->wait_lock);
void rqk_enqueue_pi(struct rqpi_task *owner, struct rqk_waiter *waiter)
    RQK_REQUIRES(owner->pi_lock);
void rqk_dequeue_pi(struct rqpi_task *owner, struct rqk_waiter *waiter)
    RQK_REQUIRES(owner->pi_lock);

/*
 * Try to make @task the owner: of a free lock for which nobody waits, which waits for @task first
 * (then
 * @waiter is its waiter, and is taken off), or whose waiters are all strictly less urgent.
 */
bool rqk_try_to_take(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqpi_task *task,
		     struct rqk_waiter *waiter) RQK_REQUIRES(lock->wait_lock);

/*
 * rt_mutex_start_proxy_lock(), with the lock held: 1 @task owns it; 0 it is queued; -EDEADLK: it
 * is queued, and rqk_remove_waiter() is up to the caller. Lets go of wait_lock in between.
 */
int rqk_start_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqpi_task *task,
			 struct rqk_wakes *wakes) RQK_REQUIRES(lock->wait_lock);

/* The other task that was queued by proxy: wake it if @lock is waiting for it to come. */
void rqk_wake_if_next(struct rqk_rt_mutex *lock, struct rqpi_task *task, struct rqk_wakes *wakes)
    RQK_REQUIRES(lock->wait_lock);

/*
 * rt_mutex_wait_proxy_lock(): sleep until @self owns @lock, or for the first reason not to. @err:
 * such a reason that is known already (it only counts if the lock cannot be had at once), or 0.
 */
int rqk_wait_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock,
			const struct rqpi_deadline *deadline, bool interruptible, int err);

/* After a failed wait: false if @self turns out to own it. */
bool rqk_cleanup_proxy_lock(struct rqpi_task *self, struct rqk_rt_mutex *lock);

/* @waiter, which is queued, gives up. Lets go of wait_lock in between. */
void rqk_remove_waiter(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqk_waiter *waiter,
		       struct rqk_wakes *wakes) RQK_REQUIRES(lock->wait_lock);

/* Without waiting; with wait_lock held. */
bool rqk_trylock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock)
    RQK_REQUIRES(lock->wait_lock);

/*
 * @self, the owner, unlocks: the top waiter is woken to take it, @self no longer inherits from
 * it. The port is told of @self's new priority by the caller, with rqk_settle_prio(), once the
 * waiter has been woken: a task that loses its priority first could be kept from waking anybody.
 */
void rqk_unlock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock, struct rqk_wakes *wakes)
    RQK_REQUIRES(lock->wait_lock);
void rqk_settle_prio(struct rqpi_task *self);

/* Lock and unlock without proxy, uninterruptible: for exit_lock and the embedder. */
int rqk_lock_rt(struct rqpi_task *self, struct rqk_rt_mutex *lock,
		const struct rqpi_deadline *deadline, bool interruptible);
void rqk_unlock_rt_mutex(struct rqpi_task *self, struct rqk_rt_mutex *lock);

/* What a walk of the chain is for, chain.c. */
struct rqk_walk {
	struct rqpi_task *self;		/* who is running */
	struct rqpi_task *task;		/* where it starts, with a reference that the walk drops */
	bool detect;			/* go on to the end, and answer -EDEADLK for a cycle */
	struct rqk_rt_mutex *orig_lock; /* what is to be locked, or was left */
	struct rqk_blocked next;	/* what @task was blocked on */
	struct rqk_waiter *orig_waiter; /* whose blocking is the reason, or NULL */
	struct rqpi_task *top_task;	/* whose blocking is the reason */
	struct rqk_wakes *wakes;
};
int rqk_adjust_prio_chain(struct rqk_walk *walk);

/* ---------------------------------------------------------------- PI futexes (pi.c, pi_state.c) */

/* One PI futex that @task wants, as LOCK_PI and CMP_REQUEUE_PI see it. */
struct rqk_pi_target {
	struct rqpi_task *self; /* who is running */
	struct rqpi_task *task; /* who is to own it */
	uint32_t *uaddr;
	struct rqpi_key key;
	struct rqk_bucket *hb;
	bool set_waiters;	   /* others are going to wait for it */
	struct rqpi_task *exiting; /* out, -EBUSY: who is just exiting, with a reference */
};

/*
 * futex_lock_pi_atomic(): 1 @task owns it; 0 it is attached to the PI state and has to wait;
 * -EAGAIN, -EBUSY, -EFAULT (let go of the bucket, wait or fault in, come again); -EDEADLK,
 * -ESRCH, -EPERM, -EINVAL.
 */
int rqk_lock_pi_atomic(struct rqk_pi_target *t) RQK_REQUIRES(t->hb->lock);

/* Wait until @t->exiting is done, and drop it. No lock held. */
void rqk_wait_for_exit(struct rqk_pi_target *t);

/*
 * pi_state.c: attach @t->task's q to the PI state there is, or to a new one whose owner the word
 * names.
 */
int rqk_attach_to_pi_state(struct rqk_pi_target *t, uint32_t uval, struct rqk_pi_state *ps)
    RQK_REQUIRES(t->hb->lock);
int rqk_attach_to_pi_owner(struct rqk_pi_target *t, uint32_t uval) RQK_REQUIRES(t->hb->lock);
/* ... or to one whose owner is @owner, who is known to sleep. */
void rqk_attach_new(struct rqk_pi_target *t, struct rqpi_task *owner) RQK_REQUIRES(t->hb->lock);
void rqk_attach(struct rqk_futex_q *q, struct rqk_pi_state *ps);
void rqk_detach(struct rqk_futex_q *q);
void rqk_set_pi_owner(struct rqk_pi_state *ps, struct rqpi_task *owner)
    RQK_REQUIRES(ps->lock.wait_lock);

/*
 * fixup_owner(): after a wait that ended with @locked, make the word and the PI state agree with
 * who owns the rt_mutex. 1: @self owns it (perhaps only now); 0: it does not; -EFAULT. The bucket
 * is let go of in between if the word faults.
 */
int rqk_fixup_owner(struct rqpi_task *self, uint32_t *uaddr, struct rqk_bucket *hb, bool locked)
    RQK_REQUIRES(hb->lock);

/* ---------------------------------------------------------------- operations */

/* What an operation was asked, decoded (dispatch.c). */
struct rqk_call {
	uint32_t *uaddr;
	uint32_t *uaddr2;
	uint32_t val;
	uint32_t val2; /* the timeout's place, as a number */
	uint32_t val3;
	bool shared;
	bool has_deadline;
	struct rqpi_deadline deadline; /* absolute; RQPI_FOREVER if there is none */
};

long rqk_wait(struct rqpi_task *self, const struct rqk_call *call, uint32_t bitset);
long rqk_wake(struct rqpi_task *self, const struct rqk_call *call, uint32_t bitset);
long rqk_wake_op(struct rqpi_task *self, const struct rqk_call *call);
long rqk_requeue_plain(struct rqpi_task *self, const struct rqk_call *call, bool compare);
long rqk_lock_pi(struct rqpi_task *self, const struct rqk_call *call, bool try);
long rqk_unlock_pi(struct rqpi_task *self, const struct rqk_call *call);
long rqk_wait_requeue_pi(struct rqpi_task *self, const struct rqk_call *call);
long rqk_cmp_requeue_pi(struct rqpi_task *self, const struct rqk_call *call);

/* The rest of an operation whose block() never returns; see rqpi_task_abandon(). */
long rqk_abandon_requeue(struct rqpi_task *self);
long rqk_abandon_lock(struct rqpi_task *self);
long rqk_abandon_exit(struct rqpi_task *self);

/* waitwake.c: take @self out of the queue it is in. False: somebody has woken it already. */
bool rqk_leave(struct rqpi_task *self);

/*
 * waitwake.c: compare the word and queue @self, or say why not. On 0 the bucket is no longer
 * held.
 */
long rqk_wait_setup(struct rqpi_task *self, const struct rqk_call *call);
/* Wake one plain waiter: it is unqueued, and does not belong to us any more. */
void rqk_wake_q(struct rqk_bucket *hb, struct rqk_futex_q *q, struct rqk_wakes *wakes)
    RQK_REQUIRES(hb->lock);
/* The word, bringing its page in. 0 or -EFAULT. No lock held. */
int rqk_read_word(struct rqpi_engine *e, uint32_t *uaddr, uint32_t *val);

/* requeue_state.c: see the table there. */
bool rqk_requeue_claim(struct rqpi_task *self, struct rqk_futex_q *q);
void rqk_requeue_finish(struct rqpi_task *self, struct rqk_futex_q *q, enum rqk_requeue_state end);
enum rqk_requeue_state rqk_requeue_leave(struct rqpi_task *self, struct rqk_bucket *hb);
void rqk_requeue_begin(struct rqk_futex_q *q);
bool rqk_requeue_edge(enum rqk_requeue_state from, enum rqk_requeue_state to, bool requeuer);

/* exit.c, for the robust list: wake one plain waiter of the shared key of @uaddr. */
void rqk_wake_one_shared(struct rqpi_task *self, uint32_t *uaddr);

#endif /* RQK_H */
