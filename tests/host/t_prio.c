/* SPDX-License-Identifier: MIT */
/*
 * t_prio.c - inherited priorities are really applied, and taken back exactly, as proc(5) shows
 * them; a thread's own priority may change beneath; and without the right to all that locks still
 * work.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <sched.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define FIFO(n) (-1 - (n)) /* as rqt_kernel_prio() shows it */
#define NICE(n) (20 + (n))
#define DL	(-101)

/* A thread that owns a lock from its start until it is told to let it go. */
struct owner {
	uint32_t *first; /* locked before @word, if not NULL; given back after it */
	uint32_t *word;
	int nice;
	_Atomic int stage; /* 1: owns it; told by 2; 3: has let it go; told by 4 */
};

static void reach(_Atomic int *stage, int value)
{
	while (atomic_load(stage) < value)
		usleep(300);
}

static void body_own(struct rqt_thread *t)
{
	struct owner *o = t->arg;

	if (o->nice)
		setpriority(PRIO_PROCESS, (id_t)gettid(), o->nice);
	t->value = (int)(o->first ? rqt_lock_pi(o->first) : 0);
	t->value |= (int)rqt_lock_pi(o->word);
	atomic_store(&o->stage, 1);
	reach(&o->stage, 2);
	t->value |= (int)rqt_unlock_pi(o->word);
	if (o->first)
		t->value |= (int)rqt_unlock_pi(o->first);
	atomic_store(&o->stage, 3);
	reach(&o->stage, 4);
}

static void start_owner(struct rqt_thread *t, struct owner *o, int prio)
{
	t->body = body_own;
	t->arg = o;
	rqt_start(t, prio);
	assert_true(rqt_reaches(&o->stage, 1, RQT_SOON_MS));
}

static void let_go(struct owner *o)
{
	atomic_store(&o->stage, 2);
	assert_true(rqt_reaches(&o->stage, 3, RQT_SOON_MS));
}

static void end_owner(struct rqt_thread *t, struct owner *o)
{
	atomic_store(&o->stage, 4);
	rqt_join(t);
	assert_int_equal(t->value, 0);
}

static void body_lock(struct rqt_thread *t)
{
	t->value = (int)rqt_lock_pi(t->arg);
	if (t->value == 0)
		t->value = (int)rqt_unlock_pi(t->arg);
}

static void body_lock_for_a_while(struct rqt_thread *t)
{
	struct timespec at = rqt_in_ms(CLOCK_MONOTONIC, 150);

	t->value = (int)rqpi_futex(t->arg, RQPI_FUTEX_LOCK_PI2 | RQPI_FUTEX_PRIVATE, 0, &at, NULL,
				   0);
}

static void start_waiter(struct rqt_thread *t, uint32_t *word, int prio)
{
	t->body = body_lock;
	t->arg = word;
	rqt_start(t, prio);
	rqt_wait_blocked(t);
}

#define prio_of(t) rqt_kernel_prio(atomic_load(&(t)->tid))

static void a_waiter_boosts_the_owner_until_it_has_the_lock(void **state)
{
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = NULL};
	struct rqpi_host_stats before = rqt_stats();

	(void)state;
	rqt_need_fifo("a_waiter_boosts_the_owner_until_it_has_the_lock");
	start_owner(&owner, &o, 0);
	assert_int_equal(prio_of(&owner), NICE(0));
	start_waiter(&waiter, &word, 20);
	assert_int_equal(prio_of(&owner), FIFO(20));
	let_go(&o);
	assert_int_equal(prio_of(&owner), NICE(0));
	rqt_join(&waiter);
	assert_int_equal(waiter.value, 0);
	/* Up and down again, and not a call more. */
	assert_int_equal(rqt_stats().prio_changes - before.prio_changes, 2);
	assert_int_equal(rqt_stats().prio_refused, before.prio_refused);
	end_owner(&owner, &o);
	rqt_check_engine();
}

static void a_timeout_takes_the_boost_back(void **state)
{
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = body_lock_for_a_while, .arg = &word};

	(void)state;
	rqt_need_fifo("a_timeout_takes_the_boost_back");
	start_owner(&owner, &o, 7);
	rqt_start(&waiter, 30);
	rqt_wait_blocked(&waiter);
	assert_int_equal(prio_of(&owner), FIFO(30));
	rqt_join(&waiter);
	assert_int_equal(waiter.value, -ETIMEDOUT);
	assert_int_equal(prio_of(&owner), FIFO(7));
	let_go(&o);
	assert_int_equal(prio_of(&owner), FIFO(7));
	end_owner(&owner, &o);
}

static void a_boost_goes_along_the_chain(void **state)
{
	uint32_t words[3] = {0, 0, 0};
	struct owner o[3] = {{.word = &words[0]}, {.first = NULL}, {.first = NULL}};
	struct rqt_thread t[3] = {{.body = NULL}, {.body = NULL}, {.body = NULL}};
	struct rqt_thread top = {.body = NULL};

	(void)state;
	rqt_need_fifo("a_boost_goes_along_the_chain");
	start_owner(&t[0], &o[0], 0);
	/* Each owns its own and waits for the one before. */
	for (int i = 1; i < 3; i++) {
		o[i].first = &words[i];
		o[i].word = &words[i - 1];
		t[i].body = body_own;
		t[i].arg = &o[i];
		rqt_start(&t[i], i);
		rqt_wait_blocked(&t[i]);
	}
	assert_int_equal(prio_of(&t[0]), FIFO(2));
	start_waiter(&top, &words[2], 40);
	for (int i = 0; i < 3; i++)
		assert_int_equal(prio_of(&t[i]), FIFO(40));
	for (int i = 0; i < 3; i++) {
		assert_true(rqt_reaches(&o[i].stage, 1, RQT_SOON_MS));
		let_go(&o[i]);
		assert_int_equal(prio_of(&t[i]), i ? FIFO(i) : NICE(0));
	}
	rqt_join(&top);
	for (int i = 0; i < 3; i++)
		end_owner(&t[i], &o[i]);
	rqt_check_engine();
}

static void a_round_robin_owner_stays_one(void **state)
{
	const struct sched_param own = {.sched_priority = 5};
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = NULL};
	pid_t tid;

	(void)state;
	rqt_need_fifo("a_round_robin_owner_stays_one");
	start_owner(&owner, &o, 0);
	tid = atomic_load(&owner.tid);
	assert_int_equal(rqpi_futex_setscheduler(tid, SCHED_RR, own.sched_priority), 0);
	start_waiter(&waiter, &word, 20);
	assert_int_equal(rqt_kernel_policy(tid), SCHED_RR);
	assert_int_equal(rqt_kernel_rt_priority(tid), 20);
	let_go(&o);
	assert_int_equal(rqt_kernel_policy(tid), SCHED_RR);
	assert_int_equal(rqt_kernel_rt_priority(tid), 5);
	rqt_join(&waiter);
	end_owner(&owner, &o);
}

static void a_better_nice_value_is_inherited(void **state)
{
	uint32_t word = 0;
	struct owner o = {.word = &word, .nice = 12};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = NULL};

	(void)state;
	/* To take it back needs no right, to give it does. */
	rqt_need_fifo("a_better_nice_value_is_inherited");
	start_owner(&owner, &o, 0);
	assert_int_equal(prio_of(&owner), NICE(12));
	start_waiter(&waiter, &word, 0);
	assert_int_equal(prio_of(&owner), NICE(0));
	let_go(&o);
	assert_int_equal(prio_of(&owner), NICE(12));
	rqt_join(&waiter);
	end_owner(&owner, &o);
}

/* ---------------------------------------------------------------- DEADLINE */

struct deadline_attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

static void body_deadline_lock(struct rqt_thread *t)
{
	struct deadline_attr attr = {
	    .size = sizeof(attr),
	    .policy = SCHED_DEADLINE,
	    .runtime = 5000000,
	    .deadline = 50000000,
	    .period = 100000000,
	};

	if (syscall(SYS_sched_setattr, 0, &attr, 0) != 0) {
		t->value = -errno;
		return;
	}
	body_lock(t);
}

static void a_deadline_is_inherited_or_the_next_best(void **state)
{
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = body_deadline_lock, .arg = &word};
	uint64_t before = rqt_stats().deadline_as_fifo;
	long seen;

	(void)state;
	rqt_need_fifo("a_deadline_is_inherited_or_the_next_best");
	start_owner(&owner, &o, 0);
	rqt_start(&waiter, 0);
	if (!rqt_blocked_within(&waiter)) {
		let_go(&o);
		end_owner(&owner, &o);
		rqt_join(&waiter);
		rqt_skip("a_deadline_is_inherited_or_the_next_best",
			 "no SCHED_DEADLINE for a thread here");
	}
	seen = prio_of(&owner);
	if (rqt_stats().deadline_as_fifo > before)
		assert_int_equal(seen, FIFO(99));
	else
		assert_int_equal(seen, DL);
	let_go(&o);
	assert_int_equal(prio_of(&owner), NICE(0));
	rqt_join(&waiter);
	assert_int_equal(waiter.value, 0);
	end_owner(&owner, &o);
}

/* ---------------------------------------------------------------- own priorities that change */

static void an_own_priority_changes_beneath_the_inherited_one(void **state)
{
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = NULL};
	pid_t tid;

	(void)state;
	rqt_need_fifo("an_own_priority_changes_beneath_the_inherited_one");
	start_owner(&owner, &o, 10);
	tid = atomic_load(&owner.tid);
	start_waiter(&waiter, &word, 20);
	assert_int_equal(prio_of(&owner), FIFO(20));
	/* Above the boost: at once. Below: not to be seen until the boost ends. */
	assert_int_equal(rqpi_futex_setscheduler(tid, SCHED_FIFO, 33), 0);
	assert_int_equal(prio_of(&owner), FIFO(33));
	assert_int_equal(rqpi_futex_setscheduler(tid, SCHED_FIFO, 5), 0);
	assert_int_equal(prio_of(&owner), FIFO(20));
	assert_int_equal(rqpi_futex_setscheduler(tid, SCHED_OTHER, 3), 0);
	assert_int_equal(prio_of(&owner), FIFO(20));
	/* A blocked waiter's change reaches its owner. */
	assert_int_equal(rqpi_futex_setscheduler(atomic_load(&waiter.tid), SCHED_FIFO, 44), 0);
	assert_int_equal(prio_of(&owner), FIFO(44));
	assert_int_equal(rqpi_futex_setscheduler(atomic_load(&waiter.tid), SCHED_FIFO, 15), 0);
	assert_int_equal(prio_of(&owner), FIFO(15));
	let_go(&o);
	assert_int_equal(prio_of(&owner), NICE(3));
	rqt_join(&waiter);
	end_owner(&owner, &o);
	rqt_check_engine();
}

static void setscheduler_refuses_what_it_must(void **state)
{
	(void)state;
	assert_int_equal(rqpi_futex_setscheduler(0, SCHED_FIFO, 0), -EINVAL);
	assert_int_equal(rqpi_futex_setscheduler(0, SCHED_FIFO, 100), -EINVAL);
	assert_int_equal(rqpi_futex_setscheduler(0, SCHED_OTHER, 20), -EINVAL);
	assert_int_equal(rqpi_futex_setscheduler(0, SCHED_DEADLINE, 1), -EINVAL);
	assert_int_equal(rqpi_futex_setscheduler(-1, SCHED_OTHER, 0), -EINVAL);
	assert_int_equal(rqpi_futex_setscheduler(0x3ffffff0, SCHED_OTHER, 0), -ESRCH);
	assert_int_equal(rqpi_futex_setscheduler(0, SCHED_OTHER, 0), 0);
}

/* ---------------------------------------------------------------- without the right */

static _Atomic int may_go;

static void body_lock_when_told(struct rqt_thread *t)
{
	reach(&may_go, 1);
	body_lock(t);
}

static int child_without_rights(void)
{
	const struct rlimit none = {0, 0};
	uint32_t word = 0;
	struct owner o = {.word = &word};
	struct rqt_thread owner = {.body = NULL};
	struct rqt_thread waiter = {.body = body_lock_when_told, .arg = &word};
	struct rqpi_host_stats before;

	rqt_in_child();
	start_owner(&owner, &o, 0);
	rqt_start(&waiter, 20);
	setrlimit(RLIMIT_RTPRIO, &none);
	if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
		return 77;
	before = rqt_stats();
	atomic_store(&may_go, 1);
	if (!rqt_blocked_within(&waiter))
		return 1;
	if (rqt_stats().prio_refused == before.prio_refused)
		return 2;
	if (prio_of(&owner) != NICE(0))
		return 3;
	if (rqpi_futex_setscheduler(atomic_load(&owner.tid), SCHED_FIFO, 50) != -EPERM ||
	    prio_of(&owner) != NICE(0))
		return 4;
	let_go(&o);
	if (!rqt_join_within(&waiter, RQT_SOON_MS) || waiter.value != 0)
		return 5;
	end_owner(&owner, &o);
	return rqpi_engine_check(rqpi_host_engine(), NULL, NULL, NULL) == 0 ? 0 : 6;
}

static void without_the_right_the_lack_is_counted_and_locks_work(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	rqt_need_fifo("without_the_right_the_lack_is_counted_and_locks_work");
	pid = fork();
	if (pid == 0)
		_exit(child_without_rights());
	status = rqt_reap(pid, 20000);
	if (status == 77)
		rqt_skip("without_the_right_the_lack_is_counted_and_locks_work",
			 "cannot become another user here");
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_waiter_boosts_the_owner_until_it_has_the_lock),
	    RQT_CASE(a_timeout_takes_the_boost_back),
	    RQT_CASE(a_boost_goes_along_the_chain),
	    RQT_CASE(a_round_robin_owner_stays_one),
	    RQT_CASE(a_better_nice_value_is_inherited),
	    RQT_CASE(a_deadline_is_inherited_or_the_next_best),
	    RQT_CASE(an_own_priority_changes_beneath_the_inherited_one),
	    RQT_CASE(setscheduler_refuses_what_it_must),
	    RQT_CASE(without_the_right_the_lack_is_counted_and_locks_work),
	};

	rqt_host_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
