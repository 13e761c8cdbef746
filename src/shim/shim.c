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

enum { UNKNOWN, ACTIVE, ASIDE };

struct shim_real shim_real;
static uint32_t state;

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

/*
 * dlsym() may give the oldest version of a symbol, and the oldest pthread_cond_* of glibc take
 * another pthread_cond_t. So ask by version. @versions ends with NULL.
 */
static bool find(void *slot, const char *name, const char *const *versions)
{
	void *found = NULL;

	for (; *versions && !found; versions++)
		found = dlvsym(RTLD_NEXT, name, *versions);
	memcpy(slot, &found, sizeof(found));
	return found != NULL;
}

static bool find_real(struct shim_real *real)
{
	static const char *const base[] = {"GLIBC_2.3.2", "GLIBC_2.17", "GLIBC_2.27", NULL};
	static const char *const clock[] = {"GLIBC_2.34", "GLIBC_2.30", NULL};

	/* clockwait is of 2.30: a program that knows it runs on a libc that has it. */
	find(&real->clockwait, "pthread_cond_clockwait", clock);
	return find(&real->wait, "pthread_cond_wait", base) &&
	       find(&real->timedwait, "pthread_cond_timedwait", base) &&
	       find(&real->signal, "pthread_cond_signal", base) &&
	       find(&real->broadcast, "pthread_cond_broadcast", base) &&
	       find(&real->destroy, "pthread_cond_destroy", base);
}

/* NULL: fit. Else why not. */
static const char *why_not(void)
{
	const char *off = getenv("RQPI_PRELOAD_OFF");
	unsigned int need = RQPI_CAP_PI | RQPI_CAP_REQUEUE_PI;

	if (!find_real(&shim_real)) {
		/*
		 * Nothing to fall back on: not even stepping aside would leave a working program.
		 */
		say("libc's pthread_cond functions were not found");
		abort();
	}
	if (off && strcmp(off, "1") == 0)
		return "";
	if ((rqu_sys_caps() & need) != need)
		return "the kernel, or a sandbox, offers no FUTEX_WAIT_REQUEUE_PI";
	return shim_prove_layout();
}

bool shim_active(void)
{
	uint32_t now = rqb_load_acq(&state);
	const char *reason;

	if (rqb_likely(now != UNKNOWN))
		return now == ACTIVE;
	/* Two threads may both find out: they come to the same end. One of them says so. */
	reason = why_not();
	now = reason ? ASIDE : ACTIVE;
	if (rqb_cas(&state, UNKNOWN, now) && reason && *reason)
		say(reason);
	return now == ACTIVE;
}

__attribute__((visibility("default"))) int rqpi_preload_active(void)
{
	return shim_active();
}

__attribute__((constructor)) static void start(void)
{
	shim_active();
}
