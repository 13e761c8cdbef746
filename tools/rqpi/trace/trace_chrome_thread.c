/* SPDX-License-Identifier: MIT */
/*
 * trace_chrome_thread.c - the tracks of threads and of processors, and the arrows: see
 * trace_chrome.c, which calls it.
 */
#include <stdlib.h>
#include <string.h>

#include "trace_chrome.h"

/* By thread; where one begins with another, the longer one first. */
static int by_thread(const void *a, const void *b, void *model)
{
	const struct trace_model *m = model;
	const uint32_t *i = a, *j = b;
	const struct trace_wait *x = &m->waits.at[*i], *y = &m->waits.at[*j];

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	if (x->until != y->until)
		return x->until > y->until ? -1 : 1;
	return *i < *j ? -1 : *i > *j;
}

static int by_cpu(const void *a, const void *b, void *model)
{
	const struct trace_model *m = model;
	const uint32_t *i = a, *j = b;
	const struct trace_slice *x = &m->slices.at[*i], *y = &m->slices.at[*j];

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return *i < *j ? -1 : *i > *j;
}

int trace_chrome_by_whom(const void *a, const void *b, void *model)
{
	const struct trace_model *m = model;
	const uint32_t *i = a, *j = b;
	const struct trace_boost *x = &m->boosts.at[*i], *y = &m->boosts.at[*j];

	if (x->whom != y->whom)
		return x->whom < y->whom ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return *i < *j ? -1 : *i > *j;
}

/* ---- threads ---- */

/* What one thread shows: its waits, which are order[0 .. waits - 1], and its time with the CPUs. */
struct actor {
	uint32_t pid; /* as it is in the file */
	uint32_t tid;
	char name[TRACE_PERSON_SIZE];
	const uint32_t *order;
	uint32_t waits;
	const struct trace_slice *slices;
	uint32_t count;
};

static void write_thread_wait(struct chrome *c, const struct track *track, uint32_t index)
{
	const struct trace_wait *w = &c->m->waits.at[index];
	char lock[TRACE_PLACE_SIZE], text[TRACE_PLACE_SIZE + 64];
	const char *what = w->how != TRACE_HOW_RELEASE ? "waits for"
			   : w->broadcast	       ? "broadcasts"
						       : "signals";
	struct json_object *o;

	snprintf(text, sizeof(text), "%s%s %s", w->inversion ? "INVERSION: " : "", what,
		 trace_lock_name(&c->m->locks.at[w->lock], lock));
	o = trace_chrome_slice(c, track, "thread", text, w->since, w->until);
	trace_put_text(o, "cname", w->inversion ? "terrible" : "thread_state_iowait");
	trace_chrome_wait_args(c, trace_chrome_args(o), index);
	trace_chrome_write(c, o);
	c->wait_track[index] = *track;
}

/*
 * Those that lie inside of one another, or beside, are one below the other in the thread's own
 * track. A thread is at one place at a time, so that there are no others unless events got lost:
 * they get a track each, after it.
 */
static void write_thread_waits(struct chrome *c, const struct actor *a)
{
	const struct track own = {.pid = a->pid, .tid = a->tid};
	uint64_t *open = malloc((a->waits + 1) * sizeof(*open)); /* ends, the outermost first */
	uint32_t depth = 0;

	if (!open)
		trace_no_memory();
	for (uint32_t i = 0; i < a->waits; i++) {
		const struct trace_wait *w = &c->m->waits.at[a->order[i]];
		struct track track = own;

		while (depth && open[depth - 1] <= w->since)
			depth--;
		if (depth && open[depth - 1] < w->until) {
			track.tid = c->next_lane++;
			trace_chrome_track(c, track.pid, track.tid, a->name);
		} else {
			open[depth++] = w->until;
		}
		write_thread_wait(c, &track, a->order[i]);
	}
	free(open);
}

/* Is it more urgent than it would be itself? Who changes its own priority, is not. */
static bool is_boosted(const struct chrome *c, const struct trace_slice *s)
{
	const struct trace_model *m = c->m;
	const struct trace_thread *thread = trace_find_thread(m, s->tid);
	const struct trace_boost *last;
	uint32_t low = 0, high = m->boosts.count;

	/* After the last one that was before it, or came with it. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct trace_boost *b = &m->boosts.at[c->boosts[middle]];

		if (b->whom < s->tid || (b->whom == s->tid && b->ns <= s->since))
			low = middle + 1;
		else
			high = middle;
	}
	last = low ? &m->boosts.at[c->boosts[low - 1]] : NULL;
	return last && last->whom == s->tid && last->to == s->urgency &&
	       (last->to > last->from || (thread && last->to > thread->urgency));
}

static void write_scheduled(struct chrome *c, const struct actor *a, const struct trace_slice *s,
			    uint64_t since, uint64_t until)
{
	const struct track own = {.pid = a->pid, .tid = a->tid};
	bool boosted = is_boosted(c, s);
	char text[64], urgency[32];
	struct json_object *o;

	if (s->running)
		snprintf(text, sizeof(text), "runs on CPU %u%s", s->cpu,
			 boosted ? ", boosted" : "");
	else
		snprintf(text, sizeof(text), "could run%s", boosted ? ", boosted" : "");
	o = trace_chrome_slice(c, &own, "thread", text, since, until);
	trace_put_text(o, "cname", s->running ? "thread_state_running" : "thread_state_runnable");
	trace_put_text(trace_chrome_args(o), "urgency", trace_urgency_words(s->urgency, urgency));
	trace_chrome_write(c, o);
}

static int by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Cut where waits begin and end, so that each piece is either inside of a wait or outside. */
static void write_thread_slices(struct chrome *c, const struct actor *a)
{
	uint64_t *cut = malloc((2 * (size_t)a->waits + 1) * sizeof(*cut));
	size_t cuts = 0, next = 0;
	uint64_t done = 0; /* the track is written up to here */

	if (!cut)
		trace_no_memory();
	for (uint32_t i = 0; i < a->waits; i++) {
		cut[cuts++] = c->m->waits.at[a->order[i]].since;
		cut[cuts++] = c->m->waits.at[a->order[i]].until;
	}
	qsort(cut, cuts, sizeof(*cut), by_time);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct trace_slice *s = &a->slices[i];
		uint64_t at = s->since > done ? s->since : done;

		while (at < s->until) {
			uint64_t until = s->until;

			while (next < cuts && cut[next] <= at)
				next++;
			if (next < cuts && cut[next] < until)
				until = cut[next];
			write_scheduled(c, a, s, at, until);
			at = until;
		}
		done = at > done ? at : done;
	}
	free(cut);
}

/* ---- all of them ---- */

/* The slices of a thread, which lie together in the model. */
struct span {
	uint32_t tid;
	uint32_t first;
	uint32_t count;
};

static int by_tid(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* Sorted by TID, and with an empty one at the end. */
static struct span *make_spans(const struct trace_model *m, uint32_t *count)
{
	TRACE_ARRAY(struct span) spans = {0};

	for (uint32_t i = 0; i < m->slices.count; i++) {
		uint32_t tid = m->slices.at[i].tid;

		if (!i || spans.at[spans.count - 1].tid != tid)
			*trace_append(&spans) = (struct span){.tid = tid, .first = i};
		spans.at[spans.count - 1].count++;
	}
	*count = spans.count;
	(void)trace_append(&spans);
	qsort(spans.at, *count, sizeof(*spans.at), by_tid);
	return spans.at;
}

static uint32_t pid_of(const struct trace_model *m, uint32_t tid)
{
	const struct trace_thread *thread = trace_find_thread(m, tid);

	return thread && thread->pid ? thread->pid : NOT_KNOWN;
}

static void write_thread(struct chrome *c, struct actor *a, const uint32_t *order,
			 const struct span *slices)
{
	const struct trace_model *m = c->m;
	uint32_t first = 0, high = m->waits.count;

	while (first < high) {
		uint32_t middle = first + (high - first) / 2;

		if (m->waits.at[order[middle]].tid < a->tid)
			first = middle + 1;
		else
			high = middle;
	}
	a->order = order + first;
	while (first + a->waits < m->waits.count && m->waits.at[a->order[a->waits]].tid == a->tid)
		a->waits++;
	if (slices) {
		a->slices = &m->slices.at[slices->first];
		a->count = slices->count;
	}
	trace_person(m, a->tid, a->name);
	trace_chrome_track(c, a->pid, a->tid, a->name);
	write_thread_waits(c, a);
	write_thread_slices(c, a);
}

struct place {
	uint32_t pid;
	uint32_t tid;
	int urgency;
};

/* By process, and there the most urgent first. */
static int by_process(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->urgency != y->urgency)
		return x->urgency > y->urgency ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

void trace_chrome_threads(struct chrome *c)
{
	const struct trace_model *m = c->m;
	uint32_t *order = trace_in_order(m, m->waits.count, by_thread);
	struct place *places = calloc((size_t)c->marks.count + 1, sizeof(*places));
	uint32_t count = 0;
	struct span *spans = make_spans(m, &count);
	char text[TRACE_PERSON_SIZE];

	if (!places)
		trace_no_memory();
	for (uint32_t i = 0; i < c->marks.count; i++) {
		const struct trace_thread *thread = trace_find_thread(m, c->marks.tid[i]);

		places[i] = (struct place){.pid = pid_of(m, c->marks.tid[i]),
					   .tid = c->marks.tid[i],
					   .urgency = thread ? thread->urgency : 0};
	}
	qsort(places, c->marks.count, sizeof(*places), by_process);
	for (uint32_t i = 0; i < c->marks.count; i++) {
		struct actor a = {.pid = places[i].pid, .tid = places[i].tid};
		struct span key = {.tid = a.tid};

		if (a.pid == NOT_KNOWN)
			trace_chrome_process_name(c, 0, text);
		else
			trace_chrome_process_name(c, a.pid, text);
		if (!i || places[i - 1].pid != a.pid)
			trace_chrome_process(c, a.pid, text);
		write_thread(c, &a, order, bsearch(&key, spans, count, sizeof(*spans), by_tid));
	}
	free(spans);
	free(places);
	free(order);
}

/* ---- processors ---- */

void trace_chrome_cpus(struct chrome *c)
{
	const struct trace_model *m = c->m;
	uint32_t *order = trace_in_order(m, m->slices.count, by_cpu);
	struct track track = {.pid = CPUS};
	uint64_t done = 0;
	char text[TRACE_PERSON_SIZE], urgency[32];

	for (uint32_t i = 0; i < m->slices.count; i++) {
		const struct trace_slice *s = &m->slices.at[order[i]];
		uint64_t since = s->since;
		struct json_object *o;

		if (!s->running || s->cpu == TRACE_NO_CPU)
			continue;
		if (track.tid != CPU_THREADS + s->cpu) {
			if (!track.tid)
				trace_chrome_process(c, CPUS, "processors");
			track.tid = CPU_THREADS + s->cpu;
			snprintf(text, sizeof(text), "CPU %u", s->cpu);
			trace_chrome_track(c, CPUS, track.tid, text);
			done = 0;
		}
		/* One thread at a time, even if an event got lost that would have said so. */
		since = since > done ? since : done;
		if (since > s->until)
			continue;
		done = s->until;
		o = trace_chrome_slice(c, &track, "cpu", trace_thread_name(m, s->tid, text), since,
				       s->until);
		trace_put_text(trace_chrome_args(o), "urgency",
			       trace_urgency_words(s->urgency, urgency));
		trace_chrome_write(c, o);
	}
	free(order);
}

/* ---- boosts ---- */

/* Where the arrow comes from: the wait's slice, or what the thread just did. False: nowhere. */
static bool find_start(const struct chrome *c, const struct trace_boost *b,
		       const struct span *spans, uint32_t count, struct track *track, uint64_t *ns)
{
	const struct trace_model *m = c->m;
	struct span key = {.tid = b->by}, *span;

	if (b->wait < m->waits.count) {
		const struct trace_wait *w = &m->waits.at[b->wait];

		*track = c->wait_track[b->wait];
		*ns = b->ns < w->since ? w->since : b->ns < w->until ? b->ns : w->until;
		return track->tid != 0;
	}
	span = bsearch(&key, spans, count, sizeof(*spans), by_tid);
	if (!span || !trace_marks_have(&c->marks, b->by))
		return false;
	*track = (struct track){.pid = pid_of(m, b->by), .tid = b->by};
	*ns = b->ns;
	for (uint32_t low = 0, high = span->count; low < high;) {
		uint32_t middle = low + (high - low) / 2;
		const struct trace_slice *s = &m->slices.at[span->first + middle];

		if (b->ns < s->since)
			high = middle;
		else if (b->ns >= s->until)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

static void write_arrow_end(struct chrome *c, const char *phase, const struct track *track,
			    uint32_t id, uint64_t ns)
{
	struct json_object *o = trace_chrome_event(phase, track->pid, track->tid);

	trace_put_text(o, "cat", "boost");
	trace_put_text(o, "name", "boost");
	trace_put_number(o, "id", id + 1);
	if (*phase == 'f')
		trace_put_text(o, "bp", "e"); /* in the slice there, not in the next */
	trace_put_us(o, "ts", trace_since_begin(c->m, ns));
	trace_chrome_write(c, o);
}

/* The time with an urgency that is not its own: a slice in a track of its own, after all others. */
static void write_boost(struct chrome *c, const struct track *track, uint32_t index, uint64_t until)
{
	const struct trace_boost *b = &c->m->boosts.at[index];
	char text[TRACE_PERSON_SIZE], to[32];
	struct json_object *o, *args;

	snprintf(text, sizeof(text), "boosted to %s", trace_urgency_words(b->to, to));
	o = trace_chrome_slice(c, track, "boost", text, b->ns, until);
	trace_put_text(o, "cname", "good");
	args = trace_chrome_args(o);
	trace_put_text(args, "before", trace_urgency_words(b->from, to));
	trace_put_text(args, "by", trace_person(c->m, b->by, text));
	if (b->wait < c->m->waits.count)
		trace_put_number(args, "wait", b->wait);
	trace_chrome_write(c, o);
}

void trace_chrome_boosts(struct chrome *c)
{
	const struct trace_model *m = c->m;
	const uint32_t *order = c->boosts;
	uint32_t count = 0;
	struct span *spans = make_spans(m, &count);
	struct track track = {0}, from;
	uint32_t whom = 0;

	for (uint32_t i = 0; i < m->boosts.count; i++) {
		const struct trace_boost *b = &m->boosts.at[order[i]], *next = NULL;
		const struct trace_thread *thread = trace_find_thread(m, b->whom);
		uint64_t until = m->end > b->ns ? m->end : b->ns, start;

		if (i + 1 < m->boosts.count)
			next = &m->boosts.at[order[i + 1]];
		if (next && next->whom == b->whom)
			until = next->ns;
		if (!trace_boost_is_ours(m, b))
			continue;
		/* Less, but still more than its own? */
		if (b->to <= b->from &&
		    (!thread || thread->urgency < 0 || b->to <= thread->urgency))
			continue;
		if (!track.tid || whom != b->whom) {
			char name[TRACE_PERSON_SIZE], text[TRACE_PERSON_SIZE + 16];

			whom = b->whom;
			track = (struct track){.pid = pid_of(m, whom), .tid = c->next_lane++};
			snprintf(text, sizeof(text), "%s boosted",
				 trace_thread_name(m, whom, name));
			trace_chrome_track(c, track.pid, track.tid, text);
		}
		write_boost(c, &track, order[i], until);
		if (b->to <= b->from || !find_start(c, b, spans, count, &from, &start) ||
		    start > until)
			continue;
		write_arrow_end(c, "s", &from, order[i], start);
		write_arrow_end(c, "f", &track, order[i], start > b->ns ? start : b->ns);
	}
	free(spans);
}
