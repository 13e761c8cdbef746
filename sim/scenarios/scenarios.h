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

/* story_2009.c: the engine alone */
extern const struct rqs_scenario rqs_story_2009;

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

/* misuse.c: the engine alone */
extern const struct rqs_scenario rqs_raw_requeue_to_itself;
extern const struct rqs_scenario rqs_raw_plain_wake_of_a_waiter;
extern const struct rqs_scenario rqs_raw_requeue_pi_of_a_plain_waiter;
extern const struct rqs_scenario rqs_raw_lock_of_a_condvar_word;
extern const struct rqs_scenario rqs_raw_plain_wait_on_a_mutex;

/* faults.c: the engine alone */
extern const struct rqs_scenario rqs_page_away_lockers;
extern const struct rqs_scenario rqs_page_away_plain;
extern const struct rqs_scenario rqs_page_away_requeue;
extern const struct rqs_scenario rqs_page_gone_thief;
extern const struct rqs_scenario rqs_page_gone_robbed;
extern const struct rqs_scenario rqs_page_gone_requeue;

/* processes.c */
extern const struct rqs_scenario rqs_shared_lockers;
extern const struct rqs_scenario rqs_shared_signal;
extern const struct rqs_scenario rqs_shared_two_signals;
extern const struct rqs_scenario rqs_shared_timed_wait;
extern const struct rqs_scenario rqs_shared_broadcast;
extern const struct rqs_scenario rqs_shared_unmapped;
extern const struct rqs_scenario rqs_shared_waiter_killed;
extern const struct rqs_scenario rqs_shared_signaller_killed;
extern const struct rqs_scenario rqs_private_words_apart;
extern const struct rqs_scenario rqs_private_word_of_a_stranger;
extern const struct rqs_scenario rqs_fork_with_the_mutex;
extern const struct rqs_scenario rqs_fork_with_a_waiter;

/* chains.c: the engine alone */
extern const struct rqs_scenario rqs_raw_circle_of_three;
extern const struct rqs_scenario rqs_raw_chain_that_changes;
extern const struct rqs_scenario rqs_raw_chain_that_turns;
extern const struct rqs_scenario rqs_raw_chain_that_comes_back;
extern const struct rqs_scenario rqs_raw_two_held;
extern const struct rqs_scenario rqs_raw_second_waiter_leaves;
extern const struct rqs_scenario rqs_raw_owner_changes;
extern const struct rqs_scenario rqs_raw_waiter_changes;
extern const struct rqs_scenario rqs_raw_raised_before_the_broadcast;
extern const struct rqs_scenario rqs_raw_raised_before_the_unlock;
extern const struct rqs_scenario rqs_raw_broadcast_to_the_free;
extern const struct rqs_scenario rqs_raw_requeuer_killed;
extern const struct rqs_scenario rqs_rt_lockers;
extern const struct rqs_scenario rqs_plain_robust_killed;

/* signals.c */
extern const struct rqs_scenario rqs_late_waiter;
extern const struct rqs_scenario rqs_two_signals_for_one;
extern const struct rqs_scenario rqs_two_signals_for_two;
extern const struct rqs_scenario rqs_two_signals_apart;
extern const struct rqs_scenario rqs_two_signallers;
extern const struct rqs_scenario rqs_signal_after_a_broadcast;
extern const struct rqs_scenario rqs_urgent_signaller;
extern const struct rqs_scenario rqs_mutex_freed_by_the_next;
extern const struct rqs_scenario rqs_remade_condvar;
extern const struct rqs_scenario rqs_two_condvars_for_three;

/* four_tasks.c: the engine alone */
extern const struct rqs_scenario rqs_raw_four_lockers;
extern const struct rqs_scenario rqs_raw_chain_of_three;
extern const struct rqs_scenario rqs_raw_boosted_to_the_top;
extern const struct rqs_scenario rqs_raw_broadcast_to_three;
extern const struct rqs_scenario rqs_plain_requeue_of_three;

/* orders.c: orders of memory */
extern const struct rqs_scenario rqs_signal_meets_the_next_wait;
extern const struct rqs_scenario rqs_plain_wait_raised;

#endif /* RQS_SCENARIOS_H */
