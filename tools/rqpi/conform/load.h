/* SPDX-License-Identifier: MIT */
/*
 * load.h - what the readers of the vector format share: where they are, complaints, and lookups.
 *
 * load.c reads a file, its vectors and their declarations, load_kernels.c of which kernels they
 * speak, load_value.c names, values and addresses, load_step.c steps, load_expect.c what is to be
 * seen. All return false after a complaint.
 */
#ifndef RQPI_CONFORM_LOAD_H
#define RQPI_CONFORM_LOAD_H

#include <json-c/json.h>

#include "program.h"

struct conform_loader {
	const char *path;
	struct conform_program *p;
	int step;  /* -1: not in the steps */
	int index; /* what [i] stands for, -1: nothing */
};

/* "rqpi conform: PATH: vector NAME: step N: KEY: ..." on standard error. Returns false. */
bool conform_complain(const struct conform_loader *l, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Is every key of @object one of @allowed, which has blanks between? */
bool conform_check_keys(const struct conform_loader *l, struct json_object *object,
			const char *allowed);
/* The member, NULL without a complaint if there is none. */
struct json_object *conform_member(struct json_object *object, const char *key);
/* The member as text, NULL after a complaint. */
const char *conform_text(const struct conform_loader *l, struct json_object *object,
			 const char *key);
/* A whole number from @min to @max; @key may be missing if @fallback is given. */
bool conform_number(const struct conform_loader *l, struct json_object *object, const char *key,
		    int64_t min, int64_t max, const int64_t *fallback, int64_t *number);
bool conform_truth(const struct conform_loader *l, struct json_object *object, const char *key,
		   bool *truth);

/* One of the names in @names (NULL at the end), into @chosen. */
bool conform_choice(const struct conform_loader *l, const char *key, const char *name,
		    const char *const *names, int *chosen);

/* load_kernels.c */
bool conform_load_kernels(struct conform_loader *l, struct json_object *vector);

/* load_value.c */
bool conform_find_task(const struct conform_loader *l, const char *key, const char *name,
		       int *task);
bool conform_find_word(const struct conform_loader *l, const char *key, const char *name,
		       int *word);
bool conform_find_page(const struct conform_loader *l, const char *key, const char *name,
		       int *page);
bool conform_load_value(const struct conform_loader *l, const char *key, struct json_object *object,
			struct conform_value *value);
bool conform_load_address(const struct conform_loader *l, const char *key,
			  struct json_object *object, struct conform_address *at);
bool conform_load_sched(const struct conform_loader *l, struct json_object *object,
			struct conform_sched *sched);
/* "T[2..5]" is T[2] to T[5]; anything else is itself. */
bool conform_split_range(const struct conform_loader *l, const char *key, const char *name,
			 char *base, int *first, int *last);

/* load_step.c, load_expect.c */
bool conform_load_steps(struct conform_loader *l, struct json_object *steps);
bool conform_load_expect(struct conform_loader *l, struct json_object *object,
			 struct conform_step *step);

#endif /* RQPI_CONFORM_LOAD_H */
