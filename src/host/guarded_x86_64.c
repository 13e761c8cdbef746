/* SPDX-License-Identifier: MIT */
/*
 * guarded_x86_64.c - accesses that may fault and then answer EFAULT, on x86-64.
 *
 * Called by word.c and key.c. Each function has one instruction that can fault, at a label that is
 * known; the handler in fault.c asks rqh_guarded_exit() where to go on if it was that one. The
 * functions are leaves without a frame, so that the way out is the same from before and after that
 * instruction.
 */
#include "src/host/rqh.h"

/* Arguments in rdi, rsi, rdx, rcx; the result in eax. -14 is -EFAULT. */
/* clang-format off */
__asm__(".pushsection .text\n"
	".balign 16\n"
	".globl rqh_guarded_load\n"
	".hidden rqh_guarded_load\n"
	".type rqh_guarded_load, @function\n"
	"rqh_guarded_load:\n"
	"rqh_load_at:\n"
	"	movl (%rdi), %eax\n"
	"	movl %eax, (%rsi)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".size rqh_guarded_load, . - rqh_guarded_load\n"

	".balign 16\n"
	".globl rqh_guarded_cmpxchg\n"
	".hidden rqh_guarded_cmpxchg\n"
	".type rqh_guarded_cmpxchg, @function\n"
	"rqh_guarded_cmpxchg:\n"
	"	movl %esi, %eax\n"
	"rqh_cmpxchg_at:\n"
	"	lock cmpxchgl %edx, (%rdi)\n"
	"	movl %eax, (%rcx)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".size rqh_guarded_cmpxchg, . - rqh_guarded_cmpxchg\n"

	".balign 16\n"
	".globl rqh_guarded_copy\n"
	".hidden rqh_guarded_copy\n"
	".type rqh_guarded_copy, @function\n"
	"rqh_guarded_copy:\n"
	"	movq %rdx, %rcx\n"
	"rqh_copy_at:\n"
	"	rep movsb\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".size rqh_guarded_copy, . - rqh_guarded_copy\n"

	".balign 16\n"
	".type rqh_guarded_efault, @function\n"
	"rqh_guarded_efault:\n"
	"	movl $-14, %eax\n"
	"	ret\n"
	".size rqh_guarded_efault, . - rqh_guarded_efault\n"

	".hidden rqh_load_at\n"
	".hidden rqh_cmpxchg_at\n"
	".hidden rqh_copy_at\n"
	".hidden rqh_guarded_efault\n"
	".globl rqh_load_at\n"
	".globl rqh_cmpxchg_at\n"
	".globl rqh_copy_at\n"
	".globl rqh_guarded_efault\n"
	".popsection\n");
/* clang-format on */

extern const char rqh_load_at[] __attribute__((visibility("hidden")));
extern const char rqh_cmpxchg_at[] __attribute__((visibility("hidden")));
extern const char rqh_copy_at[] __attribute__((visibility("hidden")));
extern const char rqh_guarded_efault[] __attribute__((visibility("hidden")));

uintptr_t rqh_guarded_exit(uintptr_t pc, uintptr_t address, uint64_t mask)
{
	(void)address;
	(void)mask;
	if (pc == (uintptr_t)rqh_load_at || pc == (uintptr_t)rqh_cmpxchg_at ||
	    pc == (uintptr_t)rqh_copy_at)
		return (uintptr_t)rqh_guarded_efault;
	return 0;
}
