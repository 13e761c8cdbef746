/* SPDX-License-Identifier: MIT */
/* races.h - what the calls of the compiler (races_calls.c) mean to the detector (races.c). */
#ifndef RQS_RACES_H
#define RQS_RACES_H

#include <stddef.h>

/* How memory is accessed. */
enum rqs_way { RQS_READ, RQS_WRITE, RQS_ATOMIC_READ, RQS_ATOMIC_WRITE, RQS_WAYS };

/* @pc: where the call returns to. All do nothing while the explorer runs. */
void rqs_race_access(const volatile void *addr, size_t bytes, enum rqs_way way, const void *pc);
/* The same, by a function that the machine uses, too: its own memory is nobody's business. */
void rqs_race_copy(const volatile void *addr, size_t bytes, enum rqs_way way, const void *pc);

/* @order: that of C11, as a number. An exchange is any read-modify-write that has written. */
void rqs_race_load(const volatile void *addr, size_t bytes, int order, const void *pc);
void rqs_race_store(volatile void *addr, size_t bytes, int order, const void *pc);
void rqs_race_exchange(volatile void *addr, size_t bytes, int order, const void *pc);

#endif /* RQS_RACES_H */
