/* SPDX-License-Identifier: MIT */
/*
 * scenarios.h - all scenarios, file by file; list.c has them in the order of `rqpi check --list`.
 */
#ifndef RQS_SCENARIOS_H
#define RQS_SCENARIOS_H

#include "sim/pthread_sim.h"
#include "sim/scenario.h"

/* locks.c */
extern const struct rqs_scenario rqs_two_lockers;
extern const struct rqs_scenario rqs_three_lockers;
extern const struct rqs_scenario rqs_timed_lockers;
extern const struct rqs_scenario rqs_chain_of_two;

/* condvars.c */
extern const struct rqs_scenario rqs_signal_under_the_mutex;
extern const struct rqs_scenario rqs_signal_after_the_mutex;
extern const struct rqs_scenario rqs_timed_wait;
extern const struct rqs_scenario rqs_interrupted_wait;
extern const struct rqs_scenario rqs_cancelled_wait;
extern const struct rqs_scenario rqs_two_condvars;
extern const struct rqs_scenario rqs_destroy_after_broadcast;
extern const struct rqs_scenario rqs_recursive_wait;
extern const struct rqs_scenario rqs_robust_owner_ends;
extern const struct rqs_scenario rqs_robust_signaller_ends;
extern const struct rqs_scenario rqs_robust_locker_killed;
extern const struct rqs_scenario rqs_robust_waiter_killed;
extern const struct rqs_scenario rqs_broadcast_to_two;
extern const struct rqs_scenario rqs_broadcast_to_timed;
extern const struct rqs_scenario rqs_token_for_one_of_two;
extern const struct rqs_scenario rqs_token_or_cancel;

/* raw.c: the engine alone */
extern const struct rqs_scenario rqs_plain_wake;
extern const struct rqs_scenario rqs_plain_requeue;
extern const struct rqs_scenario rqs_plain_timed;
extern const struct rqs_scenario rqs_plain_bitsets;
extern const struct rqs_scenario rqs_plain_wake_op;
extern const struct rqs_scenario rqs_raw_signal;
extern const struct rqs_scenario rqs_raw_timed_signal;
extern const struct rqs_scenario rqs_raw_urgent_signal;
extern const struct rqs_scenario rqs_raw_timed_signal_after;
extern const struct rqs_scenario rqs_raw_two_buckets;
extern const struct rqs_scenario rqs_raw_interrupted;
extern const struct rqs_scenario rqs_raw_broadcast;
extern const struct rqs_scenario rqs_raw_timed_lock;
extern const struct rqs_scenario rqs_raw_deadlock;
extern const struct rqs_scenario rqs_raw_trylock;
extern const struct rqs_scenario rqs_raw_wrong_target;
extern const struct rqs_scenario rqs_raw_owner_ends;
extern const struct rqs_scenario rqs_raw_owner_ends_after_requeue;
extern const struct rqs_scenario rqs_raw_circle_by_requeue;
extern const struct rqs_scenario rqs_raw_owner_ends_in_time;
extern const struct rqs_scenario rqs_raw_forged_word;
extern const struct rqs_scenario rqs_raw_forged_requeue;
extern const struct rqs_scenario rqs_raw_raised_while_waiting;
extern const struct rqs_scenario rqs_raw_robbed;

#endif /* RQS_SCENARIOS_H */
