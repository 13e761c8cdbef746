/* SPDX-License-Identifier: MIT */
/*
 * user_sim.h - included before each file of src/user: what that leaves to whoever compiles it for
 * something else than threads.
 */
#ifndef RQS_USER_SIM_H
#define RQS_USER_SIM_H

#include "sim/pthread_sim.h"

/* The variable of the calling thread. */
struct rqu_self *rqs_self(void);
#define RQU_THIS (*rqs_self())

/* So few channels, as all of them are part of each state. */
#define RQU_CHUNK  4u
#define RQU_CHUNKS 1u

#endif /* RQS_USER_SIM_H */
