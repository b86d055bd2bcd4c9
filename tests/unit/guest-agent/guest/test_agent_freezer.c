/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests when cgroups count as frozen, and which processes are named if they do not freeze. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#define CGROUPS "sys/fs/cgroup/"

struct wait_run {
	struct tree tree;
	sd_event *event;
	struct freezer_wait *wait;
	bool done;
	int r;
	struct error error;
};

static int set_up(void **state)
{
	struct wait_run *run = calloc(1, sizeof(*run));

	tree_new(&run->tree);
	assert_int_equal(sd_event_new(&run->event), 0);
	*state = run;
	return 0;
}

static int tear_down(void **state)
{
	struct wait_run *run = *state;

	freezer_wait_free(run->wait);
	sd_event_unref(run->event);
	tree_free(&run->tree);
	free(run);
	return 0;
}

static void on_done(void *userdata, int r, const struct error *error)
{
	struct wait_run *run = userdata;

	assert_false(run->done);
	run->done = true;
	run->r = r;
	run->error = *error;
}

static int start(struct wait_run *run, const char *const *cgroups, size_t n, uint64_t timeout_us)
{
	return freezer_wait_start(run->event, &run->tree.roots, cgroups, n, timeout_us, on_done,
				  run, &run->wait);
}

static void report(struct wait_run *run, const char *cgroup, bool frozen)
{
	assert_int_equal(
		file_write_at(frozen ? "populated 1\nfrozen 1\n" : "populated 1\nfrozen 0\n",
			      "%s/" CGROUPS "%s/cgroup.events", run->tree.base, cgroup),
		0);
}

/* Handles all pending events. */
static void take_events(struct wait_run *run)
{
	while (sd_event_run(run->event, 50000) > 0)
		;
}

static void waits_until_every_cgroup_is_frozen(void **state)
{
	static const char *const cgroups[] = { "a.slice", "b.slice" };
	struct wait_run *run = *state;

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	tree_add_cgroup(&run->tree, "b.slice", NULL);
	assert_int_equal(start(run, cgroups, 2, 60000000), 0);
	take_events(run);
	assert_false(run->done);
	report(run, "b.slice", true);
	take_events(run);
	assert_false(run->done);
	report(run, "a.slice", false);
	take_events(run);
	assert_false(run->done);
	report(run, "a.slice", true);
	take_events(run);
	assert_true(run->done);
	assert_int_equal(run->r, 0);
	/* The callback is not called again, whatever the cgroups do. */
	report(run, "a.slice", false);
	report(run, "a.slice", true);
	take_events(run);
}

static void does_not_wait_for_what_is_frozen_already(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	report(run, "a.slice", true);
	assert_int_equal(start(run, cgroups, 1, 60000000), 1);
	assert_null(run->wait);
}

static void does_not_wait_for_a_cgroup_that_is_gone(void **state)
{
	static const char *const cgroups[] = { "gone.slice", "a.slice" };
	struct wait_run *run = *state;

	assert_int_equal(start(run, cgroups, 1, 60000000), 1);
	tree_add_cgroup(&run->tree, "a.slice", NULL);
	assert_int_equal(start(run, cgroups, 2, 60000000), 0);
	report(run, "a.slice", true);
	take_events(run);
	assert_true(run->done);
	assert_int_equal(run->r, 0);
}

static void what_cannot_be_read_is_not_frozen(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;

	tree_write(&run->tree, CGROUPS "a.slice/cgroup.events/not-a-file", "");
	assert_int_equal(start(run, cgroups, 1, 10000), 0);
	take_events(run);
	assert_true(run->done);
	assert_int_equal(run->r, -ETIMEDOUT);
}

static void names_the_processes_that_do_not_freeze(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	tree_add_cgroup(&run->tree, "a.slice/frozen", NULL);
	tree_add_cgroup(&run->tree, "a.slice/running", NULL);
	report(run, "a.slice/frozen", true);
	tree_write(&run->tree, CGROUPS "a.slice/frozen/cgroup.procs", "12\n");
	tree_write(&run->tree, CGROUPS "a.slice/running/cgroup.procs", "13\n14\n15\n");
	tree_write(&run->tree, "proc/12/status", "Name:\tcat\nState:\tD\n");
	tree_write(&run->tree, "proc/13/status", "Name:\ttar\nState:\tD\n");
	tree_write(&run->tree, "proc/14/status", "Name:\tsh\nState:\tR\n");
	assert_int_equal(start(run, cgroups, 1, 10000), 0);
	take_events(run);
	assert_true(run->done);
	assert_int_equal(run->r, -ETIMEDOUT);
	/* Process 15 has ended meanwhile, so its name is unknown. */
	assert_string_equal(run->error.text, "a.slice does not freeze: 'tar' (13, waits in the "
					     "kernel), 'sh' (14), '?' (15)");
}

static void names_only_processes_that_wait_in_the_kernel(void **state)
{
	struct wait_run *run = *state;
	char names[300];

	tree_write(&run->tree, "proc/7/status", "Name:\tsh\nState:\tS\n");
	freezer_name_blocked(&run->tree.roots, names, sizeof(names));
	assert_string_equal(names, "");
	tree_write(&run->tree, "proc/8/status", "Name:\tnfsd\nState:\tD\n");
	/* Process 9 ends while /proc is read. */
	tree_write(&run->tree, "proc/9/comm", "gone");
	tree_write(&run->tree, "proc/self/status", "Name:\tx\nState:\tD\n");
	freezer_name_blocked(&run->tree.roots, names, sizeof(names));
	assert_string_equal(names, "'nfsd' (8, waits in the kernel)");
}

static int on_never(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)userdata;
	return 0;
}

/* No descriptor is left for inotify, as at the limit of inotify instances. */
static void fails_if_it_cannot_watch(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;
	struct rlimit before, none;
	sd_event_source *timer;
	int r;

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	/* The descriptor for the event loop's clock exists before the limit is set. */
	assert_true(sd_event_add_time_relative(run->event, &timer, CLOCK_MONOTONIC, 60000000, 0,
					       on_never, NULL) >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = start(run, cgroups, 1, 60000000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	sd_event_source_unref(timer);
}

static void tells_absent_thawed_and_frozen_apart(void **state)
{
	struct wait_run *run = *state;
	const struct roots *roots = &run->tree.roots;

	assert_int_equal(freezer_get(roots, "a.slice"), FREEZER_ABSENT);
	assert_int_equal(freezer_set(roots, "a.slice", true), -ENOENT);
	tree_add_cgroup(&run->tree, "a.slice", NULL);
	assert_int_equal(freezer_get(roots, "a.slice"), FREEZER_THAWED);
	assert_int_equal(freezer_set(roots, "a.slice", true), 0);
	assert_int_equal(freezer_get(roots, "a.slice"), FREEZER_FROZEN);
	assert_int_equal(freezer_set(roots, "a.slice", false), 0);
	assert_int_equal(freezer_get(roots, "a.slice"), FREEZER_THAWED);
}

/* ---- What may be frozen ---- */

#define NO_PATH "is not the path of a cgroup relative to /sys/fs/cgroup, such as user.slice"
#define AGENT "must not be frozen: it contains pmcoord-agent itself"

static void says_why_a_cgroup_must_not_be_frozen(void **state)
{
	static const struct {
		const char *cgroup;
		const char *text; /* "": it may be frozen */
	} cases[] = {
		{ "", "'' " NO_PATH },
		{ "/user.slice", "'/user.slice' " NO_PATH },
		{ "a/../system.slice", "'a/../system.slice' " NO_PATH },
		{ "odd.slice", "odd.slice " AGENT },
		{ "odd.slice/agent.scope", "odd.slice/agent.scope " AGENT },
		{ "odd.slice/agent", "" },
		{ "odd", "" },
		{ "system.slice",
		  "system.slice must not be frozen: it contains services that the guest needs to resume; list individual services instead" },
		{ "system.slice/foo.service", "" },
		{ "system.slice/dbus.service",
		  "system.slice/dbus.service must not be frozen: it contains dbus.service, which the guest needs to resume" },
		{ "machine.slice",
		  "machine.slice must not be frozen: it contains iwd.service, which the guest needs to resume" },
		{ "machine.slice/a/b",
		  "machine.slice/a/b must not be frozen: it contains iwd.service, which the guest needs to resume" },
		{ "machine.slice/c", "" },
		/* A user's unit may have any name. */
		{ "user.slice", "" },
		{ "user.slice/user-1000.slice", "" },
		{ "gone.slice", "" },
	};
	struct wait_run *run = *state;

	tree_write(&run->tree, "proc/self/cgroup", "1:name=x:/\n0::/odd.slice/agent.scope\n");
	tree_add_cgroup(&run->tree, "odd.slice/agent.scope", NULL);
	tree_add_cgroup(&run->tree, "odd.slice/agent", NULL);
	tree_add_cgroup(&run->tree, "odd", NULL);
	tree_add_cgroup(&run->tree, "system.slice/foo.service", NULL);
	tree_add_cgroup(&run->tree, "system.slice/dbus.service", NULL);
	tree_add_cgroup(&run->tree, "machine.slice/a/b/iwd.service", NULL);
	tree_add_cgroup(&run->tree, "machine.slice/c/iwd.services", NULL);
	tree_add_cgroup(&run->tree, "user.slice/user-1000.slice/dbus.service", NULL);
	/* Neither a file nor a hidden directory is a cgroup. */
	tree_write(&run->tree, CGROUPS "machine.slice/c/init.scope", "");
	tree_write(&run->tree, CGROUPS "machine.slice/c/.hidden/iwd.service/x", "");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };

		assert_int_equal(freezer_check(&run->tree.roots, cases[i].cgroup, &error),
				 cases[i].text[0] ? -EPERM : 0);
		assert_string_equal(error.text, cases[i].text);
	}
}

/* An agent that does not know its cgroup is in none of those that it freezes. */
static void an_agent_without_a_cgroup_freezes_what_is_configured(void **state)
{
	static const char *const contents[] = { "", "1:name=x:/a.slice\n", "0::/" };
	struct wait_run *run = *state;
	struct error error = { 0 };
	char path[FILE_PATH_MAX];

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	for (size_t i = 0; i < ELEMENTSOF(contents); i++) {
		tree_write(&run->tree, "proc/self/cgroup", contents[i]);
		assert_int_equal(freezer_check(&run->tree.roots, "a.slice", &error), 0);
	}
	tree_path(&run->tree, path, "proc/self/cgroup");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(freezer_check(&run->tree.roots, "a.slice", &error), 0);
}

/* Makes a cgroup with `depth` parents, the first of which is a.slice. */
static void add_deep_cgroup(struct wait_run *run, int depth, const char *name, char ret[400])
{
	strcpy(ret, "a.slice");
	for (int i = 1; i < depth; i++) {
		strcat(ret, "/d");
		tree_add_cgroup(&run->tree, ret, NULL);
	}
	sprintf(ret + strlen(ret), "/%s", name);
	tree_add_cgroup(&run->tree, ret, NULL);
}

static void searches_cgroups_to_a_depth_of_sixteen(void **state)
{
	struct wait_run *run = *state;
	struct error error = { 0 };
	char cgroup[400];

	add_deep_cgroup(run, 17, "dbus.service", cgroup);
	assert_int_equal(freezer_check(&run->tree.roots, "a.slice", &error), 0);
	add_deep_cgroup(run, 16, "dbus.service", cgroup);
	assert_int_equal(freezer_check(&run->tree.roots, "a.slice", &error), -EPERM);
}

static void names_processes_to_a_depth_of_sixteen(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;
	char cgroup[400], name[460];

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	add_deep_cgroup(run, 16, "x", cgroup);
	snprintf(name, sizeof(name), CGROUPS "%s/cgroup.procs", cgroup);
	tree_write(&run->tree, name, "16\n");
	assert_int_equal(start(run, cgroups, 1, 10000), 0);
	take_events(run);
	assert_string_equal(run->error.text, "a.slice does not freeze: found no unfrozen process");
	freezer_wait_free(run->wait);
	run->wait = NULL;
	run->done = false;
	*strrchr(cgroup, '/') = '\0';
	snprintf(name, sizeof(name), CGROUPS "%s/cgroup.procs", cgroup);
	tree_write(&run->tree, name, "15\n");
	assert_int_equal(start(run, cgroups, 1, 10000), 0);
	take_events(run);
	assert_string_equal(run->error.text, "a.slice does not freeze: '?' (15)");
}

/* So that a text with many processes still ends with a whole one. */
static void names_as_many_processes_as_fill_half_the_text(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;
	char pids[800] = "", names[40];

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	for (int i = 100; i < 200; i++) {
		char name[40];

		sprintf(pids + strlen(pids), "%d\n", i);
		snprintf(name, sizeof(name), "proc/%d/status", i);
		tree_write(&run->tree, name, "Name:\tx\nState:\tD\n");
	}
	tree_write(&run->tree, CGROUPS "a.slice/cgroup.procs", pids);
	assert_int_equal(start(run, cgroups, 1, 10000), 0);
	take_events(run);
	assert_true(run->done);
	/* Each has 31 bytes, with a comma; the ninth is the first beyond half of 512. */
	assert_non_null(strstr(run->error.text, "'x' (108, waits in the kernel)"));
	assert_null(strstr(run->error.text, "(109"));
	assert_string_equal(run->error.text + strlen(run->error.text) - 9, "e kernel)");
	freezer_name_blocked(&run->tree.roots, names, sizeof(names));
	assert_int_equal(strlen(names), 30);
}

static void a_change_of_a_cgroup_that_was_frozen_is_no_end(void **state)
{
	static const char *const cgroups[] = { "a.slice" };
	struct wait_run *run = *state;

	tree_add_cgroup(&run->tree, "a.slice", NULL);
	assert_int_equal(start(run, cgroups, 1, 150000), 0);
	/* The change is not reported, as if the kernel had limited its reports. */
	tree_write(&run->tree, CGROUPS "new", "populated 1\nfrozen 1\n");
	{
		char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

		tree_path(&run->tree, from, CGROUPS "new");
		tree_path(&run->tree, to, CGROUPS "a.slice/cgroup.events");
		assert_int_equal(rename(from, to), 0);
	}
	while (sd_event_run(run->event, 300000) > 0)
		;
	/* It is noticed at the time limit. */
	assert_true(run->done);
	assert_int_equal(run->r, 0);
	assert_string_equal(run->error.text, "");
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
	static char slashes[FILE_PATH_MAX];
	const char *const cgroups[] = { slashes };
	struct wait_run *run = *state;

	memset(slashes, '/', sizeof(slashes) - 1);
	assert_int_equal(start(run, cgroups, 1, 10000), -ENAMETOOLONG);
	assert_null(run->wait);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits_until_every_cgroup_is_frozen),
		TEST(does_not_wait_for_what_is_frozen_already),
		TEST(does_not_wait_for_a_cgroup_that_is_gone),
		TEST(what_cannot_be_read_is_not_frozen),
		TEST(names_the_processes_that_do_not_freeze),
		TEST(names_only_processes_that_wait_in_the_kernel),
		TEST(fails_if_it_cannot_watch),
		TEST(tells_absent_thawed_and_frozen_apart),
		TEST(says_why_a_cgroup_must_not_be_frozen),
		TEST(an_agent_without_a_cgroup_freezes_what_is_configured),
		TEST(searches_cgroups_to_a_depth_of_sixteen),
		TEST(names_processes_to_a_depth_of_sixteen),
		TEST(names_as_many_processes_as_fill_half_the_text),
		TEST(a_change_of_a_cgroup_that_was_frozen_is_no_end),
		TEST(a_path_that_is_too_long_is_an_error),
	};

	return cmocka_run_group_tests_name("agent freezer", tests, NULL, NULL);
}
