/* SPDX-License-Identifier: MIT */
/*
 * impl_native.h - rqpi_mutex_t and rqpi_cond_t, called in librqpi.so as any program would:
 * "native". Included by impl.h alone.
 */
#ifndef BENCH_IMPL_NATIVE_H
#define BENCH_IMPL_NATIVE_H

#include <rqpi/rqpi.h>
#include "worker.h"

typedef rqpi_mutex_t bm_t;
typedef rqpi_cond_t bc_t;

static inline void bm_init(bm_t *m)
{
	int err = rqpi_mutex_init(m, NULL);

	if (err)
		work_die("rqpi_mutex_init", err);
}

static inline bool bm_is_pi(const bm_t *m)
{
	(void)m;
	return true;
}

static inline void bm_lock(bm_t *m)
{
	int err = rqpi_mutex_lock(m);

	if (__builtin_expect(err, 0))
		work_die("rqpi_mutex_lock", err);
}

static inline void bm_unlock(bm_t *m)
{
	int err = rqpi_mutex_unlock(m);

	if (__builtin_expect(err, 0))
		work_die("rqpi_mutex_unlock", err);
}

static inline void bc_init(bc_t *c, bm_t *m)
{
	(void)m;
	if (rqpi_cond_init(c, NULL))
		work_die("rqpi_cond_init", 0);
}

static inline void bc_wait(bc_t *c, bm_t *m)
{
	int err = rqpi_cond_wait(c, m);

	if (__builtin_expect(err, 0))
		work_die("rqpi_cond_wait", err);
}

static inline void bc_signal(bc_t *c)
{
	int err = rqpi_cond_signal(c);

	if (__builtin_expect(err, 0))
		work_die("rqpi_cond_signal", err);
}

static inline void bc_broadcast(bc_t *c)
{
	int err = rqpi_cond_broadcast(c);

	if (__builtin_expect(err, 0))
		work_die("rqpi_cond_broadcast", err);
}

static inline void bc_emit_stats(void)
{
	struct rqpi_cond_stats stats = {.size = sizeof(stats)};

	if (rqpi_get_cond_stats(&stats))
		work_die("rqpi_get_cond_stats", 0);
	work_emit_one("window_wakes", (double)stats.window_wakes);
	work_emit_one("double_wakes", (double)stats.double_wakes);
}

#endif /* BENCH_IMPL_NATIVE_H */
