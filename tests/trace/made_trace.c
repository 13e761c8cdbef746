/* SPDX-License-Identifier: MIT */
/*
 * made_trace.c - made_trace chrome|html SCENE FILE: writes a timeline of a model filled in by hand
 * (made_model.h). For t_chrome.py and t_html.py. Exit status: 0 written, 2 not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "made_model.h"

int main(int argc, char **argv)
{
	struct trace_model *m = argc == 4 ? made_model(argv[2]) : NULL;
	FILE *out = m ? fopen(argv[3], "w") : NULL;
	int bad;

	if (!m) {
		fprintf(stderr, "usage: made_trace chrome|html SCENE FILE\n");
		return 2;
	}
	if (!out) {
		fprintf(stderr, "made_trace: %s: %s\n", argv[3], strerror(errno));
		made_model_free(m);
		return 2;
	}
	bad = strcmp(argv[1], "html") ? trace_write_chrome(m, out) : trace_write_html(m, out);
	if (fclose(out))
		bad = -1;
	if (bad)
		fprintf(stderr, "made_trace: %s: %s\n", argv[3], strerror(errno));
	made_model_free(m);
	return bad ? 2 : 0;
}
