/* SPDX-License-Identifier: MIT */
/*
 * support.c - see support.h. Used by every test program of the user half.
 */
#define _GNU_SOURCE
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "src/host/rawcall.h"

#define THREADS_MAX 1024

#define EMULATORS_FUTEX 202 /* on x86-64 */

struct rqt_thread rqt_main_thread;

static struct rqt_thread *_Atomic known[THREADS_MAX];
static _Atomic int known_count;

int64_t rqt_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct timespec rqt_in_ms(clockid_t clock, long ms)
{
	int64_t at = rqt_now_ns(clock) + (int64_t)ms * 1000000;
	struct timespec ts = {(time_t)(at / 1000000000), (long)(at % 1000000000)};

	return ts;
}

void rqt_sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) != 0)
		;
}

static void short_pause(void)
{
	const struct timespec ts = {0, 200000};

	nanosleep(&ts, NULL);
}

bool rqt_reaches(const _Atomic int *flag, int value, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;

	while (atomic_load(flag) < value) {
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			return false;
		short_pause();
	}
	return true;
}

static void say_done(void *arg)
{
	struct rqt_thread *t = arg;

	atomic_store(&t->done, true);
}

static void *thread_entry(void *arg)
{
	struct rqt_thread *t = arg;

	rqt_hook_adopt(&t->hook);
	atomic_store(&t->tid, gettid());
	pthread_cleanup_push(say_done, t);
	t->body(t);
	pthread_cleanup_pop(1);
	return NULL;
}

static int create(struct rqt_thread *t, int prio)
{
	struct sched_param param = {.sched_priority = prio};
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	if (prio > 0) {
		pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
		pthread_attr_setschedparam(&attr, &param);
	}
	err = pthread_create(&t->handle, &attr, thread_entry, t);
	pthread_attr_destroy(&attr);
	return err;
}

void rqt_start(struct rqt_thread *t, int prio)
{
	int slot = atomic_fetch_add(&known_count, 1) % THREADS_MAX;
	int err;

	atomic_store(&known[slot], t);
	err = create(t, prio);
	if (err != 0)
		fail_msg("cannot create a thread of priority %d: %s", prio, strerror(err));
	while (atomic_load(&t->tid) == 0)
		short_pause();
}

static void forget(struct rqt_thread *t)
{
	for (int i = 0; i < THREADS_MAX; i++)
		if (atomic_load(&known[i]) == t)
			atomic_store(&known[i], NULL);
}

bool rqt_join_within(struct rqt_thread *t, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;
	void *ret;

	if (t->joined)
		return true;
	while (!atomic_load(&t->done)) {
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			return false;
		short_pause();
	}
	pthread_join(t->handle, &ret);
	t->cancelled = ret == PTHREAD_CANCELED;
	t->joined = true;
	forget(t);
	return true;
}

/* Read a small file of /proc; false if it is not there (any more). */
static bool read_proc(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* An emulator's threads make the calls of the machine that it runs on. */
static bool is_futex(long number)
{
	return number == (rqt_under_emulator() ? EMULATORS_FUTEX : RQH_SYS_FUTEX);
}

/* The state of @tid, as in field 3 of its stat; 0 if it has gone. */
static char task_state(pid_t tid)
{
	char path[64];
	char buf[1024];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	if (!read_proc(path, buf, sizeof(buf)))
		return '\0';
	end = strrchr(buf, ')');
	return end && end[1] ? end[2] : '\0';
}

/*
 * The futex command @tid is asleep in, or -1. proc(5): the file says "running" unless it is off its
 * CPU. So is a thread that another CPU was told to wake (state R), and on PREEMPT_RT one that
 * sleeps in the middle of the command for a lock of the kernel's own, a spinlock elsewhere (D).
 */
static int sleeping_command(pid_t tid)
{
	char path[64];
	char buf[256];
	unsigned long args[2];
	long number;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
	if (!read_proc(path, buf, sizeof(buf)) ||
	    sscanf(buf, "%ld 0x%lx 0x%lx", &number, &args[0], &args[1]) != 3 || !is_futex(number) ||
	    task_state(tid) != 'S')
		return -1;
	return (int)(args[1] & (unsigned long)FUTEX_CMD_MASK);
}

bool rqt_is_asleep(pid_t tid)
{
	return sleeping_command(tid) >= 0;
}

bool rqt_is_asleep_in(struct rqt_thread *t, int cmd)
{
	int seen = sleeping_command(atomic_load(&t->tid));

	if (rqt_hook_is_stopped(&t->hook))
		return false;
	/* The engine's sleepers sleep in a futex call of the engine's own. */
	if (seen >= 0 && rqt_on_engine())
		return rqt_hook_begun(&t->hook, cmd) > rqt_hook_ended(&t->hook, cmd);
	return seen == cmd;
}

bool rqt_tid_asleep_within(pid_t tid, const _Atomic bool *done, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;

	while (!rqt_is_asleep(tid)) {
		if ((done && atomic_load(done)) || rqt_now_ns(CLOCK_MONOTONIC) > end)
			return false;
		short_pause();
	}
	return true;
}

bool rqt_asleep_within(struct rqt_thread *t, int timeout_ms)
{
	return rqt_tid_asleep_within(atomic_load(&t->tid), &t->done, timeout_ms);
}

bool rqt_stays_asleep(struct rqt_thread *t)
{
	rqt_sleep_ms(RQT_NEVER_MS);
	return !atomic_load(&t->done) && rqt_asleep_within(t, RQT_SOON_MS);
}

long rqt_kernel_prio(pid_t tid)
{
	char path[64];
	char buf[1024];
	char *at;
	long prio;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	if (!read_proc(path, buf, sizeof(buf)))
		return 1000;
	/* Field 18; the name in field 2 may hold blanks, so count from the last bracket, field 3
	 * on. */
	at = strrchr(buf, ')');
	for (int field = 2; at && field < 18; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%ld", &prio) != 1)
		return 1000;
	return prio;
}

int rqt_kernel_policy(pid_t tid)
{
	return (int)syscall(SYS_sched_getscheduler, tid);
}

int rqt_kernel_rt_priority(pid_t tid)
{
	int priority; /* all there is in the kernel's struct sched_param */

	return syscall(SYS_sched_getparam, tid, &priority) == 0 ? priority : -1;
}

void rqt_skip(const char *test, const char *why)
{
	print_message("# SKIP %s: %s\n", test, why);
	skip();
}

static void probe_body(struct rqt_thread *self)
{
	self->value = 1;
}

void rqt_need_fifo(const char *test)
{
	static struct rqt_thread probe;
	static int known_answer = -1;

	if (known_answer < 0) {
		probe.body = probe_body;
		known_answer = create(&probe, 1);
		if (known_answer == 0)
			pthread_join(probe.handle, NULL);
	}
	if (known_answer != 0)
		rqt_skip(test, "no right to SCHED_FIFO (root, CAP_SYS_NICE or ulimit -r 99)");
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

void rqt_need_handlers(const char *test)
{
#ifdef UNDER_TSAN
	rqt_skip(
	    test,
	    "ThreadSanitizer holds handlers back from threads in system calls it does not know");
#else
	(void)test;
#endif
}

bool rqt_under_emulator(void)
{
	return getenv("RQT_EMULATOR") != NULL;
}

void rqt_need_no_emulator(const char *test, const char *why)
{
	if (rqt_under_emulator())
		rqt_skip(test, why);
}

/* The same code passes on i386, and under the emulators of 64-bit machines. */
void rqt_need_no_emulated_arm(const char *test)
{
#ifdef __arm__
	rqt_need_no_emulator(test, "fails under qemu-arm 7.2, and we do not know why");
#else
	(void)test;
#endif
}

bool rqt_is_denied(const char *what)
{
	const char *env = getenv("RQPI_TEST_DENY");

	return env && strcmp(env, what) == 0;
}

void rqt_need_kernel(const char *test)
{
	if (rqt_on_engine())
		rqt_skip(test,
			 "stops threads inside the engine, which holds locks as a kernel does");
}

void rqt_need_undenied(const char *test, const char *what)
{
	if (rqt_is_denied(what) && !rqt_on_engine())
		rqt_skip(test, "rests on a futex operation that this run denies");
}

bool rqt_must_have_robust(void)
{
#ifdef __GLIBC__
	return !rqt_under_emulator();
#else
	return false;
#endif
}

bool rqt_has_robust(void)
{
	return (rqpi_caps() & RQPI_CAP_ROBUST) != 0;
}

#define NO_ROBUST "the C library has no robust list that rqpi can share, or the kernel none at all"

void rqt_need_robust(const char *test)
{
	if (!rqt_has_robust())
		rqt_skip(test, NO_ROBUST);
}

void rqt_program_needs_robust(void)
{
	if (rqt_has_robust())
		return;
	printf("1..0 # SKIP " NO_ROBUST "\n");
	exit(0);
}

void rqt_need_requeue_pi(const char *test)
{
	rqt_need_undenied(test, "requeue_pi");
	if (!(rqpi_caps() & RQPI_CAP_REQUEUE_PI))
		rqt_skip(test, "the kernel has no requeue_pi (U2, U3)");
}

void rqt_print_states(void)
{
	char line[160];
	int len;

	for (int i = 0; i < THREADS_MAX; i++) {
		struct rqt_thread *t = atomic_load(&known[i]);

		if (!t || atomic_load(&t->done))
			continue;
		len = snprintf(line, sizeof(line),
			       "# thread %d: futex op %d, stopped by hook: %s\n",
			       (int)atomic_load(&t->tid), sleeping_command(atomic_load(&t->tid)),
			       rqt_hook_is_stopped(&t->hook) ? "yes" : "no");
		if (write(STDOUT_FILENO, line, (size_t)len) < 0)
			return;
	}
}

/* A hang or a crash in any thread: there is no way back into cmocka from here. */
static void give_up(int sig)
{
	static const char hung[] = "Bail out! watchdog: the case did not end in time\n";
	static const char crashed[] = "Bail out! a thread touched memory it must not (SIGSEGV)\n";
	ssize_t n;

	if (sig == SIGALRM) {
		rqt_print_states();
		n = write(STDOUT_FILENO, hung, sizeof(hung) - 1);
	} else {
		n = write(STDOUT_FILENO, crashed, sizeof(crashed) - 1);
	}
	_exit(n < 0 ? 3 : 2);
}

void rqt_watchdog(void)
{
	const char *env = getenv("RQT_WATCHDOG");
	struct sigaction sa = {.sa_handler = give_up};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGALRM, &sa, NULL);
	/* cmocka's own handler would longjmp out of whichever thread crashed. */
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	alarm(env ? (unsigned int)atoi(env) : 60);
}

void rqt_in_child(void)
{
	signal(SIGALRM, SIG_DFL);
	alarm(30);
	atomic_store(&rqt_main_thread.tid, gettid());
	rqt_hook_adopt(&rqt_main_thread.hook);
}

int rqt_reap(pid_t pid, int timeout_ms)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)timeout_ms * 1000000;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (rqt_now_ns(CLOCK_MONOTONIC) > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		short_pause();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int rqt_plain_setup(void **state)
{
	(void)state;
	rqt_hook_reset();
	rqt_watchdog();
	return 0;
}

/*
 * cmocka 1.1.5 writes a skipped case as "not ok N # SKIP", which TAP readers count as a failure.
 * Pass its output on line by line and put that right. Only glibc lets a program have another
 * stdout; for the others scripts/arch_libs.sh mends cmocka itself.
 */
#ifdef __GLIBC__
static ssize_t write_tap(void *cookie, const char *buf, size_t size)
{
	const char *end = buf + size;

	(void)cookie;
	for (const char *line = buf; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		size_t len = next ? (size_t)(next + 1 - line) : (size_t)(end - line);
		size_t drop = 0;

		if (strncmp(line, "not ok ", 7) == 0 && memmem(line, len, " # SKIP ", 8))
			drop = 4;
		if (write(STDOUT_FILENO, line + drop, len - drop) < 0)
			return 0;
		line += len;
	}
	return (ssize_t)size;
}

static void mend_tap(void)
{
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_tap});

	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, 4096);
	stdout = f;
}
#else
static void mend_tap(void)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
}
#endif

void rqt_program_begin(void)
{
	const char *filter = getenv("RQT_FILTER");
	const char *want = getenv("RQPI_BACKEND");

	atomic_store(&rqt_main_thread.tid, gettid());
	rqt_hook_adopt(&rqt_main_thread.hook);
	mend_tap();
	rqpi_caps(); /* its probing shall not count as anybody's calls */
	if (want && strcmp(want, "engine") == 0 && !rqt_on_engine()) {
		printf("Bail out! RQPI_BACKEND=engine, but the futex is the kernel's\n");
		exit(1);
	}
	if (filter)
		cmocka_set_test_filter(filter);
}
