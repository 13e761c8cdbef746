/* SPDX-License-Identifier: MIT */
/*
 * ends.c - scenarios of the engine alone: tasks that end, or become another program, and what they
 * leave behind; tasks whose stack goes while they sleep.
 */
#include "sim/scenarios/edges.h"

/* ---------------------------------------------------------------- robust lists */

struct entry {
	uintptr_t next;
	uint32_t word;
	uint32_t unused;
};

/* As set_robust_list(2) has it. */
struct list {
	uintptr_t first;
	intptr_t offset;
	uintptr_t pending;
};

struct estate {
	struct list list;
	struct entry e[4];
	uint64_t space;
};
#define E RQS_PROGRAM(struct estate)

#define ITS_WORD ((intptr_t)offsetof(struct entry, word))
#define PI_BIT	 ((uintptr_t)1)
#define NOWHERE	 ((uintptr_t)16)
#define ME	 (rqs_running()->task)

/* Its robust list: @first, the pending one, where the words are. */
static void leave(uintptr_t first, uintptr_t pending, intptr_t offset)
{
	E->list = (struct list){first, offset, pending};
	rqs_ok(rqpi_task_set_robust_list(ME, &E->list, sizeof(E->list)));
}

/* The same happens at the end of a task and when it becomes another program: it lives on. */
static void become_another(void)
{
	if (!E->space)
		E->space = RQS_SPACE;
	(void)rqs_call((rqpi_task_exec(ME, ++E->space), 0));
	rqs_claim(rqpi_task_space(ME) == E->space, "a task that has become another lives there");
}

static uintptr_t entry(int i)
{
	return (uintptr_t)&E->e[i];
}

/* @word, as the only one on the list or as the pending one, becomes @after. */
static void one_word(bool pending, uintptr_t bit, uint32_t word, uint32_t after)
{
	E->e[0] = (struct entry){.next = (uintptr_t)&E->list, .word = word};
	leave(pending ? (uintptr_t)&E->list : entry(0) | bit, pending ? entry(0) | bit : 0,
	      ITS_WORD);
	become_another();
	rqs_claim(E->e[0].word == after, "the word of a dead owner, and no other, says so");
}

static void all_words(bool pending, uintptr_t bit)
{
	const uint32_t me = RQS_TID;

	one_word(pending, bit, 0, 0);
	one_word(pending, bit, me, FUTEX_OWNER_DIED);
	one_word(pending, bit, me + 1, me + 1);
	one_word(pending, bit, me | FUTEX_WAITERS, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	one_word(pending, bit, me | FUTEX_OWNER_DIED, FUTEX_OWNER_DIED);
}

static void end_with_all_words(void)
{
	all_words(false, 0);
	all_words(false, PI_BIT);
	all_words(true, 0);
	all_words(true, PI_BIT);
}

const struct rqs_scenario rqs_robust_words = {
    .name = "robust_words",
    .about = "what becomes of each kind of word of a robust list",
    .bytes = sizeof(struct estate),
    .actors = {{.fn = end_with_all_words, .prio = RQPI_PRIO_RT(10)}},
    .lies = true,
};

/* Two entries and a pending one, with something wrong in the first: what is still done? */
static void expect_words(uint32_t first, uint32_t second, uint32_t pending)
{
	become_another();
	rqs_claim(E->e[0].word == first && E->e[1].word == second && E->e[2].word == pending,
		  "a broken list is followed as far as it can be");
}

static void three_words(void)
{
	for (int i = 0; i < 3; i++)
		E->e[i] = (struct entry){.next = i ? (uintptr_t)&E->list : entry(1),
					 .word = RQS_TID};
}

static void end_with_broken_lists(void)
{
	const uint32_t me = RQS_TID;
	const uint32_t died = FUTEX_OWNER_DIED;

	three_words();
	leave(entry(0), entry(2), ITS_WORD);
	expect_words(died, died, died);
	three_words();
	leave(entry(0), entry(0), ITS_WORD); /* it comes once */
	expect_words(died, died, me);
	three_words();
	leave(entry(0), entry(2), ITS_WORD + 2); /* not aligned */
	expect_words(me, me, me);
	three_words();
	leave(entry(0), entry(2), INTPTR_MIN); /* no address of user space */
	expect_words(me, me, me);
	three_words();
	leave(entry(0), entry(2), (intptr_t)(NOWHERE - entry(0)));
	expect_words(me, me, me);
	three_words();
	/* The link behind cannot be read, the word can. */
	leave(NOWHERE, entry(2), (intptr_t)(entry(0) - NOWHERE) + ITS_WORD);
	expect_words(died, me, me);
	three_words();
	E->e[1].next = entry(0); /* in circles: it ends, and the pending one is not forgotten */
	leave(entry(0), entry(2), ITS_WORD);
	expect_words(died, died, died);
	three_words();
	rqs_ok(rqpi_task_set_robust_list(ME, (void *)NOWHERE, sizeof(E->list)));
	expect_words(me, me, me);
	rqs_ok(rqpi_task_set_robust_list(ME, NULL, sizeof(E->list)));
	expect_words(me, me, me);
	rqs_set_page(&E->e[0].word, RQS_PAGE_READ_ONLY);
	leave(entry(0), entry(2), ITS_WORD);
	expect_words(me, me, me);
}

const struct rqs_scenario rqs_robust_lists_broken = {
    .name = "robust_lists_broken",
    .about = "robust lists that are broken in every way",
    .bytes = sizeof(struct estate),
    .actors = {{.fn = end_with_broken_lists, .prio = RQPI_PRIO_RT(10)}},
    .lies = true,
};

static void wait_for_the_listed(void)
{
	const uint32_t val = (RQS_FIRST_TID + 2) | FUTEX_WAITERS;

	rqs_ok(rqs_futex(&E->e[0].word, FUTEX_WAIT, val, NULL, NULL, 0));
	rqs_claim(E->e[0].word == (FUTEX_OWNER_DIED | FUTEX_WAITERS), "woken by its owner's end");
}

static void wait_for_the_pending(void)
{
	rqs_ok(rqs_futex(&E->e[1].word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static void end_with_both(void)
{
	rqs_when(two_rest);
	E->e[0].next = (uintptr_t)&E->list;
	leave(entry(0), entry(1), ITS_WORD);
}

static void third_has_the_listed(void)
{
	E->e[0].word = (RQS_FIRST_TID + 2) | FUTEX_WAITERS;
}

const struct rqs_scenario rqs_robust_wakes = {
    .name = "robust_wakes",
    .about = "two sleep on words of a robust list, one of them pending, and its task ends",
    .bytes = sizeof(struct estate),
    .actors = {{.fn = wait_for_the_listed, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_the_pending, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_with_both, .prio = RQPI_PRIO_RT(30)}},
    .setup = third_has_the_listed,
};

static void end_with_one(void)
{
	E->e[0].next = (uintptr_t)&E->list;
	rqs_poke(E->e[0].word, RQS_TID);
	leave(entry(0), 0, ITS_WORD);
}

static void page_out_and_unmap(void)
{
	rqs_set_page(&E->e[0].word, RQS_PAGE_AWAY);
	rqs_set_page(&E->e[0].word, RQS_PAGE_NONE);
}

static void died_or_not(void)
{
	rqs_claim(E->e[0].word == RQS_FIRST_TID || E->e[0].word == FUTEX_OWNER_DIED,
		  "the word of a dead owner says so, or could not be written");
}

const struct rqs_scenario rqs_robust_page_goes = {
    .name = "robust_page_goes",
    .about = "a task ends while the page of the word on its robust list goes, for good or not",
    .bytes = sizeof(struct estate),
    .actors = {{.fn = end_with_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = page_out_and_unmap, .prio = RQPI_PRIO_RT(20)}},
    .end = died_or_not,
};

static void change_the_word(void)
{
	if (rqs_read(&E->e[0].word) != RQS_FIRST_TID)
		return;
	rqs_write(&E->e[0].word, RQS_FIRST_TID | FUTEX_WAITERS);
	rqs_write(&E->e[0].word, RQS_TID);
}

static void died_or_another(void)
{
	const uint32_t word = E->e[0].word;

	rqs_claim(word == RQS_FIRST_TID + 1 || rqb_word_owner_died(word),
		  "the word of a dead owner says so, or is another one's");
}

const struct rqs_scenario rqs_robust_word_changes = {
    .name = "robust_word_changes",
    .about = "a task ends while another one writes to the word on its robust list",
    .bytes = sizeof(struct estate),
    .actors = {{.fn = end_with_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = change_the_word, .prio = RQPI_PRIO_RT(20)}},
    .end = died_or_another,
    .lies = true,
};

/* ---------------------------------------------------------------- owners that end */

static void wait_for_one(void)
{
	long ret = wait_requeue(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->m[1]) & FUTEX_TID_MASK) == RQS_TID, "0: it owns the mutex");
	unlock(1);
}

static void just_end(void)
{
	rqs_when(first_rests);
}

static void requeue_to_the_dying(void)
{
	long ret;

	rqs_when(first_rests);
	ret = requeue(1, 0);
	rqs_claim(ret == 0 || ret == 1 || ret == -ESRCH, "CMP_REQUEUE_PI: so many, or ESRCH");
}

static void second_owns(void)
{
	own(1, 1);
}

const struct rqs_scenario rqs_requeue_to_the_dying = {
    .name = "requeue_to_the_dying",
    .about = "a waiter is requeued to a PI futex whose owner is about to end",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = just_end, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_to_the_dying, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
};

static void third_owns(void)
{
	own(2, 1);
}

static void requeue_to_the_kernel(void)
{
	rqs_when(first_rests);
	P->told = (int)requeue(1, 0);
	rqs_claim(P->told == -EPERM || P->told == -ESRCH || P->told == 0,
		  "CMP_REQUEUE_PI: EPERM, or it has left");
}

const struct rqs_scenario rqs_requeue_to_the_kernel = {
    .name = "requeue_to_the_kernel",
    .about = "a waiter is requeued to a word that names a thread of the kernel",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_to_the_kernel, .prio = RQPI_PRIO_RT(30)},
	       {.fn = just_end, .prio = RQPI_PRIO_RT(10), .kernel = true}},
    .setup = third_owns,
};

/* Its tid stays the same, and is that of a task in another address space from then on. */
static void become_another_twice(void)
{
	(void)rqs_call((rqpi_task_exec(ME, RQS_SPACE + 1), 0));
	(void)rqs_call((rqpi_task_exec(ME, RQS_SPACE + 2), 0));
}

static void lock_what_it_had(void)
{
	long ret = lock(1);

	rqs_claim(!ret || ret == -EPERM || ret == -ESRCH, "LOCK_PI: got it, EPERM or ESRCH");
	if (!ret)
		rqs_claim(rqb_word_owner_died(rqs_read(&P->m[1])), "OWNER_DIED is told");
	P->told = !ret;
	if (!ret)
		unlock(1);
}

const struct rqs_scenario rqs_owner_becomes_another = {
    .name = "owner_becomes_another",
    .about = "the owner of a PI futex becomes another program, twice, while another one locks it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_what_it_had, .prio = RQPI_PRIO_RT(20)},
	       {.fn = become_another_twice, .prio = RQPI_PRIO_RT(10)}},
    .setup = second_owns,
    .unjudged = true,
};

/* The PI futex is on its robust list: the word is marked before the engine gives it away. */
static void end_with_the_listed(void)
{
	struct list *list = (struct list *)(void *)&P->head;

	rqs_when(first_rests);
	*list = (struct list){(uintptr_t)&P->link[0] | PI_BIT,
			      (intptr_t)((uintptr_t)&P->m[1] - (uintptr_t)&P->link[0]), 0};
	P->link[0] = (uintptr_t)list;
	rqs_ok(rqpi_task_set_robust_list(ME, list, sizeof(*list)));
	P->go = 1;
}

static void lock_of_the_dead(void)
{
	rqs_ok(lock(1));
	unlock(1);
}

static bool its_end_begins(void)
{
	return P->go;
}

static void lock_as_it_ends(void)
{
	rqs_when(its_end_begins);
	lock_of_the_dead();
}

const struct rqs_scenario rqs_robust_pi_owner_ends = {
    .name = "robust_pi_owner_ends",
    .about =
	"the owner of a PI futex on its robust list ends, one waits for it, one comes just then",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_of_the_dead, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_as_it_ends, .prio = RQPI_PRIO_RT(30)},
	       {.fn = end_with_the_listed, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = all_are_free,
};

/* ---------------------------------------------------------------- without a stack */

static void wait_for_flag(void)
{
	rqs_claim(!rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) || rqs_peek(P->flag),
		  "WAIT: 0 or EAGAIN");
}

static void abandon_first(void)
{
	long ret = rqs_abandon(0, true);

	rqs_claim(ret == 1 || ret == 0 || ret == -EINTR || ret == -RQPI_ERESTARTNOINTR ||
		      ret == -EAGAIN,
		  "what the operation would have returned, as if a signal had come");
}

static void raise_flag(void)
{
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) <= 1, "WAKE succeeds");
}

const struct rqs_scenario rqs_abandoned_wait = {
    .name = "abandoned_wait",
    .about = "a task loses its stack while it sleeps in WAIT",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(10)},
	       {.fn = abandon_first, .prio = RQPI_PRIO_RT(20)},
	       {.fn = raise_flag, .prio = RQPI_PRIO_RT(30)}},
};

static void wait_for_ever(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->m[1], 0);

	rqs_check_result(ret, 0, "WAIT_REQUEUE_PI");
	unlock(1);
}

static void requeue_and_unlock(void)
{
	rqs_when(first_rests);
	(void)requeue(1, 0);
	unlock(1);
}

const struct rqs_scenario rqs_abandoned_requeue = {
    .name = "abandoned_requeue",
    .about = "a task loses its stack while it waits to be requeued, or has been",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_ever, .prio = RQPI_PRIO_RT(10)},
	       {.fn = abandon_first, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_and_unlock, .prio = RQPI_PRIO_RT(30)}},
    .setup = third_owns,
};

static void requeue_to_a_free_one(void)
{
	rqs_when(first_rests);
	(void)requeue(1, INT_MAX);
}

const struct rqs_scenario rqs_abandoned_grant = {
    .name = "abandoned_grant",
    .about = "a task loses its stack while it is granted the PI futex that it waited for",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_ever, .prio = RQPI_PRIO_RT(10)},
	       {.fn = abandon_first, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_to_a_free_one, .prio = RQPI_PRIO_RT(30)}},
};

/* Shared: the one that loses its address space is alone there. */
static long shared(int op)
{
	return rqs_futex(&P->m[1], op, 0, NULL, NULL, 0);
}

static void lock_and_unlock_shared(void)
{
	rqs_ok(shared(FUTEX_LOCK_PI));
	rqs_ok(shared(FUTEX_UNLOCK_PI));
}

static bool one_was_unlocked(void)
{
	return P->go;
}

static void unlock_and_tell(void)
{
	rqs_when(first_rests);
	rqs_ok(shared(FUTEX_UNLOCK_PI));
	P->go = 1;
}

/* The address space goes with it: the word can no longer be put right. */
static void abandon_without_words(void)
{
	rqs_when(one_was_unlocked);
	(void)rqs_abandon(0, false);
}

/* The word names the one that has gone, which could not put it right: whoever has the lock does. */
static void steal(void)
{
	long ret;

	rqs_when(one_was_unlocked);
	ret = shared(FUTEX_LOCK_PI);
	rqs_claim(!ret || ret == -ESRCH, "LOCK_PI: got it, or ESRCH");
	if (ret)
		return;
	rqs_ok(shared(FUTEX_UNLOCK_PI));
}

const struct rqs_scenario rqs_abandoned_lock = {
    .name = "abandoned_lock",
    .about = "a task loses stack and address space while it is to have a lock, and is robbed",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_and_unlock_shared, .prio = RQPI_PRIO_RT(10), .space = 1},
	       {.fn = abandon_without_words, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_and_tell, .prio = RQPI_PRIO_RT(5)},
	       {.fn = steal, .prio = RQPI_PRIO_RT(30)}},
    .setup = third_owns,
};

static void lock_of_the_dying(void)
{
	long ret = lock(1);

	rqs_claim(!ret || ret == -ESRCH, "LOCK_PI: got it, or ESRCH");
	if (!ret)
		unlock(1);
}

static void nothing(void)
{
}

const struct rqs_scenario rqs_abandoned_at_an_end = {
    .name = "abandoned_at_an_end",
    .about = "a task loses its stack while it waits for the end of an owner",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_of_the_dying, .prio = RQPI_PRIO_RT(20)},
	       {.fn = abandon_first, .prio = RQPI_PRIO_RT(30)},
	       {.fn = nothing, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .unjudged = true,
};
