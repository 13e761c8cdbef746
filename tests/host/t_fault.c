/* SPDX-License-Identifier: MIT */
/*
 * t_fault.c - RQPI_HOST_CATCH_FAULTS: bad addresses are EFAULT, in every place where the engine
 * touches a program's memory, and the program's own faults are still its own.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>

#define PRIVATE RQPI_FUTEX_PRIVATE

static uint32_t *page_with(int prot)
{
	void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void no_memory_is_efault_and_waking_it_is_not(void **state)
{
	uint32_t *bad[] = {NULL, page_with(PROT_NONE), (uint32_t *)(uintptr_t)0x100000};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rqt_wait(bad[i], 0), -EFAULT);
		assert_int_equal(rqt_lock_pi(bad[i]), -EFAULT);
		assert_int_equal(rqt_unlock_pi(bad[i]), -EFAULT);
		assert_int_equal(rqt_wake(bad[i], 1), 0);
		assert_int_equal(rqt_wake_shared(bad[i], 1), -EFAULT);
	}
	rqt_check_engine();
}

/* The kernel itself is the judge of what an address of user space is. */
static void the_end_of_user_space_is_the_kernels(void **state)
{
	int efault = 0;

	(void)state;
	for (int bit = 12; bit < (int)sizeof(void *) * 8; bit++) {
		for (int off = -4096; off <= 4096; off += 4096) {
			uint32_t *word = (uint32_t *)(((uintptr_t)1 << bit) + (uintptr_t)(long)off);
			long there = rqt_raw_futex(word, RQPI_FUTEX_WAKE | PRIVATE, 1, NULL);

			assert_int_equal(rqt_wake(word, 1), there);
			efault += there == -EFAULT;
		}
	}
	/* A 64-bit kernel leaves 32-bit programs all of their addresses. */
	if (sizeof(void *) == 8)
		assert_in_range(efault, 10, 60);
}

static void read_only_words_can_be_waited_for_and_not_locked(void **state)
{
	uint32_t *word = page_with(PROT_READ | PROT_WRITE);

	(void)state;
	*word = 0;
	mprotect(word, 4096, PROT_READ);
	assert_int_equal(rqt_wait(word, 1), -EAGAIN);
	assert_int_equal(rqt_lock_pi(word), -EFAULT);
	mprotect(word, 4096, PROT_READ | PROT_WRITE);
	assert_int_equal(rqt_lock_pi(word), 0);
	mprotect(word, 4096, PROT_READ);
	assert_int_equal(rqt_lock_pi(word), -EDEADLK);
	assert_int_equal(rqt_unlock_pi(word), -EFAULT);
	mprotect(word, 4096, PROT_READ | PROT_WRITE);
	assert_int_equal(rqt_unlock_pi(word), 0);
	assert_int_equal(*word, 0);
	rqt_check_engine();
}

static void a_bad_timeout_is_efault(void **state)
{
	const struct timespec *bad = (const struct timespec *)(uintptr_t)8;
	uint32_t word = 0;

	(void)state;
	assert_int_equal(rqpi_futex(&word, RQPI_FUTEX_WAIT | PRIVATE, 0, bad, NULL, 0), -EFAULT);
	assert_int_equal(rqpi_futex(&word, RQPI_FUTEX_WAKE | PRIVATE, 0, bad, NULL, 0), 0);
}

static void beyond_the_end_of_a_file_is_efault(void **state)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)state;
	rqt_need_no_emulated_arm(__func__);
	assert_true((void *)word != MAP_FAILED);
	assert_int_equal(rqt_wait(word, 0), -EFAULT);
	assert_int_equal(rqt_wake_shared(word, 1), -EFAULT);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(rqt_wait(word, 1), -EAGAIN);
	assert_int_equal(rqt_wake_shared(word, 1), 0);
	munmap(word, 4096);
	close(fd);
}

/* ---------------------------------------------------------------- somebody else's fault */

static _Atomic int caught;
static uint32_t *faulty;

static void mend(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig != SIGSEGV || info->si_addr != faulty)
		_exit(9);
	mprotect(faulty, 4096, PROT_READ | PROT_WRITE);
	atomic_fetch_add(&caught, 1);
}

static int child_with_its_own_handler(void)
{
	struct sigaction sa = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};

	rqt_in_child();
	faulty = page_with(PROT_NONE);
	sigaction(SIGSEGV, &sa, NULL);
	/* The engine's next call finds a handler that is not its own. */
	if (rqt_wait(NULL, 0) != -EFAULT || atomic_load(&caught) != 0)
		return 1;
	*(volatile uint32_t *)faulty = 7;
	if (atomic_load(&caught) != 1 || *faulty != 7)
		return 2;
	/* Its fault inside the engine is the engine's again, and not mended. */
	mprotect(faulty, 4096, PROT_NONE);
	if (rqt_wait(faulty, 7) != -EFAULT || atomic_load(&caught) != 1)
		return 3;
	return 0;
}

static int child_without_handler(void)
{
	rqt_in_child();
	signal(SIGSEGV, SIG_DFL);
	if (rqt_wait(NULL, 0) != -EFAULT)
		return 1;
	*(volatile uint32_t *)page_with(PROT_NONE) = 1;
	return 2;
}

static void in_child(int (*body)(void), int expected)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), expected);
}

static void a_programs_own_faults_reach_its_own_handler(void **state)
{
	(void)state;
	rqt_need_no_emulated_arm(__func__);
	in_child(child_with_its_own_handler, 0);
}

static void a_fault_that_nobody_handles_ends_the_program(void **state)
{
	(void)state;
	in_child(child_without_handler, 256 + SIGSEGV);
}

/* ---------------------------------------------------------------- memory that comes and goes */

#define FLIPS 3000

static void body_flip(struct rqt_thread *t)
{
	for (int i = 0; i < FLIPS; i++) {
		mprotect(t->arg, 4096, PROT_NONE);
		mprotect(t->arg, 4096, PROT_READ | PROT_WRITE);
	}
}

static void a_page_that_comes_and_goes_breaks_nothing(void **state)
{
	uint32_t *word = page_with(PROT_READ | PROT_WRITE);
	struct rqt_thread t = {.body = body_flip, .arg = word};
	long ret;

	(void)state;
	rqt_need_no_emulated_arm(__func__);
	*word = 0;
	rqt_start(&t, 0);
	while (!atomic_load(&t.done)) {
		ret = rqt_lock_pi(word);
		assert_true(ret == 0 || ret == -EFAULT || ret == -EDEADLK);
		ret = rqt_unlock_pi(word);
		assert_true(ret == 0 || ret == -EFAULT || ret == -EPERM);
	}
	rqt_join(&t);
	if (*word)
		assert_int_equal(rqt_unlock_pi(word), 0);
	rqt_check_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(no_memory_is_efault_and_waking_it_is_not),
	    RQT_CASE(the_end_of_user_space_is_the_kernels),
	    RQT_CASE(read_only_words_can_be_waited_for_and_not_locked),
	    RQT_CASE(a_bad_timeout_is_efault),
	    RQT_CASE(beyond_the_end_of_a_file_is_efault),
	    RQT_CASE(a_programs_own_faults_reach_its_own_handler),
	    RQT_CASE(a_fault_that_nobody_handles_ends_the_program),
	    RQT_CASE(a_page_that_comes_and_goes_breaks_nothing),
	};

	rqt_host_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
