/* SPDX-License-Identifier: MIT */
/*
 * rtpi/condition_variable.hpp - librtpi's class, for programs that are written for it; see rtpi.h.
 *
 * notify_one() and notify_all() take the lock that librtpi wants, or none.
 */
#ifndef RQPI_COMPAT_RTPI_CONDITION_VARIABLE_HPP
#define RQPI_COMPAT_RTPI_CONDITION_VARIABLE_HPP

#include <rqpi/condition_variable.hpp>
#include "mutex.hpp"

namespace rtpi
{

using std::cv_status;

class condition_variable : public rqpi::condition_variable
{
      public:
	using rqpi::condition_variable::notify_all;
	using rqpi::condition_variable::notify_one;

	void notify_one(std::unique_lock<rtpi::mutex> &) noexcept
	{
		notify_one();
	}

	void notify_all(std::unique_lock<rtpi::mutex> &) noexcept
	{
		notify_all();
	}
};

} // namespace rtpi

#endif /* RQPI_COMPAT_RTPI_CONDITION_VARIABLE_HPP */
