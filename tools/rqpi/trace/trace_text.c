/* SPDX-License-Identifier: MIT */
/*
 * trace_text.c - the report of `rqpi trace` in words: who waited how long for which lock, held by
 * whom, while who ran; and what to do. Called by cmd_trace.c.
 *
 * First what is bad: inversions, of each lock its longest, then signals that slept inside of their
 * condvar; then the locks as `--stats` tells them (docs/preload.md, whose words these are); last
 * what is missing, and what cannot be said therefore. "It seems" stands where something was
 * concluded that nobody said.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "trace_build.h"
#include "trace_report.h"

enum { MOST = 20, MOST_WORDS = 5, MOST_CHAIN = 4 };

struct teller {
	const struct trace_model *m;
	FILE *out;
	/* What trace_person() and its like write to; one for each use in a line. */
	char who[TRACE_PERSON_SIZE];
	char whom[TRACE_PERSON_SIZE];
	char lock[TRACE_PLACE_SIZE];
	char site[TRACE_PLACE_SIZE];
	char time[TRACE_TIME_SIZE];
	char time2[TRACE_TIME_SIZE];
	char time3[TRACE_TIME_SIZE];
};

static const char *name_lock(struct teller *t, uint32_t lock)
{
	return trace_lock_name(&t->m->locks.at[lock], t->lock);
}

/* ", in take_sample+0x12 (prog)" */
static void tell_site(struct teller *t, const struct trace_wait *w)
{
	if (w->site)
		fprintf(t->out, ", in %s",
			trace_site_name(t->m, t->m->locks.at[w->lock].pid, w->site, t->site));
}

static void tell_advice(struct teller *t, const struct trace_wait *w)
{
	trace_advice advice;
	int count = trace_advise(t->m, w, advice);

	fputs("    what to do: ", t->out);
	for (int i = 0; i < count; i++)
		fprintf(t->out, "%s%s", i == 0 ? "" : i == count - 1 ? ", or " : ", ", advice[i]);
	fputc('\n', t->out);
}

static void tell_more(struct teller *t, uint32_t count, uint32_t told, const char *what)
{
	if (count > told)
		fprintf(t->out, "and %" PRIu32 " %s more; --json has all\n", count - told, what);
}

/* ---- head ---- */

static void tell_status(struct teller *t)
{
	const struct trace_model *m = t->m;

	if (!m->ended)
		return;
	if (WIFSIGNALED(m->status))
		fprintf(t->out, "; killed by signal %d (%s)", WTERMSIG(m->status),
			strsignal(WTERMSIG(m->status)));
	else if (WEXITSTATUS(m->status))
		fprintf(t->out, "; ended with status %d", WEXITSTATUS(m->status));
}

static void tell_head(struct teller *t)
{
	const struct trace_model *m = t->m;
	uint32_t threads = 0;

	for (uint32_t i = 0; i < m->threads.count; i++)
		threads += m->threads.at[i].traced;
	fprintf(t->out, "rqpi trace: %s", m->command ? m->command : "a program");
	if (m->pid && !(m->command && !strncmp(m->command, "process ", 8)))
		fprintf(t->out, " (pid %" PRIu32 ")", m->pid);
	fprintf(t->out, ", %s, %" PRIu32 " thread%s; %s", trace_time(m->end - m->begin, t->time),
		threads, threads == 1 ? "" : "s",
		m->from_kernel && m->from_preload ? "kernel events and the preload's probes"
		: m->from_kernel		  ? "kernel events alone"
		: m->from_preload		  ? "the preload's probes alone"
				  : "neither kernel events nor the preload's probes");
	tell_status(t);
	fputc('\n', t->out);
}

/* ---- inversions ---- */

/* "indexer[4714] FIFO 20 ran on CPU 0 (19.8 ms)", as it ran: a boost counts. */
static void tell_culprits(struct teller *t, const struct trace_wait *w)
{
	for (uint32_t i = 0; i < w->culprits; i++) {
		const struct trace_culprit *c = &w->culprit[i];
		const struct trace_thread *thread = trace_find_thread(t->m, c->tid);

		/* Below a hundredth: what runs for a moment between two others. */
		if (i > 0 && c->ns < w->starved / 100)
			break;
		fprintf(t->out, "        %s", trace_person(t->m, c->tid, t->who));
		if (thread && thread->urgency != c->urgency &&
		    thread->urgency != TRACE_URGENCY_UNKNOWN)
			fprintf(t->out, ", at priority %d,", c->urgency);
		fprintf(t->out, " ran on CPU %u (%s)\n", c->cpu, trace_time(c->ns, t->time));
	}
}

static const char *held(const struct trace_wait *w)
{
	if (w->how == TRACE_HOW_RELEASE)
		return "held up, it seems, by";
	return w->owner_inferred ? "held, it seems, by" : "held by";
}

/* What the owner did. Where there are no events of the scheduler, nothing can be said. */
static void tell_owner(struct teller *t, const struct trace_wait *w)
{
	fprintf(t->out, "    %s %s", held(w), trace_person(t->m, w->owner, t->who));
	if (!w->blamed) {
		fputc('\n', t->out);
		return;
	}
	fprintf(t->out, ", which ran %s of it", trace_time(w->ran, t->time));
	if (w->slept)
		fprintf(t->out, ", slept %s", trace_time(w->slept, t->time2));
	if (w->starved) {
		fprintf(t->out, " and could not run for %s, because\n",
			trace_time(w->starved, t->time3));
		tell_culprits(t, w);
	} else {
		fputs("; nobody who is less urgent than the waiter kept it from running\n", t->out);
	}
}

/* The owner waited as well: down to who had what the others waited for. */
static void tell_chain(struct teller *t, const struct trace_wait *w)
{
	for (int i = 0; i < MOST_CHAIN && w->chain != TRACE_NO_INDEX; i++) {
		const struct trace_wait *next = &t->m->waits.at[w->chain];

		fprintf(t->out, "    %s waited itself, %s, for %s, ",
			trace_thread_name(t->m, next->tid, t->who),
			trace_time(trace_wait_ns(next), t->time),
			next->lock == w->lock ? "the same lock" : name_lock(t, next->lock));
		fprintf(t->out, "%s %s\n", held(next), trace_person(t->m, next->owner, t->whom));
		w = next;
	}
}

static void tell_kind(struct teller *t, uint32_t index)
{
	const struct trace_lock *lock = &t->m->locks.at[index];

	if (!lock->has_kind)
		fprintf(t->out,
			"    %s is a mutex, it seems by its futex calls, and does not inherit "
			"priority\n",
			name_lock(t, index));
	else
		fprintf(t->out, "    %s is %s %s mutex and does not inherit priority\n",
			name_lock(t, index),
			strchr("ae", *trace_kind_name(lock->kind)) ? "an" : "a",
			trace_kind_name(lock->kind));
}

static void tell_inversion(struct teller *t, const struct trace_wait *w)
{
	const struct trace_lock *lock = &t->m->locks.at[w->lock];

	fprintf(t->out, "%s waited %s%s for %s", trace_person(t->m, w->tid, t->who),
		trace_time(trace_wait_ns(w), t->time), w->open ? " at least" : "",
		name_lock(t, w->lock));
	tell_site(t, w);
	fputc('\n', t->out);
	tell_owner(t, w);
	tell_chain(t, w);
	tell_kind(t, w->lock);
	if (lock->inversions > 1)
		fprintf(t->out, "    %" PRIu64 " inversions at this lock, %s in all\n",
			lock->inversions, trace_time(lock->inversion_ns, t->time));
	tell_advice(t, w);
}

static bool any_slept(const struct trace_model *m)
{
	for (uint32_t i = 0; i < m->waits.count; i++)
		if (trace_slept_inside(&m->waits.at[i]))
			return true;
	return false;
}

static void tell_inversions(struct teller *t)
{
	const struct trace_model *m = t->m;
	uint64_t ns = 0;
	uint32_t count;
	uint32_t *order = trace_order_locks(m, TRACE_MUTEX, &count);
	uint32_t bad = 0;

	for (uint32_t i = 0; i < count; i++) {
		ns += m->locks.at[order[i]].inversion_ns;
		bad += m->locks.at[order[i]].inversions > 0;
	}
	if (m->inversions)
		fprintf(t->out, "%" PRIu64 " inversion%s, %s\n", m->inversions,
			m->inversions == 1 ? "" : "s", trace_time(ns, t->time));
	else if (m->from_kernel || m->from_preload)
		fprintf(t->out, "no inversion%s was seen\n", any_slept(m) ? " at a mutex" : "");
	for (uint32_t i = 0; i < bad && i < MOST; i++)
		tell_inversion(t, &m->waits.at[m->locks.at[order[i]].worst]);
	tell_more(t, bad, MOST, "locks with inversions");
	free(order);
}

/* ---- signals that slept ---- */

static void tell_signals_asleep(struct teller *t)
{
	uint32_t count;
	uint32_t *order = trace_order_waits(t->m, trace_slept_inside, &count);
	uint64_t ns = 0;

	for (uint32_t i = 0; i < count; i++)
		ns += t->m->waits.at[order[i]].asleep;
	if (count)
		fprintf(t->out,
			"%" PRIu32 " signal%s or broadcast%s slept inside of the condvar, %s; "
			"inversions %" PRIu64 "\n",
			count, count == 1 ? "" : "s", count == 1 ? "" : "s",
			trace_time(ns, t->time), t->m->held_up);
	for (uint32_t i = 0; i < count && i < MOST; i++) {
		const struct trace_wait *w = &t->m->waits.at[order[i]];

		fprintf(t->out, "%s slept %s in a %s of %s", trace_person(t->m, w->tid, t->who),
			trace_time(w->asleep, t->time),
			t->m->locks.at[w->lock].inferred ? "signal or broadcast"
			: w->broadcast			 ? "broadcast"
							 : "signal",
			name_lock(t, w->lock));
		tell_site(t, w);
		fputc('\n', t->out);
		if (w->owner)
			tell_owner(t, w);
		if (i == 0) {
			fputs("    glibc's condvar has a lock inside, and before 2.41 waits for "
			      "released "
			      "threads; neither inherits\n"
			      "    priority (bug 11588)\n",
			      t->out);
			tell_advice(t, w);
		}
	}
	tell_more(t, count, MOST, "signals that slept");
	free(order);
}

/* ---- locks ---- */

static void tell_longest(struct teller *t, const struct trace_lock *lock)
{
	const struct trace_wait *w = &t->m->waits.at[lock->longest];

	fprintf(t->out, "    waits %" PRIu64 ", %s in all, longest %s: %s", lock->waits,
		trace_time(lock->wait_ns, t->time), trace_time(trace_wait_ns(w), t->time2),
		trace_person(t->m, w->tid, t->who));
	if (w->owner && lock->type == TRACE_WORD)
		fprintf(t->out, ", woken by %s", trace_person(t->m, w->owner, t->whom));
	else if (w->owner)
		fprintf(t->out, " waited for %s%s", w->owner_inferred ? "(it seems) " : "",
			trace_person(t->m, w->owner, t->whom));
	tell_site(t, w);
	fputs(w->open ? ", its end or beginning was not seen\n" : "\n", t->out);
}

static void tell_mutex(struct teller *t, uint32_t index)
{
	const struct trace_lock *lock = &t->m->locks.at[index];

	fprintf(t->out, "MUTEX %s", name_lock(t, index));
	if (lock->inferred)
		fputs(", it seems", t->out);
	if (lock->has_kind)
		fprintf(t->out, ", %s", trace_kind_name(lock->kind));
	fputs(lock->inherits == TRACE_INHERITS_YES  ? ", inherits\n"
	      : lock->kind & TRACE_KIND_PROTECT	    ? ", has a ceiling\n"
	      : lock->inherits == TRACE_INHERITS_NO ? ", does not inherit\n"
						    : "\n",
	      t->out);
	tell_longest(t, lock);
	if (lock->inversions)
		fprintf(t->out, "    INVERSIONS %" PRIu64 ", %s in all, longest %s\n",
			lock->inversions, trace_time(lock->inversion_ns, t->time),
			trace_time(trace_wait_ns(&t->m->waits.at[lock->worst]), t->time2));
	if (lock->boosts)
		fprintf(t->out, "    boosts %" PRIu64 "\n", lock->boosts);
}

static void tell_mutexes(struct teller *t)
{
	uint32_t count;
	uint32_t *order = trace_order_locks(t->m, TRACE_MUTEX, &count);

	for (uint32_t i = 0; i < count && i < MOST; i++)
		tell_mutex(t, order[i]);
	tell_more(t, count, MOST, "mutexes");
	free(order);
}

/* Of one that was inferred, only those that slept were seen. */
static void tell_releases(struct teller *t, const struct trace_lock *lock,
			  const struct trace_releases *r)
{
	if (!r->signals && !r->broadcasts)
		return;
	fputs("    ", t->out);
	if (!lock->inferred)
		fprintf(t->out, "signals %" PRIu64 ", broadcasts %" PRIu64 "%s", r->signals,
			r->broadcasts, r->slept ? "; " : "");
	if (r->slept)
		fprintf(t->out, "SLEPT INSIDE %" PRIu64 ", %s in all, longest %s", r->slept,
			trace_time(r->asleep_ns, t->time),
			trace_time(r->longest_asleep_ns, t->time2));
	fputc('\n', t->out);
}

static void tell_condvars(struct teller *t)
{
	const struct trace_model *m = t->m;
	struct trace_releases *releases = trace_sum_releases(m);
	uint32_t count;
	uint32_t *order = trace_order_locks(m, TRACE_CONDVAR, &count);

	for (uint32_t i = 0; i < count && i < MOST; i++) {
		const struct trace_lock *lock = &m->locks.at[order[i]];
		const struct trace_releases *r = &releases[order[i]];

		fprintf(t->out, "CONDVAR %s%s", name_lock(t, order[i]),
			lock->inferred ? ", it seems" : "");
		if (lock->partner != TRACE_NO_INDEX)
			fprintf(t->out, ", with mutex %s", name_lock(t, lock->partner));
		fputc('\n', t->out);
		if (lock->waits)
			tell_longest(t, lock);
		tell_releases(t, lock, r);
	}
	tell_more(t, count, MOST, "condvars");
	free(order);
	free(releases);
}

static void tell_words(struct teller *t)
{
	uint32_t count;
	uint32_t *order = trace_order_locks(t->m, TRACE_WORD, &count);

	for (uint32_t i = 0; i < count && i < MOST_WORDS; i++) {
		fprintf(t->out, "FUTEX %s, what for is not known\n", name_lock(t, order[i]));
		tell_longest(t, &t->m->locks.at[order[i]]);
	}
	tell_more(t, count, MOST_WORDS, "futexes");
	free(order);
}

/* ---- boosts ---- */

/* One waiter that boosts one owner for one lock, all such together. */
struct lent {
	uint32_t by;
	uint32_t whom;
	uint32_t lock;
	int to;
	uint64_t times;
};

static int most_first(const void *a, const void *b)
{
	const struct lent *x = a;
	const struct lent *y = b;

	if (x->times != y->times)
		return x->times < y->times ? 1 : -1;
	if (x->by != y->by)
		return x->by < y->by ? -1 : 1;
	return x->whom < y->whom ? -1 : x->whom > y->whom;
}

static int by_content(const void *a, const void *b)
{
	const struct lent *x = a;
	const struct lent *y = b;

	if (x->by != y->by)
		return x->by < y->by ? -1 : 1;
	if (x->whom != y->whom)
		return x->whom < y->whom ? -1 : 1;
	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static uint32_t gather_boosts(const struct trace_model *m, struct lent *all)
{
	uint32_t count = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->boosts.count; i++) {
		const struct trace_boost *boost = &m->boosts.at[i];

		if (boost->to > boost->from)
			all[count++] = (struct lent){
			    .by = boost->by,
			    .whom = boost->whom,
			    .to = boost->to,
			    .lock = boost->wait == TRACE_NO_INDEX ? TRACE_NO_INDEX
								  : m->waits.at[boost->wait].lock,
			    .times = 1,
			};
	}
	qsort(all, count, sizeof(*all), by_content);
	for (uint32_t i = 0; i < count; i++) {
		if (kept && by_content(&all[kept - 1], &all[i]) == 0)
			all[kept - 1].times++;
		else
			all[kept++] = all[i];
	}
	qsort(all, kept, sizeof(*all), most_first);
	return kept;
}

static void tell_boosts(struct teller *t)
{
	struct lent *all = calloc(t->m->boosts.count + 1u, sizeof(*all));
	uint32_t count;

	if (!all)
		trace_no_memory();
	count = gather_boosts(t->m, all);
	for (uint32_t i = 0; i < count && i < MOST; i++) {
		fprintf(t->out, "BOOSTS %" PRIu64 ": %s boosted ", all[i].times,
			trace_person(t->m, all[i].by, t->who));
		fprintf(t->out, "%s to %d", trace_person(t->m, all[i].whom, t->whom), all[i].to);
		if (all[i].lock != TRACE_NO_INDEX)
			fprintf(t->out, ", for %s", name_lock(t, all[i].lock));
		fputc('\n', t->out);
	}
	tell_more(t, count, MOST, "pairs with boosts");
	free(all);
}

/* ---- what is missing ---- */

static void tell_missing(struct teller *t)
{
	const struct trace_model *m = t->m;

	if (m->lost)
		fprintf(t->out,
			"%" PRIu64
			" events got lost: waits may be missing, or look longer or shorter "
			"than they were\n",
			m->lost);
	if (!m->from_kernel)
		fprintf(
		    t->out,
		    "without kernel events%s%s\n"
		    "    not said therefore: who ran while an owner could not; signals that slept "
		    "inside of a condvar; locks\n"
		    "    that are not pthread's\n",
		    m->no_kernel ? ": " : "", m->no_kernel ? m->no_kernel : "");
	if (!m->from_preload)
		fprintf(
		    t->out,
		    "without the preload's probes%s%s\n"
		    "    not said therefore: which code waited; who had a lock when a wait began, "
		    "but by inference; condvars of\n"
		    "    mutexes that do not inherit, but where a signal slept; which of the other "
		    "futexes are mutexes\n",
		    m->no_preload ? ": " : "", m->no_preload ? m->no_preload : "");
}

int trace_write_text(const struct trace_model *m, FILE *out)
{
	struct teller t = {.m = m, .out = out};

	errno = 0;
	tell_head(&t);
	tell_inversions(&t);
	tell_signals_asleep(&t);
	tell_mutexes(&t);
	tell_condvars(&t);
	tell_words(&t);
	tell_boosts(&t);
	tell_missing(&t);
	if (!errno && ferror(out))
		errno = EIO;
	return fflush(out) || ferror(out) ? -1 : 0;
}
