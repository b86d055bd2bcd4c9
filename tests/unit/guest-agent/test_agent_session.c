/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests the whole agent with a dom0 in memory and a simulated kernel in files, mainly by the
 * contents of xenstore after each of dom0's actions.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "agent.h"
#include "channel.h"
#include "engine/engine-state.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "engine/self-test.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#define NODES 8

static const char *const node_names[NODES] = {
	PROTOCOL_NODE_VERSION,	PROTOCOL_NODE_EVENT_CHANNEL, PROTOCOL_NODE_STATE,
	PROTOCOL_NODE_DETAIL,	PROTOCOL_NODE_REQUEST,	     PROTOCOL_NODE_TIMEOUT,
	PROTOCOL_NODE_SHUTDOWN, PROTOCOL_NODE_INHIBITORS,
};

/* The last watchdog setting that was sent to the service manager. */
static char watchdog[64];

/* All that was sent to the service manager, each with a "|" at its end. */
static char told[2048];

/* The time until the next message of the watchdog, and how many times faster it passes. */
static uint64_t watchdog_us, watchdog_haste;

/* Replaces libsystemd's function, which only the watchdog uses. */
int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	int (*real)(sd_event_source *, uint64_t) = (int (*)(sd_event_source *, uint64_t))dlsym(
		RTLD_NEXT, "sd_event_source_set_time_relative");

	watchdog_us = usec;
	return real(source, usec / watchdog_haste);
}

struct fake_channel {
	struct channel base;
	char nodes[NODES][1100];
	bool stands[NODES];
	int notified;
	int withdrawn;
	int renewed;
	int renew_fd; /* the event channel's fd after it was renewed; 0: the same */
	int stored; /* the port that was stored last */
	char watchdog_at_commit[sizeof(watchdog)];
	/* Calls that fail: a negative errno, or 0. */
	const char *unreadable; /* the node of `read_r` */
	int read_r, write_r, commit_r, withdraw_r, drain_r, watches_r, renew_r;
};

/* The time for which the simulated guest has been suspended. */
static uint64_t suspended_us;

static uint64_t get_suspended_us(void)
{
	return suspended_us;
}

static int find_node(const char *name)
{
	for (int i = 0; i < NODES; i++)
		if (strcmp(node_names[i], name) == 0)
			return i;
	return -1;
}

static int fake_read(struct channel *channel, const char *node, char *ret, size_t size)
{
	struct fake_channel *fake = (struct fake_channel *)channel;
	int i = find_node(node);
	size_t length;

	if (fake->unreadable && strcmp(node, fake->unreadable) == 0)
		return fake->read_r;
	if (i < 0 || !fake->stands[i])
		return -ENOENT;
	length = strlen(fake->nodes[i]);
	if (length > size)
		return -EMSGSIZE;
	memcpy(ret, fake->nodes[i], length);
	return (int)length;
}

static int fake_write(struct channel *channel, const char *node, const char *text)
{
	struct fake_channel *fake = (struct fake_channel *)channel;
	int i = find_node(node);

	if (fake->write_r < 0)
		return fake->write_r;
	fake->stands[i] = text != NULL;
	snprintf(fake->nodes[i], sizeof(fake->nodes[i]), "%s", text ? text : "");
	return 0;
}

static const char *node(struct fake_channel *fake, const char *name)
{
	int i = find_node(name);

	return fake->stands[i] ? fake->nodes[i] : "(none)";
}

static int fake_commit(struct channel *channel, const struct protocol_request *request,
		       const struct protocol_state *state)
{
	struct fake_channel *fake = (struct fake_channel *)channel;
	char text[PROTOCOL_TEXT_MAX];

	strcpy(fake->watchdog_at_commit, watchdog);
	if (fake->commit_r < 0)
		return fake->commit_r;
	protocol_format_request(request, text);
	if (strcmp(node(fake, PROTOCOL_NODE_REQUEST), text) != 0)
		return CHANNEL_RETRACTED;
	protocol_format_state(state, text);
	fake_write(channel, PROTOCOL_NODE_STATE, text);
	fake_write(channel, PROTOCOL_NODE_SHUTDOWN, "suspend");
	return CHANNEL_COMMITTED;
}

static int fake_withdraw(struct channel *channel)
{
	struct fake_channel *fake = (struct fake_channel *)channel;

	fake->withdrawn++;
	if (fake->withdraw_r < 0)
		return fake->withdraw_r;
	if (strcmp(node(fake, PROTOCOL_NODE_SHUTDOWN), "suspend") == 0)
		fake_write(channel, PROTOCOL_NODE_SHUTDOWN, "");
	return 0;
}

static int fake_notify(struct channel *channel)
{
	((struct fake_channel *)channel)->notified++;
	return 0;
}

static int take_counter(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? (int)n : 0;
}

static int fake_drain(struct channel *channel)
{
	int r = ((struct fake_channel *)channel)->drain_r;

	return r < 0 ? r : take_counter(channel->event_fd);
}

static int fake_take_watches(struct channel *channel)
{
	int r = ((struct fake_channel *)channel)->watches_r;

	return r < 0 ? r : take_counter(channel->watch_fd);
}

static int fake_renew(struct channel *channel, struct error *error)
{
	struct fake_channel *fake = (struct fake_channel *)channel;

	fake->renewed++;
	if (fake->renew_r < 0)
		return error_set(error, fake->renew_r, "no event channel");
	channel->port++;
	if (fake->renew_fd)
		channel->event_fd = fake->renew_fd;
	return 0;
}

static void fake_close(struct channel *channel)
{
	(void)channel;
}

static const struct channel_ops fake_ops = {
	.read = fake_read,
	.write = fake_write,
	.commit = fake_commit,
	.withdraw = fake_withdraw,
	.notify = fake_notify,
	.drain = fake_drain,
	.take_watches = fake_take_watches,
	.renew = fake_renew,
	.close = fake_close,
};

/* ---- The guest ---- */

struct guest {
	struct tree tree;
	struct settings settings;
	struct journal journal;
	struct engine *engine;
	struct agent *agent;
	struct fake_channel channel;
	struct log log; /* of the agent; kept in memory, so that tests can read it */
	sd_event *event;
};

#define NIC "0000:00:04.0"
#define NIC_IDS "0x8086 0x10d3 0x020000"

static void hear_watchdog(const char *text)
{
	size_t used = strlen(told);

	if (strstr(text, "WATCHDOG"))
		snprintf(watchdog, sizeof(watchdog), "%s", text);
	snprintf(told + used, sizeof(told) - used, "%s|", text);
}

static void store_channel(const struct channel *channel, const struct roots *roots)
{
	assert_non_null(roots->run);
	((struct fake_channel *)channel)->stored = (int)channel->port;
}

static int try_start_agent(struct guest *guest, struct error *error)
{
	struct engine_setup engine_setup = {
		.event = guest->event,
		.roots = &guest->tree.roots,
		.settings = &guest->settings,
		.device_ops = &tree_device_ops,
		.claimed = tree_nothing_claimed,
		.journal = &guest->journal,
		.log = &guest->log,
	};
	struct agent_setup setup = {
		.event = guest->event,
		.roots = &guest->tree.roots,
		.settings = &guest->settings,
		.channel = &guest->channel.base,
		.journal = &guest->journal,
		.log = &guest->log,
		.suspended_us = get_suspended_us,
		.notify_systemd = hear_watchdog,
		.store_channel = store_channel,
	};

	assert_int_equal(journal_load(&guest->journal, &guest->tree.roots, error), 0);
	assert_int_equal(engine_new(&engine_setup, &guest->engine), 0);
	setup.engine = guest->engine;
	return agent_start(&setup, &guest->agent, error);
}

static void start_agent(struct guest *guest)
{
	struct error error = { 0 };

	assert_int_equal(try_start_agent(guest, &error), 0);
}

/* Ends the agent as SIGKILL does: its children die, and nothing is undone. */
static void kill_agent(struct guest *guest)
{
	agent_free(guest->agent);
	guest->agent = NULL;
	engine_free(guest->engine);
	guest->engine = NULL;
	journal_done(&guest->journal);
}

static int setup_guest(void **state)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	suspended_us = 0;
	watchdog[0] = told[0] = '\0';
	watchdog_us = 0;
	watchdog_haste = 1;
	tree_new(&guest->tree);
	assert_int_equal(sd_event_new(&guest->event), 0);
	settings_default(&guest->settings);
	guest->settings.timeout_us = 2000000;
	guest->settings.unbind_timeout_us = 200000;
	guest->settings.restore_timeout_us = 700000;
	guest->settings.thaw_after_us = 100000;
	guest->channel.base = (struct channel){
		.ops = &fake_ops,
		.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.watch_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.port = 11,
	};
	tree_add_cgroup(&guest->tree, "user.slice", guest->event);
	tree_add_function(&guest->tree, NIC, "e1000e", NIC_IDS);
	tree_teach(&guest->tree, NIC, "links", "enp0s4");
	*state = guest;
	return 0;
}

static int teardown_guest(void **state)
{
	struct guest *guest = *state;

	kill_agent(guest);
	/* Reap the children of tasks that were freed. */
	while (sd_event_run(guest->event, 50000) > 0)
		;
	settings_done(&guest->settings);
	sd_event_unref(guest->event);
	close(guest->channel.base.event_fd);
	close(guest->channel.base.watch_fd);
	tree_free(&guest->tree);
	free(guest);
	return 0;
}

/* ---- dom0's actions ---- */

static void ring(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void ask(struct guest *guest, const char *request)
{
	fake_write(&guest->channel.base, PROTOCOL_NODE_REQUEST, request);
	ring(guest->channel.base.watch_fd);
}

static void notify(struct guest *guest)
{
	ring(guest->channel.base.event_fd);
}

/* Runs the agent until a node contains `text`, for at most `ms`. */
static void await_node(struct guest *guest, const char *name, const char *text, int ms)
{
	uint64_t end = clock_now_us() + (uint64_t)ms * 1000;

	while (strcmp(node(&guest->channel, name), text) != 0 && clock_now_us() < end)
		sd_event_run(guest->event, 10000);
	assert_string_equal(node(&guest->channel, name), text);
}

static void await_state(struct guest *guest, const char *text)
{
	await_node(guest, PROTOCOL_NODE_STATE, text, 3000);
}

/* Lets the agent handle all pending events. */
static void settle(struct guest *guest)
{
	while (sd_event_run(guest->event, 20000) > 0)
		;
}

static void suspend_and_wake(struct guest *guest)
{
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	suspended_us += 50000;
	notify(guest);
}

#define STATE(guest) node(&(guest)->channel, PROTOCOL_NODE_STATE)
#define DETAIL(guest) node(&(guest)->channel, PROTOCOL_NODE_DETAIL)

static bool is_frozen(struct guest *guest)
{
	return strcmp(tree_read(&guest->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "1") == 0;
}

/* ---- Tests ---- */

static void suspends_and_restores_a_guest(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_VERSION), "1");
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_EVENT_CHANNEL), "11");
	assert_string_equal(STATE(guest), "ready 0");
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	notify(guest);
	await_state(guest, "quiesced 1");
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "suspend");
	assert_false(tree_is_bound(&guest->tree, NIC));
	assert_true(is_frozen(guest));
	assert_string_not_equal(tree_read(&guest->tree, "sys/power/pm_freeze_timeout"), "20000");
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
	assert_string_equal(tree_read(&guest->tree, "sys/power/pm_freeze_timeout"), "20000");
	assert_non_null(strstr(DETAIL(guest), NIC " e1000e "));
	assert_non_null(strstr(DETAIL(guest), " ok "));
	assert_string_equal(tree_read(&guest->tree, "run/journal"), "(none)");
	/* dom0 notifies once more, late, for the same cycle. */
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	ask(guest, "suspend 2");
	await_state(guest, "ready 2");
	notify(guest);
	await_state(guest, "quiesced 2");
	assert_int_equal(guest->channel.notified, 0);
}

/* Runs the agent until it has sent a watchdog setting to the service manager. */
static void await_watchdog(struct guest *guest, const char *text)
{
	uint64_t end = clock_now_us() + 3000000;

	while (strcmp(watchdog, text) != 0 && clock_now_us() < end)
		sd_event_run(guest->event, 10000);
	assert_string_equal(watchdog, text);
}

static void arms_the_watchdog_only_in_a_cycle(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	settle(guest);
	assert_string_equal(watchdog, "");
	/* The watchdog runs while the agent waits for a child that hangs. */
	tree_teach(&guest->tree, NIC, "hang-unbind", "");
	notify(guest);
	await_watchdog(guest, "WATCHDOG_USEC=30000000\nWATCHDOG=1");
	await_state(guest, "failed 1");
	await_watchdog(guest, "WATCHDOG_USEC=0");
	settle(guest);
	assert_string_equal(watchdog, "WATCHDOG_USEC=0");
}

/* The message to PID 1 must not delay what dom0 waits for. */
static void arms_the_watchdog_after_the_commit_of_a_short_cycle(void **state)
{
	struct guest *guest = *state;

	guest->settings.devices = false;
	free(guest->settings.freeze[0]);
	guest->settings.n_freeze = 0;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	guest->channel.watchdog_at_commit[0] = '?';
	notify(guest);
	await_state(guest, "quiesced 1");
	assert_string_equal(guest->channel.watchdog_at_commit, "");
	await_watchdog(guest, "WATCHDOG_USEC=30000000\nWATCHDOG=1");
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	await_watchdog(guest, "WATCHDOG_USEC=0");
}

static void publishes_functions_kept_at_a_risk_when_it_starts(void **state)
{
	struct guest *guest = *state;

	tree_add_function(&guest->tree, "0000:00:06.0", "ahci", "0x8086 0x2922 0x010601");
	tree_add_disk(&guest->tree, "0000:00:06.0", "sda", "8:0");
	tree_write(&guest->tree, "proc/self/mountinfo", "25 1 8:0 / /srv rw - ext4 /dev/sda rw\n");
	start_agent(guest);
	assert_string_equal(STATE(guest), "ready 0");
	assert_string_equal(DETAIL(guest), "0000:00:06.0 ahci kept: sda mounted on /srv");
}

static void heeds_inhibitors_as_dom0_says_at_that_moment(void **state)
{
	struct guest *guest = *state;

	tree_write(&guest->tree, "services/systemd/inhibit/7",
		   "WHAT=sleep\nMODE=block\nWHO=rsync\nWHY=nightly backup\n");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "failed 1");
	assert_string_equal(DETAIL(guest), "'rsync' blocks sleep in this guest: nightly backup");
	ask(guest, "abort 1");
	await_state(guest, "ready 1");
	ask(guest, "suspend 2");
	await_state(guest, "ready 2");
	/* dom0 changes the node after it has written the request. */
	fake_write(&guest->channel.base, PROTOCOL_NODE_INHIBITORS, "ignore");
	notify(guest);
	await_state(guest, "quiesced 2");
	suspend_and_wake(guest);
	await_state(guest, "ready 2");
	fake_write(&guest->channel.base, PROTOCOL_NODE_INHIBITORS, "ignored");
	ask(guest, "suspend 3");
	await_state(guest, "ready 3");
	notify(guest);
	await_state(guest, "failed 3");
}

static void ignores_spurious_events(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 0");
	/* An event that is pending when the request is armed is drained. */
	ask(guest, "suspend 1");
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	ask(guest, "suspend one");
	settle(guest);
	assert_string_equal(STATE(guest), "ready 0");
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 0");
	assert_true(tree_is_bound(&guest->tree, NIC));
}

static void undoes_when_dom0_aborts_a_quiesced_guest(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	/* A spurious event alone changes nothing. */
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "quiesced 1");
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	ask(guest, "abort 1");
	notify(guest);
	await_state(guest, "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
}

static void undoes_when_dom0_aborts_in_the_middle(void **state)
{
	struct guest *guest = *state;

	/* This cgroup never freezes, so quiescing waits for it. */
	tree_add_cgroup(&guest->tree, "machine.slice", NULL);
	free(guest->settings.freeze[0]);
	guest->settings.freeze[0] = strdup("machine.slice");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	settle(guest);
	assert_string_equal(tree_read(&guest->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze"),
			    "1");
	ask(guest, "abort 1");
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	assert_string_equal(tree_read(&guest->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze"),
			    "0");
}

/* Runs the agent for `us`. */
static void run_for(struct guest *guest, uint64_t us)
{
	uint64_t end = clock_now_us() + us, now;

	while ((now = clock_now_us()) < end)
		sd_event_run(guest->event, end - now);
}

/*
 * Runs the agent until nothing is stopped, because the state does not show that: it may be
 * `ready` before and after.
 */
static void await_undone(struct guest *guest)
{
	uint64_t end = clock_now_us() + 3000000;

	while (clock_now_us() < end && (!tree_is_bound(&guest->tree, NIC) || is_frozen(guest) ||
					file_exists("%s/journal", guest->tree.run)))
		sd_event_run(guest->event, 10000);
}

static void undoes_an_abort_at_any_moment(void **state)
{
	struct guest *guest = *state;

	/* On a busy machine the device takes longer than the limits of the other tests. */
	guest->settings.unbind_timeout_us = 3000000;
	guest->settings.restore_timeout_us = 3000000;
	guest->settings.thaw_after_us = 3000000;
	start_agent(guest);
	for (int i = 1; i <= 60; i++) {
		char suspend[40], abort[40], ready[40];

		snprintf(suspend, sizeof(suspend), "suspend %d", i);
		snprintf(abort, sizeof(abort), "abort %d", i);
		snprintf(ready, sizeof(ready), "ready %d", i);
		ask(guest, suspend);
		await_state(guest, ready);
		notify(guest);
		run_for(guest, (uint64_t)i * 100);
		/* dom0 writes both nodes in one transaction. */
		fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
		ask(guest, abort);
		notify(guest);
		settle(guest);
		await_undone(guest);
		await_state(guest, ready);
		assert_true(tree_is_bound(&guest->tree, NIC));
		assert_false(is_frozen(guest));
		assert_string_equal(tree_read(&guest->tree, "sys/power/pm_freeze_timeout"),
				    "20000");
		assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "");
	}
}

static void reports_an_invalid_time_limit(void **state)
{
	static const struct {
		const char *text;
		bool is_reported;
	} cases[] = {
		{ "2000", false },
		/* The node is empty after dom0 has created it. */
		{ "", false },
		{ "soon", true },
		{ "99", true },
		{ "3600001", true },
		{ "100", false },
		{ "3600000", false },
		{ "xxxxxxxxxxxxxxxxxxxxxxx", true },
		/* A longer text is no number, and is not read. */
		{ "xxxxxxxxxxxxxxxxxxxxxxxx", false },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxx", false },
	};
	struct guest *guest = *state;

	start_agent(guest);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char suspend[40], ready[40];

		guest->log = (struct log){ .held = true };
		snprintf(suspend, sizeof(suspend), "suspend %zu", i + 1);
		snprintf(ready, sizeof(ready), "ready %zu", i + 1);
		fake_write(&guest->channel.base, PROTOCOL_NODE_TIMEOUT, cases[i].text);
		ask(guest, suspend);
		await_state(guest, ready);
		assert_int_equal(strstr(guest->log.text, " is not a number of ms ") != NULL,
				 cases[i].is_reported);
	}
}

static void names_the_process_that_does_not_freeze(void **state)
{
	struct guest *guest = *state;

	tree_add_cgroup(&guest->tree, "machine.slice", NULL);
	tree_write(&guest->tree, "sys/fs/cgroup/machine.slice/cgroup.procs", "4711\n");
	tree_write(&guest->tree, "proc/4711/status", "Name:\ttar\nState:\tD (disk sleep)\n");
	free(guest->settings.freeze[0]);
	guest->settings.freeze[0] = strdup("machine.slice");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "failed 1");
	assert_non_null(strstr(DETAIL(guest), "machine.slice does not freeze: "
					      "'tar' (4711, waits in the kernel)"));
	assert_int_equal(guest->channel.notified, 1);
	assert_string_equal(tree_read(&guest->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze"),
			    "0");
}

static void names_the_driver_that_hangs_and_restores_the_others(void **state)
{
	struct guest *guest = *state;

	tree_add_function(&guest->tree, "0000:00:05.0", "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_teach(&guest->tree, "0000:00:05.0", "hang-unbind", "");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "failed 1");
	assert_non_null(strstr(DETAIL(guest), "device 0000:00:05.0 xhci_hcd"));
	assert_non_null(strstr(DETAIL(guest), "hangs"));
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
}

static void fails_when_the_kernel_does_not_suspend(void **state)
{
	struct guest *guest = *state;

	guest->settings.timeout_us = 300000;
	tree_write(&guest->tree, "proc/99/status", "Name:\tnfsd\nState:\tD\n");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	await_state(guest, "failed 1");
	/* The kernel has not read control/shutdown, and must not find `suspend` there later. */
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "");
	assert_non_null(strstr(DETAIL(guest), "'nfsd' (99, waits"));
	assert_int_equal(guest->channel.notified, 1);
	assert_true(tree_is_bound(&guest->tree, NIC));
}

static void detects_at_once_that_the_kernel_refuses(void **state)
{
	static const char *const records[] = {
		"6,1,1,-;e1000e 0000:00:04.0: PME# enabled\n",
		"4,2,2,-;xen:manage: something that is of no concern\n",
		"3,3,3,-;xen:manage: do_suspend: freeze processes failed -16\n"
		" SUBSYSTEM=xen\n",
	};
	struct guest *guest = *state;
	char path[FILE_PATH_MAX];
	uint64_t asked_us;
	int kernel;

	tree_write(&guest->tree, "dev/.keep", "");
	tree_path(&guest->tree, path, "dev/kmsg");
	assert_int_equal(mkfifo(path, 0600), 0);
	kernel = open(path, O_RDWR | O_CLOEXEC);
	assert_true(kernel >= 0);
	guest->settings.timeout_us = 20000000;
	tree_write(&guest->tree, "proc/99/status", "Name:\tnfsd\nState:\tD\n");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	asked_us = clock_now_us();
	for (size_t i = 0; i < ELEMENTSOF(records); i++) {
		assert_int_equal(write(kernel, records[i], strlen(records[i])), strlen(records[i]));
		settle(guest);
	}
	await_state(guest, "failed 1");
	assert_true(clock_now_us() - asked_us < 10000000);
	assert_non_null(strstr(DETAIL(guest), "has not suspended: freeze processes failed "
					      "-16: 'nfsd' (99, waits"));
	assert_true(tree_is_bound(&guest->tree, NIC));
	close(kernel);
}

static void tries_again_until_the_device_is_restored(void **state)
{
	struct guest *guest = *state;

	guest->settings.restore_timeout_us = 3000000;
	tree_teach(&guest->tree, NIC, "refuse-bind", "2");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_string_equal(tree_read(&guest->tree, TREE_DEVICES NIC "/was-reset"), "");
}

static void thaws_before_a_dead_device_is_lost(void **state)
{
	struct guest *guest = *state;

	tree_teach(&guest->tree, NIC, "refuse-bind", "1000");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspend_and_wake(guest);
	while (is_frozen(guest))
		sd_event_run(guest->event, 10000);
	assert_string_equal(STATE(guest), "quiesced 1");
	await_state(guest, "degraded 1");
	assert_non_null(strstr(DETAIL(guest), NIC " e1000e enp0s4 lost: "));
	/* The next cycle works without the device. */
	ask(guest, "suspend 2");
	await_state(guest, "ready 2");
	notify(guest);
	await_state(guest, "quiesced 2");
}

static void a_bind_that_hangs_ends_at_its_time_limit(void **state)
{
	struct guest *guest = *state;

	tree_teach(&guest->tree, NIC, "hang-bind", "");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspend_and_wake(guest);
	await_state(guest, "degraded 1");
	assert_non_null(strstr(DETAIL(guest), "the driver hangs"));
}

static void believes_dom0_where_the_clocks_saw_no_sleep(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "quiesced 1");
	/* The kernel acknowledges the suspend, and dom0 notifies the agent. */
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	notify(guest);
	await_state(guest, "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
}

static void restores_by_itself_after_a_kill(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 3");
	await_state(guest, "ready 3");
	notify(guest);
	await_state(guest, "quiesced 3");
	kill_agent(guest);
	assert_true(is_frozen(guest));
	guest->channel.base.kept = true;
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	start_agent(guest);
	await_state(guest, "ready 3");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 3");
	/* An agent that is started again and has nothing to undo does not repeat the cycle. */
	kill_agent(guest);
	start_agent(guest);
	notify(guest);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 3");
	assert_true(tree_is_bound(&guest->tree, NIC));
}

/* Does what ExecStopPost= does after the agent has died and before a new agent starts. */
static void restore_leftovers_of(struct guest *guest)
{
	struct engine_setup setup = {
		.roots = &guest->tree.roots,
		.settings = &guest->settings,
		.device_ops = &tree_device_ops,
		.claimed = tree_nothing_claimed,
		.journal = &guest->journal,
	};
	struct self_test_result repeat;
	struct error error = { 0 };
	struct engine *engine;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	assert_int_equal(sd_event_new(&setup.event), 0);
	assert_int_equal(journal_load(&guest->journal, &guest->tree.roots, &error), 0);
	assert_int_equal(journal_lock(&guest->journal, &error), 0);
	assert_int_equal(engine_new(&setup, &engine), 0);
	assert_int_equal(restore_leftovers(&setup, engine, &repeat), 0);
	assert_false(repeat.degraded);
	engine_free(engine);
	journal_done(&guest->journal);
	sd_event_unref(setup.event);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void publishes_the_result_of_a_cycle_that_another_process_undid(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 3");
	await_state(guest, "ready 3");
	notify(guest);
	await_state(guest, "quiesced 3");
	kill_agent(guest);
	restore_leftovers_of(guest);
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
	guest->channel.base.kept = true;
	start_agent(guest);
	assert_string_equal(STATE(guest), "ready 3");
	assert_int_equal(guest->channel.notified, 0);
	/* The agent is killed while it quiesces the guest, and dom0 waits for it. */
	ask(guest, "suspend 4");
	await_state(guest, "ready 4");
	tree_teach(&guest->tree, NIC, "hang-unbind", "");
	notify(guest);
	settle(guest);
	kill_agent(guest);
	restore_leftovers_of(guest);
	start_agent(guest);
	assert_string_equal(STATE(guest), "failed 4");
	assert_int_equal(guest->channel.notified, 1);
}

static void a_hook_can_veto_and_is_undone(void **state)
{
	struct guest *guest = *state;
	char path[FILE_PATH_MAX], text[400];

	snprintf(text, sizeof(text), "#!/bin/sh\necho $1 $PMCOORD_CYCLE >> %s/hooks.log\n",
		 guest->tree.base);
	tree_write(&guest->tree, "etc/suspend.d/10-first", text);
	tree_write(&guest->tree, "etc/suspend.d/20-veto", "#!/bin/sh\ntest $1 = post || exit 7\n");
	tree_write(&guest->tree, "etc/suspend.d/30-old.bak", "#!/bin/sh\n");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "10-first", "20-veto", "30-old.bak" };

		snprintf(path, sizeof(path), "%s/suspend.d/%s", guest->tree.etc, names[i]);
		chmod(path, 0755);
	}
	start_agent(guest);
	ask(guest, "suspend 8");
	await_state(guest, "ready 8");
	notify(guest);
	await_state(guest, "failed 8");
	assert_string_equal(DETAIL(guest), "hook 20-veto pre failed with status 7");
	assert_string_equal(tree_read(&guest->tree, "hooks.log"), "pre 8\npost 8");
}

static void stops_cleanly_in_the_middle_of_a_cycle(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	agent_stop(guest->agent);
	assert_int_equal(sd_event_loop(guest->event), 0);
	assert_string_equal(STATE(guest), "(none)");
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_false(is_frozen(guest));
}

/* Not only at the time limit of the suspend. */
static void a_stopped_agent_restores_a_quiesced_guest_at_once_and_says_why(void **state)
{
	struct guest *guest = *state;
	uint64_t start_us;

	guest->settings.timeout_us = 60000000;
	guest->log = (struct log){ .held = true };
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	start_us = clock_now_us();
	agent_stop(guest->agent);
	assert_int_equal(sd_event_loop(guest->event), 0);
	assert_true(clock_now_us() - start_us < 5000000);
	assert_int_equal(strncmp(DETAIL(guest), "pmcoord-agent was stopped", 25), 0);
	assert_true(tree_is_bound(&guest->tree, NIC));
}

static void a_stopped_agent_undoes_what_it_is_quiescing(void **state)
{
	struct guest *guest = *state;
	uint64_t start_us;

	/* This cgroup never freezes, so quiescing waits for it. */
	tree_add_cgroup(&guest->tree, "machine.slice", NULL);
	free(guest->settings.freeze[0]);
	guest->settings.freeze[0] = strdup("machine.slice");
	guest->settings.timeout_us = 60000000;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	settle(guest);
	start_us = clock_now_us();
	agent_stop(guest->agent);
	assert_int_equal(sd_event_loop(guest->event), 0);
	assert_true(clock_now_us() - start_us < 5000000);
	assert_string_equal(STATE(guest), "(none)");
	assert_string_equal(DETAIL(guest), "pmcoord-agent was stopped");
	assert_string_equal(tree_read(&guest->tree, "sys/fs/cgroup/machine.slice/cgroup.freeze"),
			    "0");
}

/* The guest has been suspended, so the cycle is not a failure. */
static void an_agent_stopped_after_the_wake_ends_the_cycle(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspended_us += 50000;
	agent_stop(guest->agent);
	assert_int_equal(sd_event_loop(guest->event), 0);
	assert_null(strstr(DETAIL(guest), "was stopped"));
	assert_int_equal(guest->journal.done.state, PROTOCOL_AGENT_READY);
	assert_int_equal(guest->journal.done.cycle, 1);
	assert_true(tree_is_bound(&guest->tree, NIC));
}

/* The kernel has acknowledged the suspend, but does not suspend yet. */
static void a_watch_without_a_change_does_not_wake_a_quiesced_agent(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	ring(guest->channel.base.watch_fd);
	settle(guest);
	assert_string_equal(STATE(guest), "quiesced 1");
	assert_false(tree_is_bound(&guest->tree, NIC));
	assert_true(is_frozen(guest));
}

/* Holds the journal's lock in another process until `fd` is closed. */
static void hold_lock(struct guest *guest, int ready_fd, int end_fd)
{
	struct journal journal;
	struct error error = { 0 };
	char byte = 0;

	if (journal_load(&journal, &guest->tree.roots, &error) < 0 ||
	    journal_lock(&journal, &error) < 0 || write(ready_fd, &byte, 1) != 1)
		_exit(1);
	(void)!read(end_fd, &byte, 1);
	_exit(0);
}

static void leaves_an_unfinished_cycle_to_the_agent_that_undoes_it(void **state)
{
	struct guest *guest = *state;
	char byte, path[FILE_PATH_MAX];
	int ready[2], end[2];
	pid_t pid;

	start_agent(guest);
	ask(guest, "suspend 3");
	await_state(guest, "ready 3");
	notify(guest);
	await_state(guest, "quiesced 3");
	kill_agent(guest);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		hold_lock(guest, ready[1], end[0]);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	guest->log = (struct log){ .held = true };
	start_agent(guest);
	assert_non_null(strstr(guest->log.text, "not undoing the unfinished cycle 3"));
	settle(guest);
	assert_false(tree_is_bound(&guest->tree, NIC));
	assert_true(is_frozen(guest));
	close(end[0]);
	close(end[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	/* It has undone the cycle, so the next cycle begins as usual. */
	tree_path(&guest->tree, path, "run/journal");
	assert_int_equal(unlink(path), 0);
	freezer_set(&guest->tree.roots, "user.slice", false);
	settle(guest);
	ask(guest, "suspend 4");
	await_state(guest, "ready 4");
	notify(guest);
	await_state(guest, "quiesced 4");
}

static void publishes_again_after_a_migration(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	memset(guest->channel.stands, 0, sizeof(guest->channel.stands));
	ring(guest->channel.base.watch_fd);
	await_state(guest, "ready 0");
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_EVENT_CHANNEL), "12");
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_VERSION), "1");
}

/* ---- What the agent says ---- */

/* Keeps all log lines in guest->log, with their levels. */
static void keep_log(struct guest *guest, bool verbose)
{
	guest->log = (struct log){ .held = true, .verbose = verbose, .prefix = true };
}

/* Returns the length of a duration at `text`, such as "12.3 ms" or "7.65 s"; else 0. */
static size_t duration_length(const char *text)
{
	size_t length = strspn(text, "0123456789.");

	if (length > 0 && strncmp(text + length, " ms", 3) == 0)
		return length + 3;
	return length > 0 && strncmp(text + length, " s", 2) == 0 ? length + 2 : 0;
}

/* Returns `text` with a "T" for each duration, and without the durations of steps. */
static const char *blur(const char *text)
{
	static char blurred[8192];
	char *end = blurred;

	for (const char *at = text; *at;) {
		size_t length =
			at == text || !isalnum((unsigned char)at[-1]) ? duration_length(at) : 0;

		if (length == 0) {
			*end++ = *at++;
			continue;
		}
		*end++ = 'T';
		at += length;
		if (strncmp(at, " (", 2) == 0 && end - blurred >= 13 &&
		    strncmp(end - 13, "quiesced in T", 13) == 0)
			at = strchr(at, ')') + 1;
	}
	*end = '\0';
	return blurred;
}

/* Expects these lines in the log since the last call. */
static void expect_log(struct guest *guest, const char *text)
{
	assert_string_equal(blur(guest->log.text), text);
	keep_log(guest, guest->log.verbose);
}

#define NO_KMSG(level)                                                                             \
	"<" level                                                                                  \
	">cannot watch %s/dev/kmsg: No such file or directory; only the time limit detects a failed suspend\n"

static void logs_and_tells_systemd_what_happens_in_a_cycle(void **state)
{
	struct guest *guest = *state;
	char text[1000];

	keep_log(guest, true);
	start_agent(guest);
	expect_log(guest, "<7>published 'ready 0'\n");
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	expect_log(guest, "<7>published 'ready 1'\n");
	notify(guest);
	await_state(guest, "quiesced 1");
	settle(guest);
	snprintf(text, sizeof(text), NO_KMSG("5") "<6>cycle 1: quiesced in T\n", guest->tree.base);
	expect_log(guest, text);
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	expect_log(guest, "<6>device " NIC " e1000e: restored\n"
			  "<5>cycle 1: ready, restored in T: " NIC " e1000e enp0s4 ok T\n"
			  "<7>published 'ready 1'\n");
	assert_string_equal(blur(DETAIL(guest)), NIC " e1000e enp0s4 ok T");
	assert_string_equal(told, "STATUS=ready 0|STATUS=ready 1|"
				  "WATCHDOG_USEC=30000000\nWATCHDOG=1|STATUS=ready 1|"
				  "WATCHDOG_USEC=0|");
}

static void repeats_the_watchdog_while_the_guest_is_quiesced(void **state)
{
	struct guest *guest = *state;

	watchdog_haste = 200;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	told[0] = '\0';
	notify(guest);
	await_state(guest, "quiesced 1");
	await_watchdog(guest, "WATCHDOG=1");
	assert_int_equal(watchdog_us, 10000000);
	watchdog[0] = '\0';
	await_watchdog(guest, "WATCHDOG=1");
	assert_int_equal(
		strncmp(told, "WATCHDOG_USEC=30000000\nWATCHDOG=1|WATCHDOG=1|WATCHDOG=1|", 56), 0);
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	settle(guest);
	assert_string_equal(watchdog, "WATCHDOG_USEC=0");
	/* The next cycle begins anew. */
	ask(guest, "suspend 2");
	await_state(guest, "ready 2");
	told[0] = '\0';
	notify(guest);
	await_state(guest, "quiesced 2");
	await_watchdog(guest, "WATCHDOG=1");
	assert_int_equal(strncmp(told, "WATCHDOG_USEC=30000000\nWATCHDOG=1|", 34), 0);
}

/* Only steps that take a millisecond or more are named. */
static void logs_which_steps_took_long(void **state)
{
	struct guest *guest = *state;
	char path[FILE_PATH_MAX];
	const char *list, *hooks, *devices;

	tree_write(&guest->tree, "etc/suspend.d/10-slow", "#!/bin/sh\nsleep 0.1\n");
	tree_path(&guest->tree, path, "etc/suspend.d/10-slow");
	assert_int_equal(chmod(path, 0755), 0);
	guest->settings.unbind_timeout_us = 1000000;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	keep_log(guest, false);
	tree_teach(&guest->tree, NIC, "hang-unbind", "");
	notify(guest);
	run_for(guest, 400000);
	tree_path(&guest->tree, path, TREE_DEVICES NIC "/hang-unbind");
	assert_int_equal(unlink(path), 0);
	await_state(guest, "quiesced 1");
	list = strstr(guest->log.text, "cycle 1: quiesced in ");
	assert_non_null(list);
	list = strchr(list, '(');
	hooks = strstr(list, "pre hooks ");
	devices = strstr(list, ", devices ");
	assert_true(hooks && devices && hooks < devices);
	/* Each name has a comma before it, except the first. */
	assert_true(hooks == list + 1 || strncmp(hooks - 2, ", ", 2) == 0);
	assert_null(strstr(list, " 0."));
	assert_null(strstr(list, "(,"));
	assert_non_null(strstr(devices, ")\n"));
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
}

/* ---- Nodes that cannot be read or written ---- */

static void keeps_the_last_request_if_it_cannot_be_read(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	guest->channel.unreadable = PROTOCOL_NODE_REQUEST;
	guest->channel.read_r = -EIO;
	keep_log(guest, false);
	ring(guest->channel.base.watch_fd);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	expect_log(guest, "<4>cannot read pmcoord/request: Input/output error; "
			  "keeping the last request\n");
	notify(guest);
	run_for(guest, 200000);
	guest->channel.unreadable = NULL;
	await_state(guest, "quiesced 1");
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
}

static void a_request_that_is_none_disarms_the_agent(void **state)
{
	static const struct {
		const char *request;
		int read_r; /* if the node is unreadable */
		const char *log;
	} cases[] = {
		{ NULL, -ENOENT, "" },
		{ NULL, -EMSGSIZE, "" },
		/* The node is empty after dom0 has created it. */
		{ "", 0, "" },
		{ "suspend one", 0,
		  "<4>pmcoord/request: invalid request 'suspend one', ignoring\n" },
		{ "x", 0, "<4>pmcoord/request: invalid request 'x', ignoring\n" },
	};
	struct guest *guest = *state;

	start_agent(guest);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		guest->channel.unreadable = NULL;
		ask(guest, "suspend 1");
		await_state(guest, "ready 1");
		keep_log(guest, false);
		guest->channel.unreadable = cases[i].request ? NULL : PROTOCOL_NODE_REQUEST;
		guest->channel.read_r = cases[i].read_r;
		ask(guest, cases[i].request ? cases[i].request : "suspend 1");
		await_state(guest, "ready 0");
		expect_log(guest, cases[i].log);
	}
}

static void logs_nodes_that_cannot_be_written(void **state)
{
	struct guest *guest = *state;

	guest->channel.write_r = -EACCES;
	keep_log(guest, false);
	start_agent(guest);
	expect_log(guest, "<3>cannot write data/pmcoord/state: Permission denied\n"
			  "<3>cannot write data/pmcoord/version: Permission denied\n"
			  "<3>cannot write data/pmcoord/event-channel: Permission denied\n"
			  "<3>cannot write data/pmcoord/detail: Permission denied\n"
			  "<3>cannot write data/pmcoord/state: Permission denied\n");
}

static void nothing_happens_without_an_event_or_a_watch(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	guest->channel.drain_r = -EBADF;
	notify(guest);
	settle(guest);
	guest->channel.drain_r = 0;
	guest->channel.watches_r = -EBADF;
	ask(guest, "suspend 2");
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
}

/* ---- Failures at the end of quiescing, and after it ---- */

/* Without devices or cgroups, details are always the same. */
static void stop_nothing(struct guest *guest)
{
	guest->settings.devices = false;
	free(guest->settings.freeze[0]);
	guest->settings.n_freeze = 0;
}

#define KEPT NIC " e1000e kept: Devices=none"

static void a_suspend_that_cannot_be_requested_is_a_failure(void **state)
{
	struct guest *guest = *state;
	char text[1000];

	stop_nothing(guest);
	guest->channel.commit_r = -EIO;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	keep_log(guest, false);
	notify(guest);
	await_state(guest, "failed 1");
	assert_string_equal(DETAIL(guest), "cannot request a suspend from the guest's kernel: "
					   "Input/output error; " KEPT);
	snprintf(text, sizeof(text),
		 NO_KMSG("5") "<5>cycle 1: failed, restored in T: cannot request a suspend from "
			      "the guest's kernel: Input/output error; " KEPT "\n",
		 guest->tree.base);
	expect_log(guest, text);
	assert_int_equal(guest->channel.notified, 1);
	assert_int_equal(guest->channel.withdrawn, 0);
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "(none)");
	assert_string_equal(tree_read(&guest->tree, "sys/power/pm_freeze_timeout"), "20000");
	/* The reason is that of this cycle only. */
	guest->channel.commit_r = 0;
	ask(guest, "suspend 2");
	await_state(guest, "ready 2");
	notify(guest);
	await_state(guest, "quiesced 2");
	suspend_and_wake(guest);
	await_state(guest, "ready 2");
	assert_string_equal(DETAIL(guest), KEPT);
}

static void does_not_request_a_suspend_if_dom0_has_aborted(void **state)
{
	struct guest *guest = *state;
	char text[1000];

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	keep_log(guest, false);
	notify(guest);
	while (!file_exists("%s/journal", guest->tree.run))
		sd_event_run(guest->event, 10000);
	/* The watch has not fired yet. */
	fake_write(&guest->channel.base, PROTOCOL_NODE_REQUEST, "abort 1");
	await_undone(guest);
	await_state(guest, "ready 1");
	snprintf(text, sizeof(text),
		 NO_KMSG("5") "<6>cycle 1: quiesced in T, but dom0 has aborted the cycle\n"
			      "<6>device " NIC " e1000e: restored\n"
			      "<5>cycle 1: ready, restored in T: " NIC " e1000e enp0s4 ok T\n",
		 guest->tree.base);
	expect_log(guest, text);
	assert_string_equal(node(&guest->channel, PROTOCOL_NODE_SHUTDOWN), "(none)");
	assert_int_equal(guest->channel.notified, 0);
}

static void a_kernel_that_does_not_suspend_in_time_is_a_failure(void **state)
{
	struct guest *guest = *state;
	uint64_t start_us;
	char text[1000];

	stop_nothing(guest);
	guest->settings.timeout_us = 800000;
	guest->channel.withdraw_r = -EIO;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	keep_log(guest, false);
	start_us = clock_now_us();
	notify(guest);
	await_state(guest, "quiesced 1");
	await_state(guest, "failed 1");
	/* 15/16 of the limit. */
	assert_in_range(clock_now_us() - start_us, 750000, 800000 + 2000000);
	assert_string_equal(DETAIL(guest),
			    "the guest's kernel has not suspended: timed out; " KEPT);
	snprintf(text, sizeof(text),
		 NO_KMSG("5") "<6>cycle 1: quiesced in T\n"
			      "<3>cycle 1: the guest's kernel has not suspended: timed out\n"
			      "<3>cannot clear control/shutdown: Input/output error; "
			      "the kernel may still suspend this guest\n"
			      "<5>cycle 1: failed, restored in T: the guest's kernel has not "
			      "suspended: timed out; " KEPT "\n",
		 guest->tree.base);
	expect_log(guest, text);
	assert_int_equal(guest->channel.withdrawn, 1);
	assert_int_equal(guest->channel.notified, 1);
}

/* The guest was suspended, but its timer has not told yet. */
static void a_guest_that_was_suspended_has_not_timed_out(void **state)
{
	struct guest *guest = *state;

	stop_nothing(guest);
	guest->settings.timeout_us = 400000;
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspended_us += 50000;
	await_state(guest, "ready 1");
	assert_string_equal(DETAIL(guest), KEPT);
	assert_int_equal(guest->channel.notified, 0);
	assert_int_equal(guest->channel.withdrawn, 0);
}

static void a_state_that_cannot_be_recorded_is_still_published(void **state)
{
	struct guest *guest = *state;
	char text[1000];

	stop_nothing(guest);
	start_agent(guest);
	tree_write(&guest->tree, "run/done/x", "");
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	keep_log(guest, false);
	suspend_and_wake(guest);
	await_state(guest, "ready 1");
	snprintf(text, sizeof(text),
		 "<4>cannot record the final state of cycle 1: Is a directory\n"
		 "<5>cycle 1: ready, restored in T: " KEPT "\n");
	expect_log(guest, text);
}

/* Such an event shows that dom0 has not suspended the guest in this cycle. */
static void an_event_without_the_request_is_no_wake(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	fake_write(&guest->channel.base, PROTOCOL_NODE_REQUEST, "suspend 2");
	notify(guest);
	await_state(guest, "ready 2");
	assert_int_equal(guest->channel.withdrawn, 1);
	assert_true(tree_is_bound(&guest->tree, NIC));
	notify(guest);
	await_state(guest, "quiesced 2");
	fake_write(&guest->channel.base, PROTOCOL_NODE_SHUTDOWN, "");
	fake_write(&guest->channel.base, PROTOCOL_NODE_REQUEST, "");
	notify(guest);
	await_state(guest, "ready 0");
	assert_int_equal(guest->channel.withdrawn, 2);
	assert_true(tree_is_bound(&guest->tree, NIC));
}

/* Half of what is left of 15/16 of dom0's limit is the kernel's. */
static void divides_the_time_limit(void **state)
{
	static const struct {
		const char *node;
		uint64_t settings_ms, expected_ms;
	} cases[] = {
		{ "3600000", 2000, 1687500 },
		{ "soon", 3600000, 1687500 },
		{ "", 1800000, 843750 },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1800000, 843750 },
	};
	struct guest *guest = *state;
	uint64_t limit_ms;

	stop_nothing(guest);
	start_agent(guest);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char suspend[40], ready[40], quiesced[40];

		snprintf(suspend, sizeof(suspend), "suspend %zu", i + 1);
		snprintf(ready, sizeof(ready), "ready %zu", i + 1);
		snprintf(quiesced, sizeof(quiesced), "quiesced %zu", i + 1);
		guest->settings.timeout_us = cases[i].settings_ms * 1000;
		fake_write(&guest->channel.base, PROTOCOL_NODE_TIMEOUT, cases[i].node);
		ask(guest, suspend);
		await_state(guest, ready);
		notify(guest);
		await_state(guest, quiesced);
		assert_int_equal(
			file_read_number(&limit_ms, "%s/power/pm_freeze_timeout", guest->tree.sys),
			0);
		assert_in_range(limit_ms, cases[i].expected_ms - 500, cases[i].expected_ms);
		suspend_and_wake(guest);
		await_state(guest, ready);
	}
}

/* ---- Starting, stopping, migrating ---- */

static void an_agent_that_cannot_watch_its_channel_does_not_start(void **state)
{
	struct guest *guest = *state;
	struct channel *channel = &guest->channel.base;
	int *const fds[] = { &channel->event_fd, &channel->watch_fd };

	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		struct error error = { 0 };
		int fd = *fds[i];

		*fds[i] = -1;
		assert_int_equal(try_start_agent(guest, &error), -EBADF);
		assert_string_equal(error.text,
				    "cannot watch the event channel: Bad file descriptor");
		assert_null(guest->agent);
		assert_string_equal(STATE(guest), "(none)");
		*fds[i] = fd;
		kill_agent(guest);
	}
}

static void an_idle_agent_stops_at_once(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	assert_string_equal(STATE(guest), "ready 0");
	agent_stop(guest->agent);
	assert_string_equal(STATE(guest), "(none)");
	assert_int_equal(sd_event_loop(guest->event), 0);
}

static void an_agent_that_restores_stops_after_that(void **state)
{
	struct guest *guest = *state;

	tree_teach(&guest->tree, NIC, "refuse-bind", "1");
	start_agent(guest);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	suspend_and_wake(guest);
	run_for(guest, 30000);
	assert_false(tree_is_bound(&guest->tree, NIC));
	agent_stop(guest->agent);
	assert_string_equal(STATE(guest), "quiesced 1");
	assert_int_equal(sd_event_loop(guest->event), 0);
	assert_string_equal(STATE(guest), "(none)");
	assert_true(tree_is_bound(&guest->tree, NIC));
	assert_null(strstr(DETAIL(guest), "stopped"));
	assert_int_equal(guest->channel.withdrawn, 0);
}

static void the_next_agent_says_what_the_last_one_left(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	ask(guest, "suspend 3");
	await_state(guest, "ready 3");
	tree_teach(&guest->tree, NIC, "hang-unbind", "");
	notify(guest);
	settle(guest);
	kill_agent(guest);
	guest->channel.base.kept = true;
	keep_log(guest, false);
	start_agent(guest);
	await_state(guest, "failed 3");
	expect_log(guest,
		   "<4>cycle 3: pmcoord-agent died before it had restored the guest; "
		   "restoring now\n"
		   "<6>device " NIC " e1000e: restored\n"
		   "<5>cycle 3: failed, restored in T: pmcoord-agent died in this cycle; " NIC
		   " e1000e enp0s4 ok T\n");
	assert_int_equal(guest->channel.withdrawn, 1);
	assert_string_equal(blur(DETAIL(guest)),
			    "pmcoord-agent died in this cycle; " NIC " e1000e enp0s4 ok T");
	/* An agent with nothing to undo publishes the same detail. */
	kill_agent(guest);
	fake_write(&guest->channel.base, PROTOCOL_NODE_DETAIL, NULL);
	start_agent(guest);
	assert_string_equal(blur(DETAIL(guest)),
			    "pmcoord-agent died in this cycle; " NIC " e1000e enp0s4 ok T");
	assert_string_equal(STATE(guest), "failed 3");
}

static void believes_only_the_state_of_the_same_cycle(void **state)
{
	static const struct {
		const char *state, *published;
	} cases[] = {
		{ "quiesced 4", "ready 4" },
		{ "quiesced 3", "failed 4" },
		{ "ready 4", "failed 4" },
		{ "quiesced", "failed 4" },
	};
	struct guest *guest = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_write(&guest->tree, "run/done", "failed 4\nwhat was lost\n");
		fake_write(&guest->channel.base, PROTOCOL_NODE_REQUEST, "suspend 4");
		fake_write(&guest->channel.base, PROTOCOL_NODE_STATE, cases[i].state);
		guest->channel.base.kept = true;
		start_agent(guest);
		assert_string_equal(STATE(guest), cases[i].published);
		assert_string_equal(DETAIL(guest), "what was lost");
		kill_agent(guest);
	}
}

static void uses_the_channel_that_was_renewed(void **state)
{
	struct guest *guest = *state;
	struct channel *channel = &guest->channel.base;
	int old_fd = channel->event_fd;

	start_agent(guest);
	guest->channel.renew_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	memset(guest->channel.stands, 0, sizeof(guest->channel.stands));
	keep_log(guest, false);
	ring(channel->watch_fd);
	await_state(guest, "ready 0");
	expect_log(guest, "<5>this guest was restored or migrated: "
			  "publishing a new event channel\n");
	assert_int_equal(guest->channel.renewed, 1);
	assert_int_equal(guest->channel.stored, 12);
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	ring(old_fd);
	settle(guest);
	assert_string_equal(STATE(guest), "ready 1");
	assert_true(tree_is_bound(&guest->tree, NIC));
	notify(guest);
	await_state(guest, "quiesced 1");
	close(old_fd);
}

static void publishes_no_channel_that_it_cannot_use(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	for (int i = 0; i < 2; i++) {
		int fd = guest->channel.base.event_fd;

		guest->channel.renew_r = i == 0 ? -EIO : 0;
		guest->channel.renew_fd = i == 0 ? 0 : -1;
		memset(guest->channel.stands, 0, sizeof(guest->channel.stands));
		keep_log(guest, false);
		ask(guest, "suspend 9");
		settle(guest);
		assert_string_equal(STATE(guest), "(none)");
		assert_string_equal(node(&guest->channel, PROTOCOL_NODE_VERSION), "(none)");
		assert_int_equal(guest->channel.renewed, 1);
		assert_non_null(strstr(guest->log.text, "publishing a new event channel\n"));
		assert_int_equal(strstr(guest->log.text, "<3>no event channel\n") != NULL, i == 0);
		guest->channel.base.event_fd = fd;
		guest->channel.renewed = 0;
		kill_agent(guest);
		start_agent(guest);
	}
}

static void renews_no_channel_that_still_exists(void **state)
{
	struct guest *guest = *state;

	start_agent(guest);
	guest->channel.unreadable = PROTOCOL_NODE_VERSION;
	guest->channel.read_r = -EIO;
	ask(guest, "suspend 1");
	await_state(guest, "ready 1");
	notify(guest);
	await_state(guest, "quiesced 1");
	/* In a cycle, the guest is not a new domain. */
	guest->channel.read_r = -ENOENT;
	ring(guest->channel.base.watch_fd);
	settle(guest);
	assert_string_equal(STATE(guest), "quiesced 1");
	assert_int_equal(guest->channel.renewed, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_guest, teardown_guest)
	const struct CMUnitTest tests[] = {
		TEST(suspends_and_restores_a_guest),
		TEST(arms_the_watchdog_only_in_a_cycle),
		TEST(arms_the_watchdog_after_the_commit_of_a_short_cycle),
		TEST(heeds_inhibitors_as_dom0_says_at_that_moment),
		TEST(ignores_spurious_events),
		TEST(undoes_when_dom0_aborts_a_quiesced_guest),
		TEST(undoes_when_dom0_aborts_in_the_middle),
		TEST(undoes_an_abort_at_any_moment),
		TEST(reports_an_invalid_time_limit),
		TEST(names_the_process_that_does_not_freeze),
		TEST(names_the_driver_that_hangs_and_restores_the_others),
		TEST(fails_when_the_kernel_does_not_suspend),
		TEST(detects_at_once_that_the_kernel_refuses),
		TEST(tries_again_until_the_device_is_restored),
		TEST(thaws_before_a_dead_device_is_lost),
		TEST(a_bind_that_hangs_ends_at_its_time_limit),
		TEST(believes_dom0_where_the_clocks_saw_no_sleep),
		TEST(restores_by_itself_after_a_kill),
		TEST(publishes_the_result_of_a_cycle_that_another_process_undid),
		TEST(a_hook_can_veto_and_is_undone),
		TEST(stops_cleanly_in_the_middle_of_a_cycle),
		TEST(a_stopped_agent_restores_a_quiesced_guest_at_once_and_says_why),
		TEST(a_stopped_agent_undoes_what_it_is_quiescing),
		TEST(an_agent_stopped_after_the_wake_ends_the_cycle),
		TEST(a_watch_without_a_change_does_not_wake_a_quiesced_agent),
		TEST(leaves_an_unfinished_cycle_to_the_agent_that_undoes_it),
		TEST(publishes_functions_kept_at_a_risk_when_it_starts),
		TEST(publishes_again_after_a_migration),
		TEST(logs_and_tells_systemd_what_happens_in_a_cycle),
		TEST(repeats_the_watchdog_while_the_guest_is_quiesced),
		TEST(logs_which_steps_took_long),
		TEST(keeps_the_last_request_if_it_cannot_be_read),
		TEST(a_request_that_is_none_disarms_the_agent),
		TEST(logs_nodes_that_cannot_be_written),
		TEST(nothing_happens_without_an_event_or_a_watch),
		TEST(a_suspend_that_cannot_be_requested_is_a_failure),
		TEST(does_not_request_a_suspend_if_dom0_has_aborted),
		TEST(a_kernel_that_does_not_suspend_in_time_is_a_failure),
		TEST(a_guest_that_was_suspended_has_not_timed_out),
		TEST(a_state_that_cannot_be_recorded_is_still_published),
		TEST(an_event_without_the_request_is_no_wake),
		TEST(divides_the_time_limit),
		TEST(an_agent_that_cannot_watch_its_channel_does_not_start),
		TEST(an_idle_agent_stops_at_once),
		TEST(an_agent_that_restores_stops_after_that),
		TEST(the_next_agent_says_what_the_last_one_left),
		TEST(believes_only_the_state_of_the_same_cycle),
		TEST(uses_the_channel_that_was_renewed),
		TEST(publishes_no_channel_that_it_cannot_use),
		TEST(renews_no_channel_that_still_exists),
	};

	return cmocka_run_group_tests_name("agent-session", tests, NULL, NULL);
}
