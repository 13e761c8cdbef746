/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo_measure.c - what the events of rqpi-demo-program mean: order, delays, counts.
 *
 * Pure computation over a struct demo_run; called by cmd_demo.c. Both sides are measured by the
 * same code and judged by the same limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_demo.h"

enum {
	TOKEN_LATE_US = 50000, /* scenario token: half the time between two tokens */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double *copy_sorted(const double *values, size_t count)
{
	double *sorted = malloc(count * sizeof(*sorted));

	if (!sorted) {
		fprintf(stderr, "rqpi demo: no memory\n");
		exit(2);
	}
	memcpy(sorted, values, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_doubles);
	return sorted;
}

/* The lower median, so that it is the value of one of the rounds. */
static double median(const double *values, size_t count)
{
	double *sorted = copy_sorted(values, count);
	double m = sorted[(count - 1) / 2];

	free(sorted);
	return m;
}

static double largest(const double *values, size_t count)
{
	double m = values[0];

	for (size_t i = 1; i < count; i++)
		m = values[i] > m ? values[i] : m;
	return m;
}

static size_t index_of(const double *values, size_t count, double value)
{
	for (size_t i = 0; i < count; i++) {
		if (values[i] == value)
			return i;
	}
	return 0;
}

static double span_us(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / 1000.0 : 0.0;
}

/*
 * The first event of that kind by @thread (-1: by any) at or after event @from of the round; NULL
 * if there is none.
 */
static const struct demo_event *find_event(const struct demo_run *run, size_t round, int thread,
					   enum demo_kind kind, size_t from)
{
	const struct demo_round *r = &run->rounds[round];

	for (size_t i = from; i < r->count; i++) {
		const struct demo_event *e = &run->events[r->first + i];

		if (e->kind == kind && (thread < 0 || e->thread == thread))
			return e;
	}
	return NULL;
}

static size_t position_of(const struct demo_run *run, size_t round, const struct demo_event *e)
{
	return (size_t)(e - run->events) - run->rounds[round].first;
}

static int find_thread(const struct demo_run *run, const char *name)
{
	for (size_t i = 0; i < run->thread_count; i++) {
		if (!strcmp(run->threads[i].name, name))
			return (int)i;
	}
	return -1;
}

int measure_order(const struct demo_run *run, struct order_result *out, char *why, size_t why_size)
{
	static const int right[] = {20, 80, 10};
	const struct demo_event *e;
	size_t from = 0;

	*out = (struct order_result){.right = true};
	while (run->round_count && out->count < 8 &&
	       (e = find_event(run, 0, -1, DEMO_WOKEN, from)) != NULL) {
		out->prios[out->count++] = run->threads[e->thread].prio;
		from = position_of(run, 0, e) + 1;
	}
	if (out->count != 3) {
		snprintf(why, why_size, "order: %d of 3 waiters were served", out->count);
		return -1;
	}
	for (int i = 0; i < 3; i++)
		out->right = out->right && out->prios[i] == right[i];
	return 0;
}

struct herd_columns {
	double *switches, *futex_calls, *first_us, *last_us, *vain, *out_of_order, *hold_us;
};

/* One round of the herd into row @i of @c. Returns 0, or -1 if it is not whole. */
static int measure_herd_round(const struct demo_run *run, size_t i, const struct herd_columns *c)
{
	const struct demo_event *start = find_event(run, i, -1, DEMO_BROADCAST, 0);
	const struct demo_event *back = find_event(run, i, 0, DEMO_SIGNALLED, 0);
	const struct demo_event *unlock = find_event(run, i, 0, DEMO_UNLOCK, 0);
	const struct demo_round *round = &run->rounds[i];
	unsigned int served_of_prio[DEMO_PRIO_COUNT] = {0};
	size_t served = 0;
	size_t told = 0;

	if (!start || !back || !unlock || round->switches < 0)
		return -1;
	c->switches[i] = (double)round->switches;
	c->futex_calls[i] = (double)round->futex_calls;
	c->out_of_order[i] = c->vain[i] = 0;
	c->hold_us[i] = span_us(back->t_ns, unlock->t_ns);
	for (size_t k = 0; k < round->count; k++) {
		const struct demo_event *e = &run->events[round->first + k];
		int prio = run->threads[e->thread].prio;

		if (e->kind == DEMO_SLEPT) {
			told++;
			c->vain[i] += e->arg > 1;
		}
		if (e->kind != DEMO_WOKEN)
			continue;
		if (!served++)
			c->first_us[i] = span_us(start->t_ns, e->t_ns);
		c->last_us[i] = span_us(start->t_ns, e->t_ns);
		/* Everybody of lower priority who has been served before makes one pair. */
		for (int p = 0; p < prio; p++)
			c->out_of_order[i] += served_of_prio[p];
		served_of_prio[prio]++;
	}
	return served == run->thread_count - 1 && told == served ? 0 : -1;
}

int measure_herd(const struct demo_run *run, struct herd_result *out, char *why, size_t why_size)
{
	size_t n = run->round_count;
	double *memory = calloc(n ? 7 * n : 1, sizeof(*memory));
	struct herd_columns c = {memory,	 memory + n,	 memory + 2 * n, memory + 3 * n,
				 memory + 4 * n, memory + 5 * n, memory + 6 * n};
	size_t whole = 0;

	while (memory && whole < n && !measure_herd_round(run, whole, &c))
		whole++;
	if (!memory || !n || whole < n) {
		snprintf(why, why_size, "herd: not every waiter was served in round %zu", whole);
		free(memory);
		return -1;
	}
	*out = (struct herd_result){
	    .rounds = n,
	    .switches = median(c.switches, n),
	    .futex_calls = median(c.futex_calls, n),
	    .first_us = median(c.first_us, n),
	    .last_us = median(c.last_us, n),
	    .hold_us = median(c.hold_us, n),
	    .woken_in_vain = median(c.vain, n),
	    .out_of_order = median(c.out_of_order, n),
	    .out_of_order_worst = largest(c.out_of_order, n),
	};
	out->typical_round = index_of(c.last_us, n, out->last_us);
	free(memory);
	return 0;
}

int measure_group(const struct demo_run *run, struct inversion_result *out, char *why,
		  size_t why_size)
{
	int high = find_thread(run, "HIGH");
	size_t n = run->round_count;
	double *delays = calloc(n ? n : 1, sizeof(*delays));

	*out = (struct inversion_result){.rounds = n};
	for (size_t i = 0; delays && i < n; i++) {
		const struct demo_event *first = find_event(run, i, high, DEMO_DONE, 0);
		const struct demo_event *start = NULL;
		const struct demo_event *end = NULL;

		/*
		 * The second of HIGH's two steps, from its wish for the mutex to the end of its
		 * unlock.
		 */
		if (first)
			start = find_event(run, i, high, DEMO_LOCK, position_of(run, i, first));
		if (start)
			end = find_event(run, i, high, DEMO_DONE, position_of(run, i, start));
		if (!end)
			n = 0;
		else
			delays[i] = span_us(start->t_ns, end->t_ns);
	}
	if (!delays || high < 0 || !n) {
		snprintf(why, why_size, "inversion: HIGH's second signal did not come to its end");
		free(delays);
		return -1;
	}
	out->high_us = median(delays, n);
	out->worst_us = largest(delays, n);
	out->typical_round = index_of(delays, n, out->high_us);
	free(delays);
	return 0;
}

int measure_token(const struct demo_run *run, struct inversion_result *out, char *why,
		  size_t why_size)
{
	int high = find_thread(run, "HIGH");
	const struct demo_event *wait = NULL;
	const struct demo_event *start = NULL;
	const struct demo_event *end = NULL;

	if (run->round_count && high >= 0)
		wait = find_event(run, 0, high, DEMO_WAIT, 0);
	if (wait)
		start = find_event(run, 0, -1, DEMO_SIGNAL, position_of(run, 0, wait));
	if (start)
		end = find_event(run, 0, high, DEMO_WOKEN, position_of(run, 0, start));
	if (!end) {
		snprintf(why, why_size, "inversion: HIGH was not served");
		return -1;
	}
	*out = (struct inversion_result){
	    .rounds = 1,
	    .high_us = span_us(start->t_ns, end->t_ns),
	    .worst_us = span_us(start->t_ns, end->t_ns),
	    .signals = (int)(end->arg - start->arg) + 1,
	};
	return 0;
}

bool herd_is_stampede(const struct demo_results *results, int side)
{
	return results->herd[side].woken_in_vain * 4 > results->waiters;
}

bool inversion_is_late(const struct demo_results *results, int side)
{
	double high_us = results->inversion[side].high_us;

	if (!strcmp(results->scenario, "group"))
		return high_us > results->hog_ms * 1000.0 / 2;
	return high_us > TOKEN_LATE_US;
}

bool demo_rqpi_is_right(const struct demo_results *results)
{
	if (results->has_order && !results->order[SIDE_RQPI].right)
		return false;
	if (results->has_herd && (results->herd[SIDE_RQPI].out_of_order_worst > 0 ||
				  herd_is_stampede(results, SIDE_RQPI)))
		return false;
	return !results->has_inversion || !inversion_is_late(results, SIDE_RQPI);
}
