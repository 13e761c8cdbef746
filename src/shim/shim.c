/* SPDX-License-Identifier: MIT */
/*
 * shim.c - the preload's start: find libc's own functions, decide once whether to work or to step
 * aside.
 *
 * Steps aside, saying so on stderr, where libc is not the one we know or the kernel has no
 * requeue_pi: the program then runs exactly as without us. RQPI_PRELOAD_OFF=1 steps aside silently.
 */
#define _GNU_SOURCE
#include "src/shim/shim.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/atomic.h"
#include "src/sys/sys.h"
#include <rqpi/base.h>

struct shim_real shim_real;
uint32_t shim_state;

/* No stdio: this may run before anything is initialised. */
static void say(const char *why)
{
	static const char head[] = "rqpi: preload: ";
	static const char tail[] = "; stepping aside, this program runs as without it\n";
	char line[256];
	size_t n = 0;

	for (const char *p = head; *p; p++)
		line[n++] = *p;
	while (*why && n < sizeof(line) - sizeof(tail))
		line[n++] = *why++;
	for (const char *p = tail; *p; p++)
		line[n++] = *p;
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

#define BASE_VERSION "GLIBC_2.3.2" /* of x86-64; shim.map says the same */

/*
 * One function: libc's own, ours, and what a program's call reaches. dlsym() may give the oldest
 * version of a symbol, and the oldest pthread_cond_* of glibc take another pthread_cond_t: so ask
 * by version.
 */
struct binding {
	const char *name;
	const char *version;
	void *real; /* where libc's goes */
	void (*ours)(void);
	bool needed;	 /* not a libc we know without it */
	bool is_default; /* the version that programs are linked with today */
};

/* clang-format off */
#define BIND(field, function, version, needed, is_default) \
	{"pthread_cond_" #field,     version, &shim_real.field, \
	 (void (*)(void))(function), needed,  is_default}

static const struct binding bindings[] = {
	BIND(wait,      shim_cond_wait,      BASE_VERSION, true, true),
	BIND(timedwait, shim_cond_timedwait, BASE_VERSION, true, true),
	BIND(signal,    shim_cond_signal,    BASE_VERSION, true, true),
	BIND(broadcast, shim_cond_broadcast, BASE_VERSION, true, true),
	BIND(destroy,   shim_cond_destroy,   BASE_VERSION, true, true),
	/* Of 2.30: a program that calls it runs on a libc that has it. The later version wins. */
	BIND(clockwait, shim_cond_clockwait_2_30, "GLIBC_2.30", false, false),
	BIND(clockwait, shim_cond_clockwait,      "GLIBC_2.34", false, true),
};
/* clang-format on */

#define BINDINGS (sizeof(bindings) / sizeof(bindings[0]))

static bool find_real(void)
{
	for (size_t i = 0; i < BINDINGS; i++) {
		void *found = dlvsym(RTLD_NEXT, bindings[i].name, bindings[i].version);

		if (!found && bindings[i].needed)
			return false;
		if (found)
			memcpy(bindings[i].real, &found, sizeof(found));
	}
	return true;
}

/*
 * All of a condvar's functions must be ours, or none: a wait here and a signal there never meet.
 * They are not if we were loaded by dlopen(), or if another library in front has some of the names.
 */
static bool calls_come_here(void)
{
	for (size_t i = 0; i < BINDINGS; i++) {
		const struct binding *b = &bindings[i];
		void *bound = dlvsym(RTLD_DEFAULT, b->name, b->version);
		void (*function)(void);

		/* A library without versions takes every call; dlvsym() alone does not show it. */
		if (bound && b->is_default)
			bound = dlsym(RTLD_DEFAULT, b->name);
		memcpy(&function, &bound, sizeof(bound));
		if (bound && function != b->ours)
			return false;
	}
	return true;
}

/* NULL: fit. Else why not. */
static const char *why_not(void)
{
	const char *off = getenv("RQPI_PRELOAD_OFF");
	unsigned int need = RQPI_CAP_PI | RQPI_CAP_REQUEUE_PI;

	if (!find_real()) {
		/* Nothing to fall back on: even stepping aside would leave no working program. */
		say("libc's pthread_cond functions were not found");
		abort();
	}
	if (off && strcmp(off, "1") == 0)
		return "";
	if ((rqu_sys_caps() & need) != need)
		return "the kernel, or a sandbox, offers no FUTEX_WAIT_REQUEUE_PI";
	if (!calls_come_here())
		return "another library has pthread_cond functions in front of these";
	return shim_prove_layout();
}

bool shim_active(void)
{
	uint32_t now = rqb_load_acq(&shim_state);
	const char *reason;

	if (rqb_likely(now != SHIM_UNKNOWN))
		return now == SHIM_ACTIVE;
	/* Two threads may both find out: they come to the same end. One of them says so. */
	reason = why_not();
	now = reason ? SHIM_ASIDE : SHIM_ACTIVE;
	if (rqb_cas(&shim_state, SHIM_UNKNOWN, now) && reason && *reason)
		say(reason);
	return now == SHIM_ACTIVE;
}

__attribute__((visibility("default"))) int rqpi_preload_active(void)
{
	return shim_active();
}

__attribute__((constructor)) static void start(void)
{
	shim_active();
}
