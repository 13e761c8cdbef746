/* SPDX-License-Identifier: MIT */
/*
 * series.c - pools of samples: percentiles over all rounds, ratios taken inside each round. A
 * machine drifts by a fifth between minutes; two medians of the same second do not. Called by
 * spawn.c, report.c and the ask_*.c.
 */
#include "driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct bench_series *find_or_add(struct bench_cell *cell, const char *name)
{
	struct bench_series *series;

	for (size_t i = 0; i < cell->n_series; i++) {
		if (!strcmp(cell->series[i].name, name))
			return &cell->series[i];
	}
	if (cell->n_series == BENCH_MAX_SERIES)
		return NULL;
	series = &cell->series[cell->n_series++];
	snprintf(series->name, sizeof(series->name), "%s", name);
	for (int i = 0; i < BENCH_MAX_ROUNDS; i++)
		series->round_median[i] = NAN;
	return series;
}

void bench_series_add(struct bench_cell *cell, const char *name, const double *v, size_t n,
		      int round)
{
	struct bench_series *series = find_or_add(cell, name);
	double *copy;

	if (!series || !n)
		return;
	if (series->n + n > series->room) {
		series->room = (series->n + n) * 2;
		series->v = realloc(series->v, series->room * sizeof(*v));
		if (!series->v)
			abort();
	}
	copy = memcpy(series->v + series->n, v, n * sizeof(*v));
	series->n += n;
	series->round_median[round] = bench_median(copy, n);
}

const struct bench_series *bench_series_find(const struct bench_cell *cell, const char *name)
{
	for (size_t i = 0; i < cell->n_series; i++) {
		if (!strcmp(cell->series[i].name, name))
			return &cell->series[i];
	}
	return NULL;
}

double bench_median(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof(*v), compare_doubles);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double bench_percentile(const struct bench_series *series, double percent)
{
	size_t rank;

	if (!series || !series->n)
		return NAN;
	/* Sorting in place is fine: the order of samples says nothing. */
	qsort(series->v, series->n, sizeof(*series->v), compare_doubles);
	rank = (size_t)ceil(percent / 100 * (double)series->n);
	return series->v[rank ? rank - 1 : 0];
}

/* The ratios of those rounds in which both were measured, sorted. Returns how many. */
static size_t ratios_of_rounds(const struct bench_series *a, const struct bench_series *b,
			       double *ratio)
{
	size_t n = 0;

	for (int i = 0; a && b && i < BENCH_MAX_ROUNDS; i++) {
		double quotient = a->round_median[i] / b->round_median[i];

		if (isfinite(quotient))
			ratio[n++] = quotient;
	}
	qsort(ratio, n, sizeof(*ratio), compare_doubles);
	return n;
}

double bench_ratio(const struct bench_series *a, const struct bench_series *b)
{
	double ratio[BENCH_MAX_ROUNDS];
	size_t n = ratios_of_rounds(a, b, ratio);

	return bench_median(ratio, n);
}

double bench_ratio_error(const struct bench_series *a, const struct bench_series *b)
{
	double ratio[BENCH_MAX_ROUNDS], reach;
	size_t n = ratios_of_rounds(a, b, ratio), low, high;

	if (n < 5)
		return NAN;
	/* In two cases of three the median is between these ranks, whatever the distribution. */
	reach = sqrt((double)n) / 2;
	low = (size_t)floor((double)(n - 1) / 2 - reach);
	high = (size_t)ceil((double)(n - 1) / 2 + reach);
	return (ratio[high] - ratio[low]) / 2;
}

double bench_spread(const struct bench_series *series)
{
	double medians[BENCH_MAX_ROUNDS], middle;
	size_t n = 0;

	if (!series)
		return NAN;
	for (int i = 0; i < BENCH_MAX_ROUNDS; i++) {
		if (isfinite(series->round_median[i]))
			medians[n++] = series->round_median[i];
	}
	if (n < 3)
		return NAN;
	middle = bench_median(medians, n); /* sorted now */
	return (medians[(n - 1) * 9 / 10] - medians[(n - 1) / 10]) / middle;
}

const struct bench_series *bench_of(const struct bench_case *c, enum bench_impl impl,
				    const char *name)
{
	return bench_series_find(&c->cell[impl], name);
}

double bench_p50(const struct bench_case *c, enum bench_impl impl, const char *name)
{
	return bench_percentile(bench_of(c, impl, name), 50);
}
