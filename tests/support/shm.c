/* SPDX-License-Identifier: MIT */
/*
 * shm.c - see shm.h. Used by the tests of process-shared mutexes and condvars.
 */
#define _GNU_SOURCE
#include "tests/support/shm.h"

#include <unistd.h>
#include <sys/mman.h>

#define COND_OFFSET 256 /* of the condvar from the mutex, in one page */

static char *map_page(int fd, int page)
{
	void *p = mmap(NULL, RQT_SHM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)page * RQT_SHM_PAGE);

	return p == MAP_FAILED ? NULL : p;
}

static char *map_all(int fd)
{
	void *p = mmap(NULL, 3 * RQT_SHM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Move later mappings away, so that two of the same object do not land at equal distances by chance. */
static void leave_gap(int pages)
{
	void *p = mmap(NULL, (size_t)pages * RQT_SHM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	(void)p;
}

bool rqt_shm_map(struct rqt_shm *shm)
{
	static int times;
	char *at;
	char *second;

	leave_gap(3 + 2 * ++times);
	if (shm->layout == RQT_APART) {
		at = map_page(shm->fd, 0);
		leave_gap(5 + times);
		second = map_page(shm->fd, 1);
		shm->board = (struct rqt_board *)(void *)map_page(shm->fd, 2);
		if (!at || !second || !shm->board)
			return false;
	} else {
		at = map_all(shm->fd);
		if (!at)
			return false;
		second = shm->layout == RQT_SAME_PAGE ? at + COND_OFFSET : at + RQT_SHM_PAGE;
		shm->board = (struct rqt_board *)(void *)(at + 2 * RQT_SHM_PAGE);
	}
	shm->mutex = (rqpi_mutex_t *)(void *)at;
	shm->cond = (rqpi_cond_t *)(void *)second;
	return true;
}

void rqt_shm_make(struct rqt_shm *shm, enum rqt_layout layout, int robust)
{
	rqpi_mutexattr_t mattr;
	rqpi_condattr_t cattr;

	memset(shm, 0, sizeof(*shm));
	shm->layout = layout;
	shm->fd = memfd_create("rqpi-test", MFD_CLOEXEC);
	assert_true(shm->fd >= 0);
	assert_int_equal(ftruncate(shm->fd, 3 * RQT_SHM_PAGE), 0);
	assert_true(rqt_shm_map(shm));
	rqpi_mutexattr_init(&mattr);
	assert_int_equal(rqpi_mutexattr_setpshared(&mattr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_mutexattr_setrobust(&mattr, robust), 0);
	assert_int_equal(rqpi_mutex_init(shm->mutex, &mattr), 0);
	rqpi_condattr_init(&cattr);
	assert_int_equal(rqpi_condattr_setpshared(&cattr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_cond_init(shm->cond, &cattr), 0);
	atomic_store(&shm->board->result, -1);
}

void rqt_shm_drop(struct rqt_shm *shm)
{
	close(shm->fd);
}

pid_t rqt_shm_child(struct rqt_shm *shm, int (*body)(struct rqt_shm *shm, int arg), int arg)
{
	struct rqt_shm own = *shm;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	rqt_in_child();
	status = rqt_shm_map(&own) ? body(&own, arg) : 99;
	_exit(status);
}

bool rqt_child_asleep(pid_t pid)
{
	return rqt_tid_asleep_within(pid, NULL, RQT_SOON_MS);
}
