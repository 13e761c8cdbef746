/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo.h - what the parts of `rqpi demo` share: what a run of rqpi-demo-program said, and what
 * was measured from it.
 *
 * cmd_demo.c decides what runs, cmd_demo_child.c runs the program and reads it, cmd_demo_measure.c
 * computes, report_text.c, report_json.c and timeline.c print. Nothing that is printed comes from
 * anywhere else than the events.
 */
#ifndef RQPI_CMD_DEMO_H
#define RQPI_CMD_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo_event.h"

enum { DEMO_PRIO_COUNT = 100 }; /* SCHED_FIFO goes from 1 to 99 */

struct demo_thread {
	char name[16];
	int prio;
};

struct demo_event {
	uint64_t t_ns;
	int64_t arg;
	int thread;
	enum demo_kind kind;
};

struct demo_round {
	size_t first; /* its events, by time, are events[first] .. events[first + count - 1] */
	size_t count;
	int64_t switches;    /* -1: not counted */
	int64_t futex_calls; /* -1: not counted */
};

struct demo_run {
	char libc[32];
	char preload[16]; /* active, inactive or absent, as the program saw it */
	struct demo_thread *threads;
	struct demo_event *events;
	struct demo_round *rounds;
	size_t thread_count, event_count, round_count;
	size_t thread_max, event_max, round_max;
	bool complete;
};

struct demo_request {
	const char *experiment; /* order, herd, group, token */
	const char *program;	/* path of rqpi-demo-program */
	const char *preload;	/* NULL: the C library alone */
	int cpu, cpu2;
	int waiters, rounds, hog_ms;
	int futex_event; /* id of the kernel's tracepoint to count, or -1 */
	bool realtime;
};

/* How running the program ended. */
enum demo_outcome {
	DEMO_RAN,
	DEMO_FAILED, /* it did not do what it should: the text in @why says what */
	DEMO_NO_TRY, /* it could not be run at all */
};

/*
 * demo_run_program() - run it once and read all it has to say into @run, which demo_free()
 * releases. Waits for at most 25 seconds; kills the program then.
 */
enum demo_outcome demo_run_program(const struct demo_request *request, struct demo_run *run,
				   char *why, size_t why_size);
void demo_free(struct demo_run *run);

/*
 * cmd_demo_fit.c: is this machine fit? demo_find_program() finds rqpi-demo-program;
 * demo_choose_cpus() the CPUs, the second -1 where there is only one; both return 0, or -1 after a
 * message. demo_probe_realtime() returns 0, or the errno of the refusal, for which
 * demo_explain_rights() tells on standard error what can be done.
 */
int demo_find_program(char *path);
int demo_choose_cpus(int *cpu, int *cpu2);
int demo_probe_realtime(void);
void demo_explain_rights(int error);

/*
 * The id of the tracepoint sys_enter_futex, or -1 where the kernel does not have it or does not let
 * us look.
 */
int demo_futex_event(void);

struct order_result {
	int prios[8]; /* in the order in which they got the mutex after their waits */
	int count;
	bool right;
};

struct herd_result {
	size_t rounds;
	size_t typical_round; /* the one whose time to the last is the median */
	double switches;      /* medians over the rounds, as all that follow */
	double futex_calls;   /* -1: not counted */
	double first_us, last_us;
	double hold_us;	      /* MAIN's sleep with the mutex locked */
	double woken_in_vain; /* threads that slept again before they had the mutex */
	double out_of_order;  /* pairs served in the wrong order */
	double out_of_order_worst;
};

struct inversion_result {
	size_t rounds;
	size_t typical_round;
	double high_us; /* median over the rounds */
	double worst_us;
	int signals; /* token: how many were sent until HIGH had one */
};

/* Return 0, or -1 and the reason in @why where the events do not tell a whole story. */
int measure_order(const struct demo_run *run, struct order_result *out, char *why, size_t why_size);
int measure_herd(const struct demo_run *run, struct herd_result *out, char *why, size_t why_size);
int measure_group(const struct demo_run *run, struct inversion_result *out, char *why,
		  size_t why_size);
int measure_token(const struct demo_run *run, struct inversion_result *out, char *why,
		  size_t why_size);

/* Both sides of an experiment. */
enum { SIDE_LIBC = 0, SIDE_RQPI = 1, SIDES = 2 };

struct demo_results {
	bool realtime;
	bool has_order, has_herd, has_inversion;
	const char *scenario;  /* of the inversion: group or token */
	bool group_was_mended; /* scenario group was tried first: no fault */
	int waiters, hog_ms;
	int cpu, cpu2;
	char libc[32];
	const char *preload;
	const char *inherited; /* what LD_PRELOAD names for both sides */
	struct demo_run order_run[SIDES], herd_run[SIDES], inversion_run[SIDES];
	struct order_result order[SIDES];
	struct herd_result herd[SIDES];
	struct inversion_result inversion[SIDES];
};

/* What counts as a fault; the same for both sides. */
bool herd_is_stampede(const struct demo_results *results, int side);
bool inversion_is_late(const struct demo_results *results, int side);
bool demo_rqpi_is_right(const struct demo_results *results);

void report_intro(const struct demo_results *results);
void report_order(const struct demo_results *results);
void report_herd(const struct demo_results *results);
void report_inversion(const struct demo_results *results);
void report_summary(const struct demo_results *results);
void report_json(const struct demo_results *results, const char *error);

#endif /* RQPI_CMD_DEMO_H */
