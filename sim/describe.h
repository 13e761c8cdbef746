/* SPDX-License-Identifier: MIT */
/*
 * describe.h - memory of the machine in words: what lies at an address, and what a value there
 * means. For reports; reads the state and changes nothing.
 */
#ifndef RQS_DESCRIBE_H
#define RQS_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "sim/scenario.h"
#include "sim/world.h"

enum rqs_type {
	RQS_T_NUMBER,  /* 32 bits */
	RQS_T_PI,      /* a PI futex word */
	RQS_T_COUNTER, /* 32 bits that are counted up and down */
	RQS_T_LINK,    /* 64 bits: a pointer */
	RQS_T_OWNER,   /* the owner word of an rt_mutex */
	RQS_T_STATE,   /* enum rqk_requeue_state */
	RQS_T_BUCKET,  /* which bucket a waiter is in */
};

struct rqs_thing {
	char name[64];
	enum rqs_type type;
	bool is_named; /* else @name is a distance into something */
	bool is_inner; /* what the engine or the library keeps for itself */
};

/*
 * From now on of @scenario. What it does not name can be learnt on the way: that a word is a PI
 * futex, and where the library has its channels.
 */
void rqs_describe_begin(const struct rqs_scenario *scenario);
void rqs_describe_learn(const struct rqpi_event *event);

/* The PI states that are in use now will be called after their futex even when they are not. */
void rqs_describe_look(void);

/* What lies at @addr. False: nothing of the machine. */
bool rqs_thing_at(const volatile void *addr, struct rqs_thing *thing);
uint64_t rqs_thing_value(const volatile void *addr, enum rqs_type type);

/* "101|WAITERS", "b|HAS_WAITERS", "IN_PROGRESS" */
void rqs_value_text(enum rqs_type type, uint64_t value, char *text, size_t size);

/* "wait_lock of m.rt" */
void rqs_lock_text(const volatile void *lock, char *text, size_t size);

/* "RT 20", "nice 0" */
void rqs_prio_text(int prio, char *text, size_t size);

/* @from with each address replaced by what lies there. */
void rqs_replace_addresses(const char *from, char *text, size_t size);

/* The event as "function: text". */
void rqs_event_text(const struct rqpi_event *event, char *text, size_t size);

enum rqs_doing { RQS_DOES_GO, RQS_DOES_WAIT, RQS_DOES_SLEEP, RQS_DOES_NOTHING };

/* What task @i is doing: "asleep", "waits for pi_lock of a, which b has". */
enum rqs_doing rqs_task_text(uint32_t i, const char *call, char *text, size_t size);

/*
 * The rt_mutex of the PI state @i, if it is in use: "m: owner b, HAS_WAITERS, waiting: a". False:
 * it is not.
 */
bool rqs_rt_mutex_text(uint32_t i, char *text, size_t size);

#endif /* RQS_DESCRIBE_H */
