/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - one batch: find rqpi-bench-worker and the preload, start the worker, read its samples,
 * and end it if it does not end by itself. Called by cmd_bench.c (finding) and rounds.c (running).
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 32, GRACE_S = 5 };

extern char **environ;

/* The first of the candidates that can be read (@mode R_OK) or run (X_OK) is copied to @found. */
static bool find_file(char *found, size_t size, int mode, const char *from_env,
		      const char *const *tries, size_t n)
{
	const char *chosen = getenv(from_env);
	char exe[2048];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (chosen && *chosen) {
		/* What the user named is used or refused, never replaced by something else. */
		snprintf(found, size, "%s", chosen);
		return access(found, mode) == 0;
	}
	exe[length > 0 ? length : 0] = '\0';
	if (strrchr(exe, '/'))
		*strrchr(exe, '/') = '\0';
	for (size_t i = 0; i < n; i++) {
		if (tries[i][0] == '/')
			snprintf(found, size, "%s", tries[i]);
		else
			snprintf(found, size, "%s/%s", exe, tries[i]);
		if (!access(found, mode))
			return true;
	}
	return false;
}

bool bench_find(char *found, size_t size, const char *from_env, const char *in_build,
		const char *name)
{
	char built[256], beside[256], installed[512];
	const char *const tries[] = {built, beside, installed};

	snprintf(built, sizeof(built), "../../%s/%s", in_build, name);
	snprintf(beside, sizeof(beside), "../" BENCH_LIBEXECDIR "/rqpi/%s", name);
	snprintf(installed, sizeof(installed), BENCH_PREFIX "/" BENCH_LIBEXECDIR "/rqpi/%s", name);
	return find_file(found, size, X_OK, from_env, tries, sizeof(tries) / sizeof(tries[0]));
}

bool bench_find_programs(struct bench_options *opt)
{
	static const char *const preloads[] = {
	    "../../src/librqpi-preload.so",
	    "../" BENCH_LIBDIR "/rqpi/librqpi-preload.so",
	    BENCH_PREFIX "/" BENCH_LIBDIR "/rqpi/librqpi-preload.so",
	};

	opt->have_musl = bench_find(opt->musl, sizeof(opt->musl), "RQPI_BENCH_MUSL", "bench",
				    "rqpi-bench-musl");
	static const char *const preload_mutexes[] = {
	    "../../src/librqpi-preload-mutex.so",
	    "../" BENCH_LIBDIR "/rqpi/librqpi-preload-mutex.so",
	    BENCH_PREFIX "/" BENCH_LIBDIR "/rqpi/librqpi-preload-mutex.so",
	};

	opt->have_preload_mutex = find_file(opt->preload_mutex, sizeof(opt->preload_mutex), R_OK,
					    "RQPI_PRELOAD_MUTEX", preload_mutexes,
					    sizeof(preload_mutexes) / sizeof(preload_mutexes[0]));
	opt->have_preload = find_file(opt->preload, sizeof(opt->preload), R_OK, "RQPI_PRELOAD",
				      preloads, sizeof(preloads) / sizeof(preloads[0]));
	if (bench_find(opt->worker, sizeof(opt->worker), "RQPI_BENCH_WORKER", "bench",
		       "rqpi-bench-worker"))
		return true;
	fprintf(stderr, "rqpi bench: cannot run the worker program %s: %s\n", opt->worker,
		strerror(errno));
	return false;
}

bool bench_can_run(const struct bench_options *opt, enum bench_impl impl)
{
	if (impl == BENCH_PRELOAD)
		return opt->have_preload;
	if (impl == BENCH_FORCE_PI)
		return opt->have_preload_mutex;
	return impl != BENCH_MUSL || opt->have_musl;
}

/* What decides which implementation a worker is; the caller's own choice must not. */
static bool decides(const char *setting)
{
	static const char *const names[] = {
	    "LD_PRELOAD=", "RQPI_FORCE_PI=", "RQPI_FORCE_PI_EXCEPT=", "RQPI_PRELOAD_OFF=",
	    "RQPI_BACKEND="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strncmp(setting, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

/* The worker's environment: ours, with what makes it @impl and nothing else that could. */
static char **make_environment(const struct bench_options *opt, enum bench_impl impl)
{
	static char preload[4200], force[] = "RQPI_FORCE_PI=1", engine[] = "RQPI_BACKEND=engine";
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 3, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!decides(environ[i]))
			env[kept++] = environ[i];
	}
	if (impl == BENCH_PRELOAD || impl == BENCH_FORCE_PI) {
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
			 impl == BENCH_PRELOAD ? opt->preload : opt->preload_mutex);
		env[kept++] = preload;
	}
	if (impl == BENCH_FORCE_PI)
		env[kept++] = force;
	if (impl == BENCH_ON_ENGINE)
		env[kept++] = engine;
	return env;
}

/* Start @argv with its output in a pipe, of which we have @out. Returns -1 if that cannot be. */
static pid_t start_program(char *const *argv, char *const *env, int *out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int pipes[2], err;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	err = posix_spawn(&pid, argv[0], &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	*out = pipes[0];
	if (!err)
		return pid;
	close(pipes[0]);
	return -1;
}

/* All of a program's output, NUL-ended; NULL when it took longer than @seconds. */
static char *read_all(int fd, int seconds)
{
	size_t used = 0, room = 1 << 16;
	char *text = malloc(room);
	time_t until = time(NULL) + seconds;

	while (text) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		time_t left = until - time(NULL);
		ssize_t got;

		if (left <= 0 || (poll(&poll_fd, 1, (int)left * 1000) < 0 && errno != EINTR))
			break;
		if (!poll_fd.revents)
			continue;
		if (used + 4096 > room) {
			char *larger = realloc(text, room *= 2);

			if (!larger)
				break;
			text = larger;
		}
		got = read(fd, text + used, room - used - 1);
		if (got <= 0) {
			text[used] = '\0';
			return text;
		}
		used += (size_t)got;
	}
	free(text);
	return NULL;
}

/* "name 1.5 2.5 ..." to the cell. */
static void take_line(struct bench_cell *cell, char *line, int round)
{
	char *at = strchr(line, ' ');
	size_t n = 0, room = 0;
	double *v = NULL;

	if (!at)
		return;
	*at++ = '\0';
	while (*at) {
		char *end;
		double value = strtod(at, &end);

		if (end == at)
			break;
		if (n == room) {
			double *larger = realloc(v, (room = room ? room * 2 : 64) * sizeof(*v));

			if (!larger)
				break;
			v = larger;
		}
		v[n++] = value;
		at = end;
	}
	bench_series_add(cell, line, v, n, round);
	free(v);
}

static void note_failure(struct bench_cell *cell, int status, bool late)
{
	cell->failed++;
	if (cell->failure[0])
		return;
	if (status < 0)
		snprintf(cell->failure, sizeof(cell->failure), "the worker could not be started");
	else if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
		snprintf(cell->failure, sizeof(cell->failure),
			 "did not end: stopped by its watchdog");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		snprintf(cell->failure, sizeof(cell->failure),
			 "stood still: a real-time thread spun for 0.9 s without sleeping");
	else if (WIFSIGNALED(status))
		snprintf(cell->failure, sizeof(cell->failure), "ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(cell->failure, sizeof(cell->failure),
			 "exit code %d, its reason is on stderr", WEXITSTATUS(status));
}

/*
 * The output of @argv; NULL if it could not be started (*status is -1 then) or had to be ended
 * after @seconds; its wait status.
 */
static char *capture(char *const *argv, char *const *env, int seconds, int *status)
{
	int out;
	pid_t pid = start_program(argv, env, &out);
	char *text;

	*status = -1;
	if (pid < 0)
		return NULL;
	text = read_all(out, seconds);
	if (!text)
		kill(pid, SIGKILL);
	close(out);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return text;
}

char *bench_capture(char *const *argv, int seconds, int *status)
{
	return capture(argv, environ, seconds, status);
}

bool bench_run_batch(const struct bench_options *opt, const char *bench, struct bench_case *c,
		     enum bench_impl impl, int round)
{
	struct bench_cell *cell = &c->cell[impl];
	char words[256], limit[32], *argv[MAX_WORDS], *save = NULL, *text;
	char **env = make_environment(opt, impl);
	int n = 0, status = -1;

	cell->runs++;
	snprintf(words, sizeof(words), "%s", c->args);
	snprintf(limit, sizeof(limit), "limit=%d", c->limit_s);
	argv[n++] = (char *)(uintptr_t)(impl == BENCH_MUSL ? opt->musl : opt->worker);
	argv[n++] = (char *)(uintptr_t)bench;
	argv[n++] = (char *)(uintptr_t)bench_impl_name[impl];
	argv[n++] = limit;
	for (char *word = strtok_r(words, " ", &save); word && n < MAX_WORDS - 1;
	     word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n] = NULL;
	text = env ? capture(argv, env, c->limit_s + GRACE_S, &status) : NULL;
	free(env);
	if (!text || status) {
		note_failure(cell, status, !text);
		free(text);
		return false;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_line(cell, line, round);
	free(text);
	return true;
}
