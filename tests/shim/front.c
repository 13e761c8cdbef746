/* SPDX-License-Identifier: MIT */
/* front.c - a library that has one pthread_cond function and stands in front of the preload. */
#include <pthread.h>

__attribute__((visibility("default"))) int pthread_cond_signal(pthread_cond_t *cond)
{
	return pthread_cond_broadcast(cond);
}
