/* SPDX-License-Identifier: MIT */
/*
 * shim_cond_old.c - pthread_cond_* as glibc had them before 2.3.2, which it still exports for
 * programs of that time.
 *
 * Their pthread_cond_t is one pointer wide as far as these functions are concerned: it points to a
 * condvar of today, made at first use and freed by destroy. libc does the same, inside, where we
 * are not. Its init of that time stores NULL there and stays libc's.
 */
#define _GNU_SOURCE
#include "src/shim/shim.h"
#include "src/shim/shim_version.h"

#ifdef SHIM_COND_OLD

#include <errno.h>
#include <stdlib.h>

#include "src/base/atomic.h"

struct shim_old_cond {
	void *cond; /* a pthread_cond_t; NULL: not used yet */
};

/* Nobody calls them by these names. */
int shim_old_wait(struct shim_old_cond *old, pthread_mutex_t *mutex);
int shim_old_timedwait(struct shim_old_cond *old, pthread_mutex_t *mutex,
		       const struct timespec *at);
int shim_old_signal(struct shim_old_cond *old);
int shim_old_broadcast(struct shim_old_cond *old);
int shim_old_destroy(struct shim_old_cond *old);

/* Zeroed memory is PTHREAD_COND_INITIALIZER. */
static pthread_cond_t *cond_of(struct shim_old_cond *old)
{
	pthread_cond_t *cond = rqb_load_ptr_acq(&old->cond);

	if (cond)
		return cond;
	cond = calloc(1, sizeof(*cond));
	if (!cond)
		return NULL;
	if (rqb_cas_ptr(&old->cond, NULL, cond))
		return cond;
	free(cond);
	return rqb_load_ptr_acq(&old->cond);
}

SHIM_API int shim_old_wait(struct shim_old_cond *old, pthread_mutex_t *mutex)
{
	pthread_cond_t *cond = cond_of(old);

	return cond ? shim_cond_wait(cond, mutex) : ENOMEM;
}

SHIM_API int shim_old_timedwait(struct shim_old_cond *old, pthread_mutex_t *mutex,
				const struct timespec *at)
{
	pthread_cond_t *cond = cond_of(old);

	return cond ? shim_cond_timedwait(cond, mutex, at) : ENOMEM;
}

/* Nobody has ever waited: nothing to make. */
SHIM_API int shim_old_signal(struct shim_old_cond *old)
{
	pthread_cond_t *cond = rqb_load_ptr_acq(&old->cond);

	return cond ? shim_cond_signal(cond) : 0;
}

SHIM_API int shim_old_broadcast(struct shim_old_cond *old)
{
	pthread_cond_t *cond = rqb_load_ptr_acq(&old->cond);

	return cond ? shim_cond_broadcast(cond) : 0;
}

SHIM_API int shim_old_destroy(struct shim_old_cond *old)
{
	pthread_cond_t *cond = rqb_load_ptr_acq(&old->cond);

	if (cond) {
		shim_cond_destroy(cond);
		free(cond);
		rqb_store_ptr_rel(&old->cond, NULL);
	}
	return 0;
}

/* clang-format off */
#define SHIM_EXPORT_OLD(function, name) \
	__asm__(".symver " #function ", " #name "@" SHIM_COND_OLD)

SHIM_EXPORT_OLD(shim_old_wait, pthread_cond_wait);
SHIM_EXPORT_OLD(shim_old_timedwait, pthread_cond_timedwait);
SHIM_EXPORT_OLD(shim_old_signal, pthread_cond_signal);
SHIM_EXPORT_OLD(shim_old_broadcast, pthread_cond_broadcast);
SHIM_EXPORT_OLD(shim_old_destroy, pthread_cond_destroy);

const struct shim_binding shim_old_bindings[] = {
	SHIM_BIND_OLD(shim_old_wait, pthread_cond_wait, SHIM_COND_OLD),
	SHIM_BIND_OLD(shim_old_timedwait, pthread_cond_timedwait, SHIM_COND_OLD),
	SHIM_BIND_OLD(shim_old_signal, pthread_cond_signal, SHIM_COND_OLD),
	SHIM_BIND_OLD(shim_old_broadcast, pthread_cond_broadcast, SHIM_COND_OLD),
	SHIM_BIND_OLD(shim_old_destroy, pthread_cond_destroy, SHIM_COND_OLD),
	{.name = NULL},
};
/* clang-format on */

#else /* glibc came to this machine later */
const struct shim_binding shim_old_bindings[] = {{.name = NULL}};
#endif
