/* SPDX-License-Identifier: MIT */
/*
 * races_calls.c - what the compiler calls for code built with -fsanitize=thread, in place of the
 * runtime that comes with it: the same names and arguments, and the detector of races.c behind.
 *
 * Called by the code under test and by scenarios. One task runs at a time, so that the accesses
 * themselves need no order; the order that the code asks for is what the detector gets.
 *
 * Large structures are copied by range in gcc and by memcpy() in clang, which also any code may
 * call: the program has its own.
 */
#include "sim/races.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Only the compiler calls these: nobody declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define HERE __builtin_return_address(0)

/* ---------------------------------------------------------------- plain accesses */

#define PLAIN(bytes)                                           \
	void __tsan_read##bytes(void *addr)                    \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_READ, HERE);  \
	}                                                      \
	void __tsan_write##bytes(void *addr)                   \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_WRITE, HERE); \
	}                                                      \
	void __tsan_unaligned_read##bytes(void *addr)          \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_READ, HERE);  \
	}                                                      \
	void __tsan_unaligned_write##bytes(void *addr)         \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_WRITE, HERE); \
	}                                                      \
	void __tsan_read_write##bytes(void *addr)              \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_WRITE, HERE); \
	}                                                      \
	void __tsan_unaligned_read_write##bytes(void *addr)    \
	{                                                      \
		rqs_race_access(addr, bytes, RQS_WRITE, HERE); \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *addr, size_t bytes)
{
	rqs_race_access(addr, bytes, RQS_READ, HERE);
}

void __tsan_write_range(void *addr, size_t bytes)
{
	rqs_race_access(addr, bytes, RQS_WRITE, HERE);
}

/* A string instruction: the compiler may not make a call of these functions to themselves of it. */
static void copy_up(void *to, const void *from, size_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void copy_down(void *to, const void *from, size_t bytes)
{
	to = (char *)to + bytes - 1;
	from = (const char *)from + bytes - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	rqs_race_copy(from, bytes, RQS_READ, HERE);
	rqs_race_copy(to, bytes, RQS_WRITE, HERE);
	copy_up(to, from, bytes);
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	rqs_race_copy(from, bytes, RQS_READ, HERE);
	rqs_race_copy(to, bytes, RQS_WRITE, HERE);
	if ((uintptr_t)to - (uintptr_t)from >= bytes)
		copy_up(to, from, bytes);
	else
		copy_down(to, from, bytes);
	return to;
}

void *memset(void *to, int byte, size_t bytes)
{
	void *at = to;

	rqs_race_copy(to, bytes, RQS_WRITE, HERE);
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
	return to;
}

/* ---------------------------------------------------------------- atomic accesses */

#define FETCH(bits, name, value)                                                                  \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, \
						    int order)                                    \
	{                                                                                         \
		uint##bits##_t old = *p;                                                          \
                                                                                                  \
		rqs_race_exchange(p, sizeof(*p), order, HERE);                                    \
		*p = (uint##bits##_t)(value);                                                     \
		return old;                                                                       \
	}

#define COMPARE(bits, kind)                                                                      \
	int __tsan_atomic##bits##_compare_exchange_##kind(volatile uint##bits##_t *p,            \
							  uint##bits##_t *old, uint##bits##_t v, \
							  int order, int failure)                \
	{                                                                                        \
		uint##bits##_t seen = *p;                                                        \
                                                                                                 \
		if (seen == *old) {                                                              \
			rqs_race_exchange(p, sizeof(*p), order, HERE);                           \
			*p = v;                                                                  \
			return 1;                                                                \
		}                                                                                \
		rqs_race_load(p, sizeof(*p), failure, HERE);                                     \
		*old = seen;                                                                     \
		return 0;                                                                        \
	}

#define ATOMIC(bits)                                                                              \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)    \
	{                                                                                         \
		rqs_race_load(p, sizeof(*p), order, HERE);                                        \
		return *p;                                                                        \
	}                                                                                         \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order) \
	{                                                                                         \
		rqs_race_store(p, sizeof(*p), order, HERE);                                       \
		*p = v;                                                                           \
	}                                                                                         \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                \
	    volatile uint##bits##_t *p, uint##bits##_t old, uint##bits##_t v, int order,          \
	    int failure)                                                                          \
	{                                                                                         \
		uint##bits##_t seen = *p;                                                         \
                                                                                                  \
		if (seen == old) {                                                                \
			rqs_race_exchange(p, sizeof(*p), order, HERE);                            \
			*p = v;                                                                   \
		} else {                                                                          \
			rqs_race_load(p, sizeof(*p), failure, HERE);                              \
		}                                                                                 \
		return seen;                                                                      \
	}                                                                                         \
	COMPARE(bits, strong)                                                                     \
	COMPARE(bits, weak)                                                                       \
	FETCH(bits, exchange, v)                                                                  \
	FETCH(bits, fetch_add, old + v)                                                           \
	FETCH(bits, fetch_sub, old - v)                                                           \
	FETCH(bits, fetch_or, old | v)                                                            \
	FETCH(bits, fetch_and, old &v)                                                            \
	FETCH(bits, fetch_xor, old ^ v)

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

/* ---------------------------------------------------------------- the rest */

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/*
 * What rqb_handoff_*() tells ThreadSanitizer, which does not see the kernel. Here the kernel is the
 * engine, and its own edges have to do.
 */
void __tsan_acquire(void *addr)
{
	(void)addr;
}

void __tsan_release(void *addr)
{
	(void)addr;
}

/* For the compiler only. */
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* src has none, and what one means is not known here. */
__attribute__((noreturn)) void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	abort();
}
