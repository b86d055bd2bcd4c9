/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fails the n-th allocation of the agent, for every n, while it quiesces and while it restores.
 * A disk in use is never taken away, an error has a text, and what was changed is undone.
 *
 * The C library's allocator is replaced by one that counts and then calls AddressSanitizer's, or
 * glibc's own. Allocations of libraries are not counted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "guest/kernel-log.h"
#include "guest/settings.h"
#include "guest/task.h"
#include "guest/wake-clock.h"
#include "net/links-saved.h"
#include "net/manager.h"
#include "devices/inventory.h"
#include "devices/modules.h"
#include "devices/usage.h"
#include "engine/engine.h"
#include "engine/hooks.h"
#include "engine/journal.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#ifdef __SANITIZE_ADDRESS__
#define real_malloc __interceptor_malloc
#define real_calloc __interceptor_calloc
#define real_realloc __interceptor_realloc
#else
#define real_malloc __libc_malloc
#define real_calloc __libc_calloc
#define real_realloc __libc_realloc
#endif

void *real_malloc(size_t size);
void *real_calloc(size_t n, size_t size);
void *real_realloc(void *old, size_t size);

/* The begin and the end of this program's code, from the linker. */
extern const char __executable_start, etext;

/* The allocation that fails, counted from now on (0: none); whether it has failed. */
static unsigned long fails_in;
static bool has_failed;

static bool fails_now(const char *caller)
{
	if (fails_in == 0 || caller < &__executable_start || caller >= &etext || --fails_in > 0)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}

/* A network card, and a USB controller with a mounted disk. */
static void add_devices(struct run *run)
{
	add_nic(run);
	tree_add_function(&run->tree, USB, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&run->tree, "block", "sda", TREE_DEVICES USB "/usb1/1-1/host2/block/sda",
		      "8:0");
	tree_write(&run->tree, "proc/self/mountinfo", "25 1 8:0 / /mnt rw - ext4 /dev/sda rw\n");
}

static void renew_engine(struct run *run)
{
	struct error error = { 0 };

	engine_free(run->engine);
	run->engine = NULL;
	journal_done(&run->journal);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	make_engine(run);
}

static void assert_undone(struct run *run)
{
	assert_true(tree_is_bound(&run->tree, NIC));
	assert_true(tree_is_bound(&run->tree, USB));
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
	assert_string_equal(tree_read(&run->tree, "sys/power/pm_freeze_timeout"), "20000");
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
}

static void quiescing_without_memory_fails_or_succeeds_as_a_whole(void **state)
{
	struct run *run = *state;
	unsigned long n = 1;

	add_devices(run);
	for (; n == 1 || has_failed; n++) {
		renew_engine(run);
		has_failed = false;
		fails_in = n;
		go_down(run);
		fails_in = 0;
		assert_true(tree_is_bound(&run->tree, USB));
		if (run->r == 0)
			assert_string_equal(effects(run), "fdt");
		else
			assert_true(run->text[0] != '\0');
		go_up(run);
		assert_undone(run);
	}
	assert_true(n > 10);
}

static void restoring_without_memory_reports_what_is_lost(void **state)
{
	struct run *run = *state;
	unsigned long n = 1;

	add_devices(run);
	for (; n == 1 || has_failed; n++) {
		renew_engine(run);
		go_down(run);
		assert_int_equal(run->r, 0);
		has_failed = false;
		fails_in = n;
		go_up(run);
		fails_in = 0;
		if (!tree_is_bound(&run->tree, NIC)) {
			assert_true(run->degraded);
			assert_non_null(strstr(run->text, NIC));
			tree_link(&run->tree, TREE_DEVICES NIC "/driver",
				  "sys/bus/pci/drivers/e1000e");
		}
		assert_undone(run);
	}
	assert_true(n > 2);
}

/* ---- Single functions ---- */

/*
 * Each calls a function once and releases what it has returned. They return what the function
 * has returned; a function that has failed must have left nothing to be released.
 */

static int list_hooks(struct run *run)
{
	struct hook_list list;
	int r = hook_list_read(&list, &run->tree.roots);

	assert_int_equal(list.n_names, r == 0 ? 2 : 0);
	if (r == 0)
		hook_list_done(&list);
	return r;
}

static int list_functions(struct run *run)
{
	struct inventory inventory;
	int r = inventory_read(&inventory, &run->tree.roots, &run->settings, tree_nothing_claimed);

	assert_int_equal(inventory.n_functions, r == 0 ? 2 : 0);
	if (r < 0)
		return r;
	/* The function with the mounted disk is kept, whatever could be read. */
	assert_int_equal(inventory.functions[1].action, DEVICE_KEEP);
	assert_true(inventory.functions[1].risk);
	inventory_done(&inventory);
	return has_failed ? -ENOMEM : 0;
}

static int list_disks(struct run *run)
{
	struct usage usage;
	int r = usage_read(&usage, &run->tree.roots, NULL, tree_nothing_claimed);

	/* Tables that do not fit into memory are not understood. */
	assert_int_equal(usage.list.n_disks, r == 0 ? 1 : 0);
	if (r == 0 && has_failed) {
		assert_non_null(strstr(usage.unread, ": Cannot allocate memory"));
		r = -ENOMEM;
	}
	usage_done(&usage);
	return r;
}

static int list_modules(struct run *run)
{
	struct device_rule rule = { .modules = (char *)"second third" };
	struct pci_function functions[] = {
		{ .action = DEVICE_MODULE, .rule = &rule },
		{ .action = DEVICE_MODULE, .driver = "e1000e" },
	};
	struct inventory inventory = { .functions = functions, .n_functions = 2 };
	char *unload[] = { (char *)"first" };
	struct settings settings = { .unload = unload, .n_unload = 1 };
	struct module_list list;
	int r = module_list_make(&list, &run->tree.roots, &settings, &inventory);

	assert_int_equal(list.n_names, r == 0 ? 4 : 0);
	if (r == 0) {
		assert_string_equal(list.names[3], "fourth");
		module_list_done(&list);
	}
	return r;
}

static void on_problem(void *data, const char *problem)
{
	assert_non_null(strstr(problem, "out of memory"));
	*(bool *)data = true;
}

static int read_settings(struct run *run)
{
	struct error error = { 0 };
	struct settings settings;
	char path[FILE_PATH_MAX];
	bool has_problem = false;
	int r;

	tree_path(&run->tree, path, "etc/agent.conf");
	r = settings_read(&settings, path, on_problem, &has_problem, &error);
	if (r == 0) {
		assert_int_equal(settings.n_freeze, 2);
		assert_int_equal(settings.n_rules, 2);
		assert_string_equal(settings.rules[1].modules, "a b");
	}
	assert_int_equal(r < 0, error.text[0] != '\0');
	settings_done(&settings);
	/* A value that could not be taken is a problem of the file. */
	assert_int_equal(r == SETTINGS_BAD, has_problem);
	return r == SETTINGS_BAD ? -ENOMEM : r;
}

static int load_journal(struct run *run)
{
	struct error error = { 0 };
	struct journal journal;
	int r = journal_load(&journal, &run->tree.roots, &error);

	assert_int_equal(r < 0, error.text[0] != '\0');
	assert_int_equal(journal.open, r == 0);
	if (r == 0)
		assert_int_equal(journal.n_effects, 2);
	/* The last state is of no importance. */
	if (r == 0 && has_failed && journal.done.state == PROTOCOL_AGENT_NONE)
		r = -ENOMEM;
	journal_done(&journal);
	return r;
}

static int new_engine(struct run *run)
{
	struct engine_setup setup = {
		.event = run->event,
		.roots = &run->tree.roots,
		.settings = &run->settings,
		.device_ops = &run->ops,
		.claimed = tree_nothing_claimed,
		.journal = &run->journal,
	};
	struct engine *engine = NULL;
	int r = engine_new(&setup, &engine);

	assert_int_equal(engine != NULL, r == 0);
	engine_free(engine);
	return r;
}

static void on_refused(void *userdata, const char *message)
{
	(void)userdata;
	fail_msg("%s", message);
}

static int watch_kernel_log(struct run *run)
{
	struct kernel_log *log = NULL;
	int r = kernel_log_watch(run->event, &run->tree.roots, on_refused, NULL, &log);

	assert_int_equal(log != NULL, r == 0);
	kernel_log_free(log);
	return r;
}

static uint64_t never_suspended(void)
{
	return 0;
}

static void on_woken(void *userdata)
{
	(void)userdata;
}

static int new_wake_clock(struct run *run)
{
	struct wake_clock *clock = NULL;
	int r = wake_clock_new(run->event, never_suspended, on_woken, NULL, &clock);

	assert_int_equal(clock != NULL, r == 0);
	wake_clock_free(clock);
	return r;
}

static void on_frozen(void *userdata, int r, const struct error *error)
{
	(void)userdata;
	fail_msg("%d %s", r, error->text);
}

static int wait_for_cgroup(struct run *run)
{
	static const char *const cgroups[] = { "user.slice" };
	struct freezer_wait *wait = NULL;
	int r = freezer_wait_start(run->event, &run->tree.roots, cgroups, 1, 60000000, on_frozen,
				   NULL, &wait);

	assert_int_equal(wait != NULL, r == 0);
	freezer_wait_free(wait);
	return r;
}

static void do_nothing(void *data, struct task_report *report)
{
	(void)data;
	(void)report;
}

static void on_task_done(void *userdata, const struct task_result *result)
{
	(void)result;
	*(bool *)userdata = true;
}

static int run_child(struct run *run)
{
	bool done = false;
	struct task_spec spec = {
		.name = "nothing",
		.body = do_nothing,
		.timeout_us = 60000000,
		.done = on_task_done,
		.userdata = &done,
	};
	struct task *task = NULL;
	int r = task_start(run->event, &spec, &task);

	assert_int_equal(task != NULL, r == 0);
	while (r == 0 && !done)
		sd_event_run(run->event, 1000000);
	task_free(task);
	return r;
}

static void on_called(void *userdata, int r, const char *text)
{
	(void)userdata;
	fail_msg("%d %s", r, text);
}

/* Without links there is nothing to be renewed, and no bus is needed. */
static int call_manager(struct run *run)
{
	struct manager_call *call = NULL;
	int r = manager_call_start(run->event, &run->tree.roots, MANAGER_NETWORKD, true, 1000,
				   on_called, NULL, &call);

	assert_null(call);
	/* There is no bus. */
	return r == -ENOENT ? 0 : r;
}

static int append_message(struct run *run)
{
	struct message_buffer buffer = { 0 };
	int r = message_buffer_append(&buffer, "x", 1);

	(void)run;
	assert_int_equal(buffer.used, r == 0 ? 4 : 0);
	free(buffer.data);
	return r;
}

static void without_memory_each_function_returns_an_error(void **state)
{
	static const struct {
		int (*call)(struct run *run);
		unsigned long n; /* allocations, at least */
	} cases[] = {
		{ list_hooks, 1 },	{ list_functions, 3 },	 { list_disks, 3 },
		{ list_modules, 4 },	{ read_settings, 5 },	 { load_journal, 4 },
		{ new_engine, 1 },	{ watch_kernel_log, 1 }, { new_wake_clock, 1 },
		{ wait_for_cgroup, 1 }, { run_child, 1 },	 { call_manager, 1 },
		{ append_message, 1 },
	};
	struct run *run = *state;
	char path[FILE_PATH_MAX];

	add_devices(run);
	add_script(run, "etc/suspend.d/10-x", "true");
	add_script(run, "etc/suspend.d/20-y", "true");
	tree_write(&run->tree, "etc/agent.conf",
		   "[Agent]\nFreeze=a b\nUnloadModules=c\n[Device \"x\"]\nAction=keep\n"
		   "[Device \"y\"]\nModules=a\nModules=a b\n");
	tree_write(&run->tree, "run/journal", "cycle 3\neffect hook x\neffect hook y\n");
	tree_write(&run->tree, "run/done", "ready 2\n");
	tree_write(&run->tree, "sys/module/first/refcnt", "");
	tree_write(&run->tree, "sys/module/second/refcnt", "");
	tree_write(&run->tree, "sys/module/third/refcnt", "");
	tree_write(&run->tree, "sys/module/fourth/refcnt", "");
	tree_link(&run->tree, "sys/bus/pci/drivers/e1000e/module", "sys/module/fourth");
	tree_write(&run->tree, "dev/.keep", "");
	tree_path(&run->tree, path, "dev/kmsg");
	assert_int_equal(mkfifo(path, 0600), 0);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		unsigned long n = 1;

		for (; n == 1 || has_failed; n++) {
			int r;

			has_failed = false;
			fails_in = n;
			r = cases[i].call(run);
			fails_in = 0;
			if (r != (has_failed ? -ENOMEM : 0))
				fail_msg("call %zu with allocation %lu returns %d", i, n, r);
		}
		if (n < cases[i].n + 2)
			fail_msg("call %zu has only %lu allocations", i, n - 2);
		has_failed = false;
	}
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(quiescing_without_memory_fails_or_succeeds_as_a_whole),
		TEST(restoring_without_memory_reports_what_is_lost),
		TEST(without_memory_each_function_returns_an_error),
	};

	return cmocka_run_group_tests_name("agent-memory", tests, NULL, NULL);
}
