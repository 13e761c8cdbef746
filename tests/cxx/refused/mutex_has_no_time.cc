/* SPDX-License-Identifier: MIT */
/* expect: no member named .try_lock_for */
#include <rqpi/mutex.hpp>

bool try_lock(rqpi::mutex &m)
{
	return m.try_lock_for(std::chrono::seconds(1));
}
