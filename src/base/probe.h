/* SPDX-License-Identifier: MIT */
/*
 * probe.h - places where a tracer can look in (USDT, sys/sdt.h): docs/probes.md has all of them.
 *
 * Used by src/user and src/shim, on their slow ways alone, and by src/host. A probe is one `nop`
 * and a note in the ELF file that says where it is and in which registers its arguments are;
 * bpftrace, perf, gdb and SystemTap put a breakpoint there while somebody looks.
 *
 * RQPI_USDT is defined by src/meson.build where sys/sdt.h is there. Without it a probe is nothing
 * and its arguments are not evaluated: the checker compiles the same sources so, and has no step,
 * no load and no variable more.
 */
#ifndef RQB_PROBE_H
#define RQB_PROBE_H

#ifdef RQPI_USDT

/* clang puts what may be memory into memory, with a store in front of the probe. */
#ifdef __clang__
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>

/* What exists for the probes alone: a member, its initialiser, its assignment. */
#define RQB_PROBED(...) __VA_ARGS__

#define RQB_PROBE1(name, a)	     STAP_PROBE1(rqpi, name, a)
#define RQB_PROBE2(name, a, b)	     STAP_PROBE2(rqpi, name, a, b)
#define RQB_PROBE3(name, a, b, c)    STAP_PROBE3(rqpi, name, a, b, c)
#define RQB_PROBE4(name, a, b, c, d) STAP_PROBE4(rqpi, name, a, b, c, d)

#else

#define RQB_PROBED(...)

#define RQB_PROBE1(name, a)	     ((void)0)
#define RQB_PROBE2(name, a, b)	     ((void)0)
#define RQB_PROBE3(name, a, b, c)    ((void)0)
#define RQB_PROBE4(name, a, b, c, d) ((void)0)

#endif

#endif /* RQB_PROBE_H */
