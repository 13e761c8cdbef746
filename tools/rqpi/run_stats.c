/* SPDX-License-Identifier: MIT */
/* run_stats.c - see run_stats.h. The environment is what the preload reads, see rqpi(7). */
#define _GNU_SOURCE
#include "run_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool takes_a_word(const char *option)
{
	return strcmp(option, "--except") == 0 || strcmp(option, "--stats-file") == 0 ||
	       strcmp(option, "--stats-signal") == 0;
}

void run_stats_prepare(int argc, char **argv)
{
	static char bare[] = "--stats=text";

	for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--stats") == 0)
			argv[i] = bare;
		else if (takes_a_word(argv[i]))
			i++;
	}
}

bool run_stats_wanted(const struct run_stats *s)
{
	return s->observe || s->format;
}

static int fail(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "rqpi run: --%s=%s: %s\n", option, value, why);
	return -1;
}

static int set(const char *name, const char *value)
{
	if (!setenv(name, value, 1))
		return 0;
	fprintf(stderr, "rqpi run: cannot set %s: %s\n", name, strerror(errno));
	return -1;
}

/* Those of POSIX; sigabbrev_np() is glibc's. */
static const struct {
	const char *name;
	int number;
} signals[] = {
    {"HUP", SIGHUP},	   {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"ILL", SIGILL},
    {"TRAP", SIGTRAP},	   {"ABRT", SIGABRT}, {"BUS", SIGBUS},	   {"FPE", SIGFPE},
    {"KILL", SIGKILL},	   {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE},	   {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"CHLD", SIGCHLD},
    {"CONT", SIGCONT},	   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU},	   {"URG", SIGURG},   {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},
    {"POLL", SIGPOLL},	   {"PWR", SIGPWR},   {"SYS", SIGSYS},	   {"STKFLT", SIGSTKFLT},
};

/* "USR2", "SIGUSR2", "12", "RTMIN+3"; 0: it is none. */
static int signal_of(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end)
		return n >= 1 && n <= SIGRTMAX ? (int)n : 0;
	if (strncasecmp(name, "RTMIN", 5) == 0) {
		n = name[5] == '+' ? strtol(name + 6, &end, 10) : 0;
		if (name[5] == '\0' || (name[5] == '+' && name[6] && !*end && n >= 0))
			return SIGRTMIN + n <= SIGRTMAX ? SIGRTMIN + (int)n : 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (strcasecmp(signals[i].name, name) == 0)
			return signals[i].number;
	}
	return 0;
}

static int set_signal(const char *text)
{
	int sig = signal_of(text);
	char digits[16];

	if (!sig)
		return fail("stats-signal", text, "there is no such signal");
	if (sig == SIGKILL || sig == SIGSTOP)
		return fail("stats-signal", text, "no program can catch it");
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL)
		return fail("stats-signal", text, "it is how a program dies of a fault");
	snprintf(digits, sizeof(digits), "%d", sig);
	return set("RQPI_STATS_SIGNAL", digits);
}

/* An absolute path that can be written: the program may go to another folder. */
static int find_file(const char *file, char *path)
{
	char here[PATH_MAX];
	int fd;

	if (file[0] != '/' && !getcwd(here, sizeof(here)))
		return fail("stats-file", file, strerror(errno));
	if (snprintf(path, PATH_MAX, "%s%s%s", file[0] == '/' ? "" : here,
		     file[0] == '/' ? "" : "/", file) >= PATH_MAX)
		return fail("stats-file", file, strerror(ENAMETOOLONG));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail("stats-file", file, strerror(errno));
	close(fd);
	return 0;
}

static int set_format(const struct run_stats *s)
{
	const char *format = s->format ? s->format : "text";
	char path[PATH_MAX] = "";
	char value[PATH_MAX + 8];
	char pid[16];

	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return fail("stats", format, "neither text nor json");
	if (s->file && find_file(s->file, path))
		return -1;
	snprintf(value, sizeof(value), "%s%s%s", format, *path ? ":" : "", path);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	return set("RQPI_STATS", value) || set("RQPI_STATS_MAIN", pid) ? -1 : 0;
}

int run_stats_set(const struct run_stats *s, bool force)
{
	if (!run_stats_wanted(s)) {
		if (s->file)
			return fail("stats-file", s->file,
				    "means nothing without --stats or --observe");
		if (s->signal)
			return fail("stats-signal", s->signal,
				    "means nothing without --stats or --observe");
		return 0;
	}
	if (set_format(s) || (s->signal && set_signal(s->signal)))
		return -1;
	return s->observe && !force ? set("RQPI_OBSERVE", "1") : 0;
}
