/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_try.c - `rqpi doctor`: what the kernel lets this process do, found by doing it.
 *
 * Called by cmd_doctor.c. Owns the children that do it: a sandbox may kill whoever asks for what it
 * does not allow, and that shall not be the doctor. Nothing here needs priorities;
 * cmd_doctor_experiment.c has what does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_doctor.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#ifndef SYS_futex /* 32-bit machines that have known 64-bit times only */
#define SYS_futex SYS_futex_time64
#endif

enum { TRY_SECONDS = 10, RT_SECONDS = 2, POLLS = 2000 };

void *doctor_share(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		fprintf(stderr, "rqpi doctor: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	return shared;
}

void doctor_unshare(void *shared, size_t size)
{
	munmap(shared, size);
}

/*
 * A real-time thread that never stops takes its CPU away from everybody: the alarm ends the child,
 * and so does the kernel after RT_SECONDS without a sleep.
 */
static void guard_child(unsigned int seconds)
{
	struct rlimit no_core = {0, 0};
	struct rlimit rt_time = {RT_SECONDS * 1000000, RT_SECONDS * 1000000};
	sigset_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_RTTIME, &rt_time);
	signal(SIGALRM, SIG_DFL);
	signal(SIGXCPU, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGXCPU);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(seconds);
}

int doctor_child(void (*body)(void *shared), void *shared, unsigned int seconds, char *why,
		 size_t size)
{
	int status = 0;
	pid_t pid;

	fflush(NULL); /* or the child may print it once more */
	pid = fork();
	if (pid == 0) {
		guard_child(seconds);
		body(shared);
		_exit(0);
	}
	if (pid < 0) {
		snprintf(why, size, "fork: %s", strerror(errno));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(why, size, "a sandbox (seccomp) kills who asks for it");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(why, size, "it did not come to its end within %u seconds", seconds);
	else if (WIFSIGNALED(status))
		snprintf(why, size, "ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, size, "ended with status %d", WEXITSTATUS(status));
	return -1;
}

/* Returns >= 0 or -errno. Private futexes throughout. */
static int futex(uint32_t *word, int op, uint32_t val, unsigned long val2, uint32_t *word2,
		 uint32_t val3)
{
	long ret = syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, val, val2, word2, val3);

	return ret < 0 ? -errno : (int)ret;
}

/* The result of each operation, and of the hand-over that the last two are for. */
struct tried {
	int lock, trylock, unlock, lock2, wait_requeue, cmp_requeue;
	bool handed_over;
};

static void try_locks(void *shared)
{
	struct tried *t = shared;
	uint32_t word = 0;

	t->lock = futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0);
	if (!t->lock)
		t->unlock = futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0);
	word = 0;
	t->trylock = futex(&word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0);
}

static void try_lock2(void *shared)
{
	struct tried *t = shared;
	uint32_t word = 0;

	t->lock2 = futex(&word, FUTEX_LOCK_PI2, 0, 0, NULL, 0);
}

/* A waiter on @cond that is to own @mutex when it comes back. */
struct hand_over {
	uint32_t cond, mutex;
	_Atomic int result;
	_Atomic uint32_t owner; /* of the mutex, when it came back */
	_Atomic pid_t tid;
};

static void *wait_for_hand_over(void *arg)
{
	struct hand_over *h = arg;

	h->tid = (pid_t)syscall(SYS_gettid);
	h->result = futex(&h->cond, FUTEX_WAIT_REQUEUE_PI, 0, 0, &h->mutex, 0);
	h->owner = __atomic_load_n(&h->mutex, __ATOMIC_ACQUIRE) & FUTEX_TID_MASK;
	if (!h->result)
		futex(&h->mutex, FUTEX_UNLOCK_PI, 0, 0, NULL, 0);
	return NULL;
}

/*
 * First the answers to a word that has changed, which only a kernel with these operations gives;
 * then a whole hand-over: a waiter is moved to a mutex that is owned, and owns it once it is
 * unlocked.
 */
static void try_requeue(void *shared)
{
	static struct hand_over h;
	struct tried *t = shared;
	pthread_t thread;

	t->wait_requeue = futex(&h.cond, FUTEX_WAIT_REQUEUE_PI, 1, 0, &h.mutex, 0);
	t->cmp_requeue = futex(&h.cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &h.mutex, 1);
	if (t->wait_requeue != -EAGAIN || t->cmp_requeue != -EAGAIN ||
	    futex(&h.mutex, FUTEX_LOCK_PI, 0, 0, NULL, 0))
		return;
	if (pthread_create(&thread, NULL, wait_for_hand_over, &h))
		return;
	for (int i = 0; i < POLLS; i++) {
		t->cmp_requeue = futex(&h.cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &h.mutex, 0);
		if (t->cmp_requeue)
			break;
		usleep(1000);
	}
	if (t->cmp_requeue != 1 || futex(&h.mutex, FUTEX_UNLOCK_PI, 0, 0, NULL, 0))
		return;
	pthread_join(thread, NULL);
	t->wait_requeue = h.result;
	t->handed_over = !h.result && h.owner == (uint32_t)h.tid;
}

/*
 * The preload of the engine answers syscall(SYS_futex) in the kernel's place; then it is the engine
 * that was tried, and that is said.
 */
static const char *who_answers(void)
{
	static char text[256];
	void *symbol = dlsym(RTLD_DEFAULT, "syscall");
	Dl_info info;

	if (!symbol || !dladdr(symbol, &info) || !info.dli_fname ||
	    !strstr(info.dli_fname, "librqpi-futex-preload"))
		return "";
	snprintf(text, sizeof(text), "; not the kernel, but %s, answers here", info.dli_fname);
	return text;
}

static struct doctor_finding *tell_refusal(struct doctor *d, const char *id,
					   enum doctor_state state, const char *operation,
					   int error)
{
	struct doctor_finding *f;
	const char *reason = strerror(-error);

	f = doctor_add(d, id, state, "%s was refused: %s%s", operation, reason, who_answers());
	f->needed = true;
	doctor_mend(d, "zgrep FUTEX_PI /proc/config.gz /boot/config-$(uname -r)    # =y, or boot a "
		       "kernel that has it");
	doctor_mend(
	    d, "docker run --security-opt seccomp=PROFILE ...    # a container: one that allows "
	       "futex(2) as a whole");
	return f;
}

static void tell_child_failed(struct doctor *d, const char *id, const char *operations,
			      const char *why)
{
	doctor_add(d, id, DOCTOR_BAD, "%s could not be tried: %s", operations, why)->needed = true;
	doctor_mend(
	    d, "docker run --security-opt seccomp=PROFILE ...    # a container: one that allows "
	       "futex(2) as a whole");
}

static void tell_locks(struct doctor *d, const struct tried *t)
{
	const struct {
		const char *name;
		int result;
	} ops[] = {
	    {"FUTEX_LOCK_PI", t->lock},
	    {"FUTEX_UNLOCK_PI", t->unlock},
	    {"FUTEX_TRYLOCK_PI", t->trylock},
	};
	struct doctor_finding *f = NULL;

	for (int i = 0; i < 3 && !f; i++) {
		if (ops[i].result < 0)
			f = tell_refusal(d, "pi-futex", DOCTOR_BAD, ops[i].name, ops[i].result);
	}
	if (!f)
		f = doctor_add(d, "pi-futex", DOCTOR_OK,
			       "FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI and FUTEX_UNLOCK_PI work%s",
			       who_answers());
	f->needed = true;
	f->why = "They are what mutexes of protocol PTHREAD_PRIO_INHERIT are made of. Without them "
		 "pthread_mutex_init() fails with ENOTSUP, and so do contended locks of rqpi.";
}

static void tell_requeue(struct doctor *d, const struct tried *t)
{
	struct doctor_finding *f;

	if (t->handed_over)
		f = doctor_add(d, "requeue-pi", DOCTOR_OK,
			       "FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI work: a waiter was "
			       "moved to a mutex and came back owning it%s",
			       who_answers());
	else if (t->wait_requeue < 0 && t->wait_requeue != -EAGAIN)
		f = tell_refusal(d, "requeue-pi", DOCTOR_BAD, "FUTEX_WAIT_REQUEUE_PI",
				 t->wait_requeue);
	else if (t->cmp_requeue < 0 && t->cmp_requeue != -EAGAIN)
		f = tell_refusal(d, "requeue-pi", DOCTOR_BAD, "FUTEX_CMP_REQUEUE_PI",
				 t->cmp_requeue);
	else if (t->lock < 0)
		f = tell_refusal(d, "requeue-pi", DOCTOR_BAD, "FUTEX_LOCK_PI", t->lock);
	else
		f = doctor_add(d, "requeue-pi", DOCTOR_BAD,
			       "FUTEX_CMP_REQUEUE_PI answers %d, and the waiter did not come back "
			       "owning the mutex%s",
			       t->cmp_requeue, who_answers());
	f->needed = true;
	f->why = "They move a waiter from the condition variable to the mutex in one step, so that "
		 "it keeps its place by priority. Without them rqpi's waiters wake first and lock "
		 "afterwards, and the preload steps aside.";
}

void doctor_try_futexes(struct doctor *d)
{
	struct tried *t = doctor_share(sizeof(*t));
	struct doctor_finding *f;
	char why[160];

	if (doctor_child(try_locks, t, TRY_SECONDS, why, sizeof(why)))
		tell_child_failed(d, "pi-futex", "FUTEX_LOCK_PI and its kin", why);
	else
		tell_locks(d, t);
	if (doctor_child(try_requeue, t, TRY_SECONDS, why, sizeof(why)))
		tell_child_failed(d, "requeue-pi", "FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI",
				  why);
	else
		tell_requeue(d, t);
	if (doctor_child(try_lock2, t, TRY_SECONDS, why, sizeof(why)))
		f = doctor_add(d, "lock-pi2", DOCTOR_WARNING,
			       "FUTEX_LOCK_PI2 could not be tried: "
			       "%s",
			       why);
	else if (t->lock2 < 0)
		f = doctor_add(d, "lock-pi2", DOCTOR_WARNING, "FUTEX_LOCK_PI2 was refused: %s%s",
			       strerror(-t->lock2), who_answers());
	else
		f = doctor_add(d, "lock-pi2", DOCTOR_OK, "FUTEX_LOCK_PI2 works%s", who_answers());
	if (f->state != DOCTOR_OK)
		doctor_mend(d, "sudo apt install linux-image-$(dpkg --print-architecture) && sudo "
			       "reboot    # 5.14 or "
			       "later");
	f->why =
	    "It is how a timed lock waits on CLOCK_MONOTONIC. Without it (before Linux 5.14) "
	    "its deadline is converted to CLOCK_REALTIME, and setting that clock back makes it "
	    "late.";
	doctor_unshare(t, sizeof(*t));
}

struct fifo {
	int max;   /* the highest priority that was granted */
	int error; /* why the next one was not */
};

static void try_priorities(void *shared)
{
	struct fifo *fifo = shared;

	for (int prio = sched_get_priority_max(SCHED_FIFO); prio > 0 && !fifo->max; prio--) {
		struct sched_param param = {.sched_priority = prio};

		if (!sched_setscheduler(0, SCHED_FIFO, &param))
			fifo->max = prio;
		else
			fifo->error = errno;
	}
}

void doctor_try_fifo(struct doctor *d)
{
	struct fifo *fifo = doctor_share(sizeof(*fifo));
	struct doctor_finding *f;
	char why[160];

	if (doctor_child(try_priorities, fifo, TRY_SECONDS, why, sizeof(why))) {
		f = doctor_add(d, "sched-fifo", DOCTOR_BAD, "SCHED_FIFO could not be tried: %s",
			       why);
	} else if (!fifo->max) {
		f = doctor_add(d, "sched-fifo", DOCTOR_BAD, "SCHED_FIFO was refused: %s",
			       strerror(fifo->error));
	} else if (fifo->max < d->priority) {
		f = doctor_add(d, "sched-fifo", DOCTOR_BAD,
			       "SCHED_FIFO is granted up to priority %d, below %d", fifo->max,
			       d->priority);
	} else {
		f = doctor_add(d, "sched-fifo", DOCTOR_OK,
			       "SCHED_FIFO is granted up to priority %d", fifo->max);
	}
	f->needed = true;
	d->fifo_max = fifo->max;
	if (f->state == DOCTOR_BAD)
		doctor_mend(d, "see rt-limit and rt-cgroup, the two that refuse it; else it is the "
			       "seccomp profile of a container");
	f->why = "Priorities are those of SCHED_FIFO and SCHED_RR. Without them there is nothing "
		 "to inherit, and threads are served in whatever order.";
	doctor_unshare(fifo, sizeof(*fifo));
}
