/* SPDX-License-Identifier: MIT */
/*
 * shim.c - the start of both preloads: find libc's own functions, decide once whether to work or to
 * step aside.
 *
 * Steps aside, saying so on stderr, where libc is not the one we know or the kernel has no
 * requeue_pi: the program then runs exactly as without us. RQPI_PRELOAD_OFF=1 steps aside silently.
 */
#define _GNU_SOURCE
#include "src/shim/shim.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/atomic.h"
#include "src/shim/shim_cond.h"
#include "src/shim/shim_version.h"
#include "src/sys/sys.h"
#include <rqpi/base.h>

struct shim_real shim_real;
uint32_t shim_state;
bool shim_forcing;
bool shim_observing;

/* This thread is inside why_not(): what it calls there must not ask again. */
static __thread bool finding_out __attribute__((tls_model("initial-exec")));

void shim_say(const char *part, ...)
{
	char line[384] = "rqpi: preload: ";
	size_t n = strlen(line);
	va_list more;

	va_start(more, part);
	for (; part; part = va_arg(more, const char *))
		while (*part && n < sizeof(line) - 1)
			line[n++] = *part++;
	va_end(more);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

static bool find_real(const struct shim_binding *b)
{
	for (; b->name; b++) {
		void *found = b->real ? dlvsym(RTLD_NEXT, b->name, b->version) : NULL;

		if (b->real && !found && b->needed)
			return false;
		if (found)
			memcpy(b->real, &found, sizeof(found));
	}
	return true;
}

static bool find_all_real(void)
{
	for (size_t i = 0; shim_bindings[i]; i++)
		if (!find_real(shim_bindings[i]))
			return false;
	return true;
}

/*
 * All of them must be ours, or none: a wait here and a signal there never meet. They are not if we
 * were loaded by dlopen(), or if another library in front has some of the names.
 */
static bool calls_come_here(const struct shim_binding *b)
{
	for (; b->name; b++) {
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

static bool all_calls_come_here(void)
{
	for (size_t i = 0; shim_bindings[i]; i++)
		if (!calls_come_here(shim_bindings[i]))
			return false;
	return true;
}

static bool is_one(const char *variable)
{
	const char *value = getenv(variable);

	return value && strcmp(value, "1") == 0;
}

/* `rqpi trace` has a file, and changes nothing; `rqpi run --traceable` does as it is told. */
static bool is_traced(void)
{
	const char *value = getenv("RQPI_TRACE");

	return value && value[0] == '/';
}

/* NULL: fit. Else why not. */
static const char *why_not(void)
{
	unsigned int need = RQPI_CAP_PI | RQPI_CAP_REQUEUE_PI;
	const char *reason;

	if (!find_all_real()) {
		/* Nothing to fall back on: even stepping aside would leave no working program. */
		shim_say("libc's pthread functions were not found", NULL);
		abort();
	}
	if (is_one("RQPI_PRELOAD_OFF"))
		return "";
	shim_observing = shim_start_more && (is_one("RQPI_OBSERVE") || is_traced()) &&
			 !is_one("RQPI_FORCE_PI");
	if (!shim_observing && (rqu_sys_caps() & need) != need)
		return "the kernel, or a sandbox, offers no FUTEX_WAIT_REQUEUE_PI";
	if (!all_calls_come_here())
		return "another library has pthread functions in front of these";
	reason = shim_prove_layout();
	if (!reason && shim_start_more)
		reason = shim_start_more();
	return reason;
}

bool shim_active(void)
{
	uint32_t now = rqb_load_acq(&shim_state);
	const char *reason;

	if (rqb_likely(now != SHIM_UNKNOWN))
		return now != SHIM_ASIDE;
	if (finding_out)
		return false;
	finding_out = true;
	/* Two threads may both find out: they come to the same end. One of them says so. */
	reason = why_not();
	now = reason ? SHIM_ASIDE : shim_cond_watcher ? SHIM_WATCHED : SHIM_ACTIVE;
	if (rqb_cas(&shim_state, SHIM_UNKNOWN, now) && reason && *reason)
		shim_say(reason, "; stepping aside, this program runs as without it", NULL);
	finding_out = false;
	return rqb_load_acq(&shim_state) != SHIM_ASIDE;
}

/*
 * A program's own malloc may lock mutexes, and the dynamic linker may call it while we look for
 * libc's lock: before there is a second thread, as this runs in the first constructor or earlier.
 */
bool shim_ready_slow(void)
{
	shim_active();
	return shim_real.lock && shim_real.unlock && shim_real.trylock;
}

SHIM_API int rqpi_preload_active(void)
{
	return shim_active();
}

__attribute__((constructor)) static void start(void)
{
	shim_active();
}
