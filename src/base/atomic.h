/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - every atomic access of rqpi, by memory order; the one place where a schedule hook can
 * sit.
 *
 * Owns: the __atomic builtins (no other file uses them), the RQPI_SIM switch, the TSan annotations.
 * An access that is a scheduling point of the checker goes through RQB_POINT() first: a build with
 * -DRQPI_SIM defines rqs_point(), every other build compiles it to nothing. A load, and a store
 * weaker than seq_cst, have points of their own, which say where to look and to store instead: the
 * checker may hold such stores back for a while, as processors do.
 *
 * All functions are lock-free on every target we build for. The suffix is the C11 order; "acq" on a
 * compare-exchange orders its success, a failure is always relaxed.
 */
#ifndef RQB_ATOMIC_H
#define RQB_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef RQPI_SIM
void rqs_point(const volatile void *addr);
const volatile void *rqs_load_point(const volatile void *addr, unsigned int bytes);
volatile void *rqs_store_point(volatile void *addr, unsigned int bytes);
#define RQB_POINT(addr) rqs_point(addr)
#define RQB_LOAD_AT(p)	((__typeof__(p))(uintptr_t)rqs_load_point(p, sizeof(*(p))))
#define RQB_STORE_AT(p) ((__typeof__(p))(uintptr_t)rqs_store_point(p, sizeof(*(p))))
/* A variable of the process: the checker saves and restores it. */
#define RQB_STATE	__attribute__((section("rqs_state")))
#else
#define RQB_POINT(addr) ((void)(addr))
#define RQB_LOAD_AT(p)	(p)
#define RQB_STORE_AT(p) (p)
#define RQB_STATE
#endif

#define rqb_likely(x)	__builtin_expect(!!(x), 1)
#define rqb_unlikely(x) __builtin_expect(!!(x), 0)

static inline uint32_t rqb_load(const uint32_t *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_RELAXED);
}

static inline uint32_t rqb_load_acq(const uint32_t *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_ACQUIRE);
}

static inline void rqb_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(RQB_STORE_AT(p), v, __ATOMIC_RELAXED);
}

static inline void rqb_store_rel(uint32_t *p, uint32_t v)
{
	__atomic_store_n(RQB_STORE_AT(p), v, __ATOMIC_RELEASE);
}

/* Compare-exchange: true if *p was @old and is now @new. Strong: no spurious failure. */
static inline bool rqb_cas_acq(uint32_t *p, uint32_t old, uint32_t new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline bool rqb_cas_rel(uint32_t *p, uint32_t old, uint32_t new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static inline bool rqb_cas(uint32_t *p, uint32_t old, uint32_t new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Read-modify-write, sequentially consistent; each returns the value from before. */
static inline uint32_t rqb_add(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t rqb_or(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t rqb_and(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t rqb_xchg(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

/* 64 bits at a multiple of 8, which i386 must be told of a structure, lest they cross a line. */
static inline uint64_t rqb_load64(const uint64_t *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_SEQ_CST);
}

static inline void rqb_store64(uint64_t *p, uint64_t v)
{
	RQB_POINT(p);
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

static inline bool rqb_cas64(uint64_t *p, uint64_t old, uint64_t new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline uint64_t rqb_add64(uint64_t *p, uint64_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

/*
 * The kernel half knows only sequential consistency: what it shares without a lock is compared and
 * stored a few times in an operation, and there is nothing to prove about orders.
 */
static inline uint32_t rqb_load_sc(const uint32_t *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_SEQ_CST);
}

static inline void rqb_store_sc(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

static inline uint32_t rqb_sub(uint32_t *p, uint32_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);
}

/* A pointer with flags in its low bits, or a pointer of any type. */
static inline uintptr_t rqb_load_bits(const uintptr_t *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_SEQ_CST);
}

static inline void rqb_store_bits(uintptr_t *p, uintptr_t v)
{
	RQB_POINT(p);
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

static inline bool rqb_cas_bits(uintptr_t *p, uintptr_t old, uintptr_t new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline uintptr_t rqb_or_bits(uintptr_t *p, uintptr_t v)
{
	RQB_POINT(p);
	return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);
}

static inline void rqb_count(uint64_t *p)
{
	__atomic_fetch_add(p, 1, __ATOMIC_RELAXED);
}

static inline void *rqb_load_ptr_acq(void *const *p)
{
	return __atomic_load_n(RQB_LOAD_AT(p), __ATOMIC_ACQUIRE);
}

static inline void rqb_store_ptr_rel(void **p, void *v)
{
	__atomic_store_n(RQB_STORE_AT(p), v, __ATOMIC_RELEASE);
}

static inline bool rqb_cas_ptr(void **p, void *old, void *new)
{
	RQB_POINT(p);
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/*
 * Order for the compiler only: against a signal, or the kernel that reads our memory when we die.
 */
static inline void rqb_compiler_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * ThreadSanitizer sees atomics, not the kernel. Where the kernel stores a futex word on our behalf
 * (it hands a mutex from its owner to a waiter), say so: rqb_handoff_release() before the system
 * call that gives away, rqb_handoff_acquire() after the one that took. The kernel's own locks order
 * the two.
 */
#if defined(__SANITIZE_THREAD__)
#define RQB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RQB_TSAN 1
#endif
#endif

#ifdef RQB_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#endif

static inline void rqb_handoff_acquire(uint32_t *word)
{
#ifdef RQB_TSAN
	__tsan_acquire(word);
#endif
	(void)word;
}

static inline void rqb_handoff_release(uint32_t *word)
{
#ifdef RQB_TSAN
	__tsan_release(word);
#endif
	(void)word;
}

#endif /* RQB_ATOMIC_H */
