/* SPDX-License-Identifier: MIT */
/*
 * hosted.c - see hosted.h. Used by every test program of the host port.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>

uint32_t rqt_host_flags;
uint32_t rqt_host_max_threads;

void rqt_host_begin(void)
{
	const char *env = getenv("RQT_HOST_FLAGS");
	struct rqpi_host_options options = {.size = sizeof(options)};
	uint32_t word = 0;
	int err;

	rqt_host_flags = env ? (uint32_t)strtoul(env, NULL, 0) : 0;
	options.flags = rqt_host_flags;
	options.max_threads = rqt_host_max_threads;
	err = rqpi_host_start(&options);
	if (err != 0) {
		printf("Bail out! rqpi_host_start: %s\n", strerror(err));
		exit(2);
	}
	rqt_program_begin();
	/* The hook looks for the library at its first call, which must not be in a handler. */
	rqt_wake(&word, 1);
}

bool rqt_tid_blocked_within(pid_t tid, const _Atomic bool *done, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;

	while (!rqpi_futex_blocked(tid)) {
		if ((done && atomic_load(done)) || rqt_now_ns(CLOCK_MONOTONIC) > end)
			return false;
		usleep(200);
	}
	return true;
}

bool rqt_blocked_within(struct rqt_thread *t)
{
	return rqt_tid_blocked_within(atomic_load(&t->tid), &t->done, RQT_SOON_MS);
}

bool rqt_stays_blocked(struct rqt_thread *t)
{
	rqt_sleep_ms(RQT_NEVER_MS);
	return !atomic_load(&t->done) && rqt_blocked_within(t);
}

long rqt_wait(uint32_t *word, uint32_t val)
{
	return rqpi_futex(word, RQPI_FUTEX_WAIT | RQPI_FUTEX_PRIVATE, val, NULL, NULL, 0);
}

long rqt_wake(uint32_t *word, int nr)
{
	return rqpi_futex(word, RQPI_FUTEX_WAKE | RQPI_FUTEX_PRIVATE, (uint32_t)nr, NULL, NULL, 0);
}

long rqt_lock_pi(uint32_t *word)
{
	return rqpi_futex(word, RQPI_FUTEX_LOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0);
}

long rqt_unlock_pi(uint32_t *word)
{
	return rqpi_futex(word, RQPI_FUTEX_UNLOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0);
}

long rqt_wait_shared(uint32_t *word, uint32_t val)
{
	return rqpi_futex(word, RQPI_FUTEX_WAIT, val, NULL, NULL, 0);
}

long rqt_wake_shared(uint32_t *word, int nr)
{
	return rqpi_futex(word, RQPI_FUTEX_WAKE, (uint32_t)nr, NULL, NULL, 0);
}

long rqt_lock_pi_shared(uint32_t *word)
{
	return rqpi_futex(word, RQPI_FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

long rqt_unlock_pi_shared(uint32_t *word)
{
	return rqpi_futex(word, RQPI_FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

struct rqpi_host_stats rqt_stats(void)
{
	struct rqpi_host_stats stats = {.size = sizeof(stats)};

	assert_int_equal(rqpi_get_host_stats(&stats), 0);
	return stats;
}

void rqt_handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(sig, &sa, NULL), 0);
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	print_message("# %s\n", line);
}

void rqt_check_engine(void)
{
	assert_int_equal(rqpi_engine_check(rqpi_host_engine(), NULL, print_line, NULL), 0);
}

uint32_t *rqt_shared_page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}
