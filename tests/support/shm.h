/* SPDX-License-Identifier: MIT */
/*
 * shm.h - memory mapped at different addresses in two processes, and a child that uses it.
 *
 * One memory object holds the mutex, the condvar and a board on which parent and child tell each
 * other how far they are. rqt_shm_map() maps it once more, wherever and in whatever order of its
 * pages.
 */
#ifndef RQT_SHM_H
#define RQT_SHM_H

#include "tests/support/support.h"

#define RQT_SHM_PAGE 4096

enum rqt_layout {
	RQT_SAME_PAGE,	   /* mutex and condvar in one page */
	RQT_SAME_DISTANCE, /* in two pages, mapped together */
	RQT_APART,	   /* in two pages, which each process maps where it likes */
};

struct rqt_board {
	_Atomic int stage;  /* the child counts up */
	_Atomic int go;	    /* the parent counts up */
	_Atomic int served; /* waits that returned, any process */
	_Atomic int result; /* of the child's last operation, -1 before */
	_Atomic int bad;    /* something that must not be, seen by any process */
	int guarded;	    /* incremented under the mutex, by all */
};

struct rqt_shm {
	int fd;
	enum rqt_layout layout;
	rqpi_mutex_t *mutex;
	rqpi_cond_t *cond;
	struct rqt_board *board;
};

/* Make the object and this process's mapping; mutex and condvar are initialised, process-shared. */
void rqt_shm_make(struct rqt_shm *shm, enum rqt_layout layout, int robust);
/* Map it anew at addresses unlike @shm's; false if that failed. Usable in a child. */
bool rqt_shm_map(struct rqt_shm *shm);
void rqt_shm_drop(struct rqt_shm *shm);

/* fork(); the child maps anew, runs @body and ends with its return value as status. */
pid_t rqt_shm_child(struct rqt_shm *shm, int (*body)(struct rqt_shm *shm, int arg), int arg);
/* The child's only thread is asleep in a futex call. */
bool rqt_child_asleep(pid_t pid);

#endif /* RQT_SHM_H */
