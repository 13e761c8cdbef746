/* SPDX-License-Identifier: MIT */
/* expect: no matching (member )?function */
#include <rqpi/condition_variable.hpp>

void wait(rqpi::condition_variable &c, std::lock_guard<rqpi::mutex> &lock)
{
	c.wait(lock);
}
