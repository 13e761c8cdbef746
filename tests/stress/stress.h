/* SPDX-License-Identifier: MIT */
/*
 * stress.h - what the parts of the stress program share: totals, randomness, failing.
 */
#ifndef RQT_STRESS_H
#define RQT_STRESS_H

#include "tests/support/support.h"

struct stress_totals {
	_Atomic unsigned long rounds, waits, signals, broadcasts, released, timeouts, interrupts,
	    cancels;
	_Atomic unsigned long remade, items, forks;
};

extern struct stress_totals totals;
extern _Atomic bool stress_stop;

/* What is switched on: RQPI_STRESS_OFF holds words out of "cancel fork fifo". */
bool stress_does(const char *what);

/* Print what is wrong and every thread's state, and end the program with status 1. */
void stress_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* 0 .. n - 1. One state a caller. */
unsigned int stress_random(uint64_t *state, unsigned int n);

/*
 * rounds.c - exact accounting. In each round a known set of threads waits; K signals must release
 * at least K of them, whatever is timed out, interrupted or cancelled meanwhile; one broadcast must
 * release the rest, with the condvar destroyed and freed under their feet. Runs on the calling
 * thread until stress_stop.
 */
void stress_rounds(uint64_t seed);

/* pool.c - a bounded queue at full speed, and forks with its mutex held. Threads of its own. */
void stress_pool_start(uint64_t seed);
/* Fails if nothing moved since the last call. */
void stress_pool_check(void);
/* Stops producers, lets the queue run empty, joins. Fails if an item is left or came out twice. */
void stress_pool_stop(void);

#endif /* RQT_STRESS_H */
