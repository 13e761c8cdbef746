/* SPDX-License-Identifier: MIT */
/*
 * probes.h - the probes of a library in this process, hit and looked into without a tracer.
 *
 * What bpftrace has the kernel do is done here by hand: the notes of the library's file say where
 * its probes are and where their arguments are to be found; a breakpoint instruction takes the
 * place of each `nop`, and the handler of its SIGTRAP reads the registers that the note names, as
 * they are at that instruction. So a test sees each hit, its arguments and its order among the
 * others. x86-64 with libelf; elsewhere rqt_probes_plant() says why not.
 */
#ifndef RQT_PROBES_H
#define RQT_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RQT_PROBE_ARGS 4

struct rqt_hit {
	const char *name;
	int args; /* how many there are */
	int64_t arg[RQT_PROBE_ARGS];
	pid_t tid;
	bool complete;
};

/*
 * Plant all probes of the loaded library whose base name begins with @library. NULL: done; else why
 * not. Before there are threads, for good.
 */
const char *rqt_probes_plant(const char *library);

/* Threads that hit a probe of this name stay there, until it is called with NULL. */
void rqt_probes_hold(const char *name);

/* Forget all hits so far. */
void rqt_probes_forget(void);
/*
 * The hit number @nth, from 0, of those with this name and this first argument; NULL: there is none
 * yet. @name NULL: of any name.
 */
const struct rqt_hit *rqt_probes_find(const char *name, const void *first, unsigned int nth);
unsigned int rqt_probes_count(const char *name, const void *first);
/* The names of all that were planted; NULL after the last. */
const char *rqt_probes_name(unsigned int number);
/* Has it ever been hit, whatever was forgotten? */
bool rqt_probes_ever(const char *name);

#endif /* RQT_PROBES_H */
