/* SPDX-License-Identifier: MIT */
/*
 * shm.c - see shm.h. Used by the tests of process-shared mutexes and condvars.
 */
#define _GNU_SOURCE
#include "tests/support/shm.h"

#include <unistd.h>
#include <sys/mman.h>

#define COND_OFFSET 256 /* of the condvar from the mutex, in one page */

#define AREA_PAGES 64

static bool map_page(int fd, char *at, int page)
{
	return mmap(at, RQT_SHM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)page * RQT_SHM_PAGE) != MAP_FAILED;
}

/*
 * The pages go into an area of their own in which nothing else is mapped, at places that differ
 * each time: so the distance between mutex and condvar is ours to choose, and beside them is no
 * memory.
 */
bool rqt_shm_map(struct rqt_shm *shm)
{
	static int times;
	int first = 2 + times % 8;
	int second = shm->layout == RQT_APART ? first + 3 + 2 * (times % 16) : first + 1;
	char *area = mmap(NULL, AREA_PAGES * RQT_SHM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *mutex_page = area + (ptrdiff_t)first * RQT_SHM_PAGE;
	char *cond_page = area + (ptrdiff_t)second * RQT_SHM_PAGE;
	char *board_page = area + (ptrdiff_t)(AREA_PAGES - 2) * RQT_SHM_PAGE;

	times++;
	if (area == MAP_FAILED || !map_page(shm->fd, mutex_page, 0) ||
	    !map_page(shm->fd, cond_page, 1) || !map_page(shm->fd, board_page, 2))
		return false;
	shm->mutex = (rqpi_mutex_t *)(void *)mutex_page;
	shm->cond = (rqpi_cond_t *)(void *)(shm->layout == RQT_SAME_PAGE ? mutex_page + COND_OFFSET
									 : cond_page);
	shm->board = (struct rqt_board *)(void *)board_page;
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
