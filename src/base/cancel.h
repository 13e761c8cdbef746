/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - how a C library leaves code that is cancelled asynchronously.
 *
 * Used by user/wait.c and host/park.c, whose sleeps are such code. musl (1.2.3) leaves it by a
 * jump, with the stack as the interrupted instruction had it, while code for x86 counts on a
 * multiple of 16. The first cleanup handler is ours, so it aligns the stack for itself, with
 * RQB_ALIGN_STACK, and where RQB_CANCEL_JUMPS ends with pthread_exit(PTHREAD_CANCELED): musl then
 * goes on with the handlers that are left, the program's, on a stack that is aligned for them.
 */
#ifndef RQB_CANCEL_H
#define RQB_CANCEL_H

#ifndef PTHREAD_CANCEL_ASYNCHRONOUS
#error "to be included after pthread.h, which tells glibc from others"
#endif

#if !defined(__GLIBC__) && (defined(__x86_64__) || defined(__i386__))
#define RQB_CANCEL_JUMPS 1
#define RQB_ALIGN_STACK	 __attribute__((force_align_arg_pointer))
#else
#define RQB_CANCEL_JUMPS 0
#define RQB_ALIGN_STACK
#endif

#endif /* RQB_CANCEL_H */
