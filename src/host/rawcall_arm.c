/* SPDX-License-Identifier: MIT */
/*
 * rawcall_arm.c - rqh_syscall() on 32-bit ARM, where the number is in Thumb's frame pointer.
 *
 * Called by all of src/host. A function of its own, with what an unwinder needs: a thread may be
 * cancelled in the middle of it.
 */
#include "src/host/rawcall.h"

/* The number and three arguments in r0 to r3, three on the stack. */
/* clang-format off */
__asm__(".pushsection .text\n"
	".arm\n"
	".balign 4\n"
	".globl rqh_syscall\n"
	".hidden rqh_syscall\n"
	".type rqh_syscall, %function\n"
	"rqh_syscall:\n"
	"	.fnstart\n"
	"	push {r4, r5, r7, lr}\n"
	"	.save {r4, r5, r7, lr}\n"
	"	mov r7, r0\n"
	"	mov r0, r1\n"
	"	mov r1, r2\n"
	"	mov r2, r3\n"
	"	ldr r3, [sp, #16]\n"
	"	ldr r4, [sp, #20]\n"
	"	ldr r5, [sp, #24]\n"
	"	svc #0\n"
	"	pop {r4, r5, r7, pc}\n"
	"	.fnend\n"
	".size rqh_syscall, . - rqh_syscall\n"
	".popsection\n");
/* clang-format on */
