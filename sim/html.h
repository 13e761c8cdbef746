/* SPDX-License-Identifier: MIT */
/* html.h - a recording as one page that needs nothing else, to be read in any browser. */
#ifndef RQS_HTML_H
#define RQS_HTML_H

#include "sim/replay.h"

/* False: @file could not be written, which has been said. */
bool rqs_write_html(const char *file, const struct rqs_recording *recording);

#endif /* RQS_HTML_H */
