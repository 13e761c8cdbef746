/* SPDX-License-Identifier: MIT */
/* expect: waits with the mutexes of rqpi */
#include <rqpi/condition_variable.hpp>

void wait(rqpi::condition_variable &c, std::unique_lock<std::mutex> &lock)
{
	c.wait(lock);
}
