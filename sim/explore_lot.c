/* SPDX-License-Identifier: MIT */
/*
 * explore_lot.c - one path after the other, by lot: no memory, no claim to have seen all, and the
 * only way for what has too many states.
 *
 * Called by explore.c. Every path goes to its end, and every state on it is judged. Two ways to
 * draw lots: each choice (random), or priorities for a whole path, which change at a few moments
 * (PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs, 2010). With the second a bug that needs d events in a certain order
 * is found with a chance of at least 1 in 2 n k^(d-1) on each path, n tasks and k steps.
 */
#include "sim/explore.h"

#include <stdlib.h>

enum { SOURCES = RQS_TASKS * RQS_KINDS, PATIENCE = 16, FIRST_GUESS = 64 };

struct lot {
	const struct rqs_scenario *scenario;
	const struct rqs_limits *limits;
	struct rqs_result *result;
	struct rqs_path path;
	uint64_t random;
	bool pct;
	/* PCT; priorities: the greatest first. */
	size_t longest;		    /* path so far */
	uint64_t priority[SOURCES]; /* of each task and of all that may come for it */
	size_t moment[SOURCES];	    /* from which step on what comes from outside is urgent */
	size_t *change;		    /* the steps after which the task that runs becomes the last */
	uint64_t lowest;
};

static uint64_t draw(struct lot *lot, uint64_t below)
{
	uint64_t z = (lot->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint64_t)((unsigned __int128)z * below >> 64);
}

/* ---------------------------------------------------------------- PCT */

static size_t source_of(struct rqs_choice choice)
{
	return (size_t)choice.task * RQS_KINDS + choice.kind;
}

static int changes(const struct lot *lot)
{
	return lot->limits->depth - 1;
}

/*
 * Lots for a path: a priority for each task, above those of the changes; the steps of the changes;
 * and when what comes from outside does, which may be later than the end. How long the path will be
 * is not known: where tasks wait for each other it is several times what it is where they do not.
 * Half of the paths are taken to be as long as the longest one was.
 */
static void draw_priorities(struct lot *lot)
{
	uint64_t longest = lot->longest ? lot->longest : FIRST_GUESS;
	uint64_t steps = draw(lot, 2) ? longest : 1 + draw(lot, longest);

	for (size_t i = 0; i < SOURCES; i++) {
		lot->priority[i] = (uint64_t)changes(lot) + 1 + draw(lot, UINT32_MAX);
		lot->moment[i] = draw(lot, 2 * steps);
	}
	for (int i = 0; i < changes(lot); i++)
		lot->change[i] = draw(lot, steps);
	lot->lowest = (uint64_t)changes(lot);
}

/* How urgent is @choice now? What comes from outside waits for its moment, and comes then. */
static uint64_t urgency(const struct lot *lot, struct rqs_choice choice)
{
	size_t source = source_of(choice);

	if (choice.kind == RQS_RUN)
		return lot->priority[source];
	return lot->path.count >= lot->moment[source] ? UINT64_MAX : 0;
}

static int most_urgent(struct lot *lot, const struct rqs_choice *list, int count)
{
	int best = 0;

	for (int i = 1; i < count; i++) {
		if (urgency(lot, list[i]) > urgency(lot, list[best]))
			best = i;
	}
	for (int i = 0; i < changes(lot); i++) {
		if (lot->change[i] == lot->path.count && list[best].kind == RQS_RUN)
			lot->priority[source_of(list[best])] = lot->lowest--;
	}
	return best;
}

/* ---------------------------------------------------------------- paths */

/*
 * Any choice is as likely as another in one execution of STAYS; in the others a task that could
 * go on does so, but for one time in 2, 4 and so on: where everybody takes turns nobody is far
 * behind.
 */
static int any_of(struct lot *lot, const struct rqs_choice *list, int count)
{
	enum { STAYS = 6 };
	uint64_t leave = (uint64_t)1 << lot->result->executions % STAYS;

	if (lot->path.count && leave > 1 && draw(lot, leave)) {
		for (int i = 0; i < count; i++) {
			if (rqs_same_choice(list[i], lot->path.choice[lot->path.count - 1]))
				return i;
		}
	}
	return (int)draw(lot, (uint64_t)count);
}

/*
 * Which of @count choices? A task that tries again and again until another one goes on would do so
 * for ever, were it the most urgent: a path that is much too long goes on in turns.
 */
static int choose(struct lot *lot, const struct rqs_choice *list, int count)
{
	if (lot->pct && lot->path.count < PATIENCE * (lot->longest + FIRST_GUESS))
		return most_urgent(lot, list, count);
	if (lot->pct)
		return (int)draw(lot, (uint64_t)count);
	return any_of(lot, list, count);
}

/* False: a violation, or enough. */
static bool play(struct lot *lot)
{
	struct rqs_choice list[RQS_CHOICES];
	int count = rqs_choices(list);

	lot->path.count = 0;
	if (lot->pct)
		draw_priorities(lot);
	while (count > 0) {
		struct rqs_choice choice = list[choose(lot, list, count)];
		bool good;

		lot->result->transitions++;
		rqs_path_add(&lot->path, choice);
		good = rqs_take(choice);
		count = rqs_choices(list);
		if (!good || !rqs_judge(lot->scenario, count)) {
			rqs_found(lot->result, &lot->path);
			return false;
		}
		if (rqs_enough(lot->limits, lot->result))
			return false;
	}
	if (lot->path.count > lot->longest)
		lot->longest = lot->path.count;
	lot->result->depth = lot->longest;
	return true;
}

void rqs_explore_by_lot(const struct rqs_scenario *scenario, enum rqs_mode mode,
			const struct rqs_limits *limits, struct rqs_result *result)
{
	struct lot lot = {
	    .scenario = scenario,
	    .limits = limits,
	    .result = result,
	    .random = limits->seed,
	    .pct = mode == RQS_PCT,
	    .change = malloc((size_t)limits->depth * sizeof(*lot.change)),
	};
	char *begin = malloc(rqs_state_bytes());

	if (begin && lot.change) {
		rqs_state_save(begin);
		while (!limits->executions || result->executions < limits->executions) {
			if (result->executions)
				rqs_state_restore(begin);
			if (!play(&lot))
				break;
			result->executions++;
		}
	} else {
		result->stopped = "the memory for snapshots";
	}
	free(lot.path.choice);
	free(lot.change);
	free(begin);
}
