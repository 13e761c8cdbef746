/* SPDX-License-Identifier: MIT */
/* explore.h - the orders in which the states of a scenario are visited, and what came of it. */
#ifndef RQS_EXPLORE_H
#define RQS_EXPLORE_H

#include "sim/scenario.h"
#include "sim/world.h"

enum rqs_mode {
	RQS_DFS,	  /* depth first: the least memory */
	RQS_DFS_REVERSED, /* the same, the last choice first: must find the same states */
	RQS_BFS,	  /* breadth first: the shortest path to a violation */
	RQS_UP,		  /* depth first on one CPU: is there a way to go in circles? */
	RQS_RANDOM,	  /* one path after the other, each choice by lot */
};

struct rqs_limits {
	uint64_t executions;	  /* RQS_RANDOM; 0: no limit */
	double seconds;		  /* 0: no limit */
	size_t memory;		  /* bytes for the table and the snapshots */
	uint64_t seed;		  /* RQS_RANDOM */
	volatile const int *stop; /* not 0: somebody wants a report now */
};

struct rqs_path {
	struct rqs_choice *choice;
	size_t count;
	size_t room;
};

struct rqs_result {
	uint64_t states;
	uint64_t transitions;
	uint64_t terminals;  /* states in which nothing can happen any more */
	uint64_t executions; /* RQS_RANDOM */
	size_t depth;	     /* of the deepest state */
	bool complete;	     /* every state that can be reached was visited */
	const char *stopped; /* what stopped it, if it is not complete */
	double seconds;
	struct rqs_violation violation;
	struct rqs_path path; /* to the violation; the caller frees path.choice */
};

/* False: the machine could not begin, see @result->violation. */
bool rqs_explore(const struct rqs_scenario *scenario, enum rqs_mode mode,
		 const struct rqs_limits *limits, struct rqs_result *result);

/* ---------------------------------------------------------------- for the explorers */

/* What has been seen. */
struct rqs_visited {
	struct rqs_hash *slot; /* a and b 0: empty */
	size_t slots;	       /* a power of two */
	size_t count;
	size_t memory; /* may grow to so many bytes */
};

enum rqs_seen { RQS_NEW, RQS_OLD, RQS_FULL };

bool rqs_visited_init(struct rqs_visited *v, size_t memory);
void rqs_visited_fini(struct rqs_visited *v);
enum rqs_seen rqs_visited_add(struct rqs_visited *v, struct rqs_hash h);

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
bool rqs_enough(const struct rqs_limits *limits, struct rqs_result *result);

/* On one CPU the path has come back to a state that it has been in. */
void rqs_fail_livelock(void);

/* The violation there is, and the path to it: @path, then @last. */
void rqs_found(struct rqs_result *result, const struct rqs_path *path, struct rqs_choice last);

void rqs_explore_dfs(const struct rqs_scenario *s, bool reversed, const struct rqs_limits *limits,
		     struct rqs_result *result);
void rqs_explore_bfs(const struct rqs_scenario *s, const struct rqs_limits *limits,
		     struct rqs_result *result);
void rqs_explore_random(const struct rqs_scenario *s, const struct rqs_limits *limits,
			struct rqs_result *result);

double rqs_seconds(void);

#endif /* RQS_EXPLORE_H */
