/* SPDX-License-Identifier: MIT */
/*
 * rawcall_x86.c - rqh_syscall() on 32-bit x86, where the sixth argument is in the frame pointer.
 *
 * Called by all of src/host. A function of its own, with what an unwinder needs: a thread may be
 * cancelled in the middle of it.
 */
#include "src/host/rawcall.h"

/* Arguments on the stack: the number, and six. */
/* clang-format off */
__asm__(".pushsection .text\n"
	".balign 16\n"
	".globl rqh_syscall\n"
	".hidden rqh_syscall\n"
	".type rqh_syscall, @function\n"
	"rqh_syscall:\n"
	"	.cfi_startproc\n"
	"	pushl %ebp\n"
	"	.cfi_adjust_cfa_offset 4\n"
	"	.cfi_rel_offset ebp, 0\n"
	"	pushl %edi\n"
	"	.cfi_adjust_cfa_offset 4\n"
	"	.cfi_rel_offset edi, 0\n"
	"	pushl %esi\n"
	"	.cfi_adjust_cfa_offset 4\n"
	"	.cfi_rel_offset esi, 0\n"
	"	pushl %ebx\n"
	"	.cfi_adjust_cfa_offset 4\n"
	"	.cfi_rel_offset ebx, 0\n"
	"	movl 20(%esp), %eax\n"
	"	movl 24(%esp), %ebx\n"
	"	movl 28(%esp), %ecx\n"
	"	movl 32(%esp), %edx\n"
	"	movl 36(%esp), %esi\n"
	"	movl 40(%esp), %edi\n"
	"	movl 44(%esp), %ebp\n"
	"	int $0x80\n"
	"	popl %ebx\n"
	"	.cfi_adjust_cfa_offset -4\n"
	"	.cfi_restore ebx\n"
	"	popl %esi\n"
	"	.cfi_adjust_cfa_offset -4\n"
	"	.cfi_restore esi\n"
	"	popl %edi\n"
	"	.cfi_adjust_cfa_offset -4\n"
	"	.cfi_restore edi\n"
	"	popl %ebp\n"
	"	.cfi_adjust_cfa_offset -4\n"
	"	.cfi_restore ebp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size rqh_syscall, . - rqh_syscall\n"
	".popsection\n");
/* clang-format on */
