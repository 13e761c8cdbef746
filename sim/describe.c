/* SPDX-License-Identifier: MIT */
/*
 * describe.c - memory of the machine in words. See describe.h.
 *
 * Called by replay.c. A planted bug may have left anything in the engine's structures: no tree
 * and no list is walked here, only the tasks and their PI states, of which it is known where they
 * are.
 */
#include "sim/user_sim.h" /* first: what user.h is to know */

#include "sim/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rqpi/trace.h>

#include "sim/explore.h"
#include "src/engine/rqk.h"
#include "src/user/channel.h"

enum { LEARNT_MAX = 32, ADDRESS_DIGITS = 9 };

/* Fields that deserve a name: those behind which there is a point. */
struct field {
	const char *name;
	size_t offset;
	enum rqs_type type;
};

static const struct field task_fields[] = {
    {"refs", offsetof(struct rqpi_task, refs), RQS_T_COUNTER},
    {"wake_claimed", offsetof(struct rqpi_task, wake_claimed), RQS_T_NUMBER},
    {"eff_now", offsetof(struct rqpi_task, eff_now), RQS_T_NUMBER},
    {"queued in", offsetof(struct rqpi_task, q.bucket), RQS_T_BUCKET},
    {"requeue_state", offsetof(struct rqpi_task, q.requeue_state), RQS_T_STATE},
    {"exit_lock.owner", offsetof(struct rqpi_task, exit_lock.owner), RQS_T_OWNER},
};

static const struct field mutex_fields[] = {
    {"", offsetof(struct rqu_mutex, word), RQS_T_PI},
    {".kind", offsetof(struct rqu_mutex, kind), RQS_T_NUMBER},
    {".count", offsetof(struct rqu_mutex, count), RQS_T_NUMBER},
    {".state", offsetof(struct rqu_mutex, state), RQS_T_NUMBER},
    {".prev", offsetof(struct rqu_mutex, prev), RQS_T_LINK},
    {".next", offsetof(struct rqu_mutex, next), RQS_T_LINK},
};

static const struct field cond_fields[] = {
    {".kind", offsetof(struct rqu_cond, kind), RQS_T_NUMBER},
    {".ref", offsetof(struct rqu_cond, ref), RQS_T_NUMBER},
    {".seq", offsetof(struct rqu_cond, seq), RQS_T_NUMBER},
    {".joined", offsetof(struct rqu_cond, joined), RQS_T_LINK},
    {".served", offsetof(struct rqu_cond, served), RQS_T_LINK},
    {".distance", offsetof(struct rqu_cond, distance), RQS_T_LINK},
};

static const struct field channel_fields[] = {
    {"seq", offsetof(struct rqu_chan, seq), RQS_T_NUMBER},
    {"refs", offsetof(struct rqu_chan, refs), RQS_T_COUNTER},
    {"ref", offsetof(struct rqu_chan, ref), RQS_T_LINK},
    {"word", offsetof(struct rqu_chan, word), RQS_T_LINK},
    {"next", offsetof(struct rqu_chan, next), RQS_T_NUMBER},
    {"mark", offsetof(struct rqu_chan, mark), RQS_T_NUMBER},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct rqs_scenario *playing;
static uintptr_t pi_words[LEARNT_MAX]; /* that the scenario has not named */
static size_t pi_word_count;
static uintptr_t channels;		  /* the first of the library's, 0: not known */
static uint64_t last_word[RQS_TASKS + 1]; /* of each PI state, when it was in use */

/* What the user half marks as state; the linker knows where it begins and ends. */
extern char rqs_marked_begin[] __asm__("__start_rqs_state");
extern char rqs_marked_end[] __asm__("__stop_rqs_state");

void rqs_describe_begin(const struct rqs_scenario *scenario)
{
	if (playing != scenario) {
		pi_word_count = 0;
		channels = 0;
	}
	playing = scenario;
	memset(last_word, 0, sizeof(last_word));
}

static bool lies_in(uintptr_t addr, const void *from, size_t bytes)
{
	return addr >= (uintptr_t)from && addr < (uintptr_t)from + bytes;
}

static bool is_known_pi(uintptr_t addr)
{
	for (size_t i = 0; i < pi_word_count; i++) {
		if (pi_words[i] == addr)
			return true;
	}
	return false;
}

static void learn_pi(uintptr_t addr)
{
	if (pi_word_count < LEARNT_MAX && !is_known_pi(addr))
		pi_words[pi_word_count++] = addr;
}

void rqs_describe_learn(const struct rqpi_event *event)
{
	uintptr_t at = (uintptr_t)event->object;

	switch (event->id) {
	case RQPI_EV_ATOMIC:
	case RQPI_EV_REQUEUE_MOVED:
	case RQPI_EV_REQUEUE_TAKEN:
	case RQPI_EV_FIXUP:
		learn_pi(at);
		break;
	case RQPI_EV_CALL: /* the only futexes there are in the library's memory */
		if (!channels &&
		    lies_in(at, rqs_marked_begin, (size_t)(rqs_marked_end - rqs_marked_begin)))
			channels = at - sizeof(struct rqu_chan) * ((struct rqu_chan *)at)->index;
		break;
	default:
		break;
	}
}

/* ---------------------------------------------------------------- what lies where */

static struct rqpi_task *task_of(uint32_t i)
{
	return (struct rqpi_task *)(void *)rqs_world->tasks[i].storage;
}

static struct rqk_pi_state *pi_state_of(uint32_t i)
{
	return (struct rqk_pi_state *)(void *)rqs_world->tasks[i].pi_state;
}

static const struct field *field_at(const struct field *fields, size_t count, size_t offset)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].offset == offset)
			return &fields[i];
	}
	return NULL;
}

static bool name_of_member(const struct rqs_word *word, uintptr_t addr, struct rqs_thing *thing)
{
	static const struct field number = {"", 0, RQS_T_NUMBER};
	static const struct field futex = {"", 0, RQS_T_PI};
	size_t into = addr - (uintptr_t)rqs_world->program - word->offset;
	const struct field *f = NULL;

	if (word->kind == RQS_MUTEX)
		f = field_at(mutex_fields, COUNT_OF(mutex_fields), into);
	else if (word->kind == RQS_COND)
		f = field_at(cond_fields, COUNT_OF(cond_fields), into);
	else if (into == 0)
		f = word->kind == RQS_PI_FUTEX || is_known_pi(addr) ? &futex : &number;
	if (!f)
		return false;
	snprintf(thing->name, sizeof(thing->name), "%s%s", word->name, f->name);
	thing->type = f->type;
	return true;
}

static void name_of_word(uintptr_t addr, struct rqs_thing *thing)
{
	size_t offset = addr - (uintptr_t)rqs_world->program;
	const struct rqs_word *best = NULL;

	for (const struct rqs_word *w = playing->words; w && w->name; w++) {
		if (w->offset <= offset && (!best || w->offset > best->offset))
			best = w;
	}
	thing->is_named = best && name_of_member(best, addr, thing);
	if (thing->is_named)
		return;
	snprintf(thing->name, sizeof(thing->name), "program+0x%zx", offset);
	thing->type = is_known_pi(addr) ? RQS_T_PI : RQS_T_NUMBER;
}

static void name_of_rt(uint32_t i, char *name, size_t size)
{
	struct rqs_thing word;

	if (last_word[i] && rqs_thing_at((void *)(uintptr_t)last_word[i], &word))
		snprintf(name, size, "%s.rt", word.name);
	else
		snprintf(name, size, "%c's pi state", 'a' + (char)i);
}

static void name_in_task(uint32_t i, uintptr_t addr, struct rqs_thing *thing)
{
	size_t offset = addr - (uintptr_t)&rqs_world->tasks[i];
	size_t in_pi = addr - (uintptr_t)rqs_world->tasks[i].pi_state;
	const struct field *f;
	char rt[80];

	thing->type = RQS_T_NUMBER;
	if (lies_in(addr, pi_state_of(i), RQPI_PI_STATE_BYTES)) {
		name_of_rt(i, rt, sizeof(rt));
		thing->is_named = in_pi == 0 || in_pi == offsetof(struct rqk_pi_state, lock.owner);
		thing->type = in_pi ? RQS_T_OWNER : RQS_T_NUMBER;
		snprintf(thing->name, sizeof(thing->name), "%.54s%s", rt, in_pi ? ".owner" : "");
		return;
	}
	f = field_at(task_fields, COUNT_OF(task_fields), addr - (uintptr_t)task_of(i));
	thing->is_named = f != NULL;
	thing->is_inner = !f || f->type != RQS_T_STATE;
	if (f)
		thing->type = f->type;
	if (f)
		snprintf(thing->name, sizeof(thing->name), "%c %s", 'a' + (char)i, f->name);
	else if (addr == (uintptr_t)task_of(i))
		snprintf(thing->name, sizeof(thing->name), "task %c", 'a' + (char)i);
	else if (lies_in(addr, &rqs_world->tasks[i].robust, sizeof(struct rqu_robust_head)))
		snprintf(thing->name, sizeof(thing->name), "robust list of %c", 'a' + (char)i);
	else
		snprintf(thing->name, sizeof(thing->name), "task %c+0x%zx", 'a' + (char)i, offset);
}

static void name_of_marked(uintptr_t addr, struct rqs_thing *thing)
{
	size_t offset = addr - (uintptr_t)rqs_marked_begin;
	size_t into = (addr - channels) % sizeof(struct rqu_chan);
	size_t index = (addr - channels) / sizeof(struct rqu_chan);
	const struct field *f = NULL;

	if (channels && addr >= channels && index < RQU_CHUNK)
		f = field_at(channel_fields, COUNT_OF(channel_fields), into);
	thing->is_named = f != NULL;
	thing->is_inner = true;
	thing->type = f ? f->type : RQS_T_NUMBER;
	if (f)
		snprintf(thing->name, sizeof(thing->name), "channel%zu.%s", index, f->name);
	else
		snprintf(thing->name, sizeof(thing->name), "library+0x%zx", offset);
}

static bool name_of_bucket(uintptr_t addr, struct rqs_thing *thing)
{
	const struct rqpi_engine *e = rqs_world->engine;

	for (uint32_t i = 0; i <= e->mask; i++) {
		if (!lies_in(addr, &e->buckets[i], sizeof(e->buckets[i])))
			continue;
		thing->is_named = true;
		thing->is_inner = true;
		thing->type = RQS_T_COUNTER;
		snprintf(thing->name, sizeof(thing->name), "bucket %u%s", i,
			 addr == (uintptr_t)&e->buckets[i].waiters ? " waiters" : "");
		return true;
	}
	return false;
}

bool rqs_thing_at(const volatile void *addr, struct rqs_thing *thing)
{
	uintptr_t at = (uintptr_t)addr;

	*thing = (struct rqs_thing){.type = RQS_T_NUMBER};
	if (lies_in(at, rqs_world->program, playing->bytes)) {
		name_of_word(at, thing);
		return true;
	}
	if (lies_in(at, rqs_marked_begin, (size_t)(rqs_marked_end - rqs_marked_begin))) {
		name_of_marked(at, thing);
		return true;
	}
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (lies_in(at, &rqs_world->tasks[i], sizeof(struct rqs_task))) {
			name_in_task(i, at, thing);
			return true;
		}
	}
	return name_of_bucket(at, thing);
}

static bool is_long(enum rqs_type type)
{
	return type == RQS_T_LINK || type == RQS_T_OWNER || type == RQS_T_BUCKET;
}

uint64_t rqs_thing_value(const volatile void *addr, enum rqs_type type)
{
	if (is_long(type))
		return *(const volatile uint64_t *)addr;
	return *(const volatile uint32_t *)addr;
}

void rqs_describe_look(void)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (pi_state_of(i)->refs)
			last_word[i] = pi_state_of(i)->key.offset;
	}
}

/* ---------------------------------------------------------------- values */

static char name_of_task(const void *task)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (task == task_of(i))
			return (char)('a' + i);
	}
	return '?';
}

static void owner_text(uint64_t value, char *text, size_t size)
{
	const void *owner = (const void *)(uintptr_t)(value & ~RQK_HAS_WAITERS);
	const char *flag = value & RQK_HAS_WAITERS ? "HAS_WAITERS" : "";

	if (owner)
		snprintf(text, size, "%c%s%s", name_of_task(owner), *flag ? "|" : "", flag);
	else
		snprintf(text, size, "%s", *flag ? flag : "nobody");
}

static void pi_text(uint32_t value, char *text, size_t size)
{
	uint32_t tid = value & RQB_WORD_TID_MASK;
	const char *died = value & RQB_WORD_OWNER_DIED ? "OWNER_DIED" : "";
	const char *waiters = value & RQB_WORD_WAITERS ? "WAITERS" : "";
	char number[16] = "";

	if (tid || !(value & ~RQB_WORD_TID_MASK))
		snprintf(number, sizeof(number), "%u", tid);
	snprintf(text, size, "%s%s%s%s%s", number, *number && *waiters ? "|" : "", waiters,
		 (*number || *waiters) && *died ? "|" : "", died);
}

void rqs_value_text(enum rqs_type type, uint64_t value, char *text, size_t size)
{
	static const char *const states[] = {[RQK_REQUEUE_NONE] = "NONE",
					     [RQK_REQUEUE_IGNORE] = "IGNORE",
					     [RQK_REQUEUE_IN_PROGRESS] = "IN_PROGRESS",
					     [RQK_REQUEUE_DONE] = "DONE",
					     [RQK_REQUEUE_LOCKED] = "LOCKED"};
	struct rqs_thing thing;

	if (type == RQS_T_PI)
		pi_text((uint32_t)value, text, size);
	else if (type == RQS_T_OWNER)
		owner_text(value, text, size);
	else if (type == RQS_T_STATE && value < COUNT_OF(states))
		snprintf(text, size, "%s", states[value]);
	else if (is_long(type) && value && rqs_thing_at((void *)(uintptr_t)value, &thing))
		snprintf(text, size, "%s", thing.name);
	else if (type == RQS_T_BUCKET && !value)
		snprintf(text, size, "none");
	else if (value > UINT16_MAX)
		snprintf(text, size, "0x%llx", (unsigned long long)value);
	else
		snprintf(text, size, "%llu", (unsigned long long)value);
}

void rqs_prio_text(int prio, char *text, size_t size)
{
	if (prio < 0)
		snprintf(text, size, "deadline");
	else if (prio < RQPI_PRIO_NICE(-20))
		snprintf(text, size, "RT %d", RQPI_PRIO_RT(0) - prio);
	else
		snprintf(text, size, "nice %d", prio - RQPI_PRIO_NICE(0));
}

/* ---------------------------------------------------------------- locks, events, tasks */

void rqs_lock_text(const volatile void *lock, char *text, size_t size)
{
	uintptr_t at = (uintptr_t)lock;
	struct rqs_thing thing;
	char rt[80];

	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		name_of_rt(i, rt, sizeof(rt));
		if (at == (uintptr_t)&pi_state_of(i)->lock.wait_lock)
			snprintf(text, size, "wait_lock of %s", rt);
		else if (at == (uintptr_t)&task_of(i)->pi_lock)
			snprintf(text, size, "pi_lock of %c", 'a' + (char)i);
		else if (at == (uintptr_t)&task_of(i)->exit_lock.wait_lock)
			snprintf(text, size, "wait_lock of %c's exit_lock", 'a' + (char)i);
		else
			continue;
		return;
	}
	snprintf(text, size, "lock of %s",
		 rqs_thing_at(lock, &thing) ? thing.name : "something unknown");
}

static size_t length_of_word(const char *from)
{
	size_t n = 0;

	while (isalnum((unsigned char)from[n]))
		n++;
	return n ? n : 1;
}

void rqs_replace_addresses(const char *from, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t length; *from && n + 1 < size; from += length) {
		bool is_address;
		struct rqs_thing thing;

		length = length_of_word(from);
		is_address = length >= ADDRESS_DIGITS &&
			     strspn(from, "0123456789abcdef") == length &&
			     rqs_thing_at((void *)(uintptr_t)strtoull(from, NULL, 16), &thing);
		n += (size_t)snprintf(text + n, size - n, "%.*s", is_address ? 64 : (int)length,
				      is_address ? thing.name : from);
	}
}

void rqs_event_text(const struct rqpi_event *event, char *text, size_t size)
{
	char raw[160], word[48] = "";

	rqpi_event_text(event, raw, sizeof(raw));
	rqs_replace_addresses(raw, text, size);
	if (event->id == RQPI_EV_LOOKUP_REFUSED)
		rqs_value_text(RQS_T_PI, (uint32_t)event->other, word, sizeof(word));
	else if (event->id == RQPI_EV_EXIT_LIST)
		rqs_value_text(RQS_T_PI, (uint32_t)event->value, word, sizeof(word));
	if (*word)
		snprintf(text + strlen(text), size - strlen(text), " (%s)", word);
}

/* Who has the raw lock: '?' nobody that is known. */
static char holder_of(const struct rqpi_rawlock *lock)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		if (lock->word[0] == RQS_FIRST_TID + i)
			return (char)('a' + i);
	}
	return '?';
}

enum rqs_doing rqs_task_text(uint32_t i, const char *call, char *text, size_t size)
{
	const struct rqs_task *t = &rqs_world->tasks[i];
	char lock[80];

	if (t->status == RQS_NONE) {
		snprintf(text, size, "is not there yet");
		return RQS_DOES_NOTHING;
	} else if (t->status == RQS_ENDED) {
		snprintf(text, size, "ended");
		return RQS_DOES_NOTHING;
	} else if (t->status == RQS_ASLEEP) {
		snprintf(text, size, "asleep%s%s", *call ? " in " : "", call);
		return RQS_DOES_SLEEP;
	} else if (t->wants && t->wants->word[0]) {
		rqs_lock_text(t->wants, lock, sizeof(lock));
		snprintf(text, size, "waits for the %s, which %c has", lock, holder_of(t->wants));
		return RQS_DOES_WAIT;
	} else {
		snprintf(text, size, "can run%s%s", *call ? ", in " : "", call);
	}
	return RQS_DOES_GO;
}

bool rqs_is_still_marked(char *text, size_t size)
{
	for (uint32_t i = 0; i < rqs_world->n_tasks; i++) {
		const struct rqk_waiter *waiter = &task_of(i)->waiter;

		if (rqb_node_linked(&waiter->tree) || !rqb_node_linked(&waiter->pi))
			continue;
		snprintf(text, size,
			 "broken: I4 %c waits for no lock, and is still marked as waiting: "
			 "somebody inherits from it",
			 'a' + (char)i);
		return true;
	}
	return false;
}

bool rqs_rt_mutex_text(uint32_t i, char *text, size_t size)
{
	const struct rqk_pi_state *ps = pi_state_of(i);
	const struct rqpi_task *top = NULL;
	char owner[40], rt[80], waiters[40] = "";
	size_t n = 0;

	if (!ps->refs)
		return false;
	for (uint32_t k = 0; k < rqs_world->n_tasks; k++) {
		const struct rqpi_task *task = task_of(k);

		if (task->waiter.lock != &ps->lock || !task->waiter.task ||
		    task->blocked_on != &task->waiter)
			continue;
		if (!top || task->waiter.prio.prio < top->waiter.prio.prio)
			top = task;
		n += (size_t)snprintf(waiters + n, sizeof(waiters) - n, "%s%c", n ? " " : "",
				      'a' + (char)k);
	}
	name_of_rt(i, rt, sizeof(rt));
	owner_text(ps->lock.owner, owner, sizeof(owner));
	n = (size_t)snprintf(text, size, "%s: owner %s", rt, owner);
	if (*waiters && n < size)
		n += (size_t)snprintf(text + n, size - n, ", waiting: %s", waiters);
	if (strlen(waiters) > 1 && n < size)
		snprintf(text + n, size - n, " (%c first)", name_of_task(top));
	return true;
}
