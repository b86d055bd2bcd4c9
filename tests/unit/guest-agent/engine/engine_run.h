/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_AGENT_ENGINE_RUN_H
#define TESTS_UNIT_AGENT_ENGINE_RUN_H

/* A guest with an engine that quiesces and restores it, for tests of whole cycles. */

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
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "devices/device.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#define NIC "0000:00:04.0"
#define SOUND "0000:00:05.0"
#define USB "0000:00:06.0"

struct run {
	struct tree tree;
	struct settings settings;
	struct journal journal;
	struct device_ops ops;
	struct log log; /* kept in memory, so that tests can read it */
	struct engine *engine;
	sd_event *event;
	char modprobe[FILE_PATH_MAX];
	bool done;
	int r;
	bool degraded;
	char text[2048];
};

static UNUSED int setup_run(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	struct error error = { 0 };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	tree_new(&run->tree);
	assert_int_equal(sd_event_new(&run->event), 0);
	assert_int_equal(settings_default(&run->settings), 0);
	run->settings.unbind_timeout_us = 300000;
	run->settings.restore_timeout_us = 1000000;
	run->settings.thaw_after_us = 200000;
	run->log = (struct log){ .held = true, .prefix = true };
	run->ops = tree_device_ops;
	tree_path(&run->tree, run->modprobe, "modprobe");
	run->ops.modprobe = run->modprobe;
	tree_add_cgroup(&run->tree, "user.slice", run->event);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	*state = run;
	return 0;
}

static UNUSED int teardown_run(void **state)
{
	struct run *run = *state;

	engine_free(run->engine);
	while (sd_event_run(run->event, 50000) > 0)
		;
	journal_done(&run->journal);
	settings_done(&run->settings);
	sd_event_unref(run->event);
	tree_free(&run->tree);
	free(run);
	return 0;
}

static UNUSED void on_down(void *userdata, int r, const char *reason)
{
	struct run *run = userdata;

	run->done = true;
	run->r = r;
	snprintf(run->text, sizeof(run->text), "%s", reason);
}

static UNUSED void on_up(void *userdata, bool degraded, const char *detail)
{
	struct run *run = userdata;

	run->done = true;
	run->degraded = degraded;
	snprintf(run->text, sizeof(run->text), "%s", detail);
}

static UNUSED void wait_done(struct run *run)
{
	uint64_t end = clock_now_us() + 5000000;

	while (!run->done && clock_now_us() < end)
		sd_event_run(run->event, 100000);
	assert_true(run->done);
	run->done = false;
}

static UNUSED void make_engine(struct run *run)
{
	struct engine_setup setup = {
		.event = run->event,
		.roots = &run->tree.roots,
		.settings = &run->settings,
		.device_ops = &run->ops,
		.claimed = tree_nothing_claimed,
		.journal = &run->journal,
		.log = &run->log,
	};

	assert_int_equal(engine_new(&setup, &run->engine), 0);
}

static UNUSED void go_down(struct run *run)
{
	if (!run->engine)
		make_engine(run);
	engine_quiesce(run->engine, 7, 2000000, on_down, run);
	wait_done(run);
}

static UNUSED void go_up(struct run *run)
{
	engine_restore(run->engine, on_up, run);
	wait_done(run);
	journal_finish(&run->journal, NULL, NULL);
}

static UNUSED void add_script(struct run *run, const char *name, const char *body)
{
	char path[FILE_PATH_MAX], text[600];

	snprintf(text, sizeof(text), "#!/bin/sh\nlog=%s/log\n%s\n", run->tree.base, body);
	tree_write(&run->tree, name, text);
	tree_path(&run->tree, path, name);
	assert_int_equal(chmod(path, 0755), 0);
}

/* Returns the recorded effects, as one letter per effect. */
static UNUSED const char *effects(struct run *run)
{
	static const char letters[] = {
		[EFFECT_HOOK] = 'h',   [EFFECT_MANAGER] = 'n', [EFFECT_FREEZE] = 'f',
		[EFFECT_DEVICE] = 'd', [EFFECT_MODULE] = 'm',  [EFFECT_FREEZE_TIMEOUT] = 't',
	};
	static char text[64];
	size_t n = 0;

	for (; n < run->journal.n_effects && n < sizeof(text) - 1; n++)
		text[n] = letters[run->journal.effects[n].kind];
	text[n] = '\0';
	return text;
}

static UNUSED void add_nic(struct run *run)
{
	tree_add_function(&run->tree, NIC, "e1000e", "0x8086 0x10d3 0x020000");
	tree_teach(&run->tree, NIC, "links", "enp0s4");
}

#endif
