/* SPDX-License-Identifier: MIT */
/*
 * attr.c - attributes of mutexes and condvars: one word each, with a mark that init was called.
 */
#include "src/user/user.h"

#include <errno.h>

#define ATTR_MARK     0x52510000u /* "RQ": an attribute object that was initialised */
#define ATTR_MARKMASK 0xffff0000u

static bool is_initialised(uint32_t kind)
{
	return (kind & ATTR_MARKMASK) == ATTR_MARK;
}

/* Set or clear @bit as @value, which must be 0 or 1. */
static int set_bit(uint32_t *kind, uint32_t bit, int value)
{
	if (!is_initialised(*kind) || (value != 0 && value != 1))
		return EINVAL;
	*kind = (*kind & ~bit) | (value ? bit : 0);
	return 0;
}

static int get_bit(uint32_t kind, uint32_t bit, int *value)
{
	if (!is_initialised(kind))
		return EINVAL;
	*value = (kind & bit) != 0;
	return 0;
}

int rqpi_mutexattr_init(rqpi_mutexattr_t *attr)
{
	attr->kind_ = ATTR_MARK;
	return 0;
}

int rqpi_mutexattr_destroy(rqpi_mutexattr_t *attr)
{
	attr->kind_ = 0;
	return 0;
}

int rqpi_mutexattr_settype(rqpi_mutexattr_t *attr, int type)
{
	if (!is_initialised(attr->kind_) || type < RQPI_MUTEX_NORMAL ||
	    type > RQPI_MUTEX_ERRORCHECK)
		return EINVAL;
	attr->kind_ = (attr->kind_ & ~RQU_MUTEX_TYPE) | (uint32_t)type;
	return 0;
}

int rqpi_mutexattr_gettype(const rqpi_mutexattr_t *attr, int *type)
{
	if (!is_initialised(attr->kind_))
		return EINVAL;
	*type = (int)(attr->kind_ & RQU_MUTEX_TYPE);
	return 0;
}

int rqpi_mutexattr_setrobust(rqpi_mutexattr_t *attr, int robust)
{
	return set_bit(&attr->kind_, RQU_MUTEX_ROBUST, robust);
}

int rqpi_mutexattr_getrobust(const rqpi_mutexattr_t *attr, int *robust)
{
	return get_bit(attr->kind_, RQU_MUTEX_ROBUST, robust);
}

int rqpi_mutexattr_setpshared(rqpi_mutexattr_t *attr, int pshared)
{
	return set_bit(&attr->kind_, RQU_MUTEX_SHARED, pshared);
}

int rqpi_mutexattr_getpshared(const rqpi_mutexattr_t *attr, int *pshared)
{
	return get_bit(attr->kind_, RQU_MUTEX_SHARED, pshared);
}

int rqpi_condattr_init(rqpi_condattr_t *attr)
{
	attr->kind_ = ATTR_MARK;
	return 0;
}

int rqpi_condattr_destroy(rqpi_condattr_t *attr)
{
	attr->kind_ = 0;
	return 0;
}

int rqpi_condattr_setclock(rqpi_condattr_t *attr, clockid_t clock)
{
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return EINVAL;
	return set_bit(&attr->kind_, RQU_COND_MONOTONIC, clock == CLOCK_MONOTONIC);
}

int rqpi_condattr_getclock(const rqpi_condattr_t *attr, clockid_t *clock)
{
	int monotonic;
	int err = get_bit(attr->kind_, RQU_COND_MONOTONIC, &monotonic);

	if (!err)
		*clock = monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME;
	return err;
}

int rqpi_condattr_setpshared(rqpi_condattr_t *attr, int pshared)
{
	return set_bit(&attr->kind_, RQU_COND_SHARED, pshared);
}

int rqpi_condattr_getpshared(const rqpi_condattr_t *attr, int *pshared)
{
	return get_bit(attr->kind_, RQU_COND_SHARED, pshared);
}
