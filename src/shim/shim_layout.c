/* SPDX-License-Identifier: MIT */
/*
 * shim_layout.c - prove, on this libc and before anything depends on it, where things are.
 *
 * Mutex: glibc's public header names the fields; lock and unlock one of each kind and look.
 * Condvar: init with different attributes and see which bits differ. Two layouts are known, told
 * apart by where the word with those bits is: glibc 2.25 to 2.40 and glibc 2.41 on.
 */
#define _GNU_SOURCE
#include "src/shim/shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/word.h"
#include "src/shim/shim_mutex.h"
#include "src/sys/sys.h"

#define COND_WORDS (sizeof(pthread_cond_t) / sizeof(uint32_t))

struct shim_layout shim_layout;

static bool init_pi_mutex(pthread_mutex_t *m, int type, int pshared)
{
	pthread_mutexattr_t attr;

	return pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_settype(&attr, type) == 0 &&
	       pthread_mutexattr_setpshared(&attr, pshared) == 0 &&
	       pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0 &&
	       pthread_mutex_init(m, &attr) == 0 && pthread_mutexattr_destroy(&attr) == 0;
}

/* Everything the shim reads or writes in a mutex, seen to mean what we think. */
static bool mutex_is_known(int type, int pshared)
{
	uint32_t tid = rqu_sys_gettid();
	pthread_mutex_t m;
	bool ok;

	if (!init_pi_mutex(&m, type, pshared))
		return false;
	ok = shim_mutex_is_ours(&m) &&
	     shim_mutex_shared(&m) == (pshared == PTHREAD_PROCESS_SHARED) &&
	     *shim_mutex_word(&m) == 0 && shim_mutex_word(&m) == (uint32_t *)(void *)&m;
	if (!ok || pthread_mutex_lock(&m) != 0)
		return false;
	ok = *shim_mutex_word(&m) == tid && m.__data.__owner == (int)tid && m.__data.__nusers == 1;
	if (type == PTHREAD_MUTEX_RECURSIVE) {
		ok = ok && m.__data.__count == 1 && pthread_mutex_lock(&m) == 0 &&
		     m.__data.__count == 2 && pthread_mutex_unlock(&m) == 0;
	}
	return pthread_mutex_unlock(&m) == 0 && ok && *shim_mutex_word(&m) == 0 &&
	       m.__data.__owner == 0 && m.__data.__nusers == 0 && pthread_mutex_destroy(&m) == 0;
}

static bool mutexes_are_known(void)
{
	static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				    PTHREAD_MUTEX_ERRORCHECK};
	pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;

	if (shim_mutex_is_ours(&plain))
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!mutex_is_known(types[i], PTHREAD_PROCESS_PRIVATE) ||
		    !mutex_is_known(types[i], PTHREAD_PROCESS_SHARED))
			return false;
	return true;
}

/* The words of a fresh condvar with these attributes. */
static bool cond_words(uint32_t *words, clockid_t clock, int pshared)
{
	pthread_condattr_t attr;
	pthread_cond_t cond;

	if (pthread_condattr_init(&attr) || pthread_condattr_setclock(&attr, clock) ||
	    pthread_condattr_setpshared(&attr, pshared) || pthread_cond_init(&cond, &attr))
		return false;
	memcpy(words, &cond, sizeof(cond));
	return pthread_condattr_destroy(&attr) == 0 && shim_real.destroy(&cond) == 0;
}

/* The one word that is not 0 in @words; COND_WORDS if there is not exactly one. */
static size_t only_word(const uint32_t *words)
{
	size_t found = COND_WORDS;

	for (size_t i = 0; i < COND_WORDS; i++) {
		if (!words[i])
			continue;
		if (found != COND_WORDS)
			return COND_WORDS;
		found = i;
	}
	return found;
}

static bool find_flags(void)
{
	uint32_t plain[COND_WORDS];
	uint32_t mono[COND_WORDS];
	uint32_t shared[COND_WORDS];
	const char *share = getenv("RQPI_PRELOAD_SHARED");
	size_t at;

	if (!cond_words(plain, CLOCK_REALTIME, PTHREAD_PROCESS_PRIVATE) ||
	    !cond_words(mono, CLOCK_MONOTONIC, PTHREAD_PROCESS_PRIVATE) ||
	    !cond_words(shared, CLOCK_REALTIME, PTHREAD_PROCESS_SHARED))
		return false;
	at = only_word(mono);
	if (only_word(plain) != COND_WORDS || at == COND_WORDS || only_word(shared) != at)
		return false;
	shim_layout.refs = at * sizeof(uint32_t);
	shim_layout.clock_flag = mono[at];
	shim_layout.pshared_flag = shared[at];
	/*
	 * glibc 2.25 on: bit 0 process-shared, bit 1 the clock, bit 2 destroy waits, from bit 3 a
	 * count.
	 */
	if (mono[at] != 2 || shared[at] != 1)
		return false;
	shim_layout.slot_is_ours = shim_layout.refs == 28;
	if (shim_layout.refs == 36)
		shim_layout.slot = 16; /* the two group reference counts */
	else if (shim_layout.refs == 28)
		shim_layout.slot = 40; /* the two words that 2.41 has no use for */
	else
		return false;
	shim_layout.share = shim_layout.slot_is_ours || (share && strcmp(share, "1") == 0);
	return true;
}

/* A wait of libc's own leaves the slot 0 and the count 0, and so do signals. */
static bool slot_is_free(void)
{
	static const struct timespec past = {1, 0};
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	pthread_mutex_t m;
	uint32_t words[COND_WORDS];
	bool ok;

	if (!init_pi_mutex(&m, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE) ||
	    pthread_mutex_lock(&m) != 0)
		return false;
	ok = shim_real.timedwait(&cond, &m, &past) == ETIMEDOUT && shim_real.signal(&cond) == 0 &&
	     shim_real.broadcast(&cond) == 0;
	memcpy(words, &cond, sizeof(cond));
	ok = ok && words[shim_layout.slot / sizeof(uint32_t)] == 0 &&
	     words[shim_layout.slot / sizeof(uint32_t) + 1] == 0 &&
	     words[shim_layout.refs / sizeof(uint32_t)] == 0;
	return pthread_mutex_unlock(&m) == 0 && pthread_mutex_destroy(&m) == 0 &&
	       shim_real.destroy(&cond) == 0 && ok;
}

const char *shim_prove_layout(void)
{
	if (!mutexes_are_known())
		return "this C library lays out pthread_mutex_t in a way that is not known";
	if (!find_flags() || !slot_is_free())
		return "this C library lays out pthread_cond_t in a way that is not known";
	return NULL;
}
