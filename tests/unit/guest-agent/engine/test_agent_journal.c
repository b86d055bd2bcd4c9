/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
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
	};

	return cmocka_run_group_tests_name("agent-journal", tests, NULL, NULL);
}
