/* SPDX-License-Identifier: MIT */
/* preload_mutex.c - what librqpi-preload-mutex.so is made of: condvars and mutexes. */
#include "src/shim/shim.h"

const struct shim_binding *const shim_bindings[] = {shim_mutex_bindings, shim_watch_bindings,
						    shim_cond_bindings,	 shim_old_bindings,
						    shim_c11_bindings,	 NULL};
