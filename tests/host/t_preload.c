/* SPDX-License-Identifier: MIT */
/*
 * t_preload.c - a program that knows nothing of rqpi, with librqpi-futex-preload.so under it: its
 * futex calls go to the engine, its other system calls to the kernel, and what it does to a
 * thread's priority is laid beneath what the thread inherits. With RQPI_FUTEX_PRELOAD_OFF=1: all
 * the kernel's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "src/host/rawcall.h"

#define SECONDS 5

static bool is_off(void)
{
	const char *env = getenv("RQPI_FUTEX_PRELOAD_OFF");

	return env && strcmp(env, "1") == 0;
}

static int setup(void **state)
{
	(void)state;
	alarm(60);
	return 0;
}

static long futex(uint32_t *word, int op, uint32_t val)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, val, NULL, NULL, 0);
}

static long kernel_wake(uint32_t *word)
{
	return rqh_syscall(SYS_futex, RQH_ARG(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

/* ---------------------------------------------------------------- system calls */

static _Atomic pid_t sleeper_tid;

static void *sleep_on(void *arg)
{
	atomic_store(&sleeper_tid, gettid());
	return (void *)futex(arg, FUTEX_WAIT, 0);
}

static void futex_calls_go_to_the_engine(void **state)
{
	uint32_t word = 0;
	long by_kernel = 0;
	long by_libc = 0;
	pthread_t t;
	void *result;

	(void)state;
	pthread_create(&t, NULL, sleep_on, &word);
	for (int i = 0; i < SECONDS * 1000 && !by_libc && !by_kernel; i++) {
		usleep(1000);
		by_kernel = kernel_wake(&word);
		if (!by_kernel && i > 20)
			by_libc = futex(&word, FUTEX_WAKE, 1);
	}
	pthread_join(t, &result);
	assert_null(result);
	assert_int_equal(by_kernel, is_off());
	assert_int_equal(by_libc, !is_off());
}

static void errors_are_told_as_libc_does(void **state)
{
	uint32_t word = 0;

	(void)state;
	errno = 0;
	assert_int_equal(futex(&word, FUTEX_WAIT, 1), -1);
	assert_int_equal(errno, EAGAIN);
	errno = 0;
	assert_int_equal(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 7;
	assert_int_equal(futex(&word, FUTEX_WAKE, 1), 0);
	assert_int_equal(errno, 7);
}

static void other_calls_go_to_the_kernel_with_all_arguments(void **state)
{
	char from[] = "six arguments";
	char to[sizeof(from)] = "";
	int end[2];

	(void)state;
	assert_int_equal(syscall(SYS_getpid), getpid());
	errno = 0;
	assert_int_equal(syscall(SYS_write, -1, from, 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(pipe(end), 0);
	assert_int_equal(write(end[1], from, sizeof(from)), sizeof(from));
	assert_int_equal(syscall(SYS_read, end[0], to, sizeof(to)), sizeof(from));
	assert_string_equal(to, from);
	/* The sixth has to be right here: a file is mapped from its second page on. */
	{
		FILE *f = tmpfile();
		char *page;

		assert_int_equal(ftruncate(fileno(f), 8192), 0);
		assert_int_equal(pwrite(fileno(f), "second", 7, 4096), 7);
		page = (char *)syscall(SYS_mmap, NULL, 4096L, 1L, 2L, (long)fileno(f), 4096L);
		assert_string_equal(page, "second");
		syscall(SYS_munmap, page, 4096);
		fclose(f);
	}
	close(end[0]);
	close(end[1]);
}

/* ---------------------------------------------------------------- priorities */

static long kernel_prio(pid_t tid)
{
	char path[64];
	char text[1024];
	const char *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	at = strrchr(text, ')');
	for (int field = 2; at && field < 18; field++)
		at = strchr(at + 1, ' ');
	return at ? atol(at) : 1000;
}

static uint32_t lock;
static _Atomic int stage;

static void *own_it(void *arg)
{
	(void)arg;
	if (futex(&lock, FUTEX_LOCK_PI, 0) != 0)
		return (void *)1;
	atomic_store(&sleeper_tid, gettid());
	atomic_store(&stage, 1);
	while (atomic_load(&stage) != 2)
		usleep(300);
	if (futex(&lock, FUTEX_UNLOCK_PI, 0) != 0)
		return (void *)2;
	atomic_store(&stage, 3);
	while (atomic_load(&stage) != 4)
		usleep(300);
	return NULL;
}

static void *want_it(void *arg)
{
	const struct sched_param param = {.sched_priority = 30};

	(void)arg;
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0)
		return (void *)1;
	if (futex(&lock, FUTEX_LOCK_PI, 0) != 0)
		return (void *)2;
	return (void *)futex(&lock, FUTEX_UNLOCK_PI, 0);
}

static void reach(int value)
{
	for (int i = 0; i < SECONDS * 1000 && atomic_load(&stage) != value; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&stage), value);
}

static bool becomes(pid_t tid, long prio)
{
	for (int i = 0; i < SECONDS * 1000; i++) {
		if (kernel_prio(tid) == prio)
			return true;
		usleep(1000);
	}
	return false;
}

/* Every way there is to change the owner's priority, with a boost on top. */
static void change_beneath(pthread_t owner, pid_t tid)
{
	struct sched_param param = {.sched_priority = 10};
	int policy;

	assert_int_equal(pthread_setschedparam(owner, SCHED_FIFO, &param), 0);
	assert_int_equal(kernel_prio(tid), -31);
	assert_int_equal(pthread_setschedprio(owner, 11), 0);
	assert_int_equal(kernel_prio(tid), -31);
	assert_int_equal(pthread_getschedparam(owner, &policy, &param), 0);
	assert_int_equal(policy, SCHED_FIFO);
	assert_int_equal(param.sched_priority, 11);
	param.sched_priority = 12;
	assert_int_equal(sched_setparam(tid, &param), 0);
	assert_int_equal(kernel_prio(tid), -31);
	param.sched_priority = 35;
	assert_int_equal(sched_setscheduler(tid, SCHED_RR, &param), 0);
	assert_int_equal(kernel_prio(tid), -36);
	param.sched_priority = 0;
	assert_int_equal(sched_setscheduler(tid, SCHED_OTHER, &param), 0);
	assert_int_equal(kernel_prio(tid), -31);
	assert_int_equal(setpriority(PRIO_PROCESS, (id_t)tid, 4), 0);
	assert_int_equal(kernel_prio(tid), -31);
	assert_int_equal(sched_getscheduler(tid), SCHED_OTHER);
	assert_int_equal(sched_getparam(tid, &param), 0);
	assert_int_equal(param.sched_priority, 0);
	/* And what must not be. */
	assert_int_equal(pthread_setschedprio(owner, 12), EINVAL);
	errno = 0;
	param.sched_priority = 500;
	assert_int_equal(sched_setscheduler(tid, SCHED_FIFO, &param), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(kernel_prio(tid), -31);
}

static void own_priorities_change_beneath_the_boost(void **state)
{
	const struct sched_param param = {.sched_priority = 1};
	pthread_t owner;
	pthread_t waiter;
	void *result;
	pid_t tid;

	(void)state;
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == EPERM) {
		print_message("# SKIP own_priorities_change_beneath_the_boost: no SCHED_FIFO\n");
		skip();
	}
	pthread_setschedparam(pthread_self(), SCHED_OTHER,
			      &(struct sched_param){.sched_priority = 0});
	pthread_create(&owner, NULL, own_it, NULL);
	reach(1);
	tid = atomic_load(&sleeper_tid);
	assert_int_equal(kernel_prio(tid), 20);
	pthread_create(&waiter, NULL, want_it, NULL);
	assert_true(becomes(tid, -31));
	change_beneath(owner, tid);
	atomic_store(&stage, 2);
	reach(3);
	assert_int_equal(kernel_prio(tid), 24);
	pthread_join(waiter, &result);
	assert_null(result);
	atomic_store(&stage, 4);
	pthread_join(owner, &result);
	assert_null(result);
}

static void nice_steps_as_it_always_did(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		uint32_t word = 0;

		futex(&word, FUTEX_WAKE, 1);
		_exit(nice(3) == 3 && nice(2) == 5 && nice(0) == 5 && nice(100) == 19 &&
			      getpriority(PRIO_PROCESS, 0) == 19
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---------------------------------------------------------------- the robust list */

struct entry {
	void *next;
	uint32_t word;
};

static struct entry held;

/* Ends as no thread of libc's should: by a bare system call, with a list of its own. */
static int end_with_a_robust_list(void)
{
	static struct {
		void *first;
		long offset;
		void *pending;
	} head;

	head.first = &held;
	head.offset = offsetof(struct entry, word);
	held.next = &head;
	if (syscall(SYS_set_robust_list, &head, sizeof(head)) != 0)
		return 1;
	if (futex(&held.word, FUTEX_LOCK_PI, 0) != 0)
		return 2;
	if (held.word != (uint32_t)gettid())
		return 3;
	return 0;
}

static void *robust_body(void *arg)
{
	*(int *)arg = end_with_a_robust_list();
	syscall(SYS_exit, 0);
	return NULL;
}

static void the_robust_list_is_the_engines_too(void **state)
{
	int result = -1;
	pthread_t t;

	(void)state;
	if (getenv("RQT_EMULATOR")) {
		print_message("# SKIP the_robust_list_is_the_engines_too: "
			      "no set_robust_list(2) under the emulator\n");
		skip();
	}
	pthread_create(&t, NULL, robust_body, &result);
	pthread_join(t, NULL);
	assert_int_equal(result, 0);
	assert_int_equal(held.word, FUTEX_OWNER_DIED);
	assert_int_equal(futex(&held.word, FUTEX_LOCK_PI, 0), 0);
	assert_int_equal(held.word, FUTEX_OWNER_DIED | (uint32_t)gettid());
	assert_int_equal(futex(&held.word, FUTEX_UNLOCK_PI, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(futex_calls_go_to_the_engine, setup),
	    cmocka_unit_test_setup(errors_are_told_as_libc_does, setup),
	    cmocka_unit_test_setup(other_calls_go_to_the_kernel_with_all_arguments, setup),
	    cmocka_unit_test_setup(nice_steps_as_it_always_did, setup),
	    cmocka_unit_test_setup(the_robust_list_is_the_engines_too, setup),
	    cmocka_unit_test_setup(own_priorities_change_beneath_the_boost, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
