/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/cycle.h"
#include "model/plan.h"

#define UUID "00000000-0000-0000-0000-00000000000"

/* Applies lines of a journal; `...` ends with NULL. */
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

/* A cycle with web (0), which needs netvm (1), and vault (2). */
static void begin(struct cycle *cycle)
{
	*cycle = (struct cycle){ 0 };
	apply(cycle, "1000000 cycle 12 boot 1700000000000000 sleep lid",
	      "1000000 guest 4 " UUID "4 agent 1 web", "1000000 guest 1 " UUID "1 xenstore - netvm",
	      "1000000 guest 7 " UUID "7 none - my vault", NULL);
}

static void every_type_of_record_survives_a_round_trip(void **state)
{
	static const char *const texts[] = {
		NULL, "", "x", "did not suspend within 10 s", "  two  spaces ", "agent"
	};

	(void)state;
	for (int type = 0; type <= RECORD_END; type++) {
		for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
			struct record record = {
				.type = (enum record_type)type,
				.at_us = UINT64_MAX - (uint64_t)type,
				.text = texts[i],
			};
			struct record parsed;
			char line[128];
			int length;

			length = record_format(&record, line, sizeof(line));
			assert_true(length > 0);
			assert_int_equal(line[length - 1], '\n');
			line[length - 1] = '\0';
			assert_int_equal(record_parse(line, &parsed), 0);
			assert_int_equal(parsed.type, record.type);
			assert_int_equal(parsed.at_us, record.at_us);
			assert_string_equal(parsed.text, texts[i] ? texts[i] : "");
		}
	}
}

static void a_record_of_a_guest_names_it(void **state)
{
	struct record record = { .type = RECORD_SUSPENDED, .at_us = 5, .guest = 37 };
	struct record parsed;
	char line[64];

	(void)state;
	assert_int_equal(record_format(&record, line, sizeof(line)), 10);
	assert_string_equal(line, "5 down 37\n");
	line[9] = '\0';
	assert_int_equal(record_parse(line, &parsed), 0);
	assert_int_equal(parsed.guest, 37);
}

static void a_record_is_one_line_whatever_its_text(void **state)
{
	struct record record = {
		.type = RECORD_FAIL,
		.text = "a\nb\x1b[2J\tc",
	};
	char line[64];

	(void)state;
	assert_int_equal(record_format(&record, line, sizeof(line)), 19);
	assert_string_equal(line, "0 fail 0 a?b?[2J?c\n");
	assert_int_equal(record_format(&record, line, 10), -EMSGSIZE);
}

/* Monitors and D-Bus name the guest of a record only if it has one. */
static void only_records_about_a_guest_have_a_guest(void **state)
{
	static const enum record_type of_the_cycle[] = {
		RECORD_CYCLE, RECORD_GUEST,	     RECORD_WARNING,   RECORD_PROBLEM,
		RECORD_PHASE, RECORD_KEPT_SUSPENDED, RECORD_MAY_SLEEP, RECORD_SLEPT,
		RECORD_AWAKE, RECORD_WRITTEN,	     RECORD_NOTE,      RECORD_ABORT,
		RECORD_END,   RECORD_RELEASE_ALL,    RECORD_SLEPT_IN,  RECORD_WOKEN_BY,
		RECORD_LID,   RECORD_BATTERY,
	};
	size_t n = 0;

	(void)state;
	for (int type = 0; type <= RECORD_END; type++)
		n += !record_type_has_guest((enum record_type)type);
	assert_int_equal(n, ELEMENTSOF(of_the_cycle));
	for (size_t i = 0; i < ELEMENTSOF(of_the_cycle); i++)
		assert_false(record_type_has_guest(of_the_cycle[i]));
}

static void a_head_that_does_not_fit_is_refused(void **state)
{
	struct cycle_head head = { .number = 12, .boot_id = "boot", .started_us = 17 };
	char text[64];
	int length;

	(void)state;
	strcpy(head.trigger, "lid");
	length = cycle_format_head(&head, text, sizeof(text));
	assert_string_equal(text, "12 boot 17 guests-only lid");
	assert_int_equal(length, strlen(text));
	assert_int_equal(cycle_format_head(&head, text, (size_t)length + 1), length);
	assert_int_equal(cycle_format_head(&head, text, (size_t)length), -EMSGSIZE);
}

static void rejects_malformed_records(void **state)
{
	static const char *const cases[] = {
		"",	      " ",
		"12",	      "12 ",
		"x down 0",   "-1 end",
		"12 down",    "12 down x",
		"12 Down 1",  "12 d?wn 1",
		"12 down -1", " 12 end",
		"12  end",    "99999999999999999999999 end",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct record parsed;
		char line[64];

		strcpy(line, cases[i]);
		assert_int_equal(record_parse(line, &parsed), -EBADMSG);
	}
}

static void recognizes_records_of_another_version(void **state)
{
	char line[] = "12 nothing 1 of what is known";
	struct record parsed;

	(void)state;
	assert_int_equal(record_parse(line, &parsed), RECORD_UNKNOWN);
}

static void rejects_records_that_do_not_apply(void **state)
{
	static const char *const cases[] = {
		"1000001 down 3",
		"1000001 slept long",
		"1000001 may-sleep",
		"1000001 written -1",
		"1000001 cycle x boot 17 sleep lid",
		"1000001 cycle 12 boot 17",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle cycle;
		struct record record;
		char line[128];

		begin(&cycle);
		strcpy(line, cases[i]);
		assert_int_equal(record_parse(line, &record), 0);
		assert_int_equal(cycle_apply(&cycle, &record), -EBADMSG);
		assert_int_equal(cycle.n_guests, 3);
		cycle_done(&cycle);
	}
}

static void records_its_guests(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	assert_int_equal(cycle.head.number, 12);
	assert_string_equal(cycle.head.boot_id, "boot");
	assert_string_equal(cycle.head.trigger, "lid");
	assert_true(cycle.head.wants_sleep);
	assert_int_equal(cycle.head.started_us, 1700000000000000);
	assert_int_equal(cycle.guests[0].n_needs, 1);
	assert_int_equal(cycle.guests[0].needs[0], 1);
	assert_int_equal(cycle.guests[1].n_needs, 0);
	assert_string_equal(cycle.guests[2].name, "my vault");
	assert_int_equal(cycle.guests[2].requested_us, CYCLE_NEVER);
	assert_int_equal(cycle.slept_us, CYCLE_NEVER);
	cycle_done(&cycle);
	cycle_done(&cycle);
}

static void a_good_cycle_is_ok(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000000 phase suspend", "1000010 request 0", "1000030 quiesced 0",
	      "1000040 down 0", "1000041 request 1", "1000091 down 1",
	      "1000042 skip 2 ignored by policy", "1000092 phase sleep", NULL);
	assert_int_equal(cycle_count_holds(&cycle), 2);
	apply(&cycle, "2000000 slept 900000", "2000000 phase resume", "2000001 resume 1",
	      "2000002 running 1", "2000003 resume 0", "2000005 running 0", NULL);
	assert_true(cycle.guests[0].needs_xenstore_resume);
	apply(&cycle, "2000006 bookkept 0", "2000006 bookkept 1", "2000007 ready 0",
	      "2000010 written 0", "2000010 end", NULL);
	assert_int_equal(cycle_result(&cycle), RESULT_OK);
	assert_int_equal(cycle_count_holds(&cycle), 0);
	assert_null(cycle_stranded(&cycle));
	assert_int_equal(cycle.guests[0].requested_us, 10);
	assert_int_equal(cycle.guests[0].quiesced_us, 30);
	assert_int_equal(cycle.guests[0].down_us, 40);
	assert_int_equal(cycle.guests[0].resume_us, 1000003);
	assert_int_equal(cycle.guests[0].running_us, 1000005);
	assert_int_equal(cycle.guests[0].ready_us, 1000007);
	assert_false(cycle.guests[0].needs_xenstore_resume);
	assert_int_equal(cycle.guests[2].outcome, OUTCOME_SKIPPED);
	assert_string_equal(cycle.guests[2].detail, "ignored by policy");
	assert_int_equal(cycle.n_phases, 3);
	assert_int_equal(cycle.phases[0].duration_us, 92);
	assert_int_equal(cycle.phases[2].duration_us, 10);
	assert_int_equal(cycle.slept_us, 900000);
	assert_int_equal(cycle.written_bytes, 0);
	assert_true(cycle.ended);
	cycle_done(&cycle);
}

static void the_result_follows_from_each_failure(void **state)
{
	static const struct {
		const char *line;
		enum cycle_result result;
	} cases[] = {
		{ "1000040 down 0", RESULT_OK },
		{ "1000040 skip 0 already paused", RESULT_OK },
		{ "1000040 mechanism 0 xenstore", RESULT_OK },
		{ "1000040 fail 0 did not suspend", RESULT_DEGRADED },
		{ "1000040 paused 0", RESULT_DEGRADED },
		{ "1000040 degraded 0 no Wi-Fi", RESULT_DEGRADED },
		{ "1000040 stranded 0 EIO", RESULT_DEGRADED },
		{ "1000040 awake the host refused", RESULT_FAILED },
		{ "1000040 abort the lid was opened", RESULT_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle cycle;

		begin(&cycle);
		apply(&cycle, "1000010 request 0", cases[i].line, NULL);
		assert_int_equal(cycle_result(&cycle), cases[i].result);
		cycle_done(&cycle);
	}
}

static void records_which_guests_are_kept_suspended_and_how(void **state)
{
	static const struct {
		const char *lines[3];
		enum cycle_hold hold;
	} cases[] = {
		{ { "1000010 request 0" }, HOLD_REQUESTED },
		{ { "1000010 request 0", "1000011 down 0" }, HOLD_SUSPENDED },
		{ { "1000010 request 0", "1000011 retracted 0" }, HOLD_NONE },
		{ { "1000010 request 0", "1000011 acknowledged 0" }, HOLD_REQUESTED },
		{ { "1000010 request 0", "1000011 fail 0 late" }, HOLD_REQUESTED },
		{ { "1000010 pause 0" }, HOLD_PAUSING },
		{ { "1000010 pause 0", "1000011 paused 0" }, HOLD_PAUSED },
		{ { "1000010 request 0", "1000011 gone 0" }, HOLD_NONE },
		{ { "1000010 request 0", "1000011 down 0", "1000012 resume 0" }, HOLD_SUSPENDED },
		{ { "1000010 request 0", "1000011 down 0", "1000012 running 0" }, HOLD_NONE },
		{ { "1000010 request 0", "1000011 down 0", "1000012 stranded 0 EIO" },
		  HOLD_SUSPENDED },
		/* It suspends after its time limit. */
		{ { "1000010 paused 0", "1000011 running 0", "1000012 resume 0" }, HOLD_REQUESTED },
		{ { "1000010 paused 0", "1000011 running 0", "1000012 stranded 0 EIO" },
		  HOLD_REQUESTED },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle cycle;

		begin(&cycle);
		for (size_t j = 0; j < 3 && cases[i].lines[j]; j++)
			apply(&cycle, cases[i].lines[j], NULL);
		assert_int_equal(cycle.guests[0].hold, cases[i].hold);
		assert_int_equal(cycle_count_holds(&cycle), cases[i].hold != HOLD_NONE);
		cycle_done(&cycle);
	}
}

/* A valid text for records of this type. */
static const char *text_of(enum record_type type)
{
	switch (type) {
	case RECORD_CYCLE:
		return "12 boot 1700000000000000 sleep lid";
	case RECORD_GUEST:
		return "8 " UUID "8 agent - mail";
	case RECORD_MECHANISM:
		return "xenstore";
	case RECORD_MAY_SLEEP:
	case RECORD_SLEPT:
	case RECORD_WRITTEN:
		return "5";
	default:
		return "";
	}
}

/* Does a record of this type mean that the guest runs, or is gone? */
static bool ends_hold(enum record_type type, const struct cycle_guest *before)
{
	switch (type) {
	case RECORD_RUNNING:
	case RECORD_GONE:
	case RECORD_LET_GO: /* another cycle, or another program, is responsible */
		return true;
	case RECORD_RELEASED:
		return true;
	case RECORD_TAKEN: /* it was suspended by another program */
		return before->hold == HOLD_REQUESTED && before->resume_us == CYCLE_NEVER;
	case RECORD_RETRACTED: /* it was never suspended */
		return before->hold != HOLD_SUSPENDED &&
		       !(before->hold == HOLD_REQUESTED && before->resume_us != CYCLE_NEVER);
	default:
		return false;
	}
}

static void a_guest_stays_recorded_until_it_runs_or_is_gone(void **state)
{
	static const char *const ways[][5] = {
		{ "1000010 request 0" },
		{ "1000010 request 0", "1000011 acknowledged 0" },
		{ "1000010 request 0", "1000011 acknowledged 0", "1000012 fail 0 late" },
		{ "1000010 request 0", "1000011 down 0" },
		{ "1000010 request 0", "1000011 acknowledged 0", "1000012 down 0" },
		{ "1000010 request 0", "1000011 down 0", "2000000 resume 0" },
		{ "1000010 request 0", "1000011 down 0", "2000001 stranded 0 EIO" },
		{ "1000010 request 0", "2000000 resume 0" },
		{ "1000010 request 0", "2000000 stranded 0 not seen" },
		{ "1000010 request 0", "2000000 resume 0", "2000001 stranded 0 EIO",
		  "2000002 settled 0 late" },
		{ "1000010 pause 0" },
		{ "1000010 paused 0" },
		{ "1000010 paused 0", "2000000 resume 0", "2000001 stranded 0 EIO" },
		/* It suspends late. */
		{ "1000010 paused 0", "2000000 running 0", "2000001 resume 0" },
		{ "1000010 paused 0", "2000000 running 0", "2000001 resume 0",
		  "2000002 stranded 0 EIO", "2000003 settled 0 late" },
		{ "1000010 paused 0", "2000000 running 0", "2000001 stranded 0 not seen" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ways) * (RECORD_END + 1); i++) {
		const char *const *way = ways[i / (RECORD_END + 1)];
		struct record record = {
			.type = (enum record_type)(i % (RECORD_END + 1)),
			.at_us = 3000000,
		};
		struct cycle_guest before;
		struct cycle cycle;

		begin(&cycle);
		for (size_t j = 0; j < ELEMENTSOF(ways[0]) && way[j]; j++)
			apply(&cycle, way[j], NULL);
		before = cycle.guests[0];
		assert_int_not_equal(before.hold, HOLD_NONE);
		record.text = text_of(record.type);
		assert_int_equal(cycle_apply(&cycle, &record), 0);
		assert_int_equal(cycle.guests[0].hold == HOLD_NONE,
				 ends_hold(record.type, &before));
		/* Only a guest that is kept suspended can be stranded. */
		if (record.type != RECORD_STRANDED)
			assert_int_equal(cycle.guests[0].stranded,
					 before.stranded && !ends_hold(record.type, &before));
		cycle_done(&cycle);
	}
}

/* An older pmcoord wrote SETTLED as the last record of a guest. */
static void a_late_guest_of_an_old_journal_stays_recorded(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 0", "11000000 acknowledged 0",
	      "11000000 pause 0 did not suspend within 10 s", "11000000 paused 0",
	      "3611000000 resume 0", "3611004000 running 0", "3614000000 resume 0",
	      "3614000000 stranded 0 could not be resumed: EIO", "3614000000 resume 0",
	      "3614000000 stranded 0 could not be resumed: EIO", "3614000000 bookkept 0",
	      "3614000000 settled 0 suspended late", "3614000000 end", NULL);
	assert_string_equal(cycle_stranded(&cycle), "web");
	assert_int_equal(cycle_count_holds(&cycle), 1);
	apply(&cycle, "3700000000 resume 0", "3700000001 running 0", NULL);
	assert_null(cycle_stranded(&cycle));
	assert_int_equal(cycle_count_holds(&cycle), 0);
	assert_true(cycle.guests[0].needs_xenstore_resume);
	cycle_done(&cycle);
}

/* The cycle is not ok, either. */
static void a_stranded_guest_that_is_gone_is_no_longer_stranded(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 1", "1000011 down 1",
	      "1000012 stranded 1 could not be resumed: EIO", "1000013 gone 1", NULL);
	assert_null(cycle_stranded(&cycle));
	assert_int_equal(cycle_count_holds(&cycle), 0);
	assert_int_equal(cycle_result(&cycle), RESULT_DEGRADED);
	cycle_done(&cycle);
}

/* xenstored is notified of the resume of a suspended guest, not of an unpause. */
static void a_late_guest_is_resumed_in_xenstore(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 0", "1000011 acknowledged 0", "1000012 paused 0",
	      "2000000 resume 0", "2000001 running 0", NULL);
	assert_false(cycle.guests[0].needs_xenstore_resume);
	apply(&cycle, "2000010 resume 0", "2000011 running 0", NULL);
	assert_true(cycle.guests[0].needs_xenstore_resume);
	assert_int_equal(cycle_count_holds(&cycle), 0);
	apply(&cycle, "2000012 bookkept 0", "2000013 settled 0", NULL);
	assert_false(cycle.guests[0].needs_xenstore_resume);
	cycle_done(&cycle);
}

/* Linux handles its next request when it has been resumed. */
static void the_time_of_a_suspension_is_not_that_of_the_next_request(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 0", "1000011 acknowledged 0", "1000012 retracted 0",
	      "1000020 request 0", "1000021 acknowledged 0", "1000022 retracted 0",
	      "1000030 down 0 suspended late", "3600000000 resume 0", "3600000001 running 0", NULL);
	assert_true(cycle_guest_may_suspend(&cycle.guests[0]));
	assert_int_equal(cycle_late_since(&cycle, &cycle.guests[0]), 3600000001);
	cycle_done(&cycle);
}

static void names_the_stranded_guest(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 1", "1000011 down 1",
	      "1000012 stranded 1 could not be resumed: EIO", NULL);
	assert_string_equal(cycle_stranded(&cycle), "netvm");
	cycle_done(&cycle);
}

static void keeps_each_warning_up_to_the_limit(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000000 warning a needs b", "1000000 warning b needs c", NULL);
	assert_int_equal(cycle.n_warnings, 2);
	assert_string_equal(cycle.warnings[0], "a needs b");
	assert_string_equal(cycle.warnings[1], "b needs c");
	for (size_t i = 0; i < CYCLE_WARNINGS_MAX; i++)
		apply(&cycle, "1000000 warning more", NULL);
	assert_int_equal(cycle.n_warnings, CYCLE_WARNINGS_MAX);
	cycle_done(&cycle);
}

static void the_last_phase_ends_when_guests_are_kept_suspended(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000000 phase inventory", "1000100 phase suspend", NULL);
	assert_int_equal(cycle.phases[0].duration_us, 100);
	assert_int_equal(cycle.phases[1].duration_us, CYCLE_NEVER);
	apply(&cycle, "1000300 held", NULL);
	assert_true(cycle.kept_suspended);
	assert_int_equal(cycle.phases[1].duration_us, 200);
	/* Hours later the guests are resumed. */
	apply(&cycle, "9000000 phase resume", "9000050 end", NULL);
	assert_int_equal(cycle.phases[1].duration_us, 200);
	assert_int_equal(cycle.phases[2].duration_us, 50);
	cycle_done(&cycle);
}

static void keeps_each_detail_of_a_guest(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000010 request 0", "1000020 fail 0 too late", "1000021 paused 0",
	      "1000030 degraded 0 no Wi-Fi", NULL);
	assert_string_equal(cycle.guests[0].detail, "too late; no Wi-Fi");
	for (int i = 0; i < 200; i++)
		apply(&cycle, "1000040 degraded 0 and so on", NULL);
	assert_true(strlen(cycle.guests[0].detail) < CYCLE_DETAIL_MAX);
	cycle_done(&cycle);
}

/* Later records name guests by their place in the plan. */
static void a_guest_that_cannot_be_read_keeps_its_place(void **state)
{
	static const char *const cases[] = {
		"1000001 guest 4",
		"1000001 guest 70000 " UUID "4 agent - web",
		"1000001 guest 4 " UUID "x agent - web",
		"1000001 guest 4 " UUID "4 agent 1,x web",
		"1000001 guest 4 " UUID "4 agent , web",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct cycle cycle;
		struct record record;
		char line[128];

		begin(&cycle);
		strcpy(line, cases[i]);
		assert_int_equal(record_parse(line, &record), 0);
		assert_int_equal(cycle_apply(&cycle, &record), -EBADMSG);
		apply(&cycle, "1000001 guest 5 " UUID "5 agent - mail", "1000002 request 3",
		      "1000003 request 4", NULL);
		assert_int_equal(cycle.n_guests, 5);
		assert_true(cycle.guests[3].lost);
		assert_int_equal(cycle.guests[3].hold, HOLD_NONE);
		assert_string_equal(cycle.guests[4].name, "mail");
		assert_int_equal(cycle.guests[4].hold, HOLD_REQUESTED);
		assert_int_equal(cycle_result(&cycle), RESULT_DEGRADED);
		cycle_done(&cycle);
	}
}

static void a_damaged_line_is_a_guest_only_in_the_plan(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	assert_int_equal(cycle_apply_damaged(&cycle), 0);
	assert_int_equal(cycle.n_guests, 4);
	apply(&cycle, "1000002 phase suspend", NULL);
	assert_int_equal(cycle_apply_damaged(&cycle), 0);
	assert_int_equal(cycle.n_guests, 4);
	assert_int_equal(cycle.n_damaged, 2);
	cycle_done(&cycle);
}

static void mechanisms_of_another_version_lose_no_guest(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000001 guest 4 " UUID "4 magic - web", "1000002 mechanism 3 magic", NULL);
	assert_int_equal(cycle.n_guests, 4);
	assert_false(cycle.guests[3].lost);
	assert_int_equal(cycle.guests[3].mechanism, MECHANISM_XENSTORE);
	cycle_done(&cycle);
}

/* Each `pmcoord resume GUEST` begins a phase. */
static void phases_never_make_a_record_fail(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "1000001 phase a-name-that-is-too-long", NULL);
	assert_string_equal(cycle.phases[0].name, "a-name-that-is-");
	for (int i = 0; i < 2 * CYCLE_PHASES_MAX; i++)
		apply(&cycle, "1000002 phase resume", NULL);
	assert_int_equal(cycle.n_phases, CYCLE_PHASES_MAX);
	apply(&cycle, "1000009 end", NULL);
	assert_int_equal(cycle.phases[CYCLE_PHASES_MAX - 1].duration_us, 7);
	cycle_done(&cycle);
}

static void times_are_limited_to_the_cycle(void **state)
{
	struct cycle cycle;

	(void)state;
	begin(&cycle);
	apply(&cycle, "5 phase suspend", "9223372036854775807 request 0",
	      "18446744073709551615 down 0", "10 request 1", "18446744073709551615 down 1",
	      "18446744073709551615 end", NULL);
	for (size_t i = 0; i < 2; i++) {
		const struct cycle_guest *guest = &cycle.guests[i];

		assert_true(guest->requested_us >= 0);
		assert_true(guest->down_us >= guest->requested_us);
	}
	assert_true(cycle.phases[0].start_us >= 0);
	assert_true(cycle.phases[0].duration_us >= 0);
	cycle_done(&cycle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_of_record_survives_a_round_trip),
		cmocka_unit_test(a_record_of_a_guest_names_it),
		cmocka_unit_test(a_record_is_one_line_whatever_its_text),
		cmocka_unit_test(only_records_about_a_guest_have_a_guest),
		cmocka_unit_test(a_head_that_does_not_fit_is_refused),
		cmocka_unit_test(keeps_each_warning_up_to_the_limit),
		cmocka_unit_test(the_last_phase_ends_when_guests_are_kept_suspended),
		cmocka_unit_test(rejects_malformed_records),
		cmocka_unit_test(recognizes_records_of_another_version),
		cmocka_unit_test(rejects_records_that_do_not_apply),
		cmocka_unit_test(a_guest_that_cannot_be_read_keeps_its_place),
		cmocka_unit_test(a_damaged_line_is_a_guest_only_in_the_plan),
		cmocka_unit_test(mechanisms_of_another_version_lose_no_guest),
		cmocka_unit_test(phases_never_make_a_record_fail),
		cmocka_unit_test(records_its_guests),
		cmocka_unit_test(a_good_cycle_is_ok),
		cmocka_unit_test(the_result_follows_from_each_failure),
		cmocka_unit_test(records_which_guests_are_kept_suspended_and_how),
		cmocka_unit_test(a_guest_stays_recorded_until_it_runs_or_is_gone),
		cmocka_unit_test(a_late_guest_of_an_old_journal_stays_recorded),
		cmocka_unit_test(a_stranded_guest_that_is_gone_is_no_longer_stranded),
		cmocka_unit_test(a_late_guest_is_resumed_in_xenstore),
		cmocka_unit_test(the_time_of_a_suspension_is_not_that_of_the_next_request),
		cmocka_unit_test(names_the_stranded_guest),
		cmocka_unit_test(keeps_each_detail_of_a_guest),
		cmocka_unit_test(times_are_limited_to_the_cycle),
	};

	return cmocka_run_group_tests_name("cycle", tests, NULL, NULL);
}
