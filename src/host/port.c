/* SPDX-License-Identifier: MIT */
/*
 * port.c - the host's side of rqpi/port.h, in one place: which function answers which call.
 *
 * Given to rqpi_engine_init() by start.c. The context of all of them is the struct rqh_host.
 */
#include "src/host/rqh.h"

#define EVERYTHING                                                                          \
	.lock = rqh_lock, .trylock = rqh_trylock, .unlock = rqh_unlock, .relax = rqh_relax, \
	.load = rqh_load, .cmpxchg = rqh_cmpxchg, .fault_in = rqh_fault_in,                 \
	.copy_in = rqh_copy_in, .shared_key = rqh_shared_key, .user_range = rqh_user_range, \
	.block = rqh_block, .wake = rqh_wake, .now = rqh_now, .find_task = rqh_find_task,   \
	.release = rqh_release, .set_prio = rqh_set_prio, .panic = rqh_panic

const struct rqpi_port rqh_port = {EVERYTHING};
const struct rqpi_port rqh_port_tracing = {EVERYTHING, .trace = rqh_trace};
