/* SPDX-License-Identifier: MIT */
/*
 * t_parts.c - `rqpi doctor` from inside: its experiments can fail, its children end, a sandbox that
 * kills is told.
 *
 * Links the parts of the command (tools/rqpi/cmd_doctor_*.c) and asks the experiments for the wrong
 * kind of mutex and of condition variable: they must say so.
 */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/support.h"
#include "tools/rqpi/cmd_doctor.h"

enum { STATUS_NO_SECCOMP = 77 };

static struct doctor new_doctor(void)
{
	return (struct doctor){.root = "", .live = true, .experiments = true, .priority = 50};
}

/* A doctor that was granted SCHED_FIFO, or a skip. */
static struct doctor fit_doctor(const char *test)
{
	struct doctor d = new_doctor();

	doctor_try_fifo(&d);
	if (d.fifo_max < 4) {
		rqt_skip(test, "no right to SCHED_FIFO here");
	}
	return d;
}

static const struct doctor_finding *newest(const struct doctor *d)
{
	return &d->findings[d->count - 1];
}

static bool measured(const struct doctor_finding *f, const char *key)
{
	return json_object_get_boolean(json_object_object_get(f->data, key));
}

static void a_mutex_with_inheritance_is_not_held_up(void **state)
{
	struct doctor d = fit_doctor(__func__);

	(void)state;
	doctor_prove_inheritance(&d, "x", DOCTOR_LOCK_PI, DOCTOR_LOCK_SEMAPHORE);
	assert_int_equal(newest(&d)->state, DOCTOR_OK);
	assert_false(measured(newest(&d), "held_up"));
	doctor_free(&d);
}

static void a_normal_mutex_shows_no_inheritance(void **state)
{
	struct doctor d = fit_doctor(__func__);
	const struct doctor_finding *f;

	(void)state;
	doctor_prove_inheritance(&d, "x", DOCTOR_LOCK_PLAIN, DOCTOR_LOCK_SEMAPHORE);
	f = newest(&d);
	assert_int_equal(f->state, DOCTOR_BAD);
	assert_non_null(strstr(f->what, "no inheritance"));
	assert_true(measured(f, "held_up"));
	assert_int_equal(json_object_get_int(json_object_object_get(f->data, "owner_ran_at")), 1);
	assert_true(json_object_get_double(json_object_object_get(f->data, "waited_us")) >= 5000);
	assert_true(f->mend_count > 0 && f->why);
	doctor_free(&d);
}

static void a_control_that_inherits_proves_nothing(void **state)
{
	struct doctor d = fit_doctor(__func__);

	(void)state;
	doctor_prove_inheritance(&d, "x", DOCTOR_LOCK_PI, DOCTOR_LOCK_PI);
	assert_int_equal(newest(&d)->state, DOCTOR_UNKNOWN);
	assert_true(newest(&d)->needed);
	assert_non_null(strstr(newest(&d)->what, "not proven"));
	doctor_free(&d);
}

static void glibc_in_the_place_of_rqpi_shows_the_wrong_order(void **state)
{
	struct doctor d = fit_doctor(__func__);
	const struct doctor_finding *f;

	(void)state;
	doctor_prove_order(&d, "x", DOCTOR_COND_LIBC, DOCTOR_BAD);
	f = newest(&d);
	assert_int_equal(f->state, DOCTOR_BAD);
	assert_non_null(strstr(f->what, "wrong order"));
	assert_non_null(strstr(f->what, "served were 2, 1, 3"));
	doctor_free(&d);
}

static void rqpi_shows_the_right_order(void **state)
{
	struct doctor d = fit_doctor(__func__);

	(void)state;
	doctor_prove_order(&d, "x", DOCTOR_COND_RQPI, DOCTOR_BAD);
	assert_int_equal(newest(&d)->state, DOCTOR_OK);
	assert_non_null(strstr(newest(&d)->what, "served were 2, 3, 1"));
	doctor_free(&d);
}

/* Should the watchdog fail, a minute of it is enough. */
static void spin(void *shared)
{
	struct sched_param param = {.sched_priority = 1};
	time_t end = time(NULL) + 60;

	(void)shared;
	sched_setscheduler(0, SCHED_FIFO, &param);
	while (time(NULL) < end)
		;
}

static void a_real_time_child_that_never_sleeps_is_ended(void **state)
{
	time_t start = time(NULL);
	char why[160] = "";

	(void)state;
	assert_int_equal(doctor_child(spin, NULL, 1, why, sizeof(why)), -1);
	assert_true(time(NULL) - start < 30);
	assert_non_null(strstr(why, "within 1 seconds"));
}

static void give_up(void *shared)
{
	(void)shared;
	_exit(5);
}

static void a_child_that_gives_up_is_told(void **state)
{
	char why[160] = "";

	(void)state;
	assert_int_equal(doctor_child(give_up, NULL, 1, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "status 5"));
}

/* In a child: kill who calls FUTEX_LOCK_PI. */
static int look_in_a_sandbox_that_kills(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct doctor d = new_doctor();
	bool right;

	if (!filter ||
	    seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(futex), 1,
			     SCMP_A1(SCMP_CMP_MASKED_EQ, (uint64_t)FUTEX_CMD_MASK & 0xffffffffu,
				     (uint64_t)FUTEX_LOCK_PI)) ||
	    seccomp_load(filter))
		return STATUS_NO_SECCOMP;
	doctor_try_futexes(&d);
	right = d.count == 3 && d.findings[0].state == DOCTOR_BAD &&
		strstr(d.findings[0].what, "seccomp) kills") && d.findings[0].mend_count;
	return right ? 0 : 1;
}

static void a_sandbox_that_kills_is_told_and_survived(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(look_in_a_sandbox_that_kills());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == STATUS_NO_SECCOMP) {
		rqt_skip(__func__, "no seccomp filter here");
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void arguments_of_the_kernel_are_whole_words(void **state)
{
	char value[16];

	(void)state;
	assert_null(doctor_argument("", "a", value, sizeof(value)));
	assert_null(doctor_argument("xa ab", "a", value, sizeof(value)));
	assert_string_equal(doctor_argument("b a", "a", value, sizeof(value)), "");
	assert_string_equal(doctor_argument(" a=1  b\n", "a", value, sizeof(value)), "1");
	assert_string_equal(doctor_argument("a=1 a=2", "a", value, sizeof(value)), "2");
	assert_null(doctor_argument("b -- a", "a", value, sizeof(value)));
	assert_string_equal(doctor_argument("a=0123456789abcdefgh", "a", value, sizeof(value)),
			    "0123456789abcd");
}

static void options_of_the_kernel_are_whole_names(void **state)
{
	char text[] =
	    "CONFIG_A_B=y\nCONFIG_A=m\n# CONFIG_C is not set\nCONFIG_D=\"y\"\nXCONFIG_E=y";
	struct doctor d = {.config = text};

	(void)state;
	assert_int_equal(doctor_config(&d, "CONFIG_A"), 'm');
	assert_int_equal(doctor_config(&d, "CONFIG_A_B"), 'y');
	assert_int_equal(doctor_config(&d, "CONFIG_C"), 'n');
	assert_int_equal(doctor_config(&d, "CONFIG_E"), 'n');
	d.config = NULL;
	assert_int_equal(doctor_config(&d, "CONFIG_A"), '?');
}

static void releases_are_compared_as_numbers(void **state)
{
	struct doctor d = {.release = "6.9.0-1"};

	(void)state;
	assert_false(doctor_release_is(&d, 6, 12));
	assert_true(doctor_release_is(&d, 6, 9));
	assert_true(doctor_release_is(&d, 5, 14));
	d.release[0] = '\0';
	assert_false(doctor_release_is(&d, 2, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(a_mutex_with_inheritance_is_not_held_up),
	    RQT_CASE(a_normal_mutex_shows_no_inheritance),
	    RQT_CASE(a_control_that_inherits_proves_nothing),
	    RQT_CASE(glibc_in_the_place_of_rqpi_shows_the_wrong_order),
	    RQT_CASE(rqpi_shows_the_right_order),
	    RQT_CASE(a_real_time_child_that_never_sleeps_is_ended),
	    RQT_CASE(a_child_that_gives_up_is_told),
	    RQT_CASE(a_sandbox_that_kills_is_told_and_survived),
	    RQT_CASE(arguments_of_the_kernel_are_whole_words),
	    RQT_CASE(options_of_the_kernel_are_whole_names),
	    RQT_CASE(releases_are_compared_as_numbers),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("doctor-parts", tests, NULL, NULL);
}
