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

#include <stdint.h>
#include <sys/syscall.h>

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

#else

/* rawcall_libc.c: libc's own, looked for behind the preload. */
long rqh_syscall(long nr, long a, long b, long c, long d, long e, long f);

#endif

/* A pointer as a system call takes it. */
#define RQH_ARG(p) ((long)(uintptr_t)(p))

static inline long rqh_syscall3(long nr, long a, long b, long c)
{
	return rqh_syscall(nr, a, b, c, 0, 0, 0);
}

static inline long rqh_syscall4(long nr, long a, long b, long c, long d)
{
	return rqh_syscall(nr, a, b, c, d, 0, 0);
}

#endif /* RQH_RAWCALL_H */
