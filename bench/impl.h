/* SPDX-License-Identifier: MIT */
/*
 * impl.h - the implementation that a work_*.c is compiled for: one of impl_*.h, each of which
 * defines bm_t (mutex) and bc_t (condvar) with the same inline functions, so that a measured loop
 * holds the library's own call and nothing else. LINUX and ENGINE, which have impl_call.h, are not
 * of those: they are the two futexes. WORK_FN(wake) is the name of the function for this
 * implementation.
 */
#ifndef BENCH_IMPL_H
#define BENCH_IMPL_H

#if defined(BENCH_IMPL_PTHREAD)
#define BENCH_PROTOCOL PTHREAD_PRIO_INHERIT
#include "impl_pthread.h"
#define WORK_FN(bench) work_##bench##_pthread
#elif defined(BENCH_IMPL_NORMAL)
#define BENCH_PROTOCOL PTHREAD_PRIO_NONE
#include "impl_pthread.h"
#define WORK_FN(bench) work_##bench##_normal
#elif defined(BENCH_IMPL_NATIVE)
#include "impl_native.h"
#define WORK_FN(bench) work_##bench##_native
#elif defined(BENCH_IMPL_REQUEUE)
#include "impl_requeue.h"
#define WORK_FN(bench) work_##bench##_requeue
#elif defined(BENCH_IMPL_FUTEX)
#include "impl_futex.h"
#define WORK_FN(bench) work_##bench##_futex
#elif defined(BENCH_IMPL_LINUX)
#include "impl_call.h"
#define WORK_FN(bench) work_##bench##_linux
#elif defined(BENCH_IMPL_ENGINE)
#include "impl_call.h"
#define WORK_FN(bench) work_##bench##_engine
#else
#error "compile with -DBENCH_IMPL_PTHREAD, _NORMAL, _NATIVE, _REQUEUE, _FUTEX, _LINUX or _ENGINE"
#endif

#endif /* BENCH_IMPL_H */
