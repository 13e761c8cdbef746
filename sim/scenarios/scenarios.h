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
/* monitored.c */
extern const struct rqs_scenario rqs_signal_or_too_early;
extern const struct rqs_scenario rqs_timed_wait_once;
extern const struct rqs_scenario rqs_equal_lockers;
extern const struct rqs_scenario rqs_changed_while_waiting;
extern const struct rqs_scenario rqs_signal_one_of_two;
extern const struct rqs_scenario rqs_signal_one_of_equals;
extern const struct rqs_scenario rqs_broadcast_once;

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

/* owners.c: the engine alone */
extern const struct rqs_scenario rqs_raw_lock_after_a_trylock;
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
extern const struct rqs_scenario rqs_plain_wait_twice;
extern const struct rqs_scenario rqs_plain_wait_then_granted;
extern const struct rqs_scenario rqs_plain_wait_raised;

/* errors.c: what the engine refuses */
extern const struct rqs_scenario rqs_refused_operations;
extern const struct rqs_scenario rqs_refused_times;
extern const struct rqs_scenario rqs_refused_addresses;
extern const struct rqs_scenario rqs_refused_locks;
extern const struct rqs_scenario rqs_refused_requeues;
extern const struct rqs_scenario rqs_refused_twins;
extern const struct rqs_scenario rqs_refused_twins_unmapped;
extern const struct rqs_scenario rqs_plain_arithmetic;
extern const struct rqs_scenario rqs_refused_owners;

/* edges.c: what needs several things to come together */
extern const struct rqs_scenario rqs_walk_outrun;
extern const struct rqs_scenario rqs_walk_robbed;
extern const struct rqs_scenario rqs_walk_around;
extern const struct rqs_scenario rqs_walk_of_the_lazy;
extern const struct rqs_scenario rqs_walk_below_another;
extern const struct rqs_scenario rqs_raised_below_another;
extern const struct rqs_scenario rqs_raised_in_a_chain;
extern const struct rqs_scenario rqs_walk_led_astray;

/* handed.c: locks handed over and not taken yet */
extern const struct rqs_scenario rqs_handed_to_another;
extern const struct rqs_scenario rqs_lowered_while_taking;
extern const struct rqs_scenario rqs_stolen_by_requeue;
extern const struct rqs_scenario rqs_raised_while_requeued;
extern const struct rqs_scenario rqs_handed_back;
extern const struct rqs_scenario rqs_raised_to_the_same;
extern const struct rqs_scenario rqs_requeued_again;
extern const struct rqs_scenario rqs_requeued_together;
extern const struct rqs_scenario rqs_requeued_the_first_only;
extern const struct rqs_scenario rqs_requeued_three;
extern const struct rqs_scenario rqs_requeued_into_a_race;
extern const struct rqs_scenario rqs_interrupted_locker;
extern const struct rqs_scenario rqs_interrupted_old_locker;

/* inner.c: what an embedder calls himself */
extern const struct rqs_scenario rqs_tree_one_by_one;
extern const struct rqs_scenario rqs_tree_in_runs;
extern const struct rqs_scenario rqs_tree_broken;
extern const struct rqs_scenario rqs_engine_made;
extern const struct rqs_scenario rqs_engine_in_words;
extern const struct rqs_scenario rqs_rt_mutex_lockers;
extern const struct rqs_scenario rqs_rt_mutex_by_proxy;
extern const struct rqs_scenario rqs_rt_mutex_by_proxy_for_ever;

/* pages.c: words that are not there */
extern const struct rqs_scenario rqs_page_comes_back;
extern const struct rqs_scenario rqs_page_is_unmapped;
extern const struct rqs_scenario rqs_page_is_protected;
extern const struct rqs_scenario rqs_page_of_the_target;
extern const struct rqs_scenario rqs_target_is_unmapped;
extern const struct rqs_scenario rqs_plain_page_comes_back;
extern const struct rqs_scenario rqs_plain_page_is_unmapped;
extern const struct rqs_scenario rqs_leaver_held_up;
extern const struct rqs_scenario rqs_requeued_leaver_held_up;
extern const struct rqs_scenario rqs_leaver_and_plain_waiter;
extern const struct rqs_scenario rqs_leaver_unmapped;

/* ends.c: tasks that end, and what they leave behind */
extern const struct rqs_scenario rqs_robust_words;
extern const struct rqs_scenario rqs_robust_lists_broken;
extern const struct rqs_scenario rqs_robust_wakes;
extern const struct rqs_scenario rqs_robust_page_goes;
extern const struct rqs_scenario rqs_robust_word_changes;
extern const struct rqs_scenario rqs_requeue_to_the_dying;
extern const struct rqs_scenario rqs_requeue_to_the_kernel;
extern const struct rqs_scenario rqs_owner_becomes_another;
extern const struct rqs_scenario rqs_abandoned_wait;
extern const struct rqs_scenario rqs_abandoned_requeue;
extern const struct rqs_scenario rqs_abandoned_grant;
extern const struct rqs_scenario rqs_abandoned_lock;
extern const struct rqs_scenario rqs_abandoned_at_an_end;
extern const struct rqs_scenario rqs_robust_pi_owner_ends;

/* queues.c: waiters of different kinds and keys */
extern const struct rqs_scenario rqs_plain_three_keys;
extern const struct rqs_scenario rqs_plain_moved_around;
extern const struct rqs_scenario rqs_refused_waiters;
extern const struct rqs_scenario rqs_refused_to_the_owner;
extern const struct rqs_scenario rqs_refused_to_a_liar;
extern const struct rqs_scenario rqs_unlock_of_a_changing_word;
extern const struct rqs_scenario rqs_plain_interrupted;
extern const struct rqs_scenario rqs_stolen_while_it_changes;
extern const struct rqs_scenario rqs_plain_arithmetic_raced;
extern const struct rqs_scenario rqs_plain_interrupted_bits;

/* looks.c: looked at while it works, and priorities of all kinds */
extern const struct rqs_scenario rqs_told_in_words;
extern const struct rqs_scenario rqs_told_at_an_end;
extern const struct rqs_scenario rqs_told_what_is_broken;
extern const struct rqs_scenario rqs_looked_at_from_elsewhere;
extern const struct rqs_scenario rqs_who_is_next;
extern const struct rqs_scenario rqs_who_is_not_next;
extern const struct rqs_scenario rqs_nice_inherited;
extern const struct rqs_scenario rqs_deadlines;

/* litmus.c: what tells one memory from another */
extern const struct rqs_scenario rqs_litmus_store_buffers;
extern const struct rqs_scenario rqs_litmus_exchanges;
extern const struct rqs_scenario rqs_litmus_both_step;
extern const struct rqs_scenario rqs_litmus_message;
extern const struct rqs_scenario rqs_litmus_one_word;
extern const struct rqs_scenario rqs_litmus_wake_up_saved;

/* woken.c */
extern const struct rqs_scenario rqs_woken_wait;
extern const struct rqs_scenario rqs_woken_beside_requeued;
extern const struct rqs_scenario rqs_token_for_the_woken;
extern const struct rqs_scenario rqs_passed_on_to_the_woken;
extern const struct rqs_scenario rqs_woken_in_time;

#endif /* RQS_SCENARIOS_H */
