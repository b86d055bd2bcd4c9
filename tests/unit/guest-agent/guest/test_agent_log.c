/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests log lines, on a stderr that is a pipe, and durations as text. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "guest/log.h"

struct capture {
	int saved;
	int read_fd;
};

static void start_capture(struct capture *capture)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	capture->saved = dup(STDERR_FILENO);
	capture->read_fd = ends[0];
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
}

/* Returns what was written to stderr since the last call. */
static const char *read_capture(struct capture *capture)
{
	static char text[16384];
	ssize_t n = read(capture->read_fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* As read_capture(), without a change of what that has returned. */
static const char *read_next_capture(struct capture *capture)
{
	static char text[200];
	ssize_t n = read(capture->read_fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void end_capture(struct capture *capture)
{
	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	close(capture->read_fd);
}

static void keeps_lines_during_a_cycle_and_writes_them_afterwards(void **state)
{
	static struct log log = { .prefix = true };
	struct capture capture;
	char held[64], released[64], after[64];

	(void)state;
	start_capture(&capture);
	log_hold(&log);
	log_line(&log, LOG_LEVEL_WARNING, "first %d", 1);
	log_line(&log, LOG_LEVEL_DEBUG, "not verbose");
	snprintf(held, sizeof(held), "%s", read_capture(&capture));
	log_release(&log);
	snprintf(released, sizeof(released), "%s", read_capture(&capture));
	log_line(&log, LOG_LEVEL_ERROR, "second");
	snprintf(after, sizeof(after), "%s", read_capture(&capture));
	end_capture(&capture);
	assert_string_equal(held, "");
	assert_string_equal(released, "<4>first 1\n");
	assert_string_equal(after, "<3>second\n");
	log_line(NULL, LOG_LEVEL_ERROR, "nothing");
}

static void counts_the_lines_that_do_not_fit(void **state)
{
	static struct log log;
	struct capture capture;
	const char *released;
	char hundred[101], next[200];

	(void)state;
	memset(hundred, 'x', sizeof(hundred) - 1);
	hundred[sizeof(hundred) - 1] = '\0';
	start_capture(&capture);
	log_hold(&log);
	for (int i = 0; i < 100; i++)
		log_line(&log, LOG_LEVEL_NOTICE, "%s", hundred);
	log_release(&log);
	released = read_capture(&capture);
	/* Of the next cycle, nothing is lost. */
	log_hold(&log);
	log_line(&log, LOG_LEVEL_NOTICE, "next");
	log_release(&log);
	snprintf(next, sizeof(next), "%s", read_next_capture(&capture));
	end_capture(&capture);
	assert_string_equal(next, "next\n");
	/* 81 lines of 101 bytes fit into 8 KiB. */
	assert_true(strlen(released) > 81 * 101);
	assert_string_equal(released + 81 * 101,
			    "19 more lines of this cycle were dropped: the log buffer was full\n");
}

static void formats_durations_for_people(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = {
		{ 0, "0.0 ms" },	 { 349, "0.3 ms" },
		{ 12345, "12.3 ms" },	 { 99999, "99.9 ms" },
		{ 944321, "944 ms" },	 { 999999, "999 ms" },
		{ 1000000, "1.00 s" },	 { 1834999, "1.83 s" },
		{ 30000000, "30.00 s" }, { 3661000000, "3661.00 s" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[LOG_DURATION_MAX];

		assert_string_equal(log_format_duration(cases[i].us, text), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_lines_during_a_cycle_and_writes_them_afterwards),
		cmocka_unit_test(counts_the_lines_that_do_not_fit),
		cmocka_unit_test(formats_durations_for_people),
	};

	return cmocka_run_group_tests_name("agent-log", tests, NULL, NULL);
}
