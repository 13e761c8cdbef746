/* SPDX-License-Identifier: MIT */
/*
 * load_kernels.c - reads the member "kernels" of a vector: of which versions of Linux it speaks.
 *
 * Called by load.c.
 */
#include <limits.h>

#include "load.h"

static bool load_bound(struct conform_loader *l, struct json_object *pair, size_t index, int rest,
		       struct conform_version *version)
{
	struct json_object *bound = json_object_array_get_idx(pair, index);

	if (!json_object_is_type(bound, json_type_string))
		return conform_complain(l, "kernels", "a version must be a text");
	if (!conform_parse_version(json_object_get_string(bound), rest, version))
		return conform_complain(l, "kernels", "%s is no version",
					json_object_get_string(bound));
	return true;
}

static bool load_span(struct conform_loader *l, struct json_object *pair)
{
	struct conform_span *span = &l->p->kernels[l->p->kernel_count];
	size_t bounds = json_object_is_type(pair, json_type_array) ? json_object_array_length(pair)
								   : 0;

	if (bounds < 1 || bounds > 2)
		return conform_complain(l, "kernels", "must be lists of one or two versions");
	span->last = (struct conform_version){{INT_MAX, INT_MAX, INT_MAX}};
	if (!load_bound(l, pair, 0, 0, &span->first) ||
	    (bounds == 2 && !load_bound(l, pair, 1, INT_MAX, &span->last)))
		return false;
	l->p->kernel_count++;
	return true;
}

bool conform_load_kernels(struct conform_loader *l, struct json_object *vector)
{
	struct json_object *list = conform_member(vector, "kernels");
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list)
								  : 0;

	if (!list)
		return true;
	if (!count || count > CONFORM_SPANS)
		return conform_complain(l, "kernels", "must be a list of 1 to %d spans",
					CONFORM_SPANS);
	for (size_t i = 0; i < count; i++) {
		if (!load_span(l, json_object_array_get_idx(list, i)))
			return false;
	}
	return true;
}
