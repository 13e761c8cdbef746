/* SPDX-License-Identifier: MIT */
/*
 * timeout.c - deadlines as the waist wants them, from what callers of the public interface pass.
 */
#include "src/user/user.h"

#include <errno.h>

#define NSEC_PER_SEC  1000000000L
#define NSEC_PER_MSEC 1000000L

int rqu_deadline_set(struct rqu_deadline *dl, clockid_t clock, const struct timespec *abstime)
{
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return EINVAL;
	if (abstime->tv_nsec < 0 || abstime->tv_nsec >= NSEC_PER_SEC)
		return EINVAL;
	dl->clock = clock;
	dl->at = *abstime;
	/* Before the epoch is a time past like any other; the kernel would call it EINVAL. */
	if (dl->at.tv_sec < 0)
		dl->at = (struct timespec){0, 0};
	return 0;
}

static struct timespec add_ms(struct timespec at, long ms)
{
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * NSEC_PER_MSEC;
	if (at.tv_nsec >= NSEC_PER_SEC) {
		at.tv_nsec -= NSEC_PER_SEC;
		at.tv_sec += 1;
	}
	return at;
}

bool rqu_deadline_within(const struct rqu_deadline *dl, long ms)
{
	struct timespec end = add_ms(rqu_sys_now(dl->clock), ms);

	return end.tv_sec > dl->at.tv_sec ||
	       (end.tv_sec == dl->at.tv_sec && end.tv_nsec >= dl->at.tv_nsec);
}

struct rqu_deadline rqu_deadline_in(long ms)
{
	return (struct rqu_deadline){CLOCK_MONOTONIC, add_ms(rqu_sys_now(CLOCK_MONOTONIC), ms)};
}
