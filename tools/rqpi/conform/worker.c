/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the life of a task: wait for a command in read(2), do it, say what came out. And the
 * hog, which takes a CPU away from all tasks of the program for a bounded time.
 *
 * Runs in the threads that world.c starts; the conductor is play.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "world.h"

enum {
	HOG_MS = 400, /* less than RLIMIT_RTTIME allows */
	GATE_MS = 20,
};

static __thread struct conform_box *self;

int64_t conform_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void count_signal(int number)
{
	(void)number;
	if (self)
		atomic_fetch_add(&self->handled, 1);
}

void conform_handle_signals(void)
{
	struct sigaction action = {.sa_handler = count_signal};

	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGURG, &action, NULL);
}

/* Bounded, since a task that waits here may keep others from running. */
static void pass_gate(struct conform_world *w)
{
	int64_t until = conform_now(CLOCK_MONOTONIC) + GATE_MS * 1000000;

	atomic_fetch_add(&w->shared->at_gate, 1);
	while (!atomic_load(&w->shared->open) && conform_now(CLOCK_MONOTONIC) < until)
		;
}

/* The kernel walks these pointers when the thread ends; bit 0 of a pointer says "PI". */
static long announce(struct conform_world *w, const struct conform_step *step)
{
	struct conform_box *box = self;
	char *at = (char *)&box->robust;
	uintptr_t *link = (uintptr_t *)(void *)&box->robust.first;

	for (int i = 0; i < step->entry_count; i++) {
		const struct conform_entry *entry = &step->entries[i];
		uintptr_t node = (uintptr_t)conform_address(w, &entry->at) + CONFORM_SLOT;
		int page = w->program->words[entry->at.word].page;

		if (link)
			*link = node | (entry->pi ? 1 : 0);
		/* Where the entry cannot be read there is nothing to link the next one to. */
		link = w->program->pages[page].list_access == CONFORM_WRITE ? (uintptr_t *)node
									    : NULL;
	}
	if (link)
		*link = (uintptr_t)at;
	box->robust.offset = -(long)CONFORM_SLOT;
	box->robust.pending =
	    step->has_pending
		? (void *)(((uintptr_t)conform_address(w, &step->pending.at) + CONFORM_SLOT) |
			   (step->pending.pi ? 1 : 0))
		: NULL;
	return w->lane->set_robust_list(&box->robust, sizeof(box->robust));
}

static void execute_other(void)
{
	char *const argv[] = {(char[]){"sleep"}, (char[]){"30"}, NULL};
	char *const envp[] = {NULL};

	execve("/bin/sleep", argv, envp);
}

static long do_command(struct conform_world *w)
{
	struct conform_box *box = self;
	uint32_t expected = box->old;
	size_t length;
	void *head;

	switch (box->what) {
	case CONFORM_CALL:
		return w->lane->futex(box->uaddr, box->op, box->val, box->timeout, box->uaddr2,
				      box->val3);
	case CONFORM_STORE:
		conform_store(box->uaddr, box->store);
		return 0;
	case CONFORM_CAS:
		return __atomic_compare_exchange_n((uint32_t *)box->uaddr, &expected, box->store,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	case CONFORM_ROBUST:
		return announce(w, &w->program->steps[box->length]);
	case CONFORM_SET_ROBUST:
		return w->lane->set_robust_list(&box->robust, box->length);
	case CONFORM_GET_ROBUST:
		return w->lane->get_robust_list ? w->lane->get_robust_list(box->who, &head, &length)
						: -ENOSYS;
	case CONFORM_PROTECT:
		return mprotect(box->uaddr, CONFORM_SLOT, box->access) ? -errno : 0;
	case CONFORM_EXEC:
		if (w->lane->exec_task)
			w->lane->exec_task();
		execute_other();
		return -errno;
	default:
		if (w->lane->exit_task)
			w->lane->exit_task();
		/* Not pthread_exit(): no destructor of anybody's shall run in between. */
		syscall(SYS_exit, 0);
		return -ENOSYS;
	}
}

void conform_work(struct conform_world *w, int index)
{
	struct conform_box *box = &w->boxes[index];
	unsigned number = 0;
	uint64_t count;

	self = box;
	box->pid = getpid();
	atomic_store(&box->tid, (int)syscall(SYS_gettid));
	for (;;) {
		long result;

		if (read(box->fd, &count, sizeof(count)) != sizeof(count))
			continue;
		number++;
		if (box->gate)
			pass_gate(w);
		box->began_ns = conform_now(CLOCK_MONOTONIC);
		atomic_store(&box->entered, number);
		result = do_command(w);
		box->ended_ns = conform_now(CLOCK_MONOTONIC);
		box->result = result;
		atomic_store(&box->done, number);
	}
}

void conform_hog(struct conform_world *w)
{
	uint64_t count;

	for (;;) {
		int64_t until;

		if (read(w->hog_fd, &count, sizeof(count)) != sizeof(count))
			continue;
		until = conform_now(CLOCK_MONOTONIC) + HOG_MS * 1000000;
		atomic_store(&w->shared->hog_runs, 1);
		while (atomic_load(&w->shared->hog_wanted) && conform_now(CLOCK_MONOTONIC) < until)
			;
		/* Stopped by itself: then what was seen meanwhile counts for nothing. */
		atomic_store(&w->shared->hog_runs, atomic_load(&w->shared->hog_wanted) ? -1 : 0);
	}
}
