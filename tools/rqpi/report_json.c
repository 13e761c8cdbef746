/* SPDX-License-Identifier: MIT */
/*
 * report_json.c - `rqpi demo --json`: one object on standard output with what was measured.
 *
 * Called by cmd_demo.c at its end, also when it could not do its work: then the object has the
 * member "error". The members are described in rqpi(1).
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rqpi/base.h>

#include "cmd_demo.h"

static struct json_object *new_us(double us)
{
	struct json_object *o = json_object_new_double(us);

	json_object_set_serializer(o, json_object_double_to_json_string, "%.1f", NULL);
	return o;
}

static void add(struct json_object *to, const char *key, struct json_object *value)
{
	json_object_object_add(to, key, value);
}

static void add_int(struct json_object *to, const char *key, long long value)
{
	add(to, key, json_object_new_int64(value));
}

static struct json_object *new_order(const struct order_result *order)
{
	struct json_object *o = json_object_new_array();

	for (int i = 0; i < order->count; i++)
		json_object_array_add(o, json_object_new_int(order->prios[i]));
	return o;
}

static struct json_object *new_herd_side(const struct demo_results *r, int side)
{
	const struct herd_result *h = &r->herd[side];
	struct json_object *o = json_object_new_object();

	add_int(o, "rounds", (long long)h->rounds);
	add_int(o, "switches", (long long)h->switches);
	add(o, "futex_calls",
	    h->futex_calls < 0 ? NULL : json_object_new_int64((long long)h->futex_calls));
	add_int(o, "woken_in_vain", (long long)h->woken_in_vain);
	add(o, "first_us", new_us(h->first_us));
	add(o, "last_us", new_us(h->last_us));
	if (r->realtime) {
		add_int(o, "out_of_order", (long long)h->out_of_order);
		add_int(o, "out_of_order_worst", (long long)h->out_of_order_worst);
	}
	return o;
}

static struct json_object *new_herd(const struct demo_results *r)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "waiters", r->waiters);
	add_int(o, "cpus", r->cpu2 >= 0 ? 2 : 1);
	add(o, "glibc", new_herd_side(r, SIDE_LIBC));
	add(o, "rqpi", new_herd_side(r, SIDE_RQPI));
	return o;
}

static struct json_object *new_inversion_side(const struct inversion_result *i)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "rounds", (long long)i->rounds);
	add(o, "high_us", new_us(i->high_us));
	add(o, "high_us_worst", new_us(i->worst_us));
	if (i->signals)
		add_int(o, "signals", i->signals);
	return o;
}

static struct json_object *new_inversion(const struct demo_results *r)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "hog_ms", r->hog_ms);
	add(o, "scenario",
	    json_object_new_string(strcmp(r->scenario, "group") ? "order" : "group"));
	add(o, "glibc", new_inversion_side(&r->inversion[SIDE_LIBC]));
	add(o, "rqpi", new_inversion_side(&r->inversion[SIDE_RQPI]));
	return o;
}

static struct json_object *new_machine(const struct demo_results *r)
{
	struct json_object *o = json_object_new_object();
	struct utsname name;

	uname(&name);
	add(o, "kernel", json_object_new_string(name.release));
	add(o, "kernel_version", json_object_new_string(name.version));
	add(o, "arch", json_object_new_string(name.machine));
	add(o, "glibc", *r->libc ? json_object_new_string(r->libc) : NULL);
	add(o, "rqpi", json_object_new_string(RQPI_VERSION));
	add(o, "preload", r->preload ? json_object_new_string(r->preload) : NULL);
	add_int(o, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	add(o, "realtime", json_object_new_boolean(r->realtime));
	return o;
}

void report_json(const struct demo_results *r, const char *error)
{
	struct json_object *o = json_object_new_object();

	if (r->has_order) {
		struct json_object *order = json_object_new_object();

		add(order, "glibc", new_order(&r->order[SIDE_LIBC]));
		add(order, "rqpi", new_order(&r->order[SIDE_RQPI]));
		add(o, "order", order);
	}
	/* Without priorities it is another experiment and must not be taken for this one. */
	if (r->has_herd)
		add(o, r->realtime ? "herd" : "herd_without_priorities", new_herd(r));
	if (r->has_inversion)
		add(o, "inversion", new_inversion(r));
	if (error)
		add(o, "error", json_object_new_string(error));
	add(o, "machine", new_machine(r));
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
