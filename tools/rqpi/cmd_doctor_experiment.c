/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_experiment.c - `rqpi doctor`: priority inheritance and the order of wake-ups, proven
 * by three threads on one CPU.
 *
 * Called by cmd_doctor.c, and by a test that asks for the wrong kind of mutex or condition
 * variable. Everything happens in a child (doctor_child(): alarm, RLIMIT_RTTIME), does bounded
 * work, and is judged by the order of events: no verdict hangs on how fast the machine is. The
 * threads have the priorities 1 to 3 and this CPU's conductor 4: whatever else the machine does in
 * real time goes before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/rqpi.h>

#include "cmd_doctor.h"

enum {
	LOW = 1, /* priorities */
	MID = 2,
	HIGH = 3,
	CONDUCTOR = 4,
	THREADS = 3,
	EXPERIMENT_SECONDS = 15,
	AWAIT_S = 3,
	BURN_MS = 10,
	SPIN_MAX_MS = 1000,
	STATUS_FAILED = 3,
};

enum event { HIGH_HAS_IT, MID_IS_DONE, EVENTS };

/* What both experiments leave for the doctor, in shared memory. */
struct outcome {
	char failure[160]; /* why it could not be made; "" it was */
	/* inheritance */
	bool held_up;	 /* HIGH got the mutex only after MID had burnt its time */
	int low_runs_at; /* LOW's priority while HIGH waits; 0: not known */
	double high_us;
	/* order */
	int served[THREADS];
	int served_count;
	/* what to do */
	enum doctor_lock lock_kind;
	enum doctor_cond cond_kind;
};

struct actor {
	int prio;
	void (*body)(struct actor *self);
	pthread_t thread;
	_Atomic pid_t tid;
};

/* Of the child: the objects, and what is told between its threads. */
static struct outcome *outcome;
static pthread_mutex_t libc_mutex;
static pthread_cond_t libc_cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static rqpi_mutex_t rqpi_mutex = RQPI_MUTEX_INITIALIZER;
static rqpi_cond_t rqpi_cond = RQPI_COND_INITIALIZER;
static _Atomic int low_has_it, released, high_tries, arrived, taken;
static _Atomic int events;
static int when[EVENTS];
static uint64_t released_ns, high_ns;
static sem_t mid_may_go;
static int tokens; /* under the mutex */

/* Any thread of the child: the experiment could not be made. */
__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->failure, sizeof(outcome->failure), format, args);
	va_end(args);
	_exit(STATUS_FAILED);
}

static void check(int error, const char *what)
{
	if (error)
		fail("%s: %s", what, strerror(error));
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pause_shortly(void)
{
	struct timespec ts = {.tv_nsec = 50000};

	nanosleep(&ts, NULL);
}

static bool on_rqpi(void)
{
	return outcome->lock_kind == DOCTOR_LOCK_RQPI;
}

static void take(sem_t *sem)
{
	while (sem_wait(sem) && errno == EINTR)
		;
}

static void lock(void)
{
	if (on_rqpi())
		check(rqpi_mutex_lock(&rqpi_mutex), "rqpi_mutex_lock");
	else if (outcome->lock_kind == DOCTOR_LOCK_SEMAPHORE)
		take(&semaphore);
	else
		check(pthread_mutex_lock(&libc_mutex), "pthread_mutex_lock");
}

static void unlock(void)
{
	if (on_rqpi())
		check(rqpi_mutex_unlock(&rqpi_mutex), "rqpi_mutex_unlock");
	else if (outcome->lock_kind == DOCTOR_LOCK_SEMAPHORE)
		sem_post(&semaphore);
	else
		check(pthread_mutex_unlock(&libc_mutex), "pthread_mutex_unlock");
}

static void wait_on_cond(void)
{
	if (outcome->cond_kind == DOCTOR_COND_RQPI)
		check(rqpi_cond_wait(&rqpi_cond, &rqpi_mutex), "rqpi_cond_wait");
	else
		check(pthread_cond_wait(&libc_cond, &libc_mutex), "pthread_cond_wait");
}

static void signal_cond(void)
{
	if (outcome->cond_kind == DOCTOR_COND_RQPI)
		check(rqpi_cond_signal(&rqpi_cond), "rqpi_cond_signal");
	else
		check(pthread_cond_signal(&libc_cond), "pthread_cond_signal");
}

static void init_lock(void)
{
	bool inherits = outcome->lock_kind == DOCTOR_LOCK_PI;
	int protocol = inherits ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE;
	pthread_mutexattr_t attr;

	sem_init(&semaphore, 0, 1);
	if (!inherits && outcome->lock_kind != DOCTOR_LOCK_PLAIN)
		return;
	check(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
	check(pthread_mutexattr_setprotocol(&attr, protocol), "pthread_mutexattr_setprotocol");
	check(pthread_mutex_init(&libc_mutex, &attr),
	      "no mutex of protocol PTHREAD_PRIO_INHERIT: pthread_mutex_init");
	pthread_mutexattr_destroy(&attr);
}

/* Threads inherit the CPU. */
static void become_conductor(void)
{
	struct sched_param param = {.sched_priority = CONDUCTOR};
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	/* The last of those that this process may use: interrupts tend to be on the first. */
	if (sched_getaffinity(0, sizeof(set), &set))
		fail("sched_getaffinity: %s", strerror(errno));
	while (cpu > 0 && !CPU_ISSET((unsigned int)cpu, &set))
		cpu--;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity: %s", strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		fail("sched_setscheduler: %s", strerror(errno));
}

static void *run_actor(void *arg)
{
	struct actor *self = arg;

	self->tid = (pid_t)syscall(SYS_gettid);
	self->body(self);
	return NULL;
}

static void start(struct actor *actor)
{
	struct sched_param param = {.sched_priority = actor->prio};
	pthread_attr_t attr;

	check(pthread_attr_init(&attr), "pthread_attr_init");
	check(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), "setinheritsched");
	check(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), "setschedpolicy");
	check(pthread_attr_setschedparam(&attr, &param), "setschedparam");
	check(pthread_create(&actor->thread, &attr, run_actor, actor), "pthread_create");
	pthread_attr_destroy(&attr);
}

/* State and priority of a thread, as proc(5) has them. Returns 0 or -1. */
static int read_stat(pid_t tid, char *state, long *prio)
{
	char path[64];
	char text[512];
	const char *after_name;
	size_t length;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	length = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[length] = '\0';
	after_name = strrchr(text, ')');
	/* State is field 3, priority field 18. */
	return after_name && sscanf(after_name,
				    ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				    "%ld",
				    state, prio) == 2
		   ? 0
		   : -1;
}

static void await(_Atomic int *value, int least, const char *what)
{
	uint64_t deadline = now_ns() + AWAIT_S * 1000000000ull;

	while (*value < least) {
		if (now_ns() > deadline)
			fail("%s within %d seconds", what, AWAIT_S);
		pause_shortly();
	}
}

static void await_asleep(struct actor *actor, const char *what)
{
	uint64_t deadline = now_ns() + AWAIT_S * 1000000000ull;
	char state = '?';
	long prio;

	for (;;) {
		if (actor->tid && read_stat(actor->tid, &state, &prio))
			fail("/proc/self/task/%d/stat cannot be read", (int)actor->tid);
		if (state == 'S')
			return;
		if (now_ns() > deadline)
			fail("%s within %d seconds", what, AWAIT_S);
		pause_shortly();
	}
}

static void note(enum event event)
{
	when[event] = ++events;
}

static void hold_the_mutex(struct actor *self)
{
	uint64_t deadline = now_ns() + SPIN_MAX_MS * 1000000ull;

	(void)self;
	lock();
	low_has_it = 1;
	while (!released && now_ns() < deadline)
		;
	unlock();
}

static void want_the_mutex(struct actor *self)
{
	(void)self;
	high_tries = 1;
	lock();
	high_ns = now_ns();
	note(HIGH_HAS_IT);
	unlock();
}

static void burn(struct actor *self)
{
	uint64_t end;

	(void)self;
	take(&mid_may_go);
	end = now_ns() + BURN_MS * 1000000ull;
	while (now_ns() < end)
		;
	note(MID_IS_DONE);
}

/*
 *	HIGH 3             lock ....................... has it
 *	MID  2                          burn burn burn
 *	LOW  1  lock spin spin spin spin unlock
 *
 * LOW is let go at the same moment as MID is. If it runs as HIGH it unlocks first.
 */
static void experiment_inheritance(void *shared)
{
	struct actor low = {.prio = LOW, .body = hold_the_mutex};
	struct actor mid = {.prio = MID, .body = burn};
	struct actor high = {.prio = HIGH, .body = want_the_mutex};
	char state;
	long prio;

	outcome = shared;
	init_lock();
	sem_init(&mid_may_go, 0, 0);
	become_conductor();
	start(&mid);
	await_asleep(&mid, "the thread in the middle did not start");
	start(&low);
	await(&low_has_it, 1, "the low thread did not get the mutex");
	start(&high);
	await(&high_tries, 1, "the high thread did not start");
	await_asleep(&high, "the high thread did not wait for the mutex");
	if (!read_stat(low.tid, &state, &prio) && prio < 0)
		outcome->low_runs_at = (int)(-1 - prio);
	released_ns = now_ns();
	released = 1;
	sem_post(&mid_may_go);
	pthread_join(high.thread, NULL);
	pthread_join(mid.thread, NULL);
	pthread_join(low.thread, NULL);
	outcome->held_up = when[HIGH_HAS_IT] > when[MID_IS_DONE];
	outcome->high_us = (double)(high_ns - released_ns) / 1000;
}

static void take_a_token(struct actor *self)
{
	lock();
	arrived++;
	while (!tokens)
		wait_on_cond();
	tokens--;
	outcome->served[outcome->served_count++] = self->prio;
	taken++;
	unlock();
}

static void send_a_token(void)
{
	int before = taken;

	lock();
	tokens++;
	signal_cond();
	unlock();
	await(&taken, before + 1, "nobody took a signal");
}

static void start_waiter(struct actor *actor)
{
	int before = arrived;

	start(actor);
	await(&arrived, before + 1, "a thread did not come to wait");
	await_asleep(actor, "a thread did not sleep in its wait");
}

/* 1 and 2 wait; a signal; 3 comes to wait; two more signals. Right is 2, 3, 1. */
static void experiment_order(void *shared)
{
	struct actor low = {.prio = LOW, .body = take_a_token};
	struct actor mid = {.prio = MID, .body = take_a_token};
	struct actor high = {.prio = HIGH, .body = take_a_token};

	outcome = shared;
	init_lock();
	become_conductor();
	start_waiter(&low);
	start_waiter(&mid);
	send_a_token();
	start_waiter(&high);
	send_a_token();
	send_a_token();
	pthread_join(low.thread, NULL);
	pthread_join(mid.thread, NULL);
	pthread_join(high.thread, NULL);
}

/* Returns 0, or -1 and why it could not be made. */
static int make(void (*experiment)(void *shared), struct outcome *o, char *why, size_t size)
{
	int error = doctor_child(experiment, o, EXPERIMENT_SECONDS, why, size);

	if (error && *o->failure)
		snprintf(why, size, "%s", o->failure);
	return error;
}

/* True if the experiment is not to be made, which has been told. */
static bool ruled_out(struct doctor *d, const char *id, const char *what)
{
	struct doctor_finding *f;

	if (!d->live) {
		doctor_add(d, id, DOCTOR_SKIPPED, "%s: not tried: --root tells of files alone",
			   what);
	} else if (!d->experiments) {
		doctor_add(d, id, DOCTOR_SKIPPED, "%s: not tried: --no-experiments", what);
	} else if (d->fifo_max < CONDUCTOR) {
		f = doctor_add(d, id, DOCTOR_UNKNOWN,
			       "%s: not tried: it takes SCHED_FIFO up to priority %d", what,
			       CONDUCTOR);
		f->needed = true;
		doctor_mend(
		    d, "sudo prlimit --pid $$ --rtprio=%d    # this shell; or: sudo rqpi doctor",
		    d->priority);
	} else {
		return false;
	}
	return true;
}

static const char *mutex_name(enum doctor_lock kind)
{
	return kind == DOCTOR_LOCK_RQPI ? "mutexes of rqpi" : "mutexes of pthreads that ask for it";
}

static void tell_inheritance(struct doctor *d, const char *id, const struct outcome *o)
{
	struct doctor_finding *f;
	const char *name = mutex_name(o->lock_kind);

	if (!o->held_up)
		f = doctor_add(d, id, DOCTOR_OK,
			       "%s inherit: while a thread of priority %d waited, the owner ran "
			       "at %d instead of %d, and one of priority %d could not hold it up",
			       name, HIGH, o->low_runs_at, LOW, MID);
	else
		f = doctor_add(d, id, DOCTOR_BAD,
			       "no inheritance with %s: while a thread of priority %d waited, the "
			       "owner ran at %d, and one of priority %d held both up",
			       name, HIGH, o->low_runs_at, MID);
	f->needed = true;
	f->data = json_object_new_object();
	json_object_object_add(f->data, "held_up", json_object_new_boolean(o->held_up));
	json_object_object_add(f->data, "owner_ran_at", json_object_new_int(o->low_runs_at));
	json_object_object_add(f->data, "waited_us", json_object_new_double(o->high_us));
	if (o->held_up)
		doctor_mend(d, "boot a kernel with CONFIG_FUTEX_PI=y and CONFIG_RT_MUTEXES=y");
}

void doctor_prove_inheritance(struct doctor *d, const char *id, enum doctor_lock kind,
			      enum doctor_lock control)
{
	static const char reason[] =
	    "The owner of a mutex has to run at the priority of the most urgent thread that waits "
	    "for it, or threads in between hold up both: priority inversion.";
	struct outcome *o, *c;
	char why[200];

	if (ruled_out(d, id, "inheritance by experiment"))
		return;
	o = doctor_share(sizeof(*o));
	c = doctor_share(sizeof(*c));
	o->lock_kind = kind;
	c->lock_kind = control;
	if (make(experiment_inheritance, c, why, sizeof(why)))
		doctor_add(d, id, DOCTOR_UNKNOWN, "not tried: the control could not be made: %s",
			   why);
	else if (!c->held_up)
		doctor_add(d, id, DOCTOR_UNKNOWN,
			   "not proven: a lock without inheritance is not held up here either, so "
			   "this cannot tell them apart");
	else if (make(experiment_inheritance, o, why, sizeof(why)))
		doctor_add(d, id, DOCTOR_UNKNOWN, "could not be tried: %s", why);
	else
		tell_inheritance(d, id, o);
	d->findings[d->count - 1].needed = true;
	d->findings[d->count - 1].why = reason;
	doctor_unshare(o, sizeof(*o));
	doctor_unshare(c, sizeof(*c));
}

static void tell_order(struct doctor *d, const char *id, const struct outcome *o,
		       enum doctor_state failing)
{
	bool right = o->served[0] == MID && o->served[1] == HIGH && o->served[2] == LOW;
	bool own = o->cond_kind == DOCTOR_COND_RQPI;
	struct doctor_finding *f;
	struct json_object *array = json_object_new_array();

	f = doctor_add(d, id, right ? DOCTOR_OK : failing,
		       "%s with condition variables of %s: 1 and 2 wait, a signal, 3 waits, two "
		       "signals: served were %d, %d, %d",
		       right ? "right order" : "wrong order", own ? "rqpi" : "pthreads",
		       o->served[0], o->served[1], o->served[2]);
	for (int i = 0; i < THREADS; i++)
		json_object_array_add(array, json_object_new_int(o->served[i]));
	f->data = json_object_new_object();
	json_object_object_add(f->data, "served", array);
	if (!right && !own)
		doctor_mend(d, "rqpi run -- PROGRAM    # or link it with rqpi: rqpi(7)");
	if (!right && own)
		doctor_mend(d, "see requeue-pi above");
}

void doctor_prove_order(struct doctor *d, const char *id, enum doctor_cond kind,
			enum doctor_state failing)
{
	struct doctor_finding *f;
	struct outcome *o;
	char why[200];

	if (ruled_out(d, id, "order of wake-ups by experiment"))
		return;
	o = doctor_share(sizeof(*o));
	o->cond_kind = kind;
	o->lock_kind = kind == DOCTOR_COND_RQPI ? DOCTOR_LOCK_RQPI : DOCTOR_LOCK_PI;
	if (make(experiment_order, o, why, sizeof(why)))
		doctor_add(d, id, DOCTOR_UNKNOWN, "could not be tried: %s", why);
	else
		tell_order(d, id, o, failing);
	f = &d->findings[d->count - 1];
	f->needed = kind == DOCTOR_COND_RQPI || failing == DOCTOR_BAD;
	f->why = "A signal has to go to the most urgent thread that waits, right now, or it waits "
		 "for the less urgent ones, however long they take.";
	doctor_unshare(o, sizeof(*o));
}
