/* SPDX-License-Identifier: MIT */
/*
 * plot.c - `rqpi bench --plot`: collects curves and has gnuplot draw them. An implementation has
 * the same colour in all pictures. Called by the ask_*.c and cmd_bench.c.
 */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PANELS = 8,
	GROUPS = 16,
	POINTS = 16,
	LATER_POINTS = 80, /* of a curve: more makes the file large, and no eye sees them */
	WIDTH = 560,
	HEIGHT = 360,
	TITLE_HEIGHT = 40
};

extern char **environ;

struct point {
	double x, y, low, high;
};

struct curve {
	struct point *point; /* LINES, BARS: room for POINTS;  LATER: for LATER_POINTS */
	size_t n;
};

struct panel {
	enum bench_plot_kind kind;
	int logs;
	char title[96], x[64], y[64];
	char group[GROUPS][48];
	size_t groups;
	struct curve curve[BENCH_IMPLS];
};

struct bench_plot {
	struct panel panel[PANELS];
	size_t panels;
};

/* Colours that people with any kind of colour vision can tell apart; floors are dashed. */
static const struct {
	const char *colour;
	int dashed, mark;
} looks[BENCH_IMPLS] = {
    [BENCH_GLIBC] = {"#d55e00", 0, 5},	    [BENCH_PRELOAD] = {"#56b4e9", 0, 9},
    [BENCH_NATIVE] = {"#0072b2", 0, 7},	    [BENCH_REQUEUE] = {"#000000", 1, 1},
    [BENCH_FUTEX] = {"#808080", 1, 2},	    [BENCH_LINUX] = {"#d55e00", 0, 5},
    [BENCH_ENGINE] = {"#0072b2", 0, 7},	    [BENCH_NORMAL] = {"#e69f00", 0, 4},
    [BENCH_FORCE_PI] = {"#6a3d9a", 0, 11},  [BENCH_MUSL] = {"#cc79a7", 0, 8},
    [BENCH_ON_ENGINE] = {"#009e73", 0, 13}, [BENCH_CHECKER] = {"#0072b2", 0, 7},
};

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length > tail && !strcmp(text + length - tail, end);
}

/* FILE.svg, or FILE-QUESTION.svg. */
static void name_of(char *name, size_t size, const char *file, const char *question, bool many)
{
	int stem = (int)strlen(file) - 4;

	if (many)
		snprintf(name, size, "%.*s-%s%s", stem, file, question, file + stem);
	else
		snprintf(name, size, "%s", file);
}

/* Run gnuplot; @script -1: ask for its version. Returns its exit status, -1: it did not run. */
static int run_gnuplot(int script)
{
	char *argv[] = {(char[]){"gnuplot"}, script < 0 ? (char[]){"--version"} : NULL, NULL};
	posix_spawn_file_actions_t actions;
	int status = -1, err;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (script < 0)
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool bench_plot_usable(const char *file, bool many)
{
	char name[4096];
	bool there;
	int fd;

	if (!ends_in(file, ".svg") && !ends_in(file, ".png")) {
		fprintf(stderr, "rqpi bench: --plot %s: a name that ends in .svg or .png\n", file);
		return false;
	}
	if (run_gnuplot(-1)) {
		fputs("rqpi bench: --plot needs gnuplot, and there is none (Debian: gnuplot-nox)\n",
		      stderr);
		return false;
	}
	name_of(name, sizeof(name), file, "all", many);
	there = !access(name, F_OK);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		fprintf(stderr, "rqpi bench: --plot %s: %s\n", file, strerror(errno));
		return false;
	}
	close(fd);
	if (!there)
		unlink(name);
	return true;
}

struct bench_plot *bench_plot_new(void)
{
	struct bench_plot *plot = calloc(1, sizeof(*plot));

	if (!plot)
		abort();
	return plot;
}

void bench_plot_free(struct bench_plot *plot)
{
	for (size_t i = 0; plot && i < plot->panels; i++) {
		for (int impl = 0; impl < BENCH_IMPLS; impl++)
			free(plot->panel[i].curve[impl].point);
	}
	free(plot);
}

/* ---------------------------------------------------------------- collecting */

void bench_plot_panel(struct bench_plot *plot, enum bench_plot_kind kind, int logs,
		      const char *title, const char *x, const char *y)
{
	struct panel *panel;

	if (!plot || plot->panels == PANELS)
		return;
	panel = &plot->panel[plot->panels++];
	panel->kind = kind;
	panel->logs = logs;
	snprintf(panel->title, sizeof(panel->title), "%s", title);
	snprintf(panel->x, sizeof(panel->x), "%s", x);
	snprintf(panel->y, sizeof(panel->y), "%s", y);
}

void bench_plot_group(struct bench_plot *plot, const char *name)
{
	struct panel *panel = plot ? &plot->panel[plot->panels - 1] : NULL;

	if (panel && panel->groups < GROUPS) {
		snprintf(panel->group[panel->groups], sizeof(panel->group[0]), "%s", name);
		panel->groups++;
	}
}

/* The share of samples above each of some values, from the smallest to the largest. */
static void add_later(struct curve *curve, const struct bench_series *series, double scale)
{
	size_t n = series->n, last = n;

	for (size_t i = 0; i < LATER_POINTS; i++) {
		/* Half of the points for all of it, half for the last hundredth. */
		double share = i < LATER_POINTS / 2
				   ? (double)i / (LATER_POINTS / 2.0)
				   : 1 - 0.01 *
					     pow(100 / (double)n, (double)(i - LATER_POINTS / 2) /
								      (LATER_POINTS / 2.0));
		size_t rank = (size_t)(share * (double)n);

		if (rank >= n || rank == last)
			continue;
		last = rank;
		curve->point[curve->n++] = (struct point){
		    .x = series->v[rank] * scale, .y = 100 * (double)(n - rank) / (double)n};
	}
}

void bench_plot_add(struct bench_plot *plot, enum bench_impl impl, double x,
		    const struct bench_series *series, double scale)
{
	struct panel *panel = plot ? &plot->panel[plot->panels - 1] : NULL;
	struct curve *curve = panel ? &panel->curve[impl] : NULL;

	if (!curve || !series || !series->n)
		return;
	if (!curve->point)
		curve->point = calloc(LATER_POINTS, sizeof(*curve->point));
	if (!curve->point)
		abort();
	(void)bench_percentile(series, 50); /* sorted now */
	if (panel->kind == BENCH_PLOT_LATER) {
		curve->n = 0;
		add_later(curve, series, scale);
	} else if (curve->n < POINTS) {
		if (panel->kind == BENCH_PLOT_BARS)
			x = (double)panel->groups - 1;
		curve->point[curve->n++] =
		    (struct point){.x = x,
				   .y = bench_percentile(series, 50) * scale,
				   .low = bench_percentile(series, 10) * scale,
				   .high = bench_percentile(series, 90) * scale};
	}
}

void bench_plot_case(struct bench_plot *plot, double x, const struct bench_case *c,
		     const char *series, double scale)
{
	for (int impl = 0; impl < BENCH_IMPLS; impl++)
		bench_plot_add(plot, (enum bench_impl)impl, x,
			       bench_of(c, (enum bench_impl)impl, series), scale);
}

/* ---------------------------------------------------------------- drawing */

static int curves_of(const struct panel *panel)
{
	int n = 0;

	for (int impl = 0; impl < BENCH_IMPLS; impl++)
		n += panel->curve[impl].n > 0;
	return n;
}

static void write_data(FILE *script, const struct panel *panel, size_t at)
{
	int curves = curves_of(panel), nth = 0;
	double width = 0.84 / (curves ? curves : 1);

	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct curve *curve = &panel->curve[impl];

		if (!curve->n)
			continue;
		fprintf(script, "$d%zu_%d << EOD\n", at, impl);
		for (size_t i = 0; i < curve->n; i++) {
			const struct point *p = &curve->point[i];
			double x = p->x;

			/* Side by side, so that a bar from p10 to p90 does not hide another. */
			if (panel->kind == BENCH_PLOT_BARS)
				x += (nth - (curves - 1) / 2.0) * width;
			else if (panel->kind == BENCH_PLOT_LINES && panel->logs & BENCH_PLOT_LOG_X)
				x *= 1 + 0.025 * (nth - (curves - 1) / 2.0);
			fprintf(script, "%.6g %.6g %.6g %.6g\n", x, p->y, p->low, p->high);
		}
		fputs("EOD\n", script);
		nth++;
	}
}

/* The power of ten that the smallest share of a panel lies above. */
static double least_share(const struct panel *panel)
{
	double least = 1;

	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct curve *curve = &panel->curve[impl];

		while (curve->n && least > 0.01 && curve->point[curve->n - 1].y < least)
			least /= 10;
	}
	return least;
}

/* Marks at 1, 2 and 5 of each power of ten: a range may have no power of ten in it. */
static void write_decades(FILE *script, double low, double high)
{
	static const int steps[] = {1, 2, 5};
	bool first = true;

	fputs("set xtics (", script);
	for (double power = pow(10, floor(log10(low))); power <= high; power *= 10) {
		/* Over many powers of ten three marks to each would run into one another. */
		for (size_t i = 0; i < (high / low > 3000 ? 1 : 3); i++) {
			if (steps[i] * power < low || steps[i] * power > high)
				continue;
			fprintf(script, "%s%g", first ? "" : ", ", steps[i] * power);
			first = false;
		}
	}
	fputs(")\n", script);
}

/* A little more than what is there: left to itself gnuplot goes on to the next power of ten. */
static void write_range(FILE *script, const struct panel *panel)
{
	double low = INFINITY, high = -INFINITY;
	bool lines = panel->kind == BENCH_PLOT_LINES, first = true;

	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		const struct curve *curve = &panel->curve[impl];

		for (size_t i = 0; i < curve->n; i++) {
			low = fmin(low, curve->point[i].x);
			high = fmax(high, curve->point[i].x);
		}
	}
	if (panel->logs & BENCH_PLOT_LOG_X)
		fprintf(script, "set xrange [%.6g:%.6g]\n", low / 1.3, high * 1.3);
	else
		fprintf(script, "set xrange [%.6g:%.6g]\n", low - (high - low) / 20 - 0.1,
			high + (high - low) / 20 + 0.1);
	if (!lines) {
		write_decades(script, low / 1.3, high * 1.3);
		return;
	}
	/* A mark at each number that was measured, and no others. */
	fputs("set xtics (", script);
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		for (size_t i = 0; i < panel->curve[impl].n; i++, first = false)
			fprintf(script, "%s%.6g", first ? "" : ", ", panel->curve[impl].point[i].x);
	}
	fputs(")\n", script);
}

/* Names of groups: few of them are broken at their commas, many are turned. */
static void write_groups(FILE *script, const struct panel *panel)
{
	bool many = panel->groups > 5;
	int lines = 1;

	fprintf(script, "set xrange [-0.6:%zu.6]\nset xtics font ',10' %s (", panel->groups - 1,
		many ? "rotate by 40 right" : "norotate center");
	for (size_t i = 0; i < panel->groups; i++) {
		int own = 1;

		fprintf(script, "%s\"", i ? ", " : "");
		for (const char *at = panel->group[i]; *at; at++) {
			if (many || *at != ',' || at[1] != ' ') {
				fputc(*at, script);
				continue;
			}
			fputs(",\\n", script);
			at++;
			own++;
		}
		fprintf(script, "\" %zu", i);
		lines = own > lines ? own : lines;
	}
	fputs(")\n", script);
	if (!many)
		fprintf(script, "set bmargin %d\n", lines + 2);
}

static void write_axes(FILE *script, const struct panel *panel)
{
	fputs("unset logscale\nunset bmargin\nset xtics autofreq norotate font ',11'\nset ytics "
	      "autofreq\n"
	      "set autoscale\nset format x '%g'\nset format y '%g'\n",
	      script);
	fprintf(script, "set title \"%s\"\nset xlabel \"%s\"\nset ylabel \"%s\"\n", panel->title,
		panel->x, panel->y);
	if (panel->logs & BENCH_PLOT_LOG_X)
		fputs("set logscale x\n", script);
	if (panel->logs & BENCH_PLOT_LOG_Y)
		fputs("set logscale y\n", script);
	else
		fputs("set yrange [0:*]\n", script);
	if (panel->kind == BENCH_PLOT_LATER)
		fprintf(script,
			"set logscale y\nset yrange [%g:100]\nset ytics ('100' 100, '50' 50, "
			"'10' 10, '1' 1, '0.1' 0.1, '0.01' 0.01)\n",
			least_share(panel));
	if (panel->kind == BENCH_PLOT_BARS)
		write_groups(script, panel);
	else
		write_range(script, panel);
}

static void write_panel(FILE *script, const struct panel *panel, size_t at)
{
	int curves = curves_of(panel);
	const char *comma = "plot";

	if (!curves) {
		fputs("set multiplot next\n", script);
		return;
	}
	write_axes(script, panel);
	for (int impl = 0; impl < BENCH_IMPLS; impl++) {
		char look[96];

		if (!panel->curve[impl].n)
			continue;
		snprintf(look, sizeof(look), "lc rgb '%s' lw 2%s", looks[impl].colour,
			 looks[impl].dashed ? " dt 2" : "");
		fprintf(script, "%s $d%zu_%d ", comma, at, impl);
		if (panel->kind == BENCH_PLOT_LATER)
			fprintf(script, "using 1:2 with lines %s", look);
		else if (panel->kind == BENCH_PLOT_LINES)
			fprintf(script,
				"using 1:2 with linespoints %s pt %d ps 0.7 title '%s', "
				"$d%zu_%d using 1:3:(0):($4-$3) with vectors nohead lc rgb '%s' "
				"notitle",
				look, looks[impl].mark, bench_impl_name[impl], at, impl,
				looks[impl].colour);
		else
			fprintf(script, "using 1:2:(%.4g) with boxes lc rgb '%s' fs solid 0.85",
				0.84 / curves, looks[impl].colour);
		if (panel->kind != BENCH_PLOT_LINES)
			fprintf(script, " title '%s'", bench_impl_name[impl]);
		comma = ",";
	}
	fputs("\n", script);
}

static void write_script(FILE *script, const struct bench_plot *plot, const char *name,
			 const char *question)
{
	size_t columns = plot->panels > 1 ? 2 : 1, rows = (plot->panels + columns - 1) / columns;
	bool wide = plot->panels == 1 && plot->panel[0].groups > 3;

	fprintf(script,
		"set terminal %s size %zu,%zu font 'sans,11' noenhanced background '#ffffff'%s\n",
		ends_in(name, ".svg") ? "svg" : "pngcairo", columns * WIDTH * (wide ? 3 : 2) / 2,
		rows * HEIGHT + TITLE_HEIGHT, ends_in(name, ".svg") ? " dynamic" : "");
	fprintf(script,
		"set output \"%s\"\n"
		"set key outside right top vertical Left reverse samplen 2\n"
		"set grid lc rgb '#dddddd'\nset border 3\nset tics nomirror\n",
		name);
	for (size_t i = 0; i < plot->panels; i++)
		write_data(script, &plot->panel[i], i);
	fprintf(script, "set multiplot layout %zu,%zu title \"rqpi bench %s\" font ',13'\n", rows,
		columns, question);
	for (size_t i = 0; i < plot->panels; i++)
		write_panel(script, &plot->panel[i], i);
	fputs("unset multiplot\nset output\n", script);
}

bool bench_plot_draw(struct bench_plot *plot, const char *file, const char *question, bool many)
{
	char name[4096];
	FILE *script;
	int fd, status;

	if (!plot || !plot->panels)
		return true;
	fd = memfd_create("plot", MFD_CLOEXEC);
	script = fd < 0 ? NULL : fdopen(fd, "w");
	if (!script) {
		perror("rqpi bench: --plot");
		return false;
	}
	name_of(name, sizeof(name), file, question, many);
	write_script(script, plot, name, question);
	fflush(script);
	lseek(fd, 0, SEEK_SET);
	status = run_gnuplot(fd);
	fclose(script);
	if (status)
		fprintf(stderr, "rqpi bench: --plot %s: gnuplot failed\n", name);
	return !status;
}
