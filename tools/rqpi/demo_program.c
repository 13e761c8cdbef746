/* SPDX-License-Identifier: MIT */
/*
 * demo_program.c - rqpi-demo-program: its options, its threads and its event log.
 *
 * Run by `rqpi demo`, once as it is and once under the preload; knows nothing of either. Events go
 * to memory while an experiment runs and to standard output afterwards, so that printing disturbs
 * nobody.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "demo_program.h"

enum { WATCHDOG_S = 20, AWAIT_S = 5, STACK_BYTES = 256 * 1024 };

struct log_entry {
	uint64_t t_ns;
	int64_t arg;
	const char *count_name; /* not an event but a count of that name */
	int thread;		/* -1: not an event but the start of round arg */
	int kind;		/* enum demo_kind */
};

struct program_options options = {.cpu = -1,
				  .cpu2 = -1,
				  .waiters = 64,
				  .rounds = 1,
				  .hog_ms = 50,
				  .counter_fd = -1,
				  .realtime = true};
pthread_mutex_t mutex;
pthread_cond_t cond;

static struct log_entry *log_entries;
static unsigned int log_max;
static unsigned int log_used;
static const char *const kind_names[DEMO_KIND_COUNT] = DEMO_KIND_NAMES;

void fail(const char *what, int error)
{
	if (error)
		fprintf(stderr, "rqpi-demo-program: %s: %s\n", what, strerror(error));
	else
		fprintf(stderr, "rqpi-demo-program: %s\n", what);
	_exit(2);
}

static void check(int error, const char *what)
{
	if (error)
		fail(what, error);
}

void init_objects(void)
{
	pthread_mutexattr_t attr;

	check(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
	check(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT),
	      "pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT)");
	check(pthread_mutex_init(&mutex, &attr), "pthread_mutex_init");
	check(pthread_cond_init(&cond, NULL), "pthread_cond_init");
	pthread_mutexattr_destroy(&attr);
}

void prepare_log(unsigned int events_max)
{
	log_entries = malloc(events_max * sizeof(*log_entries));
	if (!log_entries)
		fail("no memory for the event log", ENOMEM);
	/* Touched now, so that no page fault falls into a measurement. */
	memset(log_entries, 0, events_max * sizeof(*log_entries));
	log_max = events_max;
}

static struct log_entry *next_entry(void)
{
	unsigned int i = __atomic_fetch_add(&log_used, 1, __ATOMIC_RELAXED);

	if (i >= log_max)
		fail("event log full", 0);
	return &log_entries[i];
}

void record(int thread, enum demo_kind kind, int64_t arg)
{
	struct log_entry *e = next_entry();

	e->thread = thread;
	e->kind = (int)kind;
	e->arg = arg;
	e->t_ns = now_ns();
}

void record_round(int round)
{
	struct log_entry *e = next_entry();

	e->thread = -1;
	e->arg = round;
}

void record_count(const char *name, int64_t count)
{
	struct log_entry *e = next_entry();

	e->count_name = name;
	e->arg = count;
}

void print_log(void)
{
	for (unsigned int i = 0; i < log_used; i++) {
		const struct log_entry *e = &log_entries[i];

		if (e->count_name)
			printf("%s %lld\n", e->count_name, (long long)e->arg);
		else if (e->thread < 0)
			printf("round %lld\n", (long long)e->arg);
		else
			printf("event %llu %d %s %lld\n", (unsigned long long)e->t_ns, e->thread,
			       kind_names[e->kind], (long long)e->arg);
	}
	printf("end\n");
}

void print_thread(const struct program_thread *thread)
{
	printf("thread %d %s %d\n", thread->index, thread->name,
	       options.realtime ? thread->prio : 0);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void burn_until(uint64_t end_ns)
{
	while (now_ns() < end_ns)
		;
}

void sleep_us(long us)
{
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static void *thread_main(void *arg)
{
	struct program_thread *self = arg;

	__atomic_store_n(&self->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	self->body(self);
	return NULL;
}

static void allowed_cpus(cpu_set_t *set)
{
	CPU_ZERO(set);
	CPU_SET((unsigned int)options.cpu, set);
	if (options.cpu2 >= 0)
		CPU_SET((unsigned int)options.cpu2, set);
}

void start_thread(struct program_thread *thread)
{
	struct sched_param param = {.sched_priority = options.realtime ? thread->prio : 0};
	pthread_attr_t attr;
	int error;

	thread->tid = 0;
	sem_init(&thread->go, 0, 0);
	check(pthread_attr_init(&attr), "pthread_attr_init");
	check(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), "setinheritsched");
	check(pthread_attr_setschedpolicy(&attr, options.realtime ? SCHED_FIFO : SCHED_OTHER),
	      "pthread_attr_setschedpolicy");
	check(pthread_attr_setschedparam(&attr, &param), "pthread_attr_setschedparam");
	check(pthread_attr_setstacksize(&attr, STACK_BYTES), "pthread_attr_setstacksize");
	/* The CPUs are inherited from MAIN. */
	error = pthread_create(&thread->pthread, &attr, thread_main, thread);
	if (error) {
		char text[100];

		snprintf(text, sizeof(text), "cannot create thread %d (%s)", thread->index,
			 thread->name);
		fail(text, error);
	}
	pthread_attr_destroy(&attr);
}

void join_thread(struct program_thread *thread)
{
	check(pthread_join(thread->pthread, NULL), "pthread_join");
}

void become_main(int prio)
{
	struct sched_param param = {.sched_priority = prio};
	cpu_set_t set;

	if (options.cpu >= 0) {
		allowed_cpus(&set);
		if (sched_setaffinity(0, sizeof(set), &set))
			fail("sched_setaffinity", errno);
	}
	if (options.realtime && sched_setscheduler(0, SCHED_FIFO, &param))
		fail("sched_setscheduler(SCHED_FIFO)", errno);
}

void lock_mutex(const struct program_thread *self)
{
	record(self->index, DEMO_LOCK, 0);
	check(pthread_mutex_lock(&mutex), "pthread_mutex_lock");
	record(self->index, DEMO_OWN, 0);
}

void unlock_mutex(const struct program_thread *self)
{
	record(self->index, DEMO_UNLOCK, 0);
	check(pthread_mutex_unlock(&mutex), "pthread_mutex_unlock");
}

void wait_for_go(struct program_thread *self)
{
	while (sem_wait(&self->go) && errno == EINTR)
		;
}

/*
 * The state letter of a thread, the first field after the name in parentheses; '?' when it cannot
 * be read.
 */
static char read_state(pid_t tid)
{
	char path[64];
	char text[256];
	const char *after_name;
	size_t length;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return '?';
	length = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[length] = '\0';
	after_name = strrchr(text, ')');
	return after_name && after_name[1] == ' ' ? after_name[2] : '?';
}

void await_asleep(const struct program_thread *thread)
{
	uint64_t deadline = now_ns() + AWAIT_S * 1000000000ull;
	char text[100];

	while (now_ns() < deadline) {
		pid_t tid = __atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE);

		if (tid && read_state(tid) == 'S')
			return;
		sleep_us(50);
	}
	snprintf(text, sizeof(text), "thread %d (%s) did not go to sleep", thread->index,
		 thread->name);
	fail(text, ETIMEDOUT);
}

void await_value(const int *value, int least, const char *what)
{
	uint64_t deadline = now_ns() + AWAIT_S * 1000000000ull;

	while (__atomic_load_n(value, __ATOMIC_ACQUIRE) < least) {
		if (now_ns() > deadline)
			fail(what, ETIMEDOUT);
		sleep_us(50);
	}
}

/* glibc's version; other C libraries do not say what they are. */
static const char *libc_version(void)
{
	static char text[32];
	size_t length = confstr(_CS_GNU_LIBC_VERSION, text, sizeof(text));
	const char *space = length ? strchr(text, ' ') : NULL;

	return space ? space + 1 : "unknown";
}

/*
 * The only line about rqpi in the whole program: it asks a preload, should there be one, how it
 * does.
 */
static void print_surroundings(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "rqpi_preload_active");
	int (*active)(void);

	memcpy(&active, &symbol, sizeof(active));
	printf("libc %s\n", libc_version());
	printf("preload %s\n", !symbol ? "absent" : active() == 1 ? "active" : "inactive");
}

static int parse_number(const char *text, const char *option)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > 1000000) {
		fprintf(stderr, "rqpi-demo-program: --%s: not a number: %s\n", option, text);
		exit(2);
	}
	return (int)n;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
	    {"cpu", 1, NULL, 'c'},	   {"cpu2", 1, NULL, 'd'},   {"waiters", 1, NULL, 'w'},
	    {"rounds", 1, NULL, 'r'},	   {"hog-ms", 1, NULL, 'm'}, {"counter-fd", 1, NULL, 'f'},
	    {"no-realtime", 0, NULL, 'o'}, {NULL, 0, NULL, 0},
	};
	int index = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		int *target = c == 'c'	 ? &options.cpu
			      : c == 'd' ? &options.cpu2
			      : c == 'w' ? &options.waiters
			      : c == 'r' ? &options.rounds
			      : c == 'm' ? &options.hog_ms
			      : c == 'f' ? &options.counter_fd
					 : NULL;

		if (c == '?')
			exit(2);
		if (target)
			*target = parse_number(optarg, longopts[index].name);
		else
			options.realtime = false;
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} experiments[] = {
	    {"order", run_order},
	    {"herd", run_herd},
	    {"group", run_group_inversion},
	    {"token", run_order_inversion},
	};

	parse_options(argc, argv);
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: rqpi-demo-program [OPTION...] order|herd|group|token\n");
		return 2;
	}
	/*
	 * A real-time thread that never stops takes its CPU away from everybody: never without
	 * this.
	 */
	alarm(WATCHDOG_S);
	for (size_t i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++) {
		if (!strcmp(argv[optind], experiments[i].name)) {
			print_surroundings();
			experiments[i].run();
			fflush(stdout);
			/* Threads may still wait; they end with the process. */
			_exit(0);
		}
	}
	fprintf(stderr, "rqpi-demo-program: unknown experiment: %s\n", argv[optind]);
	return 2;
}
