/* SPDX-License-Identifier: MIT */
/*
 * timeline.c - from events to rows of characters.
 *
 * The time axis is not to scale: each event gets a column of its own, or two threads that take
 * turns within microseconds could not be told apart beside a wait of milliseconds; what is left of
 * the width goes to the gaps in proportion to their length. The ruler below tells the real time of
 * its columns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "timeline.h"

enum {
	LABEL_WIDTH = 13, /* "waiter  80 |" and a space in front */
	SLEEPS_WIDTH = 9,
	TICK_WIDTH = 12,
	WIDTH_MAX = TIMELINE_COLUMNS,
};

/* The marks of a row; also the legend. */
enum mark {
	MARK_NOTHING = ' ',
	MARK_IDLE = '.',
	MARK_WAITS = 'w',
	MARK_RELEASED = '=',
	MARK_WANTS = 'm',
	MARK_OWNS = '#',
	MARK_SIGNALS = 'S',
	MARK_BURNS = 'h',
};

struct axis {
	uint64_t *times; /* distinct, rising; times[i] is drawn at columns[i] */
	int *columns;
	int count;
	int width;
};

static bool is_drawn(const struct timeline *t, const struct demo_event *e)
{
	if (e->kind == DEMO_SLEPT)
		return false;
	for (int i = 0; i < t->row_count; i++) {
		if (t->rows[i] == e->thread)
			return true;
	}
	return false;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void collect_times(const struct timeline *t, struct axis *axis)
{
	const struct demo_round *round = &t->run->rounds[t->round];
	const struct demo_event *events = t->run->events + round->first;
	int distinct = 0;

	axis->times = calloc(round->count + 1, sizeof(*axis->times));
	axis->columns = calloc(round->count + 1, sizeof(*axis->columns));
	if (!axis->times || !axis->columns) {
		fprintf(stderr, "rqpi demo: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	for (size_t i = 0; i < round->count; i++) {
		if (is_drawn(t, &events[i]))
			axis->times[axis->count++] = events[i].t_ns;
	}
	qsort(axis->times, (size_t)axis->count, sizeof(*axis->times), compare_times);
	for (int i = 0; i < axis->count; i++) {
		if (!i || axis->times[i] != axis->times[distinct - 1])
			axis->times[distinct++] = axis->times[i];
	}
	axis->count = distinct;
}

static void place_columns(struct axis *axis)
{
	uint64_t start = axis->times[0];
	uint64_t length = axis->times[axis->count - 1] - start;
	/*
	 * Two columns for an event where at least a third of the width then remains for the gaps.
	 */
	int least = axis->count * 2 <= axis->width * 2 / 3 ? 2 : 1;
	int spare = axis->width - 1 - (axis->count - 1) * least;

	for (int i = 0; i < axis->count; i++) {
		double share = length ? (double)(axis->times[i] - start) / (double)length : 0;

		/* More events than columns: some share one, the later hides the earlier. */
		axis->columns[i] = spare >= 0
				       ? i * least + (int)(share * spare + 0.5)
				       : (int)((long)i * (axis->width - 1) / (axis->count - 1));
	}
}

static int column_of(const struct axis *axis, uint64_t t_ns)
{
	int low = 0;
	int high = axis->count - 1;

	while (low < high) {
		int middle = (low + high + 1) / 2;

		if (axis->times[middle] <= t_ns)
			low = middle;
		else
			high = middle - 1;
	}
	return axis->columns[low];
}

/* The time of @column, by the two events around it. */
static double time_of(const struct axis *axis, int column)
{
	int i = 1;
	double share;

	while (i < axis->count - 1 && axis->columns[i] < column)
		i++;
	if (axis->count < 2 || axis->columns[i] <= axis->columns[i - 1])
		return 0;
	share = (double)(column - axis->columns[i - 1]) /
		(double)(axis->columns[i] - axis->columns[i - 1]);
	share = share > 1 ? 1 : share;
	return (double)(axis->times[i - 1] - axis->times[0]) +
	       share * (double)(axis->times[i] - axis->times[i - 1]);
}

static char mark_after(enum demo_kind kind)
{
	switch (kind) {
	case DEMO_LOCK:
		return MARK_WANTS;
	case DEMO_OWN:
	case DEMO_WOKEN:
	case DEMO_SIGNALLED:
		return MARK_OWNS;
	case DEMO_WAIT:
		return MARK_WAITS;
	case DEMO_SIGNAL:
	case DEMO_BROADCAST:
		return MARK_SIGNALS;
	case DEMO_BURN:
		return MARK_BURNS;
	default:
		return MARK_IDLE;
	}
}

static void fill(char *row, int from, int to, char mark)
{
	for (int i = from; i < to; i++)
		row[i] = mark;
}

/* When the signal was sent that ended the wait of @woken. */
static uint64_t release_time(const struct timeline *t, const struct demo_event *woken)
{
	const struct demo_round *round = &t->run->rounds[t->round];

	for (size_t i = 0; i < round->count; i++) {
		const struct demo_event *e = &t->run->events[round->first + i];

		if ((e->kind == DEMO_SIGNAL || e->kind == DEMO_BROADCAST) && e->arg == woken->arg)
			return e->t_ns;
	}
	return woken->t_ns;
}

/* Draw @thread into @row and tell how often it slept in its wait, -1 where that is not known. */
static long draw_row(const struct timeline *t, const struct axis *axis, int thread, char *row)
{
	const struct demo_round *round = &t->run->rounds[t->round];
	char mark = MARK_NOTHING;
	long sleeps = -1;
	int at = 0;

	for (size_t i = 0; i < round->count; i++) {
		const struct demo_event *e = &t->run->events[round->first + i];
		int column;

		if (e->thread != thread)
			continue;
		if (e->kind == DEMO_SLEPT) {
			sleeps = (long)e->arg;
			continue;
		}
		column = column_of(axis, e->t_ns);
		if (e->kind == DEMO_WOKEN) {
			int released = column_of(axis, release_time(t, e));

			/* It may have come to wait in an earlier round. */
			released = released < at ? at : released;
			fill(row, at, released, MARK_WAITS);
			fill(row, released, column, MARK_RELEASED);
		} else {
			fill(row, at, column, mark);
		}
		at = column;
		mark = mark_after(e->kind);
	}
	fill(row, at, axis->width, mark);
	return sleeps;
}

static const char *colour_of(char mark)
{
	switch (mark) {
	case MARK_WAITS:
		return "\033[34m";
	case MARK_RELEASED:
		return "\033[33m";
	case MARK_WANTS:
	case MARK_SIGNALS:
		return "\033[35m";
	case MARK_OWNS:
		return "\033[32m";
	case MARK_BURNS:
		return "\033[31m";
	default:
		return "\033[0m";
	}
}

static void print_row(const char *row, int width, bool colour)
{
	for (int i = 0; i < width; i++) {
		if (colour && (!i || row[i] != row[i - 1]))
			fputs(colour_of(row[i]), stdout);
		putchar(row[i]);
	}
	if (colour)
		fputs("\033[0m", stdout);
}

static void print_ruler(const struct axis *axis)
{
	double total = (double)(axis->times[axis->count - 1] - axis->times[0]);
	bool ms = total >= 10e6;
	char line[WIDTH_MAX + 32];

	memset(line, ' ', sizeof(line));
	for (int column = 0; column + TICK_WIDTH <= axis->width + 2; column += TICK_WIDTH) {
		char text[32];
		double t = time_of(axis, column);
		int n = ms ? snprintf(text, sizeof(text), "|%.1f ms", t / 1e6)
			   : snprintf(text, sizeof(text), "|%.0f us", t / 1e3);

		memcpy(line + column, text, (size_t)(n < TICK_WIDTH ? n : TICK_WIDTH - 1));
	}
	for (size_t end = (size_t)axis->width; end > 0; end--) {
		if (line[end - 1] != ' ') {
			printf("%*s%.*s\n", LABEL_WIDTH, "", (int)end, line);
			return;
		}
	}
}

void timeline_draw(const struct timeline *t)
{
	struct axis axis = {0};
	char row[WIDTH_MAX];

	axis.width = t->columns - LABEL_WIDTH - (t->show_sleeps ? SLEEPS_WIDTH : 0);
	if (axis.width > WIDTH_MAX)
		axis.width = WIDTH_MAX;
	collect_times(t, &axis);
	if (axis.count > 1) {
		place_columns(&axis);
		for (int i = 0; i < t->row_count; i++) {
			const struct demo_thread *thread = &t->run->threads[t->rows[i]];
			long sleeps = draw_row(t, &axis, t->rows[i], row);

			printf(" %-7.7s %2d |", thread->name, thread->prio);
			print_row(row, axis.width, t->colour);
			if (t->show_sleeps && sleeps >= 0)
				printf(" slept %ldx", sleeps);
			putchar('\n');
		}
		print_ruler(&axis);
	}
	free(axis.times);
	free(axis.columns);
}

void timeline_legend(void)
{
	printf(
	    "   %c waits on the condvar    %c signalled, not back yet    %c in signal/broadcast\n"
	    "   %c wants the mutex         %c has the mutex              %c burns CPU time\n"
	    "   %c none of these           (time is stretched where much happens)\n",
	    MARK_WAITS, MARK_RELEASED, MARK_SIGNALS, MARK_WANTS, MARK_OWNS, MARK_BURNS, MARK_IDLE);
}
