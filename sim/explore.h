/* SPDX-License-Identifier: MIT */
/* explore.h - the orders in which the states of a scenario are visited, and what came of it. */
#ifndef RQS_EXPLORE_H
#define RQS_EXPLORE_H

#include "sim/scenario.h"
#include "sim/visited.h"
#include "sim/world.h"

enum rqs_mode {
	RQS_DFS,	  /* depth first: the least memory */
	RQS_DFS_REVERSED, /* the same, the last choice first: must find the same states */
	RQS_BFS,	  /* breadth first: the shortest path to a violation */
	RQS_UP,		  /* depth first on one CPU: is there a way to go in circles? */
	RQS_RANDOM,	  /* one path after the other, each choice by lot */
	RQS_PCT,	  /* one path after the other, each with priorities by lot */
	RQS_MODES
};

static inline bool rqs_by_lot(enum rqs_mode mode)
{
	return mode == RQS_RANDOM || mode == RQS_PCT;
}

struct rqs_result;
struct rqs_limits {
	uint64_t executions;	  /* by lot; 0: no limit */
	double seconds;		  /* 0: no limit */
	size_t memory;		  /* bytes for the table and the snapshots */
	uint64_t seed;		  /* by lot */
	int depth;		  /* RQS_PCT: of the bugs that are looked for, from 1 */
	int preemptions;	  /* RQS_DFS, RQS_DFS_REVERSED: so many at most; -1: any number */
	volatile const int *stop; /* not 0: somebody wants a report now */
	/* Called now and then; may be NULL. */
	void (*progress)(const struct rqs_limits *limits, const struct rqs_result *result);
};

struct rqs_path {
	struct rqs_choice *choice;
	size_t count;
	size_t room;
	bool no_end; /* what is wrong is that from there no end can be reached */
};

struct rqs_result {
	uint64_t states;
	uint64_t transitions;
	uint64_t terminals;  /* states in which nothing can happen any more */
	uint64_t executions; /* by lot */
	size_t depth;	     /* of the deepest state */
	int preemptions;     /* on no path more than so many were tried; -1: any number */
	const struct rqs_visited *visited; /* during the visit */
	bool complete;			   /* every state that can be reached was visited */
	const char *stopped;		   /* what stopped it, if it is not complete */
	double seconds;
	struct rqs_violation violation;
	struct rqs_path path; /* to the violation; the caller frees path.choice */
};

/* result->stopped, if more preemptions are all that there would have been. */
extern const char rqs_stopped_by_bound[];

/* False: the machine could not begin, see @result->violation. */
bool rqs_explore(const struct rqs_scenario *scenario, enum rqs_mode mode,
		 const struct rqs_limits *limits, struct rqs_result *result);

/* ---------------------------------------------------------------- for the explorers */

/* A visit of all states. */
struct rqs_visit {
	const struct rqs_scenario *scenario;
	const struct rqs_limits *limits;
	struct rqs_result *result;
	struct rqs_visited visited;
};

/* The state there is now: what may happen in it, and its number in the table. */
struct rqs_here {
	struct rqs_choice choice[RQS_CHOICES];
	int count;
	uint32_t *number;
};

/* Seen before; new; new, and nothing can happen any more; a violation; the table is full. */
enum rqs_arrival { RQS_SEEN_BEFORE, RQS_SEEN_FIRST, RQS_AT_END, RQS_WRONG, RQS_NO_ROOM };

/* A visit begins, in the state there is now: rqs_arrive(). */
enum rqs_arrival rqs_visit_begin(struct rqs_visit *visit, struct rqs_here *here);

void rqs_visit_end(struct rqs_visit *visit);

/*
 * The state there is now, after a step: a new one is counted and judged. With RQS_NO_ROOM
 * result->stopped says so.
 */
enum rqs_arrival rqs_arrive(struct rqs_visit *visit, struct rqs_here *here);

/* An array that grows: @old or what takes its place, with room for @needed. NULL: no memory. */
void *rqs_more(void *old, size_t *room, size_t needed, size_t size);

void rqs_path_add(struct rqs_path *path, struct rqs_choice choice);

/*
 * Judge the state that was just reached: the invariants of the engine; and if @choices is 0, that
 * it is a good end. False: a violation.
 */
bool rqs_judge(const struct rqs_scenario *scenario, int choices);

/*
 * Leave out what only the engine can see of itself, its invariants and what it has left behind: the
 * path goes on to what the program sees.
 */
extern bool rqs_end_to_end;

/* The first invariant of the engine that does not hold, in words. False: all do, as far as they can
 * be looked at now. */
bool rqs_broken_invariant(const struct rqs_scenario *scenario,
			  char text[sizeof(rqs_violation.text)]);

/*
 * Is a task that waits for no lock still among those from which somebody inherits? Who, in words.
 */
bool rqs_is_still_marked(char *text, size_t size);

/* Shall it stop, with result->stopped set? Cheap enough for every transition. */
bool rqs_look(const struct rqs_limits *limits, struct rqs_result *result);
static inline bool rqs_enough(const struct rqs_limits *limits, struct rqs_result *result)
{
	enum { LOOK_EVERY = 4096 };

	return result->transitions % LOOK_EVERY == 0 && rqs_look(limits, result);
}

/* On one CPU the path has come back to a state that it has been in. */
void rqs_fail_livelock(void);

/* From the state there is now no end can be reached. */
void rqs_fail_no_end(void);

/*
 * Look for an end from the state there is now, which stays. False: there is none, or it took more
 * than a replay may.
 */
bool rqs_can_end(void);

/* The violation there is, and the path to it. */
void rqs_found(struct rqs_result *result, const struct rqs_path *path);

void rqs_explore_dfs(const struct rqs_scenario *s, bool reversed, const struct rqs_limits *limits,
		     struct rqs_result *result);
void rqs_explore_bfs(const struct rqs_scenario *s, const struct rqs_limits *limits,
		     struct rqs_result *result);
void rqs_explore_by_lot(const struct rqs_scenario *s, enum rqs_mode mode,
			const struct rqs_limits *limits, struct rqs_result *result);

double rqs_seconds(void);

#endif /* RQS_EXPLORE_H */
