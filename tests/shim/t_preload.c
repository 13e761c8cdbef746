/* SPDX-License-Identifier: MIT */
/*
 * t_preload.c - an ordinary pthread program, run with librqpi-preload.so in LD_PRELOAD.
 *
 * Knows nothing of rqpi's headers. What it asserts is POSIX, and where the preload is to make the
 * difference (order, one system call a broadcast) what glibc alone would fail.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define MAX_WAITERS 8

struct scene {
	pthread_mutex_t *m;
	pthread_cond_t *c;
	int tokens;
	int served;
	int order[MAX_WAITERS];
};

static void init_mutex(pthread_mutex_t *m, int type, bool inherit, bool robust)
{
	pthread_mutexattr_t attr;

	assert_int_equal(pthread_mutexattr_init(&attr), 0);
	assert_int_equal(pthread_mutexattr_settype(&attr, type), 0);
	if (inherit)
		assert_int_equal(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
	if (robust)
		assert_int_equal(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
	assert_int_equal(pthread_mutex_init(m, &attr), 0);
	pthread_mutexattr_destroy(&attr);
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000L;
	ts.tv_sec += ts.tv_nsec / 1000000000L;
	ts.tv_nsec %= 1000000000L;
	return ts;
}

/* Until @tid sleeps in the kernel; bounded by the test's own alarm. */
static void wait_asleep(pid_t tid)
{
	char path[64];
	char state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	for (int i = 0; i < 5000 && state != 'S'; i++) {
		FILE *f = fopen(path, "r");

		if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		usleep(1000);
	}
	assert_int_equal(state, 'S');
}

struct waiter {
	struct scene *s;
	int prio;
	pthread_t handle;
	pid_t tid;
	sem_t born;
};

static void *wait_for_token(void *arg)
{
	struct waiter *w = arg;
	struct scene *s = w->s;

	w->tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(s->m);
	sem_post(&w->born);
	while (s->tokens == 0)
		pthread_cond_wait(s->c, s->m);
	s->tokens--;
	s->order[s->served++] = w->prio;
	pthread_mutex_unlock(s->m);
	return NULL;
}

static int start(struct waiter *w, struct scene *s, int prio)
{
	struct sched_param param = {.sched_priority = prio};
	pthread_attr_t attr;
	int err;

	*w = (struct waiter){.s = s, .prio = prio};
	sem_init(&w->born, 0, 0);
	pthread_attr_init(&attr);
	if (prio) {
		pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
		pthread_attr_setschedparam(&attr, &param);
	}
	err = pthread_create(&w->handle, &attr, wait_for_token, w);
	pthread_attr_destroy(&attr);
	if (err)
		return err;
	sem_wait(&w->born);
	wait_asleep(w->tid);
	return 0;
}

static void give(struct scene *s, int tokens, int (*release)(pthread_cond_t *))
{
	pthread_mutex_lock(s->m);
	s->tokens += tokens;
	assert_int_equal(release(s->c), 0);
	pthread_mutex_unlock(s->m);
}

static void wait_served(struct scene *s, int n)
{
	for (int i = 0; i < 5000; i++) {
		int served;

		pthread_mutex_lock(s->m);
		served = s->served;
		pthread_mutex_unlock(s->m);
		if (served >= n)
			return;
		usleep(1000);
	}
	fail_msg("only some of %d waiters were served", n);
}

static void preload_is_active(void **state)
{
	int (*active)(void);

	(void)state;
	*(void **)&active = dlsym(RTLD_DEFAULT, "rqpi_preload_active");
	assert_non_null(active);
	assert_int_equal(active(), 1);
}

/* glibc alone: 20, 10, 80, since the first signal closes the group that 10 is in. */
static void signals_wake_by_priority_across_groups(void **state)
{
	pthread_mutex_t m;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct scene s = {.m = &m, .c = &c};
	struct waiter w[3];

	(void)state;
	init_mutex(&m, PTHREAD_MUTEX_NORMAL, true, false);
	if (start(&w[0], &s, 10) == EPERM) {
		print_message("%s: no right to SCHED_FIFO\n", __func__);
		skip();
	}
	assert_int_equal(start(&w[1], &s, 20), 0);
	give(&s, 1, pthread_cond_signal);
	wait_served(&s, 1);
	assert_int_equal(start(&w[2], &s, 80), 0);
	give(&s, 1, pthread_cond_signal);
	wait_served(&s, 2);
	give(&s, 1, pthread_cond_signal);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(w[i].handle, NULL), 0);
	assert_int_equal(s.order[0], 20);
	assert_int_equal(s.order[1], 80);
	assert_int_equal(s.order[2], 10);
	assert_int_equal(pthread_cond_destroy(&c), 0);
	assert_int_equal(pthread_mutex_destroy(&m), 0);
}

static void check_wait_and_bookkeeping(int type, bool inherit, bool robust)
{
	pthread_mutex_t m;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct scene s = {.m = &m, .c = &c};
	struct waiter w[4];
	struct timespec past = {1, 0};

	init_mutex(&m, type, inherit, robust);
	for (int i = 0; i < 4; i++)
		assert_int_equal(start(&w[i], &s, 0), 0);
	give(&s, 1, pthread_cond_signal);
	wait_served(&s, 1);
	give(&s, 3, pthread_cond_broadcast);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(w[i].handle, NULL), 0);
	assert_int_equal(pthread_mutex_lock(&m), 0);
	assert_int_equal(pthread_cond_timedwait(&c, &m, &past), ETIMEDOUT);
	assert_int_equal(pthread_mutex_unlock(&m), 0);
	/* Whatever the wait did inside the mutex, libc must agree that it is free. */
	assert_int_equal(m.__data.__lock, 0);
	assert_int_equal(m.__data.__nusers, 0);
	assert_int_equal(m.__data.__owner, 0);
	assert_int_equal(pthread_cond_destroy(&c), 0);
	assert_int_equal(pthread_mutex_destroy(&m), 0);
}

static void every_kind_of_mutex_waits_and_is_left_clean(void **state)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK};

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int inherit = 0; inherit < 2; inherit++)
			for (int robust = 0; robust < 2; robust++)
				check_wait_and_bookkeeping(types[i], inherit, robust);
}

static void recursive_depth_is_given_up_and_restored(void **state)
{
	pthread_mutex_t m;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct timespec at;

	(void)state;
	init_mutex(&m, PTHREAD_MUTEX_RECURSIVE, true, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_mutex_lock(&m), 0);
	at = in_ms(CLOCK_REALTIME, 5);
	assert_int_equal(pthread_cond_timedwait(&c, &m, &at), ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_mutex_unlock(&m), 0);
	assert_int_equal(pthread_mutex_unlock(&m), EPERM);
}

static int64_t ms_of(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void timed_waits_use_the_right_clock(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	pthread_mutex_t m;

	(void)state;
	init_mutex(&m, PTHREAD_MUTEX_NORMAL, true, false);
	for (int i = 0; i < 2; i++) {
		struct timespec at;
		pthread_condattr_t attr;
		pthread_cond_t c;
		struct timespec now;

		pthread_condattr_init(&attr);
		assert_int_equal(pthread_condattr_setclock(&attr, clocks[i]), 0);
		assert_int_equal(pthread_cond_init(&c, &attr), 0);
		assert_int_equal(pthread_mutex_lock(&m), 0);
		at = in_ms(clocks[i], 30);
		assert_int_equal(pthread_cond_timedwait(&c, &m, &at), ETIMEDOUT);
		clock_gettime(clocks[i], &now);
		assert_true(ms_of(now) >= ms_of(at));
		at = in_ms(clocks[1 - i], 30);
		assert_int_equal(pthread_cond_clockwait(&c, &m, clocks[1 - i], &at), ETIMEDOUT);
		clock_gettime(clocks[1 - i], &now);
		assert_true(ms_of(now) >= ms_of(at));
		at.tv_nsec = 1000000000;
		assert_int_equal(pthread_cond_timedwait(&c, &m, &at), EINVAL);
		assert_int_equal(pthread_mutex_unlock(&m), 0);
		assert_int_equal(pthread_cond_destroy(&c), 0);
	}
}

static void wait_without_the_mutex_is_refused(void **state)
{
	pthread_mutex_t m;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	(void)state;
	init_mutex(&m, PTHREAD_MUTEX_ERRORCHECK, true, false);
	assert_int_equal(pthread_cond_wait(&c, &m), EPERM);
}

struct cancelled {
	pthread_mutex_t m;
	pthread_cond_t c;
	sem_t in;
	pid_t tid;
	int unlock_result;
};

static void unlock_after_cancel(void *arg)
{
	struct cancelled *x = arg;

	x->unlock_result = pthread_mutex_unlock(&x->m);
}

static void *wait_for_ever(void *arg)
{
	struct cancelled *x = arg;

	x->tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(&x->m);
	pthread_cleanup_push(unlock_after_cancel, x);
	sem_post(&x->in);
	for (;;)
		pthread_cond_wait(&x->c, &x->m);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled_wait_owns_the_mutex_in_its_handlers(void **state)
{
	struct cancelled x = {.c = PTHREAD_COND_INITIALIZER, .unlock_result = -1};
	pthread_t t;
	void *result;

	(void)state;
	init_mutex(&x.m, PTHREAD_MUTEX_ERRORCHECK, true, false);
	sem_init(&x.in, 0, 0);
	assert_int_equal(pthread_create(&t, NULL, wait_for_ever, &x), 0);
	sem_wait(&x.in);
	wait_asleep(x.tid);
	assert_int_equal(pthread_cancel(t), 0);
	assert_int_equal(pthread_join(t, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_int_equal(x.unlock_result, 0);
	assert_int_equal(pthread_mutex_trylock(&x.m), 0);
	pthread_mutex_unlock(&x.m);
}

/* The same condvar under a PI mutex, a plain one, and a PI one again. */
static void condvar_moves_between_kinds_of_mutex(void **state)
{
	pthread_mutex_t pi;
	pthread_mutex_t plain;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	(void)state;
	init_mutex(&pi, PTHREAD_MUTEX_NORMAL, true, false);
	init_mutex(&plain, PTHREAD_MUTEX_NORMAL, false, false);
	for (int round = 0; round < 6; round++) {
		struct scene s = {.m = round % 2 ? &plain : &pi, .c = &c};
		struct waiter w[2];

		for (int i = 0; i < 2; i++)
			assert_int_equal(start(&w[i], &s, 0), 0);
		give(&s, 1, pthread_cond_signal);
		wait_served(&s, 1);
		give(&s, 1, pthread_cond_broadcast);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_join(w[i].handle, NULL), 0);
	}
	assert_int_equal(pthread_cond_destroy(&c), 0);
}

static void destroy_after_broadcast_with_the_mutex_held(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	pthread_cond_t *c = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
	pthread_mutex_t m;
	struct scene s = {.m = &m, .c = c};
	struct waiter w[MAX_WAITERS];

	(void)state;
	assert_ptr_not_equal(c, MAP_FAILED);
	init_mutex(&m, PTHREAD_MUTEX_NORMAL, true, false);
	assert_int_equal(pthread_cond_init(c, NULL), 0);
	for (int i = 0; i < MAX_WAITERS; i++)
		assert_int_equal(start(&w[i], &s, 0), 0);
	pthread_mutex_lock(&m);
	s.tokens = MAX_WAITERS;
	assert_int_equal(pthread_cond_broadcast(c), 0);
	assert_int_equal(pthread_cond_destroy(c), 0);
	assert_int_equal(munmap(c, page), 0);
	pthread_mutex_unlock(&m);
	for (int i = 0; i < MAX_WAITERS; i++)
		assert_int_equal(pthread_join(w[i].handle, NULL), 0);
}

static void process_shared_condvars_stay_libcs(void **state)
{
	struct both {
		pthread_mutex_t m;
		pthread_cond_t c;
		int tokens;
	} *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	int status;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(b, MAP_FAILED);
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setprotocol(&ma, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	assert_int_equal(pthread_mutex_init(&b->m, &ma), 0);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	assert_int_equal(pthread_cond_init(&b->c, &ca), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		pthread_mutex_lock(&b->m);
		while (!b->tokens)
			pthread_cond_wait(&b->c, &b->m);
		pthread_mutex_unlock(&b->m);
		_exit(0);
	}
	wait_asleep(pid);
	pthread_mutex_lock(&b->m);
	b->tokens = 1;
	pthread_cond_signal(&b->c);
	pthread_mutex_unlock(&b->m);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap(b, sizeof(*b));
}

/* What a program compiled against glibc 2.30 to 2.33 calls. */
static void older_clockwait_version_is_ours_too(void **state)
{
	int (*wait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct timespec at = in_ms(CLOCK_MONOTONIC, 5);
	pthread_mutex_t m;
	Dl_info info;

	(void)state;
	*(void **)&wait = dlvsym(RTLD_DEFAULT, "pthread_cond_clockwait", "GLIBC_2.30");
	if (!wait) {
		print_message("%s: this libc is older than that version\n", __func__);
		skip();
	}
	assert_int_not_equal(dladdr(*(void **)&wait, &info), 0);
	assert_non_null(strstr(info.dli_fname, "librqpi-preload"));
	init_mutex(&m, PTHREAD_MUTEX_NORMAL, true, false);
	pthread_mutex_lock(&m);
	assert_int_equal(wait(&c, &m, CLOCK_MONOTONIC, &at), ETIMEDOUT);
	pthread_mutex_unlock(&m);
}

static void fork_child_can_wait_and_signal(void **state)
{
	pthread_mutex_t m;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct scene s = {.m = &m, .c = &c};
	struct waiter w;
	int status;
	pid_t pid;

	(void)state;
	init_mutex(&m, PTHREAD_MUTEX_NORMAL, true, false);
	assert_int_equal(start(&w, &s, 0), 0); /* asleep in the parent while the child is made */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct scene own = {.m = &m, .c = &c};
		struct waiter mine;

		alarm(20);
		if (start(&mine, &own, 0) != 0)
			_exit(1);
		give(&own, 1, pthread_cond_signal);
		pthread_join(mine.handle, NULL);
		_exit(own.served == 1 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	give(&s, 1, pthread_cond_signal);
	assert_int_equal(pthread_join(w.handle, NULL), 0);
}

/* With an argument: only the cases whose name matches that pattern. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(preload_is_active),
	    cmocka_unit_test(signals_wake_by_priority_across_groups),
	    cmocka_unit_test(every_kind_of_mutex_waits_and_is_left_clean),
	    cmocka_unit_test(recursive_depth_is_given_up_and_restored),
	    cmocka_unit_test(timed_waits_use_the_right_clock),
	    cmocka_unit_test(wait_without_the_mutex_is_refused),
	    cmocka_unit_test(cancelled_wait_owns_the_mutex_in_its_handlers),
	    cmocka_unit_test(condvar_moves_between_kinds_of_mutex),
	    cmocka_unit_test(destroy_after_broadcast_with_the_mutex_held),
	    cmocka_unit_test(process_shared_condvars_stay_libcs),
	    cmocka_unit_test(older_clockwait_version_is_ours_too),
	    cmocka_unit_test(fork_child_can_wait_and_signal),
	};

	alarm(60);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
