/* SPDX-License-Identifier: MIT */
/*
 * broken_lock.c - a preload whose mutex lets everybody in, though its word says who owns it: for
 * t_bench.sh, where `rqpi bench contended` must find it out.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	*(volatile uint32_t *)mutex = (uint32_t)gettid();
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	*(volatile uint32_t *)mutex = 0;
	return 0;
}

/* By this the benchmark sees that a preload is there. */
int pthread_cond_signal(pthread_cond_t *cond)
{
	(void)cond;
	return 0;
}
