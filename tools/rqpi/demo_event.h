/* SPDX-License-Identifier: MIT */
/*
 * demo_event.h - the words in which rqpi-demo-program tells `rqpi demo` what happened.
 *
 * Owns the names of the events and of the threads' lines on the program's standard output. Included
 * by demo_program*.c, which print them, and by cmd_demo_child.c, which reads them.
 *
 *	libc VERSION			the C library that runs
 *	preload active|inactive|absent	what rqpi's preload says of itself
 *	thread INDEX NAME PRIO		a thread; MAIN is 0; PRIO is 0 without real-time scheduling
 *	round K				the events and counts that follow belong to round K, from 0
 *	event NS INDEX KIND ARG		one event, CLOCK_MONOTONIC
 *	switches N			context switches of the round (herd)
 *	futex_calls N			futex system calls of the round (herd, where countable)
 *	end				all of it has been printed
 */
#ifndef RQPI_DEMO_EVENT_H
#define RQPI_DEMO_EVENT_H

/* ARG of SIGNAL, BROADCAST and WOKEN is the number of the signal, from 1: who consumed which. */
enum demo_kind {
	DEMO_LOCK,	/* about to lock the mutex */
	DEMO_OWN,	/* has the mutex */
	DEMO_WAIT,	/* about to wait on the condvar, which gives the mutex up */
	DEMO_WOKEN,	/* back from the wait for good: the condition holds, the mutex is owned */
	DEMO_UNLOCK,	/* about to unlock the mutex */
	DEMO_SIGNAL,	/* about to signal */
	DEMO_BROADCAST, /* about to broadcast */
	DEMO_SIGNALLED, /* back from the signal or the broadcast */
	DEMO_BURN,	/* starts to burn CPU time */
	DEMO_BURNED,	/* has stopped */
	DEMO_SLEPT,	/* ARG: how often this thread went to sleep between WAIT and WOKEN */
	DEMO_DONE,	/* the step that began with LOCK is over, the unlock included */
	DEMO_KIND_COUNT,
};

#define DEMO_KIND_NAMES                                                                       \
	{                                                                                     \
		"lock", "own", "wait", "woken", "unlock", "signal", "broadcast", "signalled", \
		    "burn", "burned", "slept", "done"                                         \
	}

#define DEMO_CONDUCTOR_PRIO 90 /* the highest priority any experiment asks for */

#endif /* RQPI_DEMO_EVENT_H */
