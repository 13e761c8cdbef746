/* SPDX-License-Identifier: MIT */
/*
 * pthread_sim.h - what the user half and scenarios ask of libc's threads, on the simulated machine.
 * Cancellation is acted upon as libc does it: at once where the type is asynchronous, at a
 * cancellation point otherwise; then the cleanup handlers, innermost first.
 */
#ifndef RQS_PTHREAD_SIM_H
#define RQS_PTHREAD_SIM_H

#include <pthread.h>

struct rqs_cleanup_frame {
	void (*fn)(void *arg);
	void *arg;
	void *next;
};

int rqs_setcancelstate(int state, int *old);
int rqs_setcanceltype(int type, int *old);
void rqs_testcancel(void);
int rqs_atfork(void (*child)(void));
void rqs_cleanup_push(struct rqs_cleanup_frame *frame, void (*fn)(void *arg), void *arg);
void rqs_cleanup_pop(int run);

#define pthread_setcancelstate	rqs_setcancelstate
#define pthread_setcanceltype	rqs_setcanceltype
#define pthread_testcancel	rqs_testcancel
#define pthread_atfork(a, b, c) rqs_atfork(c)

#undef pthread_cleanup_push
#define pthread_cleanup_push(fn, arg)                \
	do {                                         \
		struct rqs_cleanup_frame rqs_frame_; \
	rqs_cleanup_push(&rqs_frame_, fn, arg)

#undef pthread_cleanup_pop
#define pthread_cleanup_pop(run) \
	rqs_cleanup_pop(run);    \
	}                        \
	while (0)

#endif /* RQS_PTHREAD_SIM_H */
