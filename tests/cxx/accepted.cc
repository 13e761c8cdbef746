/* SPDX-License-Identifier: MIT */
/*
 * accepted.cc - what has to compile: the programs that replace std:: by rqpi::. Nothing of it runs.
 */
#include <rqpi/condition_variable.hpp>

#include <list>
#include <type_traits>

/* Constant initialisation: of statics, before any constructor. */
#if __cplusplus >= 202002L
constinit rqpi::mutex early;
constinit rqpi::condition_variable early_cond;
constinit rqpi::recursive_timed_mutex early_timed;
#else
rqpi::mutex early;
rqpi::condition_variable early_cond;
rqpi::recursive_timed_mutex early_timed;
#endif

/* Forward declarations, as they stand in users' headers. */
namespace rqpi
{
class mutex;
class condition_variable;
class condition_variable_any;
} // namespace rqpi

/* A monitor as it stands in a thousand programs. */
template <class T> class channel
{
      public:
	void put(T value)
	{
		{
			std::lock_guard<rqpi::mutex> lock(m_);
			items_.push_back(std::move(value));
		}
		ready_.notify_one();
	}

	template <class Rep, class Period>
	bool get(T &value, const std::chrono::duration<Rep, Period> &d)
	{
		std::unique_lock<rqpi::mutex> lock(m_);

		if (!ready_.wait_for(lock, d, [this] { return !items_.empty(); }))
			return false;
		value = std::move(items_.front());
		items_.pop_front();
		return true;
	}

      private:
	rqpi::mutex m_;
	rqpi::condition_variable ready_;
	std::list<T> items_;
};

template class channel<int>;

rqpi_mutex_t *c_handle(rqpi::timed_mutex &m)
{
	return m.native_handle();
}

rqpi::cv_status until(rqpi::condition_variable &c, std::unique_lock<rqpi::timed_mutex> &lock)
{
	static_assert(std::is_same_v<rqpi::cv_status, std::cv_status>);
	return c.wait_until(lock, std::chrono::system_clock::now() + std::chrono::minutes(1));
}

bool once(channel<int> &c)
{
	int value = 0;

	return c.get(value, std::chrono::milliseconds(5)) &&
	       c.get(value, std::chrono::duration<double>(0.5));
}
