/* SPDX-License-Identifier: MIT */
/* fiber.h - the switch between the explorer and a task of the simulated machine. */
#ifndef RQS_FIBER_H
#define RQS_FIBER_H

#include <stddef.h>

/* Leave for the fiber whose stack pointer is @to; come back when somebody switches to *@from. */
void rqs_fiber_switch(void **from, void *to);

/*
 * A new fiber: the stack pointer with which a first rqs_fiber_switch() enters @entry, which must
 * not return. @top: the upper end of its stack, aligned to 16. All registers begin as 0.
 */
void *rqs_fiber_new(void *top, void (*entry)(void));

#endif /* RQS_FIBER_H */
