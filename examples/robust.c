/* SPDX-License-Identifier: MIT */
/*
 * robust.c - two processes, a mutex that survives its owner, and a condvar between them.
 *
 *	cc robust.c $(pkg-config --cflags --libs rqpi) -o robust && ./robust
 *
 * A worker process moves money from one account to the other and announces each transfer on the
 * condvar. In the middle of one it is killed, with the mutex held. The parent's wait then returns
 * EOWNERDEAD: it owns the mutex, repairs what it guards, says so with rqpi_mutex_consistent(),
 * and starts another worker.
 *
 * Mutex and condvar lie side by side, so that they share a page; rqpi_cond(3) says why that is
 * best.
 * Exit status 0: all transfers done and no money lost. 1: not so. 2: the system would not let us.
 * 77: no robust PI mutex here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rqpi/rqpi.h>

enum { MONEY = 100, TRANSFERS = 10, DIES_IN = 4 };

struct bank {
	rqpi_mutex_t lock;
	rqpi_cond_t changed;
	int from, to;  /* guarded by lock: from + to == MONEY */
	int transfers; /* how many have been completed, guarded too */
};

static struct bank *bank;

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "robust: %s: %s\n", what, rqpi_strerror(err));
		exit(2);
	}
}

static struct bank *open_bank(void)
{
	struct bank *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	rqpi_mutexattr_t mutexattr;
	rqpi_condattr_t condattr;

	if (b == MAP_FAILED)
		must(ENOMEM, "mmap");
	must(rqpi_mutexattr_init(&mutexattr), "rqpi_mutexattr_init");
	must(rqpi_mutexattr_setpshared(&mutexattr, RQPI_PROCESS_SHARED), "setpshared");
	must(rqpi_mutexattr_setrobust(&mutexattr, RQPI_ROBUST), "setrobust");
	must(rqpi_mutex_init(&b->lock, &mutexattr), "rqpi_mutex_init");
	must(rqpi_condattr_init(&condattr), "rqpi_condattr_init");
	must(rqpi_condattr_setpshared(&condattr, RQPI_PROCESS_SHARED), "setpshared");
	must(rqpi_cond_init(&b->changed, &condattr), "rqpi_cond_init");
	b->from = MONEY;
	return b;
}

/* The worker process. @dies_in: the transfer in which it is killed; 0: none. */
static void work(int dies_in)
{
	alarm(20);
	for (;;) {
		must(rqpi_mutex_lock(&bank->lock), "worker: rqpi_mutex_lock");
		if (bank->transfers == TRANSFERS)
			break;
		bank->from--;
		must(rqpi_cond_signal(&bank->changed), "worker: rqpi_cond_signal");
		if (bank->transfers + 1 == dies_in)
			raise(SIGKILL); /* one account is short, and the mutex is held */
		bank->to++;
		bank->transfers++;
		rqpi_mutex_unlock(&bank->lock);
	}
	rqpi_mutex_unlock(&bank->lock);
	_exit(0);
}

static pid_t start_worker(int dies_in)
{
	pid_t pid;

	fflush(stdout); /* or the child has the same text to write */
	pid = fork();
	if (pid == 0)
		work(dies_in);
	if (pid < 0)
		must(EAGAIN, "fork");
	return pid;
}

/* The mutex is ours, the state is what a dead worker left. */
static void repair(void)
{
	printf("robust: the worker died in transfer %d: %d + %d in the accounts\n",
	       bank->transfers + 1, bank->from, bank->to);
	bank->from = MONEY - bank->to; /* take the half transfer back */
	must(rqpi_mutex_consistent(&bank->lock), "rqpi_mutex_consistent");
	printf("robust: repaired: %d + %d\n", bank->from, bank->to);
}

/* Any function that gives us the mutex may be the one to tell that its owner died. */
static int owned(int err)
{
	if (err != EOWNERDEAD)
		return err;
	repair();
	return start_worker(0) > 0 ? 0 : EAGAIN;
}

int main(void)
{
	const unsigned int need = RQPI_CAP_PI | RQPI_CAP_ROBUST;
	struct timespec end;
	int ok;

	alarm(30);
	if ((rqpi_caps() & need) != need) {
		printf("robust: no PI futex, or a C library whose robust list cannot be shared\n");
		return 77;
	}
	bank = open_bank();
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 10;

	start_worker(DIES_IN);
	must(owned(rqpi_mutex_lock(&bank->lock)), "rqpi_mutex_lock");
	while (bank->transfers < TRANSFERS)
		must(owned(rqpi_cond_clockwait(&bank->changed, &bank->lock, CLOCK_MONOTONIC, &end)),
		     "rqpi_cond_clockwait");
	ok = bank->from + bank->to == MONEY && bank->to == TRANSFERS;
	printf("robust: %d transfers: %d + %d\n", bank->transfers, bank->from, bank->to);
	rqpi_mutex_unlock(&bank->lock);
	while (wait(NULL) > 0)
		;
	return ok ? 0 : 1;
}
