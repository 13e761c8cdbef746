/* SPDX-License-Identifier: MIT */
/*
 * load.c - reads a file of vectors: the file, each vector, and what a vector declares.
 *
 * Called by vectors.c. The format is in conform/FORMAT.md. Whatever is not as described there is
 * refused with the file, the vector and the key; nothing is guessed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define FORMAT "rqpi-conform-1"

enum { REPEAT_MAX = 100000, COUNT_MAX = 4096, WORD_SPACING = 16, PROCESSES_MAX = 8 };

bool conform_complain(const struct conform_loader *l, const char *key, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "rqpi conform: %s: ", l->path);
	if (l->p && *l->p->name)
		fprintf(stderr, "vector %s: ", l->p->name);
	if (l->step >= 0)
		fprintf(stderr, "step %d: ", l->step + 1);
	if (key)
		fprintf(stderr, "\"%s\": ", key);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return false;
}

static bool is_listed(const char *name, const char *list)
{
	size_t length = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += length) {
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	}
	return false;
}

bool conform_check_keys(const struct conform_loader *l, struct json_object *object,
			const char *allowed)
{
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		if (!is_listed(key, allowed))
			return conform_complain(l, key, "no such key here; there may be: %s",
						allowed);
	}
	return true;
}

struct json_object *conform_member(struct json_object *object, const char *key)
{
	struct json_object *member;

	return json_object_object_get_ex(object, key, &member) ? member : NULL;
}

const char *conform_text(const struct conform_loader *l, struct json_object *object,
			 const char *key)
{
	struct json_object *member = conform_member(object, key);

	if (member && json_object_is_type(member, json_type_string))
		return json_object_get_string(member);
	conform_complain(l, key, member ? "must be text" : "is missing");
	return NULL;
}

bool conform_number(const struct conform_loader *l, struct json_object *object, const char *key,
		    int64_t min, int64_t max, const int64_t *fallback, int64_t *number)
{
	struct json_object *member = conform_member(object, key);

	if (!member && fallback) {
		*number = *fallback;
		return true;
	}
	if (!member || !json_object_is_type(member, json_type_int))
		return conform_complain(l, key, member ? "must be a whole number" : "is missing");
	*number = json_object_get_int64(member);
	if (*number < min || *number > max)
		return conform_complain(l, key, "%lld is not from %lld to %lld", (long long)*number,
					(long long)min, (long long)max);
	return true;
}

bool conform_truth(const struct conform_loader *l, struct json_object *object, const char *key,
		   bool *truth)
{
	struct json_object *member = conform_member(object, key);

	*truth = false;
	if (!member)
		return true;
	if (!json_object_is_type(member, json_type_boolean))
		return conform_complain(l, key, "must be true or false");
	*truth = json_object_get_boolean(member);
	return true;
}

bool conform_choice(const struct conform_loader *l, const char *key, const char *name,
		    const char *const *names, int *chosen)
{
	for (int i = 0; names[i]; i++) {
		if (!strcmp(name, names[i])) {
			*chosen = i;
			return true;
		}
	}
	return conform_complain(l, key, "there is no %s", name);
}

static bool load_choice(const struct conform_loader *l, struct json_object *object, const char *key,
			const char *const *names, int fallback, int *chosen)
{
	const char *name;

	*chosen = fallback;
	if (!conform_member(object, key))
		return true;
	name = conform_text(l, object, key);
	return name && conform_choice(l, key, name, names, chosen);
}

static bool load_page(struct conform_loader *l, const char *name, struct json_object *object)
{
	static const char *const memories[] = {"private", "shared", "file", NULL};
	static const char *const accesses[] = {"none", "read", "write", NULL};
	struct conform_page *page = conform_add_page(l->p, name);
	int memory, access, list_access, same_as = -1;

	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, name, "a page must be an object");
	if (!conform_check_keys(l, object, "memory access list_access same_as") ||
	    !load_choice(l, object, "memory", memories, CONFORM_PRIVATE, &memory) ||
	    !load_choice(l, object, "access", accesses, CONFORM_WRITE, &access) ||
	    !load_choice(l, object, "list_access", accesses, CONFORM_WRITE, &list_access))
		return false;
	if (conform_member(object, "same_as")) {
		const char *other = conform_text(l, object, "same_as");

		if (!other || !conform_find_page(l, "same_as", other, &same_as))
			return false;
		if (l->p->pages[same_as].memory != CONFORM_FILE)
			return conform_complain(l, name,
						"only a page of a file can be mapped twice");
		memory = CONFORM_FILE;
	}
	page->memory = (enum conform_memory)memory;
	page->access = (enum conform_access)access;
	page->list_access = (enum conform_access)list_access;
	page->same_as = same_as;
	return true;
}

/* The next place on its page that is free, 16 bytes from the last, as list entries need it. */
static unsigned next_offset(const struct conform_program *p, int page)
{
	unsigned offset = 0;

	for (int i = 0; i < p->word_count - 1; i++) {
		if (p->words[i].page == page && p->words[i].offset + WORD_SPACING > offset)
			offset = p->words[i].offset + WORD_SPACING;
	}
	return offset;
}

static bool load_word(struct conform_loader *l, const char *name, struct json_object *object)
{
	static const int64_t one = 1, automatic = -1;
	const char *page_name = "main";
	struct json_object *init;
	int64_t count, offset;
	int page;

	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, name, "a word must be an object");
	if (!conform_check_keys(l, object, "init page offset count") ||
	    !conform_number(l, object, "count", 1, COUNT_MAX, &one, &count) ||
	    !conform_number(l, object, "offset", 0, CONFORM_SLOT - 4, &automatic, &offset))
		return false;
	if (conform_member(object, "page"))
		page_name = conform_text(l, object, "page");
	if (!page_name || !conform_find_page(l, "page", page_name, &page))
		return false;
	init = conform_member(object, "init");
	for (int i = 0; i < count; i++) {
		char full[CONFORM_NAME];
		struct conform_word *word;

		snprintf(full, sizeof(full), count > 1 ? "%.32s[%d]" : "%.32s", name, i);
		word = conform_add_word(l->p, full);
		word->page = page;
		l->index = i;
		word->offset = offset >= 0 ? (unsigned)offset : next_offset(l->p, page);
		if (word->offset > CONFORM_SLOT - 4)
			return conform_complain(l, name, "does not fit on its page any more");
		if (init && !conform_load_value(l, "init", init, &word->init))
			return false;
	}
	l->index = -1;
	return true;
}

static bool load_task(struct conform_loader *l, const char *name, struct json_object *object)
{
	static const char *const cpus[] = {"work", "free", "any", NULL};
	static const int64_t one = 1, first = 0;
	struct conform_sched sched;
	int64_t count, process;
	int cpu;

	if (!json_object_is_type(object, json_type_object))
		return conform_complain(l, name, "a task must be an object");
	if (!conform_check_keys(l, object, "policy priority nice deadline_ms process cpu count") ||
	    !conform_number(l, object, "count", 1, COUNT_MAX, &one, &count) ||
	    !conform_number(l, object, "process", 0, PROCESSES_MAX - 1, &first, &process) ||
	    !load_choice(l, object, "cpu", cpus, CONFORM_CPU_WORK, &cpu) ||
	    !conform_load_sched(l, object, &sched))
		return false;
	if (process >= l->p->process_count)
		l->p->process_count = (int)process + 1;
	for (int i = 0; i < count; i++) {
		char full[CONFORM_NAME];
		struct conform_task *task;

		snprintf(full, sizeof(full), count > 1 ? "%.32s[%d]" : "%.32s", name, i);
		task = conform_add_task(l->p, full);
		task->sched = sched;
		task->process = (int)process;
		task->cpu = (enum conform_cpu)cpu;
	}
	return true;
}

typedef bool load_one(struct conform_loader *l, const char *name, struct json_object *object);

static bool load_table(struct conform_loader *l, struct json_object *vector, const char *key,
		       load_one *load)
{
	struct json_object *table = conform_member(vector, key);

	if (!table)
		return true;
	if (!json_object_is_type(table, json_type_object))
		return conform_complain(l, key, "must be an object");
	json_object_object_foreach(table, name, value)
	{
		if (strlen(name) > 32 || !*name)
			return conform_complain(l, key, "a name of 1 to 32 letters: %s", name);
		if (!load(l, name, value))
			return false;
	}
	return true;
}

static bool load_rules(struct conform_loader *l, struct json_object *vector)
{
	struct json_object *rules = conform_member(vector, "rules");
	size_t count = rules && json_object_is_type(rules, json_type_array)
			   ? json_object_array_length(rules)
			   : 0;

	if (!count || count > CONFORM_RULES)
		return conform_complain(l, "rules", "must be a list of 1 to %d rules",
					CONFORM_RULES);
	for (size_t i = 0; i < count; i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);

		if (!json_object_is_type(rule, json_type_string))
			return conform_complain(l, "rules", "must be a list of texts");
		snprintf(l->p->rules[l->p->rule_count++], sizeof(l->p->rules[0]), "%s",
			 json_object_get_string(rule));
	}
	return true;
}

static bool load_vector(struct conform_loader *l, struct json_object *vector)
{
	static const int64_t one = 1;
	const char *name, *title;
	int64_t repeat;

	if (!json_object_is_type(vector, json_type_object))
		return conform_complain(l, "vectors", "a vector must be an object");
	name = conform_text(l, vector, "name");
	if (!name)
		return false;
	snprintf(l->p->name, sizeof(l->p->name), "%s", name);
	if (strlen(name) >= sizeof(l->p->name))
		return conform_complain(l, "name", "is longer than %d", CONFORM_NAME - 1);
	l->p->file = conform_copy_text(l->path);
	l->p->process_count = 1;
	title = conform_text(l, vector, "title");
	if (!title ||
	    !conform_check_keys(l, vector,
				"name title rules unsafe repeat kernels pages words tasks steps"))
		return false;
	l->p->title = conform_copy_text(title);
	conform_add_page(l->p, "main");
	if (!conform_truth(l, vector, "unsafe", &l->p->unsafe) ||
	    !conform_number(l, vector, "repeat", 1, REPEAT_MAX, &one, &repeat) ||
	    !load_rules(l, vector) || !conform_load_kernels(l, vector) ||
	    !load_table(l, vector, "pages", load_page) ||
	    !load_table(l, vector, "tasks", load_task) ||
	    !load_table(l, vector, "words", load_word))
		return false;
	l->p->repeat = (int)repeat;
	if (!l->p->task_count)
		return conform_complain(l, "tasks", "there must be one at least");
	return conform_load_steps(l, conform_member(vector, "steps"));
}

/* The text of the file as JSON, NULL after a complaint. */
static struct json_object *parse_file(const struct conform_loader *l)
{
	enum json_tokener_error error;
	struct json_tokener *tokener;
	struct json_object *root;
	FILE *file = fopen(l->path, "re");
	char *text = NULL;
	size_t length = 0;

	if (!file || getdelim(&text, &length, '\0', file) < 0) {
		conform_complain(l, NULL, "%s", file ? "is empty" : strerror(errno));
		if (file)
			fclose(file);
		free(text);
		return NULL;
	}
	fclose(file);
	tokener = json_tokener_new_ex(64);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	error = json_tokener_get_error(tokener);
	if (error != json_tokener_success) {
		size_t at = json_tokener_get_parse_end(tokener);
		int line = 1;

		for (size_t i = 0; i < at && text[i]; i++)
			line += text[i] == '\n';
		conform_complain(l, NULL, "line %d: not JSON: %s", line,
				 json_tokener_error_desc(error));
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	free(text);
	return root;
}

static bool load_vectors(struct conform_loader *l, struct json_object *root,
			 struct conform_program **list, int *count)
{
	struct json_object *vectors;
	const char *format;

	if (!json_object_is_type(root, json_type_object))
		return conform_complain(l, NULL, "must hold one object");
	format = conform_text(l, root, "format");
	if (!format || !conform_check_keys(l, root, "format about vectors"))
		return false;
	if (strcmp(format, FORMAT) != 0)
		return conform_complain(l, "format", "is %s and not " FORMAT, format);
	vectors = conform_member(root, "vectors");
	if (!vectors || !json_object_is_type(vectors, json_type_array))
		return conform_complain(l, "vectors", "must be a list");
	for (size_t i = 0; i < json_object_array_length(vectors); i++) {
		*list = conform_grow(*list, *count, sizeof(**list));
		l->p = &(*list)[(*count)++];
		l->step = l->index = -1;
		if (!load_vector(l, json_object_array_get_idx(vectors, i)))
			return false;
	}
	return true;
}

int conform_load_file(const char *path, struct conform_program **list, int *count)
{
	struct conform_loader loader = {.path = path, .step = -1, .index = -1};
	struct json_object *root = parse_file(&loader);
	int before = *count;
	bool loaded;

	if (!root)
		return -1;
	loaded = load_vectors(&loader, root, list, count);
	json_object_put(root);
	return loaded ? *count - before : -1;
}
