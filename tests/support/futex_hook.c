/* SPDX-License-Identifier: MIT */
/*
 * futex_hook.c - see futex_hook.h. Defines syscall(), which the dynamic linker prefers to libc's.
 *
 * Nothing here may take a lock or allocate: the hook runs inside a thread that a test may cancel
 * (asynchronously), interrupt, stop for ever or kill.
 */
#define _GNU_SOURCE
#include "tests/support/futex_hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "src/host/rawcall.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

#if defined(UNDER_ASAN) || defined(UNDER_TSAN)
#define NO_SANITIZE __attribute__((no_sanitize("thread", "address", "undefined")))
#else
#define NO_SANITIZE
#endif

#ifdef UNDER_ASAN
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#endif

#define CALLERS_BYTES \
	1024 /* of stack, from the call up to the frame that cancellation unwinds to */

enum stop_state { STOP_OFF, STOP_ARMED, STOP_STOPPED, STOP_RELEASED };

static _Thread_local struct rqt_hook *my_hook;
static _Atomic unsigned int totals[RQT_OPS];
static _Atomic bool denied[RQT_OPS];

static NO_SANITIZE long raw_syscall(long number, const long args[6])
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = args[3];
	register long r8 __asm__("r8") = args[4];
	register long r9 __asm__("r9") = args[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = args[0];
	register long x1 __asm__("x1") = args[1];
	register long x2 __asm__("x2") = args[2];
	register long x3 __asm__("x3") = args[3];
	register long x4 __asm__("x4") = args[4];
	register long x5 __asm__("x5") = args[5];

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
	return rqh_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
#endif
}

long rqt_raw_futex(const volatile void *word, int op, uint32_t val, const void *timeout)
{
	const long args[6] = {(long)(uintptr_t)word,	op, (long)val,
			      (long)(uintptr_t)timeout, 0,  (long)FUTEX_BITSET_MATCH_ANY};

	return raw_syscall(RQH_SYS_FUTEX, args);
}

void rqt_hook_adopt(struct rqt_hook *hook)
{
	my_hook = hook;
}

void rqt_hook_stop(struct rqt_hook *hook, int cmd, unsigned int nth, enum rqt_place place)
{
	atomic_store(&hook->stop_cmd, cmd);
	atomic_store(&hook->stop_place, (int)place);
	atomic_store(&hook->stop_countdown, (int)nth);
	atomic_store(&hook->stop_state, STOP_ARMED);
}

bool rqt_hook_is_stopped(struct rqt_hook *hook)
{
	return atomic_load(&hook->stop_state) == STOP_STOPPED;
}

bool rqt_hook_wait_stopped(struct rqt_hook *hook, int timeout_ms)
{
	const struct timespec pause = {0, 200000};

	for (long n = 0; !rqt_hook_is_stopped(hook); n++) {
		if (n >= timeout_ms * 5L)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void rqt_hook_release(struct rqt_hook *hook)
{
	atomic_store(&hook->stop_state, STOP_RELEASED);
	rqt_raw_futex(&hook->stop_state, FUTEX_WAKE, INT_MAX, NULL);
}

void rqt_hook_inject(struct rqt_hook *hook, int cmd, unsigned int nth, long ret)
{
	atomic_store(&hook->inject_cmd, cmd);
	atomic_store(&hook->inject_ret, ret);
	atomic_store(&hook->inject_countdown, (int)nth);
}

void rqt_hook_deny(int cmd, bool deny)
{
	atomic_store(&denied[cmd], deny);
}

unsigned int rqt_hook_total(int cmd)
{
	unsigned int sum = 0;

	if (cmd != RQT_ANY_OP)
		return atomic_load(&totals[cmd]);
	for (int i = 0; i < RQT_OPS; i++)
		sum += atomic_load(&totals[i]);
	return sum;
}

void rqt_hook_reset(void)
{
	for (int i = 0; i < RQT_OPS; i++) {
		atomic_store(&totals[i], 0);
		atomic_store(&denied[i], false);
	}
}

unsigned int rqt_hook_begun(const struct rqt_hook *hook, int cmd)
{
	unsigned int sum = 0;

	if (cmd != RQT_ANY_OP)
		return atomic_load(&hook->begun[cmd]);
	for (int i = 0; i < RQT_OPS; i++)
		sum += atomic_load(&hook->begun[i]);
	return sum;
}

unsigned int rqt_hook_ended(const struct rqt_hook *hook, int cmd)
{
	return atomic_load(&hook->ended[cmd]);
}

long rqt_hook_last_ret(const struct rqt_hook *hook, int cmd)
{
	return atomic_load(&hook->last_ret[cmd]);
}

unsigned int rqt_hook_blocking(const struct rqt_hook *hook)
{
	return rqt_hook_begun(hook, FUTEX_WAIT) + rqt_hook_begun(hook, FUTEX_WAIT_BITSET) +
	       rqt_hook_begun(hook, FUTEX_LOCK_PI) + rqt_hook_begun(hook, FUTEX_LOCK_PI2) +
	       rqt_hook_begun(hook, FUTEX_WAIT_REQUEUE_PI);
}

static NO_SANITIZE void maybe_stop(struct rqt_hook *hook, int cmd, enum rqt_place place)
{
	int wanted = atomic_load(&hook->stop_cmd);

	if (atomic_load(&hook->stop_state) != STOP_ARMED ||
	    atomic_load(&hook->stop_place) != (int)place || (wanted != RQT_ANY_OP && wanted != cmd))
		return;
	if (atomic_fetch_sub(&hook->stop_countdown, 1) != 1)
		return;
	atomic_store(&hook->stop_state, STOP_STOPPED);
	while (atomic_load(&hook->stop_state) == STOP_STOPPED)
		rqt_raw_futex(&hook->stop_state, FUTEX_WAIT, STOP_STOPPED, NULL);
}

/* True: the call is answered here, with *ret. */
static NO_SANITIZE bool maybe_answer(struct rqt_hook *hook, int cmd, long *ret)
{
	if (atomic_load(&denied[cmd])) {
		*ret = -ENOSYS;
		return true;
	}
	if (!hook || atomic_load(&hook->inject_countdown) == 0 ||
	    atomic_load(&hook->inject_cmd) != cmd)
		return false;
	if (atomic_fetch_sub(&hook->inject_countdown, 1) != 1)
		return false;
	*ret = atomic_load(&hook->inject_ret);
	return true;
}

/*
 * A thread cancelled in its sleep leaves the frames of its callers without passing their ends,
 * where AddressSanitizer lifts the guards around their variables. Lift them before.
 */
static NO_SANITIZE void expect_cancellation(int cmd)
{
#ifdef UNDER_ASAN
	if (cmd == FUTEX_WAIT_REQUEUE_PI || cmd == FUTEX_WAIT_BITSET)
		__asan_unpoison_memory_region(__builtin_frame_address(0), CALLERS_BYTES);
#endif
	(void)cmd;
}

/* What the hook stands in front of: the kernel's futex, or the engine's (rqpi_futex() below). */
typedef long futex_fn(uint32_t *, int, uint32_t, const struct timespec *, uint32_t *, uint32_t);
static _Atomic(futex_fn *) engine;

bool rqt_on_engine(void)
{
	return atomic_load(&engine) != NULL;
}

static NO_SANITIZE long real_futex(const long args[6])
{
	futex_fn *fn = atomic_load(&engine);

	if (!fn)
		return raw_syscall(RQH_SYS_FUTEX, args);
	return fn((uint32_t *)(uintptr_t)args[0], (int)args[1], (uint32_t)args[2],
		  (const struct timespec *)(uintptr_t)args[3], (uint32_t *)(uintptr_t)args[4],
		  (uint32_t)args[5]);
}

static NO_SANITIZE long hooked_futex(const long args[6])
{
	struct rqt_hook *hook = my_hook;
	int cmd = (int)args[1] & FUTEX_CMD_MASK;
	long ret;

	if (cmd < 0 || cmd >= RQT_OPS)
		return real_futex(args);
	expect_cancellation(cmd);
	atomic_fetch_add(&totals[cmd], 1);
	if (hook) {
		for (int i = 0; i < 6; i++)
			atomic_store(&hook->last_args[cmd][i], (uintptr_t)args[i]);
		atomic_fetch_add(&hook->begun[cmd], 1);
		maybe_stop(hook, cmd, RQT_BEFORE);
	}
	if (!maybe_answer(hook, cmd, &ret))
		ret = real_futex(args);
	if (hook) {
		atomic_store(&hook->last_ret[cmd], ret);
		atomic_fetch_add(&hook->ended[cmd], 1);
		maybe_stop(hook, cmd, RQT_AFTER);
	}
	return ret;
}

__attribute__((visibility("default"))) NO_SANITIZE long syscall(long number, ...)
{
	long args[6];
	long ret;
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	ret = number == RQH_SYS_FUTEX ? hooked_futex(args) : raw_syscall(number, args);
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

/* With RQPI_BACKEND=engine the library calls this in the place of syscall(). */
long rqpi_futex(uint32_t *uaddr, int op, uint32_t val, const struct timespec *timeout,
		uint32_t *uaddr2, uint32_t val3);

__attribute__((visibility("default"))) NO_SANITIZE long rqpi_futex(uint32_t *uaddr, int op,
								   uint32_t val,
								   const struct timespec *timeout,
								   uint32_t *uaddr2, uint32_t val3)
{
	const long args[6] = {
	    (long)(uintptr_t)uaddr,  op,	(long)val, (long)(uintptr_t)timeout,
	    (long)(uintptr_t)uaddr2, (long)val3};

	if (!atomic_load(&engine)) {
		void *lib = dlopen("librqpi-engine.so.0", RTLD_NOW | RTLD_NOLOAD);

		atomic_store(&engine, (futex_fn *)(uintptr_t)dlsym(lib, "rqpi_futex"));
	}
	return hooked_futex(args);
}
