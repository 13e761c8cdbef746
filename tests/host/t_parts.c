/* SPDX-License-Identifier: MIT */
/*
 * t_parts.c - parts of the host port by themselves, linked with the static library: mappings, raw
 * locks, the trace, and what happens when it cannot go on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <regex.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "src/host/rqh.h"

static void watchdog(void)
{
	alarm(60);
}

static int setup(void **state)
{
	(void)state;
	watchdog();
	return 0;
}

/* ---------------------------------------------------------------- mappings */

static void compare_at(int fd, uintptr_t addr)
{
	struct rqh_mapping query = {.start = 0};
	struct rqh_mapping text = {.start = 0};
	int a = rqh_find_mapping_by_query(fd, addr, &query);
	int b = rqh_find_mapping_in_text(fd, addr, &text);

	assert_int_equal(a, b);
	if (a == 0)
		assert_memory_equal(&query, &text, sizeof(query));
}

/* All of this process's mappings, and what is between them. */
static void the_text_and_the_ioctl_say_the_same(void **state)
{
	uintptr_t at[512];
	struct rqh_mapping map;
	int fd = rqh_open_maps();
	int n = 0;
	char line[600];
	FILE *f = fopen("/proc/self/maps", "r");

	(void)state;
	if (getenv("RQT_EMULATOR")) {
		print_message("# SKIP the_text_and_the_ioctl_say_the_same: "
			      "the emulator has a text of its own\n");
		skip();
	}
	assert_true(fd >= 0 && f);
	if (rqh_find_mapping_by_query(fd, (uintptr_t)line, &map) == -ENOTTY) {
		print_message("# SKIP the_text_and_the_ioctl_say_the_same: no PROCMAP_QUERY\n");
		skip();
	}
	while (n < 510 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &at[n], &at[n + 1]) == 2)
			n += 2;
	fclose(f);
	assert_in_range(n, 10, 512);
	for (int i = 0; i < n; i++) {
		/* The page that old programs call for the time is the kernel's. */
		if (!rqh_user_range(rqh_host, (void *)at[i]))
			continue;
		compare_at(fd, at[i]);
		compare_at(fd, at[i] - 4);
		compare_at(fd, at[i] + 2048);
	}
	compare_at(fd, 0);
	close(fd);
}

static void a_long_map_file_is_read_to_its_end(void **state)
{
	const size_t page = 4096;
	char *area = mmap(NULL, 2048 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rqh_mapping map;
	int fd = rqh_open_maps();

	(void)state;
	if (getenv("RQT_EMULATOR")) {
		print_message("# SKIP a_long_map_file_is_read_to_its_end: "
			      "the emulator has a text of its own\n");
		skip();
	}
	/* Every other page is another mapping. */
	for (size_t i = 0; i < 2048; i += 2)
		assert_int_equal(mprotect(area + i * page, page, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < 2048; i += 97) {
		assert_int_equal(rqh_find_mapping_in_text(fd, (uintptr_t)area + i * page, &map), 0);
		assert_int_equal(map.start, (uintptr_t)area + i * page);
		assert_int_equal(map.writable, i % 2 == 0);
		assert_false(map.shared);
	}
	munmap(area, 2048 * page);
	assert_int_equal(rqh_find_mapping_in_text(fd, (uintptr_t)area, &map), -EFAULT);
	close(fd);
}

/* ---------------------------------------------------------------- raw locks */

#define TURNS 100000

static struct rqpi_rawlock lock;
static uint64_t counter;

static void *count_under_the_lock(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		if (i % 4 == 0) {
			while (!rqh_trylock(rqh_host, &lock))
				rqh_relax(rqh_host);
		} else {
			rqh_lock(rqh_host, &lock);
		}
		counter++;
		rqh_unlock(rqh_host, &lock);
	}
	return NULL;
}

static void a_raw_lock_excludes(void **state)
{
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, count_under_the_lock, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(counter, 4 * TURNS);
	assert_int_equal(lock.word[0], 0);
}

static uint32_t holding;
static uint32_t may_die;

static void *die_with_the_lock(void *arg)
{
	(void)arg;
	rqh_lock(rqh_host, &lock);
	rqb_store_rel(&holding, 1);
	while (!rqb_load_acq(&may_die))
		usleep(300);
	return NULL;
}

static void *let_it_die(void *arg)
{
	(void)arg;
	usleep(100000);
	rqb_store_rel(&may_die, 1);
	return NULL;
}

static uint64_t broken(void)
{
	struct rqpi_host_stats stats = {.size = sizeof(stats)};

	rqpi_get_host_stats(&stats);
	return stats.broken_locks;
}

/* Dead before we come, and while we wait. What is said of it goes into a file. */
static void a_lock_of_a_dead_thread_is_taken_over_and_told_once(void **state)
{
	static const char told[] =
	    "rqpi: a thread died inside the engine; its lock was taken over\n";
	uint64_t before = broken();
	int saved = dup(STDERR_FILENO);
	int file = memfd_create("stderr", MFD_CLOEXEC);
	char text[256] = "";

	(void)state;
	if (lock.word[0] != 0 || rqh_trylock(rqh_host, &lock))
		rqh_unlock(rqh_host, &lock);
	dup2(file, STDERR_FILENO);
	for (int during = 0; during < 2; during++) {
		pthread_t t;
		pthread_t other;

		rqb_store_rel(&holding, 0);
		rqb_store_rel(&may_die, 0);
		pthread_create(&t, NULL, die_with_the_lock, NULL);
		while (!rqb_load_acq(&holding))
			usleep(300);
		if (during) {
			pthread_create(&other, NULL, let_it_die, NULL);
		} else {
			rqb_store_rel(&may_die, 1);
			pthread_join(t, NULL);
		}
		rqh_lock(rqh_host, &lock);
		rqh_unlock(rqh_host, &lock);
		if (during) {
			pthread_join(other, NULL);
			pthread_join(t, NULL);
		}
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(broken() - before, 2);
	assert_int_equal(lock.word[0], 0);
	assert_int_equal(pread(file, text, sizeof(text) - 1, 0), strlen(told));
	assert_string_equal(text, told);
	close(file);
}

/* ---------------------------------------------------------------- the trace */

struct lines {
	int count;
	int odd;
	int states;
	int requeued;
	regex_t layout;
};

static void take_line(void *arg, const char *line)
{
	struct lines *l = arg;

	l->count++;
	if (regexec(&l->layout, line, 0, NULL, 0) != 0) {
		print_message("# odd: %s\n", line);
		l->odd++;
	}
	l->states += strstr(line, " : lookup_pi_state: a new pi state") != NULL;
	l->requeued += strstr(line, " : futex_requeue: ") != NULL;
}

static uint32_t condvar;
static uint32_t mutex;

static void *wait_requeue(void *arg)
{
	*(long *)arg = rqpi_futex(&condvar, RQPI_FUTEX_WAIT_REQUEUE_PI | RQPI_FUTEX_PRIVATE, 0,
				  NULL, &mutex, 0);
	if (*(long *)arg == 0)
		*(long *)arg = rqpi_futex(&mutex, RQPI_FUTEX_UNLOCK_PI | RQPI_FUTEX_PRIVATE, 0,
					  NULL, NULL, 0);
	return NULL;
}

static void the_trace_reads_as_those_of_2009(void **state)
{
	struct lines lines = {.count = 0};
	long results[2];
	pthread_t t[2];

	(void)state;
	assert_int_equal(regcomp(&lines.layout,
				 "^[^ ]+-[0-9]+ [0-9]+\\.\\.\\.\\. [0-9]+us : [a-z_0-9]+: .+$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	assert_int_equal(
	    rqpi_futex(&mutex, RQPI_FUTEX_LOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, wait_requeue, &results[i]);
	/* Both moved, in however many turns they come. */
	for (int moved = 0; moved < 2;) {
		long ret = rqpi_futex(&condvar, RQPI_FUTEX_CMP_REQUEUE_PI | RQPI_FUTEX_PRIVATE, 1,
				      (const void *)(uintptr_t)8, &mutex, 0);

		assert_true(ret >= 0);
		moved += (int)ret;
		usleep(500);
	}
	assert_int_equal(
	    rqpi_futex(&mutex, RQPI_FUTEX_UNLOCK_PI | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(results[i], 0);
	}
	rqpi_host_trace(take_line, &lines);
	regfree(&lines.layout);
	assert_int_equal(lines.odd, 0);
	assert_true(lines.count >= 10);
	assert_int_equal(lines.states, 1);
	assert_true(lines.requeued >= 2);
}

/* ---------------------------------------------------------------- no way on */

static uint32_t never;

static void call_from_a_handler(int sig)
{
	(void)sig;
	rqpi_futex(&never, RQPI_FUTEX_WAKE | RQPI_FUTEX_PRIVATE, 1, NULL, NULL, 0);
}

static void child_calls_where_it_must_not(void)
{
	struct sigaction sa = {.sa_handler = call_from_a_handler};

	sigaction(SIGALRM, &sa, NULL);
	ualarm(50000, 0);
	rqpi_futex(&never, RQPI_FUTEX_WAIT | RQPI_FUTEX_PRIVATE, 0, NULL, NULL, 0);
	_exit(0);
}

static void child_breaks_an_assertion(void)
{
	rqpi_futex(&never, RQPI_FUTEX_WAKE | RQPI_FUTEX_PRIVATE, 1, NULL, NULL, 0);
	rqh_panic(rqh_host, "one == two", "some_file.c", 12);
}

static void panics_saying(void (*body)(void), const char *what)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);
	char text[1024] = "";
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(file, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		alarm(20);
		body();
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	close(file);
	assert_non_null(strstr(text, what));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_panic_says_what_and_where_and_aborts(void **state)
{
	(void)state;
	panics_saying(child_breaks_an_assertion, "rqpi: panic: one == two (some_file.c:12)");
}

static void a_handler_that_calls_without_the_option_is_told_so(void **state)
{
	(void)state;
	panics_saying(child_calls_where_it_must_not, "needs RQPI_HOST_DEFER_SIGNALS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_text_and_the_ioctl_say_the_same, setup),
	    cmocka_unit_test_setup(a_long_map_file_is_read_to_its_end, setup),
	    cmocka_unit_test_setup(a_raw_lock_excludes, setup),
	    cmocka_unit_test_setup(a_lock_of_a_dead_thread_is_taken_over_and_told_once, setup),
	    cmocka_unit_test_setup(the_trace_reads_as_those_of_2009, setup),
	    cmocka_unit_test_setup(a_panic_says_what_and_where_and_aborts, setup),
	    cmocka_unit_test_setup(a_handler_that_calls_without_the_option_is_told_so, setup),
	};
	const struct rqpi_host_options options = {
	    .size = sizeof(options),
	    .flags = RQPI_HOST_TRACE,
	};

	if (rqpi_host_start(&options) != 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
