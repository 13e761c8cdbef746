/* SPDX-License-Identifier: MIT */
/*
 * demo_program_order.c - the experiment *order* of rqpi-demo-program: does a signal go to the most
 * urgent waiter?
 *
 * Called by demo_program.c. All threads share one CPU; MAIN has the highest priority and only moves
 * on when the kernel says that the thread it has just started sleeps, so the sequence is the same
 * in every run.
 */
#include "demo_program.h"

static int tokens;  /* under mutex: signals sent and not yet consumed */
static int taken;   /* under mutex: how many have been consumed */
static int arrived; /* under mutex: how many threads have come to wait */

static void wait_for_token(struct program_thread *self)
{
	lock_mutex(self);
	__atomic_store_n(&arrived, arrived + 1, __ATOMIC_RELEASE);
	record(self->index, DEMO_WAIT, 0);
	while (tokens == 0)
		pthread_cond_wait(&cond, &mutex);
	tokens--;
	record(self->index, DEMO_WOKEN, taken + 1);
	__atomic_store_n(&taken, taken + 1, __ATOMIC_RELEASE);
	unlock_mutex(self);
}

static void send_token(const struct program_thread *self, int number)
{
	lock_mutex(self);
	tokens++;
	record(self->index, DEMO_SIGNAL, number);
	pthread_cond_signal(&cond);
	record(self->index, DEMO_SIGNALLED, number);
	unlock_mutex(self);
}

static void start_waiter(struct program_thread *thread, int count)
{
	start_thread(thread);
	await_value(&arrived, count, "a waiter did not reach the condition variable");
	await_asleep(thread);
}

void run_order(void)
{
	struct program_thread self = {.name = "MAIN", .prio = DEMO_CONDUCTOR_PRIO, .index = 0};
	struct program_thread waiters[] = {
	    {.name = "LOW", .prio = 10, .index = 1, .body = wait_for_token},
	    {.name = "MID", .prio = 20, .index = 2, .body = wait_for_token},
	    {.name = "URGENT", .prio = 80, .index = 3, .body = wait_for_token},
	};

	become_main(self.prio);
	prepare_log(256);
	init_objects();
	print_thread(&self);
	for (int i = 0; i < 3; i++)
		print_thread(&waiters[i]);
	record_round(0);
	start_waiter(&waiters[0], 1);
	start_waiter(&waiters[1], 2);
	send_token(&self, 1);
	await_value(&taken, 1, "nobody took the first signal");
	start_waiter(&waiters[2], 3);
	send_token(&self, 2);
	await_value(&taken, 2, "nobody took the second signal");
	send_token(&self, 3);
	await_value(&taken, 3, "nobody took the third signal");
	for (int i = 0; i < 3; i++)
		join_thread(&waiters[i]);
	print_log();
}

/*
 * The same fault seen as a delay, for a C library in which *group* is mended: three low threads
 * wait, one of them is signalled, then HIGH comes to wait. A token every TOKEN_MS from now on; how
 * long until HIGH has one?
 */
enum { TOKEN_MS = 100 };

void run_order_inversion(void)
{
	struct program_thread self = {.name = "MAIN", .prio = DEMO_CONDUCTOR_PRIO, .index = 0};
	struct program_thread low[] = {
	    {.name = "LOW1", .prio = 10, .index = 1, .body = wait_for_token},
	    {.name = "LOW2", .prio = 11, .index = 2, .body = wait_for_token},
	    {.name = "LOW3", .prio = 12, .index = 3, .body = wait_for_token},
	};
	struct program_thread high = {
	    .name = "HIGH", .prio = 30, .index = 4, .body = wait_for_token};

	become_main(self.prio);
	prepare_log(256);
	init_objects();
	print_thread(&self);
	for (int i = 0; i < 3; i++)
		print_thread(&low[i]);
	print_thread(&high);
	record_round(0);
	for (int i = 0; i < 3; i++)
		start_waiter(&low[i], i + 1);
	send_token(&self, 1);
	await_value(&taken, 1, "nobody took the first signal");
	start_waiter(&high, 4);
	for (int number = 2; number <= 4; number++) {
		send_token(&self, number);
		sleep_us(TOKEN_MS * 1000L);
		await_value(&taken, number, "nobody took a signal");
	}
	join_thread(&high);
	for (int i = 0; i < 3; i++)
		join_thread(&low[i]);
	print_log();
}
