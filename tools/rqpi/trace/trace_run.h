/* SPDX-License-Identifier: MIT */
/* trace_run.h - what cmd_trace.c asks of trace_run.c: trace a command or a process. */
#ifndef RQPI_TRACE_RUN_H
#define RQPI_TRACE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace.h"

struct trace_run {
	/* What is asked for. */
	const char **command; /* NULL: `pid` is traced */
	uint32_t pid;
	uint64_t ns; /* end after; 0: when the program does, or on a signal */
	bool use_preload;
	bool use_kernel;
	bool force; /* every mutex PI */
	uint32_t buffer_kb;
	uint32_t records;
	/* Of trace_run(). */
	struct trace_model *model; /* everything up to trace_model_build() */
	pid_t child;		   /* the command goes on after `ns`; 0: it does not */
	char no_kernel[256];	   /* where model->no_kernel and no_preload point to */
	char no_preload[256];
};

/* 0, or -1 and it has been said on standard error what cannot be. */
int trace_run(struct trace_run *r);

/* A command that goes on is waited for; signals are still passed on to it. */
void trace_run_finish(struct trace_run *r);

#endif /* RQPI_TRACE_RUN_H */
