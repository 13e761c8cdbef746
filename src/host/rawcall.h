/* SPDX-License-Identifier: MIT */
/*
 * rawcall.h - system calls that nobody can intercept.
 *
 * Owns: rqh_syscall(), by which every system call of src/host is made. libc's syscall() will not
 * do: the preload of futex_shim.c puts itself in its place, and the engine would be called by
 * itself. Results are >= 0 or a negative errno value; errno is not touched.
 */
#ifndef RQH_RAWCALL_H
#define RQH_RAWCALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#if defined(__x86_64__)

static inline long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}

#elif defined(__aarch64__)

static inline long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

#elif defined(__riscv)

static inline long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long a7 __asm__("a7") = nr;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}

#else

/*
 * rawcall_x86.c, rawcall_arm.c: the sixth argument, or the number, goes where a compiler keeps its
 * frame pointer. rawcall_libc.c: libc's own, looked for behind the preload.
 */
long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f);

#endif

/* A pointer as a system call takes it. */
#define RQH_ARG(p) ((long)(uintptr_t)(p))

/* Arguments of any integer type: a system call takes all in registers. */
#define rqh_syscall3(nr, a, b, c) rqh_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define rqh_syscall4(nr, a, b, c, d) \
	rqh_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/*
 * Calls that take times. Those of 32-bit machines have a second number where times have 64 bits, as
 * they have in all of rqpi; some machines never had another.
 */
#if __SIZEOF_LONG__ == 4 && defined(SYS_futex_time64)
#define RQH_SYS_CLOCK_NANOSLEEP SYS_clock_nanosleep_time64
#define RQH_SYS_FUTEX		SYS_futex_time64
#define RQH_SYS_PPOLL		SYS_ppoll_time64
#define RQH_SYS_SIGTIMEDWAIT	SYS_rt_sigtimedwait_time64
#define RQH_SYS_TIMERFD_SETTIME SYS_timerfd_settime64
#else
#define RQH_SYS_CLOCK_NANOSLEEP SYS_clock_nanosleep
#define RQH_SYS_FUTEX		SYS_futex
#define RQH_SYS_PPOLL		SYS_ppoll
#define RQH_SYS_SIGTIMEDWAIT	SYS_rt_sigtimedwait
#define RQH_SYS_TIMERFD_SETTIME SYS_timerfd_settime
#endif

/* The older call takes its arguments from memory. */
#ifdef SYS_mmap2
#define RQH_SYS_MMAP SYS_mmap2
#else
#define RQH_SYS_MMAP SYS_mmap
#endif

/* pread(), whose offset 32-bit machines pass in ways of their own; with preadv() it is one way. */
static inline long rqh_pread(long fd, void *to, size_t bytes, uint64_t offset)
{
	struct iovec part = {to, bytes};

	return rqh_syscall(SYS_preadv, fd, RQH_ARG(&part), 1, (long)offset, (long)(offset >> 32),
			   0);
}

#endif /* RQH_RAWCALL_H */
