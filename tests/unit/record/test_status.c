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

#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "base/directory.h"
#include "model/cycle.h"
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
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
