/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/moment.h"
#include "model/cycle.h"
#include "host/roots.h"
#include "record/report-file.h"
#include "record/report-json.h"
#include "record/report-store.h"
#include "record/report.h"
#include "view/report-text.h"
#include "view/timeline.h"
#include "tests/unit/tree.h"

#define UUID "00000000-0000-0000-0000-00000000000"

/* A directory for reports, and a cycle. */
struct world {
	char directory[64];
	struct cycle cycle;
	struct error error;
};

static void apply(struct cycle *cycle, ...)
{
	va_list lines;
	const char *line;

	va_start(lines, cycle);
	while ((line = va_arg(lines, const char *))) {
		char copy[256];
		struct record record;

		assert_true(strlen(line) < sizeof(copy));
		strcpy(copy, line);
		assert_int_equal(record_parse(copy, &record), 0);
		assert_int_equal(cycle_apply(cycle, &record), 0);
	}
	va_end(lines);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	setenv("TZ", "UTC", 1);
	strcpy(world->directory, "/tmp/pmcoord-report-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	cycle_done(&world->cycle);
	assert_int_equal(tree_remove_all(world->directory), 0);
	free(world);
	return 0;
}

/* mail hung and was paused; netvm's Wi-Fi did not come back. */
static void a_bad_night(struct cycle *cycle)
{
	apply(cycle, "1000000 cycle 12 boot 1700000000123456 sleep lid",
	      "1000000 guest 4 " UUID "4 agent 2 web",
	      "1000000 guest 5 " UUID "5 xenstore 2 mail <&\"'>",
	      "1000000 guest 1 " UUID "1 agent - netvm", "1000000 guest 7 " UUID "7 none - vault",
	      "1000000 phase inventory", "1002000 phase suspend",
	      "1002100 skip 3 ignored by policy", "1002200 request 0", "1002300 request 1",
	      "1100200 quiesced 0", "1152200 down 0", "11002300 fail 1 did not suspend within 10 s",
	      "11002300 pause 1", "11002400 paused 1", "11002500 request 2", "11042500 quiesced 2",
	      "11052500 down 2", "11052600 phase sleep", "100000000 slept 80000000",
	      "100000000 phase resume", "100000100 resume 2", "100000900 running 2",
	      "100001000 resume 0", "100001700 running 0", "100001800 resume 1",
	      "100001900 running 1", "100002000 phase ready", "100101700 ready 0",
	      "100900900 ready 2", "100900900 degraded 2 no Wi-Fi", "100901000 written 0",
	      "100901000 end", NULL);
}

static struct report *report_of(const struct cycle *cycle)
{
	struct report *report;

	assert_int_equal(report_new(cycle, &report), 0);
	return report;
}

static void matches_the_contract_to_the_letter(void **state)
{
	static const char expected[] =
		"{\"cycle\":12,\"started\":\"2023-11-14T22:13:20.123456Z\","
		"\"result\":\"degraded\",\"trigger\":\"lid\",\"detail\":\"\","
		"\"held\":false,\"slept_us\":80000000,\"state\":null,\"woken_by\":null,\"lid\":null,\"battery\":null,\"written_bytes\":0,"
		"\"phases\":["
		"{\"name\":\"inventory\",\"start_us\":0,\"duration_us\":2000},"
		"{\"name\":\"suspend\",\"start_us\":2000,"
		"\"duration_us\":10050600},"
		"{\"name\":\"sleep\",\"start_us\":10052600,"
		"\"duration_us\":88947400},"
		"{\"name\":\"resume\",\"start_us\":99000000,"
		"\"duration_us\":2000},"
		"{\"name\":\"ready\",\"start_us\":99002000,"
		"\"duration_us\":899000}],"
		"\"warnings\":[],"
		"\"guests\":["
		"{\"name\":\"web\",\"domid\":4,\"uuid\":\"" UUID "4\","
		"\"mechanism\":\"agent\",\"outcome\":\"suspended\","
		"\"detail\":\"\",\"degraded\":false,\"stranded\":false,"
		"\"taken_by_another\":false,\"gone\":null,"
		"\"appeared\":false,"
		"\"ran_through\":false,\"requested_us\":2200,\"quiesced_us\":100200,"
		"\"down_us\":152200,\"resume_us\":99001000,"
		"\"running_us\":99001700,\"ready_us\":99101700},"
		"{\"name\":\"mail <&\\\"'>\",\"domid\":5,\"uuid\":\"" UUID
		"5\",\"mechanism\":\"xenstore\",\"outcome\":\"paused\","
		"\"detail\":\"did not suspend within 10 s\","
		"\"degraded\":false,\"stranded\":false,\"taken_by_another\":false,\"gone\":null,"
		"\"appeared\":false,"
		"\"ran_through\":false,"
		"\"requested_us\":2300,\"quiesced_us\":null,"
		"\"down_us\":10002400,\"resume_us\":99001800,"
		"\"running_us\":99001900,\"ready_us\":null},"
		"{\"name\":\"netvm\",\"domid\":1,\"uuid\":\"" UUID "1\","
		"\"mechanism\":\"agent\",\"outcome\":\"suspended\","
		"\"detail\":\"no Wi-Fi\",\"degraded\":true,\"stranded\":false,"
		"\"taken_by_another\":false,\"gone\":null,"
		"\"appeared\":false,"
		"\"ran_through\":false,\"requested_us\":10002500,"
		"\"quiesced_us\":10042500,\"down_us\":10052500,"
		"\"resume_us\":99000100,\"running_us\":99000900,"
		"\"ready_us\":99900900},"
		"{\"name\":\"vault\",\"domid\":7,\"uuid\":\"" UUID "7\","
		"\"mechanism\":\"none\",\"outcome\":\"skipped\","
		"\"detail\":\"ignored by policy\",\"degraded\":false,"
		"\"stranded\":false,\"taken_by_another\":false,\"gone\":null,"
		"\"appeared\":false,"
		"\"ran_through\":false,\"requested_us\":null,"
		"\"quiesced_us\":null,\"down_us\":null,\"resume_us\":null,"
		"\"running_us\":null,\"ready_us\":null}],"
		"\"slowest\":\"mail <&\\\"'>\",\"stranded\":null}";
	struct world *world = *state;
	struct report *report;
	char *text;

	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	assert_int_equal(report_format(report, &text), 0);
	assert_string_equal(text, expected);
	free(text);
	report_free(report);
}

static void a_moment_that_was_not_reached_is_null(void **state)
{
	static const char *const parts[] = { "\"slept_us\":null", "\"written_bytes\":null",
					     "\"slowest\":null", "\"stranded\":null",
					     "\"start_us\":0,\"duration_us\":null" };
	struct world *world = *state;
	struct report *report;
	char *text;

	apply(&world->cycle, "1000000 cycle 1 boot 17 guests-only suspend",
	      "1000000 phase inventory", NULL);
	report = report_of(&world->cycle);
	assert_int_equal(report_format(report, &text), 0);
	for (size_t i = 0; i < ELEMENTSOF(parts); i++)
		assert_non_null(strstr(text, parts[i]));
	free(text);
	assert_int_equal(report->phases[0].start_us, 0);
	assert_int_equal(report->phases[0].duration_us, MOMENT_NEVER);
	assert_int_equal(report->n_guests, 0);
	report_free(report);
}

static void knows_whether_guests_are_kept_suspended(void **state)
{
	struct world *world = *state;
	struct report *report;

	apply(&world->cycle, "1000000 cycle 1 boot 17 guests-only suspend",
	      "1000000 guest 4 " UUID "4 agent - web", "1000001 request 0", "1000002 down 0",
	      "1000003 held", NULL);
	report = report_of(&world->cycle);
	assert_true(report->kept_suspended);
	report_free(report);
	apply(&world->cycle, "2000000 resume 0", "2000001 running 0", NULL);
	report = report_of(&world->cycle);
	assert_false(report->kept_suspended);
	report_free(report);
}

static void judges_each_guest_once_and_for_all(void **state)
{
	static const struct {
		enum cycle_outcome outcome;
		bool degraded, stranded;
		enum guest_verdict verdict;
	} cases[] = {
		{ OUTCOME_PENDING, false, false, VERDICT_OK },
		{ OUTCOME_SUSPENDED, false, false, VERDICT_OK },
		{ OUTCOME_SKIPPED, false, false, VERDICT_OK },
		{ OUTCOME_SUSPENDED, true, false, VERDICT_DEGRADED },
		{ OUTCOME_PAUSED, false, false, VERDICT_PAUSED },
		{ OUTCOME_PAUSED, true, false, VERDICT_PAUSED },
		{ OUTCOME_FAILED, false, false, VERDICT_FAILED },
		{ OUTCOME_SUSPENDED, false, true, VERDICT_STRANDED },
		{ OUTCOME_SUSPENDED, true, true, VERDICT_STRANDED },
		{ OUTCOME_FAILED, true, true, VERDICT_STRANDED },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle_guest guest = {
			.name = "web",
			.outcome = cases[i].outcome,
			.degraded = cases[i].degraded,
			.stranded = cases[i].stranded,
			.down_us = 7,
			.requested_us = 3,
		};
		struct cycle cycle = { .guests = &guest, .n_guests = 1 };
		struct report *report = report_of(&cycle);
		bool is_stranded = cases[i].verdict == VERDICT_STRANDED;

		assert_int_equal(report_guest_verdict(&report->guests[0]), cases[i].verdict);
		assert_int_equal(report->result,
				 cases[i].verdict == VERDICT_OK ? RESULT_OK : RESULT_DEGRADED);
		assert_ptr_equal(report_stranded(report), is_stranded ? report->guests : NULL);
		report_free(report);
	}
}

static void explains_a_bad_cycle_and_names_everyone(void **state)
{
	struct world *world = *state;
	_cleanup_(report_freep) struct report *report = NULL;
	char text[256], cut[64];

	a_bad_night(&world->cycle);
	apply(&world->cycle, "100901000 gone 0 crashed", NULL);
	report = report_of(&world->cycle);
	report_explain(report, text, sizeof(text));
	assert_string_equal(text, "cycle 12 degraded: mail <&\"'> was paused: "
				  "did not suspend within 10 s; also web, netvm");
	report_explain(report, cut, sizeof(cut));
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	assert_memory_equal(cut, text, sizeof(cut) - 1);
}

static void explains_the_end_of_a_guest(void **state)
{
	struct world *world = *state;
	_cleanup_(report_freep) struct report *report = NULL;
	char text[256];

	apply(&world->cycle, "1000000 cycle 12 boot 1700000000123456 sleep lid",
	      "1000000 guest 4 " UUID "4 xenstore - web", "1000000 phase suspend",
	      "1002200 request 0", "1152200 down 0", "1153000 gone 0 destroyed", "1153000 end",
	      NULL);
	report = report_of(&world->cycle);
	report_explain(report, text, sizeof(text));
	assert_string_equal(text, "cycle 12 degraded: web is gone: destroyed");
}

/* Parses a report with this result, detail, warnings and guests. */
static struct report *parse(const char *result, const char *detail, const char *warnings,
			    const char *guests)
{
	struct report *report;
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"cycle\":12,\"result\":\"%s\",\"detail\":\"%s\",\"warnings\":[%s],"
		 "\"guests\":[%s]}",
		 result, detail, warnings, guests);
	assert_int_equal(report_parse(text, &report), 0);
	return report;
}

#define NAMED(name, outcome, more)                                                                 \
	"{\"name\":\"" name "\",\"mechanism\":\"xenstore\",\"outcome\":\"" outcome                 \
	"\",\"detail\":\"why " name "\"" more "}"

static void explains_each_kind_of_cycle(void **state)
{
	static const struct {
		const char *result, *detail, *warnings, *guests;
		const char *expected;
	} cases[] = {
		{ "ok", "low battery", "\"w\"", NAMED("a", "failed", ""), "" },
		{ "degraded", "", "", NAMED("a", "suspended", ",\"degraded\":true"),
		  "cycle 12 degraded: a is degraded: why a" },
		{ "degraded", "", "", NAMED("a", "paused", ""),
		  "cycle 12 degraded: a was paused: why a" },
		{ "degraded", "", "", NAMED("a", "failed", ""),
		  "cycle 12 degraded: a failed: why a" },
		{ "degraded", "", "", NAMED("a", "suspended", ",\"stranded\":true"),
		  "cycle 12 degraded: a is still suspended: why a" },
		{ "degraded", "", "", NAMED("a", "failed", ",\"gone\":\"crashed\""),
		  "cycle 12 degraded: a is gone: why a" },
		/* The worst comes first, of equal ones the first. */
		{ "degraded", "", "",
		  NAMED("a", "suspended", "") "," NAMED("b", "paused", "") "," NAMED(
			  "c", "failed", "") "," NAMED("d", "failed", ""),
		  "cycle 12 degraded: c failed: why c; also b, d" },
		{ "degraded", "low battery", "", NAMED("a", "paused", ""),
		  "cycle 12 degraded: low battery: a was paused: why a" },
		{ "degraded", "low battery", "\"w\"", "", "cycle 12 degraded: low battery" },
		{ "degraded", "", "\"v\",\"w\"", NAMED("a", "suspended", ""),
		  "cycle 12 degraded: w" },
		{ "degraded", "", "\"v\",\"w\"", NAMED("a", "paused", ""),
		  "cycle 12 degraded: a was paused: why a" },
		{ "degraded", "", "", "", "cycle 12 degraded" },
		/* The detail of a failed cycle says it all. */
		{ "failed", "the lid was opened", "\"w\"", NAMED("a", "failed", ""),
		  "cycle 12 failed: the lid was opened" },
		{ "failed", "", "", NAMED("a", "failed", ""), "cycle 12 failed: a failed: why a" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report =
			parse(cases[i].result, cases[i].detail, cases[i].warnings, cases[i].guests);
		char text[256], tiny[8], none[1];

		report_explain(report, text, sizeof(text));
		assert_string_equal(text, cases[i].expected);
		report_explain(report, tiny, sizeof(tiny));
		assert_int_equal(strlen(tiny),
				 strlen(text) < sizeof(tiny) ? strlen(text) : sizeof(tiny) - 1);
		report_explain(report, none, sizeof(none));
		assert_string_equal(none, "");
		report_free(report);
	}
}

static void warns_of_what_the_journal_has_lost(void **state)
{
	static const struct {
		size_t n_damaged, n_unwritten;
		const char *warnings[2];
	} cases[] = {
		{ 0, 0, { NULL, NULL } },
		{ 1, 0, { "lines of the cycle's journal that are damaged: 1", NULL } },
		{ 0,
		  2,
		  { "lines that could not be written to the cycle's journal: 2: No space left on device",
		    NULL } },
		{ 3,
		  1,
		  { "lines of the cycle's journal that are damaged: 3",
		    "lines that could not be written to the cycle's journal: 1: No space left on device" } },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle cycle = {
			.n_damaged = cases[i].n_damaged,
			.n_unwritten = cases[i].n_unwritten,
			.write_error = -ENOSPC,
		};
		struct report *report = report_of(&cycle);
		size_t n = (size_t)(cases[i].warnings[0] != NULL) + (cases[i].warnings[1] != NULL);

		assert_int_equal(report->warnings.n, n);
		for (size_t j = 0; j < n; j++)
			assert_string_equal(report->warnings.texts[j], cases[i].warnings[j]);
		report_free(report);
	}
}

static void a_guest_of_an_ended_cycle_is_not_pending(void **state)
{
	struct world *world = *state;
	struct report *report;

	apply(&world->cycle, "0 cycle 1 boot 17 sleep lid", "0 guest 4 " UUID "4 agent - web",
	      "0 warning a loop", "0 warning another loop", NULL);
	report = report_of(&world->cycle);
	assert_int_equal(report->guests[0].outcome, OUTCOME_SKIPPED);
	assert_int_equal(report->warnings.n, 2);
	assert_string_equal(report->warnings.texts[0], "a loop");
	assert_string_equal(report->warnings.texts[1], "another loop");
	assert_ptr_equal(report_find_guest(report, "web"), report->guests);
	assert_null(report_find_guest(report, "we"));
	report_free(report);
}

static void finds_when_the_suspend_ended_and_a_resume_began(void **state)
{
	static const struct {
		const char *phases;
		int64_t suspend_end_us, resume_start_us; /* of a guest that ran at 100 µs */
	} cases[] = {
		{ "", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"suspend\",\"start_us\":20,\"duration_us\":30}", 50, MOMENT_NEVER },
		{ "{\"name\":\"sleep\",\"start_us\":20,\"duration_us\":30}", MOMENT_NEVER,
		  MOMENT_NEVER },
		{ "{\"name\":\"suspend\",\"start_us\":20}", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"suspend\",\"duration_us\":20}", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"resume\",\"start_us\":100}", MOMENT_NEVER, 100 },
		{ "{\"name\":\"resume\",\"start_us\":101}", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"resume\"}", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"ready\",\"start_us\":60}", MOMENT_NEVER, MOMENT_NEVER },
		{ "{\"name\":\"resume\",\"start_us\":40},{\"name\":\"resume\",\"start_us\":60},"
		  "{\"name\":\"resume\",\"start_us\":110}",
		  MOMENT_NEVER, 60 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;
		char text[512];

		snprintf(
			text, sizeof(text),
			"{\"cycle\":1,\"result\":\"ok\",\"phases\":[%s],\"guests\":[{\"name\":\"a\","
			"\"mechanism\":\"agent\",\"outcome\":\"suspended\",\"running_us\":100}]}",
			cases[i].phases);
		assert_int_equal(report_parse(text, &report), 0);
		assert_int_equal(report_suspend_end_us(report), cases[i].suspend_end_us);
		assert_int_equal(report_resume_start_us(report, report->guests),
				 cases[i].resume_start_us);
		report_free(report);
	}
}

static void finds_the_guest_whose_suspend_took_longest(void **state)
{
	struct world *world = *state;
	struct report *report;

	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	assert_ptr_equal(report_slowest(report), &report->guests[1]);
	report->guests[1].requested_us = MOMENT_NEVER;
	assert_ptr_equal(report_slowest(report), &report->guests[0]);
	report_free(report);
}

static void writes_the_date_as_the_calendar_has_it(void **state)
{
	struct world *world = *state;

	srandom(5);
	for (int i = 0; i < 2000; i++) {
		time_t seconds = i ? (time_t)random() * 3 : 951782399;
		struct report *report;
		struct tm when;
		char text[64], head[96];

		assert_non_null(gmtime_r(&seconds, &when));
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000007Z", &when);
		snprintf(head, sizeof(head), "0 cycle 1 boot %lld000007 sleep lid",
			 (long long)seconds);
		apply(&world->cycle, head, NULL);
		report = report_of(&world->cycle);
		assert_string_equal(report->started, text);
		report_free(report);
	}
}

static void a_detail_cut_within_a_character_is_still_json(void **state)
{
	struct world *world = *state;
	struct report *report;

	apply(&world->cycle, "0 cycle 1 boot 17 sleep lid", "0 guest 4 " UUID "4 agent - web",
	      "1 degraded 0 no W\xc3", NULL);
	report = report_of(&world->cycle);
	assert_string_equal(report->guests[0].detail, "no W?");
	report_free(report);
}

/* ---- files -------------------------------------------------------------- */

static struct report *report_number(int64_t number)
{
	struct report *report = calloc(1, sizeof(*report));

	assert_non_null(report);
	report->cycle = (uint64_t)number;
	return report;
}

static void save(struct world *world, int64_t number, uint64_t keep)
{
	struct report *report = report_number(number);

	assert_int_equal(report_save(world->directory, report, keep, &world->error), 0);
	report_free(report);
}

static void assert_reports(const struct world *world, const char *expected)
{
	uint64_t *numbers;
	int n = report_list(world->directory, &numbers);
	char text[256] = "", *end = text;

	for (int i = 0; i < n; i++)
		end += sprintf(end, "%s%llu", i ? " " : "", (unsigned long long)numbers[i]);
	free(numbers);
	assert_string_equal(text, expected);
}

static void put(const struct world *world, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void comes_back_from_its_file(void **state)
{
	struct world *world = *state;
	struct report *report, *loaded;
	char *saved, *read;

	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	assert_int_equal(report_save(world->directory, report, 50, NULL), 0);
	assert_int_equal(report_load(world->directory, 12, &loaded, NULL), 0);
	assert_int_equal(report_format(report, &saved), 0);
	assert_int_equal(report_format(loaded, &read), 0);
	assert_string_equal(read, saved);
	free(saved);
	free(read);
	report_free(loaded);
	assert_int_equal(report_load(world->directory, 0, &loaded, NULL), 0);
	assert_int_equal(loaded->result, RESULT_DEGRADED);
	assert_null(report_stranded(loaded));
	report_free(loaded);
	report_free(report);
}

static void everyone_may_read_whatever_the_umask(void **state)
{
	struct world *world = *state;
	struct report *report = report_number(3);
	char directory[96], path[128];
	mode_t mask = umask(0077);
	struct stat st;

	snprintf(directory, sizeof(directory), "%s/a/b", world->directory);
	assert_int_equal(report_save(directory, report, 1, NULL), 0);
	umask(mask);
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	snprintf(path, sizeof(path), "%s/3.json", directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	report_free(report);
}

static void keeps_the_newest_reports_only(void **state)
{
	static const struct {
		int64_t number;
		uint64_t keep;
		const char *left;
	} cases[] = {
		{ 11, 3, "9 10 11" }, { 12, 2, "11 12" },  { 13, 1, "13" },
		{ 14, 0, "14" },      { 15, 50, "14 15" },
	};
	struct world *world = *state;

	for (int64_t number = 8; number <= 10; number++)
		save(world, number, 50);
	/* Files that are no reports of ours are none of ours to remove. */
	put(world, "notes.json", "");
	put(world, "007.json", "");
	put(world, "9.json.bak", "");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		save(world, cases[i].number, cases[i].keep);
		assert_reports(world, cases[i].left);
	}
	assert_int_equal(report_last_number(world->directory), 15);
}

static void a_report_that_cannot_be_written_leaves_the_old_ones(void **state)
{
	struct world *world = *state;
	struct report *report = report_number(2);
	char path[96];

	save(world, 1, 50);
	snprintf(path, sizeof(path), "%s/2.json", world->directory);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_true(report_save(world->directory, report, 1, &world->error) < 0);
	assert_non_null(strstr(world->error.text, path));
	assert_int_equal(rmdir(path), 0);
	assert_reports(world, "1");
	report_free(report);
}

static void says_what_to_do_when_there_is_no_report(void **state)
{
	struct world *world = *state;
	struct report *report;
	struct error error = { 0 };

	assert_int_equal(report_last_number("/nonexistent/x"), 0);
	assert_int_equal(report_load(world->directory, 0, &report, &error), -ENOENT);
	assert_non_null(strstr(error.text, "'pmcoord suspend-all'"));
	save(world, 4, 50);
	save(world, 6, 50);
	error = (struct error){ 0 };
	assert_int_equal(report_load(world->directory, 5, &report, &error), -ENOENT);
	assert_string_equal(error.text, "there is no report of cycle 5: the oldest report "
					"is of cycle 4, the newest of cycle 6");
}

static void refuses_a_file_that_is_no_report(void **state)
{
	static const char *const cases[] = {
		"",
		"garbage",
		"{",
		"null",
		"[]",
		"{}",
		"{\"cycle\":\"9\",\"result\":\"ok\",\"guests\":[]}",
		"{\"cycle\":-9,\"result\":\"ok\",\"guests\":[]}",
		"{\"cycle\":9,\"guests\":[]}",
		"{\"cycle\":9,\"result\":\"OK\",\"guests\":[]}",
		"{\"cycle\":9,\"result\":1,\"guests\":[]}",
		"{\"cycle\":9,\"result\":\"ok\"}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":{}}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":null}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":[]",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":[null]}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":[{}]}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":[{\"mechanism\":\"agent\"}]}",
		"{\"cycle\":9,\"result\":\"ok\",\"guests\":[{\"mechanism\":\"magic\","
		"\"outcome\":\"paused\"}]}",
	};
	struct world *world = *state;
	struct report *report;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };

		put(world, "9.json", cases[i]);
		assert_int_equal(report_load(world->directory, 0, &report, &error), -EBADMSG);
		assert_non_null(strstr(error.text, "/9.json "));
	}
}

/* Every value differs from that of a report without it. */
static void reads_each_value_that_it_writes(void **state)
{
	static const char text[] =
		"{\"cycle\":9223372036854775807,\"started\":\"2023-11-14T22:13:20.123456Z\","
		"\"result\":\"failed\",\"trigger\":\"lid\",\"detail\":\"why\",\"held\":true,"
		"\"slept_us\":80000000,\"state\":\"s2idle\",\"woken_by\":\"RTC\",\"lid\":\"open\",\"battery\":{\"before\":87,\"after\":84},\"written_bytes\":7,"
		"\"phases\":[{\"name\":\"inventory\",\"start_us\":1,\"duration_us\":2000},"
		"{\"name\":\"suspend\",\"start_us\":316224000000000,\"duration_us\":null}],"
		"\"warnings\":[\"a loop\",\"another\"],"
		"\"guests\":[{\"name\":\"web\",\"domid\":4294967295,\"uuid\":\"" UUID "4\","
		"\"mechanism\":\"agent\",\"outcome\":\"failed\",\"detail\":\"why not\","
		"\"degraded\":true,\"stranded\":true,\"taken_by_another\":true,"
		"\"gone\":\"crashed\",\"appeared\":true,\"ran_through\":true,"
		"\"requested_us\":2,\"quiesced_us\":3,\"down_us\":4,\"resume_us\":5,"
		"\"running_us\":6,\"ready_us\":7}],"
		"\"slowest\":\"web\",\"stranded\":\"web\"}";
	struct report *report;
	char *written;

	(void)state;
	assert_int_equal(report_parse(text, &report), 0);
	assert_int_equal(report_format(report, &written), 0);
	assert_string_equal(written, text);
	free(written);
	report_free(report);
}

static void reads_odd_values_as_if_they_were_missing(void **state)
{
	static const struct {
		const char *member, *written;
	} cases[] = {
		{ "\"domid\":-1", "\"domid\":0," },
		{ "\"domid\":0", "\"domid\":0," },
		{ "\"domid\":4294967296", "\"domid\":0," },
		{ "\"uuid\":\"x\"", "\"uuid\":\"" UUID "0\"," },
		/* A boolean, as older versions wrote it. */
		{ "\"gone\":true", "\"gone\":\"destroyed\"," },
		{ "\"gone\":false", "\"gone\":null," },
		{ "\"gone\":null", "\"gone\":null," },
		{ "\"ready_us\":0", "\"ready_us\":0}" },
		{ "\"ready_us\":-1", "\"ready_us\":null}" },
		{ "\"ready_us\":316224000000000", "\"ready_us\":316224000000000}" },
		{ "\"ready_us\":316224000000001", "\"ready_us\":null}" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;
		char text[256], *written;

		snprintf(text, sizeof(text),
			 "{\"cycle\":1,\"result\":\"ok\",\"guests\":[{\"mechanism\":\"agent\","
			 "\"outcome\":\"failed\",%s}]}",
			 cases[i].member);
		assert_int_equal(report_parse(text, &report), 0);
		assert_int_equal(report_format(report, &written), 0);
		if (!strstr(written, cases[i].written))
			fail_msg("%s: %s", cases[i].member, written);
		free(written);
		report_free(report);
	}
}

/* ---- errors of files ------------------------------------------------------ */

static void says_why_a_report_cannot_be_written(void **state)
{
	struct world *world = *state;
	struct report *report = report_number(2);
	struct rlimit unlimited, limit;
	char path[96], expected[256];

	save(world, 1, 50);
	/* The disk is full. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = 10;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(report_save(world->directory, report, 1, &world->error), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	snprintf(expected, sizeof(expected), "cannot write the report %s/2.json: File too large",
		 world->directory);
	assert_string_equal(error_text(&world->error), expected);
	assert_reports(world, "1");
	snprintf(path, sizeof(path), "%s/.new", world->directory);
	assert_int_equal(access(path, F_OK), -1);
	/* Something else has the name of the temporary file. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(report_save(world->directory, report, 1, NULL), -EISDIR);
	assert_reports(world, "1");
	/* The directory cannot be made. */
	snprintf(path, sizeof(path), "%s/1.json/reports", world->directory);
	world->error = (struct error){ 0 };
	assert_int_equal(report_save(path, report, 1, &world->error), -ENOTDIR);
	snprintf(expected, sizeof(expected), "cannot write the report %s/2.json: Not a directory",
		 path);
	assert_string_equal(error_text(&world->error), expected);
	report_free(report);
}

static void says_why_a_report_cannot_be_read_or_removed(void **state)
{
	struct world *world = *state;
	struct report *report;
	char path[96], expected[256];

	assert_int_equal(report_remove(world->directory, 3), -ENOENT);
	snprintf(path, sizeof(path), "%s/3.json", world->directory);
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(report_load(world->directory, 3, &report, &world->error), -ELOOP);
	snprintf(expected, sizeof(expected),
		 "cannot read the report %s: Too many levels of symbolic links", path);
	assert_string_equal(error_text(&world->error), expected);
	assert_int_equal(report_remove(world->directory, 3), 0);
	put(world, "3.json", "");
	world->error = (struct error){ 0 };
	assert_int_equal(report_load(path, 3, &report, &world->error), -ENOTDIR);
	snprintf(expected, sizeof(expected), "cannot read the reports in %s: Not a directory",
		 path);
	assert_string_equal(error_text(&world->error), expected);
	assert_int_equal(report_last_number(path), 0);
}

/* ---- the disk and /run ----------------------------------------------------- */

static void save_in_store(const struct roots *roots, int64_t number, uint64_t keep, int expected)
{
	struct report *report = report_number(number);
	struct error error = { 0 };

	assert_int_equal(report_store_save(roots, report, keep, &error), expected);
	assert_int_equal(error.text[0] != '\0', expected != 0);
	report_free(report);
}

static void assert_stored(const struct roots *roots, const char *saved, const char *unsaved)
{
	struct world disk = { 0 };

	snprintf(disk.directory, sizeof(disk.directory), "%s", roots->reports);
	assert_reports(&disk, saved);
	snprintf(disk.directory, sizeof(disk.directory), "%s", roots->unsaved_reports);
	assert_reports(&disk, unsaved);
}

static uint64_t load_from_store(const struct roots *roots, uint64_t number)
{
	struct report *report;
	uint64_t cycle;

	if (report_store_load(roots, number, &report, NULL) < 0)
		return 0;
	cycle = report->cycle;
	report_free(report);
	return cycle;
}

static void keeps_reports_on_run_until_the_disk_takes_them(void **state)
{
	struct world *world = *state;
	struct roots roots;
	char path[128];

	assert_int_equal(roots_init_simulation(world->directory, &roots), 0);
	assert_int_equal(load_from_store(&roots, 0), 0);
	save_in_store(&roots, 1, 50, 0);
	assert_stored(&roots, "1", "");
	/* The disk is away. */
	snprintf(path, sizeof(path), "%s-away", roots.reports);
	assert_int_equal(rename(roots.reports, path), 0);
	put(world, "reports", "");
	save_in_store(&roots, 2, 50, REPORT_UNSAVED);
	save_in_store(&roots, 3, 50, REPORT_UNSAVED);
	assert_int_equal(report_store_last_number(&roots), 3);
	assert_int_equal(load_from_store(&roots, 0), 3);
	assert_int_equal(load_from_store(&roots, 2), 2);
	assert_int_equal(load_from_store(&roots, 1), 0);
	report_store_flush(&roots, 50);
	save_in_store(&roots, 4, 2, REPORT_UNSAVED);
	/* It is back. What is no report does not stay. */
	assert_int_equal(unlink(roots.reports), 0);
	assert_int_equal(rename(path, roots.reports), 0);
	assert_stored(&roots, "1", "3 4");
	put(world, "unsaved-reports/2.json", "damaged");
	assert_int_equal(report_store_last_number(&roots), 4);
	assert_int_equal(load_from_store(&roots, 1), 1);
	save_in_store(&roots, 5, 50, 0);
	assert_stored(&roots, "1 3 4 5", "");
	assert_int_equal(load_from_store(&roots, 0), 5);
	assert_int_equal(report_store_last_number(&roots), 5);
	roots_done(&roots);
}

/* One that the disk does not take stays on /run, with those after it. */
static void a_flush_ends_at_the_first_error(void **state)
{
	struct world *world = *state;
	struct roots roots;
	char path[128];

	assert_int_equal(roots_init_simulation(world->directory, &roots), 0);
	put(world, "reports", "");
	for (int64_t number = 1; number <= 3; number++)
		save_in_store(&roots, number, 50, REPORT_UNSAVED);
	assert_int_equal(unlink(roots.reports), 0);
	assert_int_equal(mkdir(roots.reports, 0700), 0);
	snprintf(path, sizeof(path), "%s/2.json", roots.reports);
	assert_int_equal(mkdir(path, 0700), 0);
	report_store_flush(&roots, 50);
	assert_stored(&roots, "1 2", "2 3");
	assert_int_equal(load_from_store(&roots, 2), 2);
	assert_int_equal(rmdir(path), 0);
	/* As many as are to be kept. */
	report_store_flush(&roots, 2);
	assert_stored(&roots, "2 3", "");
	roots_done(&roots);
}

static void a_report_that_nothing_takes_is_an_error(void **state)
{
	struct world *world = *state;
	struct roots roots;

	assert_int_equal(roots_init_simulation(world->directory, &roots), 0);
	put(world, "reports", "");
	put(world, "unsaved-reports", "");
	save_in_store(&roots, 1, 50, -ENOTDIR);
	assert_int_equal(load_from_store(&roots, 1), 0);
	assert_int_equal(report_store_last_number(&roots), 0);
	roots_done(&roots);
}

/* ---- for people --------------------------------------------------------- */

static void formats_spans_for_people(void **state)
{
	static const struct {
		int64_t span_us;
		const char *ms, *span;
	} cases[] = {
		{ MOMENT_NEVER, "-", "-" },
		{ 0, "0.0", "0.0 ms" },
		{ 49, "0.0", "0.0 ms" },
		{ 50, "0.1", "0.1 ms" },
		{ 412345, "412.3", "412.3 ms" },
		{ 999949, "999.9", "999.9 ms" },
		{ 999950, "1000.0", "1.00 s" },
		{ 7654999, "7655.0", "7.65 s" },
		{ 9994999, "9995.0", "9.99 s" },
		{ 9995000, "9995.0", "10.0 s" },
		{ 12300000, "12300.0", "12.3 s" },
		{ 119949999, "119950.0", "119.9 s" },
		{ 119950000, "119950.0", "2 min" },
		{ 250000000, "250000.0", "4 min 10 s" },
		{ 3600000000, "3600000.0", "60 min" },
		{ 7199999999, "7200000.0", "2 h" },
		{ 11520000000, "11520000.0", "3 h 12 min" },
		{ 28800000000, "28800000.0", "8 h" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[SPAN_TEXT_SIZE];

		assert_string_equal(span_format_ms(cases[i].span_us, text), cases[i].ms);
		assert_string_equal(span_format(cases[i].span_us, text), cases[i].span);
	}
}

static char *print(const struct report *report, const char *directory)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(report_print(report, directory, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void prints_which_guest_the_cycle_waited_for(void **state)
{
	static const char *const lines[] = {
		"Cycle 12: degraded\n",
		"Started Tue 2023-11-14 22:13:20 UTC by lid.\n",
		"3 of 3 guests suspended in 10.1 s.\n",
		"The host slept for 80.0 s.\n",
		"3 guests resumed in 1.9 ms, devices ready after 900.9 ms.\n",
		"web            4 agent     suspended     98.0   150.0     1.7 "
		"101.7\n",
		"mail <&\"'>     5 xenstore  paused           - 10000.1     "
		"1.9 "
		"    - did not suspend within 10 s\n",
		"vault          7 none      skipped          -       -       - "
		"    - ignored by policy\n",
		"Slowest to suspend: mail <&\"'>, 10.0 s.\n",
		"  mail <&\"'> (5): paused: did not suspend within 10 s\n",
		"  netvm (1): suspended: no Wi-Fi\n",
		"  The cycle waited 10.0 s for mail <&\"'>.\n",
	};
	struct world *world = *state;
	struct report *report;
	char *text;

	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	text = print(report, NULL);
	for (size_t i = 0; i < ELEMENTSOF(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("'%s' is not in:\n%s", lines[i], text);
	assert_null(strstr(text, "usually"));
	free(text);
	report_free(report);
}

/* A cycle in which web took so long to go down. */
static void save_history(struct world *world, unsigned int number, unsigned int down_us,
			 const char *mechanism)
{
	struct cycle cycle = { 0 };
	struct report *report;
	char head[64], guest[128], down[32];

	snprintf(head, sizeof(head), "0 cycle %u boot 17 sleep lid", number);
	snprintf(guest, sizeof(guest), "0 guest 4 " UUID "4 %s - web", mechanism);
	snprintf(down, sizeof(down), "%u down 0", down_us);
	apply(&cycle, head, guest, "0 request 0", down, NULL);
	report = report_of(&cycle);
	assert_int_equal(report_save(world->directory, report, 50, NULL), 0);
	report_free(report);
	cycle_done(&cycle);
}

static void expects_the_median_of_earlier_cycles(void **state)
{
	struct world *world = *state;
	struct report *report;
	char *text;

	save_history(world, 1, 500000, "agent");
	save_history(world, 2, 100000, "agent");
	save_history(world, 3, 300000, "agent");
	save_history(world, 4, 9000000, "xenstore"); /* another way */
	save_history(world, 13, 7000000, "agent"); /* a later cycle */
	put(world, "5.json", "damaged");
	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	text = print(report, world->directory);
	assert_non_null(strstr(text, "EXPECTED"));
	assert_non_null(strstr(text, "web            4 agent     suspended     98.0   "
				     "150.0    300.0 "));
	assert_non_null(strstr(text, "mail <&\"'>     5 xenstore  paused           - "
				     "10000.1        - "));
	free(text);
	report_free(report);
}

static char *draw(struct world *world, const struct report *report)
{
	char path[96], *text = calloc(1, 1 << 20);
	FILE *file;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/timeline.svg", world->directory);
	assert_int_equal(timeline_write(report, path, &world->error), 0);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

static void draws_what_the_report_says(void **state)
{
	struct world *world = *state;
	struct report *report;
	char *text;

	a_bad_night(&world->cycle);
	report = report_of(&world->cycle);
	text = draw(world, report);
	assert_non_null(strstr(text, ">mail &lt;&amp;&quot;'&gt;</text>"));
	assert_null(strstr(text, "mail <"));
	assert_non_null(strstr(text, "<tspan class=\"warn\">degraded</tspan>"));
	assert_non_null(strstr(text, "10.0 s, paused"));
	assert_non_null(strstr(text, "900.9 ms, degraded"));
	assert_non_null(strstr(text, ">80.0 s</text>"));
	assert_non_null(strstr(text, "netvm: no Wi-Fi"));
	assert_non_null(strstr(text, "</svg>\n"));
	free(text);
	report_free(report);
}

/* Reports can be edited or damaged. */
static void odd_values_in_a_report_upset_neither_text_nor_picture(void **state)
{
	static const char *const cases[] = {
		"\"guests\":[]",
		"\"started\":\"\",\"phases\":[{},null,3],\"warnings\":[1,null,\"w\"],"
		"\"guests\":[{\"name\":null,\"domid\":\"x\",\"mechanism\":\"none\","
		"\"outcome\":\"failed\",\"stranded\":1}]",
		"\"slept_us\":9223372036854775807,"
		"\"phases\":[{\"name\":\"suspend\",\"start_us\":"
		"9223372036854775807,\"duration_us\":9223372036854775807},"
		"{\"name\":\"resume\",\"start_us\":0}],\"guests\":[{\"name\":"
		"\"a\",\"mechanism\":\"agent\",\"outcome\":\"suspended\","
		"\"requested_us\":-9223372036854775807,\"down_us\":"
		"9223372036854775807,\"running_us\":316224000000000,"
		"\"ready_us\":5}]",
		"\"phases\":[{\"name\":\"resume\",\"start_us\":9}"
		"],\"guests\":[{\"name\":\"a\",\"mechanism\":\"pause\","
		"\"outcome\":\"suspended\",\"domid\":-1,"
		"\"requested_us\":316223999999999,\"down_us\":3,"
		"\"running_us\":9,\"resume_us\":1}]",
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;
		char json[1024], *text;

		snprintf(json, sizeof(json), "{\"cycle\":1,\"result\":\"failed\",%s}", cases[i]);
		assert_int_equal(report_parse(json, &report), 0);
		text = print(report, world->directory);
		free(text);
		text = draw(world, report);
		assert_non_null(strstr(text, "</svg>\n"));
		free(text);
		report_free(report);
	}
}

static void says_when_a_picture_cannot_be_written(void **state)
{
	struct world *world = *state;
	struct report *report = report_number(1);

	assert_int_equal(timeline_write(report, "/nonexistent/x.svg", &world->error), -ENOENT);
	assert_non_null(strstr(world->error.text, "/nonexistent/x.svg"));
	world->error = (struct error){ 0 };
	assert_int_equal(timeline_write(report, "/dev/full", &world->error), -EIO);
	report_free(report);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(matches_the_contract_to_the_letter),
		world_test(a_moment_that_was_not_reached_is_null),
		world_test(knows_whether_guests_are_kept_suspended),
		cmocka_unit_test(judges_each_guest_once_and_for_all),
		world_test(explains_a_bad_cycle_and_names_everyone),
		world_test(explains_the_end_of_a_guest),
		world_test(explains_each_kind_of_cycle),
		world_test(warns_of_what_the_journal_has_lost),
		world_test(finds_the_guest_whose_suspend_took_longest),
		world_test(a_guest_of_an_ended_cycle_is_not_pending),
		world_test(finds_when_the_suspend_ended_and_a_resume_began),
		world_test(writes_the_date_as_the_calendar_has_it),
		world_test(a_detail_cut_within_a_character_is_still_json),
		world_test(comes_back_from_its_file),
		world_test(everyone_may_read_whatever_the_umask),
		world_test(keeps_the_newest_reports_only),
		world_test(a_report_that_cannot_be_written_leaves_the_old_ones),
		world_test(says_what_to_do_when_there_is_no_report),
		world_test(refuses_a_file_that_is_no_report),
		world_test(reads_each_value_that_it_writes),
		world_test(reads_odd_values_as_if_they_were_missing),
		world_test(says_why_a_report_cannot_be_written),
		world_test(says_why_a_report_cannot_be_read_or_removed),
		world_test(keeps_reports_on_run_until_the_disk_takes_them),
		world_test(a_flush_ends_at_the_first_error),
		world_test(a_report_that_nothing_takes_is_an_error),
		world_test(formats_spans_for_people),
		world_test(prints_which_guest_the_cycle_waited_for),
		world_test(expects_the_median_of_earlier_cycles),
		world_test(draws_what_the_report_says),
		world_test(odd_values_in_a_report_upset_neither_text_nor_picture),
		world_test(says_when_a_picture_cannot_be_written),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
