/* SPDX-License-Identifier: MIT */
/* expect: (uses? (of )?deleted function|deleted constructor|implicitly-deleted) */
#include <rqpi/mutex.hpp>

rqpi::mutex copy(rqpi::mutex &m)
{
	return rqpi::mutex(m);
}
