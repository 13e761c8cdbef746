/* SPDX-License-Identifier: MIT */
/*
 * trace.h - `rqpi trace`: its parts and what they hand on to one another.
 *
 *	source			model			output
 *	trace_kernel.c	-.			   .-	trace_text.c	report in words
 *	(tracefs)	 |- events -> trace_model.c -|	trace_json.c	the same for programs
 *	trace_preload.c	-'  names     trace_blame.c  |	trace_chrome.c	timeline for Perfetto
 *	(trace_record.h)			   '-	trace_html.c	timeline, self-contained
 *
 * The sources append events in any order, tell names, and know nothing of locks.
 * trace_model_build() sorts them and makes of them what a reader of the report thinks in: threads,
 * locks, waits, who ran when, who was boosted. The outputs read the finished model and change
 * nothing.
 *
 * Everything is in this process and nothing here is concurrent, so there are no locks. Times are
 * nanoseconds of CLOCK_MONOTONIC (of the machine's boot); the outputs subtract trace_model.begin.
 */
#ifndef RQPI_TRACE_H
#define RQPI_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- events ---- */

/*
 * How urgent: 0 without a real-time policy (nice values are not compared), 1 to 99 the priority of
 * SCHED_FIFO and SCHED_RR, 100 SCHED_DEADLINE. As in the report of --stats.
 */
#define TRACE_URGENCY_UNKNOWN (-1)
#define TRACE_URGENCY_MAX     100

#define TRACE_NO_CPU   0xffff
#define TRACE_NO_INDEX 0xffffffffu

/* `tid` does it; `pid` is its process, 0: not known. Fields that are not named are 0. */
enum trace_type {
	TRACE_NOTHING = 0,
	/* From the kernel. */
	TRACE_SWITCH, /* cpu: `tid` stops, with urgency `mine`, runnable if `value`; `other`, `its`,
			 runs. TID 0 is idle. */
	TRACE_WAKING, /* `tid` wakes `other` (urgency `its`), for `cpu` */
	TRACE_SETPRIO,	  /* `tid` changes, by inheritance, `other` from urgency `mine` to `its` */
	TRACE_FUTEX,	  /* futex(`address`, `kind` op, `value`, ..., `address2`); `other`: has the
			     lock, as its memory said meanwhile, 0: not known */
	TRACE_FUTEX_DONE, /* it returns `value`, negative: -errno */
	TRACE_FORK,	  /* `other` is a new thread or process of `tid` */
	TRACE_EXEC,	  /* `tid`'s process is another program now */
	TRACE_EXIT,	  /* the thread ends */
	/* From the preload; see enum trace_record_type. */
	TRACE_LOCK,	/* a lock waits: mutex `address`, owner `other`, `site`, `kind`; `mine` and
			   `its`: of the two by their own policy, or TRACE_URGENCY_UNKNOWN */
	TRACE_LOCKED,	/* `value` error number, 0: has it */
	TRACE_WAIT,	/* condvar `address`, mutex `address2` of `kind`, `site`; `mine` */
	TRACE_WAITED,	/* `value` error number, -1: cancelled */
	TRACE_RELEASE,	/* signal (`value` 0), broadcast (1) of condvar `address`; `site`, `mine` */
	TRACE_RELEASED, /* it returns */
	TRACE_TYPES
};

struct trace_event {
	uint64_t ns;
	uint64_t address;
	uint64_t address2;
	uint64_t site;
	uint32_t pid;
	uint32_t tid;
	uint32_t other;
	int32_t value;
	uint32_t kind;
	uint16_t cpu;
	int16_t mine; /* urgencies */
	int16_t its;
	uint16_t type;
};

/* ---- the model ---- */

#define TRACE_NAME_SIZE	 16
#define TRACE_PLACE_SIZE 160

struct trace_thread {
	uint32_t tid;
	uint32_t pid;		    /* 0: not known */
	char name[TRACE_NAME_SIZE]; /* "": not known */
	int policy;		    /* SCHED_*, its own; -1: not known */
	int urgency;		    /* its own, not inherited; TRACE_URGENCY_UNKNOWN */
	bool traced;		    /* of the traced program; else it only ran beside it */
	uint64_t first;
	uint64_t last;
};

enum trace_lock_type {
	TRACE_MUTEX,   /* known from the preload, or by how the futex was used */
	TRACE_CONDVAR, /* known from the preload */
	TRACE_WORD,    /* a futex of which nothing more is known */
};

enum trace_inherits { TRACE_INHERITS_NO, TRACE_INHERITS_YES, TRACE_INHERITS_UNKNOWN };

struct trace_lock {
	uint32_t pid;
	uint64_t address;
	enum trace_lock_type type;
	enum trace_inherits inherits; /* of a mutex */
	uint32_t kind;		      /* of a mutex, glibc's __kind, if a source told it */
	bool has_kind;		      /* one did */
	bool inferred;		      /* it seems to be what it is: by how its futex was used */
	char place[TRACE_PLACE_SIZE]; /* "the_lock (prog)"; "": see trace_lock_name() */
	bool named_by_site;	      /* `place` is the code that made it */
	uint32_t partner;	      /* of a condvar: index of its mutex, or TRACE_NO_INDEX */
	/* Sums of the waits for it. */
	uint64_t waits;
	uint64_t wait_ns;
	uint64_t inversions;
	uint64_t inversion_ns;
	uint64_t boosts;
	uint32_t longest; /* index of the longest wait, TRACE_NO_INDEX: none */
	uint32_t worst;	  /* index of the longest inversion */
};

enum trace_how {
	TRACE_HOW_LOCK,	   /* a mutex was in another thread's hands */
	TRACE_HOW_WAIT,	   /* on a condvar, until it has the mutex again */
	TRACE_HOW_RELEASE, /* in a signal or broadcast; `inner`: asleep inside of it */
	TRACE_HOW_FUTEX,   /* in the kernel, known from nothing else */
};

/* Somebody ran while a holder of the lock could have, but had no processor. */
struct trace_culprit {
	uint32_t tid;
	uint16_t cpu;
	int urgency; /* as it ran */
	uint64_t ns;
};

#define TRACE_CULPRITS 8 /* the longest ones are kept */

struct trace_wait {
	uint32_t lock; /* index */
	uint32_t tid;
	enum trace_how how;
	bool broadcast; /* of TRACE_HOW_RELEASE */
	bool open;	/* it had not ended when the trace did, or began before it */
	uint64_t since;
	uint64_t until;
	int value;	     /* error number; -1: cancelled */
	int urgency;	     /* of the waiter, its own */
	uint64_t site;	     /* code that waits; 0: not known */
	uint32_t owner;	     /* TID; 0: not known. Of a release that slept: for whom */
	int owner_urgency;   /* its own */
	bool owner_inferred; /* nobody said so: it is who woke the waiter, or was boosted */
	/*
	 * The waiter is more urgent than the owner, and the lock does not inherit. Known without
	 * the kernel's events; with them `starved` says how much of the wait it was that made.
	 */
	bool inversion;
	bool boosted;	   /* the same with a lock that inherits: the owner ran with our urgency */
	bool blamed;	   /* the next three are known: there are events of the scheduler */
	uint64_t ran;	   /* the owner ran */
	uint64_t starved;  /* it could have, but less urgent ones than the waiter ran there */
	uint64_t slept;	   /* it slept, on something else */
	uint32_t culprits; /* of `starved`, the longest first */
	struct trace_culprit culprit[TRACE_CULPRITS];
	/*
	 * The owner waited itself, for the lock of that wait: its index, the longest inside of this
	 * one; TRACE_NO_INDEX: none. What `slept` would be meanwhile is then told of that owner.
	 */
	uint32_t chain;
	uint64_t asleep; /* of TRACE_HOW_RELEASE: time in the kernel inside of it */
};

/* A thread had a processor, or could have had one. */
struct trace_slice {
	uint32_t tid;
	uint16_t cpu;
	bool running; /* false: runnable, and did not run */
	int urgency;  /* inherited included */
	uint64_t since;
	uint64_t until;
};

struct trace_boost {
	uint64_t ns;
	uint32_t by; /* TID of who came to wait, or who let go */
	uint32_t whom;
	int from;
	int to;
	uint32_t wait; /* index of the wait that made it; TRACE_NO_INDEX: none that is known */
};

/* Growing array of T. */
#define TRACE_ARRAY(T)          \
	struct {                \
		T *at;          \
		uint32_t count; \
		uint32_t room;  \
	}

struct trace_model {
	/* Told by the sources. */
	TRACE_ARRAY(struct trace_event) events;
	TRACE_ARRAY(struct trace_thread) threads; /* by TID */
	TRACE_ARRAY(struct trace_lock) locks;
	TRACE_ARRAY(uint32_t) by_address; /* indices of locks, for trace_lock() */
	bool from_kernel;		  /* events of the scheduler and of futex calls are there */
	bool from_preload;		  /* events of the preload are there */
	uint64_t lost;			  /* events that got lost on the way */
	const char *no_kernel; /* why from_kernel is false: a sentence for the report; NULL */
	const char *no_preload;
	/* Of the traced program, for the head of the report. */
	const char *command; /* as typed; "process 1234" */
	uint32_t pid;
	bool ended;
	int status; /* of wait(2), if `ended` */
	/*
	 * Of code, for trace_site_name(); NULL: none. `name_site` is trace_symbols_name(), then: a
	 * pointer, so that a test can give names of its own.
	 */
	struct trace_symbols *symbols;
	bool (*name_site)(struct trace_symbols *s, uint32_t pid, uint64_t address, bool code,
			  char place[TRACE_PLACE_SIZE]);
	/* Made by trace_model_build(). */
	uint64_t begin;
	uint64_t end;
	TRACE_ARRAY(struct trace_wait) waits;	/* by `since` */
	TRACE_ARRAY(struct trace_slice) slices; /* by thread, then by `since` */
	TRACE_ARRAY(struct trace_boost) boosts;
	uint64_t inversions; /* sum over the locks */
	uint64_t held_up;    /* signals that slept in the condvar for one who is less urgent */
};

/*
 * Memory that runs out ends the program with status 2 and a message (trace_no_memory()): there is
 * nothing to report without the model.
 */
void trace_no_memory(void) __attribute__((noreturn));

/* Room for one more at the end of @array (a TRACE_ARRAY), zeroed; returns a pointer to it. */
#define trace_append(array)                                                                        \
	(trace_grow((void **)&(array)->at, &(array)->count, &(array)->room, sizeof(*(array)->at)), \
	 &(array)->at[(array)->count - 1])
void trace_grow(void **at, uint32_t *count, uint32_t *room, size_t size);

/* ---- trace_model.c: for the sources ---- */

void trace_model_init(struct trace_model *m);
void trace_model_free(struct trace_model *m);
void trace_add(struct trace_model *m, const struct trace_event *e);
/* The thread, made if it is new. A pointer until the next is made. */
struct trace_thread *trace_thread(struct trace_model *m, uint32_t tid);
/* The lock, made if it is new, as TRACE_WORD that inherits TRACE_INHERITS_UNKNOWN. */
struct trace_lock *trace_lock(struct trace_model *m, uint32_t pid, uint64_t address);
/* Its name is @name from now on; "" is no name and changes nothing. */
void trace_name_thread(struct trace_model *m, uint32_t tid, const char *name);
void trace_name_lock(struct trace_model *m, uint32_t pid, uint64_t address, const char *place,
		     bool by_site);

/* ---- trace_model.c, trace_blame.c: all sources are done ---- */

/* Sort, and make waits, slices, boosts and sums. Once. */
void trace_model_build(struct trace_model *m);

/* ---- for the outputs ---- */

/* NULL: not known. */
const struct trace_thread *trace_find_thread(const struct trace_model *m, uint32_t tid);
/* "controller[32504] FIFO 10", "logger[32503]", "[32503]". Returns @text. */
#define TRACE_PERSON_SIZE 64
const char *trace_person(const struct trace_model *m, uint32_t tid, char text[TRACE_PERSON_SIZE]);
/* The same without the priority. */
const char *trace_thread_name(const struct trace_model *m, uint32_t tid,
			      char text[TRACE_PERSON_SIZE]);
/* "the_lock (p)", "made by main+0x12 (p)", "0x7f0012345678". Returns @text. */
const char *trace_lock_name(const struct trace_lock *lock, char text[TRACE_PLACE_SIZE]);
/* "take_sample+0x12 (p)"; "0x5612..." where no file is known. Returns @text. */
const char *trace_site_name(const struct trace_model *m, uint32_t pid, uint64_t site,
			    char text[TRACE_PLACE_SIZE]);
/* "12.3 us", "4.10 ms", "1.20 s". Returns @text. */
#define TRACE_TIME_SIZE 24
const char *trace_time(uint64_t ns, char text[TRACE_TIME_SIZE]);

/* ---- outputs; each returns 0, or -1 and errno ---- */

int trace_write_text(const struct trace_model *m, FILE *out);
int trace_write_json(const struct trace_model *m, FILE *out);	/* `rqpi trace --json` */
int trace_write_chrome(const struct trace_model *m, FILE *out); /* Chrome's trace event format */
int trace_write_html(const struct trace_model *m, FILE *out);

/* ---- sources ---- */

/*
 * trace_kernel.c. start() asks the kernel for events of process @pid (its threads, and what it
 * starts) and of the scheduler; NULL: it cannot be had, and @why (256 bytes) says why not and what
 * to do. drain() takes over what has come so far, and must be called every some ten milliseconds:
 * it also reads what the mapped files are called as long as the processes are there. stop() takes
 * the rest, and leaves tracefs as it was found.
 */
struct trace_kernel;
struct trace_kernel *trace_kernel_start(uint32_t pid, uint32_t buffer_kb, char why[256]);
void trace_kernel_drain(struct trace_kernel *k, struct trace_model *m);
void trace_kernel_stop(struct trace_kernel *k, struct trace_model *m);

/*
 * trace_preload.c. make() makes the file for @slots records, whose path is at @path (PATH_MAX
 * bytes) and goes into RQPI_TRACE; attach() finds that of a process which was started with `rqpi
 * run --traceable`. NULL: @why says why not. take() moves the records over once the program has
 * ended or is to be left alone, and close() removes the file if make() made it.
 */
struct trace_preload;
struct trace_preload *trace_preload_make(uint32_t slots, char *path, char why[256]);
struct trace_preload *trace_preload_attach(uint32_t pid, char why[256]);
void trace_preload_enable(struct trace_preload *p, bool on);
/*
 * To be called every some ten milliseconds, from the start of the program on and without a kernel
 * source, too: it reads what the mapped files are called of the processes that have come. True: one
 * has come.
 */
bool trace_preload_drain(struct trace_preload *p, struct trace_model *m);
void trace_preload_take(struct trace_preload *p, struct trace_model *m);
void trace_preload_close(struct trace_preload *p);

/*
 * trace_symbol.c: what addresses are called, from /proc/PID/maps and the symbols of the files
 * there. look() reads the maps of @pid again, as long as it is there; name() works later as well.
 * Returns false if the address was in no file that is known (heap, stack).
 */
struct trace_symbols;
struct trace_symbols *trace_symbols_new(void);
void trace_symbols_look(struct trace_symbols *s, uint32_t pid);
bool trace_symbols_knows(const struct trace_symbols *s, uint32_t pid, uint64_t address);
bool trace_symbols_name(struct trace_symbols *s, uint32_t pid, uint64_t address, bool code,
			char place[TRACE_PLACE_SIZE]);
/* What the process itself has told: for one that was gone before anybody looked. */
void trace_symbols_tell(struct trace_symbols *s, uint32_t pid, uint64_t address, const char *place);
void trace_symbols_free(struct trace_symbols *s);

#endif /* RQPI_TRACE_H */
