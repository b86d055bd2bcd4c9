/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "pmcoord/ini-file.h"

struct seen {
	char keys[512];
	char problems[2048];
};

static int take(void *data, const struct ini_position *position, const char *section,
		const char *key, const char *value, struct error *error)
{
	struct seen *seen = data;
	size_t used = strlen(seen->keys);

	if (strcmp(key, "Bad") == 0)
		return error_set(error, -EINVAL, "'%s' will not do", value);
	snprintf(seen->keys + used, sizeof(seen->keys) - used, "%u[%s]%s=%s;", position->line,
		 section, key, value);
	return 0;
}

static void note_problem(void *data, const char *problem)
{
	struct seen *seen = data;
	const char *file_end = strchr(problem, ':');

	strcat(seen->problems, file_end);
	strcat(seen->problems, "|");
}

static int parse_text(const char *text, struct seen *ret)
{
	char path[] = "/tmp/pmcoord-ini-XXXXXX";
	int fd = mkstemp(path);
	struct error error = { 0 };
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	memset(ret, 0, sizeof(*ret));
	r = ini_file_parse(path, take, note_problem, ret, &error);
	unlink(path);
	return r;
}

static void ignores_a_byte_order_mark(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(parse_text("\xef\xbb\xbf[A]\r\nKey=1\r\n", &seen), 0);
	assert_string_equal(seen.keys, "2[A]Key=1;");
	assert_int_equal(parse_text("[A]\n\xef\xbb\xbf\n", &seen), -EBADMSG);
}

static void passes_sections_lines_and_values(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(parse_text("# comment\n"
				    "[Coordinator]\n"
				    "Deadline = 30s   # all down by then\n"
				    "\n"
				    "[Guest \"backup-*\"]\n"
				    "Policy=ignore ; why not\n",
				    &seen),
			 0);
	assert_string_equal(seen.keys, "3[Coordinator]Deadline=30s;"
				       "6[Guest \"backup-*\"]Policy=ignore;");
	assert_string_equal(seen.problems, "");
}

static void reports_every_problem_with_its_line(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(parse_text("[Coordinator]\n"
				    "Bad=1\n"
				    "nonsense\n"
				    "Good=2\n"
				    "[unfinished\n"
				    "Bad=3",
				    &seen),
			 -EBADMSG);
	assert_string_equal(seen.keys, "4[Coordinator]Good=2;");
	assert_string_equal(seen.problems, ":2: Bad: '1' will not do|"
					   ":3: neither 'Key=value' nor a [Section]|"
					   ":5: section header without ']'|"
					   ":6: Bad: '3' will not do|");
}

static void reports_what_is_too_long(void **state)
{
	struct seen seen;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), "[Guest \"%060d\"]\nA=1\n", 0);
	assert_int_equal(parse_text(text, &seen), -EBADMSG);
	assert_string_equal(seen.problems, ":1: section name is longer than 49 bytes|");
	snprintf(text, sizeof(text), "A=%02000d\nB=2\n", 0);
	assert_int_equal(parse_text(text, &seen), -EBADMSG);
	assert_string_equal(seen.problems, ":1: line is longer than 1000 bytes|");
	assert_string_equal(seen.keys, "2[]B=2;");
	snprintf(text, sizeof(text), "%060d=1\n", 0);
	assert_int_equal(parse_text(text, &seen), -EBADMSG);
	assert_string_equal(seen.problems, ":1: key is longer than 49 bytes|");
}

static int note_section(void *data, const struct ini_position *position, const char *section,
			struct error *error)
{
	struct seen *seen = data;

	if (strcmp(section, "Bad") == 0)
		return error_set(error, -EINVAL, "will not do");
	sprintf(seen->keys + strlen(seen->keys), "%u<%s>", position->line, section);
	return 0;
}

static void reports_sections_without_keys(void **state)
{
	char path[] = "/tmp/pmcoord-ini-XXXXXX";
	int fd = mkstemp(path);
	struct error error = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(write(fd, "[A]\n[B]\nk=v\n[Bad]\n", 19), 19);
	close(fd);
	assert_int_equal(
		ini_file_parse_sections(path, note_section, take, note_problem, &seen, &error),
		-EBADMSG);
	unlink(path);
	assert_string_equal(seen.keys, "1<A>2<B>3[B]k=v;");
	assert_string_equal(seen.problems, ":4: Bad: will not do|");
}

static void a_missing_file_is_reported(void **state)
{
	struct seen seen;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(ini_file_parse("/nonexistent/x", take, note_problem, &seen, &error),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ignores_a_byte_order_mark),
		cmocka_unit_test(passes_sections_lines_and_values),
		cmocka_unit_test(reports_every_problem_with_its_line),
		cmocka_unit_test(reports_what_is_too_long),
		cmocka_unit_test(reports_sections_without_keys),
		cmocka_unit_test(a_missing_file_is_reported),
	};

	return cmocka_run_group_tests_name("ini-file", tests, NULL, NULL);
}
