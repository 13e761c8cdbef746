/* SPDX-License-Identifier: MIT */
/*
 * histogram.c - `rqpi bench --histogram`: how the samples of each series lie, drawn with
 * characters, all implementations of a case over the same axis. Called by report.c.
 */
#include "driver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 40, LEVELS = 8, LEAST_SAMPLES = 5 };

/* More than this between the smallest and the largest: the axis is logarithmic. */
#define LOG_BEYOND 4.0

struct axis {
	double low, high;
	bool log;
};

static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strstr(value, "UTF-8") || strstr(value, "utf8") ||
			       strstr(value, "utf-8");
	}
	return false;
}

static int column_of(const struct axis *axis, double value)
{
	double at = axis->log ? log(value / axis->low) / log(axis->high / axis->low)
			      : (value - axis->low) / (axis->high - axis->low);
	int column = (int)(at * COLUMNS);

	return column < 0 ? 0 : column >= COLUMNS ? COLUMNS - 1 : column;
}

static void draw(const struct bench_report *rep, const struct bench_series *series,
		 const struct axis *axis)
{
	static const char *const blocks[LEVELS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[LEVELS + 1] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
	const char *const *glyph = is_utf8() ? blocks : ascii;
	size_t count[COLUMNS] = {0}, most = 1;

	for (size_t i = 0; i < series->n; i++) {
		size_t *own = &count[column_of(axis, series->v[i])];

		if (++*own > most)
			most = *own;
	}
	bench_say(rep, "  |");
	for (int i = 0; i < COLUMNS; i++) {
		/* One sample is seen, however many there are elsewhere. */
		size_t level = (count[i] * LEVELS + most - 1) / most;

		bench_say(rep, "%s", glyph[level]);
	}
	bench_say(rep, "|\n");
}

static struct axis axis_of(const struct bench_case *c, const char *name)
{
	struct axis axis = {INFINITY, -INFINITY, false};

	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct bench_series *series = bench_of(c, (enum bench_impl)impl, name);

		if (!series)
			continue;
		axis.low = fmin(axis.low, bench_percentile(series, 0));
		axis.high = fmax(axis.high, bench_percentile(series, 100));
	}
	axis.log = axis.low > 0 && axis.high / axis.low > LOG_BEYOND;
	return axis;
}

static void draw_series(const struct bench_report *rep, const struct bench_case *c,
			const char *name)
{
	static const double points[] = {50, 90, 99, 99.9, 100};
	struct axis axis = axis_of(c, name);

	bench_say(rep, "\n  %-34s%9s%9s%9s%9s%10s   %.4g to %.4g%s\n", c->name, "p50", "p90", "p99",
		  "p99.9", "max", axis.low, axis.high, axis.log ? ", logarithmic" : "");
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct bench_series *series = bench_of(c, (enum bench_impl)impl, name);

		if (!series)
			continue;
		bench_say(rep, "    %-10s %-13s%6zu", bench_impl_name[impl], name, series->n);
		for (size_t i = 0; i < 5; i++)
			bench_say_number(rep, i == 4 ? 10 : 9, 2,
					 bench_percentile(series, points[i]));
		draw(rep, series, &axis);
	}
}

/* The first implementation of the case that has @name says it; the others are drawn with it. */
static bool is_first(const struct bench_case *c, int impl, const char *name)
{
	for (int before = 0; before < impl; before++) {
		if (bench_of(c, (enum bench_impl)before, name))
			return false;
	}
	return true;
}

void bench_histogram(const struct bench_report *rep, const struct bench_case *c)
{
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct bench_cell *cell = &c->cell[impl];

		for (size_t s = 0; s < cell->n_series; s++) {
			const struct bench_series *series = &cell->series[s];

			/* A count that never differs has no distribution. */
			if (series->n >= LEAST_SAMPLES && is_first(c, impl, series->name) &&
			    axis_of(c, series->name).low < axis_of(c, series->name).high)
				draw_series(rep, c, series->name);
		}
	}
}
