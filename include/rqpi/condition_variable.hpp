/* SPDX-License-Identifier: MIT */
/*
 * rqpi/condition_variable.hpp - std's condition variables, on requeue PI. C++17, with the stop
 * tokens of C++20 where there are any; headers only; link with librqpi.
 *
 *	std::unique_lock lock(m);		std::scoped_lock lock(m);
 *	ready.wait(lock, [&] { return n > 0; });	n++;
 *						ready.notify_one();	// with m held or not
 *
 * Names, signatures and requirements are std's; notify takes no lock. What rqpi adds, the order of
 * the waiters and the mutex that is handed over, is said in rqpi/cond.h (U1 to U5).
 */
#ifndef RQPI_CONDITION_VARIABLE_HPP
#define RQPI_CONDITION_VARIABLE_HPP

#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#if defined(__has_include) && __cplusplus >= 202002L
#if __has_include(<stop_token>)
#include <stop_token>
#endif
#endif
#include <pthread.h>

#include <rqpi/cond.h>
#include <rqpi/mutex.hpp>

namespace rqpi
{

using std::cv_status;

namespace detail
{

template <unsigned int Type> constexpr bool is_ours(const basic_mutex<Type> *)
{
	return true;
}
constexpr bool is_ours(const void *)
{
	return false;
}

} // namespace detail

/*
 * Waits with a std::unique_lock of any mutex of rqpi/mutex.hpp, and all that wait at one time with
 * the same one. A recursive one is let go whatever its depth.
 */
class condition_variable
{
      public:
	using native_handle_type = rqpi_cond_t *;

	constexpr condition_variable() noexcept = default;
	condition_variable(const condition_variable &) = delete;
	condition_variable &operator=(const condition_variable &) = delete;

	/* Legal as soon as all have been notified, even if they have not returned yet. */
	~condition_variable()
	{
		rqpi_cond_destroy(&cond_);
	}

	/*
	 * An error of rqpi_cond_signal(3) means that a waiter sleeps on for ever, because its mutex
	 * is broken: it ends the program, with the error told.
	 */
	void notify_one() noexcept
	{
		if (const int err = rqpi_cond_signal(&cond_))
			detail::throw_errno(err, "rqpi::condition_variable::notify_one");
	}

	void notify_all() noexcept
	{
		if (const int err = rqpi_cond_broadcast(&cond_))
			detail::throw_errno(err, "rqpi::condition_variable::notify_all");
	}

	/*
	 * std::system_error with EPERM: @lock does not own its mutex; nothing was done. As with
	 * std's, the program ends if the mutex cannot be locked again.
	 */
	template <class Mutex> void wait(std::unique_lock<Mutex> &lock)
	{
		settle(rqpi_cond_wait(&cond_, handle_of(lock)));
	}

	template <class Mutex, class Predicate>
	void wait(std::unique_lock<Mutex> &lock, Predicate done)
	{
		while (!done())
			wait(lock);
	}

	template <class Mutex, class Clock, class Duration>
	cv_status wait_until(std::unique_lock<Mutex> &lock,
			     const std::chrono::time_point<Clock, Duration> &t)
	{
		rqpi_mutex_t *const mutex = handle_of(lock);

		return detail::until(t,
				     [this, mutex](clockid_t clock, const struct timespec &ts) {
					     return settle(
						 rqpi_cond_clockwait(&cond_, mutex, clock, &ts));
				     })
			   ? cv_status::no_timeout
			   : cv_status::timeout;
	}

	template <class Mutex, class Clock, class Duration, class Predicate>
	bool wait_until(std::unique_lock<Mutex> &lock,
			const std::chrono::time_point<Clock, Duration> &t, Predicate done)
	{
		while (!done()) {
			if (wait_until(lock, t) == cv_status::timeout)
				return done();
		}
		return true;
	}

	template <class Mutex, class Rep, class Period>
	cv_status wait_for(std::unique_lock<Mutex> &lock,
			   const std::chrono::duration<Rep, Period> &d)
	{
		return wait_until(lock, detail::after(d));
	}

	template <class Mutex, class Rep, class Period, class Predicate>
	bool wait_for(std::unique_lock<Mutex> &lock, const std::chrono::duration<Rep, Period> &d,
		      Predicate done)
	{
		return wait_until(lock, detail::after(d), std::move(done));
	}

	native_handle_type native_handle() noexcept
	{
		return &cond_;
	}

      private:
	template <class Mutex> static rqpi_mutex_t *handle_of(std::unique_lock<Mutex> &lock)
	{
		static_assert(detail::is_ours(static_cast<Mutex *>(nullptr)),
			      "rqpi::condition_variable waits with the mutexes of rqpi/mutex.hpp; "
			      "rqpi::condition_variable_any waits with any lock");
		if (!lock.owns_lock())
			detail::throw_errno(EPERM,
					    "rqpi::condition_variable: wait without the lock");
		return lock.mutex()->native_handle();
	}

	/* False: its time has come. Does not return if the mutex is not owned as it must be. */
	static bool settle(int err)
	{
		if (err == EPERM || err == EINVAL)
			detail::throw_errno(err, "rqpi::condition_variable: wait");
		if (err != 0 && err != ETIMEDOUT)
			std::terminate();
		return err == 0;
	}

	rqpi_cond_t cond_ = RQPI_COND_INITIALIZER;
};

/*
 * Waits with any lock: a mutex of its own, which inherits priority as all of rqpi's, is held from
 * before @lock is unlocked until the thread sleeps. notify takes that mutex. The waiters are
 * released in the order of their priorities, and then each locks its own lock.
 */
class condition_variable_any
{
      public:
	condition_variable_any() = default;
	condition_variable_any(const condition_variable_any &) = delete;
	condition_variable_any &operator=(const condition_variable_any &) = delete;

	void notify_one() noexcept
	{
		const std::lock_guard<mutex> held(*mutex_);

		cond_.notify_one();
	}

	void notify_all() noexcept
	{
		const std::lock_guard<mutex> held(*mutex_);

		cond_.notify_all();
	}

	template <class Lock> void wait(Lock &lock)
	{
		asleep(lock, [this](std::unique_lock<mutex> &held) { cond_.wait(held); });
	}

	template <class Lock, class Predicate> void wait(Lock &lock, Predicate done)
	{
		while (!done())
			wait(lock);
	}

	template <class Lock, class Clock, class Duration>
	cv_status wait_until(Lock &lock, const std::chrono::time_point<Clock, Duration> &t)
	{
		return asleep(lock, [this, &t](std::unique_lock<mutex> &held) {
			return cond_.wait_until(held, t);
		});
	}

	template <class Lock, class Clock, class Duration, class Predicate>
	bool wait_until(Lock &lock, const std::chrono::time_point<Clock, Duration> &t,
			Predicate done)
	{
		while (!done()) {
			if (wait_until(lock, t) == cv_status::timeout)
				return done();
		}
		return true;
	}

	template <class Lock, class Rep, class Period>
	cv_status wait_for(Lock &lock, const std::chrono::duration<Rep, Period> &d)
	{
		return wait_until(lock, detail::after(d));
	}

	template <class Lock, class Rep, class Period, class Predicate>
	bool wait_for(Lock &lock, const std::chrono::duration<Rep, Period> &d, Predicate done)
	{
		return wait_until(lock, detail::after(d), std::move(done));
	}

#ifdef __cpp_lib_jthread
	/* Until @done(), or until it is asked to stop; each returns what @done() says then. */
	template <class Lock, class Predicate>
	bool wait(Lock &lock, std::stop_token token, Predicate done)
	{
		return stoppable(lock, token, std::move(done),
				 [this](std::unique_lock<mutex> &held) {
					 cond_.wait(held);
					 return cv_status::no_timeout;
				 });
	}

	template <class Lock, class Clock, class Duration, class Predicate>
	bool wait_until(Lock &lock, std::stop_token token,
			const std::chrono::time_point<Clock, Duration> &t, Predicate done)
	{
		return stoppable(lock, token, std::move(done),
				 [this, &t](std::unique_lock<mutex> &held) {
					 return cond_.wait_until(held, t);
				 });
	}

	template <class Lock, class Rep, class Period, class Predicate>
	bool wait_for(Lock &lock, std::stop_token token,
		      const std::chrono::duration<Rep, Period> &d, Predicate done)
	{
		return wait_until(lock, std::move(token), detail::after(d), std::move(done));
	}
#endif

      private:
	/* @Lock is unlocked for a while, and locked again at the end, whatever ends it. */
	template <class Lock> class gap
	{
	      public:
		explicit gap(Lock &lock) : lock_(lock)
		{
		}
		gap(const gap &) = delete;
		gap &operator=(const gap &) = delete;

		void begin()
		{
			lock_.unlock();
			begun_ = true;
		}

		/* As with std's: if it cannot be locked again, the program ends. */
		~gap()
		{
			if (begun_)
				lock_.lock();
		}

	      private:
		Lock &lock_;
		bool begun_ = false;
	};

	/*
	 * The mutex is let go before @lock is locked again, or two threads could hold one each and
	 * want the other's; and it outlives *this, which may be destroyed once all are notified.
	 */
	template <class Lock, class Sleep> auto asleep(Lock &lock, Sleep sleep)
	{
		const std::shared_ptr<mutex> inner = mutex_;
		gap<Lock> unlocked(lock);
		std::unique_lock<mutex> held(*inner);

		unlocked.begin();
		return sleep(held);
	}

#ifdef __cpp_lib_jthread
	/*
	 * Whoever asks to stop notifies all, and needs the mutex for that: either it is seen here,
	 * or the thread sleeps by then.
	 */
	template <class Lock, class Predicate, class Sleep>
	bool stoppable(Lock &lock, const std::stop_token &token, Predicate done, Sleep sleep)
	{
		if (token.stop_requested())
			return done();

		const std::stop_callback wake(token, [this] { notify_all(); });
		bool over = false;

		while (!done()) {
			if (over)
				return false;
			over = asleep(lock, [&](std::unique_lock<mutex> &held) {
				return token.stop_requested() || sleep(held) == cv_status::timeout;
			});
		}
		return true;
	}
#endif

	condition_variable cond_;
	std::shared_ptr<mutex> mutex_ = std::make_shared<mutex>();
};

namespace detail
{

/* What a thread still has to do when it ends: a list, as notify_all_at_thread_exit() can be called
 * more than once. */
struct last_word {
	condition_variable &cond;
	std::unique_lock<mutex> lock;
	last_word *next;
};

inline void say_last_words(void *list)
{
	last_word *word = static_cast<last_word *>(list);

	while (word) {
		const std::unique_ptr<last_word> now(word);

		word = now->next;
		now->lock.unlock();
		now->cond.notify_all();
	}
}

/*
 * The destructor of a thread-specific value runs after those of all thread_local objects. There is
 * none for the thread that calls exit(): it does it there.
 */
class last_words
{
      public:
	last_words()
	{
		if (const int err = pthread_key_create(&key_, say_last_words))
			throw_errno(err, "rqpi::notify_all_at_thread_exit");
	}
	last_words(const last_words &) = delete;
	last_words &operator=(const last_words &) = delete;

	~last_words()
	{
		void *const list = pthread_getspecific(key_);

		pthread_setspecific(key_, nullptr);
		say_last_words(list);
	}

	void add(std::unique_ptr<last_word> word)
	{
		word->next = static_cast<last_word *>(pthread_getspecific(key_));
		if (const int err = pthread_setspecific(key_, word.get()))
			throw_errno(err, "rqpi::notify_all_at_thread_exit");
		(void)word.release();
	}

      private:
	pthread_key_t key_ = 0;
};

inline last_words &get_last_words()
{
	static last_words words;

	return words;
}

} // namespace detail

/* @lock, which is held, is unlocked when the calling thread has ended, and all are notified. */
inline void notify_all_at_thread_exit(condition_variable &cond, std::unique_lock<mutex> lock)
{
	detail::get_last_words().add(std::unique_ptr<detail::last_word>(
	    new detail::last_word{cond, std::move(lock), nullptr}));
}

} // namespace rqpi

#endif /* RQPI_CONDITION_VARIABLE_HPP */
