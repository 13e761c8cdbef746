/* SPDX-License-Identifier: MIT */
/*
 * info.c - what a program can ask about the library: version, capabilities, errors in words,
 * counters.
 */
#include "src/user/user.h"

#include <errno.h>
#include <string.h>

struct rqpi_cond_stats rqu_stats __attribute__((aligned(8)));

static const struct {
	int code;
	const char *text;
} meanings[] = {
    {0, "success"},
    {EPERM, "the calling thread does not own the mutex"},
    {ESRCH, "the thread that holds the mutex is dead, and the mutex is not robust"},
    {EAGAIN, "the recursive mutex has been locked too many times"},
    {ENOMEM, "the kernel has no memory for the lock"},
    {EBUSY, "the mutex is locked"},
    {EINVAL, "invalid argument, or the kernel disagrees with the state of the mutex"},
    {EDEADLK, "the thread owns the mutex already, or waiting for it would be a deadlock"},
    {ENOTSUP, "this kernel, or a sandbox, offers no PI futex"},
    {ETIMEDOUT, "the time has passed"},
    {EOWNERDEAD,
     "the owner of the robust mutex died; the caller owns it now and shall repair the state"},
    {ENOTRECOVERABLE, "the robust mutex was given up without being made consistent"},
    {EFAULT, "the memory of the mutex is not mapped"},
};

const char *rqpi_strerror(int code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == code)
			return meanings[i].text;
	return "unknown error code";
}

const char *rqpi_version(void)
{
	return RQPI_VERSION;
}

unsigned int rqpi_caps(void)
{
	unsigned int caps = rqu_sys_caps();

	if (rqu_sys_in_process())
		caps |= RQPI_CAP_ENGINE;
	return rqu_robust_supported() ? caps | RQPI_CAP_ROBUST : caps;
}

int rqpi_get_cond_stats(struct rqpi_cond_stats *stats)
{
	uint64_t size = stats->size;
	uint64_t *to = (uint64_t *)stats;
	const uint64_t *from = (const uint64_t *)&rqu_stats;

	if (size < sizeof(uint64_t) || size % sizeof(uint64_t) != 0)
		return EINVAL;
	for (size_t i = 1; i < size / sizeof(uint64_t); i++)
		to[i] = i < sizeof(rqu_stats) / sizeof(uint64_t) ? rqb_load64(&from[i]) : 0;
	return 0;
}
