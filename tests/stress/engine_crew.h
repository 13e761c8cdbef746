/* SPDX-License-Identifier: MIT */
/*
 * engine_crew.h - what the crew of the engine's stress program and its referee share.
 */
#ifndef RQT_ENGINE_CREW_H
#define RQT_ENGINE_CREW_H

#include <pthread.h>
#include <sys/types.h>

#include "tests/stress/engine_stress.h"

enum { ES_WORKERS = 14, ES_MUTEXES = 3, ES_CONDS = 5 };
enum { ES_REFEREE = ES_WORKERS + 1, ES_MEDDLER }; /* numbers as those of workers */

enum es_state { ES_AT_WORK, ES_WAITS, ES_WAITS_TIMED, ES_AT_GATE, ES_GONE };

struct es_worker {
	pthread_t thread;
	int number; /* from 1 */
	uint64_t random;
	_Atomic pid_t tid;
	_Atomic int state; /* enum es_state */
	const char *volatile doing;
};

struct es_all {
	struct es_worker worker[ES_WORKERS];
	struct es_mutex mutex[ES_MUTEXES];
	struct es_cond cond[ES_CONDS];
	/* The gate is libc's: it is not what is tested. */
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t opens;
		unsigned long phase;
		bool over;
	} gate;
	_Atomic bool resting;	 /* go to the gate after this */
	_Atomic bool may_meddle; /* signals and priorities */
	_Atomic bool meddling;	 /* one turn of it, which is over once may_meddle is false */
	_Atomic bool meddler_over;
	_Atomic pid_t meddler_tid;
};

extern struct es_all es_all;

/* engine_crew.c: a worker's life, @arg is its struct; and the meddler's, @arg is its seed. */
void *es_live(void *arg);
void *es_meddle(void *arg);
void es_nap_us(unsigned int us);

#endif /* RQT_ENGINE_CREW_H */
