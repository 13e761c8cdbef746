/* SPDX-License-Identifier: MIT */
/* plugin.c - a library that a program loads and unloads; it locks and waits in both moments. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <time.h>

int plugin_step(void);
/* What a call returned that should not have; the program reads it. */
extern int plugin_failed;
int plugin_failed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nested = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static int tokens;

static void check(int err)
{
	if (err)
		plugin_failed = err;
}

static void *give(void *arg)
{
	check(pthread_mutex_lock(&lock));
	tokens++;
	check(pthread_cond_broadcast(&more));
	check(pthread_mutex_unlock(&lock));
	return arg;
}

int plugin_step(void)
{
	pthread_t t;

	check(pthread_mutex_lock(&nested));
	check(pthread_mutex_lock(&nested));
	check(pthread_mutex_lock(&lock));
	check(pthread_create(&t, NULL, give, NULL));
	while (!tokens)
		check(pthread_cond_wait(&more, &lock));
	tokens--;
	check(pthread_mutex_unlock(&lock));
	check(pthread_join(t, NULL));
	check(pthread_mutex_unlock(&nested));
	check(pthread_mutex_unlock(&nested));
	return plugin_failed;
}

__attribute__((constructor)) static void begin(void)
{
	plugin_step();
}

__attribute__((destructor)) static void end(void)
{
	plugin_step();
	if (plugin_failed)
		__builtin_trap();
}
