/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "base/directory.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "host/boot-id.h"
#include "host/lock.h"
#include "host/roots.h"
#include "record/followers.h"
#include "record/status.h"
#include "tests/unit/tree.h"

/* 2026-01-01 00:00:00 UTC */
#define STARTED_US 1767225600000000ull
#define UUID "00000000-0000-0000-0000-00000000000"

/* A cycle of two guests: web needs netvm, whose agent is requested last. */
#define GUESTS                                                                                     \
	"1000 guest 4 " UUID "4 xenstore 1 web\n"                                                  \
	"1000 guest 1 " UUID "1 agent - netvm\n"
#define BOTH_DOWN                                                                                  \
	"1000 phase suspend\n2000 request 0\n3000 down 0\n"                                        \
	"4000 request 1\n5000 down 1\n"

struct world {
	char directory[64];
	struct roots roots;
	struct status status;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	setenv("TZ", "UTC", 1);
	strcpy(world->directory, "/tmp/pmcoord-status-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	assert_int_equal(roots_init_simulation(world->directory, &world->roots), 0);
	assert_int_equal(directory_make(world->roots.journals), 0);
	assert_int_equal(directory_make(world->roots.reports), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	status_done(&world->status);
	roots_done(&world->roots);
	assert_int_equal(tree_remove_all(world->directory), 0);
	free(world);
	return 0;
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void write_journal(struct world *world, const char *name, const char *boot_id,
			  const char *records)
{
	char text[2048];

	snprintf(text, sizeof(text), "1000 cycle %s %s %llu sleep sleep\n" GUESTS "%s", name,
		 boot_id, STARTED_US, records);
	write_file(world->roots.journals, name, text);
}

static void write_journal_of_this_boot(struct world *world, const char *name, const char *records)
{
	char boot_id[BOOT_ID_SIZE];

	assert_int_equal(boot_id_read(boot_id), 0);
	write_journal(world, name, boot_id, records);
}

static enum status_state state_of(struct world *world)
{
	struct error error = { 0 };

	assert_int_equal(status_read(&world->roots, &world->status, &error), 0);
	return world->status.state;
}

/* The output ten seconds after the start; release with free(). */
static char *print(const struct world *world, bool json)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(status_print(&world->status, STARTED_US + 10000000, json, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct json_object *as_json(const struct world *world)
{
	char *text = print(world, true);
	struct json_object *object = json_tokener_parse(text);

	free(text);
	assert_non_null(object);
	return object;
}

static const char *first_name(struct json_object *object, const char *key)
{
	struct json_object *array = json_object_object_get(object, key);

	assert_true(json_object_array_length(array) > 0);
	return json_object_get_string(json_object_array_get_idx(array, 0));
}

static void is_idle_without_journals(void **state)
{
	struct world *world = *state;
	struct json_object *object;

	assert_int_equal(state_of(world), STATUS_IDLE);
	object = as_json(world);
	assert_string_equal(json_read_string(object, "state"), "idle");
	assert_true(json_object_object_get_ex(object, "cycle", NULL));
	assert_null(json_object_object_get(object, "cycle"));
	assert_null(json_object_object_get(object, "last"));
	json_object_put(object);
}

static void names_the_guests_that_a_running_cycle_waits_for(void **state)
{
	struct world *world = *state;
	struct json_object *object, *cycle;
	char *text;
	int lock;

	write_journal_of_this_boot(world, "8",
				   "1000 phase suspend\n2000 request 0\n"
				   "3000 down 0\n4001000 request 1\n");
	lock = lock_take(world->roots.run, "sleep", 0, NULL);
	assert_true(lock >= 0);
	assert_int_equal(state_of(world), STATUS_RUNNING);
	assert_non_null(strstr(world->status.holder, "sleep, process"));

	object = as_json(world);
	cycle = json_object_object_get(object, "cycle");
	assert_int_equal(json_read_integer(cycle, "cycle", 0), 8);
	assert_string_equal(json_read_string(cycle, "phase"), "suspend");
	assert_string_equal(json_read_string(cycle, "started"), "2026-01-01T00:00:00.000000Z");
	assert_string_equal(first_name(cycle, "down"), "web");
	assert_string_equal(first_name(cycle, "waiting_for"), "netvm");
	json_object_put(object);

	text = print(world, false);
	assert_non_null(strstr(text, "netvm (requested 6.00 s ago)"));
	assert_non_null(strstr(text, "1 of 2 guests"));
	free(text);
	close(lock);
}

static void waits_for_agents_once_guests_run(void **state)
{
	struct world *world = *state;
	struct json_object *object, *cycle;
	int lock;

	write_journal_of_this_boot(world, "8",
				   BOTH_DOWN "6000 phase resume\n7000 running 1\n8000 running 0\n"
					     "9000 phase ready\n");
	lock = lock_take(world->roots.run, "sleep", 0, NULL);
	assert_int_equal(state_of(world), STATUS_RUNNING);
	object = as_json(world);
	cycle = json_object_object_get(object, "cycle");
	assert_int_equal(json_object_array_length(json_object_object_get(cycle, "waiting_for")), 1);
	assert_string_equal(first_name(cycle, "waiting_for"), "netvm");
	json_object_put(object);
	close(lock);
}

/* While the host falls asleep, and in phases of a later version, no guest holds up the cycle. */
static void waits_for_no_guest_while_the_host_falls_asleep(void **state)
{
	static const char *const phases[] = { "inventory", "sleep", "later" };
	struct world *world = *state;
	int lock = lock_take(world->roots.run, "sleep", 0, NULL);

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct json_object *object, *cycle;
		char records[256];

		snprintf(records, sizeof(records), BOTH_DOWN "6000 phase %s\n", phases[i]);
		write_journal_of_this_boot(world, "8", records);
		assert_int_equal(state_of(world), STATUS_RUNNING);
		object = as_json(world);
		cycle = json_object_object_get(object, "cycle");
		assert_string_equal(json_read_string(cycle, "phase"), phases[i]);
		assert_int_equal(
			json_object_array_length(json_object_object_get(cycle, "waiting_for")), 0);
		json_object_put(object);
		status_done(&world->status);
	}
	close(lock);
}

static void count_record(void *data, const struct cycle *cycle, const struct record *record)
{
	unsigned int *n = data;

	(void)cycle;
	(void)record;
	(*n)++;
}

/* A monitor must know of a journal that came and went whether it has read it. */
static void follows_journals_until_they_are_removed(void **state)
{
	struct world *world = *state;
	struct followers followers = { .directory = world->roots.journals };
	unsigned int n = 0, read;

	assert_int_equal(followers_read(&followers, 8, count_record, &n), -ENOENT);
	assert_false(followers_end(&followers, 8, count_record, &n));
	assert_int_equal(n, 0);
	write_journal_of_this_boot(world, "8", "1000 phase suspend\n");
	write_journal_of_this_boot(world, "9", "1000 phase suspend\n");
	assert_int_equal(followers_read(&followers, 8, count_record, &n), 0);
	read = n;
	assert_true(read > 0);
	assert_int_equal(followers_read(&followers, 8, count_record, &n), 0);
	assert_int_equal(n, read);
	assert_int_equal(followers_read_directory(&followers, count_record, &n), 0);
	assert_int_equal(n, 2 * read);
	assert_true(followers_end(&followers, 8, count_record, &n));
	assert_false(followers_end(&followers, 8, count_record, &n));
	assert_true(followers_end(&followers, 9, count_record, &n));
	assert_int_equal(followers.n_journals, 0);
	followers_done(&followers);
}

static void lists_guests_that_are_kept_suspended(void **state)
{
	struct world *world = *state;
	struct json_object *object, *held;
	char *text;

	write_journal_of_this_boot(world, "3", BOTH_DOWN "6000 held\n");
	assert_int_equal(state_of(world), STATUS_KEPT_SUSPENDED);
	object = as_json(world);
	held = json_read_item(object, "held", 0);
	assert_string_equal(json_read_string(held, "guest"), "web");
	assert_int_equal(json_read_integer(held, "domid", 0), 4);
	assert_int_equal(json_read_integer(held, "cycle", 0), 3);
	assert_true(json_read_boolean(held, "on_purpose"));
	json_object_put(object);
	text = print(world, false);
	assert_non_null(strstr(text, "web, netvm"));
	assert_non_null(strstr(text, "resume-all"));
	free(text);
}

static void a_cycle_resumed_in_part_still_keeps_guests_suspended(void **state)
{
	struct world *world = *state;

	write_journal_of_this_boot(world, "3",
				   BOTH_DOWN "6000 held\n7000 phase resume\n"
					     "8000 running 1\n9000 phase ready\n");
	assert_int_equal(state_of(world), STATUS_KEPT_SUSPENDED);
}

static void a_cycle_without_a_process_is_interrupted(void **state)
{
	struct world *world = *state;
	char *text;

	write_journal_of_this_boot(world, "3", BOTH_DOWN);
	assert_int_equal(state_of(world), STATUS_INTERRUPTED);
	text = print(world, false);
	assert_non_null(strstr(text, "resume-all"));
	free(text);
}

static void ignores_journals_of_an_earlier_boot(void **state)
{
	struct world *world = *state;

	write_journal(world, "3", UUID "0", BOTH_DOWN);
	assert_int_equal(state_of(world), STATUS_IDLE);
	assert_int_equal(world->status.n_cycles, 0);
}

static void counts_journals_that_cannot_be_read(void **state)
{
	struct world *world = *state;

	write_file(world->roots.journals, "4", "nonsense\n");
	write_file(world->roots.journals, "2.broken", "nonsense\n");
	assert_int_equal(state_of(world), STATUS_IDLE);
	assert_int_equal(world->status.n_unreadable, 2);
}

static void reading_a_free_lock_does_not_take_it(void **state)
{
	struct world *world = *state;
	char holder[64] = "";
	int lock;

	assert_int_equal(lock_holder(world->roots.run, holder, sizeof(holder)), 0);
	lock = lock_take(world->roots.run, "test", 0, NULL);
	assert_true(lock >= 0);
	assert_int_equal(lock_holder(world->roots.run, holder, sizeof(holder)), 1);
	assert_int_equal(strncmp(holder, "test, process ", 14), 0);
	close(lock);
	/* The file still contains the holder's name, but is not locked. */
	assert_int_equal(lock_holder(world->roots.run, holder, sizeof(holder)), 0);
}

/* ---- every word ------------------------------------------------------------ */

#define IDLE "idle; pmcoord keeps no guest suspended\n"
#define RUNNING "a cycle is running\n"
#define KEPT "guests are kept suspended; 'pmcoord resume-all' resumes them\n"
#define STRANDED "guests could not be resumed; 'pmcoord resume-all' tries again\n"
#define INTERRUPTED                                                                                \
	"cycle 3 was interrupted before its guests were resumed; run 'pmcoord resume-all'\n"

#define HELD(guest, domid, on_purpose)                                                             \
	"{\"guest\":\"" guest "\",\"domid\":" #domid ",\"cycle\":3,\"on_purpose\":" on_purpose "}"
#define CYCLE(phase, since, down, waiting, detail)                                                 \
	"{\"cycle\":3,\"trigger\":\"sleep\",\"started\":\"2026-01-01T00:00:00.000000Z\","          \
	"\"phase\":\"" phase "\",\"phase_started\":\"2026-01-01T00:00:" since                      \
	"Z\",\"down\":[" down "],\"waiting_for\":[" waiting "],\"detail\":\"" detail "\"}"

/* Cycle 3, with and without a process that runs it. */
static const struct {
	const char *records;
	bool locked;
	enum status_state expected;
	const char *state, *cycle; /* text: the lines of the state, and of the guests */
	const char *state_name, *cycle_json, *held;
} states[] = {
	{ "", false, STATUS_INTERRUPTED, INTERRUPTED, "", "abandoned", "null", "" },
	{ "6000 end\n", false, STATUS_IDLE, IDLE, "", "idle", "null", "" },
	{ "6000 end\n", true, STATUS_IDLE, IDLE, "", "idle", "null", "" },
	{ BOTH_DOWN, false, STATUS_INTERRUPTED, INTERRUPTED, " Not resumed: web, netvm\n",
	  "abandoned", "null", HELD("web", 4, "false") "," HELD("netvm", 1, "false") },
	{ BOTH_DOWN "6000 held\n", false, STATUS_KEPT_SUSPENDED, KEPT, "   Suspended: web, netvm\n",
	  "held", "null", HELD("web", 4, "true") "," HELD("netvm", 1, "true") },
	{ BOTH_DOWN "6000 held\n7000 phase resume\n8000 running 1\n9000 stranded 0 no memory\n",
	  false, STATUS_STRANDED, STRANDED, " Not resumed: web\n", "stranded", "null",
	  HELD("web", 4, "false") },
	/* One that a user wants back is not kept on purpose any more. */
	{ BOTH_DOWN "6000 held\n7000 release 1\n", false, STATUS_STRANDED, STRANDED,
	  "   Suspended: web\n Not resumed: netvm\n", "stranded", "null",
	  HELD("web", 4, "true") "," HELD("netvm", 1, "false") },
	{ BOTH_DOWN "6000 held\n7000 release-all\n", false, STATUS_STRANDED, STRANDED,
	  " Not resumed: web, netvm\n", "stranded", "null",
	  HELD("web", 4, "false") "," HELD("netvm", 1, "false") },
	/* Of two guests, one is kept on purpose. */
	{ BOTH_DOWN "6000 held\n7000 release 1\n7000 stranded 1 no memory\n", false,
	  STATUS_STRANDED, STRANDED, "   Suspended: web\n Not resumed: netvm\n", "stranded", "null",
	  HELD("web", 4, "true") "," HELD("netvm", 1, "false") },
	{ BOTH_DOWN "6000 held\n7000 release 1\n7000 stranded 1 no memory\n", true,
	  STATUS_KEPT_SUSPENDED, KEPT, "   Suspended: web\n Not resumed: netvm\n", "held", "null",
	  HELD("web", 4, "true") "," HELD("netvm", 1, "false") },
	{ "1000 phase suspend\n2000 request 0\n3000 pause 0\n3000 request 1\n4000 down 1\n"
	  "5000 note low battery\n",
	  true, STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: suspend, for 10.0 s\n"
	  "   Suspended: 1 of 2 guests\n Waiting for: web (requested 10.0 s ago)\n"
	  "     Problem: low battery\n",
	  "running", CYCLE("suspend", "00.000000", "\"netvm\"", "\"web\"", "low battery"),
	  HELD("web", 4, "false") "," HELD("netvm", 1, "false") },
	{ "1000 phase suspend\n4001000 request 0\n6001000 request 1\n", true, STATUS_RUNNING,
	  RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: suspend, for 10.0 s\n"
	  "   Suspended: 0 of 2 guests\n"
	  " Waiting for: web (requested 6.00 s ago), netvm (requested 4.00 s ago)\n",
	  "running", CYCLE("suspend", "00.000000", "", "\"web\",\"netvm\"", ""),
	  HELD("web", 4, "false") "," HELD("netvm", 1, "false") },
	{ BOTH_DOWN "2001000 phase resume\n2002000 running 1\n", true, STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: resume, for 8.00 s\n"
	  "   Suspended: 1 of 2 guests\n Waiting for: web\n",
	  "running", CYCLE("resume", "02.000000", "\"web\"", "\"web\"", ""),
	  HELD("web", 4, "false") },
	{ BOTH_DOWN "6000 phase resume\n7000 running 1\n8000 running 0\n9000 phase ready\n", true,
	  STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: ready, for 9.99 s\n"
	  "   Suspended: 0 of 2 guests\n Waiting for: netvm\n",
	  "running", CYCLE("ready", "00.008000", "", "\"netvm\"", ""), "" },
	{ BOTH_DOWN "6000 phase resume\n7000 running 1\n8000 running 0\n9000 phase ready\n"
		    "9000 ready 1\n",
	  true, STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: ready, for 9.99 s\n"
	  "   Suspended: 0 of 2 guests\n",
	  "running", CYCLE("ready", "00.008000", "", "", ""), "" },
	{ BOTH_DOWN "6000 phase resume\n7000 running 1\n8000 running 0\n9000 phase ready\n"
		    "9000 degraded 1 no Wi-Fi\n",
	  true, STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: ready, for 9.99 s\n"
	  "   Suspended: 0 of 2 guests\n",
	  "running", CYCLE("ready", "00.008000", "", "", ""), "" },
	{ BOTH_DOWN "2001000 phase sleep\n", true, STATUS_RUNNING, RUNNING,
	  "       Cycle: 3, by sleep, for 10.0 s\n       Phase: sleep, for 8.00 s\n"
	  "   Suspended: 2 of 2 guests\n",
	  "running", CYCLE("sleep", "02.000000", "\"web\",\"netvm\"", "", ""),
	  HELD("web", 4, "false") "," HELD("netvm", 1, "false") },
};

static void prints_each_state_to_the_letter(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(states); i++) {
		int lock = -1;
		char holder[64], expected[1024], *text;

		snprintf(holder, sizeof(holder), "sleep, process %d", (int)getpid());
		write_journal_of_this_boot(world, "3", states[i].records);
		if (states[i].locked)
			lock = lock_take(world->roots.run, "sleep", 0, NULL);
		if (state_of(world) != states[i].expected)
			fail_msg("case %zu: %d", i, (int)world->status.state);
		snprintf(expected, sizeof(expected),
			 "       State: %s      Daemon: not running\n%s%s%s%s"
			 "  Last cycle: none\n",
			 states[i].state, states[i].locked ? "Lock held by: " : "",
			 states[i].locked ? holder : "", states[i].locked ? "\n" : "",
			 states[i].cycle);
		text = print(world, false);
		assert_string_equal(text, expected);
		free(text);
		snprintf(expected, sizeof(expected),
			 "{\"state\":\"%s\",\"daemon\":false,\"at_work\":%s%s%s,\"cycle\":%s,"
			 "\"held\":[%s],\"last\":null,\"unreadable_journals\":0}",
			 states[i].state_name, states[i].locked ? "\"" : "",
			 states[i].locked ? holder : "null", states[i].locked ? "\"" : "",
			 states[i].cycle_json, states[i].held);
		{
			struct json_object *object = as_json(world);

			assert_string_equal(
				json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
				expected);
			json_object_put(object);
		}
		if (lock >= 0)
			close(lock);
		status_done(&world->status);
	}
}

/* A domain that an earlier cycle has suspended is in two journals for a moment. */
static void names_a_guest_once(void **state)
{
	struct world *world = *state;
	char *text;

	write_journal_of_this_boot(world, "3", BOTH_DOWN "6000 held\n7000 running 1\n");
	write_journal_of_this_boot(world, "5", BOTH_DOWN "6000 held\n");
	assert_int_equal(state_of(world), STATUS_KEPT_SUSPENDED);
	text = print(world, false);
	assert_non_null(strstr(text, "\n   Suspended: web, netvm\n"));
	free(text);
	{
		struct json_object *object = as_json(world), *held;

		held = json_object_object_get(object, "held");
		assert_string_equal(
			json_object_to_json_string_ext(held, JSON_C_TO_STRING_PLAIN),
			"[{\"guest\":\"web\",\"domid\":4,\"cycle\":3,\"on_purpose\":true},"
			"{\"guest\":\"netvm\",\"domid\":1,\"cycle\":5,\"on_purpose\":true}]");
		json_object_put(object);
	}
}

/* With several journals, the last cycle that has an open phase runs. */
static void finds_the_cycle_that_runs(void **state)
{
	struct world *world = *state;
	struct json_object *object;
	int lock;

	write_journal_of_this_boot(world, "3", BOTH_DOWN "6000 held\n");
	write_journal_of_this_boot(world, "4", "1000 phase suspend\n");
	write_journal_of_this_boot(world, "5", BOTH_DOWN "6000 end\n");
	lock = lock_take(world->roots.run, "sleep", 0, NULL);
	assert_int_equal(state_of(world), STATUS_RUNNING);
	object = as_json(world);
	assert_int_equal(json_read_integer(json_object_object_get(object, "cycle"), "cycle", 0), 4);
	json_object_put(object);
	status_done(&world->status);
	close(lock);
	assert_int_equal(state_of(world), STATUS_INTERRUPTED);
	{
		char *text = print(world, false);

		assert_non_null(strstr(text, "State: cycle 4 was interrupted"));
		free(text);
	}
}

static void prints_the_last_cycle_and_the_daemon(void **state)
{
	static const struct {
		const char *detail, *line;
	} cases[] = {
		{ "", "  Last cycle: 7, degraded, by lid, Thu 2026-01-01 00:00:00 UTC\n" },
		{ "low battery",
		  "  Last cycle: 7, degraded, by lid, Thu 2026-01-01 00:00:00 UTC: low battery\n" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct json_object *object;
		char report[256], expected[512], *text;

		snprintf(
			report, sizeof(report),
			"{\"cycle\":7,\"result\":\"degraded\",\"trigger\":\"lid\",\"detail\":\"%s\","
			"\"started\":\"2026-01-01T00:00:00.000000Z\",\"guests\":[]}",
			cases[i].detail);
		write_file(world->roots.reports, "7.json", report);
		write_file(world->roots.journals, "6.broken", "");
		assert_int_equal(state_of(world), STATUS_IDLE);
		world->status.has_daemon = true;
		text = print(world, false);
		snprintf(expected, sizeof(expected),
			 "       State: " IDLE "      Daemon: running\n"
			 "    Journals: 1 cannot be read; 'pmcoord check' lists them\n%s",
			 cases[i].line);
		assert_string_equal(text, expected);
		free(text);
		object = as_json(world);
		snprintf(
			expected, sizeof(expected),
			"{\"state\":\"idle\",\"daemon\":true,\"at_work\":null,\"cycle\":null,\"held\":[],"
			"\"last\":{\"cycle\":7,\"result\":\"degraded\","
			"\"started\":\"2026-01-01T00:00:00.000000Z\",\"trigger\":\"lid\","
			"\"detail\":\"%s\"},\"unreadable_journals\":1}",
			cases[i].detail);
		assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
				    expected);
		json_object_put(object);
		status_done(&world->status);
	}
	/* A report that cannot be read is none: `pmcoord report` says why. */
	write_file(world->roots.reports, "7.json", "damaged");
	assert_int_equal(state_of(world), STATUS_IDLE);
	assert_null(world->status.last);
}

static void reports_that_the_output_is_lost(void **state)
{
	struct world *world = *state;
	FILE *full = fopen("/dev/full", "we");

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(state_of(world), STATUS_IDLE);
	assert_int_equal(status_print(&world->status, STARTED_US, false, full), -EIO);
	assert_int_equal(status_print(&world->status, STARTED_US, true, full), -EIO);
	fclose(full);
}

/* ---- what cannot be read --------------------------------------------------- */

static void says_what_cannot_be_read(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[128], expected[256];

	snprintf(path, sizeof(path), "%s/5", world->roots.journals);
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(status_read(&world->roots, &world->status, &error), -ELOOP);
	snprintf(expected, sizeof(expected), "cannot read %s: Too many levels of symbolic links",
		 world->roots.run);
	assert_string_equal(error_text(&error), expected);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(world->roots.journals), 0);
	write_file(world->roots.run, "cycles", "");
	assert_int_equal(status_read(&world->roots, &world->status, NULL), -ENOTDIR);
	assert_int_equal(unlink(world->roots.journals), 0);
	assert_int_equal(state_of(world), STATUS_IDLE);
}

static void advises_another_user_to_use_sudo(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	bool is_root = geteuid() == 0;
	char expected[256];
	int r;

	assert_int_equal(chmod(world->directory, 0), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	r = status_read(&world->roots, &world->status, &error);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(world->directory, 0700), 0);
	assert_int_equal(r, -EACCES);
	snprintf(expected, sizeof(expected), "cannot read %s: Permission denied: use sudo",
		 world->roots.run);
	assert_string_equal(error_text(&error), expected);
	assert_int_equal(error.outcome, OUTCOME_NOT_PERMITTED);
}

/* While a coordinator works, it may just be creating the journal. */
static void a_journal_that_is_being_created_is_not_unreadable(void **state)
{
	struct world *world = *state;
	int lock;

	write_file(world->roots.journals, "4", "nonsense\n");
	lock = lock_take(world->roots.run, "sleep", 0, NULL);
	assert_int_equal(state_of(world), STATUS_IDLE);
	assert_int_equal(world->status.n_unreadable, 0);
	close(lock);
}

/* ---- what the hypervisor says ---------------------------------------------- */

/* A hypervisor that only knows the state of domain 4, "web". */
static struct {
	struct domain_state state;
	bool is_being_saved, is_mute;
	unsigned int n_asked;
} web;

static int get_state(struct hypervisor *hypervisor, const struct domain_id *id,
		     struct domain_state *ret_state)
{
	(void)hypervisor;
	web.n_asked++;
	*ret_state = (struct domain_state){ .state = GUEST_RUNNING };
	if (id->domid != 4)
		return 0;
	*ret_state = web.state;
	return web.is_mute ? -EIO : 0;
}

static bool is_being_saved(struct hypervisor *hypervisor, const struct domain_id *id)
{
	(void)hypervisor;
	return id->domid == 4 && web.is_being_saved;
}

static struct hypervisor_ops ops = { .get_state = get_state, .is_being_saved = is_being_saved };

#define WEB_DOWN "1000 phase suspend\n2000 request 0\n3000 down 0\n6000 held\n"
#define WEB_PAUSED                                                                                 \
	"1000 phase suspend\n2000 request 0\n3000 retracted 0\n3000 pause 0\n3000 paused 0\n6000 held\n"
/* It runs, and may obey the request that it has acknowledged. */
#define WEB_LATE                                                                                   \
	"1000 phase suspend\n2000 request 0\n3000 acknowledged 0\n3000 retracted 0\n6000 end\n"

static void the_hypervisor_knows_better(void **state)
{
	static const struct {
		const char *records;
		struct domain_state state;
		bool is_being_saved, is_mute;
		enum status_state expected;
	} cases[] = {
		{ WEB_DOWN, { .state = GUEST_SUSPENDED }, false, false, STATUS_KEPT_SUSPENDED },
		{ WEB_DOWN, { .state = GUEST_RUNNING }, false, false, STATUS_IDLE },
		{ WEB_DOWN, { .state = GUEST_PAUSED, .paused = true }, false, false, STATUS_IDLE },
		{ WEB_DOWN, { .state = GUEST_GONE }, false, false, STATUS_IDLE },
		{ WEB_DOWN, { .state = GUEST_DYING }, false, false, STATUS_IDLE },
		{ WEB_DOWN, { .state = GUEST_SHUT_DOWN }, false, false, STATUS_IDLE },
		{ WEB_DOWN, { .state = GUEST_RUNNING }, false, true, STATUS_KEPT_SUSPENDED },
		{ WEB_DOWN, { .state = GUEST_SUSPENDED }, true, false, STATUS_KEPT_SUSPENDED },
		{ WEB_PAUSED,
		  { .state = GUEST_PAUSED, .paused = true },
		  false,
		  false,
		  STATUS_KEPT_SUSPENDED },
		{ WEB_PAUSED, { .state = GUEST_RUNNING }, false, false, STATUS_IDLE },
		{ WEB_LATE, { .state = GUEST_RUNNING }, false, false, STATUS_IDLE },
		{ WEB_LATE, { .state = GUEST_SUSPENDED }, false, false, STATUS_STRANDED },
		/* That 'xl save' has suspended it is nobody's fault. */
		{ WEB_LATE, { .state = GUEST_SUSPENDED }, true, false, STATUS_IDLE },
		{ WEB_LATE, { .state = GUEST_GONE }, false, false, STATUS_IDLE },
	};
	struct hypervisor hypervisor = { .ops = &ops };
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		web.state = cases[i].state;
		web.is_being_saved = cases[i].is_being_saved;
		web.is_mute = cases[i].is_mute;
		write_journal_of_this_boot(world, "3", cases[i].records);
		(void)state_of(world);
		web.n_asked = 0;
		assert_int_equal(status_observe(&world->status, &hypervisor), 0);
		/* Only of a guest that is not simply running. */
		assert_int_equal(web.n_asked, 1);
		if (world->status.state != cases[i].expected)
			fail_msg("case %zu: %d", i, (int)world->status.state);
		status_done(&world->status);
	}
}

static void a_running_cycle_knows_its_guests_itself(void **state)
{
	struct hypervisor hypervisor = { .ops = &ops };
	struct world *world = *state;
	int lock = lock_take(world->roots.run, "sleep", 0, NULL);

	web.state = (struct domain_state){ .state = GUEST_RUNNING };
	web.is_being_saved = web.is_mute = false;
	web.n_asked = 0;
	write_journal_of_this_boot(world, "3", BOTH_DOWN);
	assert_int_equal(state_of(world), STATUS_RUNNING);
	assert_int_equal(status_observe(&world->status, &hypervisor), 0);
	assert_int_equal(web.n_asked, 0);
	assert_int_equal(world->status.state, STATUS_RUNNING);
	assert_int_equal(world->status.cycles[0].guests[0].hold, HOLD_SUSPENDED);
	close(lock);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(is_idle_without_journals),
		world_test(names_the_guests_that_a_running_cycle_waits_for),
		world_test(waits_for_agents_once_guests_run),
		world_test(follows_journals_until_they_are_removed),
		world_test(waits_for_no_guest_while_the_host_falls_asleep),
		world_test(lists_guests_that_are_kept_suspended),
		world_test(a_cycle_resumed_in_part_still_keeps_guests_suspended),
		world_test(a_cycle_without_a_process_is_interrupted),
		world_test(ignores_journals_of_an_earlier_boot),
		world_test(counts_journals_that_cannot_be_read),
		world_test(reading_a_free_lock_does_not_take_it),
		world_test(prints_each_state_to_the_letter),
		world_test(names_a_guest_once),
		world_test(finds_the_cycle_that_runs),
		world_test(prints_the_last_cycle_and_the_daemon),
		world_test(reports_that_the_output_is_lost),
		world_test(says_what_cannot_be_read),
		world_test(advises_another_user_to_use_sudo),
		world_test(a_journal_that_is_being_created_is_not_unreadable),
		world_test(the_hypervisor_knows_better),
		world_test(a_running_cycle_knows_its_guests_itself),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
