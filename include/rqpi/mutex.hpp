/* SPDX-License-Identifier: MIT */
/*
 * rqpi/mutex.hpp - the mutexes of std's <mutex>, always inheriting priority. C++17, headers only;
 * link with librqpi.
 *
 *	rqpi::mutex m;
 *	{
 *		std::scoped_lock held(m);
 *		...
 *	}
 *
 * Names, signatures and requirements are std's: std::lock_guard, unique_lock, scoped_lock and
 * std::lock() take them. What std leaves undefined is refused here with a std::system_error that
 * names the call: locking twice what is not recursive, unlocking what another thread holds (out of
 * a guard's destructor that ends the program, and says why).
 *
 * All are of standard layout, have a constexpr constructor and need no destructor, so that one with
 * static storage can be used by other static constructors and destructors. native_handle() is for
 * the C functions of rqpi/mutex.h.
 */
#ifndef RQPI_MUTEX_HPP
#define RQPI_MUTEX_HPP

#include <cerrno>
#include <chrono>
#include <mutex>
#include <system_error>
#include <type_traits>

#include <rqpi/mutex.h>

namespace rqpi
{
namespace detail
{

[[noreturn]] inline void throw_errno(int err, const char *call)
{
	throw std::system_error(err, std::generic_category(), call);
}

/* ---- time: rounded up, as nobody is to wake before the time, and never wrapped around ---- */

using steady_time = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/* std::chrono::ceil() wraps around where a time is too long for nanoseconds: 292 years are. */
template <class Rep, class Period>
std::chrono::nanoseconds to_nanoseconds(const std::chrono::duration<Rep, Period> &d)
{
	using std::chrono::nanoseconds;
	const std::chrono::duration<long double, std::nano> exact = d;

	if (exact >= nanoseconds::max())
		return nanoseconds::max();
	if (exact <= nanoseconds::min())
		return nanoseconds::min();
	return std::chrono::ceil<nanoseconds>(d);
}

/* So long from now. */
template <class Rep, class Period> steady_time after(const std::chrono::duration<Rep, Period> &d)
{
	const steady_time now = std::chrono::steady_clock::now();
	const std::chrono::nanoseconds ns = to_nanoseconds(d);

	if (ns <= ns.zero())
		return now;
	return ns > steady_time::max() - now ? steady_time::max() : now + ns;
}

template <class Clock, class Duration>
struct timespec to_timespec(const std::chrono::time_point<Clock, Duration> &t)
{
	constexpr long second = 1000000000;
	const auto ns = to_nanoseconds(t.time_since_epoch()).count();
	struct timespec ts = {};

	ts.tv_sec = static_cast<decltype(ts.tv_sec)>(ns / second);
	ts.tv_nsec = static_cast<decltype(ts.tv_nsec)>(ns % second);
	if (ts.tv_nsec < 0) { /* before the epoch */
		ts.tv_sec--;
		ts.tv_nsec += second;
	}
	return ts;
}

/* The clock of the kernel that @Clock is, for the two that are one. */
template <class Clock> struct kernel_clock : std::false_type {
};
template <> struct kernel_clock<std::chrono::steady_clock> : std::true_type {
	static constexpr clockid_t id = CLOCK_MONOTONIC;
};
template <> struct kernel_clock<std::chrono::system_clock> : std::true_type {
	static constexpr clockid_t id = CLOCK_REALTIME;
};

/*
 * Call @try_until(clock, timespec) with the time @t. True as soon as it says so; false when it is
 * @t. Of a clock that the kernel does not know, the time that is left is waited for on the steady
 * one, and then it is looked again: it may run slower, or be set back.
 */
template <class Clock, class Duration, class Try>
bool until(const std::chrono::time_point<Clock, Duration> &t, Try try_until)
{
	if constexpr (kernel_clock<Clock>::value) {
		return try_until(kernel_clock<Clock>::id, to_timespec(t));
	} else {
		/* Floating point, as times at the two ends of a clock are too far apart for it. */
		using exact = std::chrono::duration<long double, std::nano>;
		const exact then = t.time_since_epoch();

		do {
			const exact left = then - exact(Clock::now().time_since_epoch());

			if (try_until(CLOCK_MONOTONIC, to_timespec(after(left))))
				return true;
		} while (Clock::now() < t);
		return false;
	}
}

/* ---- what the four mutexes share ---- */

template <unsigned int Type> class basic_mutex
{
      public:
	using native_handle_type = rqpi_mutex_t *;

	constexpr basic_mutex() noexcept = default;
	basic_mutex(const basic_mutex &) = delete;
	basic_mutex &operator=(const basic_mutex &) = delete;

	/* std::system_error with the errors of rqpi_mutex_lock(3). */
	void lock()
	{
		if (const int err = rqpi_mutex_lock(&mutex_))
			throw_errno(err, "rqpi mutex: lock");
	}

	bool try_lock() noexcept
	{
		return rqpi_mutex_trylock(&mutex_) == 0;
	}

	void unlock()
	{
		if (const int err = rqpi_mutex_unlock(&mutex_))
			throw_errno(err, "rqpi mutex: unlock");
	}

	native_handle_type native_handle() noexcept
	{
		return &mutex_;
	}

      private:
	rqpi_mutex_t mutex_ = {{0, Type, 0, 0, 0, 0, 0, 0, 0, 0}};
};

template <unsigned int Type> class basic_timed_mutex : public basic_mutex<Type>
{
      public:
	template <class Rep, class Period>
	bool try_lock_for(const std::chrono::duration<Rep, Period> &d)
	{
		return this->try_lock() || try_lock_until(after(d));
	}

	template <class Clock, class Duration>
	bool try_lock_until(const std::chrono::time_point<Clock, Duration> &t)
	{
		return until(t, [this](clockid_t clock, const struct timespec &ts) {
			const int err = rqpi_mutex_clocklock(this->native_handle(), clock, &ts);

			if (err != 0 && err != ETIMEDOUT)
				throw_errno(err, "rqpi mutex: try_lock_until");
			return err == 0;
		});
	}
};

} // namespace detail

/* As std's of the same names. */
class mutex : public detail::basic_mutex<RQPI_MUTEX_NORMAL>
{
};

class timed_mutex : public detail::basic_timed_mutex<RQPI_MUTEX_NORMAL>
{
};

class recursive_mutex : public detail::basic_mutex<RQPI_MUTEX_RECURSIVE>
{
};

class recursive_timed_mutex : public detail::basic_timed_mutex<RQPI_MUTEX_RECURSIVE>
{
};

} // namespace rqpi

#endif /* RQPI_MUTEX_HPP */
