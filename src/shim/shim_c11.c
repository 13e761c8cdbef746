/* SPDX-License-Identifier: MIT */
/*
 * shim_c11.c - mtx_* and cnd_* of <threads.h>, in librqpi-preload-mutex.so.
 *
 * glibc's are its pthread functions under other names and types, called inside libc, where we are
 * not. So with --force-pi they come by here: the same storage, the same functions as under
 * pthread's names, C11's results. mtx_init, mtx_destroy, cnd_init and thrd_* stay libc's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "src/shim/shim.h"
#include "src/shim/shim_lock.h"
#include "src/shim/shim_version.h"

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc's mtx_t is its pthread_mutex_t");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is its pthread_cond_t");

/* Nobody calls them by these names. */
int shim_mtx_lock(mtx_t *m);
int shim_mtx_trylock(mtx_t *m);
int shim_mtx_timedlock(mtx_t *m, const struct timespec *at);
int shim_mtx_unlock(mtx_t *m);
int shim_cnd_wait(cnd_t *c, mtx_t *m);
int shim_cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *at);
int shim_cnd_signal(cnd_t *c);
int shim_cnd_broadcast(cnd_t *c);
void shim_cnd_destroy(cnd_t *c);

static int result(int err)
{
	switch (err) {
	case 0:
		return thrd_success;
	case EBUSY:
		return thrd_busy;
	case ETIMEDOUT:
		return thrd_timedout;
	case ENOMEM:
		return thrd_nomem;
	default:
		return thrd_error;
	}
}

static pthread_mutex_t *mutex_of(mtx_t *m)
{
	return (pthread_mutex_t *)(void *)m;
}

static pthread_cond_t *cond_of(cnd_t *c)
{
	return (pthread_cond_t *)(void *)c;
}

SHIM_API int shim_mtx_lock(mtx_t *m)
{
	return result(shim_lock_for(mutex_of(m), __builtin_return_address(0)));
}

SHIM_API int shim_mtx_trylock(mtx_t *m)
{
	return result(shim_trylock_for(mutex_of(m), __builtin_return_address(0)));
}

SHIM_API int shim_mtx_timedlock(mtx_t *m, const struct timespec *at)
{
	return result(
	    shim_clocklock_for(mutex_of(m), CLOCK_REALTIME, at, __builtin_return_address(0)));
}

SHIM_API int shim_mtx_unlock(mtx_t *m)
{
	return result(shim_mutex_unlock(mutex_of(m)));
}

SHIM_API int shim_cnd_wait(cnd_t *c, mtx_t *m)
{
	return result(shim_cond_wait(cond_of(c), mutex_of(m)));
}

SHIM_API int shim_cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *at)
{
	return result(shim_cond_timedwait(cond_of(c), mutex_of(m), at));
}

SHIM_API int shim_cnd_signal(cnd_t *c)
{
	return result(shim_cond_signal(cond_of(c)));
}

SHIM_API int shim_cnd_broadcast(cnd_t *c)
{
	return result(shim_cond_broadcast(cond_of(c)));
}

SHIM_API void shim_cnd_destroy(cnd_t *c)
{
	shim_cond_destroy(cond_of(c));
}

/* clang-format off */
/* Since 2.28 in libpthread, since 2.34 in libc. */
#define SHIM_EXPORT_BOTH(name) \
	SHIM_EXPORT_DEFAULT(shim_##name, name, "GLIBC_2.34"); \
	SHIM_EXPORT_ALSO(shim_##name, shim_##name##_2_28, name, "GLIBC_2.28")

SHIM_EXPORT_BOTH(mtx_lock);
SHIM_EXPORT_BOTH(mtx_trylock);
SHIM_EXPORT_BOTH(mtx_timedlock);
SHIM_EXPORT_BOTH(mtx_unlock);
SHIM_EXPORT_BOTH(cnd_wait);
SHIM_EXPORT_BOTH(cnd_timedwait);
SHIM_EXPORT_BOTH(cnd_signal);
SHIM_EXPORT_BOTH(cnd_broadcast);
SHIM_EXPORT_BOTH(cnd_destroy);

#define SHIM_BIND_BOTH(name) \
	SHIM_BIND_NOW(shim_##name, name, "GLIBC_2.34"), \
	SHIM_BIND_OLD(shim_##name##_2_28, name, "GLIBC_2.28")

const struct shim_binding shim_c11_bindings[] = {
	SHIM_BIND_BOTH(mtx_lock),
	SHIM_BIND_BOTH(mtx_trylock),
	SHIM_BIND_BOTH(mtx_timedlock),
	SHIM_BIND_BOTH(mtx_unlock),
	SHIM_BIND_BOTH(cnd_wait),
	SHIM_BIND_BOTH(cnd_timedwait),
	SHIM_BIND_BOTH(cnd_signal),
	SHIM_BIND_BOTH(cnd_broadcast),
	SHIM_BIND_BOTH(cnd_destroy),
	{.name = NULL},
};
/* clang-format on */
