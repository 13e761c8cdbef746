/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - one batch: find rqpi-bench-worker and the preload, start the worker, read its samples,
 * and end it if it does not end by itself. Called by cmd_bench.c (finding) and rounds.c (running).
 */
#include "driver.h"

#include <errno.h>
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

bool bench_find_programs(struct bench_options *opt)
{
	static const char *const workers[] = {
	    "../../bench/rqpi-bench-worker", /* in the build tree */
	    "../" BENCH_LIBEXECDIR "/rqpi/rqpi-bench-worker",
	    BENCH_PREFIX "/" BENCH_LIBEXECDIR "/rqpi/rqpi-bench-worker",
	};
	static const char *const preloads[] = {
	    "../../src/librqpi-preload.so",
	    "../" BENCH_LIBDIR "/rqpi/librqpi-preload.so",
	    BENCH_PREFIX "/" BENCH_LIBDIR "/rqpi/librqpi-preload.so",
	};

	static const char *const musls[] = {
	    "../../bench/rqpi-bench-musl",
	    "../" BENCH_LIBEXECDIR "/rqpi/rqpi-bench-musl",
	    BENCH_PREFIX "/" BENCH_LIBEXECDIR "/rqpi/rqpi-bench-musl",
	};

	opt->have_musl = find_file(opt->musl, sizeof(opt->musl), X_OK, "RQPI_BENCH_MUSL", musls,
				   sizeof(musls) / sizeof(musls[0]));
	opt->have_preload = find_file(opt->preload, sizeof(opt->preload), R_OK, "RQPI_PRELOAD",
				      preloads, sizeof(preloads) / sizeof(preloads[0]));
	if (find_file(opt->worker, sizeof(opt->worker), X_OK, "RQPI_BENCH_WORKER", workers,
		      sizeof(workers) / sizeof(workers[0])))
		return true;
	fprintf(stderr, "rqpi bench: cannot run the worker program %s: %s\n", opt->worker,
		strerror(errno));
	return false;
}

bool bench_can_run(const struct bench_options *opt, enum bench_impl impl)
{
	if (impl == BENCH_PRELOAD || impl == BENCH_FORCE_PI)
		return opt->have_preload;
	return impl != BENCH_MUSL || opt->have_musl;
}

/* What decides which implementation a worker is; the caller's own choice must not. */
static bool decides(const char *setting)
{
	static const char *const names[] = {
	    "LD_PRELOAD=", "RQPI_FORCE_PI=", "RQPI_PRELOAD_OFF=", "RQPI_BACKEND="};

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
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", opt->preload);
		env[kept++] = preload;
	}
	if (impl == BENCH_FORCE_PI)
		env[kept++] = force;
	if (impl == BENCH_ON_ENGINE)
		env[kept++] = engine;
	return env;
}

static pid_t start_worker(const struct bench_options *opt, const char *bench,
			  const struct bench_case *c, enum bench_impl impl, int *out)
{
	const char *program = impl == BENCH_MUSL ? opt->musl : opt->worker;
	char words[256], limit[32], *argv[MAX_WORDS], *save = NULL;
	char **env = make_environment(opt, impl);
	posix_spawn_file_actions_t actions;
	int pipes[2], n = 0, err;
	pid_t pid = -1;

	if (!env || pipe(pipes)) {
		free(env);
		return -1;
	}
	snprintf(words, sizeof(words), "%s", c->args);
	snprintf(limit, sizeof(limit), "limit=%d", c->limit_s);
	argv[n++] = (char *)(uintptr_t)program;
	argv[n++] = (char *)(uintptr_t)bench;
	argv[n++] = (char *)(uintptr_t)bench_impl_name[impl];
	argv[n++] = limit;
	for (char *word = strtok_r(words, " ", &save); word && n < MAX_WORDS - 1;
	     word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, pipes[0]);
	posix_spawn_file_actions_addclose(&actions, pipes[1]);
	err = posix_spawn(&pid, program, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	free(env);
	*out = pipes[0];
	if (!err)
		return pid;
	close(pipes[0]);
	return -1;
}

/* All of the worker's output, NUL-ended; NULL when it took longer than @seconds. */
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
	if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
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

bool bench_run_batch(const struct bench_options *opt, const char *bench, struct bench_case *c,
		     enum bench_impl impl, int round)
{
	struct bench_cell *cell = &c->cell[impl];
	int out, status = 0;
	char *text, *save = NULL;
	pid_t pid;

	cell->runs++;
	pid = start_worker(opt, bench, c, impl, &out);
	if (pid < 0) {
		cell->failed++;
		snprintf(cell->failure, sizeof(cell->failure), "the worker could not be started");
		return false;
	}
	text = read_all(out, c->limit_s + GRACE_S);
	if (!text)
		kill(pid, SIGKILL);
	close(out);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
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
