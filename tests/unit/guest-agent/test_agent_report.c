/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests the output of --dry-run, --status and --test, as a whole, and the self-test itself. This
 * program replaces the functions of Xen's library that read a node.
 */
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenstore.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "guest/settings.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "engine/self-test.h"
#include "report.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

/* The state of the agent in xenstore; NULL: there is none, and no other node either. */
static const char *published;
static bool has_no_store;

struct xs_handle *xs_open(unsigned long flags)
{
	static int store;

	(void)flags;
	errno = ENOENT;
	return has_no_store ? NULL : (struct xs_handle *)&store;
}

void xs_close(struct xs_handle *handle)
{
	(void)handle;
}

void *xs_read(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      unsigned int *length)
{
	static const char *const nodes[][2] = {
		{ PROTOCOL_NODE_REQUEST, "suspend 4" },
		{ PROTOCOL_NODE_EVENT_CHANNEL, "11" },
		{ PROTOCOL_NODE_VERSION, "1" },
		{ PROTOCOL_NODE_DETAIL, "all is well" },
	};
	const char *value = strcmp(path, PROTOCOL_NODE_STATE) == 0 ? published : NULL;

	(void)handle;
	(void)transaction;
	for (size_t i = 0; published && i < ELEMENTSOF(nodes); i++)
		if (strcmp(path, nodes[i][0]) == 0)
			value = nodes[i][1];
	errno = ENOENT;
	if (!value)
		return NULL;
	*length = (unsigned int)strlen(value);
	return strdup(value);
}

/* ---- Output ---- */

static struct engine_setup setup_of(struct run *run)
{
	return (struct engine_setup){
		.event = run->event,
		.roots = &run->tree.roots,
		.settings = &run->settings,
		.device_ops = &run->ops,
		.claimed = tree_nothing_claimed,
		.journal = &run->journal,
		.log = &run->log,
	};
}

static int saved_stdout;

static void start_capture(struct run *run)
{
	char path[FILE_PATH_MAX];

	tree_path(&run->tree, path, "output");
	fflush(stdout);
	saved_stdout = dup(STDOUT_FILENO);
	assert_non_null(freopen(path, "we", stdout));
}

/* Returns what was printed since start_capture(). */
static const char *end_capture(struct run *run)
{
	static char output[8192];
	char path[FILE_PATH_MAX];
	FILE *file;
	size_t n;

	fflush(stdout);
	assert_true(dup2(saved_stdout, STDOUT_FILENO) >= 0);
	close(saved_stdout);
	tree_path(&run->tree, path, "output");
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(output, 1, sizeof(output) - 1, file);
	output[n] = '\0';
	fclose(file);
	return output;
}

static void expect_plan(struct run *run, bool json, const char *text)
{
	struct engine_setup setup = setup_of(run);
	struct error error = { 0 };
	const char *output;
	int r;

	start_capture(run);
	r = report_plan(&setup, json, &error);
	output = end_capture(run);
	assert_int_equal(r, 0);
	assert_string_equal(output, text);
}

/* ---- --dry-run ---- */

static void set_lists(struct run *run)
{
	static const char *const freeze[] = { "user.slice", "gone.slice", "busy.slice",
					      "system.slice" };
	static const struct device_rule rules[] = {
		{ .pattern = (char *)"igb", .action = DEVICE_HOOK },
		{ .pattern = (char *)"iwlwifi", .action = DEVICE_MODULE },
	};
	struct settings *settings = &run->settings;

	free(settings->freeze[0]);
	for (size_t i = 0; i < ELEMENTSOF(freeze); i++)
		settings->freeze[i] = strdup(freeze[i]);
	settings->n_freeze = ELEMENTSOF(freeze);
	settings->unload = calloc(2, sizeof(char *));
	settings->unload[0] = strdup("iwlmvm");
	settings->unload[1] = strdup("not-loaded");
	settings->n_unload = 2;
	settings->rules = calloc(ELEMENTSOF(rules), sizeof(*settings->rules));
	for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
		settings->rules[i] = rules[i];
		settings->rules[i].pattern = strdup(rules[i].pattern);
	}
	settings->n_rules = ELEMENTSOF(rules);
	settings->sync = true;
}

/* A guest with one of each thing that a plan shows. */
static void make_everything(struct run *run)
{
	struct tree *tree = &run->tree;

	set_lists(run);
	tree_add_cgroup(tree, "busy.slice", NULL);
	tree_write(tree, "sys/fs/cgroup/busy.slice/cgroup.freeze", "1");
	tree_add_cgroup(tree, "system.slice", NULL);
	add_script(run, "etc/suspend.d/10-a", "true");
	add_script(run, "etc/suspend.d/20-b", "true");
	tree_write(tree, "services/NetworkManager/.keep", "");
	tree_write(tree, "services/systemd/netif/links/4", "NETWORK_FILE=/etc/a.network\n");
	tree_write(tree, "sys/module/iwlmvm/refcnt", "0");
	add_nic(run);
	tree_add_node(tree, "net", "enp0s4", TREE_DEVICES NIC "/net/enp0s4", NULL);
	tree_add_function(tree, SOUND, "snd_hda_intel", "0x8086 0x2668 0x040300");
	tree_add_function(tree, USB, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(tree, "block", "sda", TREE_DEVICES USB "/usb1/1-1/host2/block/sda", "8:0");
	tree_write(tree, "proc/self/mountinfo", "25 1 8:0 / /mnt rw - ext4 /dev/sda rw\n");
	tree_add_function(tree, "0000:00:07.0", "virtio-pci", "0x1af4 0x1041 0x020000");
	tree_add_function(tree, "0000:00:08.0", "igb", "0x8086 0x1533 0x020000");
	tree_add_function(tree, "0000:00:09.0", "iwlwifi", "0x8086 0x2723 0x028000");
}

static void shows_the_plan_as_a_table(void **state)
{
	struct run *run = *state;

	make_everything(run);
	expect_plan(
		run, false,
		"hook     10-a\n"
		"hook     20-b\n"
		"notify   systemd-networkd\n"
		"notify   NetworkManager\n"
		"sync     file systems\n"
		"freeze   user.slice\n"
		"skip     gone.slice: no such cgroup\n"
		"skip     busy.slice: frozen already, by another program\n"
		"skip     system.slice: system.slice must not be frozen: it contains pmcoord-agent itself\n"
		"unload   iwlmvm\n"
		"\n"
		"ACTION   FUNCTION      DRIVER           CLASS       INTERFACE  WHY\n"
		"unbind   0000:00:04.0  e1000e           network     enp0s4\n"
		"unbind   0000:00:05.0  snd_hda_intel    multimedia  -          stopped before processes are frozen\n"
		"KEEP     0000:00:06.0  xhci_hcd         usb         -          sda mounted on /mnt\n"
		"keep     0000:00:07.0  virtio-pci       network     -          virtio\n"
		"hook     0000:00:08.0  igb              network     -          left to a hook\n"
		"module   0000:00:09.0  iwlwifi          wireless    -\n"
		"\n"
		"KEEP: the function is in use, or its use is not understood.\n"
		"      It may not work after the host's sleep.\n");
}

static void shows_the_plan_as_json(void **state)
{
	struct run *run = *state;

	make_everything(run);
	expect_plan(
		run, true,
		"{\n"
		"  \"hooks\": [\n"
		"    \"10-a\",\n"
		"    \"20-b\"\n"
		"  ],\n"
		"  \"managers\": [\n"
		"    \"systemd-networkd\",\n"
		"    \"NetworkManager\"\n"
		"  ],\n"
		"  \"sync\": true,\n"
		"  \"freeze\": [\n"
		"    {\n"
		"      \"cgroup\": \"user.slice\",\n"
		"      \"freeze\": true,\n"
		"      \"reason\": \"\"\n"
		"    },\n"
		"    {\n"
		"      \"cgroup\": \"gone.slice\",\n"
		"      \"freeze\": false,\n"
		"      \"reason\": \"no such cgroup\"\n"
		"    },\n"
		"    {\n"
		"      \"cgroup\": \"busy.slice\",\n"
		"      \"freeze\": false,\n"
		"      \"reason\": \"frozen already, by another program\"\n"
		"    },\n"
		"    {\n"
		"      \"cgroup\": \"system.slice\",\n"
		"      \"freeze\": false,\n"
		"      \"reason\": \"system.slice must not be frozen: it contains pmcoord-agent itself\"\n"
		"    }\n"
		"  ],\n"
		"  \"modules\": [\n"
		"    \"iwlmvm\"\n"
		"  ],\n"
		"  \"devices\": [\n"
		"    {\n"
		"      \"address\": \"0000:00:04.0\",\n"
		"      \"driver\": \"e1000e\",\n"
		"      \"id\": \"8086:10d3\",\n"
		"      \"class\": \"network\",\n"
		"      \"interfaces\": \"enp0s4\",\n"
		"      \"action\": \"unbind\",\n"
		"      \"before_freeze\": false,\n"
		"      \"risk\": false,\n"
		"      \"reason\": \"\"\n"
		"    },\n"
		"    {\n"
		"      \"address\": \"0000:00:05.0\",\n"
		"      \"driver\": \"snd_hda_intel\",\n"
		"      \"id\": \"8086:2668\",\n"
		"      \"class\": \"multimedia\",\n"
		"      \"interfaces\": \"\",\n"
		"      \"action\": \"unbind\",\n"
		"      \"before_freeze\": true,\n"
		"      \"risk\": false,\n"
		"      \"reason\": \"\"\n"
		"    },\n"
		"    {\n"
		"      \"address\": \"0000:00:06.0\",\n"
		"      \"driver\": \"xhci_hcd\",\n"
		"      \"id\": \"1b36:000d\",\n"
		"      \"class\": \"usb\",\n"
		"      \"interfaces\": \"\",\n"
		"      \"action\": \"keep\",\n"
		"      \"before_freeze\": false,\n"
		"      \"risk\": true,\n"
		"      \"reason\": \"sda mounted on /mnt\"\n"
		"    },\n"
		"    {\n"
		"      \"address\": \"0000:00:07.0\",\n"
		"      \"driver\": \"virtio-pci\",\n"
		"      \"id\": \"1af4:1041\",\n"
		"      \"class\": \"network\",\n"
		"      \"interfaces\": \"\",\n"
		"      \"action\": \"keep\",\n"
		"      \"before_freeze\": false,\n"
		"      \"risk\": false,\n"
		"      \"reason\": \"virtio\"\n"
		"    },\n"
		"    {\n"
		"      \"address\": \"0000:00:08.0\",\n"
		"      \"driver\": \"igb\",\n"
		"      \"id\": \"8086:1533\",\n"
		"      \"class\": \"network\",\n"
		"      \"interfaces\": \"\",\n"
		"      \"action\": \"hook\",\n"
		"      \"before_freeze\": false,\n"
		"      \"risk\": false,\n"
		"      \"reason\": \"left to a hook\"\n"
		"    },\n"
		"    {\n"
		"      \"address\": \"0000:00:09.0\",\n"
		"      \"driver\": \"iwlwifi\",\n"
		"      \"id\": \"8086:2723\",\n"
		"      \"class\": \"wireless\",\n"
		"      \"interfaces\": \"\",\n"
		"      \"action\": \"module\",\n"
		"      \"before_freeze\": false,\n"
		"      \"risk\": false,\n"
		"      \"reason\": \"\"\n"
		"    }\n"
		"  ]\n"
		"}\n");
}

static void shows_a_plan_that_stops_nothing(void **state)
{
	struct run *run = *state;

	free(run->settings.freeze[0]);
	run->settings.n_freeze = 0;
	expect_plan(run, false, "no PCI function has a driver\n");
	run->settings.network_manager = NETWORK_MANAGER_NO;
	tree_write(&run->tree, "services/NetworkManager/.keep", "");
	add_nic(run);
	expect_plan(run, false,
		    "\n"
		    "ACTION   FUNCTION      DRIVER           CLASS       INTERFACE  WHY\n"
		    "unbind   0000:00:04.0  e1000e           network     -\n");
}

static void a_plan_that_cannot_be_made_is_an_error(void **state)
{
	static const char *const files[] = { "etc/suspend.d", "sys/bus/pci/devices" };
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);

	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		struct error error = { 0 };
		char path[FILE_PATH_MAX];
		const char *output;
		int r;

		tree_write(&run->tree, files[i], "");
		start_capture(run);
		r = report_plan(&setup, i == 0, &error);
		output = end_capture(run);
		assert_int_equal(r, -ENOTDIR);
		assert_string_equal(output, "");
		assert_string_equal(error.text, "cannot list hooks, PCI functions and modules: "
						"Not a directory");
		tree_path(&run->tree, path, files[i]);
		assert_int_equal(unlink(path), 0);
	}
}

/* ---- --status ---- */

static void expect_status(struct run *run, bool json, const char *text)
{
	struct engine_setup setup = setup_of(run);
	struct error error = { 0 };
	const char *output;
	int r;

	start_capture(run);
	r = report_status(&setup, json, &error);
	output = end_capture(run);
	assert_int_equal(r, 0);
	assert_string_equal(output, text);
}

static void shows_what_the_agent_has_published(void **state)
{
	struct run *run = *state;

	published = NULL;
	expect_status(run, false,
		      "         State: -\n"
		      "       Request: -\n"
		      " Event channel: -\n"
		      "      Protocol: -\n"
		      "        Detail: -\n"
		      "    Last cycle: -\n");
	expect_status(run, true,
		      "{\n"
		      "  \"state\": \"\",\n"
		      "  \"request\": \"\",\n"
		      "  \"event_channel\": \"\",\n"
		      "  \"version\": \"\",\n"
		      "  \"detail\": \"\",\n"
		      "  \"last_cycle\": \"\"\n"
		      "}\n");
	published = "ready 4";
	run->journal.done = (struct protocol_state){ PROTOCOL_AGENT_DEGRADED, 3 };
	expect_status(run, false,
		      "         State: ready 4\n"
		      "       Request: suspend 4\n"
		      " Event channel: 11\n"
		      "      Protocol: 1\n"
		      "        Detail: all is well\n"
		      "    Last cycle: degraded 3\n");
	expect_status(run, true,
		      "{\n"
		      "  \"state\": \"ready 4\",\n"
		      "  \"request\": \"suspend 4\",\n"
		      "  \"event_channel\": \"11\",\n"
		      "  \"version\": \"1\",\n"
		      "  \"detail\": \"all is well\",\n"
		      "  \"last_cycle\": \"degraded 3\"\n"
		      "}\n");
}

static void without_xenstore_there_is_no_status(void **state)
{
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);
	struct error error = { 0 };
	int r;

	has_no_store = true;
	start_capture(run);
	r = report_status(&setup, false, &error);
	assert_string_equal(end_capture(run), "");
	has_no_store = false;
	assert_int_equal(r, -ENOENT);
	assert_int_equal(strncmp(error.text, "cannot open xenstore: ", 22), 0);
}

/* ---- --test ---- */

/* Returns the output with a T for each duration of a step. */
static const char *blur(const char *output)
{
	static char blurred[8192];
	char *end = blurred;

	for (const char *line = output; *line;) {
		const char *next = strchr(line, '\n') + 1;
		const char *key = strstr(line, "\"duration_us\":");

		if (key && key < next)
			end += sprintf(end, "%.*s T\n", (int)(key + 14 - line), line);
		else if (next - line > 12 && strncmp(line + 10, "  ", 2) == 0 && (line[9] == 's') &&
			 line[0] != '{')
			end += sprintf(end, "T %.*s", (int)(next - line - 12), line + 12);
		else
			end += sprintf(end, "%.*s", (int)(next - line), line);
		line = next;
	}
	*end = '\0';
	return blurred;
}

static void expect_result(struct run *run, const struct self_test_result *result, bool json,
			  const char *text)
{
	const char *output;
	int r;

	start_capture(run);
	r = report_self_test(result, run->engine, json);
	output = end_capture(run);
	assert_int_equal(r, 0);
	assert_string_equal(blur(output), text);
}

static void shows_how_a_self_test_went(void **state)
{
	struct self_test_result result = { .quiesce_us = 12345, .restore_us = 2345678 };
	struct run *run = *state;

	go_down(run);
	go_up(run);
	expect_result(run, &result, false,
		      "ok: quiesced in 12.3 ms, restored in 2.34 s\n"
		      "T inhibitors\n"
		      "T pre hooks\n"
		      "T network managers\n"
		      "T sync\n"
		      "T device list\n"
		      "T sound and video devices\n"
		      "T freezing\n"
		      "T devices\n"
		      "T modules\n"
		      "T the kernel's time limit\n");
	result.degraded = true;
	strcpy(result.detail, "one device is lost");
	expect_result(run, &result, true,
		      "{\n"
		      "  \"result\": \"degraded\",\n"
		      "  \"down_us\": 12345,\n"
		      "  \"up_us\": 2345678,\n"
		      "  \"steps\": [\n"
		      "    {\n"
		      "      \"step\": \"inhibitors\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"pre hooks\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"network managers\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"sync\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"device list\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"sound and video devices\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"freezing\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"devices\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"modules\",\n"
		      "      \"duration_us\": T\n"
		      "    },\n"
		      "    {\n"
		      "      \"step\": \"the kernel's time limit\",\n"
		      "      \"duration_us\": T\n"
		      "    }\n"
		      "  ],\n"
		      "  \"reason\": \"\",\n"
		      "  \"detail\": \"one device is lost\"\n"
		      "}\n");
	add_script(run, "etc/suspend.d/10-veto", "false");
	go_down(run);
	go_up(run);
	result.quiesce_r = -ECANCELED;
	strcpy(result.reason, "hook 10-veto failed");
	expect_result(run, &result, false,
		      "failed: quiesced in 12.3 ms, restored in 2.34 s\n"
		      "T inhibitors\n"
		      "hook 10-veto failed\n"
		      "one device is lost\n");
	expect_result(run, &result, true,
		      "{\n"
		      "  \"result\": \"failed\",\n"
		      "  \"down_us\": 12345,\n"
		      "  \"up_us\": 2345678,\n"
		      "  \"steps\": [\n"
		      "    {\n"
		      "      \"step\": \"inhibitors\",\n"
		      "      \"duration_us\": T\n"
		      "    }\n"
		      "  ],\n"
		      "  \"reason\": \"hook 10-veto failed\",\n"
		      "  \"detail\": \"one device is lost\"\n"
		      "}\n");
}

static void block_stop_signals(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(how, &signals, NULL);
}

static void a_self_test_quiesces_and_restores_the_guest(void **state)
{
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);
	struct self_test_result result;

	add_nic(run);
	add_script(run, "etc/suspend.d/10-slow",
		   "echo $1 $PMCOORD_CYCLE >> $log; test $1 = pre && sleep 0.1 || sleep 0.3");
	run->settings.timeout_us = 5000000;
	make_engine(run);
	block_stop_signals(SIG_BLOCK);
	assert_int_equal(self_test_run(&setup, run->engine, &result), 0);
	block_stop_signals(SIG_UNBLOCK);
	assert_int_equal(result.quiesce_r, 0);
	assert_string_equal(result.reason, "");
	assert_in_range(result.quiesce_us, 100000, 5000000);
	assert_in_range(result.restore_us, 300000, 5000000);
	assert_false(result.degraded);
	assert_non_null(strstr(result.detail, NIC " e1000e enp0s4 ok "));
	assert_string_equal(tree_read(&run->tree, "log"), "pre 0\npost 0");
	assert_true(tree_is_bound(&run->tree, NIC));
	/* It is not a cycle of dom0's. */
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
	assert_string_equal(tree_read(&run->tree, "run/done"), "(none)");
}

/* The second signal must not interrupt the restore. */
static void a_signal_ends_a_self_test_early(void **state)
{
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);
	struct self_test_result result;

	add_nic(run);
	add_script(run, "etc/suspend.d/10-slow", "test $1 = post || exec sleep 60");
	run->settings.hook_timeout_us = 60000000;
	run->settings.timeout_us = 60000000;
	make_engine(run);
	block_stop_signals(SIG_BLOCK);
	kill(getpid(), SIGINT);
	kill(getpid(), SIGTERM);
	assert_int_equal(self_test_run(&setup, run->engine, &result), 0);
	block_stop_signals(SIG_UNBLOCK);
	assert_int_equal(result.quiesce_r, -EINTR);
	assert_string_equal(result.reason, "interrupted");
	assert_false(result.degraded);
	assert_true(tree_is_bound(&run->tree, NIC));
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
}

static void nothing_is_begun_that_no_signal_can_end(void **state)
{
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);
	struct self_test_result result;
	struct error error = { 0 };

	make_engine(run);
	/* No signal can be added to a loop that has ended. */
	assert_int_equal(sd_event_exit(run->event, 0), 0);
	assert_int_equal(sd_event_loop(run->event), 0);
	assert_int_equal(self_test_run(&setup, run->engine, &result), -ESTALE);
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
	tree_write(&run->tree, "run/journal", "cycle 5\neffect freeze user.slice\n");
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	assert_int_equal(restore_leftovers(&setup, run->engine, &result), -ESTALE);
	assert_false(run->journal.effects[0].undone);
}

/* Returns <run>/done after the leftovers of a cycle were restored. */
static const char *restore_left(struct run *run, const char *journal)
{
	struct engine_setup setup = setup_of(run);
	struct self_test_result result;
	struct error error = { 0 };

	sd_event_unref(run->event);
	assert_int_equal(sd_event_new(&run->event), 0);
	setup.event = run->event;
	engine_free(run->engine);
	tree_write(&run->tree, "run/journal", journal);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	make_engine(run);
	block_stop_signals(SIG_BLOCK);
	assert_int_equal(restore_leftovers(&setup, run->engine, &result), 0);
	block_stop_signals(SIG_UNBLOCK);
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
	assert_int_equal(result.quiesce_r, 0);
	return tree_read(&run->tree, "run/done");
}

static void records_how_leftovers_were_restored(void **state)
{
	struct run *run = *state;
	struct engine_setup setup = setup_of(run);
	struct self_test_result result;
	struct error error = { 0 };

	/* Those of a self-test are not recorded. */
	assert_string_equal(restore_left(run, "cycle 0\neffect freeze user.slice\n"), "(none)");
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
	assert_string_equal(restore_left(run, "cycle 5\neffect freeze user.slice\n"), "failed 5");
	assert_string_equal(restore_left(run, "cycle 6\neffect device x\n"),
			    "degraded 6\ncannot undo device x: Bad message");
	/* The record fails, but not before all was undone. */
	tree_write(&run->tree, "run/done.new/x", "");
	tree_write(&run->tree, "run/journal", "cycle 7\n");
	sd_event_unref(run->event);
	assert_int_equal(sd_event_new(&run->event), 0);
	setup.event = run->event;
	engine_free(run->engine);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	make_engine(run);
	block_stop_signals(SIG_BLOCK);
	assert_int_equal(restore_leftovers(&setup, run->engine, &result), -EISDIR);
	block_stop_signals(SIG_UNBLOCK);
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(shows_the_plan_as_a_table),
		TEST(shows_the_plan_as_json),
		TEST(shows_a_plan_that_stops_nothing),
		TEST(a_plan_that_cannot_be_made_is_an_error),
		TEST(shows_what_the_agent_has_published),
		TEST(without_xenstore_there_is_no_status),
		TEST(shows_how_a_self_test_went),
		TEST(a_self_test_quiesces_and_restores_the_guest),
		TEST(a_signal_ends_a_self_test_early),
		TEST(nothing_is_begun_that_no_signal_can_end),
		TEST(records_how_leftovers_were_restored),
	};

	return cmocka_run_group_tests_name("agent-report", tests, NULL, NULL);
}
