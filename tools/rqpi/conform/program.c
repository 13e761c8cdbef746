/* SPDX-License-Identifier: MIT */
/*
 * program.c - building a program piece by piece, freeing it, and what it asks of lane and machine.
 *
 * Used by load*.c, random.c and differ.c; the types are in program.h.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static void die_of_memory(void)
{
	fprintf(stderr, "rqpi conform: memory is exhausted\n");
	exit(2);
}

/* Room for one more of @size after @count of them, zeroed; grows by doubling. */
void *conform_grow(void *array, int count, size_t size)
{
	size_t used = (size_t)count;
	char *larger = array;

	if ((used & (used - 1)) == 0) {
		larger = realloc(array, (used ? used * 2 : 1) * size);
		if (!larger)
			die_of_memory();
	}
	memset(larger + used * size, 0, size);
	return larger;
}

char *conform_copy_text(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		die_of_memory();
	return copy;
}

static void *take_zeroed(int count, size_t size)
{
	void *memory = calloc(count ? (size_t)count : 1, size);

	if (!memory)
		die_of_memory();
	return memory;
}

struct conform_page *conform_add_page(struct conform_program *p, const char *name)
{
	struct conform_page *page;

	p->pages = conform_grow(p->pages, p->page_count, sizeof(*p->pages));
	page = &p->pages[p->page_count++];
	snprintf(page->name, sizeof(page->name), "%s", name);
	page->same_as = -1;
	page->access = page->list_access = CONFORM_WRITE;
	return page;
}

struct conform_word *conform_add_word(struct conform_program *p, const char *name)
{
	struct conform_word *word;

	p->words = conform_grow(p->words, p->word_count, sizeof(*p->words));
	word = &p->words[p->word_count++];
	snprintf(word->name, sizeof(word->name), "%s", name);
	return word;
}

struct conform_task *conform_add_task(struct conform_program *p, const char *name)
{
	struct conform_task *task;

	p->tasks = conform_grow(p->tasks, p->task_count, sizeof(*p->tasks));
	task = &p->tasks[p->task_count++];
	snprintf(task->name, sizeof(task->name), "%s", name);
	return task;
}

struct conform_step *conform_add_step(struct conform_program *p, enum conform_what what)
{
	struct conform_step *step;

	p->steps = conform_grow(p->steps, p->step_count, sizeof(*p->steps));
	step = &p->steps[p->step_count++];
	step->what = what;
	step->task = step->word = step->page = -1;
	return step;
}

struct conform_expect *conform_add_expect(struct conform_program *p, struct conform_step *step)
{
	struct conform_expect *e;

	step->expect = conform_grow(step->expect, step->expect_count, sizeof(*step->expect));
	e = &step->expect[step->expect_count++];
	e->tasks = take_zeroed(p->task_count, sizeof(*e->tasks));
	e->words = take_zeroed(p->word_count, sizeof(*e->words));
	e->check_word = take_zeroed(p->word_count, sizeof(*e->check_word));
	for (int i = 0; i < p->task_count; i++)
		e->tasks[i].handled = -1;
	return e;
}

void conform_program_free(struct conform_program *p)
{
	for (int i = 0; i < p->step_count; i++) {
		for (int k = 0; k < p->steps[i].expect_count; k++) {
			free(p->steps[i].expect[k].tasks);
			free(p->steps[i].expect[k].words);
			free(p->steps[i].expect[k].check_word);
		}
		free(p->steps[i].expect);
		free(p->steps[i].entries);
	}
	free(p->title);
	free(p->file);
	free(p->pages);
	free(p->words);
	free(p->tasks);
	free(p->steps);
	memset(p, 0, sizeof(*p));
}

bool conform_uses(const struct conform_program *p, enum conform_what what)
{
	for (int i = 0; i < p->step_count; i++) {
		if (p->steps[i].what == what)
			return true;
	}
	return false;
}

/* Does a task of another process than @process sleep after step @index? */
static bool others_sleep(const struct conform_program *p, int index, int process)
{
	const struct conform_step *s = index >= 0 ? &p->steps[index] : NULL;

	for (int i = 0; s && s->expect_count && i < p->task_count; i++)
		if (p->tasks[i].process != process && s->expect[0].tasks[i].blocked)
			return true;
	return false;
}

static bool announces_plain(const struct conform_step *s)
{
	bool plain = s->has_pending && !s->pending.pi;

	for (int i = 0; i < s->entry_count; i++)
		plain = plain || !s->entries[i].pi;
	return plain;
}

static unsigned features_of_kill(const struct conform_program *p)
{
	unsigned features = 0;

	for (int i = 0; i < p->step_count; i++) {
		const struct conform_step *s = &p->steps[i];

		if (s->what == CONFORM_KILL && !others_sleep(p, i - 1, p->tasks[s->task].process))
			features |= CONFORM_NEEDS_WATCH;
		if (s->what == CONFORM_ROBUST && announces_plain(s))
			features |= CONFORM_NEEDS_LIST;
	}
	return features;
}

unsigned conform_features(const struct conform_program *p)
{
	unsigned features = 0;

	if (conform_uses(p, CONFORM_KILL))
		features |= CONFORM_NEEDS_KILL | features_of_kill(p);
	if (conform_uses(p, CONFORM_EXEC))
		features |= CONFORM_NEEDS_EXEC;
	if (p->process_count > 1)
		features |= CONFORM_NEEDS_PROCESS;
	for (int i = 0; i < p->task_count; i++) {
		if (p->tasks[i].sched.policy == SCHED_DEADLINE)
			features |= CONFORM_NEEDS_DEADLINE;
	}
	return features;
}

static bool is_privileged(const struct conform_sched *sched)
{
	return sched->policy == SCHED_FIFO || sched->policy == SCHED_RR ||
	       sched->policy == SCHED_DEADLINE || sched->nice < 0;
}

bool conform_needs_realtime(const struct conform_program *p)
{
	for (int i = 0; i < p->task_count; i++) {
		if (is_privileged(&p->tasks[i].sched))
			return true;
	}
	for (int i = 0; i < p->step_count; i++) {
		if (p->steps[i].what == CONFORM_HOG ||
		    (p->steps[i].what == CONFORM_SCHED && is_privileged(&p->steps[i].sched)))
			return true;
	}
	return false;
}
