/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor_read.c - `rqpi doctor`: its findings as data, and files of /proc, /sys and /boot,
 * below the root that --root names.
 *
 * Called by the other cmd_doctor_*.c. A file that cannot be read is told with the reason and never
 * taken for one that says no.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cmd.h"
#include "cmd_doctor.h"

enum { CONFIG_MAX = 4 << 20 };

static void *checked(void *memory)
{
	if (!memory) {
		fprintf(stderr, "rqpi doctor: no memory\n");
		exit(RQPI_EXIT_CANNOT);
	}
	return memory;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
	char *text;

	return checked(vasprintf(&text, format, args) < 0 ? NULL : text);
}

struct doctor_finding *doctor_add(struct doctor *d, const char *id, enum doctor_state state,
				  const char *format, ...)
{
	struct doctor_finding *f;
	va_list args;

	if (d->count == d->max) {
		d->max = d->max ? d->max * 2 : 32;
		d->findings = checked(realloc(d->findings, d->max * sizeof(*d->findings)));
	}
	f = &d->findings[d->count++];
	*f = (struct doctor_finding){.group = d->group, .id = id, .state = state};
	va_start(args, format);
	f->what = format_text(format, args);
	va_end(args);
	return f;
}

void doctor_mend(struct doctor *d, const char *format, ...)
{
	struct doctor_finding *f = &d->findings[d->count - 1];
	va_list args;

	if (f->mend_count == DOCTOR_MENDS_MAX)
		return;
	va_start(args, format);
	f->mends[f->mend_count++] = format_text(format, args);
	va_end(args);
}

void doctor_free(struct doctor *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->findings[i].what);
		json_object_put(d->findings[i].data);
		for (int m = 0; m < d->findings[i].mend_count; m++)
			free(d->findings[i].mends[m]);
	}
	free(d->findings);
	free(d->config);
	d->findings = NULL;
	d->config = NULL;
	d->count = d->max = 0;
}

static int below_root(const struct doctor *d, const char *path, char *full)
{
	int n = snprintf(full, PATH_MAX, "%s%s", d->root, path);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

ssize_t doctor_read(const struct doctor *d, const char *path, char *text, size_t size)
{
	char full[PATH_MAX];
	ssize_t n = below_root(d, path, full);
	size_t used = 0;
	int fd;

	if (n)
		return n;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	n = n < 0 ? -errno : (ssize_t)used;
	close(fd);
	if (n < 0)
		return n;
	while (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return (ssize_t)used;
}

void doctor_cannot_read(struct doctor *d, const char *id, const char *path, ssize_t error)
{
	doctor_add(d, id, DOCTOR_UNKNOWN, "not looked at: cannot read %s: %s", path,
		   strerror((int)-error));
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	char full[PATH_MAX];

	return !below_root(d, path, full) && !access(full, F_OK);
}

int doctor_read_number(const struct doctor *d, const char *path, long long *value)
{
	char text[64];
	char *end;
	ssize_t n = doctor_read(d, path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno ? -errno : end == text || *end ? -EINVAL : 0;
}

const char *doctor_argument(const char *cmdline, const char *word, char *value, size_t size)
{
	size_t length = strlen(word);
	const char *found = NULL;

	for (const char *p = cmdline; *p; p += strcspn(p, " \t\n")) {
		p += strspn(p, " \t\n");
		/* What comes after it is for init(8). */
		if (!strncmp(p, "--", 2) && (!p[2] || isspace((unsigned char)p[2])))
			break;
		if (strncmp(p, word, length) || !strchr("= \t\n", p[length]))
			continue;
		p += length;
		found = value;
		snprintf(value, size, "%.*s", (int)strcspn(p, " \t\n"), p);
		if (*value == '=')
			memmove(value, value + 1, strlen(value));
	}
	return found;
}

/* gzopen() reads what is not compressed, too. */
static char *read_config_file(const struct doctor *d, const char *path)
{
	char full[PATH_MAX];
	char *text;
	gzFile f;
	int n;

	if (below_root(d, path, full))
		return NULL;
	f = gzopen(full, "re");
	if (!f)
		return NULL;
	text = checked(malloc(CONFIG_MAX + 1));
	n = gzread(f, text, CONFIG_MAX);
	gzclose_r(f);
	if (n <= 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

void doctor_read_config(struct doctor *d)
{
	/* The kernel's own words come before files that may be another's of the same name. */
	static const struct {
		const char *before, *after;
	} places[] = {
	    {"/boot/config-", ""},
	    {"/lib/modules/", "/config"},
	    {"/usr/lib/modules/", "/config"},
	};

	if (doctor_read(d, "/proc/sys/kernel/osrelease", d->release, sizeof(d->release)) < 0)
		*d->release = '\0';
	snprintf(d->config_path, sizeof(d->config_path), "/proc/config.gz");
	d->config = read_config_file(d, d->config_path);
	for (size_t i = 0; *d->release && !d->config && i < 3; i++) {
		snprintf(d->config_path, sizeof(d->config_path), "%s%s%s", places[i].before,
			 d->release, places[i].after);
		d->config = read_config_file(d, d->config_path);
	}
	if (!d->config)
		*d->config_path = '\0';
}

char doctor_config(const struct doctor *d, const char *option)
{
	size_t length = strlen(option);

	if (!d->config)
		return '?';
	for (const char *line = d->config; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, option, length) && line[length] == '=')
			return line[length + 1] == 'm' ? 'm' : line[length + 1] == 'y' ? 'y' : 'n';
	}
	return 'n';
}

bool doctor_release_is(const struct doctor *d, int major, int minor)
{
	int have_major, have_minor;

	if (sscanf(d->release, "%d.%d", &have_major, &have_minor) != 2)
		return false;
	return have_major > major || (have_major == major && have_minor >= minor);
}
