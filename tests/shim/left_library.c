/* SPDX-License-Identifier: MIT */
/* left_library.c - a library with a mutex of its own, which also locks what it is given: left.c */
#include <pthread.h>

/* Looked up by name. */
extern pthread_mutex_t left_mutex;
void left_use(pthread_mutex_t *m);

pthread_mutex_t left_mutex = PTHREAD_MUTEX_INITIALIZER;

void left_use(pthread_mutex_t *m)
{
	pthread_mutex_lock(m);
	pthread_mutex_unlock(m);
}
