/* SPDX-License-Identifier: MIT */
/* rtpi/mutex.hpp - librtpi's class, for programs that are written for it; see rtpi.h. */
#ifndef RQPI_COMPAT_RTPI_MUTEX_HPP
#define RQPI_COMPAT_RTPI_MUTEX_HPP

#include <rqpi/mutex.hpp>

namespace rtpi
{
using rqpi::mutex;
} // namespace rtpi

#endif /* RQPI_COMPAT_RTPI_MUTEX_HPP */
