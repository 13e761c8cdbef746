/* SPDX-License-Identifier: MIT */
/*
 * sys_engine.c - the waist on the engine: the futex calls of sys_linux.c go to rqpi_futex().
 *
 * Chosen once, when the library is loaded, by the environment variable RQPI_BACKEND:
 *
 *   linux    (or unset) the kernel's futex
 *   engine   the engine of this process, librqpi-engine.so.0
 *   auto     the kernel's, unless it lacks the requeue PI operations; then the engine
 *
 * It cannot change later: a word that one of the two knows waiters of must not be shown to the
 * other. The engine is loaded when it is wanted, so that nobody else pays for it. Rules: sys.h.
 */
#define _GNU_SOURCE
#include "src/sys/sys.h"
#include "src/sys/sys_backend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rqpi/host.h>

#define ENGINE "librqpi-engine.so.0"

rqu_futex_fn *rqu_engine_futex;

static long (*engine_set_robust_list)(const void *head, size_t bytes);
static void (*engine_cancellable)(bool on);
static void (*engine_abandon)(void);

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "rqpi: RQPI_BACKEND: %s%s%s; the kernel's futex is used\n", what,
		why ? ": " : "", why ? why : "");
}

/*
 * By its name, else beside this library: a program need not set LD_LIBRARY_PATH for a part of us.
 */
static void *load_engine(void)
{
	char path[4096];
	void *lib = dlopen(ENGINE, RTLD_NOW | RTLD_LOCAL);
	const char *slash;
	Dl_info info;
	int len;

	if (lib || !dladdr((void *)&rqu_engine_futex, &info) || !info.dli_fname)
		return lib;
	slash = strrchr(info.dli_fname, '/');
	if (!slash)
		return NULL;
	len = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname,
		       ENGINE);
	return len < (int)sizeof(path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static bool start_engine(void *lib)
{
	/* A child of fork goes on with the futexes it has, and shared ones meet. */
	struct rqpi_host_options options = {
	    .size = sizeof(options),
	    .flags = RQPI_HOST_ACROSS_FORK | RQPI_HOST_CATCH_FAULTS,
	};
	int (*start)(const struct rqpi_host_options *) = dlsym(lib, "rqpi_host_start");
	/* The program's own first, if it has one: it can be interposed, as syscall() can. */
	rqu_futex_fn *futex = dlsym(RTLD_DEFAULT, "rqpi_futex");
	int err;

	if (!futex)
		futex = dlsym(lib, "rqpi_futex");

	engine_set_robust_list = dlsym(lib, "rqpi_futex_set_robust_list");
	engine_cancellable = dlsym(lib, "rqpi_futex_cancellable");
	engine_abandon = dlsym(lib, "rqpi_futex_abandon");
	if (!start || !futex || !engine_set_robust_list || !engine_cancellable || !engine_abandon)
		return false;
	err = start(&options);
	if (err && err != RQPI_EBUSY) /* somebody has started it: it is the same one */
		return false;
	rqu_engine_futex = futex;
	return true;
}

__attribute__((constructor)) static void choose_backend(void)
{
	const char *want = secure_getenv("RQPI_BACKEND");
	void *lib;

	if (!want || !*want || strcmp(want, "linux") == 0)
		return;
	if (strcmp(want, "engine") != 0 && strcmp(want, "auto") != 0) {
		complain("neither linux, engine nor auto", want);
		return;
	}
	if (strcmp(want, "auto") == 0 && (rqu_sys_caps() & RQPI_CAP_REQUEUE_PI))
		return;
	lib = load_engine();
	if (!lib)
		complain("the engine cannot be loaded", dlerror());
	else if (!start_engine(lib))
		complain("the engine does not start", NULL);
	else
		rqu_sys_caps_again();
}

bool rqu_sys_in_process(void)
{
	return rqu_engine_futex != NULL;
}

void rqu_sys_cancellable(bool on)
{
	engine_cancellable(on);
}

void rqu_sys_abandon(void)
{
	engine_abandon();
}

/* The engine must find what the C library told only the kernel. */
void rqu_engine_robust_list(const struct rqu_robust_head *head)
{
	if (rqu_engine_futex)
		(void)engine_set_robust_list(head, sizeof(*head));
}
