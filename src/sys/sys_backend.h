/* SPDX-License-Identifier: MIT */
/*
 * sys_backend.h - what the two back ends of the waist know of each other; nobody else includes it.
 */
#ifndef RQU_SYS_BACKEND_H
#define RQU_SYS_BACKEND_H

#include "src/sys/sys.h"

/* rqpi_futex() of rqpi/host.h: the arguments of futex(2), a result or a negative errno. */
typedef long rqu_futex_fn(uint32_t *uaddr, int op, uint32_t val, const struct timespec *timeout,
			  uint32_t *uaddr2, uint32_t val3);

/* NULL: the kernel's futex. Set before the first call and never changed. */
extern rqu_futex_fn *rqu_engine_futex;

/* The back end is another one: what rqu_sys_caps() found is forgotten. */
void rqu_sys_caps_again(void);

/* The calling thread's robust list is @head. */
void rqu_engine_robust_list(const struct rqu_robust_head *head);

#endif /* RQU_SYS_BACKEND_H */
