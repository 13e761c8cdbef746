/* SPDX-License-Identifier: MIT */
/*
 * trace_record.h - the file through which the preload tells `rqpi trace` what happens: its layout.
 *
 * Written by shim_trace.c in the traced processes, read by tools/rqpi/trace/trace_preload.c. The
 * tracer makes the file, maps it and names it in RQPI_TRACE; every process that has the preload
 * maps it as well, forked and executed ones too. It is a header and an array of slots, which are
 * taken in turn and never given back: who finds none left counts what it could not write. Nobody
 * waits for anybody and nothing is allocated, so that a record can be written anywhere.
 *
 * A slot is complete when its `type` is not 0, which is stored last, with release; the reader loads
 * it with acquire. A process that is killed half-way leaves a slot of type 0.
 *
 * Both sides are built together, but a preload of another version may meet the file: it looks at
 * `magic` and `version` and leaves the file alone if they are not its own.
 */
#ifndef RQPI_TRACE_RECORD_H
#define RQPI_TRACE_RECORD_H

#include <stdint.h>

#define TRACE_RECORD_MAGIC     0x65636172542e7172u /* "rq.Trace", first byte lowest */
#define TRACE_RECORD_VERSION   1
#define TRACE_RECORD_SLOTS_MAX 4194304
/* What a process with RQPI_TRACE=memfd calls its own file (memfd_create(2)). */
#define TRACE_RECORD_MEMORY    "rqpi-trace"

enum trace_record_type {
	TRACE_RECORD_NONE = 0,
	/* A lock that has to wait: `address` mutex, `other` owner, `site` caller, `kind`. */
	TRACE_RECORD_LOCK = 1,
	TRACE_RECORD_LOCKED = 2, /* it ends: `address`, `value` its error */
	/* pthread_cond_*wait: `address` condvar, `partner` mutex, `site` caller. */
	TRACE_RECORD_WAIT = 3,
	/* it ends, with the mutex in hand: `value` its error, -1 cancelled */
	TRACE_RECORD_WAITED = 4,
	/* signal (`value` 0) or broadcast (1) of `address`, `site` caller; if somebody waits */
	TRACE_RECORD_RELEASE = 5,
	TRACE_RECORD_RELEASED = 6, /* it returns */
	/* Thread `tid` is called so: `name` */
	TRACE_RECORD_THREAD = 7,
	/*
	 * What `address` is called, `kind` 0: a mutex, 1: a condvar, 2: code that waits or releases
	 * (a `site`), `value` 1: by the code that made it; `name`
	 */
	TRACE_RECORD_PLACE = 8,
};

enum { TRACE_RECORD_MUTEX = 0, TRACE_RECORD_CONDVAR = 1, TRACE_RECORD_CODE = 2 };

/* How urgent a thread is by its own policy; `policy` -1: not known. */
struct trace_record_person {
	int16_t policy;
	int16_t priority;
};

struct trace_record {
	uint32_t type; /* stored last */
	uint32_t pid;
	uint32_t tid;
	uint32_t other; /* 0: not known */
	uint64_t ns;	/* CLOCK_MONOTONIC */
	uint64_t address;
	uint64_t partner;
	uint64_t site; /* a return address */
	struct trace_record_person mine;
	struct trace_record_person its; /* of `other` */
	int32_t value;
	uint32_t kind; /* of a mutex: the bits of glibc's __kind (shim_mutex.h) */
	/*
	 * TRACE_RECORD_THREAD and _PLACE: text, and what does not fit is cut off. A place is
	 * "SYMBOL+0xINTO (OBJECT)", "SYMBOL (OBJECT)" or "OBJECT+0xOFFSET", as in the report of
	 * --stats.
	 */
	char name[128];
};

struct trace_record_file {
	uint64_t magic;
	uint32_t version;
	uint32_t slots;	   /* in the array; the file is that long */
	uint32_t used;	   /* slots taken, may be beyond `slots` */
	uint32_t lost;	   /* records for which there was none */
	uint32_t enabled;  /* 0: write nothing; else the tracer's process ID, which also tells this
			      trace from those before in the same file */
	uint32_t attached; /* processes that have mapped it so far */
	uint32_t maker;	   /* the process whose own file it is; 0: a tracer made it */
	uint32_t unused_word;
	uint64_t unused[3];
	struct trace_record slot[];
};

#endif /* RQPI_TRACE_RECORD_H */
