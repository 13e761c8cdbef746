/* SPDX-License-Identifier: MIT */
/* expect: (could not convert|no matching function|no viable conversion) */
#include <rqpi/condition_variable.hpp>

void at_exit(rqpi::condition_variable &c, std::unique_lock<std::mutex> lock)
{
	rqpi::notify_all_at_thread_exit(c, std::move(lock));
}
