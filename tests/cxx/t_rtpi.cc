/* SPDX-License-Identifier: MIT */
/* t_rtpi.cc - librtpi's names, in C and C++: a program written for it behaves as it expects. */
#include "tests/cxx/cxx.hpp"

#include <rtpi.h>
#include <rtpi/condition_variable.hpp>
#include <rtpi/mutex.hpp>

#include <sys/mman.h>
#include <sys/wait.h>

static DEFINE_PI_MUTEX(mutex, 0);
static DEFINE_PI_COND(cond, 0);
static bool ready;

static void a_wait_ends(void **)
{
	ready = false;
	assert_int_equal(pi_mutex_lock(&mutex), 0);
	{
		other_thread other([] {
			assert_int_equal(pi_mutex_lock(&mutex), 0);
			ready = true;
			assert_int_equal(pi_cond_signal(&cond, &mutex), 0);
			assert_int_equal(pi_mutex_unlock(&mutex), 0);
		});

		while (!ready)
			assert_int_equal(pi_cond_wait(&cond, &mutex), 0);
		assert_int_equal(pi_mutex_unlock(&mutex), 0);
	}
	assert_int_equal(pi_cond_broadcast(&cond, nullptr), 0);
}

static struct timespec in_20_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

static void time_is_monotonic(void **)
{
	const struct timespec t = in_20_ms(CLOCK_MONOTONIC);
	pi_cond_t *c = pi_cond_alloc();
	pi_mutex_t *m = pi_mutex_alloc();
	struct timespec now;

	assert_int_equal(pi_cond_init(c, 0), 0);
	assert_int_equal(pi_mutex_init(m, 0), 0);
	assert_int_equal(pi_mutex_lock(m), 0);
	while (pi_cond_timedwait(c, m, &t) == 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true(now.tv_sec > t.tv_sec || (now.tv_sec == t.tv_sec && now.tv_nsec >= t.tv_nsec));
	assert_int_equal(pi_mutex_trylock(m), EBUSY);
	assert_int_equal(pi_mutex_unlock(m), 0);
	assert_int_equal(pi_cond_destroy(c), 0);
	assert_int_equal(pi_mutex_destroy(m), 0);
	pi_cond_free(c);
	pi_mutex_free(m);
}

static void unknown_flags_are_refused(void **)
{
	pi_mutex_t m = PI_MUTEX_INIT(0);
	pi_cond_t c = PI_COND_INIT(0);

	assert_int_equal(pi_mutex_init(&m, 2), EINVAL);
	assert_int_equal(pi_cond_init(&c, 0x80), EINVAL);
}

/* Static and dynamic initialisation of a shared pair, used by two processes. */
struct shared {
	pi_mutex_t m;
	pi_cond_t c;
	int ready;
};

static void is_shared(struct shared *s)
{
	int status = -1;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(30);
		int bad = pi_mutex_lock(&s->m);

		while (!bad && !s->ready)
			bad = pi_cond_wait(&s->c, &s->m);
		_exit(bad || pi_mutex_unlock(&s->m) ? 1 : 0);
	}
	std::this_thread::sleep_for(soon);
	assert_int_equal(pi_mutex_lock(&s->m), 0);
	s->ready = 1;
	assert_int_equal(pi_mutex_unlock(&s->m), 0);
	assert_int_equal(pi_cond_broadcast(&s->c, &s->m), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void processes_share(void **)
{
	void *p = mmap(nullptr, sizeof(struct shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct shared *s = static_cast<struct shared *>(p);

	assert_ptr_not_equal(p, MAP_FAILED);
	*s = {PI_MUTEX_INIT(RTPI_MUTEX_PSHARED), PI_COND_INIT(RTPI_COND_PSHARED), 0};
	is_shared(s);
	s->ready = 0;
	assert_int_equal(pi_mutex_init(&s->m, RTPI_MUTEX_PSHARED), 0);
	assert_int_equal(pi_cond_init(&s->c, RTPI_COND_PSHARED), 0);
	is_shared(s);
	munmap(p, sizeof(struct shared));
}

static void classes_notify_with_a_lock(void **)
{
	rtpi::mutex m;
	rtpi::condition_variable c;
	int turn = 0;

	{
		other_thread other([&] {
			std::unique_lock<rtpi::mutex> lock(m);

			c.wait(lock, [&] { return turn == 1; });
			turn = 2;
			c.notify_all(lock);
		});
		std::unique_lock<rtpi::mutex> lock(m);

		turn = 1;
		c.notify_one(lock);
		c.wait(lock, [&] { return turn == 2; });
	}
	std::unique_lock<rtpi::mutex> lock(m);
	assert_false(c.wait_for(lock, soon, [&] { return turn == 3; }));
}

int main()
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wait_ends),
	    cmocka_unit_test(time_is_monotonic),
	    cmocka_unit_test(unknown_flags_are_refused),
	    cmocka_unit_test(processes_share),
	    cmocka_unit_test(classes_notify_with_a_lock),
	};

	begin_tests();
	return cmocka_run_group_tests_name("rtpi", tests, nullptr, nullptr);
}
