/* SPDX-License-Identifier: MIT */
/*
 * t_chrome.c - what is in the file of trace_write_chrome(): each fact of a model filled in by hand
 * is looked up in it. Whether the file keeps the rules of the format, is t_chrome.py's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "made_model.h"
#include "tools/rqpi/trace/trace_put.h"

static struct trace_model *model;
static struct json_object *trace;
static struct json_object *events;

static void write_scene(const char *scene)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	model = made_model(scene);
	assert_non_null(model);
	assert_non_null(out);
	assert_int_equal(trace_write_chrome(model, out), 0);
	assert_int_equal(fclose(out), 0);
	trace = json_tokener_parse(text);
	free(text);
	assert_non_null(trace);
	events = json_object_object_get(trace, "traceEvents");
	assert_true(json_object_is_type(events, json_type_array));
}

static int tear_down(void **state)
{
	(void)state;
	json_object_put(trace);
	if (model)
		made_model_free(model);
	trace = NULL;
	model = NULL;
	return 0;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

static int64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_int64(value) : -1;
}

/* Nanoseconds of a time in microseconds. */
static uint64_t ns_of(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(o, key, &value));
	return (uint64_t)(json_object_get_double(value) * 1000 + 0.5);
}

static struct json_object *args_of(struct json_object *o)
{
	struct json_object *args = NULL;

	assert_true(json_object_object_get_ex(o, "args", &args));
	return args;
}

/* The @nth event of a phase and category whose name has @name in it. */
static struct json_object *find(const char *phase, const char *category, const char *name, int nth)
{
	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *o = json_object_array_get_idx(events, i);

		if (!strcmp(text_of(o, "ph"), phase) && !strcmp(text_of(o, "cat"), category) &&
		    strstr(text_of(o, "name"), name) && nth-- == 0)
			return o;
	}
	return NULL;
}

static int count(const char *phase, const char *category, const char *name)
{
	int n = 0;

	while (find(phase, category, name, n))
		n++;
	return n;
}

/* The name of the track or process of @o. */
static const char *track_of(struct json_object *o, const char *what)
{
	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *m = json_object_array_get_idx(events, i);

		if (!strcmp(text_of(m, "name"), what) &&
		    number_of(m, "pid") == number_of(o, "pid") &&
		    (*what == 'p' || number_of(m, "tid") == number_of(o, "tid")))
			return text_of(args_of(m), "name");
	}
	return "";
}

static void test_inversion_is_marked_and_all_is_told(void **state)
{
	struct json_object *o, *args, *guilty, *instant;

	(void)state;
	write_scene("inversion");
	o = find("X", "wait", "INVERSION", 0);
	assert_non_null(o);
	assert_int_equal(count("X", "wait", "INVERSION"), 1);
	assert_string_equal(text_of(o, "name"),
			    "INVERSION: controller[4101] waits, logger[4102] has it");
	assert_string_equal(text_of(o, "cname"), "terrible");
	assert_string_equal(track_of(o, "thread_name"), "the_lock (plant)");
	assert_string_equal(track_of(o, "process_name"), "locks of plant (4100)");
	assert_int_equal(ns_of(o, "ts"), 1200345);
	assert_int_equal(ns_of(o, "dur"), 4200333);
	args = args_of(o);
	assert_int_equal(number_of(args, "wait"), 1);
	assert_string_equal(text_of(args, "waiter"), "controller[4101] FIFO 80");
	assert_string_equal(text_of(args, "owner"), "logger[4102] FIFO 10");
	assert_string_equal(text_of(args, "inherits_priority"), "no");
	assert_string_equal(text_of(args, "result"), "done");
	assert_string_equal(text_of(args, "code"), "0x55d0c0de1234");
	assert_int_equal(ns_of(args, "owner_ran_us"), 60000);
	assert_int_equal(ns_of(args, "owner_could_have_run_us"), 4100000);
	assert_true(json_object_object_get_ex(args, "ran_instead_of_the_owner", &guilty));
	assert_string_equal(json_object_get_string(json_object_array_get_idx(guilty, 0)),
			    "hog[4103], priority 50, ran 4.10 ms on CPU 1");
	instant = find("i", "inversion", "INVERSION", 0);
	assert_non_null(instant);
	assert_int_equal(ns_of(instant, "ts"), 1200345);
	assert_string_equal(text_of(instant, "s"), "p");
	/* And where the thread shows it. */
	o = find("X", "thread", "INVERSION: waits for the_lock (plant)", 0);
	assert_non_null(o);
	assert_int_equal(number_of(o, "pid"), MADE_PID);
	assert_int_equal(number_of(o, "tid"), MADE_CONTROLLER);
}

static void test_boost_is_an_arrow_to_the_owner(void **state)
{
	struct json_object *from, *to, *slice;

	(void)state;
	write_scene("inversion");
	from = find("s", "boost", "boost", 0);
	to = find("f", "boost", "boost", 0);
	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(count("s", "boost", ""), 1);
	assert_int_equal(number_of(from, "tid"), MADE_CONTROLLER);
	assert_int_equal(number_of(from, "id"), number_of(to, "id"));
	assert_int_equal(ns_of(from, "ts"), 8302000);
	assert_int_equal(ns_of(to, "ts"), 8302000);
	assert_string_equal(track_of(to, "thread_name"), "logger[4102] boosted");
	assert_int_equal(number_of(to, "pid"), MADE_PID);
	slice = find("X", "boost", "boosted to priority 80", 0);
	assert_non_null(slice);
	assert_int_equal(number_of(slice, "tid"), number_of(to, "tid"));
	assert_int_equal(ns_of(slice, "dur"), 76000);
	assert_string_equal(text_of(args_of(slice), "by"), "controller[4101] FIFO 80");
	assert_int_equal(number_of(args_of(slice), "wait"), 3);
	assert_string_equal(text_of(args_of(slice), "before"), "priority 10");
}

static void test_who_ran_and_who_could_have(void **state)
{
	struct json_object *o;

	(void)state;
	write_scene("inversion");
	o = find("X", "thread", "could run", 0);
	assert_non_null(o);
	o = find("X", "cpu", "hog[4103]", 1);
	assert_non_null(o);
	assert_string_equal(track_of(o, "thread_name"), "CPU 1");
	assert_string_equal(track_of(o, "process_name"), "processors");
	assert_int_equal(ns_of(o, "ts"), 1240000);
	assert_int_equal(ns_of(o, "dur"), 4100000);
	/* Of another program: on the processors, and without a track of its own. */
	assert_int_equal(count("X", "cpu", "journald[900]"), 2);
	assert_int_equal(count("M", "__metadata", "thread_name"), 3 + 4 + 2 + 1);
	o = find("X", "thread", "runs on CPU 1, boosted", 0);
	assert_non_null(o);
	assert_int_equal(number_of(o, "tid"), MADE_LOGGER);
	assert_string_equal(text_of(args_of(o), "urgency"), "priority 80");
}

/* A run goes on while it waits (it spins), and is cut there. */
static void test_runs_are_cut_where_waits_begin(void **state)
{
	struct json_object *before, *in;

	(void)state;
	write_scene("inversion");
	before = find("X", "thread", "runs on CPU 1", 3);
	in = find("X", "thread", "runs on CPU 1", 4);
	assert_int_equal(number_of(before, "tid"), MADE_CONTROLLER);
	assert_int_equal(ns_of(before, "ts"), 1000007);
	assert_int_equal(ns_of(before, "dur"), 200338);
	assert_int_equal(ns_of(in, "ts"), 1200345);
	assert_int_equal(ns_of(in, "dur"), 9655);
}

static void test_waits_at_once_get_lanes(void **state)
{
	struct json_object *chain;

	(void)state;
	write_scene("crowd");
	assert_string_equal(
	    track_of(find("X", "wait", "worker[4110] waits, logger", 0), "thread_name"),
	    "pool (crowd)");
	assert_string_equal(
	    track_of(find("X", "wait", "worker[4114] waits, logger", 0), "thread_name"),
	    "pool (crowd) (5)");
	assert_non_null(find("X", "wait", "hog[4103] sleeps in a broadcast", 0));
	assert_non_null(find("X", "wait", "controller[4101] signals", 0));
	assert_non_null(find("X", "thread", "broadcasts idle (crowd)", 0));
	/* It was there before the trace began. */
	assert_int_equal(ns_of(find("X", "wait", "worker[4114] waits", 1), "ts"), 0);
	assert_string_equal(text_of(args_of(find("X", "wait", "worker[4114] waits", 1)), "result"),
			    "had not ended");
	assert_true(json_object_object_get_ex(
	    args_of(find("X", "wait", "worker[4111] waits, worker[4110]", 0)),
	    "meanwhile_the_owner", &chain));
	assert_string_equal(json_object_get_string(json_object_array_get_idx(chain, 0)),
			    "worker[4110] waited 10.0 ms for made by open_channel+0x1c (crowd), "
			    "which hog[4103] had");
	assert_int_equal(json_object_array_length(chain), 1);
	assert_int_equal(count("s", "boost", ""), 6);
	assert_int_equal(count("X", "boost", "boosted to priority"), 8);
}

static void test_without_the_kernel_there_are_waits_alone(void **state)
{
	struct json_object *other;

	(void)state;
	write_scene("preload");
	other = json_object_object_get(trace, "otherData");
	assert_int_equal(number_of(other, "from_kernel"), 0);
	assert_non_null(strstr(text_of(other, "no_kernel"), "tracefs is not mounted"));
	assert_int_equal(count("X", "wait", "INVERSION"), 2);
	assert_int_equal(count("X", "cpu", ""), 0);
	assert_int_equal(count("X", "thread", "run"), 0);
	assert_string_equal(text_of(args_of(find("X", "wait", "hog", 0)), "result"), "cancelled");
	assert_string_equal(track_of(find("X", "wait", "hog", 0), "thread_name"), "0x55d0c0de0040");
	assert_string_equal(text_of(find("X", "wait", "hog", 0), "name"),
			    "hog[4103] waits, controller[4101] has it, it seems");
}

static void test_names_come_through(void **state)
{
	(void)state;
	write_scene("names");
	assert_non_null(find("X", "cpu", "\"quoted\"\\[4110]", 0));
	assert_non_null(find("X", "cpu", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac[4114]", 0));
	assert_non_null(find("X", "cpu", "\xef\xbf\xbd\xef\xbf\xbd latin \xef\xbf\xbd[4113]", 0));
	assert_non_null(find("X", "cpu",
			     "a\xef\xbf\xbd"
			     "b\xef\xbf\xbd"
			     "c\xef\xbf\xbd\xef\xbf\xbd[4117]",
			     0));
}

/* Readers make a binary fraction of it, and nanoseconds of that, by rounding or by cutting off. */
static void test_no_nanosecond_is_lost(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 3000000000000u; ns += ns < 20000 ? 1 : ns / 1000 + 1) {
		struct json_object *o = json_object_new_object(), *parsed;
		double us;

		trace_put_us(o, "ts", ns);
		parsed = json_tokener_parse(json_object_to_json_string(o));
		us = json_object_get_double(json_object_object_get(parsed, "ts"));
		assert_int_equal((uint64_t)(us * 1000), ns);
		assert_int_equal((uint64_t)(us * 1000 + 0.5), ns);
		json_object_put(parsed);
		json_object_put(o);
	}
}

static void test_full_disk_is_told(void **state)
{
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	if (!out)
		skip();
	model = made_model("inversion");
	assert_int_equal(trace_write_chrome(model, out), -1);
	assert_int_equal(errno, ENOSPC);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_inversion_is_marked_and_all_is_told, tear_down),
	    cmocka_unit_test_teardown(test_boost_is_an_arrow_to_the_owner, tear_down),
	    cmocka_unit_test_teardown(test_who_ran_and_who_could_have, tear_down),
	    cmocka_unit_test_teardown(test_runs_are_cut_where_waits_begin, tear_down),
	    cmocka_unit_test_teardown(test_waits_at_once_get_lanes, tear_down),
	    cmocka_unit_test_teardown(test_without_the_kernel_there_are_waits_alone, tear_down),
	    cmocka_unit_test_teardown(test_names_come_through, tear_down),
	    cmocka_unit_test(test_no_nanosecond_is_lost),
	    cmocka_unit_test_teardown(test_full_disk_is_told, tear_down),
	};

	return cmocka_run_group_tests_name("trace-chrome", tests, NULL, NULL);
}
