/* SPDX-License-Identifier: MIT */
/*
 * driver.h - the inside of `rqpi bench`: options, samples and their statistics, one case with a
 * cell for each implementation, the report. Included by the driver's files alone: cmd_bench.c
 * (options), spawn.c (one batch), rounds.c (alternation), series.c (statistics), report.c and
 * targets.c (output), machine.c, ask_*.c (questions).
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

enum bench_impl {
	BENCH_GLIBC,
	BENCH_PRELOAD,
	BENCH_NATIVE,
	BENCH_REQUEUE,
	BENCH_FUTEX,
	BENCH_LINUX,
	BENCH_ENGINE,
	BENCH_NORMAL,
	BENCH_FORCE_PI,
	BENCH_MUSL,
	BENCH_ON_ENGINE,
	BENCH_CHECKER,
	BENCH_IMPLS,
};

#define BENCH_BIT(impl) (1u << (impl))
#define BENCH_LIBRARIES                                                                \
	(BENCH_BIT(BENCH_GLIBC) | BENCH_BIT(BENCH_PRELOAD) | BENCH_BIT(BENCH_NATIVE) | \
	 BENCH_BIT(BENCH_MUSL) | BENCH_BIT(BENCH_ON_ENGINE))

extern const char *const bench_impl_name[BENCH_IMPLS];

enum { BENCH_MAX_LIST = 8, BENCH_MAX_SERIES = 10, BENCH_MAX_ROUNDS = 200 };

struct bench_list {
	int v[BENCH_MAX_LIST];
	int n;
};

struct bench_options {
	int rounds, samples; /* 0: as the benchmark likes it */
	int cpu, cpu2;	     /* cpu2: -1 if this process may use one CPU only */
	int ms;		     /* queue, contended: length of a batch */
	struct bench_list waiters, hogs, threads, depths;
	bool waiters_chosen;
	const char *plot; /* a file, or NULL */
	bool histogram;
	bool json, moderate; /* moderate: one of several benchmarks, each is to be short */
	bool fifo;	     /* the right to SCHED_FIFO is there */
	char worker[4096], preload[4096], preload_mutex[4096], musl[4096];
	bool have_preload, have_preload_mutex, have_musl;
};

/* Samples of one name. A round without any (the batch failed) has NAN in round_median. */
struct bench_series {
	char name[32];
	double *v;
	size_t n, room;
	double round_median[BENCH_MAX_ROUNDS];
};

/* What one implementation did in one case. */
struct bench_cell {
	struct bench_series series[BENCH_MAX_SERIES];
	size_t n_series;
	int runs, failed;
	char failure[128]; /* why, the first time */
};

struct bench_case {
	char name[64];
	char args[128];	    /* key=value words for the worker, separated by blanks */
	unsigned int impls; /* BENCH_BIT() of those that take part */
	int limit_s;	    /* the worker's own watchdog */
	int pause_ms; /* rest after each batch, so that real-time threads do not fill a second */
	struct bench_cell *cell; /* [BENCH_IMPLS] */
};

/* series.c */
void bench_series_add(struct bench_cell *cell, const char *name, const double *v, size_t n,
		      int round);
const struct bench_series *bench_series_find(const struct bench_cell *cell, const char *name);
/*
 * bench_percentile() - the smallest sample that is not below @percent of them; NAN if there are
 * none.
 */
double bench_percentile(const struct bench_series *series, double percent);
double bench_median(double *v, size_t n);
/*
 * bench_ratio() - the median over rounds of median(@a) / median(@b), each taken inside one round.
 * NAN if none.
 */
double bench_ratio(const struct bench_series *a, const struct bench_series *b);
/* bench_ratio_error() - how far off that median may be (one standard error). NAN under 5 rounds. */
double bench_ratio_error(const struct bench_series *a, const struct bench_series *b);
/*
 * bench_spread() - (p90 - p10) / median of the per-round medians: 0 is a quiet machine. NAN under 3
 * rounds.
 */
double bench_spread(const struct bench_series *series);
/* The shorthand: series @name of implementation @impl in @c; NULL if there is none. */
const struct bench_series *bench_of(const struct bench_case *c, enum bench_impl impl,
				    const char *name);
double bench_p50(const struct bench_case *c, enum bench_impl impl, const char *name);

/* spawn.c */
bool bench_find_programs(struct bench_options *opt);
/* bench_can_run() - is there what @impl needs? What is missing is named in the report's head. */
bool bench_can_run(const struct bench_options *opt, enum bench_impl impl);
/*
 * bench_run_batch() - run the worker once; its samples go to @c's cell. Returns false if the batch
 * failed.
 */
bool bench_run_batch(const struct bench_options *opt, const char *bench, struct bench_case *c,
		     enum bench_impl impl, int round);

/*
 * bench_capture() - what @argv writes, to be freed; NULL if it could not be started (@status -1) or
 * had to be ended after @seconds. @status is that of wait(2).
 */
char *bench_capture(char *const *argv, int seconds, int *status);
/* bench_find() - the program @name of the build's folder @in_build, or of where it is installed. */
bool bench_find(char *found, size_t size, const char *from_env, const char *in_build,
		const char *name);

/* rounds.c */
struct bench_case *bench_cases_new(size_t n);
void bench_cases_free(struct bench_case *cases, size_t n);
/* bench_run_rounds() - all batches. Returns false if not one of them gave a sample. */
bool bench_run_rounds(const struct bench_options *opt, const char *bench, struct bench_case *cases,
		      size_t n, int rounds);

/* report.c */
struct bench_report {
	const struct bench_options *opt;
	struct json_object *root;		     /* the whole document */
	struct json_object *bench, *targets, *notes; /* of the benchmark that is being reported */
	struct bench_plot *plot;		     /* NULL: no picture is wanted */
	int judged, met, close;			     /* targets, so far */
};

void bench_report_begin(struct bench_report *rep, const char *bench, const char *question,
			int rounds);
void bench_report_cases(struct bench_report *rep, const struct bench_case *cases, size_t n);
/* bench_say() - text only, nothing with --json. */
void bench_say(const struct bench_report *rep, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* bench_note() - a sentence for both outputs. */
void bench_note(struct bench_report *rep, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* bench_table() - percentiles of one series of a case, a line for each implementation. */
void bench_table(const struct bench_report *rep, const struct bench_case *c, const char *series);
void bench_failures(struct bench_report *rep, const struct bench_case *c);
/* bench_noise() - warn if the floor itself moved between rounds: then no ratio means much. */
void bench_noise(struct bench_report *rep, const struct bench_series *floor, const char *what);
/* bench_slower() - say so if @c has glibc ahead of @impl; @more_is_better for a throughput. */
void bench_slower(struct bench_report *rep, const struct bench_case *c, enum bench_impl impl,
		  const char *series, const char *what, bool more_is_better);
struct json_object *bench_json_figure(double value);
/* bench_say_number() - "-" for what was not measured. */
void bench_say_number(const struct bench_report *rep, int width, int decimals, double value);

/* histogram.c */
void bench_histogram(const struct bench_report *rep, const struct bench_case *c);

/* targets.c */
struct bench_figure {
	const char *of;
	double value, limit;
	double error; /* NAN: not known, or a count */
	bool least;   /* the figure has to be @limit or more, not or less */
};

/*
 * bench_quotient() - @a / @b, to be at most @limit; bench_share() - at least; bench_figure() - one
 * value, at most.
 */
struct bench_figure bench_quotient(const char *of, const struct bench_series *a,
				   const struct bench_series *b, double limit);
struct bench_figure bench_share(const char *of, const struct bench_series *a,
				const struct bench_series *b, double limit);
struct bench_figure bench_figure(const char *of, double value, double limit);
/* bench_target() - a line of the targets block. Compared as printed: rounded to two decimals. */
void bench_target(struct bench_report *rep, enum bench_impl impl, struct bench_figure figure);
/* bench_target_row() - several on one line; all rows of a block have the same columns. */
void bench_target_row(struct bench_report *rep, enum bench_impl impl, const char *what,
		      const struct bench_figure *figures, size_t n);
void bench_targets_end(struct bench_report *rep);

/* machine.c */
void bench_machine(struct bench_report *rep);
bool bench_may_use_fifo(void);
/*
 * bench_pick_cpus() - fill opt->cpu (unless the caller chose it) and opt->cpu2. Returns false if
 * cpu is not ours.
 */
bool bench_pick_cpus(struct bench_options *opt);

/*
 * bench_forced() - with force-pi: has the preload made the mutex a PI mutex? What was asked is
 * measured only then.
 */
bool bench_forced(const struct bench_case *c);

/* The questions, one file each. Return false if nothing could be measured. */
bool bench_ask_uncontended(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_wake(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_herd(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_inversion(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_queue(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_contended(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_pool(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_chain(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_checker(const struct bench_options *opt, struct bench_report *rep);
bool bench_ask_engine(const struct bench_options *opt, struct bench_report *rep);

#endif /* BENCH_DRIVER_H */
