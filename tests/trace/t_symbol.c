/* SPDX-License-Identifier: MIT */
/*
 * t_symbol.c - trace_symbol.c: what addresses are called in this process, in programs of three
 * kinds, and in those that are gone.
 *
 * t_symbol PIE FIXED STRIPPED: symbol_program.c, built so. Linked with the files of `rqpi trace`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/rqpi/trace/trace.h"

static char **programs; /* PIE, FIXED, STRIPPED */

static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

/* symbol_program, as it waits. */
struct running {
	pid_t pid;
	FILE *out;
	int in;
	uint64_t zero_lock, made_pair, large, heap, stack, standard, print;
};

static uint64_t read_address(struct running *r, const char *name)
{
	char line[128], expected[64];
	uint64_t address = 0;

	assert_non_null(fgets(line, sizeof(line), r->out));
	snprintf(expected, sizeof(expected), "%s %%%s", name, SCNx64);
	assert_int_equal(sscanf(line, expected, &address), 1);
	return address;
}

static void start(struct running *r, const char *program)
{
	int to[2], from[2];

	/* Another one must not keep this one's input open. */
	assert_int_equal(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (!r->pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		alarm(30);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	r->in = to[1];
	r->out = fdopen(from[0], "r");
	assert_non_null(r->out);
	r->zero_lock = read_address(r, "zero_lock");
	r->made_pair = read_address(r, "made_pair");
	r->large = read_address(r, "large");
	r->heap = read_address(r, "heap");
	r->stack = read_address(r, "stack");
	r->standard = read_address(r, "stdout");
	r->print = read_address(r, "print");
}

static void end(struct running *r)
{
	int status;

	close(r->in);
	fclose(r->out);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_int_equal(status, 0);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* @address is called "SYMBOL (FILE)", "SYMBOL+0xINTO (FILE)". */
static void expect(struct trace_symbols *s, uint32_t pid, uint64_t address, bool code,
		   const char *symbol, const char *file)
{
	char place[TRACE_PLACE_SIZE], expected[TRACE_PLACE_SIZE];

	assert_true(trace_symbols_knows(s, pid, address));
	assert_true(trace_symbols_name(s, pid, address, code, place));
	snprintf(expected, sizeof(expected), "%s (%s)", symbol, base(file));
	assert_string_equal(place, expected);
}

static void expect_none(struct trace_symbols *s, uint32_t pid, uint64_t address)
{
	char place[TRACE_PLACE_SIZE] = "left";

	assert_false(trace_symbols_knows(s, pid, address));
	assert_false(trace_symbols_name(s, pid, address, false, place));
	assert_string_equal(place, "");
}

static void expect_all(struct trace_symbols *s, const struct running *r, const char *program)
{
	uint32_t pid = (uint32_t)r->pid;
	char place[TRACE_PLACE_SIZE];

	expect(s, pid, r->zero_lock, false, "zero_lock", program);
	expect(s, pid, r->made_pair, false, "made_pair+0x8", program);
	expect(s, pid, r->large, false, "large+0xfffff", program);
	expect(s, pid, r->print, true, "print+0x1", program);
	expect_none(s, pid, r->heap);
	expect_none(s, pid, r->stack);
	assert_true(trace_symbols_name(s, pid, r->standard, false, place));
	if (!strncmp(place, "_IO_2_1_stdout_", 15)) /* glibc */
		assert_string_equal(place, "_IO_2_1_stdout_ (libc.so.6)");
}

static void our_own_variables_and_functions_have_names(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	uint32_t pid = (uint32_t)getpid();

	(void)state;
	trace_symbols_look(s, pid);
	expect(s, pid, (uintptr_t)&own_lock, false, "own_lock", program_invocation_short_name);
	expect(s, pid, (uintptr_t)&own_lock + 4, false, "own_lock+0x4",
	       program_invocation_short_name);
	expect(s, pid, (uintptr_t)&expect_all + 1, true, "expect_all+0x1",
	       program_invocation_short_name);
	/* The first byte of a function, as a return address, is the end of the one before. */
	char place[TRACE_PLACE_SIZE];
	assert_true(trace_symbols_name(s, pid, (uintptr_t)&expect_all, true, place));
	assert_null(strstr(place, "expect_all"));
	trace_symbols_free(s);
}

static void variables_of_a_pie_have_names(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	struct running r;

	(void)state;
	start(&r, programs[0]);
	expect_none(s, (uint32_t)r.pid, r.zero_lock); /* nobody has looked */
	trace_symbols_look(s, (uint32_t)r.pid);
	expect_all(s, &r, programs[0]);
	end(&r);
	trace_symbols_free(s);
}

static void variables_of_a_program_at_a_fixed_address_have_names(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	struct running r;

	(void)state;
	start(&r, programs[1]);
	trace_symbols_look(s, (uint32_t)r.pid);
	expect_all(s, &r, programs[1]);
	end(&r);
	trace_symbols_free(s);
}

static void in_a_stripped_file_the_offset_is_told(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	struct running r;
	char place[TRACE_PLACE_SIZE], expected[64];
	uint64_t into, there;

	(void)state;
	start(&r, programs[2]);
	trace_symbols_look(s, (uint32_t)r.pid);
	snprintf(expected, sizeof(expected), "%s+0x%%%s", base(programs[2]), SCNx64);
	assert_true(trace_symbols_name(s, (uint32_t)r.pid, r.zero_lock, false, place));
	assert_int_equal(sscanf(place, expected, &into), 1);
	/* Two of them, to see that it is where it says it is. */
	assert_true(trace_symbols_name(s, (uint32_t)r.pid, r.made_pair, false, place));
	assert_int_equal(sscanf(place, expected, &there), 1);
	assert_int_equal(into - there, r.zero_lock - r.made_pair);
	assert_true(into < 2 << 20); /* not where it is in memory */
	expect_none(s, (uint32_t)r.pid, r.heap);
	end(&r);
	trace_symbols_free(s);
}

static void what_was_looked_at_is_known_when_the_process_is_gone(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	struct running r, other;

	(void)state;
	start(&r, programs[0]);
	start(&other, programs[0]);
	trace_symbols_look(s, (uint32_t)r.pid);
	end(&r);
	trace_symbols_look(s, (uint32_t)r.pid); /* changes nothing */
	expect_all(s, &r, programs[0]);
	end(&other);
	trace_symbols_look(s, (uint32_t)other.pid);
	expect_none(s, (uint32_t)other.pid, other.zero_lock);
	trace_symbols_free(s);
}

static void a_mapped_file_has_a_name_and_an_offset(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	uint32_t pid = (uint32_t)getpid();
	int fd = memfd_create("shared_locks", MFD_CLOEXEC);
	char place[TRACE_PLACE_SIZE];
	char *at, *anonymous;

	(void)state;
	if (fd < 0 || ftruncate(fd, 8192))
		skip();
	at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	anonymous = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(at != MAP_FAILED && anonymous != MAP_FAILED);
	trace_symbols_look(s, pid);
	assert_true(trace_symbols_name(s, pid, (uintptr_t)at + 0x1040, false, place));
	assert_string_equal(place, "memfd:shared_locks+0x1040");
	expect_none(s, pid, (uintptr_t)anonymous);
	munmap(at, 8192);
	munmap(anonymous, 4096);
	close(fd);
	trace_symbols_free(s);
}

/* As shim_symbol.c does; the copy has no variables that anybody uses. */
static void a_program_that_maps_its_own_file_is_known_once(void **state)
{
	struct trace_symbols *s = trace_symbols_new();
	uint32_t pid = (uint32_t)getpid();
	FILE *self = fopen("/proc/self/exe", "re");
	char *copy;

	(void)state;
	assert_non_null(self);
	copy = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fileno(self), 0);
	assert_true(copy != MAP_FAILED);
	trace_symbols_look(s, pid);
	expect_none(s, pid, (uintptr_t)copy);
	expect(s, pid, (uintptr_t)&own_lock, false, "own_lock", program_invocation_short_name);
	munmap(copy, 4096);
	fclose(self);
	trace_symbols_free(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(our_own_variables_and_functions_have_names),
	    cmocka_unit_test(variables_of_a_pie_have_names),
	    cmocka_unit_test(variables_of_a_program_at_a_fixed_address_have_names),
	    cmocka_unit_test(in_a_stripped_file_the_offset_is_told),
	    cmocka_unit_test(what_was_looked_at_is_known_when_the_process_is_gone),
	    cmocka_unit_test(a_mapped_file_has_a_name_and_an_offset),
	    cmocka_unit_test(a_program_that_maps_its_own_file_is_known_once),
	};

	if (argc != 4) {
		fprintf(stderr, "usage: t_symbol PIE FIXED STRIPPED\n");
		return 2;
	}
	programs = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
