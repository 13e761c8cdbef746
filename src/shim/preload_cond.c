/* SPDX-License-Identifier: MIT */
/* preload_cond.c - what librqpi-preload.so is made of: the condvars alone. */
#include "src/shim/shim.h"
#include "src/shim/shim_mutex.h"

const struct shim_binding *const shim_bindings[] = {shim_cond_bindings, shim_old_bindings, NULL};
const char *(*const shim_start_more)(void) = NULL;

bool shim_mutex_owned(pthread_mutex_t *m)
{
	return rqb_word_tid(rqb_load(shim_mutex_word(m))) == rqu_tid();
}

/* Never in use: nothing is forced here. */
const struct rqu_lock_way shim_spin_way;
