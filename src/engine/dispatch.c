/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - from the arguments of futex(2) to an operation: what is refused before anything is
 * done.
 *
 * Called by the host. The order of the checks is Linux's: first the time, if the operation has
 * one; then whether there is such an operation; the rest is the operation's own.
 */
#include "src/engine/rqk.h"

#define OPTIONS (RQPI_FUTEX_PRIVATE | RQPI_FUTEX_CLOCK_REALTIME)

#define NSEC_PER_SEC 1000000000
/* What does not fit is for ever. */
#define SEC_MAX	     ((int64_t)(INT64_MAX / NSEC_PER_SEC))

static bool has_timeout(int cmd)
{
	return cmd == RQPI_FUTEX_WAIT || cmd == RQPI_FUTEX_WAIT_BITSET ||
	       cmd == RQPI_FUTEX_LOCK_PI || cmd == RQPI_FUTEX_LOCK_PI2 ||
	       cmd == RQPI_FUTEX_WAIT_REQUEUE_PI;
}

static bool takes_realtime(int cmd)
{
	return cmd == RQPI_FUTEX_WAIT_BITSET || cmd == RQPI_FUTEX_WAIT_REQUEUE_PI ||
	       cmd == RQPI_FUTEX_LOCK_PI2;
}

/* LOCK_PI is older than the choice of clocks: it knows the real one only. */
static int clock_of(int op, int cmd)
{
	if (cmd == RQPI_FUTEX_LOCK_PI || (op & RQPI_FUTEX_CLOCK_REALTIME))
		return RQPI_CLOCK_REALTIME;
	return RQPI_CLOCK_MONOTONIC;
}

static int decode_timeout(struct rqpi_engine *e, int op, int cmd, const void *timeout,
			  struct rqk_call *call)
{
	struct rqpi_timespec ts;
	uint64_t now;

	call->deadline = (struct rqpi_deadline){.ns = RQPI_FOREVER, .clock = clock_of(op, cmd)};
	if (!timeout || !has_timeout(cmd))
		return 0;
	call->has_deadline = true;
	if (e->port->copy_in(e->ctx, &ts, timeout, sizeof(ts)))
		return -RQPI_EFAULT;
	/* Of a C library's 64-bit time on a 32-bit machine the upper half is padding. */
	if (sizeof(long) == 4)
		ts.nsec = (int32_t)ts.nsec;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= NSEC_PER_SEC)
		return -RQPI_EINVAL;
	if (ts.sec >= SEC_MAX)
		return 0;
	call->deadline.ns = (uint64_t)ts.sec * NSEC_PER_SEC + (uint64_t)ts.nsec;
	if (cmd == RQPI_FUTEX_WAIT) {
		now = e->port->now(e->ctx, RQPI_CLOCK_MONOTONIC);
		call->deadline.ns += now; /* both below 2^63 */
	}
	return 0;
}

static long perform(struct rqpi_task *self, int cmd, const struct rqk_call *call)
{
	switch (cmd) {
	case RQPI_FUTEX_WAIT:
		return rqk_wait(self, call, UINT32_MAX);
	case RQPI_FUTEX_WAIT_BITSET:
		return rqk_wait(self, call, call->val3);
	case RQPI_FUTEX_WAKE:
		return rqk_wake(self, call, UINT32_MAX);
	case RQPI_FUTEX_WAKE_BITSET:
		return rqk_wake(self, call, call->val3);
	case RQPI_FUTEX_WAKE_OP:
		return rqk_wake_op(self, call);
	case RQPI_FUTEX_REQUEUE:
		return rqk_requeue_plain(self, call, false);
	case RQPI_FUTEX_CMP_REQUEUE:
		return rqk_requeue_plain(self, call, true);
	case RQPI_FUTEX_LOCK_PI:
	case RQPI_FUTEX_LOCK_PI2:
		return rqk_lock_pi(self, call, false);
	case RQPI_FUTEX_TRYLOCK_PI:
		return rqk_lock_pi(self, call, true);
	case RQPI_FUTEX_UNLOCK_PI:
		return rqk_unlock_pi(self, call);
	case RQPI_FUTEX_WAIT_REQUEUE_PI:
		return rqk_wait_requeue_pi(self, call);
	case RQPI_FUTEX_CMP_REQUEUE_PI:
		return rqk_cmp_requeue_pi(self, call);
	default:
		return -RQPI_ENOSYS;
	}
}

long rqpi_futex_call(struct rqpi_task *self, uint32_t *uaddr, int op, uint32_t val,
		     const void *timeout, uint32_t *uaddr2, uint32_t val3)
{
	struct rqpi_engine *e = self->engine;
	int cmd = op & ~OPTIONS;
	struct rqk_call call = {
	    .uaddr = uaddr,
	    .uaddr2 = uaddr2,
	    .val = val,
	    .val2 = (uint32_t)(uintptr_t)timeout,
	    .val3 = val3,
	    .shared = !(op & RQPI_FUTEX_PRIVATE),
	};
	long ret = decode_timeout(e, op, cmd, timeout, &call);

	if (!ret && (op & RQPI_FUTEX_CLOCK_REALTIME) && !takes_realtime(cmd))
		ret = -RQPI_ENOSYS;
	if (ret)
		return ret;
	rqk_trace(e, self, RQPI_EV_CALL, uaddr, op, val);
	ret = perform(self, cmd, &call);
	rqk_trace(e, self, RQPI_EV_RETURN, uaddr, op, ret);
	return ret;
}
