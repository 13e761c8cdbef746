/* SPDX-License-Identifier: MIT */
/*
 * t_channel.c - the pool of wait channels: reuse, stale names, growth, and no memory to grow.
 *
 * Linked with the static library, whose request for memory it can refuse.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/user/channel.h"

#define CROWD	    1100 /* more than one chunk of channels */
#define SMALL_STACK 65536

static atomic_bool refuse_memory;

void *__real_rqu_sys_map(unsigned long bytes);
void *__wrap_rqu_sys_map(unsigned long bytes);

void *__wrap_rqu_sys_map(unsigned long bytes)
{
	return refuse_memory ? NULL : __real_rqu_sys_map(bytes);
}

static const struct timespec past = {1, 0};

static uint32_t *word_of(rqpi_cond_t *c)
{
	struct rqu_cond *inner = (void *)c;

	return &inner->ref;
}

static uint32_t name_of(rqpi_cond_t *c)
{
	return *word_of(c);
}

static void one_thread_needs_one_channel(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t c[100];

	(void)state;
	memset(c, 0, sizeof(c));
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rqpi_cond_timedwait(&c[i], &m, &past), ETIMEDOUT);
		assert_int_equal(name_of(&c[i]), name_of(&c[0]));
	}
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_true(name_of(&c[0]) & RQU_REF_TAG);
}

struct sitter {
	rqpi_mutex_t *m;
	rqpi_cond_t c;
	bool released;
	bool inside;
	bool served;
	pthread_t handle;
};

static void *sit(void *arg)
{
	struct sitter *s = arg;

	rqpi_mutex_lock(s->m);
	s->inside = true;
	while (!s->released)
		rqpi_cond_wait(&s->c, s->m);
	s->served = true;
	rqpi_mutex_unlock(s->m);
	return NULL;
}

static void start(struct sitter *s, rqpi_mutex_t *m)
{
	pthread_attr_t attr;

	memset(s, 0, sizeof(*s));
	s->m = m;
	pthread_attr_init(&attr);
	/* The least that a thread of this machine may have, if that is more. */
	if (pthread_attr_setstacksize(&attr, SMALL_STACK) != 0)
		assert_int_equal(
		    pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)), 0);
	assert_int_equal(pthread_create(&s->handle, &attr, sit, s), 0);
	pthread_attr_destroy(&attr);
}

static bool is_inside(struct sitter *s)
{
	bool inside;

	rqpi_mutex_lock(s->m);
	inside = s->inside;
	rqpi_mutex_unlock(s->m);
	return inside;
}

static void let_go(struct sitter *s)
{
	rqpi_mutex_lock(s->m);
	s->released = true;
	rqpi_cond_signal(&s->c);
	rqpi_mutex_unlock(s->m);
	assert_int_equal(pthread_join(s->handle, NULL), 0);
	assert_true(s->served);
}

/*
 * A name outlives its channel's service; the channel serving another condvar must not be touched by
 * it.
 */
static void stale_name_means_nobody(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t old = RQPI_COND_INITIALIZER;
	struct sitter s;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_cond_timedwait(&old, &m, &past), ETIMEDOUT);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_false(rqu_private_busy(word_of(&old)));
	start(&s, &m);
	while (!is_inside(&s))
		usleep(1000);
	/* The stack of free channels gave the same one to the new condvar. */
	assert_int_equal(name_of(&s.c), name_of(&old));
	assert_false(rqu_private_busy(word_of(&old)));
	assert_true(rqu_private_busy(word_of(&s.c)));
	assert_int_equal(rqpi_cond_signal(&old), 0);
	assert_int_equal(rqpi_cond_broadcast(&old), 0);
	let_go(&s);
}

static void nonsense_in_the_word_is_nobody(void **state)
{
	static const uint32_t words[] = {2, 0x7fffffff, RQU_REF_TAG | 0x00fffff, 0xffffffff,
					 RQU_REF_TAG | 4096 * 1024};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint32_t ref = words[i];

		assert_int_equal(rqu_private_release(&ref, 0), 0);
		assert_false(rqu_private_busy(&ref));
	}
}

static uint64_t polls(void)
{
	struct rqpi_cond_stats stats = {.size = sizeof(stats)};

	assert_int_equal(rqpi_get_cond_stats(&stats), 0);
	return stats.no_channel;
}

static struct sitter sitters[CROWD];

/*
 * Everybody inside a wait, each on a condvar of its own: more of them than one chunk has channels.
 */
static void seat_crowd(rqpi_mutex_t *m)
{
	for (int i = 0; i < CROWD; i++)
		start(&sitters[i], m);
	for (int i = 0; i < CROWD; i++)
		while (!is_inside(&sitters[i]))
			usleep(1000);
}

static void let_crowd_go(void)
{
	for (int i = 0; i < CROWD; i++)
		let_go(&sitters[i]);
}

static void without_memory_waits_poll_and_nothing_is_lost(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t c = RQPI_COND_INITIALIZER;
	uint64_t before = polls();
	int err;

	(void)state;
	refuse_memory = true;
	seat_crowd(&m);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	err = rqpi_cond_timedwait(&c, &m, &past);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	let_crowd_go();
	refuse_memory = false;
	assert_true(polls() > before);
	assert_int_equal(err, ETIMEDOUT);
}

static void pool_grows_past_one_chunk(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	uint64_t before = polls();

	(void)state;
	seat_crowd(&m);
	let_crowd_go();
	assert_int_equal(polls(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_thread_needs_one_channel),
	    cmocka_unit_test(stale_name_means_nobody),
	    cmocka_unit_test(nonsense_in_the_word_is_nobody),
	    /* In this order: memory once had is kept. */
	    cmocka_unit_test(without_memory_waits_poll_and_nothing_is_lost),
	    cmocka_unit_test(pool_grows_past_one_chunk),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
