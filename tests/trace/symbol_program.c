/* SPDX-License-Identifier: MIT */
/*
 * symbol_program.c - has one of each place where a lock can lie, prints their addresses, and waits;
 * t_symbol.c asks what they are called. Built as a PIE, at a fixed address, and without symbols.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct pair {
	long before;
	pthread_mutex_t lock;
};

static pthread_mutex_t zero_lock;				 /* .bss */
static struct pair made_pair = {.before = 1, .lock.__align = 2}; /* .data */
static char large[1 << 20];					 /* .bss, many pages */

static void __attribute__((noinline)) print(const char *name, const volatile void *address)
{
	printf("%s %" PRIxPTR "\n", name, (uintptr_t)address);
}

int main(void)
{
	char here;
	void *heap = malloc(40);
	char byte;

	if (!heap)
		return 1;
	print("zero_lock", &zero_lock);
	print("made_pair", &made_pair.lock);
	print("large", &large[sizeof(large) - 1]);
	print("heap", heap);
	print("stack", &here);
	print("stdout", stdout); /* _IO_2_1_stdout_, in libc */
	/* A return address is behind the call. */
	print("print", (const volatile void *)((uintptr_t)print + 1));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	free(heap);
	return 0;
}
