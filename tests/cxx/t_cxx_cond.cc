/* SPDX-License-Identifier: MIT */
/* t_cxx_cond.cc - rqpi/condition_variable.hpp behaves as std's condition variables. */
#include "tests/cxx/cxx.hpp"

#include <rqpi/condition_variable.hpp>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(std::is_standard_layout_v<rqpi::condition_variable>);
static_assert(std::is_nothrow_default_constructible_v<rqpi::condition_variable>);
static_assert(!std::is_copy_constructible_v<rqpi::condition_variable>);
static_assert(!std::is_move_constructible_v<rqpi::condition_variable>);
static_assert(sizeof(rqpi::condition_variable) == sizeof(rqpi_cond_t));
static_assert(std::is_same_v<rqpi::condition_variable::native_handle_type, rqpi_cond_t *>);
static_assert(noexcept(std::declval<rqpi::condition_variable &>().notify_one()));
static_assert(noexcept(std::declval<rqpi::condition_variable_any &>().notify_all()));

/* A lock that is none of std's: what condition_variable_any asks for, and not more. */
class plain_lock
{
      public:
	void lock()
	{
		m_.lock();
		locked++;
	}
	void unlock()
	{
		locked--;
		m_.unlock();
	}
	int locked = 0;

      private:
	std::mutex m_;
};

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

template <class Cond, class Mutex> static void hands_over(void **)
{
	Mutex m;
	Cond c;
	int turn = 0;

	{
		other_thread other([&] {
			for (int i = 1; i < 2000; i += 2) {
				std::unique_lock<Mutex> lock(m);

				c.wait(lock, [&] { return turn == i; });
				turn++;
				c.notify_one();
			}
		});

		for (int i = 0; i < 2000; i += 2) {
			std::unique_lock<Mutex> lock(m);

			c.wait(lock, [&] { return turn == i; });
			turn++;
			lock.unlock();
			c.notify_one();
		}
	}
	assert_int_equal(turn, 2000);
}

template <class Cond, class Mutex> static void releases_all(void **)
{
	constexpr int waiters = 8;
	std::vector<std::thread> threads;
	Mutex m;
	Cond c;
	int in = 0;
	int out = 0;
	bool go = false;

	for (int i = 0; i < waiters; i++)
		threads.emplace_back([&] {
			std::unique_lock<Mutex> lock(m);

			in++;
			while (!go)
				c.wait(lock);
			assert_true(lock.owns_lock());
			out++;
		});
	for (bool all = false; !all;) {
		std::this_thread::yield();
		std::lock_guard<Mutex> lock(m);
		all = in == waiters;
		go = all;
	}
	c.notify_all();
	for (std::thread &t : threads)
		t.join();
	assert_int_equal(out, waiters);
}

template <class Cond, class Mutex> static void gives_up(void **)
{
	const auto steady = std::chrono::steady_clock::now();
	const auto system = std::chrono::system_clock::now();
	const auto slow = slow_clock::now();
	const auto no = [] { return false; };
	const auto yes = [] { return true; };
	Mutex m;
	Cond c;
	std::unique_lock<Mutex> lock(m);

	while (c.wait_for(lock, soon) == rqpi::cv_status::no_timeout)
		;
	assert_true(std::chrono::steady_clock::now() >= steady + soon);
	while (c.wait_until(lock, system + soon) == rqpi::cv_status::no_timeout)
		;
	assert_true(std::chrono::system_clock::now() >= system + soon);
	while (c.wait_until(lock, slow + soon) == rqpi::cv_status::no_timeout)
		;
	assert_true(slow_clock::now() >= slow + soon);
	assert_false(c.wait_for(lock, soon, no));
	assert_false(c.wait_until(lock, std::chrono::steady_clock::now() + soon, no));
	assert_false(c.wait_for(lock, -1h, no));
	assert_false(c.wait_until(lock, std::chrono::system_clock::time_point::min(), no));
	assert_false(c.wait_for(lock, std::chrono::duration<float>(0.001f), no));
	/* What is so already is not waited for. */
	assert_true(c.wait_for(lock, std::chrono::hours::max(), yes));
	assert_true(c.wait_until(lock, slow, yes));
	c.wait(lock, yes);
	assert_true(lock.owns_lock());
}

/* A time beyond what the clock can count is no time that is past. */
template <class Cond, class Mutex> static void waits_for_ever(void **)
{
	Mutex m;
	Cond c;
	bool ready = false;
	std::unique_lock<Mutex> lock(m);

	{
		other_thread other([&] {
			std::this_thread::sleep_for(soon);
			std::lock_guard<Mutex> held(m);
			ready = true;
			c.notify_one();
		});

		assert_true(c.wait_for(lock, std::chrono::hours::max(), [&] { return ready; }));
	}
}

static void wait_without_the_lock_is_refused(void **)
{
	rqpi::mutex m;
	rqpi::condition_variable c;
	std::unique_lock<rqpi::mutex> none;
	std::unique_lock lock(m, std::defer_lock);

	assert_int_equal(error_of([&] { c.wait(none); }), EPERM);
	assert_int_equal(error_of([&] { c.wait(lock); }), EPERM);
	assert_int_equal(error_of([&] { c.wait_for(lock, 1h); }), EPERM);
	assert_true(m.try_lock());
	m.unlock();
}

/* A recursive mutex is let go as a whole, and is held as deep as before afterwards. */
static void depth_is_kept(void **)
{
	rqpi::recursive_mutex m;
	rqpi::condition_variable c;
	bool ready = false;
	std::unique_lock outer(m);
	std::unique_lock inner(m);

	{
		other_thread other([&] {
			std::lock_guard held(m);

			ready = true;
			c.notify_one();
		});

		c.wait(inner, [&] { return ready; });
	}
	inner.unlock();
	other_thread([&] { assert_false(m.try_lock()); });
	outer.unlock();
	other_thread([&] {
		assert_true(m.try_lock());
		m.unlock();
	});
}

/* Destroyed by who is notified, while others may not have returned. */
template <class Cond> static void may_go_once_notified(void **)
{
	for (int round = 0; round < 500; round++) {
		rqpi::mutex m;
		auto c = std::make_unique<Cond>();
		bool go = false;
		int in = 0;
		auto wait = [&] {
			std::unique_lock lock(m);

			in++;
			/* No predicate: nothing of the condvar is to be touched again. */
			if (!go)
				c->wait(lock);
		};
		other_thread a(wait);
		other_thread b(wait);

		for (bool all = false; !all;) {
			std::this_thread::yield();
			std::lock_guard lock(m);
			all = in == 2;
			if (!all)
				continue;
			go = true;
			c->notify_all();
			c.reset();
		}
	}
}

/* Locks of any kind, each other's kind included. */
static void any_waits_with_any_lock(void **)
{
	plain_lock p;
	std::shared_mutex s;
	rqpi::condition_variable_any c;
	std::atomic<bool> ready = false;

	{
		other_thread with_plain([&] {
			p.lock();
			c.wait(p, [&] { return ready.load(); });
			assert_int_equal(p.locked, 1);
			p.unlock();
		});
		other_thread with_shared([&] {
			std::shared_lock lock(s);

			c.wait(lock, [&] { return ready.load(); });
			assert_true(lock.owns_lock());
		});

		std::this_thread::sleep_for(soon);
		{
			p.lock();
			std::lock_guard lock(s);

			ready = true;
			p.unlock();
		}
		c.notify_all();
	}
}

/* A lock that lets something happen, once, right after it was let go. */
struct telling_lock {
	void lock()
	{
		m.lock();
	}
	void unlock()
	{
		m.unlock();
		if (auto now = std::exchange(when_unlocked, nullptr))
			now();
	}
	std::mutex m;
	std::function<void()> when_unlocked;
};

static void notified_between_unlock_and_sleep(void **)
{
	telling_lock lock;
	rqpi::condition_variable_any c;
	std::atomic<bool> ready = false;
	std::thread notifier;

	lock.when_unlocked = [&] {
		notifier = std::thread([&] {
			ready = true;
			c.notify_one();
		});
		std::this_thread::sleep_for(soon);
	};
	lock.lock();
	c.wait(lock, [&] { return ready.load(); });
	lock.unlock();
	notifier.join();
}

#ifdef __cpp_lib_jthread
static void a_stop_ends_a_wait(void **)
{
	rqpi::mutex m;
	rqpi::condition_variable_any c;
	std::atomic<int> ended = 0;
	const auto no = [] { return false; };

	{
		std::jthread plain([&](std::stop_token stop) {
			std::unique_lock lock(m);

			assert_false(c.wait(lock, stop, no));
			ended++;
		});
		std::jthread timed([&](std::stop_token stop) {
			std::unique_lock lock(m);

			assert_false(c.wait_for(lock, stop, ample, no));
			assert_false(c.wait_until(lock, stop, slow_clock::now() + ample, no));
			ended++;
		});

		std::this_thread::sleep_for(soon);
		assert_int_equal(ended.load(), 0);
	}
	assert_int_equal(ended.load(), 2);
}

static void a_stop_races_with_the_wait(void **)
{
	for (int round = 0; round < 2000; round++) {
		rqpi::mutex m;
		rqpi::condition_variable_any c;
		std::jthread waiter([&](std::stop_token stop) {
			std::unique_lock lock(m);

			c.wait(lock, stop, [] { return false; });
		});
	}
}

static void time_passes_without_a_stop(void **)
{
	rqpi::mutex m;
	rqpi::condition_variable_any c;
	std::unique_lock lock(m);
	std::stop_source source;

	assert_false(c.wait_for(lock, source.get_token(), soon, [] { return false; }));
	assert_true(c.wait_for(lock, source.get_token(), ample, [] { return true; }));
	source.request_stop();
	assert_true(c.wait(lock, source.get_token(), [] { return true; }));
	assert_false(c.wait(lock, source.get_token(), [] { return false; }));
	assert_true(lock.owns_lock());
}
#endif

/* After all thread_local objects are gone, and with the mutex still held till then. */
static std::atomic<int> destroyed;

static void notified_at_thread_exit(void **)
{
	struct late {
		~late()
		{
			std::this_thread::sleep_for(soon);
			destroyed++;
		}
	};
	rqpi::mutex m;
	rqpi::mutex m2;
	rqpi::condition_variable c;
	rqpi::condition_variable c2;
	int done = 0;
	std::thread worker([&] {
		std::unique_lock lock(m);
		std::unique_lock lock2(m2);

		rqpi::notify_all_at_thread_exit(c, std::move(lock));
		rqpi::notify_all_at_thread_exit(c2, std::move(lock2));
		static thread_local late it;
		(void)it;
		done++;
	});

	worker.detach();
	{
		std::unique_lock lock(m);

		c.wait(lock, [&] { return done == 1; });
		assert_int_equal(destroyed.load(), 1);
	}
	std::unique_lock lock2(m2);
	c2.wait(lock2, [&] { return done == 1; });
}

int main()
{
	using cond = rqpi::condition_variable;
	using any = rqpi::condition_variable_any;
	using recursive_timed = rqpi::recursive_timed_mutex;
	const struct CMUnitTest tests[] = {
	    {"hands_over", hands_over<cond, rqpi::mutex>, nullptr, nullptr, nullptr},
	    {"hands_over, timed", hands_over<cond, rqpi::timed_mutex>, nullptr, nullptr, nullptr},
	    {"hands_over, any", hands_over<any, std::mutex>, nullptr, nullptr, nullptr},
	    {"hands_over, any of ours", hands_over<any, rqpi::mutex>, nullptr, nullptr, nullptr},
	    {"releases_all", releases_all<cond, rqpi::mutex>, nullptr, nullptr, nullptr},
	    {"releases_all, any", releases_all<any, std::mutex>, nullptr, nullptr, nullptr},
	    {"gives_up", gives_up<cond, rqpi::mutex>, nullptr, nullptr, nullptr},
	    {"gives_up, recursive", gives_up<cond, recursive_timed>, nullptr, nullptr, nullptr},
	    {"gives_up, any", gives_up<any, std::mutex>, nullptr, nullptr, nullptr},
	    {"waits_for_ever", waits_for_ever<cond, rqpi::mutex>, nullptr, nullptr, nullptr},
	    {"waits_for_ever, any", waits_for_ever<any, std::mutex>, nullptr, nullptr, nullptr},
	    cmocka_unit_test(wait_without_the_lock_is_refused),
	    cmocka_unit_test(depth_is_kept),
	    {"may_go_once_notified", may_go_once_notified<cond>, nullptr, nullptr, nullptr},
	    {"may_go_once_notified, any", may_go_once_notified<any>, nullptr, nullptr, nullptr},
	    cmocka_unit_test(any_waits_with_any_lock),
	    cmocka_unit_test(notified_between_unlock_and_sleep),
#ifdef __cpp_lib_jthread
	    cmocka_unit_test(a_stop_ends_a_wait),
	    cmocka_unit_test(a_stop_races_with_the_wait),
	    cmocka_unit_test(time_passes_without_a_stop),
#endif
	    cmocka_unit_test(notified_at_thread_exit),
	};

	begin_tests();
	return cmocka_run_group_tests_name("cxx_cond", tests, nullptr, nullptr);
}
