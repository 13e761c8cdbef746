/* SPDX-License-Identifier: MIT */
/*
 * hosted.h - what the tests of the host port share, on top of tests/support.
 *
 * The engine of a process has one set of options, so a program is run several times, with
 * RQT_HOST_FLAGS=N in its environment: the RQPI_HOST_* that it starts with.
 */
#ifndef RQT_HOSTED_H
#define RQT_HOSTED_H

#include "tests/support/support.h"

#include <rqpi/host.h>

/* First thing in main(). */
void rqt_host_begin(void);
extern uint32_t rqt_host_flags;
extern uint32_t rqt_host_max_threads; /* to be set before; 0: the default */

/* Asleep in the engine: within RQT_SOON_MS. */
bool rqt_tid_blocked_within(pid_t tid, const _Atomic bool *done, int timeout_ms);
bool rqt_blocked_within(struct rqt_thread *t);
#define rqt_wait_blocked(t) assert_true(rqt_blocked_within(t))
/* Still asleep in the engine a moment later? */
bool rqt_stays_blocked(struct rqt_thread *t);

/* The calls that the tests make, private unless the name says shared. */
long rqt_wait(uint32_t *word, uint32_t val);
long rqt_wake(uint32_t *word, int nr);
long rqt_lock_pi(uint32_t *word);
long rqt_unlock_pi(uint32_t *word);
long rqt_wait_shared(uint32_t *word, uint32_t val);
long rqt_wake_shared(uint32_t *word, int nr);
long rqt_lock_pi_shared(uint32_t *word);
long rqt_unlock_pi_shared(uint32_t *word);

struct rqpi_host_stats rqt_stats(void);

/* A handler for @sig with these flags of sigaction(2). */
void rqt_handle(int sig, void (*handler)(int), int flags);

/* No invariant of the engine is broken; each that is, is printed. */
void rqt_check_engine(void);

/* One page of shared memory that a child of fork sees, too. */
uint32_t *rqt_shared_page(void);

#endif /* RQT_HOSTED_H */
