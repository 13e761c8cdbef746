/* SPDX-License-Identifier: MIT */
/*
 * fiber_x86_64.c - a switch is a call: it saves what a call has to keep, and no more. 10 ns, where
 * swapcontext() makes two system calls.
 *
 * What a call need not keep is 0 behind it: no value of the explorer's may get into a task, whose
 * stack is a part of the state, not even one that nobody looks at: a variadic function saves the
 * registers of arguments that were not passed, too.
 *
 * Called by world.c. Compiled with -fcf-protection=none: a shadow stack would be in the way.
 */
#include "sim/fiber.h"

#include <stdint.h>
#include <string.h>

__asm__(".text\n"
	".globl rqs_fiber_switch\n"
	".type rqs_fiber_switch, @function\n"
	"rqs_fiber_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	xor %eax, %eax\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"	xor %esi, %esi\n"
	"	xor %edi, %edi\n"
	"	xor %r8d, %r8d\n"
	"	xor %r9d, %r9d\n"
	"	xor %r10d, %r10d\n"
	"	xor %r11d, %r11d\n"
	"	pxor %xmm0, %xmm0\n"
	"	pxor %xmm1, %xmm1\n"
	"	pxor %xmm2, %xmm2\n"
	"	pxor %xmm3, %xmm3\n"
	"	pxor %xmm4, %xmm4\n"
	"	pxor %xmm5, %xmm5\n"
	"	pxor %xmm6, %xmm6\n"
	"	pxor %xmm7, %xmm7\n"
	"	pxor %xmm8, %xmm8\n"
	"	pxor %xmm9, %xmm9\n"
	"	pxor %xmm10, %xmm10\n"
	"	pxor %xmm11, %xmm11\n"
	"	pxor %xmm12, %xmm12\n"
	"	pxor %xmm13, %xmm13\n"
	"	pxor %xmm14, %xmm14\n"
	"	pxor %xmm15, %xmm15\n"
	"	ret\n"
	".size rqs_fiber_switch, . - rqs_fiber_switch\n");

enum { SAVED = 6 };

void *rqs_fiber_new(void *top, void (*entry)(void))
{
	/* As if @entry had been called: the stack is 8 off 16, and there is no way back. */
	uintptr_t *sp = (uintptr_t *)top - 2;

	sp[1] = 0;
	sp[0] = (uintptr_t)entry;
	memset(sp - SAVED, 0, SAVED * sizeof(*sp));
	return sp - SAVED;
}
