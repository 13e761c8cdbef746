/* SPDX-License-Identifier: MIT */
/*
 * processes.c - scenarios of two processes: memory that both have mapped, and fork. A process is an
 * address space and the library's variables in it.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

struct program {
	rqpi_mutex_t m;
	rqpi_cond_t c;
	struct rqs_room room;
	uint32_t word;
	int go;
	int served;
	int died;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word words[] = {
    RQS_WORD(struct program, m, RQS_MUTEX),	RQS_WORD(struct program, c, RQS_COND),
    RQS_WORD(struct program, room, RQS_NUMBER), RQS_WORD(struct program, word, RQS_NUMBER),
    RQS_WORD(struct program, go, RQS_NUMBER),	RQS_WORD(struct program, served, RQS_NUMBER),
    RQS_WORD(struct program, died, RQS_NUMBER), {NULL, 0, RQS_NUMBER},
};

/* ---------------------------------------------------------------- both halves, process-shared */

static void make(int robust)
{
	rqpi_mutexattr_t mattr;
	rqpi_condattr_t cattr;

	rqs_ok(rqpi_mutexattr_init(&mattr));
	rqs_ok(rqpi_mutexattr_setpshared(&mattr, RQPI_PROCESS_SHARED));
	rqs_ok(rqpi_mutexattr_setrobust(&mattr, robust));
	rqs_ok(rqpi_mutex_init(&P->m, &mattr));
	rqs_ok(rqpi_condattr_init(&cattr));
	rqs_ok(rqpi_condattr_setpshared(&cattr, RQPI_PROCESS_SHARED));
	rqs_ok(rqpi_cond_init(&P->c, &cattr));
}

static void make_shared(void)
{
	make(RQPI_STALLED);
}

static void make_shared_robust(void)
{
	make(RQPI_ROBUST);
}

static void lock_once(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_enter(&P->room);
	P->served++;
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void both_were_served(void)
{
	rqs_claim(P->m.u32_[0] == 0 && P->served == 2, "both have been inside, and it is free");
}

const struct rqs_scenario rqs_shared_lockers = {
    .name = "shared_lockers",
    .about = "a process-shared mutex, locked once by a task in each of two processes",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = lock_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(20), .space = 1}},
    .setup = make_shared,
    .end = both_were_served,
};

static void wait_for_go(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_for_go_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = 0;

	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go && !err)
		err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_held(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void mutex_is_free(void)
{
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_shared_signal = {
    .name = "shared_signal",
    .about = "process-shared mutex and condvar: one waits, one in another process signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10), .space = 1}},
    .setup = make_shared,
    .end = mutex_is_free,
};

/* The first one may find nobody, one that has just joined, or one asleep. */
static void signal_before_and_held(void)
{
	rqs_ok(rqpi_cond_signal(&P->c));
	signal_held();
}

const struct rqs_scenario rqs_shared_two_signals = {
    .name = "shared_two_signals",
    .about = "as shared_signal, and another signal comes before, without the mutex",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_before_and_held, .prio = RQPI_PRIO_RT(10), .space = 1}},
    .setup = make_shared,
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_shared_timed_wait = {
    .name = "shared_timed_wait",
    .about = "as shared_signal, and the waiter's time may come at any moment",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20), .space = 1},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_shared,
    .end = mutex_is_free,
};

static void broadcast_held(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_shared_broadcast = {
    .name = "shared_broadcast",
    .about = "process-shared: one waits in each of two processes, one broadcasts",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30), .space = 1},
	       {.fn = broadcast_held, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_shared,
    .end = mutex_is_free,
    .deep = true,
};

/* Released waiters may still have the kernel look at it; it says that nothing is there. */
static void broadcast_and_unmap(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	rqs_ok(rqpi_cond_destroy(&P->c));
	rqs_unmapped(&P->c, sizeof(P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_shared_unmapped = {
    .name = "shared_unmapped",
    .about = "process-shared: broadcast, destroyed and unmapped under the mutex, while one waits",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = broadcast_and_unmap, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_shared,
    .end = mutex_is_free,
};

static void owned(int err)
{
	rqs_claim(!err || err == EOWNERDEAD, "robust: 0 or EOWNERDEAD");
	if (err)
		rqs_ok(rqpi_mutex_consistent(&P->m));
}

static void wait_robust(void)
{
	owned(rqpi_mutex_lock(&P->m));
	while (!P->go)
		owned(rqpi_cond_wait(&P->c, &P->m));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_robust_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = 0;

	owned(rqpi_mutex_lock(&P->m));
	while (!P->go && err != ETIMEDOUT) {
		err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
		if (err != ETIMEDOUT)
			owned(err);
	}
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_robust(void)
{
	owned(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void no_owner_in_the_end(void)
{
	rqs_claim((P->m.u32_[0] & FUTEX_TID_MASK) == 0, "nobody has the mutex in the end");
}

const struct rqs_scenario rqs_shared_waiter_killed = {
    .name = "shared_waiter_killed",
    .about = "process-shared and robust: who waits may be killed at any moment, another signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_robust, .prio = RQPI_PRIO_RT(20), .space = 1, .may_be_killed = true},
	       {.fn = signal_robust, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_shared_robust,
    .end = no_owner_in_the_end,
};

const struct rqs_scenario rqs_shared_signaller_killed = {
    .name = "shared_signaller_killed",
    .about = "process-shared and robust: the signaller may be killed at any moment",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_robust_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_robust, .prio = RQPI_PRIO_RT(10), .space = 1, .may_be_killed = true}},
    .setup = make_shared_robust,
    .end = no_owner_in_the_end,
};

/* ---------------------------------------------------------------- private words of two spaces */

static void wait_privately(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->word, FUTEX_WAIT_BITSET_PRIVATE, 0, &late, NULL,
			     FUTEX_BITSET_MATCH_ANY);

	rqs_claim(ret == -ETIMEDOUT || ret == -EAGAIN, "a wake-up in another process is not ours");
}

static void wake_privately(void)
{
	rqs_write(&P->word, 1);
	rqs_is(rqs_futex(&P->word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	rqs_is(rqs_futex(&P->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
	rqs_is(rqs_futex(&P->word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (const void *)(intptr_t)INT_MAX,
			 (uint32_t *)&P->go, 1),
	       0);
}

const struct rqs_scenario rqs_private_words_apart = {
    .name = "private_words_apart",
    .about = "private WAIT and WAKE on one word in two processes: two futexes",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_privately, .prio = RQPI_PRIO_RT(20), .space = 1},
	       {.fn = wake_privately, .prio = RQPI_PRIO_RT(10)}},
};

static void lock_word_of_a_stranger(void)
{
	long ret = 0;

	if (!rqb_cas_acq(&P->word, 0, RQS_TID))
		ret = rqs_futex(&P->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	/* EPERM: it is owned by a task of another process, which may have ended since. */
	rqs_claim(!ret || ret == -EPERM || ret == -ESRCH,
		  "private LOCK_PI of a stranger's word: free, or refused");
	if (ret)
		return;
	rqs_claim(!(rqs_read(&P->word) & FUTEX_OWNER_DIED), "no owner of this futex has died");
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	do
		ret = rqs_futex(&P->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_check_result(ret, 0, "FUTEX_UNLOCK_PI");
}

const struct rqs_scenario rqs_private_word_of_a_stranger = {
    .name = "private_word_of_a_stranger",
    .about = "two processes lock one word with private operations: the second is refused",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = lock_word_of_a_stranger, .prio = RQPI_PRIO_RT(20), .space = 1},
	       {.fn = lock_word_of_a_stranger, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- fork */

static void fork_and_unlock(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_enter(&P->room);
	rqs_fork(2);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

/* It continues the thread that called fork, and so has its copy of what that had locked. */
static void unlock_the_copy(void)
{
	rqs_leave(&P->room);
	rqs_is(rqpi_mutex_trylock(&P->m), EBUSY);
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_claim(P->m.u32_[0] == 0, "nobody waits for the copy of the child");
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_claim((P->m.u32_[0] & FUTEX_TID_MASK) == RQS_TID, "the child locks in its own name");
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_fork_with_the_mutex = {
    .name = "fork_with_the_mutex",
    .about = "one forks with a mutex held which another one waits for: the child owns its copy",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = fork_and_unlock, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_the_copy, .prio = RQPI_PRIO_RT(30), .space = 1, .forked = true}},
    .own_memory = true,
    .end = mutex_is_free,
};

static void fork_and_signal(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_fork(2);
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

/* Whoever waited in the parent is not here; the condvar is of use all the same. */
static void use_the_copies(void)
{
	struct timespec late = rqs_someday(0);
	int err;

	rqs_claim(!P->go, "what the parent does afterwards is not seen here");
	rqs_ok(rqpi_cond_signal(&P->c));
	err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(err == ETIMEDOUT, "nobody signals in the child");
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_claim(P->m.u32_[0] == 0, "the child's copy of the mutex is free in the end");
}

const struct rqs_scenario rqs_fork_with_a_waiter = {
    .name = "fork_with_a_waiter",
    .about =
	"one forks with the mutex held while another waits on the condvar; the child uses both",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = fork_and_signal, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = use_the_copies, .prio = RQPI_PRIO_RT(30), .space = 1, .forked = true}},
    .own_memory = true,
    .end = mutex_is_free,
};
