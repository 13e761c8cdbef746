/* SPDX-License-Identifier: MIT */
#include <rtpi.h>

static DEFINE_PI_MUTEX(lock, 0);
static DEFINE_PI_COND(more, 0);

int main(void)
{
	return pi_mutex_lock(&lock) || pi_cond_signal(&more, &lock) || pi_mutex_unlock(&lock);
}
