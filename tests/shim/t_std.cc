// SPDX-License-Identifier: MIT
// t_std.cc - std's mutexes and condition variables, in a program that knows nothing of rqpi.
//
// What g++ compiles for them calls pthread's functions, from the program and from libstdc++.
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}
#include <pthread.h>

#include "ordinary.h"

using namespace std::chrono_literals;

namespace
{

const int kInherit = 0x20; // glibc's, in __kind

bool inherits(std::mutex &m)
{
	return (m.native_handle()->__data.__kind & kInherit) != 0;
}

void what_is_under_this_program(void **)
{
	const char *wrong = ord_wrong_under();

	if (wrong)
		fail_msg("%s", wrong);
}

std::mutex at_start; // constant-initialised: never seen by an init function

void a_static_mutex_guards(void **)
{
	std::vector<std::thread> threads;
	int count = 0;

	for (int i = 0; i < 4; i++)
		threads.emplace_back([&] {
			for (int k = 0; k < 5000; k++) {
				std::lock_guard<std::mutex> held(at_start);
				count++;
			}
		});
	for (auto &t : threads)
		t.join();
	assert_int_equal(count, 20000);
	assert_int_equal(inherits(at_start), ord_under() == UNDER_FORCE);
}

template <class Mutex, class Condition> void hand_tokens_over()
{
	Mutex m;
	Condition c;
	int tokens = 0;
	std::atomic<int> served{0};
	std::array<std::thread, 3> threads;

	for (auto &t : threads)
		t = std::thread([&] {
			for (int k = 0; k < 200; k++) {
				std::unique_lock<Mutex> held(m);
				c.wait(held, [&] { return tokens > 0; });
				tokens--;
				served++;
			}
		});
	for (int i = 0; i < 600; i++) {
		{
			std::lock_guard<Mutex> held(m);
			tokens++;
		}
		if (i % 3)
			c.notify_one();
		else
			c.notify_all();
	}
	{
		std::lock_guard<Mutex> held(m);
		c.notify_all();
	}
	for (auto &t : threads)
		t.join();
	assert_int_equal(served, 600);
	assert_int_equal(tokens, 0);
}

void condition_variables_hand_tokens_over(void **)
{
	hand_tokens_over<std::mutex, std::condition_variable>();
	hand_tokens_over<std::mutex, std::condition_variable_any>();
	hand_tokens_over<std::recursive_mutex, std::condition_variable_any>();
	hand_tokens_over<std::timed_mutex, std::condition_variable_any>();
	hand_tokens_over<std::shared_mutex, std::condition_variable_any>();
}

void a_recursive_mutex_counts(void **)
{
	std::recursive_mutex m;
	bool taken = true;

	m.lock();
	m.lock();
	assert_true(m.try_lock());
	for (int i = 0; i < 3; i++) {
		std::thread([&] { taken = m.try_lock(); }).join();
		assert_false(taken);
		m.unlock();
	}
	std::thread([&] {
		taken = m.try_lock();
		if (taken)
			m.unlock();
	}).join();
	assert_true(taken);
}

template <class Mutex> void times_out()
{
	Mutex m;
	bool soon = true;
	bool until = true;
	bool wall = true;

	m.lock();
	std::thread([&] {
		soon = m.try_lock_for(10ms);
		until = m.try_lock_until(std::chrono::steady_clock::now() + 10ms);
		wall = m.try_lock_until(std::chrono::system_clock::now() + 10ms);
	}).join();
	m.unlock();
	assert_false(soon || until || wall);
	assert_true(m.try_lock_for(1s));
	m.unlock();
}

void timed_mutexes_time_out(void **)
{
	times_out<std::timed_mutex>();
	times_out<std::recursive_timed_mutex>();
}

void timed_waits_use_both_clocks(void **)
{
	std::mutex m;
	std::condition_variable c;
	std::unique_lock<std::mutex> held(m);
	auto steady = std::chrono::steady_clock::now() + 15ms;
	auto wall = std::chrono::system_clock::now() + 15ms;

	while (c.wait_until(held, steady) == std::cv_status::no_timeout)
		;
	assert_true(std::chrono::steady_clock::now() >= steady);
	while (c.wait_until(held, wall) == std::cv_status::no_timeout)
		;
	assert_true(std::chrono::system_clock::now() >= wall);
	assert_false(c.wait_for(held, 5ms, [] { return false; }));
}

// The stack is unwound through wait(): every destructor runs, with the mutex held.
struct Unwound {
	std::mutex m;
	std::condition_variable c;
	std::atomic<bool> inside{false};
	std::atomic<int> destroyed{0};
	bool held_then = false;
	bool was_caught = false;
};

struct Witness {
	Unwound &u;
	explicit Witness(Unwound &all) : u(all)
	{
	}
	~Witness()
	{
		u.held_then = u.m.native_handle()->__data.__owner == ord_tid();
		u.destroyed++;
	}
};

void *wait_for_ever(void *arg)
{
	auto &u = *static_cast<Unwound *>(arg);

	try {
		std::unique_lock<std::mutex> held(u.m);
		Witness witness(u);

		u.inside = true;
		for (;;)
			u.c.wait(held);
	} catch (...) {
		u.was_caught = true;
		throw; // a forced unwind has to go on
	}
	return nullptr;
}

void cancellation_unwinds_the_stack_of_a_wait(void **)
{
	for (int i = 0; i < 20; i++) {
		Unwound u;
		ord_thread t;
		void *result;

		assert_int_equal(ord_start(&t, wait_for_ever, &u, 0), 0);
		while (!u.inside)
			std::this_thread::yield();
		if (i % 2)
			assert_true(ord_asleep(&t) >= 0);
		assert_int_equal(pthread_cancel(t.handle), 0);
		assert_int_equal(pthread_join(t.handle, &result), 0);
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(u.destroyed, 1);
		assert_true(u.held_then);
		assert_true(u.was_caught);
		assert_true(u.m.try_lock());
		u.m.unlock();
	}
}

#if __cpp_lib_jthread
void a_jthread_stops_in_its_wait(void **)
{
	for (int i = 0; i < 20; i++) {
		std::mutex m;
		std::condition_variable_any c;
		std::atomic<bool> inside{false};
		bool told = true;

		{
			std::jthread t([&](std::stop_token stop) {
				std::unique_lock<std::mutex> held(m);
				inside = true;
				told = c.wait(held, stop, [] { return false; });
			});
			while (!inside)
				std::this_thread::yield();
		} // asks it to stop, and joins
		assert_false(told);
	}
}
#endif

void notify_at_thread_exit_comes_when_it_is_unlocked(void **)
{
	std::mutex m;
	std::condition_variable c;
	bool ready = false;
	std::thread t([&] {
		std::unique_lock<std::mutex> held(m);
		ready = true;
		std::notify_all_at_thread_exit(c, std::move(held));
	});

	{
		std::unique_lock<std::mutex> held(m);
		c.wait(held, [&] { return ready; });
	}
	t.join();
	assert_true(ready);
}

} // namespace

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_under_this_program),
		cmocka_unit_test(a_static_mutex_guards),
		cmocka_unit_test(condition_variables_hand_tokens_over),
		cmocka_unit_test(a_recursive_mutex_counts),
		cmocka_unit_test(timed_mutexes_time_out),
		cmocka_unit_test(timed_waits_use_both_clocks),
		cmocka_unit_test(cancellation_unwinds_the_stack_of_a_wait),
#if __cpp_lib_jthread
		cmocka_unit_test(a_jthread_stops_in_its_wait),
#endif
		cmocka_unit_test(notify_at_thread_exit_comes_when_it_is_unlocked),
	};

	ord_watchdog();
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
