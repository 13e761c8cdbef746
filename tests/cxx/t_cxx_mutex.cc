/* SPDX-License-Identifier: MIT */
/* t_cxx_mutex.cc - rqpi/mutex.hpp: as std's mutexes; and what they leave undefined is refused. */
#include "tests/cxx/cxx.hpp"

#include <rqpi/mutex.hpp>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <type_traits>

/* Constant initialisation, standard layout, no destructor, neither copied nor moved. */
template <class M> constexpr bool is_as_promised()
{
	return std::is_standard_layout_v<M> && std::is_trivially_destructible_v<M> &&
	       std::is_nothrow_default_constructible_v<M> && !std::is_copy_constructible_v<M> &&
	       !std::is_move_constructible_v<M> && !std::is_copy_assignable_v<M> &&
	       sizeof(M) == sizeof(rqpi_mutex_t);
}
static_assert(is_as_promised<rqpi::mutex>());
static_assert(is_as_promised<rqpi::timed_mutex>());
static_assert(is_as_promised<rqpi::recursive_mutex>());
static_assert(is_as_promised<rqpi::recursive_timed_mutex>());
static_assert(std::is_same_v<rqpi::mutex::native_handle_type, rqpi_mutex_t *>);

static rqpi::mutex global;

/* A clock that the kernel does not know, and that runs at half speed. */
struct slow_clock {
	using duration = std::chrono::nanoseconds;
	using rep = duration::rep;
	using period = duration::period;
	using time_point = std::chrono::time_point<slow_clock>;
	static constexpr bool is_steady = true;

	static time_point now()
	{
		return time_point(std::chrono::steady_clock::now().time_since_epoch() / 2);
	}
};

/* Can another thread have it? */
template <class M> static bool is_free(M &m)
{
	bool had = false;

	other_thread([&] {
		had = m.try_lock();
		if (had)
			m.unlock();
	});
	return had;
}

template <class M> static void excludes(M &m)
{
	{
		std::lock_guard<M> held(m);

		assert_false(is_free(m));
	}
	assert_true(is_free(m));
	assert_true(m.try_lock());
	assert_false(is_free(m));
	assert_int_equal(rqpi_mutex_owner(m.native_handle()), gettid());
	m.unlock();
	assert_true(is_free(m));
}

static void each_excludes_others(void **)
{
	rqpi::mutex m;
	rqpi::timed_mutex t;
	rqpi::recursive_mutex r;
	rqpi::recursive_timed_mutex rt;

	excludes(global);
	excludes(m);
	excludes(t);
	excludes(r);
	excludes(rt);
}

static void counts_are_not_lost(void **)
{
	rqpi::mutex m;
	int n = 0;
	auto work = [&] {
		for (int i = 0; i < 20000; i++) {
			std::lock_guard held(m);

			n++;
		}
	};

	{
		other_thread a(work);
		other_thread b(work);

		work();
	}
	assert_int_equal(n, 60000);
}

static void recursive_ones_are_locked_again(void **)
{
	rqpi::recursive_mutex r;

	r.lock();
	r.lock();
	assert_true(r.try_lock());
	r.unlock();
	r.unlock();
	assert_false(is_free(r));
	r.unlock();
	assert_true(is_free(r));
}

static void misuse_is_refused(void **)
{
	rqpi::mutex m;
	int err = 0;

	assert_int_equal(error_of([&] { m.unlock(); }), EPERM);
	m.lock();
	assert_int_equal(error_of([&] { m.lock(); }), EDEADLK);
	assert_false(m.try_lock());
	other_thread([&] { err = error_of([&] { m.unlock(); }); });
	assert_int_equal(err, EPERM);
	assert_false(is_free(m));
	m.unlock();
}

static void std_takes_them(void **)
{
	rqpi::mutex a;
	rqpi::recursive_timed_mutex b;
	std::unique_lock<rqpi::mutex> moved;

	{
		std::scoped_lock both(a, b);

		assert_false(is_free(a));
		assert_false(is_free(b));
	}
	{
		std::unique_lock held(a, std::defer_lock);

		assert_false(held.owns_lock());
		std::lock(held, b);
		b.unlock();
		moved = std::move(held);
	}
	assert_false(is_free(a));
	moved.unlock();
	assert_true(is_free(a));
}

template <class M> static void gives_up(M &m)
{
	const auto steady = std::chrono::steady_clock::now();
	const auto system = std::chrono::system_clock::now();
	const auto slow = slow_clock::now();

	m.lock();
	other_thread([&] {
		assert_false(m.try_lock_for(soon));
		assert_true(std::chrono::steady_clock::now() >= steady + soon);
		assert_false(m.try_lock_until(system + soon));
		assert_true(std::chrono::system_clock::now() >= system + soon);
		assert_false(m.try_lock_until(slow + soon));
		assert_true(slow_clock::now() >= slow + soon);
		/* Times that are past, too short for a nanosecond, and no integers. */
		assert_false(m.try_lock_for(-1h));
		assert_false(m.try_lock_until(std::chrono::steady_clock::time_point::min()));
		assert_false(m.try_lock_until(slow_clock::time_point::min()));
		assert_false(m.try_lock_for(std::chrono::duration<double, std::pico>(1)));
		assert_false(m.try_lock_for(std::chrono::duration<float>(0.001f)));
	});
	m.unlock();
}

static void timed_ones_give_up(void **)
{
	rqpi::timed_mutex t;
	rqpi::recursive_timed_mutex rt;

	gives_up(t);
	gives_up(rt);
}

/* A time that is longer than the clock has nanoseconds is no short one. */
static void for_ever_is_long(void **)
{
	rqpi::timed_mutex t;
	std::atomic<int> got = 0;

	t.lock();
	{
		other_thread a([&] {
			got += t.try_lock_for(std::chrono::hours::max());
			t.unlock();
		});
		other_thread b([&] {
			got += t.try_lock_until(std::chrono::time_point<std::chrono::system_clock,
									std::chrono::hours>::max());
			t.unlock();
		});
		other_thread c([&] {
			got += t.try_lock_for(std::chrono::duration<double>(1e300));
			t.unlock();
		});
		other_thread d([&] {
			got += t.try_lock_until(slow_clock::time_point::max());
			t.unlock();
		});

		std::this_thread::sleep_for(soon);
		assert_int_equal(got.load(), 0);
		t.unlock();
	}
	assert_int_equal(got.load(), 4);
}

int main()
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_excludes_others),
	    cmocka_unit_test(counts_are_not_lost),
	    cmocka_unit_test(recursive_ones_are_locked_again),
	    cmocka_unit_test(misuse_is_refused),
	    cmocka_unit_test(std_takes_them),
	    cmocka_unit_test(timed_ones_give_up),
	    cmocka_unit_test(for_ever_is_long),
	};

	begin_tests();
	return cmocka_run_group_tests_name("cxx_mutex", tests, nullptr, nullptr);
}
