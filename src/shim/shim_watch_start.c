/* SPDX-License-Identifier: MIT */
/*
 * shim_watch_start.c - begins to watch, if the environment asks for it: RQPI_OBSERVE, RQPI_STATS,
 * RQPI_TRACE and the variables around them (rqpi-preload(7)). Exit, fork and the signal come by
 * here as well.
 *
 * What is wrong with a variable is said, and the rest is done: `rqpi run` has refused it before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/shim/shim.h"
#include "src/shim/shim_cond.h"
#include "src/shim/shim_report.h"
#include "src/shim/shim_trace.h"
#include "src/shim/shim_version.h"
#include "src/shim/shim_watch.h"
#include "src/user/user.h"

/* Nobody calls it by this name. */
void shim_exit(int status);

/* A number from @from to @to, the whole of @text. False: it is none. */
static bool number(const char *text, unsigned long from, unsigned long to, uint32_t *n)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < from || value > to)
		return false;
	*n = (uint32_t)value;
	return true;
}

static uint32_t number_of(const char *variable, unsigned long from, unsigned long to,
			  uint32_t usual)
{
	const char *text = getenv(variable);
	uint32_t n = usual;

	if (text && !number(text, from, to, &n))
		shim_say(variable, "=", text, ": not a number that is possible here; ignored",
			 NULL);
	return n;
}

/* text, json, text:FILE or json:FILE; NULL: text. */
static void choose(const char *value)
{
	struct shim_report_choice *choice = &shim_report_choice;
	const char *colon = value ? strchr(value, ':') : NULL;
	size_t length = colon ? (size_t)(colon - value) : value ? strlen(value) : 0;

	choice->json = length == 4 && memcmp(value, "json", 4) == 0;
	if (value && !choice->json && (length != 4 || memcmp(value, "text", 4) != 0))
		shim_say("RQPI_STATS=", value, ": neither text nor json, perhaps with :FILE; text",
			 NULL);
	else if (colon && strlen(colon + 1) >= PATH_MAX)
		shim_say("RQPI_STATS: the name of the file is too long; standard error", NULL);
	else if (colon && colon[1])
		choice->file = colon + 1;
	choice->main = number_of("RQPI_STATS_MAIN", 1, UINT32_MAX, 0);
}

static bool reporting;	       /* else only traced */
static uint32_t pid_of_report; /* not that of a child of vfork, which runs in our memory */

static void report_exit(void)
{
	if (!shim_watching || shim_os_pid() != pid_of_report)
		return;
	if (reporting)
		shim_report_write("exit");
	shim_trace_end();
}

__attribute__((destructor)) static void at_exit(void)
{
	report_exit();
}

/*
 * Shells and browsers end by _exit(), which calls no destructor. Not among the bindings: a program
 * for which another library is in front of this one is watched all the same.
 */
static void (*next_exit)(int status);

SHIM_API void shim_exit(int status)
{
	report_exit();
	if (next_exit)
		next_exit(status);
	shim_os_exit(status);
}

SHIM_EXPORT_DEFAULT(shim_exit, _exit, SHIM_BASE);
SHIM_EXPORT_ALSO(shim_exit, shim_exit_c99, _Exit, SHIM_BASE);

static void on_signal(int sig)
{
	(void)sig;
	shim_report_write("signal");
}

static void in_child(void)
{
	shim_stats_forget();
	shim_report_begin();
	pid_of_report = shim_os_pid();
	shim_trace_fork();
}

static void listen(void)
{
	uint32_t sig = number_of("RQPI_STATS_SIGNAL", 1, (unsigned long)SIGRTMAX, 0);

	if (sig && !shim_os_on_signal((int)sig, on_signal))
		shim_say("RQPI_STATS_SIGNAL: a handler for this signal is not possible; ignored",
			 NULL);
}

/* A copy: the program may change its environment. */
static void keep_file_name(void)
{
	if (shim_report_choice.file)
		shim_report_choice.file = strdup(shim_report_choice.file);
}

void shim_watch_start(void)
{
	static uint32_t started;
	const char *stats = getenv("RQPI_STATS");
	const char *observe = getenv("RQPI_OBSERVE");
	const char *trace = getenv("RQPI_TRACE");
	void *next;

	reporting = stats || (observe && strcmp(observe, "1") == 0);
	if (!reporting && (!trace || !*trace))
		return;
	if (!rqb_cas(&started, 0, 1))
		return;
	if (trace && *trace && !shim_trace_start(trace) && !reporting)
		return;
	next = dlsym(RTLD_NEXT, "_exit");
	memcpy(&next_exit, &next, sizeof(next));
	if (!shim_stats_start(number_of("RQPI_STATS_LOCKS", 1, SHIM_ROWS_MAX, SHIM_ROWS_USUAL))) {
		shim_say("no memory for --stats", NULL);
		return;
	}
	shim_report_begin();
	pid_of_report = shim_os_pid();
	pthread_atfork(NULL, NULL, in_child);
	if (reporting) {
		choose(stats);
		keep_file_name();
		listen();
	}
	shim_cond_watcher = &shim_watch_cond;
	shim_watching = true;
}
