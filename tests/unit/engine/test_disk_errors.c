/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Cycles in which the journal or the report cannot be written or read. All guests are resumed at
 * the end, and the report tells what happened all the same.
 */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "base/directory.h"
#include "base/moment.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "record/journal.h"
#include "record/report-file.h"
#include "record/report-store.h"
#include "record/report.h"
#include "sim/simulator.h"
#include "engine/job.h"
#include "engine/prearm.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

/* Writes from the first-th to the last-th fail, counted from 1. The journal uses write(2). */
static struct {
	unsigned int first, last;
	unsigned int n; /* writes so far */
	unsigned int n_failed;
} writes;

/* Replaces the C library's function. */
ssize_t write(int fd, const void *data, size_t length)
{
	if (writes.last > 0) {
		writes.n++;
		if (writes.n >= writes.first && writes.n <= writes.last) {
			writes.n_failed++;
			errno = ENOSPC;
			return -1;
		}
	}
	return syscall(SYS_write, fd, data, length);
}

static void fail_writes(unsigned int first, unsigned int last)
{
	memset(&writes, 0, sizeof(writes));
	writes.first = first;
	writes.last = last;
}

static void recover(struct host *host)
{
	struct resume_result result;
	struct error error = { 0 };

	assert_int_equal(coordinator_recover(&host->coordinator, &result, &error), 0);
	report_free(result.report);
}

static void resume_all(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
}

static int suspend(struct host *host, bool sleeps, struct error *error)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sleeps ? host->sleeper : NULL,
	};
	struct report *report = NULL;
	int r = coordinator_suspend(&host->coordinator, &params, &report, error);

	report_free(report);
	return r;
}

/* Removes the last line of a journal: "held". */
static void cut_last_line(const char *path)
{
	char text[8192];
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	assert_true(length > 1 && length < sizeof(text) - 1);
	while (text[--length - 1] != '\n')
		;
	assert_int_equal(truncate(path, (off_t)length), 0);
}

/* ---- the journal is on a full disk --------------------------------------- */

static const char no_space[] = "No space left on device";

static bool warns(const struct report *report, const char *text)
{
	for (size_t i = 0; i < report->warnings.n; i++)
		if (strstr(report->warnings.texts[i], text))
			return true;
	return false;
}

static uint64_t slept_us;
static unsigned int n_suspended; /* guests that were suspended or paused when the host slept */
static const struct sleeper_ops *sleeper_below;
static struct host *sleeping_host;

static int note_sleep(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		      struct error *error)
{
	struct inventory inventory = host_inventory(sleeping_host);
	int r = sleeper_below->enter(sleeper, loop, ret_slept_us, error);

	for (size_t i = 0; i < inventory.n_guests; i++)
		n_suspended += inventory.guests[i].state != GUEST_RUNNING;
	inventory_done(&inventory);
	if (r == 0)
		slept_us += *ret_slept_us;
	return r;
}

/* Lets the test know how the host slept, whatever the report says. */
static void watch_sleeper(struct host *host, struct sleeper_ops *ops)
{
	sleeping_host = host;
	sleeper_below = host->sleeper->ops;
	*ops = *sleeper_below;
	ops->enter = note_sleep;
	host->sleeper->ops = ops;
	slept_us = 0;
	n_suspended = 0;
}

/* Returns whether a write has failed. The host sleeps all the same, with all guests suspended. */
static bool suspend_on_a_full_disk(unsigned int first, unsigned int n)
{
	struct cycle_params params = { .trigger = "test" };
	const struct sleeper_ops *below;
	struct sleeper_ops watched;
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	host_init_laptop(&host, "Behaviour=ignores-requests\n");
	params.sleeper = host.sleeper;
	below = host.sleeper->ops;
	watch_sleeper(&host, &watched);
	fail_writes(first, first + n - 1);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	writes.last = 0;
	host.sleeper->ops = below;
	assert_true(slept_us > 0);
	assert_int_equal(report->slept_us, slept_us);
	assert_int_equal(n_suspended, 5);
	assert_int_equal(report->result, RESULT_DEGRADED);
	assert_int_equal(warns(report, no_space), writes.n_failed > 0);
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
	return writes.n_failed > 0;
}

static void the_host_sleeps_whatever_the_journal_loses(void **state)
{
	unsigned int first = 1;

	(void)state;
	while (suspend_on_a_full_disk(first, 1))
		first++;
	assert_true(first > 20);
	while (--first > 0) {
		suspend_on_a_full_disk(first, 2);
		suspend_on_a_full_disk(first, 3);
		suspend_on_a_full_disk(first, 1000);
	}
}

/*
 * mail cannot be resumed by this process. Returns whether a write has failed. Where there is space
 * again at the end, the next process knows mail; else the report says how to find it.
 */
static bool strand_on_a_full_disk(unsigned int first, unsigned int n)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;
	bool is_forgotten;

	host_init_laptop(&host, "Fail=resume:1 resume:2\n");
	params.sleeper = host.sleeper;
	fail_writes(first, first + n - 1);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	writes.last = 0;
	assert_string_equal(report_stranded(report)->name, "mail");
	is_forgotten = warns(report, "mail may be on no record");
	assert_true(!is_forgotten || n > 1);
	resume_all(&host);
	/* What was written before may still be enough. */
	if (!is_forgotten)
		assert_int_equal(state_of(&host, "mail"), GUEST_RUNNING);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
	return writes.n_failed > 0;
}

static void a_stranded_guest_is_known_to_the_next_process(void **state)
{
	unsigned int first = 1;

	(void)state;
	while (strand_on_a_full_disk(first, 1))
		first++;
	assert_true(first > 20);
	while (--first > 0)
		strand_on_a_full_disk(first, 1000);
}

/* mail suspends when the cycle is over. */
static void a_late_guest_is_known_to_the_next_process(void **state)
{
	(void)state;
	for (unsigned int first = 1;; first++) {
		struct cycle_params params = { .trigger = "test" };
		struct report *report = NULL;
		struct error error = { 0 };
		struct host host;

		host_init_laptop(&host, "Behaviour=goes-down-late\nLateTime=60s\n");
		params.sleeper = host.sleeper;
		fail_writes(first, first);
		assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error),
				 0);
		writes.last = 0;
		report_free(report);
		assert_int_equal(host.loop->ops->wait(host.loop, loop_now(host.loop) + 120000000),
				 0);
		recover(&host);
		assert_all_running(&host);
		host_done(&host);
		if (writes.n_failed == 0)
			break;
		assert_true(first < 1000);
	}
}

/* Returns whether a write has failed. */
static bool keep_suspended_on_a_full_disk(unsigned int first, unsigned int n)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	host_init_laptop(&host, "");
	fail_writes(first, first + n - 1);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	writes.last = 0;
	if (report->result == RESULT_FAILED) {
		assert_non_null(strstr(report->detail, no_space));
		assert_false(report->kept_suspended);
		assert_all_running(&host);
		assert_no_journal(&host);
	} else {
		assert_true(report->kept_suspended);
		assert_int_equal(report->result, writes.n_failed ? RESULT_DEGRADED : RESULT_OK);
		/* What the journal has lost does not make it that of an interrupted cycle. */
		recover(&host);
		assert_int_equal(state_of(&host, "vault"), GUEST_SUSPENDED);
	}
	report_free(report);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
	return writes.n_failed > 0;
}

static void guests_are_kept_suspended_only_if_that_is_on_record(void **state)
{
	unsigned int first = 4;

	(void)state;
	while (keep_suspended_on_a_full_disk(first, 1))
		first++;
	assert_true(first > 15);
	while (--first > 3) {
		keep_suspended_on_a_full_disk(first, 2);
		keep_suspended_on_a_full_disk(first, 1000);
	}
}

/* A sleep that no cycle can begin for leaves a report with the reason, once. */
static void assert_refused(struct host *host, const char *why)
{
	struct error error = { 0 };
	struct report *report;

	assert_int_equal(report_store_load(&host->roots, 0, &report, &error), 0);
	assert_int_equal(report->result, RESULT_FAILED);
	assert_int_equal(report->slept_us, MOMENT_NEVER);
	assert_non_null(strstr(report->detail, why));
	assert_int_equal(report->n_guests, 0);
	report_free(report);
}

static void no_guest_is_kept_suspended_without_a_journal(void **state)
{
	(void)state;
	for (unsigned int first = 1; first < 3; first++) {
		struct error error = { 0 };
		struct host host;

		host_init_laptop(&host, "");
		fail_writes(first, first);
		assert_int_equal(suspend(&host, false, &error), -ENOSPC);
		writes.last = 0;
		assert_non_null(strstr(error_text(&error), "cannot write the journal "));
		assert_non_null(strstr(error_text(&error), "No space left on device"));
		assert_int_equal(simulator_calls(host.hypervisor, "request"), 0);
		assert_no_journal(&host);
		host_done(&host);
	}
}

/* Returns whether a write has failed. */
static bool resume_on_a_full_disk(unsigned int first, unsigned int n)
{
	struct cycle_params params = { .trigger = "test" };
	struct resume_result result = { 0 };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	host_init_laptop(&host, "");
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	fail_writes(first, first + n - 1);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	writes.last = 0;
	if (writes.n_failed > 0) {
		assert_true(result.degraded);
		assert_true(warns(result.report, no_space));
	}
	report_free(result.report);
	assert_all_running(&host);
	assert_no_journal(&host);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
	return writes.n_failed > 0;
}

static void guests_are_resumed_without_a_journal(void **state)
{
	unsigned int first = 1;

	(void)state;
	while (resume_on_a_full_disk(first, 1))
		first++;
	assert_true(first > 10);
	while (--first > 0)
		resume_on_a_full_disk(first, 1000);
}

/* Returns whether a write has failed. The coordinator before died with guests suspended. */
static bool recover_on_a_full_disk(unsigned int first, unsigned int n)
{
	struct error error = { 0 };
	char path[128];
	struct host host;

	host_init_laptop(&host, "");
	assert_int_equal(suspend(&host, false, &error), 0);
	snprintf(path, sizeof(path), "%s/1", host.roots.journals);
	cut_last_line(path);
	fail_writes(first, first + n - 1);
	recover(&host);
	writes.last = 0;
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
	return writes.n_failed > 0;
}

static void guests_are_recovered_without_a_journal(void **state)
{
	unsigned int first = 1;

	(void)state;
	while (recover_on_a_full_disk(first, 1))
		first++;
	assert_true(first > 10);
	while (--first > 0)
		recover_on_a_full_disk(first, 1000);
}

/* ---- a file in place of a directory -------------------------------------- */

static void put_file(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fclose(file);
}

static void a_report_that_cannot_be_saved_changes_no_result_and_is_saved_later(void **state)
{
	struct job recover = { .verb = JOB_RECOVER };
	struct error error = { 0 };
	struct job_outcome outcome;
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	put_file(host.roots.reports);
	assert_int_equal(suspend(&host, true, &error), 0);
	assert_all_running(&host);
	assert_no_journal(&host);
	assert_int_equal(report_store_load(&host.roots, 0, &report, &error), 0);
	assert_int_equal(report->cycle, 1);
	report_free(report);
	job_run(&host.coordinator, &recover, NULL, &outcome);
	job_outcome_done(&outcome);
	assert_int_equal(report_last_number(host.roots.unsaved_reports), 1);
	assert_int_equal(unlink(host.roots.reports), 0);
	job_run(&host.coordinator, &recover, NULL, &outcome);
	job_outcome_done(&outcome);
	assert_int_equal(report_last_number(host.roots.reports), 1);
	assert_int_equal(report_last_number(host.roots.unsaved_reports), 0);
	host_done(&host);
}

static void resume_all_needs_no_disk_for_its_report(void **state)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(suspend(&host, false, &error), 0);
	put_file(host.roots.reports);
	put_file(host.roots.unsaved_reports);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_non_null(strstr(result.report->warnings.texts[0], "cannot write the report "));
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(result.report);
	host_done(&host);
}

/* Guests that an earlier cycle has suspended may be recorded there. */
static void nothing_is_begun_if_the_journals_cannot_be_read(void **state)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(directory_make(host.roots.run), 0);
	put_file(host.roots.journals);
	assert_int_equal(suspend(&host, true, &error), -ENOTDIR);
	assert_non_null(strstr(error_text(&error), "cannot read the journals in "));
	assert_non_null(strstr(error_text(&error), host.roots.journals));
	assert_int_equal(simulator_calls(host.hypervisor, "request"), 0);
	error = (struct error){ 0 };
	assert_int_equal(coordinator_recover(&host.coordinator, &result, &error), -ENOTDIR);
	assert_non_null(strstr(error_text(&error), "cannot read the journals in "));
	error = (struct error){ 0 };
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error),
			 -ENOTDIR);
	assert_non_null(strstr(error_text(&error), "cannot read the journals in "));
	host_done(&host);
}

static void a_cycle_needs_no_stored_number(void **state)
{
	struct error error = { 0 };
	char path[128];
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	snprintf(path, sizeof(path), "%s/last-cycle", host.roots.run);
	assert_int_equal(directory_make(path), 0);
	for (uint64_t number = 1; number < 4; number++) {
		assert_int_equal(suspend(&host, true, &error), 0);
		assert_int_equal(report_last_number(host.roots.reports), number);
	}
	assert_no_journal(&host);
	host_done(&host);
}

/* The file with the last number is garbage, and a cycle keeps its guests suspended. */
static void the_number_of_a_journal_is_not_used_again(void **state)
{
	struct error error = { 0 };
	char path[128];
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(suspend(&host, false, &error), 0);
	snprintf(path, sizeof(path), "%s/last-cycle", host.roots.run);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(suspend(&host, true, &error), 0);
	assert_int_equal(report_last_number(host.roots.reports), 2);
	resume_all(&host);
	assert_all_running(&host);
	host_done(&host);
}

static void a_directory_in_the_place_of_a_journal_is_kept_aside(void **state)
{
	struct error error = { 0 };
	char path[128];
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	snprintf(path, sizeof(path), "%s/1/x", host.roots.journals);
	assert_int_equal(directory_make(path), 0);
	assert_int_equal(suspend(&host, true, &error), 0);
	snprintf(path, sizeof(path), "%s/1" JOURNAL_SET_ASIDE "/x", host.roots.journals);
	assert_int_equal(access(path, F_OK), 0);
	host_done(&host);
}

/* ---- the guests cannot be listed ----------------------------------------- */

static void guests_that_cannot_be_listed_are_an_error(void **state)
{
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "[Host]\nFail=inventory\n");
	assert_int_equal(suspend(&host, true, &error), -EIO);
	assert_non_null(strstr(error_text(&error), "the inventory failed"));
	assert_refused(&host, "the inventory failed");
	/* Nothing was to sleep here. */
	error = (struct error){ 0 };
	assert_int_equal(suspend(&host, false, &error), -EIO);
	assert_int_equal(report_last_number(host.roots.reports), 1);
	error = (struct error){ 0 };
	assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), -EIO);
	assert_non_null(strstr(error_text(&error), "the inventory failed"));
	assert_int_equal(simulator_calls(host.hypervisor, "arm"), 0);
	assert_int_equal(simulator_calls(host.hypervisor, "request"), 0);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_guest_is_kept_suspended_without_a_journal),
		cmocka_unit_test(the_host_sleeps_whatever_the_journal_loses),
		cmocka_unit_test(a_stranded_guest_is_known_to_the_next_process),
		cmocka_unit_test(a_late_guest_is_known_to_the_next_process),
		cmocka_unit_test(guests_are_kept_suspended_only_if_that_is_on_record),
		cmocka_unit_test(guests_are_resumed_without_a_journal),
		cmocka_unit_test(guests_are_recovered_without_a_journal),
		cmocka_unit_test(
			a_report_that_cannot_be_saved_changes_no_result_and_is_saved_later),
		cmocka_unit_test(resume_all_needs_no_disk_for_its_report),
		cmocka_unit_test(nothing_is_begun_if_the_journals_cannot_be_read),
		cmocka_unit_test(a_cycle_needs_no_stored_number),
		cmocka_unit_test(the_number_of_a_journal_is_not_used_again),
		cmocka_unit_test(a_directory_in_the_place_of_a_journal_is_kept_aside),
		cmocka_unit_test(guests_that_cannot_be_listed_are_an_error),
	};

	return cmocka_run_group_tests_name("disk errors", tests, NULL, NULL);
}
