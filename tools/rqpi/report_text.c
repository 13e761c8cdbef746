/* SPDX-License-Identifier: MIT */
/*
 * report_text.c - the tables, explanations and timelines of `rqpi demo`.
 *
 * Called by cmd_demo.c as each experiment ends; all figures come from cmd_demo_measure.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd_demo.h"
#include "timeline.h"

enum { HERD_ROWS = 8, TEXT_MAX = 64 };

static bool use_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

static int terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return TIMELINE_COLUMNS;
	if (size.ws_col < TIMELINE_COLUMNS_MIN)
		return TIMELINE_COLUMNS_MIN;
	return size.ws_col < TIMELINE_COLUMNS ? size.ws_col : TIMELINE_COLUMNS;
}

static void heading(const char *text)
{
	bool colour = use_colour();

	printf("\n%s%s%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

static void row(const char *label, const char *libc, const char *rqpi)
{
	printf("   %-34s %-24s %s\n", label, libc, rqpi);
}

static void row_us(const char *label, double libc, double rqpi)
{
	char text[SIDES][TEXT_MAX];
	double us[SIDES] = {libc, rqpi};

	for (int side = 0; side < SIDES; side++) {
		if (us[side] >= 10000)
			snprintf(text[side], TEXT_MAX, "%.1f ms", us[side] / 1000);
		else
			snprintf(text[side], TEXT_MAX, us[side] < 100 ? "%.1f us" : "%.0f us",
				 us[side]);
	}
	row(label, text[SIDE_LIBC], text[SIDE_RQPI]);
}

static void row_count(const char *label, double libc, double rqpi)
{
	char text[SIDES][TEXT_MAX];

	snprintf(text[SIDE_LIBC], TEXT_MAX, "%.0f", libc);
	snprintf(text[SIDE_RQPI], TEXT_MAX, "%.0f", rqpi);
	row(label, text[SIDE_LIBC], text[SIDE_RQPI]);
}

static void row_sides(const struct demo_results *r, const char *label)
{
	char libc[TEXT_MAX];

	snprintf(libc, sizeof(libc), "glibc %s", r->libc);
	row(label, libc, "rqpi");
}

static void draw(const struct demo_results *r, int side, const struct timeline *timeline)
{
	if (side == SIDE_LIBC)
		printf("\n glibc %s\n", r->libc);
	else
		printf("\n rqpi, under the same program\n");
	timeline_draw(timeline);
}

static void draw_both(const struct demo_results *r, const struct demo_run *runs,
		      const size_t *rounds, const int *rows, int row_count, bool sleeps)
{
	for (int side = 0; side < SIDES; side++) {
		struct timeline timeline = {
		    .run = &runs[side],
		    .round = rounds[side],
		    .rows = rows,
		    .row_count = row_count,
		    .columns = terminal_columns(),
		    .show_sleeps = sleeps,
		    .colour = use_colour(),
		};

		draw(r, side, &timeline);
	}
	timeline_legend();
}

void report_intro(const struct demo_results *r)
{
	struct utsname name;

	uname(&name);
	printf("One program, run twice: on glibc %s alone, then with rqpi's preload under it.\n",
	       r->libc);
	printf("%s %s %s, %ld CPUs. All that is printed was measured just now.\n", name.sysname,
	       name.release, name.machine, sysconf(_SC_NPROCESSORS_ONLN));
	if (r->realtime)
		printf(
		    "Threads are SCHED_FIFO: the CPU goes to the highest priority that can run.\n");
	else
		printf("Threads are SCHED_OTHER: no priorities.\n");
	if (*r->inherited)
		printf("LD_PRELOAD is set; both runs also have: %s\n", r->inherited);
}

static const char *order_verdict(const struct order_result *o)
{
	return o->right ? "right order" : "wrong order";
}

void report_order(const struct demo_results *r)
{
	static const int rows[] = {0, 3, 2, 1};
	const size_t rounds[SIDES] = {0, 0};
	char text[SIDES][TEXT_MAX];

	heading("ORDER: does a signal go to the most urgent thread that waits?");
	printf("   Threads of priority 10 and 20 wait on a condition variable, with a mutex that\n"
	       "   inherits priority. MAIN signals once. Then a thread of priority 80 comes to\n"
	       "   wait, and MAIN signals twice more. Each signal should go to the highest\n"
	       "   priority that waits at that time: 20, 80, 10. A C library that serves its\n"
	       "   waiters in groups lets 80 wait behind 10.\n\n");
	for (int side = 0; side < SIDES; side++) {
		const struct order_result *o = &r->order[side];

		snprintf(text[side], TEXT_MAX, "%d, %d, %d", o->prios[0], o->prios[1], o->prios[2]);
	}
	row_sides(r, "");
	row("priorities, in the order served", text[SIDE_LIBC], text[SIDE_RQPI]);
	row("verdict", order_verdict(&r->order[SIDE_LIBC]), order_verdict(&r->order[SIDE_RQPI]));
	if (r->order[SIDE_LIBC].right)
		printf("   This C library does not have the fault.\n");
	draw_both(r, r->order_run, rounds, rows, 4, false);
}

static void herd_verdict(const struct demo_results *r, int side, char *text)
{
	const struct herd_result *h = &r->herd[side];

	if (r->realtime && h->out_of_order_worst > 0)
		snprintf(text, TEXT_MAX, "%s, out of order",
			 herd_is_stampede(r, side) ? "herd" : "no herd");
	else
		snprintf(text, TEXT_MAX, "%s%s", herd_is_stampede(r, side) ? "herd" : "no herd",
			 r->realtime ? ", in order" : "");
}

/* MAIN, then waiters from the highest priority to the lowest, evenly spread. */
static int choose_herd_rows(const struct demo_run *run, int *rows)
{
	int waiters = (int)run->thread_count - 1;
	int *sorted = calloc((size_t)waiters, sizeof(*sorted));
	int count = 0;
	int used = 0;

	if (!sorted)
		return 0;
	for (int prio = DEMO_PRIO_COUNT - 1; prio >= 0; prio--) {
		for (int i = 1; i <= waiters; i++) {
			if (run->threads[i].prio == prio)
				sorted[used++] = i;
		}
	}
	for (int i = 0; i < HERD_ROWS && i < waiters; i++) {
		int shown = waiters < HERD_ROWS ? waiters : HERD_ROWS;

		rows[count++] = sorted[shown > 1 ? (long)i * (waiters - 1) / (shown - 1) : 0];
	}
	rows[count++] = 0;
	free(sorted);
	return count;
}

static void print_herd_table(const struct demo_results *r)
{
	const struct herd_result *l = &r->herd[SIDE_LIBC];
	const struct herd_result *q = &r->herd[SIDE_RQPI];
	char verdict[SIDES][TEXT_MAX];
	char text[SIDES][TEXT_MAX];

	row_sides(r, "");
	row_count("woken only to sleep again", l->woken_in_vain, q->woken_in_vain);
	row_count("context switches", l->switches, q->switches);
	if (l->futex_calls >= 0 && q->futex_calls >= 0)
		row_count("futex system calls", l->futex_calls, q->futex_calls);
	else
		row("futex system calls", "not countable here", "(needs perf events)");
	row_us("broadcast to the first served", l->first_us, q->first_us);
	row_us("broadcast to the last served", l->last_us, q->last_us);
	for (int side = 0; side < SIDES; side++) {
		snprintf(text[side], TEXT_MAX, "%.0f (%.0f)", r->herd[side].out_of_order,
			 r->herd[side].out_of_order_worst);
		herd_verdict(r, side, verdict[side]);
	}
	if (r->realtime)
		row("pairs out of order (worst round)", text[SIDE_LIBC], text[SIDE_RQPI]);
	row("verdict", verdict[SIDE_LIBC], verdict[SIDE_RQPI]);
}

void report_herd(const struct demo_results *r)
{
	const struct herd_result *l = &r->herd[SIDE_LIBC];
	const struct herd_result *q = &r->herd[SIDE_RQPI];
	const size_t rounds[SIDES] = {l->typical_round, q->typical_round};
	int rows[HERD_ROWS + 1];

	heading("HERD: what does a broadcast to many threads cost?");
	printf("   %d threads%s wait. MAIN%s holds the mutex,\n"
	       "   broadcasts, and has to sleep before it unlocks (for %.0f us here; think of a\n"
	       "   page fault). Whoever is woken by the broadcast can only go back to sleep on\n"
	       "   the mutex. rqpi has the kernel move the threads there asleep, and each is\n"
	       "   woken once, when the mutex is its own. Medians of %zu rounds, on %s.\n\n",
	       r->waiters, r->realtime ? " of priority 2 to 80" : "",
	       r->realtime ? ", of priority 1," : "", l->hold_us,
	       l->rounds < q->rounds ? l->rounds : q->rounds,
	       r->cpu2 >= 0 ? "two CPUs" : "one CPU");
	print_herd_table(r);
	if (q->last_us > 1.1 * l->last_us)
		printf(
		    "   The last is served later under rqpi: each hand-over goes through the\n"
		    "   kernel, in strict order. That buys order and bounded delay, not speed.\n");
	if (r->realtime)
		draw_both(r, r->herd_run, rounds, rows,
			  choose_herd_rows(&r->herd_run[SIDE_LIBC], rows), true);
}

static const char *inversion_verdict(const struct demo_results *r, int side)
{
	bool group = !strcmp(r->scenario, "group");

	if (inversion_is_late(r, side))
		return group ? "priority inversion" : "kept waiting";
	return group ? "not held up" : "served at once";
}

static void explain_group(const struct demo_results *r)
{
	printf("   HIGH only signals, twice. LOW is signalled first but cannot run, since HOG\n"
	       "   burns %d ms on the same CPU; then WORKER comes to wait, and HIGH signals\n"
	       "   again. A condition variable that first waits for LOW to leave keeps HIGH (40)\n"
	       "   asleep inside signal(), with the mutex locked, for as long as HOG (20)\n"
	       "   pleases: an unbounded priority inversion.\n\n",
	       r->hog_ms);
}

static void explain_token(const struct demo_results *r)
{
	if (r->group_was_mended)
		printf("   This glibc does not keep a signaller asleep: scenario group was tried\n"
		       "   first, and HIGH was not held up. So the fault of order, as a delay:\n");
	printf("   Three LOW threads wait and one of them is signalled. Then HIGH comes to wait,\n"
	       "   and a signal is sent every 100 ms. The first should be HIGH's.\n\n");
}

void report_inversion(const struct demo_results *r)
{
	static const int group_rows[] = {4, 3, 2, 1};
	static const int token_rows[] = {0, 4, 3, 2, 1};
	const struct inversion_result *l = &r->inversion[SIDE_LIBC];
	const struct inversion_result *q = &r->inversion[SIDE_RQPI];
	const size_t rounds[SIDES] = {l->typical_round, q->typical_round};
	bool group = !strcmp(r->scenario, "group");

	heading("INVERSION: can an urgent thread be held up by one that is less urgent?");
	if (group)
		explain_group(r);
	else
		explain_token(r);
	row_sides(r, "");
	if (group) {
		row_us("HIGH's second signal took (median)", l->high_us, q->high_us);
		row_us("                         (longest)", l->worst_us, q->worst_us);
	} else {
		row_us("HIGH served after", l->high_us, q->high_us);
		row_count("signals sent until then", l->signals, q->signals);
	}
	row("verdict", inversion_verdict(r, SIDE_LIBC), inversion_verdict(r, SIDE_RQPI));
	if (!inversion_is_late(r, SIDE_LIBC))
		printf("   This C library does not have the fault.\n");
	draw_both(r, r->inversion_run, rounds, group ? group_rows : token_rows, group ? 4 : 5,
		  false);
}

void report_summary(const struct demo_results *r)
{
	char text[SIDES][TEXT_MAX];

	heading("SUMMARY");
	row_sides(r, "");
	if (r->has_order)
		row("order", order_verdict(&r->order[SIDE_LIBC]),
		    order_verdict(&r->order[SIDE_RQPI]));
	if (r->has_herd) {
		for (int side = 0; side < SIDES; side++)
			herd_verdict(r, side, text[side]);
		row("herd", text[SIDE_LIBC], text[SIDE_RQPI]);
	}
	if (r->has_inversion) {
		row("inversion", inversion_verdict(r, SIDE_LIBC), inversion_verdict(r, SIDE_RQPI));
		row_us("   HIGH held up for", r->inversion[SIDE_LIBC].high_us,
		       r->inversion[SIDE_RQPI].high_us);
	}
	if (!demo_rqpi_is_right(r))
		printf("\nrqpi did not do what it promises here. Please report this with the "
		       "output of\n"
		       "'rqpi demo --json'.\n");
}
