/* SPDX-License-Identifier: MIT */
/*
 * wait.c - the middle of every wait and of every signal, whatever the condvar and the mutex are.
 *
 * Called by channel.c and pshared.c. Here is the one place where a thread sleeps, where it can be
 * cancelled, and where it is decided what the kernel's answer means. Rules: user.h [U-I4, U-I5].
 */
#include "src/user/user.h"
#include "src/user/channel.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "src/base/cancel.h"

/*
 * With -fexceptions pthread_cleanup_push() becomes a cleanup attribute, which covers calls and not
 * the instructions between them; cancellation here is asynchronous.
 */
#ifdef __EXCEPTIONS
#error "wait.c must be compiled with -fno-exceptions"
#endif

#define WOKEN 1 /* from a sleep without requeue_pi: released, and the mutex is not ours yet */

/*
 * Bit 0 of a sequence: its last step was a broadcast, not a signal. Only the counter of double
 * wakes cares. The rest counts steps, so that no value comes back before 2^31 of them.
 */
uint32_t rqu_seq_after(uint32_t seq, bool broadcast)
{
	return ((seq + 2) & ~1u) | (broadcast ? 1u : 0u);
}

/* The load is a guess, which the exchange checks. */
static uint32_t step(uint32_t *seq, bool broadcast)
{
	uint32_t old;

	do
		old = rqb_load(seq);
	while (!rqb_cas(seq, old, rqu_seq_after(old, broadcast)));
	return rqu_seq_after(old, broadcast);
}

bool rqu_can_requeue(void)
{
	return (rqu_sys_caps() & RQPI_CAP_REQUEUE_PI) != 0;
}

static int wake_plain(const struct rqu_queue *q, int nr_requeue)
{
	return rqu_sys_wake(q->seq, nr_requeue ? INT_MAX : 1, q->shared);
}

int rqu_release(const struct rqu_queue *q, int nr_requeue, bool plain, uint32_t *seq_out)
{
	uint32_t now = step(q->seq, nr_requeue > 0);
	int ret;

	if (seq_out)
		*seq_out = now;
	if (plain || !rqu_can_requeue()) {
		ret = wake_plain(q, nr_requeue);
		/*
		 * EINVAL: somebody in front, from before the change to plain, waits to be requeued.
		 */
		if (ret != -EINVAL || !rqu_can_requeue())
			return ret;
	}
	/*
	 * EAGAIN: another signaller stepped the sequence before our call. Both are owed their
	 * waiter, so go again with its value; every turn is paid for by somebody else's step. The
	 * load is a guess again: the kernel compares.
	 */
	while ((ret = rqu_sys_cmp_requeue_pi(q->seq, now, q->word, nr_requeue, q->shared)) ==
	       -EAGAIN)
		now = rqb_load(q->seq);
	return ret == -ENOSYS ? wake_plain(q, nr_requeue) : ret;
}

/* The earlier of the caller's deadline and the end of the slice. @slice is storage. */
static const struct rqu_deadline *
sleep_until(const struct rqu_wait *w, const struct rqu_deadline *dl, struct rqu_deadline *slice)
{
	if (!w->slice_ms)
		return dl;
	*slice = rqu_deadline_in(w->slice_ms);
	if (!dl)
		return slice;
	return rqu_deadline_within(dl, w->slice_ms) ? dl : slice;
}

static int sleep_once(struct rqu_wait *w, const struct rqu_deadline *dl)
{
	int ret;

	if (!w->plain && rqu_can_requeue())
		return rqu_sys_wait_requeue_pi(w->q.seq, w->ticket, w->q.word, w->q.shared, dl);
	ret = rqu_sys_wait(w->q.seq, w->ticket, w->q.shared, dl);
	return ret == 0 ? WOKEN : ret;
}

/*
 * Sleep until released or out of time. 0: we own the mutex. WOKEN: released, it is still to be
 * locked. -EAGAIN: released before we slept, or interrupted by a handler after the requeue.
 * Runs with asynchronous cancellation: system calls, and stores to this frame, nothing else.
 */
static int sleep_released(struct rqu_wait *w, const struct rqu_deadline *dl)
{
	struct rqu_deadline slice;
	const struct rqu_deadline *until;
	int ret;

	do {
		until = sleep_until(w, dl, &slice);
		ret = sleep_once(w, until);
		/*
		 * A handler ran (plain sleep only), or it was the slice that ended: the wait goes
		 * on.
		 */
	} while (ret == -EINTR || (ret == -ETIMEDOUT && until == &slice && !w->released(w)));
	return ret;
}

/* The last touch of where we slept. Nobody counts out of a process-shared condvar. */
static void leave(struct rqu_wait *w)
{
	if (w->chan)
		rqu_channel_unpin(w->chan);
}

/* Relaxed: nobody but the kernel on our behalf puts our TID there, and only we take it away. */
static bool granted(const struct rqu_wait *w)
{
	return rqb_word_tid(rqb_load(w->q.word)) == rqu_tid();
}

/*
 * Cancelled. The kernel's answer is lost, but the word of the mutex says whether it is ours, and
 * the ticket whether we may have taken a signal. First the signal, so that nobody waits for us to
 * get the mutex.
 */
static void give_up(struct rqu_wait *w)
{
	bool owned = granted(w);
	bool released;

	if (owned)
		rqb_handoff_acquire(w->q.word);
	released = w->released(w);
	if (released) {
		rqb_count(&rqu_stats.forwarded);
		w->forward(w);
	}
	leave(w);
	(void)rqu_lock_reacquire(w->lock, owned);
	RQB_PROBE4(cond__cancelled, w->lock->cond, w->lock->mutex, (int)owned, (int)released);
}

/* See base/cancel.h. */
static void go_on_cancelling(void)
{
	if (RQB_CANCEL_JUMPS)
		pthread_exit(PTHREAD_CANCELED);
}

RQB_ALIGN_STACK static void on_cancel(void *arg)
{
	give_up(arg);
	go_on_cancelling();
}

/* Cancelled in a sleep of the engine, which still has us in its queues. */
RQB_ALIGN_STACK static void on_cancel_in_process(void *arg)
{
	rqu_sys_abandon();
	give_up(arg);
	go_on_cancelling();
}

/* The engine is our own code: it says where in it a thread may be cancelled. */
static int sleep_in_process(struct rqu_wait *w, const struct rqu_deadline *dl)
{
	int ret;

	pthread_cleanup_push(on_cancel_in_process, w);
	pthread_testcancel(); /* a wait that need not sleep is a cancellation point, too */
	rqu_sys_cancellable(true);
	ret = sleep_released(w, dl);
	rqu_sys_cancellable(false);
	/* Without a sleep to the end: what came meanwhile is acted upon, as in a system call. */
	if (ret < 0)
		pthread_testcancel();
	pthread_cleanup_pop(0);
	return ret;
}

/*
 * The wait is a cancellation point. A deferred cancellation would not end a system call that libc
 * does not know of, so the call is made with the type asynchronous, as libc does for its own. But
 * only where cancellation is enabled: a late signal of an earlier cancellation looks at the type
 * alone (glibc 2.36).
 */
static int sleep_cancellable(struct rqu_wait *w, const struct rqu_deadline *dl)
{
	int ret;
	int state;
	int type;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_setcancelstate(state, NULL);
	if (state != PTHREAD_CANCEL_ENABLE)
		return sleep_released(w, dl);
	if (rqb_unlikely(rqu_sys_in_process()))
		return sleep_in_process(w, dl);
	pthread_cleanup_push(on_cancel, w);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = sleep_released(w, dl);
	pthread_setcanceltype(type, NULL);
	pthread_cleanup_pop(0);
	return ret;
}

/* What the wait returns, as far as sleeping goes, from the kernel's answer. */
static int outcome(struct rqu_wait *w, int ret)
{
	switch (ret) {
	case 0:
	case WOKEN:
	case -ENOSYS: /* requeue_pi was taken away: a spurious wakeup, the next wait does without */
		return 0;
	case -EAGAIN:
		if (w->chan && !w->plain)
			rqu_channel_window_wake(w->chan, w->ticket);
		return 0;
	case -ETIMEDOUT:
		/* Before or after the requeue: the kernel does not say, the ticket does [U-I5]. */
		if (!w->released(w))
			return ETIMEDOUT;
		rqb_count(&rqu_stats.late_wakes);
		return 0;
	case -EFAULT:
		/*
		 * The condvar is gone, which is legal once we have been released. (It can be: only
		 * a process-shared one holds the word we sleep on.) If it is the mutex, relocking
		 * will say so.
		 */
		return 0;
	default:
		return rqu_to_errno(ret);
	}
}

int rqu_wait_and_relock(struct rqu_wait *w, const struct rqu_deadline *dl)
{
	int err;
	int ret;
	int result;

	RQB_PROBE3(cond__wait, w->lock->cond, w->lock->mutex, w->q.seq);
	err = rqu_lock_release(w->lock);
	if (err) {
		leave(w);
		RQB_PROBE4(cond__woken, w->lock->cond, w->lock->mutex, err, 0);
		return err;
	}
	/* From here until on_cancel() is in place, nothing may be a cancellation point. */
	ret = sleep_cancellable(w, dl);
	result = outcome(w, ret);
	leave(w);
	err = rqu_lock_reacquire(w->lock, ret == 0);
	RQB_PROBE4(cond__woken, w->lock->cond, w->lock->mutex, err ? err : result, ret == 0);
	return err ? err : result;
}
