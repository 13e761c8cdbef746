/* SPDX-License-Identifier: MIT */
/*
 * t_report.c - the reports of `rqpi trace`: what trace_text.c and trace_json.c say of made-up
 * events, word by word, and what things are called.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/futex.h>
#include <cmocka.h>

#include "tests/trace/made_up.h"

/* What @write writes of @m; to be freed. */
static char *written(const struct trace_model *m, int (*write)(const struct trace_model *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(write(m, out), 0);
	fclose(out);
	return text;
}

static void is_told(struct trace_model *m, const char *expected)
{
	char *text;

	trace_model_build(m);
	text = written(m, trace_write_text);
	if (strcmp(text, expected))
		print_message("%s", text); /* all of it: an assertion cuts it off */
	assert_string_equal(text, expected);
	free(text);
}

static bool name_site(struct trace_symbols *s, uint32_t pid, uint64_t address, bool code,
		      char place[TRACE_PLACE_SIZE])
{
	(void)s;
	if (pid != PROCESS || !code)
		return false;
	snprintf(place, TRACE_PLACE_SIZE, "take_sample+0x%x (prog)", (unsigned)(address & 0xfff));
	return true;
}

/* ---- in words ---- */

static void an_inversion_is_told_in_words(void **state)
{
	struct trace_model *m = *state;

	mu_inversion(m, true, true);
	m->symbols = (void *)m;
	m->name_site = name_site;
	m->ended = true;
	is_told(
	    m, "rqpi trace: prog arg (pid 100), 20.3 ms, 3 threads; kernel events and the "
	       "preload's probes\n"
	       "1 inversion, 20.0 ms\n"
	       "controller[101] FIFO 40 waited 20.0 ms for the_lock (prog), in take_sample+0x12 "
	       "(prog)\n"
	       "    held by logger[103] FIFO 10, which ran 189 us of it and could not run for 19.8 "
	       "ms, because\n"
	       "        indexer[102] FIFO 20 ran on CPU 0 (19.8 ms)\n"
	       "    the_lock (prog) is a normal mutex and does not inherit priority\n"
	       "    what to do: pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT), rqpi_mutex_t, "
	       "or rqpi run --force-pi -- prog arg\n"
	       "MUTEX the_lock (prog), normal, does not inherit\n"
	       "    waits 1, 20.0 ms in all, longest 20.0 ms: controller[101] FIFO 40 waited for "
	       "logger[103] FIFO 10, in take_sample+0x12 (prog)\n"
	       "    INVERSIONS 1, 20.0 ms in all, longest 20.0 ms\n");
}

static void what_was_inferred_only_seems_so(void **state)
{
	struct trace_model *m = *state;

	mu_inversion(m, true, false);
	m->no_preload = "the program is static";
	is_told(
	    m, "rqpi trace: prog arg (pid 100), 20.3 ms, 3 threads; kernel events alone\n"
	       "1 inversion, 20.0 ms\n"
	       "controller[101] FIFO 40 waited 20.0 ms for 0x1000\n"
	       "    held, it seems, by logger[103] FIFO 10, which ran 189 us of it and could not "
	       "run for 19.8 ms, because\n"
	       "        indexer[102] FIFO 20 ran on CPU 0 (19.8 ms)\n"
	       "    0x1000 is a mutex, it seems by its futex calls, and does not inherit priority\n"
	       "    what to do: pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT), rqpi_mutex_t, "
	       "or rqpi run --force-pi -- prog arg\n"
	       "MUTEX 0x1000, it seems, does not inherit\n"
	       "    waits 1, 20.0 ms in all, longest 20.0 ms: controller[101] FIFO 40 waited for "
	       "(it seems) logger[103] FIFO 10\n"
	       "    INVERSIONS 1, 20.0 ms in all, longest 20.0 ms\n"
	       "without the preload's probes: the program is static\n"
	       "    not said therefore: which code waited; who had a lock when a wait began, but "
	       "by inference; condvars of\n"
	       "    mutexes that do not inherit, but where a signal slept; which of the other "
	       "futexes are mutexes\n");
}

static void without_the_kernel_nobody_is_blamed(void **state)
{
	struct trace_model *m = *state;

	mu_inversion(m, false, true);
	m->command = "process 100";
	m->no_kernel = "tracefs needs root";
	m->lost = 3;
	m->ended = true;
	m->status = 9;
	is_told(
	    m, "rqpi trace: process 100, 20.0 ms, 3 threads; the preload's probes alone; killed "
	       "by signal 9 (Killed)\n"
	       "1 inversion, 20.0 ms\n"
	       "controller[101] FIFO 40 waited 20.0 ms for the_lock (prog), in 0x5012\n"
	       "    held by logger[103] FIFO 10\n"
	       "    the_lock (prog) is a normal mutex and does not inherit priority\n"
	       "    what to do: pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT), rqpi_mutex_t, "
	       "or rqpi run --force-pi -- PROGRAM\n"
	       "MUTEX the_lock (prog), normal, does not inherit\n"
	       "    waits 1, 20.0 ms in all, longest 20.0 ms: controller[101] FIFO 40 waited for "
	       "logger[103] FIFO 10, in 0x5012\n"
	       "    INVERSIONS 1, 20.0 ms in all, longest 20.0 ms\n"
	       "3 events got lost: waits may be missing, or look longer or shorter than they "
	       "were\n"
	       "without kernel events: tracefs needs root\n"
	       "    not said therefore: who ran while an owner could not; signals that slept "
	       "inside of a condvar; locks\n"
	       "    that are not pthread's\n");
}

static void a_program_without_an_inversion_is_told_so(void **state)
{
	struct trace_model *m = *state;

	mu_lock(m, 10, LOW, LOW_PRIO, A_LOCK, HIGH, HIGH_PRIO, 0x1);
	mu_end(m, 1010, TRACE_LOCKED, LOW, A_LOCK, 0);
	m->ended = true;
	m->status = 3 << 8;
	is_told(m, "rqpi trace: prog arg (pid 100), 1.00 ms, 1 thread; kernel events and the "
		   "preload's probes; ended with status 3\n"
		   "no inversion was seen\n"
		   "MUTEX 0x1000, recursive, does not inherit\n"
		   "    waits 1, 1.00 ms in all, longest 1.00 ms: [103] real-time 10 waited for "
		   "[101] real-time 40, in "
		   "0x5012\n");
}

static void a_chain_a_boost_and_a_signal_are_told(void **state)
{
	struct trace_model *m = *state;

	trace_name_lock(m, PROCESS, A_LOCK, "a (p)", false);
	trace_name_lock(m, PROCESS, B_LOCK, "b (p)", false);
	trace_name_lock(m, PROCESS, A_COND, "ready (p)", false);
	mu_lock(m, 0, LOW, LOW_PRIO, B_LOCK, OTHER, 0, 0x20);
	mu_setprio(m, 1, LOW, OTHER, 0, LOW_PRIO);
	mu_lock(m, 100, HIGH, HIGH_PRIO, A_LOCK, LOW, LOW_PRIO, 2);
	mu_end(m, 1000, TRACE_LOCKED, LOW, B_LOCK, 0);
	mu_end(m, 2100, TRACE_LOCKED, HIGH, A_LOCK, 0);
	mu_wait(m, 2200, LOW, A_COND, B_LOCK, 0x20);
	mu_release(m, 2300, HIGH, A_COND, false);
	mu_futex(m, 2310, HIGH, FUTEX_WAIT, A_COND + 16, 2);
	mu_done(m, 3310, HIGH, 0);
	mu_end(m, 3320, TRACE_RELEASED, HIGH, A_COND, 0);
	mu_end(m, 3400, TRACE_WAITED, LOW, A_COND, 0);
	m->command = "p";
	is_told(
	    m,
	    "rqpi trace: p (pid 100), 3.40 ms, 2 threads; kernel events and the preload's "
	    "probes\n"
	    "1 inversion, 2.00 ms\n"
	    "[101] real-time 40 waited 2.00 ms for a (p), in 0x5012\n"
	    "    held by [103] real-time 10\n"
	    "    [103] waited itself, 1.00 ms, for b (p), held by [104] not real-time\n"
	    "    a (p) is an errorcheck mutex and does not inherit priority\n"
	    "    what to do: pthread_mutexattr_setprotocol(PTHREAD_PRIO_INHERIT), rqpi_mutex_t, "
	    "or rqpi run --force-pi -- p\n"
	    "1 signal or broadcast slept inside of the condvar, 1.00 ms; inversions 0\n"
	    "[101] real-time 40 slept 1.00 ms in a signal of ready (p), in 0x5200\n"
	    "    glibc's condvar has a lock inside, and before 2.41 waits for released threads; "
	    "neither inherits\n    priority (bug 11588)\n"
	    "    what to do: rqpi run -- p, or rqpi_cond_t with rqpi_mutex_t\n"
	    "MUTEX a (p), errorcheck, does not inherit\n"
	    "    waits 1, 2.00 ms in all, longest 2.00 ms: [101] real-time 40 waited for [103] "
	    "real-time 10, in 0x5012\n"
	    "    INVERSIONS 1, 2.00 ms in all, longest 2.00 ms\n"
	    "MUTEX b (p), normal, inherits\n"
	    "    waits 1, 1.00 ms in all, longest 1.00 ms: [103] real-time 10 waited for [104] not "
	    "real-time, in 0x5012\n"
	    "    boosts 1\n"
	    "CONDVAR ready (p), with mutex b (p)\n"
	    "    waits 1, 1.20 ms in all, longest 1.20 ms: [103] real-time 10, in 0x5100\n"
	    "    signals 1, broadcasts 0; SLEPT INSIDE 1, 1.00 ms in all, longest 1.00 ms\n"
	    "BOOSTS 1: [103] real-time 10 boosted [104] not real-time to 10, for b (p)\n");
}

static void twenty_of_many_locks_are_told_the_worst_first(void **state)
{
	struct trace_model *m = *state;
	char *text;

	for (uint32_t i = 1; i <= 30; i++) {
		mu_lock(m, i * 1000, LOW, LOW_PRIO, i * 0x100, HIGH, HIGH_PRIO, 0);
		mu_end(m, i * 1000 + i, TRACE_LOCKED, LOW, i * 0x100, 0);
	}
	mu_lock(m, 50000, HIGH, HIGH_PRIO, 0x100, LOW, LOW_PRIO, 0);
	mu_end(m, 50002, TRACE_LOCKED, HIGH, 0x100, 0);
	trace_model_build(m);
	text = written(m, trace_write_text);
	assert_non_null(strstr(text, "\nMUTEX 0x100, "));
	assert_true(strstr(text, "\nMUTEX 0x100, ") < strstr(text, "\nMUTEX 0x1e00, "));
	assert_true(strstr(text, "\nMUTEX 0x1e00, ") < strstr(text, "\nMUTEX 0xc00, "));
	assert_null(strstr(text, "\nMUTEX 0xb00, "));
	assert_non_null(strstr(text, "\nand 10 mutexes more; --json has all\n"));
	free(text);
}

static void a_lock_that_the_preload_does_not_know_is_beyond_it(void **state)
{
	struct trace_model *m = *state;
	char *text;

	mu_inversion(m, true, false);
	m->from_preload = true; /* and said nothing of it */
	trace_model_build(m);
	text = written(m, trace_write_text);
	assert_non_null(strstr(text, "what to do: a PI mutex in its place; --force-pi does not "
				     "reach it"));
	free(text);
}

static void a_signal_that_sleeps_is_told_by_futex_calls_alone(void **state)
{
	struct trace_model *m = *state;
	char *text;

	mu_futex(m, 10, LOW, FUTEX_WAIT_BITSET, A_COND + 0x28, 0);
	mu_done(m, 20, LOW, 0);
	mu_futex(m, 30, HIGH, FUTEX_WAIT, A_COND + 0x10, 3);
	mu_futex(m, 129, LOW, FUTEX_WAKE, A_COND + 0x10, INT32_MAX);
	mu_wake(m, 130, LOW, HIGH, HIGH_PRIO);
	mu_done(m, 130, HIGH, 0);
	trace_model_build(m);
	text = written(m, trace_write_text);
	assert_non_null(
	    strstr(text, "\nno inversion at a mutex was seen\n"
			 "1 signal or broadcast slept inside of the condvar, 100 us; inversions 0\n"
			 "[101] real-time 40 slept 100 us in a signal or broadcast of "
			 "0x3000\n"
			 "    held up, it seems, by [103]"));
	assert_non_null(strstr(text, "\nCONDVAR 0x3000, it seems\n"));
	assert_non_null(strstr(text, "\n    SLEPT INSIDE 1, 100 us in all, longest 100 us\n"));
	free(text);
}

static void nothing_at_all_is_told(void **state)
{
	struct trace_model *m = *state;

	m->from_kernel = false;
	m->from_preload = false;
	m->command = NULL;
	m->pid = 0;
	trace_model_build(m);
	free(written(m, trace_write_json));
	is_told(m,
		"rqpi trace: a program, 0 ns, 0 threads; neither kernel events nor the preload's "
		"probes\n"
		"without kernel events\n"
		"    not said therefore: who ran while an owner could not; signals that slept "
		"inside of a condvar; locks\n"
		"    that are not pthread's\n"
		"without the preload's probes\n"
		"    not said therefore: which code waited; who had a lock when a wait began, but "
		"by inference; condvars of\n"
		"    mutexes that do not inherit, but where a signal slept; which of the other "
		"futexes are mutexes\n");
}

static void output_that_fails_is_an_error(void **state)
{
	struct trace_model *m = *state;
	FILE *full = fopen("/dev/full", "w");

	if (!full)
		skip();
	trace_model_build(m);
	assert_int_equal(trace_write_text(m, full), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(trace_write_json(m, full), -1);
	fclose(full);
}

/* ---- JSON ---- */

/* By a path as "inversions.0.owner.tid"; fails the test if it is not there. */
static struct json_object *at(struct json_object *o, const char *path)
{
	char copy[100];
	char *rest = copy;
	char *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, "."))) {
		if (json_object_is_type(o, json_type_array)) {
			o = json_object_array_get_idx(o, (size_t)atoi(key));
			assert_non_null(o);
		} else {
			assert_true(json_object_object_get_ex(o, key, &o));
		}
	}
	return o;
}

static int64_t number(struct json_object *o, const char *path)
{
	assert_true(json_object_is_type(at(o, path), json_type_int));
	return json_object_get_int64(at(o, path));
}

static const char *string(struct json_object *o, const char *path)
{
	assert_true(json_object_is_type(at(o, path), json_type_string));
	return json_object_get_string(at(o, path));
}

static bool yes(struct json_object *o, const char *path)
{
	assert_true(json_object_is_type(at(o, path), json_type_boolean));
	return json_object_get_boolean(at(o, path));
}

static struct json_object *json_of(struct trace_model *m)
{
	char *text = written(m, trace_write_json);
	struct json_object *o = json_tokener_parse(text);

	assert_non_null(o);
	free(text);
	return o;
}

static void json_has_the_inversion(void **state)
{
	struct trace_model *m = *state;
	struct json_object *o;

	mu_inversion(m, true, true);
	m->ended = true;
	m->status = 11;
	trace_model_build(m);
	o = json_of(m);
	assert_string_equal(string(o, "command"), "prog arg");
	assert_int_equal(number(o, "pid"), PROCESS);
	assert_int_equal(number(o, "duration_ns"), US(20301));
	assert_int_equal(number(o, "status"), 128 + 11);
	assert_true(yes(o, "sources.kernel") && yes(o, "sources.preload"));
	assert_int_equal(json_object_array_length(at(o, "inversions")), 1);
	assert_int_equal(json_object_array_length(at(o, "waits")), 0);
	assert_string_equal(string(o, "inversions.0.waiter.name"), "controller");
	assert_int_equal(number(o, "inversions.0.waiter.tid"), HIGH);
	assert_string_equal(string(o, "inversions.0.waiter.policy"), "FIFO");
	assert_int_equal(number(o, "inversions.0.waiter.priority"), HIGH_PRIO);
	assert_string_equal(string(o, "inversions.0.owner.name"), "logger");
	assert_false(yes(o, "inversions.0.owner.inferred"));
	assert_string_equal(string(o, "inversions.0.lock.name"), "the_lock (prog)");
	assert_string_equal(string(o, "inversions.0.lock.address"), "0x1000");
	assert_string_equal(string(o, "inversions.0.lock.type"), "mutex");
	assert_string_equal(string(o, "inversions.0.lock.kind"), "normal");
	assert_false(yes(o, "inversions.0.lock.inherits"));
	assert_int_equal(number(o, "inversions.0.since_ns"), US(110));
	assert_int_equal(number(o, "inversions.0.wait_ns"), US(19993));
	assert_int_equal(number(o, "inversions.0.owner_ran_ns"), US(189));
	assert_int_equal(number(o, "inversions.0.starved_ns"), US(19800));
	assert_int_equal(number(o, "inversions.0.owner_slept_ns"), 0);
	assert_string_equal(string(o, "inversions.0.culprits.0.name"), "indexer");
	assert_int_equal(number(o, "inversions.0.culprits.0.cpu"), 0);
	assert_int_equal(number(o, "inversions.0.culprits.0.ran_at"), MID_PRIO);
	assert_int_equal(number(o, "inversions.0.culprits.0.ns"), US(19800));
	assert_non_null(strstr(string(o, "inversions.0.advice.2"), "--force-pi -- prog arg"));
	assert_int_equal(number(o, "locks.0.inversions"), 1);
	assert_int_equal(number(o, "locks.0.worst_ns"), US(19993));
	assert_int_equal(json_object_array_length(at(o, "threads")), 3);
	json_object_put(o);
}

static void json_says_null_of_what_is_not_known(void **state)
{
	struct trace_model *m = *state;
	struct json_object *o;

	m->from_kernel = false;
	m->no_kernel = "no tracefs";
	mu_lock(m, 10, HIGH, TRACE_URGENCY_UNKNOWN, A_LOCK, 0, TRACE_URGENCY_UNKNOWN, 0x20);
	mu_end(m, 20, TRACE_LOCKED, HIGH, A_LOCK, ETIMEDOUT);
	mu_wait(m, 30, HIGH, A_COND, A_LOCK, 0x20);
	mu_end(m, 40, TRACE_WAITED, HIGH, A_COND, -1);
	mu_release(m, 50, LOW, A_COND, true);
	trace_model_build(m);
	o = json_of(m);
	assert_string_equal(string(o, "sources.kernel"), "no tracefs");
	assert_null(at(o, "status"));
	assert_int_equal(json_object_array_length(at(o, "inversions")), 0);
	assert_int_equal(json_object_array_length(at(o, "waits")), 2);
	assert_null(at(o, "waits.0.owner"));
	assert_null(at(o, "waits.0.waiter.policy"));
	assert_null(at(o, "waits.0.waiter.priority"));
	assert_null(at(o, "waits.0.starved_ns"));
	assert_int_equal(number(o, "waits.0.error"), ETIMEDOUT);
	assert_string_equal(string(o, "waits.1.error"), "cancelled");
	assert_true(yes(o, "waits.0.lock.inherits"));
	assert_string_equal(string(o, "condvars.0.mutex.address"), "0x1000");
	assert_int_equal(number(o, "condvars.0.broadcasts"), 1);
	assert_int_equal(number(o, "condvars.0.signals_asleep"), 0);
	json_object_put(o);
}

static void json_has_signals_that_slept(void **state)
{
	struct trace_model *m = *state;
	struct json_object *o;

	mu_switch_on(m, 1, 1, 0, 0, false, LOW, LOW_PRIO);
	mu_switch_on(m, 1, 0, 0, 0, false, HIGH, HIGH_PRIO);
	mu_wait(m, 2, OTHER, A_COND, B_LOCK, 0x20);
	mu_release(m, 10, HIGH, A_COND, true);
	mu_futex(m, 11, HIGH, FUTEX_WAIT, A_COND + 16, 3);
	mu_switch_on(m, 12, 1, LOW, LOW_PRIO, true, MID, MID_PRIO);
	mu_switch_on(m, 112, 1, MID, MID_PRIO, false, LOW, LOW_PRIO);
	mu_futex(m, 119, LOW, FUTEX_WAKE, A_COND + 16, 1);
	mu_wake(m, 120, LOW, HIGH, HIGH_PRIO);
	mu_done(m, 122, HIGH, 0);
	mu_end(m, 123, TRACE_RELEASED, HIGH, A_COND, 0);
	trace_model_build(m);
	o = json_of(m);
	assert_int_equal(json_object_array_length(at(o, "inversions")), 0);
	assert_int_equal(json_object_array_length(at(o, "signals_asleep")), 1);
	assert_int_equal(number(o, "signals_held_up"), 1);
	assert_int_equal(number(o, "signals_asleep.0.by.tid"), HIGH);
	assert_true(yes(o, "signals_asleep.0.broadcast"));
	assert_string_equal(string(o, "signals_asleep.0.condvar.type"), "condvar");
	assert_int_equal(number(o, "signals_asleep.0.call_ns"), US(113));
	assert_int_equal(number(o, "signals_asleep.0.asleep_ns"), US(111));
	assert_int_equal(number(o, "signals_asleep.0.for_whom.tid"), LOW);
	assert_int_equal(number(o, "signals_asleep.0.starved_ns"), US(100));
	assert_int_equal(number(o, "signals_asleep.0.culprits.0.tid"), MID);
	assert_string_equal(string(o, "signals_asleep.0.advice.0"), "rqpi run -- prog arg");
	assert_int_equal(number(o, "condvars.0.signals_asleep"), 1);
	assert_int_equal(number(o, "condvars.0.asleep_ns"), US(111));
	json_object_put(o);
}

static void json_has_all_inversions_and_a_hundred_others(void **state)
{
	struct trace_model *m = *state;
	struct json_object *o;

	for (uint32_t i = 1; i <= 150; i++) {
		mu_lock(m, i * 1000, LOW, LOW_PRIO, A_LOCK, HIGH, HIGH_PRIO, 0);
		mu_end(m, i * 1000 + i, TRACE_LOCKED, LOW, A_LOCK, 0);
		mu_lock(m, i * 1000 + 500, HIGH, HIGH_PRIO, B_LOCK, LOW, LOW_PRIO, 0);
		mu_end(m, i * 1000 + 500 + i, TRACE_LOCKED, HIGH, B_LOCK, 0);
	}
	trace_model_build(m);
	o = json_of(m);
	assert_int_equal(json_object_array_length(at(o, "inversions")), 150);
	assert_int_equal(json_object_array_length(at(o, "waits")), 100);
	assert_int_equal(number(o, "inversions.0.wait_ns"), US(150));
	assert_int_equal(number(o, "waits.99.wait_ns"), US(51));
	json_object_put(o);
}

/* ---- names ---- */

static void times_have_three_digits(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
	    {0, "0 ns"},
	    {999, "999 ns"},
	    {1000, "1.00 us"},
	    {12345, "12.3 us"},
	    {99960, "100 us"},
	    {999499, "999 us"},
	    {999500, "1.00 ms"},
	    {4100000, "4.10 ms"},
	    {20103000, "20.1 ms"},
	    {1200000000, "1.20 s"},
	    {9995000000, "10.0 s"},
	    {7200000000000, "7200 s"},
	};
	char text[TRACE_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(trace_time(cases[i].ns, text), cases[i].text);
}

static void threads_are_told_with_what_is_known(void **state)
{
	struct trace_model *m = *state;
	char text[TRACE_PERSON_SIZE];

	assert_string_equal(trace_person(m, 9, text), "[9]");
	assert_string_equal(trace_person(m, 0, text), "a thread that is not known");
	trace_name_thread(m, 9, "a name that is too long for a thread");
	trace_name_thread(m, 9, "");
	assert_string_equal(trace_person(m, 9, text), "a name that is [9]");
	trace_thread(m, 9)->urgency = 30;
	assert_string_equal(trace_person(m, 9, text), "a name that is [9] real-time 30");
	trace_thread(m, 9)->policy = 2;
	assert_string_equal(trace_person(m, 9, text), "a name that is [9] RR 30");
	trace_thread(m, 9)->urgency = 0;
	trace_thread(m, 9)->policy = 0;
	assert_string_equal(trace_person(m, 9, text), "a name that is [9] OTHER");
	assert_string_equal(trace_thread_name(m, 9, text), "a name that is [9]");
}

static void locks_are_called_by_their_place(void **state)
{
	struct trace_model *m = *state;
	char text[TRACE_PLACE_SIZE];
	char longest[TRACE_PLACE_SIZE];

	assert_string_equal(trace_lock_name(trace_lock(m, 1, 0xabc), text), "0xabc");
	trace_name_lock(m, 1, 0xabc, "main+0x12 (p)", true);
	trace_name_lock(m, 1, 0xabc, "", true);
	assert_string_equal(trace_lock_name(trace_lock(m, 1, 0xabc), text),
			    "made by main+0x12 (p)");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	trace_name_lock(m, 1, 0xabc, longest, true);
	assert_int_equal(strlen(trace_lock_name(trace_lock(m, 1, 0xabc), text)),
			 TRACE_PLACE_SIZE - 1);
	/* The same address in another process is another lock. */
	assert_string_equal(trace_lock_name(trace_lock(m, 2, 0xabc), text), "0xabc");
	assert_string_equal(trace_site_name(m, 1, 0x55, text), "0x55");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_inversion_is_told_in_words),
	    CASE(what_was_inferred_only_seems_so),
	    CASE(without_the_kernel_nobody_is_blamed),
	    CASE(a_program_without_an_inversion_is_told_so),
	    CASE(a_chain_a_boost_and_a_signal_are_told),
	    CASE(twenty_of_many_locks_are_told_the_worst_first),
	    CASE(a_lock_that_the_preload_does_not_know_is_beyond_it),
	    CASE(a_signal_that_sleeps_is_told_by_futex_calls_alone),
	    CASE(nothing_at_all_is_told),
	    CASE(output_that_fails_is_an_error),
	    CASE(json_has_the_inversion),
	    CASE(json_says_null_of_what_is_not_known),
	    CASE(json_has_signals_that_slept),
	    CASE(json_has_all_inversions_and_a_hundred_others),
	    CASE(times_have_three_digits),
	    CASE(threads_are_told_with_what_is_known),
	    CASE(locks_are_called_by_their_place),
	};

	cmocka_set_test_filter(getenv("RQT_FILTER")); /* scripts/wrong.sh */
	return cmocka_run_group_tests_name("trace-report", tests, NULL, NULL);
}
