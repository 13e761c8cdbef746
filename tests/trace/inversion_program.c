/* SPDX-License-Identifier: MIT */
/*
 * inversion_program.c - an ordinary pthread program that plants one priority inversion, or one that
 * looks like it and is none; t_trace.py runs it under `rqpi trace` and reads the diagnosis.
 *
 * inversion_program SCENE [MS]. Its threads share one CPU:
 *
 *	HIGH  FIFO 40     lock(the_lock) ........................... has it
 *	HOG   FIFO 20     burns MS milliseconds (default 20)
 *	LOW   FIFO 10  has the_lock, and needs the CPU to unlock it
 *
 *	normal	the_lock is an ordinary mutex: HIGH waits for HOG
 *	inherit	it has PTHREAD_PRIO_INHERIT: HIGH waits for LOW alone
 *	equal	HIGH is as urgent as LOW, and less than HOG: HOG's work has to be done first anyway
 *	cond	HIGH only signals, and is held up inside of glibc's condition variable by LOW
 *	chain	HIGH waits for MID, who waits for LOW, two mutexes that inherit
 *	process	as `normal`, but HOG is a process of its own
 *	again	`normal`, five times
 *	hang	as `normal`, but LOW goes to sleep with the lock, for three seconds
 *
 * With a line "wait" as third argument it prints its PID, and begins when standard input ends.
 * Exit status 77: SCHED_FIFO is not to be had. Bounded by alarm(), and by what each thread burns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONDUCTOR = 50, HIGH = 40, MID = 30, HOG = 20, LOW = 10, SECONDS = 10 };

struct thread {
	const char *name;
	int priority;
	void (*body)(struct thread *self);
	sem_t go;
	pthread_t handle;
	pid_t tid; /* set by the thread, read by main() */
};

pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t outer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t the_cond = PTHREAD_COND_INITIALIZER;
static long hog_ms = 20;
static int posted; /* under the_lock */

/* For HOG's process, too. */
static struct {
	sem_t go;
	int ready;
	int burning;
} * shared;

static void must(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "inversion_program: %s: %s\n", what, strerror(err));
	exit(err == EPERM ? 77 : 1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void burn(long us)
{
	uint64_t end = now_ns() + (uint64_t)us * 1000;

	while (now_ns() < end)
		;
}

static void sleep_us(long us)
{
	struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

/* Not inlined: where it waits is told by name. */
static void __attribute__((noinline)) lock(pthread_mutex_t *m)
{
	must(pthread_mutex_lock(m), "pthread_mutex_lock");
}

static void unlock(pthread_mutex_t *m)
{
	must(pthread_mutex_unlock(m), "pthread_mutex_unlock");
}

static void inherit(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	must(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), "PTHREAD_PRIO_INHERIT");
	must(pthread_mutex_init(m, &attr), "pthread_mutex_init");
	pthread_mutexattr_destroy(&attr);
}

static void await_go(struct thread *self)
{
	while (sem_wait(&self->go))
		;
}

static void *run(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	__atomic_store_n(&t->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	await_go(t);
	t->body(t);
	return NULL;
}

/* Has slept since its last step: by state S, and not only for a moment. */
static void await_asleep(const struct thread *t)
{
	char path[64], text[256];

	for (int i = 0; i < 5000; i++) {
		const char *state = NULL;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
			 (int)__atomic_load_n(&t->tid, __ATOMIC_ACQUIRE));
		f = fopen(path, "re");
		if (f) {
			if (fgets(text, sizeof(text), f))
				state = strrchr(text, ')');
			fclose(f);
		}
		if (state && state[2] == 'S')
			return;
		sleep_us(200);
	}
	must(ETIMEDOUT, "a thread does not go to sleep");
}

static void await_value(const int *value, int least, const char *what)
{
	for (int i = 0; i < 25000 && __atomic_load_n(value, __ATOMIC_ACQUIRE) < least; i++)
		sleep_us(200);
	must(__atomic_load_n(value, __ATOMIC_ACQUIRE) < least ? ETIMEDOUT : 0, what);
}

static void start(struct thread *t, const char *name, int priority, void (*body)(struct thread *))
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;

	*t = (struct thread){.name = name, .priority = priority, .body = body};
	sem_init(&t->go, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	must(pthread_create(&t->handle, &attr, run, t), "a SCHED_FIFO thread");
	pthread_attr_destroy(&attr);
	await_asleep(t);
}

static void join(struct thread *t)
{
	must(pthread_join(t->handle, NULL), "pthread_join");
	sem_destroy(&t->go);
}

/* ---- bodies ---- */

static void hold(struct thread *self)
{
	lock(&the_lock);
	await_go(self); /* the others come meanwhile */
	burn(1000);
	unlock(&the_lock);
}

static void hold_long(struct thread *self)
{
	(void)self;
	lock(&the_lock);
	sleep_us(3000000);
	unlock(&the_lock);
}

static void want(struct thread *self)
{
	(void)self;
	lock(&the_lock);
	burn(100);
	unlock(&the_lock);
}

static void hog(struct thread *self)
{
	(void)self;
	__atomic_store_n(&shared->burning, 1, __ATOMIC_RELEASE);
	burn(hog_ms * 1000);
}

static void hold_outer_want(struct thread *self)
{
	(void)self;
	lock(&outer_lock);
	want(self);
	unlock(&outer_lock);
}

static void want_outer(struct thread *self)
{
	(void)self;
	lock(&outer_lock);
	unlock(&outer_lock);
}

static void wait_for_next(struct thread *self)
{
	int seen;

	(void)self;
	lock(&the_lock);
	seen = posted;
	while (posted == seen)
		pthread_cond_wait(&the_cond, &the_lock);
	unlock(&the_lock);
}

static void __attribute__((noinline)) post(struct thread *self)
{
	(void)self;
	lock(&the_lock);
	posted++;
	pthread_cond_signal(&the_cond);
	unlock(&the_lock);
}

static void post_twice(struct thread *self)
{
	post(self);
	await_go(self);
	post(self);
}

/* ---- scenes ---- */

static void go(struct thread *t)
{
	sem_post(&t->go);
}

/* main() is the most urgent of all: whom it lets go runs when main() sleeps. */
static void scene(int high, void (*low_body)(struct thread *))
{
	struct thread low_thread, hog_thread, high_thread;

	start(&low_thread, "LOW", LOW, low_body);
	start(&hog_thread, "HOG", HOG, hog);
	start(&high_thread, "HIGH", high, want);
	go(&low_thread);
	await_asleep(&low_thread); /* with the lock */
	go(&high_thread);
	await_asleep(&high_thread);
	go(&low_thread);
	go(&hog_thread);
	join(&high_thread);
	join(&hog_thread);
	join(&low_thread);
}

static void scene_normal(void)
{
	scene(HIGH, hold);
}

static void scene_again(void)
{
	for (int i = 0; i < 5; i++)
		scene(HIGH, hold);
}

static void scene_inherit(void)
{
	inherit(&the_lock);
	scene(HIGH, hold);
}

static void scene_equal(void)
{
	scene(LOW, hold);
}

static void scene_hang(void)
{
	scene(HIGH, hold_long);
}

static void scene_chain(void)
{
	struct thread low_thread, mid_thread, high_thread;

	inherit(&the_lock);
	inherit(&outer_lock);
	start(&low_thread, "LOW", LOW, hold);
	start(&mid_thread, "MID", MID, hold_outer_want);
	start(&high_thread, "HIGH", HIGH, want_outer);
	go(&low_thread);
	await_asleep(&low_thread);
	go(&mid_thread);
	await_asleep(&mid_thread);
	go(&high_thread);
	await_asleep(&high_thread);
	go(&low_thread);
	join(&high_thread);
	join(&mid_thread);
	join(&low_thread);
}

/*
 * LOW is signalled and cannot run, as HOG burns. WORKER comes to wait, in the next of the condvar's
 * groups; and to signal that one, HIGH must see that LOW has left its own.
 */
static void scene_cond(void)
{
	struct thread low_thread, hog_thread, worker, high_thread;

	inherit(&the_lock);
	start(&low_thread, "LOW", LOW, wait_for_next);
	start(&hog_thread, "HOG", HOG, hog);
	start(&worker, "WORKER", MID, wait_for_next);
	start(&high_thread, "HIGH", HIGH, post_twice);
	go(&low_thread);
	await_asleep(&low_thread);
	go(&hog_thread);
	await_value(&shared->burning, 1, "HOG does not run");
	go(&high_thread); /* posts, and sleeps again */
	await_asleep(&high_thread);
	go(&worker);
	await_asleep(&worker);
	go(&high_thread);
	join(&high_thread);
	lock(&the_lock);
	posted++; /* in case a second signal went to LOW: nobody is left behind */
	pthread_cond_broadcast(&the_cond);
	unlock(&the_lock);
	join(&worker);
	join(&low_thread);
	join(&hog_thread);
}

/* HOG's process was there before; it knows nothing of the lock. */
static pid_t hog_process;

static void start_hog_process(void)
{
	struct sched_param param = {.sched_priority = HOG};

	hog_process = fork();
	if (hog_process < 0)
		must(errno, "fork");
	if (hog_process)
		return;
	alarm(SECONDS);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		_exit(77);
	pthread_setname_np(pthread_self(), "HOG");
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	while (sem_wait(&shared->go))
		;
	burn(hog_ms * 1000);
	_exit(0);
}

static void scene_process(void)
{
	struct thread low_thread, high_thread;

	await_value(&shared->ready, 1, "HOG's process does not run");
	start(&low_thread, "LOW", LOW, hold);
	start(&high_thread, "HIGH", HIGH, want);
	go(&low_thread);
	await_asleep(&low_thread);
	go(&high_thread);
	await_asleep(&high_thread);
	go(&low_thread);
	sem_post(&shared->go);
	join(&high_thread);
	join(&low_thread);
	waitpid(hog_process, NULL, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenes[] = {
    {"normal", scene_normal}, {"inherit", scene_inherit}, {"equal", scene_equal},
    {"cond", scene_cond},     {"chain", scene_chain},	  {"process", scene_process},
    {"again", scene_again},   {"hang", scene_hang},
};

/* The last CPU of those that it may use: interrupts are more often at the first. */
static void use_one_cpu(void)
{
	cpu_set_t cpus, one;

	must(sched_getaffinity(0, sizeof(cpus), &cpus) ? errno : 0, "sched_getaffinity");
	CPU_ZERO(&one);
	for (size_t i = CPU_SETSIZE; i > 0 && !CPU_COUNT(&one); i--)
		if (CPU_ISSET(i - 1, &cpus))
			CPU_SET(i - 1, &one);
	must(sched_setaffinity(0, sizeof(one), &one) ? errno : 0, "sched_setaffinity");
}

int main(int argc, char **argv)
{
	struct sched_param param = {.sched_priority = CONDUCTOR};
	void (*run_scene)(void) = NULL;
	char byte;

	for (size_t i = 0; argc > 1 && i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (!strcmp(argv[1], scenes[i].name))
			run_scene = scenes[i].run;
	if (!run_scene) {
		fprintf(stderr, "usage: inversion_program SCENE [MS [wait]]\n");
		return 1;
	}
	if (argc > 2)
		hog_ms = strtol(argv[2], NULL, 10);
	alarm(SECONDS);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		must(errno, "mmap");
	sem_init(&shared->go, 1, 0);
	use_one_cpu();
	if (run_scene == scene_process)
		start_hog_process();
	must(sched_setscheduler(0, SCHED_FIFO, &param) ? errno : 0, "SCHED_FIFO");
	if (argc > 3) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	}
	run_scene();
	return 0;
}
