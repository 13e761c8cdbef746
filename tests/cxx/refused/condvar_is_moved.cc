/* SPDX-License-Identifier: MIT */
/* expect: (use of deleted function|deleted constructor|implicitly-deleted|deleted operator) */
#include <rqpi/condition_variable.hpp>

void move(rqpi::condition_variable &to, rqpi::condition_variable &from)
{
	to = std::move(from);
}
