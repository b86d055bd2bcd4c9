/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/self-test.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "pmcoord/clock.h"
#include "pmcoord/protocol.h"
#include "pmcoord/stop-signals.h"
#include "engine/journal.h"

struct self_test {
	const struct engine_setup *setup;
	struct engine *engine;
	struct self_test_result *result;
	uint64_t start_us;
	bool restoring;
};

static void on_restored(void *userdata, bool degraded, const char *detail)
{
	struct self_test *test = userdata;

	test->result->restore_us = clock_now_us() - test->start_us;
	test->result->degraded = degraded;
	snprintf(test->result->detail, sizeof(test->result->detail), "%s", detail);
	sd_event_exit(test->setup->event, 0);
}

static void start_restore(struct self_test *test)
{
	test->restoring = true;
	test->start_us = clock_now_us();
	engine_restore(test->engine, on_restored, test);
}

static void on_quiesced(void *userdata, int r, const char *reason)
{
	struct self_test *test = userdata;

	test->result->quiesce_us = clock_now_us() - test->start_us;
	test->result->quiesce_r = r;
	snprintf(test->result->reason, sizeof(test->result->reason), "%s", reason);
	start_restore(test);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct self_test *test = userdata;

	(void)source;
	(void)info;
	if (!test->restoring)
		on_quiesced(test, -EINTR, "interrupted");
	return 0;
}

/* Without this nothing is begun, because a stop signal could not interrupt the loop. */
static int watch_signals(struct self_test *test)
{
	return stop_signals_watch(test->setup->event, SD_EVENT_PRIORITY_NORMAL, on_signal, test);
}

int self_test_run(const struct engine_setup *setup, struct engine *engine,
		  struct self_test_result *ret)
{
	struct self_test test = {
		.setup = setup,
		.engine = engine,
		.result = ret,
		.start_us = clock_now_us(),
	};
	int r;

	assert(setup && engine && ret);
	*ret = (struct self_test_result){ 0 };
	r = watch_signals(&test);
	if (r < 0)
		return r;
	engine_quiesce(engine, 0, setup->settings->timeout_us, on_quiesced, &test);
	r = sd_event_loop(setup->event);
	journal_finish(setup->journal, NULL, NULL);
	return r;
}

int restore_leftovers(const struct engine_setup *setup, struct engine *engine,
		      struct self_test_result *ret)
{
	struct protocol_state done = { PROTOCOL_AGENT_FAILED, setup->journal->cycle };
	struct self_test test = { .setup = setup, .engine = engine, .result = ret };
	int r;

	assert(engine && ret);
	assert(setup->journal->open);
	*ret = (struct self_test_result){ 0 };
	r = watch_signals(&test);
	if (r < 0)
		return r;
	start_restore(&test);
	r = sd_event_loop(setup->event);
	if (r < 0)
		return r;
	if (ret->degraded)
		done.state = PROTOCOL_AGENT_DEGRADED;
	/* The cycle of a self-test has the number 0. Its result is not recorded for dom0. */
	return journal_finish(setup->journal, done.cycle == 0 ? NULL : &done, ret->detail);
}
