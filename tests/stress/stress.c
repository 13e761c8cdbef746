/* SPDX-License-Identifier: MIT */
/*
 * stress.c - the long run: threads that wait, time out, are interrupted and cancelled, are
 * signalled with and without the mutex, lose their condvar under their feet, and fork. No lost
 * wakeup, no hang.
 *
 * Environment: RQPI_STRESS_SECONDS (default 5), RQPI_STRESS_SEED, RQPI_STRESS_OFF="cancel fork
 * fifo". Exit status: 0 nothing found, 1 a finding (on stdout, with every thread's state).
 */
#define _GNU_SOURCE
#include "tests/stress/stress.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct stress_totals totals;
_Atomic bool stress_stop;

/*
 * AddressSanitizer cannot follow the unwinding of a cancelled thread; ThreadSanitizer's own locks
 * may be held by a thread that is cancelled asynchronously, and its memory does not survive fork
 * with threads.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NEVER "cancel fork"
#elif __has_feature(address_sanitizer)
#define NEVER "cancel"
#endif
#elif defined(__SANITIZE_THREAD__)
#define NEVER "cancel fork"
#elif defined(__SANITIZE_ADDRESS__)
#define NEVER "cancel"
#endif
#ifndef NEVER
#define NEVER ""
#endif

bool stress_does(const char *what)
{
	const char *off = getenv("RQPI_STRESS_OFF");

	return !strstr(NEVER, what) && (!off || !strstr(off, what));
}

void stress_fail(const char *format, ...)
{
	static _Atomic bool failing;
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (!atomic_exchange(&failing, true)) {
		printf("FAILED: %s\n", text);
		rqt_print_states();
		fflush(stdout);
	}
	_exit(1);
}

unsigned int stress_random(uint64_t *state, unsigned int n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(*state >> 33) % n;
}

static void do_nothing(int sig)
{
	(void)sig;
}

static void on_end(int sig)
{
	(void)sig;
	atomic_store(&stress_stop, true);
}

static void set_handler(int sig, void (*handler)(int))
{
	struct sigaction sa = {.sa_handler = handler};

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static long number(const char *name, long otherwise)
{
	const char *env = getenv(name);

	return env && *env ? strtol(env, NULL, 10) : otherwise;
}

/* Ends the rounds when the time is over, and the program if they do not end then. */
static void keep_time(struct rqt_thread *t)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)t->value * 1000000000;

	while (rqt_now_ns(CLOCK_MONOTONIC) < end)
		rqt_sleep_ms(50);
	atomic_store(&stress_stop, true);
	while (rqt_now_ns(CLOCK_MONOTONIC) < end + (int64_t)60 * 1000000000) {
		rqt_sleep_ms(20);
		if (atomic_load(&rqt_main_thread.done))
			return;
	}
	stress_fail("HANG: the run did not end");
}

static void print_totals(long seconds, uint64_t seed)
{
	struct rqpi_cond_stats s = {.size = sizeof(s)};

	rqpi_get_cond_stats(&s);
	printf(
	    "stress: %ld s, seed %llu, %lu rounds, %lu waits, %lu signals, %lu broadcasts, %lu "
	    "released, "
	    "%lu timeouts, %lu interrupts, %lu cancels, %lu condvars remade, %lu items, %lu forks; "
	    "window wakes %llu, late wakes %llu, double wakes %llu, forwarded %llu; "
	    "0 lost wakeups, 0 hangs\n",
	    seconds, (unsigned long long)seed, totals.rounds, totals.waits, totals.signals,
	    totals.broadcasts, totals.released, totals.timeouts, totals.interrupts, totals.cancels,
	    totals.remade, totals.items, totals.forks, (unsigned long long)s.window_wakes,
	    (unsigned long long)s.late_wakes, (unsigned long long)s.double_wakes,
	    (unsigned long long)s.forwarded);
}

int main(void)
{
	long seconds = number("RQPI_STRESS_SECONDS", 5);
	uint64_t seed = (uint64_t)number("RQPI_STRESS_SEED",
					 (long)(rqt_now_ns(CLOCK_REALTIME) % 1000000));
	static const char *const parts[] = {"cancel", "fork", "fifo"};
	static struct rqt_thread timer;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("stress: seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!stress_does(parts[i]))
			printf(
			    "stress: SKIP %s: switched off, or not possible under this sanitizer\n",
			    parts[i]);
	set_handler(SIGUSR1, do_nothing);
	set_handler(SIGINT, on_end);
	timer.body = keep_time;
	timer.value = (int)seconds;
	rqt_start(&timer, 0);
	stress_pool_start(seed);
	stress_rounds(seed);
	stress_pool_stop();
	atomic_store(&rqt_main_thread.done, true);
	rqt_join_within(&timer, 5000);
	print_totals(seconds, seed);
	return 0;
}
