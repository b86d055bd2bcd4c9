/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests that quiescing waits for what it has begun: cgroups that freeze, a sync, devices. Also
 * tests guests that lack files of the kernel, or whose records are damaged.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/settings.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

/* While this file exists, sync() does not return. Empty: sync() returns at once. */
static char hangs_sync[FILE_PATH_MAX];

/* Replaces the C library's function, also in the agent's child processes. */
void sync(void)
{
	static const struct timespec pause = { .tv_nsec = 5000000 };

	while (hangs_sync[0] && access(hangs_sync, F_OK) == 0)
		nanosleep(&pause, NULL);
}

/* As at the limit of descriptors. */
static bool has_no_pipe;

/* Replaces the C library's function. */
int pipe2(int ends[2], int flags)
{
	if (has_no_pipe) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_pipe2, ends, flags);
}

/* Calls `callback` once, in `in_us`. */
static void add_timer(struct run *run, uint64_t in_us, sd_event_time_handler_t callback)
{
	sd_event_source *source;

	assert_true(sd_event_add_time_relative(run->event, &source, CLOCK_MONOTONIC, in_us, 0,
					       callback, run) >= 0);
	sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source);
}

static void freeze_only(struct run *run, const char *cgroup)
{
	free(run->settings.freeze[0]);
	run->settings.freeze[0] = strdup(cgroup);
}

static uint64_t duration_us(const struct run *run, const char *what)
{
	const struct engine_step *steps;
	size_t n = engine_get_steps(run->engine, &steps);

	for (size_t i = 0; i < n; i++)
		if (strcmp(steps[i].what, what) == 0)
			return steps[i].duration_us;
	fail_msg("no step '%s'", what);
	return 0;
}

/* ---- Freezing ---- */

static int report_frozen(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct run *run = userdata;

	(void)source;
	(void)usec;
	assert_string_equal(effects(run), "f");
	assert_true(tree_is_bound(&run->tree, NIC));
	tree_write(&run->tree, "sys/fs/cgroup/machine.slice/cgroup.events",
		   "populated 1\nfrozen 1\n");
	return 0;
}

static void devices_are_stopped_only_after_the_processes_are_frozen(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_add_cgroup(&run->tree, "machine.slice", NULL);
	freeze_only(run, "machine.slice");
	add_timer(run, 100000, report_frozen);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "fdt");
	assert_true(duration_us(run, "freezing") >= 100000);
	assert_false(tree_is_bound(&run->tree, NIC));
	go_up(run);
	assert_false(run->degraded);
}

static void a_cgroup_that_never_freezes_ends_the_cycle_and_is_named(void **state)
{
	struct run *run = *state;
	uint64_t start_us = clock_now_us();

	add_nic(run);
	tree_add_cgroup(&run->tree, "machine.slice", NULL);
	tree_write(&run->tree, "sys/fs/cgroup/machine.slice/cgroup.procs", "4711\n");
	tree_write(&run->tree, "proc/4711/status", "Name:\ttar\nState:\tD (disk sleep)\n");
	freeze_only(run, "machine.slice");
	go_down(run);
	assert_int_equal(run->r, -ETIMEDOUT);
	assert_string_equal(run->text,
			    "machine.slice does not freeze: 'tar' (4711, waits in the kernel)");
	/* At half of the time limit, so that the rest is left to undo the cycle. */
	assert_true(clock_now_us() - start_us < 1500000);
	assert_true(tree_is_bound(&run->tree, NIC));
	go_up(run);
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze"),
			    "0");
}

/* Everybody can read /proc/version, but not even root can write it. */
static void a_cgroup_that_cannot_be_frozen_fails_the_cycle(void **state)
{
	struct run *run = *state;
	char path[FILE_PATH_MAX];

	add_nic(run);
	tree_path(&run->tree, path, "sys/fs/cgroup/machine.slice/cgroup.freeze");
	tree_parents(&run->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze");
	assert_int_equal(symlink("/proc/version", path), 0);
	run->settings.freeze = realloc(run->settings.freeze, 2 * sizeof(char *));
	run->settings.freeze[1] = strdup("machine.slice");
	run->settings.n_freeze = 2;
	go_down(run);
	assert_true(run->r < 0);
	assert_int_equal(strncmp(run->text, "cannot freeze machine.slice: ", 29), 0);
	assert_true(tree_is_bound(&run->tree, NIC));
	go_up(run);
	/* What was frozen before it is thawed. */
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
}

/* ---- The sync ---- */

static void hang_sync(struct run *run)
{
	tree_write(&run->tree, "hang-sync", "");
	tree_path(&run->tree, hangs_sync, "hang-sync");
}

static int end_sync(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct run *run = userdata;

	(void)source;
	(void)usec;
	assert_string_equal(effects(run), "");
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
	assert_int_equal(unlink(hangs_sync), 0);
	return 0;
}

static void processes_are_frozen_only_after_the_sync(void **state)
{
	struct run *run = *state;

	run->settings.sync = true;
	hang_sync(run);
	add_timer(run, 100000, end_sync);
	go_down(run);
	hangs_sync[0] = '\0';
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "ft");
	assert_true(duration_us(run, "sync") >= 100000);
	go_up(run);
	assert_string_equal(run->text, "");
}

static void a_sync_that_hangs_is_reported_but_does_not_fail_the_cycle(void **state)
{
	struct run *run = *state;

	run->settings.sync = true;
	hang_sync(run);
	go_down(run);
	hangs_sync[0] = '\0';
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "ft");
	/* A quarter of the time limit of 2 s. */
	assert_in_range(duration_us(run, "sync"), 400000, 900000);
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(run->text, "the sync of the file systems timed out");
}

/* ---- Devices ---- */

static int end_unbind(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct run *run = userdata;
	char path[FILE_PATH_MAX];

	(void)source;
	(void)usec;
	assert_true(tree_is_bound(&run->tree, NIC));
	tree_path(&run->tree, path, TREE_DEVICES NIC "/hang-unbind");
	assert_int_equal(unlink(path), 0);
	return 0;
}

/* The unbind is killed at its time limit, but a driver in the kernel does not end before. */
static void a_device_is_restored_when_its_unbind_ends_during_the_restore(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_teach(&run->tree, NIC, "hang-unbind", "");
	/* dom0 aborts the cycle before the time limit of the unbind. */
	run->settings.unbind_timeout_us = 5000000;
	run->settings.thaw_after_us = 5000000;
	make_engine(run);
	engine_quiesce(run->engine, 7, 6000000, on_down, run);
	while (strcmp(effects(run), "fd") != 0)
		assert_true(sd_event_run(run->event, 1000000) > 0);
	add_timer(run, 100000, end_unbind);
	go_up(run);
	assert_false(run->degraded);
	assert_true(tree_is_bound(&run->tree, NIC));
	assert_non_null(strstr(run->text, NIC " e1000e enp0s4 ok "));
}

static void a_device_whose_unbind_never_ends_is_lost(void **state)
{
	struct run *run = *state;
	uint64_t start_us;

	add_nic(run);
	tree_teach(&run->tree, NIC, "hang-unbind", "");
	run->settings.unbind_timeout_us = 5000000;
	make_engine(run);
	engine_quiesce(run->engine, 7, 6000000, on_down, run);
	while (strcmp(effects(run), "fd") != 0)
		assert_true(sd_event_run(run->event, 1000000) > 0);
	start_us = clock_now_us();
	go_up(run);
	assert_true(run->degraded);
	assert_non_null(strstr(run->text, NIC " e1000e enp0s4 lost: "));
	assert_in_range(clock_now_us() - start_us, 200000, 2000000);
}

static void memory_is_compacted_before_a_second_try_only(void **state)
{
	static const char *const expected[] = { "", "1" };
	struct run *run = *state;

	add_nic(run);
	run->settings.compact_memory = true;
	for (int refusals = 0; refusals < 2; refusals++) {
		tree_write(&run->tree, "proc/sys/vm/compact_memory", "");
		tree_teach(&run->tree, NIC, "refuse-bind", refusals ? "1" : "0");
		go_down(run);
		assert_int_equal(run->r, 0);
		go_up(run);
		assert_true(tree_is_bound(&run->tree, NIC));
		assert_string_equal(tree_read(&run->tree, "proc/sys/vm/compact_memory"),
				    expected[refusals]);
	}
	run->settings.compact_memory = false;
	engine_free(run->engine);
	run->engine = NULL;
	tree_write(&run->tree, "proc/sys/vm/compact_memory", "");
	tree_teach(&run->tree, NIC, "refuse-bind", "1");
	go_down(run);
	go_up(run);
	assert_string_equal(tree_read(&run->tree, "proc/sys/vm/compact_memory"), "");
}

static void a_device_without_a_child_process_is_lost_and_the_rest_is_undone(void **state)
{
	struct run *run = *state;

	add_nic(run);
	go_down(run);
	assert_int_equal(run->r, 0);
	has_no_pipe = true;
	engine_restore(run->engine, on_up, run);
	has_no_pipe = false;
	wait_done(run);
	journal_finish(&run->journal, NULL, NULL);
	assert_true(run->degraded);
	assert_non_null(
		strstr(run->text, "cannot undo device " NIC " e1000e: Too many open files"));
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
}

/* ---- Kernels and records ---- */

static void a_kernel_without_a_freeze_timeout_is_accepted(void **state)
{
	struct run *run = *state;
	char path[FILE_PATH_MAX];

	tree_path(&run->tree, path, "sys/power/pm_freeze_timeout");
	assert_int_equal(unlink(path), 0);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "f");
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(tree_read(&run->tree, "sys/power/pm_freeze_timeout"), "(none)");
}

/* Half of the time that is left, but at least 100 ms. */
static void the_kernel_gets_half_of_the_remaining_time(void **state)
{
	struct run *run = *state;
	uint64_t limit_ms;

	go_down(run);
	assert_int_equal(run->r, 0);
	assert_int_equal(file_read_number(&limit_ms, "%s/power/pm_freeze_timeout", run->tree.sys),
			 0);
	assert_in_range(limit_ms, 700, 1000);
	go_up(run);
	/* On a busy machine the time may be over before the last step. */
	for (uint64_t cycle = 8; cycle < 60; cycle++) {
		engine_quiesce(run->engine, cycle, 180000, on_down, run);
		wait_done(run);
		if (run->r == 0)
			break;
		go_up(run);
	}
	assert_int_equal(run->r, 0);
	assert_int_equal(file_read_number(&limit_ms, "%s/power/pm_freeze_timeout", run->tree.sys),
			 0);
	assert_int_equal(limit_ms, 100);
	go_up(run);
}

static void a_record_that_cannot_be_undone_is_reported_and_the_rest_is_undone(void **state)
{
	struct run *run = *state;
	struct error error = { 0 };

	tree_write(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze", "1");
	tree_write(&run->tree, "run/journal",
		   "cycle 4\n"
		   "effect freeze user.slice\n"
		   "effect device x\n");
	journal_done(&run->journal);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	make_engine(run);
	go_up(run);
	assert_true(run->degraded);
	assert_string_equal(run->text, "cannot undo device x: Bad message");
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(devices_are_stopped_only_after_the_processes_are_frozen),
		TEST(a_cgroup_that_never_freezes_ends_the_cycle_and_is_named),
		TEST(a_cgroup_that_cannot_be_frozen_fails_the_cycle),
		TEST(processes_are_frozen_only_after_the_sync),
		TEST(a_sync_that_hangs_is_reported_but_does_not_fail_the_cycle),
		TEST(a_device_is_restored_when_its_unbind_ends_during_the_restore),
		TEST(a_device_whose_unbind_never_ends_is_lost),
		TEST(memory_is_compacted_before_a_second_try_only),
		TEST(a_device_without_a_child_process_is_lost_and_the_rest_is_undone),
		TEST(a_kernel_without_a_freeze_timeout_is_accepted),
		TEST(the_kernel_gets_half_of_the_remaining_time),
		TEST(a_record_that_cannot_be_undone_is_reported_and_the_rest_is_undone),
	};

	return cmocka_run_group_tests_name("agent-waits", tests, NULL, NULL);
}
