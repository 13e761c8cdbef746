/* SPDX-License-Identifier: MIT */
/*
 * t_key.c - which futexes are one and the same: the rules of futex(2) for private and shared ones,
 * for anonymous memory and files, seen by who wakes whom. Each case is made on the kernel's futex,
 * too, and both must say the same.
 */
#define _GNU_SOURCE
#include "tests/host/hosted.h"

#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/shm.h>

#define PAGE	4096
#define PRIVATE RQPI_FUTEX_PRIVATE

/* One futex call of the engine or of the kernel. */
static long call(bool kernel, uint32_t *word, int op, uint32_t val)
{
	static const struct timespec soon = {0, 30000000};
	const struct timespec *timeout = (op & 127) == RQPI_FUTEX_WAIT ? &soon : NULL;

	if (kernel)
		return rqt_raw_futex(word, op, val, timeout);
	return rqpi_futex(word, op, val, timeout, NULL, 0);
}

/* The same answer from both, which is @expected. */
static void both_say(uint32_t *word, int op, uint32_t val, long expected)
{
	assert_int_equal(call(true, word, op, val), expected);
	assert_int_equal(call(false, word, op, val), expected);
}

struct sleeper {
	uint32_t *word;
	int op;
	bool kernel;
};

static void body_sleep(struct rqt_thread *t)
{
	const struct sleeper *s = t->arg;
	const struct timespec far = {20, 0};

	if (s->kernel)
		t->value = (int)rqt_raw_futex(s->word, s->op, 0, &far);
	else
		t->value = (int)rqpi_futex(s->word, s->op, 0, &far, NULL, 0);
}

static void sleep_and_wake(bool kernel, uint32_t *asleep, int wait, uint32_t *woken, int wake,
			   bool meet)
{
	struct sleeper s = {asleep, wait, kernel};
	struct rqt_thread t = {.body = body_sleep, .arg = &s};

	rqt_start(&t, 0);
	if (kernel)
		rqt_wait_asleep(&t);
	else
		rqt_wait_blocked(&t);
	assert_int_equal(call(kernel, woken, wake, 1), meet);
	if (!meet)
		assert_int_equal(call(kernel, asleep, RQPI_FUTEX_WAKE | (wait & PRIVATE), 1), 1);
	rqt_join(&t);
	assert_int_equal(t.value, 0);
}

static void meets(uint32_t *a, int wait_flag, uint32_t *b, int wake_flag, bool meet)
{
	for (int kernel = 1; kernel >= 0; kernel--)
		sleep_and_wake(kernel, a, RQPI_FUTEX_WAIT | wait_flag, b,
			       RQPI_FUTEX_WAKE | wake_flag, meet);
}

static uint32_t *map_fd(int fd, int prot, int flags, long offset)
{
	void *p = mmap(NULL, PAGE, prot, flags, fd, offset);

	assert_true(p != MAP_FAILED);
	return p;
}

static int file_of(size_t bytes)
{
	int fd = memfd_create("words", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static void private_and_shared_never_meet(void **state)
{
	uint32_t *shared = rqt_shared_page();
	uint32_t *own = map_fd(-1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	(void)state;
	*own = 0;
	meets(own, PRIVATE, own, PRIVATE, true);
	meets(own, 0, own, 0, true);
	meets(own, PRIVATE, own, 0, false);
	meets(own, 0, own, PRIVATE, false);
	meets(shared, 0, shared, 0, true);
	meets(shared, PRIVATE, shared, 0, false);
	meets(shared, 0, shared, PRIVATE, false);
	rqt_check_engine();
}

static void two_mappings_of_a_page_meet_if_shared(void **state)
{
	int fd = file_of(2 * PAGE);
	uint32_t *a = map_fd(fd, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);
	uint32_t *b = map_fd(fd, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE);
	uint32_t *other = map_fd(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	(void)state;
	meets(a, 0, b, 0, true);
	meets(a + 5, 0, b + 5, 0, true);
	meets(a, 0, b + 1, 0, false);
	meets(a, 0, other, 0, false);
	meets(a, PRIVATE, b, PRIVATE, false);
	close(fd);
}

static void read_only_mappings(void **state)
{
	int fd = file_of(PAGE);
	uint32_t *rw = map_fd(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	uint32_t *ro = map_fd(fd, PROT_READ, MAP_SHARED, 0);
	uint32_t *anon = map_fd(-1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	(void)state;
	*anon = 0;
	mprotect(anon, PAGE, PROT_READ);
	both_say(anon, RQPI_FUTEX_WAIT | PRIVATE, 1, -EAGAIN);
	both_say(anon, RQPI_FUTEX_WAIT, 0, -EFAULT);
	both_say(anon, RQPI_FUTEX_WAKE, 1, -EFAULT);
	both_say(ro, RQPI_FUTEX_WAIT, 1, -EAGAIN);
	both_say(ro, RQPI_FUTEX_LOCK_PI, 0, -EFAULT);
	both_say(ro, RQPI_FUTEX_TRYLOCK_PI, 0, -EFAULT);
	meets(ro, 0, rw, 0, true);
	meets(rw, 0, ro, 0, true);
	close(fd);
}

/* A private mapping of a file: the file's page until it is written to, if nobody may write. */
static void private_mappings_of_files(void **state)
{
	int fd = file_of(PAGE);
	uint32_t *shared = map_fd(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	uint32_t *cow = map_fd(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	uint32_t *ro = map_fd(fd, PROT_READ, MAP_PRIVATE, 0);
	uint32_t *written = map_fd(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	(void)state;
	rqt_need_no_emulated_arm(__func__);
	meets(cow, 0, shared, 0, false);
	meets(cow, 0, cow, 0, true);
	meets(ro, 0, shared, 0, true);
	*written = 1;
	mprotect(written, PAGE, PROT_READ);
	both_say(written, RQPI_FUTEX_WAIT, 1, -EFAULT);
	both_say(written, RQPI_FUTEX_WAIT | PRIVATE, 0, -EAGAIN);
	close(fd);
}

static void unmapped_and_forbidden_memory_is_efault(void **state)
{
	uint32_t *none = map_fd(-1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	uint32_t *gone = rqt_shared_page();

	(void)state;
	both_say(none, RQPI_FUTEX_WAKE, 1, -EFAULT);
	both_say(none, RQPI_FUTEX_WAIT, 0, -EFAULT);
	both_say(gone, RQPI_FUTEX_WAKE, 1, 0);
	munmap(gone, PAGE);
	both_say(gone, RQPI_FUTEX_WAKE, 1, -EFAULT);
	both_say(NULL, RQPI_FUTEX_WAKE, 1, -EFAULT);
}

/* Nothing is remembered of what was at an address before. */
static void another_file_at_the_same_address_is_another_futex(void **state)
{
	int one = file_of(PAGE);
	int two = file_of(PAGE);
	uint32_t *a = map_fd(one, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	uint32_t *b = map_fd(two, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	uint32_t *moving = map_fd(one, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	(void)state;
	meets(a, 0, moving, 0, true);
	assert_ptr_equal(mmap(moving, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, two, 0),
			 moving);
	meets(a, 0, moving, 0, false);
	meets(b, 0, moving, 0, true);
	close(one);
	close(two);
}

static void system_v_segments_are_one_object_wherever_attached(void **state)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	uint32_t *a;
	uint32_t *b;

	(void)state;
	if (id < 0)
		rqt_skip("system_v_segments_are_one_object_wherever_attached", "no shmget here");
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	meets(a, 0, b, 0, true);
	meets(a, 0, rqt_shared_page(), 0, false);
	shmdt(a);
	shmdt(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(private_and_shared_never_meet),
	    RQT_CASE(two_mappings_of_a_page_meet_if_shared),
	    RQT_CASE(read_only_mappings),
	    RQT_CASE(private_mappings_of_files),
	    RQT_CASE(unmapped_and_forbidden_memory_is_efault),
	    RQT_CASE(another_file_at_the_same_address_is_another_futex),
	    RQT_CASE(system_v_segments_are_one_object_wherever_attached),
	};

	rqt_host_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
