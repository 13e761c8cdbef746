/* SPDX-License-Identifier: MIT */
/*
 * shim_stats.h - what --observe and --stats remember: a row for each lock that somebody waited for.
 *
 * All of it lies in memory that is mapped once, of fixed size: nothing here takes a lock, allocates
 * or waits. Counters are exact. What is more than one word (who waited longest) is written under a
 * sequence count, by whoever finds it even, and read again if it changed meanwhile.
 *
 * A row is found by the lock's address and belongs to one life of it: destroy ends it, and the next
 * lock there has another, or the same once more if it is made in the same place of the program. A
 * std::mutex is made and destroyed without a call, so that its lives cannot be told apart.
 */
#ifndef RQU_SHIM_STATS_H
#define RQU_SHIM_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/shim/shim_os.h"

#define SHIM_ROWS_USUAL 4096
#define SHIM_ROWS_MAX	65536
#define SHIM_SEATS	1024 /* threads waiting at the same time */

struct shim_person {
	uint32_t tid; /* 0: not known */
	int16_t policy;
	int16_t priority;
	char name[SHIM_NAME_SIZE];
};

/* The most remarkable wait of its kind. */
struct shim_record {
	uint32_t seq; /* odd: being written */
	uint64_t ns;
	struct shim_person waiter;
	struct shim_person other; /* who held the mutex; who went on first */
};

struct shim_row {
	uint64_t key;	/* the address; bit 0: a condvar. 0: the row is free */
	uint32_t ended; /* destroyed, or made anew by other code */
	uint32_t lives;
	uint64_t site;	  /* code that made it, or used it first */
	uint32_t made;	  /* `site` made it */
	uint32_t kind;	  /* a mutex's, as it was when somebody last waited */
	uint32_t left;	  /* by --force-pi to libc: 1 + enum shim_left; 0: it is not */
	uint64_t partner; /* the mutex that a condvar was last used with */
	uint64_t waits;
	uint64_t timeouts;
	uint64_t cancelled;
	uint64_t wait_ns;
	uint64_t longest_ns;
	uint64_t inversions; /* of a condvar: wakes out of order */
	uint64_t inversion_ns;
	uint64_t worst_ns;
	uint64_t boosts;
	uint64_t signals;
	uint64_t broadcasts;
	uint64_t met_nobody;	  /* signals and broadcasts */
	uint64_t with_mutex_held; /* of those that met somebody */
	uint64_t crowd;		  /* of a condvar: who is inside, see shim_watch_cond.c */
	uint32_t calm;
	uint32_t traced; /* the trace in which it is to be named (shim_trace.h) */
	struct shim_record longest;
	struct shim_record worst; /* inversion or boost; of a condvar: the overtaken */
};

/* A thread that waits now. */
struct shim_seat {
	uint64_t row; /* its address; 0: free; 1: being filled in */
	uint32_t tid;
	uint32_t owner; /* of the mutex, when the wait began */
	int32_t urgency;
	uint32_t number; /* of a condvar: waits are numbered there */
	uint64_t since;
};

struct shim_table {
	uint32_t rows;	     /* a power of two */
	uint32_t seats_used; /* those beyond have never been taken */
	uint64_t unseated;   /* waits for which there was no seat */
	struct shim_seat seats[SHIM_SEATS];
	/* Waits for locks that found no row are counted in the last one, row[rows]. */
	struct shim_row row[];
};

extern struct shim_table *shim_table; /* NULL: nobody is watching */

/* Make it, for @rows locks. False: no memory. */
bool shim_stats_start(uint32_t rows);
/* A forked child has not done what its parent did. */
void shim_stats_forget(void);

static inline uint64_t shim_key(const void *lock, bool cond)
{
	return (uint64_t)(uintptr_t)lock | cond;
}

/* Code at @site initialises a mutex, or uses the lock for the first time. */
void shim_stats_made(const void *mutex, const void *site);
/* Its row, a new one if need be. */
struct shim_row *shim_stats_row(uint64_t key, const void *site);
/* It is the row of all the locks for which there was no row. */
bool shim_stats_is_shared(const struct shim_row *row);
/* It is destroyed. */
void shim_stats_end(uint64_t key);

/* The site that shim_stats_made() was told last; 0: not known. */
uint64_t shim_stats_site(const void *mutex);

/* A seat for the caller; NULL: none is left. Filled in by it, then shim_stats_sit(). */
struct shim_seat *shim_stats_seat(void);
void shim_stats_sit(struct shim_seat *seat, struct shim_row *row);
void shim_stats_stand_up(struct shim_seat *seat);

/* How urgent: 0 without a real-time policy, INT_MAX if not known. @tid 0: the caller. */
int shim_urgency_of(uint32_t tid);
/* Its name now, and if it is gone as it was last seen; see shim_stats_see(). */
void shim_stats_person(struct shim_person *p, uint32_t tid);
/* Remember the name of @tid, which may be gone when it is wanted. */
void shim_stats_see(uint32_t tid);

/* Make @ns the maximum of *@max. True: it is. */
bool shim_stats_max(uint64_t *max, uint64_t ns);
/* The new longest one. */
void shim_stats_record(struct shim_record *r, uint64_t ns, uint32_t waiter, uint32_t other);
/* A copy of it. False: there is none. */
bool shim_stats_recorded(struct shim_record *r, struct shim_record *copy);

uint64_t shim_stats_now(void);

#endif /* RQU_SHIM_STATS_H */
