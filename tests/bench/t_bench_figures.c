/* SPDX-License-Identifier: MIT */
/*
 * t_bench_figures.c - the arithmetic behind `rqpi bench`: percentiles over all samples, ratios
 * inside rounds, when a machine is too noisy, when a target is met.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bench/driver.h"

/* One cell; each round's samples are @n equal to @value. */
static void add_round(struct bench_cell *cell, const char *name, double value, size_t n, int round)
{
	double v[16];

	assert_in_range(n, 1, 16);
	for (size_t i = 0; i < n; i++)
		v[i] = value;
	bench_series_add(cell, name, v, n, round);
}

static struct bench_case *one_case(void)
{
	return bench_cases_new(1);
}

static void near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9)
		fail_msg("%g, and %g was expected", got, wanted);
}

static void percentiles_are_samples(void **state)
{
	struct bench_case *c = one_case();
	double v[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		v[i] = 100 - i;
	bench_series_add(&c->cell[BENCH_GLIBC], "x", v, 100, 0);
	near(bench_percentile(bench_of(c, BENCH_GLIBC, "x"), 0), 1);
	near(bench_percentile(bench_of(c, BENCH_GLIBC, "x"), 50), 50);
	near(bench_percentile(bench_of(c, BENCH_GLIBC, "x"), 99), 99);
	near(bench_percentile(bench_of(c, BENCH_GLIBC, "x"), 99.9), 100);
	near(bench_percentile(bench_of(c, BENCH_GLIBC, "x"), 100), 100);
	assert_true(isnan(bench_percentile(bench_of(c, BENCH_GLIBC, "y"), 50)));
	bench_cases_free(c, 1);
}

/* The machine gets slower from round to round; both get slower, and the ratio stays. */
static void ratios_are_taken_inside_rounds(void **state)
{
	struct bench_case *c = one_case();

	(void)state;
	for (int round = 0; round < 5; round++) {
		add_round(&c->cell[BENCH_NATIVE], "x", 3 * (round + 1), 3, round);
		if (round != 3) /* that batch failed */
			add_round(&c->cell[BENCH_GLIBC], "x", 2 * (round + 1), 3, round);
	}
	near(bench_ratio(bench_of(c, BENCH_NATIVE, "x"), bench_of(c, BENCH_GLIBC, "x")), 1.5);
	assert_true(isnan(bench_ratio(bench_of(c, BENCH_NATIVE, "x"), NULL)));
	bench_cases_free(c, 1);
}

struct noise {
	struct bench_options opt;
	struct bench_report rep;
};

static void begin(struct noise *n)
{
	*n = (struct noise){.opt = {.json = true}};
	n->rep.opt = &n->opt;
	n->rep.root = json_object_new_object();
	bench_report_begin(&n->rep, "x", "?", 5);
}

static bool too_noisy(const struct noise *n)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(n->rep.bench, "too_noisy", &value));
	return json_object_get_boolean(value);
}

static void a_floor_that_moves_is_a_warning(void **state)
{
	static const double moves[] = {1, 1.6};

	(void)state;
	for (int noisy = 0; noisy < 2; noisy++) {
		struct bench_case *c = one_case();
		struct noise n;

		begin(&n);
		for (int round = 0; round < 5; round++)
			add_round(&c->cell[BENCH_REQUEUE], "x",
				  round % 2 ? moves[noisy] : 1 + 0.01 * round, 1, round);
		bench_noise(&n.rep, bench_of(c, BENCH_REQUEUE, "x"), "the floor");
		assert_int_equal(too_noisy(&n), noisy);
		assert_int_equal(json_object_array_length(n.rep.notes), noisy);
		if (noisy)
			assert_non_null(strstr(
			    json_object_get_string(json_object_array_get_idx(n.rep.notes, 0)),
			    "WARNING"));
		json_object_put(n.rep.root);
		bench_cases_free(c, 1);
	}
}

static void targets_are_judged_as_printed(void **state)
{
	static const struct {
		double value, limit;
		bool least, met;
	} cases[] = {
	    {1.054, 1.05, false, true}, {1.056, 1.05, false, false}, {0.496, 0.5, true, true},
	    {0.494, 0.5, true, false},	{0.9, 1, false, true},	     {0.9, 1, true, false},
	    {NAN, 1, false, false},
	};
	struct noise n;
	int met = 0;

	(void)state;
	begin(&n);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench_figure figure = bench_figure("x", cases[i].value, cases[i].limit);

		figure.least = cases[i].least;
		bench_target(&n.rep, BENCH_NATIVE, figure);
		met += cases[i].met;
		assert_int_equal(n.rep.met, met);
	}
	json_object_put(n.rep.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(percentiles_are_samples),
	    cmocka_unit_test(ratios_are_taken_inside_rounds),
	    cmocka_unit_test(a_floor_that_moves_is_a_warning),
	    cmocka_unit_test(targets_are_judged_as_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
