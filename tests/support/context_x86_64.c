/* SPDX-License-Identifier: MIT */
/*
 * context_x86_64.c - getcontext(), makecontext() and swapcontext() for a C library that declares
 * them and has none (musl), as far as examples/port_coop.c needs them: no arguments, no uc_link,
 * and no signal masks.
 *
 * Linked with the programs on the cooperative port where the C library lacks the three. A switch is
 * a call, and so saves what a call has to keep.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#define KEPT 6 /* registers that a call has to keep, beside rsp */

void rqt_switch_stack(greg_t *save, greg_t load);
void rqt_context_returned(void);

__asm__(".pushsection .text\n"
	".globl rqt_switch_stack\n"
	".type rqt_switch_stack, @function\n"
	"rqt_switch_stack:\n"
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
	".size rqt_switch_stack, . - rqt_switch_stack\n"
	".popsection\n");

int getcontext(ucontext_t *context)
{
	memset(&context->uc_mcontext, 0, sizeof(context->uc_mcontext));
	return 0;
}

/* Where a function of makecontext() returns to: there is no uc_link, and no way on. */
void rqt_context_returned(void)
{
	__builtin_trap();
}

void makecontext(ucontext_t *context, void (*begin)(void), int count, ...)
{
	char *top = (char *)context->uc_stack.ss_sp + context->uc_stack.ss_size;
	uintptr_t *sp = (uintptr_t *)(void *)(top - (uintptr_t)top % 16);

	if (count != 0)
		__builtin_trap();
	*--sp = 0; /* as after a call: the address to return to is 8 beside a multiple of 16 */
	*--sp = 0;
	*--sp = (uintptr_t)rqt_context_returned;
	*--sp = (uintptr_t)begin;
	for (int i = 0; i < KEPT; i++)
		*--sp = 0;
	context->uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)sp;
}

int swapcontext(ucontext_t *from, const ucontext_t *to)
{
	rqt_switch_stack(&from->uc_mcontext.gregs[REG_RSP], to->uc_mcontext.gregs[REG_RSP]);
	return 0;
}
