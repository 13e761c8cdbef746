/* SPDX-License-Identifier: MIT */
/*
 * sys_linux.c - the waist on Linux's own futex.
 *
 * The only file of the user half that makes system calls or looks at errno; sys_engine.c may have
 * put the engine in place of the futex one. Rules and policy: sys.h. Calls go through libc's
 * syscall(), so that a program (a test, the engine's preload) can interpose it.
 */
#define _GNU_SOURCE
#include "src/sys/sys.h"
#include "src/sys/sys_backend.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "src/base/atomic.h"
#include <rqpi/base.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define CAPS_PROBED  0x80000000u
#define ENOMEM_TRIES 100
#define FRAME_LINES  12 /* of 64 bytes, of all that a wait has on the stack */
#define NSEC_PER_SEC 1000000000L
#define TIME_MAX     ((time_t)((1ull << (sizeof(time_t) * 8 - 1)) - 1))

/* The kernel's 64-bit timespec: on 32-bit machines libc's own may be narrower. */
struct kernel_timespec64 {
	int64_t tv_sec;
	int64_t tv_nsec;
};

#if defined(SYS_futex_time64) && (!defined(SYS_futex) || SYS_futex != SYS_futex_time64) && \
    __SIZEOF_LONG__ == 4
#define FUTEX_NR SYS_futex_time64
#else
#define FUTEX_NR SYS_futex
#endif

static RQB_STATE uint32_t caps;

/* One futex call: the result or a negative errno, errno preserved. */
static int futex(uint32_t *u1, int op, uint32_t val, const void *arg4, uint32_t *u2, uint32_t val3)
{
	int saved = errno;
	long ret;

	if (rqb_unlikely(rqu_engine_futex != NULL))
		return (int)rqu_engine_futex(u1, op, val, arg4, u2, val3);
	ret = syscall(FUTEX_NR, u1, op, val, arg4, u2, val3);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return (int)ret;
}

static int private_flag(bool shared)
{
	return shared ? 0 : FUTEX_PRIVATE_FLAG;
}

static int clock_flag(const struct rqu_deadline *dl)
{
	return dl && dl->clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
}

/* The fourth argument: NULL without a deadline, else @buf filled in. */
static const void *kernel_time(const struct rqu_deadline *dl, struct kernel_timespec64 *buf)
{
	if (!dl)
		return NULL;
	buf->tv_sec = dl->at.tv_sec;
	buf->tv_nsec = dl->at.tv_nsec;
	return buf;
}

/*
 * A sandbox does not say ENOSYS but often EPERM or EACCES. @impossible: the answers the operation
 * itself never gives. Such an answer strikes the capability, so that the next caller takes the
 * other way.
 */
static int strike_if_denied(int ret, unsigned int cap, bool eperm_possible)
{
	if (ret == -ENOSYS || ret == -EACCES || (ret == -EPERM && !eperm_possible)) {
		rqu_sys_caps();
		rqb_and(&caps, ~cap);
		return -ENOSYS;
	}
	return ret;
}

int rqu_sys_wait(uint32_t *word, uint32_t val, bool shared, const struct rqu_deadline *dl)
{
	struct kernel_timespec64 buf;

	return futex(word, FUTEX_WAIT_BITSET | private_flag(shared) | clock_flag(dl), val,
		     kernel_time(dl, &buf), NULL, FUTEX_BITSET_MATCH_ANY);
}

int rqu_sys_wake(uint32_t *word, int nr, bool shared)
{
	return futex(word, FUTEX_WAKE | private_flag(shared), (uint32_t)nr, NULL, NULL, 0);
}

static struct timespec timespec_sub(struct timespec a, struct timespec b)
{
	struct timespec r = {a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec};

	if (r.tv_nsec < 0) {
		r.tv_sec -= 1;
		r.tv_nsec += NSEC_PER_SEC;
	}
	return r;
}

static bool is_past(const struct rqu_deadline *dl)
{
	return timespec_sub(dl->at, rqu_sys_now(dl->clock)).tv_sec < 0;
}

/*
 * The same moment on CLOCK_REALTIME, as things stand now. Beyond the end of time: the end of time.
 */
static struct rqu_deadline to_realtime(const struct rqu_deadline *dl)
{
	struct timespec left;
	struct timespec now;
	struct rqu_deadline r = {CLOCK_REALTIME, {0, 0}};

	if (dl->clock == CLOCK_REALTIME)
		return *dl;
	left = timespec_sub(dl->at, rqu_sys_now(dl->clock));
	now = rqu_sys_now(CLOCK_REALTIME);
	if (left.tv_sec < 0)
		return r;
	r.at.tv_nsec = now.tv_nsec + left.tv_nsec;
	if (r.at.tv_nsec >= NSEC_PER_SEC) {
		r.at.tv_nsec -= NSEC_PER_SEC;
		now.tv_sec += 1;
	}
	if (__builtin_add_overflow(now.tv_sec, left.tv_sec, &r.at.tv_sec))
		r.at.tv_sec = TIME_MAX;
	return r;
}

/* LOCK_PI knows CLOCK_REALTIME alone. It serves all but timed locks on CLOCK_MONOTONIC. */
static int lock_pi_old(uint32_t *word, bool shared, const struct rqu_deadline *dl)
{
	struct kernel_timespec64 buf;
	struct rqu_deadline rt;
	int ret;

	do {
		if (dl)
			rt = to_realtime(dl);
		ret = futex(word, FUTEX_LOCK_PI | private_flag(shared), 0,
			    kernel_time(dl ? &rt : NULL, &buf), NULL, 0);
		/* CLOCK_REALTIME was stepped forward: the caller's own clock is not there yet. */
	} while (ret == -ETIMEDOUT && dl->clock != CLOCK_REALTIME && !is_past(dl));
	return ret;
}

static int lock_pi_once(uint32_t *word, bool shared, const struct rqu_deadline *dl)
{
	struct kernel_timespec64 buf;
	int ret;

	if (!dl || dl->clock == CLOCK_REALTIME || !(rqu_sys_caps() & RQPI_CAP_LOCK_PI2))
		return lock_pi_old(word, shared, dl);
	ret = futex(word, FUTEX_LOCK_PI2 | private_flag(shared), 0, kernel_time(dl, &buf), NULL, 0);
	if (strike_if_denied(ret, RQPI_CAP_LOCK_PI2, true) == -ENOSYS)
		return lock_pi_old(word, shared, dl);
	return ret;
}

/* The kernel is out of memory for the moment: give it one. */
static void pause_for_memory(void)
{
	struct rqu_deadline dl = {CLOCK_MONOTONIC, rqu_sys_now(CLOCK_MONOTONIC)};
	uint32_t never = 0;

	dl.at.tv_nsec += 1000000;
	if (dl.at.tv_nsec >= NSEC_PER_SEC) {
		dl.at.tv_nsec -= NSEC_PER_SEC;
		dl.at.tv_sec += 1;
	}
	rqu_sys_wait(&never, 0, false, &dl);
}

int rqu_sys_lock_pi(uint32_t *word, bool shared, const struct rqu_deadline *dl)
{
	int tries = 0;
	int ret = lock_pi_once(word, shared, dl);

	while (ret == -ENOMEM && ++tries < ENOMEM_TRIES) {
		pause_for_memory();
		ret = lock_pi_once(word, shared, dl);
	}
	ret = strike_if_denied(ret, RQPI_CAP_PI, true);
	if (ret == 0)
		rqb_handoff_acquire(word);
	return ret;
}

int rqu_sys_trylock_pi(uint32_t *word, bool shared)
{
	int ret = futex(word, FUTEX_TRYLOCK_PI | private_flag(shared), 0, NULL, NULL, 0);

	if (ret == 0)
		rqb_handoff_acquire(word);
	return ret == -EAGAIN ? -EBUSY : strike_if_denied(ret, RQPI_CAP_PI, true);
}

int rqu_sys_unlock_pi(uint32_t *word, bool shared)
{
	int ret;

	rqb_handoff_release(word);
	/*
	 * EAGAIN: a waiter came and went between the kernel's reading of the word and its store.
	 * Each turn needs another such waiter at just that point, so this ends.
	 */
	do
		ret = futex(word, FUTEX_UNLOCK_PI | private_flag(shared), 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	return strike_if_denied(ret, RQPI_CAP_PI, true);
}

/*
 * A thread that has slept finds nothing of its own in the caches, and each return on the way to the
 * caller would miss another line of the stack, and then the block of the thread: ask for all at
 * once.
 */
static inline __attribute__((always_inline)) void fetch_frames(void)
{
	const char *frame = __builtin_frame_address(0);

	__builtin_prefetch(&errno);
	for (int line = 0; line < FRAME_LINES; line++)
		__builtin_prefetch(frame + line * 64);
}

int rqu_sys_wait_requeue_pi(uint32_t *from, uint32_t val, uint32_t *to, bool shared,
			    const struct rqu_deadline *dl)
{
	struct kernel_timespec64 buf;
	int ret = futex(from, FUTEX_WAIT_REQUEUE_PI | private_flag(shared) | clock_flag(dl), val,
			kernel_time(dl, &buf), to, 0);

	fetch_frames();
	if (ret == 0)
		rqb_handoff_acquire(to);
	return strike_if_denied(ret, RQPI_CAP_REQUEUE_PI, false);
}

int rqu_sys_cmp_requeue_pi(uint32_t *from, uint32_t val, uint32_t *to, int nr_requeue, bool shared)
{
	int tries = 0;
	int ret;

	for (;;) {
		/* The fourth argument carries nr_requeue as an integer: futex(2). */
		ret = futex(from, FUTEX_CMP_REQUEUE_PI | private_flag(shared), 1,
			    (const void *)(uintptr_t)(unsigned int)nr_requeue, to, val);
		if (ret != -ENOMEM || ++tries == ENOMEM_TRIES)
			return strike_if_denied(ret, RQPI_CAP_REQUEUE_PI, true);
		pause_for_memory();
	}
}

int rqu_sys_compare(uint32_t *word, uint32_t val, bool shared)
{
	return futex(word, FUTEX_CMP_REQUEUE | private_flag(shared), 0, NULL, word, val);
}

/* Relaxed, where it is a load: as much order as the kernel's copy has. */
int rqu_sys_read(uint32_t *word, uint32_t *val)
{
	struct iovec to = {val, sizeof(*val)};
	struct iovec from = {word, sizeof(*word)};
	int saved = errno;
	ssize_t ret = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	int err = errno;

	errno = saved;
	if (ret == (ssize_t)sizeof(*val))
		return 0;
	if (ret < 0 && err == EFAULT)
		return -EFAULT;
	*val = rqb_load(word);
	return 0;
}

uint32_t rqu_sys_gettid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

bool rqu_sys_realtime(void)
{
	int saved = errno;
	long policy = syscall(SYS_sched_getscheduler, 0);

	errno = saved;
	policy &= ~SCHED_RESET_ON_FORK;
	return policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE;
}

void rqu_sys_yield(void)
{
	syscall(SYS_sched_yield);
}

struct timespec rqu_sys_now(clockid_t clock)
{
	struct timespec ts = {0, 0};

	clock_gettime(clock, &ts);
	return ts;
}

/*
 * A lock that we hold already: a kernel that knows the operation says so, or lacks memory to try.
 */
static bool refused_as_owner(int ret)
{
	return ret == -EDEADLK || ret == -ENOMEM;
}

/*
 * Try each operation on words of our own in a way that can neither sleep nor succeed: each has one
 * error that only a kernel that knows the operation, and lets us use it, will answer.
 */
static unsigned int probe_caps(void)
{
	uint32_t word = rqu_sys_gettid();
	uint32_t other = 0;
	unsigned int found = 0;

	if (refused_as_owner(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)))
		found |= RQPI_CAP_PI;
	if (refused_as_owner(futex(&word, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0)))
		found |= RQPI_CAP_LOCK_PI2;
	if (futex(&other, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &word, 0) == -EAGAIN &&
	    futex(&other, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &word, 1) == -EAGAIN)
		found |= RQPI_CAP_REQUEUE_PI;
	return found;
}

/* A value by itself: nothing else is published with it. */
unsigned int rqu_sys_caps(void)
{
	uint32_t seen = rqb_load_acq(&caps);

	if (!seen) {
		/*
		 * Two threads may both probe; they find the same. A strike that came between stays.
		 */
		rqb_cas(&caps, 0, probe_caps() | CAPS_PROBED);
		seen = rqb_load_acq(&caps);
	}
	return seen & ~CAPS_PROBED;
}

/* Before the first call, and so before there is anybody to order it for. */
void rqu_sys_caps_again(void)
{
	rqb_store(&caps, 0);
}

struct rqu_robust_head *rqu_sys_robust_head(long offset)
{
	struct rqu_robust_head *head = NULL;
	size_t len = 0;
	int saved = errno;
	long ret = syscall(SYS_get_robust_list, 0, &head, &len);

	errno = saved;
	if (ret != 0 || !head || len != sizeof(*head) || head->futex_offset != offset)
		return NULL;
	rqu_engine_robust_list(head);
	return head;
}

void *rqu_sys_map(unsigned long bytes)
{
	int saved = errno;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = saved;
	return p == MAP_FAILED ? NULL : p;
}
