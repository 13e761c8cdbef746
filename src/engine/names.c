/* SPDX-License-Identifier: MIT */
/*
 * names.c - events, codes and operations in words.
 *
 * Called by anybody; uses no memory but the caller's. The wording is that of the traces in which
 * requeue PI was debugged when it was new.
 */
#include "src/engine/rqk.h"
#include "src/engine/text.h"

void rqk_tell(struct rqpi_engine *engine, const struct rqpi_task *self, enum rqpi_event_id id,
	      uintptr_t object, int64_t value, int64_t other)
{
	const struct rqpi_event event = {
	    .id = (uint32_t)id,
	    .tid = self ? self->tid : 0,
	    .object = object,
	    .value = value,
	    .other = other,
	};

	engine->port->trace(engine->ctx, &event);
}

/*
 * %o the object, %v the value, %w the other number; %V and %W the same as a code; %p as an
 * operation.
 */
static const char *const formats[RQPI_EV_IDS] = {
    [RQPI_EV_CALL] = "futex: %p on %o, val %w",
    [RQPI_EV_RETURN] = "futex: %p on %o returns %W",
    [RQPI_EV_LOOKUP_NEW] = "lookup_pi_state: a new pi state, rt_mutex %o, initial owner %v",
    [RQPI_EV_LOOKUP_FOUND] = "lookup_pi_state: found rt_mutex %o, owner %v",
    [RQPI_EV_LOOKUP_REFUSED] = "lookup_pi_state: refused, rt_mutex %o: %V, the word is %w",
    [RQPI_EV_ATOMIC] = "futex_lock_pi_atomic: %o for %w returned %V",
    [RQPI_EV_REQUEUE_TAKEN] = "futex_requeue: %o was acquired for %v",
    [RQPI_EV_REQUEUE_MOVED] = "futex_requeue: %v was requeued to %o",
    [RQPI_EV_REQUEUE_SKIPPED] = "futex_requeue: %v is leaving, not requeued to %o",
    [RQPI_EV_START_PROXY] = "rt_mutex_start_proxy_lock: %o for %w returned %v",
    [RQPI_EV_HAS_WAITERS] = "rt_mutex_start_proxy_lock: %o has waiter flag: %v",
    [RQPI_EV_BLOCKS_ON] =
	"rt_mutex_start_proxy_lock: task_blocks_on_rt_mutex of %o for %w returned %V",
    [RQPI_EV_TRY_TAKE] = "try_to_take_rt_mutex: %o refused to %w, owner %v",
    [RQPI_EV_TAKEN] = "try_to_take_rt_mutex: assigned rt_mutex %o owner to %v",
    [RQPI_EV_SLOWLOCK] = "rt_mutex_slowlock: %o, waiter->task is set: %v",
    [RQPI_EV_SLOWLOCK_DONE] = "rt_mutex_slowlock: %o returned %V",
    [RQPI_EV_UNLOCK] = "rt_mutex_unlock: unlocking %o, waiter flag: %v",
    [RQPI_EV_FASTUNLOCK] = "rt_mutex_unlock: unlocked %o, nobody is waiting",
    [RQPI_EV_DESIGNATE] = "rt_mutex_unlock: unlocked %o, wake up %v to take it",
    [RQPI_EV_REMOVE_WAITER] = "remove_waiter: %v leaves %o",
    [RQPI_EV_CHAIN] = "rt_mutex_adjust_prio_chain: step %v: %w is blocked on %o",
    [RQPI_EV_CHAIN_DEADLOCK] = "rt_mutex_adjust_prio_chain: deadlock: %w is blocked on %o",
    [RQPI_EV_SET_PRIO] = "rt_mutex_setprio: %v runs with priority %w",
    [RQPI_EV_FIXUP] = "fixup_pi_state_owner: %o from %v to %w",
    [RQPI_EV_EXIT_LIST] = "exit_robust_list: %o becomes %v",
    [RQPI_EV_EXIT_STATE] = "exit_pi_state_list: %v leaves %o",
    [RQPI_EV_WAKE] = "wake_up_q: wake up %v",
};

static const struct {
	int code;
	const char *name;
} codes[] = {
    {RQPI_EPERM, "EPERM"},
    {RQPI_ESRCH, "ESRCH"},
    {RQPI_EINTR, "EINTR"},
    {RQPI_EAGAIN, "EAGAIN"},
    {RQPI_EFAULT, "EFAULT"},
    {RQPI_EBUSY, "EBUSY"},
    {RQPI_EINVAL, "EINVAL"},
    {RQPI_EDEADLK, "EDEADLK"},
    {RQPI_ENOSYS, "ENOSYS"},
    {RQPI_ETIMEDOUT, "ETIMEDOUT"},
    {RQPI_ERESTARTSYS, "ERESTARTSYS"},
    {RQPI_ERESTARTNOINTR, "ERESTARTNOINTR"},
};

const char *rqpi_error_name(long code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (code == codes[i].code || code == -codes[i].code)
			return codes[i].name;
	return code ? "?" : "0";
}

static const char *const ops[] = {
    [RQPI_FUTEX_WAIT] = "FUTEX_WAIT",
    [RQPI_FUTEX_WAKE] = "FUTEX_WAKE",
    [RQPI_FUTEX_REQUEUE] = "FUTEX_REQUEUE",
    [RQPI_FUTEX_CMP_REQUEUE] = "FUTEX_CMP_REQUEUE",
    [RQPI_FUTEX_WAKE_OP] = "FUTEX_WAKE_OP",
    [RQPI_FUTEX_LOCK_PI] = "FUTEX_LOCK_PI",
    [RQPI_FUTEX_UNLOCK_PI] = "FUTEX_UNLOCK_PI",
    [RQPI_FUTEX_TRYLOCK_PI] = "FUTEX_TRYLOCK_PI",
    [RQPI_FUTEX_WAIT_BITSET] = "FUTEX_WAIT_BITSET",
    [RQPI_FUTEX_WAKE_BITSET] = "FUTEX_WAKE_BITSET",
    [RQPI_FUTEX_WAIT_REQUEUE_PI] = "FUTEX_WAIT_REQUEUE_PI",
    [RQPI_FUTEX_CMP_REQUEUE_PI] = "FUTEX_CMP_REQUEUE_PI",
    [RQPI_FUTEX_LOCK_PI2] = "FUTEX_LOCK_PI2",
};

const char *rqpi_futex_op_name(int op)
{
	unsigned int cmd = (unsigned int)(op & ~(RQPI_FUTEX_PRIVATE | RQPI_FUTEX_CLOCK_REALTIME));

	if (cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[cmd])
		return "an unknown operation";
	return ops[cmd];
}

static void put_code(struct rqk_text *o, int64_t n)
{
	if (n < 0) {
		rqk_put_string(o, "-");
		rqk_put_string(o, rqpi_error_name((long)n));
	} else {
		rqk_put_signed(o, n);
	}
}

static void put_field(struct rqk_text *o, char field, const struct rqpi_event *event)
{
	switch (field) {
	case 'o':
		rqk_put_number(o, event->object, 16);
		break;
	case 'v':
		rqk_put_signed(o, event->value);
		break;
	case 'w':
		rqk_put_signed(o, event->other);
		break;
	case 'V':
		put_code(o, event->value);
		break;
	case 'W':
		put_code(o, event->other);
		break;
	case 'p':
		rqk_put_string(o, rqpi_futex_op_name((int)event->value));
		break;
	default:
		break;
	}
}

size_t rqpi_event_text(const struct rqpi_event *event, char *text, size_t bytes)
{
	struct rqk_text o = {.at = text, .end = bytes ? text + bytes - 1 : text};
	const char *f = event->id < RQPI_EV_IDS ? formats[event->id] : "unknown event";

	for (; *f; f++) {
		if (*f == '%' && f[1])
			put_field(&o, *++f, event);
		else if (o.at < o.end)
			*o.at++ = *f;
	}
	if (bytes)
		*o.at = '\0';
	return (size_t)(o.at - text);
}
