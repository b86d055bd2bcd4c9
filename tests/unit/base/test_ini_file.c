/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "pmcoord/ini-file.h"

struct seen {
	char keys[4096];
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

static int parse_bytes(const char *text, size_t length, struct seen *ret)
{
	char path[] = "/tmp/pmcoord-ini-XXXXXX";
	int fd = mkstemp(path);
	struct error error = { 0 };
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
	memset(ret, 0, sizeof(*ret));
	r = ini_file_parse(path, take, note_problem, ret, &error);
	unlink(path);
	return r;
}

static int parse_text(const char *text, struct seen *ret)
{
	return parse_bytes(text, strlen(text), ret);
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
	assert_string_equal(seen.problems,
			    ":2: Bad: '1' will not do|"
			    ":3: neither 'Key=value' nor a [Section]|"
			    ":5: section header without ']', so its keys are ignored|");
}

static void reports_what_is_too_long(void **state)
{
	struct seen seen;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text), "A=%02000d\nB=2\n", 0);
	assert_int_equal(parse_text(text, &seen), -EBADMSG);
	assert_string_equal(seen.problems, ":1: line is longer than 1000 bytes|");
	assert_string_equal(seen.keys, "2[]B=2;");
	snprintf(text, sizeof(text), "%060d=1\n", 0);
	assert_int_equal(parse_text(text, &seen), -EBADMSG);
	assert_string_equal(seen.problems, ":1: key is longer than 49 bytes|");
}

static void a_section_may_have_a_name_of_any_length(void **state)
{
	struct seen seen;
	char text[4096], expected[4096];

	(void)state;
	snprintf(text, sizeof(text), "[%02000d]\nA=1\n[B]\nA=2\n", 0);
	snprintf(expected, sizeof(expected), "2[%02000d]A=1;4[B]A=2;", 0);
	assert_int_equal(parse_text(text, &seen), 0);
	assert_string_equal(seen.keys, expected);
}

static void keys_after_a_bad_header_belong_to_no_section(void **state)
{
	static const char text[] = "[A]\nk=1\n[B\nk=2\n[C]\nk=3\n[D\0]\nk=4\n\0\nk=5\n";
	struct seen seen;

	(void)state;
	assert_int_equal(parse_bytes(text, sizeof(text) - 1, &seen), -EBADMSG);
	assert_string_equal(seen.keys, "2[A]k=1;6[C]k=3;");
	assert_string_equal(seen.problems,
			    ":3: section header without ']', so its keys are ignored|"
			    ":7: line contains a NUL byte|"
			    ":9: line contains a NUL byte|");
}

/* ---- what is no file ------------------------------------------------------ */

static void assert_not_read(const char *path, int number, const char *why)
{
	struct seen seen = { 0 };
	struct error error = { 0 };

	assert_int_equal(ini_file_parse(path, take, note_problem, &seen, &error), number);
	assert_non_null(strstr(error_text(&error), path));
	assert_non_null(strstr(error_text(&error), why));
}

static void only_a_regular_file_is_read_and_nothing_blocks(void **state)
{
	char directory[] = "/tmp/pmcoord-ini-XXXXXX", path[64];
	struct seen seen = { 0 };
	struct error error = { 0 };

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_not_read(directory, -EISDIR, "no regular file");
	snprintf(path, sizeof(path), "%s/x", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_read(path, -EINVAL, "no regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent", path), 0);
	assert_not_read(path, -ENOLINK, "a link to a file that does not exist");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0);
	assert_not_read(path, -ELOOP, "symbolic links");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(ini_file_parse(path, take, note_problem, &seen, &error), 0);
	assert_int_equal(unlink(path), 0);
	assert_not_read("/dev/zero", -EINVAL, "no regular file");
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(truncate(path, 1024 * 1024 * 1024), 0);
	assert_not_read(path, -EFBIG, "larger than 16 MiB");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
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
	assert_int_equal(write(fd, "[A]\n[B]\nk=v\n[Bad]\n", 18), 18);
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
		cmocka_unit_test(a_section_may_have_a_name_of_any_length),
		cmocka_unit_test(keys_after_a_bad_header_belong_to_no_section),
		cmocka_unit_test(only_a_regular_file_is_read_and_nothing_blocks),
		cmocka_unit_test(reports_sections_without_keys),
		cmocka_unit_test(a_missing_file_is_reported),
	};

	return cmocka_run_group_tests_name("ini-file", tests, NULL, NULL);
}
