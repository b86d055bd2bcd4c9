/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "engine/journal.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

static int setup_tree(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	tree_new(tree);
	*state = tree;
	return 0;
}

static int teardown_tree(void **state)
{
	tree_free(*state);
	free(*state);
	return 0;
}

static struct journal load(struct tree *tree)
{
	struct journal journal;
	struct error error = { 0 };

	assert_int_equal(journal_load(&journal, &tree->roots, &error), 0);
	return journal;
}

/* A cycle with three effects, the last of which is undone. */
static struct journal half_way(struct tree *tree)
{
	struct journal journal = load(tree);
	struct error error = { 0 };

	assert_int_equal(journal_begin(&journal, 12, &error), 0);
	assert_int_equal(journal_add(&journal, EFFECT_HOOK, "10-x", &error), 0);
	assert_int_equal(journal_add(&journal, EFFECT_FREEZE, "user.slice", &error), 0);
	assert_int_equal(journal_add(&journal, EFFECT_DEVICE, "0000:00:04.0 e1000e", &error), 0);
	journal_undone(&journal, 2);
	return journal;
}

static void the_next_agent_reads_what_was_recorded(void **state)
{
	struct journal journal = half_way(*state);

	journal_done(&journal);
	journal = load(*state);
	assert_true(journal.open);
	assert_int_equal(journal.cycle, 12);
	assert_int_equal(journal.n_effects, 3);
	assert_int_equal(journal.effects[1].kind, EFFECT_FREEZE);
	assert_string_equal(journal.effects[1].text, "user.slice");
	assert_false(journal.effects[1].undone);
	assert_true(journal.effects[2].undone);
	journal_done(&journal);
}

static void ignores_an_incomplete_record(void **state)
{
	struct tree *tree = *state;
	struct journal journal = half_way(tree);
	char text[400];

	journal_done(&journal);
	snprintf(text, sizeof(text), "%.399s", tree_read(tree, "run/journal"));
	/* The journal loads wherever it is cut after the first line. */
	for (size_t i = strlen("cycle 12\n"); i <= strlen(text); i++) {
		char cut[400];

		snprintf(cut, sizeof(cut), "%.*s", (int)i, text);
		tree_write(tree, "run/journal", cut);
		journal = load(tree);
		assert_true(journal.open);
		assert_int_equal(journal.cycle, 12);
		journal_done(&journal);
	}
}

static void assert_is_half_way(struct tree *tree, bool first_is_undone)
{
	struct journal journal = load(tree);

	assert_int_equal(journal.n_effects, 3);
	assert_int_equal(journal.effects[0].undone, first_is_undone);
	assert_string_equal(journal.effects[2].text, "0000:00:04.0 e1000e");
	journal_done(&journal);
}

static void continues_after_an_incomplete_record(void **state)
{
	struct tree *tree = *state;
	struct journal journal = half_way(tree);
	char text[400];

	journal_done(&journal);
	snprintf(text, sizeof(text), "%.380s%s", tree_read(tree, "run/journal"), "effect free");
	tree_write(tree, "run/journal", text);
	journal = load(tree);
	journal_undone(&journal, 0);
	journal_done(&journal);
	assert_is_half_way(tree, true);
}

/* /run is full: earlier and later records stay complete. */
static void leaves_no_incomplete_record_on_a_full_disk(void **state)
{
	struct tree *tree = *state;
	struct journal journal = half_way(tree);
	struct rlimit unlimited, limit;
	struct error error = { 0 };

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = strlen(tree_read(tree, "run/journal")) + 5;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(journal_add(&journal, EFFECT_FREEZE, "machine.slice", &error), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_is_half_way(tree, false);
	journal_undone(&journal, 0);
	journal_done(&journal);
	assert_is_half_way(tree, true);
}

static void ignores_records_of_another_version(void **state)
{
	struct tree *tree = *state;
	struct journal journal;

	tree_write(tree, "run/journal",
		   "cycle 4\n"
		   "weather fine\n"
		   "effect swallow whale\n"
		   "effect\n"
		   "effect freeze user.slice\n"
		   "effect freeze machine.slice\n"
		   "undone 2\n"
		   "undone 3\n"
		   "undone 77\n"
		   "undone 99999999999\n");
	journal = load(tree);
	assert_true(journal.open);
	assert_int_equal(journal.cycle, 4);
	assert_int_equal(journal.n_effects, 3);
	/* An effect of an unknown kind cannot be undone. */
	assert_true(journal.effects[0].undone);
	assert_false(journal.effects[1].undone);
	assert_true(journal.effects[2].undone);
	assert_string_equal(journal.effects[2].text, "machine.slice");
	journal_done(&journal);
}

static void does_not_begin_before_all_effects_are_undone(void **state)
{
	struct journal journal = half_way(*state), next;
	struct error error = { 0 };

	journal_done(&journal);
	next = load(*state);
	assert_int_equal(journal_begin(&next, 13, &error), -EBUSY);
	assert_int_equal(next.n_effects, 3);
	assert_int_equal(next.cycle, 12);
	journal_undone(&next, 0);
	journal_undone(&next, 1);
	error = (struct error){ 0 };
	assert_int_equal(journal_begin(&next, 13, &error), 0);
	assert_int_equal(next.n_effects, 0);
	journal_done(&next);
}

static void records_how_a_cycle_ended(void **state)
{
	struct protocol_state done = { PROTOCOL_AGENT_DEGRADED, 12 };
	struct journal journal = half_way(*state);

	assert_int_equal(journal_finish(&journal, &done, "one device lost"), 0);
	journal_done(&journal);
	journal = load(*state);
	assert_false(journal.open);
	assert_int_equal(journal.done.state, PROTOCOL_AGENT_DEGRADED);
	assert_int_equal(journal.done.cycle, 12);
	assert_string_equal(journal.detail, "one device lost");
	/* A self-test does not change the last cycle's state. */
	assert_int_equal(journal_begin(&journal, 0, NULL), 0);
	assert_int_equal(journal_finish(&journal, NULL, NULL), 0);
	journal_done(&journal);
	journal = load(*state);
	assert_int_equal(journal.done.cycle, 12);
	journal_done(&journal);
}

static void a_lock_that_cannot_be_opened_is_an_error(void **state)
{
	struct tree *tree = *state;
	struct journal journal = load(tree);
	struct error error = { 0 };

	tree_write(tree, "run/lock/not-a-file", "");
	assert_int_equal(journal_lock(&journal, &error), -EISDIR);
	assert_int_equal(strncmp(error.text, "cannot open ", 12), 0);
	assert_non_null(strstr(error.text, "/run/lock: Is a directory"));
	error = (struct error){ 0 };
	assert_int_equal(journal_begin(&journal, 1, &error), -EISDIR);
	assert_string_equal(tree_read(tree, "run/journal"), "(none)");
	journal_done(&journal);
}

static void the_lock_excludes_a_second_agent(void **state)
{
	struct journal journal = load(*state);
	struct error error = { 0 };
	int status;
	pid_t pid;

	assert_int_equal(journal_begin(&journal, 1, &error), 0);
	pid = fork();
	if (pid == 0) {
		struct journal other;
		int r;

		if (journal_load(&other, journal.roots, &error) < 0)
			_exit(1);
		r = journal_begin(&other, 2, &error);
		_exit(r == -EBUSY && strstr(error.text, "running a cycle") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	journal_done(&journal);
}

/* ---- What cannot be read or written ---- */

static void a_journal_that_cannot_be_loaded_is_an_error(void **state)
{
	static const struct {
		const char *target; /* of the link run/journal; NULL: a directory */
		int r;
		const char *text;
	} cases[] = {
		{ NULL, -EISDIR, "cannot read %s/run/journal: Is a directory" },
		/* A program that runs can be read, but not written. */
		{ "/proc/self/exe", -ETXTBSY, "cannot open %s/run/journal: Text file busy" },
		{ "/dev/null", -EINVAL, "cannot truncate %s/run/journal: Invalid argument" },
	};
	struct tree *tree = *state;
	char path[FILE_PATH_MAX];

	tree_path(tree, path, "run/journal");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };
		struct journal journal;
		char text[200];

		if (cases[i].target)
			assert_int_equal(symlink(cases[i].target, path), 0);
		else
			assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(journal_load(&journal, &tree->roots, &error), cases[i].r);
		snprintf(text, sizeof(text), cases[i].text, tree->base);
		assert_string_equal(error.text, text);
		assert_false(journal.open);
		journal_done(&journal);
		assert_int_equal(remove(path), 0);
	}
}

/* Another agent has left its journal since this one has looked. */
static void a_journal_that_appears_later_is_loaded_before_the_cycle(void **state)
{
	struct tree *tree = *state;
	struct journal journal = load(tree);
	struct error error = { 0 };

	tree_write(tree, "run/journal/x", "");
	assert_int_equal(journal_begin(&journal, 13, &error), -EISDIR);
	assert_non_null(strstr(error.text, "/run/journal: Is a directory"));
	assert_false(journal.open);
	journal_done(&journal);
	assert_int_equal(nftw(tree->run, tree_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
	journal = load(tree);
	tree_write(tree, "run/journal", "cycle 12\neffect freeze user.slice\n");
	error = (struct error){ 0 };
	assert_int_equal(journal_begin(&journal, 13, &error), -EBUSY);
	assert_string_equal(error.text,
			    "cycle 12 has not been undone: run 'pmcoord-agent --restore'");
	assert_int_equal(journal.n_effects, 1);
	assert_true(journal.open);
	journal_done(&journal);
}

static void a_directory_that_cannot_be_made_is_an_error(void **state)
{
	struct tree *tree = *state;
	struct error error = { 0 };
	struct journal journal;
	char path[FILE_PATH_MAX], text[200];

	tree_path(tree, path, "absent/run");
	tree->roots.run = path;
	assert_int_equal(journal_load(&journal, &tree->roots, &error), -ENOENT);
	snprintf(text, sizeof(text), "cannot create %.100s: No such file or directory", path);
	assert_string_equal(error.text, text);
	/* One that is missing is made. */
	tree_path(tree, path, "new");
	journal_done(&journal);
	assert_int_equal(journal_load(&journal, &tree->roots, &error), 0);
	assert_true(file_exists("%s/new", tree->base));
	journal_done(&journal);
}

static void a_cycle_that_cannot_be_recorded_does_not_begin(void **state)
{
	struct tree *tree = *state;
	struct journal journal = load(tree);
	struct rlimit unlimited, limit;
	struct error error = { 0 };
	char path[FILE_PATH_MAX], text[200];

	tree_path(tree, path, "run/journal");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(journal_begin(&journal, 13, &error), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	snprintf(text, sizeof(text), "cannot write %.100s: File too large", path);
	assert_string_equal(error.text, text);
	assert_false(journal.open);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("absent/journal", path), 0);
	error = (struct error){ 0 };
	assert_int_equal(journal_begin(&journal, 13, &error), -ENOENT);
	snprintf(text, sizeof(text), "cannot write %.100s: No such file or directory", path);
	assert_string_equal(error.text, text);
	assert_false(journal.open);
	assert_int_equal(unlink(path), 0);
	error = (struct error){ 0 };
	assert_int_equal(journal_begin(&journal, 13, &error), 0);
	assert_true(journal.open);
	assert_int_equal(journal.cycle, 13);
	journal_done(&journal);
}

static void records_only_effects_that_can_be_loaded(void **state)
{
	struct tree *tree = *state;
	struct journal journal = load(tree);
	struct error error = { 0 };
	char text[EFFECT_TEXT_MAX + 1], line[EFFECT_TEXT_MAX + 100];
	struct stat status;
	char path[FILE_PATH_MAX];

	memset(text, 'x', EFFECT_TEXT_MAX);
	text[EFFECT_TEXT_MAX] = '\0';
	assert_int_equal(journal_begin(&journal, 1, &error), 0);
	assert_int_equal(journal_add(&journal, EFFECT_FREEZE, text, &error), -E2BIG);
	snprintf(line, sizeof(line), "cannot record the effect 'freeze %s': Argument list too long",
		 text);
	assert_string_equal(error.text, line);
	assert_int_equal(journal.n_effects, 0);
	text[EFFECT_TEXT_MAX - 1] = '\0';
	error = (struct error){ 0 };
	assert_int_equal(journal_add(&journal, EFFECT_FREEZE, text, &error), 0);
	for (int i = 1; i < 1024; i++)
		assert_int_equal(journal_add(&journal, EFFECT_HOOK, "x", &error), 0);
	assert_int_equal(journal_add(&journal, EFFECT_HOOK, "x", &error), -E2BIG);
	assert_int_equal(journal.n_effects, 1024);
	journal_undone(&journal, 1023);
	journal_done(&journal);
	tree_path(tree, path, "run/journal");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	tree_path(tree, path, "run/lock");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	journal = load(tree);
	assert_int_equal(journal.n_effects, 1024);
	assert_string_equal(journal.effects[0].text, text);
	assert_true(journal.effects[1023].undone);
	assert_false(journal.effects[1022].undone);
	journal_done(&journal);
	snprintf(line, sizeof(line), "cycle 1\neffect freeze %sx\n", text);
	tree_write(tree, "run/journal", line);
	error = (struct error){ 0 };
	assert_int_equal(journal_load(&journal, &tree->roots, &error), -E2BIG);
	assert_non_null(strstr(error.text, "/run/journal: cannot load record 'effect"));
	journal_done(&journal);
}

/* Undone twice is recorded once. */
static void records_each_effect_once_as_undone(void **state)
{
	struct tree *tree = *state;
	struct journal journal = half_way(tree);

	journal_undone(&journal, 2);
	journal_undone(&journal, 0);
	journal_undone(&journal, 0);
	assert_string_equal(tree_read(tree, "run/journal"),
			    "cycle 12\neffect hook 10-x\neffect freeze user.slice\n"
			    "effect device 0000:00:04.0 e1000e\nundone 2\nundone 0");
	journal_done(&journal);
	journal_done(NULL);
}

static void a_final_state_that_cannot_be_recorded_ends_the_cycle(void **state)
{
	struct protocol_state done = { PROTOCOL_AGENT_READY, 12 };
	struct tree *tree = *state;
	struct journal journal = half_way(tree), other;
	struct error error = { 0 };

	tree_write(tree, "run/done/x", "");
	assert_int_equal(journal_finish(&journal, &done, "detail"), -EISDIR);
	assert_false(journal.open);
	assert_int_equal(journal.n_effects, 0);
	assert_int_equal(journal.lock_fd, -1);
	assert_int_equal(journal.fd, -1);
	assert_string_equal(tree_read(tree, "run/journal"), "(none)");
	/* This process has the state nevertheless. */
	assert_int_equal(journal.done.state, PROTOCOL_AGENT_READY);
	assert_string_equal(journal.detail, "detail");
	other = load(tree);
	assert_int_equal(other.done.state, PROTOCOL_AGENT_NONE);
	assert_int_equal(journal_begin(&other, 13, &error), 0);
	journal_done(&other);
}

static void reads_only_a_final_state_that_is_whole(void **state)
{
	static const struct {
		const char *done, *detail;
		enum protocol_agent_state state;
	} cases[] = {
		{ "ready 5\nsome detail\n", "some detail", PROTOCOL_AGENT_READY },
		{ "failed 5\nfirst\nsecond\n", "first", PROTOCOL_AGENT_FAILED },
		{ "degraded 5\n\n", "", PROTOCOL_AGENT_DEGRADED },
		{ "ready 5", "", PROTOCOL_AGENT_READY },
		{ "ready\nsome detail\n", "", PROTOCOL_AGENT_NONE },
		{ "", "", PROTOCOL_AGENT_NONE },
	};
	struct tree *tree = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct journal journal;

		tree_write(tree, "run/done", cases[i].done);
		journal = load(tree);
		assert_int_equal(journal.done.state, cases[i].state);
		assert_int_equal(journal.done.cycle, cases[i].state ? 5 : 0);
		assert_string_equal(journal.detail, cases[i].detail);
		journal_done(&journal);
	}
}

static void a_lock_is_kept_until_the_cycle_ends(void **state)
{
	struct tree *tree = *state;
	struct journal journal = load(tree);
	struct error error = { 0 };
	int fd;

	assert_int_equal(journal_lock(&journal, &error), 0);
	fd = journal.lock_fd;
	assert_true(fd >= 0);
	assert_int_equal(journal_lock(&journal, &error), 0);
	assert_int_equal(journal.lock_fd, fd);
	assert_int_equal(journal_begin(&journal, 1, &error), 0);
	assert_int_equal(journal.lock_fd, fd);
	journal_done(&journal);
	assert_int_equal(journal.lock_fd, -1);
	assert_int_equal(close(fd), -1);
}

/* As in a process that was started without a standard input. */
static void a_journal_may_have_the_descriptor_0(void **state)
{
	struct tree *tree = *state;
	int stdin_fd = dup(STDIN_FILENO), results[4], lock_fd;
	struct journal journal = load(tree), next;
	struct error error = { 0 };

	assert_true(stdin_fd > 0);
	close(STDIN_FILENO);
	results[0] = journal_lock(&journal, &error);
	lock_fd = journal.lock_fd;
	results[1] = journal_lock(&journal, &error);
	results[2] = journal_begin(&journal, 12, &error);
	journal_done(&journal);
	results[3] = journal_load(&next, &tree->roots, &error);
	assert_int_equal(next.fd, STDIN_FILENO);
	journal_done(&next);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd);
	for (size_t i = 0; i < ELEMENTSOF(results); i++)
		assert_int_equal(results[i], 0);
	assert_int_equal(lock_fd, STDIN_FILENO);
	assert_string_equal(tree_read(tree, "run/journal"), "cycle 12");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_tree, teardown_tree)
	const struct CMUnitTest tests[] = {
		TEST(the_next_agent_reads_what_was_recorded),
		TEST(ignores_an_incomplete_record),
		TEST(continues_after_an_incomplete_record),
		TEST(leaves_no_incomplete_record_on_a_full_disk),
		TEST(ignores_records_of_another_version),
		TEST(does_not_begin_before_all_effects_are_undone),
		TEST(records_how_a_cycle_ended),
		TEST(a_lock_that_cannot_be_opened_is_an_error),
		TEST(the_lock_excludes_a_second_agent),
		TEST(a_journal_that_cannot_be_loaded_is_an_error),
		TEST(a_journal_that_appears_later_is_loaded_before_the_cycle),
		TEST(a_directory_that_cannot_be_made_is_an_error),
		TEST(a_cycle_that_cannot_be_recorded_does_not_begin),
		TEST(records_only_effects_that_can_be_loaded),
		TEST(records_each_effect_once_as_undone),
		TEST(a_final_state_that_cannot_be_recorded_ends_the_cycle),
		TEST(reads_only_a_final_state_that_is_whole),
		TEST(a_lock_is_kept_until_the_cycle_ends),
		TEST(a_journal_may_have_the_descriptor_0),
	};

	return cmocka_run_group_tests_name("agent-journal", tests, NULL, NULL);
}
