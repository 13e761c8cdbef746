/* SPDX-License-Identifier: MIT */
/*
 * impl.h - the implementation that a work_*.c is compiled for: one of impl_*.h, each of which
 * defines bm_t (mutex) and bc_t (condvar) with the same inline functions, so that a measured loop
 * holds the library's own call and nothing else. WORK_FN(wake) is the name of the function for this
 * implementation.
 */
#ifndef BENCH_IMPL_H
#define BENCH_IMPL_H

#if defined(BENCH_IMPL_PTHREAD)
#include "impl_pthread.h"
#define WORK_FN(bench) work_##bench##_pthread
#elif defined(BENCH_IMPL_NATIVE)
#include "impl_native.h"
#define WORK_FN(bench) work_##bench##_native
#elif defined(BENCH_IMPL_REQUEUE)
#include "impl_requeue.h"
#define WORK_FN(bench) work_##bench##_requeue
#elif defined(BENCH_IMPL_FUTEX)
#include "impl_futex.h"
#define WORK_FN(bench) work_##bench##_futex
#else
#error "compile with -DBENCH_IMPL_PTHREAD, _NATIVE, _REQUEUE or _FUTEX"
#endif

#endif /* BENCH_IMPL_H */
