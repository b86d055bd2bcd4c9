/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/self-test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "pmcoord/clock.h"
#include "pmcoord/stop-signals.h"

struct run {
	const struct engine_setup *setup;
	struct engine *engine;
	struct repeat *result;
	uint64_t start_us;
	bool going_up;
};

static void on_up(void *userdata, bool degraded, const char *detail)
{
	struct run *run = userdata;

	run->result->up_us = clock_now_us() - run->start_us;
	run->result->degraded = degraded;
	snprintf(run->result->detail, sizeof(run->result->detail), "%s", detail);
	sd_event_exit(run->setup->event, 0);
}

static void go_up(struct run *run)
{
	run->going_up = true;
	run->start_us = clock_now_us();
	engine_go_up(run->engine, on_up, run);
}

static void on_down(void *userdata, int r, const char *reason)
{
	struct run *run = userdata;

	run->result->down_us = clock_now_us() - run->start_us;
	run->result->down_r = r;
	snprintf(run->result->reason, sizeof(run->result->reason), "%s", reason);
	go_up(run);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct run *run = userdata;

	(void)source;
	(void)info;
	if (!run->going_up)
		on_down(run, -EINTR, "interrupted");
	return 0;
}

static int run_loop(struct run *run)
{
	sd_event *event = run->setup->event;
	int r = stop_signals_watch(event, SD_EVENT_PRIORITY_NORMAL, on_signal, run);

	/* Without them an interrupt would leave the guest quiesced. */
	return r < 0 ? r : sd_event_loop(event);
}

int rehearse(const struct engine_setup *setup, struct engine *engine, struct repeat *ret)
{
	struct run run = {
		.setup = setup,
		.engine = engine,
		.result = ret,
		.start_us = clock_now_us(),
	};
	int r;

	*ret = (struct repeat){ 0 };
	engine_quiesce(engine, 0, setup->settings->timeout_us, on_down, &run);
	r = run_loop(&run);
	journal_finish(setup->journal, NULL, NULL);
	return r;
}

int restore_leftovers(const struct engine_setup *setup, struct engine *engine, struct repeat *ret)
{
	struct protocol_state done = { PROTOCOL_AGENT_FAILED, setup->journal->cycle };
	struct run run = { .setup = setup, .engine = engine, .result = ret };
	int r;

	*ret = (struct repeat){ 0 };
	go_up(&run);
	r = run_loop(&run);
	if (r < 0)
		return r;
	if (ret->degraded)
		done.state = PROTOCOL_AGENT_DEGRADED;
	/* Cycle 0 is a rehearsal's, of which dom0 knows nothing. */
	return journal_finish(setup->journal, done.cycle == 0 ? NULL : &done, ret->detail);
}
