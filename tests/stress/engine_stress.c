/* SPDX-License-Identifier: MIT */
/*
 * engine_stress.c - the long run of the engine on the host port: the stress of the 2009 thread,
 * many threads in wait, signal, broadcast and unlock through requeue PI, with timeouts, signal
 * handlers, priority changes and deaths. After every call all invariants of the engine are
 * checked, by every thread for itself; mutual exclusion, lost wakeups and counts are checked by
 * the program.
 *
 * Each variant is a process of its own, since an engine is started once. Environment:
 * RQPI_STRESS_SECONDS (default 6) for all variants together, RQPI_STRESS_SEED,
 * RQPI_STRESS_VARIANT (a name, for that one alone). Exit status: 0 nothing found, 1 a finding, 2
 * cannot.
 */
#define _GNU_SOURCE
#include "tests/stress/engine_stress.h"
#include "src/base/atomic.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/host.h>

enum { EVENTS_TOLD = 400, GRACE_S = 60, TELLING_S = 30, PRIO_REFEREE = 70 };

/* A real-time thread that runs so long without sleeping is a mistake; sanitizers are slow. */
#define RUNAWAY_US 3000000

#define DEFERRING (RQPI_HOST_DEFER_SIGNALS | RQPI_HOST_CATCH_FAULTS)

static const struct es_variant variants[] = {
    {"one-bucket", 1, 0, false},	{"many-buckets", 0, 0, false},
    {"deferring", 4, DEFERRING, false}, {"fifo-one-bucket", 1, 0, true},
    {"fifo-many-buckets", 0, 0, true},	{"fifo-deferring", 4, DEFERRING, true},
};

enum { VARIANTS = (int)(sizeof(variants) / sizeof(variants[0])) };

const struct es_variant *es_variant;
struct es_totals es_totals;
_Atomic bool es_failing;
static uint32_t nobody_waits_here;

int64_t es_now_ns(int clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

unsigned int es_random(uint64_t *state, unsigned int n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(*state >> 33) % n;
}

/* ---------------------------------------------------------------- a finding */

static void print_line(void *arg, const char *line)
{
	long *skip = arg;

	if (skip && (*skip)-- > 0)
		return;
	printf("%s\n", line);
}

static void count_line(void *arg, const char *line)
{
	(void)line;
	++*(long *)arg;
}

/* What happens from here on would only push the events out that tell what happened. */
void es_stand_still(void)
{
	for (;;)
		pause();
}

void es_fail(const char *format, ...)
{
	long events = 0;
	va_list ap;

	if (atomic_exchange(&es_failing, true))
		es_stand_still();
	alarm(TELLING_S); /* if the finding is a raw lock that nobody lets go */
	va_start(ap, format);
	printf("FAILED: %s: ", es_variant->name);
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	es_print_crew();
	fflush(stdout);
	rqpi_host_trace(count_line, &events);
	printf("the last events:\n");
	events -= EVENTS_TOLD;
	rqpi_host_trace(print_line, &events);
	fflush(stdout);
	printf("the engine holds:\n");
	rqpi_engine_dump(rqpi_host_engine(), print_line, NULL);
	fflush(stdout);
	_exit(1);
}

/* ---------------------------------------------------------------- one variant */

static void on_signal(int sig)
{
	int err = errno;

	(void)sig;
	atomic_fetch_add_explicit(&es_totals.handlers, 1, memory_order_relaxed);
	/* Where handlers wait until the engine has been left, they may call it. */
	if (es_variant->flags & RQPI_HOST_DEFER_SIGNALS)
		rqpi_futex(&nobody_waits_here, RQPI_FUTEX_WAKE | RQPI_FUTEX_PRIVATE, 1, NULL, NULL,
			   0);
	errno = err;
}

static void set_handler(int sig, int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static int play(double seconds, uint64_t seed)
{
	struct rqpi_host_options options = {
	    .size = sizeof(options),
	    .flags = es_variant->flags | RQPI_HOST_TRACE,
	    .buckets = es_variant->buckets,
	};
	struct rlimit runaway = {RUNAWAY_US, RUNAWAY_US + RUNAWAY_US / 4};
	struct rqpi_host_stats stats = {.size = sizeof(stats)};
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm((unsigned int)seconds + GRACE_S);
	setrlimit(RLIMIT_RTTIME, &runaway);
	set_handler(SIGUSR1, SA_RESTART);
	set_handler(SIGUSR2, 0);
	err = rqpi_host_start(&options);
	if (err) {
		printf("engine_stress: rqpi_host_start: %s\n", strerror(err));
		return 2;
	}
	if (es_variant->fifo && rqpi_futex_setscheduler(0, SCHED_FIFO, PRIO_REFEREE)) {
		printf("engine_stress: SCHED_FIFO %d is not permitted\n", PRIO_REFEREE);
		return 2;
	}
	es_crew(seconds, seed);
	rqpi_get_host_stats(&stats);
	printf("engine_stress: %s: %.1f s, %lu phases, %lu calls, each checked: %lu checks, 0 "
	       "broken; %lu waits, %lu signals, %lu broadcasts, %lu tokens, %lu nests, %lu "
	       "timeouts, %lu EAGAIN, %lu handlers, %lu priority changes, %lu owners died; host: "
	       "%llu sleeps, %llu priorities applied, %llu refused\n",
	       es_variant->name, seconds, es_totals.phases, es_totals.calls, es_totals.checks,
	       es_totals.waits, es_totals.signals, es_totals.broadcasts, es_totals.tokens,
	       es_totals.nested, es_totals.timeouts, es_totals.interrupted, es_totals.handlers,
	       es_totals.prio_changes, es_totals.deaths, (unsigned long long)stats.sleeps,
	       (unsigned long long)stats.prio_changes, (unsigned long long)stats.prio_refused);
	if (es_totals.checks < es_totals.calls) {
		printf("FAILED: %s: not every call was followed by a check\n", es_variant->name);
		return 1;
	}
	return 0;
}

/* ---------------------------------------------------------------- all of them */

static long number(const char *name, long otherwise)
{
	const char *env = getenv(name);

	return env && *env ? strtol(env, NULL, 10) : otherwise;
}

/*
 * Why there are no threads of SCHED_FIFO; NULL: there are. Under ThreadSanitizer the referee may
 * wait for a lock of its runtime that a worker holds, while more urgent workers have all the CPUs
 * until the referee stops them. Under qemu-user a thread was seen to run without an end; likely it
 * waited for a spinlock of qemu's own whose holder it had preempted.
 */
static const char *without_fifo(void)
{
	struct sched_param before = {0}, wanted = {.sched_priority = PRIO_REFEREE};

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &wanted))
		return "SCHED_FIFO is not permitted";
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &before);
#ifdef RQB_TSAN
	return "the locks of ThreadSanitizer's runtime do not inherit priority";
#else
	return getenv("RQT_EMULATOR") ? "an emulator's own locks may not inherit priority" : NULL;
#endif
}

/* Exit status of the child, 256 + signal, or -1 when it had to be killed. */
static int reap(pid_t pid, double seconds)
{
	int64_t until = es_now_ns(CLOCK_MONOTONIC) +
			(int64_t)((seconds + GRACE_S + TELLING_S + 5) * 1e9);
	const struct timespec moment = {0, 20000000};
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (es_now_ns(CLOCK_MONOTONIC) > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nanosleep(&moment, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int run_variant(const struct es_variant *variant, double seconds, uint64_t seed)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("engine_stress: fork: %s\n", strerror(errno));
		return 2;
	}
	es_variant = variant;
	if (pid == 0) {
		status = play(seconds, seed);
		fflush(stdout);
		_exit(status);
	}
	status = reap(pid, seconds);
	if (status < 0)
		printf("FAILED: %s: HANG: had to be killed\n", variant->name);
	else if (status >= 256)
		printf("FAILED: %s: ended by signal %d (%s)\n", variant->name, status - 256,
		       strsignal(status - 256));
	return status < 0 || status >= 256 ? 1 : status;
}

int main(void)
{
	uint64_t seed = (uint64_t)number("RQPI_STRESS_SEED",
					 (long)(es_now_ns(CLOCK_REALTIME) % 1000000));
	double seconds = (double)number("RQPI_STRESS_SECONDS", 6);
	const char *only = getenv("RQPI_STRESS_VARIANT");
	const char *no_fifo = without_fifo();
	int result = 0, played = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("engine_stress: seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < VARIANTS; i++) {
		int status;

		if (only && strcmp(only, variants[i].name) != 0)
			continue;
		played++;
		if (variants[i].fifo && no_fifo) {
			printf("engine_stress: SKIP %s: %s\n", variants[i].name, no_fifo);
			continue;
		}
		status = run_variant(&variants[i], only ? seconds : seconds / VARIANTS, seed);
		result = result == 1 || !status ? result : status;
	}
	if (!played)
		printf("engine_stress: RQPI_STRESS_VARIANT=%s: no such variant\n", only);
	return played ? result : 2;
}
