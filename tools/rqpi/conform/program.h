/* SPDX-License-Identifier: MIT */
/*
 * program.h - a program of futex operations: memory, words, tasks, and steps, each with what is to
 * be seen after it. What the members mean is said in conform/FORMAT.md, in the same words.
 *
 * Made by load*.c from a file of vectors or by random.c; played by play.c; judged by judge.c;
 * printed by show.c. Everything in it is owned by the program: conform_program_free().
 */
#ifndef RQPI_CONFORM_PROGRAM_H
#define RQPI_CONFORM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "lane.h"

enum {
	CONFORM_NAME = 48,	/* bytes of a name, the last is 0 */
	CONFORM_RULES = 16,	/* rules of one vector */
	CONFORM_SLOT = 1 << 16, /* bytes of a page at most, and from a word to its list entry */
};

#define CONFORM_W   0x80000000u /* FUTEX_WAITERS */
#define CONFORM_OD  0x40000000u /* FUTEX_OWNER_DIED */
#define CONFORM_TID 0x3fffffffu /* FUTEX_TID_MASK */

enum conform_memory { CONFORM_PRIVATE, CONFORM_SHARED, CONFORM_FILE };
enum conform_access { CONFORM_NO_ACCESS, CONFORM_READ, CONFORM_WRITE };

struct conform_page {
	char name[CONFORM_NAME];
	enum conform_memory memory;
	int same_as; /* another mapping of that page, or -1 */
	enum conform_access access;
	enum conform_access list_access; /* of the memory with the robust list entries */
};

enum conform_value_kind {
	CONFORM_NUMBER,	 /* number */
	CONFORM_OWNED,	 /* TID of task, with the flags in number */
	CONFORM_NOBODY,	 /* a TID that no thread has, with the flags in number */
	CONFORM_KTHREAD, /* the TID of a thread of the kernel */
	CONFORM_CURRENT, /* what word holds when the step begins (random programs) */
};

struct conform_value {
	enum conform_value_kind kind;
	int task, word;
	uint32_t number;
};

struct conform_word {
	char name[CONFORM_NAME];
	int page;
	unsigned offset;
	struct conform_value init;
};

enum conform_cpu { CONFORM_CPU_WORK, CONFORM_CPU_FREE, CONFORM_CPU_ANY };

struct conform_task {
	char name[CONFORM_NAME];
	struct conform_sched sched;
	enum conform_cpu cpu;
	int process; /* 0 is the first, whose words are looked at */
};

enum conform_address_kind {
	CONFORM_AT_NULL,
	CONFORM_AT_WORD,
	CONFORM_AT_KERNEL,   /* outside of the range of user addresses */
	CONFORM_AT_UNMAPPED, /* inside, but nothing is there */
};

struct conform_address {
	enum conform_address_kind kind;
	int word;
	long offset;
};

enum conform_time_kind {
	CONFORM_FOREVER,   /* a NULL pointer */
	CONFORM_RELATIVE,  /* us */
	CONFORM_MONOTONIC, /* us after the step begins, as a time of that clock */
	CONFORM_REALTIME,
	CONFORM_RAW,	 /* sec and nsec as they are */
	CONFORM_POINTER, /* a bad address */
};

struct conform_time {
	enum conform_time_kind kind;
	long us;
	int64_t sec, nsec;
	struct conform_address at;
};

struct conform_call {
	int op; /* with its flags, as futex(2) takes it */
	struct conform_address uaddr, uaddr2;
	struct conform_value val, val3;
	struct conform_time timeout;
	bool has_val2; /* the fourth argument is val2 and not timeout */
	int64_t val2;
};

struct conform_entry {
	struct conform_address at;
	bool pi;
};

enum conform_what {
	/* by a task, which must be idle */
	CONFORM_CALL,
	CONFORM_STORE,	    /* value into word */
	CONFORM_CAS,	    /* the same if it holds old; result 1 or 0 */
	CONFORM_ROBUST,	    /* announce entries and pending */
	CONFORM_SET_ROBUST, /* set_robust_list(2) with a length; a call */
	CONFORM_GET_ROBUST, /* get_robust_list(2); a call */
	CONFORM_PROTECT,    /* mprotect(2) of page to access */
	CONFORM_EXIT,	    /* the task ends */
	CONFORM_EXEC,	    /* its process executes another program */
	/* from outside */
	CONFORM_SIGNAL, /* to task */
	CONFORM_STOP,	/* task's process is stopped and continued */
	CONFORM_KILL,	/* task's process */
	CONFORM_SCHED,	/* of task becomes sched */
	CONFORM_EXPIRE, /* the time of task's call passes */
	CONFORM_SLEEP,	/* time passes */
	CONFORM_HOG,	/* the CPU "work" has or has no time for any task */
	CONFORM_WHAT_COUNT,
};

enum conform_signal { CONFORM_INTERRUPTS, CONFORM_RESTARTS, CONFORM_IGNORED };

/* What one task shall be seen doing. */
struct conform_want {
	bool returns;
	long result;
	bool blocked, ready;
	bool check_priority;
	int priority; /* as in /proc/PID/stat, field 18 */
	int handled;  /* handler calls since the step before, or -1 */
};

struct conform_expect {
	struct conform_want *tasks; /* one for each task */
	struct conform_value *words;
	bool *check_word;
};

struct conform_step {
	enum conform_what what;
	int task, word, page;
	struct conform_call call;
	struct conform_value value, old;
	struct conform_sched sched;
	enum conform_access access;
	enum conform_signal signal;
	struct conform_entry *entries;
	int entry_count;
	bool has_pending;
	struct conform_entry pending;
	long number;	/* length, us, on or off */
	bool with_next; /* begin the next one at the same moment, look only after it */
	struct conform_expect *expect; /* any of these */
	int expect_count;	       /* 0: not looked at */
};

struct conform_program {
	char name[CONFORM_NAME];
	char *title, *file;
	char rules[CONFORM_RULES][16];
	int rule_count;
	struct conform_span kernels[CONFORM_SPANS]; /* holds on these */
	int kernel_count;			    /* 0: on all */
	bool unsafe; /* runs into CVE-2026-43499 on a kernel that has it */
	bool random; /* steps of tasks that are busy are left out, every step is looked at */
	int repeat;
	struct conform_page *pages;
	struct conform_word *words;
	struct conform_task *tasks;
	struct conform_step *steps;
	int page_count, word_count, task_count, step_count, process_count;
};

/* Append one zeroed element; the arrays may move. Ends the program when memory is exhausted. */
struct conform_page *conform_add_page(struct conform_program *p, const char *name);
struct conform_word *conform_add_word(struct conform_program *p, const char *name);
struct conform_task *conform_add_task(struct conform_program *p, const char *name);
struct conform_step *conform_add_step(struct conform_program *p, enum conform_what what);
struct conform_expect *conform_add_expect(struct conform_program *p, struct conform_step *step);
void *conform_grow(void *array, int count, size_t size);
char *conform_copy_text(const char *text);
void conform_program_free(struct conform_program *p);

/* What a lane or this machine must have for @p: enum conform_feature. */
unsigned conform_features(const struct conform_program *p);
bool conform_uses(const struct conform_program *p, enum conform_what what);
/* Does a task have or get more than an ordinary user may give it? */
bool conform_needs_realtime(const struct conform_program *p);

/* load.c: a file of vectors. Returns how many were appended to @list, or -1 after a message. */
int conform_load_file(const char *path, struct conform_program **list, int *count);

/* Names: ops, errno, policies. A lookup by name returns -1 for what is not there. */
int conform_op_by_name(const char *name);
const char *conform_op_name(int op); /* without flags; NULL: none */
bool conform_op_takes_timeout(int op);
bool conform_op_takes_val2(int op);
long conform_result_by_name(const char *name); /* "EAGAIN": -EAGAIN; 0: no such name */
const char *conform_errno_name(long result);
int conform_policy_by_name(const char *name);
const char *conform_policy_name(int policy);
const char *conform_what_name(enum conform_what what);

#endif /* RQPI_CONFORM_PROGRAM_H */
